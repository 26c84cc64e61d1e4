//! Files in the work folder, for what a program cannot take or give by a pipe.

use crate::settings::Settings;
use std::{
    fs::File,
    io::Read,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// Numbers the files of jobs that run at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// One file, gone when this is.
pub struct Scratch {
    /// In the work folder, where programs run.
    pub name: String,
    path: PathBuf,
}

impl Scratch {
    pub fn new(settings: &Settings) -> Self {
        let name = format!("scratch-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { path: settings.work_dir.join(&name), name }
    }

    /// What a program wrote; `None` when that is nothing, or too much.
    pub fn read(&self, max_bytes: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(&self.path).ok()?;
        file.take(max_bytes as u64 + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() <= max_bytes).then_some(bytes)
    }

    /// Writes it, and opens it for a program to read.
    pub fn write(&self, bytes: &[u8]) -> std::io::Result<File> {
        std::fs::write(&self.path, bytes)?;
        File::open(&self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
