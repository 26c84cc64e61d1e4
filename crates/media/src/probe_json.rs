//! What ffprobe said, read as untrusted text.
//!
//! The text was made by a program that had just parsed a file from anywhere, inside a sandbox
//! that is assumed lost. So every length, count and number is bounded, text is cut and cleaned,
//! and whatever does not hold together is a [`Defect`], never a panic and never a guess.

use domain::facts::{AudioFacts, Chapter, Container, Defect, FileFacts, SubtitleFacts, VideoFacts};
use serde_json::Value;

/// More is not a description of a film.
pub const MAX_JSON_BYTES: usize = 256 << 10;
const MAX_STREAMS: usize = 128;
const MAX_CHAPTERS: usize = 1000;
const MAX_TEXT_CHARS: usize = 200;
const MAX_DURATION_S: f64 = 100.0 * 3600.0;

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
    if streams.len() > MAX_STREAMS || chapters.len() > MAX_CHAPTERS {
        return Err(Defect::ProbeLimit);
    }
    let family = Family::of(format.get("format_name").and_then(Value::as_str)).ok_or(Defect::Unsupported)?;

    let video = streams.iter().filter(|s| is(s, "video") && !flag(s, "attached_pic"));
    let video = video.clone().find(|s| flag(s, "default")).or_else(|| video.clone().next());
    let video = video.and_then(video_facts).ok_or(Defect::NoVideo)?;
    let audio: Vec<_> = streams.iter().filter(|s| is(s, "audio")).filter_map(audio_facts).collect();
    let subtitles: Vec<_> = streams.iter().filter(|s| is(s, "subtitle")).map(subtitle_facts).collect();

    let brand = format.get("tags").and_then(|t| t.get("major_brand")).and_then(Value::as_str);
    let longest = streams.iter().filter_map(stream_seconds).fold(0.0, f64::max);
    let duration_s = format.get("duration").and_then(seconds).unwrap_or(longest);
    Ok(FileFacts {
        container: family.container(named, brand, &video, &audio),
        // Bounded to 100 hours above, so this neither wraps nor loses anything.
        duration_ms: (duration_s * 1000.0).round() as u64,
        bitrate: format.get("bit_rate").and_then(|v| whole(v, 1, 100_000_000_000)),
        video: Some(video),
        audio,
        subtitles,
        chapters: chapters.iter().filter_map(chapter).collect(),
    })
}

/// The defect behind the text of a probe that failed. The text is only compared, never kept.
pub fn defect_of(message: &[u8]) -> Defect {
    let text = String::from_utf8_lossy(&message[..message.len().min(4096)]).to_ascii_lowercase();
    let says = |needles: &[&str]| needles.iter().any(|n| text.contains(n));
    if says(&["not on whitelist", "not in whitelist", "not whitelisted", "number of streams exceeds"]) {
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

fn video_facts(stream: &Value) -> Option<VideoFacts> {
    let (width, height) = (pixels(stream.get("width")?)?, pixels(stream.get("height")?)?);
    let (width, height) = if is_on_its_side(stream) { (height, width) } else { (width, height) };
    let pixel_format = stream.get("pix_fmt").and_then(word);
    Some(VideoFacts {
        codec: codec(stream),
        profile: stream.get("profile").and_then(text),
        level: stream.get("level").and_then(|v| whole(v, 1, 1000)).and_then(|n| u32::try_from(n).ok()),
        width,
        height,
        bit_depth: pixel_format.as_deref().and_then(bit_depth),
        pixel_format,
        frame_rate: ["avg_frame_rate", "r_frame_rate"].iter().find_map(|k| rate(stream.get(*k)?)),
        transfer: stream.get("color_transfer").and_then(word).filter(|t| t != "unknown"),
    })
}

fn audio_facts(stream: &Value) -> Option<AudioFacts> {
    Some(AudioFacts {
        codec: codec(stream),
        profile: stream.get("profile").and_then(text),
        channels: u32::try_from(whole(stream.get("channels")?, 1, 64)?).ok()?,
        sample_rate_hz: stream
            .get("sample_rate")
            .and_then(|v| whole(v, 1, 1_000_000))
            .and_then(|n| u32::try_from(n).ok()),
        language: language(stream),
        title: tag(stream, "title").and_then(text),
        default: flag(stream, "default"),
    })
}

fn subtitle_facts(stream: &Value) -> SubtitleFacts {
    SubtitleFacts {
        // Kept under any name: its place in the list is its number for ffmpeg.
        codec: codec(stream),
        language: language(stream),
        title: tag(stream, "title").and_then(text),
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

fn codec(stream: &Value) -> String {
    stream.get("codec_name").and_then(word).unwrap_or_else(|| "unknown".to_owned())
}

/// Matroska writes tag names in capitals, mp4 in small letters.
fn tag<'a>(stream: &'a Value, name: &str) -> Option<&'a Value> {
    let tags = stream.get("tags")?.as_object()?;
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// ISO 639 codes are two or three letters; `und` says nothing.
fn language(stream: &Value) -> Option<String> {
    let text = tag(stream, "language")?.as_str()?.to_ascii_lowercase();
    let fits = text.len() <= 12 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (fits && text.len() >= 2 && text != "und").then_some(text)
}

/// A quarter turn either way, by display matrix or by the older tag.
fn is_on_its_side(stream: &Value) -> bool {
    let matrix = stream
        .get("side_data_list")
        .and_then(Value::as_array)
        .and_then(|list| list.iter().take(16).find_map(|d| d.get("rotation")));
    matrix.or_else(|| tag(stream, "rotate")).and_then(number).is_some_and(|degrees| {
        let quarter = degrees.rem_euclid(180.0);
        (45.0..135.0).contains(&quarter)
    })
}

fn pixels(value: &Value) -> Option<u32> {
    u32::try_from(whole(value, 1, 32_768)?).ok()
}

/// ffprobe writes some numbers as numbers and some as text.
fn number(value: &Value) -> Option<f64> {
    let n = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(text) if text.len() <= 32 => text.parse().ok()?,
        _ => return None,
    };
    n.is_finite().then_some(n)
}

fn whole(value: &Value, least: u64, most: u64) -> Option<u64> {
    let n = match value {
        Value::Number(n) => n.as_u64()?,
        Value::String(text) if text.len() <= 20 => text.parse().ok()?,
        _ => return None,
    };
    (least..=most).contains(&n).then_some(n)
}

fn seconds(value: &Value) -> Option<f64> {
    number(value).filter(|s| (0.0..=MAX_DURATION_S).contains(s))
}

/// A stream's length by its own field or by Matroska's `00:01:02.345` tag.
fn stream_seconds(stream: &Value) -> Option<f64> {
    if let Some(s) = stream.get("duration").and_then(seconds) {
        return Some(s);
    }
    let text = tag(stream, "duration")?.as_str().filter(|t| t.len() <= 32)?;
    let mut parts = text.splitn(3, ':').map(str::parse::<f64>);
    let (h, m, s) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let total = h * 3600.0 + m * 60.0 + s;
    (0.0..=MAX_DURATION_S).contains(&total).then_some(total)
}

/// `24000/1001`; zero and absurd rates are no rate.
fn rate(value: &Value) -> Option<f64> {
    let text = value.as_str().filter(|t| t.len() <= 32)?;
    let (above, below) = text.split_once('/')?;
    let rate = above.parse::<u32>().ok().map(f64::from)? / below.parse::<u32>().ok().map(f64::from)?;
    (rate.is_finite() && rate > 0.0 && rate <= 1000.0).then_some(rate)
}

/// A name out of ffmpeg's own tables: short, plain, lower case.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=48).contains(&text.len());
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    (fits && plain).then(|| text.to_ascii_lowercase())
}

/// Text out of the file, fit to be shown: cut, and without control and direction characters.
fn text(value: &Value) -> Option<String> {
    let hides = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let clean: String = value.as_str()?.chars().filter(|c| !hides(c)).take(MAX_TEXT_CHARS).collect();
    let clean = clean.trim();
    (!clean.is_empty() && clean != "unknown").then(|| clean.to_owned())
}

/// Bits per colour by the name of a pixel format; `None` for formats of no known family.
fn bit_depth(pixel_format: &str) -> Option<u8> {
    let known = ["yuv", "nv", "p0", "gray", "gbr", "rgb", "bgr"];
    if !known.iter().any(|k| pixel_format.starts_with(k)) {
        return None;
    }
    let base = pixel_format.strip_suffix("le").or_else(|| pixel_format.strip_suffix("be"));
    // Formats of eight bits have no byte order.
    let Some(base) = base else { return Some(8) };
    let digits = &base[base.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
    match digits.parse().ok()? {
        // rgb48le and bgra64le count all channels.
        48 | 64 => Some(16),
        n @ 8..=16 => Some(n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! sample {
        ($name:literal) => {
            include_bytes!(concat!("../fixtures/", $name, ".json")).as_slice()
        };
    }

    #[test]
    fn real_samples() {
        for (json, named, container, codec, audio) in [
            (sample!("a_mp4"), Container::Mp4, Container::Mp4, "h264", "aac"),
            (sample!("a_mp4"), Container::M4v, Container::M4v, "h264", "aac"),
            (sample!("a_mp4"), Container::Avi, Container::Mp4, "h264", "aac"),
            (sample!("a_mov"), Container::Mov, Container::Mov, "h264", "aac"),
            (sample!("a_mkv"), Container::Mkv, Container::Mkv, "h264", "aac"),
            (sample!("a_mkv"), Container::Webm, Container::Mkv, "h264", "aac"),
            (sample!("a_webm"), Container::Webm, Container::Webm, "vp9", "opus"),
            (sample!("a_webm"), Container::Mkv, Container::Mkv, "vp9", "opus"),
            (sample!("a_avi"), Container::Avi, Container::Avi, "mpeg4", "mp3"),
        ] {
            let facts = parse(json, Some(named)).unwrap();
            assert_eq!(facts.container, container, "{named:?}");
            let video = facts.video.unwrap();
            assert_eq!((video.codec.as_str(), video.width, video.height), (codec, 640, 360));
            assert_eq!((video.bit_depth, video.frame_rate), (Some(8), Some(24.0)));
            assert_eq!(facts.audio[0].codec, audio);
            assert!((3000..3100).contains(&facts.duration_ms), "{}", facts.duration_ms);
            assert!(facts.bitrate.is_some());
        }
    }

    #[test]
    fn turned_deep_and_many_tracks() {
        let turned = parse(sample!("rot_mp4"), None).unwrap().video.unwrap();
        assert_eq!((turned.width, turned.height), (360, 640));

        let hdr = parse(sample!("hdr_mkv"), None).unwrap();
        let video = hdr.video.unwrap();
        assert_eq!((video.bit_depth, video.transfer.as_deref()), (Some(10), Some("smpte2084")));
        assert_eq!((video.profile.as_deref(), video.level), (Some("Main 10"), Some(60)));
        assert_eq!(hdr.duration_ms, 2000);

        let multi = parse(sample!("multi_mkv"), None).unwrap();
        assert_eq!(multi.audio.len(), 2);
        assert_eq!(multi.audio[1].language.as_deref(), Some("deu"));
        assert_eq!(multi.audio[1].title.as_deref(), Some("Kommentar"));
        assert_eq!(multi.subtitles[0].codec, "subrip");
        assert_eq!(multi.subtitles[0].language.as_deref(), Some("fre"));
        let chapters: Vec<_> = multi.chapters.iter().map(|c| (c.start_ms, c.end_ms, c.title.as_deref())).collect();
        assert_eq!(chapters, [(0, 1000, Some("Eins")), (1000, 2000, Some("Zwei"))]);
    }

    #[test]
    fn no_picture_and_no_media() {
        assert_eq!(parse(sample!("audio_mp4"), None), Err(Defect::NoVideo));
        assert_eq!(parse(sample!("t_mkv"), None), Err(Defect::NotMedia));
    }

    #[test]
    fn failures_by_their_text() {
        for (text, defect) in [
            (&b"[mov @ 0x55] moov atom not found\nInvalid data"[..], Defect::Truncated),
            (b"x: End of file", Defect::Truncated),
            (b"[srt @ 0x1] Codec (magicyuv) not on whitelist 'h264'", Defect::Unsupported),
            (b"Invalid data found when processing input", Defect::NotMedia),
            (b"Cannot allocate memory", Defect::ProbeLimit),
            (b"Input/output error", Defect::Unreadable),
            (b"\xff\xfe\x00", Defect::NotMedia),
            (b"", Defect::NotMedia),
        ] {
            assert_eq!(defect_of(text), defect, "{}", String::from_utf8_lossy(text));
        }
    }

    fn film(stream: &str) -> String {
        format!(
            r#"{{"format":{{"format_name":"avi","duration":"10"}},"streams":[{{"codec_type":"video","codec_name":"h264","width":640,"height":480{stream}}}]}}"#
        )
    }

    #[test]
    fn evil_json_gives_a_defect() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let nested = film(&format!(r#","tags":{}"#, deep));
        let audio = vec![r#"{"codec_type":"audio"}"#; 10_000].join(",");
        let streams = film(&format!(r#"}},{audio},{{"x":1"#));
        let big = film(&format!(r#","tags":{{"title":"{}"}}"#, "a".repeat(1 << 20)));
        let many_chapters = film("").replacen("{", &format!(r#"{{"chapters":[{}],"#, vec!["1"; 20_000].join(",")), 1);
        for (json, defect) in [
            ("", Defect::NotMedia),
            ("null", Defect::NotMedia),
            ("[]", Defect::NotMedia),
            ("{", Defect::NotMedia),
            ("{}", Defect::NotMedia),
            (r#"{"format":{}}"#, Defect::NotMedia),
            (r#"{"format":[],"streams":{}}"#, Defect::NotMedia),
            (r#"{"format":{},"streams":[]}"#, Defect::Unsupported),
            (r#"{"format":{"format_name":"hls"},"streams":[]}"#, Defect::Unsupported),
            (r#"{"format":{"format_name":7},"streams":[]}"#, Defect::Unsupported),
            (r#"{"format":{"format_name":"avi"},"streams":[null,1,"x",[],{}]}"#, Defect::NoVideo),
            (
                r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":0,"height":9}]}"#,
                Defect::NoVideo,
            ),
            (
                r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":-1,"height":9}]}"#,
                Defect::NoVideo,
            ),
            (
                r#"{"format":{"format_name":"avi"},"streams":[{"codec_type":"video","width":4294967297,"height":9}]}"#,
                Defect::NoVideo,
            ),
            (r#"{"format":{"format_name":"avi","duration":1e999},"streams":[]}"#, Defect::NotMedia),
            (r#"{"format":{"format_name":"avi\ud800"},"streams":[]}"#, Defect::NotMedia),
            (&deep, Defect::NotMedia),
            (&nested, Defect::NotMedia),
            (&streams, Defect::ProbeLimit),
            (&big, Defect::ProbeLimit),
            (&many_chapters, Defect::ProbeLimit),
        ] {
            assert_eq!(parse(json.as_bytes(), None), Err(defect), "{:.80}", json);
        }
        assert_eq!(parse(b"\xff\xfe{}", None), Err(Defect::NotMedia));
    }

    #[test]
    fn evil_fields_are_dropped_and_the_film_stays() {
        let check = |stream: &str| parse(film(stream).as_bytes(), None).unwrap().video.unwrap();
        for stream in [
            r#","avg_frame_rate":"0/0","r_frame_rate":"1/0""#,
            r#","avg_frame_rate":"-1/2""#,
            r#","avg_frame_rate":"4000000000/1""#,
            r#","avg_frame_rate":["24/1"]"#,
        ] {
            assert_eq!(check(stream).frame_rate, None, "{stream}");
        }
        assert_eq!(check(r#","level":-99"#).level, None);
        assert_eq!(check(r#","pix_fmt":"../../etc""#).pixel_format, None);
        assert_eq!(
            check(r#","profile":"a\u001b[31m\u202eb\r\nSet-Cookie: x""#).profile.unwrap(),
            "a[31mbSet-Cookie: x"
        );
        let long = check(&format!(r#","profile":"{}""#, "é".repeat(5_000)));
        assert_eq!(long.profile.unwrap().chars().count(), MAX_TEXT_CHARS);
        assert_eq!(check(r#","side_data_list":[{"rotation":1e300}]"#).codec, "h264");
        assert_eq!(check(r#","codec_name":"H264 <script>""#).codec, "unknown");
        for duration in [r#""-5""#, r#""nan""#, r#""inf""#, r#""1e300""#, "true", "[]"] {
            let json = film("").replace(r#""10""#, duration);
            assert_eq!(parse(json.as_bytes(), None).unwrap().duration_ms, 0, "{duration}");
        }
    }

    #[test]
    fn depths_by_pixel_format() {
        for (name, depth) in [
            ("yuv420p", Some(8)),
            ("yuvj422p", Some(8)),
            ("nv12", Some(8)),
            ("yuv420p10le", Some(10)),
            ("yuva444p12be", Some(12)),
            ("p010le", Some(10)),
            ("gray10le", Some(10)),
            ("rgb24", Some(8)),
            ("rgb48le", Some(16)),
            ("gbrpf32le", None),
            ("pal8", None),
            ("xyz12le", None),
        ] {
            assert_eq!(bit_depth(name), depth, "{name}");
        }
    }
}
