//! When the next backup is due. Pure: no clock, no waiting.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

/// A clock that is set back a little after a backup does not make another one.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// The time of day at which backups are made, by the house's clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    pub at: Time,
}

impl Default for Schedule {
    /// 03:30, when nobody watches.
    fn default() -> Self {
        Self { at: Time::constant(3, 30, 0, 0) }
    }
}

/// The answer of [`Schedule::look`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Whether a backup is to be made now: the latest time for one has passed, and none was made since.
    pub is_now: bool,
    /// The next time for one, later than now.
    pub next_at: Timestamp,
}

impl Schedule {
    /// Looks whether a backup is due. `made` are the times of all that were made by the schedule and
    /// went well, in any order.
    ///
    /// One that was missed is due until it is made, and several that were missed are made up for by
    /// one. Each day of the calendar has one time: where the clock jumps over it in spring, it is as
    /// much later; where the clock shows it twice in autumn, it is the first. What was made in the
    /// future of a clock that went back does not count, so that no year passes without a backup.
    #[must_use]
    pub fn look(&self, zone: &TimeZone, made: &[Timestamp], now: Timestamp) -> Due {
        let today = now.to_zoned(zone.clone()).date();
        let yesterday = today.yesterday().unwrap_or(today);
        let tomorrow = today.tomorrow().unwrap_or(today);
        // Where the clock jumps at midnight, the times of neighbouring dates are needed too.
        let dates = [yesterday.yesterday().unwrap_or(yesterday), yesterday, today, tomorrow];
        let after = tomorrow.tomorrow().unwrap_or(tomorrow);
        let times = || dates.into_iter().chain([after]).filter_map(|date| self.on(date, zone));
        let latest = times().filter(|time| *time <= now).max();
        let next_at = times().filter(|time| *time > now).min();
        let known = now.saturating_add(AHEAD).unwrap_or(now);
        let last = made.iter().filter(|time| **time <= known).max();
        Due {
            is_now: latest.is_none_or(|latest| last.is_none_or(|last| *last < latest)),
            next_at: next_at.unwrap_or(Timestamp::MAX),
        }
    }

    fn on(&self, date: Date, zone: &TimeZone) -> Option<Timestamp> {
        zone.to_ambiguous_zoned(date.to_datetime(self.at)).compatible().ok().map(|zoned| zoned.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(schedule: Schedule, made: &[&str], now: &str, is_now: bool, next_at: &str) {
        let made: Vec<_> = made.iter().map(|text| at(text)).collect();
        let due = schedule.look(&berlin(), &made, at(now));
        assert_eq!(due, Due { is_now, next_at: at(next_at) }, "made {made:?}, now {now}");
    }

    #[test]
    fn once_a_day_and_missed_ones_are_made_up_for() {
        let s = Schedule::default();
        // 03:30 in Berlin's winter is 02:30 in UTC.
        check(s, &[], "2026-01-10T12:00:00Z", true, "2026-01-11T02:30:00Z");
        check(s, &["2026-01-10T02:30:05Z"], "2026-01-10T12:00:00Z", false, "2026-01-11T02:30:00Z");
        check(s, &["2026-01-10T02:30:05Z"], "2026-01-11T02:29:59Z", false, "2026-01-11T02:30:00Z");
        check(s, &["2026-01-10T02:30:05Z"], "2026-01-11T02:30:00Z", true, "2026-01-12T02:30:00Z");
        // Off for a week: one is made at noon, and the next at its usual time.
        check(s, &["2026-01-03T02:30:05Z"], "2026-01-10T11:00:00Z", true, "2026-01-11T02:30:00Z");
        check(
            s,
            &["2026-01-03T02:30:05Z", "2026-01-10T11:02:00Z"],
            "2026-01-10T11:03:00Z",
            false,
            "2026-01-11T02:30:00Z",
        );
        // Made at the very second.
        check(s, &["2026-01-11T02:30:00Z"], "2026-01-11T02:30:00Z", false, "2026-01-12T02:30:00Z");
    }

    #[test]
    fn summer_time_neither_skips_nor_doubles_a_day() {
        let s = Schedule { at: Time::constant(2, 30, 0, 0) };
        // On 29 March 2026 there is no 02:30 in Berlin: it becomes 03:30, which is 01:30 in UTC.
        check(s, &["2026-03-28T01:30:01Z"], "2026-03-29T01:29:59Z", false, "2026-03-29T01:30:00Z");
        check(s, &["2026-03-28T01:30:01Z"], "2026-03-29T01:30:00Z", true, "2026-03-30T00:30:00Z");
        // On 25 October 2026 there are two, at 00:30 and 01:30 in UTC; the first counts.
        check(s, &["2026-10-24T00:30:01Z"], "2026-10-25T00:30:00Z", true, "2026-10-26T01:30:00Z");
        check(s, &["2026-10-25T00:30:01Z"], "2026-10-25T01:30:00Z", false, "2026-10-26T01:30:00Z");
    }

    #[test]
    fn a_clock_that_jumps_makes_one_backup_too_many_at_most() {
        let s = Schedule::default();
        // An hour back, a minute after a backup: not again.
        check(s, &["2026-01-11T02:30:00Z"], "2026-01-11T01:31:00Z", false, "2026-01-11T02:30:00Z");
        // Years back: what was made "later" does not count, and there is one now.
        check(s, &["2031-01-11T02:30:00Z"], "2026-01-11T12:00:00Z", true, "2026-01-12T02:30:00Z");
        check(
            s,
            &["2031-01-11T02:30:00Z", "2026-01-11T12:00:09Z"],
            "2026-01-11T12:01:00Z",
            false,
            "2026-01-12T02:30:00Z",
        );
        // Years forward: one now.
        check(s, &["2026-01-11T02:30:00Z"], "2031-06-11T12:00:00Z", true, "2031-06-12T01:30:00Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        /// A loop that makes what is due and sleeps until the next time makes one a day in every zone.
        #[test]
        fn a_year_has_a_backup_a_day(minute in 0_i8..60, hour in 0_i8..24, start in 0_i64..2_000_000_000, zone in 0_usize..4) {
            let zones = ["CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "PST8PDT,M3.2.0,M11.1.0"];
            let zone = TimeZone::posix(zones[zone]).unwrap();
            let schedule = Schedule { at: Time::constant(hour, minute, 0, 0) };
            let mut now = Timestamp::from_second(start).unwrap();
            let mut made = vec![];
            for _ in 0..366 {
                let due = schedule.look(&zone, &made, now);
                prop_assert!(due.is_now && due.next_at > now);
                prop_assert!(due.next_at.duration_since(now) <= SignedDuration::from_hours(25));
                made.push(now);
                prop_assert!(!schedule.look(&zone, &made, now).is_now);
                now = due.next_at;
            }
            let days: std::collections::BTreeSet<_> = made.iter().map(|time| time.to_zoned(zone.clone()).date()).collect();
            prop_assert!(days.len() >= 365);
        }
    }
}
