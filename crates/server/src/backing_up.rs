//! Putting a whole house into one file, and a house back from such a file.

use crate::lock::{DataLock, Locked};
use ::backup::{
    About, Backup, BackupName, DatabaseKind, EXTENSION, HouseKey, HouseTag, Inputs, KeyState, KeyWish, Kind,
    Passphrase, ReadBackupError, SealKeyError, SealingBytes, StageError, StageOrder, SwapInError, WriteBackupError,
};
use base::{Clock, Dirs, SystemClock, dirs::DirsError};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};
use store::{OpenError, Store, StoreError};

/// What is in no backup and stays with the house that is restored.
const STAYS: [&str; 7] = ["backups", "posters", "looks", "segments", "renditions", "logs", "reserve"];
const KEY: &str = "house.key";

#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    #[error("copy the database")]
    Database(#[from] StoreError),
    #[error("read the schema of the database")]
    Schema(#[from] OpenError),
    #[error("prepare {path} for the backup")]
    Prepare { path: PathBuf, source: io::Error },
    #[error("seal the key of the house")]
    Seal(#[from] SealKeyError),
    #[error("write the backup")]
    Write(#[from] WriteBackupError),
    /// What was written is gone again.
    #[error("read the backup back")]
    Verify(#[from] ReadBackupError),
}

/// A backup that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    pub file: PathBuf,
    pub size_bytes: u64,
    pub key_is_sealed: bool,
}

/// Returns where a backup goes that somebody asked for by this name: a file of that name, or one with
/// a name of its own in that folder.
pub fn backup_file(to: &Path, tag: HouseTag, now: Timestamp) -> PathBuf {
    if to.to_string_lossy().ends_with(EXTENSION) {
        return to.into();
    }
    to.join(BackupName::new(tag, now, Kind::ByHand).to_string())
}

/// Returns what tells this house's backups from those of another one.
///
/// # Errors
/// When the database cannot be read.
pub async fn house_tag(store: &Store) -> Result<HouseTag, StoreError> {
    let install = store.install_id().await?;
    Ok(HouseTag(install.as_str().get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0)))
}

/// Writes the database, the configuration, the key and the old lines of the audit log into one file,
/// beside a running house or a stopped one, and reads it back.
///
/// # Errors
/// See [`BackUpError`]. No file of that name is there then, except one that was there before.
pub async fn back_up(
    store: &Store,
    dirs: &Dirs,
    file: PathBuf,
    passphrase: Option<Passphrase>,
) -> Result<BackedUp, BackUpError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prepare = |path: &Path| {
        let path = path.to_owned();
        move |source| BackUpError::Prepare { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(prepare(folder))?;
    // Beside the backup: there is room for the one where there is room for the other.
    let work = Work::begin(folder).map_err(prepare(folder))?;
    let copy = work.0.join("database");
    store.vacuum_into(&copy).await?;
    let about = About {
        program_version: env!("CARGO_PKG_VERSION").into(),
        made_at: Timestamp::from_millisecond(SystemClock.now().0).unwrap_or(Timestamp::UNIX_EPOCH),
        kind: Kind::ByHand,
        database: DatabaseKind::Sqlite,
        schema: store.schema_steps().await?,
        counts: counts(store).await?,
    };
    let key = match fs::read(dirs.keys().join(KEY)) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(BackUpError::Prepare { path: dirs.keys().join(KEY), source }),
    };
    let there = |path: PathBuf| Some(path).filter(|path| path.exists());
    let (config, audit) = (there(dirs.config_file()), there(dirs.audit()));
    let blocking = tokio::task::spawn_blocking(move || {
        let key = match (key, passphrase) {
            (None, _) => None,
            (Some(bytes), None) => Some(HouseKey::plain(bytes)),
            (Some(bytes), Some(passphrase)) => Some(HouseKey::sealed(&bytes, &passphrase, &fresh())?),
        };
        let inputs = Inputs { database: copy, config, key, images: None, audit, artwork: None };
        let written = ::backup::write(&file, &about, &inputs)?;
        let read_back = Backup::open(&file).and_then(|backup| backup.verify().map(|_| ()));
        if let Err(e) = read_back {
            let _ = fs::remove_file(&file);
            return Err(e.into());
        }
        let key_is_sealed = written.manifest.key == KeyState::Sealed;
        Ok(BackedUp { file, size_bytes: written.size_bytes, key_is_sealed })
    });
    let done = blocking
        .await
        .unwrap_or_else(|e| Err(BackUpError::Prepare { path: work.0.clone(), source: io::Error::other(e) }));
    drop(work);
    done
}

fn fresh() -> SealingBytes {
    let mut bytes = SealingBytes { salt: [0; 16], nonce: [0; 24] };
    SystemClock.random(&mut bytes.salt);
    SystemClock.random(&mut bytes.nonce);
    bytes
}

/// What the owner can compare after a restore.
async fn counts(store: &Store) -> Result<BTreeMap<String, u64>, StoreError> {
    let libraries = store.libraries().await?;
    let titles = libraries.iter().map(|library| library.title_count).sum();
    let users = store.users().await?.len() as u64;
    Ok([("users", users), ("libraries", libraries.len() as u64), ("titles", titles)]
        .map(|(name, count)| (name.to_owned(), count))
        .into())
}

/// A folder for what is needed until the backup is written.
struct Work(PathBuf);

impl Work {
    fn begin(beside: &Path) -> io::Result<Self> {
        let path = beside.join(format!(".loge-backup-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

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

/// Puts a backup in the place of a house that does not run: whole, or not at all.
///
/// # Errors
/// See [`BringBackError`]; the house is as it was, except after a swap that says otherwise.
pub async fn bring_back(data_dir: &Path, backup: Backup, key: RestoredKey) -> Result<BroughtBack, BringBackError> {
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
        Ok(database) => store::check_copy(&database).await.map_err(BringBackError::Database),
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
