//! Changes to a loge that runs: other limits, time lent by the house, another specification.

use super::{Command, Phase, Supervisor};
use crate::{
    plan::{Circumstances, Replace, replacement},
    words::Level,
};
use domain::{Code, Failure, LogeLimits};
use std::collections::VecDeque;
use tokio::{sync::oneshot, time::Instant};
use tracing::warn;

/// With what the house lends on top of what its owner set.
fn with_lent(limits: LogeLimits, lent_millis: u32) -> LogeLimits {
    LogeLimits { cpu_millis: limits.cpu_millis.saturating_add(lent_millis), ..limits }
}

impl Supervisor {
    pub(super) fn respec(&mut self) {
        if matches!(&self.phase, Phase::Failed { failure, .. } if failure.code == Code::IsolationMissing) {
            return self.ask_for_permission();
        }
        let Phase::Ready { alive, .. } = &self.phase else {
            // The start may have read what was before.
            self.changes.spec |= matches!(self.phase, Phase::Starting);
            return;
        };
        let (house, tenant, generation) = (self.house.clone(), self.tenant.clone(), self.generation);
        let (made, image) = (alive.spec.clone(), alive.running.image.clone());
        self.beside(async move {
            let replace = match crate::start::present_spec(&house, &tenant).await {
                Ok(spec) => {
                    let here = Circumstances {
                        limits_live: house.runtime.has_live_limits(),
                        walls_missing: matches!(house.runtime.info().level(), Level::Reduced { .. }),
                    };
                    replacement(&made, &spec, here)
                }
                // Nobody can say what this tenant may see: the next start asks again.
                Err(_) => Replace::Now,
            };
            let stale = house.runtime.image_now().is_some_and(|now| now != image);
            let replace = if stale { replace.max(Replace::WhenQuiet) } else { replace };
            Command::Respecced(generation, replace)
        });
    }

    /// It was refused for want of walls: its owner may allow that meanwhile.
    fn ask_for_permission(&self) {
        let (house, tenant, generation) = (self.house.clone(), self.tenant.clone(), self.generation);
        self.beside(async move {
            let spec = crate::start::present_spec(&house, &tenant).await;
            Command::Permitted(generation, spec.is_ok_and(|spec| spec.allows_reduced))
        });
    }

    /// The next try need not wait.
    pub(super) fn permitted(&mut self) {
        if let Phase::Failed { failure, at, .. } = &mut self.phase
            && failure.code == Code::IsolationMissing
        {
            *at = Instant::now();
        }
    }

    /// It is ready: now for what was asked while it started, which it may know nothing of.
    pub(super) fn catch_up(&mut self) {
        if std::mem::take(&mut self.changes.spec) {
            self.respec();
        }
        self.next_change();
    }

    pub(super) fn set_limits(&mut self, limits: LogeLimits, reply: oneshot::Sender<Result<(), Failure>>) {
        if matches!(self.phase, Phase::Starting) && self.house.runtime.has_live_limits() {
            self.changes.waiting.push_back(Change::Limits(limits, reply));
            return;
        }
        if !matches!(self.phase, Phase::Ready { .. }) {
            self.respec();
            // The next start reads them from the database.
            let _ = reply.send(Ok(()));
            return;
        }
        if !self.house.runtime.has_live_limits() {
            self.desired.replace = self.desired.replace.max(Replace::WhenQuiet);
            let _ = reply.send(Ok(()));
            return;
        }
        self.changes.waiting.push_back(Change::Limits(limits, reply));
        self.next_change();
    }

    pub(super) fn lend(&mut self, lent_millis: u32, reply: oneshot::Sender<Result<bool, Failure>>) {
        if !matches!(self.phase, Phase::Ready { ended: None, .. }) || !self.house.runtime.has_live_limits() {
            let _ = reply.send(Ok(false));
            return;
        }
        self.changes.waiting.push_back(Change::Lent(lent_millis, reply));
        self.next_change();
    }

    /// One after the other: two at once would each bring back what the other changed.
    pub(super) fn next_change(&mut self) {
        let Phase::Ready { alive, ended: None, .. } = &self.phase else {
            self.changes.forget();
            return;
        };
        if self.changes.under_way {
            return;
        }
        let Some(change) = self.changes.waiting.pop_front() else { return };
        self.changes.under_way = true;
        let (limits, lent) = match &change {
            Change::Limits(limits, _) => (*limits, alive.lent_millis),
            Change::Lent(lent, _) => (alive.spec.limits, *lent),
        };
        let same = (limits, lent) == (alive.spec.limits, alive.lent_millis);
        let (runtime, id) = (self.house.runtime.clone(), alive.running.id.clone());
        let (me, generation) = (self.me.clone(), self.generation);
        tokio::spawn(async move {
            let outcome = if same { Ok(()) } else { runtime.update_limits(&id, with_lent(limits, lent)).await };
            let now = outcome.is_ok().then_some((limits, lent));
            if let Some(me) = me.upgrade() {
                let _ = me.send(Command::Limited(generation, now)).await;
            }
            change.answer(outcome.map_err(|e| {
                warn!(container.id = %id, "limits of {id} cannot be changed: {e}");
                e.failure()
            }));
        });
    }

    /// The engine answered; `now` is what holds, where it agreed.
    pub(super) fn limited(&mut self, now: Option<(LogeLimits, u32)>) {
        self.changes.under_way = false;
        if let (Some((limits, lent)), Phase::Ready { alive, .. }) = (now, &mut self.phase)
            && (alive.spec.limits, alive.lent_millis) != (limits, lent)
        {
            (alive.spec.limits, alive.lent_millis) = (limits, lent);
            self.publish(true);
        }
        self.next_change();
    }
}

/// What the engine is to be told about the running generation.
#[derive(Default)]
pub(super) struct Changes {
    under_way: bool,
    waiting: VecDeque<Change>,
    /// The specification may have changed since the start read it.
    spec: bool,
}

enum Change {
    Limits(LogeLimits, oneshot::Sender<Result<(), Failure>>),
    Lent(u32, oneshot::Sender<Result<bool, Failure>>),
}

impl Changes {
    /// The generation is over: the next one begins with limits from the database and nothing lent.
    /// Answers whether the specification may have changed since this one read it.
    pub(super) fn forget(&mut self) -> bool {
        self.under_way = false;
        for change in self.waiting.drain(..) {
            match change {
                Change::Limits(_, reply) => drop(reply.send(Ok(()))),
                Change::Lent(_, reply) => drop(reply.send(Ok(false))),
            }
        }
        std::mem::take(&mut self.spec)
    }
}

impl Change {
    fn answer(self, outcome: Result<(), Failure>) {
        match self {
            Self::Limits(_, reply) => drop(reply.send(outcome)),
            Self::Lent(_, reply) => drop(reply.send(outcome.map(|()| true))),
        }
    }
}
