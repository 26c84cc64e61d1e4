//! What is known about a machine. Plain data: filled by [`read`](crate::read()), judged by
//! [`judge`](crate::judge()).

use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    pub place: Place,
    /// Has a battery that feeds the machine itself.
    pub laptop: bool,
    pub memory_bytes: u64,
    pub disks: Vec<Disk>,
    pub mounts: Vec<Mount>,
    pub trim_timer: TrimTimer,
    pub cards: Vec<Card>,
    pub swap: Swap,
    pub governors: Vec<Governor>,
    /// Only those the kernel has, in its own spelling.
    pub sysctls: BTreeMap<String, String>,
    /// Congestion controls that are loaded or can be.
    pub congestion: Vec<String>,
    /// The hard limit of open files of this process; none where it is unknown or unlimited.
    pub open_files: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    #[default]
    Computer,
    VirtualMachine,
    Container,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    pub name: String,
    pub kind: DiskKind,
    /// Made of other disks (LVM, LUKS, RAID), which do the scheduling.
    pub layered: bool,
    pub scheduler: Option<Choice>,
    pub read_ahead_kb: Option<u64>,
    pub takes_trims: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskKind {
    Nvme,
    Ssd,
    Hdd,
    /// A stick or a card.
    Removable,
}

/// A kernel file that lists what it offers and marks what it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    pub now: String,
    pub offered: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mount {
    pub device: String,
    pub folder: String,
    pub options: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrimTimer {
    Enabled,
    Disabled,
    Masked,
    /// No such unit: no systemd, or no `fstrim`.
    #[default]
    Missing,
}

/// A network card with a device behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    pub name: String,
    pub driver: String,
    pub wireless: bool,
    /// None while no cable is in.
    pub speed_mbit: Option<u64>,
    /// Whether the card may wake the machine; none where it cannot.
    pub wakes: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swap {
    pub zram: bool,
    pub zswap: bool,
    pub disk: bool,
}

impl Swap {
    pub(crate) fn is_any(self) -> bool {
        self.zram || self.disk
    }

    pub(crate) fn is_compressed(self) -> bool {
        self.zram || (self.zswap && self.disk)
    }
}

/// How one group of cores chooses its clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Governor {
    /// The kernel file that holds it.
    pub path: String,
    pub driver: String,
    pub choice: Choice,
}
