//! The gateway's end of everything a worker says. The worker is taken for hostile from its
//! first byte: every message is bounded before it is read, every wait has a deadline, a
//! connection is worth only what its nonce or token says, and three broken rules end the loge.
//!
//! Descriptors are never accepted: everything is read with plain `read`, without room for
//! control messages, so the kernel drops what a worker tries to pass.

mod control;
mod gate;
mod peer;
mod request;
mod wire;
mod works;

pub use gate::{Gate, GateError};
pub use peer::{PeerRule, PeerSlot, Within};
pub use request::{Announces, DataError, RangeLease, RangeStream};

use contract::ToWorker;
use control::Order;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use works::Works;

pub const HELLO_DEADLINE: Duration = Duration::from_secs(2);
pub const FIRST_BYTE_DEADLINE: Duration = Duration::from_secs(5);
/// A segment may have to be encoded first. A little more than the worker gives itself, so that
/// the verdict is the worker's own.
pub const SEGMENT_DEADLINE: Duration = Duration::from_secs(21);
pub const STALL_DEADLINE: Duration = Duration::from_secs(10);
pub const PING_EVERY: Duration = Duration::from_secs(5);
/// While somebody waits for bytes, or takes them.
pub const PING_ACTIVE: Duration = Duration::from_secs(1);
/// A worker that does not answer a ping for this long while somebody watches is replaced: the
/// next one is there within five seconds of the hang. Waiting for a disk is no hang, since pings
/// are answered by a thread that never touches one.
pub const HANGS_AFTER: Duration = Duration::from_secs(2);
/// A pong this late after a request went wrong means the worker hangs.
pub const SUSPECT_DEADLINE: Duration = Duration::from_secs(2);
pub const MISSED_PINGS: u32 = 3;
pub const STRIKES: u8 = 3;
/// Requests one worker works on at once. A browser holds up to six connections to one host.
pub const MAX_ACTIVE: u32 = contract::MAX_ACTIVE_REQUESTS;
/// Idle data connections kept per worker: as many as can be busy, since closing one and dialling
/// the next costs both sides more than a sleeping thread does.
pub const POOLED: usize = MAX_ACTIVE as usize;

/// The living connection to one worker of one generation. Shared by everyone who uses it.
pub struct Link {
    orders: mpsc::Sender<Order>,
    dials: Mutex<HashMap<u64, Dial>>,
    next: AtomicU64,
    random: Arc<dyn base::Clock>,
    idle: Mutex<Vec<UnixStream>>,
    usage: Mutex<InUse>,
    /// Told whenever the last request ends.
    quiet: Notify,
    strikes: AtomicU8,
    missed: AtomicU8,
    dead: CancellationToken,
    epitaph: Mutex<Option<String>>,
    works: Works,
    name: String,
    version: String,
}

struct Dial {
    token: [u8; 16],
    answer: oneshot::Sender<UnixStream>,
}

struct InUse {
    active: u32,
    closed: bool,
    quiet_since: Instant,
}

/// Locks here are leaves: held for a few instructions, never across an await.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link {
    fn new(orders: mpsc::Sender<Order>, random: Arc<dyn base::Clock>, name: String, version: String) -> Self {
        Self {
            orders,
            dials: Mutex::default(),
            next: AtomicU64::new(1),
            random,
            idle: Mutex::default(),
            usage: Mutex::new(InUse { active: 0, closed: false, quiet_since: Instant::now() }),
            quiet: Notify::new(),
            strikes: AtomicU8::new(0),
            missed: AtomicU8::new(0),
            dead: CancellationToken::new(),
            epitaph: Mutex::default(),
            works: Works::default(),
            name,
            version,
        }
    }

    /// As the worker told it: untrusted, at most 64 bytes, no control characters.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// Requests that may be why it ended.
    pub fn suspects(&self) -> Vec<contract::RequestBody> {
        self.works.suspects()
    }
    pub fn is_alive(&self) -> bool {
        !self.dead.is_cancelled()
    }
    /// Whether it still takes requests.
    pub fn is_open(&self) -> bool {
        !lock(&self.usage).closed
    }
    /// Resolves when the link is over, with the reason.
    pub async fn ended(&self) -> String {
        self.dead.cancelled().await;
        lock(&self.epitaph).clone().unwrap_or_default()
    }
    pub fn is_healthy(&self) -> bool {
        self.is_alive() && self.missed.load(Ordering::Relaxed) == 0
    }
    /// Requests at this moment.
    pub fn active(&self) -> u32 {
        lock(&self.usage).active
    }
    /// How long nobody has used it; zero while somebody does.
    pub fn idle_for(&self) -> Duration {
        let usage = lock(&self.usage);
        if usage.active > 0 { Duration::ZERO } else { usage.quiet_since.elapsed() }
    }
    /// Somebody wants this loge although no request runs yet.
    pub fn touch(&self) {
        lock(&self.usage).quiet_since = Instant::now();
    }
    /// Resolves after the last request ended.
    pub async fn became_quiet(&self) {
        self.quiet.notified().await;
    }

    /// Takes no more requests, if none runs. Decided in one step with [`Link::begin`], so a
    /// request that came first is never cut by an idle stop.
    pub fn close_if_quiet(&self) -> bool {
        let mut usage = lock(&self.usage);
        usage.closed |= usage.active == 0;
        usage.closed
    }
    /// Takes no more requests; those that run are cut when the worker ends.
    pub fn close(&self) {
        lock(&self.usage).closed = true;
    }

    fn begin(self: &Arc<Self>) -> Result<Using, DataError> {
        let mut usage = lock(&self.usage);
        if usage.closed || !self.is_alive() {
            return Err(DataError::Gone);
        }
        if usage.active >= MAX_ACTIVE {
            return Err(DataError::Busy);
        }
        usage.active += 1;
        Ok(Using(self.clone()))
    }

    /// A rule was broken. The third time ends the loge.
    pub(crate) fn strike(&self, what: &str) {
        let strikes = self.strikes.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        warn!(loge.id = %self.name, strikes, "the worker of {} broke a rule: {what}", self.name);
        if strikes >= STRIKES {
            self.end(format!("the worker broke the rules {strikes} times, last: {what}"));
        }
    }

    /// Something took too long: ask now whether the worker still lives, instead of at the next ping.
    pub(crate) fn suspect(&self) {
        // A full queue means the control connection does not move, which its own deadline sees.
        let _ = self.orders.try_send(Order::Suspect);
    }

    /// The link is over. The first reason stays.
    fn end(&self, reason: String) {
        lock(&self.epitaph).get_or_insert(reason);
        self.close();
        self.dead.cancel();
        lock(&self.idle).clear();
        lock(&self.dials).clear();
    }

    /// What it did in the end, if it was ended for breaking rules.
    pub fn misbehaviour(&self) -> Option<String> {
        let struck_out = self.strikes.load(Ordering::SeqCst) >= STRIKES;
        struck_out.then(|| lock(&self.epitaph).clone()).flatten()
    }

    /// Asks the worker to exit and takes no more requests.
    pub async fn shutdown(&self) {
        self.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.orders.send(Order::Say(ToWorker::Shutdown))).await;
    }

    /// Closes everything from our side.
    pub fn hang_up(&self) {
        self.end("stopped".into());
    }
}

/// One running request; gives its place back on drop.
#[derive(Debug)]
struct Using(Arc<Link>);

impl Drop for Using {
    fn drop(&mut self) {
        let mut usage = lock(&self.0.usage);
        usage.active -= 1;
        if usage.active == 0 {
            usage.quiet_since = Instant::now();
            drop(usage);
            self.0.quiet.notify_waiters();
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("loge", &self.name).field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}
