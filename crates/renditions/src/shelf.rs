//! Versions as they lie on the disk: a folder each, one file of bytes and one of lengths for each
//! track, and the key frame index they were cut by.
//!
//! A version in the making is called `{id}.part`. Lengths are written after the bytes they speak of
//! are on the disk, so what they name is there whatever happened; the rest is cut off when the
//! work goes on. A finished version is renamed in one step and never written again.
//! Everything here waits for the disk.

use crate::timeline::Timeline;
use domain::JobId;
use media::hls::{TICKS, index::KeyframeIndex};
use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

const PART: &str = "part";
const INDEX: &str = "index";
/// Segments of a hundred hours in parts of two seconds are fewer.
const MOST_PARTS: usize = 200_000;

/// The folder of all versions.
#[derive(Debug, Clone)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    fn whole(&self, id: &JobId) -> PathBuf {
        self.0.join(id.as_str())
    }
    fn part(&self, id: &JobId) -> PathBuf {
        self.whole(id).with_extension(PART)
    }

    pub fn is_whole(&self, id: &JobId) -> bool {
        self.whole(id).is_dir()
    }

    /// Neither there nor behind a disk that fails.
    pub fn is_gone(&self, id: &JobId) -> bool {
        fs::symlink_metadata(self.whole(id)).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
    }

    /// Removes what belongs to none of these ids.
    ///
    /// # Errors
    /// When the folder cannot be read or changed.
    pub fn sweep(&self, keep: &HashSet<&str>) -> io::Result<usize> {
        let mut gone = 0;
        // The whole folder may have been tidied away.
        fs::create_dir_all(&self.0)?;
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let id = name.strip_suffix(".part").unwrap_or(&name);
            // Only what is named like ours: the owner may have put something else here.
            if JobId::parse(id).is_ok() && !keep.contains(id) {
                fs::remove_dir_all(entry.path())?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// # Errors
    /// When something of it cannot be removed.
    pub fn remove(&self, id: &JobId) -> io::Result<()> {
        for path in [self.whole(id), self.part(id)] {
            match fs::remove_dir_all(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Begins a version, or goes on with one that was cut by the same index.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin(&self, id: &JobId, index: &[u8]) -> io::Result<Draft> {
        let dir = self.part(id);
        if fs::read(dir.join(INDEX)).ok().as_deref() != Some(index) {
            self.remove(id)?;
            fs::create_dir_all(&dir)?;
            write_synced(&dir.join(INDEX), index)?;
        }
        Ok(Draft { dir, whole: self.whole(id) })
    }

    /// A finished version.
    ///
    /// # Errors
    /// When it is not there or not whole.
    pub fn read(&self, id: &JobId, lines: u32) -> io::Result<Stored> {
        let dir = self.whole(id);
        let index = KeyframeIndex::from_bytes(&fs::read(dir.join(INDEX))?).map_err(|_| broken())?;
        let mut tracks = BTreeMap::new();
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "m4s")
                && let Some(name) = path.file_stem().and_then(|n| n.to_str())
            {
                tracks.insert(name.to_string(), StoredTrack::open(&path)?);
            }
        }
        // Versions of before end with their pictures, however long their sounds are.
        let plans = [Timeline::new(index.clone()), Timeline::ending_with_picture(index)];
        let timeline = plans.into_iter().find(|plan| are_of(plan, &tracks)).ok_or_else(broken)?;
        Ok(Stored { id: id.clone(), lines, timeline: Arc::new(timeline), tracks })
    }

    /// Free for us on its disk.
    pub fn free_bytes(&self) -> u64 {
        // A folder that was removed is made again on the disk it was on.
        let there = self.0.ancestors().find(|path| path.is_dir()).unwrap_or(&self.0);
        rustix::fs::statvfs(there).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize))
    }
}

/// Returns whether these tracks hold the init and every segment of a plan.
fn are_of(plan: &Timeline, tracks: &BTreeMap<String, StoredTrack>) -> bool {
    let parts = |name: &str| match name {
        VIDEO => plan.encode.cuts.len() + 1,
        _ => plan.audio.len() as usize + 1,
    };
    tracks.contains_key(VIDEO) && tracks.iter().all(|(name, track)| track.starts.len() == parts(name) + 1)
}

/// The picture's name among the tracks of a version; sounds are `a-0`, `a-1`…
pub const VIDEO: &str = "v";

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a prepared version is not whole")
}

fn lengths_path(track: &Path) -> PathBuf {
    track.with_extension("len")
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A version in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    dir: PathBuf,
    whole: PathBuf,
}

impl Draft {
    /// A track as far as it surely is.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn track(&self, name: &str) -> io::Result<TrackWriter> {
        let path = self.dir.join(name).with_extension("m4s");
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let (mut bytes, mut lengths) = (open(&path)?, open(&lengths_path(&path))?);
        let known = read_lengths(&mut lengths)?;
        let mut made = 0_u64;
        let mut parts = 0_usize;
        let there = bytes.metadata()?.len();
        for length in known {
            if made + u64::from(length) > there {
                break;
            }
            made += u64::from(length);
            parts += 1;
        }
        bytes.set_len(made)?;
        lengths.set_len(parts as u64 * 4)?;
        bytes.seek(SeekFrom::End(0))?;
        lengths.seek(SeekFrom::End(0))?;
        Ok(TrackWriter { bytes, lengths, parts, made, fresh: Vec::new() })
    }

    /// Takes back what there is of a track; answers how many bytes that was.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn leave_out(&self, name: &str) -> io::Result<u64> {
        let path = self.dir.join(name).with_extension("m4s");
        let bytes = fs::metadata(&path)?.len();
        fs::remove_file(lengths_path(&path))?;
        fs::remove_file(&path)?;
        Ok(bytes)
    }

    /// Everything is there: from now on it may be played.
    ///
    /// # Errors
    /// When the disk fails; the draft stays then.
    pub fn finish(self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()?;
        fs::rename(&self.dir, &self.whole)?;
        if let Some(shelf) = self.whole.parent() {
            File::open(shelf)?.sync_all()?;
        }
        Ok(())
    }
}

fn read_lengths(file: &mut File) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    file.take(MOST_PARTS as u64 * 4).read_to_end(&mut all)?;
    Ok(all.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect())
}

/// Takes the parts of one track in their order: the init first.
#[derive(Debug)]
pub struct TrackWriter {
    bytes: File,
    lengths: File,
    parts: usize,
    made: u64,
    /// Lengths that are not written yet.
    fresh: Vec<u8>,
}

impl TrackWriter {
    /// Parts that are there, the init among them.
    pub fn parts(&self) -> usize {
        self.parts
    }
    pub fn bytes(&self) -> u64 {
        self.made
    }

    /// # Errors
    /// When the disk fails or is full.
    pub fn append(&mut self, part: &[u8]) -> io::Result<()> {
        let length = u32::try_from(part.len()).map_err(|_| broken())?;
        self.bytes.write_all(part)?;
        self.fresh.extend(length.to_le_bytes());
        self.parts += 1;
        self.made += u64::from(length);
        Ok(())
    }

    /// What was appended survives from now on.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn keep(&mut self) -> io::Result<()> {
        if !self.fresh.is_empty() {
            self.bytes.sync_data()?;
            self.lengths.write_all(&self.fresh)?;
            self.lengths.sync_data()?;
            self.fresh.clear();
        }
        Ok(())
    }
}

/// A finished version, open.
#[derive(Debug)]
pub struct Stored {
    pub id: JobId,
    pub lines: u32,
    /// Its segments are cut by this plan, whatever is found out about the film later.
    pub timeline: Arc<Timeline>,
    tracks: BTreeMap<String, StoredTrack>,
}

#[derive(Debug)]
struct StoredTrack {
    bytes: Arc<File>,
    /// Of each part, and where the last one ends.
    starts: Vec<u64>,
}

/// A part of a track of a version.
#[derive(Debug, Clone)]
pub struct Slice {
    pub file: Arc<File>,
    pub offset: u64,
    pub length: u64,
}

impl StoredTrack {
    fn open(path: &Path) -> io::Result<Self> {
        let lengths = read_lengths(&mut File::open(lengths_path(path))?)?;
        let mut starts = vec![0];
        let mut at = 0_u64;
        for length in lengths {
            at += u64::from(length);
            starts.push(at);
        }
        let bytes = File::open(path)?;
        if bytes.metadata()?.len() != at { Err(broken()) } else { Ok(Self { bytes: Arc::new(bytes), starts }) }
    }
}

impl Stored {
    /// Whether this track was made too; others come from the film.
    pub fn has(&self, track: &str) -> bool {
        self.tracks.contains_key(track)
    }

    /// Bits a second of its picture: of the fattest segment, and of all of them.
    pub fn rates(&self) -> (u64, u64) {
        let Some(video) = self.tracks.get(VIDEO) else { return (0, 0) };
        let rate = |bytes: u64, ticks: u64| bytes.saturating_mul(8 * TICKS) / ticks.max(1);
        let sizes = video.starts.windows(2).skip(1).map(|pair| pair[1] - pair[0]);
        let durations = self.timeline.encode.durations();
        let peak = sizes.zip(durations).map(|(bytes, ticks)| rate(bytes, ticks)).max().unwrap_or(0);
        let all = video.starts.last().zip(video.starts.get(1)).map_or(0, |(end, begin)| end - begin);
        (peak, rate(all, self.timeline.encode.end))
    }

    /// `None` is the init.
    pub fn slice(&self, track: &str, number: Option<u32>) -> Option<Slice> {
        let track = self.tracks.get(track)?;
        let part = number.map_or(Some(0), |n| usize::try_from(n).ok()?.checked_add(1))?;
        let (from, to) = (*track.starts.get(part)?, *track.starts.get(part + 1)?);
        Some(Slice { file: track.bytes.clone(), offset: from, length: to - from })
    }
}

#[cfg(test)]
mod tests;
