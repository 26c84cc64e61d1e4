//! `backup` and `restore`: a house in one file, or its database alone.

use super::{say, upkeep::open};
use ::backup::{Backup, Kind, Passphrase, ReadBackupError};
use anyhow::{bail, ensure};
use base::{Clock, Dirs, SystemClock};
use serde_json::json;
use server::{BringBackError, Config, RestoredKey, bring_back};
use std::path::Path;
use store::{AsIs, RelocateFoldersError, Relocated};
use vault::{BackUpError, Order, backup_file, house_tag};

/// Writes a backup, or a bare copy where the name ends in `.db`.
pub(crate) async fn back_up(
    config: &Config,
    to: Option<&Path>,
    passphrase_file: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), "a PostgreSQL database is copied with PostgreSQL's own tools");
    let passphrase = passphrase_file.map(Passphrase::read).transpose()?;
    let store = open(config, AsIs::Any).await?;
    let done = match to.filter(|to| to.extension().is_some_and(|end| end == "db")) {
        Some(file) => copy(&store, file, json).await,
        None => {
            let dirs = Dirs::at(&config.data_dir);
            let to = to.map_or_else(|| dirs.backups(), Path::to_path_buf);
            ensure!(!to.is_file(), "{} exists already; a backup is never written over another file", to.display());
            let now = jiff::Timestamp::from_millisecond(SystemClock.now().0)?;
            let file = backup_file(&to, house_tag(&store).await?, now);
            let order = Order { file, kind: Kind::ByHand, passphrase, images: None };
            let made = vault::back_up(&store, &dirs, order).await.map_err(told)?;
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
    moved: &[Relocated],
    json: bool,
) -> anyhow::Result<()> {
    ensure!(config.database_url.is_none(), "a PostgreSQL database is restored with PostgreSQL's own tools");
    let backup = match Backup::open(from) {
        Ok(backup) => backup,
        Err(ReadBackupError::Foreign) if !moved.is_empty() => {
            bail!("--map takes a backup (.loge-backup), and {} is none", from.display())
        }
        Err(ReadBackupError::Foreign) => return restore_copy(config, from, json).await,
        Err(e) => bail!(e.sentence()),
    };
    let key = match passphrase_file {
        None if without_key => RestoredKey::New,
        file => RestoredKey::OfBackup(file.map(Passphrase::read).transpose()?),
    };
    let done = bring_back(&config.data_dir, backup, key, moved).await.map_err(|e| match &e {
        BringBackError::Stage(cause) => anyhow::anyhow!(cause.sentence()),
        BringBackError::Swap(cause) => anyhow::anyhow!(cause.sentence()),
        BringBackError::Move(RelocateFoldersError::NoSuchFolder { from, folders }) => {
            let folders: Vec<_> = folders.iter().map(|path| path.display().to_string()).collect();
            anyhow::anyhow!(
                "No library in this backup has a folder in {}. Their folders are: {}. Nothing was changed.",
                from.display(),
                folders.join(", ")
            )
        }
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

/// Reads `OLD=NEW`: a place of films in the backup, and its path on this machine.
pub(crate) fn moved(text: &str) -> Result<Relocated, String> {
    let (from, to) = text.split_once('=').ok_or("it is OLD=NEW, like /media/films=/mnt/films")?;
    let [from, to] = [from, to].map(|path| Path::new(path.trim_end_matches('/')).to_path_buf());
    match from.is_absolute() && to.is_absolute() {
        true => Ok(Relocated { from, to }),
        false => Err("both are whole paths, like /media/films=/mnt/films".into()),
    }
}

fn told(error: BackUpError) -> anyhow::Error {
    match &error {
        BackUpError::Write(_) | BackUpError::Verify(_) => anyhow::anyhow!(error.sentence()),
        _ => anyhow::Error::new(error),
    }
}

/// Proves a backup: the house in it is restored into a folder of its own, started and used.
pub(crate) async fn rehearse(
    config: &Config,
    from: &Path,
    passphrase_file: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let passphrase = passphrase_file.map(Passphrase::read).transpose()?;
    let done = server::rehearse(config, from, passphrase).await.map_err(|e| e.sentence());
    if json {
        say(&server::answer(&done));
    }
    let seen = done.map_err(|problem| anyhow::anyhow!(problem))?;
    if !json {
        let played = match &seen.played {
            Some(name) => format!("{name} played"),
            None => "no film could be played: none plays as it is, or their disks are away".into(),
        };
        say(&format!("proven: the house was restored, started and signed in to; {played}"));
    }
    Ok(())
}
