//! What live encodes made, kept on a disk for whoever it was made for: going back in a film, or
//! seeing it again, costs no second encode.
//!
//! One task ([`keeper`]) changes what lies there; everybody else asks or drops an order, and
//! nobody who watches waits for the disk longer than [`READ_TIME`]. Where the disk is full, away,
//! slow or broken, nothing is kept and everything plays as it would without a cache.
//! The state's lock is never held while waiting for the disk.

pub mod folder;
mod keeper;

pub use folder::{Disk, FilmKey, Folder, Piece, TrackKey};

use base::{Bus, Lifecycle};
use domain::{
    UserId,
    cache::{Ledger, Pause, Quota, Window},
};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::Store;
use tokio::sync::{Notify, mpsc, oneshot};

/// A viewer waits no longer for the disk; then the segment is made again.
const READ_TIME: Duration = Duration::from_millis(500);
/// Two seconds of the fattest live picture are a third of this.
pub const MOST_BYTES: u32 = 4 << 20;
/// Orders that wait for the disk; each is a segment in memory.
const MOST_ORDERS: usize = 16;

/// Which segments somebody is about to see. Asked often: answers must be quick.
pub type Viewing = Arc<dyn Fn() -> Vec<(TrackKey, Window)> + Send + Sync>;

/// A track by its place in [`Tracks`], and the number of a segment.
type Key = (u32, u32);

enum Order {
    Keep {
        track: TrackKey,
        number: u32,
        bytes: Vec<u8>,
    },
    /// It cannot be read any more.
    Forget(Key),
    Empty(oneshot::Sender<io::Result<()>>),
}

struct Inner {
    disk: Arc<dyn Disk>,
    store: Store,
    viewing: Viewing,
    state: Mutex<State>,
    orders: mpsc::Sender<Order>,
    /// The quota is another one.
    changed: Notify,
    counts: Counts,
}

#[derive(Default)]
struct State {
    quota: Quota,
    ledger: Ledger<Key>,
    pieces: HashMap<Key, Piece>,
    tracks: Tracks,
    /// Being read at this moment, and by how many.
    reading: HashMap<Key, u32>,
    pause: Option<Pause>,
}

/// Every track has a number for this run: keys of a hundred thousand segments stay small.
#[derive(Default)]
struct Tracks {
    numbers: HashMap<TrackKey, u32>,
    all: Vec<TrackKey>,
}

impl Tracks {
    fn number(&mut self, track: &TrackKey) -> u32 {
        if let Some(number) = self.numbers.get(track) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(track.clone());
        self.numbers.insert(track.clone(), number);
        number
    }
    fn known(&self, track: &TrackKey) -> Option<u32> {
        self.numbers.get(track).copied()
    }
    fn of(&self, key: Key) -> Option<&TrackKey> {
        self.all.get(key.0 as usize)
    }
}

/// Since the server started.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    kept: AtomicU64,
    left: AtomicU64,
    unkept: AtomicU64,
}

fn count(what: &AtomicU64, by: usize) {
    what.fetch_add(by as u64, Ordering::Relaxed);
}

/// The cache as the owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheView {
    pub quota: Quota,
    pub used: u64,
    pub segments: usize,
    /// Largest first.
    pub people: Vec<(UserId, u64)>,
    pub pause: Option<Pause>,
    /// Served from here, and not found here.
    pub hits: u64,
    pub misses: u64,
    pub kept: u64,
    /// Gone to make room.
    pub left: u64,
    /// Not kept: there was no room that may be made, or the disk was too slow.
    pub unkept: u64,
}

/// Handle on the cache; cloning is cheap.
#[derive(Clone)]
pub struct SegmentCache(Arc<Inner>);

impl SegmentCache {
    /// Begins with what an earlier run left there, as soon as the disk has told what that is.
    /// Whatever is the matter with the disk, this works.
    pub fn open(
        disk: Arc<dyn Disk>,
        quota: Quota,
        store: Store,
        viewing: Viewing,
        bus: &Bus,
        lifecycle: &Lifecycle,
    ) -> Self {
        let (orders, taken) = mpsc::channel(MOST_ORDERS);
        let state = Mutex::new(State { quota, ..State::default() });
        let inner = Inner { disk, store, viewing, state, orders, changed: Notify::new(), counts: Counts::default() };
        let inner = Arc::new(inner);
        lifecycle.spawn("segment cache", keeper::run(inner.clone(), taken, bus.subscribe(), lifecycle.soft().clone()));
        Self(inner)
    }

    /// A segment that was kept, whole and as it was made. `None` is no failure: it is made again.
    pub async fn get(&self, track: &TrackKey, number: u32) -> Option<Vec<u8>> {
        let found = match Reading::begin(&self.0, track, number) {
            Some(reading) => self.read(track.clone(), reading).await,
            None => None,
        };
        count(if found.is_some() { &self.0.counts.hits } else { &self.0.counts.misses }, 1);
        found
    }

    async fn read(&self, track: TrackKey, reading: Reading) -> Option<Vec<u8>> {
        let (disk, key) = (self.0.disk.clone(), reading.key);
        let read = tokio::task::spawn_blocking(move || {
            let bytes = disk.read(&track, &reading.piece);
            drop(reading);
            bytes
        });
        match tokio::time::timeout(READ_TIME, read).await {
            Ok(Ok(Ok(bytes))) => Some(bytes),
            Ok(Ok(Err(e))) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                tracing::info!("a kept segment is made again: {e}");
                // Where nobody takes the order, the next one who asks gives it again.
                let _ = self.0.orders.try_send(Order::Forget(key));
                None
            }
            Ok(Ok(Err(e))) => {
                tracing::warn!("the segment cache cannot be read: {e}");
                self.0.pause(folder::pause_of(&e));
                None
            }
            Ok(Err(_)) => None,
            Err(_) => {
                tracing::warn!("the segment cache did not answer within {READ_TIME:?}");
                self.0.pause(Pause::Slow);
                None
            }
        }
    }

    /// Whether it would be found, as far as nothing happens to it.
    pub fn holds(&self, track: &TrackKey, number: u32) -> bool {
        let state = self.0.lock();
        state.pause.is_none() && state.tracks.known(track).is_some_and(|track| state.ledger.holds((track, number)))
    }

    /// Keeps a segment, some time soon, if there is room. Returns at once.
    pub fn keep(&self, track: TrackKey, number: u32, bytes: Vec<u8>) {
        let is_wanted = {
            let state = self.0.lock();
            let there = state.tracks.known(&track).is_some_and(|track| state.ledger.holds((track, number)));
            !there && state.pause.is_none() && state.quota.total > 0 && bytes.len() <= MOST_BYTES as usize
        };
        if is_wanted && self.0.orders.try_send(Order::Keep { track, number, bytes }).is_err() {
            count(&self.0.counts.unkept, 1);
        }
    }

    /// Holds from now on; what is too much goes, except what somebody is about to see.
    pub fn set_quota(&self, quota: Quota) {
        self.0.lock().quota = quota;
        self.0.changed.notify_one();
    }

    /// Removes everything.
    ///
    /// # Errors
    /// When the disk keeps some of it.
    pub async fn empty(&self) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        let closed = || io::Error::other("the house is closing");
        self.0.orders.send(Order::Empty(tell)).await.map_err(|_| closed())?;
        told.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Why nothing is kept, if that is so.
    pub fn pause(&self) -> Option<Pause> {
        self.0.lock().pause
    }

    pub fn view(&self) -> CacheView {
        let state = self.0.lock();
        let mut people: Vec<_> = state.ledger.people().map(|(user, used)| (user.clone(), used)).collect();
        people.sort_by_key(|(_, used)| std::cmp::Reverse(*used));
        let counts = &self.0.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CacheView {
            quota: state.quota,
            used: state.ledger.used(),
            segments: state.ledger.len(),
            people,
            pause: state.pause,
            hits: read(&counts.hits),
            misses: read(&counts.misses),
            kept: read(&counts.kept),
            left: read(&counts.left),
            unkept: read(&counts.unkept),
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self, why: Pause) {
        self.lock().pause = Some(why);
    }
}

/// Held while a segment is read: it does not go meanwhile.
struct Reading {
    inner: Arc<Inner>,
    key: Key,
    piece: Piece,
}

impl Reading {
    fn begin(inner: &Arc<Inner>, track: &TrackKey, number: u32) -> Option<Self> {
        let mut state = inner.lock();
        // A disk that fails or hangs is not asked again before it was tried out.
        if matches!(state.pause, Some(Pause::Failing | Pause::Slow | Pause::Missing)) {
            return None;
        }
        let key = (state.tracks.known(track)?, number);
        let piece = *state.pieces.get(&key)?;
        state.ledger.touch(key);
        *state.reading.entry(key).or_default() += 1;
        Some(Self { inner: inner.clone(), key, piece })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        if let Some(readers) = state.reading.get_mut(&self.key) {
            *readers -= 1;
            if *readers == 0 {
                state.reading.remove(&self.key);
            }
        }
    }
}
