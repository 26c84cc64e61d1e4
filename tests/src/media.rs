//! Small real films, made once per machine by the real ffmpeg.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A folder with one film of each kind the tests need.
pub fn films() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        // Rebuilt per version of this list; shared by all tests of a run and of later runs.
        let dir = cache().join("test-films-4");
        let done = dir.join(".done");
        if !done.exists() {
            std::fs::create_dir_all(cache()).expect("a cache folder");
            let building = tempfile::Builder::new().prefix("films-").tempdir_in(cache()).expect("a folder").keep();
            for (name, arguments) in FILMS {
                make(&building.join(name), arguments);
            }
            std::fs::write(building.join(".done"), b"").expect("a mark");
            // Another test process may have been quicker; its films are as good.
            if std::fs::rename(&building, &dir).is_err() {
                std::fs::remove_dir_all(&building).expect("clean up");
            }
        }
        dir
    })
}

/// The folder for everything that can be made again; the scripts use the same one.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    std::env::var_os("LOGE_CACHE_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(home).join("loge"))
}

/// A private folder holding some of the films, so that a test may damage them.
pub fn some(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("loge-films-of-").tempdir().expect("a folder");
    for name in names {
        std::fs::copy(films().join(name), dir.path().join(name)).expect("a film");
    }
    open_to_all(dir.path());
    dir
}

/// Containers read as a user that owns nothing here.
pub fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).expect("rights");
}

pub const DIRECT: &str = "The Lantern Room (2021).mp4";
pub const WEBM: &str = "Night Ferry (2019).webm";
pub const MKV: &str = "Copper Sky (2017).mkv";
pub const AVI: &str = "Old Reel (1998).avi";
pub const MOV: &str = "Harbour Lights.mov";
pub const M4V: &str = "Paper Boats.m4v";
pub const HEVC: &str = "Salt Road (2023).mkv";
pub const TALL: &str = "Tall Grass (2020).mkv";

const H264: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 24 -c:a aac -b:a 96k";

const FILMS: &[(&str, &str)] = &[
    (DIRECT, "-t 20 H264 -movflags +faststart"),
    (WEBM, "-t 6 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 500k -c:a libopus"),
    (MKV, "-t 6 -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a ac3"),
    (AVI, "-t 6 -c:v mpeg4 -q:v 5 -c:a libmp3lame"),
    (MOV, "-t 6 H264"),
    (M4V, "-t 6 H264"),
    (TALL, "-t 9 -s 1280x720 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 60 -bf 2 -c:a ac3"),
    (
        HEVC,
        "-t 9 -s 1280x720 -c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=60 -pix_fmt yuv420p -c:a ac3",
    ),
];

fn make(to: &Path, arguments: &str) {
    let arguments = arguments.replace("H264", H264);
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=24"])
        .args(["-f", "lavfi", "-i", "sine=frequency=220"])
        .args(arguments.split_whitespace())
        .arg(to)
        .status()
        .expect("ffmpeg runs");
    assert!(done.success(), "ffmpeg makes {}", to.display());
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
