//! What the shipped programs may need of a machine.
#![expect(clippy::disallowed_methods, reason = "asks ldd and readelf")]

use loge_tests::binary;
use std::process::Command;

fn said(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    [out.stdout, out.stderr].concat().iter().map(|b| *b as char).collect()
}

#[test]
fn the_headless_server_needs_no_desktop() {
    let server = binary("LOGE_SERVER", "loge-server");
    let libraries = said("ldd", &[&server.to_string_lossy()]).to_lowercase();
    assert!(libraries.contains("libc"), "the control: {libraries}");
    for banned in ["gtk", "webkit", "libgdk", "libx11", "wayland", "libav", "libssl"] {
        assert!(!libraries.contains(banned), "{banned} in {libraries}");
    }
}

/// A worker runs in an image without a single library, so it may need none and no loader either.
#[test]
fn worker_and_launcher_are_static() {
    for (variable, name) in [("LOGE_WORKER", "loge-worker"), ("LOGE_LAUNCHER", "loge-launch")] {
        let path = binary(variable, name);
        let headers = said("readelf", &["-l", "-d", &path.to_string_lossy()]);
        assert!(headers.contains("LOAD"), "the control: {headers}");
        assert!(!headers.contains("INTERP"), "{name} asks for a loader");
        assert!(!headers.contains("(NEEDED)"), "{name} asks for libraries");
    }
}

/// libav, the C library, and nothing that could talk to anybody.
#[test]
fn frames_links_libav_and_nothing_else() {
    let headers = said("readelf", &["-d", &binary("LOGE_FRAMES", "loge-frames").to_string_lossy()]);
    let needed: Vec<&str> = headers
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1)?.split(".so").next())
        .collect();
    for library in ["libavformat", "libavcodec", "libswscale", "libavutil"] {
        assert!(needed.contains(&library), "{library} is not among {needed:?}");
    }
    let usual = ["libc", "libm", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"];
    let others: Vec<&&str> = needed
        .iter()
        .filter(|name| !name.starts_with("libav") && !usual.contains(name) && **name != "libswscale")
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// A file that any user of the machine can leave in a folder above decides nothing.
#[test]
fn an_env_file_beside_or_above_the_working_folder_is_not_read() {
    let above = tempfile::tempdir().unwrap();
    let below = above.path().join("sub");
    std::fs::create_dir(&below).unwrap();
    let foreign = "/nowhere/foreign-launcher";
    for folder in [above.path(), &below] {
        let text = format!("LOGE_LAUNCHER={foreign}\nLOGE_WORKER={foreign}\nLOGE_DATA_DIR=/nowhere/data\n");
        std::fs::write(folder.join(".env"), text).unwrap();
    }
    let doctor = |with: &[(&str, &str)]| {
        let mut command = Command::new(binary("LOGE_SERVER", "loge-server"));
        command.args(["doctor", "--json"]).current_dir(&below).envs(with.iter().copied());
        for name in ["LOGE_LAUNCHER", "LOGE_WORKER", "LOGE_DATA_DIR"] {
            if !with.iter().any(|(set, _)| *set == name) {
                command.env_remove(name);
            }
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let found = doctor(&[]);
    assert!(found.contains("launcher") && !found.contains("/nowhere"), "{found}");
    let told = doctor(&[("LOGE_LAUNCHER", foreign)]);
    assert!(told.contains(foreign), "control: {told}");
}
