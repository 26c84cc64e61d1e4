//! A house moves between SQLite and PostgreSQL: every row of every table, in one transaction, held
//! against what was read, or nothing at all.
//!
//! Costs: each row is read twice and written once; a few hundred rows are in memory at a time.
//! The old database is only read, and the caller holds the lock of the data folder.

mod rows;
mod shape;

use crate::{
    open::{Database, OpenError},
    pulse,
    schema::{self, AsIs, Lies},
};
use migration::{Migrator, MigratorTrait};
use rows::{Content, copy, digest};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, Statement, TransactionTrait,
};
use shape::Table;
use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why a house did not move. The old database is as it was, and the new one empty or not there.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error("the old database cannot be opened")]
    OpenOld(#[source] OpenError),
    #[error("the new database at {place} cannot be opened")]
    OpenNew { place: String, source: DbErr },
    #[error("only a PostgreSQL address or a path is understood")]
    UnknownUrl,
    #[error("there is something at {place} already")]
    NotEmpty { place: String },
    #[error("the tables of the new database cannot be made")]
    MakeTables(#[source] DbErr),
    #[error("the tables of this version cannot be looked at")]
    LookAtTables(#[source] DbErr),
    #[error("{table} holds a kind of column that cannot be moved: {kind}")]
    UnknownKind { table: String, kind: String },
    #[error("the tables {tables} point at each other in a circle")]
    Circle { tables: String },
    #[error("the rows of {table} cannot be read")]
    Read { table: String, source: DbErr },
    #[error("the rows of {table} cannot be written")]
    Write { table: String, source: DbErr },
    #[error("{column} of {table} holds a NUL character in the row {row}, which PostgreSQL cannot hold")]
    Nul { table: String, column: String, row: String },
    #[error("the rows of {table} are not the same in the new database")]
    Differs { table: String },
    #[error("the new database could not be completed")]
    Commit(#[source] DbErr),
    #[error("the new file cannot be put in its place")]
    Place(#[source] io::Error),
}

/// What moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Names of tables with how many rows each holds.
    pub rows: Vec<(String, u64)>,
}

/// Copies a house into an empty database, or one that is not there.
///
/// # Errors
/// [`MoveError`]; nothing has changed then.
pub async fn move_house(from: &Database, to: &Database) -> Result<Moved, MoveError> {
    let tables = shape::of_this_version().await?;
    let old = open_old(from).await?;
    let moved = match to {
        Database::Url(url) => into_postgres(&old, url, &tables).await,
        Database::Sqlite(path) => into_file(&old, path, &tables).await,
    };
    let _ = old.close().await;
    moved
}

async fn open_old(from: &Database) -> Result<DatabaseConnection, MoveError> {
    match from {
        Database::Sqlite(path) => {
            let place = path.display().to_string();
            let taken = schema::inspect_untouched(path).await.map_err(MoveError::OpenOld)?;
            schema::accept(&taken, AsIs::Exact, &place).map_err(MoveError::OpenOld)?;
            connect_old(schema::untouched(path), place).await
        }
        Database::Url(url) => {
            let place = "this PostgreSQL address";
            let old = connect_old(postgres(url)?, place.into()).await?;
            let taken = schema::steps(&old).await;
            match taken.and_then(|taken| schema::accept(&taken.unwrap_or_default(), AsIs::Exact, place)) {
                Ok(()) => Ok(old),
                Err(e) => {
                    let _ = old.close().await;
                    Err(MoveError::OpenOld(e))
                }
            }
        }
    }
}

async fn connect_old(options: ConnectOptions, place: String) -> Result<DatabaseConnection, MoveError> {
    let old = sea_orm::Database::connect(options).await;
    old.map_err(|source| MoveError::OpenOld(OpenError::Connect { place, source }))
}

fn postgres(url: &str) -> Result<ConnectOptions, MoveError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(MoveError::UnknownUrl);
    }
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(pulse::set_up);
    Ok(options)
}

async fn into_postgres(old: &DatabaseConnection, url: &str, tables: &[Table]) -> Result<Moved, MoveError> {
    // The address may hold a password, so the text names only the kind.
    let place = || "this PostgreSQL address".to_owned();
    let open = |source| MoveError::OpenNew { place: place(), source };
    let new = sea_orm::Database::connect(postgres(url)?).await.map_err(open)?;
    let moved = async {
        let sql = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace";
        let row = new.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.map_err(open)?;
        if row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0)).map_err(open)? > 0 {
            return Err(MoveError::NotEmpty { place: place() });
        }
        in_one_transaction(old, &new, tables).await
    };
    let moved = moved.await;
    let _ = new.close().await;
    moved
}

/// Beside its place at first: a file that is there is whole.
async fn into_file(old: &DatabaseConnection, path: &Path, tables: &[Table]) -> Result<Moved, MoveError> {
    let is_free = matches!(schema::what_lies_at(path).map_err(MoveError::Place)?, Lies::Nothing | Lies::Empty);
    // The log of a database that was moved away without it would be taken for one of the new one.
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if !is_free || has_log {
        return Err(MoveError::NotEmpty { place: path.display().to_string() });
    }
    let part = beside(path, ".part");
    remove(&part).and_then(|()| make_private(&part)).map_err(MoveError::Place)?;
    let open = |source| MoveError::OpenNew { place: path.display().to_string(), source };
    let new = sea_orm::Database::connect(schema::fresh(&part)).await.map_err(open)?;
    let moved = in_one_transaction(old, &new, tables).await;
    let _ = new.close().await;
    let placed = match moved {
        Ok(moved) => put_in_place(&part, path).map(|()| moved).map_err(MoveError::Place),
        Err(e) => Err(e),
    };
    if placed.is_err() {
        let _ = remove(&part);
    }
    placed
}

/// It holds the hashes of passwords.
fn make_private(part: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).map(drop)
}

fn put_in_place(part: &Path, path: &Path) -> io::Result<()> {
    fs::File::open(part)?.sync_all()?;
    fs::rename(part, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

/// A database that was not completed, and its journal.
fn remove(part: &Path) -> io::Result<()> {
    for path in [part.to_owned(), beside(part, "-journal")] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(end);
    name.into()
}

async fn in_one_transaction(
    old: &DatabaseConnection,
    new: &DatabaseConnection,
    tables: &[Table],
) -> Result<Moved, MoveError> {
    let old = snapshot(old).await.map_err(|source| MoveError::Read { table: "all tables".into(), source })?;
    let new = new.begin().await.map_err(MoveError::MakeTables)?;
    Migrator::up(&new, None).await.map_err(MoveError::MakeTables)?;
    // What the steps themselves put in is in the old database too.
    for table in tables.iter().rev() {
        let emptied = new.execute_unprepared(&format!("DELETE FROM \"{}\"", table.name)).await;
        emptied.map_err(|source| MoveError::Write { table: table.name.clone(), source })?;
    }
    let mut copied: Vec<Content> = Vec::new();
    for table in tables {
        copied.push(copy(&old, &new, table).await?);
    }
    // Once everything is there, so that what a later table may have changed is seen.
    for (table, content) in tables.iter().zip(&copied) {
        if digest(&new, table).await? != *content {
            return Err(MoveError::Differs { table: table.name.clone() });
        }
    }
    new.commit().await.map_err(MoveError::Commit)?;
    let rows = tables.iter().zip(copied).map(|(table, content)| (table.name.clone(), content.rows)).collect();
    Ok(Moved { rows })
}

/// Everything is read as of one moment.
async fn snapshot(old: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match old.get_database_backend() {
        DbBackend::Postgres => {
            old.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await
        }
        _ => old.begin().await,
    }
}
