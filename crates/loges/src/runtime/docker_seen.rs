//! What is known of the engine: its own words, and what came of them.

use super::{
    docker_parent::{Driver, Together},
    docker_walls,
};
use crate::words::IsolationItem;

/// What the engine last said about itself.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) version: Option<String>,
    pub(super) detail: String,
    pub(super) isolation: Vec<IsolationItem>,
    pub(super) advice: Option<String>,
    /// Uids inside are not uids outside.
    pub(super) remapped: bool,
    pub(super) rootless: bool,
    /// What the newest container had that it was not asked to have.
    pub(super) deviated: Option<String>,
    /// What it says it leaves out of every container.
    pub(super) left_out: Vec<&'static str>,
    pub(super) driver: Option<Driver>,
    /// The folder of its own, with images and volumes.
    pub(super) root: Option<String>,
    /// What all loges together may take; `None` where the engine takes no parent for them.
    pub(super) together: Option<Together>,
    /// Why that could not be said to the kernel; `None` before the first start.
    pub(super) limited: Option<Result<(), String>>,
    /// The newest container has the graphics chip.
    pub(super) has_chip: bool,
}

impl Seen {
    /// Returns what the engine says it can build. Whether a container is made as asked is looked at when it is there.
    pub(super) fn promised(&self) -> Vec<IsolationItem> {
        self.isolation.iter().cloned().chain([docker_walls::made(None)]).collect()
    }

    pub(super) fn isolation(&self) -> Vec<IsolationItem> {
        // Without an engine there is nothing to say about its containers.
        let made = self.version.as_ref().map(|_| docker_walls::made(self.deviated.as_deref()));
        let together = self.version.as_ref().and_then(|_| docker_walls::together(self.together, self.limited.as_ref()));
        self.isolation.iter().cloned().chain(made).chain(together).chain(docker_walls::chip(self.has_chip)).collect()
    }
}
