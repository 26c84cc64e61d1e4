//! What makes the walls of a loge: typed verbs, two true implementations.
//!
//! Every verb is idempotent or says what it found, every verb has a time limit of its own, and
//! nothing a runtime met (an inspect reply, a process id) travels further than this folder.

pub mod choose;
pub mod docker;
pub mod docker_age;
pub mod docker_body;
mod docker_cpu;
mod docker_events;
mod docker_group;
pub mod docker_images;
mod docker_line;
pub mod docker_mounts;
pub mod docker_parent;
pub mod docker_paths;
mod docker_seen;
mod docker_stats;
pub mod docker_vet;
mod docker_walls;
mod image_tar;
pub mod process;
mod process_group;
mod process_scope;
mod process_usage;

use crate::{
    chip::RenderNode,
    images::Image,
    link::PeerSlot,
    plan::Found,
    words::{Mount, RuntimeInfo, Usage},
};
use async_trait::async_trait;
use domain::{Code, Failure, InstallId, LogeLimits, RuntimeKind, Tenant};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::mpsc;

/// Everything a start needs. Nothing in it comes from a viewer.
#[derive(Debug, Clone)]
pub struct StartSpec {
    pub install: InstallId,
    pub tenant: Tenant,
    /// Unique for this tenant over all runs; part of the name.
    pub generation: u64,
    pub spec_hash: String,
    pub limits: LogeLimits,
    pub mounts: Vec<Mount>,
    pub chip: Option<RenderNode>,
    /// The gateway's socket on the host.
    pub socket: PathBuf,
    pub nonce: [u8; 32],
    /// Small number of its own for this tenant; the uid inside Docker is 20000 + slot.
    pub slot: u32,
    /// The owner allows it without some of the walls that must stand.
    pub allows_reduced: bool,
    /// Who may dial in. Filled by the runtime before the worker can run.
    pub peer: PeerSlot,
}

/// Something happened that nobody here asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The engine was away and answers again.
    Back,
    /// Something with our label ended, was removed or was made.
    Changed,
}

/// A loge the runtime started.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    pub id: String,
    /// Image id or path of the worker binary.
    pub image: String,
}

/// How a loge ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i64>,
    /// The engine's own word; the exit code alone does not tell.
    pub out_of_memory: bool,
}

impl Exit {
    /// Whether it ended itself: out of memory, or by an error of its own. Signals that end a
    /// process from outside say nothing about what it was doing.
    pub fn is_own_fault(&self) -> bool {
        const KILLED: i64 = 128 + 9;
        const TERMINATED: i64 = 128 + 15;
        self.out_of_memory || self.code.is_some_and(|code| ![0, KILLED, TERMINATED].contains(&code))
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.out_of_memory, self.code) {
            (true, _) => f.write_str("it needed more memory than it may have"),
            (false, Some(code)) => write!(f, "it ended with code {code}"),
            (false, None) => f.write_str("it was killed"),
        }
    }
}

/// Counters of a loge since its start. Only the difference between two readings means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTime {
    pub used: Duration,
    /// When this was read, on the clock of whoever counted.
    pub at: Duration,
    /// Time slices in which it ran at all, and those in which it was held back.
    pub slices: u64,
    pub held_back: u64,
}

#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    fn kind(&self) -> RuntimeKind;
    /// What is known now, without asking anybody.
    fn info(&self) -> RuntimeInfo;
    /// Whether [`Runtime::update_limits`] works on a running loge.
    fn has_live_limits(&self) -> bool;
    /// Creates and starts. A failed start leaves nothing behind.
    async fn start(&self, spec: StartSpec) -> Result<Running, RuntimeError>;
    /// Kindly, then surely after `grace`. Something that is gone already is fine.
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError>;
    /// Removes what `stop` left. Something that is gone already is fine.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;
    async fn update_limits(&self, id: &str, limits: LogeLimits) -> Result<(), RuntimeError>;
    async fn usage(&self, id: &str) -> Option<Usage>;
    /// As of now, for who cannot wait for the next [`Runtime::usage`]; `None` where nobody counts.
    /// Cheap after the first time.
    async fn cpu_time(&self, id: &str) -> Option<CpuTime>;
    /// The newest lines, escaped and bounded.
    async fn logs(&self, id: &str, tail: usize) -> Result<Vec<String>, RuntimeError>;
    /// Everything that carries the label of this install, running or not.
    async fn list_ours(&self, install: &InstallId) -> Result<Vec<Found>, RuntimeError>;
    /// Worker images there are; none where loges are not made of images.
    async fn images(&self) -> Result<Vec<Image>, RuntimeError> {
        Ok(Vec::new())
    }
    /// Loges are made of this one from now on; answers which one it was before.
    async fn use_image(&self, _id: &str) -> Result<String, RuntimeError> {
        Err(RuntimeError::NoImages)
    }
    async fn import_image(&self, _file: &Path) -> Result<String, RuntimeError> {
        Err(RuntimeError::NoImages)
    }
    /// The id of the image that was chosen while this runs; `None` when none was.
    fn image_now(&self) -> Option<String> {
        None
    }
    /// Says when it is worth looking at everything again. Never ends by itself; a runtime that has
    /// nothing to say just waits.
    async fn tell_news(&self, install: &InstallId, news: &mpsc::Sender<News>);
    /// Resolves once it is certain that the loge has ended.
    async fn exited(&self, id: &str) -> Exit;
}

/// What a runtime could not do, and what the owner can do about it.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("there is no container engine at {socket}")]
    EngineAbsent { socket: String },
    #[error("this user may not open the engine's socket {socket}")]
    EngineDenied { socket: String },
    #[error("the container engine does not answer: {detail}")]
    EngineAway { detail: String },
    #[error("the engine's address {host} is not a Unix socket")]
    EngineAddress { host: String },
    #[error("the container engine has no seccomp")]
    NoSeccomp,
    #[error("this is Podman, which takes no profile of system calls over its Docker language")]
    Podman,
    #[error("the engine made a container that is not as asked for: {what}")]
    NotAsAsked { what: String },
    #[error("the container engine cannot see {path}, which lies in the container of this server alone")]
    NotOnHost { path: PathBuf },
    #[error("there is no image {image}")]
    ImageMissing { image: String },
    #[error("the engine refused to {verb}: {status} {message}")]
    Refused { verb: &'static str, status: u16, message: String },
    #[error("the engine took too long to {verb}")]
    Slow { verb: &'static str },
    #[error("the program {path} is missing or cannot be started")]
    Program { path: PathBuf, source: std::io::Error },
    #[error("the sandbox could not be built: {detail}")]
    Sandbox { detail: String },
    #[error("this machine lacks walls that must stand ({}), and the owner has not allowed that", missing.join(", "))]
    WallsMissing { missing: Vec<String> },
    #[error("there is no worker image {id}")]
    NoSuchImage { id: String },
    #[error("this file is not taken: {reason}")]
    NotAnImage { reason: String },
    #[error("process sandboxes are not made of images")]
    NoImages,
    #[error("this runtime cannot do that to a running loge")]
    NotLive,
}

impl RuntimeError {
    /// What the owner can do, where anything helps.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::EngineAbsent { .. } => {
                "Install Docker (Debian and Ubuntu: sudo apt-get install docker.io) to give everyone a container."
                    .into()
            }
            Self::EngineDenied { .. } => {
                "Let this user speak to Docker: sudo usermod -aG docker $USER, then sign in to the machine again."
                    .into()
            }
            Self::EngineAway { .. } | Self::Slow { .. } => {
                "See whether Docker runs: sudo systemctl status docker.".into()
            }
            Self::EngineAddress { .. } => "Set DOCKER_HOST to a Unix socket, like unix:///var/run/docker.sock.".into(),
            Self::NoSeccomp => "Use an engine with seccomp; without it no worker is started in it.".into(),
            Self::Podman => "Use Docker, or the process sandbox (runtime: process).".into(),
            Self::NotAsAsked { .. } => {
                "See who changes what the engine is told; no worker runs until it makes what it is asked for.".into()
            }
            Self::NotOnHost { .. } => {
                "Mount the folder it lies in as a volume of the server's container, or name it in LOGE_HOST_PATHS."
                    .into()
            }
            Self::ImageMissing { .. } => "Build the worker image: npm start does it, or npm run setup.".into(),
            Self::Program { path, .. } => format!("Reinstall Loge; {} is part of it.", path.display()),
            Self::WallsMissing { .. } => {
                "Docker gives all walls on most machines. Without it, the settings can allow reduced isolation.".into()
            }
            Self::Sandbox { .. } => {
                "A newer kernel (5.13 or later, with Landlock) or Docker gives full isolation.".into()
            }
            Self::NoSuchImage { .. }
            | Self::NotAnImage { .. }
            | Self::NoImages
            | Self::Refused { .. }
            | Self::NotLive => return None,
        })
    }

    pub fn failure(&self) -> Failure {
        match self {
            Self::EngineAbsent { .. }
            | Self::EngineDenied { .. }
            | Self::EngineAway { .. }
            | Self::EngineAddress { .. }
            | Self::Slow { .. } => Failure::of(Code::EngineAway),
            Self::WallsMissing { .. } => Failure::of(Code::IsolationMissing),
            Self::NoSuchImage { .. } => Failure::of(Code::NotFound),
            Self::NotAnImage { .. } | Self::NoImages => {
                Failure::new(Code::InvalidField, capitalized(&self.to_string()))
            }
            _ => Failure::of(Code::LogeFailed),
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

/// Untrusted bytes as lines a terminal and a page can show: no control characters, no line
/// longer than 500 characters.
pub fn escape_line(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut out = String::new();
    for c in text.trim_end_matches(['\r', '\n']).chars().take(500) {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_cannot_play_tricks_on_a_terminal() {
        assert_eq!(escape_line(b"\x1b[31mred\r\n"), "\\u{1b}[31mred");
        assert_eq!(escape_line(&[b'a'; 2000]).len(), 500);
        assert_eq!(escape_line(b"a\nb\0\xff"), "a\\nb\\u{0}\u{fffd}");
    }
}
