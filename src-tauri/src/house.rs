//! What the shell needs from a running server, and nothing more.
//!
//! Two makers fill this in: `embedded` (this process runs the server) and `attached` (a
//! `loge-server` already runs on the data folder). The shell cannot tell them apart except
//! where a person would notice: see [`House::attached`].

use async_trait::async_trait;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Good,
    Attention,
    Trouble,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub level: Level,
    /// One sentence in words, the same one the dashboard opens with.
    pub sentence: String,
    pub viewers: u32,
    pub max_viewers: u32,
    pub streams: u32,
    pub jobs_paused: bool,
}

#[async_trait]
pub trait House: Send + Sync {
    /// Where this machine's window connects: always a loopback address.
    fn address(&self) -> SocketAddr;
    /// What the other devices at home type in; empty when only this machine is served.
    fn lan_urls(&self) -> Vec<String>;
    /// The sender going away means that the server is gone.
    fn status(&self) -> watch::Receiver<Status>;
    /// Present while nobody has claimed the server.
    fn setup_code(&self) -> Option<String>;
    /// One-time permission that signs the window in.
    async fn desktop_ticket(&self) -> Option<String>;
    fn pause_jobs(&self, paused: bool);
    async fn stop_all_streams(&self);
    /// Kindly, then surely. Returns when nothing runs any more: `false` when a part of the
    /// server had died before.
    async fn stop(&self) -> bool;
    /// True when quitting the shell leaves the server running.
    fn attached(&self) -> bool;
}

#[async_trait]
pub trait Starter: Send + Sync {
    async fn start(&self, wish: StartWish) -> Result<Arc<dyn House>, StartFailure>;
    /// A port near `taken` that is free right now.
    fn next_free(&self, taken: SocketAddr) -> Option<u16>;
}

/// What the person chose for this start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartWish {
    /// Replaces the configured one.
    pub port: Option<u16>,
    /// Begin a new server where the data folder's earlier one lost its database.
    pub anew: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFailure {
    AddressInUse {
        address: SocketAddr,
        holder: Option<String>,
    },
    /// Another server has the data folder, and its window cannot be ours.
    AlreadyRunning {
        address: Option<SocketAddr>,
    },
    /// The data folder belongs to a server whose database is gone.
    Gone {
        sentence: String,
        help: Vec<String>,
    },
    /// Anything else, already in words a person can read.
    Refused {
        sentence: String,
        help: Vec<String>,
    },
}
