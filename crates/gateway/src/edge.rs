//! What happens around every request, whatever its route: an id, a line in the log, the checks
//! that keep other sites out, the headers that keep pages honest, and a net under panics.

use crate::{
    House, hosts, input,
    listen::{LocalAddress, PeerAddress},
    policy::Authenticated,
    problem::{Problem, REQUEST_ID},
    proxies, view,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base::{Lifecycle, telemetry};
use domain::{
    Code, UserId,
    hosts::{default_port, split_port},
    proxies::Way,
};
use futures_util::FutureExt;
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};
use tokio::{sync::oneshot, time::Instant};
use tracing::{Instrument, debug, error, info_span};

const URI_BYTES: usize = 8 << 10;

/// The outermost layer of the router.
pub async fn around(State(house): State<Arc<House>>, mut request: Request, next: Next) -> Response {
    let id = contract::env::to_hex(&house.clock.random_id()[..8]);
    let span = info_span!(
        "request",
        request.id = %id,
        method = %request.method(),
        path = %shown_path(request.uri().path()),
    );
    request.extensions_mut().insert(house.clone());
    let lifecycle = house.lifecycle.clone();
    let is_order = is_order(&request);
    let work = REQUEST_ID.scope(id.clone(), answer(house, id, request, next).instrument(span));
    if is_order { carried_out(&lifecycle, work).await } else { work.await }
}

/// Pressing play holds a seat and a loge for the caller, and gives both back when the caller leaves
/// before the answer is there.
const ASKED_BY_ONE_WHO_WAITS: &str = "/api/v1/titles/{id}/play";

fn is_order(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    !request.method().is_safe() && path != Some(ASKED_BY_ONE_WHO_WAITS)
}

/// Runs an order to its end, whether or not the caller is still there to hear the answer: what
/// follows from a change (streams that are cut, sign-ins that end, a line in the audit log) must
/// not depend on a connection.
async fn carried_out(lifecycle: &Lifecycle, order: impl Future<Output = Response> + Send + 'static) -> Response {
    let (tell, told) = oneshot::channel();
    lifecycle.spawn("order", async move {
        let running = metrics::gauge!("loge_orders_running");
        running.increment(1.0);
        let response = order.await;
        running.decrement(1.0);
        // The caller may have left; the order is carried out all the same.
        let _ = tell.send(response);
    });
    // The task is dropped at the hard stop alone.
    told.await.unwrap_or_else(|_| Problem::of(Code::ShuttingDown).into_response())
}

/// Checks, answers, and counts one request.
async fn answer(house: Arc<House>, id: String, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = shown_path(request.uri().path());
    let entered = house.proxies.enter(&mut request);
    let is_https = entered.as_ref().is_ok_and(|way| way.is_https == Some(true));
    let peer = request.extensions().get::<PeerAddress>().map(|p| p.0);
    let begun = Instant::now();
    let kind = Kind::of(request.uri().path());
    let route = house.logs.requests.is_on().then(|| route_of(&request));
    // hyper drops a Content-Length beside a Transfer-Encoding without a word. Whoever sits in
    // front of us may have believed the other one, so nothing behind such a body is read.
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let checked = entered.map_err(|problem| Box::new(problem.into_response()));
    let checked = checked.and_then(|way| check(&house, &mut request, &way));
    let mut response = match checked {
        Err(refused) => *refused,
        Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().map(|s| (*s).to_string());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                error!("a handler panicked: {said}");
                Problem::of(Code::Internal).into_response()
            }
        },
    };
    if !method.is_safe() {
        house.sign.forget();
    }
    harden(kind, &id, &mut response);
    if is_https {
        proxies::wrap_cookies(&mut response);
    }
    if chunked {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if method == Method::HEAD && response.status().is_client_error() {
        *response.body_mut() = axum::body::Body::empty();
    }
    let status = response.status();
    metrics::counter!("loge_http_requests_total", "method" => verb(&method), "status" => class(status)).increment(1);
    let is_known = response.extensions().get::<Authenticated>().is_some();
    // What a stranger is refused takes no memory.
    if kind != Kind::Stream && (is_known || !status.is_client_error()) {
        metrics::histogram!("loge_http_seconds").record(begun.elapsed().as_secs_f64());
    }
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(route) = route {
        let user = response.extensions().get::<ByUser>().map(|by| by.0.as_str());
        house.logs.requests.write(&telemetry::Request {
            timestamp: &view::at(house.clock.now()),
            method: verb(&method),
            route: &route,
            status: status.as_u16(),
            took_ms,
            user,
        });
    }
    debug!(status = status.as_u16(), took_ms, peer = ?peer, "{method} {path} {status}");
    response
}

/// Put on an answer by the policy of its route, for the log of requests.
#[derive(Clone)]
pub struct ByUser(pub UserId);

/// Returns the pattern under which the request was routed; what no route knows is a page, or nothing.
fn route_of(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_string(),
        None => "page".into(),
    }
}

/// Tickets and invitations are permissions; they do not belong into logs, however their path is
/// spelled. What follows the name is hidden, and so is any part that is as long as a permission.
fn shown_path(path: &str) -> String {
    const SECRET: [&str; 2] = ["stream", "invite"];
    /// No id and no name of a file of ours is longer.
    const LONGEST: usize = 40;
    let mut hides = false;
    let mut shown = String::new();
    for (n, segment) in path.split('/').enumerate() {
        if n > 0 {
            shown.push('/');
        }
        let name = unescaped(segment).to_ascii_lowercase();
        match name.as_str() {
            // They change nothing about what comes next.
            "" | "." | ".." => shown.push_str(segment),
            _ if hides || segment.len() > LONGEST => {
                hides = false;
                shown.push('…');
            }
            _ => {
                hides = SECRET.contains(&name.as_str());
                shown.push_str(segment);
            }
        }
    }
    shown.chars().take(200).collect()
}

/// Decodes `%73tream` to `stream`, as a client may.
fn unescaped(segment: &str) -> String {
    let mut parts = segment.split('%');
    let mut out: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        match part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => out.extend([byte].iter().chain(&part.as_bytes()[2..])),
            None => out.extend(b"%".iter().chain(part.as_bytes())),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Keeps other sites out.
fn check(house: &House, request: &mut Request, way: &Way) -> Result<(), Box<Response>> {
    let boxed = |problem: Problem| Box::new(problem.into_response());
    let told = the_host(request.headers(), request.uri()).map_err(boxed)?;
    let local = request.extensions().get::<LocalAddress>().map(|l| l.0);
    // Both must be ours: a proxy that does not write the second one passes it on as anybody sent it.
    for host in [Some(told), way.host.as_deref()].into_iter().flatten() {
        if !house.names.allows(host, local, way.by_proxy) {
            return Err(Box::new(hosts::unknown(request.headers(), host, &house.reach(local))));
        }
    }
    check_form(request, way.host.as_deref().unwrap_or(told), way.is_https).map_err(boxed)?;
    if let Some(host) = way.host.as_deref().and_then(|host| HeaderValue::from_str(host).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
    Ok(())
}

fn check_form(request: &Request, host: &str, is_https: Option<bool>) -> Result<(), Problem> {
    let headers = request.headers();
    if request.uri().path_and_query().map_or(0, |p| p.as_str().len()) > URI_BYTES {
        return Err(Problem::new(Code::TooLarge, "That address is too long.").status(StatusCode::URI_TOO_LONG));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && request.version() == Version::HTTP_10 {
        return Err(Problem::new(Code::BadRequest, "HTTP/1.0 has no chunks."));
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
        let same = origin.to_str().is_ok_and(|origin| is_ours(origin, host, is_https));
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

/// Returns whether a page of this origin is one of ours, which was called by `host`. Where it is known
/// how the browser came, a page that came another way is another site.
fn is_ours(origin: &str, host: &str, is_https: Option<bool>) -> bool {
    let (secure, named) = match origin.strip_prefix("https://") {
        Some(named) => (true, named),
        None => match origin.strip_prefix("http://") {
            Some(named) => (false, named),
            None => return false,
        },
    };
    let place = |text: &str| {
        let (name, port) = split_port(text)?;
        Some((name.to_ascii_lowercase(), port.unwrap_or(default_port(secure))))
    };
    is_https.is_none_or(|is_https| is_https == secure) && place(named).is_some() && place(named) == place(host)
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
    use futures_util::future::BoxFuture;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::Notify;

    /// Returns whether an order is carried out although its caller leaves in the middle of it.
    async fn is_carried_out(in_a_task: bool) -> bool {
        let lifecycle = Lifecycle::new();
        let (go, done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let order = {
            let (go, done) = (go.clone(), done.clone());
            async move {
                go.notified().await;
                done.store(true, Ordering::SeqCst);
                StatusCode::NO_CONTENT.into_response()
            }
        };
        let mut caller: BoxFuture<'_, Response> =
            if in_a_task { carried_out(&lifecycle, order).boxed() } else { order.boxed() };
        assert!((&mut caller).now_or_never().is_none(), "it is under way");
        drop(caller);
        go.notify_one();
        lifecycle.stop(std::time::Duration::from_secs(60)).await;
        done.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn an_order_outlives_its_caller() {
        assert!(is_carried_out(true).await);
        assert!(!is_carried_out(false).await, "control");
    }

    #[test]
    fn only_our_own_pages_change_anything() {
        for (origin, host, is_https) in [
            ("http://nas.lan:8096", "nas.lan:8096", None),
            ("http://nas.lan:8096", "NAS.lan:8096", Some(false)),
            ("https://films.example", "films.example", Some(true)),
            ("https://films.example", "films.example:443", Some(true)),
            ("http://nas.lan", "nas.lan:80", None),
            ("https://films.example", "films.example", None),
        ] {
            assert!(is_ours(origin, host, is_https), "{origin} {host}");
        }
        for (origin, host, is_https) in [
            ("http://films.example", "films.example", Some(true)),
            ("https://films.example", "films.example", Some(false)),
            ("https://films.example", "films.example:80", Some(true)),
            ("http://evil.example", "nas.lan:8096", None),
            ("http://nas.lan", "nas.lan:8096", None),
            ("null", "nas.lan:8096", None),
            ("http://nas.lan:8096/", "nas.lan:8096", None),
            ("http://", "", None),
            ("ftp://nas.lan:8096", "nas.lan:8096", None),
        ] {
            assert!(!is_ours(origin, host, is_https), "{origin} {host}");
        }
    }

    #[test]
    fn tickets_do_not_reach_the_log() {
        assert_eq!(shown_path("/stream/abc.def/file"), "/stream/…/file");
        assert_eq!(shown_path("/stream/abc"), "/stream/…");
        assert_eq!(shown_path("/invite/abc"), "/invite/…");
        for path in [
            "//stream/abc.def/file",
            "/stream//abc.def/file",
            "/x/../stream/abc.def",
            "/%73tream/abc.def",
            "/STREAM/./abc.def",
        ] {
            assert!(!shown_path(path).contains("abc"), "{path}: {}", shown_path(path));
        }
        assert_eq!(shown_path("/x/../invite/abc/y"), "/x/../invite/…/y");
        let ticket = "t".repeat(120);
        assert_eq!(shown_path(&format!("/elsewhere/{ticket}")), "/elsewhere/…");
        assert_eq!(shown_path("/api/v1/me"), "/api/v1/me");
        assert_eq!(
            shown_path("/api/v1/titles/0123456789abcdef0123456789abcdef"),
            "/api/v1/titles/0123456789abcdef0123456789abcdef"
        );
        assert!(shown_path(&format!("/stream/abc{}", "/x".repeat(500))).chars().count() <= 200);
    }
}
