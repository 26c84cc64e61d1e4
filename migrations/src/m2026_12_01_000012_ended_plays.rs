//! Plays that their owner ended, until the last ticket for them has run out.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = "CREATE TABLE ended_plays (play_id TEXT PRIMARY KEY NOT NULL, until_ms BIGINT NOT NULL);";

const DOWN: &str = "DROP TABLE ended_plays;";

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
