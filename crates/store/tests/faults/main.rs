//! What is acknowledged is on the disk, whichever call to the file system fails when.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking and says why it was skipped")]

extern crate loge_store as store;

mod acknowledged;
mod small_disk;
mod subject;
mod vfs;
