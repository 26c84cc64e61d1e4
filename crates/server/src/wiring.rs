//! What happens between the rooms: folders move mounts, and the state of the house is summed up for vitals, tray and window.

use crate::{
    handle::{Level, Phase, Status},
    house::HouseFacts,
    lock::DataLock,
};
use accounts::Accounts;
use base::{Bus, Dirs, Event, Lifecycle};
use domain::{
    FolderState, LogeState, RuntimeKind, Tenant,
    chip::{ChipProblem, ChipVerdict},
};
use gateway::{Calibration, Streams};
use library::Libraries;
use loges::{Loges, RuntimeInfo};
use renditions::SegmentCache;
use std::{sync::Arc, time::Duration};
use store::{ClockState, Library, Store};
use tokio::sync::{Mutex, Notify, OnceCell, watch};
use tracing::{debug, info, warn};
use vault::Vault;
use vitals::{AlertCode, Backups, Freeable, House, HouseView, Vitals, WriteFault};

/// Lines of the audit log that stay in the database, where the page reads them: years of a house.
const AUDIT_KEPT: u64 = 100_000;
const AUDIT_PER_FILE: u64 = 10_000;
/// More often than so many lines can come in.
const DATABASE_EVERY: Duration = Duration::from_mins(10);
/// A house may be off for so long without being told that its clock jumped.
const LONGEST_PAUSE_MS: i64 = 30 * 24 * 3_600_000;

/// Everything that runs.
pub(crate) struct Rooms {
    pub(crate) store: Store,
    pub(crate) accounts: Accounts,
    pub(crate) loges: Loges,
    pub(crate) libraries: Libraries,
    pub(crate) segments: SegmentCache,
    pub(crate) vault: Vault,
    /// A house that is tried out does nothing by itself.
    pub(crate) is_rehearsal: bool,
    pub(crate) vitals: Vitals,
    pub(crate) streams: Streams,
    pub(crate) calibration: Calibration,
    pub(crate) facts: Arc<HouseFacts>,
    pub(crate) bus: Bus,
    /// Everything that faces the network; it drains before the rooms behind it stop.
    pub(crate) open: Lifecycle,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) drain: Duration,
    pub(crate) dirs: Dirs,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) changed: Notify,
    pub(crate) lock: Mutex<Option<DataLock>>,
    pub(crate) telemetry: std::sync::Mutex<Option<base::telemetry::Telemetry>>,
    pub(crate) stopped: OnceCell<()>,
}

impl Rooms {
    /// Starts the tasks between the rooms.
    pub(crate) fn connect(self: &Arc<Self>) {
        let rooms = self.clone();
        self.lifecycle.spawn("wiring", async move { rooms.follow_events().await });
        let rooms = self.clone();
        self.lifecycle.spawn("status", async move { rooms.keep_status().await });
        let rooms = self.clone();
        self.lifecycle.spawn("reserve", async move { rooms.keep_reserve().await });
        let rooms = self.clone();
        self.lifecycle.spawn("database", async move { rooms.keep_database().await });
        if self.is_rehearsal {
            return;
        }
        self.lifecycle.spawn("first calibration", crate::calibrating::run(self.clone()));
        self.lifecycle.spawn("key frame indexes", crate::indexing::run(self.clone()));
        self.lifecycle.spawn("looks", crate::looks::run(self.clone()));
    }

    /// Work with the data folder that waits for its disk.
    async fn on_disk(&self, work: impl FnOnce(&Dirs) + Send + 'static) {
        let dirs = self.dirs.clone();
        if tokio::task::spawn_blocking(move || work(&dirs)).await.is_err() {
            warn!("work on the data folder broke off");
        }
    }

    /// Space for a day on which the disk is full is held again once there is plenty.
    async fn keep_reserve(&self) {
        let mut timer = tokio::time::interval(Duration::from_secs(30));
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.lifecycle.soft().cancelled() => return,
                _ = timer.tick() => self.on_disk(crate::reserve::hold_when_there_is_plenty).await,
            }
        }
    }

    /// Old lines of the audit log move into files, so that the database does not grow for ever, and
    /// the time is kept where nobody signs in for days.
    async fn keep_database(&self) {
        let mut timer = tokio::time::interval(DATABASE_EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.lifecycle.soft().cancelled() => return,
                _ = timer.tick() => {}
            }
            if let Err(e) = self.store.keep_time(Duration::MAX).await {
                debug!("the time could not be written down: {e}");
            }
            match self.store.archive_audit(&self.dirs.audit(), AUDIT_PER_FILE, AUDIT_KEPT).await {
                Ok(0) => {}
                Ok(moved) => info!(moved, "{moved} old lines of the audit log moved into a file"),
                Err(e) => warn!(error = %e, "old lines of the audit log stay in the database: {e}"),
            }
        }
    }

    pub(crate) fn refresh(&self) {
        self.changed.notify_one();
    }

    async fn follow_events(&self) {
        let mut events = self.bus.subscribe();
        loop {
            let event = tokio::select! {
                () = self.lifecycle.soft().cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(stamped) => self.react(&stamped.event),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    // Mounts are compared with grants for everyone, since it is unknown who was missed.
                    warn!(missed, "{missed} events were missed; all loges are compared with their grants");
                    for view in self.loges.list() {
                        self.loges.remount(&view.tenant).await;
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn react(&self, event: &Event) {
        match event {
            Event::Library { .. } => {
                self.remount_all();
                self.refresh();
            }
            Event::Loge { .. } | Event::Streams | Event::Job { .. } | Event::Users => self.refresh(),
            // The gateway acts on these: it knows the plays they end.
            Event::SessionEnded { .. } | Event::GrantsChanged { .. } => {}
            Event::Title { .. }
            | Event::Poster { .. }
            | Event::StreamsMoved
            | Event::Alerts
            | Event::Backups
            | Event::Vitals
            | Event::PlayStopped { .. }
            | Event::Message { .. } => {}
        }
    }

    /// A library changed its folders, or a disk came or went: every loge is compared with what it
    /// should hold; one that holds the right folders is left alone.
    fn remount_all(&self) {
        for view in self.loges.list() {
            let loges = self.loges.clone();
            self.lifecycle.spawn("remount", async move { loges.remount(&view.tenant).await });
        }
    }

    async fn keep_status(&self) {
        let mut timer = tokio::time::interval(Duration::from_secs(2));
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.lifecycle.soft().cancelled() => return,
                () = self.changed.notified() => {}
                _ = timer.tick() => {}
            }
            self.sum_up().await;
        }
    }

    async fn sum_up(&self) {
        let before = self.facts.house();
        // What cannot be read is as it was: a database that is away takes nothing off the page.
        let libraries = self.store.libraries().await.ok();
        let settings = self.store.settings().await.ok();
        let setup_required = self.accounts.setup_code().is_some();
        let mut loges_failed = Vec::new();
        for loge in self.loges.list() {
            if matches!(loge.state, LogeState::Failed { .. }) {
                loges_failed.push(self.name_of(&loge.tenant).await);
            }
        }
        let set_aside = match self.store.files_set_aside().await {
            Ok(files) => files.into_iter().map(|(_, name)| name).collect(),
            Err(_) => before.set_aside,
        };
        let runtime = self.loges.runtime();
        // Tries a small write while the last one failed, so that the alert goes away by itself.
        self.store.can_write().await;
        let (database_bytes, database_log_bytes) = self.store.size_bytes().await;
        let house = House {
            viewers_now: self.streams.viewers(),
            viewers_max: settings.as_ref().map_or(before.viewers_max, |s| s.max_viewers),
            loges_failed,
            set_aside,
            libraries_offline: libraries.as_deref().map_or(before.libraries_offline, offline),
            scanning: self.libraries.is_scanning(None),
            walls_missing: walls_missing(&runtime),
            is_refused: settings
                .as_ref()
                .map_or(before.is_refused, |s| runtime.permit(s.allow_reduced_isolation).is_err()),
            engine_away: is_away(&runtime),
            cache_pause: self.segments.pause(),
            chip_off: settings.as_ref().is_some_and(|s| s.hardware_encoding) && self.chip_kept_failing().await,
            setup_required,
            database_away: self.store.away_since().is_some(),
            writes_fail: self
                .store
                .write_failure()
                .map(|f| if f.full { WriteFault::NoSpace } else { WriteFault::Failing }),
            database_bytes,
            database_log_bytes,
            clock_off_ms: match self.store.clock_state() {
                ClockState::Ahead { by_ms } if by_ms > LONGEST_PAUSE_MS => by_ms,
                ClockState::Steady | ClockState::Ahead { .. } => 0,
                ClockState::Behind { by_ms } => by_ms.saturating_neg(),
            },
            freeable: self.freeable().await,
            backups: self.backups(),
        };
        let folders = |libraries: Vec<Library>| libraries.into_iter().flat_map(|l| l.folders).map(|f| f.path).collect();
        let roots = libraries.map_or_else(|| self.facts.library_roots(), folders);
        self.facts.set(house.clone(), roots);
        let sentence = self.vitals.sentence();
        let status = Status {
            phase: Phase::Running,
            level: sentence.level,
            sentence: sentence.text,
            viewers: house.viewers_now,
            max_viewers: house.viewers_max,
            streams: u32::try_from(self.streams.list().len()).unwrap_or(u32::MAX),
            scanning: house.scanning,
            jobs_paused: self.libraries.all_paused(),
            setup_required,
        };
        self.status.send_if_modified(|old| {
            let differs = *old != status && old.phase != Phase::Draining && old.phase != Phase::Stopped;
            if differs {
                *old = status;
            }
            differs
        });
    }

    /// Asked only while the disk is full: it is told then, and nowhere else.
    async fn freeable(&self) -> Freeable {
        if !self.vitals.alerts().iter().any(|alert| matches!(alert.code, AlertCode::DiskLow(_))) {
            return Freeable::default();
        }
        let versions = self.store.renditions().await.unwrap_or_default();
        Freeable {
            segment_bytes: self.segments.view().used,
            version_bytes: versions.iter().map(|version| version.stored_bytes).sum(),
        }
    }

    fn backups(&self) -> Backups {
        let vault::Health { failed, unproven_days, places_behind } = self.vault.health();
        Backups { failed, unproven_days, places_behind }
    }

    async fn chip_kept_failing(&self) -> bool {
        let capacity = self.store.capacity().await.ok().flatten();
        capacity.is_some_and(|c| c.chip == ChipVerdict::Failed(ChipProblem::KeptFailing))
    }

    async fn name_of(&self, tenant: &Tenant) -> String {
        match tenant {
            Tenant::House => "the house".into(),
            Tenant::User(id) => {
                self.store.user(id).await.ok().flatten().map_or_else(|| "somebody".into(), |user| user.username)
            }
        }
    }

    /// Kindly, then surely. The second caller waits for the first one's stop.
    pub(crate) async fn stop(&self) {
        self.stopped.get_or_init(|| self.stop_once()).await;
    }

    async fn stop_once(&self) {
        info!("the house closes: no new streams, running ones have {:?}", self.drain);
        self.status.send_modify(|s| {
            s.phase = Phase::Draining;
            s.level = Level::Attention;
            s.sentence = "The house is closing.".into();
        });
        self.open.stop(self.drain).await;
        self.loges.shutdown().await;
        self.lifecycle.stop(Duration::from_secs(5)).await;
        if let Err(e) = self.store.keep_time(Duration::ZERO).await {
            debug!("the time could not be written down: {e}");
        }
        self.store.clone().close().await;
        self.on_disk(crate::reserve::hold_what_there_is).await;
        // Sockets only; the folder is made again at the next start.
        if let Err(e) = std::fs::remove_dir_all(self.dirs.run()) {
            debug!("the run folder stays: {e}");
        }
        self.lock.lock().await.take();
        self.status.send_modify(|s| s.phase = Phase::Stopped);
        info!("the house is closed");
        // Last: it writes the lines above.
        if let Ok(mut telemetry) = self.telemetry.lock() {
            telemetry.take();
        }
    }
}

/// Returns the names of libraries with a folder whose disk is away.
fn offline(libraries: &[Library]) -> Vec<String> {
    let lacks = |library: &&Library| library.folders.iter().any(|f| f.state != FolderState::Online);
    libraries.iter().filter(lacks).map(|library| library.name.clone()).collect()
}

fn walls_missing(runtime: &RuntimeInfo) -> Vec<String> {
    match runtime.level() {
        loges::Level::Reduced { missing } => missing,
        loges::Level::Full | loges::Level::Unknown => Vec::new(),
    }
}

/// Docker was chosen and is not fit: it advises something.
fn is_away(runtime: &RuntimeInfo) -> bool {
    runtime.kind == RuntimeKind::Docker && runtime.advice.is_some()
}
