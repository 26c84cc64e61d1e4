//! What a walk learned, and saying it as ffprobe would.

use super::Sure;
use serde_json::{Map, Value, json};

/// A picture track, by its own headers.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) codec: &'static str,
    pub(super) profile: Option<String>,
    pub(super) level: Option<u32>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixel_format: String,
    /// Of one pixel, as the stream says it; the container goes before it.
    pub(super) aspect: Option<(u64, u64)>,
    pub(super) primaries: Option<&'static str>,
    pub(super) transfer: Option<&'static str>,
    /// The stream itself describes its colours, which goes before what the container says.
    pub(super) says_colours: bool,
    /// What MP4 calls HEVC.
    pub(super) sample_entry: Option<&'static str>,
}

/// What a container says of a picture.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) primaries: Option<u64>,
    pub(super) transfer: Option<u64>,
    /// Of one pixel.
    pub(super) aspect: Option<(u64, u64)>,
}

impl Picture {
    /// Puts together what the stream and its container say of size and colour. Where they differ,
    /// what ffprobe shows depends on the decoder.
    pub(super) fn within(mut self, frame: Frame) -> Sure<Self> {
        if (u64::from(self.width), u64::from(self.height)) != (frame.width, frame.height) {
            return Err("container and stream name different sizes");
        }
        self.aspect = frame.aspect.or(self.aspect);
        let transfer = frame.transfer.map(super::color::transfer).transpose()?.flatten();
        let primaries = frame.primaries.map(super::color::primaries).transpose()?.flatten();
        match (self.says_colours, (primaries, transfer)) {
            (_, (None, None)) => {}
            (true, outer) if outer == (self.primaries, self.transfer) => {}
            // Decoders of these keep what the container said.
            (false, outer) if matches!(self.codec, "vp8" | "vp9") => (self.primaries, self.transfer) = outer,
            _ => return Err("container and stream name different colours"),
        }
        Ok(self)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sound {
    pub(super) codec: &'static str,
    pub(super) profile: Option<&'static str>,
    pub(super) channels: u32,
    pub(super) rate_hz: u32,
}

pub(super) enum Content {
    Picture { picture: Picture, frame_rate: (u64, u64), quarter_turn: bool },
    Sound(Sound),
    Words(&'static str),
}

pub(super) struct Track {
    pub(super) content: Content,
    pub(super) language: Option<String>,
    pub(super) title: Option<String>,
    pub(super) roles: Roles,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Roles {
    pub(super) default: bool,
    pub(super) forced: bool,
    pub(super) commentary: bool,
    pub(super) visual_impaired: bool,
    pub(super) hearing_impaired: bool,
}

/// Times in seconds.
pub(super) struct Part {
    pub(super) start_s: f64,
    pub(super) end_s: Option<f64>,
    pub(super) title: Option<String>,
}

pub(super) struct Film {
    pub(super) format: &'static str,
    pub(super) brand: Option<String>,
    pub(super) duration_us: u64,
    pub(super) tracks: Vec<Track>,
    pub(super) parts: Vec<Part>,
}

/// # Errors
/// When what was learned is not a whole description.
pub(super) fn as_ffprobe_would(film: &Film, size: u64) -> Sure<String> {
    if film.duration_us == 0 {
        return Err("the headers say no duration");
    }
    if !film.tracks.iter().any(|t| matches!(t.content, Content::Picture { .. })) {
        return Err("no picture track");
    }
    // What ffprobe says then is checked against the last packets.
    if is_absurd(size, film.duration_us as f64 / 1e6) {
        return Err("a length that the file has no bytes for");
    }
    let streams: Vec<Value> = film.tracks.iter().map(stream).collect();
    let end_s = film.duration_us as f64 / 1e6;
    let chapters: Vec<Value> = film
        .parts
        .iter()
        .enumerate()
        .map(|(at, part)| {
            let next = film.parts[at + 1..].iter().map(|p| p.start_s).filter(|s| *s > part.start_s);
            let end = part.end_s.unwrap_or_else(|| next.fold(end_s, f64::min).max(part.start_s));
            let mut chapter = json!({
                "start_time": format!("{:.6}", part.start_s),
                "end_time": format!("{end:.6}"),
            });
            if let Some(title) = &part.title {
                chapter["tags"] = json!({ "title": title });
            }
            chapter
        })
        .collect();
    let bit_rate = (size as f64 * 8.0 * 1e6 / film.duration_us as f64) as u64;
    let mut format = json!({
        "format_name": film.format,
        "duration": format!("{end_s:.6}"),
        "bit_rate": bit_rate.to_string(),
    });
    if let Some(brand) = &film.brand {
        format["tags"] = json!({ "major_brand": brand });
    }
    Ok(json!({ "streams": streams, "chapters": chapters, "format": format }).to_string())
}

/// Fewer bits a second than this are no film.
const MIN_BITS_PER_S: f64 = 1000.0;

/// Returns whether a file of so many bytes cannot be a film of that length.
pub(crate) fn is_absurd(size_bytes: u64, duration_s: f64) -> bool {
    (size_bytes as f64 * 8.0) < duration_s * MIN_BITS_PER_S
}

fn stream(track: &Track) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    match &track.content {
        Content::Picture { picture, frame_rate, quarter_turn } => {
            put("codec_type", json!("video"));
            put("codec_name", json!(picture.codec));
            put("profile", json!(picture.profile));
            put("level", json!(picture.level));
            put("width", json!(picture.width));
            put("height", json!(picture.height));
            put("pix_fmt", json!(picture.pixel_format));
            put("color_transfer", json!(picture.transfer));
            put("color_primaries", json!(picture.primaries));
            put("codec_tag_string", json!(picture.sample_entry));
            if let Some((across, down)) = picture.aspect {
                put("sample_aspect_ratio", json!(format!("{across}:{down}")));
            }
            put("avg_frame_rate", json!(format!("{}/{}", frame_rate.0, frame_rate.1)));
            if *quarter_turn {
                put("side_data_list", json!([{ "rotation": 90 }]));
            }
        }
        Content::Sound(sound) => {
            put("codec_type", json!("audio"));
            put("codec_name", json!(sound.codec));
            put("profile", json!(sound.profile));
            put("channels", json!(sound.channels));
            // Only AAC whose channels have a number is known here at all.
            if sound.codec == "aac" && sound.channels <= 6 {
                let layout = crate::probe_json::NUMBERED_LAYOUTS.get(sound.channels as usize - 1);
                put("channel_layout", json!(layout));
            }
            put("sample_rate", json!(sound.rate_hz.to_string()));
        }
        Content::Words(codec) => {
            put("codec_type", json!("subtitle"));
            put("codec_name", json!(codec));
        }
    }
    let roles = track.roles;
    let disposition = json!({
        "default": u8::from(roles.default),
        "forced": u8::from(roles.forced),
        "comment": u8::from(roles.commentary),
        "visual_impaired": u8::from(roles.visual_impaired),
        "hearing_impaired": u8::from(roles.hearing_impaired),
    });
    put("disposition", disposition);
    let mut tags = Map::new();
    if let Some(language) = &track.language {
        tags.insert("language".into(), json!(language));
    }
    if let Some(title) = &track.title {
        tags.insert("title".into(), json!(title));
    }
    put("tags", Value::Object(tags));
    Value::Object(out)
}

/// The nearest fraction whose parts fit, as libavutil reduces frame rates.
pub(super) fn reduced(num: u64, den: u64, max: u64) -> Option<(u64, u64)> {
    let (mut a, mut b) = (u128::from(num), u128::from(den));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let (mut num, mut den) = (u128::from(num).checked_div(a)?, u128::from(den).checked_div(a)?);
    let max = u128::from(max);
    if den == 0 {
        return None;
    }
    if num <= max && den <= max {
        return Some((num as u64, den as u64));
    }
    let (mut old, mut new) = ((0_u128, 1_u128), (1_u128, 0_u128));
    while den != 0 {
        let mut x = num / den;
        let next = num - den * x;
        let (n, d) = (x * new.0 + old.0, x * new.1 + old.1);
        if n > max || d > max {
            x = (max - old.0).checked_div(new.0).unwrap_or(x);
            x = x.min((max - old.1).checked_div(new.1).unwrap_or(x));
            if den * (2 * x * new.1 + old.1) > num * new.1 {
                new = (x * new.0 + old.0, x * new.1 + old.1);
            }
            break;
        }
        (old, new) = (new, (n, d));
        (num, den) = (den, next);
    }
    Some((new.0 as u64, new.1 as u64)).filter(|r| r.1 > 0)
}

#[cfg(test)]
mod tests {
    use super::reduced;

    #[test]
    fn frame_rates_are_reduced_as_ffmpeg_does() {
        for (num, den, max, expected) in [
            (1_000_000_000, 41_708_333, 30_000, Some((24_000, 1001))),
            (1_000_000_000, 33_366_666, 30_000, Some((30_000, 1001))),
            (1_000_000_000, 40_000_000, 30_000, Some((25, 1))),
            (48_000, 2000, u64::MAX, Some((24, 1))),
            (0, 0, 10, None),
            (5, 0, 10, None),
        ] {
            assert_eq!(reduced(num, den, max), expected);
        }
    }
}
