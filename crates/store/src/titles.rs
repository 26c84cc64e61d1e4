//! What people browse: pages of titles, one title with its files, and the rows of the home page.
//! Every method takes who asks, and a title without a right does not exist.

use crate::{
    cursor,
    entities::{file, progress, title, user},
    error::{StoreError, reading, unreadable, writing},
    facts,
    libraries::granted,
    open::{Store, Turn, commit},
    progress::{Progress, to_progress},
    search,
    users::Change,
};
use base::UnixMs;
use domain::{
    FileId, FolderId, LibraryId, Role, TitleId, UserId,
    facts::{Defect, FileFacts},
    playback::Playability,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// One file of a title.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRow {
    pub id: FileId,
    pub title: TitleId,
    pub library: LibraryId,
    pub folder: FolderId,
    /// Relative to the folder, raw bytes.
    pub path: Vec<u8>,
    pub size_bytes: u64,
    pub mtime_ns: i64,
    pub inode: u64,
    pub facts: Option<FileFacts>,
    pub defect: Option<Defect>,
    pub missing_since: Option<UnixMs>,
    pub probed_at: Option<UnixMs>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TitleRow {
    pub id: TitleId,
    pub library: LibraryId,
    pub name: String,
    pub sort_key: String,
    pub year: Option<u16>,
    pub added_at: UnixMs,
    /// Changes whenever the picture does.
    pub poster: Option<String>,
    pub poster_failed: bool,
    pub missing: bool,
    pub best: FileSummary,
    /// Of the person who asked.
    pub progress: Option<Progress>,
}

/// The file a play would take, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    pub container: String,
    pub duration_ms: u64,
    pub width: u32,
    pub height: u32,
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
    pub size_bytes: u64,
    pub playability: Playability,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TitleSort {
    Name,
    Added,
    /// Titles without a year come last in both directions.
    Year,
    Duration,
}

impl TitleSort {
    pub const ALL: [Self; 4] = [Self::Name, Self::Added, Self::Year, Self::Duration];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Added => "added",
            Self::Year => "year",
            Self::Duration => "duration",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

#[derive(Debug, Clone)]
pub struct TitleQuery {
    pub user: UserId,
    pub role: Role,
    pub library: Option<LibraryId>,
    pub search: Option<String>,
    pub sort: TitleSort,
    pub descending: bool,
    pub playability: Option<Playability>,
    /// From the page before, for the same order.
    pub cursor: Option<String>,
    /// 1 to 500; other numbers are taken as the nearest of them.
    pub limit: u32,
}

/// A part of a list, and the way to the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    /// In the whole list.
    pub total: u64,
}

/// The last row of a page: order, number sorted by, name, id.
#[derive(Serialize, Deserialize)]
struct Place(String, i64, String, String);

const TITLES: &str = "titles";

impl Store {
    /// One page of what a person may see and what is there.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] for a cursor that was not made for this order.
    pub async fn titles(&self, query: &TitleQuery) -> Result<Page<TitleRow>, StoreError> {
        let limit = query.limit.clamp(1, 500);
        let mut wanted = Condition::all();
        if let Some(library) = &query.library {
            wanted = wanted.add(title::Column::LibraryId.eq(library.as_str()));
        }
        if let Some(playability) = query.playability {
            wanted = wanted.add(title::Column::Playability.eq(playability.as_str()));
        }
        if let Some(text) = &query.search {
            let Some(patterns) = search::patterns(text) else {
                return Ok(Page { items: vec![], next_cursor: None, total: 0 });
            };
            for pattern in patterns {
                wanted = wanted.add(Expr::col(title::Column::SearchKey).like(pattern));
            }
        }
        let all = listed(&query.user, query.role).filter(wanted);
        let order = format!("{}{}", query.sort.as_str(), if query.descending { "-" } else { "+" });
        let mut page = all.clone();
        if let Some(text) = &query.cursor {
            let place: Place = cursor::read(text)?;
            if place.0 != order || place.2.contains('\0') || place.3.contains('\0') {
                return Err(StoreError::BadCursor);
            }
            page = page.filter(after(query, place));
        }
        let direction = if query.descending { Order::Desc } else { Order::Asc };
        if let Some(value) = sort_value(query) {
            page = page.order_by(value, direction.clone());
        }
        // Equal numbers are sorted by name from A to Z in both directions.
        let by_name = if query.sort == TitleSort::Name { direction } else { Order::Asc };
        let mut rows = page
            .order_by(title::Column::SortKey, by_name.clone())
            .order_by(title::Column::Id, by_name)
            .limit(u64::from(limit) + 1)
            .all(self.read())
            .await
            .map_err(reading(TITLES))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = match rows.last() {
            Some(last) if more => {
                cursor::write(&Place(order, number(query, last), last.sort_key.clone(), last.id.clone()))
            }
            _ => None,
        };
        // A list that fits is counted by what was read: a second look could see a title that a scan
        // added in between, and the list would name more than it holds.
        let total = match (&query.cursor, more) {
            (None, false) => rows.len() as u64,
            _ => all.count(self.read()).await.map_err(reading(TITLES))?,
        };
        Ok(Page { items: self.with_progress(&query.user, rows).await?, next_cursor, total })
    }

    /// A title with its files, the best first. `None`: there is none, or this person has no right
    /// to it; which of them is nobody's business. Missing files are said to be missing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn title_for(
        &self,
        user: &UserId,
        role: Role,
        id: &TitleId,
    ) -> Result<Option<(TitleRow, Vec<FileRow>)>, StoreError> {
        let row = granted_titles(user, role)
            .filter(title::Column::Id.eq(id.as_str()))
            .one(self.read())
            .await
            .map_err(reading(TITLES))?;
        let Some(row) = row else { return Ok(None) };
        let best = row.best_file_id.clone();
        let files = file::Entity::find()
            .filter(file::Column::TitleId.eq(id.as_str()))
            .order_by_asc(file::Column::Id)
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        let mut files = files.into_iter().map(to_file).collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|f| (Some(f.id.as_str()) != best.as_deref(), f.missing_since.is_some()));
        let title = self.with_progress(user, vec![row]).await?.pop();
        Ok(title.map(|t| (t, files)))
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn file(&self, id: &FileId) -> Result<Option<FileRow>, StoreError> {
        let row = file::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading("files"))?;
        row.map(to_file).transpose()
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_poster(&self, id: &TitleId, hash: &str) -> Result<Change, StoreError> {
        self.poster(id, Some(hash), false).await
    }

    /// No picture can be made of it; not asked again until its file changes.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_poster_failed(&self, id: &TitleId) -> Result<Change, StoreError> {
        self.poster(id, None, true).await
    }

    async fn poster(&self, id: &TitleId, hash: Option<&str>, failed: bool) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Any, TITLES).await?;
        let done = title::Entity::update_many()
            .col_expr(title::Column::Poster, Expr::value(hash.map(str::to_owned)))
            .col_expr(title::Column::PosterFailed, Expr::value(failed))
            .filter(title::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(TITLES))?;
        commit(transaction, TITLES).await?;
        Ok(if done.rows_affected > 0 { Change::Done } else { Change::Missing })
    }

    /// Titles that wait for a picture, the newest first, each with the file to take it from.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn titles_without_poster(&self, limit: u32) -> Result<Vec<(TitleId, FileRow)>, StoreError> {
        let rows = file::Entity::find()
            .join(JoinType::InnerJoin, best_file_of_title())
            .filter(Expr::col((title::Entity, title::Column::Poster)).is_null())
            .filter(Expr::col((title::Entity, title::Column::PosterFailed)).eq(false))
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Defect.is_null())
            .filter(file::Column::Facts.is_not_null())
            .order_by_desc(Expr::col((title::Entity, title::Column::AddedAt)))
            .order_by_asc(file::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        rows.into_iter().map(|row| to_file(row).map(|f| (f.title.clone(), f))).collect()
    }

    /// The newest titles a person may see.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn newest(&self, user: &UserId, role: Role, limit: u32) -> Result<Vec<TitleRow>, StoreError> {
        let rows = present(user, role)
            .order_by_desc(title::Column::AddedAt)
            .order_by_asc(title::Column::SortKey)
            .order_by_asc(title::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading(TITLES))?;
        self.with_progress(user, rows).await
    }

    /// What a person began and did not finish, the last watched first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn continue_watching(&self, user: &UserId, role: Role, limit: u32) -> Result<Vec<TitleRow>, StoreError> {
        let begun = Condition::all()
            .add(Expr::col((progress::Entity, progress::Column::Finished)).eq(false))
            .add(Expr::col((progress::Entity, progress::Column::PositionMs)).gt(0));
        self.watched(user, role, begun, limit).await
    }

    /// Everything a person watched and may still see, the last watched first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn history(&self, user: &UserId, limit: u32) -> Result<Vec<TitleRow>, StoreError> {
        let row = user::Entity::find_by_id(user.as_str()).one(self.read()).await.map_err(reading("people"))?;
        let Some(row) = row else { return Ok(vec![]) };
        let role = row.role.parse().map_err(|_| unreadable("people", &row.role))?;
        self.watched(user, role, Condition::all(), limit).await
    }

    async fn watched(
        &self,
        user: &UserId,
        role: Role,
        which: Condition,
        limit: u32,
    ) -> Result<Vec<TitleRow>, StoreError> {
        let rows = present(user, role)
            .join(JoinType::InnerJoin, progress_of_title())
            .filter(Expr::col((progress::Entity, progress::Column::UserId)).eq(user.as_str()))
            .filter(which)
            .order_by_desc(Expr::col((progress::Entity, progress::Column::UpdatedAt)))
            .order_by_asc(title::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading(TITLES))?;
        self.with_progress(user, rows).await
    }

    async fn with_progress(&self, user: &UserId, rows: Vec<title::Model>) -> Result<Vec<TitleRow>, StoreError> {
        let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        let known = progress::Entity::find()
            .filter(progress::Column::UserId.eq(user.as_str()))
            .filter(progress::Column::TitleId.is_in(ids))
            .all(self.read())
            .await
            .map_err(reading("progress"))?;
        let mut known: HashMap<String, Progress> =
            known.into_iter().map(|row| (row.title_id.clone(), to_progress(&row))).collect();
        rows.into_iter()
            .map(|row| {
                let progress = known.remove(&row.id);
                to_title(row, progress)
            })
            .collect()
    }
}

/// Titles this person may see, there or missing.
fn granted_titles(user: &UserId, role: Role) -> Select<title::Entity> {
    let titles = title::Entity::find();
    if role.is_admin() { titles } else { titles.filter(title::Column::LibraryId.in_subquery(granted(user))) }
}

/// What can be watched now.
fn present(user: &UserId, role: Role) -> Select<title::Entity> {
    granted_titles(user, role).filter(title::Column::Missing.eq(false))
}

/// What lists show: the owner also sees what is missing, since nobody else can put it back.
fn listed(user: &UserId, role: Role) -> Select<title::Entity> {
    if role.is_admin() { granted_titles(user, role) } else { present(user, role) }
}

pub(crate) fn best_file_of_title() -> sea_orm::RelationDef {
    file::Entity::belongs_to(title::Entity).from(file::Column::Id).to(title::Column::BestFileId).into()
}

fn progress_of_title() -> sea_orm::RelationDef {
    title::Entity::belongs_to(progress::Entity).from(title::Column::Id).to(progress::Column::TitleId).into()
}

/// Far outside any year, on the side that comes last.
fn no_year(query: &TitleQuery) -> i64 {
    if query.descending { -1 } else { 1_000_000 }
}

/// What is sorted by before the name; `None` when it is the name.
fn sort_value(query: &TitleQuery) -> Option<SimpleExpr> {
    Some(match query.sort {
        TitleSort::Name => return None,
        TitleSort::Added => Expr::col(title::Column::AddedAt),
        TitleSort::Duration => Expr::col(title::Column::DurationMs),
        TitleSort::Year => Func::coalesce([Expr::col(title::Column::Year), Expr::value(no_year(query))]).into(),
    })
}

/// The same for a row at hand.
fn number(query: &TitleQuery, row: &title::Model) -> i64 {
    match query.sort {
        TitleSort::Name => 0,
        TitleSort::Added => row.added_at,
        TitleSort::Duration => row.duration_ms,
        TitleSort::Year => row.year.unwrap_or_else(|| no_year(query)),
    }
}

/// Rows that come after a place in the query's order.
fn after(query: &TitleQuery, Place(_, number, name, id): Place) -> Condition {
    let key = || Expr::col(title::Column::SortKey);
    let by_name_desc = query.sort == TitleSort::Name && query.descending;
    let (further_name, further_id) = if by_name_desc {
        (key().lt(name.clone()), Expr::col(title::Column::Id).lt(id))
    } else {
        (key().gt(name.clone()), Expr::col(title::Column::Id).gt(id))
    };
    let rest = Condition::any().add(further_name).add(key().eq(name).and(further_id));
    match sort_value(query) {
        None => rest,
        Some(value) => {
            let further = if query.descending { value.clone().lt(number) } else { value.clone().gt(number) };
            Condition::any().add(further).add(Condition::all().add(value.eq(number)).add(rest))
        }
    }
}

fn to_title(row: title::Model, progress: Option<Progress>) -> Result<TitleRow, StoreError> {
    Ok(TitleRow {
        id: TitleId::parse(&row.id).map_err(|_| unreadable(TITLES, &row.id))?,
        library: LibraryId::parse(&row.library_id).map_err(|_| unreadable(TITLES, &row.library_id))?,
        year: row.year.and_then(|y| u16::try_from(y).ok()),
        added_at: UnixMs(row.added_at),
        poster: row.poster,
        poster_failed: row.poster_failed,
        missing: row.missing,
        best: FileSummary {
            container: row.container,
            duration_ms: row.duration_ms.cast_unsigned(),
            width: u32::try_from(row.width).unwrap_or(0),
            height: u32::try_from(row.height).unwrap_or(0),
            video_codec: row.video_codec,
            audio_codec: row.audio_codec,
            size_bytes: row.size_bytes.cast_unsigned(),
            playability: Playability::parse(&row.playability).ok_or_else(|| unreadable(TITLES, &row.playability))?,
        },
        progress,
        name: row.name,
        sort_key: row.sort_key,
    })
}

pub(crate) fn to_file(row: file::Model) -> Result<FileRow, StoreError> {
    const FILES: &str = "files";
    Ok(FileRow {
        id: FileId::parse(&row.id).map_err(|_| unreadable(FILES, &row.id))?,
        title: TitleId::parse(&row.title_id).map_err(|_| unreadable(FILES, &row.title_id))?,
        library: LibraryId::parse(&row.library_id).map_err(|_| unreadable(FILES, &row.library_id))?,
        folder: FolderId::parse(&row.folder_id).map_err(|_| unreadable(FILES, &row.folder_id))?,
        path: row.path,
        size_bytes: row.size_bytes.cast_unsigned(),
        mtime_ns: row.mtime_ns,
        inode: row.inode.cast_unsigned(),
        facts: row.facts.as_deref().and_then(facts::read),
        defect: row.defect.as_deref().and_then(Defect::parse),
        missing_since: row.missing_since.map(UnixMs),
        probed_at: row.probed_at.map(UnixMs),
    })
}
