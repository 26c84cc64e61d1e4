//! Every refusal as `application/problem+json` (RFC 9457), with a code from the closed list and
//! the id under which the log knows this request. Never a path, a query or a type name.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Code, Failure};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

tokio::task_local! {
    /// Set around every request; see `edge`.
    pub static REQUEST_ID: String;
}

/// The id of the request at hand, empty outside of one.
pub fn request_id() -> String {
    REQUEST_ID.try_with(Clone::clone).unwrap_or_default()
}

/// What is wrong with one field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    pub field: String,
    pub message: String,
}

/// Where the preparing of a film is that needs it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Preparing)]
pub struct PreparingBody {
    /// `none` while nobody asked for it, `queued`, `running` or `paused`.
    pub state: String,
    /// 1 is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_s: Option<f64>,
}

impl From<Option<renditions::Preparing>> for PreparingBody {
    fn from(preparing: Option<renditions::Preparing>) -> Self {
        match preparing {
            None => Self { state: "none".into(), position: None, eta_s: None },
            Some(p) => {
                Self { state: p.state.as_str().into(), position: p.position, eta_s: p.eta.map(|d| d.as_secs_f64()) }
            }
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// For people.
    pub detail: String,
    /// For programs: one of a closed list.
    pub code: String,
    pub request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// With `needs_preparing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preparing: Option<PreparingBody>,
}

/// What is wrong with a form, gathered so that all of it is told at once.
#[derive(Default)]
pub struct Faults(Option<Problem>);

impl Faults {
    /// Takes a checked value, or keeps what is wrong with it.
    pub fn take<T>(&mut self, checked: Answer<T>) -> Option<T> {
        checked.map_err(|problem| self.add(problem)).ok()
    }

    /// Keeps what is wrong with a field, unless it is right.
    pub fn check(&mut self, right: bool, field: &str, message: &str) {
        if !right {
            self.add(Problem::field(field, message));
        }
    }

    fn add(&mut self, problem: Problem) {
        match &mut self.0 {
            Some(first) => {
                first.failure.code = Code::InvalidField;
                first.fields.extend(problem.fields);
            }
            first => *first = Some(problem),
        }
    }

    /// # Errors
    /// With every field that cannot be accepted: the code of the only fault, or `invalid_field`.
    pub fn done(self) -> Answer<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    failure: Box<Failure>,
    status: StatusCode,
    fields: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    preparing: Option<Box<PreparingBody>>,
}

pub type Answer<T> = Result<T, Problem>;

/// For the audit log: `ok`, or the code of the refusal.
pub fn outcome<T>(answer: &Answer<T>) -> &'static str {
    answer.as_ref().err().map_or("ok", |problem| problem.failure.code.as_str())
}

impl Problem {
    pub fn of(code: Code) -> Self {
        Failure::of(code).into()
    }
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Failure::new(code, detail).into()
    }
    /// `invalid_field` with the field's name.
    pub fn field(field: &str, message: &str) -> Self {
        let mut problem = Self::new(Code::InvalidField, format!("{field}: {message}"));
        problem.fields.push(FieldProblem { field: field.into(), message: message.into() });
        problem
    }
    /// Returns whether the sender can put it right by changing fields.
    pub fn is_about_fields(&self) -> bool {
        !self.fields.is_empty()
    }
    pub fn missing() -> Self {
        Self::of(Code::NotFound)
    }
    /// Where HTTP has a more exact number than the code's own.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
    /// How far the way out is.
    #[must_use]
    pub fn preparing(mut self, preparing: Option<renditions::Preparing>) -> Self {
        self.preparing = Some(Box::new(preparing.into()));
        self
    }
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.failure.retry_after = Some(wait);
        self
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.code.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let status = if failure.code == Code::MethodNotAllowed { StatusCode::METHOD_NOT_ALLOWED } else { status };
        let named = failure.fields.iter();
        let fields = named.map(|(f, m)| FieldProblem { field: (*f).into(), message: m.clone() }).collect();
        Self { failure: Box::new(failure), status, fields, headers: Vec::new(), preparing: None }
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        let failure = error.failure();
        // That the database is away is told once, and not by every request.
        if failure.code.kind().status() >= 500 && !error.is_away() {
            tracing::error!(error = &error as &dyn std::error::Error, "store: {error}");
        }
        failure.into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { failure, status, fields, headers, preparing } = self;
        let failure = *failure;
        let body = ProblemBody {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Refused").into(),
            status: status.as_u16(),
            detail: failure.message,
            code: failure.code.as_str().into(),
            request_id: request_id(),
            retry_after_ms: failure.retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            fields,
            preparing: preparing.map(|p| *p),
        };
        let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        let out = response.headers_mut();
        out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = failure.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                out.insert(header::RETRY_AFTER, value);
            }
        }
        if status == StatusCode::UNAUTHORIZED {
            out.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in headers {
            out.insert(name, value);
        }
        response
    }
}
