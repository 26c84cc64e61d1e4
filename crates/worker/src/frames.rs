//! `loge-frames`, which takes pictures out of films: started by the first picture that is wanted,
//! kept ready, and asked for one at a time by whoever needs one. Every picture is made in a process
//! of its own that ends with its answer; see `contract::pictures`.

use crate::{
    connection::gone,
    job::{self, BEHIND_VIEWERS, JobLimits, MAX_WORDS_CHARS, Outcome},
    limited, log,
    settings::Settings,
};
use contract::{
    Status,
    pictures::{Ending, Order, Picture, READY, read_answer},
};
use media::jail::OpenFile;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv,
        sendmsg, socketpair,
    },
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use std::{
    io::{IoSlice, Read},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::{ChildStderr, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// Linking two hundred libraries takes a tenth of a second; under a small share of a busy machine
/// it takes what it takes.
const START_TIME: Duration = Duration::from_secs(20);
/// From no longer wanting an answer to the end of whoever worked on it.
const LAST_MOMENT: Duration = Duration::from_secs(5);
/// The thread that keeps it does nothing but wait.
const STACK_BYTES: usize = 64 << 10;

enum Kept {
    NotStarted,
    Ready(Arc<Zygote>),
    /// It was tried, and said in the log.
    Unusable,
}

struct Zygote {
    control: OwnedFd,
    group: Pid,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept::NotStarted);
/// Its process group for as long as it is there.
static GROUP: Mutex<Option<Pid>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends it and, since they are tied to it, everything it works on.
pub fn kill() {
    if let Some(group) = *lock(&GROUP) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// One picture of a film. `None` where `loge-frames` cannot be used: ffmpeg has to do it then.
pub fn take(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    picture: Picture,
    limits: JobLimits,
    deadline: Instant,
) -> Option<Outcome> {
    let order = Order {
        picture,
        max_bytes: u32::try_from(limits.max_bytes).unwrap_or(u32::MAX),
        cpu_s: u32::try_from(limits.time.as_secs() + 1).unwrap_or(u32::MAX),
        memory_bytes: limited::ADDRESS_SPACE_BYTES,
    };
    let order = order.to_bytes()?;
    // The second time for one that ended since it was last asked.
    for _ in 0..2 {
        let zygote = ready(settings)?;
        let Ok((answer, theirs)) = UnixStream::pair() else { return Some(Outcome::Ended(Status::Io)) };
        match give(&zygote.control, &order, [open.fd.as_fd(), theirs.as_fd()]) {
            Ok(()) => {
                drop(theirs);
                return Some(follow(gateway, answer, &zygote, limits.max_bytes, deadline));
            }
            Err(_) => forget(&zygote),
        }
    }
    log::line("loge-frames ended twice before it was given a film");
    Some(Outcome::Ended(Status::Io))
}

fn give(control: &OwnedFd, order: &[u8], fds: [std::os::fd::BorrowedFd<'_>; 2]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(control, &[IoSlice::new(order)], &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// The one that runs, or a new one. `None` when it was found not to start.
fn ready(settings: &Settings) -> Option<Arc<Zygote>> {
    let program = settings.programs.frames.as_deref()?;
    // Whoever else wants a picture meanwhile waits for the same start.
    let mut kept = lock(&KEPT);
    match &*kept {
        Kept::Ready(zygote) => return Some(Arc::clone(zygote)),
        Kept::Unusable => return None,
        Kept::NotStarted => {}
    }
    match start(settings, program) {
        Ok(zygote) => {
            let zygote = Arc::new(zygote);
            *kept = Kept::Ready(Arc::clone(&zygote));
            Some(zygote)
        }
        Err(why) => {
            log::line(&format!("pictures are made by ffmpeg, which takes longer: loge-frames does not start: {why}"));
            *kept = Kept::Unusable;
            None
        }
    }
}

/// The next picture starts another.
fn forget(zygote: &Arc<Zygote>) {
    let mut kept = lock(&KEPT);
    if matches!(&*kept, Kept::Ready(current) if Arc::ptr_eq(current, zygote)) {
        *kept = Kept::NotStarted;
    }
}

fn start(settings: &Settings, program: &Path) -> Result<Zygote, String> {
    let words = |error: std::io::Error| error.to_string();
    let (control, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|error| words(error.into()))?;
    let mut command = job::limited_command(settings, program, &["--serve"], theirs, u32::MAX.into(), BEHIND_VIEWERS);
    command.stdout(Stdio::null());
    let (tell, told) = mpsc::channel();
    // The kernel ties it to the thread that starts it, so that one has to stay.
    let keep = move || {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return drop(tell.send(Err(error.to_string()))),
        };
        drop(command);
        let group = Pid::from_child(&child);
        *lock(&GROUP) = Some(group);
        let _ = tell.send(Ok((group, child.stderr.take())));
        // Only looked at: once it is waited for, its group's number may become somebody else's.
        let over = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(group), over), Err(rustix::io::Errno::INTR)) {}
        let mut current = lock(&GROUP);
        if *current == Some(group) {
            *current = None;
        }
        let _ = child.wait();
    };
    std::thread::Builder::new().name("frames".into()).stack_size(STACK_BYTES).spawn(keep).map_err(words)?;
    let (group, stderr) = told.recv().map_err(|_| "its thread ended".to_owned())??;
    let mut said = [0; READY.len()];
    if is_readable(&control, Instant::now() + START_TIME)
        && recv(&control, &mut said, RecvFlags::DONTWAIT).is_ok_and(|(n, _)| n == READY.len())
        && said == READY
    {
        return Ok(Zygote { control, group });
    }
    let _ = kill_process_group(group, Signal::KILL);
    Err(stderr.map(last_words).filter(|words| !words.is_empty()).unwrap_or_else(|| "it said nothing".into()))
}

/// What it says on standard error, now that it is over.
fn last_words(stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    let _ = stderr.take(2 * MAX_WORDS_CHARS as u64).read_to_end(&mut words);
    short(&words)
}

fn short(words: &[u8]) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    String::from_utf8_lossy(words).trim().chars().map(line).take(MAX_WORDS_CHARS).collect()
}

fn is_readable(fd: &impl AsFd, until: Instant) -> bool {
    loop {
        let wait = until.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(wait).ok().as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(n) => return n > 0,
            Err(_) => return false,
        }
    }
}

/// Reads an answer to its end, with one eye on the gateway. Nobody works on it afterwards.
fn follow(
    gateway: &UnixStream,
    mut answer: UnixStream,
    zygote: &Arc<Zygote>,
    max_bytes: usize,
    deadline: Instant,
) -> Outcome {
    // Words of a failure may be longer than a small picture.
    let room = max_bytes.max(MAX_WORDS_CHARS) + 1 + Ending::BYTES;
    let mut said = Vec::new();
    let mut chunk = vec![0; 32 << 10];
    let why = loop {
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            break Outcome::Ended(Status::Limit);
        }
        let mut fds = [
            PollFd::from_borrowed_fd(gateway.as_fd(), PollFlags::RDHUP),
            PollFd::from_borrowed_fd(answer.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, Timespec::try_from(wait).ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => break Outcome::Ended(Status::Io),
        }
        if gone(fds[0].revents()) {
            break Outcome::Cancelled;
        }
        if fds[1].revents().is_empty() {
            continue;
        }
        match answer.read(&mut chunk) {
            Ok(0) => return outcome(&said, max_bytes, zygote),
            Ok(n) if said.len() + n > room => break Outcome::Ended(Status::Limit),
            Ok(n) => said.extend_from_slice(&chunk[..n]),
            Err(_) => break Outcome::Ended(Status::Io),
        }
    };
    // Its end comes once nobody works on it.
    let _ = answer.shutdown(Shutdown::Write);
    let until = Instant::now() + LAST_MOMENT;
    while is_readable(&answer, until) {
        match answer.read(&mut chunk) {
            Ok(0) | Err(_) => return why,
            Ok(_) if Instant::now() < until => {}
            Ok(_) => break,
        }
    }
    log::line("loge-frames did not let go of a film");
    let _ = kill_process_group(zygote.group, Signal::KILL);
    forget(zygote);
    why
}

fn outcome(said: &[u8], max_bytes: usize, zygote: &Arc<Zygote>) -> Outcome {
    let Some((status, bytes, ending)) = read_answer(said) else {
        log::line("loge-frames ended in the middle of a picture");
        forget(zygote);
        return Outcome::Ended(Status::Io);
    };
    match (status, ending) {
        (Some(Status::Ok), Ending::Exited(0)) if bytes.len() <= max_bytes => Outcome::Done(bytes.to_vec()),
        (Some(Status::Ok), Ending::Exited(0)) => Outcome::Ended(Status::Limit),
        (Some(Status::Failed), Ending::Exited(0)) => Outcome::Failed(short(bytes)),
        (Some(status @ (Status::Unsupported | Status::Limit | Status::Refused)), Ending::Exited(0)) => {
            Outcome::Ended(status)
        }
        (_, Ending::Exited(0)) => Outcome::Ended(Status::Io),
        (_, Ending::Exited(code)) => Outcome::Failed(format!("ended with {code}")),
        (_, Ending::Killed(signal)) => job::ended_by(signal.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(said: &[u8], ending: Option<Ending>) -> Outcome {
        let (control, _) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let zygote = Arc::new(Zygote { control, group: rustix::process::getpid() });
        let ending = ending.map_or_else(Vec::new, |e| e.to_bytes().to_vec());
        outcome(&[said, &ending].concat(), 4, &zygote)
    }

    #[test]
    fn an_answer_is_believed_only_with_the_ending_that_belongs_to_it() {
        let whole = Some(Ending::Exited(0));
        assert!(matches!(judged(&[0, 1, 2], whole), Outcome::Done(bytes) if bytes == [1, 2]));
        assert!(matches!(judged(&[0, 1, 2, 3, 4, 5], whole), Outcome::Ended(Status::Limit)));
        assert!(matches!(judged(&[0, 1, 2], None), Outcome::Ended(Status::Io)));
        assert!(matches!(judged(&[0, 1, 2], Some(Ending::Killed(9))), Outcome::Ended(Status::Limit)));
        assert!(matches!(judged(&[0, 1, 2], Some(Ending::Killed(24))), Outcome::Ended(Status::Limit)));
        assert!(matches!(judged(&[], Some(Ending::Killed(11))), Outcome::Failed(words) if words.contains("11")));
        assert!(matches!(judged(&[], Some(Ending::Exited(101))), Outcome::Failed(_)));
        assert!(matches!(judged(b"\x07no\nfilm", whole), Outcome::Failed(words) if words == "no film"));
        assert!(matches!(judged(&[3], whole), Outcome::Ended(Status::Unsupported)));
        // What only the worker itself can know is not believed.
        for status in [Status::NotFound, Status::Changed] {
            assert!(matches!(judged(&[status as u8], whole), Outcome::Ended(Status::Io)));
        }
        assert!(matches!(judged(&[], whole), Outcome::Ended(Status::Io)));
    }
}
