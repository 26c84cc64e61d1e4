//! Files that ended workers, and another chance for them.

use crate::{
    House,
    input::Id,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    timeline::file_ref,
    view::List,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::FileId;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list)).add(Policy::Admin, routes!(release))
}

#[derive(Serialize, ToSchema)]
struct SetAside {
    file_id: String,
    title_id: String,
    title_name: String,
    /// Below its folder; bytes that are no text are replaced.
    path: String,
    size_bytes: u64,
}

/// Files that no container opens any more, because two containers ended while working on them.
#[utoipa::path(get, path = "/api/v1/admin/quarantine", tag = "machine",
    responses((status = 200, body = List<SetAside>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<SetAside>>> {
    let files = house.store.files_set_aside().await?;
    let items = files.into_iter().map(|(file, title_name)| SetAside {
        file_id: file.id.to_string(),
        title_id: file.title.to_string(),
        title_name,
        path: String::from_utf8_lossy(&file.path).into_owned(),
        size_bytes: file.size_bytes,
    });
    Ok(Json(List::whole(items.collect())))
}

/// Gives a file another chance.
#[utoipa::path(delete, path = "/api/v1/admin/quarantine/{file_id}", tag = "machine",
    params(("file_id" = String, Path)), responses((status = 204), (status = 404)))]
async fn release(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<FileId>,
) -> Answer<StatusCode> {
    let file = house.store.take_back(&id).await?.ok_or_else(Problem::missing)?;
    house.loges.release_file(&file_ref(&file));
    house.bus.publish(base::Event::Title { title: file.title.clone(), library: file.library.clone() });
    house.note(&who, peer, "file.take_back", Some(id.as_str()), "ok").await;
    Ok(StatusCode::NO_CONTENT)
}
