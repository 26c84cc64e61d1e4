//! Exactly one healthy loge per active tenant.
//!
//! Owns: starting, watching, stopping and clearing away loges on either runtime, the sockets
//! their workers dial in to, and the requests that run on them.
//! Promises: a request parks while a loge starts and always gets an answer; an idle stop never
//! cuts a running stream; only objects with this install's label are ever touched; nothing is
//! left behind after [`Loges::shutdown`].
//! Never here: SQL, HTTP, who may see what (the specification arrives from [`Tenants`]),
//! parsing of media, or a descriptor that came from a worker.
//! Costs: a cold start takes 0.2 to 2 s; [`Loges::list`] and [`Loges::view`] never wait.

pub mod chip;
mod circuit;
pub mod door;
mod holding;
mod house;
mod images;
mod lending;
pub mod link;
mod logbook;
pub mod plan;
mod quarantine;
mod retrial;
pub mod runtime;
mod start;
mod supervisor;
mod sweep;
mod words;

pub use chip::RenderNode;
pub use circuit::CircuitState;
pub use images::Image;
pub use link::{RangeLease, RangeStream};
pub use words::*;

use base::{Bus, Clock, Lifecycle};
use contract::{FileRef, Job, RequestBody, Status, Track, Wanted};
use domain::{Code, Failure, LogeLimits, LogeState, Tenant};
use house::House;
use lending::Expected;
use link::{Announces, DataError, FIRST_BYTE_DEADLINE, Link, SEGMENT_DEADLINE};
use runtime::Runtime;
use std::{
    collections::HashMap,
    os::unix::ffi::OsStrExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use supervisor::{Command, Snapshot};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tracing::warn;

/// How long a request parks while its loge starts.
pub const PARK_DEADLINE: Duration = Duration::from_secs(10);
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(15);
/// 108 bytes of a socket address, less what is below the run folder.
const RUN_DIR_LIMIT: usize = 70;

/// Cloning gives another handle on the same loges.
#[derive(Clone)]
pub struct Loges {
    house: Arc<House>,
    tenants: Arc<Mutex<HashMap<Tenant, Owned>>>,
}

#[derive(Clone)]
struct Owned {
    slot: u32,
    commands: mpsc::Sender<Command>,
    seen: watch::Receiver<Snapshot>,
}

impl Loges {
    /// Picks the runtime and clears away what an earlier run left.
    ///
    /// # Errors
    /// When no runtime can work, or the folder for sockets cannot be prepared. A container
    /// engine that is merely away is no error: starts fail with advice until it is back.
    pub async fn open(
        config: LogesConfig,
        tenants: Arc<dyn Tenants>,
        clock: Arc<dyn Clock>,
        bus: Bus,
        lifecycle: Lifecycle,
    ) -> Result<Self, OpenLogesError> {
        let runtime = runtime::choose::choose(&config).await?;
        Self::open_on(runtime, config, tenants, clock, bus, lifecycle).await
    }

    /// Like [`Loges::open`] on a given runtime.
    ///
    /// # Errors
    /// When the folder for sockets cannot be prepared.
    pub async fn open_on(
        runtime: Arc<dyn Runtime>,
        config: LogesConfig,
        tenants: Arc<dyn Tenants>,
        clock: Arc<dyn Clock>,
        bus: Bus,
        lifecycle: Lifecycle,
    ) -> Result<Self, OpenLogesError> {
        if config.run_dir.as_os_str().as_bytes().len() > RUN_DIR_LIMIT {
            return Err(OpenLogesError::RunDirTooLong { path: config.run_dir, limit: RUN_DIR_LIMIT });
        }
        prepare(&config.run_dir).map_err(|source| OpenLogesError::RunDir { path: config.run_dir.clone(), source })?;
        let now = clock.now();
        let (retrials, ordered) = mpsc::channel(retrial::WAITING);
        let house = House {
            install: config.install,
            runtime,
            tenants,
            clock,
            bus,
            lifecycle: lifecycle.clone(),
            run_dir: config.run_dir,
            idle_stop_ms: u64::try_from(config.idle_stop.as_millis()).unwrap_or(u64::MAX).into(),
            quarantine: quarantine::Quarantine::default(),
            retrials,
            logbook: logbook::Logbook::open(config.logs_dir, now),
            expected: Expected::default(),
            closed: false.into(),
        };
        let loges = Self { house: Arc::new(house), tenants: Arc::default() };
        // What an earlier run left is reaped, not adopted: its nonce was in that run's memory
        // and its socket went with that run, so its worker can never say hello to us.
        loges.sweep().await;
        lifecycle.spawn("retrials", retrial::run(loges.clone(), ordered));
        lifecycle.spawn("loge sweep", loges.clone().keep_swept());
        if loges.lends() {
            lifecycle.spawn("loge lender", lending::run(loges.clone()));
        } else {
            lending::cannot();
        }
        Ok(loges)
    }

    /// Waits until the loge is ready, at most [`PARK_DEADLINE`].
    ///
    /// # Errors
    /// `loge_starting`, `loge_failed`, `engine_away` or `shutting_down`, with a time to try again.
    pub async fn ensure(&self, tenant: &Tenant) -> Result<(), Failure> {
        self.link(tenant, Instant::now() + PARK_DEADLINE).await.map(drop)
    }

    /// Starts it without waiting, as at sign-in.
    pub fn want(&self, tenant: &Tenant) {
        self.tell(tenant, Command::Want);
    }

    /// Stops and removes it, as at the last sign-out. The next request starts it again.
    pub async fn release(&self, tenant: &Tenant) {
        self.stop(tenant).await;
    }

    /// Stops and removes it; running streams are cut. The next request starts it again.
    pub async fn stop(&self, tenant: &Tenant) {
        let Some(owned) = self.known(tenant) else { return };
        let (reply, gone) = oneshot::channel();
        if owned.commands.send(Command::Stop(reply)).await.is_ok() {
            let _ = tokio::time::timeout(SHUTDOWN_DEADLINE, gone).await;
        }
    }

    /// A fresh loge, now; running streams are cut and resume in the new one.
    ///
    /// # Errors
    /// As [`Loges::ensure`].
    pub async fn restart(&self, tenant: &Tenant) -> Result<(), Failure> {
        let (reply, ready) = oneshot::channel();
        self.parked(tenant, Command::Restart(reply), ready, Instant::now() + PARK_DEADLINE).await.map(drop)
    }

    /// Brings changed limits to a running loge, live where the runtime can, else at the next
    /// quiet moment. The caller has stored them already: starts read them from [`Tenants`].
    ///
    /// # Errors
    /// When the limits are impossible or the engine refuses them.
    pub async fn set_limits(&self, tenant: &Tenant, limits: LogeLimits) -> Result<(), Failure> {
        let limits = limits.checked().map_err(|e| Failure::new(Code::InvalidField, e.to_string()))?;
        let Some(owned) = self.known(tenant) else { return Ok(()) };
        let (reply, done) = oneshot::channel();
        if owned.commands.send(Command::SetLimits(limits, reply)).await.is_err() {
            return Err(Failure::of(Code::ShuttingDown));
        }
        done.await.unwrap_or_else(|_| Err(Failure::of(Code::ShuttingDown)))
    }

    /// Whether processor time that some leave unused is lent to those who need more. Not where
    /// the limits of a loge that runs cannot be changed.
    pub fn lends(&self) -> bool {
        self.house.runtime.has_live_limits()
    }

    /// Somebody pressed play or sought: this loge is about to work, and is lent what others leave
    /// before it is measured that half a core is little. Returns at once.
    pub fn expects_work(&self, tenant: &Tenant) {
        if self.lends() {
            self.house.expected.add(tenant);
        }
    }

    /// So many thousandths of a core on top of the limits; 0 takes them back. They end with this
    /// generation of the loge. Answers whether they arrived: not where the loge is not ready or
    /// its runtime cannot change a running one. Only the lender lends.
    async fn lend(&self, tenant: &Tenant, cpu_millis: u32) -> Result<bool, Failure> {
        let Some(owned) = self.known(tenant) else { return Ok(false) };
        let (reply, done) = oneshot::channel();
        owned.commands.send(Command::Lend(cpu_millis, reply)).await.map_err(|_| Failure::of(Code::ShuttingDown))?;
        done.await.unwrap_or_else(|_| Err(Failure::of(Code::ShuttingDown)))
    }

    /// Grants or disks changed: a loge whose folders differ now is made anew; at once where a
    /// right was taken away, at the next quiet moment where one was added.
    pub async fn remount(&self, tenant: &Tenant) {
        if let Some(owned) = self.known(tenant) {
            let _ = owned.commands.send(Command::Respec).await;
        }
    }

    /// Exactly `length` bytes of a file, on their way. Starts the loge where needed.
    ///
    /// # Errors
    /// See [`RangeError`]; every wait in here has a deadline.
    pub async fn range(
        &self,
        tenant: &Tenant,
        file: FileRef,
        offset: u64,
        length: u64,
    ) -> Result<RangeStream, RangeError> {
        let body = RequestBody::Range { file, offset, length };
        self.stream(tenant, body, Announces::Exactly(length), FIRST_BYTE_DEADLINE).await
    }

    /// What a player needs before any segment of a track; the worker says how long it is, up to
    /// `max_bytes`. Starts the loge where needed.
    ///
    /// # Errors
    /// As [`Loges::segment`].
    pub async fn init(
        &self,
        tenant: &Tenant,
        file: FileRef,
        track: Track,
        max_bytes: u32,
    ) -> Result<RangeStream, RangeError> {
        let body = RequestBody::Init { file, track, max_bytes };
        self.stream(tenant, body, Announces::AtMost(max_bytes), SEGMENT_DEADLINE).await
    }

    /// One segment of a track, up to `max_bytes`. It comes at once where somebody asked for the
    /// ones before it, in a few hundred milliseconds after a seek, and in some seconds when it has
    /// to be encoded; never after [`SEGMENT_DEADLINE`]. Dropping the future takes the wish back.
    ///
    /// # Errors
    /// See [`RangeError`]; [`RangeError::Unplayable`] says that the file and its plan do not fit
    /// together or that ffmpeg fails on it, and that asking again is in vain.
    pub async fn segment(
        &self,
        tenant: &Tenant,
        file: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<RangeStream, RangeError> {
        let body = RequestBody::Segment { file, track, wanted, max_bytes };
        self.stream(tenant, body, Announces::AtMost(max_bytes), SEGMENT_DEADLINE).await
    }

    async fn stream(
        &self,
        tenant: &Tenant,
        body: RequestBody,
        announces: Announces,
        within: Duration,
    ) -> Result<RangeStream, RangeError> {
        if body.parsed_file().is_some_and(|file| self.house.quarantine.holds(file)) {
            return Err(RangeError::Unplayable("it ended two workers and is set aside".into()));
        }
        let park = Instant::now() + PARK_DEADLINE;
        let mut tries = 0;
        loop {
            tries += 1;
            let link = self.link_holding(tenant, &body.mounts(), park).await?;
            return match link.stream(body.clone(), announces, within).await {
                Ok(stream) => Ok(stream),
                // The loge ended between being ready and being asked: the next one answers.
                Err(DataError::Gone) if tries < 3 => continue,
                Err(e) => Err(range_error(e)),
            };
        }
    }

    /// A bounded result of one job. Dropping the future cancels the job.
    ///
    /// # Errors
    /// See [`JobError`].
    pub async fn job(
        &self,
        tenant: &Tenant,
        job: Job,
        max_bytes: u32,
        time_limit: Duration,
    ) -> Result<Vec<u8>, JobError> {
        if job.file().is_some_and(|file| self.house.quarantine.holds(file)) {
            return Err(JobError::Ended { status: Status::Failed, text: "set aside".into() });
        }
        let park = Instant::now() + PARK_DEADLINE;
        let mut tries = 0;
        loop {
            tries += 1;
            let link = self.link_holding(tenant, &job.mounts(), park).await?;
            return match link.job(job.clone(), max_bytes, time_limit).await {
                Ok(result) => Ok(result),
                // Not repeated when the job may have run: its file may be what ended the worker.
                Err(DataError::Gone) if tries < 2 && !link.is_alive() && link.active() == 0 => continue,
                Err(e) => Err(job_error(e)),
            };
        }
    }

    /// Another chance for a file that was set aside.
    pub fn release_file(&self, file: &FileRef) {
        self.house.quarantine.release(file);
    }

    /// Every loge that is not absent, the house's first.
    pub fn list(&self) -> Vec<LogeView> {
        let mut views: Vec<LogeView> = self.all().iter().map(|owned| view_of(&owned.seen)).collect();
        views.retain(|view| view.state != LogeState::Absent);
        views.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        views
    }

    pub fn view(&self, tenant: &Tenant) -> Option<LogeView> {
        self.known(tenant).map(|owned| view_of(&owned.seen)).filter(|view| view.state != LogeState::Absent)
    }

    /// The newest lines of what its workers said, escaped; those that ended first.
    pub async fn logs(&self, tenant: &Tenant, tail: usize) -> Vec<String> {
        let tail = tail.min(1000);
        let now = match self.view(tenant).and_then(|view| view.container_id) {
            Some(id) => self.house.runtime.logs(&id, tail).await.unwrap_or_else(|e| vec![format!("({e})")]),
            None => Vec::new(),
        };
        let mut lines = self.house.logbook.earlier(tenant, tail - now.len().min(tail)).await;
        lines.extend(now);
        lines
    }

    pub fn runtime(&self) -> RuntimeInfo {
        self.house.runtime.info()
    }

    /// Applies to every loge from now on.
    pub fn set_idle_stop(&self, idle_stop: Duration) {
        let ms = u64::try_from(idle_stop.as_millis()).unwrap_or(u64::MAX);
        self.house.idle_stop_ms.store(ms, Ordering::Relaxed);
    }

    /// Stops and removes every loge. Draining is the caller's.
    pub async fn shutdown(&self) {
        self.house.closed.store(true, Ordering::SeqCst);
        let mut leaving = Vec::new();
        for owned in self.all() {
            let (reply, gone) = oneshot::channel();
            if owned.commands.send(Command::Close(reply)).await.is_ok() {
                leaving.push(gone);
            }
        }
        let all = futures_util::future::join_all(leaving);
        if tokio::time::timeout(SHUTDOWN_DEADLINE, all).await.is_err() {
            warn!("some loges did not end in {SHUTDOWN_DEADLINE:?}; the next start clears them away");
        }
        let _ = std::fs::remove_dir_all(self.house.run_dir.join("l"));
    }

    async fn link(&self, tenant: &Tenant, until: Instant) -> Result<Arc<Link>, Failure> {
        // The usual case: ready, and nobody has to be asked.
        if let Some(owned) = self.known(tenant)
            && let Some(link) = owned.seen.borrow().link.clone()
            && link.is_alive()
            && link.is_open()
        {
            link.touch();
            return Ok(link);
        }
        let (reply, ready) = oneshot::channel();
        self.parked(tenant, Command::Ensure(reply), ready, until).await
    }

    async fn parked(
        &self,
        tenant: &Tenant,
        command: Command,
        ready: oneshot::Receiver<Result<Arc<Link>, Failure>>,
        until: Instant,
    ) -> Result<Arc<Link>, Failure> {
        let closing = || Failure::of(Code::ShuttingDown);
        let owned = self.owned(tenant).ok_or_else(closing)?;
        owned.commands.send(command).await.map_err(|_| closing())?;
        match timeout_at(until, ready).await {
            Ok(Ok(outcome)) => outcome,
            // Its owner is gone without an answer, which the stop of the house explains.
            Ok(Err(_)) => Err(closing()),
            Err(_) => Err(Failure::of(Code::LogeStarting).retry_after(Duration::from_secs(2))),
        }
    }

    fn tell(&self, tenant: &Tenant, command: Command) {
        if let Some(owned) = self.owned(tenant) {
            // A full inbox means that this loge has enough to do; the next request asks again.
            let _ = owned.commands.try_send(command);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tenant, Owned>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn known(&self, tenant: &Tenant) -> Option<Owned> {
        self.lock().get(tenant).cloned()
    }
    fn all(&self) -> Vec<Owned> {
        self.lock().values().cloned().collect()
    }

    /// The owner of this tenant's loge, made at the first wish. `None` once the house closes:
    /// what runs may go on during the drain, nothing new begins.
    fn owned(&self, tenant: &Tenant) -> Option<Owned> {
        let mut tenants = self.lock();
        if self.house.closed.load(Ordering::SeqCst) {
            return None;
        }
        if let Some(owned) = tenants.get(tenant).filter(|owned| !owned.commands.is_closed()) {
            return Some(owned.clone());
        }
        if self.house.lifecycle.is_stopping() {
            return None;
        }
        // The house has slot 0; everybody else the smallest that is free.
        let slot = match tenant {
            Tenant::House => 0,
            Tenant::User(_) => (1..).find(|slot| tenants.values().all(|owned| owned.slot != *slot)).unwrap_or(u32::MAX),
        };
        let (commands, seen) = supervisor::spawn(&self.house, tenant.clone(), slot);
        let owned = Owned { slot, commands, seen };
        tenants.insert(tenant.clone(), owned.clone());
        Some(owned)
    }
}

fn view_of(seen: &watch::Receiver<Snapshot>) -> LogeView {
    let seen = seen.borrow();
    let mut view = seen.view.clone();
    if let Some(link) = &seen.link {
        view.active = link.active();
        view.healthy = Some(link.is_healthy());
    } else {
        view.active = 0;
        view.healthy = None;
    }
    view
}

/// Sockets of an earlier run are worthless.
fn prepare(run_dir: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let below = run_dir.join("l");
    match std::fs::remove_dir_all(&below) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(below)
}

fn range_error(error: DataError) -> RangeError {
    match error {
        DataError::Busy => RangeError::Busy,
        DataError::Gone => RangeError::Broke("the worker ended".into()),
        DataError::Late(what) => RangeError::Broke(what.into()),
        DataError::Broke(what) => RangeError::Broke(what),
        DataError::Ended { status, text } => match status {
            Status::NotFound => RangeError::NotFound,
            Status::Changed => RangeError::Changed,
            Status::Refused => RangeError::Refused,
            Status::Io => RangeError::Unreadable,
            Status::Unsupported | Status::Failed => RangeError::Unplayable(text),
            Status::Limit => RangeError::Late,
            Status::Ok => RangeError::Broke(format!("the worker answered {status:?} {text}")),
        },
    }
}

fn job_error(error: DataError) -> JobError {
    match error {
        DataError::Busy => JobError::Busy,
        DataError::Gone => JobError::Broke("the worker ended".into()),
        DataError::Late(_) => JobError::TimedOut,
        DataError::Broke(what) => JobError::Broke(what),
        DataError::Ended { status, text } => JobError::Ended { status, text },
    }
}
