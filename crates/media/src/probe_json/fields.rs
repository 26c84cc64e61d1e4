//! Single fields of ffprobe's JSON, bounded and cleaned.

use super::{MAX_DURATION_S, MAX_TEXT_CHARS};
use serde_json::Value;

pub(super) fn codec(stream: &Value) -> String {
    stream.get("codec_name").and_then(word).unwrap_or_else(|| "unknown".to_owned())
}

/// Matroska writes tag names in capitals, mp4 in small letters.
pub(super) fn tag<'a>(stream: &'a Value, name: &str) -> Option<&'a Value> {
    let tags = stream.get("tags")?.as_object()?;
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// ISO 639 codes are two or three letters; `und` says nothing.
pub(super) fn language(stream: &Value) -> Option<String> {
    let text = tag(stream, "language")?.as_str()?.to_ascii_lowercase();
    let fits = text.len() <= 12 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (fits && text.len() >= 2 && text != "und").then_some(text)
}

/// A quarter turn either way, by display matrix or by the older tag.
pub(super) fn is_on_its_side(stream: &Value) -> bool {
    let matrix = stream
        .get("side_data_list")
        .and_then(Value::as_array)
        .and_then(|list| list.iter().take(16).find_map(|d| d.get("rotation")));
    matrix.or_else(|| tag(stream, "rotate")).and_then(number).is_some_and(|degrees| {
        let quarter = degrees.rem_euclid(180.0);
        (45.0..135.0).contains(&quarter)
    })
}

pub(super) fn pixels(value: &Value) -> Option<u32> {
    u32::try_from(whole(value, 1, 32_768)?).ok()
}

/// ffprobe writes some numbers as numbers and some as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let n = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(text) if text.len() <= 32 => text.parse().ok()?,
        _ => return None,
    };
    n.is_finite().then_some(n)
}

pub(super) fn whole(value: &Value, least: u64, most: u64) -> Option<u64> {
    let n = match value {
        Value::Number(n) => n.as_u64()?,
        Value::String(text) if text.len() <= 20 => text.parse().ok()?,
        _ => return None,
    };
    (least..=most).contains(&n).then_some(n)
}

pub(super) fn seconds(value: &Value) -> Option<f64> {
    number(value).filter(|s| (0.0..=MAX_DURATION_S).contains(s))
}

/// Returns a stream's length by its own field or by Matroska's `00:01:02.345` tag.
pub(super) fn stream_seconds(stream: &Value) -> Option<f64> {
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
pub(super) fn rate(value: &Value) -> Option<f64> {
    let text = value.as_str().filter(|t| t.len() <= 32)?;
    let (above, below) = text.split_once('/')?;
    let rate = above.parse::<u32>().ok().map(f64::from)? / below.parse::<u32>().ok().map(f64::from)?;
    (rate.is_finite() && rate > 0.0 && rate <= 1000.0).then_some(rate)
}

/// Returns a name out of ffmpeg's own tables: short, plain, lower case.
pub(super) fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = (1..=48).contains(&text.len());
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    (fits && plain).then(|| text.to_ascii_lowercase())
}

/// Text out of the file, fit to be shown: cut, and without control and direction characters.
pub(super) fn text(value: &Value) -> Option<String> {
    let hides = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let clean: String = value.as_str()?.chars().filter(|c| !hides(c)).take(MAX_TEXT_CHARS).collect();
    let clean = clean.trim();
    (!clean.is_empty() && clean != "unknown").then(|| clean.to_owned())
}

/// Bits per colour by the name of a pixel format; `None` for formats of no known family.
pub(super) fn bit_depth(pixel_format: &str) -> Option<u8> {
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
