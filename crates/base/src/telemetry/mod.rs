//! Logs: readable on the console, JSON in a file that is rotated by size, and, where the owner
//! wants it, a line for each request in a file of its own. No task ever waits for a line to be
//! written: a full disk, and a console that nothing reads, cost lines, which are counted.

mod file;
mod requests;

pub use file::RotatingFile;
pub use requests::{Request, RequestLog};

use file::Bounds;
use std::{
    io::{self, IsTerminal},
    path::Path,
    sync::Arc,
};
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, layer::SubscriberExt, registry::LookupSpan, reload, util::SubscriberInitExt,
};

const SERVER: Bounds = Bounds { file_bytes: 20 << 20, old_files: 4 };
const REQUESTS: Bounds = Bounds { file_bytes: 20 << 20, old_files: 2 };
/// How many lines may wait for the disk or for the console's reader; more are dropped.
const WAITING_LINES: usize = 8192;

/// Name of the newest file of the server's lines in the log folder: one JSON object a line.
pub const LOG_FILE: &str = "loge.json.log";
/// Name of the newest file of requests in the log folder: one JSON object a line.
pub const REQUESTS_FILE: &str = "requests.json.log";

/// Which lines are written: those of this kind and of the worse ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    /// Everything Loge itself has to say, each request among it. Libraries speak up to `info`.
    Debug,
}

impl LogLevel {
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// The library of each room is named without a prefix, so that the noisy ones are named here.
    fn filter(self) -> EnvFilter {
        const NOISY: &str = "hyper=info,hyper_util=info,h2=info,tower=info,sqlx=info,sea_orm=info,sea_orm_migration=info,\
             bollard=info,rustls=info,mio=info,notify=info,tokio=info,runtime=info,tao=info,wry=info,zbus=info,tracing=info";
        match self {
            Self::Debug => EnvFilter::new(format!("debug,{NOISY}")),
            other => EnvFilter::new(other.as_str()),
        }
    }
}

/// What can be changed about the logs while the house runs. Cloning gives another handle on the same.
#[derive(Clone)]
pub struct Logs {
    set_level: Arc<dyn Fn(LogLevel) + Send + Sync>,
    pub requests: RequestLog,
}

impl Logs {
    /// Changes which lines are written into the file from now on.
    pub fn set_level(&self, level: LogLevel) {
        (self.set_level)(level);
    }

    /// Logs that go nowhere, for tests.
    pub fn none() -> Self {
        Self { set_level: Arc::new(|_| {}), requests: RequestLog::none() }
    }
}

/// Keep it alive for as long as lines should be written.
pub struct Telemetry {
    _guards: Vec<WorkerGuard>,
    dropped: Vec<ErrorCounter>,
    logs: Logs,
}

impl Telemetry {
    /// Lines lost because a writer could not keep up.
    pub fn dropped_lines(&self) -> usize {
        self.dropped.iter().map(ErrorCounter::dropped_lines).sum()
    }

    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }
}

/// Installs the program's subscriber. `filter` is for the console and has the syntax of
/// `LOGE_LOG`, for instance `info,loges=debug`; an unreadable filter falls back to `info`. The
/// file begins with `info`. A second call changes nothing, so that tests may start several servers
/// in one process.
pub fn init(filter: &str, log_dir: Option<&Path>) -> Telemetry {
    let mut telemetry = Telemetry { _guards: Vec::new(), dropped: Vec::new(), logs: Logs::none() };
    let stderr = telemetry.beside(io::stderr());
    let Some(dir) = log_dir else {
        let _ = tracing_subscriber::registry().with(console(stderr, filter)).try_init();
        return telemetry;
    };
    let (level, handle) = reload::Layer::<EnvFilter, _>::new(LogLevel::default().filter());
    let json = tracing_subscriber::fmt::layer::<Registry>()
        .json()
        .flatten_event(true)
        .with_writer(telemetry.beside(RotatingFile::new(dir.join(LOG_FILE), SERVER)))
        .with_filter(level);
    let requests = RequestLog::new(telemetry.beside(RotatingFile::new(dir.join(REQUESTS_FILE), REQUESTS)));
    // Where this subscriber is not the one that was installed, there is nothing to change.
    let set_level = Arc::new(move |level: LogLevel| drop(handle.reload(level.filter())));
    telemetry.logs = Logs { set_level, requests };
    let _ = tracing_subscriber::registry().with(json).with(console(stderr, filter)).try_init();
    telemetry
}

fn console<S>(writer: NonBlocking, filter: &str) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .compact()
        .with_filter(EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info")))
}

impl Telemetry {
    /// Writes on a thread of its own: neither a disk nor a pipe holds up the task that logs.
    fn beside<W: io::Write + Send + 'static>(&mut self, writer: W) -> NonBlocking {
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES);
        let (writer, guard) = builder.finish(writer);
        self.dropped.push(writer.error_counter());
        self._guards.push(guard);
        writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_as_they_are_written() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
        }
        assert_eq!(LogLevel::parse("trace"), None);
    }

    /// Each level writes its own lines and the worse ones, at once after it was set.
    #[test]
    fn every_level_means_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let telemetry = init("off", Some(dir.path()));
        let logs = telemetry.logs();
        for level in LogLevel::ALL {
            logs.set_level(level);
            tracing::error!("{} error", level.as_str());
            tracing::warn!("{} warn", level.as_str());
            tracing::info!("{} info", level.as_str());
            tracing::debug!("{} debug", level.as_str());
            tracing::debug!(target: "hyper", "{} noise", level.as_str());
        }
        drop(telemetry); // Waits until all is written.
        let text = std::fs::read_to_string(dir.path().join(LOG_FILE)).unwrap();
        for level in LogLevel::ALL {
            for line in LogLevel::ALL {
                let is_there = text.contains(&format!("\"{} {}\"", level.as_str(), line.as_str()));
                assert_eq!(is_there, line <= level, "{} at {}", line.as_str(), level.as_str());
            }
        }
        assert!(!text.contains("noise"), "{text}");
    }
}
