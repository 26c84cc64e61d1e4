//! One look at the machine.

use base::UnixMs;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub at: UnixMs,
    /// 0 to 100 over all cores.
    pub cpu_percent: f32,
    /// 0 to 100 each.
    pub cpus: Vec<f32>,
    pub load1: f64,
    pub memory: Memory,
    pub temperature: Temperature,
    pub disks: Vec<Disk>,
    /// Folders of libraries whose disk does not answer.
    pub hanging: Vec<PathBuf>,
    pub network: Network,
    pub server: ServerUse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    pub total_bytes: u64,
    pub used_bytes: u64,
    pub available_bytes: u64,
}

/// Degrees Celsius of the processor, where the machine tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Temperature {
    NoSensor,
    Celsius(f32),
}

impl Temperature {
    /// From here on background work should wait.
    pub const HOT_CELSIUS: f32 = domain::rendition::HOT_CELSIUS;

    pub fn celsius(self) -> Option<f32> {
        match self {
            Self::NoSensor => None,
            Self::Celsius(c) => Some(c),
        }
    }
    pub fn is_hot(self) -> bool {
        self.celsius().is_some_and(|c| c >= Self::HOT_CELSIUS)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskRole {
    Data,
    Library,
}

impl DiskRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Library => "library",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The watched folder on it.
    pub mount: PathBuf,
    pub role: DiskRole,
    pub total_bytes: u64,
    /// Free for ordinary users.
    pub free_bytes: u64,
}

/// All real network interfaces together; bits per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Network {
    pub rx_bps: u64,
    pub tx_bps: u64,
    /// The fastest link that is up, where it tells.
    pub link_bps: Option<u64>,
}

impl Network {
    /// From here on a link is busy: what comes in bursts needs the rest.
    pub fn busy_from_bps(self) -> Option<u64> {
        self.link_bps.map(|bps| bps / 10 * 8)
    }
}

/// What the server process itself takes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServerUse {
    pub rss_bytes: u64,
    /// Of one core.
    pub cpu_percent: f32,
    pub uptime_s: u64,
    pub open_fds: u32,
}
