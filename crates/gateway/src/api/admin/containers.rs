//! The loges, which people see as containers: state, use against limits, and three levers.

use crate::{
    House,
    input::{Ask, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem, outcome},
    routes::Routes,
    view::{List, at},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base::UnixMs;
use domain::{LogeLimits, LogeState, Tenant, UserId, loge::wall_in_words};
use loges::{CircuitState, LogeView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use vitals::HistoryRange;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
        .add(Policy::Admin, routes!(restart))
        .add(Policy::Admin, routes!(stop))
        .add(Policy::Admin, routes!(limits))
        .add(Policy::Admin, routes!(logs))
        .add(Policy::Admin, routes!(history))
}

#[derive(Serialize, ToSchema)]
struct Limits {
    memory_bytes: u64,
    /// Cores.
    cpus: f64,
    pids: u32,
}

impl From<LogeLimits> for Limits {
    fn from(limits: LogeLimits) -> Self {
        Self { memory_bytes: limits.memory_bytes, cpus: limits.cpus(), pids: limits.pids }
    }
}

#[derive(Serialize, ToSchema)]
struct Usage {
    /// Of one core.
    cpu_percent: f64,
    /// Of what this container may take.
    cpu_of_quota_percent: f64,
    memory_bytes: u64,
    pids: u32,
}

#[derive(Serialize, ToSchema)]
struct Container {
    /// `house` for the server's own.
    user_id: String,
    username: String,
    /// `docker` or `process`.
    runtime: String,
    /// `absent`, `starting`, `ready`, `stopping` or `failed`.
    state: String,
    /// `healthy`, `unhealthy` or `unknown`.
    health: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<String>,
    image: String,
    /// What the worker says about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_version: Option<String>,
    /// The image's content, where the runtime has images.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_digest: Option<String>,
    limits: Limits,
    /// Cores on top of the limits, for the moment.
    lent_cpus: f64,
    usage: Option<Usage>,
    /// Share of the time slices in which it wanted more CPU than it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    throttled_percent: Option<f64>,
    /// Of the memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_percent: Option<f64>,
    /// Ends by the memory limit since the server started.
    oom_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_s: Option<u64>,
    restarts: u32,
    /// `closed`; `open` after many failures, when it is tried only now and then; `half_open` while
    /// such a try has to prove itself.
    circuit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Walls that stand, in words.
    isolation: Vec<String>,
}

fn view(loge: LogeView, now: UnixMs, username: String, isolation: Vec<String>) -> Container {
    let throttled_percent = loge.usage.and_then(|u| u.throttled_percent);
    let memory_percent = loge.usage.map(|u| u.memory_bytes as f64 / loge.limits.memory_bytes.max(1) as f64 * 100.0);
    let allowed = loge.limits.cpus() + f64::from(loge.lent_millis) / 1000.0;
    let usage = loge.usage.map(|u| Usage {
        cpu_percent: u.cpu_percent,
        cpu_of_quota_percent: u.cpu_percent / allowed.max(0.001),
        memory_bytes: u.memory_bytes,
        pids: u.pids,
    });
    Container {
        user_id: loge.tenant.to_string(),
        username,
        runtime: loge.runtime.as_str().into(),
        state: loge.state.as_str().into(),
        health: loge.healthy.map_or("unknown", |h| if h { "healthy" } else { "unhealthy" }).into(),
        container_id: loge.container_id,
        image_digest: loge.image.starts_with("sha256:").then(|| loge.image.clone()),
        image: loge.image,
        image_version: loge.image_version,
        limits: loge.limits.into(),
        lent_cpus: f64::from(loge.lent_millis) / 1000.0,
        usage,
        throttled_percent,
        memory_percent,
        oom_count: loge.out_of_memory,
        uptime_s: loge.started_at.map(|at| u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0) / 1000),
        started_at: loge.started_at.map(at),
        restarts: loge.restarts,
        circuit: loge.circuit.as_str().into(),
        reason: match loge.state {
            LogeState::Failed { reason, .. } => Some(reason),
            _ => None,
        },
        isolation,
    }
}

async fn names(house: &House) -> Answer<HashMap<String, String>> {
    Ok(house.store.users().await?.into_iter().map(|u| (u.id.to_string(), u.username)).collect())
}

fn name_of(names: &HashMap<String, String>, tenant: &Tenant) -> String {
    match tenant {
        Tenant::House => "House".into(),
        Tenant::User(id) => names.get(id.as_str()).cloned().unwrap_or_default(),
    }
}

fn walls(house: &House) -> Vec<String> {
    house
        .loges
        .runtime()
        .isolation
        .into_iter()
        .filter(|i| i.reached)
        .map(|i| wall_in_words(&i.name).to_owned())
        .collect()
}

/// Every loge, the house's own included.
#[utoipa::path(get, path = "/api/v1/admin/containers", tag = "machine", responses((status = 200, body = List<Container>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<Container>>> {
    let (names, walls, now) = (names(&house).await?, walls(&house), house.clock.now());
    let items = house
        .loges
        .list()
        .into_iter()
        .map(|loge| {
            let name = name_of(&names, &loge.tenant);
            view(loge, now, name, walls.clone())
        })
        .collect();
    Ok(Json(List::whole(items)))
}

/// `house`, or somebody who exists.
async fn tenant(house: &House, text: &str) -> Answer<Tenant> {
    if text == "house" {
        return Ok(Tenant::House);
    }
    let user: UserId = text.parse().map_err(|_| Problem::missing())?;
    house.store.user(&user).await?.ok_or_else(Problem::missing)?;
    Ok(Tenant::User(user))
}

/// Stop it and start it again.
#[utoipa::path(post, path = "/api/v1/admin/containers/{user_id}/restart", tag = "machine",
    params(("user_id" = String, Path)), responses((status = 202)))]
async fn restart(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(user): Path<String>,
) -> Answer<StatusCode> {
    let tenant = tenant(&house, &user).await?;
    house.loges.restart(&tenant).await?;
    house.note(&who, peer, "container.restart", Some(&user), "ok").await;
    Ok(StatusCode::ACCEPTED)
}

/// Stop it, and end what plays from it; the next play starts it again.
#[utoipa::path(post, path = "/api/v1/admin/containers/{user_id}/stop", tag = "machine",
    params(("user_id" = String, Path)), responses((status = 202)))]
async fn stop(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(user): Path<String>,
) -> Answer<StatusCode> {
    let tenant = tenant(&house, &user).await?;
    // First the films: a player that only loses its loge goes on in the next one.
    let ended = match &tenant {
        Tenant::User(user) => house.stop_plays(|play| play.user == *user).await,
        Tenant::House => Ok(0),
    };
    // They have ended, remembered or not, and so does the loge.
    house.loges.stop(&tenant).await;
    house.note(&who, peer, "container.stop", Some(&user), outcome(&ended)).await;
    ended.map(|_| StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitsForm {
    memory_bytes: Option<u64>,
    cpus: Option<f64>,
    pids: Option<u32>,
}

/// Other limits, at once where the runtime can.
#[utoipa::path(patch, path = "/api/v1/admin/containers/{user_id}/limits", tag = "machine",
    params(("user_id" = String, Path)), request_body = LimitsForm, responses((status = 200, body = Container)))]
async fn limits(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(user): Path<String>,
    Input(form): Input<LimitsForm>,
) -> Answer<Json<Container>> {
    let tenant = tenant(&house, &user).await?;
    let mut limits = match &tenant {
        Tenant::House => house.store.house_limits().await?,
        Tenant::User(id) => house.store.loge_limits(id).await?,
    };
    if let Some(bytes) = form.memory_bytes {
        limits.memory_bytes = bytes;
    }
    if let Some(cpus) = form.cpus {
        limits.cpu_millis = (cpus * 1000.0).round().clamp(0.0, f64::from(u32::MAX)) as u32;
    }
    if let Some(pids) = form.pids {
        limits.pids = pids;
    }
    let limits = limits.checked().map_err(|e| Problem::field("limits", &e.to_string()))?;
    match &tenant {
        Tenant::House => house.store.set_house_limits(limits).await?,
        Tenant::User(id) => drop(house.store.set_loge_limits(id, limits).await?),
    }
    house.loges.set_limits(&tenant, limits).await?;
    house.note(&who, peer, "container.limits", Some(&user), "ok").await;
    let loge = house.loges.list().into_iter().find(|l| l.tenant == tenant);
    let loge = loge.unwrap_or_else(|| LogeView {
        tenant: tenant.clone(),
        runtime: house.loges.runtime().kind,
        state: LogeState::Absent,
        healthy: None,
        container_id: None,
        image: String::new(),
        image_version: None,
        has_chip: false,
        limits,
        lent_millis: 0,
        usage: None,
        started_at: None,
        restarts: 0,
        out_of_memory: 0,
        circuit: CircuitState::Closed,
        active: 0,
    });
    let name = name_of(&names(&house).await?, &tenant);
    Ok(Json(view(LogeView { limits, ..loge }, house.clock.now(), name, walls(&house))))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TailAsk {
    /// How many lines from the end; 200 unless said, 1,000 at most.
    tail: Option<usize>,
    /// Only lines that hold this, whatever its case.
    q: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct LogText {
    lines: Vec<String>,
}

/// As far back as a search looks.
const SEARCHED_LINES: usize = 1000;

/// What the worker in it said.
#[utoipa::path(get, path = "/api/v1/admin/containers/{user_id}/logs", tag = "machine",
    params(("user_id" = String, Path), TailAsk), responses((status = 200, body = LogText)))]
async fn logs(
    State(house): State<Arc<House>>,
    Path(user): Path<String>,
    Ask(ask): Ask<TailAsk>,
) -> Answer<Json<LogText>> {
    let tenant = tenant(&house, &user).await?;
    let tail = ask.tail.unwrap_or(200).clamp(1, SEARCHED_LINES);
    let Some(wanted) = ask.q.map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty()) else {
        return Ok(Json(LogText { lines: house.loges.logs(&tenant, tail).await }));
    };
    let mut lines = house.loges.logs(&tenant, SEARCHED_LINES).await;
    lines.retain(|line| line.to_lowercase().contains(&wanted));
    let lines = lines.split_off(lines.len().saturating_sub(tail));
    Ok(Json(LogText { lines }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryAsk {
    /// `live` (five minutes), `1h` or `24h`.
    range: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct UsePoint {
    at: String,
    /// Of one core.
    cpu_percent: f32,
    memory_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct UseHistory {
    step_s: f64,
    points: Vec<UsePoint>,
}

/// What it took, oldest first; nothing while it is not there.
#[utoipa::path(get, path = "/api/v1/admin/containers/{user_id}/history", tag = "machine",
    params(("user_id" = String, Path), HistoryAsk), responses((status = 200, body = UseHistory)))]
async fn history(
    State(house): State<Arc<House>>,
    Path(user): Path<String>,
    Ask(ask): Ask<HistoryAsk>,
) -> Answer<Json<UseHistory>> {
    let tenant = tenant(&house, &user).await?;
    let range = HistoryRange::parse(ask.range.as_deref().unwrap_or("live"))
        .ok_or_else(|| Problem::field("range", "is live, 1h or 24h"))?;
    let (step, points) = house.vitals.loge_history(&tenant.to_string(), range);
    let points = points
        .into_iter()
        .map(|p| UsePoint { at: at(p.at), cpu_percent: p.cpu_percent, memory_bytes: p.memory_bytes })
        .collect();
    Ok(Json(UseHistory { step_s: step.as_secs_f64(), points }))
}
