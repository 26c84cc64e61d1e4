//! Pausing and cancelling, as something a job asks at its own safe points.

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Run,
    Pause,
    Cancel,
}

/// The job was told to end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

/// The job's side.
#[derive(Clone)]
pub(crate) struct Control {
    own: watch::Receiver<Wish>,
    /// The switch for all jobs.
    all_paused: watch::Receiver<bool>,
}

impl Control {
    pub(crate) fn new(own: watch::Receiver<Wish>, all_paused: watch::Receiver<bool>) -> Self {
        Self { own, all_paused }
    }

    /// Returns at once while the job may run, waits while it is paused.
    pub(crate) async fn checkpoint(&self) -> Result<(), Cancelled> {
        let (mut own, mut all) = (self.own.clone(), self.all_paused.clone());
        loop {
            let wish = *own.borrow_and_update();
            let paused = *all.borrow_and_update();
            match wish {
                Wish::Cancel => return Err(Cancelled),
                Wish::Run if !paused => return Ok(()),
                Wish::Run | Wish::Pause => {}
            }
            // A switch that was dropped means that the house closes.
            tokio::select! {
                changed = own.changed() => changed.map_err(|_| Cancelled)?,
                changed = all.changed() => changed.map_err(|_| Cancelled)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn paused_jobs_wait_and_cancelled_ones_end() {
        let (own, own_rx) = watch::channel(Wish::Run);
        let (all, all_rx) = watch::channel(true);
        let control = Control::new(own_rx, all_rx);
        let waiting = tokio::spawn({
            let control = control.clone();
            async move { control.checkpoint().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        all.send(false).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(()));
        own.send(Wish::Cancel).unwrap();
        assert_eq!(control.checkpoint().await, Err(Cancelled));
    }
}
