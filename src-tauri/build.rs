//! Tells Tauri which commands exist at all: a command that is not named here can neither be
//! allowed by a capability nor be called from a page.
//!
//! The one capability (`capabilities/main.json`) is not compiled in. It names the exact
//! origin of the running server, whose port is known only at run time, so `src/capability.rs`
//! fills it in and adds it then. The pattern below matches no file on purpose: the pages
//! that ship inside the program may call nothing.

fn main() {
    let manifest =
        tauri_build::AppManifest::new().commands(&["pick_folder", "copy_text", "get_autostart", "set_autostart"]);
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/compiled-in/*.json")
        .app_manifest(manifest);
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("tauri-build: {error:#}");
    }
}
