//! One request on one data connection. The connection is bound to this request by a one-time
//! token or by having been handed back whole; the answer is believed only as far as it equals
//! what was asked for.

use super::{FIRST_BYTE_DEADLINE, Link, POOLED, STALL_DEADLINE, Using, control::Order, lock};
use contract::{AnswerHead, Job, Request, RequestBody, Status, ToWorker, frame::encode};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use subtle::ConstantTimeEq;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

/// Words behind a failed job; more is a broken rule.
const MAX_EPITAPH: u64 = 4096;
const REMEMBERED_DIALS: usize = 32;

/// How a request can end without its bytes.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The link is closed; a new generation may be on its way.
    #[error("the worker is gone")]
    Gone,
    #[error("the worker has its hands full")]
    Busy,
    #[error("the worker answered {status:?}")]
    Ended { status: Status, text: String },
    #[error("{0}")]
    Late(&'static str),
    #[error("{0}")]
    Broke(String),
}

/// How much a worker may announce for a request whose bytes go straight on to a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announces {
    /// A range: the gateway knows its length.
    Exactly(u64),
    /// A segment: the worker knows, up to this, and there is no empty one.
    AtMost(u32),
}

impl Announces {
    fn allows(self, length: u64) -> bool {
        match self {
            Self::Exactly(expected) => length == expected,
            Self::AtMost(most) => (1..=u64::from(most)).contains(&length),
        }
    }
}

/// Bytes on their way: exactly `length` of them follow on the stream.
#[derive(Debug)]
pub struct RangeStream {
    stream: UnixStream,
    lease: RangeLease,
}

impl RangeStream {
    pub fn length(&self) -> u64 {
        self.lease.length
    }
    /// The stream is non-blocking and positioned at the first byte. Take exactly
    /// [`RangeStream::length`] bytes, then hand it back with [`RangeLease::finish`].
    pub fn into_parts(self) -> (UnixStream, RangeLease) {
        (self.stream, self.lease)
    }
}

/// The right to one worker's attention. Dropping it frees the place and, since the stream goes
/// with it, tells the worker to stop.
#[derive(Debug)]
pub struct RangeLease {
    using: Using,
    length: u64,
}

impl RangeLease {
    pub fn length(&self) -> u64 {
        self.length
    }
    /// Every byte was taken: the connection may serve another request.
    pub fn finish(self, stream: UnixStream) {
        self.using.0.pool(stream);
    }
    /// The worker sent fewer bytes than it promised, or stopped in the middle.
    pub fn broke(self, what: &str) {
        self.using.0.strike(what);
        self.using.0.suspect();
    }
    /// Whether the worker behind this stream has been given up; the stream will not go on.
    pub fn is_over(&self) -> bool {
        !self.using.0.is_alive()
    }
}

impl Link {
    /// Asks for bytes that a viewer waits for. Returns when the worker has answered and the first
    /// byte is due, at the latest after `within`. Dropping the future tells the worker to stop.
    pub async fn stream(
        self: &Arc<Self>,
        body: RequestBody,
        announces: Announces,
        within: Duration,
    ) -> Result<RangeStream, DataError> {
        let using = self.begin()?;
        let deadline = Instant::now() + within;
        let _working = self.works.begin(&body, self.next.fetch_add(1, Ordering::Relaxed));
        let (stream, head) = self.ask(body, deadline).await?;
        match head.status {
            Status::Ok if announces.allows(head.length) => {
                Ok(RangeStream { stream, lease: RangeLease { using, length: head.length } })
            }
            Status::Ok => {
                self.strike(&format!("it announced {} bytes where {announces:?} was asked for", head.length));
                Err(DataError::Broke("the worker announced another length".into()))
            }
            status => Err(self.verdict(stream, head, status, deadline).await),
        }
    }

    /// A bounded result. Dropping the future closes the connection, which cancels the job.
    pub async fn job(self: &Arc<Self>, job: Job, max_bytes: u32, limit: Duration) -> Result<Vec<u8>, DataError> {
        let _using = self.begin()?;
        let time_limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        // The worker keeps the limit itself; the margin is for its answer, not for its work.
        let deadline = Instant::now() + limit + FIRST_BYTE_DEADLINE;
        let body = RequestBody::Job { job, max_bytes, time_limit_ms };
        let _working = self.works.begin(&body, self.next.fetch_add(1, Ordering::Relaxed));
        let (mut stream, head) = self.ask(body, deadline).await?;
        match head.status {
            Status::Ok if head.length <= u64::from(max_bytes) => {
                // A result that dribbles would otherwise hold up a scan for as long as it likes.
                let taken = timeout_at(deadline + STALL_DEADLINE, self.take(&mut stream, head.length)).await;
                let Ok(result) = taken else {
                    self.strike("a result that takes for ever");
                    return Err(DataError::Late("the worker stopped in the middle of its answer"));
                };
                let result = result?;
                self.pool(stream);
                Ok(result)
            }
            Status::Ok => {
                self.strike("a result is larger than allowed");
                Err(DataError::Broke("the worker announced a result larger than allowed".into()))
            }
            status => Err(self.verdict(stream, head, status, deadline).await),
        }
    }

    async fn verdict(&self, mut stream: UnixStream, head: AnswerHead, status: Status, until: Instant) -> DataError {
        let allowed = if status == Status::Failed { MAX_EPITAPH } else { 0 };
        if head.length > allowed {
            self.strike("bytes behind an answer that has none");
            return DataError::Broke("the worker sent bytes where none belong".into());
        }
        let text = match timeout_at(until, self.take(&mut stream, head.length)).await {
            Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(500).collect(),
            Ok(Err(e)) => return e,
            Err(_) => return DataError::Late("the worker stopped in the middle of its answer"),
        };
        self.pool(stream);
        DataError::Ended { status, text }
    }

    /// Reads `length` bytes of a result; no more than [`STALL_DEADLINE`] may pass without one.
    async fn take(&self, stream: &mut UnixStream, length: u64) -> Result<Vec<u8>, DataError> {
        let mut out = Vec::new();
        let mut left = usize::try_from(length).map_err(|_| DataError::Broke("absurd length".into()))?;
        while left > 0 {
            // Grown as bytes come, so that a promise alone takes no memory.
            let mut chunk = [0; 4 << 10];
            let want = left.min(chunk.len());
            match timeout(STALL_DEADLINE, stream.read(&mut chunk[..want])).await {
                Ok(Ok(0)) => {
                    self.strike("an answer shorter than announced");
                    return Err(DataError::Broke("the worker sent less than it announced".into()));
                }
                Ok(Ok(n)) => {
                    out.extend_from_slice(&chunk[..n]);
                    left -= n;
                }
                Ok(Err(e)) => return Err(DataError::Broke(format!("reading the answer failed: {e}"))),
                Err(_) => {
                    self.suspect();
                    return Err(DataError::Late("the worker stopped in the middle of its answer"));
                }
            }
        }
        Ok(out)
    }

    /// Sends a request and reads its head. A pooled connection may have died while it lay
    /// there; then, and only then, a fresh one gets the same request.
    async fn ask(self: &Arc<Self>, body: RequestBody, until: Instant) -> Result<(UnixStream, AnswerHead), DataError> {
        if let Some(mut stream) = self.pooled() {
            match self.ask_on(&mut stream, body.clone(), until).await {
                Ok(head) => return Ok((stream, head)),
                Err(Asked::NoAnswer) => {}
                Err(Asked::Failed(e)) => return Err(e),
            }
        }
        let mut stream = self.dial(until).await?;
        match self.ask_on(&mut stream, body, until).await {
            Ok(head) => Ok((stream, head)),
            Err(Asked::NoAnswer) if self.is_alive() => Err(DataError::Broke("the worker closed the connection".into())),
            Err(Asked::NoAnswer) => Err(DataError::Gone),
            Err(Asked::Failed(e)) => Err(e),
        }
    }

    async fn ask_on(&self, stream: &mut UnixStream, body: RequestBody, until: Instant) -> Result<AnswerHead, Asked> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let request = encode(&Request { id, body })
            .map_err(|e| Asked::Failed(DataError::Broke(format!("the request has no frame: {e}"))))?;
        let mut bytes = [0; AnswerHead::BYTES];
        let mut got = 0;
        let asked = async {
            if stream.write_all(&request).await.is_err() {
                return Err(Asked::NoAnswer);
            }
            while got < bytes.len() {
                match stream.read(&mut bytes[got..]).await {
                    Ok(n) if n > 0 => got += n,
                    _ if got == 0 => return Err(Asked::NoAnswer),
                    _ => return Err(Asked::Failed(DataError::Broke("the worker broke off its answer".into()))),
                }
            }
            Ok(())
        };
        tokio::select! {
            outcome = timeout_at(until, asked) => match outcome {
                Ok(outcome) => outcome?,
                Err(_) => {
                    self.suspect();
                    return Err(Asked::Failed(DataError::Late("the worker did not answer in time")));
                }
            },
            () = self.dead.cancelled() => return Err(Asked::Failed(DataError::Gone)),
        }
        match AnswerHead::from_bytes(&bytes) {
            Some(head) if head.id == id => Ok(head),
            Some(_) => {
                self.strike("an answer to another request");
                Err(Asked::Failed(DataError::Broke("the worker answered another request".into())))
            }
            None => {
                self.strike("an answer that is none");
                Err(Asked::Failed(DataError::Broke("the worker's answer has no head".into())))
            }
        }
    }

    async fn dial(&self, until: Instant) -> Result<UnixStream, DataError> {
        let mut token = [0; 16];
        self.random.random(&mut token);
        let (answer, stream) = oneshot::channel();
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut dials = lock(&self.dials);
            // A dial that came too late for its order is known, so that slowness is no offence;
            // how many of those are remembered is bounded.
            if dials.len() >= REMEMBERED_DIALS {
                dials.retain(|_, dial| !dial.answer.is_closed());
            }
            dials.insert(key, super::Dial { token, answer });
        }
        let outcome = tokio::select! {
            outcome = timeout_at(until, async {
                self.orders.send(Order::Say(ToWorker::Dial { token })).await.map_err(|_| DataError::Gone)?;
                stream.await.map_err(|_| DataError::Gone)
            }) => outcome,
            () = self.dead.cancelled() => Ok(Err(DataError::Gone)),
        };
        outcome.unwrap_or_else(|_| {
            self.suspect();
            Err(DataError::Late("the worker did not dial in"))
        })
    }

    /// Hands a connection to whoever ordered it. A token works once, and only while it is awaited.
    pub(super) fn connect(&self, token: [u8; 16], stream: UnixStream) -> Result<(), String> {
        let mut dials = lock(&self.dials);
        // Every token is compared, so the time taken says nothing about which came close.
        let mut key = None;
        for (candidate, dial) in dials.iter() {
            if bool::from(dial.token.ct_eq(&token)) {
                key = Some(*candidate);
            }
        }
        let dial = key.and_then(|key| dials.remove(&key)).ok_or("its token is not awaited")?;
        drop(dials);
        // Nobody waits any more: the stream closes here, which is no offence of the worker.
        let _ = dial.answer.send(stream);
        Ok(())
    }

    /// A connection that lies idle, is still open, and has nothing to say.
    fn pooled(&self) -> Option<UnixStream> {
        loop {
            let stream = lock(&self.idle).pop()?;
            match silence(&stream) {
                Silence::Silent => return Some(stream),
                Silence::Closed => {}
                Silence::Spoke => self.strike("bytes that nobody asked for"),
            }
        }
    }

    fn pool(&self, stream: UnixStream) {
        match silence(&stream) {
            Silence::Silent => {}
            Silence::Closed => return,
            Silence::Spoke => return self.strike("more bytes than announced"),
        }
        let mut idle = lock(&self.idle);
        if idle.len() < POOLED && self.is_alive() {
            idle.push(stream);
        }
    }
}

enum Asked {
    /// Closed before a single byte of an answer.
    NoAnswer,
    Failed(DataError),
}

enum Silence {
    Silent,
    Closed,
    Spoke,
}

/// Looks at the socket itself: the runtime's memory of its readiness may be older than the bytes.
fn silence(stream: &UnixStream) -> Silence {
    use rustix::net::{RecvFlags, recv};
    let mut byte = [0; 1];
    match recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Silence::Silent,
        Ok((n, _)) if n > 0 => Silence::Spoke,
        _ => Silence::Closed,
    }
}
