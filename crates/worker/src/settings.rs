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

impl Settings {
    pub fn from_env() -> Result<Self, SettingsError> {
        let path = |name| std::env::var_os(name).map(PathBuf::from).ok_or(SettingsError::Missing(name));
        let text = |name| std::env::var(name).map_err(|_| SettingsError::Missing(name));
        let nonce = env::from_hex(&text(env::NONCE)?).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
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
        })
    }

    /// Opened anew for every request: a disk that was away and is back must just work.
    /// `None` for a mount this loge does not have; the inner error when its folder is away.
    pub fn root(&self, mount: &str) -> Option<Result<Root, media::jail::OpenRootError>> {
        self.mounts.get(mount).map(|path| Root::open(path))
    }
}
