//! Old lines of the audit log in files: one JSON object a line, each with the hash that seals it, so
//! that the chain is whole from the first line on. A file holds a run of lines and carries their
//! numbers in its name. Everything here waits for the disk.

use crate::{
    audit::{AuditBroken, AuditEntry, AuditRow, SealedRow, seal},
    error::StoreError,
    open::Store,
};
use base::UnixMs;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

const ENDING: &str = "jsonl";
/// Longer than the longest line there can be.
const MAX_LINE_BYTES: usize = 16 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at_ms: i64,
    actor: String,
    action: String,
    target: Option<String>,
    result: String,
    address: Option<String>,
    hash: String,
}

/// Old lines could not be moved into a file. They are in the database still.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveAudit {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
}

impl Store {
    /// Moves the `count` oldest lines of the audit log into a file of `folder`, when at least
    /// `keep` newer ones stay. Returns how many lines moved. The file is on disk before a line is
    /// removed, and the same lines make the same file if that is cut short.
    ///
    /// # Errors
    /// [`ArchiveAudit`]; then no line was removed.
    pub async fn archive_audit(&self, folder: &Path, count: u64, keep: u64) -> Result<u64, ArchiveAudit> {
        let rows = self.oldest_audit(count, keep).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last().cloned()) else { return Ok(0) };
        let path = folder.join(format!("{:010}-{:010}.{ENDING}", first.row.seq, last.row.seq));
        let moved = rows.len() as u64;
        let to = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&to, &rows)).await.map_err(io::Error::other);
        written.flatten().map_err(|source| ArchiveAudit::Write { path, source })?;
        Ok(if self.forget_audit_through(&last).await? { moved } else { 0 })
    }

    /// Reads all files of `folder` and checks that they lead, without a gap, from the first line
    /// ever written to the first one in the database. Returns how many lines they hold.
    ///
    /// # Errors
    /// [`AuditBroken`] names the file or the line that is not as it was written.
    pub async fn verify_audit_archive(&self, folder: &Path) -> Result<u64, AuditBroken> {
        let base = self.audit_base().await?;
        let folder = folder.to_owned();
        let walked = tokio::task::spawn_blocking(move || {
            let (seq, hash) = walk(&folder, base.seq)?;
            if seq < base.seq {
                return Err(AuditBroken::ArchiveMissing { from: seq + 1, to: base.seq, folder });
            }
            if hash == base.hash { Ok(seq) } else { Err(AuditBroken::Changed { seq }) }
        });
        walked.await.map_err(|e| AuditBroken::ReadArchive { path: PathBuf::new(), source: io::Error::other(e) })?
    }
}

fn write(path: &Path, rows: &[SealedRow]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let half = path.with_extension("half");
    let mut out = BufWriter::new(File::create(&half)?);
    for SealedRow { row, hash } in rows {
        let AuditEntry { actor, action, target, result, address } = row.entry.clone();
        let hash = URL_SAFE_NO_PAD.encode(hash);
        let line = Line { seq: row.seq, at_ms: row.at.0, actor, action, target, result, address, hash };
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    // A house that went back to a copy writes these lines once more, and others.
    if fs::read(path).is_ok_and(|there| fs::read(&half).is_ok_and(|new| new != there)) {
        fs::rename(path, path.with_extension("replaced"))?;
    }
    fs::rename(&half, path)?;
    File::open(folder)?.sync_all()
}

/// Number and hash of the last line up to `end`, as far as files follow each other without a gap.
fn walk(folder: &Path, end: u64) -> Result<(u64, Vec<u8>), AuditBroken> {
    let (mut last, mut before) = (0, Vec::new());
    while last < end
        && let Some(path) = beginning_at(folder, last + 1)?
    {
        let unreadable = || AuditBroken::ArchiveUnreadable { path: path.clone() };
        let failed = |source| AuditBroken::ReadArchive { path: path.clone(), source };
        let mut lines = BufReader::new(File::open(&path).map_err(failed)?);
        loop {
            let mut text = Vec::new();
            io::Read::take(&mut lines, MAX_LINE_BYTES as u64).read_until(b'\n', &mut text).map_err(failed)?;
            if text.is_empty() {
                break;
            }
            let line: Line = serde_json::from_slice(&text).map_err(|_| unreadable())?;
            let hash = URL_SAFE_NO_PAD.decode(&line.hash).map_err(|_| unreadable())?;
            let Line { seq, at_ms, actor, action, target, result, address, .. } = line;
            let row = AuditRow { seq, at: UnixMs(at_ms), entry: AuditEntry { actor, action, target, result, address } };
            if seq != last + 1 || hash != seal(&before, seq.cast_signed(), at_ms, &row.entry) {
                return Err(AuditBroken::Changed { seq: last + 1 });
            }
            (last, before) = (seq, hash);
        }
    }
    Ok((last, before))
}

/// The file whose first line has this number. Where two have, the longer one: a run that was cut
/// short before its lines were removed may have been a shorter one.
fn beginning_at(folder: &Path, first: u64) -> Result<Option<PathBuf>, AuditBroken> {
    let failed = |source| AuditBroken::ReadArchive { path: folder.to_owned(), source };
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut paths = Vec::new();
    for entry in found {
        let path = entry.map_err(failed)?.path();
        let is_wanted = path.extension().is_some_and(|ending| ending == ENDING)
            && path.file_stem().and_then(|stem| stem.to_str()?.split_once('-')?.0.parse().ok()) == Some(first);
        if is_wanted {
            paths.push(path);
        }
    }
    Ok(paths.into_iter().max())
}
