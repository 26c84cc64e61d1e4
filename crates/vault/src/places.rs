//! Folders that get copies. Everything here may wait as long as a disk does.

use crate::decide::{deletable, missing};
use backup::{Backup, Folder, FolderError, FolderMark, HouseTag, Listed, ReadBackupError};
use base::Dirs;
use jiff::Timestamp;
use std::{fs, os::unix::fs::DirBuilderExt, path::Path};
use store::{BackupPlace, BackupRecord};

#[derive(Debug, thiserror::Error)]
pub(crate) enum TendError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the copy in {folder} cannot be read back")]
    ReadBack { folder: String, source: ReadBackupError },
}

impl TendError {
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Folder(e) => e.sentence(),
            Self::ReadBack { folder, source } => {
                format!("A copy in {folder} could not be read back and was thrown away. {}", source.sentence())
            }
        }
    }
}

/// What a place holds after it was tended.
pub(crate) struct Tended {
    pub(crate) listed: Vec<Listed>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) copied: usize,
}

/// Opens the house's own folder for backups, and makes it where there is none.
///
/// # Errors
/// When it cannot be made or marked.
pub(crate) fn own_folder(dirs: &Dirs, fresh: [u8; 16]) -> Result<Folder, FolderError> {
    let path = dirs.backups();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|source| FolderError::Write { path: path.clone(), source })?;
    Folder::claim(&path, fresh)
}

/// Deletes what the rule does not keep in a folder.
///
/// # Errors
/// When the folder is away, or does not do it.
pub(crate) fn rotate(
    folder: &Folder,
    house: HouseTag,
    record: &BackupRecord,
    now: Timestamp,
) -> Result<Vec<Listed>, FolderError> {
    for name in deletable(&folder.list(house)?, record, now) {
        folder.delete(&name)?;
        tracing::info!("the backup {name} in {} has had its time and is deleted", folder.path().display());
    }
    folder.list(house)
}

/// Brings a place up to date: what it lacks is copied there and read back, and what it need not keep is
/// deleted there.
///
/// # Errors
/// When the place is away, full or failing; what was copied before that stays.
pub(crate) fn tend(
    place: &BackupPlace,
    here: &Folder,
    house: HouseTag,
    record: &BackupRecord,
    now: Timestamp,
) -> Result<Tended, TendError> {
    let mark = FolderMark::parse(&place.mark).ok_or_else(|| FolderError::Another { path: place.path.clone() })?;
    let there = Folder::open(&place.path, &mark)?;
    there.sweep(house)?;
    let mut copied = 0;
    for name in missing(&here.list(house)?, &there.list(house)?, record, now) {
        there.copy_in(&here.path_of(&name), &name)?;
        if let Err(source) = read_back(&there.path_of(&name)) {
            there.delete(&name)?;
            return Err(TendError::ReadBack { folder: there.path().display().to_string(), source });
        }
        copied += 1;
    }
    let listed = rotate(&there, house, record, now)?;
    Ok(Tended { listed, free_bytes: there.free_bytes().ok(), copied })
}

fn read_back(file: &Path) -> Result<(), ReadBackupError> {
    Backup::open(file)?.verify().map(drop)
}

/// Removes what a backup left that a power cut ended: folders of programs that run no more.
pub(crate) fn sweep_work(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(crate::make::WORK)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| pid != std::process::id() && !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
