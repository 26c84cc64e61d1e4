//! Looking at what is really there, and clearing away what nobody owns.

use crate::{Loges, plan, runtime::News, supervisor::Command};
use domain::LogeState;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::info;

const SWEEP_EVERY: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(1);

impl Loges {
    /// Looks at everything that carries our label: every now and then, and soon after the engine
    /// says that something changed.
    pub(super) async fn keep_swept(self) {
        let soft = self.house.lifecycle.soft().clone();
        let (tell, mut news) = mpsc::channel(16);
        let telling = self.house.runtime.tell_news(&self.house.install, &tell);
        let sweeping = async {
            loop {
                let first = tokio::time::timeout(SWEEP_EVERY, news.recv()).await.ok().flatten();
                let mut back = first == Some(News::Back);
                if first == Some(News::Changed) {
                    // Our own starts and stops make news too; they are over after a moment.
                    tokio::time::sleep(SETTLE).await;
                }
                while let Ok(more) = news.try_recv() {
                    back |= more == News::Back;
                }
                if back {
                    for owned in self.all() {
                        let _ = owned.commands.send(Command::EngineBack).await;
                    }
                }
                self.sweep().await;
            }
        };
        tokio::select! {
            () = soft.cancelled() => {}
            () = telling => {}
            () = sweeping => {}
        }
    }

    /// Clears away whatever carries our label and belongs to no current generation.
    pub(super) async fn sweep(&self) {
        let found = match self.house.runtime.list_ours(&self.house.install).await {
            Ok(found) => found,
            Err(e) => return tracing::debug!("nothing can be swept now: {e}"),
        };
        // Read after the list: what was created meanwhile is in here, and its number is current.
        let current: Vec<(String, u64)> = self
            .lock()
            .iter()
            // A failed one is over: what its start left behind is a stray too.
            .filter(|(_, owned)| {
                !matches!(owned.seen.borrow().view.state, LogeState::Absent | LogeState::Failed { .. })
            })
            .map(|(tenant, owned)| (tenant.to_string(), owned.seen.borrow().generation))
            .collect();
        for id in plan::strays(&found, &current) {
            info!(container.id = %id, "clearing away {id}, which nobody owns");
            self.house.clear(&id, Duration::ZERO).await;
        }
    }
}
