//! Rules with a duration and a way back: raised once, cleared once.

use crate::{
    sample::{DiskRole, Sample},
    sentence::{BUSY_PERCENT, Freeable, House, WriteFault},
};
use base::UnixMs;
use domain::loge::wall_in_words;
use std::collections::BTreeMap;

/// How bad something is; also the level of the whole house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Good,
    Attention,
    Trouble,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Trouble => "trouble",
        }
    }
}

/// The closed list of conditions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertCode {
    DiskLow(String),
    DiskHanging(String),
    CpuBusy,
    MemoryLow,
    Hot,
    LibraryOffline(String),
    LogeFailed(String),
    SetAside(String),
    ReducedIsolation,
    IsolationRefused,
    EngineAway,
    CachePaused,
    ChipOff,
    DatabaseAway,
    WritesFail,
    DatabaseLarge,
    ClockJumped,
    BackupFailed,
    BackupUnproven,
    BackupBehind(String),
}

impl AlertCode {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::DiskLow(_) => "disk_low",
            Self::DiskHanging(_) => "disk_hanging",
            Self::CpuBusy => "cpu_busy",
            Self::MemoryLow => "memory_low",
            Self::Hot => "hot",
            Self::LibraryOffline(_) => "library_offline",
            Self::LogeFailed(_) => "loge_failed",
            Self::SetAside(_) => "set_aside",
            Self::ReducedIsolation => "reduced_isolation",
            Self::IsolationRefused => "isolation_refused",
            Self::EngineAway => "engine_away",
            Self::CachePaused => "cache_paused",
            Self::ChipOff => "chip_off",
            Self::DatabaseAway => "database_away",
            Self::WritesFail => "writes_fail",
            Self::DatabaseLarge => "database_large",
            Self::ClockJumped => "clock_jumped",
            Self::BackupFailed => "backup_failed",
            Self::BackupUnproven => "backup_unproven",
            Self::BackupBehind(_) => "backup_behind",
        }
    }

    /// The condition has to hold this long before anybody is told, in milliseconds.
    const fn patience_ms(&self) -> u64 {
        match self {
            Self::CpuBusy | Self::MemoryLow => 300_000,
            Self::Hot => 30_000,
            // A disk that spins up is silent for as long as this.
            Self::DiskHanging(_) => 15_000,
            // It is believed away only after three pings in vain; a restart of it is over sooner.
            Self::EngineAway => 15_000,
            Self::DiskLow(_)
            | Self::LibraryOffline(_)
            | Self::LogeFailed(_)
            | Self::SetAside(_)
            | Self::ReducedIsolation
            | Self::IsolationRefused
            | Self::CachePaused
            | Self::ChipOff
            | Self::DatabaseAway
            | Self::WritesFail
            | Self::DatabaseLarge
            | Self::ClockJumped
            | Self::BackupFailed
            | Self::BackupUnproven
            | Self::BackupBehind(_) => 0,
        }
    }

    /// Where in the UI the cause is.
    pub const fn href(&self) -> &'static str {
        match self {
            Self::LibraryOffline(_) | Self::DiskHanging(_) => "/admin/libraries",
            Self::LogeFailed(_)
            | Self::SetAside(_)
            | Self::ReducedIsolation
            | Self::IsolationRefused
            | Self::EngineAway => "/admin/containers",
            Self::CachePaused | Self::ChipOff => "/admin/settings",
            Self::BackupFailed | Self::BackupUnproven | Self::BackupBehind(_) => "/admin/backups",
            Self::DiskLow(_)
            | Self::CpuBusy
            | Self::MemoryLow
            | Self::Hot
            | Self::DatabaseAway
            | Self::WritesFail
            | Self::DatabaseLarge
            | Self::ClockJumped => "/admin",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub code: AlertCode,
    pub level: Level,
    pub text: String,
    pub since: UnixMs,
}

struct Tracked {
    level: Level,
    text: String,
    since: UnixMs,
    raised: bool,
}

/// The alerts of one run.
#[derive(Default)]
pub struct Alerts(BTreeMap<AlertCode, Tracked>);

impl Alerts {
    /// Takes a new look; true when the list of raised alerts is another one than before.
    pub fn judge(&mut self, sample: &Sample, house: &House) -> bool {
        let conditions = conditions(sample, house, |code| self.0.get(code).is_some_and(|t| t.raised));
        let before = self.0.values().filter(|t| t.raised).count();
        let mut changed = false;
        self.0.retain(|code, tracked| {
            let stays = conditions.iter().any(|(c, _, _)| c == code);
            changed |= !stays && tracked.raised;
            stays
        });
        for (code, level, text) in conditions {
            let patience = code.patience_ms();
            let tracked =
                self.0.entry(code).or_insert(Tracked { level, text: String::new(), since: sample.at, raised: false });
            changed |= tracked.raised && tracked.level != level;
            tracked.level = level;
            tracked.text = text;
            tracked.raised |= sample.at.since(tracked.since) >= patience;
        }
        changed || before != self.0.values().filter(|t| t.raised).count()
    }

    /// Worst first, then oldest first.
    pub fn raised(&self) -> Vec<Alert> {
        let mut list: Vec<Alert> = self
            .0
            .iter()
            .filter(|(_, t)| t.raised)
            .map(|(code, t)| Alert { code: code.clone(), level: t.level, text: t.text.clone(), since: t.since })
            .collect();
        list.sort_by_key(|a| (std::cmp::Reverse(a.level), a.since));
        list
    }
}

/// A library of 50,000 films takes a tenth of this.
const LARGE_DATABASE_BYTES: u64 = 1 << 30;
/// The log is folded into the file after a few megabytes; one that grows to this is held open.
const LARGE_LOG_BYTES: u64 = 128 << 20;

fn conditions(sample: &Sample, house: &House, raised: impl Fn(&AlertCode) -> bool) -> Vec<(AlertCode, Level, String)> {
    let mut out = Vec::new();
    for disk in &sample.disks {
        let name = disk.mount.to_string_lossy().into_owned();
        let code = AlertCode::DiskLow(name.clone());
        let free = disk.free_bytes as f64 / disk.total_bytes as f64 * 100.0;
        // A library disk that is nearly full is how people use disks; only the data disk stops the house.
        let (warn, stop) = if disk.role == DiskRole::Data { (10.0, 5.0) } else { (2.0, 0.0) };
        let slack = if raised(&code) { 2.0 } else { 0.0 };
        if free < warn + slack {
            let level = if free < stop { Level::Trouble } else { Level::Attention };
            let mut text = format!("The disk at {name} has {} left.", size(disk.free_bytes));
            if disk.role == DiskRole::Data && level == Level::Trouble {
                text.push_str(&what_may_go(&house.freeable));
            }
            out.push((code, level, text));
        }
    }
    if house.database_away {
        let text = "The database does not answer. Films that play go on; signing in, browsing and saving wait for it. \
                    Check that PostgreSQL runs and that this machine reaches it.";
        out.push((AlertCode::DatabaseAway, Level::Trouble, text.into()));
    }
    // One that is away is not written either, and no disk of this machine is to blame.
    if let Some(fault) = house.writes_fail.filter(|_| !house.database_away) {
        let text = match fault {
            WriteFault::NoSpace => "The disk of the data folder is full: nothing new can be saved. Free some space.",
            WriteFault::Failing => {
                "The database cannot be written: nothing new is saved. Look at the disk of the data folder."
            }
        };
        out.push((AlertCode::WritesFail, Level::Trouble, text.into()));
    }
    if let Some(sentence) = &house.backups.failed {
        out.push((AlertCode::BackupFailed, Level::Attention, sentence.clone()));
    }
    if let Some(days) = house.backups.unproven_days {
        let text = format!("No backup has been proven to work for {days} days. Prove one, and read what it says.");
        out.push((AlertCode::BackupUnproven, Level::Attention, text));
    }
    for (path, problem) in &house.backups.places_behind {
        let text = format!("The newest backups have not been copied to {path} for days. {problem}");
        out.push((AlertCode::BackupBehind(path.clone()), Level::Attention, text));
    }
    if house.clock_off_ms != 0 {
        let hours = house.clock_off_ms.unsigned_abs() / 3_600_000;
        let way = if house.clock_off_ms > 0 { "ahead" } else { "back" };
        let text = format!(
            "The clock of this machine jumped {hours} hours {way}. Nothing is deleted for its age until that is clear."
        );
        out.push((AlertCode::ClockJumped, Level::Attention, text));
    }
    let limits = if raised(&AlertCode::DatabaseLarge) { (9, 10) } else { (1, 1) };
    let over = |bytes: u64, limit: u64| bytes >= limit / limits.1 * limits.0;
    if over(house.database_bytes, LARGE_DATABASE_BYTES) || over(house.database_log_bytes, LARGE_LOG_BYTES) {
        let mb = (house.database_bytes + house.database_log_bytes) / 1_000_000;
        let text = format!("The database has grown to {mb} MB, which is unusual. Look at the log, and make a backup.");
        out.push((AlertCode::DatabaseLarge, Level::Attention, text));
    }
    for disk in &sample.hanging {
        let name = disk.to_string_lossy().into_owned();
        let text = format!(
            "The disk at {name} does not answer. Check its cable, or the server it is on; its titles come back with it."
        );
        out.push((AlertCode::DiskHanging(name), Level::Attention, text));
    }
    if sample.cpu_percent > if raised(&AlertCode::CpuBusy) { 70.0 } else { BUSY_PERCENT } {
        let text = format!("The processor has been busy for minutes: {:.0} %.", sample.cpu_percent);
        out.push((AlertCode::CpuBusy, Level::Attention, text));
    }
    if sample.memory.total_bytes > 0 && sample.memory.available_bytes * 20 < sample.memory.total_bytes {
        out.push((AlertCode::MemoryLow, Level::Attention, "Less than 5 % of the memory is free.".into()));
    }
    if let Some(celsius) = sample.temperature.celsius()
        && celsius >= crate::Temperature::HOT_CELSIUS - if raised(&AlertCode::Hot) { 5.0 } else { 0.0 }
    {
        out.push((AlertCode::Hot, Level::Attention, format!("The processor is at {celsius:.0} °C.")));
    }
    for name in &house.libraries_offline {
        let text = format!("The disk of {name} is not there. Nothing is lost; its titles come back when it does.");
        out.push((AlertCode::LibraryOffline(name.clone()), Level::Attention, text));
    }
    // Refused ones are not tried again by themselves, and have an alert of their own.
    for name in house.loges_failed.iter().filter(|_| !house.is_refused) {
        let text = format!("The container of {name} does not start. It is tried again by itself.");
        out.push((AlertCode::LogeFailed(name.clone()), Level::Trouble, text));
    }
    for name in &house.set_aside {
        let text = format!("A file of {name} ended two containers and is set aside.");
        out.push((AlertCode::SetAside(name.clone()), Level::Attention, text));
    }
    if house.is_refused {
        let text = format!(
            "No container starts: this machine cannot build every wall around it (missing: {}). \
             Install Docker, or allow reduced isolation in the settings.",
            in_words(&house.walls_missing)
        );
        out.push((AlertCode::IsolationRefused, Level::Trouble, text));
    } else if !house.walls_missing.is_empty() {
        let text = format!(
            "Containers run with reduced isolation, as you allowed. Missing: {}.",
            in_words(&house.walls_missing)
        );
        out.push((AlertCode::ReducedIsolation, Level::Attention, text));
    }
    if house.engine_away {
        out.push((AlertCode::EngineAway, Level::Trouble, "The container engine does not answer.".into()));
    }
    if let Some(pause) = house.cache_pause {
        out.push((AlertCode::CachePaused, Level::Attention, pause.sentence().into()));
    }
    if house.chip_off {
        let text = "The graphics chip failed on several films and is switched off until it is measured again.".into();
        out.push((AlertCode::ChipOff, Level::Attention, text));
    }
    out
}

fn in_words(walls: &[String]) -> String {
    walls.iter().map(|wall| wall_in_words(wall)).collect::<Vec<_>>().join(", ")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Names the cheapest first: segments are encoded again when a viewer wants them.
fn what_may_go(freeable: &Freeable) -> String {
    let parts = [(freeable.segment_bytes, "kept segments"), (freeable.version_bytes, "prepared versions")];
    let parts: Vec<String> =
        parts.iter().filter(|(bytes, _)| *bytes > 0).map(|(bytes, of)| format!("{} of {of}", size(*bytes))).collect();
    match parts.is_empty() {
        true => " Films play on; free some space there.".into(),
        false => format!(" Films play on. Loge can free {}.", parts.join(", then ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Disk, Memory, Network, ServerUse, Temperature};

    fn sample(at_s: i64, cpu: f32, free: u64) -> Sample {
        Sample {
            at: UnixMs(at_s * 1000),
            cpu_percent: cpu,
            cpus: vec![],
            load1: 0.0,
            memory: Memory { total_bytes: 100, used_bytes: 10, available_bytes: 90 },
            temperature: Temperature::NoSensor,
            disks: vec![Disk { mount: "/d".into(), role: DiskRole::Data, total_bytes: 100, free_bytes: free }],
            hanging: vec![],
            network: Network::default(),
            server: ServerUse::default(),
        }
    }

    #[test]
    fn a_database_that_is_away_is_told_in_the_place_of_writes_that_fail() {
        let mut alerts = Alerts::default();
        let failing = House { writes_fail: Some(WriteFault::Failing), ..House::default() };
        let codes = |alerts: &Alerts| alerts.raised().iter().map(|a| a.code.as_str()).collect::<Vec<_>>();
        assert!(alerts.judge(&sample(0, 0.0, 50), &failing));
        assert_eq!(codes(&alerts), ["writes_fail"], "the control");
        assert!(alerts.judge(&sample(2, 0.0, 50), &House { database_away: true, ..failing }));
        assert_eq!(codes(&alerts), ["database_away"]);
        assert!(alerts.judge(&sample(4, 0.0, 50), &House::default()));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn a_disk_that_does_not_answer_is_named() {
        let (mut alerts, house) = (Alerts::default(), House::default());
        let hanging = Sample { hanging: vec!["/mnt/nas".into()], ..sample(0, 0.0, 50) };
        assert!(!alerts.judge(&hanging, &house), "it may be spinning up");
        assert!(alerts.judge(&Sample { at: UnixMs(15_000), ..hanging }, &house));
        let told = &alerts.raised()[0];
        assert_eq!((told.code.as_str(), told.code.href()), ("disk_hanging", "/admin/libraries"));
        assert!(told.text.contains("/mnt/nas"), "{}", told.text);
        assert!(alerts.judge(&sample(17, 0.0, 50), &house));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn a_busy_minute_is_no_alert_and_a_busy_while_is_one() {
        let (mut alerts, house) = (Alerts::default(), House::default());
        assert!(!alerts.judge(&sample(0, 95.0, 50), &house));
        assert!(!alerts.judge(&sample(60, 95.0, 50), &house));
        assert!(alerts.judge(&sample(301, 95.0, 50), &house));
        assert_eq!(alerts.raised()[0].code, AlertCode::CpuBusy);
        assert!(!alerts.judge(&sample(302, 75.0, 50), &house), "stays until it is clearly over");
        assert!(alerts.judge(&sample(303, 10.0, 50), &house));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn a_cache_that_keeps_nothing_is_told_until_it_does_again() {
        let mut alerts = Alerts::default();
        let paused = House { cache_pause: Some(domain::cache::Pause::Full), ..House::default() };
        assert!(alerts.judge(&sample(0, 0.0, 50), &paused));
        let raised = alerts.raised();
        assert_eq!((raised[0].code.as_str(), raised[0].level), ("cache_paused", Level::Attention));
        assert!(raised[0].text.contains("plays on"), "{}", raised[0].text);
        assert!(alerts.judge(&sample(2, 0.0, 50), &House::default()));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn a_chip_that_was_switched_off_is_told_until_it_is_tested() {
        let mut alerts = Alerts::default();
        let off = House { chip_off: true, ..House::default() };
        assert!(alerts.judge(&sample(0, 0.0, 50), &off));
        let told = &alerts.raised()[0];
        assert_eq!(
            (&told.code, told.code.as_str(), told.code.href()),
            (&AlertCode::ChipOff, "chip_off", "/admin/settings")
        );
        assert!(alerts.judge(&sample(1, 0.0, 50), &House::default()));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn writes_that_fail_are_trouble_until_they_work_again() {
        let mut alerts = Alerts::default();
        let full = House { writes_fail: Some(WriteFault::NoSpace), ..House::default() };
        assert!(alerts.judge(&sample(0, 0.0, 50), &full));
        let told = &alerts.raised()[0];
        assert_eq!((told.code.as_str(), told.level), ("writes_fail", Level::Trouble));
        assert!(told.text.contains("full"), "{}", told.text);
        assert!(alerts.judge(&sample(1, 0.0, 50), &House::default()));
        assert!(alerts.raised().is_empty());
    }

    #[test]
    fn a_clock_that_jumped_is_told_with_its_way() {
        for (off_h, said) in [(0, None), (800, Some("800 hours ahead")), (-30, Some("30 hours back"))] {
            let mut alerts = Alerts::default();
            alerts.judge(&sample(0, 0.0, 50), &House { clock_off_ms: off_h * 3_600_000, ..House::default() });
            let told = alerts.raised();
            assert_eq!(told.first().map(|a| a.text.contains(said.unwrap_or("?"))), said.map(|_| true), "{off_h}");
        }
    }

    #[test]
    fn a_large_database_is_told_until_it_is_clearly_smaller() {
        let sized =
            |database_bytes, database_log_bytes| House { database_bytes, database_log_bytes, ..House::default() };
        for (file, log, want) in [(1 << 29, 64 << 20, false), (1 << 30, 0, true), (0, 128 << 20, true)] {
            let mut alerts = Alerts::default();
            alerts.judge(&sample(0, 0.0, 50), &sized(file, log));
            assert_eq!(alerts.raised().len(), usize::from(want), "{file} {log}");
            alerts.judge(&sample(1, 0.0, 50), &sized(file / 100 * 95, log / 100 * 95));
            assert_eq!(alerts.raised().len(), usize::from(want), "no flicker at the limit: {file} {log}");
            alerts.judge(&sample(2, 0.0, 50), &sized(file / 2, log / 2));
            assert!(alerts.raised().is_empty());
        }
    }

    #[test]
    fn missing_walls_are_told_for_as_long_as_they_are_missing() {
        let mut alerts = Alerts::default();
        let told = |alerts: &Alerts| {
            alerts
                .raised()
                .iter()
                .map(|a| (a.code.as_str(), a.level, a.text.contains("memory limit")))
                .collect::<Vec<_>>()
        };
        let lacking =
            House { walls_missing: vec!["cgroup_memory".into()], loges_failed: vec!["Ana".into()], ..House::default() };
        let refused = House { is_refused: true, ..lacking.clone() };
        assert!(alerts.judge(&sample(0, 0.0, 50), &refused));
        assert_eq!(told(&alerts), [("isolation_refused", Level::Trouble, true)], "one alert, whoever else is refused");
        let allowed = House { loges_failed: vec![], ..lacking };
        for second in [1, 100_000] {
            alerts.judge(&sample(second, 0.0, 50), &allowed);
            assert_eq!(told(&alerts), [("reduced_isolation", Level::Attention, true)]);
        }
        assert!(alerts.judge(&sample(100_001, 0.0, 50), &House::default()));
        assert_eq!(told(&alerts), []);
    }

    #[test]
    fn disks_warn_before_they_stop() {
        let (mut alerts, house) = (Alerts::default(), House::default());
        assert!(alerts.judge(&sample(0, 0.0, 9), &house));
        assert_eq!(alerts.raised()[0].level, Level::Attention);
        assert!(alerts.judge(&sample(1, 0.0, 4), &house));
        assert_eq!(alerts.raised()[0].level, Level::Trouble);
        assert_eq!(alerts.raised()[0].text, "The disk at /d has 0 MB left. Films play on; free some space there.");
        assert!(alerts.judge(&sample(2, 0.0, 50), &house));
    }

    #[test]
    fn a_full_disk_says_what_may_go() {
        let freeable = Freeable { segment_bytes: 200_000_000, version_bytes: 3_100_000_000 };
        let house = House { freeable, ..House::default() };
        let text = |free| conditions(&sample(0, 0.0, free), &house, |_| false)[0].2.clone();
        assert_eq!(
            text(4),
            "The disk at /d has 0 MB left. Films play on. Loge can free 200 MB of kept segments, then 3.1 GB of prepared versions."
        );
        assert_eq!(text(9), "The disk at /d has 0 MB left.", "the control: there is room yet");
    }
}
