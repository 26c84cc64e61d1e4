//! The pages, out of the binary. Unknown addresses get the one page, which knows its routes.

use crate::problem::Problem;
use axum::{
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::Code;

/// One file of the built UI.
pub struct Asset {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/ui_assets.rs"));

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Loge</title>\
<h1>The pages are not in this build</h1><p>Run <code>npm run build -w ui</code>, then build the server again. \
The API works: <a href=\"/api/docs/\">/api/docs/</a>.</p></html>";

/// Whatever no route took.
pub async fn fallback(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" || path.starts_with("/stream") {
        return Problem::missing().into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::of(Code::MethodNotAllowed)
            .header(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
            .into_response();
    }
    if let Some(asset) = find(path) {
        return serve(asset, &request);
    }
    // A file that does not exist is no page: a stale script must fail, not be HTML.
    let last = path.rsplit('/').next().unwrap_or("");
    if path.starts_with("/assets/") || last.contains('.') {
        return Problem::missing().into_response();
    }
    match find("/index.html") {
        Some(page) => serve(page, &request),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT).into_response(),
    }
}

/// The table is sorted by file path; it has some dozens of entries, so a scan is quick enough.
fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

fn serve(asset: &'static Asset, request: &Request) -> Response {
    let text = |name: header::HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let kept = media::conditional::if_none_match(text(header::IF_NONE_MATCH), asset.etag);
    let gzip = asset.gzip.filter(|_| takes_gzip(text(header::ACCEPT_ENCODING)));
    let mut response = match (kept, gzip) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(gzip)) => gzip.into_response(),
        (false, None) => asset.bytes.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !kept && gzip.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // The bundler puts a hash of the content into these names.
    let keep = match asset.path.starts_with("/assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}

fn takes_gzip(accept: &str) -> bool {
    accept.split(',').any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        name.trim() == "gzip" && weight.trim() != "q=0"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        assert!(takes_gzip("gzip, deflate, br") && takes_gzip("br;q=1.0, gzip;q=0.8"));
        assert!(!takes_gzip("") && !takes_gzip("identity") && !takes_gzip("gzip;q=0"));
    }
}
