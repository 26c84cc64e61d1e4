//! The store, and its twin that begins and commits on the driver's pool as it comes: the control
//! that shows what the faults do where connections are not looked at.

use base::{Clock, FakeClock, UnixMs};
use domain::{JobId, JobKind, JobState};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use std::{path::Path, sync::Arc};
use store::{Database, JobRow, Store};

#[derive(Clone)]
pub enum Subject {
    Loge(Store),
    Twin { writer: DatabaseConnection, reader: DatabaseConnection },
}

impl Subject {
    pub async fn loge(file: &Path) -> Self {
        let clock = Arc::new(FakeClock::new(UnixMs(1_790_000_000_000), 7));
        Self::Loge(Store::open(Database::Sqlite(file.to_owned()), clock).await.unwrap())
    }

    pub async fn twin(file: &Path) -> Self {
        let pool = |connections| {
            let file = file.to_owned();
            let mut options = ConnectOptions::new("sqlite::memory:");
            options
                .max_connections(connections)
                .min_connections(1)
                .test_before_acquire(false)
                .sqlx_logging(false)
                .map_sqlx_sqlite_opts(move |sqlite| {
                    let sqlite = sqlite.filename(&file).in_memory(false).shared_cache(false).create_if_missing(true);
                    sqlite.pragma("journal_mode", "WAL").pragma("synchronous", "FULL")
                });
            sea_orm::Database::connect(options)
        };
        let writer = pool(1).await.unwrap();
        writer.execute_unprepared("CREATE TABLE IF NOT EXISTS rows (n BIGINT PRIMARY KEY)").await.unwrap();
        Self::Twin { writer, reader: pool(4).await.unwrap() }
    }

    /// Writes a row; whether that was acknowledged.
    pub async fn write(&self, n: u32) -> bool {
        match self {
            Self::Loge(store) => {
                let row = JobRow {
                    id: id(n),
                    kind: JobKind::Scan,
                    library: None,
                    state: JobState::Queued,
                    done: 0,
                    total: 0,
                    current: None,
                    error: None,
                    note: None,
                    created_at: UnixMs(i64::from(n)),
                    started_at: None,
                    finished_at: None,
                };
                store.create_job(&row).await.is_ok()
            }
            Self::Twin { writer, .. } => {
                let options = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                    ..TransactionOptions::default()
                };
                let written = async {
                    let transaction = writer.begin_with_options(options).await?;
                    transaction.execute_unprepared(&format!("INSERT INTO rows VALUES ({n})")).await?;
                    transaction.commit().await
                };
                written.await.is_ok()
            }
        }
    }

    /// Returns whether the row is there for a reader.
    pub async fn reads(&self, n: u32) -> bool {
        match self {
            Self::Loge(store) => store.job(&id(n)).await.unwrap().is_some(),
            Self::Twin { reader, .. } => {
                let sql = Statement::from_string(DbBackend::Sqlite, format!("SELECT n FROM rows WHERE n = {n}"));
                reader.query_one_raw(sql).await.unwrap().is_some()
            }
        }
    }

    /// Opens the files as a kill would leave them now: database and log, no clean close.
    pub async fn after_a_kill(&self, file: &Path, copy: &Path) -> Self {
        let _ = std::fs::remove_dir_all(copy);
        std::fs::create_dir(copy).unwrap();
        for end in ["", "-wal"] {
            let from = format!("{}{end}", file.display());
            if Path::new(&from).exists() {
                std::fs::copy(from, copy.join(format!("loge.db{end}"))).unwrap();
            }
        }
        match self {
            Self::Loge(_) => Self::loge(&copy.join("loge.db")).await,
            Self::Twin { .. } => Self::twin(&copy.join("loge.db")).await,
        }
    }

    pub async fn close(self) {
        match self {
            Self::Loge(store) => store.close().await,
            Self::Twin { writer, reader } => {
                let _ = (reader.close().await, writer.close().await);
            }
        }
    }
}

fn id(n: u32) -> JobId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    // Not all from a counter: pages are touched in no order, as with real ids.
    FakeClock::new(UnixMs(0), u64::from(n) << 1).random(&mut bytes[4..]);
    JobId::from_random(bytes)
}
