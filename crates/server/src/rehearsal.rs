//! Proving a backup: the house in it is restored into a folder of its own, started on a port of its
//! own, signed in to and watched, and taken down again. This runs in a process of its own, so that
//! nothing of it reaches the house that the backup was made of.

use crate::{
    ask::{Ask, Reply, ask},
    bringing_back::{BringBackError, RestoredKey, bring_back},
    config::{Config, Overrides},
    handle::Handle,
    start::Server,
    start_failure::StartError,
};
use ::backup::{Backup, Passphrase, ReadBackupError};
use base::{Clock, SystemClock};
use serde_json::json;
use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt, FileExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{AsIs, Database, OpenError, Store, StoreError};
use tokio::time::Instant;

/// Films that are tried: the disk of the first ones may be away.
const FILMS: usize = 20;
/// Read from the beginning, and from the middle.
const PIECE: u64 = 256 << 10;
/// A container starts in a second; a busy old PC takes longer.
const STARTING: Duration = Duration::from_secs(60);

/// What a rehearsal showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    pub users: u64,
    pub titles: u64,
    /// The film that played; `None` where there is none that plays as it is and whose disk is there.
    pub played: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    #[error("make a folder for the rehearsal")]
    Folder(#[source] io::Error),
    #[error("read the backup")]
    Read(#[from] ReadBackupError),
    #[error("restore the backup")]
    Restore(#[from] BringBackError),
    #[error("open the restored database")]
    Open(#[from] OpenError),
    #[error("read or write the restored database")]
    Store(#[from] StoreError),
    #[error("start the restored house")]
    Start(#[from] StartError),
    #[error("ask the restored house")]
    Ask(#[from] io::Error),
    #[error("the restored house holds {found} {what}, and the backup says {expected}")]
    Counts { what: &'static str, expected: u64, found: u64 },
    #[error("the owner could not sign in to the restored house (status {status})")]
    SignIn { status: u16 },
    #[error("the restored house refused {path} (status {status}, code {code})")]
    Refused { path: String, status: u16, code: String },
    #[error("{title} came with other bytes than its file has")]
    Bytes { title: String },
}

impl RehearseError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Read(e) => e.sentence(),
            Self::Restore(BringBackError::Stage(e)) => e.sentence(),
            Self::Restore(BringBackError::Swap(e)) => e.sentence(),
            Self::Folder(_) => {
                "There is no room to try the backup out, or Loge may not write in its data folder.".into()
            }
            Self::Restore(_) | Self::Open(_) | Self::Store(_) => {
                "The backup was unpacked, but the database in it cannot be used. Make a new one, and look at the disk."
                    .into()
            }
            Self::Start(e) => format!("The house in the backup does not start: {}", e.explain().sentence),
            Self::Counts { .. } => format!("The backup is not whole: {self}. Make a new one."),
            Self::Ask(_) | Self::SignIn { .. } | Self::Refused { .. } => {
                format!("The house in the backup starts, but does not answer as it should: {self}.")
            }
            Self::Bytes { .. } => format!("The house in the backup starts, but {self}."),
        }
    }
}

/// Proves a backup in the data folder of its house. Takes some seconds, and as much room as a restore.
///
/// # Errors
/// See [`RehearseError`]; nothing of the rehearsal is left.
pub async fn rehearse(
    config: &Config,
    file: &Path,
    passphrase: Option<Passphrase>,
) -> Result<Rehearsed, RehearseError> {
    let scratch = Scratch::make(&config.data_dir).map_err(RehearseError::Folder)?;
    let config = Config {
        data_dir: scratch.0.clone(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        database_url: None,
        segments_dir: None,
        metrics_token: None,
        names: Vec::new(),
        trusted_proxies: domain::proxies::Trusted::default(),
        public_url: None,
        drain: Duration::ZERO,
        start_anew: false,
        is_rehearsal: true,
        ..config.clone()
    };
    let backup = Backup::open(file)?;
    let counts = backup.manifest().counts.clone();
    let key = passphrase.map_or(RestoredKey::New, |passphrase| RestoredKey::OfBackup(Some(passphrase)));
    let is_plain = backup.manifest().key == ::backup::KeyState::Plain;
    let key = if is_plain { RestoredKey::OfBackup(None) } else { key };
    bring_back(&scratch.0, backup, key, &[]).await?;
    detach(&config.database()).await?;
    let handle = Server::start(config).await?;
    let used = use_house(&handle, &counts).await;
    handle.stop().await;
    drop(scratch);
    used
}

/// What a rehearsal is told on its command line; the same for every program that can be one.
pub const REHEARSE: &str = "rehearse";

/// Runs a rehearsal as another process of this house asked for it: `rehearse FILE --json --data-dir DIR`
/// and `--passphrase-file FILE`. Returns the line of JSON for that process, and whether the backup is
/// proven.
pub async fn rehearse_as_told(arguments: &[OsString]) -> (String, bool) {
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(PathBuf::from)
    };
    let overrides = Overrides { data_dir: after("--data-dir"), ..Overrides::default() };
    let config = match Config::load(overrides) {
        Ok(config) => config,
        Err(e) => return (answer(&Err(e.explain().sentence)), false),
    };
    let file = after(REHEARSE).unwrap_or_default();
    // A backup whose key stays sealed can be tried out too.
    let passphrase = after("--passphrase-file").and_then(|file| Passphrase::read(&file).ok());
    let done = rehearse(&config, &file, passphrase).await.map_err(|e| e.sentence());
    (answer(&done), done.is_ok())
}

/// Returns what the process that asked for a rehearsal reads.
pub fn answer(done: &Result<Rehearsed, String>) -> String {
    match done {
        Ok(seen) => json!({ "proven": true, "users": seen.users, "titles": seen.titles, "played": seen.played }),
        Err(problem) => json!({ "proven": false, "problem": problem }),
    }
    .to_string()
}

/// Makes the restored house another one: it must never take the other's containers for its own.
async fn detach(database: &Database) -> Result<(), RehearseError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open_as_is(database.clone(), clock, AsIs::Any).await?;
    let done = store.forget_install_id().await;
    store.close().await;
    Ok(done?)
}

async fn use_house(
    handle: &Handle,
    counts: &std::collections::BTreeMap<String, u64>,
) -> Result<Rehearsed, RehearseError> {
    let found = handle.rooms.store.counts().await?;
    for what in ["users", "libraries", "titles"] {
        let (expected, found) = (counts.get(what).copied().unwrap_or(0), found.get(what).copied().unwrap_or(0));
        if expected != found {
            return Err(RehearseError::Counts { what, expected, found });
        }
    }
    let of = |what: &str| counts.get(what).copied().unwrap_or(0);
    let (users, titles) = (of("users"), of("titles"));
    let Some(ticket) = handle.desktop_ticket().await else { return Err(RehearseError::SignIn { status: 0 }) };
    let form = json!({ "ticket": ticket });
    let order = Ask { method: "POST", path: "/api/v1/auth/login", json: Some(&form), ..Ask::default() };
    let reply = ask(handle.address(), order).await?;
    let answer = reply.json();
    let Some(token) = answer["access_token"].as_str().filter(|_| reply.status == 200) else {
        return Err(RehearseError::SignIn { status: reply.status });
    };
    let path = format!("/api/v1/titles?playability=direct&limit={FILMS}");
    let reply = ask(handle.address(), Ask { method: "GET", path: &path, token: Some(token), ..Ask::default() }).await?;
    let list = taken(&path, reply)?.json();
    for item in list["items"].as_array().into_iter().flatten() {
        let (Some(id), Some(name)) = (item["id"].as_str(), item["name"].as_str()) else { continue };
        if let Some(file) = file_of(handle, id).await?
            && watch(handle, token, id, name, &file).await?
        {
            return Ok(Rehearsed { users, titles, played: Some(name.to_owned()) });
        }
    }
    Ok(Rehearsed { users, titles, played: None })
}

/// Returns the film's file where its disk is there.
async fn file_of(handle: &Handle, title: &str) -> Result<Option<PathBuf>, RehearseError> {
    use std::os::unix::ffi::OsStrExt;
    let store = &handle.rooms.store;
    let Ok(id) = domain::TitleId::parse(title) else { return Ok(None) };
    let owner = store.users().await?.into_iter().find(|user| user.role.is_admin());
    let Some(owner) = owner else { return Ok(None) };
    let Some((_, files)) = store.title_for(&owner.id, owner.role, &id).await? else { return Ok(None) };
    let libraries = store.libraries().await?;
    let folders = || libraries.iter().flat_map(|library| &library.folders);
    let path = files.first().and_then(|file| {
        let folder = folders().find(|folder| folder.id == file.folder)?;
        Some(folder.path.join(std::ffi::OsStr::from_bytes(&file.path))).filter(|path| path.is_file())
    });
    Ok(path)
}

/// Presses play and compares what comes with the file. False: this film does not play as it is.
async fn watch(handle: &Handle, token: &str, id: &str, name: &str, file: &Path) -> Result<bool, RehearseError> {
    let path = format!("/api/v1/titles/{id}/play");
    let form = json!({});
    let until = Instant::now() + STARTING;
    let play = loop {
        let order = Ask { method: "POST", path: &path, token: Some(token), json: Some(&form), ..Ask::default() };
        let reply = ask(handle.address(), order).await?;
        if reply.status != 503 || Instant::now() >= until {
            break taken(&path, reply)?.json();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let Some(url) = play["url"].as_str().filter(|_| play["method"] == "direct") else { return Ok(false) };
    let file = fs::File::open(file)?;
    let length = file.metadata()?.len();
    for first in [0, length / 2] {
        let last = (first + PIECE).min(length).saturating_sub(1);
        if last < first {
            continue;
        }
        let order = Ask { method: "GET", path: url, range: Some((first, last)), ..Ask::default() };
        let reply = ask(handle.address(), order).await?;
        if reply.status != 206 {
            taken("the film", reply)?;
            return Err(RehearseError::Bytes { title: name.into() });
        }
        let mut expected = vec![0; (last - first + 1) as usize];
        file.read_exact_at(&mut expected, first)?;
        if reply.body != expected {
            return Err(RehearseError::Bytes { title: name.into() });
        }
    }
    Ok(true)
}

fn taken(path: &str, reply: Reply) -> Result<Reply, RehearseError> {
    if reply.status < 300 {
        return Ok(reply);
    }
    let code = reply.json()["code"].as_str().unwrap_or("none").to_owned();
    Err(RehearseError::Refused { path: path.into(), status: reply.status, code })
}

/// The folder of a rehearsal; gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make(data_dir: &Path) -> io::Result<Self> {
        clear(data_dir);
        let path = data_dir.join(format!("{FOLDER}{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

const FOLDER: &str = ".rehearsal-";

/// Removes what rehearsals left that were cut short.
pub(crate) fn clear(data_dir: &Path) {
    for entry in fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
