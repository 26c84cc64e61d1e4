//! Everything the house asks of its database, on SQLite in a fresh folder and, when
//! `LOGE_TEST_POSTGRES_URL` names a server, on PostgreSQL in a schema of its own.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and says why it was skipped")]

extern crate loge_store as store;

mod audit;
mod away;
mod browse;
mod ended_plays;
mod house;
mod libraries;
mod line;
mod looks;
mod lost_answers;
mod moving;
mod people;
mod renditions;
mod schema;
mod sessions;
mod timelines;
mod writing;
