//! Building the house, room by room, in the order in which they need each other.

use crate::{
    config::{Config, RuntimeChoice},
    handle::{Handle, Level, Phase, Status},
    house::HouseFacts,
    lock::{DataLock, Locked},
    port,
    prober::HouseProber,
    rehearser::HouseRehearser,
    remains, reserve,
    start_failure::StartError,
    studio::{HouseStudio, Quiet},
    tenants::StoreTenants,
    upgrade,
    wiring::Rooms,
};
use accounts::Accounts;
use base::{Bus, Clock, Dirs, Lifecycle, SystemClock, dirs::DirsError, telemetry};
use gateway::{Gateway, GatewayConfig, Streams};
use library::{Libraries, LibraryConfig, SandboxUser};
use loges::{Loges, LogesConfig};
use renditions::{Renditions, SegmentCache, segments::Folder};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{AsIs, PinnedImage, Store};
use tokio::sync::{Mutex, Notify, OnceCell, watch};
use tracing::info;
use vault::{Vault, VaultConfig};
use vitals::{Vitals, VitalsConfig};

pub struct Server;

/// A database that cannot be opened with less is not to blame.
const LITTLE: u64 = 1 << 20;

impl Server {
    /// Opens the house. When this returns, requests are answered.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left behind then.
    pub async fn start(config: Config) -> Result<Handle, StartError> {
        let (dirs, mut lock) = take_folder(&config.data_dir)?;
        // Before anything else looks at the folder: a restore may have been cut short.
        ::backup::finish_or_forget(dirs.data()).map_err(StartError::Restore)?;
        let telemetry = telemetry::init(&config.log, Some(&dirs.logs()));
        let (dirs, is_full) = make_ready(&config, &dirs)?;
        let listener = port::bind(config.listen).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => {
                StartError::AddressInUse { addr: config.listen, holder: port::holder(config.listen.port()) }
            }
            _ => StartError::Listen { addr: config.listen, source },
        })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { addr: config.listen, source })?;
        lock.write_address(address);

        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (bus, lifecycle) = (Bus::new(), Lifecycle::new());
        let store = upgrade::open(&config, &dirs, clock.clone()).await.map_err(|e| {
            let is_full = is_full && reserve::free(dirs.data()) < LITTLE;
            if is_full { StartError::DiskFull { path: dirs.data().into() } } else { e.into() }
        })?;
        reserve::hold_when_there_is_plenty(&dirs);
        store.refresh_verdicts().await?;
        let settings = store.settings().await?;
        let logging = store.logging().await?;
        telemetry.logs().set_level(logging.level);
        telemetry.logs().requests.switch(logging.requests);
        let accounts = Accounts::open(store.clone(), clock.clone(), bus.clone(), &dirs.keys()).await?;
        let loges_config = LogesConfig {
            install: store.install_id().await?,
            run_dir: dirs.run().to_path_buf(),
            runtime: match config.runtime {
                RuntimeChoice::Auto => loges::RuntimeChoice::Auto,
                RuntimeChoice::Docker => loges::RuntimeChoice::Docker,
                RuntimeChoice::Process => loges::RuntimeChoice::Process,
            },
            worker_image: Some(config.worker_image.clone()),
            worker_binary: config.worker_binary.clone(),
            launcher_binary: config.launcher_binary.clone(),
            frames_binary: config.frames_binary.clone(),
            idle_stop: Duration::from_secs(u64::from(settings.idle_stop_minutes) * 60),
            docker_host: config.docker_host.clone(),
            host_paths: config.host_paths.clone(),
            logs_dir: Some(dirs.logs().join("containers")),
        };
        let tenants = Arc::new(StoreTenants {
            store: store.clone(),
            bus: bus.clone(),
            render_nodes: config.render_nodes.clone(),
        });
        let loges = Loges::open(loges_config, tenants, clock.clone(), bus.clone(), lifecycle.clone()).await?;
        keep_image(&loges, settings.worker_image.as_ref()).await;
        let sandbox_user = match loges.runtime().kind {
            domain::RuntimeKind::Docker => SandboxUser::Stranger,
            domain::RuntimeKind::Process => SandboxUser::SameAsServer,
        };
        let segments_dir = segments_dir(&config, &dirs);
        let library_config = LibraryConfig {
            posters_dir: dirs.posters(),
            looks_dir: dirs.looks(),
            forbidden: vec![dirs.data().to_path_buf(), dirs.run().to_path_buf(), segments_dir.clone()],
            sandbox_user,
            probe_concurrency: 3,
            scan_on_start: settings.scan_on_start && !config.is_rehearsal,
        };
        let prober = Arc::new(HouseProber(loges.clone()));
        let libraries =
            Libraries::open(library_config, store.clone(), prober, clock.clone(), bus.clone(), &lifecycle).await?;
        let facts = Arc::new(HouseFacts::new(loges.clone()));
        let vitals_config = VitalsConfig { interval: Duration::from_secs(2), data_dir: dirs.data().to_path_buf() };
        let vitals = Vitals::start(vitals_config, facts.clone(), clock.clone(), bus.clone(), &lifecycle);
        let streams = Streams::new(clock.clone(), bus.clone());
        let watching = streams.clone();
        libraries.yield_to(move || watching.viewers());
        let quiet = Quiet {
            streams: streams.clone(),
            libraries: libraries.clone(),
            vitals: vitals.clone(),
            clock: clock.clone(),
            is_rehearsal: config.is_rehearsal,
        };
        let renditions = Renditions::open(
            dirs.renditions(),
            store.clone(),
            Arc::new(HouseStudio(loges.clone())),
            Arc::new(quiet),
            clock.clone(),
            bus.clone(),
            &lifecycle,
        )
        .map_err(StartError::Renditions)?;
        let watching = streams.clone();
        let segments = SegmentCache::open(
            Arc::new(Folder::new(segments_dir, dirs.data().to_path_buf())),
            settings.cache_quota(),
            store.clone(),
            Arc::new(move || watching.windows()),
            &bus,
            &lifecycle,
        );
        let rehearser = HouseRehearser {
            data_dir: dirs.data().to_path_buf(),
            passphrase_file: config.backup_passphrase_file.clone(),
            loges: loges.clone(),
            streams: streams.clone(),
            libraries: libraries.clone(),
        };
        let vault_config = VaultConfig {
            dirs: dirs.clone(),
            passphrase_file: config.backup_passphrase_file.clone(),
            zone: jiff::tz::TimeZone::system(),
            is_by_itself: !config.is_rehearsal,
        };
        let vault =
            Vault::open(vault_config, store.clone(), clock.clone(), bus.clone(), Arc::new(rehearser), &lifecycle);
        let open = Lifecycle::new();
        let gateway_config = GatewayConfig {
            listener,
            limits: gateway::ListenLimits::for_descriptors(descriptors()),
            names: config.names.clone(),
            way_in: store.way_in().await?,
            trusted_proxies: config.trusted_proxies.clone(),
            public_url: config.public_url.clone(),
            addresses: vitals::lan_addresses().into_iter().map(Into::into).collect(),
            store: store.clone(),
            accounts: accounts.clone(),
            loges: Arc::new(loges.clone()),
            libraries: libraries.clone(),
            renditions,
            segments: segments.clone(),
            vault: vault.clone(),
            vitals: vitals.clone(),
            streams: streams.clone(),
            bus: bus.clone(),
            clock,
            scrape_token: config.metrics_token.clone(),
            log_file: Some(dirs.logs().join(telemetry::LOG_FILE)),
            logs: telemetry.logs(),
            render_nodes: config.render_nodes.clone(),
        };
        let gateway =
            Gateway::start(gateway_config, &open).map_err(|source| StartError::Listen { addr: address, source })?;
        let first = Status {
            phase: Phase::Running,
            level: Level::Good,
            sentence: "The house is open.".into(),
            viewers: 0,
            max_viewers: settings.max_viewers,
            streams: 0,
            scanning: false,
            jobs_paused: false,
            setup_required: accounts.setup_code().is_some(),
        };
        let (status, status_rx) = watch::channel(first);
        let rooms = Arc::new(Rooms {
            store,
            accounts,
            loges,
            libraries,
            segments,
            vault,
            is_rehearsal: config.is_rehearsal,
            vitals,
            streams,
            calibration: gateway.calibration().clone(),
            facts,
            bus,
            open,
            lifecycle,
            drain: config.drain,
            dirs,
            status,
            changed: Notify::new(),
            lock: Mutex::new(Some(lock)),
            telemetry: std::sync::Mutex::new(Some(telemetry)),
            stopped: OnceCell::new(),
        });
        rooms.connect();
        info!(%address, runtime = rooms.loges.runtime().kind.as_str(), "the house is open on {address}");
        Ok(Handle { address, status: status_rx, rooms })
    }
}

fn segments_dir(config: &Config, dirs: &Dirs) -> PathBuf {
    config.segments_dir.clone().unwrap_or_else(|| dirs.segments())
}

/// Takes the data folder for this process alone.
pub(crate) fn take_folder(data_dir: &Path) -> Result<(Dirs, DataLock), StartError> {
    let dirs = Dirs::at(&base::dirs::data_folder(data_dir)?);
    match DataLock::take(&dirs.lock_file()) {
        Ok(Locked::Mine(lock)) => Ok((dirs, lock)),
        Ok(Locked::Taken(address)) => Err(StartError::AlreadyRunning { address }),
        Err(e) if e.kind() == io::ErrorKind::StorageFull => Err(StartError::DiskFull { path: dirs.data().into() }),
        Err(e) => Err(StartError::Lock(e)),
    }
}

/// Makes room in the data folder where there is none, and sees to it that a house without its
/// database is not taken for a new one. Also returns whether the disk was full.
fn make_ready(config: &Config, dirs: &Dirs) -> Result<(Dirs, bool), StartError> {
    let segments_dir = segments_dir(config, dirs);
    let segments = Folder::new(segments_dir.clone(), dirs.data().to_path_buf());
    let is_full = reserve::make_room(dirs, &segments, &segments_dir);
    if config.database_url.is_none()
        && let Some(remains) = remains::look(dirs)
    {
        if !config.start_anew {
            return Err(StartError::Gone(remains));
        }
        let aside = remains::move_aside(dirs, SystemClock.now().0).map_err(StartError::MoveAside)?;
        info!("a new house begins; what is left of the earlier one is in {}", aside.display());
    }
    match Dirs::open(dirs.data()) {
        Ok(dirs) => Ok((dirs, is_full)),
        Err(DirsError::NotWritable { source, .. } | DirsError::Create { source, .. })
            if source.kind() == io::ErrorKind::StorageFull =>
        {
            Err(StartError::DiskFull { path: dirs.data().into() })
        }
        Err(e) => Err(e.into()),
    }
}

/// Brings the database to this version's schema without serving. Where that is so already, a
/// running server is not in the way.
///
/// # Errors
/// When a server runs on the folder, or the database cannot be brought there.
pub async fn migrate(config: &Config) -> Result<(), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if let Ok(store) = Store::open_as_is(config.database(), clock.clone(), AsIs::Exact).await {
        store.close().await;
        return Ok(());
    }
    let (dirs, _lock) = take_folder(&config.data_dir)?;
    if config.database_url.is_none()
        && let Some(remains) = remains::look(&dirs)
    {
        return Err(StartError::Gone(remains));
    }
    upgrade::open(config, &dirs, clock).await?.close().await;
    Ok(())
}

/// What the owner chose holds as long as the server's own image is the one it was chosen instead of.
async fn keep_image(loges: &Loges, pinned: Option<&PinnedImage>) {
    let Some(pinned) = pinned else { return };
    let images = loges.images().await.unwrap_or_default();
    if !images.iter().any(|image| image.is_own && image.id == pinned.instead_of) {
        info!("the chosen worker image belongs to another version of this server; its own one is used");
        return;
    }
    match loges.keep_image(&pinned.id).await {
        Ok(()) => info!("containers are made of {}, as chosen", pinned.id),
        Err(e) => tracing::warn!("the chosen worker image cannot be used, the server's own one is: {e}"),
    }
}

/// Returns how many descriptors this process may have.
fn descriptors() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}
