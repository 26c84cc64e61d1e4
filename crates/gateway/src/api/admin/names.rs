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
use domain::{
    hosts::{HostName, PublicUrl, from_typed, split_port},
    proxies::Trusted,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use store::WayIn;
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
    /// Those of `loge.toml` or the environment, which only these can change.
    configured: Vec<String>,
    /// Addresses and networks of reverse proxies that the owner trusts to say who asks.
    trusted_proxies: Vec<String>,
    /// Those of `loge.toml` or the environment.
    configured_proxies: Vec<String>,
    /// A machine of a private network that says it asks for others, and is not trusted.
    unknown_proxy: Option<String>,
    /// What stands in links to this house.
    public_url: Option<String>,
    /// Where it comes from the configuration.
    configured_url: Option<String>,
    /// Where others in the network reach this house, the best first. Empty where it listens on its
    /// own machine alone.
    addresses: Vec<String>,
}

fn view(house: &House, way: WayIn, headers: &HeaderMap) -> NamesView {
    NamesView {
        allowed: way.allowed_names,
        configured: house.names.configured(),
        trusted_proxies: way.trusted_proxies,
        configured_proxies: house.proxies.configured(),
        unknown_proxy: house.proxies.stranger().map(|address| address.to_string()),
        public_url: way.public_url,
        configured_url: house.configured_url.as_ref().map(ToString::to_string),
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
    let public = house.public_url().map(|url| url.to_string());
    let mut all: Vec<String> = public.into_iter().chain(is_for_others.then(|| format!("{scheme}://{host}"))).collect();
    let port = house.names.port();
    all.extend(house.lan_addresses().into_iter().map(|ip| format!("http://{ip}:{port}")));
    let mut seen = BTreeSet::new();
    all.retain(|address| seen.insert(address.clone()));
    all
}

/// Where this house is reached, and under which names.
#[utoipa::path(get, path = "/api/v1/admin/names", tag = "machine", responses((status = 200, body = NamesView)))]
async fn show(State(house): State<Arc<House>>, headers: HeaderMap) -> Answer<Json<NamesView>> {
    Ok(Json(view(&house, house.store.way_in().await?, &headers)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NamesForm {
    /// Addresses of pages are understood too: `https://films.example.org/` is `films.example.org`.
    allowed: Option<Vec<String>>,
    /// Addresses (`10.0.0.2`) and networks (`172.18.0.0/16`).
    trusted_proxies: Option<Vec<String>>,
    /// `https://films.example.org`; an empty text takes it away.
    public_url: Option<String>,
}

impl NamesForm {
    /// Returns what the owner has set after this.
    fn onto(self, before: WayIn) -> Result<WayIn, Problem> {
        let mut way = before;
        if let Some(typed) = self.allowed {
            let are = "are names like films.example.org, or addresses like 203.0.113.7";
            way.allowed_names = list("allowed", are, &typed, |text| from_typed(text).map(|name| name.to_string()))?;
        }
        if let Some(typed) = self.trusted_proxies {
            let are = "are addresses like 10.0.0.2, or networks like 172.18.0.0/16";
            let read = |text: &str| Trusted::parse([text]).is_ok().then(|| text.trim().to_owned());
            way.trusted_proxies = list("trusted_proxies", are, &typed, read)?;
        }
        match self.public_url.as_deref().map(str::trim) {
            None => {}
            Some("") => way.public_url = None,
            Some(typed) => {
                let url = PublicUrl::parse(typed)
                    .ok_or_else(|| Problem::field("public_url", "is an address like https://films.example.org"))?;
                way.public_url = Some(url.to_string());
            }
        }
        Ok(way)
    }
}

/// Allow exactly these names and proxies, from now on. What is left out stays as it is.
#[utoipa::path(put, path = "/api/v1/admin/names", tag = "machine", request_body = NamesForm,
    responses((status = 200, body = NamesView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    headers: HeaderMap,
    Input(form): Input<NamesForm>,
) -> Answer<Json<NamesView>> {
    // One owner at a time: what is stored last is what is in force.
    let _turn = house.names_turn.lock().await;
    let way = form.onto(house.store.way_in().await?)?;
    house.store.set_way_in(&way).await?;
    house.take_way_in(&way);
    house.note(&who, peer, "names.change", None, "ok").await;
    Ok(Json(view(&house, way, &headers)))
}

/// Reads each one, and keeps it once. `are` says what each has to be.
fn list(
    field: &str,
    are: &str,
    typed: &[String],
    read: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Problem> {
    let read: Option<BTreeSet<String>> = typed.iter().map(|text| read(text)).collect();
    let all = read.ok_or_else(|| Problem::field(field, are))?;
    if all.len() > MOST {
        return Err(Problem::field(field, "are 50 at most"));
    }
    Ok(all.into_iter().collect())
}
