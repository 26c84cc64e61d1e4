//! Background work as it is remembered over a restart.

use crate::{
    entities::job,
    error::{StoreError, reading, unreadable, writing},
    open::{Store, Turn, commit},
};
use base::UnixMs;
use domain::{JobId, JobKind, JobState, LibraryId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: JobId,
    pub kind: JobKind,
    pub library: Option<LibraryId>,
    pub state: JobState,
    pub done: u64,
    pub total: u64,
    /// What is being worked on, for people.
    pub current: Option<String>,
    pub error: Option<String>,
    /// What the owner should know although it went well.
    pub note: Option<String>,
    pub created_at: UnixMs,
    pub started_at: Option<UnixMs>,
    pub finished_at: Option<UnixMs>,
}

const JOBS: &str = "jobs";
/// Finished jobs that are remembered.
const KEPT: u64 = 200;

impl Store {
    /// Writes a job as it is now, new or known. Old finished ones are forgotten.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_job(&self, job: &JobRow) -> Result<(), StoreError> {
        use job::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Any, JOBS).await?;
        let row = ActiveModel {
            id: Set(job.id.as_str().into()),
            kind: Set(job.kind.as_str().into()),
            library_id: Set(job.library.as_ref().map(|l| l.as_str().into())),
            state: Set(job.state.as_str().into()),
            done: Set(job.done.cast_signed()),
            total: Set(job.total.cast_signed()),
            current_item: Set(job.current.as_deref().map(without_nul)),
            error: Set(job.error.as_deref().map(without_nul)),
            note: Set(job.note.as_deref().map(without_nul)),
            created_at: Set(job.created_at.0),
            started_at: Set(job.started_at.map(|t| t.0)),
            finished_at: Set(job.finished_at.map(|t| t.0)),
        };
        let newer = OnConflict::column(Column::Id)
            .update_columns([
                Column::State,
                Column::Done,
                Column::Total,
                Column::CurrentItem,
                Column::Error,
                Column::Note,
                Column::StartedAt,
                Column::FinishedAt,
            ])
            .to_owned();
        Entity::insert(row).on_conflict(newer).exec_without_returning(&transaction).await.map_err(writing(JOBS))?;
        if job.state.is_over() {
            let oldest_kept = Entity::find()
                .filter(Column::FinishedAt.is_not_null())
                .order_by_desc(Column::CreatedAt)
                .offset(KEPT)
                .one(&transaction)
                .await
                .map_err(reading(JOBS))?;
            if let Some(first_old) = oldest_kept {
                Entity::delete_many()
                    .filter(Column::FinishedAt.is_not_null())
                    .filter(Column::CreatedAt.lte(first_old.created_at))
                    .exec(&transaction)
                    .await
                    .map_err(writing(JOBS))?;
            }
        }
        commit(transaction, JOBS).await
    }

    /// # Errors
    /// As [`Store::save_job`].
    pub async fn create_job(&self, job: &JobRow) -> Result<(), StoreError> {
        self.save_job(job).await
    }

    /// # Errors
    /// As [`Store::save_job`].
    pub async fn update_job(&self, job: &JobRow) -> Result<(), StoreError> {
        self.save_job(job).await
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn job(&self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        let row = job::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading(JOBS))?;
        row.map(to_job).transpose()
    }

    /// Newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        let rows = job::Entity::find()
            .order_by_desc(job::Column::CreatedAt)
            .order_by_desc(job::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading(JOBS))?;
        rows.into_iter().map(to_job).collect()
    }

    /// What ran when the house was closed waits again. Returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn requeue_interrupted(&self) -> Result<u64, StoreError> {
        let transaction = self.write(Turn::Any, JOBS).await?;
        let done = job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(JobState::Queued.as_str()))
            .col_expr(job::Column::StartedAt, Expr::value(None::<i64>))
            .filter(job::Column::State.eq(JobState::Running.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(JOBS))?;
        commit(transaction, JOBS).await?;
        Ok(done.rows_affected)
    }
}

/// PostgreSQL cannot keep a NUL in text, and a file name's error text may hold anything.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn to_job(row: job::Model) -> Result<JobRow, StoreError> {
    Ok(JobRow {
        id: JobId::parse(&row.id).map_err(|_| unreadable(JOBS, &row.id))?,
        kind: JobKind::parse(&row.kind).ok_or_else(|| unreadable(JOBS, &row.kind))?,
        library: row
            .library_id
            .as_deref()
            .map(|id| LibraryId::parse(id).map_err(|_| unreadable(JOBS, id)))
            .transpose()?,
        state: JobState::parse(&row.state).ok_or_else(|| unreadable(JOBS, &row.state))?,
        done: row.done.cast_unsigned(),
        total: row.total.cast_unsigned(),
        current: row.current_item,
        error: row.error,
        note: row.note,
        created_at: UnixMs(row.created_at),
        started_at: row.started_at.map(UnixMs),
        finished_at: row.finished_at.map(UnixMs),
    })
}
