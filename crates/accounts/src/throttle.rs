//! The brake on guessing. Each account and each source address has a bucket of free tries that
//! refills with time; when it is empty, each further try has to wait twice as long, up to a
//! minute. Nobody is ever locked out for good, and a person at a device they signed in from
//! before has a bucket of their own that strangers cannot empty.
//!
//! Kept in memory and bounded; a restart forgives. The lock is held for a few map operations.

use base::UnixMs;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A try is given back after this time without another one.
const REFILL_MS: u64 = 60_000;
const LONGEST_WAIT_MS: u64 = 60_000;
const MOST_BUCKETS: usize = 8_192;
const MOST_KNOWN: usize = 4_096;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Bucket {
    Account(String),
    Source(IpAddr),
    /// An account at an address it signed in from before.
    Known(String, IpAddr),
    /// Right passwords of an account: each makes a sign-in.
    SignIns(String),
}

impl Bucket {
    const fn free_tries(&self) -> u32 {
        match self {
            Self::Account(_) | Self::Known(..) => 5,
            // A household shares one address behind some routers.
            Self::Source(_) => 20,
            // A person does not sign in so often; a program that does is slowed to one a minute.
            Self::SignIns(_) => 120,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Level {
    tries: u32,
    last: UnixMs,
    not_before: UnixMs,
}

#[derive(Default)]
struct State {
    buckets: HashMap<Bucket, Level>,
    known: HashMap<(String, IpAddr), UnixMs>,
}

#[derive(Default)]
pub(crate) struct Throttle(Mutex<State>);

/// A try that may be made. Tell how it went: one that is dropped counts as a wrong one, so that
/// tries made all at once cannot outrun the count.
pub(crate) struct Try {
    buckets: Vec<Bucket>,
    account: String,
    source: IpAddr,
}

impl Throttle {
    /// Counts a try, or says how long to wait before the next one.
    pub(crate) fn admit(&self, account: &str, source: IpAddr, now: UnixMs) -> Result<Try, Duration> {
        let source = network(source);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state.known.contains_key(&(account.to_owned(), source));
        let buckets = if known {
            vec![Bucket::Known(account.into(), source)]
        } else {
            vec![Bucket::Account(account.into()), Bucket::Source(source)]
        };
        take(&mut state, &buckets, now)?;
        Ok(Try { buckets, account: account.into(), source })
    }

    /// Counts a sign-in that is about to begin, or says how long to wait before the next one.
    pub(crate) fn sign_in(&self, account: &str, now: UnixMs) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut state, &[Bucket::SignIns(account.into())], now)
    }

    /// Counts a wrong token of 256 bits: nobody guesses those, but nobody may hammer either.
    pub(crate) fn wrong_token(&self, source: IpAddr, now: UnixMs) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut state, &[Bucket::Source(network(source))], now)
    }

    /// The right answer: the tries are given back and the device is known from now on.
    pub(crate) fn succeeded(&self, made: Try, now: UnixMs) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in &made.buckets {
            match bucket {
                // Signing in to one's own account must not wipe out guesses at others.
                Bucket::Source(_) => {
                    if let Some(level) = state.buckets.get_mut(bucket) {
                        level.tries = level.tries.saturating_sub(1);
                        level.not_before = now;
                    }
                }
                Bucket::Account(_) | Bucket::Known(..) | Bucket::SignIns(_) => {
                    state.buckets.remove(bucket);
                }
            }
        }
        state.known.insert((made.account, made.source), now);
        bound(&mut state.known, MOST_KNOWN, |at| *at);
    }
}

/// One try from each bucket, or the time until all of them have one.
fn take(state: &mut State, buckets: &[Bucket], now: UnixMs) -> Result<(), Duration> {
    let wait = buckets.iter().filter_map(|b| state.buckets.get(b)).map(|level| wait(level, now)).max().unwrap_or(0);
    if wait > 0 {
        return Err(Duration::from_millis(wait));
    }
    for bucket in buckets {
        let level = state.buckets.entry(bucket.clone()).or_insert(Level { tries: 0, last: now, not_before: now });
        let refilled = u32::try_from(now.since(level.last) / REFILL_MS).unwrap_or(u32::MAX);
        level.tries = level.tries.saturating_sub(refilled).saturating_add(1);
        level.last = now;
        level.not_before = now.plus_ms(delay(level.tries, bucket.free_tries()).cast_signed());
    }
    bound(&mut state.buckets, MOST_BUCKETS, |level| level.last);
    Ok(())
}

fn wait(level: &Level, now: UnixMs) -> u64 {
    // A clock that was set back must not make anybody wait for it to catch up.
    level.not_before.since(now).min(LONGEST_WAIT_MS)
}

const fn delay(tries: u32, free: u32) -> u64 {
    if tries < free {
        return 0;
    }
    let doublings = tries - free;
    if doublings >= 6 { LONGEST_WAIT_MS } else { 1000 << doublings }
}

/// Keeps the newest three quarters of a full map.
fn bound<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, most: usize, at: impl Fn(&V) -> UnixMs) {
    if map.len() <= most {
        return;
    }
    let mut times: Vec<UnixMs> = map.values().map(&at).collect();
    let (_, cut, _) = times.select_nth_unstable(most / 4);
    let cut = *cut;
    map.retain(|_, v| at(v) > cut);
}

/// One IPv6 household has 2^64 addresses; they count as one source.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn tries_get_slower_and_never_end() {
        let throttle = Throttle::default();
        let mut now = UnixMs(0);
        let mut waits = Vec::new();
        for _ in 0..12 {
            loop {
                match throttle.admit("ana", ip("10.0.0.1"), now) {
                    Ok(_) => break,
                    Err(wait) => {
                        waits.push(wait.as_secs());
                        now = now.plus_ms(wait.as_millis() as i64);
                    }
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60], "five free, then doubling up to a minute, then refilling");
        // After ten quiet minutes the bucket has its tries back.
        now = now.plus_ms(10 * 60_000);
        for _ in 0..4 {
            assert!(throttle.admit("ana", ip("10.0.0.1"), now).is_ok());
        }
    }

    #[test]
    fn many_sources_do_not_lock_the_owner_out_at_home() {
        let throttle = Throttle::default();
        let now = UnixMs(0);
        let home = throttle.admit("ana", ip("10.0.0.1"), now).unwrap();
        throttle.succeeded(home, now);
        let mut admitted = 0;
        for n in 0..200_u32 {
            let source = IpAddr::V4((0x0b00_0000 + n).into());
            for _ in 0..50 {
                admitted += u32::from(throttle.admit("ana", source, now).is_ok());
            }
        }
        assert_eq!(admitted, 5, "the account's bucket counts over all sources");
        assert!(throttle.admit("ana", ip("10.0.0.9"), now).is_err(), "a strange device waits");
        assert!(throttle.admit("ana", ip("10.0.0.1"), now).is_ok(), "a known one does not");
    }

    #[test]
    fn right_passwords_are_slowed_as_well() {
        let throttle = Throttle::default();
        let mut now = UnixMs(0);
        let begun = (0..2000).filter(|_| throttle.sign_in("ana", now).is_ok()).count();
        assert_eq!(begun, 120);
        assert!(throttle.sign_in("bo", now).is_ok(), "each account by itself");
        now = now.plus_ms(3600 * 1000);
        assert!(throttle.sign_in("ana", now).is_ok(), "an hour later it is forgiven");
    }

    #[test]
    fn one_source_is_slowed_over_many_names() {
        let throttle = Throttle::default();
        let admitted =
            (0..2000).filter(|n| throttle.admit(&format!("u{n}"), ip("10.0.0.1"), UnixMs(0)).is_ok()).count();
        assert_eq!(admitted, 20);
        assert!(throttle.admit("x", ip("2001:db8::1"), UnixMs(0)).is_ok());
        assert_eq!(network(ip("2001:db8::1")), network(ip("2001:db8::ffff:1")));
        assert_eq!(network(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded_and_a_clock_set_back_costs_a_minute_at_most() {
        let throttle = Throttle::default();
        for n in 0..30_000_u32 {
            let _ = throttle.admit(&format!("u{n}"), IpAddr::V4(n.into()), UnixMs(i64::from(n)));
        }
        assert!(throttle.0.lock().unwrap().buckets.len() <= MOST_BUCKETS);
        let throttle = Throttle::default();
        for _ in 0..5 {
            let _ = throttle.admit("ana", ip("10.0.0.1"), UnixMs(1_000_000_000));
        }
        let wait = throttle.admit("ana", ip("10.0.0.1"), UnixMs(0)).err().unwrap();
        assert!(wait <= Duration::from_secs(60), "{wait:?}");
    }
}
