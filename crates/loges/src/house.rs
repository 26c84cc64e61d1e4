//! What all loges of this house share.

use crate::{
    lending::Expected,
    logbook::{self, Logbook},
    quarantine::Quarantine,
    runtime::Runtime,
    words::Tenants,
};
use base::{Bus, Clock, Lifecycle};
use contract::RequestBody;
use domain::{InstallId, Tenant};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tracing::warn;

pub struct House {
    pub install: InstallId,
    pub runtime: Arc<dyn Runtime>,
    pub tenants: Arc<dyn Tenants>,
    pub clock: Arc<dyn Clock>,
    pub bus: Bus,
    pub lifecycle: Lifecycle,
    pub run_dir: PathBuf,
    pub quarantine: Quarantine,
    pub retrials: mpsc::Sender<RequestBody>,
    pub logbook: Logbook,
    pub idle_stop_ms: AtomicU64,
    pub expected: Expected,
    /// Set by the shutdown: nobody gets a loge any more.
    pub closed: AtomicBool,
}

impl House {
    pub fn idle_stop(&self) -> Duration {
        Duration::from_millis(self.idle_stop_ms.load(Ordering::Relaxed))
    }

    /// A log that hangs holds nobody up for long.
    pub async fn misbehaved(&self, tenant: &Tenant, what: &str) {
        let told = tokio::time::timeout(Duration::from_secs(5), self.tenants.misbehaved(tenant, what)).await;
        if told.is_err() {
            warn!("nobody took down that the loge of {tenant} was killed: {what}");
        }
    }

    /// Orders that a file is tried alone.
    pub fn retry(&self, request: RequestBody) {
        if let Err(mpsc::error::TrySendError::Full(request)) = self.retrials.try_send(request)
            && let Some(file) = request.parsed_file()
        {
            self.quarantine.takes_up(file);
        }
    }

    /// What it said, before it is cleared away.
    pub async fn keep_words(&self, tenant: &Tenant, id: &str, why: &str) {
        let lines = self.runtime.logs(id, logbook::KEPT_LINES).await.unwrap_or_default();
        self.logbook.keep(tenant, self.clock.now(), why, lines).await;
    }

    /// Short, since a socket's path has 108 bytes in all.
    pub fn folder(&self, slot: u32, generation: u64) -> PathBuf {
        self.run_dir.join("l").join(format!("{slot}-{generation:x}"))
    }

    /// Stops and removes; answers whether the engine was there to do it. What it refuses now, the
    /// sweep tries again.
    pub async fn clear(&self, id: &str, grace: Duration) -> bool {
        if let Err(e) = self.runtime.stop(id, grace).await {
            warn!(container.id = %id, "{id} cannot be stopped: {e}");
        }
        let removed = self.runtime.remove(id).await;
        if let Err(e) = &removed {
            warn!(container.id = %id, "{id} cannot be removed: {e}");
        }
        !removed.is_err_and(|e| e.failure().code == domain::Code::EngineAway)
    }
}
