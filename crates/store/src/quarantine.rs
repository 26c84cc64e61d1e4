//! Files that ended workers: set aside, listed, given another chance.

use crate::{
    entities::{file, title},
    error::{StoreError, reading, writing},
    open::{Store, Turn, commit},
    scan::summarise,
    titles::{FileRow, to_file},
};
use domain::{FileId, FolderId, facts::Defect};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

const FILES: &str = "files";
/// As many as anybody wants to read.
const MOST: u64 = 500;

impl Store {
    /// Answers the file when it is known in this version and was not set aside before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_aside(
        &self,
        folder: &FolderId,
        path: &[u8],
        size: Option<u64>,
    ) -> Result<Option<FileRow>, StoreError> {
        let transaction = self.write(Turn::Any, FILES).await?;
        let row = file::Entity::find()
            .filter(file::Column::FolderId.eq(folder.as_str()))
            .filter(file::Column::Path.eq(path))
            .one(&transaction)
            .await
            .map_err(reading(FILES))?;
        let Some(row) =
            row.filter(|r| r.defect.is_none() && size.is_none_or(|size| size == r.size_bytes.cast_unsigned()))
        else {
            return Ok(None);
        };
        let mut row = row.into_active_model();
        row.defect = Set(Some(Defect::EndsWorkers.as_str().into()));
        let row = row.update(&transaction).await.map_err(writing(FILES))?;
        summarise(&transaction, &row.title_id).await?;
        commit(transaction, FILES).await?;
        to_file(row).map(Some)
    }

    /// With the names of their titles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn files_set_aside(&self) -> Result<Vec<(FileRow, String)>, StoreError> {
        let rows = file::Entity::find()
            .filter(file::Column::Defect.eq(Defect::EndsWorkers.as_str()))
            .order_by_asc(file::Column::Id)
            .limit(MOST)
            .all(self.read())
            .await
            .map_err(reading(FILES))?;
        let titles = title::Entity::find()
            .filter(title::Column::Id.is_in(rows.iter().map(|row| row.title_id.as_str())))
            .all(self.read())
            .await
            .map_err(reading("titles"))?;
        let name = |id: &str| titles.iter().find(|t| t.id == id).map_or_else(String::new, |t| t.name.clone());
        rows.into_iter().map(|row| (name(&row.title_id), row)).map(|(name, row)| Ok((to_file(row)?, name))).collect()
    }

    /// Answers the file when it was set aside.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn take_back(&self, id: &FileId) -> Result<Option<FileRow>, StoreError> {
        let transaction = self.write(Turn::Any, FILES).await?;
        let row = file::Entity::find_by_id(id.as_str())
            .filter(file::Column::Defect.eq(Defect::EndsWorkers.as_str()))
            .one(&transaction)
            .await
            .map_err(reading(FILES))?;
        let Some(row) = row else { return Ok(None) };
        let mut row = row.into_active_model();
        row.defect = Set(None);
        let row = row.update(&transaction).await.map_err(writing(FILES))?;
        summarise(&transaction, &row.title_id).await?;
        commit(transaction, FILES).await?;
        to_file(row).map(Some)
    }
}
