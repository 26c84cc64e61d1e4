//! What a look at a machine says about one setting.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub area: Area,
    /// The setting, as its manual calls it: `vm.swappiness`, `sda scheduler`.
    pub name: String,
    pub now: Option<String>,
    pub better: Option<String>,
    pub why: String,
    /// The hardware for which this holds.
    pub hardware: String,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    Disks,
    Network,
    Memory,
    Processor,
    Limits,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// `--apply` sets it.
    Change { change: Change },
    /// Left to the owner, with the command or the line that does it.
    Advice { advice: String },
    /// Does not apply to this machine.
    Refused { reason: String },
}

/// What has to be set now, and what keeps it over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub settings: Vec<Setting>,
    pub keep: Keep,
}

/// One kernel file and the value it is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub path: String,
    pub value: String,
    /// The other spelling of the same setting, which the kernel sets to 0 when this one is written:
    /// `vm.dirty_ratio` for `vm.dirty_bytes`.
    pub twin: Option<String>,
}

/// What sets a value again when the machine starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    Sysctl {
        key: String,
        value: String,
    },
    Udev {
        rule: String,
    },
    /// A unit of systemd that is enabled by a link.
    Link {
        path: String,
        target: String,
    },
}

impl Finding {
    pub fn change(&self) -> Option<&Change> {
        match &self.verdict {
            Verdict::Change { change } => Some(change),
            _ => None,
        }
    }
}

/// Returns the name by which people know a kernel file.
pub(crate) fn name_of(path: &str) -> String {
    path.strip_prefix("/proc/sys/").map_or_else(|| path.to_owned(), |key| key.replace('/', "."))
}

/// Returns the kernel file of a sysctl.
pub(crate) fn sysctl_path(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}
