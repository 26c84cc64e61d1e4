//! Which disk a folder is on, why it is not online, and what a walk had to leave out.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `unread` is a JSON list of the first folders that could not be listed, `unread_total` how many
/// there are.
const UP: &str = "
ALTER TABLE folders ADD COLUMN identity TEXT;
ALTER TABLE folders ADD COLUMN problem TEXT;
ALTER TABLE folders ADD COLUMN unread TEXT;
ALTER TABLE folders ADD COLUMN unread_total BIGINT NOT NULL DEFAULT 0;
ALTER TABLE folders ADD COLUMN links BIGINT NOT NULL DEFAULT 0;
";

const DOWN: &str = "
ALTER TABLE folders DROP COLUMN links;
ALTER TABLE folders DROP COLUMN unread_total;
ALTER TABLE folders DROP COLUMN unread;
ALTER TABLE folders DROP COLUMN problem;
ALTER TABLE folders DROP COLUMN identity;
";

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
