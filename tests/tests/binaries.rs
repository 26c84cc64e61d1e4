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
