//! The texts of the two files that set everything again when the machine starts.

use crate::{
    finding::Keep,
    record::{Record, Step},
};

/// Read by `systemd-sysctl`. A file that sorts later, like the owner's `/etc/sysctl.conf`, wins.
pub const SYSCTL_FILE: &str = "/etc/sysctl.d/60-loge.conf";
/// Read by `systemd-udevd`.
pub const UDEV_FILE: &str = "/etc/udev/rules.d/60-loge.rules";

const HEAD: &str = "# Written by `loge-server tune-host --apply`; `--undo` removes it.\n\
                    # What each line is for: loge-server tune-host\n";

/// Returns each file with its text; none where nothing of its kind is set.
pub(crate) fn texts(record: &Record) -> [(&'static str, Option<String>); 2] {
    let sysctl = |step: &Step| match &step.keep {
        Keep::Sysctl { key, value } => Some(format!("{key} = {value}")),
        _ => None,
    };
    let udev = |step: &Step| match &step.keep {
        Keep::Udev { rule } => Some(rule.clone()),
        _ => None,
    };
    [
        (SYSCTL_FILE, text(record.steps.iter().filter_map(sysctl))),
        (UDEV_FILE, text(record.steps.iter().filter_map(udev))),
    ]
}

/// Two disks of one kind share a rule.
fn text(lines: impl Iterator<Item = String>) -> Option<String> {
    let mut once: Vec<String> = Vec::new();
    for line in lines {
        if !once.contains(&line) {
            once.push(line);
        }
    }
    (!once.is_empty()).then(|| format!("{HEAD}{}\n", once.join("\n")))
}
