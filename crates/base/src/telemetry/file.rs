//! A file of lines that stays bounded and comes back: it is rotated by size, made again when it was
//! removed, and quiet while the disk is nearly full.

use rustix::fs::fstatvfs;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::PathBuf,
};

/// The last room on a disk is for the database: a log that takes it keeps people from signing in.
const LEFT_FREE: u64 = 4 << 20;

/// Size of each file, and how many old ones are kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub file_bytes: u64,
    pub old_files: u32,
}

/// A file that starts over at its bound and keeps its predecessors as `name.1`, `name.2`…
pub struct RotatingFile {
    path: PathBuf,
    bounds: Bounds,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// What lies under the path, unless the file was removed or replaced.
    identity: (u64, u64),
    written: u64,
}

impl RotatingFile {
    /// Nothing is opened before the first line.
    pub const fn new(path: PathBuf, bounds: Bounds) -> Self {
        Self { path, bounds, open: None }
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        name.into()
    }

    /// Returns the open file, opened again where it is not the one under the path any more.
    fn file(&mut self) -> io::Result<&mut Open> {
        let there = fs::symlink_metadata(&self.path).map(|about| (about.dev(), about.ino())).ok();
        if self.open.as_ref().map(|open| open.identity) != there || there.is_none() {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            none => Ok(none.insert(open(&self.path)?)),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..self.bounds.old_files).rev() {
            let _ = fs::rename(self.numbered(n), self.numbered(n + 1));
        }
        fs::rename(&self.path, self.numbered(1))
    }
}

fn open(path: &PathBuf) -> io::Result<Open> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let about = file.metadata()?;
    Ok(Open { identity: (about.dev(), about.ino()), written: about.len(), file })
}

impl Write for RotatingFile {
    /// Takes a whole line; what cannot be written is lost, and told as an error.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let limit = self.bounds.file_bytes;
        let open = self.file()?;
        if open.written > 0 && open.written + bytes.len() as u64 > limit {
            // A rename that fails (full or read-only disk) must not lose the line as well.
            let _ = self.rotate();
        }
        let open = self.file()?;
        if fstatvfs(&open.file)
            .is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < LEFT_FREE)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let n = open.file.write(bytes)?;
        open.written += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { file_bytes: 100, old_files: 2 };

    #[test]
    fn files_stay_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = RotatingFile::new(dir.path().join("x.log"), SMALL);
        for _ in 0..50 {
            log.write_all(&[b'x'; 30]).unwrap();
        }
        let sizes: Vec<u64> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|s| *s <= 100), "{sizes:?}");
    }

    /// A tidied disk must not silence the log until the next start.
    #[test]
    fn a_log_that_was_removed_is_made_again_with_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/x.log");
        let mut log = RotatingFile::new(path.clone(), SMALL);
        log.write_all(b"one\n").unwrap();
        fs::remove_dir_all(dir.path().join("logs")).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
        // The owner's logrotate renamed it: the lines go where they are looked for.
        fs::rename(&path, dir.path().join("old")).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three\n");
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"two\n");
        log.write_all(b"four\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three\nfour\n", "the control: nobody moved it");
    }
}
