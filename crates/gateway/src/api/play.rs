//! Pressing play: may it, can it, is there a seat, does the loge stand; then a ticket.

use crate::{
    House,
    input::{Id, MaybeInput},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    streams::NewPlay,
    view::{AudioTrack, ReasonView, SubtitleTrack, audio_tracks, seconds, sentence, subtitle_tracks},
};
use accounts::TicketClaims;
use axum::{Json, extract::State};
use domain::{
    Code, FolderState, PlayId, Tenant, TitleId,
    facts::Container,
    playback::{Capabilities, Decision, Method, Reason, decide},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{FileRow, TitleRow};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Tickets outlive a film with pauses and never the evening.
const TICKET_FLOOR_MS: i64 = 2 * 3_600_000;
const TICKET_CEILING_MS: i64 = 6 * 3_600_000;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(play))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CapabilitiesForm {
    /// `mp4`, `m4v`, `mov`, `mkv`, `webm`, `avi`.
    containers: Option<Vec<String>>,
    video_codecs: Option<Vec<String>>,
    audio_codecs: Option<Vec<String>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlayForm {
    /// What this browser can decode from a plain file; what is not said is taken as usual.
    capabilities: Option<CapabilitiesForm>,
    quality: Option<String>,
    audio_track: Option<usize>,
}

#[derive(Serialize, ToSchema)]
struct Quality {
    id: String,
    label: String,
    height: u32,
}

#[derive(Serialize, ToSchema)]
struct PlayStarted {
    play_id: String,
    /// `direct`, `remux`, `rendition` or `transcode`.
    method: String,
    url: String,
    mime: String,
    reasons: Vec<ReasonView>,
    qualities: Vec<Quality>,
    audio_tracks: Vec<AudioTrack>,
    subtitles: Vec<SubtitleTrack>,
    resume_at_s: f64,
    duration_s: f64,
}

/// Ask to watch a title.
#[utoipa::path(post, path = "/api/v1/titles/{id}/play", tag = "watching", params(("id" = String, Path)),
    request_body = PlayForm, responses((status = 200, body = PlayStarted)))]
async fn play(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Id(id): Id<TitleId>,
    MaybeInput(form): MaybeInput<PlayForm>,
) -> Answer<Json<PlayStarted>> {
    let (row, files) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let capabilities = capabilities(form.capabilities.unwrap_or_default())?;
    if form.quality.as_deref().is_some_and(|q| q != "original") {
        return Err(Problem::field("quality", "is one of the qualities of this title"));
    }
    if form.audio_track.is_some_and(|track| track > 0) {
        return Err(Problem::new(Code::NeedsPreparing, "Another sound track needs preparing before it can play."));
    }
    let (file, method, reasons) = choose(&files, &capabilities)?;
    in_place(&house, &row, file).await?;

    let play = PlayId::from_random(house.clock.random_id());
    let facts = file.facts.as_ref();
    let duration_ms = facts.map_or(row.best.duration_ms, |f| f.duration_ms);
    let resume_ms = row.progress.as_ref().filter(|p| !p.finished).map_or(0, |p| p.position_ms);
    let new = NewPlay {
        play: play.clone(),
        user: who.user.clone(),
        username: who.username.clone(),
        session: who.session.clone(),
        title: row.id.clone(),
        title_name: row.name.clone(),
        poster: crate::view::poster_url(&row),
        library: row.library.clone(),
        file: file.id.clone(),
        method,
        duration_ms,
        position_ms: resume_ms,
        address: peer.address,
    };
    let settings = house.store.settings().await?;
    house.streams.set_rate(settings.per_user_rate_bps);
    // The same page asked again: its earlier play is over.
    house.streams.stop_where(|p| p.session == who.session && p.title == id);
    house.streams.begin(new, settings.max_viewers)?;
    if let Err(failure) = house.loges.ensure(&Tenant::User(who.user.clone())).await {
        house.streams.stop(&play);
        return Err(failure.into());
    }
    let lifetime = i64::try_from(duration_ms).unwrap_or(0).saturating_mul(2);
    let claims = TicketClaims {
        play: play.clone(),
        user: who.user,
        session: who.session,
        title: row.id.clone(),
        file: file.id.clone(),
        expires_at: house.clock.now().plus_ms(lifetime.clamp(TICKET_FLOOR_MS, TICKET_CEILING_MS)),
    };
    let ticket = house.accounts.mint_ticket(&claims);
    let height = facts.and_then(|f| f.video.as_ref()).map_or(row.best.height, |v| v.height);
    Ok(Json(PlayStarted {
        play_id: play.to_string(),
        method: method.as_str().into(),
        url: format!("/stream/{ticket}/file"),
        mime: facts.map_or("video/mp4", |f| media::mime::content_type(f.container)).into(),
        reasons: reasons.into_iter().map(Into::into).collect(),
        qualities: vec![Quality { id: "original".into(), label: format!("Original ({height}p)"), height }],
        audio_tracks: audio_tracks(facts),
        subtitles: subtitle_tracks(facts),
        resume_at_s: seconds(resume_ms),
        duration_s: seconds(duration_ms),
    }))
}

fn capabilities(form: CapabilitiesForm) -> Answer<Capabilities> {
    let sane =
        |list: &Option<Vec<String>>| list.as_ref().is_none_or(|l| l.len() <= 64 && l.iter().all(|c| c.len() <= 32));
    if !sane(&form.containers) || !sane(&form.video_codecs) || !sane(&form.audio_codecs) {
        return Err(Problem::field("capabilities", "are short lists of short names"));
    }
    Ok(Capabilities {
        // Names we do not know are no containers of ours.
        containers: form.containers.map(|l| l.iter().filter_map(|c| Container::from_extension(c)).collect()),
        video_codecs: form.video_codecs,
        audio_codecs: form.audio_codecs,
    })
}

/// The best file that plays: of those that are there, the one with the tallest picture.
fn choose<'a>(files: &'a [FileRow], capabilities: &Capabilities) -> Answer<(&'a FileRow, Method, Vec<Reason>)> {
    let mut playable = Vec::new();
    let mut refused: Vec<Reason> = Vec::new();
    for file in files.iter().filter(|f| f.missing_since.is_none()) {
        match decide(file.facts.as_ref(), file.defect, capabilities) {
            Decision::Play { method, reasons } => playable.push((file, method, reasons)),
            Decision::Refuse { reasons } => refused.extend(reasons),
        }
    }
    let height = |f: &FileRow| f.facts.as_ref().and_then(|f| f.video.as_ref()).map_or(0, |v| v.height);
    if let Some(best) = playable.into_iter().max_by_key(|(file, ..)| height(file)) {
        return Ok(best);
    }
    refused.sort_by_key(|r| r.as_str());
    refused.dedup();
    if files.iter().all(|f| f.missing_since.is_some()) {
        return Err(Problem::of(Code::FileMissing));
    }
    let text = |code: Code| {
        let why: Vec<&str> = refused.iter().map(|r| sentence(*r)).collect();
        format!("{} {}", code.sentence(), why.join(" "))
    };
    let code = match refused.iter().all(|r| matches!(r, Reason::FileDefect | Reason::NoVideo)) {
        true => Code::FileBroken,
        false => Code::NeedsPreparing,
    };
    Err(Problem::new(code, text(code)))
}

/// A disk that is away is another thing than a file that is gone.
async fn in_place(house: &House, row: &TitleRow, file: &FileRow) -> Answer<()> {
    let library = house.store.library(&row.library).await?.ok_or_else(Problem::missing)?;
    match library.folders.iter().find(|f| f.id == file.folder).map(|f| f.state) {
        Some(FolderState::Online) => Ok(()),
        Some(FolderState::Offline | FolderState::Unreadable) => Err(Problem::of(Code::LibraryOffline)),
        None => Err(Problem::of(Code::FileMissing)),
    }
}
