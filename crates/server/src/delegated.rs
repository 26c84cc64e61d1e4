//! The control group that systemd leaves to the service (`Delegate=yes`). A group that holds
//! processes may not limit groups below it, so the server moves into a leaf of its own; the
//! sandboxes' groups are made beside that (`loge-launch`, `cgroup.rs`, knows the leaf by its name).

use rustix::process::geteuid;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const GROUPS: &str = "/sys/fs/cgroup";
/// `loge-launch` looks for this name.
const LEAF: &str = "loge-house";

/// A group that was left to us and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DelegationError {
    #[error("no group of its own can be made for the server below {group}")]
    Leaf { group: PathBuf, source: io::Error },
    #[error("the server cannot move into {leaf}")]
    Move { leaf: PathBuf, source: io::Error },
}

/// Moves this process with all its threads. Answers whether there was a group to move in; in version
/// 1, and where nothing was delegated, there is none.
///
/// # Errors
/// When there is one, and the kernel refuses: sandboxes then have no limit of memory.
pub fn move_aside() -> Result<bool, DelegationError> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match delegated(Path::new(GROUPS), &own, geteuid().as_raw()) {
        Some(group) => enter_leaf(&group).map(|()| true),
        None => Ok(false),
    }
}

/// Returns our group when it belongs to us. Root's tells nothing, since everything belongs to root.
fn delegated(groups: &Path, own: &str, user: u32) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    if user == 0 || Path::new(path).ends_with(LEAF) {
        return None;
    }
    let group = groups.join(path);
    let is_ours = fs::metadata(group.join("cgroup.procs")).is_ok_and(|about| about.uid() == user)
        && fs::metadata(&group).is_ok_and(|about| about.uid() == user);
    (is_ours && group.join("cgroup.controllers").exists()).then_some(group)
}

fn enter_leaf(group: &Path) -> Result<(), DelegationError> {
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(DelegationError::Leaf { group: group.into(), source });
        }
        _ => {}
    }
    let moved = fs::write(leaf.join("cgroup.procs"), std::process::id().to_string());
    moved.map_err(|source| DelegationError::Move { leaf, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a group of this user.
    fn unit(root: &Path) -> PathBuf {
        let group = root.join("system.slice/loge.service");
        fs::create_dir_all(&group).unwrap();
        for file in ["cgroup.procs", "cgroup.controllers"] {
            fs::write(group.join(file), "").unwrap();
        }
        group
    }

    #[test]
    fn only_a_group_that_was_left_to_us_is_used() {
        let root = tempfile::tempdir().unwrap();
        let group = unit(root.path());
        let user = fs::metadata(&group).unwrap().uid();
        // Root owns every group, so the rule is tried as somebody who is not root.
        std::os::unix::fs::chown(&group, Some(user.max(1)), None).unwrap();
        std::os::unix::fs::chown(group.join("cgroup.procs"), Some(user.max(1)), None).unwrap();
        let user = user.max(1);
        let of = |own: &str, user| delegated(root.path(), own, user);
        assert_eq!(of("1:name=systemd:/x\n0::/system.slice/loge.service\n", user), Some(group));
        for (own, user) in [
            ("0::/system.slice/loge.service\n", user + 1),
            ("0::/system.slice/loge.service\n", 0),
            ("0::/system.slice\n", user),
            ("0::/system.slice/loge.service/loge-house\n", user),
            ("4:memory:/system.slice/loge.service\n", user),
        ] {
            assert_eq!(of(own, user), None, "{own} {user}");
        }
    }

    #[test]
    fn the_server_moves_and_a_second_time_is_harmless() {
        let root = tempfile::tempdir().unwrap();
        let group = unit(root.path());
        enter_leaf(&group).unwrap();
        enter_leaf(&group).unwrap();
        let moved = fs::read_to_string(group.join("loge-house/cgroup.procs")).unwrap();
        assert_eq!(moved, std::process::id().to_string());
        let error = enter_leaf(&root.path().join("gone")).unwrap_err();
        assert!(matches!(error, DelegationError::Leaf { .. }), "{error}");
    }
}
