//! The walls of loges in Docker, in words for the owner. Pure.

use super::docker_parent::Together;
use crate::words::IsolationItem;
use bollard::models::SystemInfo;

pub fn of_engine(info: &SystemInfo, has: &dyn Fn(&str) -> bool) -> Vec<IsolationItem> {
    let item =
        |name: &str, reached: bool, detail: &str| IsolationItem { name: name.into(), reached, detail: detail.into() };
    let counted = |reached: Option<bool>| reached.unwrap_or(false);
    let mapped = has("userns") || has("rootless");
    vec![
        item("system calls", has("seccomp"), "own seccomp profile: only Unix sockets, no new namespaces"),
        item("privileges", true, "no capabilities, none to be gained, a user id of its own"),
        item("network", true, "one Unix socket to the server"),
        item("files", true, "read-only root and libraries, 64 MiB of private scratch"),
        item(
            "memory",
            counted(info.memory_limit),
            if info.swap_limit == Some(false) {
                "hard limit; this kernel cannot limit swap"
            } else {
                "hard limit without swap"
            },
        ),
        item("cpu", counted(info.cpu_cfs_quota), "quota by the kernel"),
        item("processes", counted(info.pids_limit), "limit by the kernel"),
        item(
            "user namespace",
            mapped,
            if mapped { "uids are mapped" } else { "the engine runs as root without a mapping" },
        ),
        item("AppArmor", has("apparmor"), if has("apparmor") { "default profile" } else { "not on this machine" }),
    ]
}

/// `deviated` is what the newest container had that it was not asked to have.
pub fn made(deviated: Option<&str>) -> IsolationItem {
    let detail = deviated.unwrap_or("every container is looked at after its start").to_owned();
    IsolationItem { name: "made as asked".into(), reached: deviated.is_none(), detail }
}

/// A wall that the owner lowered; not spoken of where it stands.
pub fn chip(given: bool) -> Option<IsolationItem> {
    let detail = "given to loges, as set: the kernel's driver for it can be reached from inside";
    given.then(|| IsolationItem { name: "graphics chip".into(), reached: false, detail: detail.into() })
}

/// `limited` is whether the kernel was told, once a loge was started.
pub fn together(together: Option<Together>, limited: Option<&Result<(), String>>) -> Option<IsolationItem> {
    let (reached, detail) = match (together, limited) {
        (None, _) => (false, "the engine takes no group for all loges".into()),
        (Some(_), None) => return None,
        (Some(_), Some(Err(why))) => (false, format!("one group, without a limit of its own: {why}")),
        (Some(all), Some(Ok(()))) => {
            let cores = f64::from(all.cpu_millis) / 1000.0;
            (true, format!("at most {} MiB and {cores} cores for all loges", all.memory_bytes >> 20))
        }
    };
    Some(IsolationItem { name: "all together".into(), reached, detail })
}
