//! Where a file's segments begin: its key frame index from the database, or made now. What is kept
//! serves everyone, and so does the verdict that there is none: both are made in the house's loge
//! alone. A loge that reads its viewer's other films may have been taken over by one of them, and a
//! well-formed lie cannot be told from the truth. What a worker says is decoded with bounds and kept
//! only when it holds together.

use crate::{House, problem::Problem};
use contract::{FileRef, Job, PlanPart, Rung, Track, Wanted};
use domain::{
    Code, Failure, Tenant,
    facts::{Container, FileFacts},
    playback::default_audio,
};
use media::hls::index::{KeyframeIndex, MAX_BYTES};
pub use renditions::Timeline;
use renditions::timeline::{index_of, is_hdr, video_part};
use std::{sync::Arc, time::Duration};
use store::{FileRow, StoredIndex};

/// A long film on a slow disk is read once, from end to end.
const INDEX_TIME: Duration = Duration::from_secs(120);
/// Some thousand small reads on a disk that has to turn for each.
const KEYS_TIME: Duration = Duration::from_secs(15);
/// The same where the film could begin without.
const KEYS_AT_ONCE: Duration = Duration::from_millis(700);
/// Segments that a viewer's run may be ahead of them: about 15 s of copies, 30 s of encodes.
const AHEAD_COPY: u32 = 4;
const AHEAD_ENCODE: u32 = 15;

/// A picture or a sound as a playlist addresses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rendition {
    Original,
    /// Encoded with this many lines, live or ahead of time.
    Live(u32),
    Sound(usize),
}

impl Rendition {
    /// `v-original`, `v-480p`, `a-0`. `None` for every other spelling.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "v-original" {
            return Some(Self::Original);
        }
        if let Some(lines) = text.strip_prefix("v-").and_then(|t| t.strip_suffix('p')) {
            let plain = !lines.starts_with('0') && lines.len() <= 4 && lines.bytes().all(|b| b.is_ascii_digit());
            return lines.parse().ok().filter(|_| plain).map(Self::Live);
        }
        let number = text.strip_prefix("a-")?;
        let plain = (number == "0" || !number.starts_with('0')) && number.len() <= 3;
        number.parse().ok().filter(|_| plain && number.bytes().all(|b| b.is_ascii_digit())).map(Self::Sound)
    }

    pub fn name(&self) -> String {
        match self {
            Self::Original => "v-original".into(),
            Self::Live(lines) => format!("v-{lines}p"),
            Self::Sound(number) => format!("a-{number}"),
        }
    }
}

/// The picture of a live encode, by its lines.
pub const fn live_rung(lines: u32, tone_map: bool) -> Rung {
    renditions::timeline::rung(lines, tone_map, false)
}

/// What the worker is asked for: the track and the part of the plan around one segment.
pub fn request(timeline: &Timeline, facts: &FileFacts, rendition: &Rendition, number: u32) -> Option<(Track, Wanted)> {
    let track = track(timeline, facts, rendition)?;
    let (plan, ahead) = match rendition {
        Rendition::Original => (video_part(timeline.copy.as_ref().ok()?, number)?, AHEAD_COPY),
        Rendition::Live(_) => (video_part(&timeline.encode, number)?, AHEAD_ENCODE),
        Rendition::Sound(_) if number < timeline.audio.len() => {
            (PlanPart::Audio { end: timeline.audio.end }, AHEAD_COPY)
        }
        Rendition::Sound(_) => return None,
    };
    Some((track, Wanted { number, ahead, plan }))
}

pub fn track(timeline: &Timeline, facts: &FileFacts, rendition: &Rendition) -> Option<Track> {
    let video = facts.video.as_ref()?;
    match rendition {
        Rendition::Original => {
            timeline.copy.is_ok().then(|| Track::VideoCopy { picture: video.track, hevc: video.codec == "hevc" })
        }
        Rendition::Live(lines) => {
            Some(Track::VideoEncode { picture: video.track, rung: live_rung(*lines, is_hdr(video)) })
        }
        Rendition::Sound(number) => timeline.audio_track(facts, *number),
    }
}

/// Whether the sound of this number, or else the film's own, is known to begin behind the picture.
pub fn begins_late(timeline: &Timeline, facts: &FileFacts, sound: Option<usize>) -> bool {
    let sound = facts.audio.get(sound.unwrap_or_else(|| default_audio(facts)));
    sound.is_some_and(|sound| timeline.begins_late(sound.track))
}

pub fn file_ref(file: &FileRow) -> FileRef {
    FileRef { mount: file.folder.to_string(), path: file.path.clone(), size: Some(file.size_bytes), mtime_ns: None }
}

/// Returns the number of the picture that is the film.
fn picture_of(file: &FileRow) -> u32 {
    file.facts.as_ref().and_then(|facts| facts.video.as_ref()).map_or(0, |video| video.track)
}

/// The plans of a file, if somebody has made them already.
pub async fn known(house: &House, file: &FileRow) -> Result<Option<Timeline>, Problem> {
    Ok(match house.store.keyframe_index(file).await? {
        // Which of several pictures is the film may have been decided otherwise since.
        Some(StoredIndex::Made(bytes)) => {
            let index = KeyframeIndex::from_bytes(&bytes).ok().filter(|index| index.picture == picture_of(file));
            index.map(Timeline::new)
        }
        Some(StoredIndex::Impossible) | None => None,
    })
}

/// Plans to begin a copy with: those that are known, or else by key frames alone, which costs
/// milliseconds where the other index may read the whole film. Their boundaries are the same; but
/// they are no plans for an encode, and are not kept: the viewer's own loge makes them, and they
/// serve this viewer alone.
pub async fn for_copy(house: &House, tenant: &Tenant, file: &FileRow) -> Result<Option<Arc<Timeline>>, Problem> {
    match by_cues(house, tenant, file, KEYS_TIME).await? {
        Some(timeline) => Ok(Some(timeline)),
        None => timeline(house, file).await,
    }
}

/// Returns what is known of a file that the browser would play itself, or what the cues of a
/// Matroska film say at once. Files of other kinds are not looked into ahead of time.
pub async fn for_file(house: &House, tenant: &Tenant, file: &FileRow) -> Result<Option<Arc<Timeline>>, Problem> {
    match known(house, file).await? {
        Some(timeline) => Ok(Some(Arc::new(timeline))),
        None if file.facts.as_ref().is_some_and(|facts| facts.container == Container::Mkv) => {
            by_cues(house, tenant, file, KEYS_AT_ONCE).await
        }
        None => Ok(None),
    }
}

/// Returns the plans of a Matroska file of which nothing is known yet, by its own cues.
async fn by_cues(
    house: &House,
    tenant: &Tenant,
    file: &FileRow,
    within: Duration,
) -> Result<Option<Arc<Timeline>>, Problem> {
    let has_cues = picture_of(file) == 0
        && file.facts.as_ref().is_some_and(|f| matches!(f.container, Container::Mkv | Container::Webm));
    if !has_cues || house.store.keyframe_index(file).await?.is_some() {
        return Ok(None);
    }
    let (job, most) = (Job::Keys { file: file_ref(file) }, u32::try_from(MAX_BYTES).unwrap_or(u32::MAX));
    let Ok(bytes) = house.loges.job(tenant, job, most, within).await else { return Ok(None) };
    let timeline = index_of(&bytes, file.facts.as_ref()).ok().map(Timeline::new);
    Ok(timeline.filter(|timeline| timeline.copy.is_ok()).map(Arc::new))
}

/// Returns what is known of a file's plans: `Some(None)` says that none can be made.
async fn settled(house: &House, file: &FileRow) -> Result<Option<Option<Arc<Timeline>>>, Problem> {
    if house.store.keyframe_index(file).await? == Some(StoredIndex::Impossible) {
        return Ok(Some(None));
    }
    Ok(known(house, file).await?.map(|known| Some(Arc::new(known))))
}

/// Returns the plans of a file and has the house's loge make them now when they are not known yet;
/// a second caller waits for the first. `None` where none can be made.
pub async fn timeline(house: &House, file: &FileRow) -> Result<Option<Arc<Timeline>>, Problem> {
    if let Some(settled) = settled(house, file).await? {
        return Ok(settled);
    }
    let turn = house.index_turns.of(&file.id);
    let _turn = turn.lock().await;
    if let Some(settled) = settled(house, file).await? {
        return Ok(settled);
    }
    let job = Job::Index { file: file_ref(file), picture: picture_of(file) };
    let most = u32::try_from(MAX_BYTES).unwrap_or(u32::MAX);
    match house.loges.job(&Tenant::House, job, most, INDEX_TIME).await {
        Ok(bytes) => match index_of(&bytes, file.facts.as_ref()) {
            Ok(index) => {
                house.store.set_keyframe_index(file, &StoredIndex::Made(index.to_bytes())).await?;
                Ok(Some(Arc::new(Timeline::new(index))))
            }
            Err(e) => {
                tracing::warn!(file.id = %file.id, "the index of file {} is none: {e}", file.id);
                Err(Failure::of(Code::LogeBroke).into())
            }
        },
        Err(failure) if failure.code == Code::FileBroken => {
            house.store.set_keyframe_index(file, &StoredIndex::Impossible).await?;
            Ok(None)
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_names_a_track() {
        for name in ["v-original", "v-480p", "a-0", "a-12"] {
            assert_eq!(Rendition::parse(name).map(|r| r.name()).as_deref(), Some(name));
        }
        for name in [
            "",
            "v-",
            "v-p",
            "v-0480p",
            "v-+48p",
            "v-99999p",
            "a-",
            "a-00",
            "a-+1",
            "a-1111",
            "v-original/..",
            "..",
            "a--1",
        ] {
            assert_eq!(Rendition::parse(name), None, "{name}");
        }
    }
}
