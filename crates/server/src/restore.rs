//! Bringing a copy of the database back. Nothing is deleted: what was there is moved into a folder
//! of its own.

use crate::{
    lock::{DataLock, Locked},
    remains,
};
use base::{Clock, Dirs, SystemClock, dirs::DirsError};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use store::{OpenError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("open the data folder")]
    DataDir(#[from] DirsError),
    #[error("the server runs on this data folder; stop it first")]
    Running,
    #[error("take the lock of the data folder: {0}")]
    Lock(io::Error),
    /// The copy cannot be used; the house is as it was.
    #[error("look at the copy")]
    Copy(#[from] OpenError),
    #[error("write the copy into the data folder")]
    Write(#[from] StoreError),
    #[error("put the copy in the place of the database: {0}")]
    Swap(io::Error),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub database: PathBuf,
    /// Where the earlier database is; `None` when there was none.
    pub aside: Option<PathBuf>,
}

const DATABASE: [&str; 3] = ["loge.db", "loge.db-wal", "loge.db-shm"];

/// Puts a copy in the place of the database of a house that does not run.
///
/// # Errors
/// When the server runs, the copy is not a whole database this version understands, or the disk
/// fails. The house is as it was, except after [`RestoreError::Swap`], which says what to rename.
pub async fn restore(data_dir: &Path, copy: &Path) -> Result<Restored, RestoreError> {
    let dirs = Dirs::at(&base::dirs::data_folder(data_dir)?);
    let _lock = match DataLock::take(&dirs.lock_file()).map_err(RestoreError::Lock)? {
        Locked::Mine(lock) => lock,
        Locked::Taken(_) => return Err(RestoreError::Running),
    };
    store::check_copy(copy).await?;
    let part = dirs.data().join(remains::RESTORING);
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(RestoreError::Swap(e)),
        _ => {}
    }
    store::copy_file(copy, &part).await?;
    let aside = dirs.data().join(format!("{}{}", remains::BEFORE_RESTORE, SystemClock.now().0));
    let there = DATABASE.iter().any(|name| dirs.data().join(name).exists());
    if there {
        remains::set_aside(dirs.data(), &aside, &DATABASE).map_err(RestoreError::Swap)?;
    }
    fs::rename(&part, dirs.database()).map_err(RestoreError::Swap)?;
    fs::File::open(dirs.data()).and_then(|folder| folder.sync_all()).map_err(RestoreError::Swap)?;
    Ok(Restored { database: dirs.database(), aside: there.then_some(aside) })
}
