//! What a worker is told at start: see `contract::env`.

use contract::env;
use media::jail::Root;
use std::{collections::HashMap, ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

/// Everything a worker knows about its loge.
#[derive(Debug)]
pub struct Settings {
    pub socket: PathBuf,
    pub nonce: [u8; 32],
    mounts: HashMap<String, PathBuf>,
    pub programs: Programs,
    pub work_dir: PathBuf,
    /// The graphics chip, where this loge has one.
    pub render_node: Option<String>,
    /// Where libva finds drivers; `None` for the usual places.
    pub va_drivers: Option<PathBuf>,
}

/// Absolute paths of the media programs, and of this one, which starts them.
#[derive(Debug)]
pub struct Programs {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
    /// A loge may be without it.
    pub frames: Option<PathBuf>,
    pub worker: PathBuf,
}

/// The environment is not what a loge gives.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{0} is not in its form")]
    Form(&'static str),
    #[error("find this program's own path: {0}")]
    OwnPath(#[source] std::io::Error),
}

/// It becomes part of an option of ffmpeg, where commas and colons divide.
fn is_plain(node: &str) -> bool {
    node.starts_with('/') && node.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_.-".contains(&b))
}

impl Settings {
    pub fn from_env() -> Result<Self, SettingsError> {
        let path = |name| std::env::var_os(name).map(PathBuf::from).ok_or(SettingsError::Missing(name));
        let text = |name| std::env::var(name).map_err(|_| SettingsError::Missing(name));
        let nonce = env::from_hex(&text(env::NONCE)?).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let render_node = match std::env::var(env::RENDER_NODE) {
            Ok(node) if is_plain(&node) => Some(node),
            Ok(_) => return Err(SettingsError::Form(env::RENDER_NODE)),
            Err(_) => None,
        };
        let mounts = env::decode_mounts(&text(env::MOUNTS)?).ok_or(SettingsError::Form(env::MOUNTS))?;
        Ok(Self {
            socket: path(env::SOCKET)?,
            nonce: nonce.ok_or(SettingsError::Form(env::NONCE))?,
            mounts: mounts.into_iter().map(|m| (m.id, PathBuf::from(OsStr::from_bytes(&m.path)))).collect(),
            programs: Programs {
                ffmpeg: path(env::FFMPEG)?,
                ffprobe: path(env::FFPROBE)?,
                frames: std::env::var_os(env::FRAMES).map(PathBuf::from),
                worker: std::env::current_exe().map_err(SettingsError::OwnPath)?,
            },
            work_dir: path(env::WORK_DIR)?,
            render_node,
            va_drivers: std::env::var_os(env::VA_DRIVERS).map(PathBuf::from),
        })
    }

    /// Opened anew for every request: a disk that was away and is back must just work.
    /// `None` for a mount this loge does not have; the inner error when its folder is away.
    pub fn root(&self, mount: &str) -> Option<Result<Root, media::jail::OpenRootError>> {
        self.mounts.get(mount).map(|path| Root::open(path))
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn a_render_node_cannot_say_more_than_where_it_is() {
        assert!(is_plain("/dev/dri/renderD128"));
        for node in ["", "dev/dri/renderD128", "/dev/dri/renderD128,driver=x", "/a:b", "/a b", "/a\n", "/a=b"] {
            assert!(!is_plain(node), "{node:?}");
        }
    }
}
