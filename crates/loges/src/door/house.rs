//! Whose door this is, and what that house may show. In a container the door finds it out by
//! itself: the server is the container with the label `loge.role=server` that shares the folder of
//! the door's socket; what that container has read-only are films; what it can write, no loge ever
//! gets, except the sockets in it.

use super::{
    LABEL_ROLE, Refusal,
    engine::{Engine, EngineError},
    form::Allowed,
};
use crate::{
    chip::RenderNode,
    runtime::docker_paths::{self, Places, Shown},
};
use bollard::models::ContainerInspectResponse;
use serde_json::Value;
use std::{
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// Where a container has things of the system and secrets, and no films.
const NO_FILMS: [&str; 5] = ["/run", "/etc", "/proc", "/sys", "/dev"];

/// Who is behind the door.
#[derive(Debug, Clone)]
pub enum Whose {
    /// Named on the command line, under the machine's paths; the door runs on the machine itself.
    Named { house: String, films: Vec<PathBuf>, sockets: PathBuf },
    /// To be found through the folder that the door's socket is in.
    Found { folder: PathBuf },
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    pub allowed: Allowed,
    /// The container of the server, which may look at itself.
    pub server: Option<String>,
    /// What the door itself sees of the machine.
    pub seen: Places,
}

impl Whose {
    /// Asked for each request that needs it: the server's container may be another one by now.
    pub async fn look(&self, engine: &Engine, chips: &[RenderNode]) -> Result<House, Refusal> {
        match self {
            Self::Named { house, films, sockets } => Ok(House {
                allowed: Allowed {
                    house: house.clone(),
                    films: films.clone(),
                    sockets: vec![sockets.clone()],
                    chips: chips.to_vec(),
                    engine_root: root(engine).await?,
                },
                server: None,
                seen: Places::Same,
            }),
            Self::Found { folder } => find(engine, folder, chips).await,
        }
    }

    /// Which house this is; cheaper than to [`Self::look`].
    pub async fn name(&self, engine: &Engine) -> Result<String, Refusal> {
        match self {
            Self::Named { house, .. } => Ok(house.clone()),
            Self::Found { folder } => Ok(own(engine, folder).await?.0),
        }
    }
}

/// The name of the house, and what the door sees: asked of the engine about the door's own container.
async fn own(engine: &Engine, folder: &Path) -> Result<(String, Places), Refusal> {
    let id = docker_paths::own_container(&base::mounts::table())
        .ok_or_else(|| unknown("the door runs in no container; name the house on its command line"))?;
    let made = inspect(engine, &id).await?.ok_or_else(|| unknown("this engine does not know the door's container"))?;
    let seen = Places::Shown(docker_paths::shown(&made));
    let house = seen.on_host(folder).ok_or_else(|| unknown("the folder of the door's socket is no volume"))?;
    Ok((house.to_string_lossy().into_owned(), seen))
}

async fn find(engine: &Engine, folder: &Path, chips: &[RenderNode]) -> Result<House, Refusal> {
    let (house, seen) = own(engine, folder).await?;
    let filters = format!("%7B%22label%22%3A%5B%22{}%3D{}%22%5D%7D", LABEL_ROLE.0, LABEL_ROLE.1);
    let listed = engine.look_up(&format!("/containers/json?filters={filters}")).await.map_err(|e| away(&e))?;
    let mut servers = Vec::new();
    for id in listed.iter().filter_map(Value::as_array).flatten().filter_map(|one| one["Id"].as_str()) {
        if let Some(made) = inspect(engine, id).await? {
            servers.push((id.to_owned(), docker_paths::shown(&made)));
        }
    }
    let (server, shown) = neighbour(servers, Path::new(&house))?;
    let (films, sockets) = sorted(&shown, Path::new(&house));
    let engine_root = root(engine).await?;
    let allowed = Allowed { house, films, sockets, chips: chips.to_vec(), engine_root };
    Ok(House { allowed, server: Some(server), seen })
}

async fn root(engine: &Engine) -> Result<Option<String>, Refusal> {
    let info = engine.look_up("/info").await.map_err(|e| away(&e))?;
    Ok(info.and_then(|info| info["DockerRootDir"].as_str().map(str::to_owned)))
}

/// The one server that has the door's folder too.
fn neighbour(servers: Vec<(String, Vec<Shown>)>, folder: &Path) -> Result<(String, Vec<Shown>), Refusal> {
    let mut found = servers.into_iter().filter(|(_, shown)| shown.iter().any(|one| one.host == folder));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(unknown(&format!(
            "no running container with the label {}={} shares the door's folder",
            LABEL_ROLE.0, LABEL_ROLE.1
        ))),
        (Some(_), Some(_)) => Err(unknown("more than one server shares the door's folder")),
    }
}

/// Films, and folders with sockets, of what a server has.
fn sorted(shown: &[Shown], door: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let is_system = |one: &Shown| NO_FILMS.iter().any(|folder| one.here.starts_with(folder));
    let root = Path::new("/");
    let others = || shown.iter().filter(|one| one.host != door && one.host != root);
    let writable = || others().filter(|one| !one.is_read_only);
    // Read-only in one place and writable in another is writable.
    let is_reached =
        |one: &Shown| writable().any(|other| one.host.starts_with(&other.host) || other.host.starts_with(&one.host));
    let films = others().filter(|one| one.is_read_only && !is_system(one) && !is_reached(one));
    (films.map(|one| one.host.clone()).collect(), writable().map(|one| one.host.clone()).collect())
}

async fn inspect(engine: &Engine, id: &str) -> Result<Option<ContainerInspectResponse>, Refusal> {
    let found = engine.look_up(&format!("/containers/{id}/json")).await.map_err(|e| away(&e))?;
    found.map(serde_json::from_value).transpose().map_err(|e| unknown(&e.to_string()))
}

/// Whether the socket is one, and nothing on the way to it is a link to somewhere else.
pub fn is_plain_socket(seen: &Places, folder: &Path, below: &Path) -> bool {
    let Some(mut at) = here(seen, folder) else { return false };
    let is = |path: &Path, wanted: fn(&std::fs::FileType) -> bool| {
        std::fs::symlink_metadata(path).is_ok_and(|about| wanted(&about.file_type()))
    };
    let mut parts = below.components().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        let wanted = if parts.peek().is_some() { std::fs::FileType::is_dir } else { FileTypeExt::is_socket };
        if !is(&at, wanted) {
            return false;
        }
    }
    true
}

/// Where the door has a folder of the machine.
fn here(seen: &Places, host: &Path) -> Option<PathBuf> {
    match seen {
        Places::Same => Some(host.into()),
        Places::Shown(all) => all.iter().find(|one| one.host == host).map(|one| one.here.clone()),
    }
}

fn unknown(reason: &str) -> Refusal {
    Refusal::House { reason: reason.into() }
}

fn away(error: &EngineError) -> Refusal {
    unknown(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(here: &str, host: &str, is_read_only: bool) -> Shown {
        Shown { here: here.into(), host: host.into(), is_read_only }
    }

    #[test]
    fn what_a_server_cannot_write_are_films_and_nothing_else_is() {
        let door = Path::new("/vol/door");
        let shown = [
            one("/films", "/srv/films", true),
            one("/more", "/mnt/disk", true),
            one("/data", "/vol/data", false),
            one("/run/loge", "/vol/sockets", false),
            one("/run/engine", "/vol/door", true),
            one("/run/secrets/db", "/home/ana/secrets/db", true),
            one("/etc/localtime", "/etc/localtime", true),
        ];
        let (films, sockets) = sorted(&shown, door);
        assert_eq!(films, [Path::new("/srv/films"), Path::new("/mnt/disk")]);
        assert_eq!(sockets, [Path::new("/vol/data"), Path::new("/vol/sockets")]);
        // The same folder twice, once writable: what is in it may have been put there.
        let twice =
            [one("/films", "/vol/data", true), one("/below", "/vol/data/x", true), one("/data", "/vol/data", false)];
        assert_eq!(sorted(&twice, door).0, Vec::<PathBuf>::new());
        // A whole machine is no folder of films.
        assert_eq!(sorted(&[one("/host", "/", true)], door).0, Vec::<PathBuf>::new());
    }

    #[test]
    fn the_server_is_the_one_next_to_the_door() {
        let at = |id: &str, host: &str| (id.to_owned(), vec![one("/run/engine", host, true)]);
        let folder = Path::new("/vol/door");
        let found = neighbour(vec![at("other", "/vol/other"), at("ours", "/vol/door")], folder).unwrap();
        assert_eq!(found.0, "ours");
        assert!(neighbour(vec![at("other", "/vol/other")], folder).is_err());
        assert!(neighbour(vec![at("a", "/vol/door"), at("b", "/vol/door")], folder).is_err());
    }

    #[test]
    fn a_link_on_the_way_to_a_socket_is_seen() {
        use std::os::unix::{fs::symlink, net::UnixListener};
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("l/0-1")).unwrap();
        let _held = UnixListener::bind(root.join("l/0-1/gate.sock")).unwrap();
        let is = |below: &str| is_plain_socket(&Places::Same, root, Path::new(below));
        assert!(is("l/0-1/gate.sock"), "the control");
        std::fs::create_dir(root.join("l/0-2")).unwrap();
        assert!(!is("l/0-2/gate.sock"), "nothing is there");
        symlink("/etc/passwd", root.join("l/0-2/gate.sock")).unwrap();
        symlink(root.join("l/0-1"), root.join("l/0-3")).unwrap();
        std::fs::create_dir_all(root.join("l/0-4/gate.sock")).unwrap();
        for other in ["l/0-2/gate.sock", "l/0-3/gate.sock", "l/0-4/gate.sock"] {
            assert!(!is(other), "{other}");
        }
        let seen = Places::Shown(vec![one(root.to_str().unwrap(), "/vol/sockets", true)]);
        assert!(is_plain_socket(&seen, Path::new("/vol/sockets"), Path::new("l/0-1/gate.sock")));
        assert!(!is_plain_socket(&seen, Path::new("/vol/other"), Path::new("l/0-1/gate.sock")), "the door cannot look");
    }
}
