//! What containers are made of: the images there are, going to another one and back.

use crate::{
    House,
    input::Input,
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
use serde::{Deserialize, Serialize};
use std::{path::Path as FilePath, sync::Arc};
use store::PinnedImage;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list)).add(Policy::Admin, routes!(choose)).add(Policy::Admin, routes!(import))
}

#[derive(Serialize, ToSchema)]
struct ImageView {
    /// The digest of its content.
    id: String,
    names: Vec<String>,
    /// Its tag, where that says one.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    made_at: String,
    size_bytes: u64,
    /// New containers are made of it.
    is_used: bool,
    /// It came with this server.
    is_own: bool,
}

/// The worker images of the engine, newest first; none with process sandboxes.
#[utoipa::path(get, path = "/api/v1/admin/images", tag = "machine", responses((status = 200, body = List<ImageView>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<ImageView>>> {
    let images = house.loges.images().await?;
    let items = images.into_iter().map(|image| ImageView {
        version: image.names.first().and_then(|name| Some(name.rsplit_once(':')?.1.to_owned())),
        id: image.id,
        names: image.names,
        made_at: at(image.made_at),
        size_bytes: image.size_bytes,
        is_used: image.is_used,
        is_own: image.is_own,
    });
    Ok(Json(List::whole(items.collect())))
}

/// Makes containers of this image from now on: the house's own first, as a trial; then everybody's,
/// one by one, each when nobody watches through it. An older image is gone back to in the same way.
/// The choice holds until the server comes with another image of its own.
#[utoipa::path(post, path = "/api/v1/admin/images/{id}/use", tag = "machine",
    params(("id" = String, Path)), responses((status = 202), (status = 404)))]
async fn choose(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let images = house.loges.images().await?;
    let image = images.iter().find(|image| image.id == id).ok_or_else(Problem::missing)?;
    let own = images.iter().find(|image| image.is_own);
    let outcome = house.loges.use_image(&image.id).await;
    house.note(&who, peer, "image.use", Some(&id), if outcome.is_ok() { "ok" } else { "failed" }).await;
    outcome?;
    let pinned = own
        .filter(|own| own.id != image.id)
        .map(|own| PinnedImage { id: image.id.clone(), instead_of: own.id.clone() });
    house.store.change_settings(|settings| settings.worker_image = pinned).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ImportForm {
    /// An absolute path on the machine the server runs on.
    path: String,
}

#[derive(Serialize, ToSchema)]
struct Imported {
    id: String,
}

/// Takes a worker image from a file as `docker save` writes it, for machines without a registry.
#[utoipa::path(post, path = "/api/v1/admin/images/import", tag = "machine", request_body = ImportForm,
    responses((status = 200, body = Imported)))]
async fn import(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<ImportForm>,
) -> Answer<Json<Imported>> {
    let file = FilePath::new(&form.path);
    if !file.is_absolute() {
        return Err(Problem::field("path", "is an absolute path on the server"));
    }
    let outcome = house.loges.import_image(file).await;
    house.note(&who, peer, "image.import", Some(&form.path), if outcome.is_ok() { "ok" } else { "failed" }).await;
    Ok(Json(Imported { id: outcome? }))
}
