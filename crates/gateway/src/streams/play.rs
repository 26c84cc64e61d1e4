//! One play: what it is, where its player is, and what its connections have sent.

use super::{NewPlay, lock};
use crate::{
    stream::{Meter, Pace},
    watched::{Course, Film, Served, Version, Watched},
};
use base::{Bus, Event, UnixMs};
use domain::{admission::Running, playback::Method};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A play that moved no byte and told no position for this long is over.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// A page that plays says so every ten seconds; one that has said so once and falls silent has gone
/// without a word.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(45);
/// An encode that nobody asked anything of for this long has ended in its loge, and gives back its
/// processor time.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// The rate shown is taken over this much past: segments come in bursts some seconds apart.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(10);
/// Samples closer together than this say nothing more about the window.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// A page that plays says where it is every ten seconds; in between the film goes on.
const GOES_ON: Duration = Duration::from_secs(11);

pub struct Play {
    pub about: NewPlay,
    pub started_at: UnixMs,
    pub cut: CancellationToken,
    pub meter: Arc<Meter>,
    pub pace: Pace,
    open: AtomicU32,
    moving: Mutex<Moving>,
    served: Mutex<Option<Arc<Served>>>,
    film: Mutex<Option<Film>>,
    /// The version of its file that it began with.
    pub version: Version,
    /// What its player asks for of tracks that are kept.
    pub watched: Watched,
    pub course: Course,
    bus: Bus,
}

struct Moving {
    position_ms: u64,
    /// Whether its player said so.
    is_told: bool,
    /// The picture its player asked for last, and what that takes from the wire.
    lines: Option<u32>,
    bits_per_s: u64,
    paused: bool,
    /// Its page was closed, or its film ended: it goes with its last connection.
    over: bool,
    seen: Instant,
    /// When a part of its encoded picture was asked for last.
    encoded: Instant,
    told: Instant,
    /// What had been sent when, oldest first; the first of them is as old as the window.
    samples: VecDeque<(Instant, u64)>,
    rate: u64,
    /// Position in seconds and rate, as they were told last.
    shown: (u64, u64),
}

/// Held while one connection serves a range of a play.
pub struct OpenConnection(Arc<Play>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let last = self.0.open.fetch_sub(1, Ordering::SeqCst) == 1;
        let over = {
            let mut moving = lock(&self.0.moving);
            moving.seen = Instant::now();
            moving.over
        };
        if last && over {
            self.0.bus.publish(Event::Streams);
        }
    }
}

impl Play {
    pub(super) fn begun(about: NewPlay, started_at: UnixMs, over: bool, pace: Pace, bus: Bus) -> Self {
        let now = Instant::now();
        let moving = Moving {
            position_ms: about.position_ms,
            is_told: false,
            lines: about.lines,
            bits_per_s: about.bits_per_s,
            paused: false,
            over,
            seen: now,
            encoded: now,
            told: now,
            samples: VecDeque::from([(now, 0)]),
            rate: 0,
            shown: (u64::MAX, 0),
        };
        Self {
            started_at,
            cut: CancellationToken::new(),
            meter: Arc::default(),
            pace,
            open: AtomicU32::new(0),
            moving: Mutex::new(moving),
            served: Mutex::default(),
            film: Mutex::default(),
            version: Version::default(),
            watched: Watched::default(),
            course: Course::default(),
            bus,
            about,
        }
    }
    pub fn connection(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Ordering::SeqCst);
        OpenConnection(self.clone())
    }
    /// What was looked up and allowed before; forgotten when rights or libraries change.
    pub fn served(&self) -> Option<Arc<Served>> {
        lock(&self.served).clone()
    }
    pub fn set_served(&self, served: Arc<Served>) {
        *lock(&self.served) = Some(served);
    }
    /// What was allowed has to be looked up again.
    pub(super) fn doubt(&self) {
        *lock(&self.served) = None;
        *lock(&self.film) = None;
    }
    /// The plans of its file, while nothing about the file may have changed.
    pub fn film(&self) -> Option<Film> {
        lock(&self.film).clone()
    }
    pub fn set_film(&self, film: Film) {
        *lock(&self.film) = Some(film);
    }
    /// Its player is at this picture of its ladder now.
    pub fn shows(&self, lines: Option<u32>, bits_per_s: u64) {
        let mut moving = lock(&self.moving);
        (moving.lines, moving.bits_per_s) = (lines, bits_per_s);
    }
    pub fn bits_per_s(&self) -> u64 {
        lock(&self.moving).bits_per_s
    }
    /// As it is now, which is not as it began where a player changes between pictures.
    pub(super) fn about_now(&self) -> NewPlay {
        let lines = lock(&self.moving).lines;
        let method = match (self.about.method, lines) {
            (Method::Remux | Method::Rendition, None) => Method::Remux,
            (Method::Remux | Method::Rendition, Some(_)) => Method::Rendition,
            (other, _) => other,
        };
        NewPlay { method, lines, ..self.about.clone() }
    }
    pub fn touch(&self) {
        lock(&self.moving).seen = Instant::now();
    }

    pub(super) fn connections(&self) -> u32 {
        self.open.load(Ordering::SeqCst)
    }

    /// Its player told where it is; answers whether it began or stopped to move. `over`: its page
    /// was closed, or its film ended.
    pub(super) fn tell(&self, position_ms: u64, paused: bool, over: bool) -> bool {
        let mut moving = lock(&self.moving);
        let changed = moving.paused != paused;
        (moving.position_ms, moving.paused, moving.is_told) = (position_ms, paused, true);
        let now = Instant::now();
        (moving.seen, moving.told, moving.over) = (now, now, over);
        changed
    }

    /// A part of its encoded picture is asked for. False when it had given back its processor time.
    pub(super) fn encodes(&self) -> bool {
        let now = Instant::now();
        let mut moving = lock(&self.moving);
        let holds = now.duration_since(moving.encoded) <= LEASE;
        if holds {
            moving.encoded = now;
        }
        holds
    }

    /// It was admitted once more.
    pub(super) fn encodes_anew(&self) {
        lock(&self.moving).encoded = Instant::now();
    }

    /// Where its player said it is, if it did.
    pub(super) fn position_told(&self) -> Option<u64> {
        let moving = lock(&self.moving);
        moving.is_told.then_some(moving.position_ms)
    }

    /// Returns where its player is now, as far as that is known: where it said it is, and what went by since.
    pub(super) fn position_now(&self, now: Instant) -> u64 {
        let moving = lock(&self.moving);
        let goes_on = moving.is_told && !moving.paused && !moving.over;
        let since = if goes_on { now.duration_since(moving.told).min(GOES_ON) } else { Duration::ZERO };
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(0);
        (moving.position_ms + since_ms).min(self.about.duration_ms.max(moving.position_ms))
    }

    pub(super) fn look(&self, now: Instant) -> (u64, u64, bool) {
        let bytes = self.meter.bytes();
        let mut moving = lock(&self.moving);
        if moving.samples.back().is_some_and(|(_, then)| *then != bytes) {
            moving.seen = now;
        }
        if moving.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= SAMPLE_EVERY) {
            moving.samples.push_back((now, bytes));
        }
        while moving.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= RATE_WINDOW) {
            moving.samples.pop_front();
        }
        if let Some((at, then)) = moving.samples.front().copied() {
            let passed = now.duration_since(at);
            if passed >= SAMPLE_EVERY {
                let per_second = u128::from(bytes - then) * 1_000_000 / passed.as_micros().max(1);
                moving.rate = u64::try_from(per_second).unwrap_or(u64::MAX);
            }
        }
        (bytes, moving.rate, moving.paused)
    }

    pub(super) fn has_moved(&self, now: Instant) -> bool {
        let (_, rate, _) = self.look(now);
        let shown = (self.position_now(now) / 1000, rate);
        std::mem::replace(&mut lock(&self.moving).shown, shown) != shown
    }

    /// Processor time that is held for its encode.
    pub(super) fn encode_millis(&self, now: Instant) -> u32 {
        if self.holds(now) { self.about.encode_millis } else { 0 }
    }

    /// What was admitted for its encode is still its own.
    pub(super) fn holds(&self, now: Instant) -> bool {
        let moving = lock(&self.moving);
        !moving.over && now.duration_since(moving.encoded) <= LEASE
    }

    pub(super) fn running(&self, now: Instant) -> Running<'_> {
        Running {
            user: &self.about.user,
            username: &self.about.username,
            bps: self.bits_per_s(),
            encode_millis: self.encode_millis(now),
            on_chip: self.about.chip.is_some() && self.holds(now),
            left: self.left(),
        }
    }

    /// Until its film ends, if it runs.
    fn left(&self) -> Option<Duration> {
        let moving = lock(&self.moving);
        let left = self.about.duration_ms.checked_sub(moving.position_ms)?;
        (!moving.paused).then(|| Duration::from_millis(left))
    }

    pub(super) fn is_forgotten(&self, now: Instant) -> bool {
        self.look(now);
        let moving = lock(&self.moving);
        let patience = if moving.is_told && !moving.paused { SILENT_AFTER } else { FORGOTTEN_AFTER };
        self.connections() == 0 && (moving.over || now.duration_since(moving.seen) > patience)
    }
}
