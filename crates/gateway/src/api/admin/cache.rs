//! The segment cache: what it holds, for whom, and emptying it. Its quota is among the settings.

use crate::{
    House,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Code, Failure, UserId};
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(show, clear))
}

#[derive(Serialize, ToSchema)]
struct CacheShare {
    user_id: String,
    username: String,
    used_bytes: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SegmentCache)]
struct CacheView {
    used_bytes: u64,
    /// For everyone together; 0 keeps nothing.
    total_bytes: u64,
    /// For one person.
    each_bytes: u64,
    segments: u64,
    /// Largest first.
    people: Vec<CacheShare>,
    /// `keeping`, `off`, or why nothing is kept: `full`, `read_only`, `missing`, `failing`, `slow`.
    state: String,
    state_text: String,
    /// Segments served from the cache since the server started.
    served: u64,
}

/// What is kept of live encodes.
#[utoipa::path(get, path = "/api/v1/admin/cache", tag = "machine", responses((status = 200, body = CacheView)))]
async fn show(State(house): State<Arc<House>>) -> Answer<Json<CacheView>> {
    let view = house.segments.view();
    let users = house.store.users().await?;
    let names: HashMap<&UserId, &str> = users.iter().map(|user| (&user.id, user.username.as_str())).collect();
    let share = |(user, used_bytes): (UserId, u64)| CacheShare {
        username: (*names.get(&user).unwrap_or(&"somebody")).into(),
        user_id: user.to_string(),
        used_bytes,
    };
    let (state, state_text) = match view.pause {
        _ if view.quota.total == 0 => ("off", "Nothing is kept: there is no space for it."),
        Some(pause) => (pause.as_str(), pause.sentence()),
        None => ("keeping", "What is encoded while somebody watches is kept for when they go back or watch it again."),
    };
    Ok(Json(CacheView {
        used_bytes: view.used,
        total_bytes: view.quota.total,
        each_bytes: view.quota.each,
        segments: view.segments as u64,
        people: view.people.into_iter().map(share).collect(),
        state: state.into(),
        state_text: state_text.into(),
        served: view.hits,
    }))
}

/// Empty it. Whoever watches goes on watching.
#[utoipa::path(delete, path = "/api/v1/admin/cache", tag = "machine", responses((status = 204)))]
async fn clear(State(house): State<Arc<House>>, Who(who): Who, Caller(peer): Caller) -> Answer<StatusCode> {
    let emptied = house.segments.empty().await;
    house.note(&who, peer, "cache.empty", None, if emptied.is_ok() { "ok" } else { "failed" }).await;
    match emptied {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(e) => {
            tracing::warn!("the segment cache cannot be emptied: {e}");
            Err(Problem::from(Failure::new(
                Code::Internal,
                "The disk of the segment cache did not let go of everything.",
            )))
        }
    }
}
