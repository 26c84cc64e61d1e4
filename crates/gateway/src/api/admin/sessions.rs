//! Everyone's sign-ins.

use crate::{
    House,
    input::Id,
    policy::{Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::{List, at},
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{SessionId, UserId};
use serde::Serialize;
use std::{collections::HashMap, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list)).add(Policy::Admin, routes!(end))
}

#[derive(Serialize, ToSchema)]
struct SessionView {
    id: String,
    user_id: String,
    username: String,
    device: Option<String>,
    address: Option<String>,
    created_at: String,
    last_seen_at: String,
}

/// Who is signed in, where.
#[utoipa::path(get, path = "/api/v1/admin/sessions", tag = "people", responses((status = 200, body = List<SessionView>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<SessionView>>> {
    let names: HashMap<UserId, String> = house.store.users().await?.into_iter().map(|u| (u.id, u.username)).collect();
    let sessions = house.store.all_sessions().await?;
    let items = sessions
        .into_iter()
        .map(|s| SessionView {
            id: s.id.to_string(),
            username: names.get(&s.user).cloned().unwrap_or_default(),
            user_id: s.user.to_string(),
            device: s.device,
            address: s.address,
            created_at: at(s.created_at),
            last_seen_at: at(s.last_seen_at),
        })
        .collect();
    Ok(Json(List::whole(items)))
}

/// Sign somebody out. Their streams are cut.
#[utoipa::path(delete, path = "/api/v1/admin/sessions/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204)))]
async fn end(State(house): State<Arc<House>>, Who(who): Who, Id(id): Id<SessionId>) -> Answer<StatusCode> {
    let live = house.store.session(&id).await?.is_some_and(|s| s.ended_at.is_none());
    if !live {
        return Err(Problem::missing());
    }
    house.accounts.end_session(&id, who.user.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}
