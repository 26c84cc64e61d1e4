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
    let (mut quiet_since, mut tries) = (None, 0);
    while tokio::time::timeout(LOOK_EVERY, soft.cancelled()).await.is_err() {
        if !is_quiet(&rooms) {
            quiet_since = None;
            continue;
        }
        let since: Instant = *quiet_since.get_or_insert_with(Instant::now);
        if since.elapsed() < QUIET_FOR {
            continue;
        }
        quiet_since = None;
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

fn is_quiet(rooms: &Rooms) -> bool {
    let is_calm = || rooms.vitals.now().is_some_and(|sample| sample.cpu_percent < QUIET_PERCENT);
    rooms.accounts.setup_code().is_none()
        && rooms.streams.viewers() == 0
        && !rooms.libraries.is_scanning(None)
        && !rooms.libraries.all_paused()
        && is_calm()
}
