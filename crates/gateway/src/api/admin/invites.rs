//! Invitations: whoever holds one may make their own sign-in, once.

use super::{names::addresses, users::the_libraries};
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
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use domain::InviteId;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;
use utoipa_axum::routes;

const USUAL_S: u64 = 7 * 86_400;
const LONGEST_S: u64 = 90 * 86_400;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list, create)).add(Policy::Admin, routes!(remove))
}

#[derive(Serialize, ToSchema)]
struct InviteView {
    id: String,
    libraries: Vec<String>,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
}

/// Invitations that are out, without their tokens.
#[utoipa::path(get, path = "/api/v1/admin/invites", tag = "people", responses((status = 200, body = List<InviteView>)))]
async fn list(State(house): State<Arc<House>>) -> Answer<Json<List<InviteView>>> {
    let invites = house.store.invites().await?;
    let items = invites
        .into_iter()
        .map(|i| InviteView {
            id: i.id.to_string(),
            libraries: i.libraries.iter().map(ToString::to_string).collect(),
            created_at: at(i.created_at),
            expires_at: at(i.expires_at),
            used_at: i.used_at.map(at),
        })
        .collect();
    Ok(Json(List::whole(items)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewInvite {
    libraries: Vec<String>,
    /// A week unless said; 90 days at most.
    expires_in_s: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct InviteMade {
    id: String,
    /// Shown once.
    token: String,
    /// The first of `urls`; where there is none, the address of the owner's own page.
    url: String,
    /// The invitation at each address where others in the network reach this house, the best first.
    /// Empty where it listens on its own machine alone: other devices cannot open it then.
    urls: Vec<String>,
    expires_at: String,
}

/// Invite somebody to some libraries.
#[utoipa::path(post, path = "/api/v1/admin/invites", tag = "people", request_body = NewInvite,
    responses((status = 201, body = InviteMade)))]
async fn create(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    headers: HeaderMap,
    Input(form): Input<NewInvite>,
) -> Answer<(StatusCode, Json<InviteMade>)> {
    let lasts = form.expires_in_s.unwrap_or(USUAL_S);
    if !(60..=LONGEST_S).contains(&lasts) {
        return Err(Problem::field("expires_in_s", "lies between a minute and 90 days"));
    }
    let libraries = the_libraries(&house, form.libraries).await?;
    let (invite, token) = house.accounts.create_invite(&who, &libraries, Duration::from_secs(lasts), peer).await?;
    // Behind the `#` it stays in the browser: no log and no proxy reads it.
    let at_address = |address: &String| format!("{address}/invite#{token}");
    let urls: Vec<String> = addresses(&house, &headers).iter().map(at_address).collect();
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or("localhost");
    let made = InviteMade {
        id: invite.id.to_string(),
        url: urls.first().cloned().unwrap_or_else(|| at_address(&format!("http://{host}"))),
        urls,
        token,
        expires_at: at(invite.expires_at),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Take an invitation back.
#[utoipa::path(delete, path = "/api/v1/admin/invites/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204)))]
async fn remove(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<InviteId>,
) -> Answer<StatusCode> {
    if !house.store.delete_invite(&id).await? {
        return Err(Problem::missing());
    }
    house.note(&who, peer, "invite.delete", Some(id.as_str()), "ok").await;
    Ok(StatusCode::NO_CONTENT)
}
