//! Which requests of the engine's language pass. Pure: method, path and query go in, and what is
//! asked comes out, or a refusal. What is not named here does not pass.

use super::{LABEL_DOOR, Refusal};
use crate::runtime::{docker_body::LABEL_INSTALL, docker_images::LABEL_IMAGE};
use domain::InstallId;
use serde_json::{Value, json};

/// What is asked, with what of its query the engine is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Ping,
    Version,
    /// Shortened to what the runtime reads.
    Info,
    /// Of the house behind this door.
    Events {
        query: String,
    },
    ListContainers {
        query: String,
    },
    /// Worker images alone.
    ListImages {
        query: String,
    },
    Image {
        name: String,
    },
    Create {
        name: String,
    },
    Container {
        id: String,
        verb: Verb,
        query: String,
    },
}

/// What is done with one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Inspect,
    Start,
    Stop,
    Kill,
    Wait,
    Update,
    Remove,
    Logs,
    Stats,
}

impl Verb {
    /// Its path below the container's, and what its query may name.
    const fn shape(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Inspect => ("/json", &["size"]),
            Self::Start => ("/start", &[]),
            Self::Stop => ("/stop", &["t", "signal"]),
            Self::Kill => ("/kill", &["signal"]),
            Self::Wait => ("/wait", &["condition"]),
            Self::Update => ("/update", &[]),
            Self::Remove => ("", &["v", "force", "link"]),
            Self::Logs => ("/logs", &["stdout", "stderr", "tail", "follow", "since", "until", "timestamps"]),
            Self::Stats => ("/stats", &["stream", "one-shot"]),
        }
    }

    pub const fn path(self) -> &'static str {
        self.shape().0
    }

    fn of(method: &str, rest: &str) -> Option<Self> {
        let verb = match (method, rest) {
            ("GET", "json") => Self::Inspect,
            ("POST", "start") => Self::Start,
            ("POST", "stop") => Self::Stop,
            ("POST", "kill") => Self::Kill,
            ("POST", "wait") => Self::Wait,
            ("POST", "update") => Self::Update,
            ("DELETE", "") => Self::Remove,
            ("GET", "logs") => Self::Logs,
            ("GET", "stats") => Self::Stats,
            _ => return None,
        };
        Some(verb)
    }
}

/// Reads a request. Also returns the version of the language it is in, as a prefix of paths.
///
/// # Errors
/// When it is none of those that the runtime makes.
pub fn read(method: &str, path: &str, query: &str, house: &str) -> Result<(String, Asked), Refusal> {
    let refused = || Refusal::Verb { method: printable(method), path: printable(path) };
    let (version, path) = split_version(path);
    let pairs = pairs(query).ok_or_else(|| Refusal::Query { name: "what is no text".into() })?;
    let only = |names: &[&str]| plain(&pairs, names);
    let asked = match (method, path) {
        ("GET" | "HEAD", "/_ping") => only(&[]).map(|_| Asked::Ping)?,
        ("GET", "/version") => only(&[]).map(|_| Asked::Version)?,
        ("GET", "/info") => only(&[]).map(|_| Asked::Info)?,
        ("GET", "/events") => Asked::Events { query: of_house(&pairs, &[], house)? },
        ("GET", "/containers/json") => Asked::ListContainers { query: of_house(&pairs, &["all", "size"], house)? },
        ("GET", "/images/json") => Asked::ListImages { query: of_workers(&pairs)? },
        ("POST", "/containers/create") => {
            only(&["name"])?;
            Asked::Create { name: pairs.first().map(|(_, name)| name.clone()).unwrap_or_default() }
        }
        ("GET", path) if path.starts_with("/images/") => {
            only(&[])?;
            let name = path.strip_prefix("/images/").and_then(|rest| rest.strip_suffix("/json"));
            let name = name.and_then(decoded).filter(|name| is_image(name)).ok_or_else(refused)?;
            Asked::Image { name }
        }
        (method, path) => {
            let rest = path.strip_prefix("/containers/").ok_or_else(refused)?;
            let (id, rest) = rest.split_once('/').unwrap_or((rest, ""));
            let verb = Verb::of(method, rest).filter(|_| is_name(id)).ok_or_else(refused)?;
            Asked::Container { id: id.into(), verb, query: only(verb.shape().1)? }
        }
    };
    Ok((version.into(), asked))
}

/// `/v1.41/info` is `/info` in version 1.41.
fn split_version(path: &str) -> (&str, &str) {
    let is_version = |text: &str| {
        let mut parts = text.strip_prefix('v').unwrap_or_default().split('.');
        let is_number = |part: Option<&str>| {
            part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|byte| byte.is_ascii_digit()))
        };
        is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
    };
    let end = path.get(1..).and_then(|rest| rest.find('/')).map(|at| at + 1);
    match end {
        Some(end) if path.starts_with('/') && is_version(&path[1..end]) => path.split_at(end),
        _ => ("", path),
    }
}

/// A query of plain values under these names.
fn plain(pairs: &[(String, String)], names: &[&str]) -> Result<String, Refusal> {
    let is_plain = |value: &str| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    for (n, (name, value)) in pairs.iter().enumerate() {
        let is_twice = pairs[..n].iter().any(|(other, _)| other == name);
        if is_twice || !names.contains(&name.as_str()) || !is_plain(value) {
            return Err(Refusal::Query { name: printable(name) });
        }
    }
    Ok(pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
}

/// A query for things of one install, held to the house behind this door.
fn of_house(pairs: &[(String, String)], names: &[&str], house: &str) -> Result<String, Refusal> {
    let (mut filters, rest) = split_filters(pairs)?;
    let rest = plain(&rest, names)?;
    let refused = || Refusal::Query { name: "filters".into() };
    for (name, values) in filters.as_object().into_iter().flatten() {
        let texts: Option<Vec<&str>> = values.as_array().map(|list| list.iter().filter_map(Value::as_str).collect());
        let texts = texts.unwrap_or_default();
        let is_fine = match name.as_str() {
            "label" => texts.iter().all(|text| is_install(text)),
            "type" => texts == ["container"],
            "event" => texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase())),
            _ => false,
        };
        if !is_fine {
            return Err(refused());
        }
    }
    let labels = filters["label"].as_array_mut().filter(|labels| !labels.is_empty()).ok_or_else(refused)?;
    labels.push(json!(format!("{LABEL_DOOR}={house}")));
    Ok(joined(&rest, &filters))
}

fn is_install(label: &str) -> bool {
    let id = label.strip_prefix(LABEL_INSTALL).and_then(|rest| rest.strip_prefix('='));
    id.is_some_and(|id| InstallId::parse(id).is_ok())
}

fn of_workers(pairs: &[(String, String)]) -> Result<String, Refusal> {
    let (filters, rest) = split_filters(pairs)?;
    let rest = plain(&rest, &["all", "digests"])?;
    let expected = json!({ "label": [format!("{}={}", LABEL_IMAGE.0, LABEL_IMAGE.1)] });
    if filters != expected {
        return Err(Refusal::Query { name: "filters".into() });
    }
    Ok(joined(&rest, &filters))
}

fn split_filters(pairs: &[(String, String)]) -> Result<(Value, Vec<(String, String)>), Refusal> {
    let (filters, rest): (Vec<_>, Vec<_>) = pairs.iter().cloned().partition(|(name, _)| name == "filters");
    let refused = || Refusal::Query { name: "filters".into() };
    let [(_, text)] = filters.as_slice() else { return Err(refused()) };
    let filters: Value = serde_json::from_str(text).map_err(|_| refused())?;
    if filters.is_object() { Ok((filters, rest)) } else { Err(refused()) }
}

fn joined(rest: &str, filters: &Value) -> String {
    let filters = format!("filters={}", encoded(&filters.to_string()));
    if rest.is_empty() { filters } else { format!("{rest}&{filters}") }
}

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !text.is_empty() && text.len() <= 128 && !text.starts_with('.') && text.bytes().all(is_plain)
}

/// `loge-worker:latest`, `sha256:…`, `house.lan:5000/loge-worker`.
fn is_image(text: &str) -> bool {
    text.len() <= 256 && text.split('/').all(|part| part.split([':', '@']).all(is_name))
}

/// What is empty says nothing, and is not passed on.
fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let parts = query.split('&').filter_map(|part| part.split_once('=')).filter(|(_, value)| !value.is_empty());
    parts.map(|(name, value)| Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(out).ok()
}

fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Words of a client, for a log.
fn printable(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALL: &str = "11111111111111111111111111111111";

    fn passes(method: &str, target: &str) -> Asked {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        read(method, path, query, "home").unwrap_or_else(|e| panic!("{method} {target}: {e}")).1
    }

    fn refused(method: &str, target: &str) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let outcome = read(method, path, query, "home");
        assert!(outcome.is_err(), "{method} {target}: {outcome:?}");
    }

    #[test]
    fn what_the_runtime_asks_passes() {
        let container = |id: &str, verb, query: &str| Asked::Container { id: id.into(), verb, query: query.into() };
        for (method, target, expected) in [
            ("GET", "/_ping", Asked::Ping),
            ("HEAD", "/_ping", Asked::Ping),
            ("GET", "/v1.41/version", Asked::Version),
            ("GET", "/info", Asked::Info),
            ("GET", "/v1.41/containers/abc/json", container("abc", Verb::Inspect, "")),
            ("POST", "/containers/abc/start", container("abc", Verb::Start, "")),
            ("POST", "/containers/abc/stop?t=5", container("abc", Verb::Stop, "t=5")),
            ("POST", "/containers/abc/kill?signal=SIGKILL", container("abc", Verb::Kill, "signal=SIGKILL")),
            ("POST", "/containers/a/wait?condition=not-running", container("a", Verb::Wait, "condition=not-running")),
            ("POST", "/containers/abc/update", container("abc", Verb::Update, "")),
            ("DELETE", "/containers/abc?v=true&force=true", container("abc", Verb::Remove, "v=true&force=true")),
            ("GET", "/containers/a/logs?stdout=true&tail=3", container("a", Verb::Logs, "stdout=true&tail=3")),
            ("GET", "/containers/a/stats?stream=true", container("a", Verb::Stats, "stream=true")),
            ("POST", "/containers/create?name=loge-1&platform=", Asked::Create { name: "loge-1".into() }),
            ("GET", "/images/loge-worker:latest/json", Asked::Image { name: "loge-worker:latest".into() }),
            ("GET", "/images/sha256%3Aab/json", Asked::Image { name: "sha256:ab".into() }),
            ("GET", "/images/lan:5000/loge-worker/json", Asked::Image { name: "lan:5000/loge-worker".into() }),
        ] {
            assert_eq!(passes(method, target), expected, "{target}");
        }
        assert_eq!(read("GET", "/v1.41/info", "", "home").unwrap().0, "/v1.41");
    }

    #[test]
    fn lists_are_held_to_the_house_of_this_door() {
        let ours = encoded(&json!({ "label": [format!("loge.install={INSTALL}")] }).to_string());
        let expected = encoded(&json!({ "label": [format!("loge.install={INSTALL}"), "loge.door=home"] }).to_string());
        assert_eq!(
            passes("GET", &format!("/containers/json?all=true&filters={ours}")),
            Asked::ListContainers { query: format!("all=true&filters={expected}") }
        );
        assert!(
            matches!(passes("GET", &format!("/events?filters={ours}")), Asked::Events { query } if query.ends_with(&expected))
        );
        let workers = encoded(r#"{"label":["loge.image=worker"]}"#);
        let list = passes("GET", &format!("/images/json?filters={workers}"));
        assert_eq!(list, Asked::ListImages { query: format!("filters={workers}") });
        refused("GET", "/containers/json");
        refused("GET", "/containers/json?all=true");
        refused("GET", "/events");
        refused("GET", "/images/json");
        for filters in [
            "{}",
            "[]",
            "x",
            r#"{"label":[]}"#,
            r#"{"label":["loge.install"]}"#,
            r#"{"label":["com.docker.compose.project=x"]}"#,
            r#"{"label":{"loge.install=11111111111111111111111111111111":true}}"#,
            r#"{"label":["loge.install=11111111111111111111111111111111"],"name":["x"]}"#,
            r#"{"label":["loge.install=11111111111111111111111111111111"],"type":["image"]}"#,
        ] {
            refused("GET", &format!("/containers/json?filters={}", encoded(filters)));
            refused("GET", &format!("/images/json?filters={}", encoded(filters)));
        }
        refused("GET", &format!("/containers/json?filters={ours}&filters={ours}"));
        refused("GET", &format!("/events?filters={ours}&since=0"));
    }

    #[test]
    fn nothing_else_of_the_language_passes() {
        for (method, target) in [
            ("POST", "/containers/abc/exec"),
            ("POST", "/exec/abc/start"),
            ("POST", "/containers/abc/attach?stream=true"),
            ("GET", "/containers/abc/attach/ws"),
            ("GET", "/containers/abc/archive?path=/etc"),
            ("PUT", "/containers/abc/archive?path=/"),
            ("GET", "/containers/abc/export"),
            ("GET", "/containers/abc/top"),
            ("POST", "/containers/abc/rename?name=x"),
            ("POST", "/containers/abc/restart"),
            ("POST", "/containers/prune"),
            ("POST", "/commit?container=abc"),
            ("POST", "/build"),
            ("POST", "/session"),
            ("POST", "/grpc"),
            ("POST", "/images/create?fromImage=x"),
            ("POST", "/images/load"),
            ("POST", "/images/x/tag?repo=postgres"),
            ("POST", "/images/x/push"),
            ("DELETE", "/images/x"),
            ("GET", "/images/x/get"),
            ("GET", "/images/search?term=x"),
            ("POST", "/images/prune"),
            ("GET", "/volumes"),
            ("POST", "/volumes/create"),
            ("DELETE", "/volumes/loge_data"),
            ("GET", "/networks"),
            ("POST", "/networks/create"),
            ("POST", "/networks/x/connect"),
            ("GET", "/plugins"),
            ("POST", "/plugins/pull"),
            ("POST", "/swarm/init"),
            ("GET", "/secrets"),
            ("GET", "/configs"),
            ("POST", "/auth"),
            ("GET", "/system/df"),
            ("OPTIONS", "/info"),
            ("CONNECT", "/info"),
            // Spellings of what passes.
            ("GET", "//info"),
            ("GET", "/info/"),
            ("GET", "/v1.41//info"),
            ("GET", "/v1.41/v1.41/info"),
            ("GET", "/v1.x/info"),
            ("GET", "/%69nfo"),
            ("GET", "/containers/../info"),
            ("GET", "/containers/a%2F..%2Fb/json"),
            ("GET", "/containers/a/../b/json"),
            ("GET", "/containers//json"),
            ("GET", "/images/../containers/abc/json"),
            ("GET", "/images/x%2F..%2F..%2Finfo%3F/json"),
            ("GET", "/images/%00/json"),
            ("GET", "/containers/abc/json?size=1%26x=2"),
            ("GET", "/containers/abc/json?size=1&size=2"),
            ("POST", "/containers/abc/start?detachKeys=x"),
            ("POST", "/containers/create?name=a&platform=b"),
            ("GET", "/info?x=%ff"),
            ("GET", "info"),
            ("GET", ""),
        ] {
            refused(method, target);
        }
    }
}
