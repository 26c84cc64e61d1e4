//! The secret of the house: 256 random bits in a file of its own, outside the database, so that a
//! copy of the database opens nothing. Every use takes its own key, derived from it by name.

use base::Clock;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const FILE: &str = "house.key";
const LEN: usize = 32;

/// The key cannot be used; the house does not open without one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot make the key {path}")]
    Make { path: PathBuf, source: io::Error },
    #[error("the key {path} has {found} bytes instead of 32; remove it to sign everybody out and make a new one")]
    Length { path: PathBuf, found: usize },
    #[error("the key {path} can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Open { path: PathBuf, mode: u32 },
}

/// One key per use, so that a token made for one door never opens another.
pub(crate) struct Keys {
    pub(crate) access: [u8; LEN],
    pub(crate) refresh: [u8; LEN],
    pub(crate) ticket: [u8; LEN],
    pub(crate) view: [u8; LEN],
    pub(crate) invite: [u8; LEN],
}

impl Keys {
    /// Reads the key, or makes one on a fresh install. May wait for the disk.
    pub(crate) fn open(dir: &Path, clock: &dyn Clock) -> Result<Self, KeyError> {
        let path = dir.join(FILE);
        let secret = match read(&path)? {
            Some(secret) => secret,
            None => {
                make(dir, &path, clock).map_err(|source| KeyError::Make { path: path.clone(), source })?;
                // Read back: another process may have been faster, and then its key counts.
                read(&path)?.ok_or_else(|| KeyError::Read { path, source: io::ErrorKind::NotFound.into() })?
            }
        };
        let derive = |use_: &str| mac(&secret, &[b"loge key 1", use_.as_bytes()]);
        Ok(Self {
            access: derive("access"),
            refresh: derive("refresh"),
            ticket: derive("ticket"),
            view: derive("view"),
            invite: derive("invite"),
        })
    }
}

/// HMAC-SHA256 over parts, each with its length before it.
pub(crate) fn mac(key: &[u8; LEN], parts: &[&[u8]]) -> [u8; 32] {
    started(key, parts).finalize().into_bytes().into()
}

/// The same, compared in constant time.
pub(crate) fn is_mac(key: &[u8; LEN], parts: &[&[u8]], shown: &[u8]) -> bool {
    started(key, parts).verify_slice(shown).is_ok()
}

fn started(key: &[u8; LEN], parts: &[&[u8]]) -> Hmac<Sha256> {
    // A short key is filled up with zeros to the block of the hash; done here, it cannot fail.
    let mut block = [0; 64];
    block[..LEN].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

fn read(path: &Path) -> Result<Option<[u8; LEN]>, KeyError> {
    let failed = |source| KeyError::Read { path: path.into(), source };
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    if meta.mode() & 0o077 != 0 {
        return Err(KeyError::Open { path: path.into(), mode: meta.mode() & 0o777 });
    }
    let bytes = fs::read(path).map_err(failed)?;
    let found = bytes.len();
    bytes.try_into().map(Some).map_err(|_| KeyError::Length { path: path.into(), found })
}

/// Written aside, synced, then linked under its name: there is never half a key, and a key that
/// is there is never replaced.
fn make(dir: &Path, path: &Path, clock: &dyn Clock) -> io::Result<()> {
    let mut secret = [0; LEN];
    clock.random(&mut secret);
    let aside = dir.join(format!(".{FILE}.{}", std::process::id()));
    let _ = fs::remove_file(&aside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&aside, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&aside)?;
    linked?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SystemClock;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::open(dir.path(), &SystemClock).unwrap();
        let again = Keys::open(dir.path(), &SystemClock).unwrap();
        assert_eq!(first.access, again.access);
        assert_ne!(first.access, first.refresh);
        let path = dir.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keys::open(dir.path(), &SystemClock), Err(KeyError::Open { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Keys::open(dir.path(), &SystemClock), Err(KeyError::Length { found: 5, .. })));
        assert!(matches!(Keys::open(&dir.path().join("no"), &SystemClock), Err(KeyError::Make { .. })));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = [7; 32];
        assert_ne!(mac(&key, &[b"ab", b"c"]), mac(&key, &[b"a", b"bc"]));
        assert!(is_mac(&key, &[b"a"], &mac(&key, &[b"a"])));
        assert!(!is_mac(&key, &[b"a"], &mac(&key, &[b"b"])));
        assert!(!is_mac(&key, &[b"a"], &[]));
    }
}
