//! Browsing. A title without a grant answers exactly like one that does not exist.

use crate::{
    House,
    input::{Ask, Id},
    policy::{Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    view::{AudioTrack, ChapterView, List, SubtitleTrack, TitleCard, audio_tracks, chapters, seconds, subtitle_tracks},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    LibraryId, TitleId,
    facts::VideoFacts,
    playback::{Playability, default_audio, playability},
};
use serde::{Deserialize, Serialize};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};
use store::{FileRow, TitleQuery, TitleSort};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(list)).add(Policy::Session, routes!(one)).add(Policy::Image, routes!(poster))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TitleAsk {
    library: Option<String>,
    /// Words of the name.
    q: Option<String>,
    /// `name`, `added`, `year` or `duration`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
    /// `direct`, `remux`, `needs_preparing`, `prepared`, `broken` or `unknown`.
    playability: Option<String>,
    cursor: Option<String>,
    /// At most 200; 60 unless said.
    limit: Option<u32>,
}

/// Titles of the libraries I may see.
#[utoipa::path(get, path = "/api/v1/titles", tag = "titles", params(TitleAsk),
    responses((status = 200, body = List<TitleCard>)))]
async fn list(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Ask(ask): Ask<TitleAsk>,
) -> Answer<Json<List<TitleCard>>> {
    let library = match ask.library {
        Some(text) => {
            let id: LibraryId = text.parse().map_err(|_| Problem::missing())?;
            if !house.store.can_see(&who.user, who.role, &id).await? {
                return Err(Problem::missing());
            }
            Some(id)
        }
        None => None,
    };
    let sort = TitleSort::parse(ask.sort.as_deref().unwrap_or("name"))
        .ok_or_else(|| Problem::field("sort", "is name, added, year or duration"))?;
    let descending = match ask.order.as_deref() {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(Problem::field("order", "is asc or desc")),
    };
    let playability = match ask.playability.as_deref() {
        None => None,
        Some(text) => Some(Playability::parse(text).ok_or_else(|| {
            Problem::field("playability", "is direct, remux, needs_preparing, prepared, broken or unknown")
        })?),
    };
    let limit = ask.limit.unwrap_or(60);
    if !(1..=200).contains(&limit) {
        return Err(Problem::field("limit", "lies between 1 and 200"));
    }
    if ask.q.as_ref().is_some_and(|q| q.chars().count() > 200) {
        return Err(Problem::field("q", "has at most 200 characters"));
    }
    let query = TitleQuery {
        user: who.user,
        role: who.role,
        library,
        search: ask.q.filter(|q| !q.trim().is_empty()),
        sort,
        descending,
        playability,
        cursor: ask.cursor,
        limit,
    };
    let page = house.store.titles(&query).await?;
    Ok(Json(List {
        items: page.items.iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
        total: Some(page.total),
    }))
}

#[derive(Serialize, ToSchema)]
struct FileView {
    id: String,
    container: Option<String>,
    size_bytes: u64,
    duration_s: Option<f64>,
    /// As it is seen, in square pixels.
    width: Option<u32>,
    height: Option<u32>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
    /// Bits per second.
    bitrate: Option<u64>,
    playability: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    defect: Option<String>,
    /// What the defect means, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    defect_text: Option<String>,
    missing: bool,
    /// For the owner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct TitleDetail {
    #[serde(flatten)]
    card: TitleCard,
    files: Vec<FileView>,
    audio_tracks: Vec<AudioTrack>,
    subtitles: Vec<SubtitleTrack>,
    /// In the order of the film.
    chapters: Vec<ChapterView>,
}

/// One title with its files and tracks.
#[utoipa::path(get, path = "/api/v1/titles/{id}", tag = "titles", params(("id" = String, Path)),
    responses((status = 200, body = TitleDetail)))]
async fn one(State(house): State<Arc<House>>, Who(who): Who, Id(id): Id<TitleId>) -> Answer<Json<TitleDetail>> {
    let (row, files) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let folders = match who.role.is_admin() {
        true => house.store.all_folders().await?,
        false => Vec::new(),
    };
    let view = |file: &FileRow| {
        let folder = folders.iter().find(|f| f.id == file.folder);
        file_view(file, folder.map(|f| f.path.join(OsStr::from_bytes(&file.path)).to_string_lossy().into_owned()))
    };
    let best = files.iter().find(|f| f.facts.is_some());
    let facts = best.and_then(|f| f.facts.as_ref());
    let subtitles = match best {
        Some(file) => house.store.subtitles_of(&file.id).await?,
        None => Vec::new(),
    };
    Ok(Json(TitleDetail {
        card: TitleCard::from(&row),
        files: files.iter().map(view).collect(),
        audio_tracks: audio_tracks(facts, facts.map_or(0, default_audio)),
        subtitles: subtitle_tracks(&subtitles, None, |_| None),
        chapters: facts.map(chapters).unwrap_or_default(),
    }))
}

fn file_view(file: &FileRow, path: Option<String>) -> FileView {
    let facts = file.facts.as_ref();
    let video = facts.and_then(|f| f.video.as_ref());
    let shown = video.map(VideoFacts::display_size);
    FileView {
        id: file.id.to_string(),
        container: facts.map(|f| f.container.as_str().into()),
        size_bytes: file.size_bytes,
        duration_s: facts.map(|f| seconds(f.duration_ms)),
        width: shown.map(|(width, _)| width),
        height: shown.map(|(_, height)| height),
        video_codec: video.map(|v| v.codec.clone()),
        audio_codec: facts.and_then(|f| f.audio.get(default_audio(f))).map(|a| a.codec.clone()),
        bitrate: facts.and_then(|f| f.bitrate),
        playability: playability(facts, file.defect).as_str().into(),
        defect: file.defect.map(|d| d.as_str().into()),
        defect_text: file.defect.map(|d| d.sentence().into()),
        missing: file.missing_since.is_some(),
        path,
    }
}

/// The picture of a title. Its address changes with the picture.
#[utoipa::path(get, path = "/api/v1/titles/{id}/poster", tag = "titles", params(("id" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), (status = 304)))]
async fn poster(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Id(id): Id<TitleId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (row, _) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let hash = row.poster.ok_or_else(Problem::missing)?;
    let etag = format!("\"{hash}\"");
    let kept = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = if kept.is_some_and(|v| media::conditional::if_none_match(v, &etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let jpeg = house.libraries.poster(&id).await.ok_or_else(Problem::missing)?;
        ([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response()
    };
    let out = response.headers_mut();
    // Only this browser keeps it; whoever loses the right has seen it already.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    Ok(response)
}
