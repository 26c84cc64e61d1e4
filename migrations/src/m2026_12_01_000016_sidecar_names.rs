//! What the name of a subtitle file says beyond its language, and all texts to be made once more:
//! earlier versions took some of them for no text, and put lines of times on the screen.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = "
ALTER TABLE subtitles ADD COLUMN title TEXT;
ALTER TABLE subtitles ADD COLUMN hearing_impaired BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE subtitles ADD COLUMN is_default BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE subtitles SET state = 'waiting' WHERE path IS NOT NULL;
DELETE FROM subtitles WHERE path IS NULL AND state <> 'picture';
";

const DOWN: &str = "
ALTER TABLE subtitles DROP COLUMN is_default;
ALTER TABLE subtitles DROP COLUMN hearing_impaired;
ALTER TABLE subtitles DROP COLUMN title;
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
