//! Smaller pictures of films that cost nothing to play: versions made ahead of time, and what live
//! encodes made before.
//!
//! Owns: the queue of versions to make, the one task that makes them, their files, and the space
//! they take; the cache of encoded segments on the disk ([`segments`]).
//! Promises: nothing is made while somebody watches, and what runs stops at once when somebody
//! begins; half a version survives a restart and is never played; a version of a file that is
//! another one now is never played and goes away; the owner's space is never exceeded by more than
//! a moment's work, and that of the segment cache not at all.
//! Never here: HTTP, SQL, reading of media (segments come from the house loge, as opaque bytes),
//! who may see what.

mod make;
mod queue;
pub mod segments;
pub mod shelf;
pub mod timeline;

pub use segments::SegmentCache;
pub use shelf::{Slice, Stored, VIDEO};
pub use timeline::Timeline;

use async_trait::async_trait;
use base::{Bus, Clock, Event, Lifecycle};
use contract::{FileRef, Track, Wanted};
use domain::{
    JobId, RenditionState, UserId,
    night::{ShiftState, is_on},
    rendition::{Conditions, Hold, TOO_LARGE},
};
use shelf::Shelf;
use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Change, FileRow, NightShift, Rendition, Store, StoreError};
use tokio::{sync::Notify, time::Instant};

/// Where segments come from: the house loge.
#[async_trait]
pub trait Studio: Send + Sync + 'static {
    /// The key frames of a film, in the worker's form.
    async fn index(&self, file: FileRef, picture: u32) -> Result<Vec<u8>, StudioError>;
    async fn init(&self, file: FileRef, track: Track, max_bytes: u32) -> Result<Vec<u8>, StudioError>;
    async fn segment(
        &self,
        file: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<Vec<u8>, StudioError>;
    /// Nothing more is asked of this track for now: what runs ahead for it stops.
    async fn rest(&self, file: FileRef, track: Track);
}

/// Why the studio has nothing.
#[derive(Debug, thiserror::Error)]
pub enum StudioError {
    /// Nothing can be made of this film, however often it is tried.
    #[error("nothing can be made of it: {0}")]
    Unfit(String),
    #[error("not now: {0}")]
    Later(String),
}

/// What the rest of the house knows and this room cannot see. Asked often: answers must be quick.
pub trait HouseView: Send + Sync + 'static {
    /// Free space is left to this room.
    fn conditions(&self) -> Conditions;
    /// Minutes after midnight, where the machine stands.
    fn minute_of_day(&self) -> u16;
}

/// A version as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct RenditionView {
    pub row: Rendition,
    /// As it is at this moment: what is held by the house is paused.
    pub state: RenditionState,
    /// 0 to 1.
    pub progress: f64,
    pub stored_bytes: u64,
    pub eta: Option<Duration>,
    /// Why it failed or does not go on.
    pub reason: Option<String>,
}

/// Where the preparing of a title is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preparing {
    pub state: RenditionState,
    /// 1 is the next.
    pub position: Option<usize>,
    pub eta: Option<Duration>,
}

struct Inner {
    store: Store,
    shelf: Shelf,
    studio: Arc<dyn Studio>,
    house: Arc<dyn HouseView>,
    clock: Arc<dyn Clock>,
    bus: Bus,
    /// Something about the queue changed.
    wake: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hold: Option<Hold>,
    /// Wait for more space while others behind them are made.
    passed: HashSet<JobId>,
    now: Option<Now>,
    shift: NightShift,
    /// What the night shift found when it last looked for something to do.
    night: Option<ShiftState>,
    /// Versions that were played lately.
    open: Vec<Arc<Stored>>,
}

/// The one in the making.
#[derive(Debug, Clone)]
struct Now {
    id: JobId,
    done: u64,
    total: u64,
    bytes: u64,
    began: Instant,
    began_at: u64,
}

impl Now {
    fn eta(&self) -> Option<Duration> {
        let made = self.done.checked_sub(self.began_at).filter(|made| *made > 0)?;
        let each = self.began.elapsed().as_secs_f64() / made as f64;
        Some(Duration::from_secs_f64((each * self.total.saturating_sub(self.done) as f64).min(1e7)))
    }
}

const TONIGHT: &str = "It waits for the night shift.";
/// Versions kept open, which is a few files each.
const MOST_OPEN: usize = 16;

/// Handle on this room; cloning is cheap.
#[derive(Clone)]
pub struct Renditions(Arc<Inner>);

impl Renditions {
    /// Clears away what no row speaks of and begins to make what is wanted.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        dir: PathBuf,
        store: Store,
        studio: Arc<dyn Studio>,
        house: Arc<dyn HouseView>,
        clock: Arc<dyn Clock>,
        bus: Bus,
        lifecycle: &Lifecycle,
    ) -> io::Result<Self> {
        let shelf = Shelf::open(dir)?;
        let inner = Inner { store, shelf, studio, house, clock, bus, wake: Notify::new(), state: Mutex::default() };
        let inner = Arc::new(inner);
        lifecycle.spawn("renditions", queue::run(inner.clone(), lifecycle.soft().clone()));
        Ok(Self(inner))
    }

    /// Puts a version of a file into the queue. `None` when the file is gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn prepare(
        &self,
        file: &FileRow,
        lines: u32,
        wanted_by: Option<&UserId>,
    ) -> Result<Option<JobId>, StoreError> {
        let id = self.0.store.want_rendition(file, lines, wanted_by).await?;
        if let Some(id) = &id {
            self.0.changed(id);
        }
        Ok(id)
    }

    /// Lines of the versions of this file that can be played.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lines_of(&self, file: &FileRow) -> Result<Vec<u32>, StoreError> {
        let all = self.0.store.renditions_of(file).await?;
        Ok(all.iter().filter(|r| r.state == RenditionState::Done).map(|r| r.lines).collect())
    }

    /// Returns a version of this file, to be played. One whose files are gone is made again, and one whose
    /// files are damaged counts as failed from then on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stored(&self, file: &FileRow, lines: u32) -> Result<Option<Arc<Stored>>, StoreError> {
        let all = self.0.store.renditions_of(file).await?;
        let Some(row) = all.into_iter().find(|r| r.state == RenditionState::Done && r.lines == lines) else {
            return Ok(None);
        };
        if let Some(open) = self.0.lock().open.iter().find(|o| o.id == row.id) {
            return Ok(Some(open.clone()));
        }
        let (shelf, id) = (self.0.shelf.clone(), row.id.clone());
        match tokio::task::spawn_blocking(move || shelf.read(&id, lines)).await {
            Ok(Ok(stored)) => {
                let stored = Arc::new(stored);
                let mut state = self.0.lock();
                if state.open.len() >= MOST_OPEN {
                    state.open.remove(0);
                }
                state.open.push(stored.clone());
                Ok(Some(stored))
            }
            Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => {
                self.0.make_again(&row.id, true).await?;
                Ok(None)
            }
            Ok(Err(e)) => {
                tracing::warn!(file.id = %file.id, "version {} of file {} cannot be read: {e}", row.id, file.id);
                let reason = "Its files are damaged. Prepare it again.";
                self.0.store.set_rendition_state(&row.id, RenditionState::Failed, Some(reason)).await?;
                self.0.changed(&row.id);
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }

    /// Somebody begins to play it: it is not among the first to make room.
    pub async fn used(&self, id: &JobId) {
        if let Err(e) = self.0.store.rendition_used(id).await {
            tracing::warn!(error = &e as &dyn std::error::Error, "the use of version {id} is not written down");
        }
    }

    /// The queue in its order, then what is over, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list(&self) -> Result<Vec<RenditionView>, StoreError> {
        let rows = self.0.store.renditions().await?;
        Ok(self.0.views(rows))
    }

    /// The versions of one file, likewise.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn of_file(&self, file: &FileRow) -> Result<Vec<RenditionView>, StoreError> {
        let rows = self.0.store.renditions_of(file).await?;
        Ok(self.0.views(rows))
    }

    /// Where the preparing of any of these files is; `None` when nobody asked for it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn preparing(&self, files: &[FileRow]) -> Result<Option<Preparing>, StoreError> {
        let all = self.list().await?;
        let found =
            all.iter().enumerate().find(|(_, v)| !v.state.is_over() && files.iter().any(|f| f.id == v.row.file));
        Ok(found.map(|(n, view)| Preparing { state: view.state, position: Some(n + 1), eta: view.eta }))
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn pause(&self, id: &JobId) -> Result<Change, StoreError> {
        self.turn(id, RenditionState::Paused).await
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn resume(&self, id: &JobId) -> Result<Change, StoreError> {
        self.turn(id, RenditionState::Queued).await
    }

    async fn turn(&self, id: &JobId, state: RenditionState) -> Result<Change, StoreError> {
        match self.0.store.rendition(id).await? {
            None => return Ok(Change::Missing),
            Some(row) if row.state == RenditionState::Done => return Ok(Change::Done),
            Some(_) => {}
        }
        let change = self.0.store.set_rendition_state(id, state, None).await?;
        self.0.changed(id);
        Ok(change)
    }

    /// Before everything else that waits, as this person's wish.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn first(&self, id: &JobId, by: &UserId) -> Result<Change, StoreError> {
        let change = self.0.store.rendition_first(id, by).await?;
        self.0.changed(id);
        Ok(change)
    }

    /// Gives up one that is wanted, or deletes one that is there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove(&self, id: &JobId) -> Result<Change, StoreError> {
        let change = self.0.forget(id).await?;
        self.0.changed(id);
        Ok(change)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn night_shift(&self) -> Result<NightShift, StoreError> {
        self.0.store.night_shift().await
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_night_shift(&self, shift: &NightShift) -> Result<(), StoreError> {
        self.0.store.set_night_shift(shift).await?;
        {
            let mut state = self.0.lock();
            state.shift = shift.clone();
            state.night = None;
        }
        self.0.wake.notify_one();
        Ok(())
    }
}

impl Renditions {
    /// What the night shift is doing at the moment.
    pub fn shift_state(&self) -> ShiftState {
        let on = self.0.is_night();
        let state = self.0.lock();
        match (state.shift.enabled, on, &state.now, state.hold, state.night) {
            (false, ..) => ShiftState::Off,
            (true, false, ..) => ShiftState::Waiting,
            (true, true, Some(_), ..) => ShiftState::Working,
            (true, true, None, Some(_), _) => ShiftState::Held,
            (true, true, None, None, found) => found.unwrap_or(ShiftState::Working),
        }
    }
}

impl Inner {
    /// Whether what the house picked by itself may be made now.
    fn is_night(&self) -> bool {
        let shift = self.lock().shift.clone();
        shift.enabled && is_on(self.house.minute_of_day(), shift.from_minute, shift.to_minute)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, id: &JobId) {
        self.wake.notify_one();
        self.bus.publish(Event::Job { job: id.clone() });
    }

    /// Its files are gone, as after a cleaned-up disk or half a restore.
    async fn make_again(&self, id: &JobId, is_asked_for: bool) -> Result<(), StoreError> {
        tracing::info!("the files of version {id} are gone; it is made again");
        self.lock().open.retain(|o| o.id != *id);
        self.store.rendition_again(id, is_asked_for).await?;
        self.changed(id);
        Ok(())
    }

    /// The row first: files without a row are swept, a row without files would be a promise.
    async fn forget(&self, id: &JobId) -> Result<Change, StoreError> {
        let change = self.store.forget_rendition(id).await?;
        self.lock().open.retain(|o| o.id != *id);
        let (shelf, gone) = (self.shelf.clone(), id.clone());
        let removed = tokio::task::spawn_blocking(move || shelf.remove(&gone)).await;
        if let Ok(Err(e)) = removed {
            tracing::warn!("the files of version {id} stay until the next sweep: {e}");
        }
        Ok(change)
    }

    fn views(&self, rows: Vec<Rendition>) -> Vec<RenditionView> {
        let (hold, now, passed) = {
            let state = self.lock();
            (state.hold, state.now.clone(), state.passed.clone())
        };
        let mut is_next = true;
        let night = self.is_night();
        let view = |row: Rendition| {
            let running = now.as_ref().filter(|now| now.id == row.id && !row.state.is_over());
            let by_day = row.wanted_by.is_some() || night;
            let waits = row.state == RenditionState::Queued && by_day;
            let (state, reason) = match hold {
                _ if row.state == RenditionState::Queued && !by_day => (row.state, Some(TONIGHT.to_string())),
                _ if running.is_some() && waits => (RenditionState::Running, None),
                Some(hold) if waits && is_next => (RenditionState::Paused, Some(hold.sentence().to_string())),
                _ if waits && passed.contains(&row.id) => (row.state, Some(TOO_LARGE.to_string())),
                _ => (row.state, row.reason.clone()),
            };
            is_next &= !waits;
            let (done, total, bytes) =
                running.map_or((row.done, row.total, row.stored_bytes), |now| (now.done, now.total, now.bytes));
            let progress = match row.state {
                RenditionState::Done => 1.0,
                _ if total == 0 => 0.0,
                _ => done as f64 / total as f64,
            };
            RenditionView { state, progress, stored_bytes: bytes, eta: running.and_then(Now::eta), reason, row }
        };
        rows.into_iter().map(view).collect()
    }
}
