//! Where the key frames of a file are, found once and kept with the version of the file they are of.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `content` is empty where none could be made of this version of the file.
const UP: &str = r"
CREATE TABLE keyframe_indexes (
    file_id TEXT PRIMARY KEY REFERENCES files(id) ON DELETE CASCADE,
    size_bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    content {BLOB} NOT NULL,
    made_at BIGINT NOT NULL
);
";

const DOWN: &str = "DROP TABLE keyframe_indexes;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let blob = match manager.get_database_backend() {
            DbBackend::Postgres => "BYTEA",
            _ => "BLOB",
        };
        manager.get_connection().execute_unprepared(&UP.replace("{BLOB}", blob)).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(DOWN).await?;
        Ok(())
    }

    /// All or nothing on SQLite too, where the default is statement by statement.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
