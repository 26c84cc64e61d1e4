//! Heads: programs that read a film from some place on while somebody watches from there.
//!
//! One stream for each track of each file, shared by everyone who asks for it. A stream has at
//! most one run, which is one ffmpeg in its own process group; a run goes as far ahead as it was
//! told, then it stops reading the pipe, and ffmpeg waits at no cost. Nobody asking for
//! [`IDLE`] ends it. What a run made lies in a bounded ring in memory.
//! Locks: streams, then one stream's state, then the ring; the last two are never held while
//! waiting for a program.

mod ring;
mod rule;
mod run;
pub mod track;

use crate::{connection::is_gone, job, settings::Settings};
use contract::{FileRef, Status, Track, Wanted};
use media::{hls::args::ToneMap, jail::OpenFile};
use ring::Ring;
use rule::{Verdict, Wish, judge};
use run::Run;
use rustix::process::{Signal, kill_process_group};
use std::{
    collections::HashMap,
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A run that nobody asks anything of ends after this.
const IDLE: Duration = Duration::from_secs(15);
/// ffmpeg processes of one loge; the one unused for longest makes room.
const MOST_RUNS: usize = 3;
const MOST_STREAMS: usize = 48;
const RING_BYTES: usize = 32 << 20;
/// The gateway gives up a little later.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a run that was begun may take to its init before another program is asked for it.
const INIT_OF_RUN: Duration = Duration::from_secs(3);
/// A storm of seeks is over when nothing was wished for this long.
const CALM: Duration = Duration::from_millis(120);
/// Somebody who drags a bar lets go for longer than [`CALM`] between two places and has not arrived:
/// after so many places, each soon after the one before, it takes longer until it is calm.
const DRAGS: u32 = 4;
const DRAG: Duration = Duration::from_millis(500);
const DRAG_CALM: Duration = Duration::from_millis(360);
/// How often somebody who waits looks whether the gateway still does.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Everything that plays in this loge.
pub struct Heads {
    streams: Mutex<HashMap<Key, Arc<Stream>>>,
    ring: Arc<Mutex<Ring>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    mount: String,
    path: Vec<u8>,
    size: Option<u64>,
    mtime_ns: i64,
    track: Track,
}

impl Key {
    fn new(file: &FileRef, open: &OpenFile, track: Track) -> Self {
        let (mount, path) = (file.mount.clone(), file.path.clone());
        Self { mount, path, size: file.size, mtime_ns: open.mtime_ns, track }
    }
}

/// One track of one file.
struct Stream {
    id: u64,
    track: Track,
    state: Mutex<State>,
    changed: Condvar,
    ring: Arc<Mutex<Ring>>,
}

struct State {
    init: Option<Arc<Vec<u8>>>,
    run: Option<Run>,
    /// Counts runs: one that finds another number here has been replaced.
    generation: u64,
    used: Instant,
    /// When a run was begun or wished for.
    stirred: Option<Instant>,
    /// Places in a row that needed a run, each soon after the one before.
    drag: u32,
    wish: Wish,
    /// Numbers that somebody waits for, and how many do.
    waiting: HashMap<u32, u32>,
    failure: Option<Failed>,
    /// How brightness is brought down, where the first way has failed.
    tone_map: Option<ToneMap>,
}

/// Somebody who waits for a segment.
struct Asking<'a> {
    stream: &'a Stream,
    number: u32,
    /// Runs up to this one are none of this request's business.
    since: u64,
}

impl<'a> Asking<'a> {
    fn new(stream: &'a Stream, number: u32) -> Self {
        let mut state = lock(&stream.state);
        *state.waiting.entry(number).or_default() += 1;
        Self { stream, number, since: state.generation }
    }

    /// How a run ended that should have made this segment.
    fn failed(&self, state: &State) -> Option<job::Outcome> {
        let failed = state.failure.as_ref().filter(|_| state.run.is_none())?;
        (failed.generation > self.since && self.number >= failed.from).then(|| failed.fault.outcome())
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.stream.state);
        if let Some(count) = state.waiting.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                state.waiting.remove(&self.number);
            }
        }
    }
}

/// Whether a request that needs a run may begin one now.
enum Turn {
    Mine,
    Later(Duration),
}

/// How the last run ended before it came to a segment.
struct Failed {
    generation: u64,
    from: u32,
    fault: Fault,
}

/// Why a track cannot be made.
enum Fault {
    /// Of everything but the film.
    Status(Status),
    /// Of the film; the text is for the log.
    Film(String),
}

impl Fault {
    fn outcome(&self) -> job::Outcome {
        match self {
            Self::Status(status) => job::Outcome::Ended(*status),
            Self::Film(text) => job::Outcome::Failed(text.clone()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heads {
    pub fn new() -> Self {
        Self { streams: Mutex::default(), ring: Arc::new(Mutex::new(Ring::new(RING_BYTES))) }
    }

    /// The init segment of a track, remembered: that of the run that is on its way, or made by a
    /// run of one frame.
    pub fn init(
        &self,
        settings: &Settings,
        file: &FileRef,
        open: &OpenFile,
        track: Track,
        gateway: &UnixStream,
    ) -> Result<Arc<Vec<u8>>, job::Outcome> {
        let stream = self.stream(file, open, track);
        let since = Instant::now();
        loop {
            let state = lock(&stream.state);
            if let Some(init) = &state.init {
                return Ok(init.clone());
            }
            // It comes to its init sooner than a second program would.
            if state.run.is_none() || since.elapsed() >= INIT_OF_RUN {
                break;
            }
            drop(stream.wait(state, LOOK_EVERY));
            if is_gone(gateway) {
                return Err(job::Outcome::Cancelled);
            }
        }
        let made = Arc::new(run::init(settings, &stream, open, gateway)?);
        Ok(lock(&stream.state).init.get_or_insert(made).clone())
    }

    /// One segment of a track, as soon as it is there.
    pub fn segment(
        &self,
        settings: &Arc<Settings>,
        file: &FileRef,
        open: &OpenFile,
        track: Track,
        wanted: &Wanted,
        gateway: &UnixStream,
    ) -> Result<Arc<Vec<u8>>, job::Outcome> {
        let Some(part) = track::part(&track, wanted) else { return Err(job::Outcome::Ended(Status::Refused)) };
        let stream = self.stream(file, open, track);
        let asking = Asking::new(&stream, wanted.number);
        let until = Instant::now() + DEADLINE;
        let mut wished = false;
        loop {
            // Before anything is begun for somebody who has left.
            if is_gone(gateway) {
                return Err(job::Outcome::Cancelled);
            }
            let mut state = lock(&stream.state);
            state.used = Instant::now();
            if let Some(bytes) = lock(&self.ring).get(stream.id, wanted.number) {
                if let Some(run) = &mut state.run {
                    run.asked_for(wanted.number, wanted.ahead, &part);
                }
                stream.changed.notify_all();
                return Ok(bytes);
            }
            if let Some(outcome) = asking.failed(&state) {
                return Err(outcome);
            }
            if Instant::now() >= until {
                return Err(job::Outcome::Ended(Status::Limit));
            }
            let cost = track::start_cost(&stream.track);
            match judge(state.run.as_ref().map(Run::progress), wanted.number, cost) {
                Verdict::Wait => {
                    if let Some(run) = &mut state.run {
                        run.asked_for(wanted.number, wanted.ahead, &part);
                    }
                    stream.changed.notify_all();
                    drop(stream.wait(state, LOOK_EVERY));
                }
                Verdict::Begin => match state.turn(wanted.number, &mut wished, Instant::now()) {
                    Turn::Mine => {
                        let seen = state.generation;
                        drop(state);
                        self.make_room(&stream);
                        stream.begin(settings, open, wanted, &part, seen)?;
                    }
                    Turn::Later(pause) => drop(stream.wait(state, pause)),
                },
            }
        }
    }

    /// Begins a run for somebody who is about to ask. Whoever asks already is not disturbed: then,
    /// and where the segment is there, this does nothing.
    pub fn begin_at(
        &self,
        settings: &Arc<Settings>,
        file: &FileRef,
        open: &OpenFile,
        track: Track,
        wanted: &Wanted,
    ) -> Result<(), job::Outcome> {
        let Some(part) = track::part(&track, wanted) else { return Err(job::Outcome::Ended(Status::Refused)) };
        let stream = self.stream(file, open, track);
        let seen = {
            let mut state = lock(&stream.state);
            let is_there = lock(&self.ring).holds(stream.id, wanted.number);
            if is_there || state.run.is_some() || !state.waiting.is_empty() {
                return Ok(());
            }
            state.used = Instant::now();
            state.generation
        };
        self.make_room(&stream);
        stream.begin(settings, open, wanted, &part, seen)
    }

    /// Ends the run of a track: whoever asked for it has no use for what it would make next.
    pub fn rest(&self, file: &FileRef, open: &OpenFile, track: Track) {
        let stream = lock(&self.streams).get(&Key::new(file, open, track)).cloned();
        if let Some(stream) = stream {
            stream.stop();
        }
    }

    fn stream(&self, file: &FileRef, open: &OpenFile, track: Track) -> Arc<Stream> {
        let key = Key::new(file, open, track.clone());
        let mut streams = lock(&self.streams);
        if let Some(stream) = streams.get(&key) {
            return stream.clone();
        }
        if streams.len() >= MOST_STREAMS {
            let oldest = streams.iter().min_by_key(|(_, s)| lock(&s.state).used).map(|(key, _)| key.clone());
            if let Some(stream) = oldest.and_then(|key| streams.remove(&key)) {
                stream.stop();
                lock(&self.ring).forget(stream.id);
            }
        }
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let stream = Arc::new(Stream {
            id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            track,
            state: Mutex::new(State {
                init: None,
                run: None,
                generation: 0,
                used: Instant::now(),
                stirred: None,
                drag: 0,
                wish: Wish::default(),
                waiting: HashMap::new(),
                failure: None,
                tone_map: None,
            }),
            changed: Condvar::new(),
            ring: self.ring.clone(),
        });
        streams.insert(key, stream.clone());
        stream
    }

    /// Ends the run that was unused for longest when one more would be too many.
    fn make_room(&self, for_stream: &Arc<Stream>) {
        let streams = lock(&self.streams);
        let mut running: Vec<(Instant, &Arc<Stream>)> = streams
            .values()
            .filter(|s| !Arc::ptr_eq(s, for_stream))
            .filter_map(|s| {
                let state = lock(&s.state);
                state.run.is_some().then_some((state.used, s))
            })
            .collect();
        running.sort_by_key(|(used, _)| *used);
        let too_many = (running.len() + 1).saturating_sub(MOST_RUNS);
        for (_, stream) in running.into_iter().take(too_many) {
            stream.stop();
        }
    }
}

impl Stream {
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, most).map_or_else(|e| e.into_inner().0, |(state, _)| state)
    }

    /// Replaces the run that was `seen` by one that begins with this segment; where somebody else
    /// was faster, theirs is looked at first.
    fn begin(
        self: &Arc<Self>,
        settings: &Arc<Settings>,
        open: &OpenFile,
        wanted: &Wanted,
        part: &track::Part,
        seen: u64,
    ) -> Result<(), job::Outcome> {
        let number = wanted.number;
        let film = open.fd.try_clone().map_err(|_| job::Outcome::Ended(Status::Io))?;
        let mut state = lock(&self.state);
        if state.generation != seen {
            return Ok(());
        }
        state.end_run();
        state.generation += 1;
        state.stirred = Some(Instant::now());
        state.wish.take();
        state.run = Some(Run::new(state.generation, number, wanted.ahead, part, track::is_extendable(&self.track)));
        let generation = state.generation;
        drop(state);
        let (stream, settings, part) = (self.clone(), settings.clone(), part.clone());
        let thread = std::thread::Builder::new()
            .name("head".into())
            .stack_size(512 << 10)
            .spawn(move || run::run(&stream, &settings, film, generation, number, part));
        thread.map(drop).map_err(|_| {
            lock(&self.state).run = None;
            job::Outcome::Ended(Status::Io)
        })
    }

    fn stop(&self) {
        lock(&self.state).end_run();
        self.changed.notify_all();
    }
}

impl State {
    /// The run's own thread notices and clears away.
    fn end_run(&mut self) {
        if let Some(run) = self.run.take()
            && let Some(group) = run.group
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// The latest place that was wished for goes first, once the storm is over; a run that somebody
    /// waits for is not taken away before it came to anything.
    fn turn(&mut self, number: u32, wished: &mut bool, now: Instant) -> Turn {
        if let Some(first) = self.run.as_ref().and_then(Run::promised)
            && first != number
            && self.waiting.contains_key(&first)
        {
            return Turn::Later(LOOK_EVERY);
        }
        // Whoever wished it has left.
        if self.wish.latest().is_some_and(|latest| !self.waiting.contains_key(&latest)) {
            self.wish.take();
        }
        let pause = if self.drag >= DRAGS { DRAG_CALM } else { CALM };
        let calm = self.stirred.is_none_or(|at| now.duration_since(at) >= pause);
        match self.wish.latest() {
            None if calm => {
                self.count_drag(now);
                Turn::Mine
            }
            Some(latest) if latest == number => {
                if calm {
                    Turn::Mine
                } else {
                    Turn::Later(CALM)
                }
            }
            // Each request wishes once: two that stay would else outbid each other for ever.
            Some(_) if *wished => Turn::Later(LOOK_EVERY),
            _ => {
                *wished = true;
                self.wish.add(number);
                self.count_drag(now);
                self.stirred = Some(now);
                Turn::Later(CALM)
            }
        }
    }

    fn count_drag(&mut self, now: Instant) {
        let soon = self.stirred.is_some_and(|at| now.duration_since(at) < DRAG);
        self.drag = if soon { self.drag + 1 } else { 0 };
    }

    /// The run of this generation, unless it was replaced.
    fn mine(&mut self, generation: u64) -> Option<&mut Run> {
        self.run.as_mut().filter(|run| run.generation == generation)
    }
}
