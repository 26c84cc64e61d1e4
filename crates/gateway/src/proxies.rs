//! Proxies in front of this house: whose word counts, and what becomes of a request that came
//! through one.

use crate::{listen::PeerAddress, problem::Problem};
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use domain::{
    Code,
    proxies::{Told, Trusted, Way, way},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, PoisonError, RwLock},
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Cookies that a browser sends over TLS alone, and that no other host of the same name can set
/// (RFC 6265bis, "Cookie Name Prefixes").
const PREFIX: &str = "__Host-";
const OURS: [&str; 2] = [crate::cookies::REFRESH, crate::cookies::VIEW];

/// Which proxies are trusted, and which one is not and says that it is one.
#[derive(Debug, Default)]
pub struct Proxies {
    /// From the configuration of this run.
    configured: Trusted,
    all: RwLock<Trusted>,
    stranger: Mutex<Option<IpAddr>>,
}

impl Proxies {
    pub fn new(configured: Trusted) -> Self {
        Self { all: RwLock::new(configured.clone()), configured, stranger: Mutex::default() }
    }

    /// What the owner trusts from now on, besides the configured ones.
    pub fn set_allowed(&self, allowed: &Trusted) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = self.configured.and(allowed);
        let mut stranger = self.stranger.lock().unwrap_or_else(PoisonError::into_inner);
        *stranger = stranger.filter(|address| !self.trusts(*address));
    }

    /// Returns those of the configuration.
    pub fn configured(&self) -> Vec<String> {
        self.configured.names()
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        self.all.read().unwrap_or_else(PoisonError::into_inner).contains(address)
    }

    /// Returns the last machine of a private network that spoke for others and is not trusted.
    pub fn stranger(&self) -> Option<IpAddr> {
        *self.stranger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out who asks, and takes the headers that say so off the request, so that nothing
    /// further in can believe them.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn enter(&self, request: &mut Request) -> Result<Way, Problem> {
        let peer = request.extensions().get::<PeerAddress>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        let headers = request.headers();
        let told = Told {
            forwarded: texts(headers, &header::FORWARDED),
            x_for: texts(headers, &FOR),
            x_proto: texts(headers, &PROTO),
            x_host: texts(headers, &HOST),
        };
        let speaks_for_others = !told.x_for.is_empty() || !told.forwarded.is_empty();
        let found = way(peer, &self.all.read().unwrap_or_else(PoisonError::into_inner), &told);
        let found = found.map_err(|_| {
            Problem::new(Code::BadRequest, "The headers X-Forwarded-For and Forwarded name different addresses.")
        })?;
        if speaks_for_others && !found.by_proxy && is_private(peer) {
            *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer);
        }
        let headers = request.headers_mut();
        for name in [header::FORWARDED, FOR, PROTO, HOST] {
            headers.remove(name);
        }
        unwrap_cookies(headers, found.is_https == Some(true));
        request.extensions_mut().insert(PeerAddress(found.client));
        Ok(found)
    }
}

fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    // What is no text is nobody's address.
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("unknown")).collect()
}

/// A stranger on the internet who sends such a header is not the owner's proxy.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Over TLS our cookies have names that only TLS can set; further in they have their plain ones.
/// A plain one that comes over TLS was set without it, by nobody knows whom.
fn unwrap_cookies(headers: &mut HeaderMap, is_https: bool) {
    let is_bound = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(PREFIX));
    if !is_https && !headers.get_all(header::COOKIE).iter().any(is_bound) {
        return;
    }
    let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_owned();
    let kept = |pair: &str| {
        let name = name_of(pair);
        let bare = name.strip_prefix(PREFIX).filter(|bare| OURS.contains(bare));
        match (is_https, bare) {
            (true, Some(_)) => Some(pair.trim().trim_start_matches(PREFIX).to_owned()),
            (false, Some(_)) => None,
            (true, None) if OURS.contains(&name.as_str()) => None,
            (_, None) => Some(pair.trim().to_owned()),
        }
    };
    let read: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(kept)
        .collect();
    if headers.remove(header::COOKIE).is_some()
        && let Ok(value) = HeaderValue::from_str(&read.join("; "))
        && !read.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Gives our cookies the names and the attribute that bind them to TLS.
pub fn wrap_cookies(response: &mut Response) {
    let headers = response.headers_mut();
    let bound: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().map(bind).collect();
    headers.remove(header::SET_COOKIE);
    for value in bound {
        headers.append(header::SET_COOKIE, value);
    }
}

/// A name with the prefix belongs to the whole host.
fn bind(cookie: &HeaderValue) -> HeaderValue {
    let text = cookie.to_str().unwrap_or_default();
    let attributes = text.split(';').map(str::trim).filter(|part| !part.starts_with("Path="));
    let bound = format!("{PREFIX}{}; Path=/; Secure", attributes.collect::<Vec<_>>().join("; "));
    HeaderValue::from_str(&bound).unwrap_or_else(|_| cookie.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(peer: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(PeerAddress(peer.parse().unwrap()));
        request
    }

    fn cookies(request: &Request) -> Option<&str> {
        request.headers().get(header::COOKIE).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn nothing_further_in_sees_what_was_claimed() {
        let proxies = Proxies::new(Trusted::parse(["127.0.0.1"]).unwrap());
        let claims =
            [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9"), ("x-forwarded-proto", "https")];
        for (peer, client) in [("127.0.0.1", "203.0.113.9"), ("192.168.1.5", "192.168.1.5")] {
            let mut request = request(peer, &claims);
            proxies.enter(&mut request).unwrap();
            assert_eq!(request.extensions().get::<PeerAddress>().unwrap().0.to_string(), client);
            assert!(request.headers().is_empty());
        }
        assert_eq!(proxies.stranger(), Some("192.168.1.5".parse().unwrap()), "who asked to be believed");
        proxies.set_allowed(&Trusted::parse(["192.168.0.0/16"]).unwrap());
        assert_eq!(proxies.stranger(), None, "is trusted by now");
        let mut far = request("198.51.100.7", &claims);
        proxies.enter(&mut far).unwrap();
        assert_eq!(proxies.stranger(), None, "no proxy of the owner's");
        let mut two_minds = request("127.0.0.1", &[("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=10.0.0.1")]);
        assert!(proxies.enter(&mut two_minds).is_err());
    }

    #[test]
    fn cookies_are_bound_to_tls() {
        let proxies = Proxies::new(Trusted::parse(["127.0.0.1"]).unwrap());
        let sent = "__Host-loge_refresh=a; loge_refresh=planted; theme=dark; __Host-loge_view=b";
        let https = [("x-forwarded-proto", "https"), ("cookie", sent)];
        let mut over_tls = request("127.0.0.1", &https);
        proxies.enter(&mut over_tls).unwrap();
        assert_eq!(cookies(&over_tls), Some("loge_refresh=a; theme=dark; loge_view=b"));
        // A stranger who says `https` is not over TLS for that.
        let mut plain = request("10.0.0.3", &https);
        proxies.enter(&mut plain).unwrap();
        assert_eq!(cookies(&plain), Some("loge_refresh=planted; theme=dark"));
        let mut nothing = request("127.0.0.1", &[("x-forwarded-proto", "https"), ("cookie", "loge_refresh=planted")]);
        proxies.enter(&mut nothing).unwrap();
        assert_eq!(cookies(&nothing), None);

        let mut response = Response::new(Body::empty());
        for cookie in crate::cookies::set("r", "v", 60) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        wrap_cookies(&mut response);
        let set: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(set[0], "__Host-loge_refresh=r; HttpOnly; SameSite=Strict; Max-Age=60; Path=/; Secure");
        assert!(set[1].starts_with("__Host-loge_view=v;") && set.len() == 2);
    }
}
