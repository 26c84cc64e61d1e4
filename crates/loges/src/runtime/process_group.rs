//! Gets a control group that the loges of this house are made in, where systemd or whoever started
//! us gives one.

use super::process_scope::{Standing, Way, own_group, request, scope, way};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};
use tracing::{debug, info};

/// systemd answers before it has moved us.
const MOVE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Where the server sits in it. `loge-launch` looks for this name.
const LEAF: &str = "loge-house";
/// What a loge cannot do without.
const NEEDED: [&str; 2] = ["memory", "pids"];

/// Where the kernel and systemd are spoken to.
#[derive(Debug)]
pub struct Outside {
    pub table: PathBuf,
    pub root: PathBuf,
    pub busctl: PathBuf,
    pub is_root: bool,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            table: "/proc/self/cgroup".into(),
            root: "/sys/fs/cgroup".into(),
            busctl: "busctl".into(),
            is_root: rustix::process::geteuid().is_root(),
        }
    }
}

impl Outside {
    /// Returns the folder of a group that is ours to divide; this process then sits in a group below
    /// it. `None` where there is none: the launcher then does what it can by itself.
    pub async fn take_group(&self) -> Option<PathBuf> {
        let group = match self.way() {
            Way::Divide(group) => group,
            Way::Ask => self.ask().await?,
            Way::Leave => return None,
        };
        let folder = self.root.join(group);
        match divide(&folder) {
            Ok(()) => {
                info!("loges get control groups in {}", folder.display());
                Some(folder)
            }
            Err(error) => {
                debug!("the control group {} cannot be divided: {error}", folder.display());
                None
            }
        }
    }

    fn way(&self) -> Way {
        let table = fs::read_to_string(&self.table).unwrap_or_default();
        let own = own_group(&table).map(|group| self.root.join(group)).unwrap_or_default();
        let processes = fs::read_to_string(own.join("cgroup.procs")).unwrap_or_default();
        let me = std::process::id().to_string();
        way(Standing {
            table: &table,
            is_unified: self.root.join("cgroup.controllers").exists(),
            is_ours: rustix::fs::access(&own, rustix::fs::Access::WRITE_OK).is_ok()
                && rustix::fs::access(own.join("cgroup.subtree_control"), rustix::fs::Access::WRITE_OK).is_ok(),
            is_shared: processes.lines().any(|pid| pid != me),
        })
    }

    async fn ask(&self) -> Option<PathBuf> {
        let pid = std::process::id();
        let mut command = Command::new(&self.busctl);
        command.args(request(pid, self.is_root)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let answer = timeout(MOVE, command.kill_on_drop(true).output()).await;
        let refused = match answer {
            Ok(Ok(answer)) if answer.status.success() => None,
            Ok(Ok(answer)) => Some(String::from_utf8_lossy(&answer.stderr).trim().to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer".to_owned()),
        };
        if let Some(why) = refused {
            debug!("systemd gave no control group: {why}");
            return None;
        }
        let is_moved = async {
            loop {
                let table = fs::read_to_string(&self.table).unwrap_or_default();
                if let Some(group) = own_group(&table).filter(|group| group.ends_with(scope(pid))) {
                    return group;
                }
                sleep(LOOK_AGAIN).await;
            }
        };
        timeout(MOVE, is_moved).await.ok()
    }
}

/// Moves this process one level down, so that its group may have others below it.
fn divide(folder: &Path) -> std::io::Result<()> {
    let own = folder.join(LEAF);
    match fs::create_dir(&own) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(own.join("cgroup.procs"), std::process::id().to_string())?;
    for controller in ["memory", "cpu", "pids"] {
        // One by one: a partial delegation gives some.
        let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
    }
    let given = fs::read_to_string(folder.join("cgroup.controllers"))?;
    let lacking = NEEDED.iter().find(|needed| !given.split_whitespace().any(|name| name == **needed));
    lacking.map_or(Ok(()), |name| Err(std::io::Error::other(format!("there is no {name} in it"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders like the kernel's, and a systemd that moves whom it is asked to.
    fn outside(folder: &Path, moves: bool) -> Outside {
        let group = |name: &str, processes: &str| {
            let group = folder.join("cgroup").join(name);
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
            fs::write(group.join("cgroup.subtree_control"), "").unwrap();
            fs::write(group.join("cgroup.procs"), processes).unwrap();
        };
        let pid = std::process::id();
        group("", "");
        group("session.scope", &format!("1\n{pid}\n"));
        group("own.service", &format!("{pid}\n"));
        group(&format!("app.slice/{}", scope(pid)), &format!("{pid}\n"));
        let table = folder.join("table");
        fs::write(&table, "0::/session.scope\n").unwrap();
        let busctl = folder.join("busctl");
        let does = match moves {
            true => {
                format!("echo \"$@\" > {0}/asked; echo 0::/app.slice/{1} > {0}/table", folder.display(), scope(pid))
            }
            false => "echo no such name >&2; exit 1".into(),
        };
        fs::write(&busctl, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(&busctl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Outside { table, root: folder.join("cgroup"), busctl, is_root: false }
    }

    #[tokio::test]
    async fn a_shared_group_is_left_for_a_scope() {
        let folder = tempfile::tempdir().unwrap();
        let outside = outside(folder.path(), true);
        let group = outside.take_group().await.unwrap();
        assert!(group.ends_with(format!("app.slice/{}", scope(std::process::id()))));
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert!(asked.starts_with("--user") && asked.contains("Delegate b true"), "{asked}");
        // Nothing may sit in the group that is divided.
        assert_eq!(fs::read_to_string(group.join("loge-house/cgroup.procs")).unwrap(), std::process::id().to_string());
    }

    #[tokio::test]
    async fn without_systemd_the_launcher_does_what_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let mut outside = outside(folder.path(), false);
        assert_eq!(outside.take_group().await, None);
        assert!(!folder.path().join("cgroup/session.scope/loge-house").exists(), "what others are in is not touched");
        outside.busctl = folder.path().join("not there");
        assert_eq!(outside.take_group().await, None);
    }

    #[tokio::test]
    async fn a_unit_of_ones_own_is_divided_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let outside = outside(folder.path(), true);
        fs::write(&outside.table, "0::/own.service\n").unwrap();
        assert_eq!(outside.take_group().await, Some(folder.path().join("cgroup/own.service")));
        assert!(!folder.path().join("asked").exists());
        // A delegation without memory builds no wall.
        fs::write(folder.path().join("cgroup/own.service/cgroup.controllers"), "cpu pids\n").unwrap();
        assert_eq!(outside.take_group().await, None);
    }
}
