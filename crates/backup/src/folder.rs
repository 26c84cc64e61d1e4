//! A folder as the place backups go to: on the same disk, a second one, or a share.
//!
//! A second disk that is away leaves an empty mount point, and what is written there fills the first
//! disk. So the folder holds a small file with a mark of its own: the folder is there only when the
//! mark is, whatever the disk's name is today.
//!
//! Everything here may wait as long as the disk does: a share that is gone can take minutes.

use crate::{
    disk::{self, NewFile},
    file_name::{BackupName, HouseTag},
};
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

const MARK_FILE: &str = ".loge-backups";

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk is away, or the folder is. Worth another try later.
    #[error("{path} is not there")]
    NotThere { path: PathBuf },
    /// A folder for backups is there, and it is another one: usually another disk.
    #[error("{path} is not the folder it was")]
    Another { path: PathBuf },
    #[error("no room in {path}: {needed_bytes} bytes are needed, {free_bytes} are free")]
    DiskFull { path: PathBuf, needed_bytes: u64, free_bytes: u64 },
    #[error("{path} exists already")]
    Exists { path: PathBuf },
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("delete {path}")]
    Delete { path: PathBuf, source: io::Error },
}

/// What tells one folder for backups from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderMark(String);

impl FolderMark {
    /// Reads a mark from the text that [`Self::as_str`] gave.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_mark = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        is_mark.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A folder that was there, with its mark, when it was opened.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    mark: FolderMark,
}

/// A backup in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub name: BackupName,
    pub size_bytes: u64,
}

impl Folder {
    /// Takes a folder for backups when its owner chooses it, and marks it unless it is marked. `fresh`
    /// are random bytes for the mark. The folder itself is not made: it might be below the mount point
    /// of a disk that is away.
    ///
    /// # Errors
    /// When there is no such folder, or it cannot be written.
    pub fn claim(path: &Path, fresh: [u8; 16]) -> Result<Self, FolderError> {
        if let Some(mark) = read_mark(path)? {
            return Ok(Self { path: path.into(), mark });
        }
        let mut text = String::new();
        for byte in fresh {
            let _ = write!(text, "{byte:02x}");
        }
        let target = path.join(MARK_FILE);
        let written = NewFile::begin(&target).and_then(|new| {
            io::Write::write_all(&mut new.file(), text.as_bytes())?;
            new.finish()
        });
        written.map_err(|source| FolderError::Write { path: target, source })?;
        Ok(Self { path: path.into(), mark: FolderMark(text) })
    }

    /// Opens a folder that was claimed before.
    ///
    /// # Errors
    /// [`FolderError::NotThere`] when the folder or its mark is not there, [`FolderError::Another`]
    /// when it has another mark.
    pub fn open(path: &Path, mark: &FolderMark) -> Result<Self, FolderError> {
        match read_mark(path)? {
            None => Err(FolderError::NotThere { path: path.into() }),
            Some(found) if found != *mark => Err(FolderError::Another { path: path.into() }),
            Some(_) => Ok(Self { path: path.into(), mark: mark.clone() }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn mark(&self) -> &FolderMark {
        &self.mark
    }

    /// Returns where a backup of this name lies or would lie.
    pub fn path_of(&self, name: &BackupName) -> PathBuf {
        self.path.join(name.to_string())
    }

    /// Returns the bytes that may still be written.
    ///
    /// # Errors
    /// When the folder is away.
    pub fn free_bytes(&self) -> Result<u64, FolderError> {
        self.check()?;
        disk::free_bytes(&self.path).map_err(|source| FolderError::Read { path: self.path.clone(), source })
    }

    /// Lists the whole backups of one house, oldest first. Everything else in the folder is ignored.
    ///
    /// # Errors
    /// When the folder is away or cannot be read.
    pub fn list(&self, house: HouseTag) -> Result<Vec<Listed>, FolderError> {
        let mut listed = Vec::new();
        for (file_name, size_bytes) in self.files()? {
            let name = file_name.parse::<BackupName>().ok().filter(|name| name.house() == house);
            listed.extend(name.map(|name| Listed { name, size_bytes }));
        }
        listed.sort_by_key(|each| (each.name.made_at(), each.name));
        Ok(listed)
    }

    /// Copies a backup into the folder. It has its name there when it is whole and on the disk.
    ///
    /// # Errors
    /// When the folder is away, has no room, has a file of this name, or a disk fails. Nothing of the
    /// copy is left then.
    pub fn copy_in(&self, from: &Path, name: &BackupName) -> Result<(), FolderError> {
        self.check()?;
        let unread = |source| FolderError::Read { path: from.into(), source };
        let mut source = fs::File::open(from).map_err(unread)?;
        let needed_bytes = source.metadata().map_err(unread)?.len();
        let path = self.path_of(name);
        let full = |free_bytes| FolderError::DiskFull { path: self.path.clone(), needed_bytes, free_bytes };
        // Some shares cannot say how much is free; a copy that fails says it too.
        if let Ok(free_bytes) = disk::free_bytes(&self.path)
            && free_bytes < needed_bytes
        {
            return Err(full(free_bytes));
        }
        let copied = NewFile::begin(&path).and_then(|new| {
            let copied_bytes = io::copy(&mut source, &mut new.file())?;
            if copied_bytes != needed_bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            new.finish()
        });
        copied.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => FolderError::Exists { path },
            _ if disk::is_full(&source) => full(disk::free_bytes(&self.path).unwrap_or(0)),
            _ => FolderError::Write { path, source },
        })
    }

    /// Deletes a backup. Only names of backups can be asked for, and one that is gone is no error.
    ///
    /// # Errors
    /// When the folder is away, or the disk does not do it.
    pub fn delete(&self, name: &BackupName) -> Result<(), FolderError> {
        self.check()?;
        let path = self.path_of(name);
        let deleted = disk::remove_if_there(&path).and_then(|()| disk::sync(&self.path));
        deleted.map_err(|source| FolderError::Delete { path, source })
    }

    /// Deletes what backups of one house that were cut short left, and returns how many. None may be
    /// in the making.
    ///
    /// # Errors
    /// When the folder is away, or the disk does not do it.
    pub fn sweep(&self, house: HouseTag) -> Result<usize, FolderError> {
        let mut swept = 0;
        for (file_name, _) in self.files()? {
            if BackupName::parse_unfinished(&file_name).is_some_and(|name| name.house() == house) {
                let path = self.path.join(&file_name);
                disk::remove_if_there(&path).map_err(|source| FolderError::Delete { path, source })?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Returns the names and sizes of the plain files.
    fn files(&self) -> Result<Vec<(String, u64)>, FolderError> {
        self.check()?;
        let unread = |source| FolderError::Read { path: self.path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            // Of a link this tells about the link, and of a file that has just gone, nothing.
            let about = entry.metadata().ok().filter(fs::Metadata::is_file);
            files.extend(about.zip(entry.file_name().into_string().ok()).map(|(about, name)| (name, about.len())));
        }
        Ok(files)
    }

    fn check(&self) -> Result<(), FolderError> {
        Self::open(&self.path, &self.mark).map(drop)
    }
}

/// Reads the mark of a folder. `None`: the folder is there and has none.
fn read_mark(path: &Path) -> Result<Option<FolderMark>, FolderError> {
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => {}
        _ => return Err(FolderError::NotThere { path: path.into() }),
    }
    let file = path.join(MARK_FILE);
    match fs::read_to_string(&file) {
        Ok(text) => match FolderMark::parse(text.trim()) {
            Some(mark) => Ok(Some(mark)),
            None => Err(FolderError::Another { path: path.into() }),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FolderError::Read { path: file, source }),
    }
}
