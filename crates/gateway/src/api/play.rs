//! Pressing play: may it, can it, is there a seat, does the loge stand; then a ticket.

use crate::{
    House,
    admission::{self, ByChip, Live, Ways},
    api::{
        ahead,
        next::{NextView, next_of},
    },
    chip,
    input::{Id, MaybeInput},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
    streams::{Film, NewPlay, TurnedAway},
    timeline::{Rendition, Timeline, begins_late, file_ref},
    view::{
        AudioTrack, ChapterView, ReasonView, SubtitleTrack, audio_tracks, chapters, seconds, sentence, subtitle_tracks,
    },
};
use accounts::TicketClaims;
use axum::{Json, extract::State};
use domain::{
    Code, Failure, FolderState, PlayId, Tenant, TitleId, UserId,
    devices::Device,
    facts::{Container, Defect},
    playback::{
        Candidate, Capabilities, Decision, FailedMethods, Ladder, Method, Quality, Reason, Wish, decide, default_audio,
        heard_in, ladder, may_hide_open_groups,
    },
};
use renditions::{Stored, segments::FilmKey};
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
pub(super) struct CapabilitiesForm {
    /// One of `/devices`, for callers that cannot measure; what else is said here goes before it.
    device: Option<String>,
    /// `mp4`, `m4v`, `mov`, `mkv`, `webm`, `avi`.
    containers: Option<Vec<String>>,
    video_codecs: Option<Vec<String>>,
    audio_codecs: Option<Vec<String>>,
    /// What may arrive in segments.
    mse: Option<SegmentsForm>,
    /// Codecs that are smooth in 10 bit too.
    ten_bit: Option<Vec<String>>,
    /// It goes on after a seek into H.264 whose groups of pictures are open.
    #[serde(default)]
    open_groups: bool,
    /// Lines of the largest picture that makes sense.
    max_height: Option<u32>,
    downlink_kbps: Option<u32>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SegmentsForm {
    video_codecs: Option<Vec<String>>,
    audio_codecs: Option<Vec<String>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlayForm {
    /// What this browser can decode from a plain file; what is not said is taken as usual.
    capabilities: Option<CapabilitiesForm>,
    /// `auto`, `original`, or lines: `720p`, `480p`…
    quality: Option<String>,
    audio_track: Option<usize>,
    /// `direct`, `remux`: ways that this browser has tried for this title, without getting a picture.
    failed: Option<Vec<String>>,
    /// The play that this page had before, which is over. Without it, an earlier one of the same
    /// title and sign-in is.
    replaces: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct QualityView {
    id: String,
    label: String,
    height: u32,
    /// `original`, `rendition` or `live`.
    kind: String,
    /// On average, as far as it is known before it plays.
    bitrate_bps: u64,
    /// Among what the playlist at `url` offers: a player changes to it by itself.
    in_playlist: bool,
}

#[derive(Serialize, ToSchema)]
struct PlayStarted {
    play_id: String,
    /// `direct`, `remux`, `rendition` or `transcode`.
    method: String,
    url: String,
    mime: String,
    reasons: Vec<ReasonView>,
    /// The one of `qualities` that plays.
    quality: String,
    qualities: Vec<QualityView>,
    audio_tracks: Vec<AudioTrack>,
    subtitles: Vec<SubtitleTrack>,
    /// In the order of the film.
    chapters: Vec<ChapterView>,
    /// Small pictures for whoever drags along the film, as WebVTT; nothing while there are none.
    storyboard_url: Option<String>,
    /// The next part of the series this belongs to.
    next: Option<NextView>,
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
    house.play_brake.press(&who.user)?;
    let (row, files) = house.store.title_for(&who.user, who.role, &id).await?.ok_or_else(Problem::missing)?;
    let capabilities = capabilities(form.capabilities.unwrap_or_default())?;
    let quality = form.quality.as_deref().map(|text| {
        Quality::parse(text).ok_or_else(|| Problem::field("quality", "is auto, original, or lines like 720p"))
    });
    let failed = failed_methods(form.failed.as_deref().unwrap_or_default())?;
    let wish = Wish { quality: quality.transpose()?.unwrap_or_default(), audio_track: form.audio_track, failed };
    if wish.audio_track.is_some_and(|n| files.iter().all(|f| f.facts.as_ref().is_none_or(|f| n >= f.audio.len()))) {
        return Err(Problem::field("audio_track", "is the number of a sound track of this title"));
    }
    let tenant = Tenant::User(who.user.clone());
    let replaces: Option<PlayId> = match form.replaces.as_deref().map(str::parse) {
        None => None,
        Some(Ok(play)) => Some(play),
        Some(Err(_)) => return Err(Problem::field("replaces", "is the id that play answered")),
    };
    // A player that heals itself says what it replaces; what the owner stopped begins again by a
    // press of the viewer alone.
    if let Some(old) = &replaces
        && (house.streams.ended(old) == Some(Code::StoppedByOwner) || house.store.is_play_ended(old).await?)
    {
        return Err(Problem::of(Code::StoppedByOwner));
    }
    let live = Live::of(&house, &who.user).await?;
    let preferences = house.store.preferences(&who.user).await?;
    let hears = preferences.audio_language.as_deref();
    let mut chosen = choose(&house, &who.user, &files, &capabilities, wish, hears, &live).await?;
    in_place(&house, &row, chosen.file).await?;

    let play = PlayId::from_random(house.clock.random_id());
    let resume_ms = row.progress.as_ref().filter(|p| !p.finished).map_or(0, |p| p.position_ms);
    let settings = house.store.settings().await?;
    let room = admission::room(&house, &settings, live.capacity.as_ref());
    house.streams.set_rates(settings.per_user_rate_bps, admission::total_rate(&house, &settings));
    match &replaces {
        Some(old) => house.streams.replace_where(|p| p.user == who.user && p.play == *old),
        // A page that was loaded anew knows nothing of the play it had.
        None => house.streams.replace_where(|p| p.session == who.session && p.title == id),
    }
    let entry = loop {
        let Chosen { file, method, lines, audio_track, ref ladder, ref reasons, ref ready, .. } = chosen;
        let Ways { encode_millis, chip } = match (method, lines) {
            (Method::Transcode, Some(lines)) => live.ways(file, lines),
            _ => Ways { encode_millis: 0, chip: None },
        };
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
            lines,
            ladder: Some(ladder.clone()),
            reasons: reasons.clone(),
            audio_track,
            bits_per_s: admission::bits_per_s(file, lines),
            encode_millis,
            chip,
            duration_ms: file.facts.as_ref().map_or(row.best.duration_ms, |f| f.duration_ms),
            position_ms: resume_ms,
            address: peer.address,
        };
        // Only who did not choose a picture gets a smaller one, and only once.
        let smaller = match wish.quality {
            Quality::Auto if lines.is_none() || method == Method::Transcode => live.smaller(file, ready),
            _ => vec![],
        };
        match house.streams.begin(new, &smaller, &room) {
            Ok(entry) => {
                let Err(failure) = chip_begins(&house, &tenant, &chosen, entry.about.chip).await else { break entry };
                house.streams.take_back(&play);
                if !chip::failed(&house, &chosen.file.id, &failure).await {
                    return Err(failure.into());
                }
                chosen = choose(&house, &who.user, &files, &capabilities, wish, hears, &live).await?;
            }
            Err(TurnedAway::Refused(failure)) => return Err(failure.into()),
            Err(TurnedAway::Lower { lines, otherwise }) => {
                let wish = Wish { quality: Quality::AtMost(lines), ..wish };
                chosen = choose(&house, &who.user, &files, &capabilities, wish, hears, &live).await?;
                if chosen.lines != Some(lines) {
                    return Err(otherwise.into());
                }
                in_place(&house, &row, chosen.file).await?;
                chosen.reasons.push(Reason::SmallerIsEnough);
            }
        }
    };
    // Whoever leaves before the answer is there never says that it is over.
    let unclaimed = house.streams.unclaimed(play.clone());
    let Chosen { file, method, lines, audio_track, ladder, mut reasons, timeline, ready, stored } = chosen;
    if entry.about.chip.is_some() {
        crate::streams::by_chip(&mut reasons);
    }
    let facts = file.facts.as_ref();
    let duration_ms = entry.about.duration_ms;
    for version in &stored {
        house.renditions.used(&version.id).await;
    }
    if let (Some(timeline), Some(facts)) = (timeline, facts) {
        entry.set_film(Film { timeline, facts: facts.clone(), stored });
    }
    house.loges.ensure(&tenant).await?;
    let sound = audio_track.unwrap_or_else(|| facts.map_or(0, default_audio));
    if let (false, Some(film)) = (method == Method::Direct, entry.film()) {
        let picture = lines.map_or(Rendition::Original, Rendition::Live);
        let mut wishes = ahead::first(&film, &picture, sound, resume_ms, entry.about.chip);
        wishes.retain(|wish| !ahead::is_kept(&house, &who.user, file, &film, wish));
        ahead::begin(&house, &tenant, &file_ref(file), wishes);
    }
    let next = next_of(&house, &who.user, who.role, file).await?;
    let lifetime = i64::try_from(duration_ms).unwrap_or(0).saturating_mul(2);
    let claims = TicketClaims {
        play: play.clone(),
        user: who.user,
        session: who.session,
        title: row.id.clone(),
        file: file.id.clone(),
        height: lines,
        expires_at: house.clock.now().plus_ms(lifetime.clamp(TICKET_FLOOR_MS, TICKET_CEILING_MS)),
    };
    let ticket = house.accounts.mint_ticket(&claims);
    let height = facts.and_then(|f| f.video.as_ref()).map_or(row.best.height, |v| v.height);
    let speaks = facts.and_then(|f| f.audio.get(sound)).and_then(|a| a.language.as_deref());
    let subtitles = house.store.subtitles_of(&file.id).await?;
    let storyboard = house.store.storyboard_of(&row.id).await?;
    let shown = crate::subtitles::shown_of(&subtitles, preferences.language.as_deref(), speaks);
    unclaimed.claim();
    Ok(Json(PlayStarted {
        play_id: play.to_string(),
        method: method.as_str().into(),
        url: match method {
            Method::Direct => format!("/stream/{ticket}/file"),
            Method::Remux | Method::Rendition | Method::Transcode => format!("/stream/{ticket}/master.m3u8"),
        },
        mime: match method {
            Method::Direct => facts.map_or("video/mp4", |f| media::mime::content_type(f.container)).into(),
            Method::Remux | Method::Rendition | Method::Transcode => "application/vnd.apple.mpegurl".into(),
        },
        reasons: reasons.into_iter().map(Into::into).collect(),
        quality: lines.map_or_else(|| "original".into(), |lines| format!("{lines}p")),
        qualities: qualities(height, file, &ready, &ladder, &live),
        audio_tracks: audio_tracks(facts, sound),
        subtitles: subtitle_tracks(&subtitles, shown, |n| Some(format!("/stream/{ticket}/subtitles/{n}.vtt"))),
        chapters: facts.map(chapters).unwrap_or_default(),
        storyboard_url: storyboard.map(|_| format!("/stream/{ticket}/storyboard.vtt")),
        next,
        resume_at_s: seconds(resume_ms),
        duration_s: seconds(duration_ms),
    }))
}

/// Before anybody is told that the chip encodes: it makes the first frame, which the player asks for
/// next. Nothing to do for a play that it does not encode.
async fn chip_begins(house: &House, tenant: &Tenant, chosen: &Chosen<'_>, chip: Option<ByChip>) -> Result<(), Failure> {
    let (Some(_), Some(lines)) = (chip, chosen.lines) else { return Ok(()) };
    let (Some(timeline), Some(facts)) = (&chosen.timeline, &chosen.file.facts) else { return Ok(()) };
    let rendition = Rendition::Live(lines);
    let Some(track) = crate::timeline::track(timeline, facts, &rendition) else { return Ok(()) };
    house.loges.ensure(tenant).await?;
    let track = admission::by(track, chip);
    chip::begin(house, tenant, file_ref(chosen.file), track, crate::api::hls::INIT_BYTES).await
}

fn failed_methods(names: &[String]) -> Answer<FailedMethods> {
    let mut failed = FailedMethods::default();
    for name in names {
        match name.as_str() {
            "direct" => failed.direct = true,
            "remux" => failed.remux = true,
            _ => return Err(Problem::field("failed", "holds direct, remux, or both")),
        }
    }
    Ok(failed)
}

pub(super) fn capabilities(form: CapabilitiesForm) -> Answer<Capabilities> {
    let sane =
        |list: &Option<Vec<String>>| list.as_ref().is_none_or(|l| l.len() <= 64 && l.iter().all(|c| c.len() <= 32));
    let mse = form.mse.unwrap_or_default();
    let lists =
        [&form.containers, &form.video_codecs, &form.audio_codecs, &form.ten_bit, &mse.video_codecs, &mse.audio_codecs];
    if !lists.into_iter().all(sane) {
        return Err(Problem::field("capabilities", "are short lists of short names"));
    }
    let known = match form.device.as_deref() {
        None => Capabilities::default(),
        Some(id) => Device::named(id)
            .map(Device::capabilities)
            .ok_or_else(|| Problem::field("device", "is one of the devices this house knows"))?,
    };
    // Names we do not know are no containers of ours.
    let containers = form.containers.map(|l| l.iter().filter_map(|c| Container::from_extension(c)).collect());
    Ok(Capabilities {
        containers: containers.or(known.containers),
        video_codecs: form.video_codecs.or(known.video_codecs),
        audio_codecs: form.audio_codecs.or(known.audio_codecs),
        mse_video_codecs: mse.video_codecs.or(known.mse_video_codecs),
        ten_bit: form.ten_bit.or(known.ten_bit),
        open_groups: form.open_groups || known.open_groups,
        full_player: known.full_player,
        max_height: form.max_height.or(known.max_height),
        downlink_kbps: form.downlink_kbps,
    })
}

/// The original, what was prepared, and what may be encoded right now.
fn qualities(height: u32, file: &FileRow, ready: &[u32], ladder: &Ladder, live: &Live<'_>) -> Vec<QualityView> {
    let original = QualityView {
        id: "original".into(),
        label: format!("Original ({height}p)"),
        height,
        kind: "original".into(),
        bitrate_bps: admission::bits_per_s(file, None),
        in_playlist: ladder.holds(None),
    };
    let encoded = |lines: u32, kind: &str, how: &str| QualityView {
        id: format!("{lines}p"),
        label: format!("{lines}p, {how}"),
        height: lines,
        kind: kind.into(),
        bitrate_bps: admission::encoded_bps(lines),
        in_playlist: ladder.holds(Some(lines)),
    };
    let prepared = ready.iter().map(|lines| encoded(*lines, "rendition", "prepared"));
    let live = live.lines(file).into_iter().filter(|lines| *lines < height && !ready.contains(lines));
    let live = live.map(|lines| encoded(lines, "live", "encoded while you watch"));
    let mut smaller: Vec<QualityView> = prepared.chain(live).collect();
    smaller.sort_by_key(|quality| std::cmp::Reverse(quality.height));
    std::iter::once(original).chain(smaller).collect()
}

struct Chosen<'a> {
    file: &'a FileRow,
    method: Method,
    lines: Option<u32>,
    /// The sound that was chosen or is liked; `None` is the film's own default.
    audio_track: Option<usize>,
    ladder: Ladder,
    reasons: Vec<Reason>,
    /// Where its segments begin, for everything but direct play.
    timeline: Option<Arc<Timeline>>,
    /// Lines of the versions that were made ahead of time.
    ready: Vec<u32>,
    /// Those of them on the ladder.
    stored: Vec<Arc<Stored>>,
}

/// The best file that plays: of those that are there, the one with the tallest picture.
async fn choose<'a>(
    house: &House,
    user: &UserId,
    files: &'a [FileRow],
    capabilities: &Capabilities,
    wish: Wish,
    hears: Option<&str>,
    offered: &Live<'_>,
) -> Answer<Chosen<'a>> {
    let mut playable = Vec::new();
    let mut refused: Vec<Reason> = Vec::new();
    // This viewer's loge could not make anything of it a moment ago.
    let mut is_broken = false;
    for file in files.iter().filter(|f| f.missing_since.is_none()) {
        let liked = || file.facts.as_ref().zip(hears).and_then(|(facts, language)| heard_in(facts, language));
        let broken = house.broken.of(user, &film_key(file), house.clock.now());
        let heard = wish.audio_track.or_else(liked);
        // Segments carry a sound that was made; the file itself and prepared versions are left.
        let is_silent = file.facts.as_ref().is_some_and(|facts| {
            let sound = facts.audio.get(heard.unwrap_or_else(|| default_audio(facts)));
            sound.is_some_and(|sound| broken.is_silent(sound.track))
        });
        is_broken |= is_silent || broken.has_no_picture();
        let failed = FailedMethods { remux: wish.failed.remux || broken.copy || is_silent, ..wish.failed };
        let wish = Wish { audio_track: heard, failed, ..wish };
        let live = if broken.encode || is_silent { vec![] } else { offered.lines(file) };
        let ready = house.renditions.lines_of(file).await?;
        let mut candidate = Candidate {
            facts: file.facts.as_ref(),
            defect: file.defect,
            copy: None,
            sound_begins_late: false,
            renditions: &ready,
            live: &live,
        };
        let mut timeline = None;
        let mut decision = decide(&candidate, capabilities, wish);
        if matches!(decision, Decision::Play { method: Method::Remux | Method::Transcode, .. }) {
            // Only now is it worth looking into the file, and what is found may change the answer.
            let tenant = Tenant::User(user.clone());
            let copies = |decision: &Decision| matches!(decision, Decision::Play { method: Method::Remux, .. });
            timeline = match copies(&decision) {
                true => crate::timeline::for_copy(house, &tenant, file).await?,
                false => crate::timeline::timeline(house, file).await?,
            };
            match &timeline {
                Some(timeline) => candidate.copy = Some(timeline.verdict()),
                None => candidate.defect = Some(Defect::NotMedia),
            }
            let before = decision;
            decision = decide(&candidate, capabilities, wish);
            // What was begun as a copy has plans for copies only.
            if copies(&before) && !copies(&decision) && timeline.is_some() {
                timeline = crate::timeline::timeline(house, file).await?;
            }
        } else if matches!(decision, Decision::Play { method: Method::Direct, .. })
            && let Some(facts) = &file.facts
        {
            let found = match may_hide_open_groups(facts, capabilities) {
                // What cannot be told does not keep anybody from trying.
                true => crate::timeline::timeline(house, file).await.ok().flatten(),
                false if capabilities.full_player => crate::timeline::known(house, file).await?.map(Arc::new),
                false => crate::timeline::for_file(house, &Tenant::User(user.clone()), file).await?,
            };
            candidate.copy = found.as_ref().map(|timeline| timeline.verdict());
            candidate.sound_begins_late = found.as_ref().is_some_and(|timeline| begins_late(timeline, facts, heard));
            decision = decide(&candidate, capabilities, wish);
            if !matches!(decision, Decision::Play { method: Method::Direct, .. }) {
                timeline = found;
            }
        }
        match decision {
            Decision::Play { method, lines, reasons } => {
                if method == Method::Rendition {
                    timeline = crate::timeline::known(house, file).await?.map(Arc::new);
                    candidate.copy = timeline.as_ref().map(|timeline| timeline.verdict());
                }
                let mut ladder = ladder(&candidate, capabilities, wish, method, lines);
                let mut stored = Vec::new();
                for lines in ladder.lines.iter().filter(|lines| ready.contains(lines)) {
                    stored.extend(house.renditions.stored(file, *lines).await?);
                }
                let live = lines.filter(|_| method == Method::Transcode);
                ladder.lines.retain(|lines| live == Some(*lines) || stored.iter().any(|s| s.lines == *lines));
                if method == Method::Rendition && !ladder.holds(lines) {
                    return Err(Problem::of(Code::NeedsPreparing));
                }
                // A version is of this very file, and so are its plans.
                let timeline = timeline.or_else(|| stored.first().map(|version| version.timeline.clone()));
                let timeline = match timeline {
                    // A browser that failed on copies may have failed on the sound.
                    Some(timeline) if broken.sound_copy || (failed.remux && method == Method::Transcode) => {
                        Some(Arc::new(timeline.encoding_sounds()))
                    }
                    timeline => timeline,
                };
                let audio_track = wish.audio_track;
                playable.push(Chosen { file, method, lines, audio_track, ladder, reasons, timeline, ready, stored });
            }
            Decision::Refuse { reasons } => refused.extend(reasons),
        }
    }
    let height = |f: &FileRow| f.facts.as_ref().and_then(|f| f.video.as_ref()).map_or(0, |v| v.height);
    if let Some(best) = playable.into_iter().max_by_key(|chosen| height(chosen.file)) {
        return Ok(best);
    }
    refused.sort_by_key(|r| r.as_str());
    refused.dedup();
    if files.iter().all(|f| f.missing_since.is_some()) {
        return Err(Problem::of(Code::FileMissing));
    }
    if is_broken {
        return Err(Problem::of(Code::FileBroken));
    }
    let code = refusal(&refused);
    let problem = match code {
        Code::FileBroken => match defect_of(files) {
            Some(defect) => Problem::new(code, defect.sentence()),
            None => Problem::of(code),
        },
        _ => {
            let why: Vec<&str> = refused.iter().map(|r| sentence(*r)).collect();
            Problem::new(code, format!("{} {}", code.sentence(), why.join(" ")))
        }
    };
    match code {
        Code::NeedsPreparing => Err(problem.preparing(house.renditions.preparing(files).await?)),
        _ => Err(problem),
    }
}

fn refusal(reasons: &[Reason]) -> Code {
    if reasons.iter().all(|reason| matches!(reason, Reason::FileDefect | Reason::NoVideo)) {
        return Code::FileBroken;
    }
    // Preparing it would not help.
    let is_in_vain = |reason: &Reason| matches!(reason, Reason::NoH264 | Reason::DolbyVision);
    if reasons.iter().any(is_in_vain) { Code::BrowserUnfit } else { Code::NeedsPreparing }
}

/// Returns what is wrong with files that are all refused for a defect: with the first one that is there.
/// `None` where their headers are right and only their pictures turned out to be unreadable.
fn defect_of(files: &[FileRow]) -> Option<Defect> {
    let there = || files.iter().filter(|file| file.missing_since.is_none());
    let by_facts = |file: &FileRow| match &file.facts {
        None => Some(Defect::NotMedia),
        Some(facts) => facts.video.is_none().then_some(Defect::NoVideo),
    };
    there().find_map(|file| file.defect).or_else(|| there().find_map(by_facts))
}

fn film_key(file: &FileRow) -> FilmKey {
    FilmKey { file: file.id.clone(), size: file.size_bytes, mtime_ns: file.mtime_ns }
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
