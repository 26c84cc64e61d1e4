//! What the desktop and the command line hold of a running server.

use crate::{
    knock::{Heard, knock},
    wiring::Rooms,
};
use domain::{Failure, capacity::Capacity};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::watch;
pub use vitals::Level;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Running,
    Draining,
    Stopped,
}

/// The state of the house in one value, for tray and window.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub phase: Phase,
    pub level: Level,
    pub sentence: String,
    pub viewers: u32,
    pub max_viewers: u32,
    pub streams: u32,
    pub scanning: bool,
    pub jobs_paused: bool,
    pub setup_required: bool,
}

/// A running server. Cloning gives another hold on the same one; dropping stops nothing.
#[derive(Clone)]
pub struct Handle {
    pub(crate) address: SocketAddr,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) rooms: Arc<Rooms>,
}

impl Handle {
    /// Where this machine itself connects: loopback where the server listens everywhere.
    pub fn address(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        address
    }

    /// Where the server listens.
    pub fn listening(&self) -> SocketAddr {
        self.address
    }

    /// Addresses for other devices; empty when the server listens on loopback only.
    pub fn lan_urls(&self) -> Vec<String> {
        lan_urls(self.address)
    }

    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Returns whether the house answers at its own door. A full disk, or a database on another
    /// machine that is away, is an answer: starting anew would not help, and would end the films
    /// that go on without either.
    pub async fn answers(&self) -> bool {
        match knock(self.address()).await {
            Heard::Ready | Heard::Hindered => true,
            Heard::NoDatabase => !self.rooms.store.is_a_file(),
            Heard::Nothing => false,
        }
    }

    /// How long a stop takes at most, with room to spare.
    pub fn longest_stop(&self) -> Duration {
        self.rooms.drain + Duration::from_secs(60)
    }

    /// While there is no admin.
    pub fn setup_code(&self) -> Option<String> {
        self.rooms.accounts.setup_code()
    }

    /// Signs the window on this machine in, once, within a minute. Handed over in memory: that a
    /// program runs on this machine is no credential.
    pub async fn desktop_ticket(&self) -> Option<String> {
        self.rooms.accounts.desktop_ticket().await
    }

    /// Holds or frees scans and pictures.
    pub fn pause_jobs(&self, paused: bool) {
        self.rooms.libraries.pause_all(paused);
        self.rooms.refresh();
    }

    pub async fn stop_all_streams(&self) {
        let gone = self.rooms.streams.stop_all();
        let now = base::Clock::now(&base::SystemClock);
        if let Err(e) = self.rooms.store.end_plays(&gone, now, now.plus_ms(accounts::TICKET_MAX_MS)).await {
            tracing::warn!("stopped films could be begun again after a restart: {e}");
        }
    }

    /// Measures what this machine can encode while somebody watches. Takes up to a minute.
    ///
    /// # Errors
    /// When somebody watches, or the house loge cannot be used.
    pub async fn calibrate(&self) -> Result<Capacity, Failure> {
        self.rooms.calibration.turn()?.measure().await
    }

    /// Takes no new work, lets streams finish for the drain time, then stops everything. Calling
    /// it again waits for the same stop.
    pub async fn stop(&self) {
        self.rooms.stop().await;
    }

    /// Whether a task of this run died; the program then ends with a failing code.
    pub fn has_failed(&self) -> bool {
        self.rooms.lifecycle.has_failed() || self.rooms.open.has_failed()
    }
}

/// Returns where other devices reach a server on this machine that listens on `address`; empty when that
/// is loopback.
pub fn lan_urls(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    match address.ip() {
        ip if ip.is_loopback() => Vec::new(),
        ip if ip.is_unspecified() => {
            vitals::lan_addresses().into_iter().map(|ip| format!("http://{ip}:{port}")).collect()
        }
        _ => vec![format!("http://{address}")],
    }
}
