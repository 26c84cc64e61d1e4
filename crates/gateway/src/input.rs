//! What comes in, checked: ids, queries and JSON bodies. Unknown fields are refused, bodies are
//! capped, and nothing of a parser's own words reaches the sender.

use crate::problem::Problem;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
};
use domain::{Code, InvalidId};
use serde::de::DeserializeOwned;
use std::{str::FromStr, time::Duration};

/// No call takes a larger body.
const BODY_BYTES: usize = 64 << 10;
/// Nobody needs longer to send one.
const BODY_TIME: Duration = Duration::from_secs(15);

/// A JSON body. Its type denies unknown fields.
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok())) {
            return Err(Problem::new(Code::BadRequest, "The body of this call is JSON (application/json).")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = read(request.into_body()).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|e| unreadable(&e))
    }
}

/// Like [`Input`], where no body means "all defaults".
pub struct MaybeInput<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.headers().get(header::CONTENT_TYPE).is_none() {
            let bytes = read(request.into_body()).await?;
            return match bytes.is_empty() {
                true => Ok(Self(T::default())),
                false => Err(Problem::new(Code::BadRequest, "The body of this call is JSON (application/json).")
                    .status(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            };
        }
        Input::from_request(request, state).await.map(|Input(value)| Self(value))
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::of(Code::TooLarge)),
        Err(_) => {
            Err(Problem::new(Code::BadRequest, "The body took too long to arrive.").status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

pub fn is_json(content_type: Option<&str>) -> bool {
    content_type
        .map(|v| v.split(';').next().unwrap_or("").trim())
        .is_some_and(|v| v.eq_ignore_ascii_case("application/json"))
}

/// serde's sentence may name Rust types, so only its two harmless kinds are passed on.
fn unreadable(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let quoted = |after: &str| text.strip_prefix(after)?.split('`').next().map(str::to_string);
    if let Some(field) = quoted("unknown field `") {
        return Problem::field(&field, "is not a field of this call").into_bad_request();
    }
    if let Some(field) = quoted("missing field `") {
        return Problem::field(&field, "is needed");
    }
    Problem::new(
        Code::BadRequest,
        format!("The body is not what this call takes (line {}, column {}).", error.line(), error.column()),
    )
}

impl Problem {
    /// The same 400; kept as a name for what it means.
    fn into_bad_request(self) -> Self {
        self.status(StatusCode::BAD_REQUEST)
    }
}

/// The one id in the path. Anything that is not an id of ours does not exist.
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = InvalidId>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::missing())?;
        text.parse().map(Self).map_err(|_| Problem::missing())
    }
}

/// The query. Its type denies unknown fields.
pub struct Ask<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(Code::BadRequest, "The query is not what this call takes.")),
        }
    }
}

/// Text people see: no control characters, a length that fits.
pub fn text(field: &str, value: &str, longest: usize) -> Result<String, Problem> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > longest {
        return Err(Problem::field(field, &format!("has 1 to {longest} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(Problem::field(field, "has no control characters"));
    }
    Ok(value.to_string())
}
