//! What a scan reads and writes. A batch of changes is one transaction: a crash loses it whole
//! or not at all, and the next scan finds the rest.

use crate::{
    entities::{file, progress, rendition, title},
    error::{StoreError, reading, unreadable, writing},
    facts,
    looks::{self, NewBeside},
    open::{Store, Turn, commit},
    search,
    writer::Transaction,
};
use base::UnixMs;
use domain::{
    FileId, FolderId, LibraryId, RenditionState, TitleId,
    facts::{Defect, FileFacts, VideoFacts},
    naming,
    playback::{self, Playability},
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::Expr,
};
use std::collections::BTreeSet;

/// What is known of a file, as far as a scan compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    pub id: FileId,
    pub title: TitleId,
    pub path: Vec<u8>,
    pub size_bytes: u64,
    pub mtime_ns: i64,
    pub inode: u64,
    /// Somebody looked inside, and what they saw can be read.
    pub probed: bool,
    pub missing: bool,
    pub defect: Option<Defect>,
    /// When the file was last looked into.
    pub probed_at: Option<UnixMs>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ScanChange {
    /// A file nobody knew; it becomes a title. One that is known under that path is updated.
    Found {
        path: Vec<u8>,
        size_bytes: u64,
        mtime_ns: i64,
        inode: u64,
        name: String,
        year: Option<u16>,
        facts: Result<FileFacts, Defect>,
    },
    /// New content under a known path.
    Updated { file: FileId, size_bytes: u64, mtime_ns: i64, inode: u64, facts: Result<FileFacts, Defect> },
    /// The same content under another path; identity and history stay.
    Moved { file: FileId, path: Vec<u8>, name: String, year: Option<u16> },
    /// A missing file is there again, unchanged.
    Back { file: FileId },
    /// A mark, never a deletion. `heir`: the file of the same film that is there, which takes over
    /// where people were in this one.
    Missing { file: FileId, heir: Option<FileId> },
    /// The subtitle files that lie beside the file at this path now; none is a list too.
    Beside { path: Vec<u8>, subtitles: Vec<NewBeside> },
}

/// What a batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanSummary {
    pub found: u64,
    pub updated: u64,
    pub moved: u64,
    pub back: u64,
    pub missing: u64,
    /// Titles that look different now.
    pub titles: Vec<TitleId>,
}

/// What the bytes say, as it is written down.
struct Content {
    size_bytes: u64,
    mtime_ns: i64,
    inode: u64,
    facts: Result<FileFacts, Defect>,
}

const FILES: &str = "files";
const PLACES: &str = "watch progress";
/// Rows of one statement; nineteen columns each stay far below what either database binds.
const ROWS_AT_ONCE: usize = 200;

impl Store {
    /// # Errors
    /// When the database cannot be read.
    pub async fn files_of_folder(&self, folder: &FolderId) -> Result<Vec<KnownFile>, StoreError> {
        let rows = file::Entity::find()
            .filter(file::Column::FolderId.eq(folder.as_str()))
            .order_by_asc(file::Column::Path)
            .all(self.read())
            .await
            .map_err(reading(FILES))?;
        rows.into_iter().map(to_known).collect()
    }

    /// Writes a batch of one folder in one transaction. Changes to files that are gone meanwhile
    /// (their library was deleted during the scan) are left out.
    ///
    /// # Errors
    /// When the database cannot be written; nothing of the batch is kept then.
    pub async fn apply_scan(
        &self,
        library: &LibraryId,
        folder: &FolderId,
        changes: Vec<ScanChange>,
    ) -> Result<ScanSummary, StoreError> {
        let transaction = self.write(Turn::Library, FILES).await?;
        let there = crate::entities::folder::Entity::find_by_id(folder.as_str())
            .filter(crate::entities::folder::Column::LibraryId.eq(library.as_str()))
            .one(&transaction)
            .await
            .map_err(reading("folders"))?;
        if there.is_none() {
            return Ok(ScanSummary::default());
        }
        let batch = Batch { store: self, transaction: &transaction, library, folder, now: self.clock().now() };
        let (changes, made) = batch.insert_new(changes).await?;
        let mut summary = ScanSummary { found: made.len() as u64, ..ScanSummary::default() };
        let mut touched = BTreeSet::new();
        for change in changes {
            if let Some((title, what)) = batch.apply(change).await? {
                touched.insert(title);
                match what {
                    Did::Updated => summary.updated += 1,
                    Did::Moved => summary.moved += 1,
                    Did::Back => summary.back += 1,
                    Did::Missing => summary.missing += 1,
                    Did::Beside => {}
                }
            }
        }
        for title in &touched {
            summarise(&transaction, title).await?;
        }
        commit(transaction, FILES).await?;
        touched.extend(made);
        summary.titles = touched
            .iter()
            .map(|id| TitleId::parse(id).map_err(|_| unreadable("titles", id)))
            .collect::<Result<_, _>>()?;
        Ok(summary)
    }
}

enum Did {
    Updated,
    Moved,
    Back,
    Missing,
    Beside,
}

struct Batch<'a> {
    store: &'a Store,
    transaction: &'a Transaction,
    library: &'a LibraryId,
    folder: &'a FolderId,
    now: UnixMs,
}

impl Batch<'_> {
    /// The title it touched, or `None` when there was nothing to do it to.
    async fn apply(&self, change: ScanChange) -> Result<Option<(String, Did)>, StoreError> {
        match change {
            // Those that nobody knew are inserted by now; this one is known under its path.
            ScanChange::Found { path, size_bytes, mtime_ns, inode, facts, .. } => {
                let Some(known) = self.at_path(&path).await? else { return Ok(None) };
                let content = Content { size_bytes, mtime_ns, inode, facts };
                Ok(Some((self.update(known, content).await?, Did::Updated)))
            }
            ScanChange::Updated { file, size_bytes, mtime_ns, inode, facts } => {
                let Some(row) = self.known(&file).await? else { return Ok(None) };
                let content = Content { size_bytes, mtime_ns, inode, facts };
                Ok(Some((self.update(row, content).await?, Did::Updated)))
            }
            ScanChange::Moved { file, path, name, year } => self.moved(&file, path, &name, year).await,
            ScanChange::Back { file } => self.mark(&file, None, Did::Back).await,
            ScanChange::Missing { file, heir } => {
                if let Some(heir) = heir {
                    self.inherit(&file, &heir).await?;
                }
                self.mark(&file, Some(self.now.0), Did::Missing).await
            }
            ScanChange::Beside { path, subtitles } => {
                let Some(row) = self.at_path(&path).await? else { return Ok(None) };
                let differs = looks::set_beside(self.transaction, &row.id, &subtitles).await?;
                Ok(differs.then_some((row.title_id, Did::Beside)))
            }
        }
    }

    async fn known(&self, id: &FileId) -> Result<Option<file::Model>, StoreError> {
        file::Entity::find_by_id(id.as_str())
            .filter(file::Column::FolderId.eq(self.folder.as_str()))
            .one(self.transaction)
            .await
            .map_err(reading(FILES))
    }

    async fn at_path(&self, path: &[u8]) -> Result<Option<file::Model>, StoreError> {
        file::Entity::find()
            .filter(file::Column::FolderId.eq(self.folder.as_str()))
            .filter(file::Column::Path.eq(path.to_vec()))
            .one(self.transaction)
            .await
            .map_err(reading(FILES))
    }

    /// Takes the files nobody knew out of a batch and inserts them together: statements by the
    /// hundred are what makes a first scan quick. What is left is applied one by one.
    async fn insert_new(&self, changes: Vec<ScanChange>) -> Result<(Vec<ScanChange>, Vec<String>), StoreError> {
        let mut seen = BTreeSet::new();
        for paths in found_paths(&changes).chunks(ROWS_AT_ONCE) {
            let rows = file::Entity::find()
                .filter(file::Column::FolderId.eq(self.folder.as_str()))
                .filter(file::Column::Path.is_in(paths.to_vec()))
                .all(self.transaction)
                .await
                .map_err(reading(FILES))?;
            seen.extend(rows.into_iter().map(|row| row.path));
        }
        let (mut rest, mut titles, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                ScanChange::Found { path, size_bytes, mtime_ns, inode, name, year, facts }
                    if seen.insert(path.clone()) =>
                {
                    let content = Content { size_bytes, mtime_ns, inode, facts };
                    let (title, file) = self.rows(path, &name, year, &content);
                    titles.push(title);
                    files.push(file);
                }
                other => rest.push(other),
            }
        }
        let mut made = Vec::with_capacity(titles.len());
        for _ in 0..titles.len().div_ceil(ROWS_AT_ONCE) {
            let some: Vec<_> = titles.drain(..titles.len().min(ROWS_AT_ONCE)).collect();
            made.extend(some.iter().map(|row| row.id.clone().unwrap()));
            title::Entity::insert_many(some)
                .exec_without_returning(self.transaction)
                .await
                .map_err(writing("titles"))?;
            let some: Vec<_> = files.drain(..files.len().min(ROWS_AT_ONCE)).collect();
            file::Entity::insert_many(some).exec_without_returning(self.transaction).await.map_err(writing(FILES))?;
        }
        Ok((rest, made))
    }

    /// A new title with its one file; what lists show of it is known already.
    fn rows(
        &self,
        path: Vec<u8>,
        name: &str,
        year: Option<u16>,
        content: &Content,
    ) -> (title::ActiveModel, file::ActiveModel) {
        let title_id = TitleId::from_random(self.store.clock().random_id());
        let file_id = FileId::from_random(self.store.clock().random_id());
        let defect = content.facts.as_ref().err().copied();
        let summary = Summary::of(content.facts.as_ref().ok(), defect, &path);
        let title = title::ActiveModel {
            id: Set(title_id.as_str().into()),
            library_id: Set(self.library.as_str().into()),
            name: Set(name.into()),
            sort_key: Set(naming::sort_key(name)),
            search_key: Set(search::fold(name)),
            year: Set(year.map(i64::from)),
            added_at: Set(self.now.0),
            poster: Set(None),
            poster_failed: Set(false),
            missing: Set(false),
            best_file_id: Set(Some(file_id.as_str().into())),
            container: Set(summary.container),
            duration_ms: Set(summary.duration_ms),
            width: Set(summary.width),
            height: Set(summary.height),
            video_codec: Set(summary.video_codec),
            audio_codec: Set(summary.audio_codec),
            size_bytes: Set(content.size_bytes.cast_signed()),
            playability: Set(summary.playability.into()),
        };
        let file = file::ActiveModel {
            id: Set(file_id.as_str().into()),
            title_id: Set(title_id.as_str().into()),
            library_id: Set(self.library.as_str().into()),
            folder_id: Set(self.folder.as_str().into()),
            path: Set(path),
            size_bytes: Set(content.size_bytes.cast_signed()),
            mtime_ns: Set(content.mtime_ns),
            inode: Set(content.inode.cast_signed()),
            facts: Set(content.facts.as_ref().ok().and_then(facts::write)),
            defect: Set(defect.map(|d| d.as_str().into())),
            missing_since: Set(None),
            probed_at: Set(Some(self.now.0)),
        };
        (title, file)
    }

    async fn update(&self, row: file::Model, content: Content) -> Result<String, StoreError> {
        let (title_id, file_id) = (row.title_id.clone(), row.id.clone());
        let other_bytes = row.size_bytes != content.size_bytes.cast_signed() || row.mtime_ns != content.mtime_ns;
        let healed = row.defect.is_some() && content.facts.is_ok();
        let mut row = row.into_active_model();
        row.size_bytes = Set(content.size_bytes.cast_signed());
        row.mtime_ns = Set(content.mtime_ns);
        row.inode = Set(content.inode.cast_signed());
        row.facts = Set(content.facts.as_ref().ok().and_then(facts::write));
        row.defect = Set(content.facts.as_ref().err().map(|d| d.as_str().into()));
        row.missing_since = Set(None);
        row.probed_at = Set(Some(self.now.0));
        row.update(self.transaction).await.map_err(writing(FILES))?;
        if other_bytes || healed {
            // Another picture, and another chance for one that failed.
            title::Entity::update_many()
                .col_expr(title::Column::Poster, Expr::value(None::<String>))
                .col_expr(title::Column::PosterFailed, Expr::value(false))
                .filter(title::Column::Id.eq(title_id.as_str()))
                .exec(self.transaction)
                .await
                .map_err(writing("titles"))?;
            looks::forget(self.transaction, &title_id, &file_id).await?;
        }
        Ok(title_id)
    }

    async fn moved(
        &self,
        file: &FileId,
        path: Vec<u8>,
        name: &str,
        year: Option<u16>,
    ) -> Result<Option<(String, Did)>, StoreError> {
        let Some(row) = self.known(file).await? else { return Ok(None) };
        // Somebody else's place: left to the next scan, which sees both as they are then.
        if self.at_path(&path).await?.is_some_and(|other| other.id != row.id) {
            return Ok(None);
        }
        let title_id = row.title_id.clone();
        let mut row = row.into_active_model();
        row.path = Set(path);
        row.missing_since = Set(None);
        row.update(self.transaction).await.map_err(writing(FILES))?;
        title::Entity::update_many()
            .col_expr(title::Column::Name, Expr::value(name))
            .col_expr(title::Column::SortKey, Expr::value(naming::sort_key(name)))
            .col_expr(title::Column::SearchKey, Expr::value(search::fold(name)))
            .col_expr(title::Column::Year, Expr::value(year.map(i64::from)))
            .filter(title::Column::Id.eq(title_id.as_str()))
            .exec(self.transaction)
            .await
            .map_err(writing("titles"))?;
        Ok(Some((title_id, Did::Moved)))
    }

    /// Copies the places people had in one film to another; a place that is newer there stays.
    async fn inherit(&self, from: &FileId, heir: &FileId) -> Result<(), StoreError> {
        let (Some(from), Some(heir)) = (self.known(from).await?, self.known(heir).await?) else { return Ok(()) };
        if from.title_id == heir.title_id {
            return Ok(());
        }
        let of = |title: &str| progress::Entity::find().filter(progress::Column::TitleId.eq(title));
        let places = of(&from.title_id).all(self.transaction).await.map_err(reading(PLACES))?;
        let there = of(&heir.title_id).all(self.transaction).await.map_err(reading(PLACES))?;
        for place in places {
            let own = there.iter().find(|own| own.user_id == place.user_id);
            if own.is_some_and(|own| own.updated_at >= place.updated_at) {
                continue;
            }
            progress::Entity::delete_by_id((place.user_id.clone(), heir.title_id.clone()))
                .exec(self.transaction)
                .await
                .map_err(writing(PLACES))?;
            let place = progress::Model { title_id: heir.title_id.clone(), ..place }.into_active_model();
            progress::Entity::insert(place).exec_without_returning(self.transaction).await.map_err(writing(PLACES))?;
        }
        Ok(())
    }

    async fn mark(
        &self,
        file: &FileId,
        missing_since: Option<i64>,
        did: Did,
    ) -> Result<Option<(String, Did)>, StoreError> {
        let Some(row) = self.known(file).await? else { return Ok(None) };
        let title_id = row.title_id.clone();
        let mut row = row.into_active_model();
        row.missing_since = Set(missing_since);
        row.update(self.transaction).await.map_err(writing(FILES))?;
        Ok(Some((title_id, did)))
    }
}

/// Writes what lists show of a title: its best file in short, and whether anything of it is there.
pub(crate) async fn summarise(transaction: &Transaction, title_id: &str) -> Result<(), StoreError> {
    let files = file::Entity::find()
        .filter(file::Column::TitleId.eq(title_id))
        .order_by_asc(file::Column::Id)
        .all(transaction)
        .await
        .map_err(reading(FILES))?;
    // There before missing, sound before broken, more picture before less.
    let best = files.iter().max_by_key(|f| {
        let height = f.facts.as_deref().and_then(facts::read).and_then(|f| f.video).map_or(0, |v| v.height);
        (f.missing_since.is_none(), f.defect.is_none(), height, std::cmp::Reverse(f.id.clone()))
    });
    let Some(best) = best else { return Ok(()) };
    let known = best.facts.as_deref().and_then(facts::read);
    let defect = best.defect.as_deref().and_then(Defect::parse);
    let mut summary = Summary::of(known.as_ref(), defect, &best.path);
    if summary.playability == Playability::NeedsPreparing.as_str() && is_prepared(transaction, best).await? {
        summary.playability = Playability::Prepared.as_str();
    }
    title::Entity::update_many()
        .col_expr(title::Column::Missing, Expr::value(files.iter().all(|f| f.missing_since.is_some())))
        .col_expr(title::Column::BestFileId, Expr::value(best.id.as_str()))
        .col_expr(title::Column::Container, Expr::value(summary.container))
        .col_expr(title::Column::DurationMs, Expr::value(summary.duration_ms))
        .col_expr(title::Column::Width, Expr::value(summary.width))
        .col_expr(title::Column::Height, Expr::value(summary.height))
        .col_expr(title::Column::VideoCodec, Expr::value(summary.video_codec))
        .col_expr(title::Column::AudioCodec, Expr::value(summary.audio_codec))
        .col_expr(title::Column::SizeBytes, Expr::value(best.size_bytes))
        .col_expr(title::Column::Playability, Expr::value(summary.playability))
        .filter(title::Column::Id.eq(title_id))
        .exec(transaction)
        .await
        .map_err(writing("titles"))?;
    Ok(())
}

/// Whether a version of this file as it is now is there.
async fn is_prepared(transaction: &Transaction, file: &file::Model) -> Result<bool, StoreError> {
    let done = rendition::Entity::find()
        .filter(rendition::Column::FileId.eq(file.id.as_str()))
        .filter(rendition::Column::SizeBytes.eq(file.size_bytes))
        .filter(rendition::Column::MtimeNs.eq(file.mtime_ns))
        .filter(rendition::Column::State.eq(RenditionState::Done.as_str()))
        .one(transaction)
        .await
        .map_err(reading("renditions"))?;
    Ok(done.is_some())
}

/// What lists show of a title, out of its best file.
struct Summary {
    container: String,
    duration_ms: i64,
    width: i64,
    height: i64,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    playability: &'static str,
}

impl Summary {
    fn of(facts: Option<&FileFacts>, defect: Option<Defect>, path: &[u8]) -> Self {
        let video = facts.and_then(|f| f.video.as_ref());
        let audio = facts.and_then(|f| f.audio.get(playback::default_audio(f)));
        let (width, height) = video.map_or((0, 0), VideoFacts::display_size);
        Self {
            container: facts.map_or_else(|| ending(path), |f| f.container.as_str().to_owned()),
            duration_ms: facts.map_or(0, |f| i64::try_from(f.duration_ms).unwrap_or(i64::MAX)),
            width: i64::from(width),
            height: i64::from(height),
            video_codec: video.map(|v| v.codec.clone()),
            audio_codec: audio.map(|a| a.codec.clone()),
            playability: playback::playability(facts, defect).as_str(),
        }
    }
}

fn found_paths(changes: &[ScanChange]) -> Vec<Vec<u8>> {
    let path = |change: &ScanChange| match change {
        ScanChange::Found { path, .. } => Some(path.clone()),
        _ => None,
    };
    changes.iter().filter_map(path).collect()
}

/// What the file calls itself while nobody could look inside.
fn ending(path: &[u8]) -> String {
    let ending = path.rsplit(|b| *b == b'.').next().unwrap_or_default();
    std::str::from_utf8(ending)
        .ok()
        .and_then(domain::facts::Container::from_extension)
        .map_or_else(String::new, |c| c.as_str().to_owned())
}

fn to_known(row: file::Model) -> Result<KnownFile, StoreError> {
    Ok(KnownFile {
        id: FileId::parse(&row.id).map_err(|_| unreadable(FILES, &row.id))?,
        title: TitleId::parse(&row.title_id).map_err(|_| unreadable(FILES, &row.title_id))?,
        path: row.path,
        size_bytes: row.size_bytes.cast_unsigned(),
        mtime_ns: row.mtime_ns,
        inode: row.inode.cast_unsigned(),
        probed: row.defect.is_some() || row.facts.as_deref().is_some_and(facts::is_complete),
        missing: row.missing_since.is_some(),
        defect: row.defect.as_deref().and_then(Defect::parse),
        probed_at: row.probed_at.map(UnixMs),
    })
}
