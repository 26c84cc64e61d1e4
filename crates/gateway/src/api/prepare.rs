//! Asking for a version of a film to be made ahead of time.

use crate::{
    House,
    input::{Id, MaybeInput},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::sentence,
};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Code, TitleId,
    facts::{Defect, DolbyVision},
    playback::{Playability, Quality, Reason, playability},
    rendition::rungs,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(prepare))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PrepareForm {
    /// `720p` or `480p`; the largest that makes sense unless said.
    quality: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Prepared {
    job_id: String,
}

/// Versions one viewer may have waiting at a time.
const MOST_WAITING: usize = 5;

/// Have a version made that plays in every browser. Viewers may ask for films that do not play.
#[utoipa::path(post, path = "/api/v1/titles/{id}/prepare", tag = "watching", params(("id" = String, Path)),
    request_body = PrepareForm, responses((status = 202, body = Prepared)))]
async fn prepare(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<TitleId>,
    MaybeInput(form): MaybeInput<PrepareForm>,
) -> Answer<(StatusCode, Json<Prepared>)> {
    let (row, files) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let file = files.iter().find(|f| f.missing_since.is_none()).ok_or_else(|| Problem::of(Code::FileMissing))?;
    let facts = file.facts.as_ref().filter(|_| file.defect.is_none());
    let video = facts.and_then(|f| f.video.as_ref());
    let video = video.ok_or_else(|| {
        let defect = file.defect.unwrap_or(Defect::NoVideo);
        Problem::new(Code::FileBroken, defect.sentence())
    })?;
    if video.dolby_vision.is_some_and(DolbyVision::needs_its_own_decoder) {
        return Err(Problem::new(Code::BrowserUnfit, sentence(Reason::DolbyVision)));
    }
    let plays = playability(facts, file.defect) != Playability::NeedsPreparing;
    if !who.role.is_admin() {
        if plays {
            return Err(Problem::new(
                Code::Forbidden,
                "This film plays as it is. The owner can prepare smaller versions.",
            ));
        }
        let waiting = house.renditions.list().await?.into_iter();
        let mine = waiting.filter(|v| !v.state.is_over() && v.row.wanted_by.as_ref() == Some(&who.user)).count();
        if mine >= MOST_WAITING {
            let text =
                format!("{mine} films are being prepared for you already. More can be asked for when one is done.");
            return Err(Problem::new(Code::Conflict, text));
        }
    }
    let rungs = rungs(video.height, plays);
    let lines = match form.quality.as_deref() {
        None => rungs.first().copied(),
        Some(text) => match Quality::parse(text) {
            Some(Quality::Lines(lines)) if rungs.contains(&lines) => Some(lines),
            _ => {
                let names: Vec<String> = rungs.iter().map(|lines| format!("{lines}p")).collect();
                return Err(Problem::field("quality", &format!("is one of: {}", names.join(", "))));
            }
        },
    };
    let lines =
        lines.ok_or_else(|| Problem::new(Code::Conflict, "There is no smaller version of this film to make."))?;
    let job = house.renditions.prepare(file, lines, Some(&who.user)).await?.ok_or_else(Problem::missing)?;
    house.note(&who, peer, "title.prepare", Some(&format!("{} {lines}p", row.id)), "ok").await;
    Ok((StatusCode::ACCEPTED, Json(Prepared { job_id: job.to_string() })))
}
