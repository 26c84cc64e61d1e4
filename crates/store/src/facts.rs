//! Facts of a file as JSON in one column. The shape is private to this room, so that `domain`
//! may change its words without a migration; a column that can no longer be read counts as not
//! probed, and the next scan looks again.

use domain::facts::{AudioFacts, Container, FileFacts, SubtitleFacts, VideoFacts};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    container: String,
    duration_ms: u64,
    bitrate: Option<u64>,
    video: Option<StoredVideo>,
    audio: Vec<StoredAudio>,
    subtitles: Vec<StoredSubtitle>,
    chapters: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredVideo {
    codec: String,
    profile: Option<String>,
    level: Option<u32>,
    width: u32,
    height: u32,
    pixel_format: Option<String>,
    bit_depth: Option<u8>,
    frame_rate: Option<f64>,
    transfer: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredAudio {
    codec: String,
    profile: Option<String>,
    channels: u32,
    sample_rate_hz: Option<u32>,
    language: Option<String>,
    title: Option<String>,
    default: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredSubtitle {
    codec: String,
    language: Option<String>,
    title: Option<String>,
    forced: bool,
}

pub(crate) fn write(facts: &FileFacts) -> Option<String> {
    let stored = Stored {
        container: facts.container.as_str().into(),
        duration_ms: facts.duration_ms,
        bitrate: facts.bitrate,
        video: facts.video.as_ref().map(|v| StoredVideo {
            codec: v.codec.clone(),
            profile: v.profile.clone(),
            level: v.level,
            width: v.width,
            height: v.height,
            pixel_format: v.pixel_format.clone(),
            bit_depth: v.bit_depth,
            frame_rate: v.frame_rate,
            transfer: v.transfer.clone(),
        }),
        audio: facts
            .audio
            .iter()
            .map(|a| StoredAudio {
                codec: a.codec.clone(),
                profile: a.profile.clone(),
                channels: a.channels,
                sample_rate_hz: a.sample_rate_hz,
                language: a.language.clone(),
                title: a.title.clone(),
                default: a.default,
            })
            .collect(),
        subtitles: facts
            .subtitles
            .iter()
            .map(|s| StoredSubtitle {
                codec: s.codec.clone(),
                language: s.language.clone(),
                title: s.title.clone(),
                forced: s.forced,
            })
            .collect(),
        chapters: facts.chapters,
    };
    serde_json::to_string(&stored).ok()
}

pub(crate) fn read(text: &str) -> Option<FileFacts> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    Some(FileFacts {
        container: Container::from_extension(&stored.container)?,
        duration_ms: stored.duration_ms,
        bitrate: stored.bitrate,
        video: stored.video.map(|v| VideoFacts {
            codec: v.codec,
            profile: v.profile,
            level: v.level,
            width: v.width,
            height: v.height,
            pixel_format: v.pixel_format,
            bit_depth: v.bit_depth,
            frame_rate: v.frame_rate,
            transfer: v.transfer,
        }),
        audio: stored
            .audio
            .into_iter()
            .map(|a| AudioFacts {
                codec: a.codec,
                profile: a.profile,
                channels: a.channels,
                sample_rate_hz: a.sample_rate_hz,
                language: a.language,
                title: a.title,
                default: a.default,
            })
            .collect(),
        subtitles: stored
            .subtitles
            .into_iter()
            .map(|s| SubtitleFacts { codec: s.codec, language: s.language, title: s.title, forced: s.forced })
            .collect(),
        chapters: stored.chapters,
    })
}
