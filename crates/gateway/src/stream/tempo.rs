//! Whether a worker gives enough while the viewer would take it. Pure. A byte now and then is no
//! stall, and would hold a viewer's place for as long as a hostile worker likes.

use std::time::Duration;
use tokio::time::Instant;

/// Less than any film needs and any disk gives.
const LEAST_BYTES_PER_S: u64 = 64 << 10;
/// A disk that has to wake up first is no offence.
const LENIENCY: Duration = Duration::from_secs(10);

/// Time spent waiting for the worker, and what came of it. Time in which the viewer took nothing
/// does not count.
#[derive(Debug, Default)]
pub struct Tempo {
    since: Option<Instant>,
    waited: Duration,
    came: u64,
}

impl Tempo {
    /// The worker has nothing for us.
    pub fn waits(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The worker gave something; answers whether it is enough by now.
    pub fn came(&mut self, bytes: usize, now: impl FnOnce() -> Instant) -> bool {
        self.came += bytes as u64;
        if let Some(since) = self.since.take() {
            self.waited += now().saturating_duration_since(since);
        }
        self.waited <= LENIENCY || self.came >= LEAST_BYTES_PER_S * self.waited.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(seconds waited, bytes that came then)`, until it is not enough.
    fn check(steps: &[(u64, usize)], ends_at: Option<usize>) {
        let mut now = Instant::now();
        let mut tempo = Tempo::default();
        let ended = steps.iter().position(|(seconds, bytes)| {
            tempo.waits(now);
            // Waiting is said again at every look.
            tempo.waits(now);
            now += Duration::from_secs(*seconds);
            let enough = tempo.came(*bytes, || now);
            // The viewer takes its time.
            now += Duration::from_secs(100);
            !enough
        });
        assert_eq!(ended, ends_at, "{steps:?}");
    }

    #[test]
    fn h5_a_dribble_is_not_enough_and_a_slow_disk_is() {
        check(&[(9, 1), (9, 1)], Some(1));
        check(&[(1, 1000); 30], Some(10));
        check(&[(1, 70_000); 300], None);
        // Nine seconds until the disk turns, then all is well.
        check(&[(9, 100_000), (0, 10 << 20), (5, 1000), (3, 1000)], None);
        check(&[(10, 1), (0, 1), (0, 1)], None);
        // Good for a while is not good for ever.
        check(&[(0, 1 << 20), (9, 1), (9, 1), (9, 1)], Some(2));
    }
}
