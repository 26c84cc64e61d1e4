//! Libraries: what a viewer was granted, and what the owner makes of folders.

use crate::{
    House,
    input::{Id, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::{List, at},
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use domain::{Code, FolderId, FolderProblem, FolderState, LibraryId, LibraryKind, Role};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc};
use store::{Folder, Library};
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(list))
        .add(Policy::Admin, routes!(create))
        .add(Policy::Admin, routes!(change, remove))
        .add(Policy::Admin, routes!(scan))
        .add(Policy::Admin, routes!(confirm))
}

#[derive(Serialize, ToSchema)]
pub struct FolderView {
    id: String,
    path: String,
    /// `online`, `offline` or `unreadable`.
    state: String,
    /// Why it is not online: `gone`, `not_mounted`, `another_disk`, `hanging` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The same in words, with what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// The owner can say that what is there now is right.
    can_be_confirmed: bool,
    /// Folders below that could not be read at the last scan, the first of them by name.
    unread: Vec<String>,
    unread_total: u64,
    /// Symbolic links that were left out.
    links: u64,
}

impl From<&Folder> for FolderView {
    fn from(folder: &Folder) -> Self {
        Self {
            id: folder.id.to_string(),
            path: folder.path.to_string_lossy().into_owned(),
            state: folder.state.as_str().into(),
            problem: folder.problem.map(|problem| problem.as_str().into()),
            advice: folder.problem.map(|problem| problem.sentence().into()),
            can_be_confirmed: folder.problem.is_some_and(FolderProblem::can_be_confirmed),
            unread: folder.left_out.unread.clone(),
            unread_total: folder.left_out.unread_total,
            links: folder.left_out.links,
        }
    }
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
    let folders = role.is_admin().then(|| library.folders.iter().map(FolderView::from).collect());
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

/// Say that what is at a folder's path now is right; the scan that believes it begins at once.
#[utoipa::path(post, path = "/api/v1/libraries/{id}/folders/{folder}/confirm", tag = "libraries",
    params(("id" = String, Path), ("folder" = String, Path)), responses((status = 202, body = JobStarted)))]
async fn confirm(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path((id, folder)): Path<(String, String)>,
) -> Answer<(StatusCode, Json<JobStarted>)> {
    let nothing = |_| Problem::of(Code::NotFound);
    let (id, folder): (LibraryId, FolderId) = (id.parse().map_err(nothing)?, folder.parse().map_err(nothing)?);
    let job = house.libraries.confirm_folder(&id, &folder).await?;
    house.note(&who, peer, "library.confirm_folder", Some(folder.as_str()), "ok").await;
    Ok((StatusCode::ACCEPTED, Json(JobStarted { job_id: job.to_string() })))
}

fn paths(folders: Vec<String>) -> Answer<Vec<PathBuf>> {
    if folders.iter().any(|f| f.is_empty() || f.len() > 4000 || f.contains('\0')) {
        return Err(Problem::field("folders", "are absolute paths"));
    }
    Ok(folders.into_iter().map(PathBuf::from).collect())
}
