//! Putting a house back from a backup.

use crate::lock::{DataLock, Locked};
use ::backup::{Backup, DatabaseKind, KeyWish, Passphrase, StageError, StageOrder, SwapInError};
use base::{Clock, Dirs, SystemClock, dirs::DirsError};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};
use store::{OpenError, RelocateFoldersError, Relocated};

/// What is in no backup and stays with the house that is restored.
const STAYS: [&str; 7] = ["backups", "posters", "looks", "segments", "renditions", "logs", "reserve"];
const KEY: &str = "house.key";

#[derive(Debug, thiserror::Error)]
pub enum BringBackError {
    #[error("open the data folder")]
    DataDir(#[from] DirsError),
    #[error("the server runs on this data folder; stop it first")]
    Running,
    #[error("take the lock of the data folder: {0}")]
    Lock(io::Error),
    #[error("unpack the backup")]
    Stage(#[from] StageError),
    /// It holds what only PostgreSQL's own tools put back.
    #[error("the backup holds a PostgreSQL database")]
    Postgres,
    #[error("look at the database in the backup")]
    Database(#[from] OpenError),
    #[error("put the libraries' folders where they lie now")]
    Move(#[from] RelocateFoldersError),
    #[error("arrange what was unpacked: {0}")]
    Arrange(io::Error),
    #[error("put the backup in the place of the house")]
    Swap(#[from] SwapInError),
}

/// Which key the restored house gets.
#[derive(Debug)]
pub enum RestoredKey {
    /// That of the backup, opened with the passphrase where it is sealed.
    OfBackup(Option<Passphrase>),
    /// A new one: everybody signs in again.
    New,
}

/// What was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtBack {
    /// Where the earlier house is; `None` where there was none.
    pub aside: Option<PathBuf>,
    pub counts: BTreeMap<String, u64>,
}

/// Puts a backup in the place of a house that does not run: whole, or not at all. `moved` names places of
/// films that have another path on this machine.
///
/// # Errors
/// See [`BringBackError`]; the house is as it was, except after a swap that says otherwise.
pub async fn bring_back(
    data_dir: &Path,
    backup: Backup,
    key: RestoredKey,
    moved: &[Relocated],
) -> Result<BroughtBack, BringBackError> {
    let dirs = Dirs::at(&base::dirs::data_folder(data_dir)?);
    let _lock = match DataLock::take(&dirs.lock_file()).map_err(BringBackError::Lock)? {
        Locked::Mine(lock) => lock,
        Locked::Taken(_) => return Err(BringBackError::Running),
    };
    if backup.manifest().database != DatabaseKind::Sqlite {
        return Err(BringBackError::Postgres);
    }
    let now = Timestamp::from_millisecond(SystemClock.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
    let counts = backup.manifest().counts.clone();
    let wish = match &key {
        RestoredKey::OfBackup(passphrase) => KeyWish::Take(passphrase.as_ref()),
        RestoredKey::New => KeyWish::LeaveOut,
    };
    let staged = backup.stage(&StageOrder { data_dir: dirs.data(), now, key: wish, carry: &STAYS })?;
    let arranged = arrange(staged.folder());
    let checked = match arranged {
        Ok(database) => check(&database, moved).await,
        Err(e) => Err(BringBackError::Arrange(e)),
    };
    if let Err(e) = checked {
        // The next start would clear it away too.
        let _ = staged.discard();
        return Err(e);
    }
    let done = ::backup::swap_in(staged)?;
    Ok(BroughtBack { aside: done.aside.filter(|aside| !forget_empty(aside, &dirs)), counts })
}

async fn check(database: &Path, moved: &[Relocated]) -> Result<(), BringBackError> {
    store::check_copy(database).await?;
    if !moved.is_empty() {
        store::relocate_folders(database, moved).await?;
    }
    Ok(())
}

/// Removes what was no house: a folder with nothing in it but the lock that we took.
fn forget_empty(aside: &Path, dirs: &Dirs) -> bool {
    let lock = dirs.lock_file();
    let mut entries = fs::read_dir(aside).into_iter().flatten().flatten();
    let is_empty = entries.all(|entry| Some(entry.file_name().as_os_str()) == lock.file_name());
    is_empty && fs::remove_dir_all(aside).is_ok()
}

/// Moves what lies under its name in the backup to where a house has it.
fn arrange(folder: &Path) -> io::Result<PathBuf> {
    let there = Dirs::at(folder);
    fs::rename(folder.join("database"), there.database())?;
    let key = folder.join(KEY);
    if key.exists() {
        fs::DirBuilder::new().mode(0o700).create(there.keys())?;
        fs::rename(&key, there.keys().join(KEY))?;
        fs::set_permissions(there.keys().join(KEY), fs::Permissions::from_mode(0o600))?;
        fs::File::open(there.keys())?.sync_all()?;
    }
    Ok(there.database())
}
