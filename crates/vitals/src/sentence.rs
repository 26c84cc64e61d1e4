//! "Is everything fine?" in one line, made from state.

use crate::{
    alerts::{Alert, Level},
    sample::Sample,
};
use domain::cache::Pause;

/// Above this a processor is busy.
pub(crate) const BUSY_PERCENT: f32 = 80.0;

/// What the rest of the house reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct House {
    pub viewers_now: u32,
    pub viewers_max: u32,
    /// Names of people whose loge does not start.
    pub loges_failed: Vec<String>,
    /// Titles with a file that ended workers.
    pub set_aside: Vec<String>,
    /// Names of libraries whose disk is away.
    pub libraries_offline: Vec<String>,
    pub scanning: bool,
    /// Walls that must stand around loges and do not.
    pub walls_missing: Vec<String>,
    /// The owner does not allow that: no loge starts.
    pub is_refused: bool,
    pub engine_away: bool,
    /// Why what is encoded is not kept, if that is so.
    pub cache_pause: Option<Pause>,
    /// The graphics chip failed again and again and was switched off.
    pub chip_off: bool,
    pub setup_required: bool,
    /// The database is on another machine and does not answer.
    pub database_away: bool,
    /// Why the last write to the database failed, if it did.
    pub writes_fail: Option<WriteFault>,
    /// The database file and its write-ahead log; zero where another server keeps them.
    pub database_bytes: u64,
    pub database_log_bytes: u64,
    /// How far the machine's clock jumped, ahead or, as a negative number, back; 0 while it runs
    /// as it should.
    pub clock_off_ms: i64,
    /// What may go where the disk of the data folder is full.
    pub freeable: Freeable,
    pub backups: Backups,
}

/// What the owner has to know about backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backups {
    /// Why the last one was not made, in a sentence.
    pub failed: Option<String>,
    /// Days since one was last proven, where that is too long ago.
    pub unproven_days: Option<u32>,
    /// Folders that have lacked copies for days, each with what is in the way, in a sentence.
    pub places_behind: Vec<(String, String)>,
}

/// Why a write to the database failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    NoSpace,
    Failing,
}

/// What can be made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freeable {
    pub segment_bytes: u64,
    pub version_bytes: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    pub level: Level,
    pub text: String,
    /// The page of the cause, when there is one.
    pub href: Option<&'static str>,
}

/// Trouble first, then what wants attention, then the calm line.
pub fn sum_up(sample: Option<&Sample>, house: &House, alerts: &[Alert]) -> Sentence {
    if house.setup_required {
        return Sentence {
            level: Level::Attention,
            text: "The house has no owner yet. Open it and enter the setup code.".into(),
            href: None,
        };
    }
    if let Some(worst) = alerts.first() {
        let more = match alerts.len() - 1 {
            0 => String::new(),
            1 => " One more thing wants attention.".into(),
            n => format!(" {n} more things want attention."),
        };
        return Sentence { level: worst.level, text: format!("{}{more}", worst.text), href: Some(worst.code.href()) };
    }
    let seats = format!("{} of {} seats taken", house.viewers_now, house.viewers_max);
    let mut parts = vec![seats];
    if let Some(sample) = sample {
        parts.push(format!("CPU {:.0} %", sample.cpu_percent));
        if let Some(celsius) = sample.temperature.celsius() {
            parts.push(format!("{celsius:.0} °C"));
        }
    }
    if house.scanning {
        parts.push("a library is being scanned".into());
    }
    let text = format!("{} {}.", mood(sample), parts.join(", "));
    Sentence { level: Level::Good, text, href: None }
}

/// Nothing is wrong; a processor that has just become busy or hot is not told as calm either.
fn mood(sample: Option<&Sample>) -> &'static str {
    match sample {
        Some(sample) if sample.temperature.is_hot() => "The processor is hot.",
        Some(sample) if sample.cpu_percent > BUSY_PERCENT => "The processor is busy.",
        _ => "All is well.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alerts::AlertCode,
        sample::{Memory, Network, ServerUse, Temperature},
    };
    use base::UnixMs;

    #[test]
    fn trouble_is_said_first_and_calm_is_said_with_figures() {
        let house = House { viewers_now: 3, viewers_max: 6, ..House::default() };
        assert_eq!(sum_up(None, &house, &[]).text, "All is well. 3 of 6 seats taken.");
        let alert =
            |level, text: &str| Alert { code: AlertCode::EngineAway, level, text: text.into(), since: UnixMs(0) };
        let said =
            sum_up(None, &house, &[alert(Level::Trouble, "The engine is away."), alert(Level::Attention, "Hot.")]);
        assert_eq!(said.text, "The engine is away. One more thing wants attention.");
        assert_eq!((said.level, said.href), (Level::Trouble, Some("/admin/containers")));
    }

    #[test]
    fn a_machine_that_works_hard_is_not_called_well() {
        let house = House { viewers_max: 6, ..House::default() };
        let sample = |cpu_percent, celsius| Sample {
            at: UnixMs(0),
            cpu_percent,
            cpus: vec![],
            load1: 0.0,
            memory: Memory::default(),
            temperature: Temperature::Celsius(celsius),
            disks: vec![],
            hanging: vec![],
            network: Network::default(),
            server: ServerUse::default(),
        };
        let said = |cpu, celsius| sum_up(Some(&sample(cpu, celsius)), &house, &[]).text;
        assert_eq!(said(100.0, 60.0), "The processor is busy. 0 of 6 seats taken, CPU 100 %, 60 °C.");
        assert_eq!(said(20.0, 90.0), "The processor is hot. 0 of 6 seats taken, CPU 20 %, 90 °C.");
        assert_eq!(said(20.0, 60.0), "All is well. 0 of 6 seats taken, CPU 20 %, 60 °C.");
    }
}
