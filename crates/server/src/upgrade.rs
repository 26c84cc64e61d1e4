//! The way back from an upgrade: before a newer program changes the schema of the database, the house
//! is backed up as it is.

use crate::config::Config;
use ::backup::{BackupName, Kind, Passphrase};
use base::{Clock, Dirs, SystemClock};
use jiff::Timestamp;
use std::sync::Arc;
use store::{AsIs, Database, OpenError, Store};
use vault::BackUpError;

/// Opens the database, and backs the house up before that where its schema is of an earlier version. The
/// caller holds the lock of the data folder.
///
/// # Errors
/// When the backup cannot be made, or the database cannot be opened. The schema is as it was then.
pub(crate) async fn open(config: &Config, dirs: &Dirs, clock: Arc<dyn Clock>) -> Result<Store, OpenUpgradedError> {
    // Where it cannot even be looked at (a full disk), opening it says why, and copies it itself if it
    // has to change it after all.
    let opened = match back_up_first(config, dirs).await? {
        Looked::AtAll => Store::open_backed_up(config.database(), clock).await,
        Looked::InVain => Store::open(config.database(), clock).await,
    };
    Ok(opened?)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenUpgradedError {
    #[error(transparent)]
    BackUp(#[from] BackUpError),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Whether it was seen if there is anything to back up.
enum Looked {
    AtAll,
    InVain,
}

async fn back_up_first(config: &Config, dirs: &Dirs) -> Result<Looked, BackUpError> {
    let Database::Sqlite(path) = config.database() else { return Ok(Looked::AtAll) };
    let step = match store::next_step(&path).await {
        Ok(Some(step)) => step,
        Ok(None) => return Ok(Looked::AtAll),
        Err(_) => return Ok(Looked::InVain),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open_as_is(config.database(), clock, AsIs::Any).await?;
    let made = make(config, dirs, &store).await;
    store.close().await;
    tracing::info!(step, "the house was backed up before its database changes: {}", made?.display());
    Ok(Looked::AtAll)
}

async fn make(config: &Config, dirs: &Dirs, store: &Store) -> Result<std::path::PathBuf, BackUpError> {
    let now = Timestamp::from_millisecond(SystemClock.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
    let name = BackupName::new(vault::house_tag(store).await?, now, Kind::BeforeUpgrade);
    let passphrase = config.backup_passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    let order = vault::Order {
        file: dirs.backups().join(name.to_string()),
        kind: Kind::BeforeUpgrade,
        passphrase,
        images: None,
    };
    Ok(vault::back_up(store, dirs, order).await?.file)
}
