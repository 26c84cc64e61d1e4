//! Which time counts for sign-ins when the machine's clock jumps: a dead battery starts in 2010 or
//! in 2030, and the network puts it right minutes later. The largest time that was believed is in
//! the database. Nothing lives longer because the clock went back, and nothing is deleted while it
//! stands further ahead than a day can explain.

use crate::{
    error::StoreError,
    open::{Store, Turn, commit},
    settings,
    writer::Transaction,
};
use base::UnixMs;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A clock that is further ahead of the largest believed time than this has jumped, or the server
/// was off for so long. Which of the two is seen when it has run for a day in all, over any number
/// of starts: a desktop that runs in the evening must come to an end with it too.
const LEAP_MS: i64 = 24 * 3600 * 1000;
const BELIEVED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The network puts a clock right by less than this all the time.
const STEP_BACK_MS: i64 = 3600 * 1000;
/// The largest time is written down this often at most.
const WRITE_EVERY: Duration = Duration::from_secs(3600);
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
    ahead_since: Option<Instant>,
    /// How long earlier starts ran while the clock was ahead.
    ahead_before: Duration,
    written: Written,
}

/// What the database holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Written {
    largest: Option<i64>,
    ahead: Duration,
}

impl Written {
    fn from_text(text: &str) -> Option<Self> {
        let (largest, ahead_ms) = text.split_once(' ').unwrap_or((text, "0"));
        Some(Self { largest: Some(largest.parse().ok()?), ahead: Duration::from_millis(ahead_ms.parse().ok()?) })
    }

    /// Whether so much is new that it is worth a write.
    fn is_behind(self, now: Self, every: Duration) -> bool {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let moved = match (now.largest, self.largest) {
            (Some(now), Some(then)) => now.saturating_sub(then) >= every_ms,
            (now, then) => now != then,
        };
        moved || now.ahead.abs_diff(self.ahead) >= every
    }
}

impl State {
    fn ahead(&self) -> Duration {
        self.ahead_before + self.ahead_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The text to be written, when it is due.
    fn due(&mut self, every: Duration) -> Option<String> {
        let now = Written { largest: self.largest, ahead: self.ahead() };
        let largest = now.largest.filter(|_| self.written.is_behind(now, every))?;
        // Should this write fail, the next one tells.
        self.written = now;
        Some(format!("{largest} {}", now.ahead.as_millis()))
    }
}

impl Believed {
    pub(crate) fn from_database(text: Option<String>) -> Self {
        let written = text.and_then(|text| Written::from_text(&text)).unwrap_or_default();
        let (largest, ahead_before) = (written.largest, written.ahead);
        Self(Mutex::new(State { largest, ahead_since: None, ahead_before, written }))
    }

    fn judge(&self, now: UnixMs) -> (UnixMs, ClockState) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (largest, clock) = judge(state.largest, now.0, state.ahead());
        state.largest = Some(largest);
        match clock {
            ClockState::Ahead { .. } => state.ahead_since = Some(state.ahead_since.unwrap_or_else(Instant::now)),
            ClockState::Steady | ClockState::Behind { .. } => {
                (state.ahead_since, state.ahead_before) = (None, Duration::ZERO);
            }
        }
        (UnixMs(now.0.max(largest)), clock)
    }
}

/// The largest believed time after a look at the clock, and how the clock stands to it.
fn judge(largest: Option<i64>, now: i64, ahead_for: Duration) -> (i64, ClockState) {
    let Some(largest) = largest else { return (now, ClockState::Steady) };
    let by_ms = now.saturating_sub(largest);
    if by_ms > LEAP_MS && ahead_for < BELIEVED_AFTER {
        return (largest, ClockState::Ahead { by_ms });
    }
    if by_ms < -STEP_BACK_MS {
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
        match self.time_due(WRITE_EVERY) {
            Some(text) => settings::set_value(transaction, NAME, text).await,
            None => Ok(()),
        }
    }

    /// Looks at the clock and writes the largest believed time down where it is `every` behind:
    /// a house in which nobody signs in keeps its time too. Called by a timer, and with zero at
    /// the end.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_time(&self, every: Duration) -> Result<(), StoreError> {
        self.time();
        let Some(text) = self.time_due(every.min(WRITE_EVERY)) else { return Ok(()) };
        let transaction = self.write(Turn::Any, "settings").await?;
        settings::set_value(&transaction, NAME, text).await?;
        commit(transaction, "settings").await
    }

    fn time_due(&self, every: Duration) -> Option<String> {
        self.believed().0.lock().unwrap_or_else(PoisonError::into_inner).due(every)
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
        let [none, hour, day] = [0, 3600, 24 * 3600].map(Duration::from_secs);
        for (largest, now, ahead_for, want) in [
            (None, 5, none, (5, ClockState::Steady)),
            (Some(0), DAY, none, (DAY, ClockState::Steady)),
            (Some(0), DAY + 1, none, (0, ClockState::Ahead { by_ms: DAY + 1 })),
            (Some(0), 400 * DAY, hour, (0, ClockState::Ahead { by_ms: 400 * DAY })),
            (Some(0), 400 * DAY, day, (400 * DAY, ClockState::Steady)),
            (Some(DAY), DAY - 1000, none, (DAY, ClockState::Steady)),
            (Some(DAY), 0, day, (DAY, ClockState::Behind { by_ms: DAY })),
            (Some(i64::MAX), i64::MIN, none, (i64::MAX, ClockState::Behind { by_ms: i64::MAX })),
        ] {
            assert_eq!(judge(largest, now, ahead_for), want, "{largest:?} {now}");
        }
    }

    /// Off for a weekend and on for a few hours in the evening: the clock is believed in the end,
    /// and one that is right is believed at once.
    #[tokio::test(start_paused = true)]
    async fn evenings_add_up_to_a_day() {
        let (mut text, mut now) = (Some("0 0".to_owned()), 3 * DAY);
        for evening in 1.. {
            let believed = Believed::from_database(text);
            let (_, first) = believed.judge(UnixMs(now));
            tokio::time::advance(Duration::from_secs(4 * 3600)).await;
            let (_, last) = believed.judge(UnixMs(now + 4 * DAY / 24));
            text = believed.0.lock().unwrap().due(Duration::ZERO);
            if evening <= 5 {
                assert!(matches!((first, last), (ClockState::Ahead { .. }, ClockState::Ahead { .. })), "{evening}");
                now += DAY;
                continue;
            }
            assert_eq!(last, ClockState::Steady, "six evenings of four hours");
            let next = Believed::from_database(text).judge(UnixMs(now + DAY));
            assert_eq!(next.1, ClockState::Steady);
            break;
        }
    }
}
