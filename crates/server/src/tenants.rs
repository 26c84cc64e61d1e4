//! What each loge holds: computed from grants and folders at every start of one.

use async_trait::async_trait;
use base::{Bus, Event};
use contract::FileRef;
use domain::{Code, Failure, FolderId, Tenant, UserId};
use loges::{LogeSpec, Mount, Tenants};
use std::path::PathBuf;
use store::{AuditEntry, Store};

pub(crate) struct StoreTenants {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    /// Folder of the graphics chips' render nodes.
    pub(crate) render_nodes: PathBuf,
}

#[async_trait]
impl Tenants for StoreTenants {
    async fn spec(&self, tenant: &Tenant) -> Result<LogeSpec, Failure> {
        let failed = |e: store::StoreError| e.failure();
        let (folders, limits) = match tenant {
            Tenant::House => {
                let folders = self.store.all_folders().await.map_err(failed)?;
                (folders, self.store.house_limits().await.map_err(failed)?)
            }
            Tenant::User(user) => {
                let person = self.store.user(user).await.map_err(failed)?.ok_or_else(|| Failure::of(Code::NotFound))?;
                let folders = self.store.folders_for(user, person.role).await.map_err(failed)?;
                (folders, self.store.loge_limits(user).await.map_err(failed)?)
            }
        };
        // Whether their disks are there is for the loge to find out, which has the threads for it.
        let mounts = folders.into_iter().map(|f| Mount { id: f.id, path: f.path }).collect();
        let settings = self.store.settings().await.map_err(failed)?;
        let chip = settings.hardware_encoding.then(|| loges::chip::find(&self.render_nodes)).flatten();
        Ok(LogeSpec { limits, mounts, chip, allows_reduced: settings.allow_reduced_isolation })
    }

    async fn set_aside(&self, file: &FileRef) {
        let Ok(folder) = FolderId::parse(&file.mount) else { return };
        match self.store.set_aside(&folder, &file.path, file.size).await {
            Ok(None) => {}
            Ok(Some(row)) => {
                let entry = AuditEntry {
                    actor: "house".into(),
                    action: "file.set_aside".into(),
                    target: Some(row.id.to_string()),
                    result: "ok".into(),
                    address: None,
                };
                if let Err(e) = self.store.append_audit(entry).await {
                    tracing::error!("the audit log could not be written: {e}");
                }
                self.bus.publish(Event::Title { title: row.title, library: row.library });
                self.bus.publish(Event::Alerts);
            }
            Err(e) => tracing::error!("a file that ends workers could not be set aside: {e}"),
        }
    }

    async fn username(&self, user: &UserId) -> Option<String> {
        self.store.user(user).await.ok().flatten().map(|u| u.username)
    }

    async fn misbehaved(&self, tenant: &Tenant, what: &str) {
        let entry = AuditEntry {
            actor: "host".into(),
            action: "container.killed".into(),
            target: Some(format!("{tenant}: {what}")),
            result: Code::LogeBroke.as_str().into(),
            address: None,
        };
        if let Err(e) = self.store.append_audit(entry).await {
            tracing::error!(error = &e as &dyn std::error::Error, "the audit log could not be written: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{FakeClock, UnixMs};
    use std::sync::Arc;
    use store::Database;

    #[tokio::test]
    async fn a_killed_container_is_in_the_audit_log() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(UnixMs(1_800_000_000_000), 7));
        let store = Store::open(Database::Sqlite(dir.path().join("loge.db")), clock).await.unwrap();
        let user = UserId::from_random([1; 16]);
        StoreTenants { store: store.clone(), bus: Bus::new(), render_nodes: dir.path().into() }
            .misbehaved(&Tenant::User(user.clone()), "it broke the rules 3 times")
            .await;
        let page = store.audit(10, None).await.unwrap();
        let entry = &page.items[0].entry;
        assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("host", "container.killed"));
        assert_eq!(entry.target, Some(format!("{user}: it broke the rules 3 times")));
        assert_eq!(entry.result, "loge_broke");
    }
}
