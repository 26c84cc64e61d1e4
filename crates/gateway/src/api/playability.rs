//! How a title would play, asked without playing it; and the players this house knows.

use crate::{
    House,
    admission::Live,
    api::play::{CapabilitiesForm, capabilities},
    input::{Ask, Id, Input},
    policy::{Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    timeline::{begins_late, known},
    view::{List, ReasonView},
};
use axum::{Json, extract::State};
use domain::{
    TitleId,
    devices::Device,
    playback::{Candidate, Capabilities, Decision, Wish, decide},
};
use renditions::RenditionView;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::FileRow;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(playability))
        .add(Policy::Session, routes!(for_browser))
        .add(Policy::Session, routes!(devices))
}

#[derive(Serialize, ToSchema)]
struct FilePlayability {
    file_id: String,
    /// `direct`, `remux`, `needs_preparing`, `broken` or `unknown`.
    verdict: String,
    reasons: Vec<ReasonView>,
}

#[derive(Serialize, ToSchema)]
struct PlayabilityView {
    /// Of the best file.
    verdict: String,
    /// How an ordinary browser would get it; nothing where it would be refused.
    method: Option<String>,
    reasons: Vec<ReasonView>,
    files: Vec<FilePlayability>,
    /// Versions made ahead of time, wanted or there.
    renditions: Vec<RenditionBrief>,
}

#[derive(Serialize, ToSchema)]
struct RenditionBrief {
    /// `720p`…
    quality: String,
    /// `queued`, `running`, `paused`, `done` or `failed`.
    state: String,
    /// 0 to 1.
    progress: f64,
    eta_s: Option<f64>,
    /// Why it failed or does not go on.
    reason: Option<String>,
}

impl From<RenditionView> for RenditionBrief {
    fn from(view: RenditionView) -> Self {
        Self {
            quality: format!("{}p", view.row.lines),
            state: view.state.as_str().into(),
            progress: view.progress,
            eta_s: view.eta.map(|d| d.as_secs_f64()),
            reason: view.reason,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PlayabilityAsk {
    /// One of `/devices`; an ordinary browser unless said.
    device: Option<String>,
}

/// How a title would play, and why, without playing it.
#[utoipa::path(get, path = "/api/v1/titles/{id}/playability", tag = "watching",
    params(("id" = String, Path), PlayabilityAsk), responses((status = 200, body = PlayabilityView)))]
async fn playability(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Id(id): Id<TitleId>,
    Ask(ask): Ask<PlayabilityAsk>,
) -> Answer<Json<PlayabilityView>> {
    let (_, files) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let device = ask
        .device
        .as_deref()
        .map(|id| Device::named(id).ok_or_else(|| Problem::field("device", "is one of the devices this house knows")));
    let capabilities = device.transpose()?.map(Device::capabilities).unwrap_or_default();
    let (mut method, mut reasons, mut of_files) = (None, Vec::new(), Vec::new());
    let mut versions = Vec::new();
    let offered = Live::of(&house, &who.user).await?;
    for (n, file) in files.iter().enumerate() {
        versions.extend(house.renditions.of_file(file).await?.into_iter().map(RenditionBrief::from));
        let (how, why) = match decision(&house, file, &capabilities, &offered).await? {
            Decision::Play { method, reasons, .. } => (Some(method.as_str().to_string()), reasons),
            Decision::Refuse { reasons } => (None, reasons),
        };
        let verdict = domain::playback::playability(file.facts.as_ref(), file.defect).as_str().into();
        let said: Vec<ReasonView> = why.iter().map(|r| (*r).into()).collect();
        of_files.push(FilePlayability { file_id: file.id.to_string(), verdict, reasons: said });
        if n == 0 {
            (method, reasons) = (how, why);
        }
    }
    Ok(Json(PlayabilityView {
        verdict: of_files.first().map_or_else(|| "unknown".into(), |f| f.verdict.clone()),
        method,
        reasons: reasons.into_iter().map(Into::into).collect(),
        files: of_files,
        renditions: versions,
    }))
}

/// Returns how one file would play. What has not been looked into yet is not looked into for a question.
async fn decision(house: &House, file: &FileRow, capabilities: &Capabilities, offered: &Live<'_>) -> Answer<Decision> {
    let timeline = known(house, file).await?;
    let ready = house.renditions.lines_of(file).await?;
    let is_late = |facts| timeline.as_ref().is_some_and(|timeline| begins_late(timeline, facts, None));
    let candidate = Candidate {
        facts: file.facts.as_ref(),
        defect: file.defect,
        sound_begins_late: file.facts.as_ref().is_some_and(is_late),
        copy: timeline.as_ref().map(|t| t.verdict()),
        renditions: &ready,
        live: &offered.lines(file),
    };
    Ok(decide(&candidate, capabilities, Wish::default()))
}

/// Titles in one question.
const MOST_TITLES: usize = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BrowserAsk {
    /// At most 100.
    titles: Vec<String>,
    capabilities: CapabilitiesForm,
}

#[derive(Serialize, ToSchema)]
struct BrowserVerdict {
    title_id: String,
    /// `direct`, `remux`, `rendition` or `transcode`; nothing where it would be refused.
    method: Option<String>,
}

/// How titles would play in one browser, without playing them. Titles that are not there are left out.
#[utoipa::path(post, path = "/api/v1/playability", tag = "watching", request_body = BrowserAsk,
    responses((status = 200, body = List<BrowserVerdict>)))]
async fn for_browser(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Input(ask): Input<BrowserAsk>,
) -> Answer<Json<List<BrowserVerdict>>> {
    if ask.titles.len() > MOST_TITLES {
        return Err(Problem::field("titles", "names at most 100 titles"));
    }
    let capabilities = capabilities(ask.capabilities)?;
    let offered = Live::of(&house, &who.user).await?;
    let mut verdicts = Vec::new();
    for id in ask.titles.iter().filter_map(|id| TitleId::parse(id).ok()) {
        let Some((_, files)) = house.store.title_for(&who.user, who.role, &id).await? else { continue };
        let mut method = None;
        for file in files.iter().filter(|file| file.missing_since.is_none()) {
            if let Decision::Play { method: found, .. } = decision(&house, file, &capabilities, &offered).await? {
                method = Some(found.as_str().to_string());
                break;
            }
        }
        verdicts.push(BrowserVerdict { title_id: id.to_string(), method });
    }
    Ok(Json(List::whole(verdicts)))
}

#[derive(Serialize, ToSchema)]
struct DeviceView {
    id: String,
    name: String,
    containers: Vec<String>,
    video_codecs: Vec<String>,
    audio_codecs: Vec<String>,
    max_height: Option<u32>,
}

/// Players this house knows, for callers that cannot say what they decode.
#[utoipa::path(get, path = "/api/v1/devices", tag = "watching", responses((status = 200, body = List<DeviceView>)))]
async fn devices() -> Json<List<DeviceView>> {
    let names = |list: &[&str]| list.iter().map(|n| (*n).to_string()).collect();
    let view = |device: &Device| DeviceView {
        id: device.id.into(),
        name: device.name.into(),
        containers: device.containers.iter().map(|c| c.as_str().to_string()).collect(),
        video_codecs: names(device.video_codecs),
        audio_codecs: names(device.audio_codecs),
        max_height: device.max_height,
    };
    Json(List::whole(domain::devices::KNOWN.iter().map(view).collect()))
}
