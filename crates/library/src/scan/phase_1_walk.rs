//! Phase 1: what is in the folder now. One `stat` a file, nothing is opened.

use super::{
    beside::looks_like_subtitle,
    identity::glance,
    names::{is_left_out, is_link_worth_telling},
};
use base::Pulse;
use domain::{FolderProblem, facts::Container};
use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// A regular file with the ending of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Relative to the folder, raw bytes.
    pub(crate) path: Vec<u8>,
    pub(crate) size_bytes: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) inode: u64,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) files: Vec<Seen>,
    pub(crate) subtitles: Vec<Seen>,
    /// Which disk and folder it walked.
    pub(crate) identity: Option<String>,
    /// Entries that vanished or are no regular files.
    pub(crate) skipped: u64,
    /// Subfolders that could not be listed, relative: what is not seen below them is not missing.
    pub(crate) unread: Vec<Vec<u8>>,
    /// Symbolic links that may have led to films.
    pub(crate) links: u64,
    /// Why the folder itself could not be walked.
    pub(crate) problem: Option<FolderProblem>,
}

impl Walk {
    pub(crate) fn away(problem: FolderProblem) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }
}

/// Deeper folders are a backup of a backup.
const MAX_DEPTH: usize = 64;

/// Walks a folder. Symbolic links are neither followed nor listed: a worker would refuse to open
/// them anyway, and a loop of them must not hold a scan. May take minutes on a network disk.
pub(crate) fn walk(root: &Path, pulse: &Pulse) -> Walk {
    let identity = match glance(root) {
        Ok(identity) => identity,
        Err(problem) => return Walk::away(problem),
    };
    let mut found = Walk { identity: Some(identity), ..Walk::default() };
    let mut waiting = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let list = match fs::read_dir(&folder) {
            Ok(list) if depth <= MAX_DEPTH => list,
            // It was there a moment ago; its films are missing like any others.
            Err(e) if e.kind() == io::ErrorKind::NotFound && depth > 0 => continue,
            _ => {
                found.unread.extend(relative(root, &folder));
                continue;
            }
        };
        for entry in list {
            if !pulse.beat() {
                return found;
            }
            match entry {
                Ok(entry) => found.take(root, &entry, depth, &mut waiting),
                // The rest of this folder is not told.
                Err(_) => {
                    found.unread.extend(relative(root, &folder));
                    break;
                }
            }
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.subtitles.sort_by(|a, b| a.path.cmp(&b.path));
    found.unread.sort();
    found
}

impl Walk {
    fn take(&mut self, root: &Path, entry: &fs::DirEntry, depth: usize, waiting: &mut Vec<(PathBuf, usize)>) {
        let name = entry.file_name();
        let Ok(kind) = entry.file_type() else {
            self.skipped += 1;
            return;
        };
        if is_left_out(name.as_bytes()) {
            return;
        }
        let path = entry.path();
        if kind.is_dir() {
            waiting.push((path, depth + 1));
            return;
        }
        if kind.is_symlink() {
            self.links += u64::from(is_link_worth_telling(name.as_bytes()));
            return;
        }
        let is_film = looks_like_film(&path);
        if !is_film && !looks_like_subtitle(&path) {
            return;
        }
        match entry.metadata() {
            Ok(meta) if meta.is_file() => {
                let Some(path) = relative(root, &path) else { return };
                let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
                let seen = Seen { path, size_bytes: meta.size(), mtime_ns, inode: meta.ino() };
                if is_film { &mut self.files } else { &mut self.subtitles }.push(seen);
            }
            // A FIFO called film.mkv, a file that vanished between two calls.
            _ if is_film => self.skipped += 1,
            _ => {}
        }
    }
}

fn relative(root: &Path, path: &Path) -> Option<Vec<u8>> {
    path.strip_prefix(root).ok().map(|path| path.as_os_str().as_bytes().to_vec())
}

/// Judged by the ending alone; the probe judges the bytes.
pub(crate) fn looks_like_film(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.as_bytes().starts_with(b"."));
    !hidden && path.extension().and_then(|e| e.to_str()).is_some_and(|e| Container::from_extension(e).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn strange_trees_neither_hang_nor_hide_the_films() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
        for folder in [&b"sub"[..], b".Trash-1000", b"#recycle", b"sub/@eaDir", b"lost+found"] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("thrown away.mp4"), b"x").unwrap();
        }
        fs::remove_file(at(b"sub/thrown away.mp4")).unwrap();
        for name in [
            &b"a.mp4"[..],
            b"sub/B.MKV",
            b"new\nline.webm",
            b"quote'\".avi",
            b"bytes\xff\xfe.mov",
            b".hidden.mp4",
            b"note.txt",
        ] {
            fs::write(at(name), b"x").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), at(b"loop")).unwrap();
        std::os::unix::fs::symlink("/nowhere", at(b"dangling.mp4")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at(b"pipe.mkv"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        let walk = walk(dir.path(), &Pulse::default());
        let names: Vec<_> = walk.files.iter().map(|f| f.path.clone()).collect();
        assert_eq!(
            names,
            [&b"a.mp4"[..], b"bytes\xff\xfe.mov", b"new\nline.webm", b"quote'\".avi", b"sub/B.MKV"].map(<[u8]>::to_vec)
        );
        assert_eq!((walk.skipped, walk.links), (1, 2), "the pipe; the loop and the dangling link");
        assert!(walk.unread.is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_says_so() {
        let walk = |path: &str| walk(Path::new(path), &Pulse::default());
        assert_eq!(walk("/no/such/folder").problem, Some(FolderProblem::Gone));
        assert_eq!(walk("/etc/hostname").problem, Some(FolderProblem::Refused));
    }
}
