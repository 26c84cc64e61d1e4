//! What the owner decided about backups, and what became of those that were made.

use crate::{
    error::{StoreError, reading, unreadable},
    open::{Store, Turn, commit},
    settings::{set_value, value},
};
use base::UnixMs;
use sea_orm::{ConnectionTrait, Statement};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

const PLAN: &str = "backup_plan";
const RECORD: &str = "backup_record";
const BACKUPS: &str = "backups";

/// When backups are made, and where copies of them go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupPlan {
    pub is_on: bool,
    /// Minutes after midnight, by the clock on the wall of the machine.
    pub at_minute: u16,
    pub places: Vec<BackupPlace>,
}

impl Default for BackupPlan {
    /// Each day at 03:30.
    fn default() -> Self {
        Self { is_on: true, at_minute: 3 * 60 + 30, places: Vec::new() }
    }
}

/// A folder, usually on another disk, that gets a copy of each backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlace {
    pub path: PathBuf,
    /// What tells this folder from all others, whatever disk is mounted there today.
    pub mark: String,
}

/// What became of the backups of this house.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupRecord {
    /// When backups began to be made by themselves; milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// The last one that the schedule asked for.
    pub last_try: Option<BackupTry>,
    pub last_proof: Option<BackupProof>,
    /// Names of the backups that were proven.
    pub proven: BTreeSet<String>,
    /// When the last good proof was.
    pub proven_ms: Option<i64>,
    /// By the mark of a place: names of the backups that were there when it was last looked at.
    pub copied: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupTry {
    pub at_ms: i64,
    /// What the owner reads where it failed.
    pub problem: Option<String>,
}

/// A backup was restored into a folder of its own, started, signed in to and watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupProof {
    pub at_ms: i64,
    pub backup: String,
    /// Name of the film that played; `None` where there was none that could.
    pub played: Option<String>,
    pub problem: Option<String>,
}

impl BackupRecord {
    /// Returns when a backup was last proven, or when waiting for the first proof began.
    pub fn proven_or_begun(&self) -> Option<UnixMs> {
        self.proven_ms.or(self.since_ms).map(UnixMs)
    }
}

impl Store {
    /// Returns when backups are made and where their copies go.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backup_plan(&self) -> Result<BackupPlan, StoreError> {
        let text = value(self.read(), PLAN).await?;
        text.map_or(Ok(BackupPlan::default()), |text| serde_json::from_str(&text).map_err(|_| unreadable(PLAN, &text)))
    }

    /// Changes the plan in one transaction with reading it, and returns the new one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_backup_plan(
        &self,
        change: impl FnOnce(&mut BackupPlan) + Send,
    ) -> Result<BackupPlan, StoreError> {
        self.change_backups(PLAN, change).await
    }

    /// Returns what became of the backups.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backup_record(&self) -> Result<BackupRecord, StoreError> {
        let text = value(self.read(), RECORD).await?;
        text.map_or(Ok(BackupRecord::default()), |text| {
            serde_json::from_str(&text).map_err(|_| unreadable(RECORD, &text))
        })
    }

    /// Changes the record in one transaction with reading it, and returns the new one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_backup_record(
        &self,
        change: impl FnOnce(&mut BackupRecord) + Send,
    ) -> Result<BackupRecord, StoreError> {
        self.change_backups(RECORD, change).await
    }

    async fn change_backups<T>(&self, name: &'static str, change: impl FnOnce(&mut T) + Send) -> Result<T, StoreError>
    where
        T: Default + Serialize + for<'de> Deserialize<'de> + Send + Sync,
    {
        let transaction = self.write(Turn::Settings, BACKUPS).await?;
        let mut all: T = match value(&transaction, name).await? {
            Some(text) => serde_json::from_str(&text).map_err(|_| unreadable(name, &text))?,
            None => T::default(),
        };
        change(&mut all);
        // A path that is no text would be lost here; callers refuse those.
        let text = serde_json::to_string(&all).map_err(|_| unreadable(name, "a path"))?;
        set_value(&transaction, name, text).await?;
        commit(transaction, BACKUPS).await?;
        Ok(all)
    }

    /// Returns what the owner can compare after a restore: how many people, libraries and titles there
    /// are. It asks for no column, so that it works with the schema of every version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut counts = BTreeMap::new();
        for table in ["users", "libraries", "titles"] {
            let sql =
                Statement::from_string(self.read().get_database_backend(), format!("SELECT count(*) FROM {table}"));
            let row = self.read().query_one_raw(sql).await.map_err(reading(BACKUPS))?;
            let count = row.and_then(|row| row.try_get_by_index::<i64>(0).ok()).unwrap_or_default();
            counts.insert(table.to_owned(), count.cast_unsigned());
        }
        Ok(counts)
    }
}
