//! Subtitles of a play, for `<track>` elements and for players that take an address.

use crate::{
    House,
    api::stream::{facts_of, join},
    policy::{Admitted, Caller, Policy},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Ticket, routes!(subtitle))
}

/// One subtitle as WebVTT: `0.vtt`. Where nobody has made it yet, it is made now, which takes as
/// long as reading the film.
#[utoipa::path(get, path = "/stream/{ticket}/subtitles/{part}", tag = "watching",
    params(("ticket" = String, Path), ("part" = String, Path)),
    responses((status = 200, content_type = "text/vtt"), (status = 304)))]
async fn subtitle(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    Path((_, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let number = number_of(&part, ".vtt").ok_or_else(Problem::missing)?;
    join(&house, &claims, peer.address).await?.touch();
    let (file, _) = facts_of(&house, &claims).await?;
    let (text, version) = crate::subtitles::text(&house, &file, number).await?;
    Ok(cached(&headers, &format!("\"{}-{number}-{version}\"", file.id), "text/vtt; charset=utf-8", text))
}

/// An answer this browser may keep and has to ask about.
pub fn cached(headers: &HeaderMap, etag: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let kept = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = if kept.is_some_and(|v| media::conditional::if_none_match(v, etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], bytes).into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

/// `17.vtt`, in this spelling and no other.
pub fn number_of(part: &str, ending: &str) -> Option<u32> {
    let digits = part.strip_suffix(ending)?;
    let plain =
        digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_names_a_part() {
        assert_eq!((number_of("0.vtt", ".vtt"), number_of("17.vtt", ".vtt")), (Some(0), Some(17)));
        for part in ["", ".vtt", "00.vtt", "+1.vtt", "-1.vtt", "1.srt", "1234567.vtt", "../1.vtt", "1.vtt.vtt"] {
            assert_eq!(number_of(part, ".vtt"), None, "{part}");
        }
    }
}
