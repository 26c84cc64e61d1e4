//! The way to write: a transaction whose end is known, on a connection that stands outside any
//! other one, and whether writes reach the disk at all.
//!
//! What a driver believes about its connection and what the database knows can part: a `COMMIT`
//! that fails on a full disk ends the transaction in SQLite, while the driver goes on counting it
//! as open and makes every later `BEGIN` a `SAVEPOINT`, which is acknowledged and never committed.
//! So both are asked each time a connection comes back and before it is lent again, and one that
//! is not clearly outside is closed.

use crate::{
    error::{is_constraint, is_full},
    presence::{Presence, Since},
};
use base::UnixMs;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    sqlx::{self, Connection, Executor, Postgres, Sqlite, pool::PoolOptions, sqlite::SqliteConnection},
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use tracing::{error, info, warn};

/// How long PostgreSQL may take to undo what was dropped, before its connection is closed.
const UNDONE_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may take to show that it still works.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Since when writes fail, and whether for lack of space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteFailure {
    pub since: UnixMs,
    pub full: bool,
}

/// Whether writes reach the disk, as the last of them showed.
#[derive(Default)]
pub(crate) struct Health(Mutex<Judged>);

#[derive(Default)]
struct Judged {
    begun: u64,
    /// The youngest transaction that was heard of: an older one that is told later has no say.
    last: u64,
    failure: Option<WriteFailure>,
}

impl Health {
    pub(crate) fn failure(&self) -> Option<WriteFailure> {
        self.lock().failure
    }

    /// Returns the number of a transaction that has just begun, or that could not begin.
    pub(crate) fn next(&self) -> u64 {
        let mut judged = self.lock();
        judged.begun += 1;
        judged.begun
    }

    /// Takes note of a write that failed. A broken rule of the schema says nothing about the disk.
    pub(crate) fn failed(&self, number: u64, cause: &DbErr, now: UnixMs) {
        let mut judged = self.lock();
        if is_constraint(cause) || number < judged.last {
            return;
        }
        let full = is_full(cause);
        if judged.failure.is_none() {
            error!(error = %cause, full, "writes to the database fail");
        }
        judged.last = number;
        judged.failure = Some(WriteFailure { since: judged.failure.map_or(now, |f| f.since), full });
    }

    fn worked(&self, number: u64) {
        let mut judged = self.lock();
        if number < judged.last {
            return;
        }
        judged.last = number;
        if judged.failure.take().is_some() {
            info!("writes to the database work again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Judged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction that has begun. Dropping it without [`Transaction::commit`] undoes everything,
/// also when the caller's future is dropped in the middle.
pub(crate) struct Transaction {
    inner: DatabaseTransaction,
    health: Arc<Health>,
    presence: Presence,
    since: Since,
    number: u64,
    now: UnixMs,
    /// A statement failed. SQLite may have ended the transaction then, so that a further statement
    /// would stand alone; PostgreSQL answers `COMMIT` with success and undoes it.
    broken: AtomicBool,
    changed: AtomicBool,
}

impl Transaction {
    /// `since`: what the database's presence was before it began.
    pub(crate) fn new(
        inner: DatabaseTransaction,
        health: Arc<Health>,
        presence: Presence,
        since: Since,
        now: UnixMs,
    ) -> Self {
        let number = health.next();
        let (broken, changed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, health, presence, since, number, now, broken, changed }
    }

    /// Everything is on the disk when this returns, and may not be there when it fails.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.usable()?;
        let Self { inner, health, presence, since, number, now, changed, .. } = self;
        match presence.guard_since(since, inner.commit()).await {
            Ok(()) => {
                if changed.into_inner() {
                    health.worked(number);
                }
                Ok(())
            }
            Err(e) => {
                health.failed(number, &e, now);
                Err(e)
            }
        }
    }

    fn usable(&self) -> Result<(), DbErr> {
        if self.broken.load(Ordering::Acquire) {
            return Err(DbErr::Custom("a statement of this transaction failed before".into()));
        }
        Ok(())
    }

    fn saw<T>(&self, done: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(e) = &done {
            self.broken.store(true, Ordering::Release);
            self.health.failed(self.number, e, self.now);
        }
        done
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }
    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.usable()?;
        let done = self.saw(self.presence.guard_since(self.since, self.inner.execute_raw(statement)).await)?;
        self.changed.fetch_or(done.rows_affected() > 0, Ordering::AcqRel);
        Ok(done)
    }
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.usable()?;
        self.saw(self.presence.guard_since(self.since, self.inner.execute_unprepared(sql)).await)
    }
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.usable()?;
        let changes = !statement.sql.starts_with("SELECT");
        let row = self.saw(self.presence.guard_since(self.since, self.inner.query_one_raw(statement)).await)?;
        self.changed.fetch_or(changes && row.is_some(), Ordering::AcqRel);
        Ok(row)
    }
    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.usable()?;
        let changes = !statement.sql.starts_with("SELECT");
        let rows = self.saw(self.presence.guard_since(self.since, self.inner.query_all_raw(statement)).await)?;
        self.changed.fetch_or(changes && !rows.is_empty(), Ordering::AcqRel);
        Ok(rows)
    }
}

/// How far the file of SQLite may grow, for tests; `u32::MAX` is no limit. A connection forgets
/// it, so each new one is told.
pub(crate) type MaxPages = Arc<AtomicU32>;

/// Lends a connection only while it stands outside any transaction, and closes it otherwise.
pub(crate) fn guard_sqlite(options: PoolOptions<Sqlite>, max_pages: &MaxPages) -> PoolOptions<Sqlite> {
    let max_pages = max_pages.clone();
    options
        .after_connect(move |connection, _| {
            let pages = max_pages.load(Ordering::Acquire);
            Box::pin(async move {
                if pages != u32::MAX {
                    let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
                    connection.execute(sql).await?;
                }
                Ok(())
            })
        })
        .after_release(|connection, _| Box::pin(stands_outside(connection)))
        .before_acquire(|connection, _| Box::pin(stands_outside(connection)))
}

/// The same for PostgreSQL, whose connection knows by the answers of the server where it stands. One
/// that may be dead is not waited for: each that hangs would keep a place in the pool.
pub(crate) fn guard_postgres(options: PoolOptions<Postgres>, presence: &Presence) -> PoolOptions<Postgres> {
    let (before, after) = (presence.clone(), presence.clone());
    options
        .test_before_acquire(false)
        .before_acquire(move |connection, about| {
            let outlived = before.outlived(about.age);
            Box::pin(async move {
                if !outlived {
                    return Ok(false);
                }
                let answered = timeout(ANSWERS_WITHIN, connection.ping()).await;
                Ok(answered.is_ok_and(|answered| answered.is_ok()))
            })
        })
        .after_release(move |connection, about| {
            let presence = after.clone();
            Box::pin(async move {
                if !presence.outlived(about.age) {
                    return Ok(false);
                }
                // Flushes the rollback that a dropped transaction has queued.
                let flushed =
                    presence.guard(async { connection.ping().await.map_err(|e| DbErr::Custom(e.to_string())) });
                let flushed = timeout(UNDONE_WITHIN, flushed).await.is_ok_and(|flushed| flushed.is_ok());
                Ok(flushed && !connection.is_in_transaction())
            })
        })
}

async fn stands_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Waits for the rollback that a dropped transaction has queued: the count is right after it.
    connection.ping().await?;
    // SQLite itself refuses to begin where it has not ended; this touches no file.
    let outside = !connection.is_in_transaction()
        && connection.execute("BEGIN DEFERRED").await.is_ok()
        && connection.execute("ROLLBACK").await.is_ok();
    if !outside {
        warn!("a connection to the database was left inside a transaction and is replaced");
    }
    Ok(outside)
}
