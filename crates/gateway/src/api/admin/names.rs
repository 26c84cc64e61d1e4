//! Under which names and addresses this house is reached.

use crate::{
    House,
    input::Input,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
};
use domain::hosts::{HostName, from_typed, split_port};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::ToSchema;
use utoipa_axum::routes;

const MOST: usize = 50;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(show, change))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Names)]
struct NamesView {
    /// Public names and addresses that the owner allows. Names that only a private network knows
    /// (`nas.lan`, `nas.local`, `nas.fritz.box`) work without being here.
    allowed: Vec<String>,
    /// Those of `loge.toml`, which only the file can change.
    configured: Vec<String>,
    /// Where others in the network reach this house, the best first. Empty where it listens on its
    /// own machine alone.
    addresses: Vec<String>,
}

fn view(house: &House, headers: &HeaderMap) -> NamesView {
    NamesView {
        allowed: house.names.allowed(),
        configured: house.names.configured(),
        addresses: addresses(house, headers),
    }
}

/// Returns where this house is reached, the address of the owner's own page first: it is known to
/// work, unless it is of this machine alone.
pub fn addresses(house: &House, headers: &HeaderMap) -> Vec<String> {
    let text = |name| headers.get(name).and_then(|v: &axum::http::HeaderValue| v.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = split_port(host).and_then(|(name, _)| HostName::parse(name));
    let is_for_others = match &name {
        Some(HostName::Address(ip)) => !ip.is_loopback(),
        Some(HostName::Name(name)) => name != "localhost",
        None => false,
    };
    // A proxy speaks https where we do not; the page knows, and browsers say it with every change.
    let is_https = text(header::ORIGIN).is_some_and(|origin| origin.starts_with("https://"));
    let scheme = if is_https { "https" } else { "http" };
    let mut all: Vec<String> = is_for_others.then(|| format!("{scheme}://{host}")).into_iter().collect();
    let port = house.names.port();
    all.extend(house.lan_addresses().into_iter().map(|ip| format!("http://{ip}:{port}")));
    let mut seen = BTreeSet::new();
    all.retain(|address| seen.insert(address.clone()));
    all
}

/// Where this house is reached, and under which names.
#[utoipa::path(get, path = "/api/v1/admin/names", tag = "machine", responses((status = 200, body = NamesView)))]
async fn show(State(house): State<Arc<House>>, headers: HeaderMap) -> Json<NamesView> {
    Json(view(&house, &headers))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NamesForm {
    /// Addresses of pages are understood too: `https://films.example.org/` is `films.example.org`.
    allowed: Vec<String>,
}

/// Allow exactly these names, from now on.
#[utoipa::path(put, path = "/api/v1/admin/names", tag = "machine", request_body = NamesForm,
    responses((status = 200, body = NamesView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    headers: HeaderMap,
    Input(form): Input<NamesForm>,
) -> Answer<Json<NamesView>> {
    let mut allowed = BTreeSet::new();
    for typed in &form.allowed {
        let Some(name) = from_typed(typed) else {
            return Err(Problem::field("allowed", "are names like films.example.org, or addresses like 203.0.113.7"));
        };
        allowed.insert(name.to_string());
    }
    if allowed.len() > MOST {
        return Err(Problem::field("allowed", "are 50 at most"));
    }
    let allowed: Vec<String> = allowed.into_iter().collect();
    // One owner at a time: what is stored last is what is in force.
    let _turn = house.names_turn.lock().await;
    house.store.set_allowed_names(&allowed).await?;
    house.names.set_allowed(allowed);
    house.note(&who, peer, "names.change", None, "ok").await;
    Ok(Json(view(&house, &headers)))
}
