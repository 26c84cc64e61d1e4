//! The only listener on the LAN: the HTTP API, the pages, and the last step of every film byte.
//!
//! Owns: the accept loop, the router with a policy on every route, all response headers, the
//! registry of running plays, the stream path.
//! Promises: nothing is answered before its policy was checked; foreign things answer like
//! missing ones; a stream whose right ended is cut within five seconds; film bytes are exact or
//! the connection is reset.
//! Never here: SQL, parsing of media, a descriptor from a worker, a decision about playback
//! (that is `domain::playback`), trust in a header about who the peer is.

mod admission;
pub mod api;
mod brake;
mod broken;
pub mod calibration;
mod chip;
mod cookies;
pub mod edge;
mod heads;
pub mod hosts;
mod input;
pub mod listen;
pub mod metrics;
pub mod openapi;
pub mod policy;
pub mod problem;
pub mod proxies;
pub mod rooms;
pub mod routes;
mod sign;
pub mod stream;
pub mod streams;
pub mod subtitles;
pub mod timeline;
mod ui;
mod view;
mod watch;
pub mod watched;

pub use calibration::Calibration;
pub use hosts::HostNames;
pub use listen::ListenLimits;
pub use openapi::document;
pub use rooms::{LogeRoom, OpenRange};
pub use streams::Streams;

use accounts::{Accounts, Peer, Principal};
use axum::{Router, middleware};
use base::{Bus, Clock, Lifecycle, telemetry::Logs};
use brake::PlayBrake;
use bytes::Bytes;
use chip::ChipFailures;
use domain::{
    Code, Tenant,
    hosts::{HostName, PublicUrl},
    proxies::Trusted,
};
use library::Libraries;
use problem::Problem;
use proxies::Proxies;
use renditions::{Renditions, SegmentCache};
use sign::SignCache;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};
use store::{AuditEntry, Store, WayIn};
use streams::NewPlay;
use vault::Vault;
use vitals::Vitals;

/// Everything the calls need; made once.
pub struct House {
    pub store: Store,
    pub accounts: Accounts,
    pub loges: Arc<dyn LogeRoom>,
    pub libraries: Libraries,
    pub renditions: Renditions,
    pub segments: SegmentCache,
    pub vault: Vault,
    pub known: watched::Known,
    pub vitals: Vitals,
    pub streams: Streams,
    pub bus: Bus,
    pub clock: Arc<dyn Clock>,
    pub lifecycle: Lifecycle,
    pub names: HostNames,
    pub proxies: Arc<Proxies>,
    /// What stands in links to this house, where the configuration or the owner says so.
    pub public_url: RwLock<Option<PublicUrl>>,
    pub configured_url: Option<PublicUrl>,
    names_turn: tokio::sync::Mutex<()>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Lets a scraper read `/metrics` without a session.
    pub scrape_token: Option<String>,
    /// Where `base::telemetry` writes its lines.
    pub log_file: Option<PathBuf>,
    pub logs: Logs,
    pub document: Bytes,
    sign: SignCache,
    play_brake: PlayBrake,
    pub turns: subtitles::Turns,
    pub index_turns: subtitles::Turns,
    pub calibration: Calibration,
    pub chip_failures: ChipFailures,
    pub broken: broken::BrokenFiles,
    /// Folder of the machine's render nodes.
    pub render_nodes: PathBuf,
    /// Settings are changed and told to the running house one after the other.
    pub settings_turn: tokio::sync::Mutex<()>,
}

impl House {
    /// Into the audit log. A log that cannot be written is told in the other one.
    async fn note(&self, who: &Principal, from: Peer, action: &str, target: Option<&str>, result: &str) {
        let entry = AuditEntry {
            actor: who.user.to_string(),
            action: action.into(),
            target: target.map(str::to_string),
            result: result.into(),
            address: Some(from.address.to_string()),
        };
        if let Err(e) = self.store.append_audit(entry).await {
            tracing::error!(error = &e as &dyn std::error::Error, "the audit log could not be written: {e}");
        }
    }

    /// Ends plays for the owner, for good: their addresses do not work after a restart either. Gives
    /// how many there were.
    async fn stop_plays(&self, which: impl Fn(&NewPlay) -> bool) -> Result<usize, Problem> {
        let gone = self.streams.stop_where(Code::StoppedByOwner, which);
        let now = self.clock.now();
        self.store.end_plays(&gone, now, now.plus_ms(accounts::TICKET_MAX_MS)).await?;
        Ok(gone.len())
    }

    /// Puts into force what the owner set about the way in. What was stored was read before it was
    /// stored; of what is unreadable all the same, nothing is trusted.
    fn take_way_in(&self, way: &WayIn) {
        self.proxies.set_allowed(&Trusted::parse(way.trusted_proxies.iter().map(String::as_str)).unwrap_or_default());
        let url = way.public_url.as_deref().and_then(PublicUrl::parse).or_else(|| self.configured_url.clone());
        // Who says where the house is reached means that it may be called so.
        let own = url.iter().map(|url| url.host.to_string());
        self.names.set_allowed(way.allowed_names.iter().cloned().chain(own));
        *self.public_url.write().unwrap_or_else(PoisonError::into_inner) = url;
    }

    fn public_url(&self) -> Option<PublicUrl> {
        self.public_url.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns where people in the same network reach this house. `local`: where this request arrived.
    fn reach(&self, local: Option<IpAddr>) -> String {
        let local = local.filter(|ip| !ip.is_loopback());
        let address = local.or_else(|| self.lan_addresses().first().copied().map(IpAddr::V4));
        let host = address.map_or_else(|| "localhost".into(), |ip| HostName::Address(ip).to_string());
        format!("http://{host}:{}", self.names.port())
    }

    /// Addresses of this machine in its network under which this house listens.
    fn lan_addresses(&self) -> Vec<Ipv4Addr> {
        match self.address.ip().to_canonical() {
            IpAddr::V4(one) if one.is_loopback() => vec![],
            IpAddr::V4(one) if !one.is_unspecified() => vec![one],
            IpAddr::V6(one) if !one.is_unspecified() => vec![],
            _ => vitals::lan_addresses(),
        }
    }

    /// Folders of libraries changed: loges that stand may need other mounts. Returns at once.
    fn mounts_changed(&self) {
        for loge in self.loges.list() {
            let (loges, tenant): (_, Tenant) = (self.loges.clone(), loge.tenant);
            self.lifecycle.spawn("remount", async move { loges.remount(&tenant).await });
        }
        self.streams.doubt();
    }
}

/// What the composition root brings along.
pub struct GatewayConfig {
    /// Bound already, so that a taken port is noticed before anything else starts.
    pub listener: std::net::TcpListener,
    pub limits: ListenLimits,
    /// Names under which pages may call this house, besides those that only a private network
    /// knows and those that the owner allows in the settings.
    pub names: Vec<String>,
    /// What the owner allowed in the settings.
    pub way_in: WayIn,
    /// From the configuration of this run.
    pub trusted_proxies: Trusted,
    pub public_url: Option<PublicUrl>,
    /// Addresses besides the one a connection arrives at: port forwarding, a reverse proxy.
    pub addresses: Vec<std::net::IpAddr>,
    pub store: Store,
    pub accounts: Accounts,
    pub loges: Arc<dyn LogeRoom>,
    pub libraries: Libraries,
    pub renditions: Renditions,
    pub segments: SegmentCache,
    pub vault: Vault,
    pub vitals: Vitals,
    /// Made by the caller, because the vitals want to know how many people watch.
    pub streams: Streams,
    pub bus: Bus,
    pub clock: Arc<dyn Clock>,
    pub scrape_token: Option<String>,
    pub log_file: Option<PathBuf>,
    pub logs: Logs,
    /// Folder of the machine's render nodes.
    pub render_nodes: PathBuf,
}

/// A gateway that listens.
#[derive(Clone)]
pub struct GatewayHandle {
    address: SocketAddr,
    streams: Streams,
    calibration: Calibration,
}

impl GatewayHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    pub fn streams(&self) -> &Streams {
        &self.streams
    }
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

pub struct Gateway;

impl Gateway {
    /// Listens until the lifecycle's soft stop, then finishes what runs.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn start(config: GatewayConfig, lifecycle: &Lifecycle) -> io::Result<GatewayHandle> {
        if let Some(handle) = metrics::install() {
            let soft = lifecycle.soft().clone();
            lifecycle.spawn("metrics upkeep", metrics::upkeep(handle.clone(), async move { soft.cancelled().await }));
        }
        config.listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(config.listener)?;
        let address = listener.local_addr()?;
        let (router, document, _) = api::all().split();
        let chip_failures = ChipFailures::default();
        let calibration = Calibration::new(
            config.store.clone(),
            config.loges.clone(),
            config.streams.clone(),
            config.vitals.clone(),
            config.clock.clone(),
            chip_failures.clone(),
            config.render_nodes.clone(),
        );
        let house = Arc::new(House {
            store: config.store,
            accounts: config.accounts,
            loges: config.loges,
            libraries: config.libraries,
            renditions: config.renditions,
            segments: config.segments,
            vault: config.vault,
            known: watched::Known::default(),
            vitals: config.vitals,
            streams: config.streams.clone(),
            bus: config.bus,
            clock: config.clock,
            lifecycle: lifecycle.clone(),
            names: HostNames::new(address.port(), config.names, config.addresses),
            proxies: Arc::new(Proxies::new(config.trusted_proxies)),
            public_url: RwLock::default(),
            configured_url: config.public_url,
            names_turn: tokio::sync::Mutex::default(),
            address,
            scrape_token: config.scrape_token,
            log_file: config.log_file,
            logs: config.logs,
            document: openapi::to_json(&document).into(),
            sign: SignCache::default(),
            play_brake: PlayBrake::default(),
            turns: subtitles::Turns::default(),
            index_turns: subtitles::Turns::default(),
            calibration: calibration.clone(),
            chip_failures,
            broken: broken::BrokenFiles::default(),
            render_nodes: config.render_nodes,
            settings_turn: tokio::sync::Mutex::default(),
        });
        house.take_way_in(&config.way_in);
        let events = house.bus.subscribe();
        lifecycle.spawn("gateway events", watch::run(house.clone(), events));
        let (streams, bus, soft) = (house.streams.clone(), house.bus.clone(), lifecycle.soft().clone());
        lifecycle.spawn("streams told", watch::streams(streams, bus, soft));
        let proxies = house.proxies.clone();
        let app = assemble(router, house);
        lifecycle.spawn("listener", listen::serve(listener, app, config.limits, proxies, lifecycle.clone()));
        Ok(GatewayHandle { address, streams: config.streams, calibration })
    }
}

/// The router with its edges.
fn assemble(router: Router<Arc<House>>, house: Arc<House>) -> Router {
    router
        .fallback(ui::fallback)
        .method_not_allowed_fallback(|| async { Problem::of(Code::MethodNotAllowed) })
        .layer(middleware::from_fn_with_state(house.clone(), edge::around))
        .with_state(house)
}
