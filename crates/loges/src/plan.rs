//! What to do next about one loge, decided without doing it. Level-triggered: the same
//! observation gives the same step however often it is asked, and a step done twice is harmless.

use crate::words::LogeSpec;
use std::time::Duration;

/// What is wanted of a loge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desired {
    pub wanted: bool,
    pub replace: Replace,
}

/// Whether the running loge still fits its specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replace {
    No,
    /// It only lacks something: whoever watches now goes on watching.
    WhenQuiet,
    /// It shows what it must not show, or somebody asked for a restart.
    Now,
}

/// What is seen of a loge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    Absent,
    Starting,
    Ready { alive: bool, active: u32, idle_for: Duration, age: Duration },
    Stopping,
    Failed { retry_in: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Start,
    Stop(Why),
    /// A failure that nobody waits for any more becomes an absence.
    Forget,
    /// Nothing to do until something happens, or this much time has passed.
    Wait(Option<Duration>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    NotWanted,
    Idle,
    Replaced,
    Broken,
    /// It ran for [`MAX_LIFETIME`].
    Old,
}

impl Why {
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotWanted => "nobody wants it",
            Self::Idle => "nobody used it",
            Self::Replaced => "it is made anew",
            Self::Broken => "it broke",
            Self::Old => "it lived long enough",
        }
    }
}

/// No loge lives longer: whatever it may have gathered ends with it. It waits for a quiet moment.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

pub fn plan(desired: Desired, observed: Observed, idle_stop: Duration) -> Step {
    match observed {
        Observed::Starting | Observed::Stopping => Step::Wait(None),
        Observed::Absent if desired.wanted => Step::Start,
        Observed::Absent => Step::Wait(None),
        Observed::Failed { .. } if !desired.wanted => Step::Forget,
        Observed::Failed { retry_in } if retry_in.is_zero() => Step::Start,
        Observed::Failed { retry_in } => Step::Wait(Some(retry_in)),
        Observed::Ready { alive: false, .. } => Step::Stop(Why::Broken),
        Observed::Ready { .. } if !desired.wanted => Step::Stop(Why::NotWanted),
        Observed::Ready { .. } if desired.replace == Replace::Now => Step::Stop(Why::Replaced),
        // Somebody watches: neither idle time nor a missing folder is a reason to cut them off.
        Observed::Ready { active: 1.., .. } => Step::Wait(None),
        Observed::Ready { .. } if desired.replace == Replace::WhenQuiet => Step::Stop(Why::Replaced),
        Observed::Ready { idle_for, .. } if idle_for >= idle_stop => Step::Stop(Why::Idle),
        Observed::Ready { age, .. } if age >= MAX_LIFETIME => Step::Stop(Why::Old),
        Observed::Ready { idle_for, age, .. } => Step::Wait(Some((idle_stop - idle_for).min(MAX_LIFETIME - age))),
    }
}

/// What a replacement depends on besides the specifications.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Limits can be changed without a restart.
    pub limits_live: bool,
    /// Walls that must stand are missing on this machine.
    pub walls_missing: bool,
}

/// Returns how a loge that runs with `old` becomes one with `new`. One that runs without walls that must
/// stand ends at once when its owner no longer allows that. The graphics chip comes and goes in a
/// quiet moment: a viewer of a film that it encodes keeps both to the end.
pub fn replacement(old: &LogeSpec, new: &LogeSpec, here: Circumstances) -> Replace {
    let taken_away = old.mounts.iter().any(|mount| !new.mounts.contains(mount));
    let added = new.mounts.iter().any(|mount| !old.mounts.contains(mount));
    let limits = old.limits != new.limits && !here.limits_live;
    let forbidden = here.walls_missing && old.allows_reduced && !new.allows_reduced;
    match (taken_away || forbidden, added || limits || old.chip != new.chip) {
        (true, _) => Replace::Now,
        (false, true) => Replace::WhenQuiet,
        (false, false) => Replace::No,
    }
}

/// Something with our install label that the runtime shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub tenant: String,
    pub generation: u64,
    pub spec_hash: String,
}

/// Which of the found objects nobody owns: their `(tenant, generation)` is not a current one.
pub fn strays(found: &[Found], current: &[(String, u64)]) -> Vec<String> {
    found
        .iter()
        .filter(|f| !current.iter().any(|(tenant, generation)| *tenant == f.tenant && *generation == f.generation))
        .map(|f| f.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chip::RenderNode, words::Mount};
    use domain::{FolderId, LogeLimits};

    const IDLE: Duration = Duration::from_secs(900);

    fn check(wanted: bool, replace: Replace, observed: Observed, expected: Step) {
        let desired = Desired { wanted, replace };
        assert_eq!(plan(desired, observed, IDLE), expected, "{desired:?} {observed:?}");
    }

    fn ready(active: u32, idle_secs: u64) -> Observed {
        Observed::Ready {
            alive: true,
            active,
            idle_for: Duration::from_secs(idle_secs),
            age: Duration::from_secs(3600),
        }
    }

    #[test]
    fn every_state_has_one_next_step() {
        use Replace::{No, Now, WhenQuiet};
        let secs = Duration::from_secs;
        check(true, No, Observed::Absent, Step::Start);
        check(false, No, Observed::Absent, Step::Wait(None));
        for wanted in [true, false] {
            check(wanted, Now, Observed::Starting, Step::Wait(None));
            check(wanted, Now, Observed::Stopping, Step::Wait(None));
        }
        check(true, No, Observed::Failed { retry_in: secs(5) }, Step::Wait(Some(secs(5))));
        check(true, No, Observed::Failed { retry_in: secs(0) }, Step::Start);
        check(false, No, Observed::Failed { retry_in: secs(5) }, Step::Forget);
        let dead = Observed::Ready { alive: false, active: 3, idle_for: secs(0), age: secs(9) };
        check(true, No, dead, Step::Stop(Why::Broken));
        check(false, No, ready(2, 0), Step::Stop(Why::NotWanted));
        check(true, No, ready(0, 100), Step::Wait(Some(secs(800))));
        check(true, No, ready(0, 900), Step::Stop(Why::Idle));
        check(true, No, ready(1, 9_000), Step::Wait(None));
        let aged = |active, left: u64| {
            let age = MAX_LIFETIME.saturating_sub(secs(left));
            Observed::Ready { alive: true, active, idle_for: secs(100), age }
        };
        check(true, No, aged(0, 30), Step::Wait(Some(secs(30))));
        check(true, No, aged(0, 0), Step::Stop(Why::Old));
        check(true, No, aged(1, 0), Step::Wait(None));
        check(true, WhenQuiet, ready(1, 0), Step::Wait(None));
        check(true, WhenQuiet, ready(0, 0), Step::Stop(Why::Replaced));
        check(true, Now, ready(1, 0), Step::Stop(Why::Replaced));
    }

    #[test]
    fn a_right_taken_away_acts_at_once_and_a_right_given_waits() {
        let mount = |n: u8| Mount { id: FolderId::from_random([n; 16]), path: format!("/films/{n}").into() };
        let spec = |mounts: &[u8], cpu_millis, chip: bool| LogeSpec {
            limits: LogeLimits { cpu_millis, ..LogeLimits::DEFAULT },
            mounts: mounts.iter().map(|n| mount(*n)).collect(),
            chip: chip.then(|| RenderNode { path: "/dev/dri/renderD128".into(), group: Some(104) }),
            allows_reduced: false,
        };
        let replacement = |old: &LogeSpec, new: &LogeSpec, limits_live| {
            replacement(old, new, Circumstances { limits_live, walls_missing: true })
        };
        let (old, more) = (LogeLimits::DEFAULT.cpu_millis, 900);
        let one = spec(&[1], old, false);
        assert_eq!(replacement(&one, &one, false), Replace::No);
        assert_eq!(replacement(&one, &spec(&[1, 2], old, false), false), Replace::WhenQuiet);
        assert_eq!(replacement(&spec(&[1, 2], old, false), &one, false), Replace::Now);
        assert_eq!(replacement(&one, &spec(&[1], more, false), false), Replace::WhenQuiet);
        assert_eq!(replacement(&one, &spec(&[1], more, false), true), Replace::No);
        let with = spec(&[1], old, true);
        assert_eq!(replacement(&with, &with, true), Replace::No);
        assert_eq!(replacement(&one, &with, true), Replace::WhenQuiet);
        assert_eq!(replacement(&with, &one, true), Replace::WhenQuiet);
        assert_eq!(replacement(&spec(&[1, 2], old, true), &one, true), Replace::Now);
    }

    #[test]
    fn who_no_longer_allows_reduced_isolation_ends_it_at_once_where_it_is_reduced() {
        let spec =
            |allows_reduced| LogeSpec { limits: LogeLimits::DEFAULT, mounts: vec![], chip: None, allows_reduced };
        let check = |old, new, walls_missing| {
            replacement(&spec(old), &spec(new), Circumstances { limits_live: true, walls_missing })
        };
        assert_eq!(check(true, false, true), Replace::Now);
        // With all walls nothing was allowed to it, and those who watch go on watching.
        assert_eq!(check(true, false, false), Replace::No);
        for walls_missing in [true, false] {
            assert_eq!(check(false, true, walls_missing), Replace::No);
            assert_eq!(check(true, true, walls_missing), Replace::No);
        }
    }

    #[test]
    fn only_unowned_generations_are_strays() {
        let found =
            |id: &str, generation| Found { id: id.into(), tenant: "ana".into(), generation, spec_hash: String::new() };
        let seen = [found("old", 1), found("now", 2)];
        assert_eq!(strays(&seen, &[("ana".into(), 2)]), ["old"]);
        assert_eq!(strays(&seen, &[("bo".into(), 2)]), ["old", "now"]);
    }
}
