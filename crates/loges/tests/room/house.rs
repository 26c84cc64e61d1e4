//! A house with scripted loges.

use base::{Bus, FakeClock, Lifecycle, UnixMs};
use contract::FileRef;
use domain::{FolderId, InstallId, LogeLimits, LogeState, Tenant, UserId};
use loges::{LogeSpec, Loges, LogesConfig, Mount, RangeStream, RuntimeChoice};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use testkit::{FakeRuntime, FixedTenants, runtime::Start};
use tokio::io::AsyncReadExt;

pub const IDLE: Duration = Duration::from_secs(900);
pub const FILM_BYTES: usize = 100_000;

pub struct House {
    pub loges: Loges,
    pub runtime: Arc<FakeRuntime>,
    pub tenants: Arc<FixedTenants>,
    pub lifecycle: Lifecycle,
    pub dir: tempfile::TempDir,
}

pub fn folder(n: u8) -> FolderId {
    FolderId::from_random([n; 16])
}
pub fn ana() -> Tenant {
    Tenant::User(UserId::from_random([0xa; 16]))
}
pub fn bo() -> Tenant {
    Tenant::User(UserId::from_random([0xb; 16]))
}
pub fn film() -> Vec<u8> {
    (0..FILM_BYTES).map(|n| (n % 251) as u8).collect()
}
pub fn file() -> FileRef {
    FileRef {
        mount: folder(1).to_string(),
        path: b"film \xff.mp4".to_vec(),
        size: Some(FILM_BYTES as u64),
        mtime_ns: None,
    }
}

pub fn runtime(otherwise: Start) -> Arc<FakeRuntime> {
    let films = HashMap::from([((file().mount, file().path), film())]);
    Arc::new(FakeRuntime::new(Arc::new(films), otherwise))
}

impl House {
    pub async fn open(otherwise: Start) -> Self {
        Self::open_on(runtime(otherwise)).await
    }

    pub async fn open_on(runtime: Arc<FakeRuntime>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tenants = Arc::new(FixedTenants::new(LogeSpec {
            limits: LogeLimits::DEFAULT,
            mounts: vec![Mount { id: folder(1), path: dir.path().into() }],
            chip: None,
            allows_reduced: false,
        }));
        let config = LogesConfig {
            install: InstallId::from_random([1; 16]),
            run_dir: dir.path().join("r"),
            runtime: RuntimeChoice::Auto,
            worker_image: None,
            worker_binary: PathBuf::new(),
            launcher_binary: PathBuf::new(),
            frames_binary: PathBuf::new(),
            idle_stop: IDLE,
            docker_host: None,
            host_paths: vec![],
            logs_dir: Some(dir.path().join("logs")),
        };
        let lifecycle = Lifecycle::new();
        let clock = Arc::new(FakeClock::new(UnixMs(1_800_000_000_000), 7));
        let loges = Loges::open_on(runtime.clone(), config, tenants.clone(), clock, Bus::new(), lifecycle.clone())
            .await
            .unwrap();
        Self { loges, runtime, tenants, lifecycle, dir }
    }

    pub fn state(&self, tenant: &Tenant) -> LogeState {
        self.loges.view(tenant).map_or(LogeState::Absent, |view| view.state)
    }

    /// A whole range, taken and handed back.
    pub async fn read(&self, tenant: &Tenant, offset: u64, length: u64) -> Result<Vec<u8>, loges::RangeError> {
        self.loges.range(tenant, file(), offset, length).await.map(take).map(Box::pin)?.await
    }

    /// Shuts down and shows that nothing is left.
    pub async fn close(self) {
        self.loges.shutdown().await;
        assert_eq!(self.runtime.living(), Vec::<String>::new());
        assert!(!self.dir.path().join("r/l").exists(), "sockets are left");
        assert_eq!(self.loges.list(), []);
        assert!(self.lifecycle.stop(Duration::from_secs(5)).await);
        assert!(!self.lifecycle.has_failed());
    }
}

/// Takes exactly the promised bytes; a short stream is an error.
pub async fn take(stream: RangeStream) -> Result<Vec<u8>, loges::RangeError> {
    let mut out = vec![0; usize::try_from(stream.length()).unwrap()];
    let (mut stream, lease) = stream.into_parts();
    match tokio::time::timeout(loges::link::STALL_DEADLINE, stream.read_exact(&mut out)).await {
        Ok(Ok(_)) => {
            lease.finish(stream);
            Ok(out)
        }
        Ok(Err(e)) => {
            lease.broke("short");
            Err(loges::RangeError::Broke(e.to_string()))
        }
        Err(_) => {
            lease.broke("stalled");
            Err(loges::RangeError::Broke("stalled".into()))
        }
    }
}
