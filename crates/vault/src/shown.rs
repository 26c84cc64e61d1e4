//! What the owner sees of the backups.

use backup::Kind;
use base::UnixMs;
use std::path::PathBuf;
use store::{BackupProof, BackupTry};

/// What is being done at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Work {
    #[default]
    Nothing,
    BackingUp,
    Copying,
    Proving,
}

impl Work {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "idle",
            Self::BackingUp => "backing_up",
            Self::Copying => "copying",
            Self::Proving => "proving",
        }
    }
}

/// Everything about the backups of the house.
#[derive(Debug, Clone)]
pub struct Shown {
    pub work: Work,
    /// False where the database is PostgreSQL, which brings its own tools.
    pub is_possible: bool,
    pub is_on: bool,
    pub at_minute: u16,
    /// `None` while the schedule is off.
    pub next_at: Option<UnixMs>,
    /// The house's own folder for them.
    pub folder: PathBuf,
    /// Whether the key of the house is sealed in backups that are made from now on.
    pub is_key_sealed: bool,
    /// Newest first.
    pub backups: Vec<ShownBackup>,
    pub places: Vec<PlaceShown>,
    pub last_try: Option<BackupTry>,
    pub last_proof: Option<BackupProof>,
    pub proven_at: Option<UnixMs>,
}

#[derive(Debug, Clone)]
pub struct ShownBackup {
    pub name: String,
    pub kind: Kind,
    pub made_at: UnixMs,
    pub size_bytes: u64,
    pub is_proven: bool,
    pub is_here: bool,
    /// Marks of the places that had it when they were last looked at.
    pub places: Vec<String>,
}

/// A folder that gets copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceShown {
    pub path: PathBuf,
    pub mark: String,
    /// Backups that wait to be copied there.
    pub waiting: usize,
    /// `None` until it was looked at in this run.
    pub free_bytes: Option<u64>,
    /// What is in the way; what the owner reads.
    pub problem: Option<String>,
}
