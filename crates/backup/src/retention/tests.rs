use super::*;
use crate::file_name::HouseTag;
use jiff::{SignedDuration, Span};
use proptest::prelude::*;

const HOUSE: HouseTag = HouseTag(7);

fn at(text: &str) -> Timestamp {
    let text = if text.contains('T') { text.to_owned() } else { format!("{text}T03:30:00Z") };
    text.parse().unwrap()
}

fn kept(made_at: &str, kind: Kind, is_proven: bool) -> Kept {
    Kept { name: BackupName::new(HOUSE, at(made_at), kind), is_proven }
}

/// A folder that is rotated after every backup.
struct Rotation {
    there: Vec<Kept>,
}

impl Rotation {
    fn make(&mut self, made_at: Timestamp, kind: Kind, is_proven: bool) -> Vec<BackupName> {
        self.there.push(Kept { name: BackupName::new(HOUSE, made_at, kind), is_proven });
        let gone = surplus(&self.there, made_at);
        self.there.retain(|kept| !gone.contains(&kept.name));
        gone
    }

    fn days(&self, kind: Kind) -> Vec<String> {
        let mut of_kind: Vec<_> = self.there.iter().filter(|kept| kept.name.kind() == kind).collect();
        of_kind.sort_by_key(|kept| kept.name);
        of_kind.iter().map(|kept| kept.name.made_at().to_string()[..10].to_owned()).collect()
    }
}

#[test]
fn a_year_of_nights_keeps_seven_days_and_four_weeks() {
    let mut house = Rotation { there: vec![] };
    let start = at("2026-01-01");
    for day in 0..365 {
        let now = start + SignedDuration::from_hours(24 * day);
        if day % 50 == 10 {
            house.make(now - SignedDuration::from_hours(1), Kind::BeforeUpgrade, false);
        }
        if day % 90 == 20 {
            house.make(now + SignedDuration::from_hours(9), Kind::ByHand, false);
        }
        house.make(now, Kind::Scheduled, day % 7 == 0);
        // Worked out another way: the last seven days, and the Sundays of the three weeks before this one.
        if day >= 35 {
            let today = now.to_zoned(TimeZone::UTC).date();
            let back = |days: i64| today.checked_sub(Span::new().days(days)).unwrap();
            let sunday = i64::from(today.weekday().to_monday_zero_offset()) + 1;
            let days = (0..7).chain([sunday, sunday + 7, sunday + 14]).map(back);
            let expected: BTreeSet<_> = days.map(|date| date.to_string()).collect();
            let found = house.days(Kind::Scheduled);
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "on {today}");
        }
        assert!(house.there.iter().any(|kept| kept.is_proven), "the last proven one stays");
    }
    // 31 December 2026 is a Thursday.
    assert_eq!(
        house.days(Kind::Scheduled),
        [
            "2026-12-13",
            "2026-12-20",
            "2026-12-25",
            "2026-12-26",
            "2026-12-27",
            "2026-12-28",
            "2026-12-29",
            "2026-12-30",
            "2026-12-31"
        ]
    );
    assert_eq!(house.days(Kind::BeforeUpgrade), ["2026-09-18", "2026-11-07", "2026-12-27"]);
    assert_eq!(house.days(Kind::ByHand), ["2026-01-21", "2026-04-21", "2026-07-20", "2026-10-18"]);
}

#[test]
fn the_last_proven_one_stays_however_old() {
    let mut there = vec![kept("2025-01-01", Kind::Scheduled, true), kept("2025-02-01", Kind::Scheduled, false)];
    there.extend((1..=30).map(|day| kept(&format!("2026-06-{day:02}"), Kind::Scheduled, false)));
    let gone = surplus(&there, at("2026-07-01"));
    assert!(!gone.contains(&there[0].name) && gone.contains(&there[1].name));
    // The control: once a newer one is proven, it goes.
    there.last_mut().unwrap().is_proven = true;
    assert!(surplus(&there, at("2026-07-01")).contains(&there[0].name));
}

#[test]
fn of_several_in_a_day_the_newest_stays_and_a_missed_week_costs_none() {
    let there = [
        kept("2026-03-02T03:30:00Z", Kind::Scheduled, false),
        kept("2026-03-02T20:00:00Z", Kind::Scheduled, false),
        kept("2025-11-03", Kind::Scheduled, false),
        kept("2025-06-02", Kind::Scheduled, false),
    ];
    assert_eq!(surplus(&there, at("2026-03-03")), [there[0].name]);
    assert_eq!(surplus(&[], at("2026-03-03")), []);
}

#[test]
fn a_clock_that_jumps_deletes_nothing_more() {
    let mut house = Rotation { there: vec![] };
    for day in 0..60 {
        house.make(at("2026-01-01") + SignedDuration::from_hours(24 * day), Kind::Scheduled, day == 40);
    }
    let there = house.there.clone();
    // Forward and back, and nothing is made: nothing goes.
    for now in ["2026-03-02", "2031-01-01", "2026-03-01T03:29:59Z", "2026-01-20", "1970-01-01"] {
        assert_eq!(surplus(&there, at(now)), [], "{now}");
    }
    // Three nights with the year 2040 on the clock: each costs one old night, and as a Monday is among
    // them, two of the old weeks.
    let mut gone = vec![];
    for night in ["2040-01-01", "2040-01-02", "2040-01-03"] {
        gone.extend(house.make(at(night), Kind::Scheduled, false));
    }
    assert!(gone.len() <= 3 + 2, "{gone:?}");
    assert!(house.there.iter().any(|kept| kept.is_proven), "the proven one is there");
    // The clock is right again: those of 2040 neither go nor take the place of others.
    let before: BTreeSet<_> = house.days(Kind::Scheduled).into_iter().collect();
    let gone = house.make(at("2026-03-03"), Kind::Scheduled, false);
    assert!(gone.len() <= 1, "{gone:?}");
    assert!(before.contains("2040-01-03") && house.days(Kind::Scheduled).contains(&"2040-01-03".to_owned()));
}

proptest! {
    /// Whatever is there and whatever the clock says.
    #[test]
    fn what_must_stay_stays(
        made in prop::collection::vec((0_i64..400 * 24, 0_u8..3, any::<bool>()), 0..60),
        now in -50_i64 * 24..500 * 24,
    ) {
        let start = at("2026-01-01");
        let kinds = [Kind::Scheduled, Kind::ByHand, Kind::BeforeUpgrade];
        let there: Vec<_> = made
            .iter()
            .map(|(hour, kind, is_proven)| Kept {
                name: BackupName::new(HOUSE, start + SignedDuration::from_hours(*hour), kinds[usize::from(*kind)]),
                is_proven: *is_proven,
            })
            .collect();
        let now = start + SignedDuration::from_hours(now);
        let gone = surplus(&there, now);
        prop_assert!(gone.iter().all(|name| name.kind() != Kind::ByHand && name.made_at() <= now));
        let left: Vec<_> = there.iter().filter(|kept| !gone.contains(&kept.name)).copied().collect();
        prop_assert_eq!(left.is_empty(), there.is_empty());
        prop_assert_eq!(left.iter().any(|kept| kept.is_proven), there.iter().any(|kept| kept.is_proven));
        let newest = |all: &[Kept]| all.iter().filter(|kept| kept.name.made_at() <= now).map(|kept| kept.name.made_at()).max();
        prop_assert_eq!(newest(&left), newest(&there));
        prop_assert_eq!(surplus(&left, now), vec![], "a second look finds nothing more");
        let count = |kind| left.iter().filter(|kept| kept.name.kind() == kind && kept.name.made_at() <= now).map(|kept| kept.name).collect::<BTreeSet<_>>().len();
        prop_assert!(count(Kind::Scheduled) <= DAYS + WEEKS + 1 && count(Kind::BeforeUpgrade) <= UPGRADES + 1);
    }
}
