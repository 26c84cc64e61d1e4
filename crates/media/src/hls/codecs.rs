//! Codec strings of RFC 6381, from facts alone: a playlist must never have to run a program.

use domain::facts::{AudioFacts, VideoFacts};

/// What an encoded rung always is: H.264 High 4.0.
pub const ENCODED_VIDEO: &str = "avc1.640028";
/// What encoded sound always is: AAC-LC.
pub const ENCODED_AUDIO: &str = "mp4a.40.2";

/// The string for a copied picture; `None` for codecs that no playlist may hold.
pub fn video(facts: &VideoFacts) -> Option<String> {
    let profile = facts.profile.as_deref().unwrap_or_default();
    let ten = facts.bit_depth.is_some_and(|bits| bits > 8);
    Some(match facts.codec.as_str() {
        "h264" => {
            let profile = match profile {
                "Baseline" => "4200",
                "Constrained Baseline" => "42e0",
                "Main" => "4d40",
                "High 10" => "6e00",
                "High 4:2:2" => "7a00",
                _ => "6400",
            };
            format!("avc1.{profile}{:02x}", facts.level.filter(|l| (9..=62).contains(l)).unwrap_or(40))
        }
        "hevc" => {
            let profile = if ten || profile == "Main 10" { "2.4" } else { "1.6" };
            format!("hvc1.{profile}.L{}.B0", facts.level.filter(|l| (30..=186).contains(l)).unwrap_or(120))
        }
        "vp9" => {
            let profile = if ten { "02" } else { "00" };
            format!(
                "vp09.{profile}.{:02}.{:02}",
                facts.level.filter(|l| (10..=62).contains(l)).unwrap_or(41),
                if ten { 10 } else { 8 }
            )
        }
        "av1" => {
            let level = facts.level.filter(|l| *l <= 23).unwrap_or(8);
            format!("av01.0.{level:02}M.{:02}", if ten { 10 } else { 8 })
        }
        _ => return None,
    })
}

/// Whether this sound may be copied into a segment: plain AAC and nothing cleverer.
pub fn is_copyable_aac(facts: &AudioFacts) -> bool {
    facts.fits_segments() && facts.profile.as_deref().is_none_or(|p| p == "LC") && facts.channels <= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(codec: &str, profile: &str, level: u32, bits: u8) -> VideoFacts {
        VideoFacts {
            profile: Some(profile.into()),
            level: Some(level),
            bit_depth: Some(bits),
            ..VideoFacts::plain(codec, 1920, 1080)
        }
    }

    #[test]
    fn strings_as_browsers_want_them() {
        let check = |codec, profile, level, bits, want: Option<&str>| {
            assert_eq!(video(&facts(codec, profile, level, bits)).as_deref(), want, "{codec} {profile}");
        };
        check("h264", "High", 41, 8, Some("avc1.640029"));
        check("h264", "Constrained Baseline", 30, 8, Some("avc1.42e01e"));
        check("h264", "Main", 9999, 8, Some("avc1.4d4028"));
        check("hevc", "Main 10", 150, 10, Some("hvc1.2.4.L150.B0"));
        check("hevc", "Main", 120, 8, Some("hvc1.1.6.L120.B0"));
        check("vp9", "Profile 0", 9, 8, Some("vp09.00.41.08"));
        check("av1", "Main", 8, 10, Some("av01.0.08M.10"));
        check("mpeg4", "Simple", 1, 8, None);
    }
}
