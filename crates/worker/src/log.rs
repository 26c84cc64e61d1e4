//! Lines for the gateway's log, on standard error: one line each, printable, and never many.

use std::{
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

/// A burst of this many lines, then one a second. A worker that is made to fail must not be able
/// to fill a disk with its complaints.
const BURST: u32 = 20;
const REFILL: Duration = Duration::from_secs(1);
const MAX_CHARS: usize = 300;

struct Bucket {
    lines: u32,
    since: Option<Instant>,
    dropped: u64,
}

static BUCKET: Mutex<Bucket> = Mutex::new(Bucket { lines: BURST, since: None, dropped: 0 });

/// Writes one line, cut and without control characters, or drops it.
pub fn line(text: &str) {
    let Some(dropped) = take() else { return };
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect();
    let line = match dropped {
        0 => format!("loge-worker: {clean}\n"),
        n => format!("loge-worker: {clean} ({n} lines dropped before this one)\n"),
    };
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A permit with the number of lines dropped since the last one.
fn take() -> Option<u64> {
    let mut bucket = BUCKET.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    let since = *bucket.since.get_or_insert(now);
    let earned = u32::try_from(now.duration_since(since).as_secs() / REFILL.as_secs()).unwrap_or(BURST);
    if earned > 0 {
        bucket.lines = bucket.lines.saturating_add(earned).min(BURST);
        bucket.since = Some(now);
    }
    if bucket.lines == 0 {
        bucket.dropped += 1;
        return None;
    }
    bucket.lines -= 1;
    Some(std::mem::take(&mut bucket.dropped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut() {
        let given = (0..10_000).filter(|_| take().is_some()).count();
        assert!(given <= BURST as usize + 2, "{given}");
    }
}
