//! Small pictures for whoever drags along a film: a text that says where each one is, and the
//! sheets they stand on. For a play by its ticket, for pages by who is signed in.

use crate::{
    House,
    api::{
        stream::{facts_of, join},
        subtitles::{cached, number_of},
    },
    input::Id,
    policy::{Admitted, Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use domain::TitleId;
use std::sync::Arc;
use store::Storyboard;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Ticket, routes!(of_play))
        .add(Policy::Ticket, routes!(sheet_of_play))
        .add(Policy::Image, routes!(of_title))
        .add(Policy::Image, routes!(sheet_of_title))
}

/// Where the small pictures of this film are, as WebVTT with `#xywh`.
#[utoipa::path(get, path = "/stream/{ticket}/storyboard.vtt", tag = "watching", params(("ticket" = String, Path)),
    responses((status = 200, content_type = "text/vtt"), (status = 304)))]
async fn of_play(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    headers: HeaderMap,
) -> Answer<Response> {
    join(&house, &claims, peer.address).await?.touch();
    let (_, facts) = facts_of(&house, &claims).await?;
    text(&house, &claims.title, facts.duration_ms, &headers).await
}

/// One sheet of small pictures: `0.jpg`.
#[utoipa::path(get, path = "/stream/{ticket}/storyboard/{part}", tag = "watching",
    params(("ticket" = String, Path), ("part" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 304)))]
async fn sheet_of_play(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    Path((_, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    join(&house, &claims, peer.address).await?.touch();
    facts_of(&house, &claims).await?;
    sheet(&house, &claims.title, &part, &headers).await
}

/// Where the small pictures of a title are, as WebVTT with `#xywh`.
#[utoipa::path(get, path = "/api/v1/titles/{id}/storyboard.vtt", tag = "titles", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/vtt"), (status = 304)))]
async fn of_title(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Id(id): Id<TitleId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (row, _) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    text(&house, &id, row.best.duration_ms, &headers).await
}

/// One sheet of small pictures of a title: `0.jpg`.
#[utoipa::path(get, path = "/api/v1/titles/{id}/storyboard/{part}", tag = "titles",
    params(("id" = String, Path), ("part" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 304)))]
async fn sheet_of_title(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Path((id, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let id: TitleId = id.parse().map_err(|_| Problem::missing())?;
    house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    sheet(&house, &id, &part, &headers).await
}

async fn board(house: &House, title: &TitleId) -> Answer<Storyboard> {
    house.store.storyboard_of(title).await?.ok_or_else(Problem::missing)
}

async fn text(house: &House, title: &TitleId, duration_ms: u64, headers: &HeaderMap) -> Answer<Response> {
    let board = board(house, title).await?;
    let (tile, grid) = ((board.tile_width, board.tile_height), (board.tiles_across, board.tiles_down));
    let vtt = media::storyboard::webvtt(&board.times_ms, duration_ms, tile, grid, |n| format!("storyboard/{n}.jpg"));
    Ok(cached(headers, &format!("\"{title}-{}\"", board.version), "text/vtt; charset=utf-8", vtt.into_bytes()))
}

async fn sheet(house: &House, title: &TitleId, part: &str, headers: &HeaderMap) -> Answer<Response> {
    let number = number_of(part, ".jpg").ok_or_else(Problem::missing)?;
    let board = board(house, title).await?;
    let version = board.version;
    let Some(jpeg) = house.libraries.looks().sheet(title, &version, number).await else {
        // A sheet that was promised. A number beyond the last one was not.
        if number < board.sheets {
            house.libraries.storyboard_is_gone(title).await?;
        }
        return Err(Problem::missing());
    };
    Ok(cached(headers, &format!("\"{title}-{number}-{version}\""), "image/jpeg", jpeg))
}
