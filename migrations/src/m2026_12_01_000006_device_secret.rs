//! The other half of a sign-in: a secret of the page's own origin, of which only the hash is here.
//! A sign-in from before this step has none until its next refresh.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = "ALTER TABLE sessions ADD COLUMN device_hash {BLOB};";

const DOWN: &str = "ALTER TABLE sessions DROP COLUMN device_hash;";

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
