//! Facts of a file as JSON in one column. The shape is private to this room, so that `domain`
//! may change its words without a migration; a column that can no longer be read counts as not
//! probed, and the next scan looks again.

use domain::facts::{AudioFacts, Chapter, Container, DolbyVision, FileFacts, SubtitleFacts, VideoFacts};
use serde::{Deserialize, Serialize};

/// Rises when a probe learns more: rows of an earlier number are looked at again by the next scan.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct Stored {
    /// Rows of the first version have none.
    #[serde(default)]
    version: u32,
    container: String,
    duration_ms: u64,
    #[serde(default)]
    start_ms: u64,
    #[serde(default)]
    compressed: bool,
    #[serde(default)]
    is_length_found: bool,
    bitrate: Option<u64>,
    video: Option<StoredVideo>,
    audio: Vec<StoredAudio>,
    subtitles: Vec<StoredSubtitle>,
    chapters: StoredChapters,
}

/// Rows of the first version only counted them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredChapters {
    Count(u32),
    List(Vec<StoredChapter>),
}

#[derive(Serialize, Deserialize)]
struct StoredChapter {
    start_ms: u64,
    end_ms: u64,
    title: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredVideo {
    #[serde(default)]
    track: u32,
    codec: String,
    profile: Option<String>,
    level: Option<u32>,
    width: u32,
    height: u32,
    #[serde(default)]
    pixel_aspect: Option<(u32, u32)>,
    #[serde(default)]
    interlaced: bool,
    pixel_format: Option<String>,
    bit_depth: Option<u8>,
    frame_rate: Option<f64>,
    #[serde(default)]
    primaries: Option<String>,
    transfer: Option<String>,
    /// Profile and compatibility.
    #[serde(default)]
    dolby_vision: Option<(u8, u8)>,
    #[serde(default)]
    sample_entry: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredAudio {
    /// Rows of the first version were numbered by their place.
    #[serde(default)]
    track: Option<u32>,
    codec: String,
    profile: Option<String>,
    channels: u32,
    #[serde(default)]
    has_channel_map: bool,
    sample_rate_hz: Option<u32>,
    language: Option<String>,
    title: Option<String>,
    default: bool,
    #[serde(default)]
    commentary: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredSubtitle {
    codec: String,
    language: Option<String>,
    title: Option<String>,
    forced: bool,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    hearing_impaired: bool,
}

pub(crate) fn write(facts: &FileFacts) -> Option<String> {
    let stored = Stored {
        version: VERSION,
        container: facts.container.as_str().into(),
        duration_ms: facts.duration_ms,
        start_ms: facts.start_ms,
        compressed: facts.compressed,
        is_length_found: facts.is_length_found,
        bitrate: facts.bitrate,
        video: facts.video.as_ref().map(|v| StoredVideo {
            track: v.track,
            pixel_aspect: v.pixel_aspect,
            interlaced: v.interlaced,
            primaries: v.primaries.clone(),
            dolby_vision: v.dolby_vision.map(|dolby| (dolby.profile, dolby.compatibility)),
            sample_entry: v.sample_entry.clone(),
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
                track: Some(a.track),
                has_channel_map: a.has_channel_map,
                commentary: a.commentary,
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
                default: s.default,
                hearing_impaired: s.hearing_impaired,
            })
            .collect(),
        chapters: StoredChapters::List(
            facts
                .chapters
                .iter()
                .map(|c| StoredChapter { start_ms: c.start_ms, end_ms: c.end_ms, title: c.title.clone() })
                .collect(),
        ),
    };
    serde_json::to_string(&stored).ok()
}

pub(crate) fn read(text: &str) -> Option<FileFacts> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    Some(FileFacts {
        container: Container::from_extension(&stored.container)?,
        duration_ms: stored.duration_ms,
        start_ms: stored.start_ms,
        compressed: stored.compressed,
        is_length_found: stored.is_length_found,
        bitrate: stored.bitrate,
        video: stored.video.map(|v| VideoFacts {
            track: v.track,
            pixel_aspect: v.pixel_aspect,
            interlaced: v.interlaced,
            primaries: v.primaries,
            dolby_vision: v.dolby_vision.map(|(profile, compatibility)| DolbyVision { profile, compatibility }),
            sample_entry: v.sample_entry,
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
            .zip(0..)
            .map(|(a, place)| AudioFacts {
                track: a.track.unwrap_or(place),
                has_channel_map: a.has_channel_map,
                commentary: a.commentary,
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
            .map(|s| SubtitleFacts {
                codec: s.codec,
                language: s.language,
                title: s.title,
                forced: s.forced,
                default: s.default,
                hearing_impaired: s.hearing_impaired,
            })
            .collect(),
        chapters: match stored.chapters {
            StoredChapters::Count(_) => Vec::new(),
            StoredChapters::List(list) => {
                list.into_iter().map(|c| Chapter { start_ms: c.start_ms, end_ms: c.end_ms, title: c.title }).collect()
            }
        },
    })
}

/// Whether this version would have learned more: the next scan looks again then.
pub(crate) fn is_complete(text: &str) -> bool {
    serde_json::from_str::<Stored>(text).is_ok_and(|stored| stored.version >= VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_clock_length_and_compression_comes_back() {
        let facts = |start_ms, compressed, is_length_found| FileFacts {
            container: Container::Mkv,
            duration_ms: 60_000,
            start_ms,
            compressed,
            is_length_found,
            bitrate: None,
            video: None,
            audio: vec![],
            subtitles: vec![],
            chapters: vec![],
        };
        for facts in [facts(5_000, false, false), facts(0, true, false), facts(0, false, true)] {
            assert_eq!(read(&write(&facts).unwrap()).as_ref(), Some(&facts));
        }
    }

    const OLD: &str = r#"{"container":"mkv","duration_ms":5000,"bitrate":null,"video":null,"audio":[],"subtitles":[{"codec":"subrip","language":"ger","title":null,"forced":true}],"chapters":N}"#;

    #[test]
    fn rows_of_the_first_version_are_read_and_looked_at_again() {
        let old = OLD.replace('N', "3");
        let facts = read(&old).unwrap();
        assert!(facts.subtitles[0].forced && !facts.subtitles[0].default && facts.chapters.is_empty());
        assert!(!is_complete(&old));
        assert!(!is_complete(&OLD.replace('N', "[]")), "it knows nothing of shape and clock");
        let mut full = facts;
        full.chapters = vec![Chapter { start_ms: 0, end_ms: 1500, title: Some("Anfang".into()) }];
        full.subtitles[0].default = true;
        let text = write(&full).unwrap();
        assert_eq!(read(&text), Some(full));
        assert!(is_complete(&text) && read("{}").is_none() && !is_complete("{}"));
    }
}
