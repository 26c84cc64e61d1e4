//! Kept segments as they lie on the disk:
//! `{person}/{file}.{size}.{time}/{track}/{number}.{length}.{sum}.m4s`.
//!
//! The name says what is inside, so that a start learns everything from names, and a piece that a
//! power cut left half written is noticed before anybody sees it. Nothing is synced: what is lost
//! is encoded again. While it is written a segment is called `{number}.part`.
//! Everything here waits for the disk.

use domain::{
    FileId, UserId,
    cache::{Pause, Space},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// One version of a film.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilmKey {
    pub file: FileId,
    pub size: u64,
    pub mtime_ns: i64,
}

/// One track of a film as one person gets it. Nobody else is ever given what is kept under it: a
/// film that takes over the loge of one person must not reach the picture of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrackKey {
    pub user: UserId,
    pub film: FilmKey,
    /// Settings, plan and encoder.
    pub track: [u8; 16],
}

/// A segment by its number, and what its bytes must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub number: u32,
    pub length: u32,
    pub sum: u64,
}

impl Piece {
    /// `None` for more bytes than any segment has.
    pub fn of(number: u32, bytes: &[u8]) -> Option<Self> {
        Some(Self { number, length: u32::try_from(bytes.len()).ok()?, sum: sum(bytes) })
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// What a start found.
#[derive(Debug)]
pub struct Found {
    pub track: TrackKey,
    pub piece: Piece,
    pub used_at: SystemTime,
}

/// Where kept segments go. One implementation is [`Folder`]; tests have disks that fail.
pub trait Disk: Send + Sync + 'static {
    /// Changes when another disk lies under the same path.
    ///
    /// # Errors
    /// When the folder is not there and cannot be made.
    fn identity(&self) -> io::Result<(u64, u64)>;
    /// # Errors
    /// When the disk does not say.
    fn space(&self) -> io::Result<Space>;
    /// Everything that is whole; the rest is removed.
    ///
    /// # Errors
    /// When the disk cannot be read or written.
    fn sweep(&self) -> io::Result<Vec<Found>>;
    /// In one step: it is there whole or not at all.
    ///
    /// # Errors
    /// When the disk is full or fails; nothing is left behind then.
    fn write(&self, track: &TrackKey, piece: &Piece, bytes: &[u8]) -> io::Result<()>;
    /// # Errors
    /// When it is not there, or not what was written.
    fn read(&self, track: &TrackKey, piece: &Piece) -> io::Result<Vec<u8>>;
    /// One that is not there any more is removed.
    ///
    /// # Errors
    /// When it stays.
    fn remove(&self, track: &TrackKey, piece: &Piece) -> io::Result<()>;
    /// Whether it can be written again.
    ///
    /// # Errors
    /// Why not.
    fn try_out(&self) -> io::Result<()>;
}

/// What is the matter with a disk that answers so.
pub fn pause_of(error: &io::Error) -> Pause {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Pause::Full,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Pause::ReadOnly,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Pause::Missing,
        _ => Pause::Failing,
    }
}

/// A folder of the owner's.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The rest of the house lies here.
    data: PathBuf,
}

impl Folder {
    pub const fn new(root: PathBuf, data: PathBuf) -> Self {
        Self { root, data }
    }

    fn film(&self, track: &TrackKey) -> PathBuf {
        let FilmKey { file, size, mtime_ns } = &track.film;
        self.root.join(track.user.as_str()).join(format!("{file}.{size:x}.{:x}", mtime_ns.cast_unsigned()))
    }
    fn track(&self, track: &TrackKey) -> PathBuf {
        self.film(track).join(format!("{:032x}", u128::from_be_bytes(track.track)))
    }
    fn piece(&self, track: &TrackKey, piece: &Piece) -> PathBuf {
        let Piece { number, length, sum } = piece;
        self.track(track).join(format!("{number}.{length:x}.{sum:016x}.m4s"))
    }
}

impl Disk for Folder {
    fn identity(&self) -> io::Result<(u64, u64)> {
        make(&self.root)?;
        let about = fs::metadata(&self.root)?;
        Ok((about.dev(), about.ino()))
    }

    fn space(&self) -> io::Result<Space> {
        let disk = rustix::fs::statvfs(&self.root)?;
        let device = |path: &Path| fs::metadata(path).ok().map(|about| about.dev());
        Ok(Space {
            total: disk.f_blocks.saturating_mul(disk.f_frsize),
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            is_own: device(&self.root).is_some_and(|own| device(&self.data).is_some_and(|data| own != data)),
        })
    }

    fn sweep(&self) -> io::Result<Vec<Found>> {
        make(&self.root)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            // Only what is named like ours: a disk of its own has other things at its root.
            let Some(user) = entry.file_name().to_str().and_then(|name| UserId::parse(name).ok()) else { continue };
            for (path, name) in folders(&entry.path())? {
                let Some(film) = film_of(&name) else {
                    clear(&path)?;
                    continue;
                };
                for (path, name) in folders(&path)? {
                    let Some(track) = track_of(&name) else {
                        clear(&path)?;
                        continue;
                    };
                    let track = TrackKey { user: user.clone(), film: film.clone(), track };
                    pieces(&path, &track, &mut found)?;
                    let _ = fs::remove_dir(&path);
                }
                let _ = fs::remove_dir(&path);
            }
            let _ = fs::remove_dir(entry.path());
        }
        Ok(found)
    }

    fn write(&self, track: &TrackKey, piece: &Piece, bytes: &[u8]) -> io::Result<()> {
        let folder = self.track(track);
        let part = folder.join(format!("{}.part", piece.number));
        let file = match File::create(&part) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make(&folder)?;
                File::create(&part)
            }
            opened => opened,
        };
        let written =
            file.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&part, self.piece(track, piece)));
        if written.is_err() {
            let _ = fs::remove_file(&part);
            self.tidy_above(track);
        }
        written
    }

    #[expect(clippy::disallowed_methods, reason = "a file's time is the disk's own, beside those that others write")]
    fn read(&self, track: &TrackKey, piece: &Piece) -> io::Result<Vec<u8>> {
        let file = File::open(self.piece(track, piece))?;
        let mut bytes = Vec::with_capacity(piece.length as usize);
        (&file).take(u64::from(piece.length) + 1).read_to_end(&mut bytes)?;
        if Piece::of(piece.number, &bytes) != Some(*piece) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a kept segment is not what was written"));
        }
        // What the next start goes by; a disk that cannot remember it is no reason to fail.
        let _ = file.set_modified(SystemTime::now());
        Ok(bytes)
    }

    fn remove(&self, track: &TrackKey, piece: &Piece) -> io::Result<()> {
        match fs::remove_file(self.piece(track, piece)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        self.tidy_above(track);
        Ok(())
    }

    fn try_out(&self) -> io::Result<()> {
        make(&self.root)?;
        let part = self.root.join("try.part");
        let written = fs::write(&part, [0; 4096]);
        match fs::remove_file(&part) {
            Err(e) if written.is_ok() => Err(e),
            _ => written,
        }
    }
}

impl Folder {
    /// Folders that became empty go.
    fn tidy_above(&self, track: &TrackKey) {
        let user = self.root.join(track.user.as_str());
        for folder in [self.track(track), self.film(track), user] {
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes a file, a link, or a folder with everything in it.
fn clear(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Folders below ours, by path and name; anything else there is removed.
fn folders(above: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    let entries = match fs::read_dir(above) {
        // A person's name on something that is no folder of ours is left alone.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.file_name().into_string() {
            Ok(name) if entry.file_type()?.is_dir() => all.push((entry.path(), name)),
            _ => clear(&entry.path())?,
        }
    }
    Ok(all)
}

fn pieces(folder: &Path, track: &TrackKey, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        let piece = entry.file_name().to_str().and_then(piece_of);
        match piece.filter(|piece| about.is_file() && about.len() == u64::from(piece.length)) {
            Some(piece) => {
                let used_at = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Found { track: track.clone(), piece, used_at });
            }
            None => clear(&entry.path())?,
        }
    }
    Ok(())
}

fn hex<T>(text: &str, parse: impl Fn(&str, u32) -> Result<T, std::num::ParseIntError>) -> Option<T> {
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    parse(text, 16).ok().filter(|_| plain)
}

fn film_of(name: &str) -> Option<FilmKey> {
    let mut parts = name.split('.');
    let file = FileId::parse(parts.next()?).ok()?;
    let (size, mtime) = (hex(parts.next()?, u64::from_str_radix)?, hex(parts.next()?, u64::from_str_radix)?);
    parts.next().is_none().then_some(FilmKey { file, size, mtime_ns: mtime.cast_signed() })
}

fn track_of(name: &str) -> Option<[u8; 16]> {
    (name.len() == 32).then(|| hex(name, u128::from_str_radix)).flatten().map(u128::to_be_bytes)
}

fn piece_of(name: &str) -> Option<Piece> {
    let mut parts = name.strip_suffix(".m4s")?.split('.');
    let number = parts.next()?;
    let number = number.parse().ok().filter(|n: &u32| n.to_string() == number)?;
    let (length, sum) = (hex(parts.next()?, u32::from_str_radix)?, hex(parts.next()?, u64::from_str_radix)?);
    parts.next().is_none().then_some(Piece { number, length, sum })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(user: u8, track: u8) -> TrackKey {
        let film = FilmKey { file: FileId::from_random([9; 16]), size: 700, mtime_ns: -5 };
        TrackKey { user: UserId::from_random([user; 16]), film, track: [track; 16] }
    }
    fn folder(dir: &Path) -> Folder {
        Folder::new(dir.join("segments"), dir.into())
    }

    #[test]
    fn what_was_written_is_read_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let disk = folder(dir.path());
        let bytes = vec![7; 5000];
        let piece = Piece::of(17, &bytes).unwrap();
        disk.write(&track(1, 1), &piece, &bytes).unwrap();
        assert_eq!(disk.read(&track(1, 1), &piece).unwrap(), bytes);
        assert!(disk.read(&track(2, 1), &piece).is_err(), "it is one person's alone");
        let found = disk.sweep().unwrap();
        assert_eq!((found.len(), &found[0].track, found[0].piece), (1, &track(1, 1), piece));
        disk.remove(&track(1, 1), &piece).unwrap();
        disk.remove(&track(1, 1), &piece).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("segments")).unwrap().count(), 0, "no empty folder stays");
        assert!(disk.space().unwrap().total > 0 && disk.identity().is_ok() && disk.try_out().is_ok());
    }

    #[test]
    fn a_sweep_leaves_what_is_whole_and_what_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let disk = folder(dir.path());
        let bytes = vec![7; 5000];
        let piece = Piece::of(3, &bytes).unwrap();
        disk.write(&track(1, 1), &piece, &bytes).unwrap();
        let root = dir.path().join("segments");
        let user = root.join(track(1, 1).user.as_str());
        let own = disk.track(&track(1, 1));
        // Half written, cut off by a power cut, and names that nobody gave.
        fs::write(own.join("4.part"), b"half").unwrap();
        fs::write(own.join(format!("5.1388.{:016x}.m4s", piece.sum)), b"short").unwrap();
        fs::write(own.join("06.1.0000000000000000.m4s"), b"x").unwrap();
        fs::create_dir(own.join("folder")).unwrap();
        fs::create_dir_all(user.join("not a film/x")).unwrap();
        fs::write(user.join("file"), b"x").unwrap();
        std::os::unix::fs::symlink(dir.path(), user.join("link")).unwrap();
        let theirs = root.join("lost+found");
        fs::create_dir(&theirs).unwrap();
        let found = disk.sweep().unwrap();
        assert_eq!(found.iter().map(|f| f.piece).collect::<Vec<_>>(), [piece]);
        assert_eq!(fs::read_dir(&own).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&user).unwrap().count(), 1);
        assert!(theirs.is_dir() && dir.path().is_dir());
    }

    #[test]
    fn other_bytes_of_the_same_length_are_no_segment() {
        let dir = tempfile::tempdir().unwrap();
        let disk = folder(dir.path());
        let piece = Piece::of(0, b"picture").unwrap();
        disk.write(&track(1, 1), &piece, b"picture").unwrap();
        fs::write(disk.piece(&track(1, 1), &piece), b"PICTURE").unwrap();
        assert_eq!(disk.read(&track(1, 1), &piece).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn names_are_read_as_they_are_written_and_no_other_way() {
        let name = format!("{}.2bc.fffffffffffffffb", track(1, 1).film.file);
        assert_eq!(film_of(&name), Some(track(1, 1).film));
        for bad in ["", "x.1.2", &format!("{name}.1"), &name.replace("2bc", "+2bc"), &name.replace("2bc", "2BC")] {
            assert_eq!(film_of(bad), None, "{bad}");
        }
        for bad in ["1.2.3", "01.2.3.m4s", "1.2.m4s", "1.2.3.4.m4s", "-1.2.3.m4s", "1.2.+3.m4s", "1.part"] {
            assert_eq!(piece_of(bad), None, "{bad}");
        }
        assert_eq!(track_of(&"0a".repeat(16)), Some([10; 16]));
        assert_eq!(track_of(&"0a".repeat(15)), None);
    }

    #[test]
    fn what_a_disk_says_is_told_in_words() {
        for (code, pause) in [
            (28, Pause::Full),
            (122, Pause::Full),
            (30, Pause::ReadOnly),
            (13, Pause::ReadOnly),
            (2, Pause::Missing),
            (20, Pause::Missing),
            (5, Pause::Failing),
        ] {
            assert_eq!(pause_of(&io::Error::from_raw_os_error(code)), pause, "{code}");
            assert!(pause.sentence().contains("plays on"));
        }
    }
}
