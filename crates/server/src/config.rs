//! The boot configuration: defaults, then `loge.toml` in the data folder, then the environment,
//! then flags. What the owner changes while the house runs is in the database.
//!
//! No `.env` file is read: one that another user puts above the working folder would decide which
//! programs run here. `npm start` reads the one of the source tree and passes it on.

mod examples;
pub mod keys;
mod sources;
#[cfg(test)]
mod tests;

pub use examples::{Syntax, example, kept, reference};

use base::Dirs;
use domain::{hosts::PublicUrl, proxies::Trusted};
use loges::HostPath;
use serde::Deserialize;
use sources::{Env, Sources, parsed};
use std::{
    net::SocketAddr,
    path::{Component, Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use store::Database;

/// What makes the loges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeChoice {
    /// Docker when an engine answers, else the process sandbox.
    #[default]
    Auto,
    Docker,
    Process,
}

impl RuntimeChoice {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

impl FromStr for RuntimeChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "docker" => Ok(Self::Docker),
            "process" => Ok(Self::Process),
            other => Err(format!("`{other}` is no runtime; take auto, docker or process")),
        }
    }
}

/// Everything the server needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub runtime: RuntimeChoice,
    /// `None`: SQLite in the data folder.
    pub database_url: Option<String>,
    /// Its first line goes into the address above.
    pub database_password_file: Option<PathBuf>,
    /// `None`: the local engine's usual socket.
    pub docker_host: Option<String>,
    /// Empty: asked of the engine, where this server runs in a container.
    pub host_paths: Vec<HostPath>,
    pub worker_image: String,
    pub worker_binary: PathBuf,
    pub launcher_binary: PathBuf,
    /// `None`: in the data folder.
    pub segments_dir: Option<PathBuf>,
    /// Without it pictures are made by ffmpeg.
    pub frames_binary: PathBuf,
    /// Folder of the graphics chips' render nodes.
    pub render_nodes: PathBuf,
    /// Filter in the syntax of `LOGE_LOG`.
    pub log: String,
    /// Lets a scraper read `/metrics` without being an admin.
    pub metrics_token: Option<String>,
    /// Names besides the machine's own under which browsers may call the house.
    pub names: Vec<String>,
    /// Proxies that are believed when they say who asks.
    pub trusted_proxies: Trusted,
    /// What stands in links to this house.
    pub public_url: Option<PublicUrl>,
    /// How long a stop waits for streams.
    pub drain: Duration,
    /// Begin a new house in a folder whose house lost its database.
    pub start_anew: bool,
    /// Its first line seals the key of the house in backups.
    pub backup_passphrase_file: Option<PathBuf>,
    /// The house is tried out: it makes nothing by itself.
    pub is_rehearsal: bool,
}

/// What the command line or the desktop sets.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub data_dir: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
    pub runtime: Option<RuntimeChoice>,
    pub start_anew: bool,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be used: {message}")]
    File { path: PathBuf, message: String },
    #[error("{name}={value} cannot be used: {message}")]
    Environment { name: &'static str, value: String, message: String },
    /// From the file or the environment.
    #[error("{name} cannot be used: {message}")]
    Setting { name: &'static str, message: String },
    #[error("there is no home folder; give a data folder with --data-dir")]
    NoHome,
}

impl Config {
    /// Gathers the configuration of this run.
    ///
    /// # Errors
    /// When the file or a variable holds something that cannot be meant.
    pub fn load(overrides: Overrides) -> Result<Self, ConfigError> {
        let mut config = Self::assemble(overrides, &|name| std::env::var(name).ok().filter(|v| !v.is_empty()))?;
        config.database_url = with_password(config.database_password_file.take(), config.database_url)?;
        Ok(config)
    }

    /// Returns where the database is.
    pub fn database(&self) -> Database {
        match &self.database_url {
            Some(url) => Database::Url(url.clone()),
            None => Database::Sqlite(Dirs::at(&self.data_dir).database()),
        }
    }

    fn assemble(overrides: Overrides, env: Env<'_>) -> Result<Self, ConfigError> {
        let data_dir = match overrides.data_dir {
            Some(dir) => dir,
            None => match parsed(env, &keys::DATA_DIR)? {
                Some(dir) => dir,
                None => default_data_dir(env).ok_or(ConfigError::NoHome)?,
            },
        };
        let sources = Sources::open(env, &data_dir.join("loge.toml"))?;
        let listen = overrides.listen.map_or_else(|| sources.certain(&keys::LISTEN), Ok)?;
        let runtime = overrides.runtime.map_or_else(|| sources.certain(&keys::RUNTIME), Ok)?;
        let trusted_proxies = sources.list(&keys::TRUSTED_PROXIES)?;
        let trusted_proxies = Trusted::parse(trusted_proxies.iter().map(String::as_str)).map_err(|text| {
            let message = format!("`{text}` is neither an address like 10.0.0.2 nor a network like 172.18.0.0/16");
            ConfigError::Setting { name: keys::TRUSTED_PROXIES.name, message }
        })?;
        let public_url = match sources.value::<String>(&keys::PUBLIC_URL)? {
            None => None,
            Some(text) => Some(PublicUrl::parse(&text).ok_or_else(|| {
                let message = format!("`{text}` is no address like https://films.example.org");
                ConfigError::Setting { name: keys::PUBLIC_URL.name, message }
            })?),
        };
        let host_paths = sources.list(&keys::HOST_PATHS)?;
        let host_paths = host_paths.iter().map(|text| host_path(text)).collect::<Result<_, _>>()?;
        Ok(Self {
            data_dir,
            listen,
            runtime,
            database_url: sources.value(&keys::DATABASE_URL)?,
            database_password_file: sources.value(&keys::DATABASE_PASSWORD_FILE)?,
            docker_host: sources.value(&keys::DOCKER_HOST)?,
            host_paths,
            worker_image: sources.certain(&keys::WORKER_IMAGE)?,
            worker_binary: sources.program(&keys::WORKER_BINARY)?,
            launcher_binary: sources.program(&keys::LAUNCHER_BINARY)?,
            segments_dir: sources.value(&keys::SEGMENTS_DIR)?,
            frames_binary: sources.program(&keys::FRAMES_BINARY)?,
            render_nodes: sources.certain(&keys::RENDER_NODES)?,
            log: sources.certain(&keys::LOG)?,
            metrics_token: sources.value(&keys::METRICS_TOKEN)?,
            names: sources.list(&keys::NAMES)?,
            trusted_proxies,
            public_url,
            drain: Duration::from_secs(sources.certain::<u64>(&keys::DRAIN_SECONDS)?.min(keys::LONGEST_DRAIN_S)),
            start_anew: overrides.start_anew,
            backup_passphrase_file: sources.value(&keys::BACKUP_PASSPHRASE_FILE)?,
            is_rehearsal: false,
        })
    }
}

/// `/films=/srv/films`: here, and on the machine.
fn host_path(text: &str) -> Result<HostPath, ConfigError> {
    let both = text.split_once('=').map(|(here, host)| HostPath { here: here.into(), host: host.into() });
    let is_whole = |path: &Path| path.is_absolute() && path.components().all(|part| part != Component::ParentDir);
    both.filter(|path| is_whole(&path.here) && is_whole(&path.host)).ok_or_else(|| {
        let message = format!("`{text}` is no pair of folders like /films=/srv/films");
        ConfigError::Setting { name: keys::HOST_PATHS.name, message }
    })
}

/// The password from a file of its own goes into the address, where none stands yet: an address in
/// the environment can be read by more people than a file.
fn with_password(file: Option<PathBuf>, url: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(path) = file else { return Ok(url) };
    let name = keys::DATABASE_PASSWORD_FILE.name;
    let refused = |message: String| ConfigError::Setting { name, message: format!("{}: {message}", path.display()) };
    let text = std::fs::read_to_string(&path).map_err(|e| refused(e.to_string()))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(refused("its first line is empty".into()));
    }
    let url = url.ok_or_else(|| refused("there is no database_url that it could belong to".into()))?;
    let joined = url.split_once("://").and_then(|(scheme, rest)| {
        let (user, place) = rest.split_once('@')?;
        (!user.is_empty() && !user.contains([':', '/']))
            .then(|| format!("{scheme}://{user}:{}@{place}", escaped(password)))
    });
    joined.map(Some).ok_or_else(|| {
        refused("database_url has to name a user without a password, like postgres://loge@db/loge".into())
    })
}

/// As it may stand in an address.
fn escaped(password: &str) -> String {
    use std::fmt::Write;
    password.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn default_data_dir(env: Env<'_>) -> Option<PathBuf> {
    let data = env("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    data.or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/share"))).map(|d| d.join("loge"))
}
