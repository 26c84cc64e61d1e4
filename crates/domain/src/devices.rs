//! What well-known players decode, for callers that do not say it themselves.

use crate::{facts::Container, playback::Capabilities};

/// A kind of player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// What a caller names it by.
    pub id: &'static str,
    pub name: &'static str,
    pub containers: &'static [Container],
    pub video_codecs: &'static [&'static str],
    pub audio_codecs: &'static [&'static str],
    pub segment_video_codecs: &'static [&'static str],
    pub ten_bit: &'static [&'static str],
    pub max_height: Option<u32>,
}

use Container::{M4v, Mkv, Mov, Mp4, Webm};

const WEB_AUDIO: &[&str] = &["aac", "mp3", "opus", "vorbis", "flac"];
const EVERY_VIDEO: &[&str] = &[
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "av1",
    "mpeg4",
    "msmpeg4v3",
    "mpeg1video",
    "mpeg2video",
    "vc1",
    "wmv3",
    "prores",
    "theora",
    "mjpeg",
    "h263",
    "flv1",
];
const EVERY_AUDIO: &[&str] = &[
    "aac",
    "mp3",
    "mp2",
    "opus",
    "vorbis",
    "flac",
    "ac3",
    "eac3",
    "dts",
    "truehd",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "alac",
    "wmav2",
];

/// The players we know. A browser that measures itself is always believed instead.
pub const KNOWN: &[Device] = &[
    Device {
        id: "chromium",
        name: "Chrome, Edge, Chromium",
        containers: &[Mp4, M4v, Mov, Webm, Mkv],
        video_codecs: &["h264", "vp8", "vp9", "av1"],
        audio_codecs: WEB_AUDIO,
        segment_video_codecs: &["h264", "vp9", "av1"],
        ten_bit: &["vp9", "av1"],
        max_height: None,
    },
    Device {
        id: "firefox",
        name: "Firefox",
        containers: &[Mp4, M4v, Mov, Webm],
        video_codecs: &["h264", "vp8", "vp9", "av1"],
        audio_codecs: WEB_AUDIO,
        segment_video_codecs: &["h264", "vp9", "av1"],
        ten_bit: &["vp9", "av1"],
        max_height: None,
    },
    Device {
        id: "safari",
        name: "Safari",
        containers: &[Mp4, M4v, Mov],
        video_codecs: &["h264", "hevc"],
        audio_codecs: &["aac", "mp3", "ac3", "eac3", "flac", "alac"],
        segment_video_codecs: &["h264", "hevc"],
        ten_bit: &["hevc"],
        max_height: None,
    },
    Device {
        id: "old-tablet",
        name: "A tablet of ten years ago",
        containers: &[Mp4, M4v],
        video_codecs: &["h264"],
        audio_codecs: &["aac", "mp3"],
        segment_video_codecs: &["h264"],
        ten_bit: &[],
        max_height: Some(720),
    },
    Device {
        id: "vlc",
        name: "VLC, mpv, ffplay",
        containers: &Container::ALL,
        video_codecs: EVERY_VIDEO,
        audio_codecs: EVERY_AUDIO,
        segment_video_codecs: EVERY_VIDEO,
        ten_bit: EVERY_VIDEO,
        max_height: None,
    },
];

impl Device {
    pub fn named(id: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|d| d.id == id)
    }

    pub fn capabilities(&self) -> Capabilities {
        let list = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
        Capabilities {
            containers: Some(self.containers.to_vec()),
            video_codecs: list(self.video_codecs),
            audio_codecs: list(self.audio_codecs),
            mse_video_codecs: list(self.segment_video_codecs),
            ten_bit: list(self.ten_bit),
            open_groups: self.id == "firefox",
            full_player: self.id == "vlc",
            max_height: self.max_height,
            downlink_kbps: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_nobody_promises_ten_bits_of_what_they_do_not_play() {
        for (n, device) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..n].iter().all(|other| other.id != device.id), "{}", device.id);
            assert_eq!(Device::named(device.id), Some(device));
            assert!(device.ten_bit.iter().all(|c| device.video_codecs.contains(c)), "{}", device.id);
        }
        assert_eq!(Device::named("toaster"), None);
    }
}
