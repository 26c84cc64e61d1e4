//! Who did what, in a chain that shows when a link was taken out.

use crate::{
    House,
    input::Ask,
    policy::Policy,
    problem::{Answer, Problem},
    routes::Routes,
    view::{List, at},
};
use axum::{Json, extract::State};
use domain::UserId;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct AuditAsk {
    cursor: Option<String>,
    /// At most 500; 100 unless said.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct AuditView {
    id: String,
    at: String,
    /// As it was written: a name, the id of a person, or `anonymous`, `host` or `house`.
    actor: String,
    /// What the actor is called today; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_name: Option<String>,
    action: String,
    /// As it was written; ids stay ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The same with names where there are ids; absent where nothing is left to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_name: Option<String>,
    result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "machine", params(AuditAsk),
    responses((status = 200, body = List<AuditView>)))]
async fn list(State(house): State<Arc<House>>, Ask(ask): Ask<AuditAsk>) -> Answer<Json<List<AuditView>>> {
    let limit = ask.limit.unwrap_or(100);
    if !(1..=500).contains(&limit) {
        return Err(Problem::field("limit", "lies between 1 and 500"));
    }
    let page = house.store.audit(limit, ask.cursor.as_deref()).await?;
    let said = page.items.iter().flat_map(|e| [Some(&e.entry.actor), e.entry.target.as_ref()]).flatten();
    let mut ids: Vec<&str> = said.flat_map(|text| words(text)).filter(|word| is_id(word)).collect();
    ids.sort_unstable();
    ids.dedup();
    let names = house.store.names_of(&ids).await?;
    let items = page
        .items
        .into_iter()
        .map(|e| AuditView {
            id: e.seq.to_string(),
            at: at(e.at),
            actor_name: named(&e.entry.actor, &names),
            actor: e.entry.actor,
            action: e.entry.action,
            target_name: e.entry.target.as_deref().and_then(|target| named(target, &names)),
            target: e.entry.target,
            result: e.entry.result,
            address: e.entry.address,
        })
        .collect();
    Ok(Json(List { items, next_cursor: page.next_cursor, total: None }))
}

/// Returns what stands between blanks and colons, and those with it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', ':']).flat_map(|part| {
        let end = part.trim_end_matches([' ', ':']).len();
        [&part[..end], &part[end..]]
    })
}

/// Ids of all kinds have the same form.
fn is_id(word: &str) -> bool {
    UserId::parse(word).is_ok()
}

/// Returns the text with names in the places of ids. An id without a name says nothing to anybody and is
/// left out; `None` when nothing else is there.
fn named(text: &str, names: &HashMap<String, String>) -> Option<String> {
    let of = |word: &str| match names.get(word) {
        Some(name) => name.clone(),
        None if is_id(word) => String::new(),
        None => word.to_owned(),
    };
    let all: String = words(text).map(of).collect();
    let shown = all.trim_matches([' ', ':']);
    (!shown.is_empty()).then(|| shown.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_and_everything_else_stays() {
        let id = |n: u8| UserId::from_random([n; 16]).to_string();
        let names = HashMap::from([(id(1), "Ana".to_owned()), (id(2), "Night: Part 2".to_owned())]);
        let check = |text: &str, expected: Option<&str>| assert_eq!(named(text, &names).as_deref(), expected, "{text}");
        check(&id(1), Some("Ana"));
        check(&format!("{}: it broke the rules: 3 times", id(1)), Some("Ana: it broke the rules: 3 times"));
        check(&format!("{} {}", id(1), id(2)), Some("Ana Night: Part 2"));
        check(&format!("{} 480p", id(2)), Some("Night: Part 2 480p"));
        check(&id(3), None);
        check(&format!("{}: it broke", id(3)), Some("it broke"));
        check("Ana", Some("Ana"));
        check("house", Some("house"));
        check("sha256:00ff", Some("sha256:00ff"));
        check("/films/a b", Some("/films/a b"));
        check("", None);
    }
}
