//! One media program on one file: started under limits, watched, and always cleared away.

use crate::{connection::gone, index, limited, log, poster, settings::Settings, sheet, subtitles};
use contract::{Job, Status};
use ffmpeg_sidecar::{
    event::{FfmpegEvent, LogLevel},
    log_parser::FfmpegLogParser,
};
use media::{extent, ffmpeg_args, jail::OpenFile, storyboard::sheet::Size, supplement, walk};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, waitid, waitpgid},
};
use std::{
    ffi::{OsStr, OsString},
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
        unix::process::CommandExt,
        unix::process::ExitStatusExt,
    },
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use wait4::try_wait4_pid;

/// Whatever the gateway asks for, no result is larger and no program runs longer.
const MAX_RESULT_BYTES: u32 = 16 << 20;
const MAX_TIME: Duration = Duration::from_secs(600);
/// What is kept of a program's standard error; the rest is read and dropped.
const MAX_STDERR_BYTES: usize = 8 << 10;
/// From the end of its output to the end of a program.
const LAST_MOMENT: Duration = Duration::from_secs(5);
/// Words of a failure that travel back.
pub const MAX_WORDS_CHARS: usize = 500;

#[derive(Debug, Clone, Copy)]
pub struct JobLimits {
    pub max_bytes: usize,
    pub time: Duration,
}

impl JobLimits {
    pub fn new(max_bytes: u32, time_limit_ms: u32) -> Self {
        Self {
            max_bytes: max_bytes.min(MAX_RESULT_BYTES) as usize,
            time: Duration::from_millis(u64::from(time_limit_ms)).min(MAX_TIME),
        }
    }
}

/// How a job ended.
pub enum Outcome {
    Done(Vec<u8>),
    /// The program said no; its words for the log.
    Failed(String),
    Ended(Status),
    /// The gateway closed the connection.
    Cancelled,
}

/// Runs a job to its end. Returns only when its process group is gone.
pub fn run(settings: &Settings, gateway: &UnixStream, job: &Job, open: OpenFile, limits: JobLimits) -> Outcome {
    let deadline = Instant::now() + limits.time;
    match job {
        // These need no program: see `connection`.
        Job::Glance { .. } | Job::Rest { .. } | Job::Begin { .. } | Job::Calibrate { .. } => {
            Outcome::Ended(Status::Refused)
        }
        Job::Probe { .. } => {
            if is_cut(&open) {
                return Outcome::Failed(CUT.into());
            }
            // ffmpeg-sidecar knows ffprobe only by its version, so the list is used as it is.
            let program = settings.programs.ffprobe.clone().into_os_string();
            let args = ffmpeg_args::probe().into_iter().map(OsString::from).collect();
            let read = |at, out: &mut [u8]| rustix::io::pread(&open.fd, out, at).unwrap_or(0);
            let locks = walk::locks(open.size_bytes, read);
            match watch(settings, gateway, program, args, &open, limits, deadline) {
                Outcome::Done(answer) => Outcome::Done(supplement::added_to(answer, locks, open.size_bytes, read)),
                // Its tracks make no sense without their key.
                Outcome::Failed(said) if locks.protected => Outcome::Failed(format!("{PROTECTED}{said}")),
                Outcome::Failed(said) if extent::is_of_another_kind(read) => {
                    Outcome::Failed(format!("{UNSUPPORTED}{said}"))
                }
                ended => ended,
            }
        }
        Job::Keys { .. } => index::keys(&open, limits),
        Job::Index { picture, .. } => index::make(settings, gateway, &open, *picture, limits, deadline),
        Job::Subtitles { tracks, .. } => subtitles::tracks(settings, gateway, &open, tracks, limits, deadline),
        Job::Sheet { picture_track, times_ms, tile_width, tile_height, .. } => {
            let Some(tile) = Size::of_tile(*tile_width, *tile_height) else { return Outcome::Ended(Status::Refused) };
            sheet::make(settings, gateway, &open, *picture_track, times_ms, tile, limits, deadline)
        }
        Job::SubtitleFile { frame_rate_millihertz, .. } => subtitles::beside(&open, *frame_rate_millihertz, limits),
        Job::Poster { picture_track, moments_ms, width, .. } => {
            poster::make(settings, gateway, &open, *picture_track, moments_ms, *width, limits, deadline)
        }
    }
    .or_empty_is_unsupported()
}

/// Read back by `media::probe_json::defect_of`.
const CUT: &str = "truncated: the file ends long before it says it does";

const PROTECTED: &str = "protected: ";
const UNSUPPORTED: &str = "unsupported: ";

pub fn is_cut(open: &OpenFile) -> bool {
    let read = |at, out: &mut [u8]| rustix::io::pread(&open.fd, out, at).unwrap_or(0);
    extent::is_beyond_play(open.size_bytes, read)
}

impl Outcome {
    fn or_empty_is_unsupported(self) -> Self {
        match self {
            Self::Done(bytes) if bytes.is_empty() => Self::Ended(Status::Unsupported),
            other => other,
        }
    }
}

/// Starts a media program on a film, under limits and in a process group of its own. Without
/// `time` it may use as much CPU as it likes: what watches it decides when it ends.
pub fn start(
    settings: &Settings,
    program: &Path,
    args: &[impl AsRef<OsStr>],
    film: OwnedFd,
    time: Option<Duration>,
    niceness: i32,
) -> std::io::Result<Running> {
    let cpu_s = time.map_or(u64::from(u32::MAX), |time| time.as_secs() + 1);
    Running::start(limited_command(settings, program, args, film, cpu_s, niceness))
}

/// How a program is started under limits, in a process group of its own, with both outputs to be
/// read. It ends with the thread that starts it.
pub fn limited_command(
    settings: &Settings,
    program: &Path,
    args: &[impl AsRef<OsStr>],
    stdin: OwnedFd,
    cpu_s: u64,
    niceness: i32,
) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the worker is the one that starts media programs")]
    let mut command = Command::new(&settings.programs.worker);
    command.arg(limited::FLAG).arg(std::process::id().to_string()).arg(cpu_s.to_string()).arg(niceness.to_string());
    command.arg(program).args(args).env_clear().current_dir(&settings.work_dir).process_group(0);
    command.envs(settings.va_drivers.iter().map(|folder| (limited::VA_DRIVERS, folder)));
    command.stdin(Stdio::from(stdin)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a short command writes, while somebody waits for it.
pub fn collect(
    settings: &Settings,
    gateway: &UnixStream,
    args: &[String],
    open: &OpenFile,
    max_bytes: usize,
    time: Duration,
) -> Result<Vec<u8>, Outcome> {
    let limits = JobLimits { max_bytes, time };
    let (program, args) =
        (settings.programs.ffmpeg.clone().into_os_string(), args.iter().map(OsString::from).collect());
    match watch_at(settings, gateway, program, args, open, limits, Instant::now() + time, 0).0 {
        Outcome::Done(bytes) => Ok(bytes),
        other => Err(other),
    }
}

/// Someone watching goes first, on the processor and, since the class follows, on the disk.
pub const BEHIND_VIEWERS: i32 = 19;

pub fn watch(
    settings: &Settings,
    gateway: &UnixStream,
    program: OsString,
    args: Vec<OsString>,
    open: &OpenFile,
    limits: JobLimits,
    deadline: Instant,
) -> Outcome {
    watch_at(settings, gateway, program, args, open, limits, deadline, BEHIND_VIEWERS).0
}

/// ffmpeg, with the processor time that it and its threads took. `limits.time` is of that time.
pub fn timed(
    settings: &Settings,
    gateway: &UnixStream,
    args: &[String],
    open: &OpenFile,
    limits: JobLimits,
    deadline: Instant,
) -> (Outcome, Duration) {
    let program = settings.programs.ffmpeg.clone().into_os_string();
    let args = args.iter().map(OsString::from).collect();
    watch_at(settings, gateway, program, args, open, limits, deadline, 0)
}

#[expect(clippy::too_many_arguments, reason = "what one program is started with")]
fn watch_at(
    settings: &Settings,
    gateway: &UnixStream,
    program: OsString,
    args: Vec<OsString>,
    open: &OpenFile,
    limits: JobLimits,
    deadline: Instant,
    niceness: i32,
) -> (Outcome, Duration) {
    let Ok(film) = open.fd.try_clone() else { return (Outcome::Ended(Status::Io), Duration::ZERO) };
    let mut running = match start(settings, Path::new(&program), &args, film, Some(limits.time), niceness) {
        Ok(running) => running,
        Err(error) => {
            log::line(&format!("start a job: {error}"));
            return (Outcome::Ended(Status::Io), Duration::ZERO);
        }
    };
    let mut result = Vec::new();
    let mut words = Vec::new();
    let outcome = match running.follow(gateway, limits.max_bytes, deadline, &mut result, &mut words) {
        Followed::Exited(status) => ending(status, result, &words),
        Followed::Late | Followed::TooLarge => Outcome::Ended(Status::Limit),
        Followed::Cancelled => Outcome::Cancelled,
        Followed::Broken => Outcome::Ended(Status::Io),
    };
    (outcome, running.used.unwrap_or_default())
}

fn ending(status: ExitStatus, result: Vec<u8>, words: &[u8]) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Done(result),
        (Some(code), _) if code == i32::from(limited::NOT_STARTED) => {
            log::line(&said(words));
            Outcome::Ended(Status::Io)
        }
        (_, Some(signal)) => ended_by(signal),
        _ => {
            let said = said(words);
            if is_shortage(&said) { Outcome::Ended(Status::Limit) } else { Outcome::Failed(said) }
        }
    }
}

/// Whether a program gave up for want of memory, processes or room, which says nothing about the
/// film: it must not be called broken for it.
pub fn is_shortage(said: &str) -> bool {
    ["Cannot allocate memory", "Resource temporarily unavailable", "No space left on device"]
        .iter()
        .any(|shortage| said.contains(shortage))
}

/// A program that nobody here killed.
pub fn ended_by(signal: i32) -> Outcome {
    if is_by_others(signal) {
        return Outcome::Ended(Status::Limit);
    }
    Outcome::Failed(format!("ended by signal {signal}"))
}

/// Returns whether a program got this signal from outside: from the kernel, over processor time or memory,
/// or from a person. What it raises itself says that it failed on the film.
pub fn is_by_others(signal: i32) -> bool {
    const INT: i32 = 2;
    const KILL: i32 = 9;
    const TERM: i32 = 15;
    const XCPU: i32 = 24;
    matches!(signal, INT | KILL | TERM | XCPU)
}

/// The errors among what a program wrote, as one short line; everything when none is marked.
pub fn said(words: &[u8]) -> String {
    let mut parser = FfmpegLogParser::new(words);
    let (mut errors, mut others) = (Vec::new(), Vec::new());
    loop {
        match parser.parse_next_event() {
            Ok(FfmpegEvent::LogEOF) => break,
            Ok(FfmpegEvent::Log(LogLevel::Error | LogLevel::Fatal, text)) => errors.push(text),
            Ok(FfmpegEvent::Log(_, text)) => others.push(text),
            // Other lines, and what the parser does not understand, tell nobody anything.
            Ok(_) | Err(_) => {}
        }
    }
    let lines = if errors.is_empty() { others } else { errors };
    lines.join("; ").chars().filter(|c| !c.is_control()).take(MAX_WORDS_CHARS).collect()
}

/// Process groups of running jobs. Starting and clearing happen under the lock, so that nothing
/// is started while everything is being killed.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn groups() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Kills every job; the last thing a worker does.
pub fn kill_all() {
    for group in groups().iter() {
        let _ = kill_process_group(*group, Signal::KILL);
    }
}

/// A program in its own process group. Dropping it leaves nothing of the group behind.
pub struct Running {
    child: Child,
    group: Pid,
    /// Processor time of it and its threads, once it was waited for.
    used: Option<Duration>,
}

enum Followed {
    Exited(ExitStatus),
    Late,
    TooLarge,
    Cancelled,
    Broken,
}

impl Running {
    fn start(mut command: Command) -> std::io::Result<Self> {
        let mut groups = groups();
        let child = command.spawn()?;
        let group = Pid::from_child(&child);
        groups.push(group);
        Ok(Self { child, group, used: None })
    }

    pub fn group(&self) -> Pid {
        self.group
    }

    /// How it ended. Its output is closed, so the end is a moment away; `None` for one that stays
    /// all the same.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + LAST_MOMENT;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// Its outputs, once.
    pub fn outputs(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.child.stdout.take()?, self.child.stderr.take()?))
    }

    /// Reads both outputs until the program is done with them, with one eye on the gateway.
    fn follow(
        &mut self,
        gateway: &UnixStream,
        max_bytes: usize,
        deadline: Instant,
        result: &mut Vec<u8>,
        words: &mut Vec<u8>,
    ) -> Followed {
        let (Some(mut stdout), Some(mut stderr)) = (self.child.stdout.take(), self.child.stderr.take()) else {
            return Followed::Broken;
        };
        let (mut out_open, mut err_open) = (true, true);
        let mut chunk = vec![0; 32 << 10];
        while out_open || err_open {
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Followed::Late;
            }
            let wanted = |open| if open { PollFlags::IN } else { PollFlags::empty() };
            let mut fds = vec![PollFd::from_borrowed_fd(gateway.as_fd(), PollFlags::RDHUP)];
            // A closed pipe would report its end again and again.
            if out_open {
                fds.push(PollFd::from_borrowed_fd(stdout.as_fd(), wanted(out_open)));
            }
            if err_open {
                fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), wanted(err_open)));
            }
            match poll(&mut fds, Timespec::try_from(wait).ok().as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Followed::Broken,
            }
            if gone(fds[0].revents()) {
                return Followed::Cancelled;
            }
            let out_ready = out_open && !fds[1].revents().is_empty();
            let err_ready = err_open && !fds[fds.len() - 1].revents().is_empty();
            if out_ready {
                match stdout.read(&mut chunk) {
                    Ok(0) => out_open = false,
                    Ok(n) if result.len() + n > max_bytes => return Followed::TooLarge,
                    Ok(n) => result.extend_from_slice(&chunk[..n]),
                    Err(_) => return Followed::Broken,
                }
            }
            if err_ready {
                match stderr.read(&mut chunk) {
                    Ok(0) => err_open = false,
                    Ok(n) => words.extend_from_slice(&chunk[..n.min(MAX_STDERR_BYTES - words.len())]),
                    Err(_) => return Followed::Broken,
                }
            }
        }
        self.outlive(gateway, deadline)
    }

    /// Outputs are closed; normally the end is a moment away.
    fn outlive(&mut self, gateway: &UnixStream, deadline: Instant) -> Followed {
        let mut pause = Duration::from_micros(200);
        loop {
            // Only looked at: once it is waited for, its group's number may become somebody else's.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            match waitid(WaitId::Pid(self.group), ended) {
                Ok(Some(_)) => {
                    let _ = kill_process_group(self.group, Signal::KILL);
                    let Ok(Some(ended)) = try_wait4_pid(self.child.id()) else { return Followed::Broken };
                    self.used = Some(ended.rusage.utime + ended.rusage.stime);
                    return Followed::Exited(ended.status);
                }
                Ok(None) if Instant::now() >= deadline => return Followed::Late,
                Ok(None) => {}
                Err(_) => return Followed::Broken,
            }
            let mut fds = [PollFd::from_borrowed_fd(gateway.as_fd(), PollFlags::RDHUP)];
            let _ = poll(&mut fds, Timespec::try_from(pause).ok().as_ref());
            if gone(fds[0].revents()) {
                return Followed::Cancelled;
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Still there means that it was not followed to its end.
        if self.used.is_none() && matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = self.child.wait();
        }
        while let Ok(Some(_)) = waitpgid(self.group, WaitOptions::NOHANG) {}
        let mut groups = groups();
        groups.retain(|group| *group != self.group);
        // As the first process of its loge the worker inherits whoever lost their parent.
        if groups.is_empty() && std::process::id() == 1 {
            while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        }
    }
}
