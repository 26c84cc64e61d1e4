//! Which time counts for sign-ins when the machine's clock jumps: a dead battery starts in 2010 or
//! in 2030, and the network puts it right minutes later. The largest time that was believed is in
//! the database. Nothing lives longer because the clock went back, and nothing is deleted while it
//! stands further ahead than a day can explain.

use crate::{error::StoreError, open::Store, settings, writer::Transaction};
use base::UnixMs;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A clock that is further ahead of the largest believed time than this has jumped, or the server
/// was off for so long. Which of the two is seen when it has run for a day.
const LEAP_MS: i64 = 24 * 3600 * 1000;
const BELIEVED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The largest time is written down this often at most.
const WRITE_EVERY_MS: i64 = 3600 * 1000;
const NAME: &str = "largest_time";

/// How the machine's clock stands to the largest time that was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    Steady,
    /// It jumped ahead by this, or the server was off for so long: nothing is deleted by age.
    Ahead {
        by_ms: i64,
    },
    /// It went back by this: time stands still for sign-ins until it has caught up.
    Behind {
        by_ms: i64,
    },
}

/// The largest time that was believed, and since when the clock is ahead of it.
#[derive(Default)]
pub(crate) struct Believed(Mutex<State>);

#[derive(Default)]
struct State {
    largest: Option<i64>,
    written: i64,
    ahead_since: Option<Instant>,
}

impl Believed {
    pub(crate) fn from_database(text: Option<String>) -> Self {
        let largest = text.and_then(|t| t.parse().ok());
        Self(Mutex::new(State { largest, written: largest.unwrap_or(i64::MIN), ahead_since: None }))
    }

    fn judge(&self, now: UnixMs) -> (UnixMs, ClockState) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead_for = state.ahead_since.map(|since| since.elapsed());
        let (largest, clock) = judge(state.largest, now.0, ahead_for);
        state.largest = Some(largest);
        state.ahead_since = match clock {
            ClockState::Ahead { .. } => Some(state.ahead_since.unwrap_or_else(Instant::now)),
            ClockState::Steady | ClockState::Behind { .. } => None,
        };
        (UnixMs(now.0.max(largest)), clock)
    }
}

/// The largest believed time after a look at the clock, and how the clock stands to it.
fn judge(largest: Option<i64>, now: i64, ahead_for: Option<Duration>) -> (i64, ClockState) {
    let Some(largest) = largest else { return (now, ClockState::Steady) };
    let by_ms = now.saturating_sub(largest);
    if by_ms > LEAP_MS && ahead_for.is_none_or(|time| time < BELIEVED_AFTER) {
        return (largest, ClockState::Ahead { by_ms });
    }
    if by_ms < -WRITE_EVERY_MS {
        return (largest, ClockState::Behind { by_ms: by_ms.saturating_neg() });
    }
    (largest.max(now), ClockState::Steady)
}

impl Store {
    /// Returns the time that counts for sign-ins: the clock's, and never one before the largest
    /// that was believed.
    pub fn time(&self) -> UnixMs {
        self.believed().judge(self.clock().now()).0
    }

    /// Returns whether the machine's clock jumped.
    pub fn clock_state(&self) -> ClockState {
        self.believed().judge(self.clock().now()).1
    }

    /// Whether something may be deleted for its age.
    pub(crate) fn may_forget(&self) -> bool {
        matches!(self.clock_state(), ClockState::Steady)
    }

    /// Writes the largest believed time down, now and then, with a write that happens anyway.
    pub(crate) async fn note_time(&self, transaction: &Transaction) -> Result<(), StoreError> {
        let due = {
            let mut state = self.believed().0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = state.largest.filter(|t| *t >= state.written.saturating_add(WRITE_EVERY_MS));
            // Should this write fail, the next one an hour later tells.
            state.written = due.unwrap_or(state.written);
            due
        };
        match due {
            Some(largest) => settings::set_value(transaction, NAME, largest.to_string()).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn stored_time(db: &impl sea_orm::ConnectionTrait) -> Result<Option<String>, StoreError> {
        settings::value(db, NAME).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    #[test]
    fn a_leap_is_believed_after_a_day_and_a_step_back_never() {
        let day = Some(Duration::from_secs(24 * 3600));
        for (largest, now, ahead_for, want) in [
            (None, 5, None, (5, ClockState::Steady)),
            (Some(0), DAY, None, (DAY, ClockState::Steady)),
            (Some(0), DAY + 1, None, (0, ClockState::Ahead { by_ms: DAY + 1 })),
            (Some(0), 400 * DAY, Some(Duration::from_secs(3600)), (0, ClockState::Ahead { by_ms: 400 * DAY })),
            (Some(0), 400 * DAY, day, (400 * DAY, ClockState::Steady)),
            (Some(DAY), DAY - 1000, None, (DAY, ClockState::Steady)),
            (Some(DAY), 0, day, (DAY, ClockState::Behind { by_ms: DAY })),
            (Some(i64::MAX), i64::MIN, None, (i64::MAX, ClockState::Behind { by_ms: i64::MAX })),
        ] {
            assert_eq!(judge(largest, now, ahead_for), want, "{largest:?} {now}");
        }
    }
}
