//! What wants the owner's eye.

use crate::{House, policy::Policy, routes::Routes, view::List, view::at};
use axum::{Json, extract::State};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
}

#[derive(Serialize, ToSchema)]
struct AlertView {
    id: String,
    /// `attention` or `trouble`.
    level: String,
    code: String,
    text: String,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
}

/// Raised alerts, worst first.
#[utoipa::path(get, path = "/api/v1/admin/alerts", tag = "machine", responses((status = 200, body = List<AlertView>)))]
async fn list(State(house): State<Arc<House>>) -> Json<List<AlertView>> {
    let items = house
        .vitals
        .alerts()
        .into_iter()
        .enumerate()
        .map(|(n, alert)| AlertView {
            id: format!("{}-{n}", alert.code.as_str()),
            level: alert.level.as_str().into(),
            code: alert.code.as_str().into(),
            since: at(alert.since),
            href: Some(alert.code.href().into()),
            text: alert.text,
        })
        .collect();
    Json(List::whole(items))
}
