//! What anyone on the LAN may know: that the house lives and whether it is ready; and its API, for
//! those who are signed in.

use crate::{
    House, metrics,
    policy::{Policy, bearer},
    problem::{Answer, Problem},
    routes::Routes,
    sign::Sign,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use domain::Code;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Anonymous, routes!(healthz))
        .add(Policy::Anonymous, routes!(readyz))
        .add(Policy::Scrape, routes!(scrape))
        .add(Policy::Anonymous, routes!(server))
        .add(Policy::Image, routes!(openapi))
        .add(Policy::Image, routes!(docs))
        .add(Policy::Image, routes!(docs_index))
        .add(Policy::Image, routes!(docs_file))
}

#[derive(Serialize, ToSchema)]
struct Status {
    status: &'static str,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "house", responses((status = 200, body = Status)))]
async fn healthz() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// The house takes viewers: the database answers and can be written, and nothing is closing.
#[utoipa::path(get, path = "/readyz", tag = "house", responses((status = 200, body = Status)))]
async fn readyz(State(house): State<Arc<House>>) -> Answer<Json<Status>> {
    let later = Duration::from_secs(2);
    if house.lifecycle.is_stopping() {
        return Err(Problem::of(Code::ShuttingDown).retry_after(later));
    }
    let asked = async {
        match house.store.ping().await {
            Ok(()) if house.store.can_write().await => Ok(()),
            Ok(()) => Err(None),
            Err(e) => Err(Some(e.failure().code)),
        }
    };
    match tokio::time::timeout(Duration::from_secs(2), asked).await {
        Ok(Ok(())) => Ok(Json(Status { status: "ready" })),
        told => {
            // The first to notice that it is away may be this request.
            let is_away = house.store.away_since().is_some() || matches!(told, Ok(Err(Some(Code::DatabaseAway))));
            let code = match house.store.write_failure() {
                _ if is_away => Code::DatabaseAway,
                Some(failure) if failure.full => Code::DiskFull,
                Some(_) => Code::StorageFailed,
                None => Code::NotReady,
            };
            // A full disk answers 507 to a request that saves; here it means: not now.
            Err(Problem::of(code).status(StatusCode::SERVICE_UNAVAILABLE).retry_after(later))
        }
    }
}

/// Counters and gauges as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "house", responses((status = 200, body = String, content_type = "text/plain")))]
async fn scrape(State(house): State<Arc<House>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::render(&house)).into_response()
}

#[derive(Serialize, ToSchema)]
struct ServerInfo {
    name: String,
    /// Only for people who are signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// No owner yet: the first-run pages are shown.
    setup_required: bool,
}

/// Which house this is.
#[utoipa::path(get, path = "/api/v1/server", tag = "house", responses((status = 200, body = ServerInfo)))]
async fn server(State(house): State<Arc<House>>, headers: HeaderMap) -> Answer<Json<ServerInfo>> {
    let Sign { name, setup_required } = house.sign.read(&house.store).await?;
    let is_known = match bearer(&headers) {
        Some(token) => house.accounts.authenticate(token).await.is_ok(),
        None => false,
    };
    Ok(Json(ServerInfo { name, version: is_known.then_some(env!("CARGO_PKG_VERSION")), setup_required }))
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "house", responses((status = 200, body = Object)))]
async fn openapi(State(house): State<Arc<House>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], house.document.clone()).into_response()
}

/// This document, for people.
#[utoipa::path(get, path = "/api/docs", tag = "house", responses((status = 303)))]
async fn docs() -> Redirect {
    Redirect::to("/api/docs/")
}

/// This document, for people.
#[utoipa::path(get, path = "/api/docs/", tag = "house", responses((status = 200, content_type = "text/html")))]
async fn docs_index() -> Answer<Response> {
    swagger("")
}

/// Parts of the page above.
#[utoipa::path(get, path = "/api/docs/{file}", tag = "house", params(("file" = String, Path)),
    responses((status = 200)))]
async fn docs_file(Path(file): Path<String>) -> Answer<Response> {
    swagger(&file)
}

fn swagger(file: &str) -> Answer<Response> {
    let config = utoipa_swagger_ui::Config::from("/api/openapi.json");
    match utoipa_swagger_ui::serve(file, Arc::new(config)) {
        Ok(Some(found)) => {
            let mut response = ([(header::CONTENT_TYPE, found.content_type)], found.bytes.to_vec()).into_response();
            if found.gzpipped {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Ok(response)
        }
        Ok(None) => Err(Problem::missing()),
        Err(_) => Err(Problem::of(Code::Internal)),
    }
}
