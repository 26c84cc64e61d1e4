//! Control groups for memory, processor and processes, where we may make one: version 2 in a
//! folder that was delegated to us, version 1 as root.
//!
//! A group of version 2 that holds processes may not limit groups below it. A server under systemd
//! therefore sits in a leaf of the group that was delegated to it, and ours are made beside that leaf.

use crate::{
    args::{Args, CgroupRoot},
    report::Report,
};
use rustix::process::Pid;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const AUTO: &str = "/sys/fs/cgroup";
/// Where the server sits (`process_group.rs` in the room of the loges).
const LEAF: &str = "/loge-house";
const PERIOD_US: u64 = 100_000;
const NAMES: [(&str, &str); 3] = [("memory", "cgroup_memory"), ("cpu", "cgroup_cpu"), ("pids", "cgroup_pids")];

/// The groups of one loge: one folder, or one for each controller.
#[derive(Debug, Default)]
pub struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes what can be made and reports the rest.
    pub fn make(args: &Args, report: &mut Report) -> Self {
        let (root, given) = match &args.cgroup_root {
            CgroupRoot::None => {
                NAMES.iter().for_each(|(_, item)| report.add(item, false, "not asked for"));
                return Self::default();
            }
            CgroupRoot::Auto => (Path::new(AUTO), false),
            CgroupRoot::At(path) => (path.as_path(), true),
        };
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = format!("loge-{}", std::process::id());
        let mut groups = Self::default();
        if root.join("cgroup.controllers").exists() {
            let parent = if given { root.to_owned() } else { below(root, outside_leaf(own_path(&own, ""))) };
            groups.make_unified(&parent, &name, args, report);
        } else {
            for (controller, item) in NAMES {
                let parent = below(&root.join(controller), own_path(&own, controller));
                let made = make_folder(&parent, &name).and_then(|folder| {
                    let limited = limit_v1(&folder, controller, args);
                    if limited.is_err() {
                        let _ = fs::remove_dir(&folder);
                    }
                    limited.map(|()| folder)
                });
                match made {
                    Ok(folder) => {
                        groups.0.push(folder);
                        report.add(item, true, "version 1");
                    }
                    Err(error) => report.add(item, false, error.to_string()),
                }
            }
        }
        report.groups.clone_from(&groups.0);
        groups
    }

    fn make_unified(&mut self, parent: &Path, name: &str, args: &Args, report: &mut Report) {
        // One by one: a group that holds processes, or a partial delegation, gives some or none.
        for (controller, _) in NAMES {
            let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
        }
        let folder = match make_folder(parent, name) {
            Ok(folder) => folder,
            Err(error) => return NAMES.iter().for_each(|(_, item)| report.add(item, false, error.to_string())),
        };
        let _ = fs::write(folder.join("memory.swap.max"), "0");
        let _ = fs::write(folder.join("memory.oom.group"), "1");
        let mut any = false;
        for (controller, item) in NAMES {
            let (file, value) = match controller {
                "memory" => ("memory.max", args.memory_bytes.to_string()),
                "cpu" => ("cpu.max", format!("{} {PERIOD_US}", quota_us(args))),
                _ => ("pids.max", args.pids.to_string()),
            };
            any |= report.step(item, fs::write(folder.join(file), value), "version 2");
        }
        let _ = fs::write(folder.join("cpu.max.burst"), burst_us(args).to_string());
        if any {
            self.0.push(folder);
        } else {
            let _ = fs::remove_dir(folder);
        }
    }

    /// Puts a process in; it must have done nothing yet. False when it is not limited after all.
    pub fn join(&self, process: Pid) -> bool {
        let pid = process.as_raw_nonzero().to_string();
        self.0.iter().all(|folder| fs::write(folder.join("cgroup.procs"), &pid).is_ok())
    }

    /// After the last process has ended.
    pub fn remove(&self) {
        for folder in &self.0 {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn quota_us(args: &Args) -> u64 {
    u64::from(args.cpu_millis) * PERIOD_US / 1000
}

/// What may be used at once of time that was left unused before, so that two media programs are
/// loaded without a pause between. The kernel takes no more than the quota, and keeps the average
/// (Documentation/scheduler/sched-bwc.rst). Not there before Linux 5.14.
fn burst_us(args: &Args) -> u64 {
    quota_us(args)
}

fn limit_v1(folder: &Path, controller: &str, args: &Args) -> io::Result<()> {
    let write = |file: &str, value: u64| fs::write(folder.join(file), value.to_string());
    match controller {
        "memory" => {
            write("memory.limit_in_bytes", args.memory_bytes)?;
            // Not there without swap accounting.
            let _ = write("memory.memsw.limit_in_bytes", args.memory_bytes);
            Ok(())
        }
        "cpu" => {
            write("cpu.cfs_period_us", PERIOD_US)?;
            write("cpu.cfs_quota_us", quota_us(args))?;
            let _ = write("cpu.cfs_burst_us", burst_us(args));
            Ok(())
        }
        _ => write("pids.max", u64::from(args.pids)),
    }
}

/// Also clears away groups whose launcher was killed. The kernel refuses to remove a group that
/// holds a process, and a launcher that still runs is left alone.
fn make_folder(parent: &Path, name: &str) -> io::Result<PathBuf> {
    for entry in fs::read_dir(parent)?.flatten() {
        let old = entry.file_name().to_str().and_then(|n| n.strip_prefix("loge-")?.parse::<u32>().ok());
        if old.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
    let folder = parent.join(name);
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(folder),
    }
}

/// The path of this process's group in the hierarchy of `controller`; `""` is version 2.
fn own_path<'a>(table: &'a str, controller: &str) -> &'a str {
    let of = |line: &'a str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let names = parts.next()?;
        names.split(',').any(|n| n == controller).then(|| parts.next())?
    };
    table.lines().find_map(of).unwrap_or("/")
}

fn outside_leaf(path: &str) -> &str {
    path.strip_suffix(LEAF).unwrap_or(path)
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_groups_are_found_in_both_versions() {
        let table = "9:name=systemd:/\n4:memory:/a/b:c\n2:cpu,cpuacct:/d\n0::/user.slice\n";
        assert_eq!(own_path(table, "memory"), "/a/b:c");
        assert_eq!(own_path(table, "cpu"), "/d");
        assert_eq!(own_path(table, ""), "/user.slice");
        assert_eq!(own_path(table, "pids"), "/");
        assert_eq!(below(Path::new("/x"), "/d"), Path::new("/x/d"));
        assert_eq!(outside_leaf("/system.slice/loge.service/loge-house"), "/system.slice/loge.service");
        assert_eq!(outside_leaf("/system.slice/loge.service"), "/system.slice/loge.service");
        assert_eq!(outside_leaf("/loge-houses"), "/loge-houses");
    }
}
