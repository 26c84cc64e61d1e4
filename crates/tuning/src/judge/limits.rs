//! Limits of the kernel: folders that can be watched, files that can be open.

use super::{Subject, Sysctl};
use crate::{
    facts::Facts,
    finding::{Area, Finding},
    values::{OPEN_FILES, OPEN_FILES_IN_ALL, WATCH_EVENTS, WATCH_INSTANCES, WATCHES},
};

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let least = |key, least: u64, why| {
        Sysctl { area: Area::Limits, key, better: least.to_string(), why, hardware: "every machine" }
            .at_least(facts, least)
    };
    vec![
        least(
            "fs.inotify.max_user_watches",
            WATCHES,
            "each folder of a library takes one; without one, a new film waits for the next scan",
        ),
        least("fs.inotify.max_user_instances", WATCH_INSTANCES, "a desktop uses most of the usual 128 by itself"),
        least("fs.inotify.max_queued_events", WATCH_EVENTS, "a large copy into a library is noticed file by file"),
        least("fs.file-max", OPEN_FILES_IN_ALL, "each stream uses several descriptors in two processes"),
        open_files(facts),
    ]
}

fn open_files(facts: &Facts) -> Finding {
    let subject = Subject {
        area: Area::Limits,
        name: "open files of one process".into(),
        now: Some(facts.open_files.map_or("unlimited".into(), |limit| limit.to_string())),
        why: "Loge takes as many as the hard limit gives, and turns viewers away when there are none left",
        hardware: "every machine",
    };
    match facts.open_files {
        Some(limit) if limit < OPEN_FILES => {
            subject.advice("65536", "LimitNOFILE=65536 in the unit of the service, or /etc/security/limits.d")
        }
        _ => subject.good(),
    }
}
