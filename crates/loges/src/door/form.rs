//! What a container may be made like. Pure. There is one form, the one that our own runtime fills
//! in ([`docker_body::body`]); a request is read back into what was filled in, the form is filled
//! in with that once more, and whatever differs is refused. So a field that nobody thought of is
//! refused too.

use super::{LABEL_DOOR, Refusal};
use crate::{
    chip::RenderNode,
    link::PeerSlot,
    runtime::{
        StartSpec,
        docker_body::{self, FIRST_UID, LABEL_GENERATION, LABEL_INSTALL, LABEL_SPEC, LABEL_TENANT},
        docker_mounts::Nested,
        docker_parent::{self, Driver},
        docker_paths::{is_id, is_plain},
    },
    words::Mount,
};
use bollard::models::{ContainerCreateBody, ContainerUpdateBody};
use contract::env;
use domain::{BadLimits, FolderId, InstallId, LogeLimits, Tenant, UserId};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// Uids of loges end before this one.
const SLOTS: u32 = 10_000;
const MOST_MOUNTS: usize = 512;

/// What the house behind a door may show to its loges, under the machine's paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Which house this is, among all that one engine may serve.
    pub house: String,
    /// Folders with films: what the server itself cannot write.
    pub films: Vec<PathBuf>,
    /// Folders below which the server makes the sockets of its loges.
    pub sockets: Vec<PathBuf>,
    pub chips: Vec<RenderNode>,
    /// The engine's own folder, as it says.
    pub engine_root: Option<String>,
}

/// A create that may pass, as the engine is to be told it.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    pub body: ContainerCreateBody,
    /// An image id. That it is a worker image is for the caller to find out.
    pub image: String,
    /// The folder that is allowed, and the socket below it. That nothing on the way is a link is for the caller to find out.
    pub socket: (PathBuf, PathBuf),
}

/// Judges the body of a create, under the name that it is to have.
///
/// # Errors
/// With the first thing that no loge has.
pub fn create(name: &str, body: &[u8], allowed: &Allowed) -> Result<Create, Refusal> {
    let asked: Value = serde_json::from_slice(body).map_err(|e| Refusal::Body { reason: e.to_string() })?;
    let filled = Filled::read(&asked)?;
    let (spec, nested) = (&filled.spec, &filled.nested);
    // What these change shows in several fields; they are refused by what they are.
    for source in spec.mounts.iter().map(|mount| &mount.path).chain(nested.iter().map(|disk| &disk.source)) {
        if !is_plain(source) || !allowed.films.iter().any(|films| source.starts_with(films)) {
            return Err(Refusal::Mount { path: source.display().to_string() });
        }
    }
    let socket = socket(&spec.socket, allowed)?;
    if spec.chip.iter().any(|chip| !allowed.chips.contains(chip)) {
        return Err(form("HostConfig.Devices"));
    }
    let engine = docker_body::Engine {
        image: &filled.image,
        parent: filled.parent.as_deref(),
        root: allowed.engine_root.as_deref(),
    };
    let mut expected = docker_body::body(spec, nested, engine);
    let filled_in = serde_json::to_value(&expected).map_err(|e| Refusal::Body { reason: e.to_string() })?;
    if let Some(field) = difference(&asked, &filled_in, String::new()) {
        return Err(Refusal::Form { field });
    }
    if name != docker_body::name(&spec.install, &spec.tenant, spec.generation) {
        return Err(Refusal::Form { field: "name".into() });
    }
    let labels = expected.labels.get_or_insert_default();
    labels.insert(LABEL_DOOR.into(), allowed.house.clone());
    Ok(Create { body: expected, image: filled.image, socket })
}

/// Which socket a container shows, from what the engine says about it: to look at it once more
/// when it is started.
pub fn socket(path: &Path, allowed: &Allowed) -> Result<(PathBuf, PathBuf), Refusal> {
    let found = allowed.sockets.iter().find_map(|folder| {
        let below = path.strip_prefix(folder).ok()?;
        (is_plain(path) && is_gate(below)).then(|| (folder.clone(), below.to_path_buf()))
    });
    found.ok_or_else(|| Refusal::Mount { path: path.display().to_string() })
}

/// Judges the body of an update: limits, all of them, and nothing else.
///
/// # Errors
/// With the first field that is no limit of a loge.
pub fn update(body: &[u8]) -> Result<ContainerUpdateBody, Refusal> {
    let asked: Value = serde_json::from_slice(body).map_err(|e| Refusal::Body { reason: e.to_string() })?;
    let update = docker_body::update(limits(&asked)?);
    let form = serde_json::to_value(&update).map_err(|e| Refusal::Body { reason: e.to_string() })?;
    match difference(&asked, &form, String::new()) {
        None => Ok(update),
        Some(field) => Err(Refusal::Form { field }),
    }
}

/// What was filled in.
struct Filled {
    spec: StartSpec,
    nested: Vec<Nested>,
    image: String,
    parent: Option<String>,
}

impl Filled {
    fn read(asked: &Value) -> Result<Self, Refusal> {
        let host = &asked["HostConfig"];
        let label = |name: &str| asked["Labels"][name].as_str().unwrap_or_default();
        let install = InstallId::parse(label(LABEL_INSTALL)).map_err(|_| form("Labels"))?;
        let tenant = match label(LABEL_TENANT) {
            "house" => Tenant::House,
            text => Tenant::User(UserId::parse(text).map_err(|_| form("Labels"))?),
        };
        let generation = label(LABEL_GENERATION).parse().map_err(|_| form("Labels"))?;
        let spec_hash = label(LABEL_SPEC).to_owned();
        if spec_hash.len() > 64 || !spec_hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(form("Labels"));
        }
        let (mounts, nested, socket) = mounts(&host["Mounts"])?;
        let image = asked["Image"].as_str().unwrap_or_default().to_owned();
        if !image.strip_prefix("sha256:").is_some_and(is_id) {
            return Err(form("Image"));
        }
        let parent = match &host["CgroupParent"] {
            Value::Null => None,
            Value::String(text) => {
                let ours =
                    [Driver::SYSTEMD, Driver::CGROUPFS].map(|driver| docker_parent::name(Some(driver), &install));
                if !ours.iter().flatten().any(|name| name == text) {
                    return Err(form("HostConfig.CgroupParent"));
                }
                Some(text.clone())
            }
            _ => return Err(form("HostConfig.CgroupParent")),
        };
        let spec = StartSpec {
            install,
            tenant,
            generation,
            spec_hash,
            limits: limits(host)?,
            mounts,
            chip: chip(host)?,
            allows_reduced: false,
            socket,
            nonce: nonce(&asked["Env"])?,
            slot: slot(&asked["User"])?,
            peer: PeerSlot::default(),
        };
        Ok(Self { spec, nested, image, parent })
    }
}

fn form(field: &str) -> Refusal {
    Refusal::Form { field: field.into() }
}

fn limits(of: &Value) -> Result<LogeLimits, Refusal> {
    let number = |name: &str| of[name].as_u64().ok_or_else(|| form(name));
    let (memory_bytes, nanos, pids) = (number("Memory")?, number("NanoCpus")?, number("PidsLimit")?);
    let cpu_millis = u32::try_from(nanos / 1_000_000).map_err(|_| form("NanoCpus"))?;
    let pids = u32::try_from(pids).map_err(|_| form("PidsLimit"))?;
    LogeLimits { memory_bytes, cpu_millis, pids }.checked().map_err(|bad| {
        form(match bad {
            BadLimits::Memory => "Memory",
            BadLimits::Cpu => "NanoCpus",
            BadLimits::Pids => "PidsLimit",
        })
    })
}

fn slot(user: &Value) -> Result<u32, Refusal> {
    let uid = user.as_str().and_then(|text| text.split_once(':')?.0.parse::<u32>().ok());
    uid.and_then(|uid| uid.checked_sub(FIRST_UID)).filter(|slot| *slot < SLOTS).ok_or_else(|| form("User"))
}

fn nonce(lines: &Value) -> Result<[u8; 32], Refusal> {
    let start = format!("{}=", env::NONCE);
    let lines = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = lines.iter().filter_map(Value::as_str).find_map(|line| line.strip_prefix(&start));
    text.and_then(env::from_hex).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| form("Env"))
}

fn chip(host: &Value) -> Result<Option<RenderNode>, Refusal> {
    let list = |name: &str| host[name].as_array().cloned().ok_or_else(|| form(&format!("HostConfig.{name}")));
    let groups = list("GroupAdd")?;
    let group = groups.first().and_then(Value::as_str).and_then(|text| text.parse().ok());
    let node = list("Devices")?.first().map(|device| device["PathOnHost"].as_str().unwrap_or_default().to_owned());
    Ok(node.map(|path| RenderNode { path: path.into(), group }))
}

/// Folders, disks below them, and the socket.
fn mounts(list: &Value) -> Result<(Vec<Mount>, Vec<Nested>, PathBuf), Refusal> {
    let list = list.as_array().filter(|list| list.len() <= MOST_MOUNTS).ok_or_else(|| form("HostConfig.Mounts"))?;
    let (mut folders, mut nested, mut socket) = (Vec::new(), Vec::new(), None);
    for mount in list {
        let text = |name: &str| mount[name].as_str().ok_or_else(|| form("HostConfig.Mounts"));
        let (source, target) = (PathBuf::from(text("Source")?), text("Target")?);
        if target == env::CONTAINER_SOCKET {
            socket = Some(source);
            continue;
        }
        let below = target.strip_prefix(env::CONTAINER_MEDIA_ROOT).and_then(|rest| rest.strip_prefix('/'));
        let below = below.ok_or_else(|| form("HostConfig.Mounts"))?;
        let (id, below) = below.split_once('/').unwrap_or((below, ""));
        let folder = FolderId::parse(id).map_err(|_| form("HostConfig.Mounts"))?;
        if below.is_empty() {
            folders.push(Mount { id: folder, path: source });
        } else if Path::new(below).components().all(|part| matches!(part, Component::Normal(_))) {
            nested.push(Nested { folder, source, below: below.into() });
        } else {
            return Err(form("HostConfig.Mounts"));
        }
    }
    Ok((folders, nested, socket.ok_or_else(|| form("HostConfig.Mounts"))?))
}

/// `[run folder/]l/<slot>-<generation>/gate.sock`, as [`crate::house::House::folder`] names them.
fn is_gate(below: &Path) -> bool {
    let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
    let parts = parts.unwrap_or_default();
    let rest = match parts.as_slice() {
        [run, rest @ ..] if rest.len() == 3 && (*run == "run" || run.starts_with("loge-")) => rest,
        rest => rest,
    };
    let [letter, one, name] = rest else { return false };
    let is_one = one.split_once('-').is_some_and(|(slot, generation)| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        !slot.is_empty()
            && slot.bytes().all(|byte| byte.is_ascii_digit())
            && !generation.is_empty()
            && generation.bytes().all(hex)
    });
    *letter == "l" && is_one && *name == "gate.sock"
}

/// The first place where two values differ, as a person would name it.
fn difference(asked: &Value, form: &Value, at: String) -> Option<String> {
    let name = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (asked, form) {
        (Value::Object(a), Value::Object(b)) => a
            .iter()
            .find_map(|(key, value)| match b.get(key) {
                Some(other) => difference(value, other, name(key)),
                None => Some(name(key)),
            })
            .or_else(|| b.keys().find(|key| !a.contains_key(*key)).map(|key| name(key))),
        _ => (asked != form).then_some(at),
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
