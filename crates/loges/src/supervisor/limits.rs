//! Changes to a loge that runs: other limits, time lent by the house, another specification.

use super::{Command, Phase, Supervisor};
use crate::{
    plan::{Replace, replacement},
    words::Mount,
};
use domain::{Failure, LogeLimits};
use tokio::sync::oneshot;
use tracing::warn;

/// With what the house lends on top of what its owner set.
fn with_lent(limits: LogeLimits, lent_millis: u32) -> LogeLimits {
    LogeLimits { cpu_millis: limits.cpu_millis.saturating_add(lent_millis), ..limits }
}

impl Supervisor {
    pub(super) fn respec(&self) {
        let Phase::Ready { alive, .. } = &self.phase else { return };
        let (house, tenant, generation) = (self.house.clone(), self.tenant.clone(), self.generation);
        let (mounts, limits): (Vec<Mount>, LogeLimits) = (alive.mounts.clone(), alive.limits);
        self.beside(async move {
            let replace = match crate::start::present_spec(&house, &tenant).await {
                Ok(spec) => {
                    let live = house.runtime.has_live_limits();
                    replacement((&mounts, limits), (&spec.mounts, spec.limits), live)
                }
                // Nobody can say what this tenant may see: the next start asks again.
                Err(_) => Replace::Now,
            };
            Command::Respecced(generation, replace)
        });
    }

    pub(super) fn set_limits(&mut self, limits: LogeLimits, reply: oneshot::Sender<Result<(), Failure>>) {
        let Phase::Ready { alive, .. } = &self.phase else {
            // The next start reads them from the database.
            let _ = reply.send(Ok(()));
            return;
        };
        if !self.house.runtime.has_live_limits() {
            self.desired.replace = self.desired.replace.max(Replace::WhenQuiet);
            let _ = reply.send(Ok(()));
            return;
        }
        let lent = alive.lent_millis;
        self.change(limits, lent, reply);
    }

    pub(super) fn lend(&mut self, lent_millis: u32, reply: oneshot::Sender<Result<bool, Failure>>) {
        let Phase::Ready { alive, ended: None, .. } = &self.phase else {
            let _ = reply.send(Ok(false));
            return;
        };
        if !self.house.runtime.has_live_limits() || alive.lent_millis == lent_millis {
            let _ = reply.send(Ok(alive.lent_millis == lent_millis));
            return;
        }
        let (changed, outcome) = oneshot::channel::<Result<(), Failure>>();
        self.change(alive.limits, lent_millis, changed);
        tokio::spawn(async move {
            // Without an answer the loge ended meanwhile, and what was lent with it.
            let _ = reply.send(outcome.await.unwrap_or(Ok(())).map(|()| true));
        });
    }

    fn change(&self, limits: LogeLimits, lent_millis: u32, reply: oneshot::Sender<Result<(), Failure>>) {
        let Phase::Ready { alive, .. } = &self.phase else { return };
        let (runtime, id) = (self.house.runtime.clone(), alive.running.id.clone());
        let (me, generation) = (self.me.clone(), self.generation);
        tokio::spawn(async move {
            let outcome = runtime.update_limits(&id, with_lent(limits, lent_millis)).await;
            if outcome.is_ok()
                && let Some(me) = me.upgrade()
            {
                let _ = me.send(Command::Limited(generation, limits, lent_millis)).await;
            }
            let _ = reply.send(outcome.map_err(|e| {
                warn!(container.id = %id, "limits of {id} cannot be changed: {e}");
                e.failure()
            }));
        });
    }
}
