//! Frames over a Unix stream, and one data connection from its token to its end.

use crate::{calibrate, glance, heads::Heads, job, log, range, settings::Settings};
use contract::{AnswerHead, FileRef, FrameError, Job, Opening, Request, RequestBody, Status, frame};
use media::jail::{OpenFile, OpenFileError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// How many requests are being worked on, for pongs.
pub static BUSY: AtomicU32 = AtomicU32::new(0);

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("connect to the gateway: {0}")]
    Connect(#[source] io::Error),
    #[error("read from the gateway: {0}")]
    Read(#[source] io::Error),
    #[error("write to the gateway: {0}")]
    Write(#[source] io::Error),
    #[error("the gateway sent what is no frame: {0}")]
    Frame(#[from] FrameError),
    #[error("the gateway is gone")]
    Closed,
    /// A head went out, but not all of its bytes can: only closing tells the gateway.
    #[error("an answer was cut short: {0}")]
    Cut(&'static str),
}

/// Reads one message; `Closed` when the other side ended between two.
pub fn receive<T: DeserializeOwned>(stream: &mut UnixStream) -> Result<T, ConnectionError> {
    let mut field = [0; 4];
    let first = stream.read(&mut field[..1]).map_err(ConnectionError::Read)?;
    if first == 0 {
        return Err(ConnectionError::Closed);
    }
    stream.read_exact(&mut field[1..]).map_err(ConnectionError::Read)?;
    let mut body = vec![0; frame::body_length(field)?];
    stream.read_exact(&mut body).map_err(ConnectionError::Read)?;
    Ok(frame::decode(&body)?)
}

/// Writes one message.
pub fn send<T: Serialize>(stream: &mut UnixStream, message: &T) -> Result<(), ConnectionError> {
    stream.write_all(&frame::encode(message)?).map_err(ConnectionError::Write)
}

/// Dials one data connection and serves it until the gateway closes it.
pub fn serve(settings: &Arc<Settings>, heads: &Heads, token: [u8; 16]) {
    let end = UnixStream::connect(&settings.socket)
        .map_err(ConnectionError::Connect)
        .and_then(|stream| converse(settings, heads, stream, token));
    match end {
        // Closing a connection in the middle of a film is what players do all day.
        Err(ConnectionError::Closed | ConnectionError::Write(_) | ConnectionError::Read(_)) | Ok(()) => {}
        Err(error) => log::line(&format!("data connection: {error}")),
    }
}

fn converse(
    settings: &Arc<Settings>,
    heads: &Heads,
    mut stream: UnixStream,
    token: [u8; 16],
) -> Result<(), ConnectionError> {
    range::widen(&stream);
    send(&mut stream, &Opening::Data { token })?;
    loop {
        let request: Request = receive(&mut stream)?;
        let _busy = Busy::new();
        answer(settings, heads, &mut stream, request)?;
    }
}

fn answer(
    settings: &Arc<Settings>,
    heads: &Heads,
    stream: &mut UnixStream,
    request: Request,
) -> Result<(), ConnectionError> {
    let id = request.id;
    match request.body {
        RequestBody::Range { file, offset, length } => {
            let opened = open(settings, &file).and_then(|f| range::check(&f, offset, length).map(|()| f));
            match opened {
                Ok(open) => {
                    head(stream, AnswerHead { id, status: Status::Ok, length })?;
                    range::send(stream, &open, offset, length)
                }
                Err(status) => head(stream, AnswerHead { id, status, length: 0 }),
            }
        }
        RequestBody::Job { job, max_bytes, time_limit_ms } => {
            let limits = job::JobLimits::new(max_bytes, time_limit_ms);
            let outcome = match &job {
                Job::Calibrate { rungs, read, chip } => {
                    // Its disk may be away; everything else can be measured all the same.
                    let read = read.as_ref().and_then(|file| open(settings, file).ok());
                    calibrate::run(settings, stream, rungs, read, *chip, limits)
                }
                Job::Glance { files } => glance::run(stream, files, limits, |file| open(settings, file)),
                Job::Rest { file, track } => match open(settings, file) {
                    Ok(open) => {
                        heads.rest(file, &open, track.clone());
                        job::Outcome::Done(Vec::new())
                    }
                    Err(status) => job::Outcome::Ended(status),
                },
                Job::Begin { file, track, wanted } => match open(settings, file) {
                    Ok(open) => match heads.begin_at(settings, file, &open, track.clone(), wanted) {
                        Ok(()) => job::Outcome::Done(Vec::new()),
                        Err(outcome) => outcome,
                    },
                    Err(status) => job::Outcome::Ended(status),
                },
                Job::Probe { file }
                | Job::Index { file, .. }
                | Job::Keys { file }
                | Job::Poster { file, .. }
                | Job::Subtitles { file, .. }
                | Job::Sheet { file, .. }
                | Job::SubtitleFile { file, .. } => match open(settings, file) {
                    Ok(open) => job::run(settings, stream, &job, open, limits),
                    Err(status) => job::Outcome::Ended(status),
                },
            };
            finish(stream, id, outcome)
        }
        RequestBody::Init { file, track, max_bytes } => {
            let made = open(settings, &file)
                .map_err(job::Outcome::Ended)
                .and_then(|open| heads.init(settings, &file, &open, track, stream));
            share(stream, id, made, max_bytes)
        }
        RequestBody::Segment { file, track, wanted, max_bytes } => {
            let made = open(settings, &file)
                .map_err(job::Outcome::Ended)
                .and_then(|open| heads.segment(settings, &file, &open, track, &wanted, stream));
            share(stream, id, made, max_bytes)
        }
    }
}

/// Sends what was made, or says why not.
fn finish(stream: &mut UnixStream, id: u64, outcome: job::Outcome) -> Result<(), ConnectionError> {
    let (status, bytes) = match outcome {
        job::Outcome::Done(bytes) => (Status::Ok, bytes),
        job::Outcome::Failed(text) => (Status::Failed, text.into_bytes()),
        job::Outcome::Ended(status) => (status, Vec::new()),
        job::Outcome::Cancelled => return Err(ConnectionError::Closed),
    };
    head(stream, AnswerHead { id, status, length: bytes.len() as u64 })?;
    stream.write_all(&bytes).map_err(ConnectionError::Write)
}

/// Like [`finish`] for what others may be reading too.
fn share(
    stream: &mut UnixStream,
    id: u64,
    made: Result<Arc<Vec<u8>>, job::Outcome>,
    max_bytes: u32,
) -> Result<(), ConnectionError> {
    match made {
        Ok(bytes) if bytes.len() <= max_bytes as usize => {
            head(stream, AnswerHead { id, status: Status::Ok, length: bytes.len() as u64 })?;
            stream.write_all(&bytes).map_err(ConnectionError::Write)
        }
        Ok(_) => finish(stream, id, job::Outcome::Ended(Status::Limit)),
        Err(outcome) => finish(stream, id, outcome),
    }
}

/// Whether the gateway has left. It sends nothing while a request runs, so leaving is all it can do.
pub fn is_gone(gateway: &UnixStream) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(gateway.as_fd(), PollFlags::RDHUP)];
    let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    gone(fds[0].revents())
}

/// What poll says of a gateway that has left.
pub fn gone(events: PollFlags) -> bool {
    events.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
}

fn head(stream: &mut UnixStream, head: AnswerHead) -> Result<(), ConnectionError> {
    stream.write_all(&head.to_bytes()).map_err(ConnectionError::Write)
}

/// Opens the file of a request beneath its mount, or says why not.
fn open(settings: &Settings, file: &FileRef) -> Result<OpenFile, Status> {
    let root = settings.root(&file.mount).ok_or(Status::Refused)?;
    let root = root.map_err(|error| {
        log::line(&format!("mount {}: {error}", file.mount));
        Status::Io
    })?;
    let open = root.open_file(&file.path).map_err(|error| match error {
        OpenFileError::NotFound => Status::NotFound,
        OpenFileError::BadPath | OpenFileError::Escapes | OpenFileError::NotRegular => Status::Refused,
        OpenFileError::Denied | OpenFileError::Io(_) => Status::Io,
    })?;
    let same = file.size.is_none_or(|size| size == open.size_bytes)
        && file.mtime_ns.is_none_or(|mtime_ns| mtime_ns == open.mtime_ns);
    if same { Ok(open) } else { Err(Status::Changed) }
}

/// Counts a request for as long as it lives.
struct Busy;

impl Busy {
    fn new() -> Self {
        BUSY.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}
