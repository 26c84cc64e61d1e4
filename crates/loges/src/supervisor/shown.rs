//! What others see of a loge, kept up to date without anybody asking its owner.

use super::{Command, FAR, Phase, Supervisor};
use crate::{circuit::CircuitState, house::House, link::Link, runtime::Running, words::LogeView};
use domain::{FolderId, LogeLimits, LogeState, Tenant};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

const USAGE_EVERY: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Snapshot {
    pub view: LogeView,
    pub generation: u64,
    pub link: Option<Arc<Link>>,
    /// The folders that the loge behind this link holds.
    pub holds: Arc<[FolderId]>,
}

impl Snapshot {
    pub(super) fn absent(house: &House, tenant: &Tenant) -> Self {
        let view = LogeView {
            tenant: tenant.clone(),
            runtime: house.runtime.kind(),
            state: LogeState::Absent,
            healthy: None,
            container_id: None,
            image: String::new(),
            image_version: None,
            has_chip: false,
            limits: if *tenant == Tenant::House { LogeLimits::HOUSE } else { LogeLimits::DEFAULT },
            lent_millis: 0,
            usage: None,
            started_at: None,
            restarts: 0,
            out_of_memory: 0,
            circuit: CircuitState::Closed,
            active: 0,
        };
        Self { view, generation: 0, link: None, holds: Arc::default() }
    }
}

impl Supervisor {
    /// `tell` says that the change is worth an event: numbers that move all the time are not.
    pub(super) fn publish(&self, tell: bool) {
        self.out.send_modify(|seen| {
            seen.generation = self.generation;
            seen.view.restarts = self.restarts;
            seen.view.out_of_memory = self.out_of_memory;
            seen.view.usage = self.usage;
            seen.view.circuit = self.circuit_state();
            seen.view.lent_millis = 0;
            seen.link = None;
            seen.view.state = match &self.phase {
                Phase::Absent => LogeState::Absent,
                Phase::Starting => LogeState::Starting,
                Phase::Stopping { .. } => LogeState::Stopping,
                Phase::Failed { reason, at, .. } => {
                    LogeState::Failed { reason: reason.clone(), retry_in: at.saturating_duration_since(Instant::now()) }
                }
                Phase::Ready { alive, .. } => {
                    let Running { id, image, .. } = &alive.running;
                    seen.view.container_id = Some(id.clone());
                    seen.view.image.clone_from(image);
                    seen.view.image_version = Some(alive.link.version().to_owned());
                    seen.view.has_chip = alive.has_chip;
                    seen.view.limits = alive.spec.limits;
                    seen.view.lent_millis = alive.lent_millis;
                    seen.view.started_at = Some(alive.started_at);
                    seen.link = Some(alive.link.clone());
                    seen.holds = alive.holds.clone();
                    LogeState::Ready
                }
            };
            if !matches!(self.phase, Phase::Ready { .. } | Phase::Stopping { .. }) {
                seen.view.container_id = None;
                seen.view.started_at = None;
            }
        });
        if tell {
            let user = match &self.tenant {
                Tenant::House => None,
                Tenant::User(user) => Some(user.clone()),
            };
            self.house.bus.publish(base::Event::Loge { user });
        }
    }

    pub(super) fn measure(&mut self) {
        self.measure_at = Instant::now() + USAGE_EVERY;
        let Phase::Ready { alive, .. } = &self.phase else {
            self.measure_at = Instant::now() + FAR;
            return;
        };
        let (runtime, id, generation) = (self.house.runtime.clone(), alive.running.id.clone(), self.generation);
        self.beside(async move { Command::Measured(generation, runtime.usage(&id).await) });
    }

    fn circuit_state(&self) -> CircuitState {
        let ready_for = match &self.phase {
            Phase::Ready { since, ended: None, .. } => Some(since.elapsed()),
            _ => None,
        };
        self.circuit.state(matches!(self.phase, Phase::Starting), ready_for)
    }

    pub(super) fn name(&self) -> String {
        format!("the loge of {}", self.tenant)
    }
}
