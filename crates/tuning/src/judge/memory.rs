//! Memory: what is pushed out first, and how much may wait to be written.

use super::{Subject, Sysctl, sysctl as change};
use crate::{
    facts::Facts,
    finding::{Area, Finding},
    values::{
        CACHE_PRESSURE, DIRTY_BACKGROUND_BYTES, DIRTY_BYTES, SWAPPINESS_COMPRESSED, SWAPPINESS_DISK, ZRAM_BELOW_BYTES,
    },
};

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    vec![
        swappiness(facts),
        zram(facts),
        Sysctl {
            area: Area::Memory,
            key: "vm.vfs_cache_pressure",
            better: CACHE_PRESSURE.to_string(),
            why: "names and dates of films stay in memory while films stream through it; scans touch the disk less",
            hardware: "every machine, most of all with hard disks",
        }
        .judge(facts, |now| now.parse::<u64>().is_ok_and(|now| (1..=CACHE_PRESSURE).contains(&now))),
        dirty(
            facts,
            "vm.dirty_background_bytes",
            "vm.dirty_background_ratio",
            DIRTY_BACKGROUND_BYTES,
            "writing starts early and evenly, so films read meanwhile do not stall",
        ),
        dirty(
            facts,
            "vm.dirty_bytes",
            "vm.dirty_ratio",
            DIRTY_BYTES,
            "a large copy cannot fill memory with unwritten bytes that the database would wait for",
        ),
    ]
}

fn swappiness(facts: &Facts) -> Finding {
    let compressed = facts.swap.is_compressed();
    let better = if compressed { SWAPPINESS_COMPRESSED } else { SWAPPINESS_DISK };
    let why = if compressed {
        "compressed memory is faster than any disk, so idle pages may go there early"
    } else {
        "films that are read once are dropped before programs are pushed out to a slow disk"
    };
    let hardware = "swap on a disk: 10; swap in zram or zswap: 100";
    let key = "vm.swappiness";
    if !facts.swap.is_any() {
        let now = facts.sysctls.get(key).cloned();
        return Subject { area: Area::Memory, name: key.into(), now, why, hardware }.refused("there is no swap here");
    }
    Sysctl { area: Area::Memory, key, better: better.to_string(), why, hardware }
        .judge(facts, |now| now.parse::<u64>().is_ok_and(|now| if compressed { now >= better } else { now <= better }))
}

fn zram(facts: &Facts) -> Finding {
    let now = match facts.swap {
        swap if swap.zram => "in use",
        swap if swap.is_compressed() => "zswap in use",
        _ => "not in use",
    };
    let subject = Subject {
        area: Area::Memory,
        name: "zram".into(),
        now: Some(now.into()),
        why: "compressing idle memory makes room for one or two more viewers without touching a disk",
        hardware: "machines with up to 8 GB of memory",
    };
    if facts.swap.is_compressed() {
        return subject.good();
    }
    if facts.memory_bytes > ZRAM_BELOW_BYTES {
        return subject.refused("this machine has enough memory");
    }
    subject.advice("in use", "apt install zram-tools, then run tune-host again: vm.swappiness follows from it")
}

/// Judges a limit that the kernel holds either as a share of memory or in bytes.
fn dirty(facts: &Facts, key: &'static str, share: &'static str, better: u64, why: &'static str) -> Finding {
    let number = |key: &str| facts.sysctls.get(key).and_then(|now| now.parse::<u64>().ok());
    let (bytes, percent) = (number(key), number(share));
    let effective = match (bytes, percent) {
        (Some(bytes), _) if bytes > 0 => Some(bytes),
        (_, Some(percent)) => Some(facts.memory_bytes / 100 * percent),
        _ => None,
    };
    let now = match (bytes, percent) {
        (Some(bytes), _) if bytes > 0 => Some(bytes.to_string()),
        (_, Some(percent)) => Some(format!("{percent} % of memory")),
        _ => None,
    };
    let subject =
        Subject { area: Area::Memory, name: key.into(), now, why, hardware: "machines with more than 1 GB of memory" };
    match effective {
        None => subject.refused("this kernel does not have it"),
        Some(effective) if effective <= better => subject.good(),
        Some(_) => subject.change(better.to_string(), change(key, &better.to_string(), Some(share))),
    }
}
