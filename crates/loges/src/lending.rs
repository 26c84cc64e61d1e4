//! The lender: looks at what the loges use, and brings what [`domain::lending`] decides to their
//! engine. While nobody is held back it reads what is measured anyway and asks for nothing; while
//! somebody is, it looks four times a second, so that what another comes to need is theirs again
//! well within a second. Where somebody presses play or seeks it does not wait for the measure:
//! two media programs are loaded before there is a picture, and that is when half a core is least.

use crate::{
    Loges,
    runtime::CpuTime,
    words::{LogeView, Usage},
};
use domain::{
    LogeState, Tenant,
    lending::{KEPT_FOR, Lodger, lend},
};
use futures_util::future::join_all;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tracing::{debug, info, trace};

const CALM: Duration = Duration::from_millis(500);
const ALERT: Duration = Duration::from_millis(250);
/// An engine that answers later than this knows nothing of now.
const READ_DEADLINE: Duration = Duration::from_millis(200);
/// Over less than this a loge that did something for a moment would seem to use all there is.
const SHORTEST: Duration = Duration::from_millis(100);
/// After something was taken back, nothing more is lent for this long.
const SETTLES: Duration = Duration::from_secs(2);

/// What stays for the gateway, as where all loges together have a limit.
const KEPT_MILLIS: u32 = 500;

/// What the loges of this machine may use together.
pub fn ceiling() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX).saturating_mul(1000).saturating_sub(KEPT_MILLIS)
}

/// Whose loges are about to work.
#[derive(Default)]
pub struct Expected {
    tenants: Mutex<HashSet<Tenant>>,
    changed: Notify,
}

impl Expected {
    pub fn add(&self, tenant: &Tenant) {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone());
        self.changed.notify_one();
    }

    fn take(&self) -> HashSet<Tenant> {
        std::mem::take(&mut *self.tenants.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub async fn run(loges: Loges) {
    let soft = loges.house.lifecycle.soft().clone();
    let mut lender = Lender { ceiling: ceiling(), known: HashMap::new(), took_back: None };
    loop {
        let pause = if lender.known.is_empty() { CALM } else { ALERT };
        tokio::select! {
            () = soft.cancelled() => return,
            // What was told while it looked is told now.
            () = loges.house.expected.changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        lender.look(&loges).await;
    }
}

struct Lender {
    ceiling: u32,
    /// Loges that are being watched closely; empty while nobody needs anything.
    known: HashMap<Tenant, Known>,
    took_back: Option<Instant>,
}

/// The container tells generations apart.
struct Known {
    container: String,
    last: CpuTime,
    /// What it used between the two readings before, and its share of slices held back.
    used: Option<u32>,
    held_back: u32,
    needed: Option<Instant>,
}

impl Lender {
    async fn look(&mut self, loges: &Loges) {
        let mut ready = loges.list();
        ready.retain(|view| view.state == LogeState::Ready && view.container_id.is_some());
        let expected = loges.house.expected.take();
        if self.known.is_empty() && expected.is_empty() && !somebody_is_held_back(loges, &ready).await {
            return;
        }
        let read = join_all(ready.iter().map(|view| self.read(loges, view))).await;
        let lodgers: Vec<Lodger> = read
            .into_iter()
            .zip(&ready)
            .map(|(read, view)| self.met(view, read, expected.contains(&view.tenant)))
            .collect();
        self.known.retain(|tenant, _| ready.iter().any(|view| view.tenant == *tenant));
        let settled = self.took_back.is_none_or(|at| at.elapsed() >= SETTLES);
        let next = lend(&lodgers, self.ceiling, settled);
        trace!(?lodgers, ?next, "looked");
        let changes: Vec<(&LogeView, u32)> =
            ready.iter().zip(next.iter().copied()).filter(|(view, n)| view.lent_millis != *n).collect();
        // What somebody gives back who has had enough says nothing about the others.
        if lodgers.iter().zip(&next).any(|(lodger, next)| *next < lodger.lent && lodger.borrows_now()) {
            self.took_back = Some(Instant::now());
        }
        bring(loges, &changes).await;
        let rests = |known: &Known| known.needed.is_none_or(|at| at.elapsed() >= KEPT_FOR);
        if changes.is_empty() && ready.iter().all(|view| view.lent_millis == 0) && self.known.values().all(rests) {
            self.known.clear();
        }
    }

    /// The counters as of now and, where nothing was counted before, what was measured last in
    /// thousandths of a core.
    async fn read(&self, loges: &Loges, view: &LogeView) -> (Option<CpuTime>, Option<u32>) {
        let Some(id) = &view.container_id else { return (None, None) };
        let now = timeout(READ_DEADLINE, loges.house.runtime.cpu_time(id)).await.ok().flatten();
        let is_known = self.known.get(&view.tenant).is_some_and(|known| known.container == *id);
        let measured = if is_known { None } else { loges.house.runtime.usage(id).await };
        (now, measured.map(|usage| (usage.cpu_percent * 10.0) as u32))
    }

    /// What a loge did since the last look.
    fn met(&mut self, view: &LogeView, (read, measured): (Option<CpuTime>, Option<u32>), expected: bool) -> Lodger {
        let mut lodger = Lodger {
            own: view.limits.cpu_millis,
            lent: view.lent_millis,
            used: None,
            held_back: 0,
            content_for: None,
            borrows: view.tenant != Tenant::House,
            expected,
        };
        let (Some(now), Some(container)) = (read, &view.container_id) else {
            self.known.remove(&view.tenant);
            return lodger;
        };
        // Of one that began a moment ago only what it may use is known.
        let used = measured.or(expected.then_some(lodger.own));
        let begun = |needed| Known { container: container.clone(), last: now, used, held_back: 0, needed };
        // A new one is watched for as long as it takes to tell.
        let known = self.known.entry(view.tenant.clone()).or_insert_with(|| begun(Some(Instant::now())));
        if known.container != *container {
            *known = begun(None);
        }
        let passed = now.at.saturating_sub(known.last.at);
        if passed >= SHORTEST {
            let used = now.used.saturating_sub(known.last.used).as_micros() * 1000 / passed.as_micros().max(1);
            let slices = now.slices.saturating_sub(known.last.slices);
            let held_back = now.held_back.saturating_sub(known.last.held_back);
            known.last = now;
            known.used = Some(u32::try_from(used).unwrap_or(u32::MAX));
            known.held_back = u32::try_from((held_back * 100).checked_div(slices).unwrap_or(0)).unwrap_or(100);
        }
        (lodger.used, lodger.held_back) = (known.used, known.held_back);
        if lodger.needs_more() {
            known.needed = Some(Instant::now());
        }
        lodger.content_for = known.needed.map(|at| at.elapsed());
        lodger
    }
}

/// Takes back before it gives, so that not even in between too much is lent.
async fn bring(loges: &Loges, changes: &[(&LogeView, u32)]) {
    let (less, more): (Vec<_>, Vec<_>) = changes.iter().partition(|(view, next)| *next < view.lent_millis);
    for part in [less, more] {
        let brought = part.iter().map(|(view, millis)| async move {
            let brought = loges.lend(&view.tenant, *millis).await;
            debug!(container.id = ?view.container_id, lent_millis = millis, ?brought, "{} is lent {millis}", view.tenant);
            matches!(brought, Ok(true))
        });
        // What could not be taken back is not given a second time.
        if !join_all(brought).await.into_iter().all(|done| done) {
            return;
        }
    }
}

/// From what is measured anyway.
async fn somebody_is_held_back(loges: &Loges, ready: &[LogeView]) -> bool {
    let usage = ready
        .iter()
        .filter(|view| view.tenant != Tenant::House)
        .filter_map(|view| Some((view, view.container_id.as_ref()?)))
        .map(|(view, id)| async move {
            loges.house.runtime.usage(id).await.is_some_and(|usage| is_held_back(&usage, view))
        });
    join_all(usage).await.into_iter().any(|held_back| held_back)
}

fn is_held_back(usage: &Usage, view: &LogeView) -> bool {
    usage.throttled_percent.is_some_and(|percent| percent >= 20.0) || usage.cpu_percent >= view.limits.cpus() * 85.0
}

/// Says once why nothing is lent here.
pub fn cannot() {
    info!("unused processor time is not lent: this runtime cannot change the limits of a loge that runs");
}
