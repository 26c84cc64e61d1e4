//! Looking after the house: schema, copies of the database, the audit chain, and what the
//! machine lacks.

use super::{chain, say};
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

async fn engine(config: &Config) -> Result<String, String> {
    use loges::runtime::docker::DockerRuntime;
    let runtime = DockerRuntime::new(config.docker_host.as_deref(), &config.worker_image, loges::RuntimeChoice::Docker)
        .map_err(|e| chain(&e))?;
    runtime.examine().await.map_err(|e| chain(&e))?;
    Ok(format!("an engine answers and has {}", config.worker_image))
}

/// One look at everything the house needs, without changing anything.
pub(crate) async fn doctor(config: &Config, json: bool) -> anyhow::Result<()> {
    let docker = engine(config).await;
    let checks = [
        ("worker", config.worker_binary.is_file(), config.worker_binary.display().to_string()),
        ("launcher", config.launcher_binary.is_file(), config.launcher_binary.display().to_string()),
        ("frames", config.frames_binary.is_file(), config.frames_binary.display().to_string()),
        ("docker", docker.is_ok(), docker.unwrap_or_else(|why| why)),
        ("data folder", config.data_dir.is_dir() || !config.data_dir.exists(), config.data_dir.display().to_string()),
    ];
    if json {
        let list: Vec<_> =
            checks.iter().map(|(name, ok, detail)| json!({ "name": name, "ok": ok, "detail": detail })).collect();
        say(&json!({ "checks": list }).to_string());
    } else {
        for (name, ok, detail) in &checks {
            say(&format!("{} {name}: {detail}", if *ok { "ok     " } else { "missing" }));
        }
    }
    Ok(())
}
