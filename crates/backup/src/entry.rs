//! The closed list of what may lie in a backup.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// The name of one entry of a backup. Every name is a plain relative path: it cannot leave the folder
/// it is unpacked into, whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryName {
    /// `house.key`. First, so that a wrong passphrase is found before gigabytes are unpacked.
    Key,
    /// `loge.toml`.
    Config,
    /// `images.json`: names and digests of the worker images.
    Images,
    /// `database`: a SQLite file, or what `pg_dump` wrote.
    Database,
    /// `audit/…`: old lines of the audit log, which are in no database any more.
    Audit(String),
    /// `artwork/…`: pictures the owner chose.
    Artwork(String),
}

const AUDIT: &str = "audit/";
const ARTWORK: &str = "artwork/";
/// A name fits the name field of a plain tar header, so that none needs an extension of the format.
const LONGEST_BYTES: usize = 100;
const DEEPEST: usize = 4;

const MIB: u64 = 1 << 20;

impl EntryName {
    /// Reads a name as it stands in a backup. `None`: nothing of ours has this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST_BYTES {
            return None;
        }
        match text {
            "house.key" => Some(Self::Key),
            "loge.toml" => Some(Self::Config),
            "images.json" => Some(Self::Images),
            "database" => Some(Self::Database),
            _ => {
                if let Some(rest) = text.strip_prefix(AUDIT) {
                    is_plain_path(rest).then(|| Self::Audit(rest.into()))
                } else {
                    let rest = text.strip_prefix(ARTWORK)?;
                    is_plain_path(rest).then(|| Self::Artwork(rest.into()))
                }
            }
        }
    }

    /// Returns the size beyond which an entry of this name is not ours, so that a forged backup cannot
    /// make Loge read for hours or hold more than this in memory.
    pub(crate) const fn largest_bytes(&self) -> u64 {
        match self {
            Self::Key => MIB / 16,
            Self::Config => MIB,
            Self::Images => 16 * MIB,
            Self::Artwork(_) => 256 * MIB,
            Self::Audit(_) => 4096 * MIB,
            Self::Database => MIB * MIB,
        }
    }
}

/// Letters, digits, `.`, `-` and `_`; no part begins with a dot or a dash.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    path.split('/').count() <= DEEPEST && path.split('/').all(is_plain)
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("house.key"),
            Self::Config => f.write_str("loge.toml"),
            Self::Images => f.write_str("images.json"),
            Self::Database => f.write_str("database"),
            Self::Audit(rest) => write!(f, "{AUDIT}{rest}"),
            Self::Artwork(rest) => write!(f, "{ARTWORK}{rest}"),
        }
    }
}

impl Serialize for EntryName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a name of an entry"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_the_list_are_taken() {
        for good in ["house.key", "loge.toml", "images.json", "database", "audit/2026.jsonl", "artwork/a/b/c/d-1_2.jpg"]
        {
            assert_eq!(EntryName::parse(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        let long = format!("artwork/{}", "a".repeat(93));
        for bad in [
            "",
            "/",
            ".",
            "..",
            "Database",
            "database/",
            "/database",
            "./database",
            "manifest.json",
            "loge.db",
            "artwork",
            "artwork/",
            "artwork//a",
            "artwork/../a",
            "artwork/a/../../b",
            "artwork/..",
            "artwork/.hidden",
            "artwork/-rf",
            "artwork/a b",
            "artwork/a\\b",
            "artwork/a\0",
            "artwork/ä",
            "artwork/a/b/c/d/e",
            "audit/../database",
            "artwork/a\n",
            "C:/database",
            &long,
        ] {
            assert_eq!(EntryName::parse(bad), None, "{bad:?}");
        }
    }
}
