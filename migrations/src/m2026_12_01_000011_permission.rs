//! Permission for reduced isolation has to be given. It was granted before any owner had given it,
//! and the settings are kept whole, so that a permission that was given cannot be told from one
//! that never was: it is asked for again, where a machine lacks walls at all.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The text is the server's own JSON; quotes within its values are escaped, so nothing else matches.
const UP: &str = r#"UPDATE settings
SET content = REPLACE(content, '"allow_reduced_isolation":true', '"allow_reduced_isolation":false')
WHERE name = 'house';"#;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await?;
        Ok(())
    }

    /// What was stored before is not known any more; without permission is the safe one.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
