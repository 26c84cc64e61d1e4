//! What ffprobe said, read as untrusted text.
//!
//! The text was made by a program that had just parsed a file from anywhere, inside a sandbox
//! that is assumed lost. So every length, count and number is bounded, text is cut and cleaned,
//! and whatever does not hold together is a [`Defect`], never a panic and never a guess.

mod fields;

use crate::walk;
use domain::facts::{AudioFacts, Chapter, Container, Defect, DolbyVision, FileFacts, SubtitleFacts, VideoFacts};
use fields::{
    bit_depth, codec, is_on_its_side, language, pixels, rate, seconds, stream_seconds, tag, text, whole, word,
};
use serde_json::Value;

/// More is not a description of a film.
pub const MAX_JSON_BYTES: usize = 256 << 10;
const MAX_STREAMS: usize = 128;
/// What a list on a screen can still be used for; the rest is left out.
pub const MAX_CHAPTERS: usize = 500;
const MAX_TEXT_CHARS: usize = 200;
const MAX_DURATION_S: f64 = 100.0 * 3600.0;
/// A clock that begins earlier begins at zero: tracks that start a little apart are usual.
const LATE_START_S: f64 = 1.0;
/// The member of the JSON in which the worker adds what ffprobe does not say.
pub const ADDED: &str = "loge";

/// Reads the answer of a probe. `named` is what the file's ending says; it only decides between
/// containers whose bytes are told apart by nothing else ffprobe reports (mp4 and m4v, mkv and
/// webm).
///
/// # Errors
/// The defect to keep with the file.
pub fn parse(json: &[u8], named: Option<Container>) -> Result<FileFacts, Defect> {
    if json.len() > MAX_JSON_BYTES {
        return Err(Defect::ProbeLimit);
    }
    // serde_json stops at 128 levels by itself.
    let root: Value = serde_json::from_slice(json).map_err(|_| Defect::NotMedia)?;
    let format = root.get("format").and_then(Value::as_object).ok_or(Defect::NotMedia)?;
    let streams = root.get("streams").and_then(Value::as_array).ok_or(Defect::NotMedia)?;
    let chapters = root.get("chapters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if streams.len() > MAX_STREAMS {
        return Err(Defect::TooManyTracks);
    }
    if added(&root, "protected").and_then(Value::as_bool) == Some(true) {
        return Err(Defect::Protected);
    }
    if added(&root, "empty").and_then(Value::as_bool) == Some(true) {
        return Err(Defect::Truncated);
    }
    let family = Family::of(format.get("format_name").and_then(Value::as_str)).ok_or(Defect::Unsupported)?;

    let pictures: Vec<&Value> = streams.iter().filter(|s| is(s, "video")).collect();
    let (track, video) = chosen_picture(&pictures).ok_or(Defect::NoVideo)?;
    let video = video_facts(track, video).ok_or(Defect::NoVideo)?;
    let audio = (0..).zip(streams.iter().filter(|s| is(s, "audio")));
    let audio: Vec<_> = audio.filter_map(|(track, stream)| audio_facts(track, stream)).collect();
    let subtitles: Vec<_> = streams.iter().filter(|s| is(s, "subtitle")).map(subtitle_facts).collect();

    let brand = format.get("tags").and_then(|t| t.get("major_brand")).and_then(Value::as_str);
    let longest = streams.iter().filter_map(stream_seconds).fold(0.0, f64::max);
    let start_s = format.get("start_time").and_then(seconds).filter(|start| *start >= LATE_START_S).unwrap_or(0.0);
    // Headers say either where the clock ends or how long it runs.
    let length_s = |end_s: f64| if end_s > start_s { end_s - start_s } else { end_s };
    let size = format.get("size").and_then(|v| whole(v, 1, u64::MAX));
    let plausible = |s: &f64| size.is_none_or(|bytes| !walk::is_absurd(bytes, length_s(*s)));
    // What was read from the last packets is true, even if the headers say otherwise.
    let end_s = added(&root, "end_s").and_then(seconds);
    let said_s = end_s.or_else(|| format.get("duration").and_then(seconds).filter(plausible));
    let duration_s = length_s(said_s.or_else(|| Some(longest).filter(plausible)).unwrap_or(0.0));
    // Bounded to 100 hours by `seconds`, so these neither wrap nor lose anything.
    let (start_ms, duration_ms) = ((start_s * 1000.0).round() as u64, (duration_s * 1000.0).round() as u64);
    Ok(FileFacts {
        container: family.container(named, brand, &video, &audio),
        duration_ms,
        start_ms,
        compressed: added(&root, "compressed").and_then(Value::as_bool) == Some(true),
        is_length_found: end_s.is_some(),
        bitrate: bitrate(format, end_s, duration_s),
        video: Some(video),
        audio,
        subtitles,
        chapters: chapters_within(chapters.iter().filter_map(chapter), start_ms, duration_ms),
    })
}

/// Chapters by the clock of the film. Those that begin at its end or later are left out.
fn chapters_within(all: impl Iterator<Item = Chapter>, start_ms: u64, duration_ms: u64) -> Vec<Chapter> {
    let on_clock = |chapter: Chapter| Chapter {
        start_ms: chapter.start_ms.saturating_sub(start_ms),
        end_ms: chapter.end_ms.saturating_sub(start_ms),
        ..chapter
    };
    let bounded = |chapter: Chapter| match duration_ms {
        0 => Some(chapter),
        end => (chapter.start_ms < end).then(|| Chapter { end_ms: chapter.end_ms.min(end), ..chapter }),
    };
    let mut chapters: Vec<Chapter> = all.map(on_clock).filter_map(bounded).take(MAX_CHAPTERS).collect();
    chapters.sort_by_key(|chapter| chapter.start_ms);
    chapters.dedup_by_key(|chapter| chapter.start_ms);
    chapters
}

/// Returns what the worker's own reading added to ffprobe's answer.
fn added<'a>(root: &'a Value, name: &str) -> Option<&'a Value> {
    root.get(ADDED)?.get(name)
}

/// Returns the picture of the film: the one marked default, else the first. Covers and thumbnails are
/// none, unless there is nothing else.
fn chosen_picture<'a>(pictures: &[&'a Value]) -> Option<(u32, &'a Value)> {
    let moves = |stream: &&Value| stream.get("codec_name").and_then(Value::as_str) != Some("mjpeg");
    let films = || (0..).zip(pictures).map(|(n, s)| (n, *s)).filter(|(_, s)| !flag(s, "attached_pic"));
    let marked = |(_, stream): &(u32, &Value)| flag(stream, "default");
    let moving = || films().filter(|(_, stream)| moves(stream));
    moving().find(marked).or_else(|| moving().next()).or_else(|| films().find(marked)).or_else(|| films().next())
}

/// Returns the bit rate, by the true length where the headers did not say it.
fn bitrate(format: &serde_json::Map<String, Value>, end_s: Option<f64>, duration_s: f64) -> Option<u64> {
    let said = format.get("bit_rate").and_then(|v| whole(v, 1, 100_000_000_000));
    let size = || format.get("size").and_then(|v| whole(v, 1, u64::MAX));
    match end_s {
        Some(_) if duration_s > 0.0 => size().map(|bytes| (bytes as f64 * 8.0 / duration_s) as u64).or(said),
        _ => said,
    }
}

/// The defect behind the text of a probe that failed. The text is only compared, never kept.
pub fn defect_of(message: &[u8]) -> Defect {
    let text = String::from_utf8_lossy(&message[..message.len().min(4096)]).to_ascii_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
    if says(&["protected: "]) {
        Defect::Protected
    } else if says(&["unsupported: "]) {
        Defect::Unsupported
    } else if says(&["number of streams exceeds"]) {
        Defect::TooManyTracks
    } else if says(&["not on whitelist", "not in whitelist", "not whitelisted"]) {
        Defect::Unsupported
    } else if says(&["moov atom not found", "end of file", "ebml header parsing failed at eof", "truncat"]) {
        Defect::Truncated
    } else if says(&["cannot allocate memory"]) {
        Defect::ProbeLimit
    } else if says(&["input/output error", "permission denied"]) {
        Defect::Unreadable
    } else {
        Defect::NotMedia
    }
}

/// What ffprobe can tell apart by itself.
enum Family {
    Isobmff,
    Matroska,
    Avi,
}

impl Family {
    fn of(format_name: Option<&str>) -> Option<Self> {
        match format_name? {
            "mov,mp4,m4a,3gp,3g2,mj2" => Some(Self::Isobmff),
            "matroska,webm" => Some(Self::Matroska),
            "avi" => Some(Self::Avi),
            _ => None,
        }
    }

    fn container(
        &self,
        named: Option<Container>,
        brand: Option<&str>,
        video: &VideoFacts,
        audio: &[AudioFacts],
    ) -> Container {
        match self {
            Self::Avi => Container::Avi,
            Self::Isobmff if brand == Some("qt  ") => Container::Mov,
            Self::Isobmff => match named {
                Some(Container::M4v) => Container::M4v,
                _ if brand.is_some_and(|b| b.starts_with("M4V")) => Container::M4v,
                _ => Container::Mp4,
            },
            // A WebM is a Matroska that keeps to a few codecs and says so in its name.
            Self::Matroska => {
                let web = matches!(video.codec.as_str(), "vp8" | "vp9" | "av1")
                    && audio.iter().all(|a| matches!(a.codec.as_str(), "opus" | "vorbis"));
                if web && named != Some(Container::Mkv) { Container::Webm } else { Container::Mkv }
            }
        }
    }
}

fn is(stream: &Value, kind: &str) -> bool {
    stream.get("codec_type").and_then(Value::as_str) == Some(kind)
}

fn flag(stream: &Value, name: &str) -> bool {
    stream.get("disposition").and_then(|d| d.get(name)).and_then(Value::as_i64) == Some(1)
}

fn video_facts(track: u32, stream: &Value) -> Option<VideoFacts> {
    let (width, height) = (pixels(stream.get("width")?)?, pixels(stream.get("height")?)?);
    let turned = is_on_its_side(stream);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let aspect = stream.get("sample_aspect_ratio").and_then(pixel_aspect);
    let pixel_format = stream.get("pix_fmt").and_then(word);
    let codec = codec(stream);
    let named = |name: &str| stream.get(name).and_then(word).filter(|t| t != "unknown");
    Some(VideoFacts {
        track,
        pixel_aspect: aspect.map(|(across, down)| if turned { (down, across) } else { (across, down) }),
        interlaced: named("field_order").is_some_and(|order| matches!(order.as_str(), "tt" | "bb" | "tb" | "bt")),
        primaries: named("color_primaries"),
        transfer: named("color_transfer"),
        dolby_vision: dolby_vision(stream),
        sample_entry: named("codec_tag_string").filter(|_| codec == "hevc"),
        codec,
        profile: stream.get("profile").and_then(text),
        level: stream.get("level").and_then(|v| whole(v, 1, 1000)).and_then(|n| u32::try_from(n).ok()),
        width,
        height,
        bit_depth: pixel_format.as_deref().and_then(bit_depth),
        pixel_format,
        frame_rate: ["avg_frame_rate", "r_frame_rate"].iter().find_map(|k| rate(stream.get(*k)?)),
    })
}

/// `64:45`; square pixels and shapes that no film has are `None`.
fn pixel_aspect(value: &Value) -> Option<(u32, u32)> {
    let (across, down) = value.as_str().filter(|t| t.len() <= 32)?.split_once(':')?;
    let (across, down): (u32, u32) = (across.parse().ok()?, down.parse().ok()?);
    let ratio = f64::from(across) / f64::from(down);
    (across != down && (0.1..=10.0).contains(&ratio)).then_some((across, down))
}

fn dolby_vision(stream: &Value) -> Option<DolbyVision> {
    let list = stream.get("side_data_list").and_then(Value::as_array)?;
    list.iter().take(16).find_map(|data| {
        let number = |name: &str| whole(data.get(name)?, 0, 255).and_then(|n| u8::try_from(n).ok());
        let profile = number("dv_profile")?;
        Some(DolbyVision { profile, compatibility: number("dv_bl_signal_compatibility_id").unwrap_or(0) })
    })
}

/// The layouts that AAC has numbers for and browsers know, by their number of channels. Others are
/// named in its configuration, where ffprobe often says no layout at all.
pub(crate) const NUMBERED_LAYOUTS: [&str; 6] = ["mono", "stereo", "3.0", "4.0", "5.0", "5.1"];

fn has_channel_map(codec: &str, channels: u32, stream: &Value) -> bool {
    let layout = stream.get("channel_layout").and_then(Value::as_str);
    let is_numbered = layout.map_or(channels <= 2, |layout| NUMBERED_LAYOUTS.contains(&layout));
    codec == "aac" && (channels > 6 || !is_numbered)
}

/// A track about the film, by its flags or its name.
fn is_commentary(stream: &Value, title: Option<&str>) -> bool {
    let named = |title: &str| {
        let title = title.to_lowercase();
        ["comment", "kommentar", "comentario", "commento"].iter().any(|word| title.contains(word))
    };
    flag(stream, "comment") || flag(stream, "visual_impaired") || title.is_some_and(named)
}

/// Words for those who do not hear, by their flag or their name.
fn is_for_the_deaf(stream: &Value, title: Option<&str>) -> bool {
    let named = |title: &str| {
        let mut words = title.split(|c: char| !c.is_alphanumeric());
        words.any(|word| ["sdh", "cc", "hi"].iter().any(|mark| word.eq_ignore_ascii_case(mark)))
            || title.to_lowercase().contains("hearing")
    };
    flag(stream, "hearing_impaired") || title.is_some_and(named)
}

fn audio_facts(track: u32, stream: &Value) -> Option<AudioFacts> {
    let codec = codec(stream);
    let title = tag(stream, "title").and_then(text);
    let channels = u32::try_from(whole(stream.get("channels")?, 1, 64)?).ok()?;
    Some(AudioFacts {
        track,
        has_channel_map: has_channel_map(&codec, channels, stream),
        commentary: is_commentary(stream, title.as_deref()),
        codec,
        profile: stream.get("profile").and_then(text),
        channels,
        sample_rate_hz: stream
            .get("sample_rate")
            .and_then(|v| whole(v, 1, 1_000_000))
            .and_then(|n| u32::try_from(n).ok()),
        language: language(stream),
        title,
        default: flag(stream, "default"),
    })
}

fn subtitle_facts(stream: &Value) -> SubtitleFacts {
    let title = tag(stream, "title").and_then(text);
    SubtitleFacts {
        hearing_impaired: is_for_the_deaf(stream, title.as_deref()),
        // Kept under any name: its place in the list is its number for ffmpeg.
        codec: codec(stream),
        language: language(stream),
        title,
        forced: flag(stream, "forced"),
        default: flag(stream, "default"),
    }
}

fn chapter(value: &Value) -> Option<Chapter> {
    // Bounded to 100 hours by `seconds`.
    let ms = |name| Some((seconds(value.get(name)?)? * 1000.0).round() as u64);
    let (start_ms, end_ms) = (ms("start_time")?, ms("end_time")?);
    (start_ms <= end_ms).then(|| Chapter { start_ms, end_ms, title: tag(value, "title").and_then(text) })
}

#[cfg(test)]
mod tests;
