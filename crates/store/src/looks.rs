//! What was made of a film ahead of time: its storyboard and its subtitles. The pictures and
//! texts are files below the data folder; here is what they are and whether they are there.

use crate::{
    entities::{file, storyboard, subtitle, title},
    error::{StoreError, reading, unreadable, writing},
    facts,
    open::{Store, Turn, commit},
    titles::{FileRow, best_file_of_title, to_file},
    writer::Transaction,
};
use domain::{FileId, FolderId, TitleId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use std::collections::HashMap;

/// Sprite sheets of a title, each `tiles_across` × `tiles_down` tiles, the last one padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storyboard {
    /// Changes whenever the sheets do.
    pub version: String,
    pub tile_width: u32,
    pub tile_height: u32,
    pub tiles_across: u32,
    pub tiles_down: u32,
    pub sheets: u32,
    /// The true time of each tile, in the order of the film.
    pub times_ms: Vec<u64>,
}

/// Numbers of subtitles that lie beside the film begin here; below are the tracks in the file.
pub const FIRST_BESIDE: u32 = 100;

/// One subtitle a viewer can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtitle {
    /// Stable as long as the files are: `/stream/{ticket}/subtitles/{number}.vtt`.
    pub number: u32,
    pub codec: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub forced: bool,
    pub default: bool,
    /// Tells noises too.
    pub hearing_impaired: bool,
    pub state: SubtitleState,
    /// Relative to the film's folder; `None` for a track in the film itself.
    pub beside: Option<Beside>,
}

impl Subtitle {
    /// Whether there is, or soon will be, a text to show.
    pub const fn can_be_shown(&self) -> bool {
        matches!(self.state, SubtitleState::Ready | SubtitleState::Waiting)
    }
}

/// A subtitle file beside a film, as the walk saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    pub path: Vec<u8>,
    pub size_bytes: u64,
    pub mtime_ns: i64,
}

/// What the name of a file beside a film says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBeside {
    pub file: Beside,
    pub codec: String,
    /// A language tag (BCP 47).
    pub language: Option<String>,
    /// What else the name says, in its own words: "Director's commentary".
    pub title: Option<String>,
    pub forced: bool,
    pub default: bool,
    pub hearing_impaired: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubtitleState {
    /// Its WebVTT is made in a quiet moment, or when somebody asks.
    Waiting,
    Ready,
    /// It could not be read; tried again when its file changes.
    Failed,
    /// Pictures of words: no text can be made of it.
    Picture,
}

impl SubtitleState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Ready, Self::Failed, Self::Picture];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Picture => "picture",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

const STORYBOARDS: &str = "storyboards";
const SUBTITLES: &str = "subtitles";

impl Store {
    /// `None` while there is none, or none can be made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn storyboard_of(&self, title: &TitleId) -> Result<Option<Storyboard>, StoreError> {
        let row = storyboard::Entity::find_by_id(title.as_str())
            .filter(storyboard::Column::Failed.eq(false))
            .one(self.read())
            .await
            .map_err(reading(STORYBOARDS))?;
        row.map(to_storyboard).transpose()
    }

    /// Writes down that the sheets of a title are there, or (`None`) that none can be made of it.
    /// A title that is gone meanwhile is left out.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_storyboard(&self, id: &TitleId, made: Option<&Storyboard>) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Library, STORYBOARDS).await?;
        let there = title::Entity::find_by_id(id.as_str()).one(&transaction).await.map_err(reading("titles"))?;
        if there.is_none() {
            return Ok(());
        }
        let number = |of: fn(&Storyboard) -> u32| Set(made.map_or(0, |m| i64::from(of(m))));
        let times = made.map(|m| serde_json::to_string(&m.times_ms).unwrap_or_default()).unwrap_or_default();
        let row = storyboard::ActiveModel {
            title_id: Set(id.as_str().into()),
            version: Set(made.map(|m| m.version.clone()).unwrap_or_default()),
            failed: Set(made.is_none()),
            tile_width: number(|m| m.tile_width),
            tile_height: number(|m| m.tile_height),
            tiles_across: number(|m| m.tiles_across),
            tiles_down: number(|m| m.tiles_down),
            sheets: number(|m| m.sheets),
            times: Set(times),
            made_at: Set(self.clock().now().0),
        };
        storyboard::Entity::delete_by_id(id.as_str()).exec(&transaction).await.map_err(writing(STORYBOARDS))?;
        storyboard::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(STORYBOARDS))?;
        commit(transaction, STORYBOARDS).await
    }

    /// Titles that can be watched and have no storyboard yet, newest first, with the file a play takes.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn titles_without_storyboard(&self, limit: u32) -> Result<Vec<(TitleId, FileRow)>, StoreError> {
        let made = Query::select().column(storyboard::Column::TitleId).from(storyboard::Entity).to_owned();
        let rows = file::Entity::find()
            .join(JoinType::InnerJoin, best_file_of_title())
            .filter(Expr::col((title::Entity, title::Column::DurationMs)).gt(0))
            .filter(file::Column::TitleId.not_in_subquery(made))
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

    /// Every subtitle of a file: its own tracks first, then what lies beside it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn subtitles_of(&self, id: &FileId) -> Result<Vec<Subtitle>, StoreError> {
        let Some(row) = file::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading("files"))? else {
            return Ok(Vec::new());
        };
        let rows = subtitle::Entity::find()
            .filter(subtitle::Column::FileId.eq(id.as_str()))
            .order_by_asc(subtitle::Column::Number)
            .all(self.read())
            .await
            .map_err(reading(SUBTITLES))?;
        let tracks = row.facts.as_deref().and_then(facts::read).map(|f| f.subtitles).unwrap_or_default();
        let mut out = Vec::new();
        for (number, track) in (0..FIRST_BESIDE).zip(tracks) {
            let made = rows.iter().find(|r| r.number == i64::from(number)).and_then(|r| SubtitleState::parse(&r.state));
            let state = match made {
                Some(state) => state,
                None if track.is_text() => SubtitleState::Waiting,
                None => SubtitleState::Picture,
            };
            out.push(Subtitle {
                number,
                codec: track.codec,
                language: track.language,
                title: track.title,
                forced: track.forced,
                default: track.default,
                hearing_impaired: track.hearing_impaired,
                state,
                beside: None,
            });
        }
        for row in rows {
            let Some(path) = row.path else { continue };
            out.push(Subtitle {
                number: u32::try_from(row.number).map_err(|_| unreadable(SUBTITLES, &row.file_id))?,
                codec: row.codec,
                language: row.language,
                title: row.title,
                forced: row.forced,
                default: row.is_default,
                hearing_impaired: row.hearing_impaired,
                state: SubtitleState::parse(&row.state).ok_or_else(|| unreadable(SUBTITLES, &row.state))?,
                beside: Some(Beside { path, size_bytes: row.size_bytes.cast_unsigned(), mtime_ns: row.mtime_ns }),
            });
        }
        Ok(out)
    }

    /// Files with tracks of text that nobody has taken out yet, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn files_with_waiting_tracks(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        let taken_out = Query::select()
            .column(subtitle::Column::FileId)
            .from(subtitle::Entity)
            .and_where(subtitle::Column::Number.lt(FIRST_BESIDE))
            .to_owned();
        let rows = file::Entity::find()
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Defect.is_null())
            // The shape of the column is this room's own: a list that is not empty.
            .filter(file::Column::Facts.like("%\"subtitles\":[{%"))
            .filter(file::Column::Id.not_in_subquery(taken_out))
            .order_by_desc(file::Column::ProbedAt)
            .order_by_asc(file::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        rows.into_iter().map(to_file).collect()
    }

    /// Files with a subtitle beside them that nobody has read yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn files_with_waiting_beside(&self, limit: u32) -> Result<Vec<FileRow>, StoreError> {
        let waiting = Query::select()
            .column(subtitle::Column::FileId)
            .from(subtitle::Entity)
            .and_where(subtitle::Column::State.eq(SubtitleState::Waiting.as_str()))
            .to_owned();
        let rows = file::Entity::find()
            .filter(file::Column::MissingSince.is_null())
            .filter(file::Column::Id.in_subquery(waiting))
            .order_by_asc(file::Column::Id)
            .limit(u64::from(limit))
            .all(self.read())
            .await
            .map_err(reading("files"))?;
        rows.into_iter().map(to_file).collect()
    }

    /// The subtitle files beside the films of a folder, by the film's path.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn besides_of_folder(&self, folder: &FolderId) -> Result<HashMap<Vec<u8>, Vec<NewBeside>>, StoreError> {
        let of_folder = Query::select()
            .column(file::Column::Id)
            .from(file::Entity)
            .and_where(file::Column::FolderId.eq(folder.as_str()))
            .to_owned();
        let rows = subtitle::Entity::find()
            .filter(subtitle::Column::FileId.in_subquery(of_folder))
            .filter(subtitle::Column::Number.gte(FIRST_BESIDE))
            .all(self.read())
            .await
            .map_err(reading(SUBTITLES))?;
        let with_some = Query::select()
            .column(subtitle::Column::FileId)
            .from(subtitle::Entity)
            .and_where(subtitle::Column::Number.gte(FIRST_BESIDE))
            .to_owned();
        let films: HashMap<String, Vec<u8>> = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Path])
            .filter(file::Column::FolderId.eq(folder.as_str()))
            .filter(file::Column::Id.in_subquery(with_some))
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading("files"))?
            .into_iter()
            .collect();
        let mut out: HashMap<Vec<u8>, Vec<NewBeside>> = HashMap::new();
        for row in rows {
            let Some(film) = films.get(&row.file_id) else { continue };
            out.entry(film.clone()).or_default().extend(to_beside(row));
        }
        Ok(out)
    }

    /// Writes down how it went with some subtitles of a file. Numbers nobody knows, and files that
    /// are gone, are left out.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_subtitle_states(&self, id: &FileId, states: &[(u32, SubtitleState)]) -> Result<(), StoreError> {
        let transaction = self.write(Turn::Library, SUBTITLES).await?;
        if file::Entity::find_by_id(id.as_str()).one(&transaction).await.map_err(reading("files"))?.is_none() {
            return Ok(());
        }
        for (number, state) in states {
            if *number >= FIRST_BESIDE {
                subtitle::Entity::update_many()
                    .col_expr(subtitle::Column::State, Expr::value(state.as_str()))
                    .filter(subtitle::Column::FileId.eq(id.as_str()))
                    .filter(subtitle::Column::Number.eq(*number))
                    .exec(&transaction)
                    .await
                    .map_err(writing(SUBTITLES))?;
                continue;
            }
            let row = subtitle::ActiveModel {
                file_id: Set(id.as_str().into()),
                number: Set(i64::from(*number)),
                state: Set(state.as_str().into()),
                path: Set(None),
                size_bytes: Set(0),
                mtime_ns: Set(0),
                codec: Set(String::new()),
                language: Set(None),
                forced: Set(false),
                title: Set(None),
                hearing_impaired: Set(false),
                is_default: Set(false),
            };
            let newer = OnConflict::columns([subtitle::Column::FileId, subtitle::Column::Number])
                .update_column(subtitle::Column::State)
                .to_owned();
            subtitle::Entity::insert(row)
                .on_conflict(newer)
                .exec_without_returning(&transaction)
                .await
                .map_err(writing(SUBTITLES))?;
        }
        commit(transaction, SUBTITLES).await
    }
}

/// Brings the rows of subtitles beside a film to what the walk saw. Numbers of files that stayed
/// stay; one that changed is read again. Returns whether anything differs now.
pub(crate) async fn set_beside(
    transaction: &Transaction,
    file_id: &str,
    seen: &[NewBeside],
) -> Result<bool, StoreError> {
    let known = subtitle::Entity::find()
        .filter(subtitle::Column::FileId.eq(file_id))
        .filter(subtitle::Column::Number.gte(FIRST_BESIDE))
        .all(transaction)
        .await
        .map_err(reading(SUBTITLES))?;
    let same = |row: &subtitle::Model, new: &NewBeside| row.path.as_deref() == Some(new.file.path.as_slice());
    let mut differs = false;
    for row in &known {
        if !seen.iter().any(|new| same(row, new)) {
            subtitle::Entity::delete_by_id((row.file_id.clone(), row.number))
                .exec(transaction)
                .await
                .map_err(writing(SUBTITLES))?;
            differs = true;
        }
    }
    let mut free = known.iter().map(|row| row.number + 1).max().unwrap_or(i64::from(FIRST_BESIDE));
    for new in seen {
        let old = known.iter().find(|row| same(row, new));
        let before = old.cloned().and_then(to_beside);
        if before.as_ref() == Some(new) {
            continue;
        }
        let number = old.map_or(free, |row| row.number);
        free += i64::from(old.is_none());
        // Another name of the same bytes is another label for the same text.
        let state = old.filter(|_| before.is_some_and(|before| before.file == new.file)).map(|row| row.state.clone());
        let row = subtitle::ActiveModel {
            file_id: Set(file_id.into()),
            number: Set(number),
            state: Set(state.unwrap_or_else(|| SubtitleState::Waiting.as_str().into())),
            path: Set(Some(new.file.path.clone())),
            size_bytes: Set(new.file.size_bytes.cast_signed()),
            mtime_ns: Set(new.file.mtime_ns),
            codec: Set(new.codec.clone()),
            language: Set(new.language.clone()),
            forced: Set(new.forced),
            title: Set(new.title.clone()),
            hearing_impaired: Set(new.hearing_impaired),
            is_default: Set(new.default),
        };
        if old.is_some() {
            subtitle::Entity::update(row).exec(transaction).await.map_err(writing(SUBTITLES))?;
        } else {
            subtitle::Entity::insert(row).exec_without_returning(transaction).await.map_err(writing(SUBTITLES))?;
        }
        differs = true;
    }
    Ok(differs)
}

/// Returns what a row says of a subtitle file; `None` for a track in the film.
fn to_beside(row: subtitle::Model) -> Option<NewBeside> {
    Some(NewBeside {
        file: Beside { path: row.path?, size_bytes: row.size_bytes.cast_unsigned(), mtime_ns: row.mtime_ns },
        codec: row.codec,
        language: row.language,
        title: row.title,
        forced: row.forced,
        default: row.is_default,
        hearing_impaired: row.hearing_impaired,
    })
}

/// The bytes of a file are others now: what was made of the old ones is worth nothing.
pub(crate) async fn forget(transaction: &Transaction, title_id: &str, file_id: &str) -> Result<(), StoreError> {
    storyboard::Entity::delete_by_id(title_id).exec(transaction).await.map_err(writing(STORYBOARDS))?;
    subtitle::Entity::delete_many()
        .filter(subtitle::Column::FileId.eq(file_id))
        .filter(subtitle::Column::Number.lt(FIRST_BESIDE))
        .exec(transaction)
        .await
        .map_err(writing(SUBTITLES))?;
    Ok(())
}

fn to_storyboard(row: storyboard::Model) -> Result<Storyboard, StoreError> {
    let number = |n: i64| u32::try_from(n).map_err(|_| unreadable(STORYBOARDS, &row.title_id));
    Ok(Storyboard {
        tile_width: number(row.tile_width)?,
        tile_height: number(row.tile_height)?,
        tiles_across: number(row.tiles_across)?,
        tiles_down: number(row.tiles_down)?,
        sheets: number(row.sheets)?,
        times_ms: serde_json::from_str(&row.times).map_err(|_| unreadable(STORYBOARDS, &row.title_id))?,
        version: row.version,
    })
}
