//! People and what they were granted.

use crate::{
    House,
    input::{Id, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Faults, Problem},
    routes::Routes,
    view::{List, at, role},
};
use accounts::check_person;
use axum::{Json, extract::State, http::StatusCode};
use base::Event;
use domain::{Code, LibraryId, Role, UserId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};
use store::User;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Seen this recently counts as here.
const ONLINE_MS: u64 = 5 * 60_000;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list, create))
        .add(Policy::Admin, routes!(change, remove))
        .add(Policy::Admin, routes!(grants))
}

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserView {
    id: String,
    username: String,
    role: String,
    disabled: bool,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<String>,
    /// Ids of the libraries a viewer was granted; the owner sees all anyway.
    libraries: Vec<String>,
    online: bool,
}

async fn view(house: &House, user: User, online: &HashSet<UserId>) -> Answer<UserView> {
    let libraries = house.store.grants(&user.id).await?;
    Ok(UserView {
        online: online.contains(&user.id),
        id: user.id.to_string(),
        username: user.username,
        role: role(user.role),
        disabled: user.disabled,
        created_at: at(user.created_at),
        last_seen_at: user.last_seen_at.map(at),
        libraries: libraries.iter().map(ToString::to_string).collect(),
    })
}

async fn online(house: &House) -> Answer<HashSet<UserId>> {
    let now = house.clock.now();
    let sessions = house.store.all_sessions().await?;
    let seen = sessions.into_iter().filter(|s| now.since(s.last_seen_at) < ONLINE_MS).map(|s| s.user);
    Ok(seen.chain(house.streams.list().into_iter().map(|p| p.about.user)).collect())
}

/// Everyone with a sign-in.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "people", responses((status = 200, body = List<UserView>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<UserView>>> {
    let online = online(&house).await?;
    let mut items = Vec::new();
    for user in house.store.users().await? {
        items.push(view(&house, user, &online).await?);
    }
    Ok(Json(List::whole(items)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUserForm {
    username: String,
    password: String,
    /// `admin` or `viewer`.
    role: String,
    libraries: Option<Vec<String>>,
}

/// Make a sign-in for somebody.
#[utoipa::path(post, path = "/api/v1/admin/users", tag = "people", request_body = NewUserForm,
    responses((status = 201, body = UserView)))]
async fn create(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<NewUserForm>,
) -> Answer<(StatusCode, Json<UserView>)> {
    let mut faults = Faults::default();
    faults.take(check_person(&form.username, &form.password).map_err(Problem::from));
    let role = faults.take(the_role(&form.role));
    let libraries = match the_libraries(&house, form.libraries.unwrap_or_default()).await {
        // The database, and not the form.
        Err(problem) if !problem.is_about_fields() => return Err(problem),
        checked => faults.take(checked),
    };
    faults.done()?;
    let (Some(role), Some(libraries)) = (role, libraries) else { return Err(Problem::of(Code::Internal)) };
    let user = house.accounts.create_user(&who, &form.username, &form.password, role, peer).await?;
    if !libraries.is_empty() {
        house.store.set_grants(&user.id, &libraries).await?;
    }
    house.bus.publish(Event::Users);
    Ok((StatusCode::CREATED, Json(view(&house, user, &HashSet::new()).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    role: Option<String>,
    disabled: Option<bool>,
    password: Option<String>,
}

/// Change a person's role, switch them off or on, or give them a new password.
#[utoipa::path(patch, path = "/api/v1/admin/users/{id}", tag = "people", params(("id" = String, Path)),
    request_body = UserChange, responses((status = 200, body = UserView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<UserId>,
    Input(form): Input<UserChange>,
) -> Answer<Json<UserView>> {
    house.store.user(&id).await?.ok_or_else(Problem::missing)?;
    if let Some(role) = form.role.as_deref().map(the_role).transpose()? {
        house.accounts.set_role(&who, &id, role, peer).await?;
        house.bus.publish(Event::GrantsChanged { user: id.clone() });
    }
    if let Some(disabled) = form.disabled {
        house.accounts.set_disabled(&who, &id, disabled, peer).await?;
    }
    if let Some(password) = form.password {
        house.accounts.set_password(&who, &id, &password, peer).await?;
    }
    house.bus.publish(Event::Users);
    let user = house.store.user(&id).await?.ok_or_else(Problem::missing)?;
    let online = online(&house).await?;
    Ok(Json(view(&house, user, &online).await?))
}

/// Remove a person, their sessions and what they watched.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204)))]
async fn remove(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<UserId>,
) -> Answer<StatusCode> {
    house.store.user(&id).await?.ok_or_else(Problem::missing)?;
    house.accounts.delete_user(&who, &id, peer).await?;
    house.streams.stop_where(Code::SessionEnded, |play| play.user == id);
    house.bus.publish(Event::Users);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Grants {
    libraries: Vec<String>,
}

/// Exactly these libraries, from now on. Streams of others are cut.
#[utoipa::path(put, path = "/api/v1/admin/users/{id}/grants", tag = "people", params(("id" = String, Path)),
    request_body = Grants, responses((status = 204)))]
async fn grants(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<UserId>,
    Input(form): Input<Grants>,
) -> Answer<StatusCode> {
    house.store.user(&id).await?.ok_or_else(Problem::missing)?;
    let libraries = the_libraries(&house, form.libraries).await?;
    house.store.set_grants(&id, &libraries).await?;
    // Told before anything else is waited for.
    house.bus.publish(Event::GrantsChanged { user: id.clone() });
    house.bus.publish(Event::Users);
    house.note(&who, peer, "user.grants", Some(id.as_str()), "ok").await;
    Ok(StatusCode::NO_CONTENT)
}

fn the_role(text: &str) -> Answer<Role> {
    text.parse().map_err(|_| Problem::field("role", "is admin or viewer"))
}

/// Each of them exists.
pub async fn the_libraries(house: &House, ids: Vec<String>) -> Answer<Vec<LibraryId>> {
    let known: HashSet<LibraryId> = house.store.libraries().await?.into_iter().map(|l| l.id).collect();
    let wrong = || Problem::field("libraries", "are ids of libraries of this house");
    let mut chosen = BTreeSet::new();
    for id in ids {
        let id: LibraryId = id.parse().map_err(|_| wrong())?;
        if !known.contains(&id) {
            return Err(wrong());
        }
        chosen.insert(id);
    }
    Ok(chosen.into_iter().collect())
}
