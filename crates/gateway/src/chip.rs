//! Live encodes by the graphics chip, as far as this room has a say: whether the owner wants them,
//! what a failure leads to, and what the owner is told.
//!
//! A play that the chip fails goes on by the processor. A film that it failed on is not given to it
//! again before the next self-test, and several such films switch it off until then.

use crate::{House, problem::Answer, rooms::OpenRange};
use base::Event;
use contract::{FileRef, Track};
use domain::{
    Code, Failure, FileId, LogeState, Tenant,
    capacity::Capacity,
    chip::{ChipProblem, ChipVerdict, MOST_FAILURES},
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Settings, Store};
use tokio::io::AsyncReadExt;
use tracing::{error, warn};

/// What went wrong with the chip since its last self-test. Cloning gives another handle.
#[derive(Clone, Default)]
pub struct ChipFailures(Arc<Mutex<Failures>>);

#[derive(Default)]
struct Failures {
    /// Films that it failed on.
    films: HashSet<FileId>,
    /// Films whose loge broke off once while it encoded them, which may have had any reason.
    shaken: HashSet<FileId>,
}

/// What a failure means for the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the film or the loge was away, or broke off for the first time.
    None,
    /// It does not get this film again.
    Film,
    /// This was one film too many.
    TooMany,
}

impl ChipFailures {
    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn holds(&self, file: &FileId) -> bool {
        self.lock().films.contains(file)
    }

    fn add(&self, file: &FileId, code: Code) -> Blame {
        let mut failures = self.lock();
        let at_fault = match code {
            Code::FileBroken | Code::NotFound => true,
            // A chip that hangs breaks off again; an engine that restarts does not.
            Code::LogeBroke => !failures.shaken.insert(file.clone()),
            _ => false,
        };
        if !at_fault {
            return Blame::None;
        }
        failures.films.insert(file.clone());
        if failures.films.len() >= MOST_FAILURES as usize { Blame::TooMany } else { Blame::Film }
    }

    /// It was tested anew.
    pub fn forget(&self) {
        *self.lock() = Failures::default();
    }
}

/// What was measured, without the chip where the owner does not want it.
pub fn known(capacity: Option<Capacity>, settings: &Settings) -> Option<Capacity> {
    let wanted = |c: Capacity| match settings.hardware_encoding {
        true => c,
        false => Capacity { chip: ChipVerdict::Untested, ..c },
    };
    capacity.map(wanted)
}

/// Whether this person's loge has the chip, or will have it when it starts.
pub fn is_in(house: &House, tenant: &Tenant) -> bool {
    let loges = house.loges.list();
    let loge = loges.iter().find(|loge| loge.tenant == *tenant);
    loge.is_none_or(|loge| loge.has_chip || loge.state != LogeState::Ready)
}

/// A player that hears this asks for the film anew, and gets it by the processor: what two encoders
/// make does not fit behind one beginning.
pub fn asks_anew() -> Failure {
    Failure::new(Code::Conflict, "The graphics chip did not go on with this film. Press play again.")
}

/// An encode by the chip came to nothing. Answers whether the film goes on by the processor;
/// otherwise the chip was not at fault. One film too many switches it off.
pub async fn failed(house: &House, file: &FileId, why: &Failure) -> bool {
    let blame = house.chip_failures.add(file, why.code);
    if blame == Blame::None {
        return false;
    }
    warn!(file.id = %file, "the graphics chip failed on file {file}: {}", why.message);
    metrics::counter!("loge_chip_failures_total").increment(1);
    if blame == Blame::TooMany {
        match switch_off(&house.store).await {
            Ok(()) => {
                error!("the graphics chip failed on {MOST_FAILURES} films and is switched off until it is tested")
            }
            Err(e) => error!(error = &e as &dyn std::error::Error, "the graphics chip cannot be switched off: {e}"),
        }
        house.bus.publish(Event::Alerts);
    }
    true
}

async fn switch_off(store: &Store) -> Result<(), store::StoreError> {
    match store.capacity().await? {
        Some(capacity) if matches!(capacity.chip, ChipVerdict::Works(_)) => {
            store.set_capacity(&Capacity { chip: ChipVerdict::Failed(ChipProblem::KeptFailing), ..capacity }).await
        }
        _ => Ok(()),
    }
}

/// How long the first frame may take: the deadline of every other segment.
const FIRST_FRAME: Duration = Duration::from_secs(25);

/// Has the chip make the beginning of a film, which its player asks for next and gets at once.
///
/// # Errors
/// What it or the loge failed with.
pub async fn begin(house: &House, tenant: &Tenant, file: FileRef, track: Track, most: u32) -> Result<(), Failure> {
    let making = async {
        let OpenRange { mut stream, length, lease } = house.loges.init(tenant, file, track, most).await?;
        let mut bytes = vec![0; usize::try_from(length.min(u64::from(most))).unwrap_or(0)];
        let broke = |_| Failure::of(Code::LogeBroke);
        stream.read_exact(&mut bytes).await.map_err(broke)?;
        lease.finish(stream);
        Ok(())
    };
    tokio::time::timeout(FIRST_FRAME, making).await.unwrap_or_else(|_| Err(Failure::of(Code::LogeBroke)))
}

/// What the owner sees of the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipState {
    /// The owner does not want it.
    Off,
    /// This machine has none.
    Absent,
    /// It was not tested since it was switched on.
    Untested,
    Failed(ChipProblem),
    Works,
}

impl ChipState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Absent => "absent",
            Self::Untested => "untested",
            Self::Failed(_) => "failed",
            Self::Works => "works",
        }
    }
}

pub fn state(wanted: bool, is_there: bool, verdict: Option<&ChipVerdict>) -> ChipState {
    match verdict {
        _ if !wanted => ChipState::Off,
        _ if !is_there => ChipState::Absent,
        None | Some(ChipVerdict::Untested) => ChipState::Untested,
        Some(ChipVerdict::Failed(problem)) => ChipState::Failed(*problem),
        Some(ChipVerdict::Works(_)) => ChipState::Works,
    }
}

/// The settings and what was measured, as plays have to know them.
pub async fn asked(house: &House) -> Answer<(Settings, Option<Capacity>)> {
    let settings = house.store.settings().await?;
    let capacity = known(house.store.capacity().await?, &settings);
    Ok((settings, capacity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::chip::{Chip, VaDriver};

    #[test]
    fn the_owners_wish_goes_before_what_was_found() {
        let works = ChipVerdict::Works(Chip { driver: VaDriver::I965, rungs: vec![] });
        let slow = ChipVerdict::Failed(ChipProblem::TooSlow);
        for (wanted, is_there, verdict, expected) in [
            (false, true, Some(&works), ChipState::Off),
            (false, false, None, ChipState::Off),
            (true, false, Some(&works), ChipState::Absent),
            (true, true, None, ChipState::Untested),
            (true, true, Some(&ChipVerdict::Untested), ChipState::Untested),
            (true, true, Some(&slow), ChipState::Failed(ChipProblem::TooSlow)),
            (true, true, Some(&works), ChipState::Works),
        ] {
            assert_eq!(state(wanted, is_there, verdict), expected);
        }
    }

    #[test]
    fn the_third_film_is_one_too_many_and_the_same_one_is_not() {
        let failures = ChipFailures::default();
        let film = |n: u8| FileId::from_random([n; 16]);
        let add = |n, code| failures.add(&film(n), code);
        assert_eq!(add(1, Code::FileBroken), Blame::Film);
        assert_eq!(add(1, Code::FileBroken), Blame::Film);
        assert_eq!(add(2, Code::NotFound), Blame::Film);
        assert!(failures.holds(&film(1)) && !failures.holds(&film(3)));
        // An engine that restarts ends every loge once.
        for n in 3..9 {
            assert_eq!(add(n, Code::LogeBroke), Blame::None);
        }
        assert_eq!(add(3, Code::LogeBroke), Blame::TooMany, "a chip that hangs does so again");
        failures.forget();
        assert!(!failures.holds(&film(1)));
        assert_eq!(add(4, Code::LogeBroke), Blame::None);
    }

    #[test]
    fn what_the_chip_cannot_have_done_is_not_its_fault() {
        for code in Code::ALL.iter().filter(|c| !matches!(c, Code::FileBroken | Code::LogeBroke | Code::NotFound)) {
            let failures = ChipFailures::default();
            for n in 0..5 {
                assert_eq!(failures.add(&FileId::from_random([n % 2; 16]), *code), Blame::None, "{code:?}");
            }
        }
    }
}
