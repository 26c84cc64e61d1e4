//! Facts of a file as JSON in one column. The shape is private to this room, so that `domain`
//! may change its words without a migration; a column that can no longer be read counts as not
//! probed, and the next scan looks again.

use domain::facts::{AudioFacts, Chapter, Container, FileFacts, SubtitleFacts, VideoFacts};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Stored {
    container: String,
    duration_ms: u64,
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
    #[serde(default)]
    default: bool,
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
                default: s.default,
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
            .map(|s| SubtitleFacts {
                codec: s.codec,
                language: s.language,
                title: s.title,
                forced: s.forced,
                default: s.default,
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
    serde_json::from_str::<Stored>(text).is_ok_and(|stored| match stored.chapters {
        StoredChapters::Count(n) => n == 0,
        StoredChapters::List(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"container":"mkv","duration_ms":5000,"bitrate":null,"video":null,"audio":[],"subtitles":[{"codec":"subrip","language":"ger","title":null,"forced":true}],"chapters":N}"#;

    #[test]
    fn rows_of_the_first_version_are_read_and_looked_at_again_where_they_know_less() {
        let old = OLD.replace('N', "3");
        let facts = read(&old).unwrap();
        assert!(facts.subtitles[0].forced && !facts.subtitles[0].default && facts.chapters.is_empty());
        assert!(!is_complete(&old));
        assert!(is_complete(&OLD.replace('N', "0")), "nothing is missing from it");
        let mut full = facts;
        full.chapters = vec![Chapter { start_ms: 0, end_ms: 1500, title: Some("Anfang".into()) }];
        full.subtitles[0].default = true;
        let text = write(&full).unwrap();
        assert_eq!(read(&text), Some(full));
        assert!(is_complete(&text) && read("{}").is_none() && !is_complete("{}"));
    }
}
