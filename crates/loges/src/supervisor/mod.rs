//! One task per tenant owns that tenant's loge. It takes a closed list of commands and events,
//! and after each one does the single next step of [`plan`]. Starting and stopping run beside
//! it, so a command never waits behind a slow engine.

mod limits;
mod shown;

pub use shown::Snapshot;

use crate::{
    circuit::Circuit,
    house::House,
    link::{Gate, Link},
    plan::{Desired, Observed, Replace, Step, Why, plan},
    quarantine::End,
    runtime::Exit,
    start::{Alive, StartError, start},
    words::Usage,
};
use domain::{Code, Failure, LogeLimits, Tenant};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

const STOP_GRACE: Duration = Duration::from_secs(3);
/// Somebody who asks during a back-off shorter than this waits with it.
const PARK_BELOW: Duration = Duration::from_secs(3);
/// An engine that is away is asked again after this, and at once when it says that it is back.
const ENGINE_RETRY: Duration = Duration::from_secs(5);
/// Walls come with another kernel or engine; the owner's permission is told at once.
const WALLS_RETRY: Duration = Duration::from_secs(60);
const ENGINE_ASK: Duration = Duration::from_secs(2);
/// What ends this long before or after an engine came back, ended with it.
const ENGINE_SETTLES: Duration = Duration::from_secs(15);
/// Farther than anything is waited for.
const FAR: Duration = Duration::from_secs(86_400);

pub enum Command {
    /// It should run; nobody waits.
    Want,
    /// It should run, and somebody waits for it.
    Ensure(oneshot::Sender<Result<Arc<Link>, Failure>>),
    /// It should not run; answered when it is gone.
    Stop(oneshot::Sender<()>),
    /// A new generation, now; answered like [`Command::Ensure`].
    Restart(oneshot::Sender<Result<Arc<Link>, Failure>>),
    /// The specification may have changed.
    Respec,
    /// The engine answers again.
    EngineBack,
    SetLimits(LogeLimits, oneshot::Sender<Result<(), Failure>>),
    /// So much CPU on top of the limits, until something else is lent or this generation ends;
    /// answered with whether it arrived.
    Lend(u32, oneshot::Sender<Result<bool, Failure>>),
    /// Like stop, and nothing is started any more.
    Close(oneshot::Sender<()>),
    Started(u64, Box<Result<Alive, StartError>>),
    /// With whether the engine was there to clear it away.
    Stopped(u64, bool),
    LinkEnded(u64, String),
    Exited(u64, Exit),
    Respecced(u64, Replace),
    /// Whether its owner allows the walls it lacks to be missing.
    Permitted(u64, bool),
    /// A change of limits is through; with what holds now, unless the engine refused.
    Limited(u64, Option<(LogeLimits, u32)>),
    Measured(u64, Option<Usage>),
}

enum Phase {
    Absent,
    Starting,
    Ready {
        alive: Box<Alive>,
        since: Instant,
        ended: Option<String>,
    },
    /// `broke` says why, when it was not our wish.
    Stopping {
        broke: Option<String>,
    },
    /// `failure` is what whoever asks meanwhile hears.
    Failed {
        reason: String,
        failure: Failure,
        at: Instant,
    },
}

pub struct Supervisor {
    house: Arc<House>,
    tenant: Tenant,
    slot: u32,
    inbox: mpsc::Receiver<Command>,
    me: mpsc::WeakSender<Command>,
    out: watch::Sender<Snapshot>,
    phase: Phase,
    desired: Desired,
    closing: bool,
    generation: u64,
    circuit: Circuit,
    engine_back: Option<Instant>,
    restarts: u32,
    out_of_memory: u32,
    usage: Option<Usage>,
    measure_at: Instant,
    changes: limits::Changes,
    parked: Vec<oneshot::Sender<Result<Arc<Link>, Failure>>>,
    leaving: Vec<oneshot::Sender<()>>,
}

/// Starts the owner of one tenant's loge.
pub fn spawn(house: &Arc<House>, tenant: Tenant, slot: u32) -> (mpsc::Sender<Command>, watch::Receiver<Snapshot>) {
    let (sender, inbox) = mpsc::channel(64);
    let (out, seen) = watch::channel(Snapshot::absent(house, &tenant));
    let supervisor = Supervisor {
        house: house.clone(),
        tenant,
        slot,
        inbox,
        me: sender.downgrade(),
        out,
        phase: Phase::Absent,
        desired: Desired { wanted: false, replace: Replace::No },
        closing: false,
        generation: 0,
        circuit: Circuit::default(),
        engine_back: None,
        restarts: 0,
        out_of_memory: 0,
        usage: None,
        measure_at: Instant::now() + FAR,
        changes: limits::Changes::default(),
        parked: Vec::new(),
        leaving: Vec::new(),
    };
    house.lifecycle.spawn("loge", supervisor.run());
    (sender, seen)
}

impl Supervisor {
    async fn run(mut self) {
        let mut next = Instant::now() + FAR;
        loop {
            let quiet = match &self.phase {
                Phase::Ready { alive, .. } => Some(alive.link.clone()),
                _ => None,
            };
            let event = tokio::select! {
                event = self.inbox.recv() => event,
                () = sleep_until(next) => None,
                () = sleep_until(self.measure_at) => { self.measure(); continue }
                () = async { match &quiet { Some(link) => link.became_quiet().await, None => std::future::pending().await } } => None,
            };
            // Every handle is gone: nobody can want anything any more.
            if event.is_none() && self.inbox.is_closed() && self.inbox.is_empty() {
                self.closing = true;
                self.desired.wanted = false;
            }
            if let Some(event) = event {
                self.take(event);
            }
            next = self.advance();
            if self.closing && matches!(self.phase, Phase::Absent) {
                return;
            }
        }
    }

    fn take(&mut self, event: Command) {
        match event {
            Command::Want => self.desired.wanted |= !self.closing,
            Command::Ensure(reply) => self.ensure(reply),
            Command::Stop(reply) => {
                self.desired.wanted = false;
                self.leaving.push(reply);
            }
            Command::Close(reply) => {
                self.closing = true;
                self.desired.wanted = false;
                self.leaving.push(reply);
            }
            Command::Restart(reply) => {
                self.circuit.reset();
                if let Phase::Failed { at, .. } = &mut self.phase {
                    *at = Instant::now();
                }
                if matches!(self.phase, Phase::Ready { .. }) {
                    self.desired.replace = Replace::Now;
                    self.restarts += 1;
                    self.desired.wanted |= !self.closing;
                    self.parked.push(reply);
                } else {
                    self.ensure(reply);
                }
            }
            Command::Respec => self.respec(),
            Command::EngineBack => self.engine_is_back(),
            Command::SetLimits(limits, reply) => self.set_limits(limits, reply),
            Command::Lend(lent_millis, reply) => self.lend(lent_millis, reply),
            Command::Started(generation, outcome) if generation == self.generation => self.started(*outcome),
            Command::Stopped(generation, cleared) if generation == self.generation => self.gone(cleared),
            Command::LinkEnded(generation, why) if generation == self.generation => self.broke(why),
            Command::Exited(generation, exit) if generation == self.generation => {
                self.out_of_memory += u32::from(exit.out_of_memory);
                if exit.is_own_fault() {
                    self.blame(exit.out_of_memory);
                }
                self.broke(exit.to_string());
            }
            Command::Respecced(generation, replace) if generation == self.generation => {
                self.desired.replace = self.desired.replace.max(replace);
            }
            Command::Permitted(generation, true) if generation == self.generation => self.permitted(),
            Command::Limited(generation, now) if generation == self.generation => self.limited(now),
            Command::Measured(generation, usage) if generation == self.generation => {
                self.usage = usage;
                self.publish(false);
            }
            // News of a generation that is over.
            Command::Started(..)
            | Command::Stopped(..)
            | Command::LinkEnded(..)
            | Command::Exited(..)
            | Command::Respecced(..)
            | Command::Permitted(..)
            | Command::Limited(..)
            | Command::Measured(..) => {}
        }
    }

    fn ensure(&mut self, reply: oneshot::Sender<Result<Arc<Link>, Failure>>) {
        if self.closing {
            let _ = reply.send(Err(Failure::of(Code::ShuttingDown)));
            return;
        }
        self.desired.wanted = true;
        match &self.phase {
            Phase::Ready { alive, ended: None, .. } if self.desired.replace != Replace::Now => {
                alive.link.touch();
                let _ = reply.send(Ok(alive.link.clone()));
            }
            Phase::Failed { reason, failure, at } => {
                let left = at.saturating_duration_since(Instant::now());
                if left > PARK_BELOW {
                    tracing::debug!("asked for {}, which failed: {reason}", self.tenant);
                    let _ = reply.send(Err(come_back(failure, left)));
                } else {
                    self.parked.push(reply);
                }
            }
            _ => self.parked.push(reply),
        }
    }

    /// Does steps until there is nothing to do; answers when to look again.
    fn advance(&mut self) -> Instant {
        loop {
            match plan(self.desired, self.observed(), self.house.idle_stop()) {
                Step::Wait(left) => {
                    self.answer_leaving();
                    return Instant::now() + left.unwrap_or(FAR);
                }
                Step::Forget => self.gone(true),
                Step::Start => self.start(),
                Step::Stop(why) => self.stop(why),
            }
        }
    }

    fn observed(&self) -> Observed {
        match &self.phase {
            Phase::Absent => Observed::Absent,
            Phase::Starting => Observed::Starting,
            Phase::Stopping { .. } => Observed::Stopping,
            Phase::Failed { at, .. } => Observed::Failed { retry_in: at.saturating_duration_since(Instant::now()) },
            Phase::Ready { alive, since, ended } => Observed::Ready {
                alive: ended.is_none(),
                active: alive.link.active(),
                idle_for: alive.link.idle_for(),
                age: since.elapsed(),
            },
        }
    }

    fn start(&mut self) {
        let now = u64::try_from(self.house.clock.now().0).unwrap_or(0);
        // Larger than any number of an earlier run, as long as the clock does not go back, and
        // larger than our own last one in any case.
        self.generation = now.max(self.generation + 1);
        self.desired.replace = Replace::No;
        self.usage = None;
        self.phase = Phase::Starting;
        self.publish(true);
        let (house, tenant, slot, generation) = (self.house.clone(), self.tenant.clone(), self.slot, self.generation);
        self.beside(async move {
            let outcome = start(&house, tenant, slot, generation).await;
            Command::Started(generation, Box::new(outcome))
        });
    }

    fn started(&mut self, outcome: Result<Alive, StartError>) {
        let name = self.name();
        match outcome {
            Ok(alive) => {
                info!(loge.id = %name, container.id = %alive.running.id, "{name} is ready");
                self.watch(&alive);
                self.measure_at = Instant::now() + Duration::from_millis(500);
                let link = alive.link.clone();
                self.phase = Phase::Ready { alive: Box::new(alive), since: Instant::now(), ended: None };
                // Whoever waited finds in the views what they were told.
                self.publish(true);
                for reply in self.parked.drain(..) {
                    let _ = reply.send(Ok(link.clone()));
                }
                self.catch_up();
            }
            Err(error) => {
                let is_outdated = self.changes.forget();
                let failure = error.failure();
                // An engine that is away says nothing about this loge.
                // Neither does a machine that lacks walls.
                let wait = match failure.code {
                    Code::EngineAway => ENGINE_RETRY,
                    Code::IsolationMissing => WALLS_RETRY,
                    _ => {
                        self.circuit.failed(Instant::now(), Duration::ZERO);
                        self.back_off()
                    }
                };
                let failures = self.circuit.failures();
                warn!(loge.id = %name, failures, "{name} did not start: {error}; next try in {wait:?}");
                let at = Instant::now() + wait;
                self.phase = Phase::Failed { reason: error.to_string(), failure: failure.clone(), at };
                for reply in self.parked.drain(..) {
                    let _ = reply.send(Err(come_back(&failure, wait)));
                }
                self.publish(true);
                if is_outdated {
                    self.respec();
                }
            }
        }
    }

    /// Tells us when the running generation ends, by whichever sign comes first.
    fn watch(&self, alive: &Alive) {
        let (link, id, generation) = (alive.link.clone(), alive.running.id.clone(), self.generation);
        let runtime = self.house.runtime.clone();
        self.beside(async move {
            tokio::select! {
                exit = runtime.exited(&id) => Command::Exited(generation, exit),
                why = link.ended() => {
                    // The engine knows more than the closed connection, if it knows at once.
                    match tokio::time::timeout(Duration::from_millis(500), runtime.exited(&id)).await {
                        Ok(exit) => Command::Exited(generation, exit),
                        Err(_) => Command::LinkEnded(generation, why),
                    }
                }
            }
        });
    }

    fn broke(&mut self, why: String) {
        if let Phase::Ready { since, ended, .. } = &mut self.phase
            && ended.is_none()
        {
            // An engine that restarts ends what runs, before and after it says that it is back.
            if self.engine_back.is_none_or(|back| back.elapsed() > ENGINE_SETTLES) {
                self.circuit.failed(Instant::now(), since.elapsed());
            }
            *ended = Some(why);
        }
    }

    fn stop(&mut self, why: Why) {
        let Phase::Ready { alive, since, ended } = std::mem::replace(&mut self.phase, Phase::Absent) else { return };
        let kind =
            matches!(why, Why::Idle | Why::Old) || (why == Why::Replaced && self.desired.replace == Replace::WhenQuiet);
        // Between the plan and here somebody may have begun to watch; they go first.
        if kind && !alive.link.close_if_quiet() {
            self.phase = Phase::Ready { alive, since, ended };
            return;
        }
        let name = self.name();
        match (&why, &ended) {
            (Why::Broken, Some(reason)) => {
                self.restarts += 1;
                warn!(loge.id = %name, restarts = self.restarts, "{name} broke: {reason}");
            }
            (Why::Idle, _) => {
                self.desired.wanted = false;
                info!(loge.id = %name, "{name} was idle and stops");
            }
            _ => info!(loge.id = %name, "{name} stops: {why:?}"),
        }
        self.desired.replace = Replace::No;
        self.measure_at = Instant::now() + FAR;
        self.usage = None;
        self.changes.forget();
        let grace = if ended.is_some() { Duration::ZERO } else { STOP_GRACE };
        let words = ended.clone().unwrap_or_else(|| why.words().to_owned());
        self.phase = Phase::Stopping { broke: ended };
        self.publish(true);
        let (house, tenant, generation) = (self.house.clone(), self.tenant.clone(), self.generation);
        self.beside(async move {
            let misbehaviour = alive.link.misbehaviour();
            let cleared = end(&house, &tenant, *alive, grace, &words).await;
            if let Some(what) = misbehaviour {
                house.misbehaved(&tenant, &what).await;
            }
            Command::Stopped(generation, cleared)
        });
    }

    /// The loge is cleared away, or its failure is forgotten.
    fn gone(&mut self, cleared: bool) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Absent) {
            Phase::Stopping { broke: Some(reason) } if self.desired.wanted && !cleared => {
                let failure = Failure::of(Code::EngineAway);
                Phase::Failed { reason, failure, at: Instant::now() + ENGINE_RETRY }
            }
            Phase::Stopping { broke: Some(reason) } if self.desired.wanted => {
                let failure = Failure::of(Code::LogeFailed);
                Phase::Failed { reason, failure, at: Instant::now() + self.back_off() }
            }
            _ => Phase::Absent,
        };
        self.publish(true);
    }

    /// Looks for a file that explains the end.
    fn blame(&self, out_of_memory: bool) {
        let Phase::Ready { alive, ended: None, .. } = &self.phase else { return };
        let end = End { tenant: &self.tenant, works: alive.link.suspects(), out_of_memory };
        let verdict = self.house.quarantine.blame(end);
        verdict.retrials.into_iter().for_each(|request| self.house.retry(request));
        if let Some(file) = verdict.aside {
            warn!(folder.id = %file.mount, "a file of folder {} ended two workers and is set aside", file.mount);
            let house = self.house.clone();
            tokio::spawn(async move { house.tenants.set_aside(&file).await });
        }
    }

    fn engine_is_back(&mut self) {
        let now = Instant::now();
        self.engine_back = Some(now);
        if let Some(then) = now.checked_sub(ENGINE_SETTLES) {
            self.circuit.forgive_since(then);
        }
        if let Phase::Failed { failure, at, .. } = &mut self.phase
            && (failure.code == Code::EngineAway || self.circuit.failures() == 0)
        {
            *at = now;
        }
    }

    /// Once nothing is there and nothing is wanted, everybody who waited for that is told.
    fn answer_leaving(&mut self) {
        if self.desired.wanted || !matches!(self.phase, Phase::Absent) {
            return;
        }
        self.circuit.reset();
        for reply in self.parked.drain(..) {
            let code = if self.closing { Code::ShuttingDown } else { Code::LogeStarting };
            let _ = reply.send(Err(Failure::of(code).retry_after(Duration::from_secs(1))));
        }
        for reply in self.leaving.drain(..) {
            let _ = reply.send(());
        }
    }

    fn back_off(&self) -> Duration {
        let mut chance = [0];
        self.house.clock.random(&mut chance);
        self.circuit.wait(chance[0])
    }

    /// Runs something beside the loop; its result comes back as an event.
    fn beside(&self, work: impl Future<Output = Command> + Send + 'static) {
        let me = self.me.clone();
        tokio::spawn(async move {
            let event = work.await;
            if let Some(me) = me.upgrade() {
                let _ = me.send(event).await;
            }
        });
    }
}

/// When whoever asked should ask again. An engine that comes back is noticed at once.
fn come_back(failure: &Failure, wait: Duration) -> Failure {
    // Waiting does not help there.
    if failure.code == Code::IsolationMissing {
        return failure.clone();
    }
    let wait = if failure.code == Code::EngineAway { wait.min(ENGINE_ASK) } else { wait };
    failure.clone().retry_after(wait)
}

async fn end(house: &House, tenant: &Tenant, alive: Alive, grace: Duration, why: &str) -> bool {
    let Alive { running, link, gate, .. } = alive;
    if !grace.is_zero() {
        link.shutdown().await;
    }
    house.keep_words(tenant, &running.id, why).await;
    let cleared = house.clear(&running.id, grace).await;
    drop::<Gate>(gate);
    cleared
}
