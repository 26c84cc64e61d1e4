//! Which backups stay. Pure: no disk, no clock.
//!
//! The rule, per house:
//! - of the scheduled ones: the newest of each of the last seven days that have one, and the newest of
//!   each of the last four weeks (Monday to Sunday) that have one;
//! - the newest three that were made before an upgrade;
//! - all that were made by hand;
//! - the newest one that is proven, of whatever kind.
//!
//! Days and weeks are those of UTC, and they are counted by what is there and not by how long ago it
//! is: a machine that was off for a year has lost nothing when it starts, and a clock that jumps
//! forward deletes nothing. What lies in the future of the clock is neither counted nor deleted, so a
//! clock that jumps back deletes nothing either.

use crate::file_name::{BackupName, Kind};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::collections::BTreeSet;

const DAYS: usize = 7;
const WEEKS: usize = 4;
const UPGRADES: usize = 3;

/// A backup that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub name: BackupName,
    /// Whether it was restored once, and the house in it worked.
    pub is_proven: bool,
}

/// Returns which of the backups of one house may be deleted, oldest first.
#[must_use]
pub fn surplus(existing: &[Kept], now: Timestamp) -> Vec<BackupName> {
    let mut known: Vec<Kept> = existing.iter().filter(|kept| kept.name.made_at() <= now).copied().collect();
    known.sort_by_key(|kept| std::cmp::Reverse(kept.name));
    let of_kind = |kind| known.iter().map(|kept| kept.name).filter(move |name| name.kind() == kind);

    let mut stay = BTreeSet::new();
    stay.extend(newest_of_each(of_kind(Kind::Scheduled), DAYS, day));
    stay.extend(newest_of_each(of_kind(Kind::Scheduled), WEEKS, monday));
    stay.extend(of_kind(Kind::BeforeUpgrade).take(UPGRADES));
    stay.extend(of_kind(Kind::ByHand));
    stay.extend(known.iter().find(|kept| kept.is_proven).map(|kept| kept.name));
    let surplus: BTreeSet<_> = known.iter().map(|kept| kept.name).filter(|name| !stay.contains(name)).collect();
    let mut surplus: Vec<_> = surplus.into_iter().collect();
    surplus.sort_by_key(BackupName::made_at);
    surplus
}

/// Takes the first of each span, for so many spans.
fn newest_of_each(
    newest_first: impl Iterator<Item = BackupName>,
    spans: usize,
    span: impl Fn(BackupName) -> Date,
) -> impl Iterator<Item = BackupName> {
    let mut last = None;
    let first_of_span = newest_first.filter(move |name| last.replace(span(*name)) != Some(span(*name)));
    first_of_span.take(spans)
}

fn day(name: BackupName) -> Date {
    name.made_at().to_zoned(TimeZone::UTC).date()
}

/// Returns the Monday of the week. A date and not a number, so that weeks do not mix at new year.
fn monday(name: BackupName) -> Date {
    let day = day(name);
    let since_monday = i64::from(day.weekday().to_monday_zero_offset());
    day.checked_sub(jiff::Span::new().days(since_monday)).unwrap_or(day)
}

#[cfg(test)]
mod tests;
