//! Where a person is in a film. Acknowledged means kept.

use crate::{
    House,
    input::{Id, Input},
    policy::{Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use accounts::Principal;
use axum::{extract::State, http::StatusCode};
use domain::{PlayId, ProgressEvent, TitleId};
use serde::Deserialize;
use std::sync::Arc;
use store::StoreError;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// No film is longer than ten days.
const LONGEST_S: f64 = 864_000.0;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(progress))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProgressForm {
    position_s: f64,
    /// `play`, `time`, `pause`, `seek`, `ended` or `close`.
    event: String,
    play_id: Option<String>,
}

/// Tell where I am. A 204 means it is on disk.
#[utoipa::path(put, path = "/api/v1/titles/{id}/progress", tag = "watching", params(("id" = String, Path)),
    request_body = ProgressForm, responses((status = 204)))]
async fn progress(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Id(id): Id<TitleId>,
    Input(form): Input<ProgressForm>,
) -> Answer<StatusCode> {
    if !form.position_s.is_finite() || !(0.0..=LONGEST_S).contains(&form.position_s) {
        return Err(Problem::field("position_s", "is a number of seconds inside the film"));
    }
    let event = ProgressEvent::parse(&form.event)
        .ok_or_else(|| Problem::field("event", "is play, time, pause, seek, ended or close"))?;
    let play: Option<PlayId> = match form.play_id.as_deref().map(str::parse) {
        None => None,
        Some(Ok(play)) => Some(play),
        Some(Err(_)) => return Err(Problem::field("play_id", "is the id that play answered")),
    };
    let position_ms = (form.position_s * 1000.0).round() as u64;
    let kept = keep(&house, &who, &id, position_ms, event).await;
    // Where a database that is away or a full disk keeps nothing, the film goes on all the same: its
    // player has told that it is there.
    if let (Some(play), Ok(true) | Err(_)) = (play, &kept) {
        let paused = matches!(event, ProgressEvent::Pause);
        let over = matches!(event, ProgressEvent::Close | ProgressEvent::Ended);
        if let Some(play) = house.streams.told(&who.user, &play, position_ms, paused, over) {
            crate::heads::rest(&house, play);
        }
    }
    if kept? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::missing()) }
}

/// `false`: there is no such title for this person.
async fn keep(
    house: &House,
    who: &Principal,
    id: &TitleId,
    position_ms: u64,
    event: ProgressEvent,
) -> Result<bool, StoreError> {
    let Some((row, _)) = house.store.title_for(&who.user, who.role, id).await? else { return Ok(false) };
    house.store.set_progress(&who.user, id, position_ms, row.best.duration_ms, event, &who.session).await
}
