//! Another program at the house's database. It does what no request could ask the house to do.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use std::{path::Path, time::Duration};

/// One connection, so that what it begins stays begun.
pub struct OtherProgram(DatabaseConnection);

impl OtherProgram {
    /// # Errors
    /// When the file is no database.
    pub async fn open(file: &Path) -> Result<Self, DbErr> {
        let mut options = ConnectOptions::new("sqlite::memory:");
        let file = file.to_owned();
        options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |sqlite| {
            sqlite.filename(&file).in_memory(false).shared_cache(false).busy_timeout(Duration::from_secs(60))
        });
        Ok(Self(Database::connect(options).await?))
    }

    /// # Errors
    /// When the statement fails.
    pub async fn run(&self, sql: &str) -> Result<(), DbErr> {
        self.0.execute_unprepared(sql).await.map(drop)
    }
}
