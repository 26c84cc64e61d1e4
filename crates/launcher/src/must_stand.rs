//! Which walls must stand, or there is no worker. Pure.
//!
//! A wall that several means can build has a name of its own in the report, so that the server
//! judges the same list by the same names (`must_stand` in the loges' room).

/// What must stand, or there is no worker unless the owner allows it knowingly.
pub const MUST_STAND: [&str; 9] =
    ["no_new_privs", "limits", "landlock", "seccomp", "signals", "read_only", "network", "cgroup_memory", "processes"];

/// Returns what is missing of it.
pub fn missing(stands: impl Fn(&str) -> bool) -> Vec<&'static str> {
    MUST_STAND.into_iter().filter(|wall| !stands(wall)).collect()
}

/// What of the outside a wall of several means depends on.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Version of Landlock in force; 0 is none.
    pub landlock: i32,
    /// The limit of processes of a user holds for this one: the kernel exempts its own root.
    pub is_counted: bool,
}

/// A wall that stands by one of several means: its name, whether it stands, and how.
pub type Combined = (&'static str, bool, &'static str);

/// Returns the walls of several means, from the walls that were tried one by one.
pub fn combined(means: Means, stands: impl Fn(&str) -> bool) -> [Combined; 4] {
    let told = |reached, good, lack| if reached { good } else { lack };
    // A filter of calls cannot tell one process from another.
    let signals = stands("own_processes") || means.landlock >= 6;
    // Before version 3 a file that may be read may be truncated.
    let read_only = stands("view") || means.landlock >= 3;
    // Before version 4 Landlock knows nothing of the network.
    let network = stands("own_network") || means.landlock >= 4;
    // Without users of its own a loge would be counted together with the whole desktop.
    let processes = stands("cgroup_pids") || (stands("own_users") && stands("limits") && means.is_counted);
    [
        (
            "signals",
            signals,
            told(signals, "reaches no process but its own", "needs processes of its own, or Landlock 6"),
        ),
        (
            "read_only",
            read_only,
            told(read_only, "changes nothing that it may read", "needs its own view, or Landlock 3"),
        ),
        ("network", network, told(network, "reaches no network", "needs a network of its own, or Landlock 4")),
        (
            "processes",
            processes,
            told(processes, "starts no more than it may", "needs a control group, or users of its own"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is missing with these walls tried one by one.
    fn check(walls: &[&str], means: Means) -> Vec<&'static str> {
        let stands = |name: &str| walls.contains(&name);
        let more = combined(means, stands);
        missing(|name| stands(name) || more.iter().any(|(wall, reached, _)| *wall == name && *reached))
    }

    const BASE: [&str; 5] = ["no_new_privs", "limits", "landlock", "seccomp", "cgroup_memory"];
    const SPACES: [&str; 4] = ["own_users", "own_processes", "own_network", "view"];
    const NONE: [&str; 0] = [];

    fn means(landlock: i32) -> Means {
        Means { landlock, is_counted: true }
    }

    #[test]
    fn f1_too_few_walls_mean_no_worker() {
        let grouped = [&BASE[..], &["cgroup_pids"]].concat();
        let spaced = [&BASE[..], &SPACES].concat();
        assert_eq!(check(&grouped, means(7)), NONE);
        assert_eq!(check(&spaced, means(1)), NONE);
        assert_eq!(check(&grouped, means(5)), ["signals"]);
        assert_eq!(check(&grouped, means(3)), ["signals", "network"]);
        assert_eq!(check(&grouped, means(2)), ["signals", "read_only", "network"]);
        for wall in BASE {
            let without: Vec<&str> = grouped.iter().copied().filter(|name| *name != wall).collect();
            let landlock = if wall == "landlock" { 0 } else { 7 };
            assert!(check(&without, means(landlock)).contains(&wall), "{wall}");
        }
    }

    #[test]
    fn processes_are_counted_by_a_group_or_by_a_user_of_its_own() {
        assert_eq!(check(&BASE, means(7)), ["processes"]);
        let users = [&BASE[..], &["own_users"]].concat();
        assert_eq!(check(&users, means(7)), NONE);
        // The kernel counts its own root's processes and refuses none.
        assert_eq!(check(&users, Means { landlock: 7, is_counted: false }), ["processes"]);
        let group = [&BASE[..], &["cgroup_pids"]].concat();
        assert_eq!(check(&group, Means { landlock: 7, is_counted: false }), NONE);
    }
}
