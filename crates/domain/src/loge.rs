//! The life of a loge, as one enum with questions as methods.

use crate::id::UserId;
use std::{fmt, time::Duration};

/// Whose loge it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tenant {
    /// The server's own loge: probing, posters, renditions.
    House,
    /// One person's.
    User(UserId),
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::House => f.write_str("house"),
            Self::User(id) => write!(f, "{id}"),
        }
    }
}

/// What makes the walls of a loge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeKind {
    Docker,
    Process,
}

impl RuntimeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

/// Returns what a wall around a loge keeps, in the owner's words. A name that is words already, or
/// that this version does not know, stays as it is.
pub fn wall_in_words(name: &str) -> &str {
    match name {
        "no_new_privs" => "no new privileges",
        "limits" => "limits for each program",
        "landlock" => "Landlock (no other files)",
        "seccomp" => "system calls",
        "signals" => "no signals to other programs",
        "read_only" => "read-only files",
        "network" | "own_network" => "no network",
        "cgroup_memory" => "memory limit",
        "cgroup_cpu" => "CPU limit",
        "cgroup_pids" => "limit of processes (control group)",
        "processes" => "limit of processes",
        "capabilities" => "no capabilities",
        "dies_with_server" => "ends with the server",
        "view" => "sees its own files only",
        "own_users" => "users of its own",
        "own_mounts" => "mounts of its own",
        "own_processes" => "processes of its own",
        "own_ipc" => "no shared memory",
        "own_host_name" => "a host name of its own",
        other => other,
    }
}

/// Where a loge is in its life. `Absent → Starting → Ready → Stopping → Absent`, with
/// `Failed` reached from anywhere and left by the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogeState {
    Absent,
    Starting,
    Ready,
    Stopping,
    /// The last start or run ended badly; the next try comes no earlier than `retry_in`.
    Failed {
        reason: String,
        retry_in: Duration,
    },
}

impl LogeState {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Failed { .. } => "failed",
        }
    }
    /// May a stream or a job be handed to this loge now?
    pub const fn can_accept(&self) -> bool {
        matches!(self, Self::Ready)
    }
}

/// Wait before restart number `failures` in a row: 1, 5, 30, then 60 seconds.
/// Never a tight loop, never longer than a person would wait.
pub const fn restart_delay(failures: u32) -> Duration {
    Duration::from_secs(match failures {
        0 => 0,
        1 => 1,
        2 => 5,
        3 => 30,
        _ => 60,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_back_off_and_stay_bounded() {
        let delays: Vec<u64> = (0..7).map(|n| restart_delay(n).as_secs()).collect();
        assert_eq!(delays, [0, 1, 5, 30, 60, 60, 60]);
    }
}
