//! One viewer's share of the wire: a token bucket that all their connections drink from.
//! Unlimited unless the owner sets a rate.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Below this many bytes it is not worth waking a connection up.
const SIP: u64 = 16 << 10;

/// Cloning gives another mouth on the same bucket.
#[derive(Clone, Default)]
pub struct Pace(Arc<Mutex<Bucket>>);

#[derive(Default)]
struct Bucket {
    /// Bytes per second; `None` is no limit.
    rate: Option<u64>,
    tokens: u64,
    filled: Option<Instant>,
}

impl Bucket {
    /// A quarter of a second may go out at once.
    fn depth(rate: u64) -> u64 {
        (rate / 4).max(4 * SIP)
    }
    fn fill(&mut self, rate: u64, now: Instant) {
        let depth = Self::depth(rate);
        let gained = match self.filled {
            None => depth,
            Some(then) => {
                u64::try_from(u128::from(rate) * now.duration_since(then).as_micros() / 1_000_000).unwrap_or(depth)
            }
        };
        // Rounding must not eat the refill of a bucket that is asked often.
        if gained > 0 || self.filled.is_none() {
            self.filled = Some(now);
        }
        self.tokens = self.tokens.saturating_add(gained).min(depth);
    }
}

impl Pace {
    pub fn set_rate(&self, bytes_per_s: Option<u64>) {
        let mut bucket = self.lock();
        bucket.rate = bytes_per_s.map(|rate| rate.max(SIP));
        bucket.tokens = 0;
        bucket.filled = bucket.rate.map(|_| Instant::now());
    }

    /// How many of `want` bytes may go now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&self, want: usize) -> Result<usize, Instant> {
        let mut bucket = self.lock();
        let Some(rate) = bucket.rate else { return Ok(want) };
        let now = Instant::now();
        bucket.fill(rate, now);
        let enough = SIP.min(want as u64);
        if bucket.tokens < enough {
            let missing = enough - bucket.tokens;
            return Err(now + Duration::from_micros(missing * 1_000_000 / rate + 1000));
        }
        let granted = bucket.tokens.min(want as u64);
        bucket.tokens -= granted;
        Ok(usize::try_from(granted).unwrap_or(want))
    }

    /// What was taken and did not go out.
    pub fn give_back(&self, bytes: usize) {
        let mut bucket = self.lock();
        if bucket.rate.is_some() {
            bucket.tokens = bucket.tokens.saturating_add(bytes as u64);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_holds_over_time_and_no_rate_costs_nothing() {
        let pace = Pace::default();
        assert_eq!(pace.take(usize::MAX), Ok(usize::MAX));
        pace.set_rate(Some(1 << 20));
        let start = Instant::now();
        let mut sent = 0;
        while sent < 8 << 20 {
            match pace.take(256 << 10) {
                Ok(n) => sent += n,
                Err(at) => tokio::time::sleep_until(at).await,
            }
        }
        let took = start.elapsed().as_secs_f64();
        assert!((7.0..8.5).contains(&took), "8 MiB at 1 MiB/s took {took} s");
    }
}
