//! One start of one loge, from specification to hello. Whatever goes wrong, nothing is left.

use crate::{
    house::House,
    link::{Gate, GateError, Link},
    runtime::{Running, RuntimeError, StartSpec},
    words::{LogeSpec, Mount},
};
use base::{UnixMs, disks};
use contract::env::to_hex;
use domain::{Code, Failure, FolderId, LogeLimits, Tenant};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

/// From the engine's "started" to the worker's hello, on a loaded machine.
const DIAL_IN: Duration = Duration::from_secs(8);
const SPEC_DEADLINE: Duration = Duration::from_secs(5);
/// A disk that hangs must not keep everyone else's folders waiting; one that slept needs some seconds.
const FOLDER_DEADLINE: Duration = Duration::from_secs(5);

/// A loge that said hello. Dropping the gate ends the link and removes the socket.
pub struct Alive {
    pub running: Running,
    pub link: Arc<Link>,
    pub gate: Gate,
    /// What it was made as; its limits are those that hold now.
    pub spec: LogeSpec,
    /// The folders of its specification.
    pub holds: Arc<[FolderId]>,
    /// It got the graphics chip, if its specification has one.
    pub has_chip: bool,
    /// On top of the limits, for as long as this generation lives.
    pub lent_millis: u32,
    pub started_at: UnixMs,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("nobody can say what it should be: {0}")]
    Spec(Failure),
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("{why}{}{last_words}", if last_words.is_empty() { "" } else { "; it said: " })]
    Ended { why: String, last_words: String },
    #[error("it runs but does not say hello{}{last_words}", if last_words.is_empty() { "" } else { "; it said: " })]
    Mute { last_words: String },
}

impl StartError {
    pub fn failure(&self) -> Failure {
        match self {
            Self::Spec(failure) => failure.clone(),
            Self::Runtime(error) => error.failure(),
            Self::Gate(_) | Self::Ended { .. } | Self::Mute { .. } => Failure::of(Code::LogeFailed),
        }
    }
}

/// The tenant's specification without folders that are not there: a disk that is unplugged must
/// not keep its owner's other films away. It comes back by [`crate::Loges::remount`].
pub async fn present_spec(house: &House, tenant: &Tenant) -> Result<LogeSpec, Failure> {
    let asked = timeout(SPEC_DEADLINE, house.tenants.spec(tenant)).await;
    let mut spec = asked.unwrap_or_else(|_| Err(Failure::of(Code::NotReady)))?;
    let looks = std::mem::take(&mut spec.mounts).into_iter().map(|mount| async move {
        let there = disks().look(&mount.path, FOLDER_DEADLINE, Path::is_dir).await;
        if there != Ok(true) {
            tracing::warn!(folder.id = %mount.id, "folder {} is not there and is left out", mount.id);
        }
        (there == Ok(true)).then_some(mount)
    });
    let mut present: Vec<Mount> = futures_util::future::join_all(looks).await.into_iter().flatten().collect();
    present.sort_by(|a, b| a.id.cmp(&b.id));
    present.dedup_by(|a, b| a.id == b.id);
    spec.mounts = present;
    Ok(spec)
}

pub async fn start(house: &House, tenant: Tenant, slot: u32, generation: u64) -> Result<Alive, StartError> {
    let spec = present_spec(house, &tenant).await.map_err(StartError::Spec)?;
    let mut nonce = [0; 32];
    house.clock.random(&mut nonce);
    let gate = Gate::open(&house.folder(slot, generation), &tenant.to_string(), nonce, house.clock.clone())?;
    let asked = StartSpec {
        install: house.install.clone(),
        tenant: tenant.clone(),
        generation,
        spec_hash: spec_hash(&spec),
        allows_reduced: spec.allows_reduced,
        limits: spec.limits,
        mounts: spec.mounts.clone(),
        chip: spec.chip.clone(),
        socket: gate.socket(),
        nonce,
        slot,
        peer: gate.peer(),
    };
    let wants_chip = spec.chip.is_some();
    let (started, has_chip) = match house.runtime.start(asked.clone()).await {
        // Films matter more than the chip, which may be what is in the way.
        Err(e) if wants_chip && !matches!(e, RuntimeError::NotAsAsked { .. } | RuntimeError::WallsMissing { .. }) => {
            tracing::warn!(loge.tenant = %tenant, "the loge of {tenant} does not start with the graphics chip: {e}");
            (house.runtime.start(StartSpec { chip: None, ..asked }).await, false)
        }
        started => (started, wants_chip),
    };
    let running = match started {
        Ok(running) => running,
        Err(e) => {
            if matches!(e, RuntimeError::NotAsAsked { .. }) {
                house.misbehaved(&tenant, &e.to_string()).await;
            }
            return Err(e.into());
        }
    };
    let failed = tokio::select! {
        link = timeout(DIAL_IN, gate.link()) => match link {
            Ok(link) => {
                let started_at = house.clock.now();
                let holds = spec.mounts.iter().map(|mount| mount.id.clone()).collect();
                return Ok(Alive { running, link, gate, spec, holds, has_chip, lent_millis: 0, started_at });
            }
            Err(_) => None,
        },
        exit = house.runtime.exited(&running.id) => Some(exit.to_string()),
    };
    house.keep_words(&tenant, &running.id, failed.as_deref().unwrap_or("it did not say hello")).await;
    let last_words = house.runtime.logs(&running.id, 3).await.unwrap_or_default().join(" / ");
    house.clear(&running.id, Duration::ZERO).await;
    Err(match failed {
        Some(why) => StartError::Ended { why, last_words },
        None => StartError::Mute { last_words },
    })
}

/// Same specification, same text; written on the container as a label.
pub fn spec_hash(spec: &LogeSpec) -> String {
    use sha2::{Digest, Sha256};
    use std::os::unix::ffi::OsStrExt;
    let mut hash = Sha256::new();
    let LogeLimits { memory_bytes, cpu_millis, pids } = spec.limits;
    hash.update(memory_bytes.to_le_bytes());
    hash.update(cpu_millis.to_le_bytes());
    hash.update(pids.to_le_bytes());
    hash.update([u8::from(spec.allows_reduced)]);
    for mount in &spec.mounts {
        hash.update(mount.id.as_str());
        hash.update((mount.path.as_os_str().len() as u64).to_le_bytes());
        hash.update(mount.path.as_os_str().as_bytes());
    }
    if let Some(chip) = &spec.chip {
        hash.update(b"chip");
        hash.update(chip.group.unwrap_or(0).to_le_bytes());
        hash.update(chip.path.as_os_str().as_bytes());
    }
    to_hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::RenderNode;

    #[test]
    fn the_hash_follows_the_specification_and_nothing_else() {
        let spec = |path: &str, memory_bytes| LogeSpec {
            limits: LogeLimits { memory_bytes, ..LogeLimits::DEFAULT },
            mounts: vec![Mount { id: FolderId::from_random([1; 16]), path: path.into() }],
            chip: None,
            allows_reduced: false,
        };
        let hash = spec_hash(&spec("/films", 1 << 29));
        assert_eq!(hash, spec_hash(&spec("/films", 1 << 29)));
        assert_ne!(hash, spec_hash(&spec("/films2", 1 << 29)));
        assert_ne!(hash, spec_hash(&spec("/films", 1 << 30)));
        assert_ne!(hash, spec_hash(&LogeSpec { allows_reduced: true, ..spec("/films", 1 << 29) }));
        assert_eq!(hash.len(), 32);
        let with = |group| {
            let chip = Some(RenderNode { path: "/dev/dri/renderD128".into(), group });
            spec_hash(&LogeSpec { chip, ..spec("/films", 1 << 29) })
        };
        assert_ne!(hash, with(None));
        assert_ne!(with(Some(104)), with(None));
    }
}
