//! Where things lie on the owner's disk. One data folder holds everything that must survive;
//! one run folder holds sockets and is empty after a clean stop.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

#[derive(Debug, Clone)]
pub struct Dirs {
    data: PathBuf,
    run: PathBuf,
}

/// A folder Loge needs and cannot have.
#[derive(Debug, thiserror::Error)]
pub enum DirsError {
    #[error("cannot create {path}: {source}")]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot write below {path}: {source}")]
    NotWritable { path: PathBuf, source: io::Error },
}

impl Dirs {
    /// Opens or makes the data folder (mode 0700) and a fresh run folder, and proves that
    /// writing works, so that a read-only disk is found at start and not at the first login.
    ///
    /// # Errors
    /// When either folder cannot be made or written.
    pub fn open(data: &Path) -> Result<Self, DirsError> {
        make(data)?;
        let data = fs::canonicalize(data).map_err(|source| DirsError::Create { path: data.into(), source })?;
        let probe = data.join(".write-test");
        fs::write(&probe, b"loge").map_err(|source| DirsError::NotWritable { path: data.clone(), source })?;
        let _ = fs::remove_file(&probe);
        let dirs = Self { run: run_dir(&data), data };
        for path in [dirs.run.clone(), dirs.logs(), dirs.posters(), dirs.looks(), dirs.keys()] {
            make(&path)?;
        }
        Ok(dirs)
    }

    pub fn data(&self) -> &Path {
        &self.data
    }
    /// Sockets. Short, because a Unix socket path has 108 bytes.
    pub fn run(&self) -> &Path {
        &self.run
    }
    pub fn database(&self) -> PathBuf {
        self.data.join("loge.db")
    }
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }
    pub fn posters(&self) -> PathBuf {
        self.data.join("posters")
    }
    /// Subtitles and storyboards.
    pub fn looks(&self) -> PathBuf {
        self.data.join("looks")
    }
    pub fn renditions(&self) -> PathBuf {
        self.data.join("renditions")
    }
    /// What is kept of live encodes, unless that has a place of its own.
    pub fn segments(&self) -> PathBuf {
        self.data.join("segments")
    }
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }
    pub fn config_file(&self) -> PathBuf {
        self.data.join("loge.toml")
    }
    pub fn lock_file(&self) -> PathBuf {
        self.data.join("loge.lock")
    }
}

/// `$XDG_RUNTIME_DIR` where there is one that belongs to us; it is short, private and on tmpfs.
/// The name carries a hash of the data folder, so two installs never share sockets.
fn run_dir(data: &Path) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let name = format!("loge-{:08x}", hasher.finish() as u32);
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(base) if base.is_absolute() && base.as_os_str().len() < 40 && base.is_dir() => base.join(name),
        _ if data.as_os_str().len() < 60 => data.join("run"),
        _ => std::env::temp_dir().join(name),
    }
}

fn make(path: &Path) -> Result<(), DirsError> {
    let failed = |source| DirsError::Create { path: path.into(), source };
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed),
        Err(source) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let dir = std::env::temp_dir().join(format!("loge-dirs-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join("file");
        fs::write(&file, b"x").unwrap();
        let error = Dirs::open(&file).unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
        let dirs = Dirs::open(&dir.join("data")).unwrap();
        assert_eq!(fs::metadata(dirs.data()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::remove_dir_all(dirs.run()).unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }
}
