//! Key frame indexes, each bound to the version of the file it was made of, and the verdicts that
//! lists show.

use crate::{
    entities::{file, keyframe_index, title},
    error::{StoreError, reading, writing},
    open::{Store, Turn, commit},
    scan::summarise,
    settings::{set_value, value},
    titles::{FileRow, to_file},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

const INDEXES: &str = "key frame indexes";
/// Raised whenever the decision about playing changes what lists should show.
const VERDICTS: &str = "2";
const VERDICTS_NAME: &str = "verdicts";

/// What is known of a file's key frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredIndex {
    /// In the worker's form; untrusted.
    Made(Vec<u8>),
    /// None can be made of this version of the file.
    Impossible,
}

impl Store {
    /// `None` when none was made of the file as it is now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keyframe_index(&self, of: &FileRow) -> Result<Option<StoredIndex>, StoreError> {
        let row = keyframe_index::Entity::find_by_id(of.id.as_str())
            .filter(keyframe_index::Column::SizeBytes.eq(of.size_bytes.cast_signed()))
            .filter(keyframe_index::Column::MtimeNs.eq(of.mtime_ns))
            .one(self.read())
            .await
            .map_err(reading(INDEXES))?;
        Ok(row.map(|row| if row.content.is_empty() { StoredIndex::Impossible } else { StoredIndex::Made(row.content) }))
    }

    /// Keeps what was found of a file; a file that is gone meanwhile is left out.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_keyframe_index(&self, of: &FileRow, index: &StoredIndex) -> Result<(), StoreError> {
        use keyframe_index::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Library, INDEXES).await?;
        let there = file::Entity::find_by_id(of.id.as_str()).one(&transaction).await.map_err(reading("files"))?;
        if there.is_none() {
            return Ok(());
        }
        let row = ActiveModel {
            file_id: Set(of.id.as_str().into()),
            size_bytes: Set(of.size_bytes.cast_signed()),
            mtime_ns: Set(of.mtime_ns),
            content: Set(match index {
                StoredIndex::Made(bytes) => bytes.clone(),
                StoredIndex::Impossible => Vec::new(),
            }),
            made_at: Set(self.clock().now().0),
        };
        let newer = OnConflict::column(Column::FileId)
            .update_columns([Column::SizeBytes, Column::MtimeNs, Column::Content, Column::MadeAt])
            .to_owned();
        Entity::insert(row).on_conflict(newer).exec_without_returning(&transaction).await.map_err(writing(INDEXES))?;
        commit(transaction, INDEXES).await
    }

    /// Files that will play in segments and have no index of their present version, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn files_without_index(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        let known = Query::select()
            .expr(Expr::val(1))
            .from(keyframe_index::Entity)
            .and_where(
                Expr::col((keyframe_index::Entity, keyframe_index::Column::FileId))
                    .equals((file::Entity, file::Column::Id)),
            )
            .and_where(
                Expr::col((keyframe_index::Entity, keyframe_index::Column::SizeBytes))
                    .equals((file::Entity, file::Column::SizeBytes)),
            )
            .and_where(
                Expr::col((keyframe_index::Entity, keyframe_index::Column::MtimeNs))
                    .equals((file::Entity, file::Column::MtimeNs)),
            )
            .to_owned();
        let rows = file::Entity::find()
            .join(JoinType::InnerJoin, crate::titles::best_file_of_title())
            .filter(Expr::col((title::Entity, title::Column::Playability)).is_in(["remux", "needs_preparing"]))
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Defect.is_null())
            .filter(Expr::exists(known).not())
            .order_by_desc(Expr::col((title::Entity, title::Column::AddedAt)))
            .order_by_asc(file::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        rows.into_iter().map(to_file).collect()
    }

    /// Decides anew what lists show, once after a version that decides differently.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn refresh_verdicts(&self) -> Result<(), StoreError> {
        if value(self.read(), VERDICTS_NAME).await?.as_deref() == Some(VERDICTS) {
            return Ok(());
        }
        let titles: Vec<String> = title::Entity::find()
            .select_only()
            .column(title::Column::Id)
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("titles"))?;
        for batch in titles.chunks(200) {
            let transaction = self.write(Turn::Library, "titles").await?;
            for id in batch {
                summarise(&transaction, id).await?;
            }
            commit(transaction, "titles").await?;
        }
        let transaction = self.write(Turn::Any, "settings").await?;
        set_value(&transaction, VERDICTS_NAME, VERDICTS.into()).await?;
        commit(transaction, "settings").await
    }
}
