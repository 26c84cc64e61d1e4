//! Opening a file beneath a folder and nowhere else.
//!
//! The kernel does the work: `openat2` with `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS`
//! resolves the whole path at once, so there is no moment between check and use. `O_NONBLOCK`
//! keeps a FIFO or a device from hanging the caller before it is refused. Opening may take
//! seconds when a disk has to spin up.

use rustix::{
    fs::{self, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// A folder that files are opened beneath.
#[derive(Debug)]
pub struct Root(OwnedFd);

/// A regular file, open for reading, and what it was at that moment.
#[derive(Debug)]
pub struct OpenFile {
    pub fd: OwnedFd,
    pub size_bytes: u64,
    pub mtime_ns: i64,
    pub inode: u64,
}

/// Why a folder cannot be a root.
#[derive(Debug, thiserror::Error)]
#[error("open the folder: {0}")]
pub struct OpenRootError(#[source] pub Errno);

/// Why a file was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenFileError {
    #[error("the path is empty, absolute, holds a NUL byte or a `..`")]
    BadPath,
    #[error("the path leads out of the folder or through a symbolic link")]
    Escapes,
    #[error("there is no such file")]
    NotFound,
    #[error("it is not a regular file")]
    NotRegular,
    #[error("no right to read it")]
    Denied,
    #[error("open: {0}")]
    Io(#[source] Errno),
}

impl Root {
    /// Follows symbolic links in `path` itself: the owner chose it. Nothing beneath is followed.
    ///
    /// # Errors
    /// When the folder is missing, not a folder, or may not be entered.
    pub fn open(path: &Path) -> Result<Self, OpenRootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::open(path, flags, Mode::empty()).map(Self).map_err(OpenRootError)
    }

    /// Opens `relative`, raw bytes with `/` between components, for reading.
    ///
    /// # Errors
    /// Every reason a path is refused or a file cannot be read is one of [`OpenFileError`].
    pub fn open_file(&self, relative: &[u8]) -> Result<OpenFile, OpenFileError> {
        if !is_plain(relative) {
            return Err(OpenFileError::BadPath);
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = OsStr::from_bytes(relative);
        // EAGAIN means that a rename went by while the kernel looked; a bounded number of tries.
        let mut tries = 0;
        let fd = loop {
            match fs::openat2(self.0.as_fd(), path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries < 16 => tries += 1,
                answer => break answer.map_err(refusal)?,
            }
        };
        let stat = fs::fstat(&fd).map_err(OpenFileError::Io)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenFileError::NotRegular);
        }
        Ok(OpenFile {
            fd,
            size_bytes: u64::try_from(stat.st_size).map_err(|_| OpenFileError::NotRegular)?,
            mtime_ns: mtime_ns(&stat),
            inode: stat.st_ino,
        })
    }
}

#[expect(clippy::useless_conversion, reason = "the field is u64 or i64 depending on the target")]
fn mtime_ns(stat: &fs::Stat) -> i64 {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    i64::from(stat.st_mtime).saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Relative, without NUL, and every component a name.
fn is_plain(path: &[u8]) -> bool {
    !path.is_empty() && !path.contains(&0) && path.split(|b| *b == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
}

fn refusal(errno: Errno) -> OpenFileError {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => OpenFileError::NotFound,
        Errno::LOOP | Errno::XDEV => OpenFileError::Escapes,
        Errno::ACCESS | Errno::PERM => OpenFileError::Denied,
        // A socket, or a device without a driver.
        Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => OpenFileError::NotRegular,
        Errno::INVAL => OpenFileError::BadPath,
        other => OpenFileError::Io(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn only_regular_files_beneath_the_root() {
        let home = tempfile::tempdir().unwrap();
        let library = home.path().join("films");
        std::fs::create_dir_all(library.join("a b")).unwrap();
        std::fs::write(library.join("a b/\u{202e}n\n'\".mp4"), b"film").unwrap();
        std::fs::write(home.path().join("secret"), b"no").unwrap();
        symlink(home.path().join("secret"), library.join("link.mp4")).unwrap();
        symlink("a b", library.join("inside")).unwrap();
        symlink("loop", library.join("loop")).unwrap();
        fs::mkfifoat(fs::CWD, library.join("fifo.mp4"), Mode::RUSR).unwrap();
        let _socket = UnixListener::bind(library.join("socket.mp4")).unwrap();

        let root = Root::open(&library).unwrap();
        let file = root.open_file("a b/\u{202e}n\n'\".mp4".as_bytes()).unwrap();
        assert_eq!(file.size_bytes, 4);
        assert!(file.mtime_ns > 0 && file.inode > 0);

        let absolute = home.path().join("secret");
        let long = vec![b'a'; 10_000];
        let deep = [b"a b/".repeat(2_000).as_slice(), b"x"].concat();
        for (path, expected) in [
            (&b""[..], OpenFileError::BadPath),
            (b"..", OpenFileError::BadPath),
            (b"../secret", OpenFileError::BadPath),
            (b"a b/../../secret", OpenFileError::BadPath),
            (b"./x", OpenFileError::BadPath),
            (b"a b//x", OpenFileError::BadPath),
            (b"a b/", OpenFileError::BadPath),
            (b"x\0.mp4", OpenFileError::BadPath),
            (absolute.as_os_str().as_bytes(), OpenFileError::BadPath),
            (b"link.mp4", OpenFileError::Escapes),
            (b"inside/x.mp4", OpenFileError::Escapes),
            (b"loop", OpenFileError::Escapes),
            (b"missing.mp4", OpenFileError::NotFound),
            (b"..\\secret", OpenFileError::NotFound),
            (b"%2e%2e%2fsecret", OpenFileError::NotFound),
            (b"\xff\xfe", OpenFileError::NotFound),
            (&long, OpenFileError::NotFound),
            (&deep, OpenFileError::NotFound),
            (b"fifo.mp4", OpenFileError::NotRegular),
            (b"socket.mp4", OpenFileError::NotRegular),
            (b"a b", OpenFileError::NotRegular),
        ] {
            let shown = String::from_utf8_lossy(&path[..path.len().min(40)]).into_owned();
            assert_eq!(root.open_file(path).unwrap_err(), expected, "{shown:?}");
        }
    }

    #[test]
    fn a_swap_with_a_symlink_never_reads_the_outside() {
        let home = tempfile::tempdir().unwrap();
        let library = home.path().join("films");
        std::fs::create_dir(&library).unwrap();
        std::fs::write(home.path().join("secret"), b"secret!").unwrap();
        std::fs::write(library.join("good"), b"film").unwrap();
        symlink("../secret", library.join("bad")).unwrap();
        let root = Root::open(&library).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        let (mut opened, mut refused) = (0u32, 0u32);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let (good, bad) = (library.join("good"), library.join("bad"));
                    let flags = fs::RenameFlags::EXCHANGE;
                    fs::renameat_with(fs::CWD, &good, fs::CWD, &bad, flags).unwrap();
                }
            });
            // On a busy machine the other thread may not have run yet: until it has, nothing was tried.
            let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
            let mut tries = 0;
            while tries < 10_000 || (opened.min(refused) == 0 && std::time::Instant::now() < patience) {
                tries += 1;
                match root.open_file(b"good") {
                    Ok(file) => {
                        assert_eq!(file.size_bytes, 4);
                        opened += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(opened > 0 && refused > 0, "the race did not happen: {opened} opened, {refused} refused");
    }
}
