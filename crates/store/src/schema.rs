//! What a database is before anything is done to it, and how it comes to this version's schema.
//!
//! A file is looked at through a connection that changes nothing in it: what turns out to be
//! damaged, foreign or newer stays as it was, byte for byte. Before the first step that changes a
//! schema, the file is copied.

use crate::{copies, open::OpenError};
use migration::{Migrator, MigratorTrait, SchemaManager};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement,
    sqlx::sqlite::SqliteConnectOptions,
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Which schema a caller can work with that must not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsIs {
    /// This version's.
    Exact,
    /// Any: only whole pages are copied, and no table is asked for.
    Any,
}

/// What lies under the path of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    Nothing,
    /// A file of no bytes.
    Empty,
    Database,
    /// A file that is something else.
    Other,
}

/// Looks at the first bytes alone.
///
/// # Errors
/// When the file cannot be read.
pub fn what_lies_at(path: &Path) -> io::Result<Lies> {
    let mut first = Vec::new();
    match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Lies::Nothing),
        opened => opened?.take(HEADER.len() as u64).read_to_end(&mut first)?,
    };
    Ok(match first.as_slice() {
        [] => Lies::Empty,
        bytes if bytes == HEADER => Lies::Database,
        _ => Lies::Other,
    })
}

/// Returns the steps a database in a file has taken, oldest first; empty for one that is new or not there.
///
/// # Errors
/// When it is damaged, or belongs to another program.
pub(crate) async fn inspect(path: &Path) -> Result<Vec<String>, OpenError> {
    inspect_with(path, looking(path)).await
}

/// The same, and what a crash left in the write-ahead log stays there.
pub(crate) async fn inspect_untouched(path: &Path) -> Result<Vec<String>, OpenError> {
    inspect_with(path, untouched(path)).await
}

async fn inspect_with(path: &Path, options: ConnectOptions) -> Result<Vec<String>, OpenError> {
    let place = || path.display().to_string();
    match what_lies_at(path) {
        Ok(Lies::Nothing | Lies::Empty) => return Ok(Vec::new()),
        Ok(Lies::Other) => return Err(OpenError::NotADatabase { place: place() }),
        Ok(Lies::Database) => {}
        Err(e) => return Err(OpenError::Connect { place: place(), source: DbErr::Custom(e.to_string()) }),
    }
    let connect = |source| match is_corrupt(&source) {
        true => OpenError::Damaged { detail: crate::error::words_of(&source) },
        false => OpenError::Connect { place: place(), source },
    };
    let db = sea_orm::Database::connect(options).await.map_err(connect)?;
    let found = async {
        refuse_old_sqlite(&db).await?;
        quick_check(&db).await?;
        match steps(&db).await? {
            Some(steps) => Ok(steps),
            None if has_tables(&db).await? => Err(OpenError::Foreign { place: place() }),
            None => Ok(Vec::new()),
        }
    };
    let found = found.await;
    let _ = db.close().await;
    found
}

/// Returns the step that a database in a file would take next; `None` where it has taken all, is newer, is
/// new, or is none: opening it says which. The file is not read through.
///
/// # Errors
/// When there is a database that cannot be asked.
pub async fn next_step(path: &Path) -> Result<Option<String>, OpenError> {
    if !matches!(what_lies_at(path), Ok(Lies::Database)) {
        return Ok(None);
    }
    let connect = |source| OpenError::Connect { place: path.display().to_string(), source };
    let db = match sea_orm::Database::connect(looking(path)).await {
        Ok(db) => db,
        Err(e) if is_corrupt(&e) => return Ok(None),
        Err(e) => return Err(connect(e)),
    };
    let taken = steps(&db).await;
    let _ = db.close().await;
    let taken = match taken {
        Ok(taken) => taken.unwrap_or_default(),
        Err(OpenError::Check { source }) if is_corrupt(&source) => return Ok(None),
        Err(e) => return Err(e),
    };
    if taken.is_empty() || refuse_newer(&taken).is_err() {
        return Ok(None);
    }
    Ok(migration::known_steps().into_iter().find(|step| !taken.contains(step)))
}

/// Refuses a schema that the caller cannot work with.
pub(crate) fn accept(taken: &[String], wanted: AsIs, place: &str) -> Result<(), OpenError> {
    let known = migration::known_steps();
    match wanted {
        AsIs::Any if taken.is_empty() => Err(OpenError::Missing { place: place.into() }),
        AsIs::Any => Ok(()),
        AsIs::Exact if taken.is_empty() => Err(OpenError::Missing { place: place.into() }),
        AsIs::Exact => {
            refuse_newer(taken)?;
            match known.iter().find(|step| !taken.contains(step)) {
                Some(step) => Err(OpenError::OlderSchema { step: step.clone() }),
                None => Ok(()),
            }
        }
    }
}

pub(crate) fn refuse_newer(taken: &[String]) -> Result<(), OpenError> {
    let known = migration::known_steps();
    match taken.iter().rev().find(|step| !known.contains(step)) {
        Some(step) => Err(OpenError::NewerSchema { step: step.clone() }),
        None => Ok(()),
    }
}

/// Takes the steps that are missing. Where the database is a file of an earlier version, it is
/// copied first: the way back, should a step or the new version turn out to be wrong.
pub(crate) async fn bring_up(db: &DatabaseConnection, file: Option<&Path>, taken: &[String]) -> Result<(), OpenError> {
    refuse_newer(taken)?;
    let known = migration::known_steps();
    let pending = known.iter().find(|step| !taken.contains(step));
    if let (Some(step), Some(file), false) = (pending, file, taken.is_empty()) {
        let copied = copies::before_step(db, file, step).await;
        copied.map_err(|source| OpenError::CopyBefore { source: Box::new(source) })?;
    }
    Migrator::up(db, None).await.map_err(|source| OpenError::Migrate { source })
}

/// `None` where no step was ever taken.
pub(crate) async fn steps(db: &DatabaseConnection) -> Result<Option<Vec<String>>, OpenError> {
    let check = |source| OpenError::Check { source };
    if !SchemaManager::new(db).has_table("seaql_migrations").await.map_err(check)? {
        return Ok(None);
    }
    let sql = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.map_err(check)?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(check)).collect::<Result<_, _>>().map(Some)
}

async fn has_tables(db: &DatabaseConnection) -> Result<bool, OpenError> {
    let sql = "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await;
    let count = row.and_then(|row| row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0)));
    count.map(|count| count > 0).map_err(|source| OpenError::Check { source })
}

/// Returns options of a connection that writes nothing of its own: no journal mode, no schema, no new file.
pub(crate) fn looking(path: &Path) -> ConnectOptions {
    single(path, |sqlite| sqlite.create_if_missing(false))
}

/// Returns options of a connection that changes no byte of the file, not even by folding the
/// write-ahead log into it at the end.
pub(crate) fn untouched(path: &Path) -> ConnectOptions {
    single(path, |sqlite| sqlite.create_if_missing(false).read_only(true))
}

/// Returns options of the only connection to a new file, which is whole without a log beside it.
pub(crate) fn fresh(path: &Path) -> ConnectOptions {
    single(path, |sqlite| {
        sqlite.create_if_missing(true).foreign_keys(true).pragma("journal_mode", "DELETE").pragma("synchronous", "FULL")
    })
}

fn single(path: &Path, more: fn(SqliteConnectOptions) -> SqliteConnectOptions) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite::memory:");
    let path = path.to_owned();
    options
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            let sqlite = sqlite.filename(&path).in_memory(false).shared_cache(false);
            more(sqlite.busy_timeout(Duration::from_secs(5)))
                .pragma("temp_store", "MEMORY")
                .pragma("trusted_schema", "OFF")
        });
    options
}

async fn refuse_old_sqlite(db: &DatabaseConnection) -> Result<(), OpenError> {
    let found = single_text(db, "SELECT sqlite_version()").await.map_err(|source| OpenError::Check { source })?;
    let numbers: Vec<u32> = found.split('.').filter_map(|n| n.parse().ok()).collect();
    if numbers.as_slice() < [3, 51, 3].as_slice() { Err(OpenError::OldSqlite { found }) } else { Ok(()) }
}

async fn quick_check(db: &DatabaseConnection) -> Result<(), OpenError> {
    match single_text(db, "PRAGMA quick_check(1)").await {
        Ok(detail) if detail == "ok" => Ok(()),
        Ok(detail) => Err(OpenError::Damaged { detail }),
        // Some damage cannot even be looked at.
        Err(source) if is_corrupt(&source) => Err(OpenError::Damaged { detail: crate::error::words_of(&source) }),
        Err(source) => Err(OpenError::Check { source }),
    }
}

/// SQLITE_CORRUPT and SQLITE_NOTADB.
fn is_corrupt(error: &DbErr) -> bool {
    crate::error::code_of(error).is_some_and(|code| matches!(code.parse::<u32>().map(|c| c & 0xff), Ok(11 | 26)))
}

async fn single_text(db: &DatabaseConnection, sql: &str) -> Result<String, DbErr> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(sql.into()))?.try_get_by_index(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_schema_is_accepted_as_it_is() {
        let all = migration::known_steps();
        let newer = [all.clone(), vec!["m2099_01_01_000001_future".into()]].concat();
        let older = all[..all.len() - 1].to_vec();
        assert!(accept(&all, AsIs::Exact, "x").is_ok());
        assert!(
            matches!(accept(&older, AsIs::Exact, "x"), Err(OpenError::OlderSchema { step }) if step == all[all.len() - 1])
        );
        assert!(matches!(accept(&newer, AsIs::Exact, "x"), Err(OpenError::NewerSchema { .. })));
        for any in [&all, &older, &newer] {
            assert!(accept(any, AsIs::Any, "x").is_ok());
        }
        for wanted in [AsIs::Any, AsIs::Exact] {
            assert!(matches!(accept(&[], wanted, "x"), Err(OpenError::Missing { .. })));
        }
    }
}
