//! Files and folders that are there as a whole or not at all.

use crate::file_name::part_name;
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Returns whether a write failed because there is no room: on the disk, in a quota, or below the
/// largest size of a file.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Returns the bytes that this user may still write on the disk of a folder.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Brings a file or folder to the disk. Some file systems (FUSE, SMB) cannot sync a folder and say that
/// it is no valid question: they get no stronger promise than they give.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

/// Makes a folder for this user alone.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a file for this user alone. One that is there is never written into.
pub(crate) fn make_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Renames to a name that must be free.
pub(crate) fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system of a second disk (exFAT, NTFS, NFS) knows the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        done => Ok(done?),
    }
}

/// Renames to a name that must be free, or be an empty folder where this is a folder: a server that
/// starts makes its empty folders before it looks any further.
pub(crate) fn rename_to_free_or_empty(from: &Path, to: &Path) -> io::Result<()> {
    match rename_to_free(from, to) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && from.is_dir() => fs::rename(from, to),
        done => done,
    }
}

/// Returns the folder a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes a file, and is content when there is none.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A file that gets its name when it is whole and on the disk. Dropped before that, it is gone.
pub(crate) struct NewFile {
    file: File,
    part: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

impl NewFile {
    /// Begins a file beside its later place. What an earlier try left under the same name goes.
    pub(crate) fn begin(target: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let name = target.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
        let part = folder_of(target).join(part_name(name));
        remove_if_there(&part)?;
        Ok(Self { file: make_file(&part)?, part, target: target.into(), is_finished: false })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        rename_to_free(&self.part, &self.target)?;
        self.is_finished = true;
        sync(folder_of(&self.target)).inspect_err(|_| {
            // Nobody knows whether the name is on the disk, so the caller must not count on it.
            let _ = fs::remove_file(&self.target);
        })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.part);
        }
    }
}
