//! The two cookies. Neither is readable by scripts, neither leaves the site, and each goes only
//! to the few routes that need it.

use axum::http::HeaderValue;

/// Rotating; only the auth calls see it.
pub const REFRESH: &str = "loge_refresh";
/// Good for looking at pictures and at the API's document, and for nothing else.
pub const VIEW: &str = "loge_view";

const REFRESH_PATH: &str = "/api/v1/auth";
const VIEW_PATH: &str = "/api";

/// Both, as `Set-Cookie` values.
pub fn set(refresh: &str, view: &str, max_age_s: u64) -> Vec<HeaderValue> {
    [(REFRESH, refresh, REFRESH_PATH), (VIEW, view, VIEW_PATH)]
        .into_iter()
        .filter_map(|(name, value, path)| one(name, value, path, max_age_s))
        .collect()
}

/// Both, deleted.
pub fn clear() -> Vec<HeaderValue> {
    set("", "", 0)
}

fn one(name: &str, value: &str, path: &str, max_age_s: u64) -> Option<HeaderValue> {
    let text = format!("{name}={value}; HttpOnly; SameSite=Strict; Path={path}; Max-Age={max_age_s}");
    HeaderValue::from_str(&text).ok()
}
