//! The names under which this house may be called, and what is said to those who use another one.

use crate::problem::Problem;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    Code,
    hosts::{HostName, split_port},
};
use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
    sync::{PoisonError, RwLock},
};

/// The names by which this house may be called. They refuse a page of another site that makes its
/// own name point here, even with valid cookies.
#[derive(Debug)]
pub struct HostNames {
    port: u16,
    /// From the configuration of this run.
    configured: HashSet<HostName>,
    /// What this machine is called.
    own: HashSet<HostName>,
    addresses: HashSet<IpAddr>,
    /// What the owner allowed in the settings.
    allowed: RwLock<BTreeSet<String>>,
}

impl HostNames {
    /// `configured`: names besides the private ones; `addresses`: beyond the one a connection
    /// arrives at.
    pub fn new(
        port: u16,
        configured: impl IntoIterator<Item = String>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let read = |name: String| {
            let host = domain::hosts::from_typed(&name);
            if host.is_none() {
                tracing::warn!("{name} among the configured names is no name, and is not allowed");
            }
            host
        };
        let node = rustix::system::uname().nodename().to_str().ok().and_then(HostName::parse);
        Self {
            port,
            configured: configured.into_iter().filter_map(read).collect(),
            own: node.into_iter().collect(),
            addresses: addresses.into_iter().collect(),
            allowed: RwLock::default(),
        }
    }

    /// What the owner allows from now on.
    pub fn set_allowed(&self, names: impl IntoIterator<Item = String>) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = names.into_iter().collect();
    }

    /// Returns those of the configuration, in the order of the alphabet.
    pub fn configured(&self) -> Vec<String> {
        let names: BTreeSet<String> = self.configured.iter().map(ToString::to_string).collect();
        names.into_iter().collect()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether requests with this Host are for this house. `local` is where the connection arrived.
    /// A proxy has a port of its own, so ports count only where no proxy is in between: `by_proxy` is
    /// one that is known, and one that is not is called by a name.
    pub fn allows(&self, host: &str, local: Option<IpAddr>, by_proxy: bool) -> bool {
        let Some((name, port)) = split_port(host) else { return false };
        let Some(name) = HostName::parse(name) else { return false };
        let is_listed = self.configured.contains(&name)
            || self.allowed.read().unwrap_or_else(PoisonError::into_inner).contains(&name.to_string());
        let is_our_port = by_proxy || port.unwrap_or(80) == self.port;
        is_listed
            || match &name {
                HostName::Address(ip) => {
                    is_our_port && (Some(*ip) == local || self.addresses.contains(ip) || ip.is_loopback())
                }
                HostName::Name(text) if text == "localhost" => is_our_port,
                HostName::Name(_) => {
                    self.own.contains(&name)
                        || name.is_private_name()
                        || self.own.iter().any(|node| name.is_tailnet_name_of(node))
                }
            }
    }
}

/// Says which name was used and how the owner allows it: as a page to browsers, else as a problem.
/// `reach`: where this house can be reached without it.
pub fn unknown(headers: &HeaderMap, host: &str, reach: &str) -> Response {
    let name = split_port(host).and_then(|(name, _)| HostName::parse(name)).map(|name| name.to_string());
    let accepts = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/html") {
        let detail = match &name {
            Some(name) => {
                format!("Loge does not know the name {name}. The owner can allow it: open {reach}, Settings, Names.")
            }
            None => Code::UnknownHost.sentence().into(),
        };
        return Problem::new(Code::UnknownHost, detail).status(StatusCode::MISDIRECTED_REQUEST).into_response();
    }
    let page = page(name.as_deref(), reach);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::MISDIRECTED_REQUEST, headers, page).into_response()
}

/// `name` is letters, digits and dots by now; `reach` is ours.
fn page(name: Option<&str>, reach: &str) -> String {
    let (shown, add) = match name {
        Some(name) => (format!("by the name <strong>{name}</strong>"), format!("<strong>{name}</strong>")),
        None => ("by another name".into(), "the name in your address bar".into()),
    };
    // One press is left there.
    let allow = name.map(|name| format!("?allow={name}")).unwrap_or_default();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Loge does not know this name</title></head>\
<body style=\"max-width:38em;margin:12vh auto;padding:0 1.5em;font:1.05rem/1.6 system-ui,sans-serif;\
color:#e9e6df;background:#141217\">\
<h1 style=\"font-size:1.5rem;line-height:1.25\">Loge does not know this name</h1>\
<p>You called this Loge {shown}. It answers only to names it knows, so that no other website can pose as it.</p>\
<p><strong>If it is yours:</strong> open <a style=\"color:#e3c27a\" href=\"{reach}/admin/settings{allow}#names\">{reach}</a>, \
sign in, and allow {add} under Settings, Names. Then this page works.</p>\
<p><strong>If it is not yours:</strong> ask the owner to do that, or use <a style=\"color:#e3c27a\" \
href=\"{reach}\">{reach}</a>.</p></body></html>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let local = Some("192.168.1.10".parse().unwrap());
        let names = HostNames::new(8096, ["Films.example.org".to_string(), "https://x.example/".into()], []);
        names.set_allowed(["watch.example.com".to_string(), "203.0.113.7".into()]);
        for host in [
            "localhost:8096",
            "LOCALHOST:8096",
            "localhost.:8096",
            "127.0.0.1:8096",
            "[::1]:8096",
            "192.168.1.10:8096",
            // A proxy passes on what it was called, with its own port or none.
            "films.example.org",
            "films.example.org:443",
            "FILMS.example.ORG.:8096",
            "x.example",
            "watch.example.com",
            "203.0.113.7",
            "203.0.113.7:8443",
            // No outsider can own these.
            "nas",
            "nas.lan:8096",
            "nas.fritz.box",
            "nas.home.arpa.",
            "nas.local:8096",
        ] {
            assert!(names.allows(host, local, false), "{host}");
        }
        for host in [
            "",
            ":8096",
            "evil.example",
            "evil.example:8096",
            "watch.example.com.evil.example",
            "localhost",
            "localhost:80",
            "localhost:",
            "localhost:+8096",
            "localhost:8096:8096",
            "localhost.evil.example:8096",
            "192.168.1.10.evil.example:8096",
            "192.168.1.11:8096",
            "192.168.1.10",
            "[::1",
            "[::1]8096",
            "::1:8096",
            "0x7f000001:8096",
            "2130706433:8096",
            "127.1:8096",
            "user@localhost:8096",
            "localhost:8096@evil.example",
            "films.example.org:65537",
            "f\u{ef}lms.example.org:8096",
        ] {
            assert!(!names.allows(host, local, false), "{host}");
        }
        assert!(HostNames::new(80, [], []).allows("localhost", None, false), "port 80 need not be said");
        for host in ["localhost", "192.168.1.10", "192.168.1.10:443"] {
            assert!(names.allows(host, local, true), "{host}: a known proxy has a port of its own");
        }
        assert!(!names.allows("192.168.1.11", local, true) && !names.allows("evil.example", local, true));
        names.set_allowed([]);
        assert!(!names.allows("watch.example.com", local, false), "taken back");
    }
}
