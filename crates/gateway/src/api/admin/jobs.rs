//! Background work, with progress and levers.

use crate::{
    House,
    input::Id,
    policy::Policy,
    problem::Answer,
    routes::Routes,
    view::{List, at},
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{JobId, JobKind, LibraryId};
use library::JobView as Job;
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
        .add(Policy::Admin, routes!(pause_all))
        .add(Policy::Admin, routes!(resume_all))
        .add(Policy::Admin, routes!(pause))
        .add(Policy::Admin, routes!(resume))
        .add(Policy::Admin, routes!(cancel))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
struct JobView {
    id: String,
    /// `scan` or `posters`.
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    library_id: Option<String>,
    name: String,
    /// `queued`, `running`, `paused`, `done`, `failed` or `cancelled`.
    state: String,
    /// 0 to 1.
    progress: f64,
    done: u64,
    total: u64,
    /// Items a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the owner should know although it went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

fn view(job: Job, libraries: &HashMap<LibraryId, String>) -> JobView {
    let of = job.library.as_ref().and_then(|id| libraries.get(id));
    let name = match (job.kind, of) {
        (JobKind::Scan, Some(name)) => format!("Scan of {name}"),
        (JobKind::Scan, None) => "Scan".into(),
        (JobKind::Posters, Some(name)) => format!("Pictures for {name}"),
        (JobKind::Posters, None) => "Pictures".into(),
    };
    JobView {
        id: job.id.to_string(),
        kind: job.kind.as_str().into(),
        library_id: job.library.as_ref().map(ToString::to_string),
        name,
        state: job.state.as_str().into(),
        progress: job.progress.fraction(),
        done: job.progress.done,
        total: job.progress.total,
        rate: job.progress.rate,
        eta_s: job.progress.eta.map(|d| d.as_secs_f64()),
        current: job.progress.current,
        error: job.error,
        note: job.note,
        created_at: at(job.created_at),
        started_at: job.started_at.map(at),
        finished_at: job.finished_at.map(at),
    }
}

/// Jobs, newest first.
#[utoipa::path(get, path = "/api/v1/admin/jobs", tag = "machine", responses((status = 200, body = List<JobView>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<JobView>>> {
    let names = house.store.libraries().await?.into_iter().map(|l| (l.id, l.name)).collect();
    Ok(Json(List::whole(house.libraries.jobs().into_iter().map(|job| view(job, &names)).collect())))
}

/// Hold all jobs.
#[utoipa::path(post, path = "/api/v1/admin/jobs/pause-all", tag = "machine", responses((status = 202)))]
async fn pause_all(State(house): State<Arc<House>>) -> StatusCode {
    house.libraries.pause_all(true);
    StatusCode::ACCEPTED
}

/// Let all jobs go on.
#[utoipa::path(post, path = "/api/v1/admin/jobs/resume-all", tag = "machine", responses((status = 202)))]
async fn resume_all(State(house): State<Arc<House>>) -> StatusCode {
    house.libraries.pause_all(false);
    StatusCode::ACCEPTED
}

/// Hold a job.
#[utoipa::path(post, path = "/api/v1/admin/jobs/{id}/pause", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn pause(State(house): State<Arc<House>>, Id(id): Id<JobId>) -> Answer<StatusCode> {
    house.libraries.pause(&id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Let a job go on.
#[utoipa::path(post, path = "/api/v1/admin/jobs/{id}/resume", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn resume(State(house): State<Arc<House>>, Id(id): Id<JobId>) -> Answer<StatusCode> {
    house.libraries.resume(&id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Give a job up. What it has done stays.
#[utoipa::path(post, path = "/api/v1/admin/jobs/{id}/cancel", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn cancel(State(house): State<Arc<House>>, Id(id): Id<JobId>) -> Answer<StatusCode> {
    house.libraries.cancel(&id).await?;
    Ok(StatusCode::ACCEPTED)
}
