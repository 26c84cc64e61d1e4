//! Where the bytes of one answer come from: a worker's Unix stream that is positioned at the
//! first byte, and the number of bytes that belong to this answer.

use super::{
    deadline::Deadline,
    pace::Pace,
    pipes::{PIPE_BYTES, Pipe},
    tempo::Tempo,
};
use rustix::pipe::{SpliceFlags, splice};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A worker that sends nothing for this long, while the viewer would take bytes, has stalled.
const WORKER_STALL: Duration = Duration::from_secs(10);

/// What happens to the worker's connection after the last byte. Dropped without
/// [`Lease::finish`], the connection is closed and never used again.
pub trait Lease: Send {
    /// Every byte of the range was taken: the connection may carry the next one.
    fn finish(self: Box<Self>, stream: UnixStream);
}

/// Bytes that went out to one viewer's play.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

impl Meter {
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The rules of one flow of bytes, whatever carries it.
pub struct Flow {
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    pace: Pace,
    meter: Arc<Meter>,
    pause: Deadline,
    stall: Deadline,
    tempo: Tempo,
}

impl Flow {
    /// `cut` ends the connection in the middle: the session ended, a right was taken away, or
    /// the owner said stop.
    pub fn new(cut: CancellationToken, pace: Pace, meter: Arc<Meter>) -> Self {
        Self {
            cut: Box::pin(cut.cancelled_owned()),
            pace,
            meter,
            pause: Deadline::default(),
            stall: Deadline::default(),
            tempo: Tempo::default(),
        }
    }

    /// # Errors
    /// The flow was cut.
    pub(super) fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "this stream was ended")),
            Poll::Pending => Ok(()),
        }
    }

    /// How much of `want` the viewer's rate allows, waiting where it allows nothing.
    pub(super) fn poll_allowance(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<usize> {
        loop {
            match self.pace.take(want) {
                Ok(allowed) => return Poll::Ready(allowed),
                Err(at) => ready!(self.pause.poll_until(cx, at)),
            }
        }
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.pace.give_back(bytes);
    }

    /// Called while the worker has nothing for us.
    pub(super) fn poll_worker(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.tempo.waits(Instant::now());
        self.stall
            .poll_waiting(cx, WORKER_STALL)
            .map(|()| io::Error::new(io::ErrorKind::TimedOut, "the worker sent nothing for 10 s"))
    }

    /// # Errors
    /// It was too little for the time it took.
    pub(super) fn worker_moved(&mut self, bytes: usize) -> io::Result<()> {
        self.stall.moved();
        match self.tempo.came(bytes, Instant::now) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, "the worker gives less than 64 KiB/s")),
        }
    }

    pub(super) fn count(&self, bytes: usize) {
        self.meter.add(bytes as u64);
    }
}

/// The worker's file was shorter than it said.
pub(super) fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the worker ended before the range did")
}

/// One range on its way.
pub struct Source {
    stream: UnixStream,
    lease: Option<Box<dyn Lease>>,
    pub(super) flow: Flow,
    length: u64,
    /// Still to be taken from the worker.
    left_in: u64,
    /// Still to be handed to the viewer.
    left_out: u64,
    pipe: Option<Pipe>,
    in_pipe: usize,
}

impl Source {
    /// `stream` is positioned at the first of `length` bytes.
    pub fn new(stream: UnixStream, length: u64, lease: Box<dyn Lease>, flow: Flow) -> Self {
        Self { stream, lease: Some(lease), flow, length, left_in: length, left_out: length, pipe: None, in_pipe: 0 }
    }

    pub fn length(&self) -> u64 {
        self.length
    }
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
    pub(super) fn has_started(&self) -> bool {
        self.left_out < self.length
    }

    /// Moves at most `want` bytes to the viewer without seeing them. Never takes more from the
    /// worker than this range, so surplus bytes of a lying worker stay where they are.
    pub(super) fn poll_move(&mut self, tcp: &TcpStream, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<usize>> {
        self.flow.check(cx)?;
        if self.in_pipe == 0 {
            ready!(self.poll_fill(cx))?;
        }
        // Asked before the rate is charged: a viewer who takes nothing must not empty the bucket.
        ready!(tcp.poll_write_ready(cx))?;
        let want = self.in_pipe.min(want);
        let allowed = ready!(self.flow.poll_allowance(cx, want));
        let Some(pipe) = &self.pipe else { return Poll::Ready(Err(too_short())) };
        let more = if self.left_out > allowed as u64 { SpliceFlags::MORE } else { SpliceFlags::empty() };
        loop {
            let moved = tcp.try_io(Interest::WRITABLE, || {
                Ok(splice(&pipe.reader, None, tcp, None, allowed, SpliceFlags::MOVE | SpliceFlags::NONBLOCK | more)?)
            });
            match moved {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(moved) => {
                    self.flow.give_back(allowed - moved);
                    self.flow.count(moved);
                    self.in_pipe -= moved;
                    self.left_out -= moved as u64;
                    return Poll::Ready(Ok(moved));
                }
                // The pipe holds bytes, so it is the viewer's socket that is full; `try_io` has
                // cleared its readiness and cannot lose an edge that came since.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match tcp.poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => {
                        self.flow.give_back(allowed);
                        return Poll::Pending;
                    }
                },
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// Worker → pipe. The pipe is empty here, so "would block" means the worker is late.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pipe.is_none() {
            self.pipe = Some(Pipe::take()?);
        }
        let Some(pipe) = &self.pipe else { return Poll::Ready(Err(too_short())) };
        let want = usize::try_from(self.left_in).unwrap_or(PIPE_BYTES).min(PIPE_BYTES);
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return self.flow.poll_worker(cx).map(Err),
            }
            let filled = self.stream.try_io(Interest::READABLE, || {
                let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
                Ok(splice(&self.stream, None, &pipe.writer, None, want, flags)?)
            });
            match filled {
                Ok(0) => return Poll::Ready(Err(too_short())),
                Ok(filled) => {
                    self.flow.worker_moved(filled)?;
                    self.in_pipe = filled;
                    self.left_in -= filled as u64;
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// Everything went out: the worker's connection and the pipe may serve again.
    pub(super) fn finish(mut self) {
        debug_assert!(self.left_out == 0 && self.in_pipe == 0);
        if let Some(pipe) = self.pipe.take() {
            pipe.give_back_empty();
        }
        if let Some(lease) = self.lease.take() {
            lease.finish(self.stream);
        }
    }

    /// For the body that reads instead of splicing: reads at most one buffer.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut bytes::BytesMut) -> Poll<io::Result<()>> {
        self.flow.check(cx)?;
        let want = usize::try_from(self.left_in).unwrap_or(PIPE_BYTES).min(PIPE_BYTES);
        let allowed = ready!(self.flow.poll_allowance(cx, want));
        loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.flow.give_back(allowed);
                    return self.flow.poll_worker(cx).map(Err);
                }
            }
            out.resize(allowed, 0);
            match self.stream.try_read(&mut out[..]) {
                Ok(0) => return Poll::Ready(Err(too_short())),
                Ok(read) => {
                    out.truncate(read);
                    self.flow.give_back(allowed - read);
                    self.flow.worker_moved(read)?;
                    self.flow.count(read);
                    self.left_in -= read as u64;
                    self.left_out -= read as u64;
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

/// The one place a connection keeps its current source. Shared by the body, which puts it
/// there, and the IO object, which empties it. The lock is held for system calls that never wait.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Source>>>);

impl Slot {
    /// # Errors
    /// Another answer is unfinished: two at once would mix films, so the connection must go.
    pub(super) fn place(&self, source: Source) -> io::Result<()> {
        let mut slot = self.lock();
        if slot.is_some() {
            return Err(io::Error::other("an earlier answer on this connection is unfinished"));
        }
        *slot = Some(source);
        Ok(())
    }
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Option<Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
