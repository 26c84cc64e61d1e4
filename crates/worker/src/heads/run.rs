//! One run: ffmpeg from one place on, its pipe read as far as somebody wants to see.

use super::{
    Failed, Fault, IDLE, Stream, lock,
    rule::Progress,
    track::{self, Attempt, Part},
};
use crate::{job, log, settings::Settings};
use contract::Status;
use media::{
    hls::{
        args::ToneMap,
        fmp4::{self, Reader},
        split::{Segment, SplitError, Splitter},
    },
    jail::OpenFile,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::Pid,
};
use std::{
    collections::VecDeque,
    io::Read,
    os::unix::process::ExitStatusExt,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{ChildStderr, ChildStdout},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a run may have made beyond what was asked for: all runs together fit into the ring.
const UNREAD_BYTES: usize = super::RING_BYTES / super::MOST_RUNS;
/// How often a silent program is looked at.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
const PIPE_BYTES: usize = 1 << 20;
const WORDS_BYTES: usize = 4 << 10;
const INIT_BYTES: usize = 4 << 20;
const INIT_TIME: Duration = Duration::from_secs(15);

/// A run as its stream knows it.
pub struct Run {
    pub generation: u64,
    pub group: Option<Pid>,
    /// The segment in the making.
    next: u32,
    /// The highest number asked for, and how far it may go beyond.
    asked: u32,
    until: u32,
    /// The newest part of the plan, for the splitter to take over.
    part: Option<Part>,
    /// The last segment whose end it knows.
    known: u32,
    /// Whether it can be told more of the plan: an encoder has to know its key frames at the start.
    extendable: bool,
    unread: VecDeque<(u32, usize)>,
    began: Instant,
    /// Time spent waiting for readers.
    paused: Duration,
    made: u32,
    expected: Duration,
}

impl Run {
    pub fn new(generation: u64, number: u32, ahead: u32, part: &Part, extendable: bool) -> Self {
        Self {
            known: last_known(part),
            extendable,
            generation,
            group: None,
            next: number,
            asked: number,
            until: number.saturating_add(ahead),
            part: Some(part.clone()),
            unread: VecDeque::new(),
            began: Instant::now(),
            paused: Duration::ZERO,
            made: 0,
            expected: Duration::from_millis(100),
        }
    }

    pub fn progress(&self) -> Progress {
        // The window of the request itself begins at its number, so it may be the one behind the
        // last that is known.
        let reach = self.known.saturating_add(u32::from(self.extendable));
        Progress { next: self.next, reach, per_segment: self.expected }
    }

    /// The segment it began for, until it has come.
    pub fn promised(&self) -> Option<u32> {
        (self.made == 0).then_some(self.next)
    }

    /// Somebody wants this segment, and soon the ones behind it.
    pub fn asked_for(&mut self, number: u32, ahead: u32, part: &Part) {
        if number > self.progress().reach {
            return;
        }
        let known = last_known(part);
        if self.extendable && known > self.known {
            self.known = known;
            self.part = Some(part.clone());
        }
        self.asked = self.asked.max(number);
        self.until = self.until.max(number.saturating_add(ahead));
        while self.unread.front().is_some_and(|(n, _)| *n <= self.asked) {
            self.unread.pop_front();
        }
    }

    fn may_go_on(&self) -> bool {
        let unread: usize = self.unread.iter().map(|(_, bytes)| bytes).sum();
        self.next <= self.asked || (self.next <= self.until && unread < UNREAD_BYTES)
    }

    fn made(&mut self, number: u32, bytes: usize) {
        self.made += 1;
        self.next = number + 1;
        if number > self.asked {
            self.unread.push_back((number, bytes));
        }
        self.expected = self.began.elapsed().saturating_sub(self.paused) / self.made;
    }
}

/// The last segment whose end a part of the plan tells.
fn last_known(part: &Part) -> u32 {
    match part {
        Part::Audio(_) => u32::MAX - 1,
        Part::Video(window) => {
            let last = window.first.saturating_add(u32::try_from(window.cuts.len()).unwrap_or(u32::MAX) - 1);
            if window.is_last { last } else { last.saturating_sub(1) }
        }
    }
}

/// How a run ended.
enum End {
    /// Everything was made, or nobody wanted more.
    Done,
    /// Somebody else took over.
    Replaced,
    Failed(Fault),
    /// By somebody else: the kernel, over memory, or a person.
    Killed,
    /// It began behind the cut.
    Overshoot,
}

impl End {
    fn status(status: Status) -> Self {
        Self::Failed(Fault::Status(status))
    }
    fn film(text: impl Into<String>) -> Self {
        Self::Failed(Fault::Film(text.into()))
    }

    /// Returns what to try instead. A run that made something has shown that its way is right: a request
    /// that waits for more begins another one there.
    fn next(&self, attempt: Attempt, has_begun: bool) -> Option<Attempt> {
        let earlier = (!attempt.further_back).then_some(Attempt { further_back: true, ..attempt });
        match self {
            _ if has_begun => None,
            Self::Overshoot => earlier,
            Self::Failed(Fault::Film(_)) => match attempt.tone_map.fallback() {
                Some(tone_map) => Some(Attempt { tone_map, ..attempt }),
                None => earlier,
            },
            Self::Done | Self::Replaced | Self::Killed | Self::Failed(Fault::Status(_)) => None,
        }
    }

    fn fault(self, has_begun: bool) -> Option<Fault> {
        match self {
            // A request that waits for more begins another run.
            Self::Done | Self::Replaced => None,
            Self::Killed | Self::Overshoot | Self::Failed(Fault::Film(_)) if has_begun => None,
            Self::Killed => Some(Fault::Status(Status::Limit)),
            Self::Failed(fault) => Some(fault),
            Self::Overshoot => Some(Fault::Film("its pictures are not where its index says".into())),
        }
    }
}

/// Runs to the end; the body of a head's thread.
pub fn run(stream: &Arc<Stream>, settings: &Settings, film: OwnedFd, generation: u64, number: u32, part: Part) {
    let mut attempt = first_attempt(stream);
    let end = loop {
        let end = try_once(stream, settings, &film, generation, number, &part, attempt);
        let has_begun = lock(&stream.state).mine(generation).is_none_or(|run| run.made > 0);
        match end.next(attempt, has_begun) {
            Some(next) => attempt = next,
            None => break end,
        }
    };
    let mut state = lock(&stream.state);
    if let Some(run) = state.mine(generation) {
        let has_begun = run.made > 0;
        state.run = None;
        if has_begun {
            state.tone_map = Some(attempt.tone_map);
        }
        state.failure = end.fault(has_begun).map(|fault| Failed { generation, from: number, fault });
    }
    drop(state);
    stream.changed.notify_all();
}

fn first_attempt(stream: &Stream) -> Attempt {
    let first = Attempt::first(&stream.track);
    Attempt { tone_map: lock(&stream.state).tone_map.unwrap_or(first.tone_map), ..first }
}

fn try_once(
    stream: &Arc<Stream>,
    settings: &Settings,
    film: &OwnedFd,
    generation: u64,
    number: u32,
    part: &Part,
    attempt: Attempt,
) -> End {
    let node = settings.render_node.as_deref();
    let Some(command) = track::command(&stream.track, part, number, attempt, node) else {
        return End::status(Status::Refused);
    };
    let Ok(input) = film.try_clone() else { return End::status(Status::Io) };
    let splitter = track::splitter(&stream.track, part, number, attempt);
    once(stream, settings, input, generation, splitter, command.args())
}

fn once(
    stream: &Arc<Stream>,
    settings: &Settings,
    film: OwnedFd,
    generation: u64,
    splitter: Splitter,
    args: &[String],
) -> End {
    let mut running =
        match job::start(settings, &settings.programs.ffmpeg, args, film, None, track::niceness(&stream.track)) {
            Ok(running) => running,
            Err(error) => {
                log::line(&format!("start a head: {error}"));
                return End::status(Status::Io);
            }
        };
    {
        let mut state = lock(&stream.state);
        let Some(run) = state.mine(generation) else { return End::Replaced };
        run.group = Some(running.group());
        run.began = Instant::now();
    }
    let Some((stdout, stderr)) = running.outputs() else { return End::status(Status::Io) };
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
    let (words, listening) = listen(stderr);
    let number = splitter.next();
    let end = follow(stream, &mut running, stdout, generation, splitter);
    // Before its group is cleared away nobody may kill it by number any more.
    if let Some(run) = lock(&stream.state).mine(generation) {
        run.group = None;
    }
    drop(running);
    let End::Failed(fault) = end else { return end };
    // Its group is gone, so the pipe has an end.
    if let Some(listening) = listening {
        let _ = listening.join();
    }
    let said = job::said(&lock(&words));
    log::line(&format!("a head on segment {number} ended: {said}"));
    match fault {
        Fault::Film(_) if job::is_shortage(&said) => End::status(Status::Limit),
        Fault::Film(why) if said.is_empty() => End::film(format!("segment {number}: {why}")),
        Fault::Film(why) => End::film(format!("segment {number}: {why}: {said}")),
        fault => End::Failed(fault),
    }
}

/// Keeps the beginning of what a program complains about, and never lets its pipe fill.
fn listen(mut stderr: ChildStderr) -> (Arc<Mutex<Vec<u8>>>, Option<JoinHandle<()>>) {
    let words = Arc::new(Mutex::new(Vec::new()));
    let kept = words.clone();
    let listening = std::thread::Builder::new().name("words".into()).stack_size(128 << 10).spawn(move || {
        let mut chunk = [0; 1024];
        while let Ok(n) = stderr.read(&mut chunk) {
            if n == 0 {
                break;
            }
            let mut kept = lock(&kept);
            let room = WORDS_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..n.min(room)]);
        }
    });
    if listening.is_err() {
        log::line("a head cannot be listened to");
    }
    (words, listening.ok())
}

fn follow(
    stream: &Arc<Stream>,
    running: &mut job::Running,
    mut stdout: ChildStdout,
    generation: u64,
    mut splitter: Splitter,
) -> End {
    let mut reader = Reader::default();
    let (mut parts, mut segments) = (Vec::new(), Vec::new());
    let mut chunk = vec![0; 256 << 10];
    loop {
        match pause(stream, generation, &mut splitter) {
            Pause::GoOn => {}
            Pause::Replaced => return End::Replaced,
            Pause::Idle => return End::Done,
        }
        // A program that says nothing is worth waiting for only as long as somebody does.
        let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN)];
        if matches!(poll(&mut fds, Some(&LOOK_EVERY)), Ok(0) | Err(Errno::INTR)) {
            continue;
        }
        let n = match stdout.read(&mut chunk) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return End::status(Status::Io),
        };
        let outcome = if n == 0 {
            // One that was killed or gave up has not come to the film's end.
            let status = running.ended();
            if lock(&stream.state).mine(generation).is_none() {
                return End::Replaced;
            }
            match status {
                Some(status) if status.success() => {}
                // By itself a program ends of a fault of its own that this film led to.
                Some(status) if status.signal().is_some_and(job::is_by_others) => return End::Killed,
                Some(status) => return End::film(format!("ffmpeg ended with {status}")),
                // It says nothing more and does not end: no fault of the film.
                None => return End::status(Status::Limit),
            }
            splitter.finish(&mut segments)
        } else {
            take(&mut reader, &chunk[..n], &mut parts, &mut splitter, &mut segments, stream)
        };
        match outcome {
            _ if !keep(stream, generation, &mut segments) => return End::Replaced,
            Err(SplitError::Overshoot) => return End::Overshoot,
            Err(error) => {
                return End::film(error.to_string());
            }
            Ok(()) if splitter.is_done() => return End::Done,
            // It ended before the plan did.
            Ok(()) if n == 0 => return End::film("the film ended before its plan"),
            Ok(()) => {}
        }
    }
}

fn take(
    reader: &mut Reader,
    bytes: &[u8],
    parts: &mut Vec<fmp4::Part>,
    splitter: &mut Splitter,
    segments: &mut Vec<Segment>,
    stream: &Stream,
) -> Result<(), SplitError> {
    if let Err(error) = reader.feed(bytes, parts) {
        log::line(&format!("reading a head: {error}"));
        return Err(SplitError::Missed);
    }
    for part in parts.drain(..) {
        match part {
            fmp4::Part::Init { bytes, timescale } => {
                splitter.opened(timescale)?;
                let mut state = lock(&stream.state);
                match &state.init {
                    Some(init) if **init != bytes => log::line("two runs of one track differ in their init"),
                    Some(_) => {}
                    None => {
                        state.init = Some(Arc::new(bytes));
                        stream.changed.notify_all();
                    }
                }
            }
            fmp4::Part::Fragment(samples) => splitter.push(samples, segments)?,
        }
    }
    Ok(())
}

/// False when another run has taken over.
fn keep(stream: &Stream, generation: u64, segments: &mut Vec<Segment>) -> bool {
    if segments.is_empty() {
        return true;
    }
    let mut state = lock(&stream.state);
    let Some(run) = state.mine(generation) else { return false };
    for Segment { number, bytes } in segments.drain(..) {
        run.made(number, bytes.len());
        lock(&stream.ring).put(stream.id, number, Arc::new(bytes));
    }
    drop(state);
    stream.changed.notify_all();
    true
}

enum Pause {
    GoOn,
    Replaced,
    /// Nobody wants more, or the plan it began with is used up.
    Idle,
}

/// Waits while nobody wants more; not reading the pipe is what holds ffmpeg back.
fn pause(stream: &Stream, generation: u64, splitter: &mut Splitter) -> Pause {
    let mut state = lock(&stream.state);
    loop {
        let idle = state.used.elapsed() >= IDLE;
        let Some(run) = state.mine(generation) else { return Pause::Replaced };
        if idle {
            return Pause::Idle;
        }
        if let Some(Part::Video(window)) = run.part.take() {
            splitter.extend(&window);
        }
        if run.may_go_on() && !splitter.is_blind() {
            return Pause::GoOn;
        }
        if splitter.is_blind() && !run.extendable {
            return Pause::Idle;
        }
        let since = Instant::now();
        state = stream.wait(state, Duration::from_secs(1));
        if let Some(run) = state.mine(generation) {
            run.paused += since.elapsed();
        }
    }
}

/// The init segment by a run of one frame.
pub fn init(
    settings: &Settings,
    stream: &Stream,
    open: &OpenFile,
    gateway: &UnixStream,
) -> Result<Vec<u8>, job::Outcome> {
    let mut way = first_attempt(stream).tone_map;
    loop {
        let made = init_by(settings, stream, way, open, gateway);
        match (&made, way.fallback()) {
            (Err(job::Outcome::Failed(_)), Some(other)) => way = other,
            _ => return made,
        }
    }
}

fn init_by(
    settings: &Settings,
    stream: &Stream,
    way: ToneMap,
    open: &OpenFile,
    gateway: &UnixStream,
) -> Result<Vec<u8>, job::Outcome> {
    let node = settings.render_node.as_deref();
    let command = track::init_command(&stream.track, way, node).ok_or(job::Outcome::Ended(Status::Refused))?;
    let bytes = job::collect(settings, gateway, command.args(), open, INIT_BYTES, INIT_TIME)?;
    let mut parts = Vec::new();
    let unsupported = || job::Outcome::Failed("ffmpeg wrote no beginning of a track".into());
    Reader::default().feed(&bytes, &mut parts).map_err(|_| unsupported())?;
    parts
        .into_iter()
        .find_map(|part| if let fmp4::Part::Init { bytes, .. } = part { Some(bytes) } else { None })
        .ok_or_else(unsupported)
}
