//! What is asked of this room and what it shows: configuration, specifications, views.

use crate::{chip::RenderNode, circuit::CircuitState, runtime::RuntimeError};
use async_trait::async_trait;
use base::UnixMs;
use contract::FileRef;
use domain::{Code, Failure, FolderId, InstallId, LogeLimits, LogeState, RuntimeKind, Tenant, UserId};
use std::{path::PathBuf, time::Duration};

/// One library folder a tenant may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub id: FolderId,
    pub path: PathBuf,
}

/// What a tenant's loge should be. The truth lies in the database; see [`Tenants`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogeSpec {
    pub limits: LogeLimits,
    pub mounts: Vec<Mount>,
    /// The graphics chip, where the owner lets loges have it.
    pub chip: Option<RenderNode>,
    /// The owner allows loges without some of the walls that must stand.
    pub allows_reduced: bool,
}

/// Where the desired state comes from. Implemented by the composition root over the store.
#[async_trait]
pub trait Tenants: Send + Sync + 'static {
    /// Asked at every start and after every change of grants.
    async fn spec(&self, tenant: &Tenant) -> Result<LogeSpec, Failure>;
    /// This file ended two workers and is not opened any more: it is remembered, and its owner
    /// told. [`crate::Loges::release_file`] takes it back.
    async fn set_aside(&self, file: &FileRef);
    /// For logs and views; `None` when nobody has that id.
    async fn username(&self, user: &UserId) -> Option<String>;
    /// For the audit log: a loge was killed because its worker broke the rules too often, or
    /// because the engine made something else than it was asked for. The words are ours.
    async fn misbehaved(&self, tenant: &Tenant, what: &str);
}

/// Which runtime the owner asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RuntimeChoice {
    /// Docker when it answers and is fit, else the process sandbox.
    #[default]
    Auto,
    Docker,
    Process,
}

impl RuntimeChoice {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Docker, Self::Process].into_iter().find(|c| c.as_str() == text)
    }
}

/// A folder of the machine under the name that it has in the container of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPath {
    pub here: PathBuf,
    pub host: PathBuf,
}

#[derive(Debug, Clone)]
pub struct LogesConfig {
    pub install: InstallId,
    /// Sockets are made below it, so it must be short and private.
    pub run_dir: PathBuf,
    pub runtime: RuntimeChoice,
    /// `loge-worker:latest` unless said otherwise.
    pub worker_image: Option<String>,
    pub worker_binary: PathBuf,
    pub launcher_binary: PathBuf,
    /// `loge-frames`; loges do without it where it is not there.
    pub frames_binary: PathBuf,
    pub idle_stop: Duration,
    /// `unix:///path`; the system's usual socket unless said otherwise.
    pub docker_host: Option<String>,
    /// Empty: asked of the engine, where this server runs in a container.
    pub host_paths: Vec<HostPath>,
    /// Where the last words of workers are kept; `None` keeps none.
    pub logs_dir: Option<PathBuf>,
}

pub const DEFAULT_WORKER_IMAGE: &str = "loge-worker:latest";

/// What a loge takes from the machine at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Per cent of one core: 50.0 is half a core.
    pub cpu_percent: f64,
    pub memory_bytes: u64,
    pub pids: u32,
    /// Share of the time slices in which it wanted more CPU than it may have. `None` where
    /// nobody counts.
    pub throttled_percent: Option<f64>,
}

/// One loge as the dashboard shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct LogeView {
    pub tenant: Tenant,
    pub runtime: RuntimeKind,
    pub state: LogeState,
    /// `None` while there is no link; `Some(false)` after missed pings.
    pub healthy: Option<bool>,
    pub container_id: Option<String>,
    /// Image id, or the worker binary's path.
    pub image: String,
    /// What the worker in it says about itself; untrusted and short.
    pub image_version: Option<String>,
    /// It was started with the graphics chip.
    pub has_chip: bool,
    /// Without what is lent.
    pub limits: LogeLimits,
    pub lent_millis: u32,
    pub usage: Option<Usage>,
    pub started_at: Option<UnixMs>,
    pub restarts: u32,
    /// Ends by the memory limit, since this server started.
    pub out_of_memory: u32,
    pub circuit: CircuitState,
    /// Streams and jobs at this moment.
    pub active: u32,
}

/// One wall of the isolation, and whether it stands here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationItem {
    pub name: String,
    pub reached: bool,
    pub detail: String,
}

/// Which runtime works, which one was asked for, why, and what would make it better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeInfo {
    pub kind: RuntimeKind,
    pub wanted: RuntimeChoice,
    pub version: Option<String>,
    pub detail: String,
    pub isolation: Vec<IsolationItem>,
    pub advice: Option<String>,
}

/// How far isolation reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// Nothing has been built here yet, so nothing can be said.
    Unknown,
    /// Every wall that must stand does.
    Full,
    /// These are missing here; workers start only where the owner allows it.
    Reduced { missing: Vec<String> },
}

impl Level {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Full => "full",
            Self::Reduced { .. } => "reduced",
        }
    }
}

/// Walls that must stand; the names of the process runtime are the launcher's, which refuses by the
/// same list (`launcher/src/must_stand.rs`). Calls for memory and messages shared by number or name
/// are refused by "seccomp", so that "own_ipc" need not stand beside it.
const MUST_STAND: [(RuntimeKind, &[&str]); 2] = [
    (RuntimeKind::Docker, &["system calls", "memory", "cpu", "processes", "made as asked"]),
    (
        RuntimeKind::Process,
        &[
            "no_new_privs",
            "limits",
            "landlock",
            "seccomp",
            "signals",
            "read_only",
            "network",
            "cgroup_memory",
            "processes",
        ],
    ),
];

impl RuntimeInfo {
    pub fn level(&self) -> Level {
        if self.isolation.is_empty() {
            return Level::Unknown;
        }
        let must = MUST_STAND.iter().filter(|(kind, _)| *kind == self.kind).flat_map(|(_, walls)| *walls);
        // A wall that nobody speaks of does not stand.
        let stands = |wall: &str| self.isolation.iter().any(|item| item.name == wall && item.reached);
        let missing: Vec<String> = must.filter(|wall| !stands(wall)).map(|wall| (*wall).to_owned()).collect();
        if missing.is_empty() { Level::Full } else { Level::Reduced { missing } }
    }

    /// Refuses a start while walls are missing here and the owner does not allow that. Where nothing
    /// is known yet, the start itself shows it.
    ///
    /// # Errors
    /// With the walls that are missing.
    pub fn permit(&self, allows_reduced: bool) -> Result<(), RuntimeError> {
        match self.level() {
            Level::Reduced { missing } if !allows_reduced => Err(RuntimeError::WallsMissing { missing }),
            Level::Reduced { .. } | Level::Full | Level::Unknown => Ok(()),
        }
    }
}

/// Why this room cannot open.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogesError {
    #[error("cannot prepare the folder for sockets {path}")]
    RunDir { path: PathBuf, source: std::io::Error },
    #[error("{path} is too long for a folder of sockets: at most {limit} bytes")]
    RunDirTooLong { path: PathBuf, limit: usize },
    #[error("the process sandbox was chosen and cannot work: {process}")]
    ProcessUnfit { process: String },
    #[error("neither runtime can work. Docker: {docker}. Process sandbox: {process}")]
    NoRuntime { docker: String, process: String },
    #[error("Docker was chosen and cannot be used")]
    Docker(#[source] RuntimeError),
}

/// How asking for a range or a segment can end without one.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// The loge is not there (yet).
    #[error("no loge: {0}")]
    Away(Failure),
    /// This loge already works on as many requests as it may.
    #[error("this loge has its hands full")]
    Busy,
    #[error("the file is not there")]
    NotFound,
    #[error("the file is not the one in the database")]
    Changed,
    #[error("the worker refused the request")]
    Refused,
    #[error("the worker could not read the file")]
    Unreadable,
    /// No segment can be made of this file by this plan; the text is untrusted and short, for the log.
    #[error("the worker cannot cut this file: {0}")]
    Unplayable(String),
    /// The segment took longer than a player waits, or is larger than one may be.
    #[error("the worker did not finish in time")]
    Late,
    /// The worker broke off, was too slow, or broke the protocol.
    #[error("the worker failed: {0}")]
    Broke(String),
}

impl RangeError {
    pub fn failure(&self) -> Failure {
        match self {
            Self::Away(failure) => failure.clone(),
            Self::Busy => Failure::new(Code::HouseFull, "Too many streams at once for one person.")
                .retry_after(Duration::from_secs(2)),
            Self::NotFound => Failure::of(Code::FileMissing),
            Self::Changed => Failure::of(Code::FileChanged),
            Self::Refused => Failure::of(Code::NotFound),
            Self::Unreadable => Failure::new(Code::FileMissing, "The disk of this title cannot be read at the moment."),
            Self::Unplayable(_) => Failure::of(Code::FileBroken),
            Self::Late | Self::Broke(_) => Failure::of(Code::LogeBroke).retry_after(Duration::from_secs(1)),
        }
    }
}

/// How a job can end without a result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("no loge: {0}")]
    Away(Failure),
    #[error("this loge has its hands full")]
    Busy,
    /// The worker's verdict; the text is untrusted and short, for the log.
    #[error("the job ended with {status:?}: {text}")]
    Ended { status: contract::Status, text: String },
    /// The time limit passed without an answer.
    #[error("the job took longer than allowed")]
    TimedOut,
    #[error("the worker failed: {0}")]
    Broke(String),
}

impl JobError {
    /// The worker's verdict, where it gave one.
    pub fn status(&self) -> Option<contract::Status> {
        match self {
            Self::Ended { status, .. } => Some(*status),
            Self::TimedOut => Some(contract::Status::Limit),
            Self::Away(_) | Self::Busy | Self::Broke(_) => None,
        }
    }
    /// Whether the same job may go well later, because the file had no say in the failure.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_the_level_is_full_only_when_every_wall_is_spoken_of_and_stands() {
        let info = |kind, walls: &[(&str, bool)]| RuntimeInfo {
            kind,
            wanted: RuntimeChoice::Auto,
            version: None,
            detail: String::new(),
            isolation: walls
                .iter()
                .map(|(name, reached)| IsolationItem { name: (*name).into(), reached: *reached, detail: String::new() })
                .collect(),
            advice: None,
        };
        let all = MUST_STAND[1].1.iter().map(|name| (*name, true)).collect::<Vec<_>>();
        assert_eq!(info(RuntimeKind::Process, &[]).level(), Level::Unknown);
        assert_eq!(info(RuntimeKind::Process, &all).level(), Level::Full);
        // A wall that need not stand does not count.
        assert_eq!(info(RuntimeKind::Process, &[&all[..], &[("view", false)]].concat()).level(), Level::Full);
        for n in 0..all.len() {
            let missing = Level::Reduced { missing: vec![all[n].0.into()] };
            let mut walls = all.to_vec();
            walls[n].1 = false;
            assert_eq!(info(RuntimeKind::Process, &walls).level(), missing);
            walls.remove(n);
            assert_eq!(info(RuntimeKind::Process, &walls).level(), missing);
            // It is the owner who decides what follows.
            let lacking = info(RuntimeKind::Process, &walls);
            assert!(lacking.permit(true).is_ok());
            let Err(RuntimeError::WallsMissing { missing }) = lacking.permit(false) else { panic!("{lacking:?}") };
            assert_eq!(missing, [all[n].0]);
        }
        assert!(info(RuntimeKind::Process, &all).permit(false).is_ok());
        assert!(info(RuntimeKind::Process, &[]).permit(false).is_ok());
        assert_eq!(info(RuntimeKind::Docker, &all).level().as_str(), "reduced");
    }

    /// The launcher sees no other room, so both name the walls; here they are held to be the same.
    #[test]
    fn the_launcher_refuses_by_the_same_list() {
        let source = include_str!("../../launcher/src/must_stand.rs");
        let (_, rest) = source.split_once("pub const MUST_STAND").expect("it has the list");
        let (list, _) = rest.split_once("];").expect("which ends");
        let named: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(named, MUST_STAND[1].1);
    }
}
