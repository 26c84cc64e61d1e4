//! Copies of a database in a file: whole, checked, and on the disk when they are spoken of.

use crate::{
    error::{StoreError, writing},
    open::OpenError,
    schema,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Copies that were made before a change of the schema; older ones go.
const KEPT: usize = 3;
const COPY: &str = "the copy";

/// Looks whether a file is a whole database of Loge that this version understands.
///
/// # Errors
/// When it is not; the file is unchanged in any case.
pub async fn check_copy(path: &Path) -> Result<(), OpenError> {
    let taken = schema::inspect(path).await?;
    schema::accept(&taken, schema::AsIs::Any, &path.display().to_string())?;
    schema::refuse_newer(&taken)
}

/// Copies a database that no server uses. The copy is checked and on the disk when this returns.
///
/// # Errors
/// When it cannot be read or written, or the copy is not whole; `to` is not there then.
pub async fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let db = sea_orm::Database::connect(schema::looking(from)).await.map_err(writing(COPY))?;
    let copied = into(&db, to).await;
    let _ = db.close().await;
    copied
}

/// Copies an open database.
///
/// # Errors
/// As [`copy_file`]. A file that is there already is never written over.
pub(crate) async fn into(db: &DatabaseConnection, to: &Path) -> Result<(), StoreError> {
    let Some(text) = to.to_str() else { return Err(StoreError::NoCopy) };
    if fs::symlink_metadata(to).is_ok_and(|about| about.len() > 0) {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let made = async {
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [text.into()]);
        db.execute_raw(statement).await.map_err(writing(COPY))?;
        schema::inspect(to).await.map_err(|e| StoreError::BadCopy { why: e.to_string() })?;
        sync(to.to_owned()).await
    };
    let made = made.await;
    if made.is_err() {
        // Half a copy is worse than none.
        let _ = fs::remove_file(to);
    }
    made
}

/// Makes a copy beside the database, named after the step that comes next. One of an earlier try is replaced.
pub(crate) async fn before_step(db: &DatabaseConnection, file: &Path, step: &str) -> Result<(), StoreError> {
    let folder = file.parent().unwrap_or(Path::new(".")).join("backups");
    let copy = folder.join(format!("pre-{step}.db"));
    let part = copy.with_extension("part");
    make_folder(&folder).map_err(failed)?;
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    into(db, &part).await?;
    fs::rename(&part, &copy).map_err(failed)?;
    sync(folder.clone()).await?;
    tracing::info!("the database was copied before its schema changes: {}", copy.display());
    for old in surplus(&folder) {
        if let Err(e) = fs::remove_file(&old) {
            tracing::warn!("an old copy of the database stays: {e}");
        }
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Our own copies beyond the newest ones. The owner's files in the same folder are not ours.
fn surplus(folder: &Path) -> Vec<PathBuf> {
    let is_ours = |name: &str| name.starts_with("pre-m") && name.ends_with(".db");
    let mut all: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    all.sort();
    let gone = all.len().saturating_sub(KEPT);
    all.into_iter().take(gone).map(|(_, path)| path).collect()
}

/// Syncs a file or a folder, all the way to the disk.
async fn sync(path: PathBuf) -> Result<(), StoreError> {
    let synced = tokio::task::spawn_blocking(move || fs::File::open(path).and_then(|f| f.sync_all())).await;
    synced.map_err(io::Error::other).and_then(|done| done).map_err(failed)
}

fn failed(error: io::Error) -> StoreError {
    StoreError::Write { what: COPY, source: DbErr::Custom(error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_copies_stay_and_what_is_not_ours_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, age: u64| {
            let path = dir.path().join(name);
            let file = fs::File::create(&path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age)).unwrap();
            path
        };
        let oldest = file("pre-m1.db", 50);
        for (name, age) in [("pre-m2.db", 40), ("pre-m3.db", 30), ("pre-m4.db", 20), ("mine.db", 90), ("pre-x.txt", 80)]
        {
            file(name, age);
        }
        assert_eq!(surplus(dir.path()), std::slice::from_ref(&oldest));
        fs::remove_file(oldest).unwrap();
        assert!(surplus(dir.path()).is_empty(), "the control");
    }
}
