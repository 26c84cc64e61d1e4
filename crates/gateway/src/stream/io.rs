//! The object hyper reads from and writes to. It knows four things hyper does not: that some
//! slices stand for film, when a viewer has stopped taking bytes, how long a request head may
//! take, and that a connection which cannot keep its word must be reset rather than closed.

use super::{deadline::Deadline, marker, source::Slot};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// How long a connection may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct IoLimits {
    /// From accept to the first byte of the first request.
    pub first_byte: Duration,
    /// From the first byte of a request head to its last.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Between two requests, while this connection has shown no sign-in.
    pub stranger_idle: Duration,
    /// Without the viewer taking a byte that is ready for them.
    pub write: Duration,
}

impl Default for IoLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stranger_idle: Duration::from_secs(15),
            write: Duration::from_secs(60),
        }
    }
}

/// Streams share two threads fairly when none moves more than this before others get a turn.
const TURN_BYTES: usize = 512 << 10;

/// What the service tells the IO object about the request at hand. hyper's own head timer also
/// runs while a slow viewer still takes the end of an answer, and while a connection merely
/// idles; this one does not.
#[derive(Clone, Default)]
pub struct Activity(Arc<ActivityState>);

struct ActivityState {
    serving: AtomicU32,
    begun: AtomicU64,
    /// A request with a sign-in came on it.
    is_known: AtomicBool,
    quiet_since: Mutex<Instant>,
}

impl Default for ActivityState {
    fn default() -> Self {
        let (serving, begun, is_known) = Default::default();
        Self { serving, begun, is_known, quiet_since: Mutex::new(Instant::now()) }
    }
}

/// Held from the end of the request's head to the end of the answer's body.
pub struct Serving(Activity);

impl Activity {
    pub fn begin(&self) -> Serving {
        self.0.serving.fetch_add(1, Ordering::SeqCst);
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        Serving(self.clone())
    }
    pub fn knows_its_caller(&self) {
        self.0.is_known.store(true, Ordering::SeqCst);
    }
    /// Returns since when a connection without a sign-in has asked for nothing.
    pub fn idle_stranger_since(&self) -> Option<Instant> {
        let is_idle = !self.is_serving() && !self.0.is_known.load(Ordering::SeqCst);
        is_idle.then(|| *self.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub fn is_serving(&self) -> bool {
        self.0.serving.load(Ordering::SeqCst) > 0
    }
    fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::SeqCst)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        *self.0.0.quiet_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.0.serving.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The present wait for a request head.
struct Waiting {
    since: Instant,
    /// A part of the head is here.
    head_began: bool,
    /// Requests that had begun before it, so that the wait of an earlier one is recognised.
    begun: u64,
}

pub struct SpliceIo {
    tcp: TcpStream,
    slot: Slot,
    activity: Activity,
    limits: IoLimits,
    reading: Deadline,
    waiting: Option<Waiting>,
    writing: Deadline,
    write_is_pending: bool,
    turn: usize,
}

impl SpliceIo {
    pub fn new(tcp: TcpStream, slot: Slot, activity: Activity, limits: IoLimits) -> Self {
        Self {
            tcp,
            slot,
            activity,
            limits,
            reading: Deadline::default(),
            waiting: None,
            writing: Deadline::default(),
            write_is_pending: false,
            turn: 0,
        }
    }

    /// The last resort: bytes that were queued are thrown away and the viewer sees a reset,
    /// which no browser takes for the end of a film.
    fn fail(&mut self, error: io::Error) -> io::Error {
        let _ = rustix::net::sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO));
        drop(self.slot.lock().take());
        error
    }

    /// While nothing comes in: is the peer late?
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let now = Instant::now();
            if self.activity.is_serving() || self.write_is_pending {
                self.waiting = None;
                // Looks again later: nothing else wakes us when the answer has gone out.
                ready!(self.reading.poll_waiting(cx, self.limits.head));
                self.reading.moved();
                continue;
            }
            let begun = self.activity.begun();
            let waiting = match self.waiting.take() {
                Some(waiting) if waiting.begun == begun => waiting,
                _ => Waiting { since: now, head_began: false, begun },
            };
            let limit = match (waiting.head_began, begun) {
                (true, _) => self.limits.head,
                (false, 0) => self.limits.first_byte,
                (false, _) if self.activity.0.is_known.load(Ordering::SeqCst) => self.limits.idle,
                (false, _) => self.limits.stranger_idle,
            };
            let until = waiting.since + limit;
            self.waiting = Some(waiting);
            ready!(self.reading.poll_until(cx, until));
            self.reading.moved();
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no request in time"));
        }
    }

    fn poll_film(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<usize>> {
        if self.turn >= TURN_BYTES {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut slot = self.slot.lock();
        let Some(source) = slot.as_mut() else {
            drop(slot);
            let error = io::Error::new(io::ErrorKind::InvalidData, "film bytes are due and there is no source");
            return Poll::Ready(Err(self.fail(error)));
        };
        let moved = match source.poll_move(&self.tcp, cx, want) {
            Poll::Ready(Ok(moved)) => moved,
            Poll::Ready(Err(e)) => {
                drop(slot);
                return Poll::Ready(Err(self.fail(e)));
            }
            Poll::Pending => return Poll::Pending,
        };
        if source.left_out() == 0
            && let Some(done) = slot.take()
        {
            done.finish();
        }
        drop(slot);
        self.turn += moved;
        Poll::Ready(Ok(moved))
    }

    fn poll_plain(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        film_follows: bool,
    ) -> Poll<io::Result<usize>> {
        // The head of an answer goes out while its source waits; after that only film may.
        if self.slot.lock().as_ref().is_some_and(super::Source::has_started) {
            let error = io::Error::new(io::ErrorKind::InvalidData, "plain bytes in the middle of a film");
            return Poll::Ready(Err(self.fail(error)));
        }
        let more = if film_follows { SendFlags::MORE } else { SendFlags::empty() };
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                Ok(sendmsg(&self.tcp, bufs, &mut SendAncillaryBuffer::default(), more | SendFlags::NOSIGNAL)?)
            });
            match sent {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncRead for SpliceIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.tcp).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if !this.activity.is_serving() && buf.filled().len() > before {
                    // The first byte starts the clock of the head; later ones do not restart it.
                    let begun = this.activity.begun();
                    if this.waiting.as_ref().is_none_or(|w| !w.head_began || w.begun != begun) {
                        this.waiting = Some(Waiting { since: Instant::now(), head_began: true, begun });
                    }
                }
                Poll::Ready(result)
            }
            Poll::Pending => match this.poll_late(cx) {
                Poll::Ready(late) => Poll::Ready(Err(late)),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl AsyncWrite for SpliceIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let plain = bufs.iter().position(|b| marker::is_marker(b)).unwrap_or(bufs.len());
        let result = if plain > 0 {
            this.poll_plain(cx, &bufs[..plain], plain < bufs.len())
        } else {
            let film = bufs.iter().take_while(|b| marker::is_marker(b)).map(|b| b.len()).sum();
            this.poll_film(cx, film)
        };
        match result {
            Poll::Ready(result) => {
                this.writing.moved();
                Poll::Ready(result)
            }
            Poll::Pending => {
                this.write_is_pending = true;
                ready!(this.writing.poll_waiting(cx, this.limits.write));
                let error = io::Error::new(io::ErrorKind::TimedOut, "the viewer takes no bytes");
                Poll::Ready(Err(this.fail(error)))
            }
        }
    }

    /// hyper comes here when everything it had was written.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_is_pending = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // A clean end in the middle of a film would be a lie.
        if this.slot.lock().is_some() {
            let error = io::Error::new(io::ErrorKind::InvalidData, "the connection ends before the film does");
            return Poll::Ready(Err(this.fail(error)));
        }
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

impl Drop for SpliceIo {
    fn drop(&mut self) {
        if self.slot.lock().take().is_some() {
            let _ = rustix::net::sockopt::set_socket_linger(&self.tcp, Some(Duration::ZERO));
        }
    }
}
