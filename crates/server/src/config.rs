//! The boot configuration: defaults, then `loge.toml` in the data folder, then the environment,
//! then flags. What the owner changes while the house runs is in the database.
//!
//! No `.env` file is read: one that another user puts above the working folder would decide which
//! programs run here. `npm start` reads the one of the source tree and passes it on.

use base::Dirs;
use domain::{hosts::PublicUrl, proxies::Trusted};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
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
    /// `None`: the local engine's usual socket.
    pub docker_host: Option<String>,
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

/// `loge.toml`. An unknown key is an error, since a misspelt one would silently do nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    runtime: Option<RuntimeChoice>,
    database_url: Option<String>,
    docker_host: Option<String>,
    worker_image: Option<String>,
    worker_binary: Option<PathBuf>,
    launcher_binary: Option<PathBuf>,
    segments_dir: Option<PathBuf>,
    frames_binary: Option<PathBuf>,
    render_nodes: Option<PathBuf>,
    log: Option<String>,
    metrics_token: Option<String>,
    names: Option<Vec<String>>,
    trusted_proxies: Option<Vec<String>>,
    public_url: Option<String>,
    drain_seconds: Option<u64>,
    backup_passphrase_file: Option<PathBuf>,
}

const DEFAULT_LISTEN: &str = "0.0.0.0:8096";

impl Config {
    /// Gathers the configuration of this run.
    ///
    /// # Errors
    /// When the file or a variable holds something that cannot be meant.
    pub fn load(overrides: Overrides) -> Result<Self, ConfigError> {
        Self::assemble(overrides, &|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
    }

    /// Returns where the database is.
    pub fn database(&self) -> Database {
        match &self.database_url {
            Some(url) => Database::Url(url.clone()),
            None => Database::Sqlite(Dirs::at(&self.data_dir).database()),
        }
    }

    fn assemble(overrides: Overrides, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let data_dir = match overrides.data_dir.or_else(|| env("LOGE_DATA_DIR").map(PathBuf::from)) {
            Some(dir) => dir,
            None => default_data_dir(env).ok_or(ConfigError::NoHome)?,
        };
        let file = read_file(&data_dir.join("loge.toml"))?;
        let listen = match overrides.listen {
            Some(listen) => listen,
            None => parsed(env, "LOGE_LISTEN")?.or(file.listen).unwrap_or_else(default_listen),
        };
        let runtime = match overrides.runtime {
            Some(runtime) => runtime,
            None => parsed(env, "LOGE_RUNTIME")?.or(file.runtime).unwrap_or_default(),
        };
        let trusted_proxies = listed(env, "LOGE_TRUSTED_PROXIES").or(file.trusted_proxies).unwrap_or_default();
        let trusted_proxies = Trusted::parse(trusted_proxies.iter().map(String::as_str)).map_err(|text| {
            let message = format!("`{text}` is neither an address like 10.0.0.2 nor a network like 172.18.0.0/16");
            ConfigError::Setting { name: "trusted_proxies", message }
        })?;
        let public_url = match env("LOGE_PUBLIC_URL").or(file.public_url) {
            None => None,
            Some(text) => Some(PublicUrl::parse(&text).ok_or_else(|| {
                let message = format!("`{text}` is no address like https://films.example.org");
                ConfigError::Setting { name: "public_url", message }
            })?),
        };
        let path = |name: &str, file: Option<PathBuf>, default: &str| {
            env(name).map(PathBuf::from).or(file).unwrap_or_else(|| beside_this_program(default))
        };
        Ok(Self {
            data_dir,
            listen,
            runtime,
            database_url: env("LOGE_DATABASE_URL").or(file.database_url),
            docker_host: env("DOCKER_HOST").or(file.docker_host),
            worker_image: env("LOGE_WORKER_IMAGE").or(file.worker_image).unwrap_or_else(|| "loge-worker:latest".into()),
            worker_binary: path("LOGE_WORKER", file.worker_binary, "loge-worker"),
            launcher_binary: path("LOGE_LAUNCHER", file.launcher_binary, "loge-launch"),
            segments_dir: env("LOGE_SEGMENTS_DIR").map(PathBuf::from).or(file.segments_dir),
            frames_binary: path("LOGE_FRAMES", file.frames_binary, "loge-frames"),
            render_nodes: env("LOGE_RENDER_NODES")
                .map(PathBuf::from)
                .or(file.render_nodes)
                .unwrap_or_else(|| loges::chip::RENDER_NODES.into()),
            log: env("LOGE_LOG").or(file.log).unwrap_or_else(|| "info".into()),
            metrics_token: env("LOGE_METRICS_TOKEN").or(file.metrics_token),
            names: listed(env, "LOGE_NAMES").or(file.names).unwrap_or_default(),
            trusted_proxies,
            public_url,
            drain: Duration::from_secs(file.drain_seconds.unwrap_or(10).min(600)),
            start_anew: overrides.start_anew,
            backup_passphrase_file: env("LOGE_BACKUP_PASSPHRASE_FILE")
                .map(PathBuf::from)
                .or(file.backup_passphrase_file),
            is_rehearsal: false,
        })
    }
}

/// A list in one variable, separated by commas.
fn listed(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<Vec<String>> {
    let text = env(name)?;
    Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

fn default_listen() -> SocketAddr {
    DEFAULT_LISTEN.parse().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 8096)))
}

fn default_data_dir(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let data = env("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    data.or_else(|| env("HOME").map(|home| Path::new(&home).join(".local/share"))).map(|d| d.join("loge"))
}

fn beside_this_program(name: &str) -> PathBuf {
    std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(name))).unwrap_or_else(|| name.into())
}

fn parsed<T: FromStr>(env: &dyn Fn(&str) -> Option<String>, name: &'static str) -> Result<Option<T>, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let Some(value) = env(name) else { return Ok(None) };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(e) => Err(ConfigError::Environment { name, message: e.to_string(), value }),
    }
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    if !path.exists() {
        return Ok(File::default());
    }
    ::config::Config::builder()
        .add_source(::config::File::from(path.to_path_buf()).format(::config::FileFormat::Toml))
        .build()
        .and_then(::config::Config::try_deserialize)
        .map_err(|e| ConfigError::File { path: path.into(), message: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(dir: &Path, env: &[(&str, &str)], overrides: Overrides) -> Result<Config, ConfigError> {
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let overrides = Overrides { data_dir: Some(dir.into()), ..overrides };
        Config::assemble(overrides, &|name| env.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let flag = Overrides { listen: Some("127.0.0.1:3".parse().unwrap()), ..Overrides::default() };
        assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().listen.port(), 8096);
        std::fs::write(dir.path().join("loge.toml"), "listen = \"127.0.0.1:1\"\nruntime = \"process\"\n").unwrap();
        let env = [("LOGE_LISTEN", "127.0.0.1:2")];
        assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().listen.port(), 1);
        assert_eq!(load(dir.path(), &env, Overrides::default()).unwrap().listen.port(), 2);
        assert_eq!(load(dir.path(), &env, flag).unwrap().listen.port(), 3);
        assert_eq!(load(dir.path(), &[], Overrides::default()).unwrap().runtime, RuntimeChoice::Process);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let said = |r: Result<Config, ConfigError>| r.unwrap_err().to_string();
        assert!(said(load(dir.path(), &[("LOGE_LISTEN", "here")], Overrides::default())).contains("LOGE_LISTEN=here"));
        std::fs::write(dir.path().join("loge.toml"), "lisen = \"127.0.0.1:1\"\n").unwrap();
        assert!(said(load(dir.path(), &[], Overrides::default())).contains("lisen"));
        std::fs::write(dir.path().join("loge.toml"), "trusted_proxies = [\"10.0.0.2\", \"proxy\"]\n").unwrap();
        let refused = said(load(dir.path(), &[], Overrides::default()));
        assert!(refused.contains("trusted_proxies") && refused.contains("`proxy`"), "{refused}");
        let env = [("LOGE_TRUSTED_PROXIES", "10.0.0.2, 172.18.0.0/16"), ("LOGE_PUBLIC_URL", "https://films.example/")];
        let read = load(dir.path(), &env, Overrides::default()).unwrap();
        assert_eq!(read.trusted_proxies.names(), ["10.0.0.2", "172.18.0.0/16"]);
        assert_eq!(read.public_url.unwrap().to_string(), "https://films.example");
        let folder = [("LOGE_TRUSTED_PROXIES", "10.0.0.2"), ("LOGE_PUBLIC_URL", "https://films.example/loge")];
        assert!(said(load(dir.path(), &folder, Overrides::default())).contains("public_url"));
    }
}
