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

#[derive(Debug, Clone, PartialEq)]
pub struct VideoFacts {
    /// Lower-case codec name as ffmpeg spells it: `h264`, `hevc`, `vp9`, `av1`, `mpeg4`…
    pub codec: String,
    pub profile: Option<String>,
    /// Ten times the level for H.264 (41 is 4.1); ffmpeg's own number for the others.
    pub level: Option<u32>,
    /// Pixels, after rotation.
    pub width: u32,
    pub height: u32,
    pub pixel_format: Option<String>,
    pub bit_depth: Option<u8>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// `smpte2084`, `arib-std-b67`… where the file says so.
    pub transfer: Option<String>,
}

impl VideoFacts {
    /// Whether its brightness is that of HDR.
    pub fn is_hdr(&self) -> bool {
        matches!(self.transfer.as_deref(), Some("smpte2084" | "arib-std-b67"))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct AudioFacts {
    pub codec: String,
    pub profile: Option<String>,
    pub channels: u32,
    pub sample_rate_hz: Option<u32>,
    /// ISO 639 code as the file has it.
    pub language: Option<String>,
    pub title: Option<String>,
    pub default: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SubtitleFacts {
    pub codec: String,
    pub language: Option<String>,
    pub title: Option<String>,
    pub forced: bool,
    pub default: bool,
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
    pub duration_ms: u64,
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
    /// Twice a worker ended while it worked on this file: set aside until its owner says otherwise.
    EndsWorkers,
}

impl Defect {
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::NotMedia,
        Self::Truncated,
        Self::NoVideo,
        Self::Unreadable,
        Self::ProbeLimit,
        Self::Unsupported,
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
            Self::EndsWorkers => "ends_workers",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str() == text)
    }
}
