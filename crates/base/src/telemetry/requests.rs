//! A line for each request, for an owner who wants to know who asks for what. It holds no address
//! bar, no name, no ticket: a route is the pattern under which the program knows it.

use serde_json::json;
use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tracing_appender::non_blocking::NonBlocking;

/// What is written of a request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// When it was answered, as RFC 3339.
    pub timestamp: &'a str,
    pub method: &'a str,
    /// `/api/v1/titles/{id}`: the pattern and not the path.
    pub route: &'a str,
    pub status: u16,
    pub took_ms: u64,
    /// Who was signed in.
    pub user: Option<&'a str>,
}

/// Cloning gives another handle on the same log.
#[derive(Clone)]
pub struct RequestLog {
    is_on: Arc<AtomicBool>,
    writer: Option<NonBlocking>,
}

impl RequestLog {
    pub(super) fn new(writer: NonBlocking) -> Self {
        Self { is_on: Arc::default(), writer: Some(writer) }
    }

    pub(super) fn none() -> Self {
        Self { is_on: Arc::default(), writer: None }
    }

    /// Switches the log on or off; it is off at first.
    pub fn switch(&self, on: bool) {
        self.is_on.store(on, Ordering::Relaxed);
    }

    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Hands a line over and returns at once.
    pub fn write(&self, request: &Request<'_>) {
        let Some(writer) = self.writer.as_ref().filter(|_| self.is_on()) else { return };
        let Request { timestamp, method, route, status, took_ms, user } = request;
        let line = json!({
            "timestamp": timestamp, "method": method, "route": route, "status": status, "took_ms": took_ms, "user": user,
        });
        // In one piece: the writer counts and drops whole lines.
        let _ = writer.clone().write_all(format!("{line}\n").as_bytes());
    }
}
