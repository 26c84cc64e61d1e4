//! Writes what all loges together may take, where this user may: as the administrator, or where
//! the folder was given to it. An engine does this for single containers only.

use super::docker_parent::{Together, files, folders};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const ROOT: &str = "/sys/fs/cgroup";

/// The parent's folders, as met.
#[derive(Debug, Default)]
pub struct Group(Mutex<Vec<PathBuf>>);

impl Group {
    /// `pid` is a process of a loge in it. Quick: a handful of files of the kernel.
    ///
    /// # Errors
    /// When there is no such group here, or this user may not limit it.
    pub fn limit(&self, pid: i64, name: &str, together: Together) -> io::Result<()> {
        let table = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let met = folders(&table, name);
        let files = files(&met, together);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = met;
        if files.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it cannot be seen from here"));
        }
        for (file, value) in files {
            // Never created: what is not there is no file of the kernel.
            let file = fs::OpenOptions::new().write(true).open(Path::new(ROOT).join(file));
            file.and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))?;
        }
        Ok(())
    }

    /// Removes what the engine leaves of it after the last loge. Refused by the kernel while one
    /// is in it, and where it belongs to the engine's administrator.
    pub fn clear(&self) {
        for folder in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = fs::remove_dir(Path::new(ROOT).join(folder));
        }
    }
}
