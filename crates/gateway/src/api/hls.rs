//! A film in segments: playlists written here from our own plans, segments cut by the worker.
//! Which segments there are, and every header, is ours; the worker adds content and its length.

use crate::{
    House,
    admission::{self, by},
    api::stream::{Seated, facts_of, join, look_up},
    chip,
    policy::{Admitted, Caller, Policy},
    problem::{Answer, Problem},
    rooms::OpenRange,
    routes::Routes,
    stream::{Flow, PortableBody, RegionBody, Slot, Source, kept, shelf},
    streams::{Film, Play, Served},
    timeline::{Rendition, Timeline, request, timeline, track},
    watched,
};
use accounts::TicketClaims;
use axum::{
    body::Body,
    extract::{Extension, Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use contract::{Encoder, FileRef, Track, Wanted};
use domain::{Code, Failure, JobId, Tenant, playback};
use media::hls::{
    codecs,
    playlist::{self, AudioVariant, VideoVariant},
};
use renditions::{
    Slice, Stored, VIDEO,
    segments::{FilmKey, MOST_BYTES, TrackKey},
};
use std::sync::Arc;
use tracing::Instrument as _;
use utoipa_axum::routes;

/// No init segment is larger.
pub const INIT_BYTES: u32 = 1 << 20;
/// No segment is larger: 20 s of the fattest film there is.
const SEGMENT_BYTES: u32 = 96 << 20;
const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Ticket, routes!(master)).add(Policy::Ticket, routes!(index)).add(Policy::Ticket, routes!(part))
}

/// What a play in segments works with.
struct Sitting {
    play: Arc<Play>,
    served: Arc<Served>,
    film: Film,
}

async fn sit(house: &House, claims: &TicketClaims, peer: std::net::IpAddr) -> Answer<Sitting> {
    let play = join(house, claims, peer).await?;
    let served = match play.served() {
        Some(served) => served,
        None => look_up(house, claims, &play).await?,
    };
    if !play.version.is(&served.etag) {
        return Err(Problem::of(Code::FileChanged));
    }
    play.touch();
    let film = match play.film() {
        Some(known) => known,
        None => {
            let film = film_of(house, claims, &play).await?;
            play.set_film(film.clone());
            film
        }
    };
    Ok(Sitting { play, served, film })
}

/// The plans and versions of a play, found again after rights, libraries or the server changed.
async fn film_of(house: &House, claims: &TicketClaims, play: &Play) -> Answer<Film> {
    let (row, facts) = facts_of(house, claims).await?;
    let lines = match &play.about.ladder {
        Some(ladder) => ladder.lines.clone(),
        // A play that outlived the server: whatever there is.
        None => house.renditions.lines_of(&row).await?,
    };
    let mut stored = Vec::new();
    for lines in lines {
        stored.extend(house.renditions.stored(&row, lines).await?);
    }
    let timeline = match (crate::timeline::known(house, &row).await?, stored.first()) {
        (Some(known), _) => Arc::new(known),
        // A version is of this very file, and so are its plans.
        (None, Some(version)) => version.timeline.clone(),
        (None, None) => timeline(house, &row).await?.ok_or_else(|| Problem::of(Code::FileBroken))?,
    };
    Ok(Film { timeline, facts, stored })
}

/// The pictures and sounds of this play.
#[utoipa::path(get, path = "/stream/{ticket}/master.m3u8", tag = "watching", params(("ticket" = String, Path)),
    responses((status = 200, content_type = "application/vnd.apple.mpegurl")))]
async fn master(State(house): State<Arc<House>>, Admitted(claims): Admitted, Caller(peer): Caller) -> Answer<Response> {
    let sitting = sit(&house, &claims, peer.address).await?;
    let videos: Vec<VideoVariant> = pictures(&sitting).iter().filter_map(|one| variant(&sitting, one)).collect();
    let Sitting { play, film: Film { timeline, facts, .. }, .. } = sitting;
    if videos.is_empty() {
        return Err(Problem::of(Code::NeedsPreparing));
    }
    let chosen = play.about.audio_track.unwrap_or_else(|| playback::default_audio(&facts));
    let tracks = crate::view::audio_tracks(Some(&facts), chosen);
    let audios = tracks.into_iter().filter_map(|described| {
        let rendition = Rendition::Sound(described.index);
        let copied = matches!(track(&timeline, &facts, &rendition)?, Track::AudioCopy { .. });
        Some(AudioVariant {
            uri: format!("{}/index.m3u8", rendition.name()),
            codecs: codecs::ENCODED_AUDIO.into(),
            name: described.label,
            language: described.language,
            channels: if copied { described.channels } else { 2 },
            default: described.selected,
        })
    });
    Ok(text(playlist::master(&videos, &audios.collect::<Vec<_>>())))
}

/// What there is to choose from, what was chosen first: players that do not choose take that.
fn pictures(sitting: &Sitting) -> Vec<Rendition> {
    let about = &sitting.play.about;
    let chosen = match (about.lines, about.method) {
        (Some(lines), _) => Rendition::Live(lines),
        (None, _) => Rendition::Original,
    };
    let all = match &about.ladder {
        Some(ladder) => {
            let original = ladder.original.then_some(Rendition::Original);
            original.into_iter().chain(ladder.lines.iter().map(|lines| Rendition::Live(*lines))).collect()
        }
        None => {
            let versions = sitting.film.stored.iter().map(|stored| Rendition::Live(stored.lines));
            std::iter::once(Rendition::Original).chain(versions).collect::<Vec<_>>()
        }
    };
    let (mut first, rest): (Vec<_>, Vec<_>) =
        all.into_iter().filter(|one| allowed(sitting, one).is_ok()).partition(|one| *one == chosen);
    first.extend(rest);
    first
}

fn variant(sitting: &Sitting, picture: &Rendition) -> Option<VideoVariant> {
    let Sitting { served, film, .. } = sitting;
    let video = film.facts.video.as_ref()?;
    let uri = format!("{}/index.m3u8", picture.name());
    let frame_rate = video.frame_rate;
    let (width, height) = video.display_size();
    match picture {
        Rendition::Original => {
            film.timeline.copy.as_ref().ok()?;
            let average = admission::original_bps(Some(&film.facts), served.size);
            Some(VideoVariant {
                uri,
                codecs: codecs::video(video)?,
                width,
                height,
                // Peaks of copied segments are not known; twice the average is what films have.
                bandwidth: average.saturating_mul(2),
                average,
                frame_rate,
            })
        }
        Rendition::Live(lines) => {
            let promised = u64::from(crate::timeline::live_rung(*lines, false).kbps) * 1000;
            let (peak, average) = film.version(*lines).map_or((promised * 3 / 2, promised), |version| version.rates());
            let width = u64::from(width) * u64::from(*lines) / u64::from(height.max(1));
            Some(VideoVariant {
                uri,
                codecs: codecs::ENCODED_VIDEO.into(),
                width: u32::try_from(width & !1).unwrap_or(0),
                height: *lines,
                bandwidth: peak + admission::SOUND_BPS,
                average: average + admission::SOUND_BPS,
                frame_rate,
            })
        }
        Rendition::Sound(_) => None,
    }
}

fn text(list: String) -> Response {
    let headers = [(header::CONTENT_TYPE, PLAYLIST), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (headers, list).into_response()
}

/// The segments of one picture or one sound.
#[utoipa::path(get, path = "/stream/{ticket}/{track}/index.m3u8", tag = "watching",
    params(("ticket" = String, Path), ("track" = String, Path)),
    responses((status = 200, content_type = "application/vnd.apple.mpegurl")))]
async fn index(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    Path((_, name)): Path<(String, String)>,
) -> Answer<Response> {
    let rendition = Rendition::parse(&name).ok_or_else(Problem::missing)?;
    let sitting = sit(&house, &claims, peer.address).await?;
    allowed(&sitting, &rendition)?;
    let plans = plans(&sitting.film, &rendition);
    Ok(text(match rendition {
        Rendition::Original => playlist::video(plans.copy.as_ref().map_err(|_| Problem::missing())?),
        Rendition::Live(_) => playlist::video(&plans.encode),
        Rendition::Sound(_) => playlist::audio(&plans.audio),
    }))
}

/// Only what is on this play's ladder: an encode costs what was admitted, and nothing else is
/// encoded for it.
fn allowed(sitting: &Sitting, rendition: &Rendition) -> Answer<()> {
    let (about, film) = (&sitting.play.about, &sitting.film);
    let holds = |lines| about.ladder.as_ref().is_none_or(|ladder| ladder.holds(lines));
    match rendition {
        Rendition::Original if holds(None) && film.timeline.copy.is_ok() => Ok(()),
        Rendition::Live(lines) if holds(Some(*lines)) => {
            let admitted = about.method == playback::Method::Transcode && about.lines == Some(*lines);
            if admitted || film.version(*lines).is_some() { Ok(()) } else { Err(Problem::of(Code::NeedsPreparing)) }
        }
        Rendition::Sound(number) if *number < film.facts.audio.len() => Ok(()),
        _ => Err(Problem::missing()),
    }
}

/// The version that a track comes from; `None` is the film itself.
fn version_of<'a>(film: &'a Film, rendition: &Rendition) -> Option<&'a Arc<Stored>> {
    match rendition {
        Rendition::Original => None,
        Rendition::Live(lines) => film.version(*lines),
        // Sound is the same for every picture.
        Rendition::Sound(_) => film.stored.iter().find(|stored| stored.has(&rendition.name())),
    }
}

/// Where the segments of a track begin.
fn plans<'a>(film: &'a Film, rendition: &Rendition) -> &'a Timeline {
    version_of(film, rendition).map_or(&film.timeline, |version| &version.timeline)
}

/// The beginning of a track (`init.mp4`), or one of its segments (`17.m4s`).
#[utoipa::path(get, path = "/stream/{ticket}/{track}/{part}", tag = "watching",
    params(("ticket" = String, Path), ("track" = String, Path), ("part" = String, Path)),
    responses((status = 200, content_type = "video/mp4"), (status = 304)))]
async fn part(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    slot: Option<Extension<Slot>>,
    method: Method,
    Path((_, name, part)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let rendition = Rendition::parse(&name).ok_or_else(Problem::missing)?;
    let number = number_of(&part).ok_or_else(Problem::missing)?;
    let sitting = sit(&house, &claims, peer.address).await?;
    allowed(&sitting, &rendition)?;
    let content = content(&sitting, &rendition, number).ok_or_else(Problem::missing)?;
    let Sitting { play, served, .. } = &sitting;
    let etag = match &content {
        Content::Stored { id, .. } => Some(format!("\"{id}-{name}-{part}\"")),
        // Copies are the same bytes whichever run makes them; encodes are not.
        Content::Made { track: Track::VideoCopy { .. } | Track::AudioCopy { .. }, .. } => {
            Some(format!("\"{}-{name}-{part}\"", served.etag.trim_matches('"')))
        }
        Content::Made { .. } => None,
    };
    if let Some(etag) = &etag
        && headers.get(header::IF_NONE_MATCH).is_some_and(|told| told.as_bytes() == etag.as_bytes())
    {
        return Ok(describe(StatusCode::NOT_MODIFIED.into_response(), &rendition, Some(etag)));
    }
    let leaves = number.is_some_and(|number| play.course.leaves(&rendition, number));
    let place = place(play, &rendition, &content, number);
    let found = match &place {
        Some((key, number)) => house.segments.get(key, *number).await,
        None => None,
    };
    // What is there already costs nobody processor time, so none has to be held for it.
    let is_encoded = matches!(content, Content::Made { track: Track::VideoEncode { .. }, .. }) && found.is_none();
    if is_encoded && !house.streams.encodes(play) {
        let (settings, capacity) = chip::asked(&house).await?;
        let room = crate::admission::room(&house, &settings, capacity.as_ref());
        house.streams.encodes_again(play, &room)?;
    }
    match rendition {
        Rendition::Original => play.shows(None, admission::original_bps(Some(&sitting.film.facts), served.size)),
        Rendition::Live(lines) => play.shows(Some(lines), admission::encoded_bps(lines)),
        Rendition::Sound(_) => {}
    }
    let open = play.connection();
    let range = match (found, content) {
        (Some(bytes), _) => {
            let length = bytes.len() as u64;
            OpenRange::ours(length, kept::serve(bytes))?
        }
        (None, Content::Stored { slice, .. }) => OpenRange::ours(slice.length, shelf::serve(slice))?,
        (None, Content::Made { track, wanted }) => {
            if leaves {
                house.loges.expects_work(&Tenant::User(claims.user.clone()));
            }
            made(&house, &claims, &sitting, &rendition, track, wanted, place).await?
        }
    };
    let length = range.length;
    let body = if method == Method::HEAD {
        // Its length is known only once it is made; HEAD says what GET would.
        Body::empty()
    } else {
        let lease = Box::new(Seated::new(range.lease, open));
        let flow = Flow::new(play.cut.clone(), play.pace.clone(), play.meter.clone());
        let source = Source::new(range.stream, length, lease, flow);
        match slot {
            Some(Extension(slot)) => Body::new(RegionBody::new(slot, source)),
            None => Body::new(PortableBody::new(source)),
        }
    };
    let mut response = describe(body.into_response(), &rendition, etag.as_deref());
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Under what a segment is kept, and its number; `None` where nothing is.
fn place(play: &Play, rendition: &Rendition, content: &Content, number: Option<u32>) -> Option<(TrackKey, u32)> {
    let Content::Made { track, .. } = content else { return None };
    let number = number.filter(|_| is_kept(play, track))?;
    Some((play.watched.asks(rendition, number)?, number))
}

/// Copies are made again in milliseconds, and so is the sound beside a copied picture; beside an
/// encoded one it would be what a viewer waits for who goes back.
fn is_kept(play: &Play, track: &Track) -> bool {
    match track {
        Track::VideoEncode { .. } => true,
        Track::AudioEncode { .. } => play.about.method == playback::Method::Transcode,
        Track::VideoCopy { .. } | Track::AudioCopy { .. } => false,
    }
}

/// From the viewer's loge; what is worth it is kept on the way.
async fn made(
    house: &House,
    claims: &TicketClaims,
    sitting: &Sitting,
    rendition: &Rendition,
    track: Track,
    wanted: Option<Wanted>,
    place: Option<(TrackKey, u32)>,
) -> Answer<OpenRange> {
    let Sitting { play, served, film } = sitting;
    let tenant = Tenant::User(claims.user.clone());
    // Segments of one version only, whatever happened to the file since.
    let file = FileRef { mtime_ns: Some(served.mtime_ns), ..served.file.clone() };
    // What a worker says of a failure is only understood beside the film it says it of.
    let span = tracing::info_span!("segment", play.id = %claims.play, title.id = %claims.title, file.id = %claims.file,
        file = %String::from_utf8_lossy(&file.path).escape_debug(), track = %rendition.name());
    let asked = track.clone();
    let Some(wanted) = wanted else {
        let range = house.loges.init(&tenant, file, track.clone(), INIT_BYTES).instrument(span).await;
        let range = or_anew(house, claims, served, &asked, range).await?;
        if !is_kept(play, &track) {
            return Ok(range);
        }
        let version = version_key(claims, served);
        let (play, timeline, rendition) = (play.clone(), film.timeline.clone(), rendition.clone());
        let known = house.known.clone();
        return range.copied(move |init| {
            let key = |init: &[u8]| watched::key(&play.about.user, version.clone(), &track, &timeline, init);
            known.learn(key(&[]), key(&init));
            let key = key(&init);
            play.watched.begins(&rendition, &timeline, key);
        });
    };
    let range = house.loges.segment(&tenant, file, track, wanted, SEGMENT_BYTES).instrument(span).await;
    let range = or_anew(house, claims, served, &asked, range).await?;
    match place {
        Some((key, number)) if range.length <= u64::from(MOST_BYTES) => {
            let segments = house.segments.clone();
            range.copied(move |bytes| segments.keep(key, number, bytes))
        }
        _ => Ok(range),
    }
}

/// When the graphics chip failed, the player asks again and the processor makes the segment. What no
/// loge can make is remembered, so that the player is given another way when it asks again.
async fn or_anew(
    house: &House,
    claims: &TicketClaims,
    served: &Served,
    track: &Track,
    range: Result<OpenRange, Failure>,
) -> Answer<OpenRange> {
    let failure = match range {
        Ok(range) => return Ok(range),
        Err(failure) => failure,
    };
    let is_by_chip = matches!(track, Track::VideoEncode { rung, .. } if rung.encoder != Encoder::Processor);
    if is_by_chip && chip::failed(house, &claims.file, &failure).await {
        return Err(chip::asks_anew().into());
    }
    if failure.code == Code::FileBroken {
        house.broken.add(&claims.user, version_key(claims, served), track, house.clock.now());
    }
    Err(failure.into())
}

fn version_key(claims: &TicketClaims, served: &Served) -> FilmKey {
    FilmKey { file: claims.file.clone(), size: served.size, mtime_ns: served.mtime_ns }
}

/// Where a part of a track comes from.
enum Content {
    /// A file of our own, made ahead of time.
    Stored { id: JobId, slice: Slice },
    /// The viewer's loge; no `wanted` is the init.
    Made { track: Track, wanted: Option<Wanted> },
}

fn content(sitting: &Sitting, rendition: &Rendition, number: Option<u32>) -> Option<Content> {
    let film = &sitting.film;
    if let Some(version) = version_of(film, rendition) {
        let name = match rendition {
            Rendition::Live(_) => VIDEO.to_string(),
            Rendition::Original | Rendition::Sound(_) => rendition.name(),
        };
        return version.slice(&name, number).map(|slice| Content::Stored { id: version.id.clone(), slice });
    }
    let Film { timeline, facts, .. } = film;
    let chip = sitting.play.about.chip;
    Some(match number {
        None => Content::Made { track: by(track(timeline, facts, rendition)?, chip), wanted: None },
        Some(number) => {
            let (track, wanted) = request(timeline, facts, rendition, number)?;
            Content::Made { track: by(track, chip), wanted: Some(wanted) }
        }
    })
}

/// `Some(None)` is the init segment.
fn number_of(part: &str) -> Option<Option<u32>> {
    if part == "init.mp4" {
        return Some(None);
    }
    let digits = part.strip_suffix(".m4s")?;
    let plain =
        digits.len() <= 7 && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| plain).map(Some)
}

fn describe(mut response: Response, rendition: &Rendition, etag: Option<&str>) -> Response {
    let kind = if matches!(rendition, Rendition::Sound(_)) { "audio/mp4" } else { "video/mp4" };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let cache = if etag.is_some() { "private, max-age=3600, immutable" } else { "private, max-age=600" };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        out.insert(header::ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_names_a_part() {
        assert_eq!(number_of("init.mp4"), Some(None));
        assert_eq!(number_of("0.m4s"), Some(Some(0)));
        assert_eq!(number_of("1234567.m4s"), Some(Some(1_234_567)));
        for part in ["", "00.m4s", "+1.m4s", "-1.m4s", "1.mp4", ".m4s", "12345678.m4s", "1e3.m4s", "../file"] {
            assert_eq!(number_of(part), None, "{part}");
        }
    }
}
