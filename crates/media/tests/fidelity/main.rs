//! What the header walk states is what ffprobe states, on films of every kind ffmpeg can make.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "a test with real programs")]

extern crate loge_media as media;

mod corpus;

use corpus::{Film, May};
use domain::facts::{Container, Defect, FileFacts};
use media::{
    ffmpeg_args, probe_json,
    walk::{MAX_BYTES, MAX_READS, Walked, walk},
};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

const WORDS: &str = "1\n00:00:00,100 --> 00:00:00,900\nHallo\n\n";
const CHAPTERS: &str = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=Anfang\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=1000\ntitle=Ende\n";

/// Makes a film unless it is there already, made in the same way by the same ffmpeg.
fn make(dir: &Path, film: &Film) {
    let path = |n: &str| dir.join(n).to_str().unwrap().to_owned();
    if std::fs::read_to_string(path(&format!("{}.made", film.name))).is_ok_and(|made| made == film.arguments) {
        return;
    }
    let mut command = Command::new("ffmpeg");
    command.stdin(Stdio::null()).current_dir(dir).args(["-nostdin", "-v", "error", "-y"]);
    if film.arguments == "TURNED" {
        let straight =
            Film { name: format!("straight-{}", film.name), arguments: "-c:v libx264 -c:a aac".into(), ..*film };
        make(dir, &straight);
        command.args(["-i", &path(&straight.name), "-c", "copy", "-metadata:s:v:0", "rotate=90"]);
    } else {
        command.args(["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1.2", "-f", "lavfi", "-i", "sine=d=1.2:r=48000"]);
        let arguments = film
            .arguments
            .replace("WORDS", &path("words.srt"))
            .replace("CHAPTERS", &path("chapters.txt"))
            .replace("COVER", &path("cover.jpg"));
        command.args(arguments.split_whitespace());
    }
    assert!(
        command.arg(path(&film.name)).status().unwrap().success(),
        "ffmpeg makes {}: {}",
        film.name,
        film.arguments
    );
    std::fs::write(path(&format!("{}.json", film.name)), ffprobe(&dir.join(&film.name))).unwrap();
    std::fs::write(path(&format!("{}.made", film.name)), &film.arguments).unwrap();
}

fn ffprobe(path: &Path) -> Vec<u8> {
    let mut command = Command::new("ffprobe");
    command.args(ffmpeg_args::probe()).stdin(File::open(path).unwrap()).stderr(Stdio::null());
    command.output().unwrap().stdout
}

fn by_ffprobe(path: &Path, named: Option<Container>) -> Result<FileFacts, Defect> {
    probe_json::parse(&ffprobe(path), named)
}

/// A folder that outlives the test, of one ffmpeg.
fn folder() -> PathBuf {
    let version = Command::new("ffmpeg").arg("-version").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version);
    let version: String =
        version.split_whitespace().nth(2).unwrap().chars().filter(char::is_ascii_alphanumeric).collect();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fidelity-{version}"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("words.srt"), WORDS).unwrap();
    std::fs::write(dir.join("chapters.txt"), CHAPTERS).unwrap();
    make(&dir, &Film { name: "cover.jpg".into(), arguments: "-frames:v 1".into(), may: May::No });
    dir
}

fn by_walk(path: &Path) -> Walked {
    let file = File::open(path).unwrap();
    let (mut bytes, mut reads) = (0, 0);
    let walked = walk(file.metadata().unwrap().len(), |at, out| {
        bytes += out.len();
        reads += 1;
        file.read_at(out, at).unwrap_or(0)
    });
    assert!(bytes <= MAX_BYTES && reads <= MAX_READS, "{reads} reads of {bytes} bytes");
    walked
}

#[test]
fn the_walk_states_what_ffprobe_states() {
    let dir = folder();
    let corpus = corpus::corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, Into::into).min(4) {
            scope.spawn(|| {
                while let Some(film) = corpus.get(next.fetch_add(1, Ordering::Relaxed)) {
                    make(&dir, film);
                }
            });
        }
    });
    let (mut wrong, mut should_know, mut declined) = (Vec::new(), 0, Vec::new());
    for film in &corpus {
        let (path, name) = (dir.join(&film.name), &film.name);
        let named = Container::from_extension(name.rsplit('.').next().unwrap());
        should_know += u32::from(film.may == May::No);
        match by_walk(&path) {
            Walked::Unsure(why) if film.may == May::No => declined.push(format!("{name}: {why}")),
            Walked::Unsure(_) => {}
            Walked::Known(json) => {
                let probed = std::fs::read(dir.join(format!("{name}.json"))).unwrap();
                let (walked, probed) = (probe_json::parse(json.as_bytes(), named), probe_json::parse(&probed, named));
                if walked != probed {
                    wrong.push(format!("{name}:\n  walk    {walked:?}\n  ffprobe {probed:?}"));
                }
            }
        }
    }
    for line in &declined {
        eprintln!("unsure: {line}");
    }
    eprintln!("{} films, {should_know} of the household's kinds, {} of them unsure", corpus.len(), declined.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), corpus.len(), wrong.join("\n"));
    assert!(declined.len() as f64 <= f64::from(should_know) * 0.02, "{} of {should_know} unsure", declined.len());
}

/// `LOGE_FIDELITY_DIR` names a folder of one's own films to compare in the same way.
#[test]
fn own_films() {
    let Some(dir) = std::env::var_os("LOGE_FIDELITY_DIR") else {
        return eprintln!("skipped: LOGE_FIDELITY_DIR is not set");
    };
    let mut wrong = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(dir)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let Some(named) = path.extension().and_then(|e| e.to_str()).and_then(Container::from_extension) else {
                continue;
            };
            match by_walk(&path) {
                Walked::Unsure(why) => eprintln!("unsure: {}: {why}", path.display()),
                Walked::Known(json) => {
                    let (walked, probed) =
                        (probe_json::parse(json.as_bytes(), Some(named)), by_ffprobe(&path, Some(named)));
                    eprintln!("known: {}", path.display());
                    if walked != probed {
                        wrong.push(format!("{}:\n  walk    {walked:?}\n  ffprobe {probed:?}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
