//! The first calibration, by itself: once the house has had nothing to do for a while. Later ones
//! are the owner's wish.

use crate::wiring::Rooms;
use domain::Code;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::warn;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Whoever has just set up a house goes on to add libraries and to watch.
const QUIET_FOR: Duration = Duration::from_secs(120);
/// Of all cores. Processor time is what is measured, but a machine that is busy with something
/// else has slower caches and a slower clock.
const QUIET_PERCENT: f32 = 40.0;
/// A machine that fails this often does it again; the owner can still ask.
const MOST_TRIES: u8 = 3;

/// Runs until the machine has been measured, or the house closes.
pub(crate) async fn run(rooms: Arc<Rooms>) {
    let soft = rooms.lifecycle.soft().clone();
    let (mut quiet, mut tries) = (Quiet::default(), 0);
    while tokio::time::timeout(LOOK_EVERY, soft.cancelled()).await.is_err() {
        if !quiet.has_lasted(is_quiet(&rooms), Instant::now()) {
            continue;
        }
        match rooms.store.capacity().await {
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(e) => {
                warn!(error = &e as &dyn std::error::Error, "it is unknown whether this machine was measured: {e}");
                continue;
            }
        }
        // Somebody else measures, or somebody watches since a moment ago.
        let Ok(turn) = rooms.calibration.turn() else { continue };
        let measured = tokio::select! {
            measured = turn.measure() => measured,
            () = soft.cancelled() => return,
        };
        match measured {
            Ok(_) => return,
            Err(failure) if failure.code == Code::SomebodyWatches => {}
            Err(_) => tries += 1,
        }
        if tries >= MOST_TRIES {
            return;
        }
    }
}

/// How long there has been nothing to do.
#[derive(Default)]
struct Quiet(Option<Instant>);

impl Quiet {
    /// True once in [`QUIET_FOR`] without a break.
    fn has_lasted(&mut self, is_quiet: bool, now: Instant) -> bool {
        if !is_quiet {
            self.0 = None;
            return false;
        }
        let lasted = now.duration_since(*self.0.get_or_insert(now)) >= QUIET_FOR;
        if lasted {
            self.0 = None;
        }
        lasted
    }
}

fn is_quiet(rooms: &Rooms) -> bool {
    let is_calm = || rooms.vitals.now().is_some_and(|sample| sample.cpu_percent < QUIET_PERCENT);
    rooms.accounts.setup_code().is_none()
        && rooms.streams.viewers() == 0
        && !rooms.libraries.is_scanning(None)
        && !rooms.libraries.all_paused()
        && is_calm()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_begins_the_wait_anew() {
        let (mut quiet, began) = (Quiet::default(), Instant::now());
        let mut at = |s: u64, is_quiet| quiet.has_lasted(is_quiet, began + Duration::from_secs(s));
        assert!(!at(0, true) && !at(100, true) && !at(119, false), "busy again a second before");
        assert!(!at(120, true) && !at(239, true));
        assert!(at(240, true));
        assert!(!at(241, true), "the next one waits as long");
    }
}
