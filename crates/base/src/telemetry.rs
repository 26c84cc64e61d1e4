//! Logs: readable on the console, JSON in a file that is rotated by size. A full log disk never
//! stops the house; lines that could not be written are counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Each log file's size, and how many old ones are kept.
const FILE_BYTES: u64 = 20 << 20;
const OLD_FILES: u32 = 4;

/// Name of the newest file in the log folder: one JSON object a line.
pub const LOG_FILE: &str = "loge.json.log";

/// Keep it alive for as long as lines should be written.
pub struct Telemetry {
    _guard: Option<WorkerGuard>,
    dropped: Option<ErrorCounter>,
}

impl Telemetry {
    /// Lines lost because the writer could not keep up.
    pub fn dropped_lines(&self) -> usize {
        self.dropped.as_ref().map_or(0, ErrorCounter::dropped_lines)
    }
}

/// Installs the program's subscriber. `filter` has the syntax of `LOGE_LOG`, for instance
/// `info,loge_loges=debug`; an unreadable filter falls back to `info`. A second call changes
/// nothing, so that tests may start several servers in one process.
pub fn init(filter: &str, log_dir: Option<&Path>) -> Telemetry {
    let console = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false)
        .compact()
        .with_filter(EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info")));
    let file = log_dir.and_then(|dir| RotatingFile::open(dir.join(LOG_FILE), FILE_BYTES, OLD_FILES).ok());
    match file {
        Some(file) => {
            let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(file);
            let dropped = writer.error_counter();
            let json = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(writer)
                .with_filter(EnvFilter::new("info"));
            let _ = tracing_subscriber::registry().with(console).with(json).try_init();
            Telemetry { _guard: Some(guard), dropped: Some(dropped) }
        }
        None => {
            let _ = tracing_subscriber::registry().with(console).try_init();
            Telemetry { _guard: None, dropped: None }
        }
    }
}

/// A file that starts anew at `limit` bytes and keeps `old` predecessors as `name.1`, `name.2`…
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
    old: u32,
}

impl RotatingFile {
    /// # Errors
    /// When the file cannot be opened for appending.
    pub fn open(path: PathBuf, limit: u64, old: u32) -> io::Result<Self> {
        let file = open_append(&path)?;
        let written = file.metadata()?.len();
        Ok(Self { path, file, written, limit, old })
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        name.into()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..self.old).rev() {
            let _ = std::fs::rename(self.numbered(n), self.numbered(n + 1));
        }
        std::fs::rename(&self.path, self.numbered(1))?;
        self.file = open_append(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + bytes.len() as u64 > self.limit {
            // A rename that fails (full or read-only disk) must not lose the line as well.
            let _ = self.rotate();
        }
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_bounded() {
        let dir = std::env::temp_dir().join(format!("loge-rotate-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut log = RotatingFile::open(dir.join("x.log"), 100, 2).unwrap();
        for _ in 0..50 {
            log.write_all(&[b'x'; 30]).unwrap();
        }
        let sizes: Vec<u64> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|s| *s <= 100), "{sizes:?}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
