//! Playlists as text (RFC 8216): one master per play, one list per track.

use super::{
    AAC_RATE, TICKS,
    plan::{AudioPlan, VideoPlan},
};
use std::fmt::Write;

/// One picture in the master.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoVariant {
    /// Address, relative to the master.
    pub uri: String,
    pub codecs: String,
    pub width: u32,
    pub height: u32,
    /// Bits a second at the worst, sound included.
    pub bandwidth: u64,
    /// Bits a second over the whole film, sound included.
    pub average: u64,
    pub frame_rate: Option<f64>,
}

/// One sound track in the master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioVariant {
    pub uri: String,
    pub codecs: String,
    pub name: String,
    pub language: Option<String>,
    pub channels: u32,
    pub default: bool,
}

/// The list of what there is to choose from.
pub fn master(videos: &[VideoVariant], audios: &[AudioVariant]) -> String {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for audio in audios {
        let flag = if audio.default { "YES" } else { "NO" };
        let _ = write!(out, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"{}\"", quoted(&audio.name));
        if let Some(language) = &audio.language {
            let _ = write!(out, ",LANGUAGE=\"{}\"", quoted(language));
        }
        let _ = writeln!(
            out,
            ",DEFAULT={flag},AUTOSELECT=YES,CHANNELS=\"{}\",URI=\"{}\"",
            audio.channels.max(1),
            quoted(&audio.uri)
        );
    }
    for video in videos {
        let codecs = audios.first().map_or_else(|| video.codecs.clone(), |a| format!("{},{}", video.codecs, a.codecs));
        let _ = write!(
            out,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{codecs}\",RESOLUTION={}x{}",
            video.bandwidth.max(1),
            video.average.max(1),
            video.width,
            video.height
        );
        if let Some(rate) = video.frame_rate.filter(|r| r.is_finite() && *r > 0.0) {
            let _ = write!(out, ",FRAME-RATE={rate:.3}");
        }
        if !audios.is_empty() {
            out.push_str(",AUDIO=\"sound\"");
        }
        let _ = writeln!(out, "\n{}", video.uri);
    }
    out
}

/// Nothing in here may end a quoted string or a line.
fn quoted(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c == '"' { ' ' } else { c }).collect()
}

/// Every segment of a picture.
pub fn video(plan: &VideoPlan) -> String {
    media(plan.durations().map(|ticks| ticks as f64 / TICKS as f64))
}

/// Every segment of a sound track.
pub fn audio(plan: &AudioPlan) -> String {
    media(plan.durations().map(|samples| samples as f64 / AAC_RATE as f64))
}

fn media(durations: impl Iterator<Item = f64>) -> String {
    let (mut list, mut longest) = (String::new(), 0.0_f64);
    for (n, seconds) in durations.enumerate() {
        longest = longest.max(seconds);
        let _ = writeln!(list, "#EXTINF:{seconds:.6},\n{n}.m4s");
    }
    let target = (longest.round() as u64).max(longest.ceil() as u64).max(1);
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n{list}#EXT-X-ENDLIST\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_names_pictures_and_sounds() {
        let video = VideoVariant {
            uri: "v-original/index.m3u8".into(),
            codecs: "avc1.640028".into(),
            width: 1280,
            height: 720,
            bandwidth: 4_000_000,
            average: 2_500_000,
            frame_rate: Some(23.976),
        };
        let audio = AudioVariant {
            uri: "a-0/index.m3u8".into(),
            codecs: "mp4a.40.2".into(),
            name: "Deutsch\n\"5.1\"".into(),
            language: Some("de".into()),
            channels: 2,
            default: true,
        };
        assert_eq!(
            master(std::slice::from_ref(&video), &[audio]),
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Deutsch  5.1 \",LANGUAGE=\"de\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a-0/index.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=4000000,AVERAGE-BANDWIDTH=2500000,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO=\"sound\"\n\
             v-original/index.m3u8\n"
        );
        assert!(!master(&[video], &[]).contains("AUDIO"));
    }

    #[test]
    fn a_list_says_every_segment() {
        let text = audio(&AudioPlan::new(7 * TICKS));
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:3.008000,\n0.m4s\n#EXTINF:3.008000,\n1.m4s\n\
             #EXTINF:0.984000,\n2.m4s\n#EXT-X-ENDLIST\n"
        );
    }
}
