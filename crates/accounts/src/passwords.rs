//! Which passwords are taken, and how they become hashes: argon2id, off the async threads, two
//! at once, with a short queue. Each running hash takes its memory (19 MiB), so the queue is what
//! keeps a flood of sign-ins from eating the machine.

use crate::argon::Memory;
use argon2::{
    Params,
    password_hash::{self, phc::PasswordHash},
};
use base::Clock;
use domain::{Code, Failure};
use std::{
    collections::HashSet,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, Semaphore};
use tracing::error;

const AT_ONCE: usize = 2;
/// Two at a time at some 60 ms each: the last in the queue waits about two seconds.
const WAITING: usize = 64;
const SHORTEST: usize = 8;
const LONGEST: usize = 128;

/// What a hash costs. The default is what OWASP asks for as a minimum; tests take less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// How a check of a password went.
pub(crate) enum Verdict {
    Right,
    /// Right, and kept under an older cost: worth hashing anew.
    RightButOld,
    Wrong,
}

#[derive(Clone)]
pub(crate) struct Passwords {
    cost: HashCost,
    turns: Arc<Semaphore>,
    in_line: Arc<AtomicUsize>,
    memory: Arc<Memory>,
    /// Checked when there is no such person, so that both answers take the same time.
    nobody: Arc<str>,
    /// A test holds answers back here; see [`Passwords::hold_answers`].
    held: Arc<RwLock<()>>,
    answered: Arc<AtomicUsize>,
}

impl Passwords {
    pub(crate) fn new(cost: HashCost, clock: &dyn Clock) -> Result<Self, password_hash::Error> {
        let mut salt = [0; 16];
        let mut password = [0; 32];
        clock.random(&mut salt);
        clock.random(&mut password);
        let memory = Arc::new(Memory::default());
        let nobody = memory.hash(cost, &password, &salt)?;
        memory.give_back();
        Ok(Self {
            cost,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            in_line: Arc::default(),
            memory,
            nobody: nobody.into(),
            held: Arc::default(),
            answered: Arc::default(),
        })
    }

    pub(crate) async fn hash(&self, password: &str, clock: &dyn Clock) -> Result<String, Failure> {
        let mut salt = [0; 16];
        clock.random(&mut salt);
        let (cost, password) = (self.cost, password.to_owned());
        let hashed = self.in_turn(move |memory| memory.hash(cost, password.as_bytes(), &salt)).await?;
        hashed.map_err(|e: password_hash::Error| {
            error!("hashing a password failed: {e}");
            Failure::of(Code::Internal)
        })
    }

    /// `None` as hash: there is nobody of that name. It takes as long and is wrong.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<Verdict, Failure> {
        // Longer ones were never taken; hashing them would only cost.
        if password.chars().nth(LONGEST).is_some() {
            return Err(Failure::of(Code::TooLarge));
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let (cost, password) = (self.cost, password.to_owned());
        let verdict = self
            .in_turn(move |memory| {
                let right = memory.is_right(password.as_bytes(), &hash);
                match right && known {
                    false => Verdict::Wrong,
                    true if is_older(&hash, cost) => Verdict::RightButOld,
                    true => Verdict::Right,
                }
            })
            .await;
        self.answered.fetch_add(1, Ordering::SeqCst);
        let _ = self.held.read().await;
        verdict
    }

    /// Holds every answer of a check back until the guard is dropped, and counts them: what a test
    /// does meanwhile happens between the check and what follows from it.
    pub(crate) async fn hold_answers(&self) -> (OwnedRwLockWriteGuard<()>, Arc<AtomicUsize>) {
        (self.held.clone().write_owned().await, self.answered.clone())
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce(&Memory) -> T + Send + 'static) -> Result<T, Failure> {
        let _place = Place::take(&self.in_line)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| Failure::of(Code::ShuttingDown))?;
        let (memory, in_line) = (self.memory.clone(), self.in_line.clone());
        let done = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller that goes away does not free the memory it uses.
            let _turn = turn;
            let done = work(&memory);
            // The next caller in line takes the buffer over; the last one leaves none behind.
            if in_line.load(Ordering::SeqCst) <= AT_ONCE {
                memory.give_back();
            }
            done
        });
        done.await.map_err(|e| {
            error!("hashing a password broke off: {e}");
            Failure::of(Code::Internal)
        })
    }
}

/// A place in the queue, given back on drop.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(line: &Arc<AtomicUsize>) -> Result<Self, Failure> {
        let place = Self(line.clone());
        if line.fetch_add(1, Ordering::SeqCst) >= AT_ONCE + WAITING {
            return Err(Failure::of(Code::TooManyAttempts).retry_after(Duration::from_secs(2)));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn is_older(hash: &str, cost: HashCost) -> bool {
    let params = PasswordHash::new(hash).ok().and_then(|h| Params::try_from(&h).ok());
    params.is_none_or(|p| p.m_cost() < cost.memory_kib || p.t_cost() < cost.passes)
}

/// Which rule a new password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WeakPassword {
    #[error("A password has at least 8 characters.")]
    TooShort,
    #[error("A password has at most 128 characters.")]
    TooLong,
    #[error("A password of one character again and again is guessed at once.")]
    OneLetter,
    #[error("A password that is only a name with figures behind it is guessed first.")]
    OnlyAName,
    #[error("This is one of the most common passwords, which are guessed first. Several words in a row are better.")]
    Common,
}

/// Refuses what is guessed first: short ones, common ones, and the name of the person or house.
pub(crate) fn check_new(password: &str, username: &str) -> Result<(), WeakPassword> {
    let length = password.chars().take(LONGEST + 1).count();
    if length < SHORTEST {
        return Err(WeakPassword::TooShort);
    }
    if length > LONGEST {
        return Err(WeakPassword::TooLong);
    }
    let lower = password.to_lowercase();
    let mut letters = lower.chars();
    if letters.next().is_some_and(|first| letters.all(|c| c == first)) {
        return Err(WeakPassword::OneLetter);
    }
    if COMMON.contains(lower.as_str()) {
        return Err(WeakPassword::Common);
    }
    // "anna2024!" is the name with what everybody appends.
    let stem = lower.trim_end_matches(|c: char| !c.is_alphabetic());
    let name = username.trim().to_lowercase();
    if [name.as_str(), "loge", "password", "passwort"].contains(&stem) || lower == name {
        return Err(WeakPassword::OnlyAName);
    }
    Ok(())
}

static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common-passwords.txt").split_whitespace().collect());

#[cfg(test)]
mod tests {
    use super::*;
    use base::SystemClock;

    const CHEAP: HashCost = HashCost { memory_kib: 64, passes: 1 };

    #[test]
    fn what_is_guessed_first_is_refused() {
        for bad in [
            "",
            "short",
            "12345678",
            "Password",
            "PASSWORD1",
            "passwort123!",
            "qwertyuiop",
            "iloveyou",
            "anna2024!",
            "loge1234",
            "aaaaaaaaaaaa",
            "Annabella",
        ] {
            let name = if bad == "Annabella" { "annabella" } else { "anna" };
            assert!(check_new(bad, name).is_err(), "{bad:?}");
        }
        assert!(check_new(&"é".repeat(129), "anna").is_err());
        for (password, rule) in [
            ("short", WeakPassword::TooShort),
            (&"x y".repeat(50), WeakPassword::TooLong),
            ("aaaaaaaaaaaa", WeakPassword::OneLetter),
            ("anna2024!", WeakPassword::OnlyAName),
            ("iloveyou", WeakPassword::Common),
        ] {
            assert_eq!(check_new(password, "anna"), Err(rule), "{password}");
        }
        for good in ["correct horse", "anna likes films", "x\0y\u{1f511}zzzzz", &"ab".repeat(64)] {
            assert!(check_new(good, "anna").is_ok(), "{good:?}");
        }
        assert!(COMMON.len() > 300, "{}", COMMON.len());
        assert!(COMMON.iter().all(|p| p.len() >= SHORTEST && p.to_lowercase() == **p));
    }

    #[tokio::test]
    async fn every_character_counts() {
        let passwords = Passwords::new(CHEAP, &SystemClock).unwrap();
        for password in ["pass\0word one", "🔑🔑🔑🔑🔑🔑🔑🔑", &"ü".repeat(128)] {
            let hash = passwords.hash(password, &SystemClock).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
            assert!(matches!(passwords.verify(password, Some(hash.clone())).await, Ok(Verdict::Right)));
            let mut other = password.to_owned();
            other.pop();
            assert!(matches!(passwords.verify(&other, Some(hash)).await, Ok(Verdict::Wrong)));
        }
        assert!(matches!(passwords.verify("anything at all", None).await, Ok(Verdict::Wrong)));
        assert!(matches!(passwords.verify("x", Some("not a hash".into())).await, Ok(Verdict::Wrong)));
        assert_eq!(passwords.verify(&"x".repeat(1 << 20), None).await.err().unwrap().code, Code::TooLarge);
    }

    #[tokio::test]
    async fn an_older_cost_is_noticed() {
        let hash = Passwords::new(CHEAP, &SystemClock).unwrap().hash("correct horse", &SystemClock).await.unwrap();
        let dearer = Passwords::new(HashCost { memory_kib: 128, passes: 1 }, &SystemClock).unwrap();
        assert!(matches!(dearer.verify("correct horse", Some(hash)).await, Ok(Verdict::RightButOld)));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_gives_places_back() {
        let passwords = Passwords::new(CHEAP, &SystemClock).unwrap();
        let held = passwords.turns.clone().acquire_many_owned(AT_ONCE as u32).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..AT_ONCE + WAITING {
            let passwords = passwords.clone();
            waiting.push(tokio::spawn(async move { passwords.verify("some password", None).await.is_ok() }));
        }
        while passwords.in_line.load(Ordering::SeqCst) < AT_ONCE + WAITING {
            tokio::task::yield_now().await;
        }
        let refused = passwords.verify("some password", None).await.err().unwrap();
        assert_eq!(refused.code, Code::TooManyAttempts);
        assert!(refused.retry_after.is_some());
        drop(held);
        for one in waiting {
            assert!(one.await.unwrap());
        }
        assert_eq!(passwords.in_line.load(Ordering::SeqCst), 0);
    }
}
