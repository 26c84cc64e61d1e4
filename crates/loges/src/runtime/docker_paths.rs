//! Where the engine finds what this server sees. A server that runs in a container itself has
//! `/films` where the machine has `/srv/films`, and it is the machine's path that a mount of a
//! loge has to name. Pure: the kernel's list of mounts and an inspect reply go in.

use super::{RuntimeError, StartSpec, docker_mounts::Nested};
use crate::words::{HostPath, Mount};
use bollard::models::ContainerInspectResponse;
use std::path::{Component, Path, PathBuf};
use tracing::warn;

/// What of the machine this server sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// Everything, under the same paths.
    Same,
    /// What is shown to its container, and nothing else.
    Shown(Vec<Shown>),
}

/// A folder or file of the machine in the container of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub here: PathBuf,
    pub host: PathBuf,
    pub is_read_only: bool,
}

impl Places {
    /// The owner's own words about it. What is read-only they do not say.
    pub fn given(paths: &[HostPath]) -> Self {
        let shown = |path: &HostPath| Shown { here: path.here.clone(), host: path.host.clone(), is_read_only: false };
        Self::Shown(paths.iter().map(shown).collect())
    }

    /// The path by which the engine knows `path`; `None` for what it cannot know.
    pub fn on_host(&self, path: &Path) -> Option<PathBuf> {
        let Self::Shown(all) = self else { return Some(path.into()) };
        if !is_plain(path) {
            return None;
        }
        let (below, shown) = all
            .iter()
            .filter_map(|shown| Some((path.strip_prefix(&shown.here).ok()?, shown)))
            .max_by_key(|(_, shown)| shown.here.components().count())?;
        // Joining nothing would add a slash to a file.
        Some(if below.as_os_str().is_empty() { shown.host.clone() } else { shown.host.join(below) })
    }
}

/// Whether a path is absolute and means what it says, without ways up.
pub fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

/// The id of the container that this process is in, from the kernel's list of mounts: an engine
/// shows files of its own in every container, and the folder they come from is named after it.
pub fn own_container(table: &[u8]) -> Option<String> {
    const FILES: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    base::mounts::points(table).filter(|(point, _)| FILES.iter().any(|file| point == Path::new(file))).find_map(
        |(_, line)| {
            let root = std::str::from_utf8(line.split(|byte| *byte == b' ').nth(3)?).ok()?;
            root.split('/').find(|part| is_id(part)).map(str::to_owned)
        },
    )
}

/// Whether this is how engines name a container.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What an engine shows in a container.
pub fn shown(made: &ContainerInspectResponse) -> Vec<Shown> {
    let mounts = made.mounts.iter().flatten();
    mounts
        .filter_map(|mount| {
            let (here, host) = (mount.destination.as_deref()?, mount.source.as_deref()?);
            // A tmpfs comes from nowhere.
            let (here, host) = (PathBuf::from(here), PathBuf::from(host));
            (is_plain(&here) && is_plain(&host)).then_some(Shown { here, host, is_read_only: mount.rw == Some(false) })
        })
        .collect()
}

/// A specification and its disks under the machine's paths. A folder that the engine cannot know
/// is left out, like one that is not there.
///
/// # Errors
/// When the engine cannot know the socket: no worker could dial in.
pub fn outside(spec: &StartSpec, nested: &[Nested], places: &Places) -> Result<(StartSpec, Vec<Nested>), RuntimeError> {
    let socket = places.on_host(&spec.socket).ok_or_else(|| RuntimeError::NotOnHost { path: spec.socket.clone() })?;
    let mut mounts = Vec::new();
    for mount in &spec.mounts {
        match places.on_host(&mount.path) {
            Some(path) => mounts.push(Mount { id: mount.id.clone(), path }),
            None => warn!(
                folder.id = %mount.id,
                "folder {} lies in the container of this server alone and is left out; see `loge-server doctor`",
                mount.id
            ),
        }
    }
    let kept = |disk: &Nested| {
        let source = places.on_host(&disk.source)?;
        mounts.iter().any(|mount| mount.id == disk.folder).then(|| Nested { source, ..disk.clone() })
    };
    let nested = nested.iter().filter_map(kept).collect();
    Ok((StartSpec { mounts, socket, ..spec.clone() }, nested))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::PeerSlot;
    use bollard::models::MountPoint;
    use domain::{FolderId, InstallId, LogeLimits, Tenant};

    fn places() -> Places {
        let path = |here: &str, host: &str| HostPath { here: here.into(), host: host.into() };
        Places::given(&[
            path("/films", "/srv/films"),
            path("/films/new", "/mnt/usb"),
            path("/run/loge", "/var/lib/docker/volumes/loge_sockets/_data"),
        ])
    }

    #[test]
    fn the_innermost_mount_decides_and_what_lies_in_none_is_nowhere() {
        for (here, host) in [
            ("/films", Some("/srv/films")),
            ("/films/a b", Some("/srv/films/a b")),
            ("/films/new", Some("/mnt/usb")),
            ("/films/new/x", Some("/mnt/usb/x")),
            ("/films/newer", Some("/srv/films/newer")),
            ("/films2", None),
            ("/", None),
            ("films", None),
            ("/films/../etc", None),
        ] {
            assert_eq!(places().on_host(Path::new(here)), host.map(PathBuf::from), "{here}");
        }
        assert_eq!(places().on_host(Path::new("/films")).unwrap().as_os_str(), "/srv/films", "no slash at its end");
        assert_eq!(Places::Same.on_host(Path::new("/films")), Some("/films".into()));
    }

    #[test]
    fn a_container_is_known_by_the_files_its_engine_shows_in_it() {
        let id = "245376fa947eada06af728eae595ce846bbcead6b6364f4ad3870dcccfae3f76";
        let table = format!(
            "75 51 0:40 / / ro - overlay overlay rw\n\
             93 75 254:0 /var/lib/docker/volumes/t_d/_data /data rw - ext4 /dev/vda rw\n\
             95 75 254:0 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
        );
        assert_eq!(own_container(table.as_bytes()), Some(id.into()));
        let podman = table.replace("containers/", "overlay-containers/").replace("/hostname /", "/userdata/hostname /");
        assert_eq!(own_container(podman.as_bytes()), Some(id.into()));
        // A machine, and a folder that only looks like it.
        for other in
            ["27 1 254:0 / / rw - ext4 /dev/vda rw\n".into(), table.replace("/etc/hostname", "/films"), String::new()]
        {
            assert_eq!(own_container(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn volumes_and_folders_are_read_from_what_the_engine_says() {
        let point = |source: Option<&str>, destination: &str, rw| MountPoint {
            source: source.map(Into::into),
            destination: Some(destination.into()),
            rw: Some(rw),
            ..MountPoint::default()
        };
        let made = ContainerInspectResponse {
            mounts: Some(vec![
                point(Some("/srv/films"), "/films", false),
                point(Some("/var/lib/docker/volumes/d/_data"), "/data", true),
                point(Some(""), "/tmp", true),
                point(None, "/scratch", true),
            ]),
            ..ContainerInspectResponse::default()
        };
        let one = |here: &str, host: &str, is_read_only| Shown { here: here.into(), host: host.into(), is_read_only };
        let expected = [one("/films", "/srv/films", true), one("/data", "/var/lib/docker/volumes/d/_data", false)];
        assert_eq!(shown(&made), expected);
        assert_eq!(shown(&ContainerInspectResponse::default()), []);
    }

    #[test]
    fn a_folder_nobody_can_find_is_left_out_and_a_socket_is_an_error() {
        let folder = |n: u8, path: &str| Mount { id: FolderId::from_random([n; 16]), path: path.into() };
        let spec = StartSpec {
            install: InstallId::from_random([1; 16]),
            tenant: Tenant::House,
            generation: 1,
            spec_hash: String::new(),
            limits: LogeLimits::DEFAULT,
            mounts: vec![folder(1, "/films/a"), folder(2, "/opt/films")],
            chip: None,
            allows_reduced: false,
            socket: "/run/loge/l/0-1/gate.sock".into(),
            nonce: [0; 32],
            slot: 0,
            peer: PeerSlot::default(),
        };
        let disk = |n: u8, source: &str| Nested {
            folder: FolderId::from_random([n; 16]),
            source: source.into(),
            below: "disk".into(),
        };
        let nested = [disk(1, "/films/a/disk"), disk(2, "/opt/films/disk"), disk(2, "/films/new")];
        let (mapped, disks) = outside(&spec, &nested, &places()).unwrap();
        assert_eq!(mapped.mounts, [folder(1, "/srv/films/a")]);
        assert_eq!(mapped.socket, Path::new("/var/lib/docker/volumes/loge_sockets/_data/l/0-1/gate.sock"));
        assert_eq!(disks, [disk(1, "/srv/films/a/disk")], "a disk below a folder that is left out goes with it");
        let lost = StartSpec { socket: "/data/run/gate.sock".into(), ..spec.clone() };
        assert!(matches!(outside(&lost, &[], &places()), Err(RuntimeError::NotOnHost { path }) if path == lost.socket));
        let (same, disks) = outside(&spec, &nested, &Places::Same).unwrap();
        assert_eq!((same.mounts, same.socket, disks.len()), (spec.mounts, spec.socket, 3));
    }
}
