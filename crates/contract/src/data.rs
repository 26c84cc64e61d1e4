//! One request and one answer on a data connection.

use crate::TextTrack;
use domain::chip::VaDriver;
use serde::{Deserialize, Serialize};

/// A file as the gateway's database knows it. `path` is relative to the mount, in raw bytes
/// because file names are bytes; the worker opens it beneath the mount and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Name of the mount: the folder's id.
    pub mount: String,
    pub path: Vec<u8>,
    /// Size in bytes at the last scan; a file of another size is answered `Changed`.
    /// `None` while nobody has measured it.
    pub size: Option<u64>,
    /// Time of the last change at the last scan, where it must be this very version: segments of
    /// two versions must never meet. A file of another time is answered `Changed`.
    pub mtime_ns: Option<i64>,
}

/// Sent by the gateway, as a frame (see [`crate::frame::encode`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Echoed in the answer; never used twice on one connection.
    pub id: u64,
    pub body: RequestBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestBody {
    /// Exactly these bytes of that file.
    Range { file: FileRef, offset: u64, length: u64 },
    /// Work that ends in at most `max_bytes` of result, or is killed after `time_limit_ms`.
    /// Closing the connection cancels it.
    Job { job: Job, max_bytes: u32, time_limit_ms: u32 },
    /// What a player needs before any segment of a track. The answer says its own length, which
    /// is at most `max_bytes`.
    Init { file: FileRef, track: Track, max_bytes: u32 },
    /// One segment of a track. The answer says its own length, which is at most `max_bytes`.
    Segment { file: FileRef, track: Track, wanted: Wanted, max_bytes: u32 },
}

/// One track of a film as a viewer gets it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Track {
    /// The picture as it is, by its number among the film's pictures. `hevc` is named by another tag in MP4.
    VideoCopy { picture: u32, hevc: bool },
    /// The picture as H.264.
    VideoEncode { picture: u32, rung: Rung },
    /// Sound track `index` as it is: AAC that begins `start_us` after the film at `rate` Hz.
    AudioCopy { index: u8, start_us: u64, rate: u32 },
    /// Sound track `index` as stereo AAC.
    AudioEncode { index: u8 },
}

/// A smaller picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rung {
    /// Pixels.
    pub height: u16,
    /// Thousands of bits a second, at most.
    pub kbps: u32,
    /// Made ahead of time: more CPU for a better picture.
    pub unhurried: bool,
    /// Brings the brightness of HDR down.
    pub tone_map: bool,
    pub encoder: Encoder,
}

/// Who encodes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoder {
    Processor,
    /// The graphics chip, over VA-API. `decodes`: it decodes the film too.
    Chip {
        #[serde(with = "VaDriverName")]
        driver: VaDriver,
        decodes: bool,
    },
}

/// How a driver travels.
#[derive(Serialize, Deserialize)]
#[serde(remote = "VaDriver")]
pub(crate) enum VaDriverName {
    I965,
    Ihd,
}

/// Which segment, and as much of the plan as a run from there on needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub number: u32,
    /// Segments the worker may make beyond this one before anybody asks for them.
    pub ahead: u32,
    pub plan: PlanPart,
}

/// A part of the plan; `media::hls::plan` has the meaning of every number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanPart {
    Video {
        cuts: Vec<PlannedCut>,
        end: u64,
        is_last: bool,
        shown: u64,
        frame: u32,
        back: u64,
    },
    /// Samples at 48 kHz up to the film's end.
    Audio {
        end: u64,
    },
}

/// Start, frame, and the source's key frames around it, in ticks of 1/90000 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCut {
    pub start: u64,
    pub key: u64,
    pub before: u64,
    pub after: u64,
    pub on_key: bool,
}

impl PlanPart {
    /// More cuts than this do not fit into a frame with certainty.
    pub const MOST_CUTS: usize = 300;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Result: a verdict on each file from its headers alone, see [`crate::look`].
    Glance { files: Vec<FileRef> },
    /// Result: ffprobe's JSON (format, streams, chapters), as untrusted text.
    Probe { file: FileRef },
    /// Result: a key frame index in the form of `media::hls::index`, of one of the film's pictures.
    Index { file: FileRef, picture: u32 },
    /// Result: the same of key frames alone, in milliseconds; `Unsupported` where the film does not
    /// say them with certainty or cannot be copied by them. The boundaries of copied segments are
    /// those that [`Job::Index`] leads to.
    Keys { file: FileRef },
    /// Result: nothing. What makes segments of this track ahead of anybody's asking stops at once.
    Rest { file: FileRef, track: Track },
    /// Result: nothing, at once. Segments of this track are made from here on, for somebody who is
    /// about to ask; where a run of it is on its way already, that one goes on undisturbed.
    Begin { file: FileRef, track: Track, wanted: Wanted },
    /// Result: one JPEG, at most `width` pixels wide: the cover that comes with the film, else the
    /// liveliest of the frames near these moments, at most five. The first one is the one that is
    /// wished for. `picture_track`: which of the file's picture streams the film is.
    Poster { file: FileRef, picture_track: u32, moments_ms: Vec<u64>, width: u32 },
    /// Result: tracks of text as WebVTT, see [`crate::subtitle`]. A film's subtitles are counted
    /// from 0; pictures of words count too, but cannot be asked for.
    Subtitles { file: FileRef, tracks: Vec<TextTrack> },
    /// Result: one JPEG of the key frames at these moments (milliseconds, at most 25), each
    /// `tile_width` × `tile_height` pixels, five in a row; black where a place cannot be read.
    Sheet { file: FileRef, picture_track: u32, times_ms: Vec<u64>, tile_width: u32, tile_height: u32 },
    /// Result: a subtitle file that lies beside a film, as WebVTT. `frame_rate`: frames of the film in
    /// a thousand seconds, for files that count in frames.
    SubtitleFile { file: FileRef, frame_rate_millihertz: Option<u32> },
    /// Result: what a film of the worker's own costs as these pictures, see [`crate::measure`].
    /// `read`: a large file, of which a part is read for the speed of its disk. `chip`: whether the
    /// graphics chip is tested too.
    Calibrate { rungs: Vec<Rung>, read: Option<FileRef>, chip: bool },
}

impl FileRef {
    /// The same file, whatever its version.
    #[must_use]
    pub fn of_any_time(&self) -> Self {
        Self { mtime_ns: None, ..self.clone() }
    }
}

impl RequestBody {
    /// The one file that a program parses for this request. Ranges are sent without a look at them.
    pub fn parsed_file(&self) -> Option<&FileRef> {
        match self {
            Self::Init { file, .. } | Self::Segment { file, .. } => Some(file),
            Self::Job { job, .. } => job.file(),
            Self::Range { .. } => None,
        }
    }

    /// Returns the mounts without which this request says nothing about its files.
    pub fn mounts(&self) -> Vec<&str> {
        match self {
            Self::Range { file, .. } | Self::Init { file, .. } | Self::Segment { file, .. } => vec![&file.mount],
            Self::Job { job, .. } => job.mounts(),
        }
    }
}

impl Job {
    /// Returns the mounts without which this job says nothing about its files.
    pub fn mounts(&self) -> Vec<&str> {
        match self {
            Self::Glance { files } => {
                let mut mounts: Vec<&str> = files.iter().map(|file| file.mount.as_str()).collect();
                mounts.dedup();
                mounts
            }
            _ => self.file().map(|file| file.mount.as_str()).into_iter().collect(),
        }
    }

    pub fn file(&self) -> Option<&FileRef> {
        match self {
            // A film of its own is all that programs see for a calibration.
            Self::Glance { .. } | Self::Calibrate { .. } => None,
            Self::Probe { file }
            | Self::Index { file, .. }
            | Self::Keys { file }
            | Self::Rest { file, .. }
            | Self::Begin { file, .. }
            | Self::Poster { file, .. }
            | Self::Subtitles { file, .. }
            | Self::Sheet { file, .. }
            | Self::SubtitleFile { file, .. } => Some(file),
        }
    }
}

/// How a request ended. Anything but `Ok` has no bytes behind it, except `Failed`, whose bytes
/// are a short text for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    /// The file is not the one the gateway's database describes.
    Changed = 2,
    /// Not media, or media that is refused.
    Unsupported = 3,
    /// A limit of time, memory or size was hit.
    Limit = 4,
    /// Reading failed.
    Io = 5,
    /// The request itself was refused: bad path, unknown mount, not a regular file.
    Refused = 6,
    /// The job's program failed; the bytes say why.
    Failed = 7,
}

impl Status {
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Ok,
            1 => Self::NotFound,
            2 => Self::Changed,
            3 => Self::Unsupported,
            4 => Self::Limit,
            5 => Self::Io,
            6 => Self::Refused,
            7 => Self::Failed,
            _ => return None,
        })
    }
}

/// What a worker writes before the bytes: 24 bytes, little-endian.
/// `LOGA` magic, `u64` request id, `u8` status, three zero bytes, `u64` length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerHead {
    pub id: u64,
    pub status: Status,
    pub length: u64,
}

impl AnswerHead {
    pub const BYTES: usize = 24;
    const MAGIC: [u8; 4] = *b"LOGA";

    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..4].copy_from_slice(&Self::MAGIC);
        out[4..12].copy_from_slice(&self.id.to_le_bytes());
        out[12] = self.status as u8;
        out[16..].copy_from_slice(&self.length.to_le_bytes());
        out
    }

    /// `None` for anything that is not exactly an answer head.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        if bytes[..4] != Self::MAGIC || bytes[13..16] != [0; 3] {
            return None;
        }
        Some(Self {
            id: u64::from_le_bytes(bytes[4..12].try_into().ok()?),
            status: Status::from_byte(bytes[12])?,
            length: u64::from_le_bytes(bytes[16..].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_heads_survive_and_garbage_does_not() {
        let head = AnswerHead { id: 42, status: Status::Changed, length: u64::MAX };
        assert_eq!(AnswerHead::from_bytes(&head.to_bytes()), Some(head));
        for at in [0, 12, 13] {
            let mut bytes = head.to_bytes();
            bytes[at] = 0xff;
            assert_eq!(AnswerHead::from_bytes(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn the_largest_window_fits_into_a_frame() {
        const HOURS: u64 = 90_000 * 360_000;
        let cut = PlannedCut { start: HOURS, key: HOURS, before: HOURS, after: HOURS, on_key: true };
        let cuts = vec![cut; PlanPart::MOST_CUTS];
        let plan = PlanPart::Video { cuts, end: HOURS, is_last: false, shown: HOURS, frame: 90_000, back: HOURS };
        let file =
            FileRef { mount: "m".repeat(32), path: vec![b'p'; 4096], size: Some(u64::MAX), mtime_ns: Some(i64::MIN) };
        let encoder = Encoder::Chip { driver: VaDriver::Ihd, decodes: true };
        let rung = Rung { height: 1080, kbps: 9000, unhurried: true, tone_map: true, encoder };
        let track = Track::VideoEncode { picture: 0, rung };
        let wanted = Wanted { number: u32::MAX, ahead: 99, plan };
        let body = RequestBody::Segment { file, track, wanted, max_bytes: u32::MAX };
        let request = Request { id: u64::MAX, body };
        let bytes = crate::frame::encode(&request).unwrap();
        assert_eq!(crate::frame::decode::<Request>(&bytes[4..]), Ok(request));
    }
}
