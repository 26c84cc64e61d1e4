//! Time and chance as arguments. Deadlines inside the runtime use tokio's own monotonic time,
//! which tests can pause; what is stored or shown is a [`UnixMs`] from a [`Clock`].

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

/// Milliseconds since 1970 in UTC. May jump when the machine's clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub i64);

impl UnixMs {
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to here; never negative, so a clock that went back gives 0.
    pub const fn since(self, earlier: Self) -> u64 {
        let d = self.0.saturating_sub(earlier.0);
        if d < 0 { 0 } else { d as u64 }
    }
}

/// Where rooms get the wall clock and random bytes from.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> UnixMs;
    /// Fills `out` from the operating system's generator (or a seeded one in tests).
    fn random(&self, out: &mut [u8]);

    fn random_id(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random(&mut bytes);
        bytes
    }
}

/// The real ones.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> UnixMs {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        UnixMs(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
    fn random(&self, out: &mut [u8]) {
        // A machine without randomness must not hand out guessable tokens.
        getrandom::fill(out).expect("the operating system gives no random bytes");
    }
}

/// A clock a test moves by hand, and a repeatable source of bytes.
#[derive(Clone)]
pub struct FakeClock {
    now: Arc<AtomicI64>,
    seed: Arc<Mutex<u64>>,
}

impl FakeClock {
    pub fn new(now: UnixMs, seed: u64) -> Self {
        Self { now: Arc::new(AtomicI64::new(now.0)), seed: Arc::new(Mutex::new(seed | 1)) }
    }
    pub fn set(&self, now: UnixMs) {
        self.now.store(now.0, Ordering::SeqCst);
    }
    /// Negative values move it back.
    pub fn advance_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Ordering::SeqCst))
    }
    fn random(&self, out: &mut [u8]) {
        // xorshift64*: repeatable, and that is all a test needs.
        let mut state = self.seed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for byte in out {
            *state ^= *state >> 12;
            *state ^= *state << 25;
            *state ^= *state >> 27;
            *byte = (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_back_gives_no_negative_time() {
        let clock = FakeClock::new(UnixMs(1000), 1);
        let then = clock.now();
        clock.advance_ms(-500);
        assert_eq!(clock.now().since(then), 0);
        assert_ne!(clock.random_id(), clock.random_id());
    }
}
