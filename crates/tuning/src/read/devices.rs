//! Disks, network cards, and the clocks of processors.

use super::{choice, line, number};
use crate::{
    facts::{Card, Disk, DiskKind, Governor},
    machine::Machine,
};

const BLOCK: &str = "/sys/block";
const NET: &str = "/sys/class/net";
const CPUFREQ: &str = "/sys/devices/system/cpu/cpufreq";
/// The only kinds that hold films. Loop devices, memory and drives for discs do not count.
const DISKS: &[&str] = &["sd", "nvme", "vd", "xvd", "hd", "mmcblk", "dm-", "md"];
const ETHERNET: u64 = 1;

pub(super) fn disks(machine: &dyn Machine) -> Vec<Disk> {
    let names = machine.names(BLOCK);
    names
        .iter()
        .filter(|name| DISKS.iter().any(|start| name.starts_with(start)))
        .map(|name| disk(machine, name))
        .collect()
}

fn disk(machine: &dyn Machine, name: &str) -> Disk {
    let of = |file: &str| number(machine, &format!("{BLOCK}/{name}/{file}"));
    let kind = if of("removable") == Some(1) || name.starts_with("mmcblk") {
        DiskKind::Removable
    } else if name.starts_with("nvme") {
        DiskKind::Nvme
    } else if of("queue/rotational") == Some(0) {
        DiskKind::Ssd
    } else {
        DiskKind::Hdd
    };
    Disk {
        name: name.into(),
        kind,
        layered: name.starts_with("dm-") || name.starts_with("md"),
        scheduler: choice(machine, &format!("{BLOCK}/{name}/queue/scheduler")),
        read_ahead_kb: of("queue/read_ahead_kb"),
        takes_trims: of("queue/discard_max_bytes").is_some_and(|bytes| bytes > 0),
    }
}

pub(super) fn cards(machine: &dyn Machine) -> Vec<Card> {
    let names = machine.names(NET);
    let is_card = |name: &&String| {
        machine.is_there(&format!("{NET}/{name}/device"))
            && number(machine, &format!("{NET}/{name}/type")) == Some(ETHERNET)
    };
    names.iter().filter(is_card).map(|name| card(machine, name)).collect()
}

fn card(machine: &dyn Machine, name: &str) -> Card {
    let driver = machine.target(&format!("{NET}/{name}/device/driver")).unwrap_or_default();
    Card {
        name: name.into(),
        driver: driver.rsplit('/').next().unwrap_or_default().into(),
        wireless: ["wireless", "phy80211"].iter().any(|mark| machine.is_there(&format!("{NET}/{name}/{mark}"))),
        // -1 while there is no link, which is no number for us.
        speed_mbit: number(machine, &format!("{NET}/{name}/speed")),
        wakes: line(machine, &format!("{NET}/{name}/device/power/wakeup"))
            .filter(|state| !state.is_empty())
            .map(|state| state == "enabled"),
    }
}

pub(super) fn governors(machine: &dyn Machine) -> Vec<Governor> {
    let policies = machine.names(CPUFREQ);
    let of = |policy: &String| {
        let path = format!("{CPUFREQ}/{policy}/scaling_governor");
        let mut choice = choice(machine, &path)?;
        let offered = line(machine, &format!("{CPUFREQ}/{policy}/scaling_available_governors")).unwrap_or_default();
        choice.offered = offered.split_whitespace().map(str::to_owned).collect();
        let driver = line(machine, &format!("{CPUFREQ}/{policy}/scaling_driver")).unwrap_or_default();
        Some(Governor { path, driver, choice })
    };
    policies.iter().filter_map(of).collect()
}
