//! How a title reaches a screen: the decision, and nothing but the decision.
//!
//! The order is direct → remux → rendition → transcode → refused. This version grants
//! direct play or refuses with a reason; the other methods exist as words so that neither
//! the API nor the doors between the rooms change when they become real.

use crate::facts::{Container, Defect, FileFacts};

/// How the bytes get to the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Direct,
    Remux,
    Rendition,
    Transcode,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Remux => "remux",
            Self::Rendition => "rendition",
            Self::Transcode => "transcode",
        }
    }
}

/// What one browser says it can decode from a plain file. `None` fields are unknown and
/// fall back to what every current browser plays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Containers playable through `<video src>`.
    pub containers: Option<Vec<Container>>,
    /// Codec names as in [`crate::facts`].
    pub video_codecs: Option<Vec<String>>,
    pub audio_codecs: Option<Vec<String>>,
}

/// One line of the receipt that the player shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The browser takes the file as it is.
    PlaysAsIs,
    ContainerNotPlayable,
    VideoCodecNotPlayable,
    AudioCodecNotPlayable,
    TenBitNotPlayable,
    NoVideo,
    FileDefect,
    NotProbedYet,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaysAsIs => "plays_as_is",
            Self::ContainerNotPlayable => "container_not_playable",
            Self::VideoCodecNotPlayable => "video_codec_not_playable",
            Self::AudioCodecNotPlayable => "audio_codec_not_playable",
            Self::TenBitNotPlayable => "ten_bit_not_playable",
            Self::NoVideo => "no_video",
            Self::FileDefect => "file_defect",
            Self::NotProbedYet => "not_probed_yet",
        }
    }
}

/// The answer to "may this be played, and how?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Play { method: Method, reasons: Vec<Reason> },
    Refuse { reasons: Vec<Reason> },
}

/// The verdict a library shows before anyone presses play, for an ordinary current browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Playability {
    /// Any current browser plays it as it is.
    Direct,
    /// It has to be prepared first.
    NeedsPreparing,
    /// The file is damaged or no film.
    Broken,
    /// Nobody has looked inside yet.
    Unknown,
}

impl Playability {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::NeedsPreparing => "needs_preparing",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::NeedsPreparing, Self::Broken, Self::Unknown].into_iter().find(|p| p.as_str() == text)
    }
}

const COMMON_CONTAINERS: [Container; 4] = [Container::Mp4, Container::M4v, Container::Mov, Container::Webm];
const COMMON_VIDEO: [&str; 4] = ["h264", "vp8", "vp9", "av1"];
const COMMON_AUDIO: [&str; 5] = ["aac", "mp3", "opus", "vorbis", "flac"];

/// Decides for one file and one browser. `facts` is `None` while the file waits for its probe.
pub fn decide(facts: Option<&FileFacts>, defect: Option<Defect>, capabilities: &Capabilities) -> Decision {
    if defect.is_some() {
        return Decision::Refuse { reasons: vec![Reason::FileDefect] };
    }
    let Some(facts) = facts else {
        return Decision::Refuse { reasons: vec![Reason::NotProbedYet] };
    };
    let Some(video) = &facts.video else {
        return Decision::Refuse { reasons: vec![Reason::NoVideo] };
    };
    let mut reasons = Vec::new();
    let container_ok = match &capabilities.containers {
        Some(list) => list.contains(&facts.container),
        None => COMMON_CONTAINERS.contains(&facts.container),
    };
    if !container_ok {
        reasons.push(Reason::ContainerNotPlayable);
    }
    if !listed(&capabilities.video_codecs, &COMMON_VIDEO, &video.codec) {
        reasons.push(Reason::VideoCodecNotPlayable);
    }
    // Browsers claim the 10-bit H.264 profile and then show nothing or a slide show.
    if video.codec == "h264" && video.bit_depth.is_some_and(|bits| bits > 8) {
        reasons.push(Reason::TenBitNotPlayable);
    }
    // A `<video>` element plays the default track and falls silent, without any error,
    // when it cannot decode it.
    let default_audio = facts.audio.iter().find(|a| a.default).or_else(|| facts.audio.first());
    if let Some(audio) = default_audio
        && !listed(&capabilities.audio_codecs, &COMMON_AUDIO, &audio.codec)
    {
        reasons.push(Reason::AudioCodecNotPlayable);
    }
    if reasons.is_empty() {
        Decision::Play { method: Method::Direct, reasons: vec![Reason::PlaysAsIs] }
    } else {
        Decision::Refuse { reasons }
    }
}

fn listed(told: &Option<Vec<String>>, common: &[&str], codec: &str) -> bool {
    match told {
        Some(list) => list.iter().any(|c| c == codec),
        None => common.contains(&codec),
    }
}

/// The verdict for lists and filters.
pub fn playability(facts: Option<&FileFacts>, defect: Option<Defect>) -> Playability {
    if defect.is_some() {
        return Playability::Broken;
    }
    match (facts, decide(facts, None, &Capabilities::default())) {
        (None, _) => Playability::Unknown,
        (_, Decision::Play { .. }) => Playability::Direct,
        (Some(f), Decision::Refuse { .. }) if f.video.is_none() => Playability::Broken,
        (Some(_), Decision::Refuse { .. }) => Playability::NeedsPreparing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{AudioFacts, VideoFacts};

    fn file(container: Container, video: &str, audio: &[&str]) -> FileFacts {
        FileFacts {
            container,
            duration_ms: 1000,
            bitrate: None,
            video: Some(VideoFacts {
                codec: video.into(),
                profile: None,
                level: None,
                width: 640,
                height: 360,
                pixel_format: None,
                bit_depth: Some(8),
                frame_rate: None,
                transfer: None,
            }),
            audio: audio
                .iter()
                .map(|c| AudioFacts {
                    codec: (*c).into(),
                    profile: None,
                    channels: 2,
                    sample_rate_hz: None,
                    language: None,
                    title: None,
                    default: false,
                })
                .collect(),
            subtitles: vec![],
            chapters: vec![],
        }
    }

    fn check(facts: &FileFacts, caps: &Capabilities, want: Result<Method, &[Reason]>) {
        match (decide(Some(facts), None, caps), want) {
            (Decision::Play { method, .. }, Ok(wanted)) => assert_eq!(method, wanted),
            (Decision::Refuse { reasons }, Err(wanted)) => assert_eq!(reasons, wanted),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn what_every_browser_plays_is_played_as_it_is() {
        let any = Capabilities::default();
        check(&file(Container::Mp4, "h264", &["aac"]), &any, Ok(Method::Direct));
        check(&file(Container::Webm, "vp9", &["opus"]), &any, Ok(Method::Direct));
        check(&file(Container::Mov, "h264", &[]), &any, Ok(Method::Direct));
        check(
            &file(Container::Avi, "mpeg4", &["mp3"]),
            &any,
            Err(&[Reason::ContainerNotPlayable, Reason::VideoCodecNotPlayable]),
        );
        check(&file(Container::Mp4, "h264", &["ac3"]), &any, Err(&[Reason::AudioCodecNotPlayable]));
        check(&file(Container::Mkv, "h264", &["aac"]), &any, Err(&[Reason::ContainerNotPlayable]));
    }

    #[test]
    fn a_browser_that_says_more_gets_more() {
        let chromium =
            Capabilities { containers: Some(vec![Container::Mkv, Container::Mp4]), ..Capabilities::default() };
        check(&file(Container::Mkv, "h264", &["aac"]), &chromium, Ok(Method::Direct));
        check(&file(Container::Webm, "vp9", &["opus"]), &chromium, Err(&[Reason::ContainerNotPlayable]));
    }

    #[test]
    fn ten_bit_h264_is_not_believed() {
        let mut facts = file(Container::Mp4, "h264", &["aac"]);
        facts.video.as_mut().unwrap().bit_depth = Some(10);
        check(&facts, &Capabilities::default(), Err(&[Reason::TenBitNotPlayable]));
    }

    #[test]
    fn the_default_track_decides() {
        let mut facts = file(Container::Mp4, "h264", &["ac3", "aac"]);
        check(&facts, &Capabilities::default(), Err(&[Reason::AudioCodecNotPlayable]));
        facts.audio[1].default = true;
        check(&facts, &Capabilities::default(), Ok(Method::Direct));
    }

    #[test]
    fn verdicts() {
        assert_eq!(playability(None, None), Playability::Unknown);
        assert_eq!(playability(None, Some(Defect::Truncated)), Playability::Broken);
        assert_eq!(playability(Some(&file(Container::Avi, "mpeg4", &[])), None), Playability::NeedsPreparing);
        assert_eq!(playability(Some(&file(Container::Mp4, "h264", &["aac"])), None), Playability::Direct);
    }
}
