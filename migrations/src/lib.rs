//! The history of the schema, written once for SQLite and PostgreSQL.
//!
//! A migration is a letter from the past: plain SQL that imports nothing that can change. Every
//! step runs in one transaction and goes up and down.

use sea_orm_migration::prelude::{MigrationTrait, async_trait};
pub use sea_orm_migration::prelude::{MigratorTrait, SchemaManager};

mod m2026_11_24_000001_spine;
mod m2026_11_25_000002_timelines;
mod m2026_11_25_000003_looks;
mod m2026_11_25_000004_renditions;
mod m2026_11_27_000005_heard;
mod m2026_12_01_000006_device_secret;
mod m2026_12_01_000009_folder_identity;
mod m2026_12_01_000010_job_note;
mod m2026_12_01_000011_permission;
mod m2026_12_01_000012_ended_plays;
mod m2026_12_01_000013_look_again;
mod m2026_12_01_000016_sidecar_names;

/// All steps, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m2026_11_24_000001_spine::Migration),
            Box::new(m2026_11_25_000002_timelines::Migration),
            Box::new(m2026_11_25_000003_looks::Migration),
            Box::new(m2026_11_25_000004_renditions::Migration),
            Box::new(m2026_11_27_000005_heard::Migration),
            Box::new(m2026_12_01_000006_device_secret::Migration),
            Box::new(m2026_12_01_000009_folder_identity::Migration),
            Box::new(m2026_12_01_000010_job_note::Migration),
            Box::new(m2026_12_01_000011_permission::Migration),
            Box::new(m2026_12_01_000012_ended_plays::Migration),
            Box::new(m2026_12_01_000013_look_again::Migration),
            Box::new(m2026_12_01_000016_sidecar_names::Migration),
        ]
    }
}

/// Names of all steps this version knows; a database with others was made by a newer one.
pub fn known_steps() -> Vec<String> {
    Migrator::migrations().iter().map(|m| m.name().to_owned()).collect()
}
