//! One server per data folder. The lock is held by an open file, so it dies with the process and
//! a stale one is impossible; the file's text only tells the second one where the first listens.

use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

pub(crate) struct DataLock(File);

pub(crate) enum Locked {
    Mine(DataLock),
    /// Somebody else's, with the address it wrote down, if it got that far.
    Taken(Option<SocketAddr>),
}

impl DataLock {
    pub(crate) fn take(path: &Path) -> io::Result<Locked> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.set_len(0)?;
                Ok(Locked::Mine(Self(file)))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Ok(Locked::Taken(text.trim().parse().ok()))
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Tells later starters where this one listens. Where the disk has no room for that, they
    /// learn that a server runs, but not where.
    pub(crate) fn write_address(&mut self, address: SocketAddr) {
        let written = self.0.rewind().and_then(|()| self.0.set_len(0)).and_then(|()| writeln!(self.0, "{address}"));
        if let Err(e) = written {
            tracing::warn!("the address is not written into the lock file: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_learns_where_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loge.lock");
        let Locked::Mine(mut first) = DataLock::take(&path).unwrap() else { panic!("free") };
        first.write_address("127.0.0.1:8096".parse().unwrap());
        let Locked::Taken(address) = DataLock::take(&path).unwrap() else { panic!("taken") };
        assert_eq!(address, Some("127.0.0.1:8096".parse().unwrap()));
        drop(first);
        assert!(matches!(DataLock::take(&path).unwrap(), Locked::Mine(_)));
    }
}
