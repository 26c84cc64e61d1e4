//! Requests about files wait for a loge that holds the folders of these files. One that was made
//! before its tenant got a folder, or while the disk of the folder was away, cannot open a single
//! file of it, and that says nothing about the files.

use crate::{
    Loges,
    link::Link,
    start::present_spec,
    supervisor::Command,
    words::{JobError, RangeError},
};
use domain::{Code, Failure, FolderId, Tenant};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Why there is no loge with these folders.
#[derive(Debug)]
pub enum Lack {
    /// There is no loge, or not yet one with the folder.
    Loge(Failure),
    /// The tenant has no such folder.
    Foreign,
    /// The tenant has the folder, and its disk is not there.
    Disk,
}

impl From<Lack> for RangeError {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Loge(failure) => Self::Away(failure),
            Lack::Foreign => Self::Refused,
            Lack::Disk => Self::Unreadable,
        }
    }
}

impl From<Lack> for JobError {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Loge(failure) => Self::Away(failure),
            Lack::Foreign | Lack::Disk => Self::Away(Failure::of(Code::FileMissing)),
        }
    }
}

impl Loges {
    /// Waits until the loge is ready and holds these folders. One that lacks a folder which its
    /// tenant has by now is replaced at its next quiet moment.
    pub(crate) async fn link_holding(
        &self,
        tenant: &Tenant,
        mounts: &[&str],
        until: Instant,
    ) -> Result<Arc<Link>, Lack> {
        let mut replaced = None;
        loop {
            let link = self.link(tenant, until).await.map_err(Lack::Loge)?;
            let Some(owned) = self.known(tenant) else { return Err(Lack::Loge(Failure::of(Code::ShuttingDown))) };
            let mut seen = owned.seen.clone();
            let (lacking, generation) = {
                let seen = seen.borrow_and_update();
                // A link that ended meanwhile says so when it is asked.
                let is_current = seen.link.as_ref().is_some_and(|now| Arc::ptr_eq(now, &link));
                let lacking = mounts.iter().filter(|mount| is_current && !holds(&seen.holds, mount));
                (lacking.copied().collect::<Vec<_>>(), seen.generation)
            };
            if lacking.is_empty() {
                return Ok(link);
            }
            if replaced != Some(generation) {
                self.can_hold(tenant, &lacking).await?;
                let closing = |_| Lack::Loge(Failure::of(Code::ShuttingDown));
                owned.commands.send(Command::Respec).await.map_err(closing)?;
                replaced = Some(generation);
            }
            if !matches!(timeout_at(until, seen.changed()).await, Ok(Ok(()))) {
                return Err(Lack::Loge(Failure::of(Code::LogeStarting).retry_after(Duration::from_secs(2))));
            }
        }
    }

    /// Says whether a loge that is made now would hold these folders.
    async fn can_hold(&self, tenant: &Tenant, mounts: &[&str]) -> Result<(), Lack> {
        let wanted = self.house.tenants.spec(tenant).await.map_err(Lack::Loge)?;
        if mounts.iter().any(|mount| !wanted.mounts.iter().any(|m| m.id.as_str() == *mount)) {
            return Err(Lack::Foreign);
        }
        let present = present_spec(&self.house, tenant).await.map_err(Lack::Loge)?;
        if mounts.iter().any(|mount| !present.mounts.iter().any(|m| m.id.as_str() == *mount)) {
            return Err(Lack::Disk);
        }
        Ok(())
    }
}

fn holds(folders: &[FolderId], mount: &str) -> bool {
    folders.iter().any(|folder| folder.as_str() == mount)
}
