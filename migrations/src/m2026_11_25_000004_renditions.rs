//! Smaller versions of films, made ahead of time: the queue of those to make, and those that are there.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `size_bytes` and `mtime_ns` are of the version of the file it is made of; `wanted_by` is empty
/// where the house itself picked the film.
const UP: &str = r"
CREATE TABLE renditions (
    id TEXT PRIMARY KEY,
    file_id TEXT NOT NULL REFERENCES files(id) ON DELETE CASCADE,
    size_bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    lines BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    wanted_by TEXT,
    place BIGINT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    used_at BIGINT NOT NULL,
    UNIQUE (file_id, lines)
);
CREATE INDEX renditions_state ON renditions(state, place);
";

const DOWN: &str = "DROP TABLE renditions;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await?;
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
