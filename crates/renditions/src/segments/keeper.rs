//! The one task that changes what lies in the cache: it writes, makes room, gives back, forgets
//! people and films that are gone, and tries a disk out that failed. Since nobody else writes, what
//! lies there never exceeds the quota, not for a moment.

use super::{
    Inner, Key, Order, Piece, State, TrackKey, Viewing, count,
    folder::{FilmKey, Found, pause_of},
};
use base::{Event, Stamped};
use domain::{
    UserId,
    cache::{Pause, Quota, Space, Window, on_disk},
};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
    time::Duration,
};
use store::StoreError;
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a disk that failed is tried out, and one that works is looked at for its space.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// People and films are looked up this often even if nobody told that they changed.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// A write that takes longer is told to the owner; it is still waited for.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// A full disk counts as usable again when this much more would fit.
const ROOM: u64 = 4 << 20;

/// Runs until the soft stop.
pub(super) async fn run(
    inner: Arc<Inner>,
    mut orders: mpsc::Receiver<Order>,
    mut events: broadcast::Receiver<Stamped>,
    soft: CancellationToken,
) {
    let mut keeper = Keeper { inner, disk: None, tried: Instant::now(), tidied: None };
    keeper.begin().await;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut listens = true;
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            order = orders.recv() => match order {
                Some(order) => keeper.obey(order).await,
                None => return,
            },
            () = keeper.inner.changed.notified() => keeper.give_back().await,
            event = events.recv(), if listens => match event {
                Ok(stamped) => keeper.heard(&stamped.event),
                Err(broadcast::error::RecvError::Lagged(_)) => keeper.tidied = None,
                Err(broadcast::error::RecvError::Closed) => listens = false,
            },
            _ = looks.tick() => keeper.look().await,
        }
    }
}

struct Keeper {
    inner: Arc<Inner>,
    /// What the disk said of itself when it was swept; `None` until it was.
    disk: Option<(u64, u64)>,
    tried: Instant,
    /// `None`: somebody or something may be gone.
    tidied: Option<Instant>,
}

/// How an order to keep something ended.
enum Kept {
    Yes,
    /// Everything that lies there is about to be seen, or is not this person's share.
    NoRoom,
    /// The disk belongs to others by now.
    DiskFull,
    /// Another disk lies under the path.
    Moved,
}

impl Keeper {
    /// Takes over what lies there.
    async fn begin(&mut self) {
        self.tried = Instant::now();
        let inner = self.inner.clone();
        let swept = self.patiently(tokio::task::spawn_blocking(move || {
            let identity = inner.disk.identity()?;
            let found = inner.disk.sweep()?;
            inner.disk.try_out()?;
            take_over(&mut inner.lock(), found);
            Ok(identity)
        }));
        match swept.await {
            Ok(identity) => {
                self.disk = Some(identity);
                self.tidied = None;
                let view = self.inner.lock().ledger.len();
                if view > 0 {
                    info!("the segment cache begins with {view} segments");
                }
                self.tidy().await;
                self.give_back().await;
            }
            Err(e) => {
                self.disk = None;
                take_over(&mut self.inner.lock(), vec![]);
                self.failed("taken over", &e);
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Keep { track, number, bytes } => self.keep(track, number, bytes).await,
            Order::Forget(key) => {
                let leaving = take_out(&mut self.inner.lock(), vec![key]);
                let _ = self.remove(leaving).await;
            }
            Order::Empty(tell) => {
                let leaving = {
                    let mut state = self.inner.lock();
                    let all = state.ledger.keys().collect();
                    take_out(&mut state, all)
                };
                let _ = tell.send(self.remove(leaving).await);
            }
        }
    }

    async fn keep(&mut self, track: TrackKey, number: u32, bytes: Vec<u8>) {
        if self.inner.lock().pause.is_some() {
            return;
        }
        let (inner, disk) = (self.inner.clone(), self.disk);
        let kept = self.patiently(tokio::task::spawn_blocking(move || write(&inner, disk, &track, number, &bytes)));
        match kept.await {
            Ok(Kept::Yes) => count(&self.inner.counts.kept, 1),
            Ok(Kept::NoRoom) => count(&self.inner.counts.unkept, 1),
            Ok(Kept::DiskFull) => {
                count(&self.inner.counts.unkept, 1);
                self.failed("filled further", &io::ErrorKind::StorageFull.into());
            }
            Ok(Kept::Moved) => self.begin().await,
            Err(e) => {
                count(&self.inner.counts.unkept, 1);
                self.failed("written", &e);
            }
        }
    }

    fn heard(&mut self, event: &Event) {
        if matches!(event, Event::Users | Event::GrantsChanged { .. } | Event::Library { .. } | Event::Title { .. }) {
            self.tidied = None;
        }
    }

    async fn look(&mut self) {
        if self.tidied.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            self.tidy().await;
        }
        if self.tried.elapsed() < TRY_EVERY {
            return;
        }
        self.tried = Instant::now();
        if self.inner.lock().pause.is_some() {
            self.try_again().await;
        }
        self.give_back().await;
    }

    /// A disk that works again is used again.
    async fn try_again(&mut self) {
        let inner = self.inner.clone();
        let tried = self.patiently(tokio::task::spawn_blocking(move || {
            let identity = inner.disk.identity()?;
            inner.disk.try_out()?;
            Ok((identity, inner.disk.space()?))
        }));
        match tried.await {
            Ok((identity, _)) if self.disk != Some(identity) => {
                self.inner.lock().pause = None;
                self.begin().await;
            }
            Ok((_, space)) => {
                let mut state = self.inner.lock();
                let (quota, used) = (state.quota, state.ledger.used());
                let room = space.allows(quota, used).total >= quota.total.min(used + ROOM);
                state.pause = if room { None } else { Some(Pause::Full) };
                if room {
                    info!("the segment cache is used again");
                }
            }
            Err(e) => self.inner.pause(pause_of(&e)),
        }
    }

    /// What is more than the quota allows, or more than the disk has for us, goes.
    async fn give_back(&mut self) {
        let inner = self.inner.clone();
        let leaving = self.patiently(tokio::task::spawn_blocking(move || {
            let space = inner.disk.space()?;
            let windows = (inner.viewing)();
            let mut state = inner.lock();
            let quota = space.allows(state.quota, state.ledger.used());
            let leaving = state.ledger.too_much(quota, active(&state, &windows));
            Ok(take_out(&mut state, leaving))
        }));
        match leaving.await {
            Ok(leaving) => {
                count(&self.inner.counts.left, leaving.len());
                let _ = self.remove(leaving).await;
            }
            Err(e) => self.failed("looked at", &e),
        }
    }

    /// What belongs to people and films that are gone, or that they may not see any more, goes.
    async fn tidy(&mut self) {
        self.tidied = Some(Instant::now());
        let tracks: HashSet<u32> = self.inner.lock().ledger.keys().map(|(track, _)| track).collect();
        let mut gone = HashSet::new();
        let mut known: HashMap<(UserId, FilmKey), bool> = HashMap::new();
        for number in tracks {
            let Some(track) = self.inner.lock().tracks.of((number, 0)).cloned() else { continue };
            let pair = (track.user, track.film);
            let stays = match known.get(&pair) {
                Some(stays) => *stays,
                None => match self.may_stay(&pair.0, &pair.1).await {
                    Ok(stays) => stays,
                    Err(e) => {
                        warn!(error = &e as &dyn std::error::Error, "the segment cache cannot be tidied: {e}");
                        return;
                    }
                },
            };
            known.insert(pair, stays);
            if !stays {
                gone.insert(number);
            }
        }
        let leaving = {
            let mut state = self.inner.lock();
            let keys = state.ledger.keys().filter(|(track, _)| gone.contains(track)).collect();
            take_out(&mut state, keys)
        };
        if !leaving.is_empty() {
            info!("{} kept segments belong to nobody any more; they go", leaving.len());
            let _ = self.remove(leaving).await;
        }
    }

    async fn may_stay(&self, user: &UserId, film: &FilmKey) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        let (Some(person), Some(file)) = (store.user(user).await?, store.file(&film.file).await?) else {
            return Ok(false);
        };
        let same = file.size_bytes == film.size && file.mtime_ns == film.mtime_ns;
        Ok(same && store.can_see(user, person.role, &file.library).await?)
    }

    /// From the disk, once they are out of the state. What stays counts again.
    async fn remove(&mut self, leaving: Vec<Leaving>) -> io::Result<()> {
        if leaving.is_empty() {
            return Ok(());
        }
        let inner = self.inner.clone();
        let removed = self.patiently(tokio::task::spawn_blocking(move || unlink(&inner, leaving)));
        let removed = removed.await;
        if let Err(e) = &removed {
            self.failed("cleared", e);
        }
        removed
    }

    fn failed(&mut self, what: &str, error: &io::Error) {
        let why = pause_of(error);
        if self.inner.lock().pause.replace(why) != Some(why) {
            warn!("the segment cache cannot be {what}, so nothing is kept for now: {error}");
        }
        self.tried = Instant::now();
    }

    /// However long the disk takes; the owner is told when that is too long.
    async fn patiently<T>(&self, work: JoinHandle<io::Result<T>>) -> io::Result<T> {
        let mut work = work;
        let abandoned = |_| Err(io::Error::other("the work was abandoned"));
        match tokio::time::timeout(WRITE_TIME, &mut work).await {
            Ok(done) => done.unwrap_or_else(abandoned),
            Err(_) => {
                self.inner.pause(Pause::Slow);
                warn!("the disk of the segment cache takes longer than {WRITE_TIME:?}");
                work.await.unwrap_or_else(abandoned)
            }
        }
    }
}

type Leaving = (Key, TrackKey, Piece);

fn take_over(state: &mut State, mut found: Vec<Found>) {
    state.ledger = domain::cache::Ledger::default();
    state.pieces.clear();
    found.sort_by_key(|one| one.used_at);
    for Found { track, piece, .. } in found {
        note(state, &track, piece);
    }
}

fn note(state: &mut State, track: &TrackKey, piece: Piece) {
    let key = (state.tracks.number(track), piece.number);
    state.ledger.insert(&track.user, key, on_disk(u64::from(piece.length)));
    state.pieces.insert(key, piece);
}

/// Out of the state, so that nobody begins to read them.
fn take_out(state: &mut State, keys: Vec<Key>) -> Vec<Leaving> {
    let out = |key: Key| {
        state.ledger.remove(key);
        let piece = state.pieces.remove(&key)?;
        Some((key, state.tracks.of(key)?.clone(), piece))
    };
    keys.into_iter().filter_map(out).collect()
}

fn unlink(inner: &Inner, leaving: Vec<Leaving>) -> io::Result<()> {
    let mut failure = None;
    for (_, track, piece) in leaving {
        if let Err(e) = inner.disk.remove(&track, &piece) {
            note(&mut inner.lock(), &track, piece);
            failure = Some(e);
        }
    }
    failure.map_or(Ok(()), Err)
}

/// What somebody reads, or is about to see.
fn active(state: &State, windows: &[(TrackKey, Window)]) -> impl Fn(Key) -> bool + use<> {
    let mut of: HashMap<u32, Vec<Window>> = HashMap::new();
    for (track, window) in windows {
        if let Some(number) = state.tracks.known(track) {
            of.entry(number).or_default().push(*window);
        }
    }
    let reading: HashSet<Key> = state.reading.keys().copied().collect();
    move |key| reading.contains(&key) || of.get(&key.0).is_some_and(|all| all.iter().any(|w| w.holds(key.1)))
}

fn write(inner: &Inner, disk: Option<(u64, u64)>, track: &TrackKey, number: u32, bytes: &[u8]) -> io::Result<Kept> {
    let Some(piece) = Piece::of(number, bytes) else { return Ok(Kept::NoRoom) };
    if Some(inner.disk.identity()?) != disk {
        return Ok(Kept::Moved);
    }
    let space = inner.disk.space()?;
    let leaving = match room(inner, &space, &inner.viewing, track, &piece) {
        Ok(leaving) => leaving,
        Err(kept) => return Ok(kept),
    };
    count(&inner.counts.left, leaving.len());
    unlink(inner, leaving)?;
    inner.disk.write(track, &piece, bytes)?;
    note(&mut inner.lock(), track, piece);
    Ok(Kept::Yes)
}

/// Takes out what makes room.
fn room(
    inner: &Inner,
    space: &Space,
    viewing: &Viewing,
    track: &TrackKey,
    piece: &Piece,
) -> Result<Vec<Leaving>, Kept> {
    let windows = viewing();
    let bytes = on_disk(u64::from(piece.length));
    let mut state = inner.lock();
    let key = (state.tracks.number(track), piece.number);
    if state.ledger.holds(key) {
        return Err(Kept::Yes);
    }
    let leaving = |quota: Quota| state.ledger.to_leave(&track.user, bytes, quota, active(&state, &windows));
    let allowed = space.allows(state.quota, state.ledger.used());
    match leaving(allowed) {
        Some(leaving) => Ok(take_out(&mut state, leaving)),
        None if allowed != state.quota && leaving(state.quota).is_some() => Err(Kept::DiskFull),
        None => Err(Kept::NoRoom),
    }
}
