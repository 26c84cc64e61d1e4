//! The machine's folders, for the page that makes libraries.

use crate::{
    House,
    input::{Ask, Input},
    policy::Policy,
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(check)).add(Policy::Admin, routes!(browse))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FolderForm {
    path: String,
}

#[derive(Serialize, ToSchema)]
struct FolderCheck {
    path: String,
    exists: bool,
    is_directory: bool,
    /// By the user inside a loge.
    readable: bool,
    videos_found: u64,
    /// There may be more; counting stopped at its time limit.
    counting: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_by: Option<String>,
    /// A command that opens the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// Can this folder be a library? Counts films for up to two seconds.
#[utoipa::path(post, path = "/api/v1/admin/folders/check", tag = "libraries", request_body = FolderForm,
    responses((status = 200, body = FolderCheck)))]
async fn check(State(house): State<Arc<House>>, Input(form): Input<FolderForm>) -> Answer<Json<FolderCheck>> {
    let path = the_path("path", &form.path)?;
    let report = house.libraries.check_folder(&path).await;
    Ok(Json(FolderCheck {
        path: form.path,
        exists: report.exists,
        is_directory: report.is_directory,
        readable: report.readable,
        videos_found: report.videos_found,
        counting: report.counting,
        blocked_by: report.blocked_by.as_deref().map(shown),
        fix: report.fix,
        warning: report.warning,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BrowseAsk {
    path: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct FolderEntry {
    name: String,
    path: String,
    readable: bool,
}

#[derive(Serialize, ToSchema)]
struct FolderList {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    entries: Vec<FolderEntry>,
}

/// The folders in a folder.
#[utoipa::path(get, path = "/api/v1/admin/folders", tag = "libraries", params(BrowseAsk),
    responses((status = 200, body = FolderList)))]
async fn browse(State(house): State<Arc<House>>, Ask(ask): Ask<BrowseAsk>) -> Answer<Json<FolderList>> {
    let path = the_path("path", ask.path.as_deref().unwrap_or("/"))?;
    let listing = house.libraries.browse(&path).await?;
    Ok(Json(FolderList {
        path: shown(&listing.path),
        parent: listing.parent.as_deref().map(shown),
        entries: listing
            .entries
            .into_iter()
            .map(|e| FolderEntry { name: e.name, path: shown(&e.path), readable: e.readable })
            .collect(),
    }))
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn the_path(field: &str, text: &str) -> Answer<PathBuf> {
    if text.is_empty() || text.len() > 4000 || text.contains('\0') || !text.starts_with('/') {
        return Err(Problem::field(field, "is an absolute path"));
    }
    Ok(PathBuf::from(text))
}
