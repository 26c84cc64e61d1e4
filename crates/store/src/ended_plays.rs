//! Plays that their owner ended: what makes their addresses useless after a restart too.

use crate::{
    entities::ended_play::{ActiveModel, Column, Entity},
    error::{StoreError, reading, writing},
    open::{Store, Turn, commit},
};
use base::UnixMs;
use domain::PlayId;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};

const ENDED: &str = "ended plays";

impl Store {
    /// Notes plays as ended until a time after which no ticket for them is good any more, and forgets
    /// those whose time has come.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_plays(&self, plays: &[PlayId], now: UnixMs, until: UnixMs) -> Result<(), StoreError> {
        if plays.is_empty() {
            return Ok(());
        }
        let transaction = self.write(Turn::Any, ENDED).await?;
        Entity::delete_many().filter(Column::UntilMs.lt(now.0)).exec(&transaction).await.map_err(writing(ENDED))?;
        let rows = plays.iter().map(|play| ActiveModel { play_id: Set(play.to_string()), until_ms: Set(until.0) });
        let known = OnConflict::column(Column::PlayId).update_column(Column::UntilMs).to_owned();
        Entity::insert_many(rows)
            .on_conflict(known)
            .exec_without_returning(&transaction)
            .await
            .map_err(writing(ENDED))?;
        commit(transaction, ENDED).await
    }

    /// Returns whether the owner ended this play.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_play_ended(&self, play: &PlayId) -> Result<bool, StoreError> {
        let row = Entity::find_by_id(play.as_str()).one(self.read()).await.map_err(reading(ENDED))?;
        Ok(row.is_some())
    }
}
