//! Who did what, in a chain that shows when a link was taken out.

use crate::{
    House,
    input::Ask,
    policy::Policy,
    problem::{Answer, Problem},
    routes::Routes,
    view::{List, at},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditAsk {
    cursor: Option<String>,
    /// At most 500; 100 unless said.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct AuditView {
    id: String,
    at: String,
    actor: String,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "machine", params(AuditAsk),
    responses((status = 200, body = List<AuditView>)))]
async fn list(State(house): State<Arc<House>>, Ask(ask): Ask<AuditAsk>) -> Answer<Json<List<AuditView>>> {
    let limit = ask.limit.unwrap_or(100);
    if !(1..=500).contains(&limit) {
        return Err(Problem::field("limit", "lies between 1 and 500"));
    }
    let page = house.store.audit(limit, ask.cursor.as_deref()).await?;
    let items = page
        .items
        .into_iter()
        .map(|e| AuditView {
            id: e.seq.to_string(),
            at: at(e.at),
            actor: e.entry.actor,
            action: e.entry.action,
            target: e.entry.target,
            result: e.entry.result,
            address: e.entry.address,
        })
        .collect();
    Ok(Json(List { items, next_cursor: page.next_cursor, total: None }))
}
