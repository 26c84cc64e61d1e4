//! The end of the server's own log and of the log of requests, and what is written into them.

use crate::{
    House,
    input::{Ask, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{Json, extract::State};
use base::telemetry::{self, LogLevel};
use domain::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};
use store::Logging;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// Lines further back than this are for `less` on the machine.
const READ_BYTES: u64 = 2 << 20;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list)).add(Policy::Admin, routes!(read_settings, change_settings))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LogAsk {
    /// How many lines from the end; 200 unless said, 5,000 at most.
    tail: Option<usize>,
    /// This level and worse: `error`, `warn`, `info`, `debug`. Requests have no level.
    level: Option<String>,
    /// `server`, or `requests`, which are written where the owner switched that on.
    source: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LogLines {
    /// As written: `timestamp`, `level`, `message` and what belongs to it.
    #[schema(value_type = Vec<Object>)]
    lines: Vec<Value>,
}

/// The newest lines of the log, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/logs", tag = "machine", params(LogAsk),
    responses((status = 200, body = LogLines)))]
async fn list(State(house): State<Arc<House>>, Ask(ask): Ask<LogAsk>) -> Answer<Json<LogLines>> {
    let worst = match ask.level.as_deref() {
        None | Some("debug") => 3,
        Some("info") => 2,
        Some("warn") => 1,
        Some("error") => 0,
        Some(_) => return Err(Problem::field("level", "is error, warn, info or debug")),
    };
    let requests = match ask.source.as_deref() {
        None | Some("server") => false,
        Some("requests") => true,
        Some(_) => return Err(Problem::field("source", "is server or requests")),
    };
    let tail = ask.tail.unwrap_or(200).clamp(1, 5000);
    let Some(path) = house.log_file.clone() else { return Ok(Json(LogLines { lines: Vec::new() })) };
    let path = if requests { path.with_file_name(telemetry::REQUESTS_FILE) } else { path };
    let text = match tokio::task::spawn_blocking(move || end_of(&path)).await {
        Ok(Ok(text)) => text,
        Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Ok(Err(_)) | Err(_) => return Err(Problem::new(Code::Internal, "The log cannot be read.")),
    };
    let mut lines: Vec<Value> = text
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| requests || severity(line) <= worst)
        .take(tail)
        .collect();
    lines.reverse();
    Ok(Json(LogLines { lines }))
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogSettings {
    /// What is written into the server's log: lines of this level and worse. `error`, `warn`, `info` or `debug`.
    level: String,
    /// Whether a line is written for each request: when, what, by whom, with which result. No addresses, no tickets.
    requests: bool,
}

/// What is written into the logs.
#[utoipa::path(get, path = "/api/v1/admin/logs/settings", tag = "machine", responses((status = 200, body = LogSettings)))]
async fn read_settings(State(house): State<Arc<House>>) -> Answer<Json<LogSettings>> {
    let logging = house.store.logging().await?;
    Ok(Json(LogSettings { level: logging.level.as_str().into(), requests: logging.requests }))
}

/// Change what is written into the logs, from now on.
#[utoipa::path(put, path = "/api/v1/admin/logs/settings", tag = "machine", request_body = LogSettings,
    responses((status = 200, body = LogSettings)))]
async fn change_settings(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<LogSettings>,
) -> Answer<Json<LogSettings>> {
    let Some(level) = LogLevel::parse(&form.level) else {
        return Err(Problem::field("level", "is error, warn, info or debug"));
    };
    house.store.set_logging(Logging { level, requests: form.requests }).await?;
    house.logs.set_level(level);
    house.logs.requests.switch(form.requests);
    house.note(&who, peer, "logs.change", Some(level.as_str()), "ok").await;
    Ok(Json(form))
}

fn severity(line: &Value) -> u8 {
    match line.get("level").and_then(Value::as_str) {
        Some("ERROR") => 0,
        Some("WARN") => 1,
        Some("INFO") => 2,
        _ => 3,
    }
}

fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(READ_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
