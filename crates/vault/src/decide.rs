//! What is to be done about backups now. Pure: no disk, no clock.

use backup::{BackupName, Kept, Listed, surplus};
use base::UnixMs;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use store::BackupRecord;

/// How long a proof counts before the next one is due.
const PROOF_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A proof that failed is tried again with another backup, once a day.
const PROOF_AGAIN: SignedDuration = SignedDuration::from_hours(20);
/// The owner is told when no backup was proven for this long.
const UNPROVEN_AFTER: SignedDuration = SignedDuration::from_hours(10 * 24);
/// A disk that is plugged in once in a while is no trouble for this long.
const AWAY_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);

pub(crate) fn moment(at: UnixMs) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Returns how long to wait after so many failures in a row: a minute first, an hour at most.
pub(crate) fn wait_after(failures: u32) -> SignedDuration {
    SignedDuration::from_mins(1_i64.checked_shl(failures.saturating_sub(1)).unwrap_or(60).clamp(1, 60))
}

/// Returns which backups are to be copied to a place, the newest first: those that the house has, that
/// the place lacks, and that would not be deleted there again at once.
pub(crate) fn missing(here: &[Listed], there: &[Listed], record: &BackupRecord, now: Timestamp) -> Vec<BackupName> {
    let present: BTreeSet<_> = there.iter().map(|each| each.name).collect();
    let all: BTreeSet<_> = here.iter().map(|each| each.name).chain(present.iter().copied()).collect();
    let gone: BTreeSet<_> = surplus(&kept(all.iter().copied(), record), now).into_iter().collect();
    let mut missing: Vec<_> =
        here.iter().map(|each| each.name).filter(|name| !present.contains(name) && !gone.contains(name)).collect();
    missing.sort_by_key(|name| std::cmp::Reverse(name.made_at()));
    missing
}

/// Returns which backups of a folder may be deleted.
pub(crate) fn deletable(listed: &[Listed], record: &BackupRecord, now: Timestamp) -> Vec<BackupName> {
    surplus(&kept(listed.iter().map(|each| each.name), record), now)
}

fn kept(names: impl Iterator<Item = BackupName>, record: &BackupRecord) -> Vec<Kept> {
    names.map(|name| Kept { name, is_proven: record.proven.contains(&name.to_string()) }).collect()
}

/// Returns the backup that is to be proven now: the newest, where the last proof is a week old.
pub(crate) fn to_prove(listed: &[Listed], record: &BackupRecord, now: Timestamp) -> Option<BackupName> {
    let is_old = |at: Option<i64>, age: SignedDuration| {
        at.is_none_or(|at| {
            let since = now.duration_since(moment(UnixMs(at)));
            // What was done in the future of a clock that went back does not count.
            since >= age || since < -age
        })
    };
    let last_try = record.last_proof.as_ref().map(|proof| proof.at_ms);
    let is_due = is_old(record.proven_ms, PROOF_EVERY) && is_old(last_try, PROOF_AGAIN);
    let newest =
        listed.iter().map(|each| each.name).filter(|name| name.made_at() <= now).max_by_key(BackupName::made_at);
    newest.filter(|_| is_due)
}

/// Returns whether a backup may be deleted because the owner asks for it: the only proven one stays.
pub(crate) fn may_delete(name: &BackupName, listed: &[Listed], record: &BackupRecord) -> bool {
    let is_proven = |name: &BackupName| record.proven.contains(&name.to_string());
    !is_proven(name) || listed.iter().any(|each| each.name != *name && is_proven(&each.name))
}

/// What the owner has to know about backups without asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why the last backup that the schedule asked for was not made.
    pub failed: Option<String>,
    /// Days since a backup was last proven, where that is too long ago.
    pub unproven_days: Option<u32>,
    /// Folders that lack the newest backups for days, each with what is in the way.
    pub places_behind: Vec<(String, String)>,
}

/// What is known about a place for [`health`].
pub(crate) struct PlaceNews<'a> {
    pub(crate) path: &'a str,
    pub(crate) problem: Option<&'a str>,
    /// When the oldest backup was made that waits to be copied there.
    pub(crate) waits_since: Option<Timestamp>,
}

pub(crate) fn health(is_on: bool, record: &BackupRecord, places: &[PlaceNews<'_>], now: Timestamp) -> Health {
    if !is_on {
        return Health::default();
    }
    let since = record.proven_or_begun().map(|at| now.duration_since(moment(at)));
    Health {
        failed: record.last_try.as_ref().and_then(|last| last.problem.clone()),
        unproven_days: since
            .filter(|since| *since > UNPROVEN_AFTER)
            .map(|since| u32::try_from(since.as_hours() / 24).unwrap_or(u32::MAX)),
        places_behind: places
            .iter()
            .filter(|place| place.waits_since.is_some_and(|at| now.duration_since(at) > AWAY_AFTER))
            .filter_map(|place| Some((place.path.to_owned(), place.problem?.to_owned())))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup::{HouseTag, Kind};
    use store::{BackupProof, BackupTry};

    const DAY_MS: i64 = 24 * 3_600_000;
    /// A Tuesday at 04:00 in UTC.
    const NOW_MS: i64 = 1_796_184_000_000;

    fn now() -> Timestamp {
        moment(UnixMs(NOW_MS))
    }

    fn name(days_ago: i64, kind: Kind) -> BackupName {
        BackupName::new(HouseTag(7), moment(UnixMs(NOW_MS - days_ago * DAY_MS)), kind)
    }

    fn listed(days: &[i64]) -> Vec<Listed> {
        days.iter().map(|days| Listed { name: name(*days, Kind::Scheduled), size_bytes: 1 }).collect()
    }

    fn proof(days_ago: i64, problem: Option<&str>) -> Option<BackupProof> {
        let at_ms = NOW_MS - days_ago * DAY_MS;
        Some(BackupProof { at_ms, backup: "x".into(), played: None, problem: problem.map(Into::into) })
    }

    #[test]
    fn a_place_gets_what_it_lacks_and_would_keep() {
        let record = BackupRecord::default();
        let here = listed(&[0, 1, 2]);
        let names = |days: &[i64]| days.iter().map(|d| name(*d, Kind::Scheduled)).collect::<Vec<_>>();
        assert_eq!(missing(&here, &[], &record, now()), names(&[0, 1, 2]));
        assert_eq!(missing(&here, &listed(&[1]), &record, now()), names(&[0, 2]));
        assert_eq!(missing(&here, &listed(&[0, 1, 2]), &record, now()), []);
        // A year of backups lies there; an old one from here would be deleted again.
        let there = listed(&[0, 1, 2, 3, 4, 5, 6, 13, 20, 27]);
        assert_eq!(missing(&listed(&[26]), &there, &record, now()), []);
        // A proven one stays, so it is copied.
        let proven = BackupRecord { proven: [name(26, Kind::Scheduled).to_string()].into(), ..record };
        assert_eq!(missing(&listed(&[26]), &there, &proven, now()), names(&[26]));
    }

    #[test]
    fn a_proof_is_due_each_week_and_a_failed_one_each_day() {
        let here = listed(&[0, 1]);
        let newest = Some(name(0, Kind::Scheduled));
        let record = |proven: Option<i64>, last: Option<BackupProof>| BackupRecord {
            proven_ms: proven.map(|days| NOW_MS - days * DAY_MS),
            last_proof: last,
            ..BackupRecord::default()
        };
        assert_eq!(to_prove(&here, &record(None, None), now()), newest);
        assert_eq!(to_prove(&[], &record(None, None), now()), None);
        assert_eq!(to_prove(&here, &record(Some(6), proof(6, None)), now()), None);
        assert_eq!(to_prove(&here, &record(Some(7), proof(7, None)), now()), newest);
        assert_eq!(to_prove(&here, &record(Some(9), proof(0, Some("no"))), now()), None);
        assert_eq!(to_prove(&here, &record(Some(9), proof(1, Some("no"))), now()), newest);
        // The clock stood in the future when the last one was proven.
        assert_eq!(to_prove(&here, &record(Some(-300), proof(-300, None)), now()), newest);
        // A backup of the future is not the newest.
        assert_eq!(to_prove(&listed(&[0, -5]), &record(None, None), now()), newest);
    }

    #[test]
    fn the_only_proven_backup_is_not_deleted() {
        let here = listed(&[0, 1]);
        let proven = |days: &[i64]| BackupRecord {
            proven: days.iter().map(|d| name(*d, Kind::Scheduled).to_string()).collect(),
            ..BackupRecord::default()
        };
        let old = name(1, Kind::Scheduled);
        assert!(may_delete(&old, &here, &proven(&[])));
        assert!(!may_delete(&old, &here, &proven(&[1])));
        assert!(may_delete(&old, &here, &proven(&[0, 1])));
        // One that was proven and is gone does not count.
        assert!(!may_delete(&old, &here, &proven(&[1, 9])));
    }

    #[test]
    fn the_owner_is_told_after_ten_days_and_not_before() {
        let mut record = BackupRecord { since_ms: Some(NOW_MS - 9 * DAY_MS), ..BackupRecord::default() };
        assert_eq!(health(true, &record, &[], now()), Health::default());
        record.since_ms = Some(NOW_MS - 11 * DAY_MS);
        assert_eq!(health(true, &record, &[], now()).unproven_days, Some(11));
        record.proven_ms = Some(NOW_MS - 2 * DAY_MS);
        assert_eq!(health(true, &record, &[], now()), Health::default());
        record.last_try = Some(BackupTry { at_ms: NOW_MS, problem: Some("The disk is full.".into()) });
        assert_eq!(health(true, &record, &[], now()).failed.as_deref(), Some("The disk is full."));
        assert_eq!(health(false, &record, &[], now()), Health::default(), "an owner who wants none is left alone");
    }

    #[test]
    fn a_place_is_told_of_when_it_is_days_behind() {
        let record = BackupRecord { since_ms: Some(NOW_MS), ..BackupRecord::default() };
        let behind = |days: Option<i64>, problem: Option<&'static str>| {
            let waits_since = days.map(|days| moment(UnixMs(NOW_MS - days * DAY_MS)));
            health(true, &record, &[PlaceNews { path: "/mnt", problem, waits_since }], now()).places_behind
        };
        assert_eq!(behind(None, Some("away")), []);
        assert_eq!(behind(Some(2), Some("away")), []);
        assert_eq!(behind(Some(4), Some("away")), [("/mnt".to_owned(), "away".to_owned())]);
        assert_eq!(behind(Some(4), None), [], "it is on its way");
    }

    #[test]
    fn failures_are_tried_again_ever_more_rarely() {
        let minutes: Vec<_> = (1..=8).map(|n| wait_after(n).as_mins()).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait_after(200).as_mins(), 60);
    }
}
