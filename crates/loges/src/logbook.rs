//! What workers said before they ended. A container's own log goes with the container; its last
//! lines are kept here, one small file per tenant, so that its owner can read tomorrow why
//! something broke tonight.

use base::UnixMs;
use domain::Tenant;
use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};
use tracing::warn;

/// Of one end.
pub const KEPT_LINES: usize = 200;
/// Of one file; the one before it is kept too.
const MOST_BYTES: u64 = 256 << 10;
/// A tenant that nobody heard of for this long is forgotten.
const FORGOTTEN_AFTER_MS: i64 = 30 * 86_400_000;

#[derive(Debug, Clone)]
pub struct Logbook {
    /// `None` keeps nothing.
    dir: Option<PathBuf>,
}

impl Logbook {
    /// Forgets tenants who have long been gone.
    pub fn open(dir: Option<PathBuf>, now: UnixMs) -> Self {
        if let Some(dir) = &dir {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let written = entry.metadata().and_then(|m| m.modified()).ok();
                let age = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let at = age.map_or(now.0, |age| i64::try_from(age.as_millis()).unwrap_or(now.0));
                if now.0.saturating_sub(at) > FORGOTTEN_AFTER_MS {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Self { dir }
    }

    /// Lines are escaped already. A disk that takes nothing costs a warning, never a loge.
    pub async fn keep(&self, tenant: &Tenant, when: UnixMs, why: &str, lines: Vec<String>) {
        let Some(path) = self.file(tenant) else { return };
        let at = jiff::Timestamp::from_millisecond(when.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let mut text = String::new();
        for line in lines.iter().skip(lines.len().saturating_sub(KEPT_LINES)) {
            text.push_str(line);
            text.push('\n');
        }
        let _ = writeln!(text, "{at} ended: {}", crate::runtime::escape_line(why.as_bytes()));
        let written = tokio::task::spawn_blocking(move || append(&path, text.as_bytes())).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(e)) => warn!("the last words of {tenant} cannot be kept: {e}"),
            Err(e) => warn!("the last words of {tenant} cannot be kept: {e}"),
        }
    }

    /// The newest lines of earlier generations, oldest first.
    pub async fn earlier(&self, tenant: &Tenant, tail: usize) -> Vec<String> {
        let Some(path) = self.file(tenant) else { return Vec::new() };
        let read = tokio::task::spawn_blocking(move || {
            let mut text = end_of(&older(&path)).unwrap_or_default();
            text.push_str(&end_of(&path).unwrap_or_default());
            text
        });
        let text = read.await.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(tail)..].iter().map(|line| (*line).to_owned()).collect()
    }

    fn file(&self, tenant: &Tenant) -> Option<PathBuf> {
        // An id is hexadecimal, the house is "house".
        Some(self.dir.as_ref()?.join(format!("{tenant}.log")))
    }
}

fn older(path: &std::path::Path) -> PathBuf {
    path.with_extension("log.1")
}

fn append(path: &PathBuf, text: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    if fs::metadata(path).is_ok_and(|m| m.len() + text.len() as u64 > MOST_BYTES) {
        fs::rename(path, older(path))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?.write_all(text)
}

fn end_of(path: &PathBuf) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::UserId;

    #[tokio::test]
    async fn last_words_are_kept_apart_and_never_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let book = Logbook::open(Some(dir.path().join("l")), UnixMs(0));
        let (ana, house) = (Tenant::User(UserId::from_random([1; 16])), Tenant::House);
        assert_eq!(book.earlier(&ana, 10).await, Vec::<String>::new());
        let when = UnixMs(1_800_000_000_000);
        book.keep(&ana, when, "it ended\nwith code 139", vec!["one".into(), "two".into()]).await;
        book.keep(&house, when, "idle", vec![]).await;
        let told = book.earlier(&ana, 10).await;
        assert_eq!(told, ["one", "two", "2027-01-15T08:00:00Z ended: it ended\\nwith code 139"]);
        assert_eq!(book.earlier(&ana, 1).await.len(), 1);
        assert_eq!(book.earlier(&house, 10).await, ["2027-01-15T08:00:00Z ended: idle"]);
        for n in 0..200 {
            book.keep(&ana, when, "again", vec![format!("{n} {}", "x".repeat(400)); 20]).await;
        }
        let bytes: u64 =
            fs::read_dir(dir.path().join("l")).unwrap().flatten().map(|e| e.metadata().unwrap().len()).sum();
        assert!(bytes <= 2 * MOST_BYTES + 100, "{bytes}");
        let told = book.earlier(&ana, 2).await;
        assert!(told[0].starts_with("199 x") && told[1].ends_with("ended: again"), "{told:?}");

        // Nobody heard of them for long.
        Logbook::open(Some(dir.path().join("l")), UnixMs(i64::MAX));
        assert_eq!(book.earlier(&ana, 10).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_costs_nothing() {
        let book = Logbook::open(Some("/proc/nowhere".into()), UnixMs(0));
        book.keep(&Tenant::House, UnixMs(0), "idle", vec![]).await;
        assert_eq!(book.earlier(&Tenant::House, 9).await, Vec::<String>::new());
        Logbook::open(None, UnixMs(0)).keep(&Tenant::House, UnixMs(0), "idle", vec![]).await;
    }
}
