//! Whether to wait for a run that is on its way, or to begin a new one. Nothing but the decision.

use std::time::Duration;

/// A run as a request finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The segment it makes now.
    pub next: u32,
    /// The last segment it can be told to make: further on it knows no cuts.
    pub reach: u32,
    /// What one segment takes, as far as this run has shown.
    pub per_segment: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wait,
    Begin,
}

/// `start`: what it takes a new run to come to its first segment.
pub fn judge(run: Option<Progress>, number: u32, start: Duration) -> Verdict {
    let Some(run) = run else { return Verdict::Begin };
    let Some(distance) = number.checked_sub(run.next).filter(|_| number <= run.reach) else { return Verdict::Begin };
    // The segment in the making is sooner there than any new run's, however slow it goes.
    if distance == 0 || run.per_segment * distance <= start { Verdict::Wait } else { Verdict::Begin }
}

/// A player that drags asks for many places; only the place where it stops is worth a run.
/// Requests for neighbours are one wish: the earlier of them is begun, and the later follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish(Option<u32>);

impl Wish {
    const NEIGHBOURS: u32 = 3;

    /// One more request wants a run to begin here.
    pub fn add(&mut self, number: u32) {
        self.0 = match self.0 {
            Some(other) if other.abs_diff(number) <= Self::NEIGHBOURS => Some(other.min(number)),
            _ => Some(number),
        };
    }
    pub fn take(&mut self) -> Option<u32> {
        self.0.take()
    }
    pub fn latest(self) -> Option<u32> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_reaches_sooner_is_waited_for() {
        let ms = Duration::from_millis;
        let run = |next, per| Some(Progress { next, reach: 100, per_segment: ms(per) });
        let check = |run, number, start, want| assert_eq!(judge(run, number, ms(start)), want, "{run:?} {number}");
        check(None, 0, 300, Verdict::Begin);
        check(run(5, 100), 4, 300, Verdict::Begin);
        check(run(5, 9000), 5, 300, Verdict::Wait);
        check(run(5, 100), 8, 300, Verdict::Wait);
        check(run(5, 100), 9, 300, Verdict::Begin);
        check(run(5, 1000), 6, 1000, Verdict::Wait);
        check(run(5, 1000), 7, 1000, Verdict::Begin);
        check(run(99, 1), 101, 1000, Verdict::Begin);
    }

    #[test]
    fn a_storm_is_one_wish() {
        let mut wish = Wish::default();
        for number in [100, 300, 52, 51, 53] {
            wish.add(number);
        }
        assert_eq!(wish.latest(), Some(51));
        assert_eq!(wish.take(), Some(51));
        assert_eq!(wish, Wish::default());
    }
}
