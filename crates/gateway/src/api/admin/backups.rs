//! Backups of the house: when they are made, where copies go, which ones are there and proven.

use crate::{
    House,
    input::Input,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem, outcome},
    routes::Routes,
    view::at,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base::UnixMs;
use domain::night::{clock_time, minute_of};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;
use vault::{Kind, Shown, VaultError};

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(show, make))
        .add(Policy::Admin, routes!(change_plan))
        .add(Policy::Admin, routes!(add_place))
        .add(Policy::Admin, routes!(remove_place))
        .add(Policy::Admin, routes!(look_again))
        .add(Policy::Admin, routes!(delete))
        .add(Policy::Admin, routes!(prove))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backups)]
struct BackupsView {
    /// `idle`, `backing_up`, `copying` or `proving`.
    work: String,
    /// False where the database is PostgreSQL, which brings its own tools.
    possible: bool,
    enabled: bool,
    /// A time of day by the clock of the machine: `03:30`.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// Where the house itself keeps them.
    folder: String,
    /// Whether new backups seal the key of the house.
    key_sealed: bool,
    /// Newest first.
    items: Vec<BackupView>,
    places: Vec<PlaceView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_try: Option<TryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_proof: Option<ProofView>,
    /// When a backup was last proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    proven_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Backup)]
struct BackupView {
    name: String,
    /// `scheduled`, `by_hand` or `before_upgrade`.
    kind: String,
    made_at: String,
    /// 0 for one that is at other places alone.
    size_bytes: u64,
    proven: bool,
    /// In the house's own folder.
    here: bool,
    /// Ids of the places that have a copy.
    places: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupPlace)]
struct PlaceView {
    id: String,
    path: String,
    /// Backups that wait to be copied there.
    waiting: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    /// What is in the way, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupTry)]
struct TryView {
    at: String,
    /// Why it was not made, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BackupProof)]
struct ProofView {
    at: String,
    backup: String,
    /// The film that played.
    #[serde(skip_serializing_if = "Option::is_none")]
    played: Option<String>,
    /// Why it does not count, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

fn view(shown: Shown) -> BackupsView {
    let items = shown.backups.into_iter().map(|each| BackupView {
        name: each.name,
        kind: match each.kind {
            Kind::Scheduled => "scheduled",
            Kind::ByHand => "by_hand",
            Kind::BeforeUpgrade => "before_upgrade",
        }
        .into(),
        made_at: at(each.made_at),
        size_bytes: each.size_bytes,
        proven: each.is_proven,
        here: each.is_here,
        places: each.places,
    });
    let places = shown.places.into_iter().map(|place| PlaceView {
        id: place.mark,
        path: place.path.display().to_string(),
        waiting: place.waiting,
        free_bytes: place.free_bytes,
        problem: place.problem,
    });
    BackupsView {
        work: shown.work.as_str().into(),
        possible: shown.is_possible,
        enabled: shown.is_on,
        at: clock_time(shown.at_minute),
        next_at: shown.next_at.map(at),
        folder: shown.folder.display().to_string(),
        key_sealed: shown.is_key_sealed,
        items: items.collect(),
        places: places.collect(),
        last_try: shown.last_try.map(|last| TryView { at: at(UnixMs(last.at_ms)), problem: last.problem }),
        last_proof: shown.last_proof.map(|proof| ProofView {
            at: at(UnixMs(proof.at_ms)),
            backup: proof.backup,
            played: proof.played,
            problem: proof.problem,
        }),
        proven_at: shown.proven_at.map(at),
    }
}

fn refused(error: VaultError) -> Problem {
    let failure = error.failure();
    if failure.code.kind().status() >= 500 {
        tracing::error!(error = &error as &dyn std::error::Error, "backups: {error}");
    }
    failure.into()
}

async fn shown(house: &House) -> Answer<Json<BackupsView>> {
    Ok(Json(view(house.vault.show().await.map_err(refused)?)))
}

/// The backups of the house, and when the next one is made.
#[utoipa::path(get, path = "/api/v1/admin/backups", tag = "machine", responses((status = 200, body = BackupsView)))]
async fn show(State(house): State<Arc<House>>) -> Answer<Json<BackupsView>> {
    shown(&house).await
}

/// Make a backup now. It is read back before this answers.
#[utoipa::path(post, path = "/api/v1/admin/backups", tag = "machine", responses((status = 201, body = BackupsView)))]
async fn make(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
) -> Answer<(StatusCode, Json<BackupsView>)> {
    let made = house.vault.back_up_now().await.map_err(refused);
    let name = made.as_ref().ok().map(ToString::to_string);
    house.note(&who, peer, "backup.make", name.as_deref(), outcome(&made)).await;
    made?;
    Ok((StatusCode::CREATED, shown(&house).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlanForm {
    enabled: Option<bool>,
    /// A time of day by the clock of the machine: `03:30`.
    at: Option<String>,
}

/// Change when backups are made; what is not said stays.
#[utoipa::path(patch, path = "/api/v1/admin/backups/plan", tag = "machine", request_body = PlanForm,
    responses((status = 200, body = BackupsView)))]
async fn change_plan(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<PlanForm>,
) -> Answer<Json<BackupsView>> {
    let minute = form
        .at
        .as_deref()
        .map(|text| minute_of(text).ok_or_else(|| Problem::field("at", "is a time of day like 03:30")));
    house.vault.set_plan(form.enabled, minute.transpose()?).await.map_err(refused)?;
    house.note(&who, peer, "backup.plan", None, "ok").await;
    shown(&house).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaceForm {
    /// A folder that is there, best on another disk.
    path: String,
}

/// Copy every backup to another folder from now on.
#[utoipa::path(post, path = "/api/v1/admin/backups/places", tag = "machine", request_body = PlaceForm,
    responses((status = 201, body = BackupsView)))]
async fn add_place(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<PlaceForm>,
) -> Answer<(StatusCode, Json<BackupsView>)> {
    let path = std::path::Path::new(form.path.trim());
    if !path.is_absolute() {
        return Err(Problem::field("path", "is a whole path like /mnt/disk/backups"));
    }
    let added = house.vault.add_place(path).await.map_err(refused);
    house.note(&who, peer, "backup.add_place", Some(form.path.trim()), outcome(&added)).await;
    added?;
    Ok((StatusCode::CREATED, shown(&house).await?))
}

/// Copy nothing more to a place. The copies that are there stay.
#[utoipa::path(delete, path = "/api/v1/admin/backups/places/{id}", tag = "machine", params(("id" = String, Path)),
    responses((status = 200, body = BackupsView)))]
async fn remove_place(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(id): Path<String>,
) -> Answer<Json<BackupsView>> {
    let removed = house.vault.remove_place(&id).await.map_err(refused);
    house.note(&who, peer, "backup.remove_place", Some(&id), outcome(&removed)).await;
    removed?;
    shown(&house).await
}

/// Look at all places again now, and copy what they lack.
#[utoipa::path(post, path = "/api/v1/admin/backups/places/look", tag = "machine", responses((status = 202)))]
async fn look_again(State(house): State<Arc<House>>) -> StatusCode {
    house.vault.look_at_places();
    StatusCode::ACCEPTED
}

/// Delete a backup in the house's own folder. Copies at other places stay.
#[utoipa::path(delete, path = "/api/v1/admin/backups/{name}", tag = "machine", params(("name" = String, Path)),
    responses((status = 200, body = BackupsView)))]
async fn delete(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(name): Path<String>,
) -> Answer<Json<BackupsView>> {
    let deleted = house.vault.delete(&name).await.map_err(refused);
    house.note(&who, peer, "backup.delete", Some(&name), outcome(&deleted)).await;
    deleted?;
    shown(&house).await
}

/// Prove a backup: it is restored into a folder of its own, started, signed in to and watched. This
/// answers at once; `work` and `last_proof` say how it goes.
#[utoipa::path(post, path = "/api/v1/admin/backups/{name}/prove", tag = "machine", params(("name" = String, Path)),
    responses((status = 202)))]
async fn prove(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    let begun = house.vault.begin_proof(&name).await.map_err(refused);
    house.note(&who, peer, "backup.prove", Some(&name), outcome(&begun)).await;
    begun?;
    Ok(StatusCode::ACCEPTED)
}
