//! Versions made ahead of time: the queue with its levers, and what is there.

use crate::{
    House,
    input::Id,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::List,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::JobId;
use serde::Serialize;
use std::sync::Arc;
use store::Change;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
        .add(Policy::Admin, routes!(remove))
        .add(Policy::Admin, routes!(first))
        .add(Policy::Admin, routes!(pause))
        .add(Policy::Admin, routes!(resume))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Rendition)]
struct RenditionItem {
    id: String,
    title_id: String,
    title_name: String,
    /// `720p`…
    quality: String,
    /// `queued`, `running`, `paused`, `done` or `failed`.
    state: String,
    /// 0 to 1.
    progress: f64,
    size_bytes: u64,
    eta_s: Option<f64>,
    /// Why it failed or does not go on.
    reason: Option<String>,
    /// The house picked it by itself.
    by_house: bool,
}

impl From<renditions::RenditionView> for RenditionItem {
    fn from(view: renditions::RenditionView) -> Self {
        Self {
            id: view.row.id.to_string(),
            title_id: view.row.title.to_string(),
            title_name: view.row.title_name,
            quality: format!("{}p", view.row.lines),
            state: view.state.as_str().into(),
            progress: view.progress,
            size_bytes: view.stored_bytes,
            eta_s: view.eta.map(|d| d.as_secs_f64()),
            reason: view.reason,
            by_house: view.row.wanted_by.is_none(),
        }
    }
}

/// The queue in its order, then what is over, newest first.
#[utoipa::path(get, path = "/api/v1/admin/renditions", tag = "machine",
    responses((status = 200, body = List<RenditionItem>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<RenditionItem>>> {
    Ok(Json(List::whole(house.renditions.list().await?.into_iter().map(Into::into).collect())))
}

fn known(change: Change) -> Answer<()> {
    match change {
        Change::Missing => Err(Problem::missing()),
        _ => Ok(()),
    }
}

/// Delete a version, or give up one that is wanted.
#[utoipa::path(delete, path = "/api/v1/admin/renditions/{id}", tag = "machine", params(("id" = String, Path)),
    responses((status = 204)))]
async fn remove(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<JobId>,
) -> Answer<StatusCode> {
    known(house.renditions.remove(&id).await?)?;
    house.note(&who, peer, "rendition.remove", Some(id.as_str()), "ok").await;
    Ok(StatusCode::NO_CONTENT)
}

/// Make it before everything else that waits.
#[utoipa::path(post, path = "/api/v1/admin/renditions/{id}/first", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn first(State(house): State<Arc<House>>, Who(who): Who, Id(id): Id<JobId>) -> Answer<StatusCode> {
    known(house.renditions.first(&id, &who.user).await?)?;
    Ok(StatusCode::ACCEPTED)
}

/// Hold it; what is made of it stays.
#[utoipa::path(post, path = "/api/v1/admin/renditions/{id}/pause", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn pause(State(house): State<Arc<House>>, Id(id): Id<JobId>) -> Answer<StatusCode> {
    known(house.renditions.pause(&id).await?)?;
    Ok(StatusCode::ACCEPTED)
}

/// Let it go on, or try it again.
#[utoipa::path(post, path = "/api/v1/admin/renditions/{id}/resume", tag = "machine", params(("id" = String, Path)),
    responses((status = 202)))]
async fn resume(State(house): State<Arc<House>>, Id(id): Id<JobId>) -> Answer<StatusCode> {
    known(house.renditions.resume(&id).await?)?;
    Ok(StatusCode::ACCEPTED)
}
