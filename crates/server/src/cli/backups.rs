//! `backup` and `restore`: a house in one file, or its database alone.

use super::{say, upkeep::open};
use ::backup::{Backup, Passphrase, ReadBackupError};
use anyhow::{Context, bail, ensure};
use base::{Clock, Dirs, SystemClock};
use serde_json::json;
use server::{BackUpError, BringBackError, Config, RestoredKey, back_up as write, backup_file, bring_back, house_tag};
use std::path::Path;
use store::AsIs;

/// Writes a backup, or a bare copy where the name ends in `.db`.
pub(crate) async fn back_up(
    config: &Config,
    to: Option<&Path>,
    passphrase_file: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), "a PostgreSQL database is copied with PostgreSQL's own tools");
    let passphrase = passphrase_file.map(passphrase).transpose()?;
    let store = open(config, AsIs::Any).await?;
    let done = match to.filter(|to| to.extension().is_some_and(|end| end == "db")) {
        Some(file) => copy(&store, file, json).await,
        None => {
            let dirs = Dirs::at(&config.data_dir);
            let to = to.map_or_else(|| dirs.backups(), Path::to_path_buf);
            ensure!(!to.is_file(), "{} exists already; a backup is never written over another file", to.display());
            let now = jiff::Timestamp::from_millisecond(SystemClock.now().0)?;
            let file = backup_file(&to, house_tag(&store).await?, now);
            let made = write(&store, &dirs, file, passphrase).await.map_err(told)?;
            if json {
                say(&json!({ "file": made.file, "bytes": made.size_bytes, "key_is_sealed": made.key_is_sealed })
                    .to_string());
            } else {
                say(&format!("{} bytes written to {} and checked", made.size_bytes, made.file.display()));
                if !made.key_is_sealed {
                    say(
                        "the key of the house lies in it as it is: keep the file where only you can read it, or seal the key with --passphrase-file",
                    );
                }
            }
            Ok(())
        }
    };
    store.close().await;
    done
}

async fn copy(store: &store::Store, to: &Path, json: bool) -> anyhow::Result<()> {
    ensure!(!to.exists(), "{} exists already; a copy is never written over another file", to.display());
    store.vacuum_into(to).await?;
    let bytes = std::fs::metadata(to)?.len();
    say(&if json {
        json!({ "file": to, "bytes": bytes }).to_string()
    } else {
        format!("{bytes} bytes written to {} and checked", to.display())
    });
    Ok(())
}

/// Puts a backup in the place of the house, or a bare copy in the place of its database.
pub(crate) async fn restore(
    config: &Config,
    from: &Path,
    passphrase_file: Option<&Path>,
    without_key: bool,
    json: bool,
) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), "a PostgreSQL database is restored with PostgreSQL's own tools");
    let backup = match Backup::open(from) {
        Ok(backup) => backup,
        Err(ReadBackupError::Foreign) => return restore_copy(config, from, json).await,
        Err(e) => bail!(e.sentence()),
    };
    let key = match passphrase_file {
        None if without_key => RestoredKey::New,
        file => RestoredKey::OfBackup(file.map(passphrase).transpose()?),
    };
    let done = bring_back(&config.data_dir, backup, key).await.map_err(|e| match &e {
        BringBackError::Stage(cause) => anyhow::anyhow!(cause.sentence()),
        BringBackError::Swap(cause) => anyhow::anyhow!(cause.sentence()),
        BringBackError::Running => {
            anyhow::anyhow!("A server runs on this data folder. Stop it, then restore the backup.")
        }
        BringBackError::Postgres => {
            anyhow::anyhow!("This backup holds a PostgreSQL database, which PostgreSQL's own tools put back.")
        }
        _ => anyhow::Error::new(e),
    })?;
    if json {
        say(&json!({ "aside": done.aside, "counts": done.counts }).to_string());
        return Ok(());
    }
    let of = |name: &str| done.counts.get(name).copied().unwrap_or_default();
    say(&format!(
        "the house is back (people: {}, libraries: {}, titles: {})",
        of("users"),
        of("libraries"),
        of("titles")
    ));
    if let Some(aside) = &done.aside {
        say(&format!("the earlier one is in {}", aside.display()));
    }
    Ok(())
}

async fn restore_copy(config: &Config, from: &Path, json: bool) -> anyhow::Result<()> {
    let done = server::restore(&config.data_dir, from).await?;
    if json {
        say(&json!({ "database": done.database, "aside": done.aside }).to_string());
        return Ok(());
    }
    say(&format!("{} is the database of this house now", from.display()));
    if let Some(aside) = &done.aside {
        say(&format!("the earlier one is in {}", aside.display()));
    }
    say("people who signed in after the copy was made sign in again");
    Ok(())
}

fn passphrase(file: &Path) -> anyhow::Result<Passphrase> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    Passphrase::new(line).with_context(|| format!("the first line of {} is no passphrase", file.display()))
}

fn told(error: BackUpError) -> anyhow::Error {
    match &error {
        BackUpError::Write(cause) => anyhow::anyhow!(cause.sentence()),
        BackUpError::Verify(cause) => anyhow::anyhow!(cause.sentence()),
        _ => anyhow::Error::new(error),
    }
}
