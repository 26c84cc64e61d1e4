//! Faults of an engine, by a seed: the same seed gives the same faults in the same order.

use loges::runtime::RuntimeError;
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// What becomes of one call of one verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Answered with this status; nothing was done.
    Refused(u16),
    /// The connection broke before anything was done.
    Away,
    /// It was done, and the answer got lost.
    Lost,
    /// It was done, and the answer came too late to count.
    Late,
}

impl Fault {
    pub async fn before(self, verb: &'static str) -> Result<(), RuntimeError> {
        match self {
            Self::Refused(status) => Err(refused(verb, status)),
            Self::Away => Err(RuntimeError::EngineAway { detail: "as scripted".into() }),
            Self::None | Self::Lost | Self::Late => Ok(()),
        }
    }

    pub async fn after(self, verb: &'static str) -> Result<(), RuntimeError> {
        match self {
            Self::Lost => Err(RuntimeError::EngineAway { detail: "the answer got lost, as scripted".into() }),
            Self::Late => {
                tokio::time::sleep(Duration::from_secs(20)).await;
                Err(RuntimeError::Slow { verb })
            }
            Self::None | Self::Refused(_) | Self::Away => Ok(()),
        }
    }
}

pub fn refused(verb: &'static str, status: u16) -> RuntimeError {
    RuntimeError::Refused { verb, status, message: "as scripted".into() }
}

/// Where faults come from.
#[derive(Debug)]
pub struct Faults {
    /// Of a thousand calls, so many go wrong.
    per_mille: u64,
    dice: Dice,
    over: AtomicBool,
}

impl Faults {
    pub fn none() -> Self {
        Self::seeded(0, 0)
    }

    pub fn seeded(seed: u64, per_mille: u64) -> Self {
        Self { per_mille, dice: Dice::new(seed), over: AtomicBool::new(false) }
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn next(&self) -> Fault {
        if self.over.load(Ordering::Relaxed) || self.dice.below(1000) >= self.per_mille {
            return Fault::None;
        }
        match self.dice.below(6) {
            0 => Fault::Refused(404),
            1 => Fault::Refused(409),
            2 => Fault::Refused(500),
            3 => Fault::Away,
            4 => Fault::Lost,
            _ => Fault::Late,
        }
    }
}

/// Numbers that follow from a seed (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// From 0 to `end`, without `end`.
    pub fn below(&self, end: u64) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
