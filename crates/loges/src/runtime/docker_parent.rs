//! The control group around all loges of this house: what it is called under which engine, how
//! much all of them together may take, and which files say so. Pure.
//!
//! Each loge has limits of its own; this one is there so that many hungry ones together still
//! leave the gateway its half core and the machine its memory.

pub use bollard::models::SystemInfoCgroupDriverEnum as Driver;

use bollard::models::SystemInfo;
use domain::{InstallId, LogeLimits};
use std::path::{Component, Path, PathBuf};

/// Short: when some use the whole of what all may have, everybody in the group stands still until
/// the period is over, also whoever asks for little.
const PERIOD_US: u64 = 10_000;
/// Of the machine's memory.
const MEMORY_PERCENT: u64 = 60;
/// What stays for the gateway.
const KEPT_MILLIS: u32 = 500;

/// What all loges together may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    pub memory_bytes: u64,
    pub cpu_millis: u32,
}

/// `None` where the engine cannot be told a parent, or does not say how large the machine is.
pub fn together(info: &SystemInfo) -> Option<Together> {
    matches!(info.cgroup_driver, Some(Driver::CGROUPFS | Driver::SYSTEMD)).then_some(())?;
    let cores = u32::try_from(info.ncpu?).ok().filter(|cores| *cores > 0)?;
    let memory = u64::try_from(info.mem_total?).ok().filter(|bytes| *bytes > 0)?;
    Some(Together {
        memory_bytes: memory / 100 * MEMORY_PERCENT,
        cpu_millis: cores.saturating_mul(1000).saturating_sub(KEPT_MILLIS),
    })
}

/// Under systemd a parent is a slice, under the plain driver a folder from the root.
pub fn name(driver: Option<Driver>, install: &InstallId) -> Option<String> {
    match driver {
        Some(Driver::SYSTEMD) => Some(format!("loge-{install}.slice")),
        Some(Driver::CGROUPFS) => Some(format!("/loge-{install}")),
        _ => None,
    }
}

/// One loge's limits within those of all: the kernel refuses a share larger than the parent's.
pub fn within(limits: LogeLimits, together: Option<Together>) -> LogeLimits {
    let most = together.map_or(u32::MAX, |together| together.cpu_millis);
    LogeLimits { cpu_millis: limits.cpu_millis.min(most), ..limits }
}

/// The parent's folders below `/sys/fs/cgroup`, one for each hierarchy, from what the kernel says
/// about a process of a loge (`/proc/PID/cgroup`). Empty when that process is in no such parent.
pub fn folders(table: &str, name: &str) -> Vec<PathBuf> {
    let name = Path::new(name.trim_start_matches('/'));
    // Version 2 beside version 1 has a folder of its own.
    let unified = if table.lines().any(|line| !line.starts_with("0::")) { "unified" } else { "" };
    let folder = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let below = Path::new(path.trim_start_matches('/')).parent()?;
        let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        // Named hierarchies lie below their name, and several in one below all their names.
        let hierarchy = match controllers {
            "" => unified,
            names => names.strip_prefix("name=").unwrap_or(names),
        };
        (plain && below.file_name() == name.file_name()).then(|| Path::new(hierarchy).join(below))
    };
    table.lines().filter_map(folder).collect()
}

/// What to write where, version 1 or 2 by the hierarchies that are there.
pub fn files(folders: &[PathBuf], together: Together) -> Vec<(PathBuf, String)> {
    let quota = u64::from(together.cpu_millis) * PERIOD_US / 1000;
    let memory = together.memory_bytes.to_string();
    let of = |controller: &str| {
        folders.iter().find(|folder| {
            let first = folder.components().next().and_then(|part| part.as_os_str().to_str());
            first.is_some_and(|names| names.split(',').any(|name| name == controller))
        })
    };
    match (of("memory"), of("cpu"), folders.first()) {
        (Some(memory_in), Some(cpu_in), _) => vec![
            (memory_in.join("memory.limit_in_bytes"), memory),
            (cpu_in.join("cpu.cfs_period_us"), PERIOD_US.to_string()),
            (cpu_in.join("cpu.cfs_quota_us"), quota.to_string()),
        ],
        (None, None, Some(unified)) => {
            vec![(unified.join("memory.max"), memory), (unified.join("cpu.max"), format!("{quota} {PERIOD_US}"))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(driver: Option<Driver>) -> SystemInfo {
        SystemInfo { cgroup_driver: driver, ncpu: Some(4), mem_total: Some(8 << 30), ..SystemInfo::default() }
    }

    #[test]
    fn c17_all_loges_leave_half_a_core_and_two_fifths_of_the_memory() {
        let four = Together { memory_bytes: (8 << 30) / 100 * 60, cpu_millis: 3500 };
        for (driver, name_of) in [
            (Some(Driver::CGROUPFS), Some(format!("/loge-{}", "11".repeat(16)))),
            (Some(Driver::SYSTEMD), Some(format!("loge-{}.slice", "11".repeat(16)))),
            (Some(Driver::NONE), None),
            (None, None),
        ] {
            assert_eq!(together(&info(driver)), name_of.is_some().then_some(four), "{driver:?}");
            assert_eq!(name(driver, &InstallId::from_random([0x11; 16])), name_of);
        }
        let one = SystemInfo { ncpu: Some(1), ..info(Some(Driver::CGROUPFS)) };
        assert_eq!(together(&one).unwrap().cpu_millis, 500);
        for strange in [
            SystemInfo { ncpu: Some(0), ..info(Some(Driver::CGROUPFS)) },
            SystemInfo { mem_total: Some(-1), ..info(Some(Driver::CGROUPFS)) },
            SystemInfo { mem_total: None, ..info(Some(Driver::CGROUPFS)) },
        ] {
            assert_eq!(together(&strange), None);
        }
        let greedy = LogeLimits { cpu_millis: 9000, ..LogeLimits::DEFAULT };
        assert_eq!(within(greedy, Some(four)).cpu_millis, 3500);
        assert_eq!(within(LogeLimits::DEFAULT, Some(four)), LogeLimits::DEFAULT);
        assert_eq!(within(greedy, None), greedy);
    }

    #[test]
    fn the_parent_is_found_in_both_versions_and_under_both_drivers() {
        let few = Together { memory_bytes: 100, cpu_millis: 1500 };
        let written = |table: &str, name: &str| {
            files(&folders(table, name), few)
                .into_iter()
                .map(|(path, value)| format!("{}={value}", path.display()))
                .collect::<Vec<_>>()
        };
        let one = "9:name=systemd:/loge-a/c1\n4:memory:/loge-a/c1\n3:cpu,cpuacct:/loge-a/c1\n0::/loge-a/c1\n";
        assert_eq!(
            written(one, "/loge-a"),
            [
                "memory/loge-a/memory.limit_in_bytes=100",
                "cpu,cpuacct/loge-a/cpu.cfs_period_us=10000",
                "cpu,cpuacct/loge-a/cpu.cfs_quota_us=15000"
            ]
        );
        let all = ["systemd/loge-a", "memory/loge-a", "cpu,cpuacct/loge-a", "unified/loge-a"];
        assert_eq!(folders(one, "/loge-a"), all.map(PathBuf::from));
        let two = "0::/loge-a/c1\n";
        assert_eq!(written(two, "/loge-a"), ["loge-a/memory.max=100", "loge-a/cpu.max=15000 10000"]);
        let slice = "0::/loge.slice/loge-a.slice/docker-c1.scope\n";
        assert_eq!(
            written(slice, "loge-a.slice"),
            ["loge.slice/loge-a.slice/memory.max=100", "loge.slice/loge-a.slice/cpu.max=15000 10000"]
        );
        // Somebody else's, ours seen from inside another namespace, nonsense.
        for table in
            ["0::/docker/c1\n", "0::/../loge-a/c1\n", "0::/loge-a\n", "0::/\n", "", "x", "4:memory:/loge-a/c\n"]
        {
            assert_eq!(written(table, "/loge-a"), Vec::<String>::new(), "{table:?}");
        }
    }
}
