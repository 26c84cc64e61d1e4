//! Which walls the loges have on this machine.

use crate::{House, policy::Policy, problem::Answer, routes::Routes};
use axum::{Json, extract::State};
use domain::loge::wall_in_words;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(runtime))
}

#[derive(Serialize, ToSchema)]
struct Wall {
    name: String,
    /// The name in words.
    label: String,
    reached: bool,
    detail: String,
}

#[derive(Serialize, ToSchema)]
struct Runtime {
    /// `docker` or `process`.
    kind: String,
    /// `auto`, `docker` or `process`.
    wanted: String,
    /// `full`, `reduced` or `unknown` (nothing has been started yet).
    level: String,
    /// Walls that must stand and do not, in words.
    missing: Vec<String>,
    /// They are missing and the owner does not allow that: no container starts.
    is_refused: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    isolation: Vec<Wall>,
    /// Whether processor time that some containers leave unused is lent to those that need more.
    /// Not where the limits of one that runs cannot be changed.
    lends_cpu: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// The runtime, why it is this one, and what would make it better.
#[utoipa::path(get, path = "/api/v1/admin/runtime", tag = "machine", responses((status = 200, body = Runtime)))]
async fn runtime(State(house): State<Arc<House>>) -> Answer<Json<Runtime>> {
    let info = house.loges.runtime();
    let allows_reduced = house.store.settings().await?.allow_reduced_isolation;
    let level = info.level();
    let missing = match &level {
        loges::Level::Reduced { missing } => missing.iter().map(|wall| wall_in_words(wall).to_owned()).collect(),
        loges::Level::Full | loges::Level::Unknown => Vec::new(),
    };
    Ok(Json(Runtime {
        is_refused: info.permit(allows_reduced).is_err(),
        level: level.as_str().into(),
        missing,
        kind: info.kind.as_str().into(),
        wanted: info.wanted.as_str().into(),
        detail: info.detail,
        lends_cpu: house.loges.lends(),
        version: info.version,
        isolation: info
            .isolation
            .into_iter()
            .map(|i| Wall {
                label: wall_in_words(&i.name).to_owned(),
                name: i.name,
                reached: i.reached,
                detail: i.detail,
            })
            .collect(),
        advice: info.advice,
    }))
}
