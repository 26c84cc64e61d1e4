//! Where things lie on the owner's disk. One data folder holds everything that must survive;
//! one run folder holds sockets and is empty after a clean stop.

use rustix::process::geteuid;
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
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
    /// The owner of a folder decides what is in it.
    #[error("{path} belongs to another user (number {owner})")]
    Foreign { path: PathBuf, owner: u32 },
}

/// Makes the data folder (mode 0700) where there is none, and answers its real path. One that is
/// there keeps its mode: it may hold more than the house.
///
/// # Errors
/// When it cannot be made, or belongs to another user.
pub fn data_folder(path: &Path) -> Result<PathBuf, DirsError> {
    own_folder(path)?;
    fs::canonicalize(path).map_err(|source| DirsError::Create { path: path.into(), source })
}

impl Dirs {
    /// Opens or makes the data folder and a fresh run folder, and proves that writing works, so
    /// that a read-only disk is found at start and not at the first login.
    ///
    /// # Errors
    /// When either folder cannot be made or written, or belongs to another user.
    pub fn open(data: &Path) -> Result<Self, DirsError> {
        let data = data_folder(data)?;
        try_out(&data)?;
        let dirs = Self { run: run_dir(&data)?, data };
        for path in [dirs.run.clone(), dirs.logs(), dirs.posters(), dirs.looks(), dirs.keys()] {
            own_folder(&path)?;
        }
        Ok(dirs)
    }

    /// Where sockets will lie, without making anything; `None` where that is only known once it is made.
    pub fn future_run(data: &Path) -> Option<PathBuf> {
        let data = fs::canonicalize(data).unwrap_or_else(|_| data.into());
        known_run_dir(&data)
    }

    /// Names what is in a data folder without making anything there.
    pub fn at(data: &Path) -> Self {
        Self { data: data.into(), run: data.join("run") }
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
    /// Copies of the database that Loge made by itself.
    pub fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }
    /// Old lines of the audit log.
    pub fn audit(&self) -> PathBuf {
        self.data.join("audit")
    }
    /// Space that is held for a day on which the disk is full.
    pub fn reserve(&self) -> PathBuf {
        self.data.join("reserve")
    }
}

/// Tries to write in the folder, and removes what it wrote in any case.
fn try_out(data: &Path) -> Result<(), DirsError> {
    let probe = data.join(".write-test");
    let written = fs::write(&probe, b"loge");
    let _ = fs::remove_file(&probe);
    written.map_err(|source| DirsError::NotWritable { path: data.into(), source })
}

/// `$XDG_RUNTIME_DIR` where there is one that belongs to us; it is short, private and on tmpfs.
/// The name carries a hash of the data folder, so two installs never share sockets.
fn run_dir(data: &Path) -> Result<PathBuf, DirsError> {
    match known_run_dir(data) {
        Some(known) => Ok(known),
        None => temporary(data, &std::env::temp_dir()),
    }
}

fn known_run_dir(data: &Path) -> Option<PathBuf> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let name = format!("loge-{:08x}", hasher.finish() as u32);
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(base) if base.is_absolute() && base.as_os_str().len() < 40 && is_ours(&base) => Some(base.join(name)),
        _ if data.as_os_str().len() < 60 => Some(data.join("run")),
        _ => None,
    }
}

/// Makes a folder under a name that other users cannot guess or take first. The data folder remembers
/// the name for the next start and for the command line.
fn temporary(data: &Path, below: &Path) -> Result<PathBuf, DirsError> {
    let noted = data.join("run-folder");
    let known = fs::read_to_string(&noted).map(|text| PathBuf::from(text.trim_end())).ok();
    if let Some(path) = known.filter(|path| path.parent() == Some(below) && is_ours(path)) {
        return Ok(path);
    }
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|e| DirsError::Create { path: below.into(), source: io::Error::other(e.to_string()) })?;
    let path = below.join(format!("loge-{:016x}", u64::from_le_bytes(random)));
    let failed = |source| DirsError::Create { path: path.clone(), source };
    // Not `recursive`: a path that is there already is an error and no folder of ours.
    fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
    // Where it cannot be noted, the next start makes another one.
    let _ = fs::write(&noted, path.as_os_str().as_encoded_bytes());
    Ok(path)
}

/// Returns whether a path is a folder of ours, no link to one, that only its owner changes.
fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|about| about.is_dir() && about.uid() == geteuid().as_raw() && about.mode() & 0o022 == 0)
}

/// Makes a folder for us alone, or takes one of ours as it is.
fn own_folder(path: &Path) -> Result<(), DirsError> {
    let failed = |source| DirsError::Create { path: path.into(), source };
    match fs::metadata(path) {
        Ok(about) if !about.is_dir() => Err(failed(io::ErrorKind::NotADirectory.into())),
        Ok(about) if about.uid() != geteuid().as_raw() => {
            Err(DirsError::Foreign { path: path.into(), owner: about.uid() })
        }
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
            // The mask may have taken bits away that we need.
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)
        }
        Err(e) => Err(failed(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        let error = Dirs::open(&file).unwrap_err().to_string();
        assert!(error.contains("file"), "{error}");
        let dirs = Dirs::open(&dir.path().join("data")).unwrap();
        assert_eq!(mode(dirs.data()), 0o700);
        assert!(!dirs.data().join(".write-test").exists());
        fs::remove_dir_all(dirs.run()).unwrap();
    }

    /// `loge-server --data-dir /srv` must not lock everybody out of `/srv`.
    #[test]
    fn a_folder_that_was_there_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let shared = dir.path().join("srv");
        fs::create_dir(&shared).unwrap();
        fs::write(shared.join("theirs"), b"x").unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        let dirs = Dirs::open(&shared).unwrap();
        assert_eq!(mode(&shared), 0o755);
        assert_eq!(mode(&dirs.keys()), 0o700, "the control: what we make is ours alone");
        fs::remove_dir_all(dirs.run()).unwrap();
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        let stranger = 4711;
        if std::os::unix::fs::chown(&theirs, Some(stranger), None).is_err() {
            return; // Only root gives folders away.
        }
        assert!(matches!(Dirs::open(&theirs), Err(DirsError::Foreign { owner, .. }) if owner == stranger));
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0, "nothing was made in it");
        std::os::unix::fs::chown(&theirs, Some(geteuid().as_raw()), None).unwrap();
        assert!(data_folder(&theirs).is_ok(), "the control: our own is taken");
    }

    #[test]
    fn a_run_folder_in_a_shared_place_cannot_be_guessed_and_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (data, shared) = (dir.path().join("data"), dir.path().join("tmp"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(&shared).unwrap();
        let first = temporary(&data, &shared).unwrap();
        assert_eq!(mode(&first), 0o700);
        assert_eq!(temporary(&data, &shared).unwrap(), first);
        // Another user's folder, or a link to one, under the noted name is not taken.
        fs::remove_dir(&first).unwrap();
        std::os::unix::fs::symlink(&data, &first).unwrap();
        let second = temporary(&data, &shared).unwrap();
        assert_ne!(second, first);
        fs::write(data.join("run-folder"), "/etc").unwrap();
        assert_eq!(temporary(&data, &shared).unwrap().parent(), Some(shared.as_path()));
    }
}
