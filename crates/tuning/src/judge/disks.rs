//! Disks: the order of requests, reading ahead, telling an SSD what is free, and access times.

use super::Subject;
use crate::{
    facts::{Disk, DiskKind, Facts, Mount, Place, TrimTimer},
    finding::{Area, Change, Finding, Keep, Setting},
    values::{HDD_READ_AHEAD_KB, NVME_SCHEDULER, SSD_READ_AHEAD_KB, SSD_SCHEDULER},
};
use std::collections::BTreeSet;

const VIRTUAL: &str = "the host schedules the disks of a virtual machine: tune the host";
const REMOVABLE: &str = "USB sticks and memory cards are not tuned";
const TIMER: &str = "/etc/systemd/system/timers.target.wants/fstrim.timer";
const TIMER_UNIT: &str = "/lib/systemd/system/fstrim.timer";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for disk in &facts.disks {
        if !disk.layered {
            findings.push(scheduler(disk, facts.place));
        }
        findings.push(read_ahead(disk, facts.place));
    }
    findings.push(trims(facts));
    let mut seen = BTreeSet::new();
    findings.extend(facts.mounts.iter().filter(|mount| seen.insert(&mount.device)).map(read_times));
    findings
}

fn scheduler(disk: &Disk, place: Place) -> Finding {
    let subject = Subject {
        area: Area::Disks,
        name: format!("{} scheduler", disk.name),
        now: disk.scheduler.as_ref().map(|choice| choice.now.clone()),
        why: match disk.kind {
            DiskKind::Nvme => "the drive orders requests itself; doing it twice costs processor time",
            _ => "reads of viewers pass the writes of scans and encodes, at little processor time",
        },
        hardware: "SSDs on SATA: mq-deadline; NVMe drives: none",
    };
    let (better, kernels, rotates) = match disk.kind {
        _ if place == Place::VirtualMachine => return subject.refused(VIRTUAL),
        DiskKind::Removable => return subject.refused(REMOVABLE),
        DiskKind::Hdd => return subject.refused("for SSDs only; a hard disk keeps the kernel's choice"),
        DiskKind::Nvme => (NVME_SCHEDULER, "nvme*n*", "0"),
        DiskKind::Ssd => (SSD_SCHEDULER, "sd*[!0-9]", "0"),
    };
    match &disk.scheduler {
        None => subject.refused("the kernel does not report it"),
        Some(choice) if choice.now == better => subject.good(),
        Some(choice) if !choice.offered.iter().any(|offered| offered == better) => {
            subject.refused(format!("this kernel does not offer {better}"))
        }
        Some(_) => {
            let rule = rule(kernels, rotates, "", &format!("ATTR{{queue/scheduler}}=\"{better}\""));
            subject.change(better, queue(disk, "scheduler", better, rule))
        }
    }
}

fn read_ahead(disk: &Disk, place: Place) -> Finding {
    let subject = Subject {
        area: Area::Disks,
        name: format!("{} read-ahead", disk.name),
        now: disk.read_ahead_kb.map(|kb| format!("{kb} kB")),
        why: match disk.kind {
            DiskKind::Hdd => {
                "several films on one disk make its head jump, and each jump costs as much time as reading a megabyte"
            }
            _ => "an SSD has no head to move; the kernel's default is enough",
        },
        hardware: "hard disks: 1024 kB; SSDs: the kernel's 128 kB",
    };
    let (better, kernels, rotates) = match disk.kind {
        _ if place == Place::VirtualMachine => return subject.refused(VIRTUAL),
        DiskKind::Removable => return subject.refused(REMOVABLE),
        DiskKind::Hdd => (HDD_READ_AHEAD_KB, "sd*[!0-9]|dm-*|md*", "1"),
        DiskKind::Nvme | DiskKind::Ssd => (SSD_READ_AHEAD_KB, "sd*[!0-9]|nvme*n*|dm-*|md*", "0"),
    };
    match disk.read_ahead_kb {
        None => subject.refused("the kernel does not report it"),
        Some(kb) if kb >= better => subject.good(),
        Some(kb) => {
            // Matches the value found: a disk that was given more keeps it.
            let from = format!("ATTR{{queue/read_ahead_kb}}==\"{kb}\", ");
            let rule = rule(kernels, rotates, &from, &format!("ATTR{{queue/read_ahead_kb}}=\"{better}\""));
            subject.change(format!("{better} kB"), queue(disk, "read_ahead_kb", &better.to_string(), rule))
        }
    }
}

/// Names disks by kind and not by name, since names change places between two starts.
fn rule(kernels: &str, rotates: &str, more: &str, sets: &str) -> String {
    format!(
        "ACTION==\"add|change\", SUBSYSTEM==\"block\", ENV{{DEVTYPE}}==\"disk\", KERNEL==\"{kernels}\", \
         ATTR{{removable}}==\"0\", ATTR{{queue/rotational}}==\"{rotates}\", {more}{sets}"
    )
}

fn queue(disk: &Disk, file: &str, value: &str, rule: String) -> Change {
    let path = format!("/sys/block/{}/queue/{file}", disk.name);
    Change { settings: vec![Setting { path, value: value.into(), twin: None }], keep: Keep::Udev { rule } }
}

fn trims(facts: &Facts) -> Finding {
    let subject = Subject {
        area: Area::Disks,
        name: "fstrim.timer".into(),
        now: match facts.trim_timer {
            TrimTimer::Enabled => Some("enabled".into()),
            TrimTimer::Disabled => Some("disabled".into()),
            TrimTimer::Masked => Some("masked".into()),
            TrimTimer::Missing => None,
        },
        why: "an SSD that learns once a week what is free keeps its write speed",
        hardware: "SSDs that take trims",
    };
    let takes = |disk: &Disk| disk.takes_trims && matches!(disk.kind, DiskKind::Ssd | DiskKind::Nvme);
    match facts.trim_timer {
        _ if facts.place == Place::VirtualMachine => subject.refused(VIRTUAL),
        _ if !facts.disks.iter().any(takes) => subject.refused("no SSD here takes trims"),
        TrimTimer::Enabled => subject.good(),
        TrimTimer::Masked => subject.refused("it is masked, so it was turned off on purpose"),
        TrimTimer::Missing => subject.refused("this system has no such timer"),
        TrimTimer::Disabled => {
            let keep = Keep::Link { path: TIMER.into(), target: TIMER_UNIT.into() };
            subject.change("enabled", Change { settings: Vec::new(), keep })
        }
    }
}

fn read_times(mount: &Mount) -> Finding {
    let has = |option: &str| mount.options.iter().any(|o| o == option);
    let now = ["noatime", "relatime"].into_iter().find(|option| has(option)).unwrap_or("strictatime");
    let subject = Subject {
        area: Area::Disks,
        name: format!("{} access times", mount.folder),
        now: Some(now.into()),
        why: "recording when a film was last read wakes the disk and writes to it for nothing",
        hardware: "every disk with films; SSDs write less",
    };
    if has("noatime") || has("ro") {
        return subject.good();
    }
    let advice = format!(
        "add noatime to the options of {} in /etc/fstab, then: mount -o remount,noatime {}",
        mount.folder, mount.folder
    );
    subject.advice("noatime", advice)
}
