//! Which control group this house may divide among its loges, by version 2. Pure.
//!
//! A group that holds processes cannot be divided, and one that holds others' must not be. Where
//! ours is such a one, systemd makes a scope for this process alone when it is asked to
//! (<https://systemd.io/CGROUP_DELEGATION/>).

use std::path::{Path, PathBuf};

/// What is known about the group that this process is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// `/proc/self/cgroup`.
    pub table: &'a str,
    /// The hierarchy of version 2 has the controllers.
    pub is_unified: bool,
    /// This user may make groups in it.
    pub is_ours: bool,
    /// Other processes are in it.
    pub is_shared: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The group, relative to the root of the hierarchy.
    Divide(PathBuf),
    /// systemd may give one.
    Ask,
    /// There is nothing to gain: version 1, or the root of everything, where the launcher finds
    /// its own way.
    Leave,
}

/// Decides where the groups of loges go.
pub fn way(standing: Standing<'_>) -> Way {
    let Some(own) = own_group(standing.table).filter(|_| standing.is_unified) else { return Way::Leave };
    if own == Path::new("") {
        Way::Leave
    } else if standing.is_ours && !standing.is_shared {
        Way::Divide(own)
    } else {
        Way::Ask
    }
}

/// Returns the group of version 2 in a table like `/proc/self/cgroup`, relative to the root.
pub fn own_group(table: &str) -> Option<PathBuf> {
    table.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// Returns what the scope for a process is called.
pub fn scope(pid: u32) -> String {
    format!("loge-{pid}.scope")
}

/// Returns the arguments for `busctl` that ask systemd for a scope with this process in it, which
/// its owner may divide.
pub fn request(pid: u32, is_root: bool) -> Vec<String> {
    let manager = if is_root { "--system" } else { "--user" };
    let call = "--timeout=3 call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
                StartTransientUnit ssa(sv)a(sa(sv))";
    let unit = format!("{} fail 3 PIDs au 1 {pid} Delegate b true Description s Loge 0", scope(pid));
    [manager].into_iter().chain(call.split_whitespace()).chain(unit.split_whitespace()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESKTOP: Standing<'_> = Standing {
        table: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-loge-77.scope\n",
        is_unified: true,
        is_ours: true,
        is_shared: false,
    };

    #[test]
    fn only_a_group_of_ones_own_is_divided() {
        let Way::Divide(group) = way(DESKTOP) else { panic!("it is delegated") };
        assert!(group.is_relative() && group.ends_with("app-gnome-loge-77.scope"));
        assert_eq!(way(Standing { is_shared: true, ..DESKTOP }), Way::Ask, "a terminal's shell is in it");
        assert_eq!(way(Standing { is_ours: false, ..DESKTOP }), Way::Ask);
        assert_eq!(way(Standing { is_unified: false, ..DESKTOP }), Way::Leave);
        assert_eq!(way(Standing { table: "0::/\n", ..DESKTOP }), Way::Leave);
        assert_eq!(way(Standing { table: "4:memory:/a\n1:cpu:/\n", ..DESKTOP }), Way::Leave);
    }

    #[test]
    fn a_scope_is_asked_of_the_right_systemd() {
        let asked = request(77, false).join(" ");
        assert!(
            asked.starts_with("--user ") && asked.contains("StartTransientUnit ssa(sv)a(sa(sv)) loge-77.scope fail")
        );
        assert!(asked.ends_with("3 PIDs au 1 77 Delegate b true Description s Loge 0"));
        assert_eq!(request(1, true)[0], "--system");
    }
}
