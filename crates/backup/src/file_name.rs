//! How backups are called, so that a folder can be read by people, and so that nothing else is ever
//! deleted from it.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Scheduled,
    ByHand,
    /// Before the schema of the database changes.
    BeforeUpgrade,
}

/// Tells the backups of one house from those of another in the same folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HouseTag(pub u32);

/// The name of a backup file: `loge-1a2b3c4d-20261201T033000Z-scheduled.loge-backup`. Times are whole
/// seconds in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackupName {
    house: HouseTag,
    made_at: Timestamp,
    kind: Kind,
}

const PREFIX: &str = "loge-";
pub const EXTENSION: &str = ".loge-backup";
const TIME: &str = "%Y%m%dT%H%M%SZ";
const KINDS: [(Kind, &str); 3] =
    [(Kind::Scheduled, "scheduled"), (Kind::ByHand, "by-hand"), (Kind::BeforeUpgrade, "before-upgrade")];

impl BackupName {
    /// Names a backup. What is smaller than a second of the time is cut off.
    #[must_use]
    pub fn new(house: HouseTag, made_at: Timestamp, kind: Kind) -> Self {
        let made_at = Timestamp::from_second(made_at.as_second()).unwrap_or(made_at);
        Self { house, made_at, kind }
    }

    pub fn house(&self) -> HouseTag {
        self.house
    }
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Reads the name that [`part_name`] makes of one.
    pub(crate) fn parse_unfinished(name: &str) -> Option<Self> {
        name.strip_prefix('.')?.strip_suffix(PART)?.parse().ok()
    }
}

const PART: &str = ".part";

/// Returns the name beside `name` under which a file is written before it is whole.
pub(crate) fn part_name(name: &str) -> String {
    format!(".{name}{PART}")
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, word)| word);
        let made_at = self.made_at.to_zoned(TimeZone::UTC).strftime(TIME);
        write!(f, "{PREFIX}{:08x}-{made_at}-{kind}{EXTENSION}", self.house.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the name of a backup")]
pub struct NotABackupName;

impl FromStr for BackupName {
    type Err = NotABackupName;

    /// Takes exactly the names that are written here.
    fn from_str(text: &str) -> Result<Self, NotABackupName> {
        let parsed = || {
            let inner = text.strip_prefix(PREFIX)?.strip_suffix(EXTENSION)?;
            let (house, rest) = inner.split_once('-')?;
            let (made_at, word) = rest.split_once('-')?;
            let kind = KINDS.iter().find(|(_, known)| *known == word)?.0;
            let made_at = DateTime::strptime(TIME, made_at).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
            Some(Self { house: HouseTag(u32::from_str_radix(house, 16).ok()?), made_at, kind })
        };
        // Several texts would parse to one name (`+1`, capital letters): only the written form is ours.
        parsed().filter(|name| name.to_string() == text).ok_or(NotABackupName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_readable_and_nothing_else_is_one() {
        let made_at = "2026-12-01T03:30:00.75Z".parse().unwrap();
        let name = BackupName::new(HouseTag(0x1a2b), made_at, Kind::BeforeUpgrade);
        let text = "loge-00001a2b-20261201T033000Z-before-upgrade.loge-backup";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse(), Ok(name));
        assert_eq!(BackupName::parse_unfinished(&part_name(text)), Some(name));
        assert_eq!(BackupName::parse_unfinished(text), None);
        for other in [
            "",
            "loge.db",
            "films.loge-backup",
            "loge-1a2b-20261201T033000Z-scheduled.loge-backup",
            "loge-0000+a2b-20261201T033000Z-scheduled.loge-backup",
            "loge-00001A2B-20261201T033000Z-scheduled.loge-backup",
            "loge-00001a2b-20261301T033000Z-scheduled.loge-backup",
            "loge-00001a2b-20261201T033000Z-mine.loge-backup",
            "loge-00001a2b-20261201T033000Z-scheduled.loge-backup.part",
            "../loge-00001a2b-20261201T033000Z-scheduled.loge-backup",
            "loge-00001a2b-20261201T033000Z-scheduled.loge-backup\n",
        ] {
            assert_eq!(other.parse::<BackupName>(), Err(NotABackupName), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(house: u32, second in 0_i64..4_000_000_000, kind in 0_usize..3) {
            let name = BackupName::new(HouseTag(house), Timestamp::from_second(second).unwrap(), KINDS[kind].0);
            prop_assert_eq!(name.to_string().parse(), Ok(name));
        }
    }
}
