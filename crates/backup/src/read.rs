//! Opening a backup and reading it back.
//!
//! Nothing in the file is believed: it may be damaged, cut off, or made by somebody who wants to write
//! outside the folder it is unpacked into. Costs: 8 MiB of window and the manifest, whatever the file
//! claims to hold.

use crate::{
    frame::{HEAD_READ_BYTES, Head, NoHead, TAIL_BYTES, Tail, WHOLE_SUM_BYTES},
    manifest::{Entry, FORMAT, Manifest},
    sum::{Sum, Summing},
    write::MANIFEST,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Take},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// About 100,000 pieces of artwork.
const LARGEST_MANIFEST_BYTES: u64 = 16 << 20;
/// 8 MiB. Our own writer needs 2 MiB.
const LARGEST_WINDOW_LOG: u32 = 23;

const TAR_BLOCK_BYTES: u64 = 512;

/// What is wrong with a file that should be a backup. [`Self::sentence`] is for its owner.
#[derive(Debug, thiserror::Error)]
pub enum ReadBackupError {
    #[error("open the backup {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("read the backup {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("not a backup of Loge")]
    Foreign,
    /// Its end is missing.
    #[error("the backup is cut off")]
    Half,
    /// A part of it is not what was written.
    #[error("the backup is damaged in {part}")]
    Damaged { part: String },
    #[error("the backup has a newer {what}, of Loge {program_version}")]
    Newer { what: Newer, program_version: String },
}

/// What of a backup is newer than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newer {
    Format,
    Schema,
}

impl std::fmt::Display for Newer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Format => "form",
            Self::Schema => "schema",
        })
    }
}

/// A backup whose manifest was read and is whole. The entries are not looked at before [`Self::verify`]
/// or [`Self::stage`].
#[derive(Debug)]
pub struct Backup {
    body: Body,
    manifest: Manifest,
}

/// The file, and where in it what lies.
#[derive(Debug)]
struct Body {
    file: File,
    path: PathBuf,
    size_bytes: u64,
    head_bytes: u64,
    tail: Tail,
}

/// What was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub entries: usize,
    pub unpacked_bytes: u64,
}

impl Backup {
    /// Opens a backup and reads its manifest. Takes milliseconds, however large the file is.
    ///
    /// # Errors
    /// When it cannot be read, is none, is cut off, is of a newer form, or its manifest is damaged.
    pub fn open(path: &Path) -> Result<Self, ReadBackupError> {
        let unopened = |source| ReadBackupError::Open { path: path.into(), source };
        // Without this a pipe of that name would be waited for without end.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(unopened)?;
        let about = file.metadata().map_err(unopened)?;
        if !about.is_file() {
            return Err(ReadBackupError::Foreign);
        }
        let size_bytes = about.len();
        let unread = |source| ReadBackupError::Read { path: path.into(), source };
        let mut start = Vec::new();
        At { file: &file, at: 0 }.take(HEAD_READ_BYTES as u64).read_to_end(&mut start).map_err(unread)?;
        let (head, head_bytes) = Head::parse(&start).map_err(|none| match none {
            NoHead::Foreign => ReadBackupError::Foreign,
            NoHead::Short => ReadBackupError::Half,
            NoHead::Damaged => damaged("its first bytes"),
        })?;
        if head.format > FORMAT {
            let program_version = head.program_version;
            return Err(ReadBackupError::Newer { what: Newer::Format, program_version });
        }
        let head_bytes = head_bytes as u64;
        let body_end = size_bytes.checked_sub(TAIL_BYTES as u64).filter(|end| *end >= head_bytes);
        let mut end = [0; TAIL_BYTES];
        file.read_exact_at(&mut end, body_end.ok_or(ReadBackupError::Half)?).map_err(unread)?;
        let tail = Tail::parse(&end).ok_or(ReadBackupError::Half)?;
        let body = Body { file, path: path.into(), size_bytes, head_bytes, tail };
        let manifest = body.manifest()?;
        if manifest.program_version != head.program_version || manifest.format != head.format {
            return Err(damaged("its first bytes"));
        }
        Ok(Self { body, manifest })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
    pub fn path(&self) -> &Path {
        &self.body.path
    }
    pub fn size_bytes(&self) -> u64 {
        self.body.size_bytes
    }

    /// Refuses a backup whose database only a newer Loge can read.
    ///
    /// # Errors
    /// [`ReadBackupError::Newer`] when its schema has a step that is not among `known`.
    pub fn refuse_newer_schema(&self, known: &[&str]) -> Result<(), ReadBackupError> {
        match self.manifest.unknown_step(known) {
            None => Ok(()),
            Some(_) => {
                let program_version = self.manifest.program_version.clone();
                Err(ReadBackupError::Newer { what: Newer::Schema, program_version })
            }
        }
    }

    /// Reads everything back and compares every count and sum.
    ///
    /// # Errors
    /// When a byte of the file is not what was written.
    pub fn verify(&self) -> Result<Verified, ReadBackupError> {
        let mut done = Verified { entries: 0, unpacked_bytes: 0 };
        self.each(&mut |piece| {
            match piece {
                Piece::Begin(_) => {}
                Piece::Bytes(bytes) => done.unpacked_bytes += bytes.len() as u64,
                Piece::End(_) => done.entries += 1,
            }
            Ok::<_, ReadBackupError>(())
        })?;
        Ok(done)
    }

    /// Walks through all entries. `take` gets the bytes of an entry before its sum is known to be right
    /// ([`Piece::End`]), and may count on everything only when this returns `Ok`.
    pub(crate) fn each<E: From<ReadBackupError>>(
        &self,
        take: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.body.each(&self.manifest.entries, take)
    }
}

impl Body {
    fn each<E: From<ReadBackupError>>(
        &self,
        entries: &[Entry],
        take: &mut dyn FnMut(Piece<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let raw = Summing::new(At { file: &self.file, at: 0 }.take(self.size_bytes - WHOLE_SUM_BYTES as u64));
        let mut raw = BufReader::with_capacity(128 << 10, raw);
        let part = "its first bytes";
        io::copy(&mut raw.by_ref().take(self.head_bytes), &mut io::sink()).map_err(|e| self.broken(e, part))?;
        let mut tar = tar::Archive::new(unpacking(raw).map_err(|e| self.broken(e, part))?);
        let mut lying = tar.entries().map_err(|e| self.broken(e, part))?.raw(true);
        let mut buffer = vec![0; 64 << 10];
        let expected = std::iter::once(None).chain(entries.iter().map(Some));
        for entry in expected {
            let part = entry.map_or_else(|| MANIFEST.into(), |entry| entry.path.to_string());
            let Some(found) = lying.next() else { return Err(damaged(&part).into()) };
            let mut found = found.map_err(|e| self.broken(e, &part))?;
            let size_bytes = entry.map_or(LARGEST_MANIFEST_BYTES, |entry| entry.size_bytes);
            let is_expected = is_plain_file(&found)
                && found.path_bytes() == part.as_bytes()
                && (found.size() == size_bytes || entry.is_none() && found.size() <= size_bytes);
            if !is_expected {
                return Err(damaged(&part).into());
            }
            if let Some(entry) = entry {
                take(Piece::Begin(entry))?;
            }
            let mut sum = Summing::new(io::sink());
            let mut left_bytes = found.size();
            while left_bytes > 0 {
                let count = match found.read(&mut buffer) {
                    Ok(0) => return Err(damaged(&part).into()),
                    Ok(count) => count,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => return Err(self.broken(e, &part).into()),
                };
                let _ = io::Write::write(&mut sum, &buffer[..count]);
                left_bytes = left_bytes.saturating_sub(count as u64);
                if entry.is_some() {
                    take(Piece::Bytes(&buffer[..count]))?;
                }
            }
            if sum.sum() != entry.map_or(self.tail.manifest, |entry| entry.sha256) {
                return Err(damaged(&part).into());
            }
            if let Some(entry) = entry {
                take(Piece::End(entry))?;
            }
        }
        let part = "its last bytes";
        if let Some(more) = lying.next() {
            more.map_err(|e| self.broken(e, part))?;
            return Err(damaged("an entry that its manifest does not name").into());
        }
        self.end_of(tar.into_inner(), part).map_err(E::from)
    }

    /// Checks that nothing follows but the tail, and the sum of the whole.
    fn end_of(&self, mut body: Unpacking<'_>, part: &str) -> Result<(), ReadBackupError> {
        // A tar ends with two empty blocks; the first has been read.
        let mut blocks = Vec::new();
        body.by_ref().take(2 * TAR_BLOCK_BYTES).read_to_end(&mut blocks).map_err(|e| self.broken(e, part))?;
        if blocks != [0; TAR_BLOCK_BYTES as usize] {
            return Err(damaged(part));
        }
        let mut raw = body.finish();
        let mut rest = Vec::new();
        raw.by_ref().take(TAIL_BYTES as u64).read_to_end(&mut rest).map_err(|e| self.broken(e, part))?;
        let is_end = rest == Tail::start(self.tail.manifest) && raw.fill_buf().is_ok_and(<[u8]>::is_empty);
        if is_end && raw.into_inner().sum() == self.tail.whole { Ok(()) } else { Err(damaged(part)) }
    }

    fn manifest(&self) -> Result<Manifest, ReadBackupError> {
        let broken = |e| self.broken(e, MANIFEST);
        let body_bytes = self.size_bytes - TAIL_BYTES as u64 - self.head_bytes;
        let raw = Summing::new(At { file: &self.file, at: self.head_bytes }.take(body_bytes));
        let mut tar = tar::Archive::new(unpacking(BufReader::new(raw)).map_err(broken)?);
        let first = tar.entries().map_err(broken)?.raw(true).next();
        let first = first.ok_or_else(|| damaged(MANIFEST))?.map_err(broken)?;
        let is_manifest = is_plain_file(&first) && *first.path_bytes() == *MANIFEST.as_bytes();
        if !is_manifest || first.size() > LARGEST_MANIFEST_BYTES {
            return Err(damaged(MANIFEST));
        }
        let mut json = Vec::new();
        first.take(LARGEST_MANIFEST_BYTES).read_to_end(&mut json).map_err(broken)?;
        let is_whole = Sum::of(&json) == self.tail.manifest;
        let manifest = is_whole.then(|| serde_json::from_slice::<Manifest>(&json).ok()).flatten();
        manifest.filter(Manifest::is_consistent).ok_or_else(|| damaged(MANIFEST))
    }

    /// Tells a disk that fails from bytes that are wrong: only the system's own errors have a number.
    fn broken(&self, source: io::Error, part: &str) -> ReadBackupError {
        match source.raw_os_error() {
            Some(_) => ReadBackupError::Read { path: self.path.clone(), source },
            None => damaged(part),
        }
    }
}

/// What a walk through a backup meets.
pub(crate) enum Piece<'a> {
    Begin(&'a Entry),
    Bytes(&'a [u8]),
    /// The sum and the size of the entry are right.
    End(&'a Entry),
}

fn damaged(part: &str) -> ReadBackupError {
    ReadBackupError::Damaged { part: part.into() }
}

/// Returns whether it is a file and nothing that points elsewhere or changes the next entry.
fn is_plain_file<R: Read>(entry: &tar::Entry<'_, R>) -> bool {
    entry.header().entry_type() == tar::EntryType::Regular
}

type Unpacking<'a> = zstd::Decoder<'static, BufReader<Summing<Take<At<'a>>>>>;

fn unpacking<'a>(raw: BufReader<Summing<Take<At<'a>>>>) -> io::Result<Unpacking<'a>> {
    let mut decoder = zstd::Decoder::with_buffer(raw)?.single_frame();
    decoder.window_log_max(LARGEST_WINDOW_LOG)?;
    Ok(decoder)
}

/// Reads a file from a place of its own, so that two readers of one file do not move each other.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(out, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
