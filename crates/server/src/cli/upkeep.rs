//! Looking after the house: schema, copies of the database, and the audit chain.

use super::say;
use base::{Clock, SystemClock};
use clap::Subcommand;
use serde_json::json;
use server::{Config, StartError};
use std::sync::Arc;
use store::{AsIs, Store};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Check that no line of the log was changed or removed
    Verify,
}

/// Opens the database as it is: a server of another version may be running on it, so that no verb but
/// `migrate` changes its schema.
pub(crate) async fn open(config: &Config, wanted: AsIs) -> Result<Store, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Store::open_as_is(config.database(), clock, wanted).await?)
}

pub(crate) async fn audit(config: &Config, verb: &AuditVerb, json: bool) -> anyhow::Result<()> {
    let AuditVerb::Verify = verb;
    let store = open(config, AsIs::Exact).await?;
    // In this order: what moves into a file meanwhile is in one or the other.
    let entries = store.verify_audit().await?;
    store.verify_audit_archive(&base::Dirs::at(&config.data_dir).audit()).await?;
    say(&if json {
        json!({ "entries": entries, "intact": true }).to_string()
    } else {
        format!("{entries} entries, all as they were written")
    });
    store.close().await;
    Ok(())
}

/// Brings the database to this version's schema, unless a server runs on it. A file is copied first.
pub(crate) async fn migrate(config: &Config, json: bool) -> anyhow::Result<()> {
    server::migrate(config).await?;
    say(&if json { json!({ "migrated": true }).to_string() } else { "the database has this version's schema".into() });
    Ok(())
}
