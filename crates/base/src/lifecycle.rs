//! Stop twice: kindly, then surely. Every task is tracked and named.

use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, info_span, warn};

/// Handed to every room. `soft` means: take no new work, finish what runs. `hard` means: drop
/// everything now. Cloning is cheap and refers to the same stop.
#[derive(Clone)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<std::sync::atomic::AtomicBool>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    pub fn new() -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tasks: TaskTracker::new(),
            failed: Arc::default(),
        }
    }

    /// Resolves when no new work may begin.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }
    /// Resolves when everything must end.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }
    pub fn is_stopping(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Runs a task that ends at the hard stop at the latest. A panic in it is logged and counts
    /// as a failure of the whole program's run.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        let failed = self.failed.clone();
        let inner = tokio::spawn(
            async move {
                tokio::select! {
                    () = hard.cancelled() => {}
                    () = task => {}
                }
            }
            // No parent: a task outlives the request that started it.
            .instrument(info_span!(parent: None, "task", name)),
        );
        self.tasks.spawn(async move {
            if let Err(e) = inner.await
                && e.is_panic()
            {
                failed.store(true, std::sync::atomic::Ordering::SeqCst);
                error!(task = name, "task {name} panicked");
            }
        });
    }

    /// Whether any task of this run panicked.
    pub fn has_failed(&self) -> bool {
        self.failed.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Kindly for at most `grace`, then surely. Returns whether the kind part was enough.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.soft.cancel();
        self.tasks.close();
        let kind = tokio::time::timeout(grace, self.tasks.wait()).await.is_ok();
        if !kind {
            warn!("tasks still ran after {grace:?}; stopping them now");
        }
        self.hard.cancel();
        self.tasks.wait().await;
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stubborn_task_ends_at_the_hard_stop() {
        let life = Lifecycle::new();
        life.spawn("stubborn", std::future::pending());
        assert!(!life.stop(Duration::from_secs(5)).await);
        let life = Lifecycle::new();
        let soft = life.soft().clone();
        life.spawn("kind", async move { soft.cancelled().await });
        assert!(life.stop(Duration::from_secs(5)).await);
    }
}
