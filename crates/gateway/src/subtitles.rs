//! Subtitles as players take them: WebVTT from the data folder, or made now. What is kept, and the
//! verdict that nothing can be made, serve everyone who may see the film: they come from the
//! house's loge alone, for the reason that `timeline` gives. What a worker says is kept only when
//! it is WebVTT within bounds.

use crate::{House, LogeRoom, problem::Problem, timeline::file_ref};
use contract::{
    FileRef, Job, Taken, TextTrack,
    subtitle::{self, MAX_TRACKS},
};
use domain::{
    Code, Failure, FileId, Tenant,
    subtitles::{Offered, shown},
};
use library::{Looks, MAX_SUBTITLE_BYTES, version_of};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use store::{FileRow, Store, Subtitle, SubtitleState};
use tokio::sync::Mutex as Turn;

/// Tracks lie scattered over the whole film, so all of it is read.
const TRACKS_TIME: Duration = Duration::from_secs(300);
const TRACKS_BYTES: u32 = 16 << 20;
const BESIDE_TIME: Duration = Duration::from_secs(20);

/// One at a time for each file: the second one finds what the first one made.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<FileId, Arc<Turn<()>>>>);

impl Turns {
    pub fn of(&self, file: &FileId) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(file.clone()).or_default().clone()
    }
}

/// What a subtitle is made of, by which it is known to be up to date.
pub fn version(file: &FileRow, subtitle: &Subtitle) -> String {
    match &subtitle.beside {
        Some(beside) => version_of(beside.size_bytes, beside.mtime_ns),
        None => version_of(file.size_bytes, file.mtime_ns),
    }
}

/// The place in the list of what is shown unless somebody chooses otherwise.
pub fn shown_of(list: &[Subtitle], reads: Option<&str>, speaks: Option<&str>) -> Option<usize> {
    let showable: Vec<usize> = (0..list.len()).filter(|at| list[*at].can_be_shown()).collect();
    let offered: Vec<Offered<'_>> = showable.iter().map(|at| &list[*at]).map(offered).collect();
    shown(&offered, reads, speaks).map(|at| showable[at])
}

/// Returns what is known of a subtitle, as lists and choices need it.
pub fn offered(subtitle: &Subtitle) -> Offered<'_> {
    Offered {
        language: subtitle.language.as_deref(),
        title: subtitle.title.as_deref(),
        forced: subtitle.forced,
        default: subtitle.default,
        hearing_impaired: subtitle.hearing_impaired,
    }
}

/// One subtitle's WebVTT, and the version it is of.
pub async fn text(house: &House, file: &FileRow, number: u32) -> Result<(Vec<u8>, String), Problem> {
    let looks = house.libraries.looks();
    let find = async || -> Result<Subtitle, Problem> {
        let list = house.store.subtitles_of(&file.id).await?;
        list.into_iter().find(|s| s.number == number).ok_or_else(Problem::missing)
    };
    let wanted = find().await?;
    let version = version(file, &wanted);
    if let Some(text) = looks.subtitle(&file.id, number, &version).await {
        return Ok((text, version));
    }
    let turn = house.turns.of(&file.id);
    let _turn = turn.lock().await;
    match find().await?.state {
        SubtitleState::Picture => return Err(Problem::missing()),
        SubtitleState::Failed => return Err(Failure::of(Code::FileBroken).into()),
        SubtitleState::Ready | SubtitleState::Waiting => {}
    }
    if let Some(text) = looks.subtitle(&file.id, number, &version).await {
        return Ok((text, version));
    }
    if wanted.beside.is_some() {
        make_beside(&house.store, &looks, &*house.loges, file, &wanted).await?;
    } else {
        make_tracks(&house.store, &looks, &*house.loges, file, Some(number)).await?;
    }
    match looks.subtitle(&file.id, number, &version).await {
        Some(text) => Ok((text, version)),
        None => Err(Failure::of(Code::FileBroken).into()),
    }
}

/// Takes the tracks of text out of a film, all in one pass, and writes down how it went with each.
///
/// # Errors
/// When it may go well another time. What cannot be read at all is no error but a state.
pub async fn make_tracks(
    store: &Store,
    looks: &Looks,
    loges: &dyn LogeRoom,
    file: &FileRow,
    wanted: Option<u32>,
) -> Result<(), Failure> {
    let list = store.subtitles_of(&file.id).await.map_err(|e| e.failure())?;
    let own = || list.iter().filter(|s| s.beside.is_none());
    let mut states: Vec<(u32, SubtitleState)> =
        own().filter(|s| s.state == SubtitleState::Picture).map(|s| (s.number, s.state)).collect();
    let mut numbers: Vec<u8> = own()
        .filter(|s| s.state == SubtitleState::Waiting || Some(s.number) == wanted)
        .filter_map(|s| u8::try_from(s.number).ok())
        .collect();
    numbers.sort_by_key(|number| Some(u32::from(*number)) != wanted);
    numbers.truncate(MAX_TRACKS);
    if !numbers.is_empty() {
        let is_ass =
            |number: u8| own().any(|s| s.number == u32::from(number) && matches!(s.codec.as_str(), "ass" | "ssa"));
        let tracks = numbers.iter().map(|number| TextTrack { number: *number, is_ass: is_ass(*number) }).collect();
        let job = Job::Subtitles { file: file_ref(file), tracks };
        let taken = match loges.job(&Tenant::House, job, TRACKS_BYTES, TRACKS_TIME).await {
            Ok(bytes) => subtitle::decode(&bytes, numbers.len()).map_err(|e| {
                tracing::warn!(file.id = %file.id, "the subtitles of file {} are none: {e}", file.id);
                Failure::of(Code::LogeBroke)
            })?,
            Err(failure) if failure.code == Code::FileBroken => vec![Taken::Nothing; numbers.len()],
            Err(failure) => return Err(failure),
        };
        let version = version_of(file.size_bytes, file.mtime_ns);
        for (number, taken) in numbers.into_iter().map(u32::from).zip(taken) {
            let state = match taken {
                Taken::Text(text) => keep(looks, file, number, &version, text).await?,
                Taken::Nothing => SubtitleState::Failed,
            };
            states.push((number, state));
        }
    }
    store.set_subtitle_states(&file.id, &states).await.map_err(|e| e.failure())
}

/// Reads a subtitle file beside a film, and writes down how it went.
///
/// # Errors
/// As [`make_tracks`].
pub async fn make_beside(
    store: &Store,
    looks: &Looks,
    loges: &dyn LogeRoom,
    file: &FileRow,
    subtitle: &Subtitle,
) -> Result<(), Failure> {
    let Some(beside) = &subtitle.beside else { return Ok(()) };
    let of = FileRef {
        mount: file.folder.to_string(),
        path: beside.path.clone(),
        size: Some(beside.size_bytes),
        mtime_ns: None,
    };
    let most = u32::try_from(MAX_SUBTITLE_BYTES).unwrap_or(u32::MAX);
    let version = version_of(beside.size_bytes, beside.mtime_ns);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000 frames a second")]
    let millihertz = |rate: f64| (rate * 1000.0).round() as u32;
    let rate = file.facts.as_ref().and_then(|facts| facts.video.as_ref()).and_then(|video| video.frame_rate);
    let frame_rate_millihertz = rate.filter(|rate| (0.0..1000.0).contains(rate)).map(millihertz);
    let job = Job::SubtitleFile { file: of, frame_rate_millihertz };
    let state = match loges.job(&Tenant::House, job, most, BESIDE_TIME).await {
        Ok(text) => keep(looks, file, subtitle.number, &version, text).await?,
        Err(failure) if failure.code == Code::FileBroken => SubtitleState::Failed,
        Err(failure) => return Err(failure),
    };
    store.set_subtitle_states(&file.id, &[(subtitle.number, state)]).await.map_err(|e| e.failure())
}

async fn keep(
    looks: &Looks,
    file: &FileRow,
    number: u32,
    version: &str,
    text: Vec<u8>,
) -> Result<SubtitleState, Failure> {
    match looks.keep_subtitle(&file.id, number, version, text).await {
        Ok(()) => Ok(SubtitleState::Ready),
        Err(library::KeepError::Write(e)) => {
            tracing::error!(file.id = %file.id, "a subtitle of file {} cannot be written: {e}", file.id);
            Err(Failure::of(Code::Internal))
        }
        Err(e) => {
            tracing::warn!(file.id = %file.id, "what was made of a subtitle of file {} is not kept: {e}", file.id);
            Ok(SubtitleState::Failed)
        }
    }
}
