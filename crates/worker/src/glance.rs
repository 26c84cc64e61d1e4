//! Many files, a glance at each: headers only, no program is started.

use crate::{
    connection::gone,
    job::{self, JobLimits, Outcome},
};
use contract::{FileRef, Looked, Status, look};
use media::{
    jail::OpenFile,
    walk::{Walked, walk},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    os::{fd::AsFd, unix::net::UnixStream},
    time::Instant,
};

/// What a verdict without facts takes of the answer, at most.
const VERDICT_BYTES: usize = 16;

pub fn run(
    gateway: &UnixStream,
    files: &[FileRef],
    limits: JobLimits,
    open: impl Fn(&FileRef) -> Result<OpenFile, Status>,
) -> Outcome {
    if files.is_empty() || files.len() > look::MAX_FILES {
        return Outcome::Ended(Status::Refused);
    }
    let deadline = Instant::now() + limits.time;
    let Some(mut room) = limits.max_bytes.checked_sub(files.len() * VERDICT_BYTES) else {
        return Outcome::Ended(Status::Limit);
    };
    let mut looked = Vec::with_capacity(files.len());
    for file in files {
        if has_left(gateway) {
            return Outcome::Cancelled;
        }
        if Instant::now() >= deadline {
            looked.push(Looked::Later);
            continue;
        }
        let verdict = match open(file) {
            Ok(open) => glance(&open),
            Err(Status::NotFound | Status::Changed) => Looked::Changed,
            Err(_) => Looked::Unreadable,
        };
        let size = if let Looked::Known(json) = &verdict { json.len() } else { 0 };
        match room.checked_sub(size) {
            Some(left) => {
                room = left;
                looked.push(verdict);
            }
            None => looked.push(Looked::Later),
        }
    }
    look::encode(&looked).map_or(Outcome::Ended(Status::Limit), Outcome::Done)
}

fn glance(open: &OpenFile) -> Looked {
    if job::is_cut(open) {
        return Looked::Cut;
    }
    let read = |at, out: &mut [u8]| rustix::io::pread(&open.fd, out, at).unwrap_or(0);
    match walk(open.size_bytes, read) {
        Walked::Known(json) => Looked::Known(json.into_bytes()),
        Walked::Unsure(_) => Looked::Unsure,
    }
}

fn has_left(gateway: &UnixStream) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(gateway.as_fd(), PollFlags::RDHUP)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) && gone(fds[0].revents())
}
