//! What is made of a film ahead of time: storyboards and subtitles as WebVTT.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Numbers of subtitles below 100 are the tracks in the file, those from 100 on lie beside it.
const UP: &str = r"
CREATE TABLE storyboards (
    title_id TEXT PRIMARY KEY REFERENCES titles(id) ON DELETE CASCADE,
    version TEXT NOT NULL,
    failed BOOLEAN NOT NULL,
    tile_width BIGINT NOT NULL,
    tile_height BIGINT NOT NULL,
    tiles_across BIGINT NOT NULL,
    tiles_down BIGINT NOT NULL,
    sheets BIGINT NOT NULL,
    times TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE TABLE subtitles (
    file_id TEXT NOT NULL REFERENCES files(id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    path {BLOB},
    size_bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    codec TEXT NOT NULL,
    language TEXT,
    forced BOOLEAN NOT NULL,
    PRIMARY KEY (file_id, number)
);
CREATE INDEX subtitles_state ON subtitles(state);
";

const DOWN: &str = r"
DROP TABLE subtitles;
DROP TABLE storyboards;
";

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
