//! How far people are. A report that was acknowledged is on the disk.

use crate::{
    entities::{progress, title},
    error::{StoreError, is_dangling, reading, writing},
    open::{Store, Turn, commit},
};
use base::UnixMs;
use domain::{ProgressEvent, SessionId, TitleId, UserId, progress::after_report};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub position_ms: u64,
    pub finished: bool,
    pub updated_at: UnixMs,
}

const PROGRESS: &str = "progress";

impl Store {
    /// Keeps a report; durable when it returns. Reports count in the order in which they arrive,
    /// whatever the wall clock does. `false`: no such title. The caller has checked the right to it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_progress(
        &self,
        user: &UserId,
        title_id: &TitleId,
        position_ms: u64,
        duration_ms: u64,
        event: ProgressEvent,
        session: &SessionId,
    ) -> Result<bool, StoreError> {
        use progress::{ActiveModel, Column, Entity};
        let now = self.clock().now();
        let transaction = self.write(Turn::Progress, PROGRESS).await?;
        let title = title::Entity::find_by_id(title_id.as_str()).one(&transaction).await.map_err(reading("titles"))?;
        let Some(title) = title else { return Ok(false) };
        let kept = Entity::find_by_id((user.as_str().to_owned(), title_id.as_str().to_owned()))
            .one(&transaction)
            .await
            .map_err(reading(PROGRESS))?;
        // The probe knows the length better than a player that may still be loading.
        let duration_ms = if title.duration_ms > 0 { title.duration_ms.cast_unsigned() } else { duration_ms };
        let kept_ms = kept.as_ref().map(|k| k.position_ms.cast_unsigned());
        let Some((position_ms, finished)) = after_report(kept_ms, position_ms, duration_ms, event) else {
            return Ok(true);
        };
        let row = ActiveModel {
            user_id: Set(user.as_str().into()),
            title_id: Set(title_id.as_str().into()),
            position_ms: Set(i64::try_from(position_ms).unwrap_or(i64::MAX)),
            duration_ms: Set(i64::try_from(duration_ms).unwrap_or(i64::MAX)),
            finished: Set(finished),
            event: Set(event.as_str().into()),
            session_id: Set(session.as_str().into()),
            updated_at: Set(now.0.max(kept.map_or(i64::MIN, |k| k.updated_at))),
        };
        let newer = OnConflict::columns([Column::UserId, Column::TitleId])
            .update_columns([
                Column::PositionMs,
                Column::DurationMs,
                Column::Finished,
                Column::Event,
                Column::SessionId,
                Column::UpdatedAt,
            ])
            .to_owned();
        match Entity::insert(row).on_conflict(newer).exec_without_returning(&transaction).await {
            Ok(_) => {}
            // The person was deleted between the check of their sign-in and here.
            Err(e) if is_dangling(&e) => return Ok(false),
            Err(e) => return Err(writing(PROGRESS)(e)),
        }
        commit(transaction, PROGRESS).await?;
        Ok(true)
    }
}

pub(crate) fn to_progress(row: &progress::Model) -> Progress {
    Progress {
        position_ms: row.position_ms.cast_unsigned(),
        finished: row.finished,
        updated_at: UnixMs(row.updated_at),
    }
}
