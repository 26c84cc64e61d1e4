//! Disks as small as a test wants them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A disk of its own for the cache, which takes root.
pub struct Volume(pub PathBuf);

impl Volume {
    /// `None` where nothing may be mounted.
    pub fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let size = format!("size={bytes},mode=700");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "loge-test"]).arg(at).output().expect("mount runs");
        if !done.status.success() {
            eprintln!("skipped: no file system can be mounted here: {}", String::from_utf8_lossy(&done.stderr));
            return None;
        }
        Some(Self(at.to_path_buf()))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|s| s.success()) || std::thread::panicking(), "{} stays mounted", self.0.display());
    }
}
