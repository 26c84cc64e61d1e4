//! Putting a whole house into one file.

use ::backup::{
    About, Backup, BackupName, DatabaseKind, EXTENSION, HouseKey, HouseTag, Inputs, KeyState, Kind, Passphrase,
    ReadBackupError, ReadPassphraseError, SealKeyError, SealingBytes, WriteBackupError,
};
use base::{Clock, Dirs, SystemClock};
use jiff::Timestamp;
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use store::{OpenError, Store, StoreError};

const KEY: &str = "house.key";
/// Before the number of the program, in the name of the folder it works in.
pub(crate) const WORK: &str = ".loge-backup-";

#[derive(Debug, thiserror::Error)]
pub enum BackUpError {
    #[error("copy the database")]
    Database(#[from] StoreError),
    #[error("read the schema of the database")]
    Schema(#[from] OpenError),
    #[error("prepare {path} for the backup")]
    Prepare { path: PathBuf, source: io::Error },
    #[error("read the passphrase")]
    Passphrase(#[from] ReadPassphraseError),
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

/// What a backup is made for, and how.
pub struct Order {
    pub file: PathBuf,
    pub kind: Kind,
    /// Seals the key of the house.
    pub passphrase: Option<Passphrase>,
    /// Names and digests of the worker images, as JSON.
    pub images: Option<Vec<u8>>,
}

/// Writes the database, the configuration, the key and the old lines of the audit log into one file,
/// beside a running house or a stopped one, and reads it back. The database may be of an older version:
/// nothing of its schema is asked for.
///
/// # Errors
/// See [`BackUpError`]. No file of that name is there then, except one that was there before.
pub async fn back_up(store: &Store, dirs: &Dirs, order: Order) -> Result<BackedUp, BackUpError> {
    let Order { file, kind, passphrase, images } = order;
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
        kind,
        database: DatabaseKind::Sqlite,
        schema: store.schema_steps().await?,
        counts: store.counts().await?,
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
        let inputs = Inputs { database: copy, config, key, images, audit, artwork: None };
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

/// A folder for what is needed until the backup is written.
struct Work(PathBuf);

impl Work {
    fn begin(beside: &Path) -> io::Result<Self> {
        let path = beside.join(format!("{WORK}{}", std::process::id()));
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

impl BackUpError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Write(cause) => cause.sentence(),
            Self::Verify(cause) => {
                format!("The backup could not be read back and was thrown away. {}", cause.sentence())
            }
            Self::Passphrase(ReadPassphraseError::Read { path, .. } | ReadPassphraseError::Empty { path }) => format!(
                "No backup was made: the passphrase in {} cannot be read. Put it into the first line of that file.",
                path.display()
            ),
            Self::Seal(_) => "No backup was made: the key of the house could not be sealed.".into(),
            Self::Prepare { path, .. } => format!(
                "No backup was made: {} cannot be used. Check that Loge may write there, and that the disk has room.",
                path.display()
            ),
            Self::Database(cause) if cause.is_full() => {
                "No backup was made: there is not enough room for a copy of the database. Free some space.".into()
            }
            Self::Database(StoreError::NoCopy) => {
                "No backup was made: a PostgreSQL database is copied with PostgreSQL's own tools.".into()
            }
            Self::Database(_) | Self::Schema(_) => {
                "No backup was made: the database could not be copied. Look at the disk of the data folder.".into()
            }
        }
    }
}
