//! Libraries: what a viewer was granted, and what the owner makes of folders.

use crate::{
    House,
    input::{Id, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::{List, at},
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{Code, FolderState, LibraryId, LibraryKind, Role};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use store::Library;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(list))
        .add(Policy::Admin, routes!(create))
        .add(Policy::Admin, routes!(change, remove))
        .add(Policy::Admin, routes!(scan))
}

#[derive(Serialize, ToSchema)]
pub struct FolderView {
    id: String,
    path: String,
    /// `online`, `offline` or `unreadable`.
    state: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Library)]
pub struct LibraryView {
    id: String,
    name: String,
    /// `movies`, `shows` or `home`.
    kind: String,
    /// `ready`, `scanning` or `offline`.
    state: String,
    title_count: u64,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    folders: Option<Vec<FolderView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_scan_at: Option<String>,
}

pub fn view(house: &House, library: &Library, role: Role) -> LibraryView {
    let offline = !library.folders.is_empty() && library.folders.iter().all(|f| f.state == FolderState::Offline);
    let state = match (house.libraries.is_scanning(Some(&library.id)), offline) {
        (true, _) => "scanning",
        (false, true) => "offline",
        (false, false) => "ready",
    };
    let folders = role.is_admin().then(|| {
        library
            .folders
            .iter()
            .map(|f| FolderView {
                id: f.id.to_string(),
                path: f.path.to_string_lossy().into_owned(),
                state: f.state.as_str().into(),
            })
            .collect()
    });
    LibraryView {
        id: library.id.to_string(),
        name: library.name.clone(),
        kind: library.kind.as_str().into(),
        state: state.into(),
        title_count: library.title_count,
        folders,
        last_scan_at: library.last_scan_at.map(at),
    }
}

/// The libraries I may see.
#[utoipa::path(get, path = "/api/v1/libraries", tag = "libraries", responses((status = 200, body = List<LibraryView>)))]
async fn list(State(house): State<Arc<House>>, Who(who): Who) -> Answer<Json<List<LibraryView>>> {
    let libraries = house.store.libraries_for(&who.user, who.role).await?;
    Ok(Json(List::whole(libraries.iter().map(|l| view(&house, l, who.role)).collect())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLibrary {
    name: String,
    /// `movies`, `shows` or `home`.
    kind: String,
    /// Absolute paths.
    folders: Vec<String>,
}

/// Make a library of folders. Its first scan begins at once.
#[utoipa::path(post, path = "/api/v1/libraries", tag = "libraries", request_body = NewLibrary,
    responses((status = 201, body = LibraryView)))]
async fn create(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<NewLibrary>,
) -> Answer<(StatusCode, Json<LibraryView>)> {
    let kind = LibraryKind::parse(&form.kind).ok_or_else(|| Problem::field("kind", "is movies, shows or home"))?;
    let (library, _) = house.libraries.create(&form.name, kind, &paths(form.folders)?).await?;
    house.note(&who, peer, "library.create", Some(library.id.as_str()), "ok").await;
    house.mounts_changed();
    Ok((StatusCode::CREATED, Json(view(&house, &library, who.role))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LibraryChange {
    name: Option<String>,
    folders: Option<Vec<String>>,
}

/// Rename a library or give it other folders.
#[utoipa::path(patch, path = "/api/v1/libraries/{id}", tag = "libraries", params(("id" = String, Path)),
    request_body = LibraryChange, responses((status = 200, body = LibraryView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<LibraryId>,
    Input(form): Input<LibraryChange>,
) -> Answer<Json<LibraryView>> {
    let folders = form.folders.map(paths).transpose()?;
    let library = house.libraries.update(&id, form.name.as_deref(), folders.as_deref()).await?;
    house.note(&who, peer, "library.change", Some(id.as_str()), "ok").await;
    if folders.is_some() {
        house.mounts_changed();
    }
    Ok(Json(view(&house, &library, who.role)))
}

/// Forget a library, its titles and what people watched of them. Files stay as they are.
#[utoipa::path(delete, path = "/api/v1/libraries/{id}", tag = "libraries", params(("id" = String, Path)),
    responses((status = 204)))]
async fn remove(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<LibraryId>,
) -> Answer<StatusCode> {
    house.libraries.remove(&id).await?;
    house.streams.stop_where(Code::NoLongerShared, |play| play.library == id);
    house.note(&who, peer, "library.delete", Some(id.as_str()), "ok").await;
    house.mounts_changed();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
pub struct JobStarted {
    pub job_id: String,
}

/// Look for new, changed and missing files.
#[utoipa::path(post, path = "/api/v1/libraries/{id}/scan", tag = "libraries", params(("id" = String, Path)),
    responses((status = 202, body = JobStarted)))]
async fn scan(State(house): State<Arc<House>>, Id(id): Id<LibraryId>) -> Answer<(StatusCode, Json<JobStarted>)> {
    let job = house.libraries.scan(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(JobStarted { job_id: job.to_string() })))
}

fn paths(folders: Vec<String>) -> Answer<Vec<PathBuf>> {
    if folders.iter().any(|f| f.is_empty() || f.len() > 4000 || f.contains('\0')) {
        return Err(Problem::field("folders", "are absolute paths"));
    }
    Ok(folders.into_iter().map(PathBuf::from).collect())
}
