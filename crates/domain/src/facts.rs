//! What is known about a media file. Facts come from a probe inside a loge and are
//! bounded there; an absent fact is `None`, never a guess.

/// The container formats Loge takes into a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    Mp4,
    M4v,
    Mov,
    Mkv,
    Webm,
    Avi,
}

impl Container {
    pub const ALL: [Self; 6] = [Self::Mp4, Self::M4v, Self::Mov, Self::Mkv, Self::Webm, Self::Avi];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::M4v => "m4v",
            Self::Mov => "mov",
            Self::Mkv => "mkv",
            Self::Webm => "webm",
            Self::Avi => "avi",
        }
    }

    /// By file name ending, without the dot, in any case. The bytes are judged by the probe.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str().eq_ignore_ascii_case(extension))
    }
}

/// Dolby Vision, as its configuration record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DolbyVision {
    pub profile: u8,
    /// What the picture is without its extra layer: 1 is HDR10, 2 SDR, 4 HLG; 0 is nothing that
    /// another decoder shows in true colours.
    pub compatibility: u8,
}

impl DolbyVision {
    /// Returns whether an ordinary decoder shows false colours.
    pub const fn needs_its_own_decoder(self) -> bool {
        self.compatibility == 0
    }
}

/// The picture of a film: of several the one marked default, never a thumbnail.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoFacts {
    /// Its number among the picture streams of the file, as ffmpeg counts them (`0:v:N`).
    pub track: u32,
    /// Lower-case codec name as ffmpeg spells it: `h264`, `hevc`, `vp9`, `av1`, `mpeg4`…
    pub codec: String,
    pub profile: Option<String>,
    /// Ten times the level for H.264 (41 is 4.1); ffmpeg's own number for the others.
    pub level: Option<u32>,
    /// Stored pixels, after rotation. What is seen can have another shape: see
    /// [`Self::display_size`].
    pub width: u32,
    pub height: u32,
    /// Width and height of one pixel, after rotation; `None` for square ones.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Whether it consists of fields. A browser shows them as combs.
    pub interlaced: bool,
    pub pixel_format: Option<String>,
    pub bit_depth: Option<u8>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// `bt2020`, `bt709`… where the file says so.
    pub primaries: Option<String>,
    /// `smpte2084`, `arib-std-b67`… where the file says so.
    pub transfer: Option<String>,
    pub dolby_vision: Option<DolbyVision>,
    /// What MP4 calls HEVC: `hvc1`, `hev1`, `dvh1`… `None` for other codecs and containers.
    pub sample_entry: Option<String>,
}

impl VideoFacts {
    /// Returns the facts of the first picture of a file of which nothing else is known.
    pub fn plain(codec: &str, width: u32, height: u32) -> Self {
        Self {
            track: 0,
            codec: codec.to_owned(),
            profile: None,
            level: None,
            width,
            height,
            pixel_aspect: None,
            interlaced: false,
            pixel_format: None,
            bit_depth: None,
            frame_rate: None,
            primaries: None,
            transfer: None,
            dolby_vision: None,
            sample_entry: None,
        }
    }

    /// Whether its brightness is that of HDR.
    pub fn is_hdr(&self) -> bool {
        matches!(self.transfer.as_deref(), Some("smpte2084" | "arib-std-b67"))
    }

    /// Returns width and height as they are seen, in square pixels. The height is that of the
    /// stored picture.
    pub fn display_size(&self) -> (u32, u32) {
        let Some((across, down)) = self.pixel_aspect.filter(|(_, down)| *down > 0) else {
            return (self.width, self.height);
        };
        let (across, down) = (u64::from(across), u64::from(down));
        let width = (u64::from(self.width) * across + down / 2) / down;
        (u32::try_from(width.max(1)).unwrap_or(u32::MAX), self.height)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AudioFacts {
    /// Its number among the sound streams of the file, as ffmpeg counts them (`0:a:N`).
    pub track: u32,
    pub codec: String,
    pub profile: Option<String>,
    pub channels: u32,
    /// AAC whose channels are named in its own configuration instead of by a standard number.
    /// Browsers refuse it in segments.
    pub has_channel_map: bool,
    pub sample_rate_hz: Option<u32>,
    /// ISO 639 code as the file has it.
    pub language: Option<String>,
    pub title: Option<String>,
    pub default: bool,
    /// A commentary, or a description for those who do not see.
    pub commentary: bool,
}

impl AudioFacts {
    /// Returns the facts of a sound track of which nothing else is known.
    pub fn plain(track: u32, codec: &str, channels: u32) -> Self {
        Self {
            track,
            codec: codec.to_owned(),
            profile: None,
            channels,
            has_channel_map: false,
            sample_rate_hz: None,
            language: None,
            title: None,
            default: false,
            commentary: false,
        }
    }

    /// Returns whether segments can carry it as it is: AAC-LC with a standard number of channels.
    /// Browsers refuse other kinds of AAC in segments, even those that they play in a file.
    pub fn fits_segments(&self) -> bool {
        self.codec == "aac"
            && !self.has_channel_map
            && self.profile.as_deref().is_none_or(|profile| matches!(profile, "LC" | "HE-AAC" | "HE-AACv2"))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct SubtitleFacts {
    pub codec: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub forced: bool,
    pub default: bool,
    /// It also names noises and speakers, for those who do not hear.
    pub hearing_impaired: bool,
}

impl SubtitleFacts {
    /// Words that can become WebVTT. The others (PGS, VobSub, DVB) are pictures of words.
    pub fn is_text(&self) -> bool {
        matches!(self.codec.as_str(), "subrip" | "srt" | "ass" | "ssa" | "mov_text" | "webvtt" | "text")
    }
}

/// A named part of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    pub start_ms: u64,
    pub end_ms: u64,
    pub title: Option<String>,
}

/// Facts of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFacts {
    /// What the bytes are, which may differ from the file's ending.
    pub container: Container,
    /// From the first to the last packet.
    pub duration_ms: u64,
    /// Where the clock of the file begins, when that is a second or more; else 0. Times in the
    /// file are later by this much than the times of the film.
    pub start_ms: u64,
    /// Whether Matroska compressed the frames of its tracks, which browsers do not undo.
    pub compressed: bool,
    /// Whether the length was read from the last packets, because the header says none or a wrong
    /// one. Browsers believe the header.
    pub is_length_found: bool,
    /// Bits per second over the whole file.
    pub bitrate: Option<u64>,
    pub video: Option<VideoFacts>,
    pub audio: Vec<AudioFacts>,
    pub subtitles: Vec<SubtitleFacts>,
    /// In the order of the film.
    pub chapters: Vec<Chapter>,
}

/// Why a file in a library cannot be watched. Kept with the file, shown to the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Zero bytes.
    Empty,
    /// No demuxer takes it: text renamed to .mkv, a header cut off.
    NotMedia,
    /// It opens, but ends before its index or its streams.
    Truncated,
    /// It opens, but holds no picture.
    NoVideo,
    /// Reading it failed: rights, disk.
    Unreadable,
    /// The probe hit its time or memory limit.
    ProbeLimit,
    /// A playlist or another format that is refused whatever its name.
    Unsupported,
    /// Its tracks are encrypted, and the key is elsewhere.
    Protected,
    /// It holds more tracks than any film has.
    TooManyTracks,
    /// Twice a worker ended while it worked on this file: set aside until its owner says otherwise.
    EndsWorkers,
}

impl Defect {
    pub const ALL: [Self; 10] = [
        Self::Empty,
        Self::NotMedia,
        Self::Truncated,
        Self::NoVideo,
        Self::Unreadable,
        Self::ProbeLimit,
        Self::Unsupported,
        Self::Protected,
        Self::TooManyTracks,
        Self::EndsWorkers,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotMedia => "not_media",
            Self::Truncated => "truncated",
            Self::NoVideo => "no_video",
            Self::Unreadable => "unreadable",
            Self::ProbeLimit => "probe_limit",
            Self::Unsupported => "unsupported",
            Self::Protected => "protected",
            Self::TooManyTracks => "too_many_tracks",
            Self::EndsWorkers => "ends_workers",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_has_the_shape_of_its_pixels() {
        let mut video = VideoFacts::plain("mpeg2video", 720, 576);
        for (aspect, seen) in [
            (None, (720, 576)),
            (Some((64, 45)), (1024, 576)),
            (Some((16, 15)), (768, 576)),
            (Some((1, 1)), (720, 576)),
            (Some((1, 0)), (720, 576)),
        ] {
            video.pixel_aspect = aspect;
            assert_eq!(video.display_size(), seen, "{aspect:?}");
        }
        let ntsc = VideoFacts { pixel_aspect: Some((8, 9)), ..VideoFacts::plain("mpeg4", 720, 480) };
        assert_eq!(ntsc.display_size(), (640, 480));
    }

    #[test]
    fn defects_have_names_of_their_own() {
        for defect in Defect::ALL {
            assert_eq!(Defect::parse(defect.as_str()), Some(defect));
        }
    }
}
