//! What the owner wants in the logs.

use crate::{
    error::{StoreError, unreadable},
    open::{Store, Turn, commit},
    settings::{set_value, value},
};
use base::telemetry::LogLevel;
use serde::{Deserialize, Serialize};

const LOGGING: &str = "logging";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Logging {
    pub level: LogLevel,
    /// A line for each request, in a file of its own.
    pub requests: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    level: String,
    requests: bool,
}

impl Store {
    /// # Errors
    /// When the database cannot be read.
    pub async fn logging(&self) -> Result<Logging, StoreError> {
        let Some(text) = value(self.read(), LOGGING).await? else { return Ok(Logging::default()) };
        let stored: Stored = serde_json::from_str(&text).map_err(|_| unreadable(LOGGING, &text))?;
        let level = LogLevel::parse(&stored.level).ok_or_else(|| unreadable(LOGGING, &text))?;
        Ok(Logging { level, requests: stored.requests })
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_logging(&self, logging: Logging) -> Result<(), StoreError> {
        let stored = Stored { level: logging.level.as_str().into(), requests: logging.requests };
        // A text and a boolean: this cannot fail.
        let text = serde_json::to_string(&stored).unwrap_or_default();
        let transaction = self.write(Turn::Any, LOGGING).await?;
        set_value(&transaction, LOGGING, text).await?;
        commit(transaction, LOGGING).await
    }
}
