//! What happens around every request, whatever its route: an id, a line in the log, the checks
//! that keep other sites out, the headers that keep pages honest, and a net under panics.

use crate::{
    House, input,
    listen::{LocalAddress, PeerAddress},
    problem::{Problem, REQUEST_ID},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::Code;
use futures_util::FutureExt;
use std::{collections::HashSet, net::IpAddr, panic::AssertUnwindSafe, sync::Arc};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info_span};

const URI_BYTES: usize = 8 << 10;

/// The names and the port under which this house may be called. A page of another site that
/// makes its own name point here is refused by this, whatever its cookies are.
#[derive(Debug, Clone)]
pub struct HostNames {
    port: u16,
    names: HashSet<String>,
    addresses: HashSet<IpAddr>,
}

impl HostNames {
    /// `names`: what the machine is called, besides `localhost`; `addresses`: beyond the one a
    /// connection arrived at.
    pub fn new(
        port: u16,
        names: impl IntoIterator<Item = String>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let mut all: HashSet<String> = names.into_iter().map(|n| n.to_ascii_lowercase()).collect();
        all.insert("localhost".into());
        if let Ok(node) = rustix::system::uname().nodename().to_str()
            && !node.is_empty()
        {
            let node = node.to_ascii_lowercase();
            if !node.contains('.') {
                all.insert(format!("{node}.local"));
            }
            all.insert(node);
        }
        Self { port, names: all, addresses: addresses.into_iter().collect() }
    }

    /// `local` is where the connection arrived.
    pub fn allows(&self, host: &str, local: Option<IpAddr>) -> bool {
        let Some((name, port)) = split_host(host) else { return false };
        if port.unwrap_or(80) != self.port {
            return false;
        }
        match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => {
                (name.starts_with('[') == ip.is_ipv6())
                    && (Some(ip) == local || self.addresses.contains(&ip) || ip.is_loopback())
            }
            Err(_) => self.names.contains(&name.to_ascii_lowercase()),
        }
    }
}

/// `name[:port]`, where a port is plain digits. Anything else is no host.
fn split_host(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let end = rest.find(']')? + 2;
            (&host[..end], &host[end..])
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    if name.is_empty() {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((name, None)),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some((name, Some(digits.parse().ok()?)))
        }
        _ => None,
    }
}

/// The outermost layer of the router.
pub async fn around(State(house): State<Arc<House>>, mut request: Request, next: Next) -> Response {
    let id = contract::env::to_hex(&house.clock.random_id()[..8]);
    let method = request.method().clone();
    let path = shown_path(request.uri().path());
    let peer = request.extensions().get::<PeerAddress>().map(|p| p.0);
    let span = info_span!("request", request.id = %id, method = %method, path = %path);
    request.extensions_mut().insert(house.clone());
    let begun = Instant::now();
    let kind = Kind::of(request.uri().path());
    let head_wanted = method == Method::HEAD;
    // hyper drops a Content-Length beside a Transfer-Encoding without a word. Whoever sits in
    // front of us may have believed the other one, so nothing behind such a body is read.
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let work = async move {
        let refused = check(&house, &request).err();
        match refused {
            Some(problem) => problem.into_response(),
            None => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(response) => response,
                Err(panic) => {
                    let said = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
                    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                    error!("a handler panicked: {said}");
                    Problem::of(Code::Internal).into_response()
                }
            },
        }
    };
    let mut response = REQUEST_ID.scope(id.clone(), work.instrument(span.clone())).await;
    harden(kind, &id, &mut response);
    if chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if head_wanted && response.status().is_client_error() {
        *response.body_mut() = axum::body::Body::empty();
    }
    let status = response.status();
    metrics::counter!("loge_http_requests_total", "method" => verb(&method), "status" => class(status)).increment(1);
    if kind != Kind::Stream {
        metrics::histogram!("loge_http_seconds").record(begun.elapsed().as_secs_f64());
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| debug!(status = status.as_u16(), took_ms, peer = ?peer, "{method} {path} {status}"));
    response
}

/// Tickets and invitations are permissions; they do not belong into logs.
fn shown_path(path: &str) -> String {
    for secret in ["/stream/", "/invite/"] {
        if let Some(rest) = path.strip_prefix(secret) {
            return format!("{secret}…{}", rest.find('/').map_or("", |at| &rest[at..]));
        }
    }
    path.chars().take(200).collect()
}

fn check(house: &House, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    if request.uri().path_and_query().map_or(0, |p| p.as_str().len()) > URI_BYTES {
        return Err(Problem::new(Code::TooLarge, "That address is too long.").status(StatusCode::URI_TOO_LONG));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && request.version() == Version::HTTP_10 {
        return Err(Problem::new(Code::BadRequest, "HTTP/1.0 has no chunks."));
    }
    let host = the_host(headers, request.uri())?;
    let local = request.extensions().get::<LocalAddress>().map(|l| l.0);
    if !house.names.allows(host, local) {
        return Err(
            Problem::new(Code::WrongOrigin, "This house is not called that.").status(StatusCode::MISDIRECTED_REQUEST)
        );
    }
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    let private = matches!(Kind::of(request.uri().path()), Kind::Api | Kind::Stream);
    if private && matches!(site, Some("cross-site" | "same-site")) {
        return Err(Problem::of(Code::WrongOrigin));
    }
    if request.method().is_safe() {
        return Ok(());
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let same = origin
            .to_str()
            .ok()
            .and_then(|o| o.strip_prefix("http://").or_else(|| o.strip_prefix("https://")))
            .is_some_and(|o| o.eq_ignore_ascii_case(host));
        if !same || origins.next().is_some() {
            return Err(Problem::of(Code::WrongOrigin));
        }
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|v| v.as_bytes() != b"0");
    if (has_body || content_type.is_some()) && !input::is_json(content_type.and_then(|v| v.to_str().ok())) {
        return Err(Problem::new(Code::BadRequest, "Calls that change something take JSON (application/json).")
            .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    Ok(())
}

/// Exactly one, and the same as in an absolute address.
fn the_host<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<&'a str, Problem> {
    let wrong = || Problem::new(Code::BadRequest, "A request has exactly one Host.");
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|v| v.to_str().ok()).ok_or_else(wrong)?;
    if hosts.next().is_some() || uri.authority().is_some_and(|a| !a.as_str().eq_ignore_ascii_case(host)) {
        return Err(wrong());
    }
    Ok(host)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Api,
    Docs,
    Stream,
    Page,
}

impl Kind {
    fn of(path: &str) -> Self {
        if path.starts_with("/api/docs") {
            Self::Docs
        } else if path.starts_with("/api/") || matches!(path, "/metrics" | "/healthz" | "/readyz") {
            Self::Api
        } else if path.starts_with("/stream/") {
            Self::Stream
        } else {
            Self::Page
        }
    }

    const fn content_policy(self) -> &'static str {
        match self {
            Self::Api | Self::Stream => "default-src 'none'; frame-ancestors 'none'; sandbox",
            // Swagger UI writes style elements.
            Self::Docs => {
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
            Self::Page => {
                "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
                 img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; connect-src 'self' ipc: \
                 http://ipc.localhost; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'"
            }
        }
    }
}

fn harden(kind: Kind, id: &str, response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CONTENT_SECURITY_POLICY, kind.content_policy()),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if kind == Kind::Api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let local = Some("192.168.1.10".parse().unwrap());
        let names = HostNames::new(8096, ["films.home".to_string()], []);
        for host in
            ["localhost:8096", "LOCALHOST:8096", "127.0.0.1:8096", "[::1]:8096", "192.168.1.10:8096", "films.home:8096"]
        {
            assert!(names.allows(host, local), "{host}");
        }
        for host in [
            "",
            ":8096",
            "evil.example",
            "evil.example:8096",
            "localhost",
            "localhost:80",
            "localhost:",
            "localhost:+8096",
            "localhost:8096:8096",
            "localhost.:8096",
            "localhost.evil.example:8096",
            "192.168.1.10.evil.example:8096",
            "192.168.1.11:8096",
            "[::1",
            "[::1]8096",
            "::1:8096",
            "0x7f000001:8096",
            "2130706433:8096",
            "127.1:8096",
            "user@localhost:8096",
            "localhost:8096@evil.example",
            "films.home:65537",
            "f\u{ef}lms.home:8096",
        ] {
            assert!(!names.allows(host, local), "{host}");
        }
        assert!(HostNames::new(80, [], []).allows("localhost", None), "port 80 need not be said");
    }

    #[test]
    fn tickets_do_not_reach_the_log() {
        assert_eq!(shown_path("/stream/abc.def/file"), "/stream/…/file");
        assert_eq!(shown_path("/stream/abc"), "/stream/…");
        assert_eq!(shown_path("/invite/abc"), "/invite/…");
        assert_eq!(shown_path("/api/v1/me"), "/api/v1/me");
    }
}
