//! Limits of the house's own loge, which belongs to no person and so has no row of theirs.

use crate::{
    error::{StoreError, unreadable},
    open::{Store, Turn, commit},
    settings::{set_value, value},
};
use domain::LogeLimits;
use serde::Deserialize;

const NAME: &str = "house_limits";
const LIMITS: &str = "limits";

#[derive(Deserialize)]
struct Stored {
    memory_bytes: u64,
    cpu_millis: u32,
    pids: u32,
}

impl Store {
    /// Returns what the owner set, and what the house begins with unless others were set.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn house_limits(&self) -> Result<LogeLimits, StoreError> {
        let Some(text) = value(self.read(), NAME).await? else { return Ok(LogeLimits::HOUSE) };
        let Stored { memory_bytes, cpu_millis, pids } =
            serde_json::from_str(&text).map_err(|_| unreadable(LIMITS, &text))?;
        Ok(LogeLimits { memory_bytes, cpu_millis, pids })
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_house_limits(&self, limits: LogeLimits) -> Result<(), StoreError> {
        let LogeLimits { memory_bytes, cpu_millis, pids } = limits;
        let stored = serde_json::json!({ "memory_bytes": memory_bytes, "cpu_millis": cpu_millis, "pids": pids });
        let transaction = self.write(Turn::Any, LIMITS).await?;
        set_value(&transaction, NAME, stored.to_string()).await?;
        commit(transaction, LIMITS).await
    }
}
