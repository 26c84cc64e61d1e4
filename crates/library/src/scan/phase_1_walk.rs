//! Phase 1: what is in the folder now. One `stat` a file, nothing is opened.

use super::beside::looks_like_subtitle;
use domain::facts::Container;
use ignore::WalkBuilder;
use std::{
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
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
    /// Device number of the folder; another one at the same path is another disk.
    pub(crate) device: Option<u64>,
    /// Entries that could not be read (rights, vanished) or are no regular files.
    pub(crate) skipped: u64,
    /// Some subfolder could not be listed: absence proves nothing.
    pub(crate) incomplete: bool,
    /// Why the folder itself could not be walked.
    pub(crate) unreadable: Option<String>,
    pub(crate) gone: bool,
}

impl Walk {
    pub(crate) fn unreadable(why: &str) -> Self {
        Self { unreadable: Some(why.into()), ..Self::default() }
    }
}

/// Walks a folder. Symbolic links are neither followed nor listed: a worker would refuse to open
/// them anyway, and a loop of them must not hold a scan. May take seconds on a network disk.
pub(crate) fn walk(root: &Path) -> Walk {
    let device = match std::fs::metadata(root) {
        Ok(m) if m.is_dir() => m.dev(),
        Ok(_) => return Walk::unreadable("not a folder"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Walk { gone: true, ..Walk::default() },
        Err(e) => return Walk::unreadable(&e.to_string()),
    };
    if let Err(e) = std::fs::read_dir(root) {
        return Walk { device: Some(device), ..Walk::unreadable(&e.to_string()) };
    }
    let mut found = Walk { device: Some(device), ..Walk::default() };
    // `standard_filters(false)`: a .gitignore in a film folder is nobody's wish. Hidden files are
    // left out below, since ending in .mp4 does not make ".trash" a film.
    let entries = WalkBuilder::new(root).standard_filters(false).follow_links(false).max_depth(Some(64)).build();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(_) => {
                found.incomplete = true;
                found.skipped += 1;
                continue;
            }
        };
        let is_film = looks_like_film(entry.path());
        if !is_film && !looks_like_subtitle(entry.path()) {
            continue;
        }
        match entry.metadata() {
            Ok(meta) if meta.is_file() => {
                let Ok(relative) = entry.path().strip_prefix(root) else { continue };
                let seen = Seen {
                    path: relative.as_os_str().as_bytes().to_vec(),
                    size_bytes: meta.size(),
                    mtime_ns: meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec()),
                    inode: meta.ino(),
                };
                if is_film { &mut found.files } else { &mut found.subtitles }.push(seen);
            }
            // A FIFO called film.mkv, a dangling link, a file that vanished between two calls.
            _ if is_film => found.skipped += 1,
            _ => {}
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.subtitles.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Judged by the ending alone; the probe judges the bytes.
pub(crate) fn looks_like_film(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.as_bytes().starts_with(b"."));
    !hidden && path.extension().and_then(|e| e.to_str()).is_some_and(|e| Container::from_extension(e).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::OsStr, fs};

    #[test]
    fn strange_trees_neither_hang_nor_hide_the_films() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
        fs::create_dir(at(b"sub")).unwrap();
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
        let walk = walk(dir.path());
        let names: Vec<_> = walk.files.iter().map(|f| f.path.clone()).collect();
        assert_eq!(
            names,
            [&b"a.mp4"[..], b"bytes\xff\xfe.mov", b"new\nline.webm", b"quote'\".avi", b"sub/B.MKV"].map(<[u8]>::to_vec)
        );
        assert_eq!(walk.skipped, 2, "the pipe and the dangling link");
        assert!(!walk.incomplete);
    }

    #[test]
    fn a_folder_that_is_not_there_says_so() {
        assert!(walk(Path::new("/no/such/folder")).gone);
        assert!(walk(Path::new("/etc/hostname")).unreadable.is_some());
    }
}
