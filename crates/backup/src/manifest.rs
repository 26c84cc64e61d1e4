//! What a backup says about itself, and the pure checks of it.

use crate::{entry::EntryName, file_name::Kind, sum::Sum};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The form of backups this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// The manifest of a backup: its first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// The version of Loge that wrote the backup.
    pub program_version: String,
    pub made_at: Timestamp,
    pub kind: Kind,
    pub database: DatabaseKind,
    /// Names of the steps the schema went through, oldest first.
    pub schema: Vec<String>,
    pub key: KeyState,
    /// How many of what the database holds (`users`, `titles`, …), for people to read and for a restore to compare.
    pub counts: BTreeMap<String, u64>,
    /// In the order in which they lie in the file.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// A SQLite file.
    Sqlite,
    /// The output of `pg_dump`.
    Postgresql,
}

/// How the house's key lies in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Absent,
    /// As it is: whoever has the file has the key.
    Plain,
    /// Behind a passphrase.
    Sealed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub path: EntryName,
    pub size_bytes: u64,
    pub sha256: Sum,
}

impl Manifest {
    /// Returns the size of everything once it is unpacked.
    pub fn unpacked_bytes(&self) -> u64 {
        self.entries.iter().fold(0, |sum, entry| sum.saturating_add(entry.size_bytes))
    }

    /// Returns the first step of the backup's schema that this program does not know. A program that
    /// does not know one cannot read the database.
    pub fn unknown_step(&self, known: &[&str]) -> Option<&str> {
        self.schema.iter().map(String::as_str).find(|step| !known.contains(step))
    }

    /// Returns whether the parts fit together: one database, the key as it is said, no name twice (in
    /// any letter case, for disks that make no difference), no file that is a folder too, nothing of
    /// absurd size.
    pub(crate) fn is_consistent(&self) -> bool {
        let names: BTreeSet<String> =
            self.entries.iter().map(|entry| entry.path.to_string().to_ascii_lowercase()).collect();
        let is_no_folder = |name: &String| {
            let above = name.match_indices('/').map(|(at, _)| &name[..at]);
            above.into_iter().all(|folder| !names.contains(folder))
        };
        let has = |wanted: EntryName| self.entries.iter().any(|entry| entry.path == wanted);
        names.len() == self.entries.len()
            && names.iter().all(is_no_folder)
            && has(EntryName::Database)
            && has(EntryName::Key) == (self.key != KeyState::Absent)
            && self.entries.iter().all(|entry| entry.size_bytes <= entry.path.largest_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size_bytes: u64) -> Entry {
        Entry { path: EntryName::parse(path).unwrap(), size_bytes, sha256: Sum::of(b"") }
    }

    fn with(key: KeyState, entries: Vec<Entry>) -> Manifest {
        Manifest {
            format: FORMAT,
            program_version: "1.2.3".into(),
            made_at: "2026-12-01T03:30:00Z".parse().unwrap(),
            kind: Kind::Scheduled,
            database: DatabaseKind::Sqlite,
            schema: vec!["m1".into(), "m2".into()],
            key,
            counts: BTreeMap::new(),
            entries,
        }
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        let check = |key, entries, expected, why| assert_eq!(with(key, entries).is_consistent(), expected, "{why}");
        let db = || entry("database", 5);
        check(KeyState::Absent, vec![db()], true, "the least there can be");
        check(KeyState::Sealed, vec![entry("house.key", 9), db(), entry("artwork/a/b", 1)], true, "more");
        check(KeyState::Absent, vec![], false, "no database");
        check(KeyState::Absent, vec![db(), db()], false, "a name twice");
        check(KeyState::Absent, vec![db(), entry("artwork/a", 1), entry("artwork/A", 1)], false, "letter case");
        check(KeyState::Absent, vec![db(), entry("artwork/a", 1), entry("artwork/A/b", 1)], false, "file and folder");
        check(KeyState::Plain, vec![db()], false, "a key that is not there");
        check(KeyState::Absent, vec![entry("house.key", 9), db()], false, "a key nobody spoke of");
        check(KeyState::Absent, vec![db(), entry("loge.toml", 2 << 20)], false, "absurd settings");
    }

    #[test]
    fn a_schema_with_an_unknown_step_is_newer() {
        let manifest = with(KeyState::Absent, vec![]);
        assert_eq!(manifest.unknown_step(&["m1"]), Some("m2"));
        assert_eq!(manifest.unknown_step(&["m1", "m2", "m3"]), None, "an older schema is brought up to date later");
    }
}
