//! What can be made again from a film when its file is gone: which rows promise it, and how the
//! promise is taken back.

use crate::{
    entities::{file, rendition, storyboard, title},
    error::{StoreError, reading, unreadable, writing},
    open::{Store, Turn, commit},
    renditions::{RENDITIONS, title_of},
    scan::summarise,
    titles::{FileRow, best_file_of_title, to_file},
    users::Change,
};
use domain::{JobId, RenditionState, TitleId};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};

/// No database takes more values in one question than this.
const AT_ONCE: usize = 500;

impl Store {
    /// Returns titles that say they have a picture.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn titles_with_poster(&self) -> Result<Vec<TitleId>, StoreError> {
        let ids: Vec<String> = title::Entity::find()
            .select_only()
            .column(title::Column::Id)
            .filter(title::Column::Poster.is_not_null())
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("titles"))?;
        ids.iter().map(|id| TitleId::parse(id).map_err(|_| unreadable("titles", id))).collect()
    }

    /// These titles wait for a picture again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_posters(&self, titles: &[TitleId]) -> Result<(), StoreError> {
        if titles.is_empty() {
            return Ok(());
        }
        let transaction = self.write(Turn::Any, "titles").await?;
        for some in titles.chunks(AT_ONCE) {
            title::Entity::update_many()
                .col_expr(title::Column::Poster, Expr::value(Option::<String>::None))
                .filter(title::Column::Id.is_in(some.iter().map(TitleId::as_str)))
                .exec(&transaction)
                .await
                .map_err(writing("titles"))?;
        }
        commit(transaction, "titles").await
    }

    /// Returns the file to take the picture of a title from, while the title waits for one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn poster_source(&self, title: &TitleId) -> Result<Option<FileRow>, StoreError> {
        self.source(title, Expr::col((title::Entity, title::Column::Poster)).is_null())
            .await
            .map(|found| found.filter(|(_, failed)| !failed).map(|(file, _)| file))
    }

    /// Returns the file to make the storyboard of a title from, while it has none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn storyboard_source(&self, title: &TitleId) -> Result<Option<FileRow>, StoreError> {
        let made = Query::select().column(storyboard::Column::TitleId).from(storyboard::Entity).to_owned();
        let waits = file::Column::TitleId
            .not_in_subquery(made)
            .and(Expr::col((title::Entity, title::Column::DurationMs)).gt(0));
        Ok(self.source(title, waits).await?.map(|(file, _)| file))
    }

    /// Returns the best file of a title that can be read, and whether its picture failed.
    async fn source(
        &self,
        title: &TitleId,
        waits: impl Into<sea_orm::Condition>,
    ) -> Result<Option<(FileRow, bool)>, StoreError> {
        let row = file::Entity::find()
            .join(JoinType::InnerJoin, best_file_of_title())
            .filter(file::Column::TitleId.eq(title.as_str()))
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Defect.is_null())
            .filter(file::Column::Facts.is_not_null())
            .filter(waits.into())
            .one(self.read())
            .await
            .map_err(reading("files"))?;
        let Some(row) = row else { return Ok(None) };
        let of = title::Entity::find_by_id(title.as_str()).one(self.read()).await.map_err(reading("titles"))?;
        Ok(Some((to_file(row)?, of.is_some_and(|title| title.poster_failed))))
    }

    /// This title waits for its storyboard again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_storyboard(&self, title: &TitleId) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Any, "storyboards").await?;
        storyboard::Entity::delete_by_id(title.as_str()).exec(&transaction).await.map_err(writing("storyboards"))?;
        commit(transaction, "storyboards").await
    }

    /// Queues a version whose files are gone: before everything else when a viewer asks for it, and
    /// after everything else otherwise.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn rendition_again(&self, id: &JobId, is_asked_for: bool) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Library, RENDITIONS).await?;
        let Some(title) = title_of(&transaction, id).await? else { return Ok(Change::Missing) };
        let ends = rendition::Entity::find()
            .select_only()
            .column_as(rendition::Column::Place.min(), "first")
            .column_as(rendition::Column::Place.max(), "last");
        let ends: Option<(Option<i64>, Option<i64>)> =
            ends.into_tuple().one(&transaction).await.map_err(reading(RENDITIONS))?;
        let (first, last) = ends.unwrap_or_default();
        let place = if is_asked_for { first.unwrap_or(0) - 1 } else { last.unwrap_or(0) + 1 };
        rendition::Entity::update_many()
            .col_expr(rendition::Column::State, Expr::value(RenditionState::Queued.as_str()))
            .col_expr(rendition::Column::Reason, Expr::value(Option::<String>::None))
            .col_expr(rendition::Column::FinishedAt, Expr::value(Option::<i64>::None))
            .col_expr(rendition::Column::Done, Expr::value(0_i64))
            .col_expr(rendition::Column::StoredBytes, Expr::value(0_i64))
            .col_expr(rendition::Column::Place, Expr::value(place))
            .filter(rendition::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(RENDITIONS))?;
        summarise(&transaction, &title).await?;
        commit(transaction, RENDITIONS).await?;
        Ok(Change::Done)
    }
}
