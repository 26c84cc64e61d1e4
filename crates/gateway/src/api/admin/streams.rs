//! Who is watching what, and a way to end it or to say a word.

use crate::{
    House,
    input::{Id, Input, text},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem, outcome},
    routes::Routes,
    view::{List, ReasonView, at, seconds},
};
use axum::{Json, extract::State, http::StatusCode};
use base::Event;
use domain::PlayId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(list)).add(Policy::Admin, routes!(stop)).add(Policy::Admin, routes!(message))
}

#[derive(Serialize, ToSchema)]
struct StreamView {
    play_id: String,
    user_id: String,
    username: String,
    title_id: String,
    title_name: String,
    poster_url: Option<String>,
    method: String,
    /// `original`, or the lines of what plays instead: `480p`.
    quality: String,
    reasons: Vec<ReasonView>,
    started_at: String,
    position_s: f64,
    duration_s: f64,
    bytes_sent: u64,
    /// Bytes per second.
    rate_bps: u64,
    address: String,
    paused: bool,
}

/// Plays that run or are paused.
#[utoipa::path(get, path = "/api/v1/admin/streams", tag = "watching", responses((status = 200, body = List<StreamView>)))]
async fn list(State(house): State<Arc<House>>) -> Json<List<StreamView>> {
    let items = house
        .streams
        .list()
        .into_iter()
        .map(|p| StreamView {
            play_id: p.about.play.to_string(),
            user_id: p.about.user.to_string(),
            username: p.about.username,
            title_id: p.about.title.to_string(),
            title_name: p.about.title_name,
            poster_url: p.about.poster,
            method: p.about.method.as_str().into(),
            quality: p.about.lines.map_or_else(|| "original".into(), |lines| format!("{lines}p")),
            reasons: p.about.reasons.into_iter().map(Into::into).collect(),
            started_at: at(p.started_at),
            position_s: seconds(p.position_ms),
            duration_s: seconds(p.about.duration_ms),
            bytes_sent: p.bytes_sent,
            rate_bps: p.rate,
            address: p.about.address.to_string(),
            paused: p.paused,
        })
        .collect();
    Json(List::whole(items))
}

/// End a play now. Its address never works again; the viewer reads that the owner stopped the film.
#[utoipa::path(delete, path = "/api/v1/admin/streams/{play_id}", tag = "watching",
    params(("play_id" = String, Path)), responses((status = 204)))]
async fn stop(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(play): Id<PlayId>,
) -> Answer<StatusCode> {
    let about = house.streams.list().into_iter().find(|stream| stream.about.play == play);
    let ended = house.stop_plays(|running| running.play == play).await;
    if matches!(ended, Ok(0)) {
        return Err(Problem::missing());
    }
    // Who watched what; the id of a play that is over says nothing to anybody.
    let target = about.map(|stream| format!("{}: {}", stream.about.user, stream.about.title));
    house.note(&who, peer, "stream.stop", target.as_deref(), outcome(&ended)).await;
    ended.map(|_| StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MessageForm {
    text: String,
}

/// Show a line of text in the viewer's player.
#[utoipa::path(post, path = "/api/v1/admin/streams/{play_id}/message", tag = "watching",
    params(("play_id" = String, Path)), request_body = MessageForm, responses((status = 202)))]
async fn message(
    State(house): State<Arc<House>>,
    Id(play): Id<PlayId>,
    Input(form): Input<MessageForm>,
) -> Answer<StatusCode> {
    let text = text("text", &form.text, 300)?;
    let play = house.streams.play(&play).ok_or_else(Problem::missing)?;
    house.bus.publish(Event::Message { user: play.about.user.clone(), text });
    Ok(StatusCode::ACCEPTED)
}
