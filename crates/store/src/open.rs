//! Opening the database: checks first, then the schema, then two ways in.
//!
//! SQLite has a writer pool of exactly one connection, which is the queue of writers, and a small
//! pool of readers that see a consistent snapshot beside it (WAL). PostgreSQL has one pool, and a
//! connection beside it that shows whether it is there.

use crate::{
    copies,
    error::{StoreError, reading, writing},
    presence::{Presence, Reader},
    pulse,
    schema::{self, AsIs},
    settings,
    time::Believed,
    writer::{Health, MaxPages, Transaction, WriteFailure, guard_postgres, guard_sqlite},
};
use base::{Clock, UnixMs};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait, sqlx::postgres::PgConnectOptions,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Mutex,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// While writes fail, a small one is tried this often at most.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// How long a request waits for a free connection to PostgreSQL while that answers.
const QUEUE_WAIT: Duration = Duration::from_secs(10);
/// A database that is away does not hold up the end.
const CLOSE_WAIT: Duration = Duration::from_secs(3);
const PROBE: &str = "write_probe";
const PROBE_BYTES: usize = 64 << 10;

/// Where the house keeps its memory.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file of ours; made when it is not there.
    Sqlite(PathBuf),
    /// `postgres://…`
    Url(String),
}

/// What opening may do to a schema.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Bring it to this version's. Unless the caller has just backed the house up, a file is copied first.
    BringUp {
        is_backed_up: bool,
    },
    Nothing(AsIs),
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database {place} cannot be opened")]
    Connect { place: String, source: DbErr },
    #[error("only a PostgreSQL address is understood as database URL")]
    UnknownUrl,
    #[error("SQLite {found} is too old: 3.51.3 or newer is needed, older ones can lose data in WAL mode")]
    OldSqlite { found: String },
    #[error("the database is damaged: {detail}. Restore a backup, or keep the file and start with a new data folder")]
    Damaged { detail: String },
    #[error(
        "the database was made by a newer Loge (it has the schema step {step}). Start that version, or restore a backup made by this one"
    )]
    NewerSchema { step: String },
    #[error(
        "the database has the schema of an older Loge (the step {step} is missing). Run loge-server migrate while the server is stopped, or start the server"
    )]
    OlderSchema { step: String },
    #[error("there is no database at {place}")]
    Missing { place: String },
    #[error("{place} is not a database")]
    NotADatabase { place: String },
    #[error("{place} is the database of another program")]
    Foreign { place: String },
    #[error("checking the database failed")]
    Check { source: DbErr },
    #[error("the database could not be copied before its schema changes; nothing was changed")]
    CopyBefore { source: Box<StoreError> },
    #[error("bringing the database to this version's schema failed; nothing was changed")]
    Migrate { source: DbErr },
}

/// The open database. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    writer: DatabaseConnection,
    reader: Reader,
    presence: Presence,
    /// Looks after the presence of PostgreSQL.
    pulse: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    health: Arc<Health>,
    max_pages: MaxPages,
    probed: Mutex<Option<Instant>>,
    believed: Believed,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(pulse) = &self.pulse {
            pulse.abort();
        }
    }
}

/// Decisions that read before they write and must not run twice at once. SQLite has one writer
/// anyway; PostgreSQL takes the advisory lock of this number until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// Nothing is decided: each statement is right by itself.
    Any = 0,
    People = 0x6c6f_0001,
    Sessions = 0x6c6f_0002,
    Audit = 0x6c6f_0003,
    Library = 0x6c6f_0004,
    Progress = 0x6c6f_0005,
    Settings = 0x6c6f_0006,
}

impl Store {
    /// Opens, checks and migrates. A file of an earlier version is copied first, into `backups`
    /// beside it.
    ///
    /// # Errors
    /// [`OpenError`] with a text for the owner. The database is unchanged then.
    pub async fn open(database: Database, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(database, clock, Change::BringUp { is_backed_up: false }).await
    }

    /// Opens, checks and migrates, as [`Self::open`] does, for a caller that has just made a backup.
    ///
    /// # Errors
    /// [`OpenError`] with a text for the owner. The database is unchanged then.
    pub async fn open_backed_up(database: Database, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_with(database, clock, Change::BringUp { is_backed_up: true }).await
    }

    /// Opens and checks a database that is there, and never changes its schema: a server of
    /// another version may be running on it.
    ///
    /// # Errors
    /// [`OpenError`] with a text for the owner. The database is unchanged then.
    pub async fn open_as_is(database: Database, clock: Arc<dyn Clock>, wanted: AsIs) -> Result<Self, OpenError> {
        Self::open_with(database, clock, Change::Nothing(wanted)).await
    }

    async fn open_with(database: Database, clock: Arc<dyn Clock>, change: Change) -> Result<Self, OpenError> {
        match database {
            Database::Sqlite(path) => Self::open_sqlite(path, clock, change).await,
            Database::Url(url) => Self::open_postgres(&url, clock, change).await,
        }
    }

    async fn open_sqlite(path: PathBuf, clock: Arc<dyn Clock>, change: Change) -> Result<Self, OpenError> {
        let place = path.display().to_string();
        let max_pages: MaxPages = Arc::new(AtomicU32::new(u32::MAX));
        let connect = |source| OpenError::Connect { place: place.clone(), source };
        let taken = schema::inspect(&path).await?;
        match change {
            Change::BringUp { .. } => schema::refuse_newer(&taken)?,
            Change::Nothing(wanted) => schema::accept(&taken, wanted, &place)?,
        }
        let options = sqlite_options(&path, Use::Write, &max_pages);
        let writer = sea_orm::Database::connect(options).await.map_err(connect)?;
        if let Change::BringUp { is_backed_up } = change
            && let Err(e) = schema::bring_up(&writer, Some(path.as_path()).filter(|_| !is_backed_up), &taken).await
        {
            let _ = writer.close().await;
            return Err(e);
        }
        let connect = |source| OpenError::Connect { place: place.clone(), source };
        let options = sqlite_options(&path, Use::Read, &max_pages);
        let reader = sea_orm::Database::connect(options).await.map_err(connect)?;
        let reader = Reader::new(reader, Presence::default());
        Self::with(writer, reader, Presence::default(), None, clock, Some((path, max_pages))).await
    }

    async fn open_postgres(url: &str, clock: Arc<dyn Clock>, change: Change) -> Result<Self, OpenError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(OpenError::UnknownUrl);
        }
        // The URL may hold a password, so the text names only the kind.
        let connect = |source| OpenError::Connect { place: "PostgreSQL".into(), source };
        let failed = |e: sea_orm::SqlxError| connect(DbErr::Conn(RuntimeErr::SqlxError(e.into())));
        let single = pulse::set_up(url.parse::<PgConnectOptions>().map_err(failed)?);
        let first = pulse::first(&single).await.map_err(failed)?;
        let presence = Presence::watched();
        let guarded = presence.clone();
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(8)
            .acquire_timeout(QUEUE_WAIT)
            .sqlx_logging(false)
            .map_sqlx_postgres_opts(pulse::set_up)
            .map_sqlx_postgres_pool_opts(move |pool| guard_postgres(pool, &guarded));
        let pool = sea_orm::Database::connect(options).await.map_err(connect)?;
        let taken = schema::steps(&pool).await?.unwrap_or_default();
        match change {
            Change::BringUp { .. } => schema::bring_up(&pool, None, &taken).await?,
            Change::Nothing(wanted) => schema::accept(&taken, wanted, "this PostgreSQL address")?,
        }
        let watch = tokio::spawn(pulse::watch(single, first, presence.clone(), clock.clone()));
        let reader = Reader::new(pool.clone(), presence.clone());
        Self::with(pool, reader, presence, Some(watch), clock, None).await
    }

    async fn with(
        writer: DatabaseConnection,
        reader: Reader,
        presence: Presence,
        pulse: Option<JoinHandle<()>>,
        clock: Arc<dyn Clock>,
        file: Option<(PathBuf, MaxPages)>,
    ) -> Result<Self, OpenError> {
        let (health, probed) = (Arc::default(), Mutex::default());
        let seen = Self::stored_time(&reader).await.map_err(|e| match e {
            StoreError::Read { source, .. } => OpenError::Check { source },
            other => OpenError::Check { source: DbErr::Custom(other.to_string()) },
        })?;
        let believed = Believed::from_database(seen);
        let (file, max_pages) = file.unzip();
        let max_pages = max_pages.unwrap_or_default();
        let shared = Shared { writer, reader, presence, pulse, clock, file, health, max_pages, probed, believed };
        Ok(Self(Arc::new(shared)))
    }

    /// Closes the connections; the write-ahead log is folded into the file.
    pub async fn close(self) {
        if self.0.file.is_some() {
            let _ = self.0.reader.pool().clone().close().await;
            let _ = self.0.writer.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await;
            let _ = self.0.writer.clone().close().await;
            return;
        }
        if let Some(pulse) = &self.0.pulse {
            pulse.abort();
        }
        let _ = timeout(CLOSE_WAIT, self.0.writer.clone().close()).await;
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.0.reader.execute_unprepared("SELECT 1").await.map_err(reading("anything"))?;
        Ok(())
    }

    /// Returns whether the database is a file of this machine, and nobody else's to look after.
    pub fn is_a_file(&self) -> bool {
        self.0.file.is_some()
    }

    /// Returns since when the database does not answer, if it does not; a file always does. Costs nothing.
    pub fn away_since(&self) -> Option<UnixMs> {
        self.0.presence.away_since()
    }

    /// Returns since when writes fail, if the last one did. Costs nothing.
    pub fn write_failure(&self) -> Option<WriteFailure> {
        self.0.health.failure()
    }

    /// Returns whether writes reach the disk. While the last one failed, one is tried, at most one
    /// each second, so that the answer turns good by itself.
    pub async fn can_write(&self) -> bool {
        // A caller that comes while one is tried takes what is known.
        if self.write_failure().is_some()
            && let Ok(mut probed) = self.0.probed.try_lock()
            && probed.is_none_or(|at| at.elapsed() >= PROBE_EVERY)
        {
            *probed = Some(Instant::now());
            let _ = tokio::time::timeout(PROBE_WAIT, self.probe()).await;
        }
        self.write_failure().is_none()
    }

    /// Returns how large the file of SQLite and its write-ahead log are; zero for PostgreSQL.
    pub async fn size_bytes(&self) -> (u64, u64) {
        let Some(file) = &self.0.file else { return (0, 0) };
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        let size = async |path: &Path| tokio::fs::metadata(path).await.map_or(0, |m| m.len());
        (size(file).await, size(Path::new(&log)).await)
    }

    /// Larger than what people save, so that it does not fit into a last page where nothing else
    /// does; and given back at once.
    async fn probe(&self) -> Result<(), StoreError> {
        for text in ["0".repeat(PROBE_BYTES), String::new()] {
            let transaction = self.write(Turn::Any, "a probe").await?;
            settings::set_value(&transaction, PROBE, text).await?;
            commit(transaction, "a probe").await?;
        }
        Ok(())
    }

    /// A consistent copy beside the running house. Needs as much free space as the database has;
    /// the copy is checked and on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written, or the database is PostgreSQL, which brings its own tools.
    pub async fn vacuum_into(&self, to: &Path) -> Result<(), StoreError> {
        let Some(file) = &self.0.file else { return Err(StoreError::NoCopy) };
        // A connection of its own: the writer is not held up while a large file is copied, and
        // nothing of a copy that fails stays behind in it.
        let options = sqlite_options(file, Use::Write, &self.0.max_pages);
        let copier = sea_orm::Database::connect(options).await.map_err(writing("the copy"))?;
        let copied = copies::into(&copier, to).await;
        let _ = copier.close().await;
        copied
    }

    /// Returns the steps of the schema that this database has taken.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn schema_steps(&self) -> Result<Vec<String>, OpenError> {
        Ok(schema::steps(self.0.reader.pool()).await?.unwrap_or_default())
    }

    /// How SQLite is set up, as it says itself; empty for PostgreSQL. For `doctor` and tests.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pragmas(&self) -> Result<BTreeMap<&'static str, String>, StoreError> {
        let mut all = BTreeMap::new();
        if self.0.file.is_some() {
            for name in ["journal_mode", "synchronous", "foreign_keys", "busy_timeout", "journal_size_limit"] {
                // One word as text and the rest as numbers, depending on the pragma.
                let sql = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"));
                let row = self.0.writer.query_one_raw(sql).await.map_err(reading("the set-up"))?;
                let value = row.and_then(|row| {
                    let number = row.try_get_by_index::<i64>(0).map(|n| n.to_string());
                    number.or_else(|_| row.try_get_by_index::<String>(0)).ok()
                });
                all.insert(name, value.unwrap_or_default());
            }
        }
        Ok(all)
    }

    /// Lets an SQLite file grow to so many pages and no further, as a full disk would. For tests.
    ///
    /// # Errors
    /// When the database cannot be written.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.0.max_pages.store(pages, Ordering::Release);
        let sql = format!("PRAGMA max_page_count = {pages}");
        self.0.writer.execute_unprepared(&sql).await.map_err(writing("the limit"))?;
        Ok(())
    }

    pub(crate) fn read(&self) -> &Reader {
        &self.0.reader
    }

    pub(crate) fn believed(&self) -> &Believed {
        &self.0.believed
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// Begins a write. Dropping it without [`commit`] undoes everything, also when the caller's
    /// future is dropped in the middle.
    pub(crate) async fn write(&self, turn: Turn, what: &'static str) -> Result<Transaction, StoreError> {
        let now = self.clock().now();
        let failed = |source| StoreError::Write { what, source };
        // IMMEDIATE: another process (the command line) may write too, and a lock taken late
        // cannot be waited for.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let (presence, since) = (self.0.presence.clone(), self.0.presence.now());
        let begun = presence.guard_since(since, self.0.writer.begin_with_options(options)).await;
        let begun = begun.inspect_err(|e| self.0.health.failed(self.0.health.next(), e, now)).map_err(failed)?;
        let transaction = Transaction::new(begun, self.0.health.clone(), presence, since, now);
        if !matches!(turn, Turn::Any) && transaction.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({})", turn as i64);
            transaction.execute_unprepared(&lock).await.map_err(failed)?;
        }
        Ok(transaction)
    }
}

pub(crate) async fn commit(transaction: Transaction, what: &'static str) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|source| StoreError::Write { what, source })
}

/// What a pool of connections is for.
#[derive(Clone, Copy)]
enum Use {
    /// A few that see a consistent snapshot and cannot change anything.
    Read,
    /// Exactly one, which is the queue of writers.
    Write,
}

fn sqlite_options(path: &Path, purpose: Use, max_pages: &MaxPages) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite::memory:");
    let path = path.to_owned();
    let max_pages = max_pages.clone();
    options
        .max_connections(match purpose {
            Use::Read => 4,
            Use::Write => 1,
        })
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(move |pool| guard_sqlite(pool, &max_pages))
        .map_sqlx_sqlite_opts(move |sqlite| {
            // By path and not by URL: a `?` or `%` in a folder name is just a character.
            sqlite
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(true)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true)
                // Pragmas run in the order they are set, and sqlx sets `busy_timeout` first: two
                // processes that switch to WAL at once must wait for each other.
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("journal_size_limit", "67108864")
                .pragma("temp_store", "MEMORY")
                .pragma("trusted_schema", "OFF")
                .pragma("query_only", if matches!(purpose, Use::Read) { "ON" } else { "OFF" })
        });
    options
}
