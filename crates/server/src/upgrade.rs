//! The way back from an upgrade: before a newer program changes the schema of the database, the house
//! is backed up as it is.

use crate::config::Config;
use ::backup::{BackupName, Kind, Passphrase};
use base::{Clock, Dirs, SystemClock};
use jiff::Timestamp;
use std::sync::Arc;
use store::{AsIs, Database, Store};
use vault::BackUpError;

/// Makes a backup where the database is a file with the schema of an earlier version; does nothing
/// where it is not. The caller holds the lock of the data folder.
///
/// # Errors
/// When the backup cannot be made. The schema must not be changed then.
pub(crate) async fn back_up_first(config: &Config, dirs: &Dirs) -> Result<(), BackUpError> {
    let Database::Sqlite(path) = config.database() else { return Ok(()) };
    let Some(step) = store::next_step(&path).await? else { return Ok(()) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open_as_is(config.database(), clock, AsIs::Any).await?;
    let made = make(config, dirs, &store).await;
    store.close().await;
    tracing::info!(step, "the house was backed up before its database changes: {}", made?.display());
    Ok(())
}

async fn make(config: &Config, dirs: &Dirs, store: &Store) -> Result<std::path::PathBuf, BackUpError> {
    let now = Timestamp::from_millisecond(SystemClock.now().0).unwrap_or(Timestamp::UNIX_EPOCH);
    let name = BackupName::new(vault::house_tag(store).await?, now, Kind::BeforeUpgrade);
    let passphrase = config.backup_passphrase_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let order = vault::Order {
        file: dirs.backups().join(name.to_string()),
        kind: Kind::BeforeUpgrade,
        passphrase: passphrase.and_then(|text| Passphrase::new(text.lines().next().unwrap_or_default())),
        images: None,
    };
    Ok(vault::back_up(store, dirs, order).await?.file)
}
