//! How the house feels: measurements of the host, their history, alert rules, and the one
//! sentence that says whether everything is fine.
//!
//! Owns: one sampling task, the rings of past samples, the list of raised alerts.
//! Promises: a missing sensor or a hanging disk is a normal state, never an error; sampling
//! costs well under one percent of a core.
//! Never here: HTTP, SQL, containers. What loges use arrives as numbers from outside.

pub mod alerts;
pub mod history;
mod measure;
pub mod sample;
pub mod sentence;

pub use alerts::{Alert, AlertCode, Alerts, Level};
pub use history::{HistoryPoint, HistoryRange, LogeRings, LogeUse, Rings};
pub use sample::{Disk, DiskRole, Memory, Network, Sample, ServerUse, Temperature};
pub use sentence::{Backups, Freeable, House, Sentence, WriteFault};

use base::{Bus, Clock, Event, Lifecycle};
use measure::LibraryDisks;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is measured, and how often.
#[derive(Debug, Clone)]
pub struct VitalsConfig {
    pub interval: Duration,
    /// The disk of this folder is watched as `data`.
    pub data_dir: PathBuf,
}

/// What the rest of the house knows and vitals cannot measure. Asked for at every sample, so
/// answering must be quick and must not block.
pub trait HouseView: Send + Sync + 'static {
    fn house(&self) -> House;
    fn library_roots(&self) -> Vec<PathBuf>;
    /// What each loge takes at this moment.
    fn loges(&self) -> Vec<LogeUse>;
}

struct Shared {
    latest: Mutex<Option<Sample>>,
    rings: Mutex<Rings>,
    loge_rings: Mutex<LogeRings>,
    alerts: Mutex<Alerts>,
    library_disks: Mutex<LibraryDisks>,
    house: Arc<dyn HouseView>,
}

/// Handle on the measurements; cloning is cheap.
#[derive(Clone)]
pub struct Vitals(Arc<Shared>);

impl Vitals {
    /// Starts sampling until the soft stop. Publishes [`Event::Vitals`] after each sample and
    /// [`Event::Alerts`] when the list of alerts changes.
    pub fn start(
        config: VitalsConfig,
        house: Arc<dyn HouseView>,
        clock: Arc<dyn Clock>,
        bus: Bus,
        lifecycle: &Lifecycle,
    ) -> Self {
        let shared = Arc::new(Shared {
            latest: Mutex::default(),
            rings: Mutex::new(Rings::new(config.interval)),
            loge_rings: Mutex::new(LogeRings::new(config.interval)),
            alerts: Mutex::default(),
            library_disks: Mutex::default(),
            house,
        });
        lifecycle.spawn("library disks", measure_libraries(shared.clone(), config.interval, lifecycle.soft().clone()));
        let task = shared.clone();
        let soft = lifecycle.soft().clone();
        lifecycle.spawn("vitals", async move {
            let mut instruments = measure::Instruments::new(config.data_dir);
            let mut ticks = tokio::time::interval(config.interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    () = soft.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let now = clock.now();
                // Reading /proc and the data disk can wait; never on the runtime's threads.
                let measured = tokio::task::spawn_blocking(move || {
                    let sample = instruments.sample(now);
                    (instruments, sample)
                })
                .await;
                let Ok((back, sample)) = measured else { return };
                instruments = back;
                task.take(sample, &bus);
            }
        });
        Self(shared)
    }

    /// The newest sample; `None` in the first moments after start.
    pub fn now(&self) -> Option<Sample> {
        lock(&self.0.latest).clone()
    }

    pub fn history(&self, range: HistoryRange) -> (Duration, Vec<HistoryPoint>) {
        lock(&self.0.rings).range(range)
    }

    /// Days until the data disk is full at the pace of the last day. `None` while it is not filling
    /// up, and before there is a day to go by.
    pub fn days_to_full(&self) -> Option<f64> {
        lock(&self.0.rings).days_to_full()
    }

    /// CPU and memory of one loge: the tenant's id, or `house`.
    pub fn loge_history(&self, tenant: &str, range: HistoryRange) -> (Duration, Vec<HistoryPoint>) {
        lock(&self.0.loge_rings).range(tenant, range)
    }

    pub fn alerts(&self) -> Vec<Alert> {
        lock(&self.0.alerts).raised()
    }

    /// Viewers and loges as the house reported them just now, without waiting for a sample.
    pub fn house(&self) -> House {
        self.0.house.house()
    }

    /// Is everything fine? In words.
    pub fn sentence(&self) -> Sentence {
        sentence::sum_up(self.now().as_ref(), &self.house(), &self.alerts())
    }
}

impl Shared {
    fn take(&self, mut sample: Sample, bus: &Bus) {
        let libraries = lock(&self.library_disks).clone();
        sample.disks.extend(libraries.disks);
        sample.hanging = libraries.hanging;
        lock(&self.rings).push(&sample);
        lock(&self.loge_rings).push(sample.at, &self.house.loges());
        let changed = lock(&self.alerts).judge(&sample, &self.house.house());
        *lock(&self.latest) = Some(sample);
        bus.publish(Event::Vitals);
        if changed {
            bus.publish(Event::Alerts);
        }
    }
}

/// Free space of films changes slowly, and some disks are asked over a network.
const LIBRARIES_EVERY: Duration = Duration::from_secs(30);

/// Measures the disks of libraries apart from the machine: one that hangs holds up no sample.
async fn measure_libraries(shared: Arc<Shared>, interval: Duration, soft: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last: Option<(Instant, Vec<PathBuf>)> = None;
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let roots = shared.house.library_roots();
        if last.as_ref().is_some_and(|(at, before)| at.elapsed() < LIBRARIES_EVERY && *before == roots) {
            continue;
        }
        let found = tokio::select! {
            () = soft.cancelled() => return,
            found = measure::library_disks(base::disks(), &roots) => found,
        };
        *lock(&shared.library_disks) = found;
        last = Some((Instant::now(), roots));
    }
}

/// The IPv4 addresses of this machine in its own network, for links that people type or scan.
pub fn lan_addresses() -> Vec<std::net::Ipv4Addr> {
    measure::lan_addresses()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
