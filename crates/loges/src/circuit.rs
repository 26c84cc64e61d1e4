//! When to try again after a failure, decided without doing it: a back-off per loge, and a
//! circuit that opens when failures pile up, so that one person's broken loge costs the others
//! nothing.

use domain::loge::restart_delay;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// A loge that lived this long was well; what ends it later is no repetition of a bad start.
pub const WELL_AFTER: Duration = Duration::from_secs(30);
/// So many failures within [`WINDOW`], without a well run between them, open the circuit.
pub const OPENS_AT: usize = 5;
pub const WINDOW: Duration = Duration::from_secs(600);
/// The longest wait is stretched by this share at most, so that loges that failed together do
/// not come back together.
const JITTER_PERCENT: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    Closed,
    /// It failed too often; nothing is tried until the wait is over.
    Open,
    /// One try is under way, or has not run long enough to be called well.
    HalfOpen,
}

impl CircuitState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The failures of one loge.
#[derive(Debug, Default)]
pub struct Circuit {
    in_a_row: u32,
    recent: VecDeque<Instant>,
    open: bool,
}

impl Circuit {
    /// A start or a run ended badly. `lived` is how long it had been ready.
    pub fn failed(&mut self, now: Instant, lived: Duration) {
        if lived >= WELL_AFTER {
            self.reset();
            return;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) > WINDOW) {
            self.recent.pop_front();
        }
        self.open |= self.recent.len() >= OPENS_AT;
    }

    /// What failed since then was somebody else's fault.
    pub fn forgive_since(&mut self, then: Instant) {
        while self.recent.back().is_some_and(|at| *at >= then) {
            self.recent.pop_back();
            self.in_a_row = self.in_a_row.saturating_sub(1);
        }
        self.open &= self.recent.len() >= OPENS_AT;
    }

    /// It ran well, was stopped on purpose, or its owner asked for a fresh start.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    pub const fn failures(&self) -> u32 {
        self.in_a_row
    }

    /// How long to wait now. `chance` is any number; it spreads the waits.
    pub fn wait(&self, chance: u8) -> Duration {
        let wait = restart_delay(if self.open { u32::MAX } else { self.in_a_row });
        wait + wait * JITTER_PERCENT * u32::from(chance) / (100 * 255)
    }

    /// `ready_for` says how long the loge runs, `trying` that a start is under way.
    pub fn state(&self, trying: bool, ready_for: Option<Duration>) -> CircuitState {
        match (self.open, ready_for) {
            (false, _) => CircuitState::Closed,
            (true, Some(lived)) if lived >= WELL_AFTER => CircuitState::Closed,
            (true, Some(_)) => CircuitState::HalfOpen,
            (true, None) if trying => CircuitState::HalfOpen,
            (true, None) => CircuitState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failures at these seconds after the beginning, each of a run that lived so many seconds.
    fn after(failures: &[(u64, u64)]) -> Circuit {
        let (began, mut circuit) = (Instant::now(), Circuit::default());
        for (at, lived) in failures {
            circuit.failed(began + Duration::from_secs(*at), Duration::from_secs(*lived));
        }
        circuit
    }

    fn check(failures: &[(u64, u64)], wait_secs: u64, state: CircuitState) {
        let circuit = after(failures);
        assert_eq!((circuit.wait(0).as_secs(), circuit.state(false, None)), (wait_secs, state), "{failures:?}");
    }

    #[test]
    fn five_failures_in_ten_minutes_open_it_and_a_well_run_forgets_them() {
        use CircuitState::{Closed, Open};
        check(&[], 0, Closed);
        check(&[(0, 0)], 1, Closed);
        check(&[(0, 0), (1, 29)], 5, Closed);
        check(&[(0, 0), (1, 0), (6, 0), (36, 0)], 60, Closed);
        check(&[(0, 0), (1, 0), (6, 0), (36, 0), (96, 0)], 60, Open);
        // Killed after a good life: tried again at once, however often.
        check(&[(0, 40), (50, 40), (100, 40), (150, 40), (200, 40), (250, 40)], 0, Closed);
        check(&[(0, 0), (1, 0), (6, 0), (36, 0), (130, 31)], 0, Closed);
        // Spread over more than the window: backed off, not opened.
        check(&[(0, 0), (200, 0), (400, 0), (600, 0), (801, 0)], 60, Closed);
    }

    #[test]
    fn an_open_circuit_tries_once_and_closes_when_that_goes_well() {
        let circuit = after(&[(0, 0), (1, 0), (6, 0), (36, 0), (96, 0)]);
        assert_eq!(circuit.state(true, None), CircuitState::HalfOpen);
        assert_eq!(circuit.state(false, Some(Duration::from_secs(29))), CircuitState::HalfOpen);
        assert_eq!(circuit.state(false, Some(WELL_AFTER)), CircuitState::Closed);
        let again = after(&[(0, 0), (1, 0), (6, 0), (36, 0), (96, 0), (156, 5)]);
        assert_eq!(again.state(false, None), CircuitState::Open, "the try failed");
    }

    #[test]
    fn what_was_not_its_fault_does_not_count() {
        let began = Instant::now();
        let at = |secs| began + Duration::from_secs(secs);
        let mut circuit = Circuit::default();
        for secs in [0, 1, 6, 36, 96] {
            circuit.failed(at(secs), Duration::ZERO);
        }
        circuit.forgive_since(at(97));
        assert_eq!((circuit.failures(), circuit.state(false, None)), (5, CircuitState::Open));
        circuit.forgive_since(at(30));
        assert_eq!((circuit.failures(), circuit.state(false, None)), (3, CircuitState::Closed));
        assert_eq!(circuit.wait(0).as_secs(), 30);
        circuit.forgive_since(began);
        assert_eq!((circuit.failures(), circuit.wait(0)), (0, Duration::ZERO));
    }

    #[test]
    fn waits_are_spread_by_a_tenth_at_most() {
        let circuit = after(&[(0, 0), (1, 0), (6, 0), (36, 0)]);
        let waits: Vec<u64> = [0, 128, 255].map(|chance| circuit.wait(chance).as_secs()).into();
        assert_eq!(waits, [60, 63, 66]);
    }
}
