//! The counters of a container's processor time, from the kernel's own files: the engine answers
//! once a second, which is too late to give back what was lent.

use super::CpuTime;
use std::{
    collections::HashMap,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

const ROOT: &str = "/sys/fs/cgroup";

/// Where the counters of each container are, by its id.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, Files>>);

impl Counters {
    pub fn knows(&self, id: &str) -> bool {
        self.lock().contains_key(id)
    }

    /// `pid` is any process of the container. Where its group cannot be seen, as when this server
    /// runs in a container itself, nothing is remembered.
    pub fn meet(&self, id: &str, pid: i64) {
        let table = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        // In a container, a process of our own may have this number.
        let is_its = table.contains(id);
        let seen = files(&table).filter(|_| is_its).filter(|files| Path::new(ROOT).join(&files.stat).is_file());
        if let Some(files) = seen {
            self.lock().insert(id.to_owned(), files);
        }
    }

    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Two small reads that never wait for a disk; `None` when the container is gone.
    pub fn read(&self, id: &str) -> Option<CpuTime> {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        let files = self.lock().get(id).cloned()?;
        let text = |file: &Path| fs::read_to_string(Path::new(ROOT).join(file)).ok();
        let nanos = match &files.usage {
            Some(usage) => text(usage)?.trim().parse().ok()?,
            None => 0,
        };
        let at = BEGAN.get_or_init(Instant::now).elapsed();
        Some(counted(&text(&files.stat)?, std::time::Duration::from_nanos(nanos), at))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Files>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Below [`ROOT`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    stat: PathBuf,
    /// Version 1 counts time in another hierarchy than it limits it.
    usage: Option<PathBuf>,
}

/// From what the kernel says about a process of the container (`/proc/PID/cgroup`).
fn files(table: &str) -> Option<Files> {
    let below = |path: &str| {
        let path = Path::new(path.trim_start_matches('/'));
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        // The root's own counters are everybody's.
        (plain && path.components().next().is_some()).then(|| path.to_owned())
    };
    let of = |controller: &str| {
        table.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            controllers.split(',').any(|name| name == controller).then(|| below(path)).flatten()
        })
    };
    match (of("cpu"), of("cpuacct")) {
        (Some(cpu), Some(acct)) => Some(Files {
            stat: Path::new("cpu").join(cpu).join("cpu.stat"),
            usage: Some(Path::new("cpuacct").join(acct).join("cpuacct.usage")),
        }),
        _ => of("").map(|unified| Files { stat: unified.join("cpu.stat"), usage: None }),
    }
}

fn counted(stat: &str, used: std::time::Duration, at: std::time::Duration) -> CpuTime {
    let field = |name: &str| {
        let value = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    CpuTime {
        used: used.max(std::time::Duration::from_micros(field("usage_usec"))),
        at,
        slices: field("nr_periods"),
        held_back: field("nr_throttled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn both_versions_are_found() {
        let one = "9:name=systemd:/docker/abc\n4:memory:/docker/abc\n3:cpu,cpuacct:/loge-1/abc\n0::/\n";
        let expected =
            Files { stat: "cpu/loge-1/abc/cpu.stat".into(), usage: Some("cpuacct/loge-1/abc/cpuacct.usage".into()) };
        assert_eq!(files(one), Some(expected));
        let two = "0::/system.slice/docker-abc.scope\n";
        assert_eq!(files(two), Some(Files { stat: "system.slice/docker-abc.scope/cpu.stat".into(), usage: None }));
        for strange in ["", "0::/", "0::/../../etc", "2:cpuacct:/\n1:cpu:/\n0::/\n", "x"] {
            assert_eq!(files(strange), None, "{strange}");
        }
    }

    #[test]
    fn both_versions_are_read() {
        let at = Duration::from_secs(7);
        let two = counted("usage_usec 1500\nuser_usec 1\nnr_periods 40\nnr_throttled 15\n", Duration::ZERO, at);
        assert_eq!(two, CpuTime { used: Duration::from_micros(1500), at, slices: 40, held_back: 15 });
        let one = counted("nr_periods 4\nnr_throttled 3\nthrottled_time 9\n", Duration::from_nanos(99), at);
        assert_eq!(one, CpuTime { used: Duration::from_nanos(99), at, slices: 4, held_back: 3 });
    }
}
