//! Versions of films made ahead of time, each bound to the version of the file it is made of: the
//! queue of those to make, and those that are there. Their bytes are files of another room.

use crate::{
    entities::{file, progress, rendition, title},
    error::{StoreError, reading, unreadable, writing},
    open::{Store, Turn, commit},
    scan::summarise,
    settings::{set_value, value},
    titles::{FileRow, best_file_of_title, to_file},
    users::Change,
    writer::Transaction,
};
use base::UnixMs;
use domain::{FileId, JobId, RenditionState, TitleId, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// One version, wanted or there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    pub id: JobId,
    pub file: FileId,
    pub title: TitleId,
    pub title_name: String,
    pub lines: u32,
    pub state: RenditionState,
    /// Why it failed, in words for people.
    pub reason: Option<String>,
    /// `None`: the house picked it by itself.
    pub wanted_by: Option<UserId>,
    /// Parts made, of all parts; a part of picture counts more than one of sound.
    pub done: u64,
    pub total: u64,
    pub stored_bytes: u64,
    pub created_at: UnixMs,
    pub finished_at: Option<UnixMs>,
    pub used_at: UnixMs,
}

/// When the house picks films to prepare by itself, and how much space versions may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NightShift {
    pub enabled: bool,
    /// Minutes after midnight, in the machine's own time.
    pub from_minute: u16,
    pub to_minute: u16,
    /// For versions in all, whoever wanted them.
    pub cap_bytes: u64,
}

impl Default for NightShift {
    /// Off: whose fan runs at night is the owner's decision.
    fn default() -> Self {
        Self { enabled: false, from_minute: 60, to_minute: 6 * 60, cap_bytes: 100_000_000_000 }
    }
}

pub(crate) const RENDITIONS: &str = "renditions";
const NIGHT_SHIFT: &str = "night_shift";

impl Store {
    /// Puts a version of a file at the end of the queue. One that is there or wanted already stays
    /// as it is; one that failed, or is of an older version of the file, is wanted anew under a new
    /// id. `None` when the file is gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn want_rendition(
        &self,
        of: &FileRow,
        lines: u32,
        wanted_by: Option<&UserId>,
    ) -> Result<Option<JobId>, StoreError> {
        use rendition::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Library, RENDITIONS).await?;
        let there = file::Entity::find_by_id(of.id.as_str()).one(&transaction).await.map_err(reading("files"))?;
        if there.is_none() {
            return Ok(None);
        }
        let known = Entity::find()
            .filter(Column::FileId.eq(of.id.as_str()))
            .filter(Column::Lines.eq(i64::from(lines)))
            .one(&transaction)
            .await
            .map_err(reading(RENDITIONS))?;
        if let Some(row) = known {
            let same = row.size_bytes == of.size_bytes.cast_signed() && row.mtime_ns == of.mtime_ns;
            if same && row.state != RenditionState::Failed.as_str() {
                // What the house picked and a person asks for is theirs from now on.
                if let (None, Some(user)) = (&row.wanted_by, wanted_by) {
                    Entity::update_many()
                        .col_expr(Column::WantedBy, Expr::value(user.as_str()))
                        .filter(Column::Id.eq(row.id.as_str()))
                        .exec(&transaction)
                        .await
                        .map_err(writing(RENDITIONS))?;
                    commit(transaction, RENDITIONS).await?;
                }
                return JobId::parse(&row.id).map(Some).map_err(|_| unreadable(RENDITIONS, &row.id));
            }
            Entity::delete_by_id(row.id).exec(&transaction).await.map_err(writing(RENDITIONS))?;
        }
        let (id, now) = (JobId::from_random(self.clock().random_id()), self.clock().now().0);
        let last: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(Column::Place.max(), "place")
            .into_tuple()
            .one(&transaction)
            .await
            .map_err(reading(RENDITIONS))?;
        let row = ActiveModel {
            id: Set(id.as_str().into()),
            file_id: Set(of.id.as_str().into()),
            size_bytes: Set(of.size_bytes.cast_signed()),
            mtime_ns: Set(of.mtime_ns),
            lines: Set(i64::from(lines)),
            state: Set(RenditionState::Queued.as_str().into()),
            reason: Set(None),
            wanted_by: Set(wanted_by.map(|u| u.as_str().into())),
            place: Set(last.flatten().map_or(0, |place| place + 1)),
            done: Set(0),
            total: Set(0),
            stored_bytes: Set(0),
            created_at: Set(now),
            finished_at: Set(None),
            used_at: Set(now),
        };
        Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(RENDITIONS))?;
        commit(transaction, RENDITIONS).await?;
        Ok(Some(id))
    }

    /// All of them: the queue in its order, then what is over, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn renditions(&self) -> Result<Vec<Rendition>, StoreError> {
        self.renditions_where(Condition::all()).await
    }

    /// Those of a file as it is now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn renditions_of(&self, of: &FileRow) -> Result<Vec<Rendition>, StoreError> {
        let this = Condition::all()
            .add(rendition::Column::FileId.eq(of.id.as_str()))
            .add(rendition::Column::SizeBytes.eq(of.size_bytes.cast_signed()))
            .add(rendition::Column::MtimeNs.eq(of.mtime_ns));
        self.renditions_where(this).await
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn rendition(&self, id: &JobId) -> Result<Option<Rendition>, StoreError> {
        Ok(self.renditions_where(Condition::all().add(rendition::Column::Id.eq(id.as_str()))).await?.pop())
    }

    async fn renditions_where(&self, which: Condition) -> Result<Vec<Rendition>, StoreError> {
        let rows = rendition::Entity::find()
            .filter(which)
            .order_by_asc(rendition::Column::Place)
            .all(self.read())
            .await
            .map_err(reading(RENDITIONS))?;
        let files: Vec<String> = rows.iter().map(|r| r.file_id.clone()).collect();
        let titles: Vec<(String, String, String)> = file::Entity::find()
            .join(JoinType::InnerJoin, title_of_file())
            .filter(file::Column::Id.is_in(files))
            .select_only()
            .column(file::Column::Id)
            .column_as(Expr::col((title::Entity, title::Column::Id)), "title")
            .column_as(Expr::col((title::Entity, title::Column::Name)), "name")
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("titles"))?;
        let titles: HashMap<String, (String, String)> =
            titles.into_iter().map(|(file, title, name)| (file, (title, name))).collect();
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            // A file that went between the two questions takes its versions along.
            if let Some((title, name)) = titles.get(&row.file_id) {
                found.push(to_rendition(row, title, name)?);
            }
        }
        found.sort_by_key(|r| match r.state.is_over() {
            // What people asked for goes before what the house guessed.
            false => (false, r.wanted_by.is_none(), 0),
            true => (true, false, -r.created_at.0),
        });
        Ok(found)
    }

    /// The first that may be made now and is none of `but`, with its file. `night`: what the house
    /// picked counts too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_rendition(
        &self,
        night: bool,
        but: &HashSet<JobId>,
    ) -> Result<Option<(Rendition, FileRow)>, StoreError> {
        let waiting = [RenditionState::Queued.as_str(), RenditionState::Running.as_str()];
        let mut which = Condition::all().add(rendition::Column::State.is_in(waiting));
        if !night {
            which = which.add(rendition::Column::WantedBy.is_not_null());
        }
        for next in self.renditions_where(which).await?.into_iter().filter(|next| !but.contains(&next.id)) {
            let row = file::Entity::find_by_id(next.file.as_str()).one(self.read()).await.map_err(reading("files"))?;
            if let Some(file) = row.map(to_file).transpose()?.filter(|f| f.missing_since.is_none()) {
                return Ok(Some((next, file)));
            }
        }
        Ok(None)
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_rendition_state(
        &self,
        id: &JobId,
        state: RenditionState,
        reason: Option<&str>,
    ) -> Result<Change, StoreError> {
        let over = state.is_over().then(|| self.clock().now().0);
        let transaction = self.write(Turn::Library, RENDITIONS).await?;
        let Some(title) = title_of(&transaction, id).await? else { return Ok(Change::Missing) };
        rendition::Entity::update_many()
            .col_expr(rendition::Column::State, Expr::value(state.as_str()))
            .col_expr(rendition::Column::Reason, Expr::value(reason.map(str::to_owned)))
            .col_expr(rendition::Column::FinishedAt, Expr::value(over))
            .filter(rendition::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(RENDITIONS))?;
        summarise(&transaction, &title).await?;
        commit(transaction, RENDITIONS).await?;
        Ok(Change::Done)
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_rendition_progress(
        &self,
        id: &JobId,
        done: u64,
        total: u64,
        stored_bytes: u64,
    ) -> Result<Change, StoreError> {
        self.change_rendition(id, |update| {
            update
                .col_expr(rendition::Column::Done, Expr::value(done.cast_signed()))
                .col_expr(rendition::Column::Total, Expr::value(total.cast_signed()))
                .col_expr(rendition::Column::StoredBytes, Expr::value(stored_bytes.cast_signed()))
        })
        .await
    }

    /// Somebody plays it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn rendition_used(&self, id: &JobId) -> Result<Change, StoreError> {
        let now = self.clock().now().0;
        self.change_rendition(id, |update| update.col_expr(rendition::Column::UsedAt, Expr::value(now))).await
    }

    /// Before everything else that waits, as this person's wish.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn rendition_first(&self, id: &JobId, by: &UserId) -> Result<Change, StoreError> {
        let first: Option<Option<i64>> = rendition::Entity::find()
            .select_only()
            .column_as(rendition::Column::Place.min(), "place")
            .into_tuple()
            .one(self.read())
            .await
            .map_err(reading(RENDITIONS))?;
        let place = first.flatten().unwrap_or(0) - 1;
        self.change_rendition(id, |update| {
            update
                .col_expr(rendition::Column::Place, Expr::value(place))
                .col_expr(rendition::Column::WantedBy, Expr::value(by.as_str()))
        })
        .await
    }

    async fn change_rendition(
        &self,
        id: &JobId,
        change: impl FnOnce(sea_orm::UpdateMany<rendition::Entity>) -> sea_orm::UpdateMany<rendition::Entity>,
    ) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Any, RENDITIONS).await?;
        let done = change(rendition::Entity::update_many())
            .filter(rendition::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(RENDITIONS))?;
        commit(transaction, RENDITIONS).await?;
        Ok(if done.rows_affected > 0 { Change::Done } else { Change::Missing })
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_rendition(&self, id: &JobId) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Library, RENDITIONS).await?;
        let Some(title) = title_of(&transaction, id).await? else { return Ok(Change::Missing) };
        rendition::Entity::delete_by_id(id.as_str()).exec(&transaction).await.map_err(writing(RENDITIONS))?;
        summarise(&transaction, &title).await?;
        commit(transaction, RENDITIONS).await?;
        Ok(Change::Done)
    }

    /// Versions of files that are others now, or that are missing since before `missing_before`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stale_renditions(&self, missing_before: UnixMs) -> Result<Vec<JobId>, StoreError> {
        let of = |column| Expr::col((rendition::Entity, column));
        let now = |column| Expr::col((file::Entity, column));
        let ids: Vec<String> = rendition::Entity::find()
            .join(JoinType::InnerJoin, file_of_rendition())
            .filter(
                Condition::any()
                    .add(of(rendition::Column::SizeBytes).ne(now(file::Column::SizeBytes)))
                    .add(of(rendition::Column::MtimeNs).ne(now(file::Column::MtimeNs)))
                    .add(now(file::Column::MissingSince).lt(missing_before.0)),
            )
            .select_only()
            .column(rendition::Column::Id)
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading(RENDITIONS))?;
        ids.iter().map(|id| JobId::parse(id).map_err(|_| unreadable(RENDITIONS, id))).collect()
    }

    /// Films that need preparing and that nobody has thought of, each with whether somebody began
    /// it, and when it was last watched or came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn likely_films(&self, limit: u32) -> Result<Vec<(FileRow, bool, UnixMs)>, StoreError> {
        let thought_of = Query::select()
            .expr(Expr::val(1))
            .from(rendition::Entity)
            .and_where(
                Expr::col((rendition::Entity, rendition::Column::FileId)).equals((file::Entity, file::Column::Id)),
            )
            .to_owned();
        let waiting = || {
            file::Entity::find()
                .join(JoinType::InnerJoin, best_file_of_title())
                .filter(Expr::col((title::Entity, title::Column::Playability)).eq("needs_preparing"))
                .filter(file::Column::MissingSince.is_null())
                .filter(file::Column::Defect.is_null())
                .filter(Expr::exists(thought_of.clone()).not())
                .limit(u64::from(limit))
        };
        let begun = waiting()
            .join(JoinType::InnerJoin, progress_of_file())
            .filter(Expr::col((progress::Entity, progress::Column::Finished)).eq(false))
            .filter(Expr::col((progress::Entity, progress::Column::PositionMs)).gt(0))
            .order_by_desc(Expr::col((progress::Entity, progress::Column::UpdatedAt)))
            .select_also(progress::Entity)
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        let new = waiting()
            .order_by_desc(Expr::col((title::Entity, title::Column::AddedAt)))
            .order_by_asc(file::Column::Id)
            .select_also(title::Entity)
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        let mut films: Vec<(FileRow, bool, UnixMs)> = Vec::new();
        let begun = begun.into_iter().map(|(row, p)| (row, true, p.map_or(0, |p| p.updated_at)));
        let new = new.into_iter().map(|(row, t)| (row, false, t.map_or(0, |t| t.added_at)));
        for (row, begun, at) in begun.chain(new) {
            let row = to_file(row)?;
            if films.iter().all(|(known, ..)| known.id != row.id) {
                films.push((row, begun, UnixMs(at)));
            }
        }
        Ok(films)
    }

    /// What the owner set, and the defaults for the rest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn night_shift(&self) -> Result<NightShift, StoreError> {
        match value(self.read(), NIGHT_SHIFT).await? {
            None => Ok(NightShift::default()),
            Some(text) => serde_json::from_str(&text).map_err(|_| unreadable("settings", &text)),
        }
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_night_shift(&self, shift: &NightShift) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Any, "settings").await?;
        let text = serde_json::to_string(shift).unwrap_or_else(|_| "{}".into());
        set_value(&transaction, NIGHT_SHIFT, text).await?;
        commit(transaction, "settings").await
    }
}

/// The title whose list entry speaks of this version too.
pub(crate) async fn title_of(transaction: &Transaction, id: &JobId) -> Result<Option<String>, StoreError> {
    file::Entity::find()
        .join_rev(JoinType::InnerJoin, file_of_rendition())
        .filter(Expr::col((rendition::Entity, rendition::Column::Id)).eq(id.as_str()))
        .select_only()
        .column(file::Column::TitleId)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(reading(RENDITIONS))
}

fn title_of_file() -> sea_orm::RelationDef {
    file::Entity::belongs_to(title::Entity).from(file::Column::TitleId).to(title::Column::Id).into()
}

fn progress_of_file() -> sea_orm::RelationDef {
    file::Entity::belongs_to(progress::Entity).from(file::Column::TitleId).to(progress::Column::TitleId).into()
}

fn file_of_rendition() -> sea_orm::RelationDef {
    rendition::Entity::belongs_to(file::Entity).from(rendition::Column::FileId).to(file::Column::Id).into()
}

fn to_rendition(row: rendition::Model, title: &str, name: &str) -> Result<Rendition, StoreError> {
    Ok(Rendition {
        id: JobId::parse(&row.id).map_err(|_| unreadable(RENDITIONS, &row.id))?,
        file: FileId::parse(&row.file_id).map_err(|_| unreadable(RENDITIONS, &row.file_id))?,
        title: TitleId::parse(title).map_err(|_| unreadable(RENDITIONS, title))?,
        title_name: name.into(),
        lines: u32::try_from(row.lines).unwrap_or(0),
        state: RenditionState::parse(&row.state).ok_or_else(|| unreadable(RENDITIONS, &row.state))?,
        reason: row.reason,
        wanted_by: row.wanted_by.as_deref().and_then(|id| UserId::parse(id).ok()),
        done: row.done.cast_unsigned(),
        total: row.total.cast_unsigned(),
        stored_bytes: row.stored_bytes.cast_unsigned(),
        created_at: UnixMs(row.created_at),
        finished_at: row.finished_at.map(UnixMs),
        used_at: UnixMs(row.used_at),
    })
}
