//! How a title reaches a screen: the decision, and nothing but the decision.
//!
//! The order is direct → remux → rendition → transcode → refused: what costs the machine least
//! comes first, and nothing is encoded live that was not offered by admission.

mod obstacles;
mod reason;
mod sound;

pub use reason::Reason;
pub use sound::{default_audio, heard_in};

use crate::{
    facts::{Container, Defect, DolbyVision, FileFacts},
    rendition::SMALLEST_LINES,
};
use obstacles::{as_it_is, in_segments, listed};
use sound::chosen_audio;

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

/// What one browser says it can decode. `None` fields are unknown and fall back to what every
/// current browser plays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Containers playable through `<video src>`.
    pub containers: Option<Vec<Container>>,
    /// Codec names as in [`crate::facts`], in a plain file.
    pub video_codecs: Option<Vec<String>>,
    pub audio_codecs: Option<Vec<String>>,
    /// Codec names that may arrive in segments.
    pub mse_video_codecs: Option<Vec<String>>,
    /// Codecs that are smooth in 10 bit too. Nobody is believed about H.264 who does not say so.
    pub ten_bit: Option<Vec<String>>,
    /// It goes on after a seek into H.264 whose groups are open. Chromium does not.
    pub open_groups: bool,
    /// A media player rather than a browser: it takes unusual tracks and names, and undoes fields.
    pub full_player: bool,
    /// Lines of the largest picture that makes sense there.
    pub max_height: Option<u32>,
    /// What the way to the browser carries.
    pub downlink_kbps: Option<u32>,
}

/// What the viewer chose; defaults where they chose nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    pub quality: Quality,
    /// Number of the sound track; `None` is the film's own default.
    pub audio_track: Option<usize>,
    /// Ways that were tried and have failed.
    pub failed: FailedMethods,
}

/// Ways to play that have failed on this very file: the browser made no picture of them, or no
/// segments could be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailedMethods {
    pub direct: bool,
    pub remux: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quality {
    #[default]
    Auto,
    Original,
    /// A picture of this many lines.
    Lines(u32),
    /// The house chooses, and no picture of more lines than these: all that admission has left.
    AtMost(u32),
}

impl Quality {
    /// `auto`, `original`, `720p`…
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "original" => Some(Self::Original),
            _ => {
                let lines: u32 = text.strip_suffix('p')?.parse().ok()?;
                (SMALLEST_LINES..=4320).contains(&lines).then_some(Self::Lines(lines))
            }
        }
    }
}

/// A file and what else there is of it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// `None` while it waits for its probe.
    pub facts: Option<&'a FileFacts>,
    pub defect: Option<Defect>,
    /// Whether its picture can be cut into segments as it is; `None` while nobody has looked.
    pub copy: Option<CopyVerdict>,
    /// Whether the sound that plays is known to begin behind the picture. Chromium begins a Matroska
    /// film where its sound does.
    pub sound_begins_late: bool,
    /// Lines of the versions that were made ahead of time.
    pub renditions: &'a [u32],
    /// Lines that may be encoded live at this moment.
    pub live: &'a [u32],
}

/// What the key frames of a file say about copying its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyVerdict {
    Possible,
    OpenGroups,
    TooSparse,
}

/// The answer to "may this be played, and how?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// `lines`: of the version or of the live encode; `None` is the original picture.
    Play {
        method: Method,
        lines: Option<u32>,
        reasons: Vec<Reason>,
    },
    Refuse {
        reasons: Vec<Reason>,
    },
}

/// The verdict a library shows before anyone presses play, for an ordinary current browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Playability {
    /// Any current browser plays it as it is.
    Direct,
    /// Any current browser plays it in other wrapping, which is made while it plays.
    Remux,
    /// It has to be prepared first.
    NeedsPreparing,
    /// It had to be prepared, and was.
    Prepared,
    /// The file is damaged or no film.
    Broken,
    /// Nobody has looked inside yet.
    Unknown,
}

impl Playability {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Remux => "remux",
            Self::NeedsPreparing => "needs_preparing",
            Self::Prepared => "prepared",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::Remux, Self::NeedsPreparing, Self::Prepared, Self::Broken, Self::Unknown]
            .into_iter()
            .find(|p| p.as_str() == text)
    }
}

const COMMON_CONTAINERS: [Container; 4] = [Container::Mp4, Container::M4v, Container::Mov, Container::Webm];
const COMMON_VIDEO: [&str; 4] = ["h264", "vp8", "vp9", "av1"];
const COMMON_AUDIO: [&str; 5] = ["aac", "mp3", "opus", "vorbis", "flac"];
/// In segments, which are MP4 whatever the file was.
const COMMON_MSE_VIDEO: [&str; 3] = ["h264", "vp9", "av1"];

/// Whether it is worth looking for open groups before a file is played as it is: where they would
/// be told from its tables alone, without reading it from end to end.
pub fn may_hide_open_groups(facts: &FileFacts, capabilities: &Capabilities) -> bool {
    let is_h264 = facts.video.as_ref().is_some_and(|video| video.codec == "h264");
    let has_tables = matches!(facts.container, Container::Mp4 | Container::M4v | Container::Mov);
    is_h264 && has_tables && !capabilities.open_groups
}

/// The codec of everything that is made.
const MADE: &str = "h264";

/// Decides for one file and one browser.
pub fn decide(file: &Candidate<'_>, capabilities: &Capabilities, wish: Wish) -> Decision {
    if file.defect.is_some() {
        return Decision::Refuse { reasons: vec![Reason::FileDefect] };
    }
    let Some(facts) = file.facts else {
        return Decision::Refuse { reasons: vec![Reason::NotProbedYet] };
    };
    let Some(video) = &facts.video else {
        return Decision::Refuse { reasons: vec![Reason::NoVideo] };
    };
    // Not even what is made of it has true colours.
    if video.dolby_vision.is_some_and(DolbyVision::needs_its_own_decoder) && !capabilities.full_player {
        return Decision::Refuse { reasons: vec![Reason::DolbyVision] };
    }
    // Whatever is made of it, ahead of time or live, is H.264 in segments.
    let takes_made = listed(&capabilities.mse_video_codecs, &COMMON_MSE_VIDEO, MADE);
    let bare = Candidate { renditions: &[], live: &[], ..*file };
    let file = if takes_made { file } else { &bare };
    let mut notes = Vec::new();
    if let Some((lines, method)) = smaller(file, video.height, facts.bitrate, capabilities, wish, &mut notes) {
        notes.push(if method == Method::Rendition { Reason::PreparedVersion } else { Reason::EncodedLive });
        return Decision::Play { method, lines: Some(lines), reasons: notes };
    }
    let mut against = as_it_is(file, facts, video, capabilities, wish);
    against.extend(wish.failed.direct.then_some(Reason::FailedBefore));
    if against.is_empty() {
        notes.push(Reason::PlaysAsIs);
        return Decision::Play { method: Method::Direct, lines: None, reasons: notes };
    }
    let mut in_segments = in_segments(file, video, capabilities);
    in_segments.extend(wish.failed.remux.then_some(Reason::FailedBefore));
    if in_segments.is_empty() {
        notes.append(&mut against);
        notes.push(Reason::PictureCopied);
        if chosen_audio(facts, wish).is_some_and(|audio| !audio.fits_segments()) {
            notes.push(Reason::SoundEncoded);
        }
        return Decision::Play { method: Method::Remux, lines: None, reasons: notes };
    }
    for reason in in_segments {
        if !against.contains(&reason) {
            against.push(reason);
        }
    }
    let largest = |lines: &[u32]| lines.iter().copied().max();
    let (method, lines, how) = match (largest(file.renditions), largest(file.live)) {
        (Some(lines), _) => (Method::Rendition, lines, Reason::PreparedVersion),
        (None, Some(lines)) => (Method::Transcode, lines, Reason::EncodedLive),
        (None, None) => {
            against.extend((!takes_made).then_some(Reason::NoH264));
            return Decision::Refuse { reasons: against };
        }
    };
    notes.append(&mut against);
    notes.push(how);
    Decision::Play { method, lines: Some(lines), reasons: notes }
}

/// A smaller picture, where one was asked for or is all that makes sense, and one is there.
fn smaller(
    file: &Candidate<'_>,
    height: u32,
    bitrate: Option<u64>,
    capabilities: &Capabilities,
    wish: Wish,
    notes: &mut Vec<Reason>,
) -> Option<(u32, Method)> {
    match wish.quality {
        Quality::Original => None,
        Quality::Lines(lines) | Quality::AtMost(lines) if lines >= height => None,
        Quality::Lines(lines) | Quality::AtMost(lines) => {
            if file.renditions.contains(&lines) {
                return Some((lines, Method::Rendition));
            }
            if file.live.contains(&lines) {
                return Some((lines, Method::Transcode));
            }
            notes.push(Reason::QualityNotThere);
            None
        }
        Quality::Auto => {
            let too_tall = is_too_tall(height, capabilities);
            let too_fat = capabilities.downlink_kbps.zip(bitrate).is_some_and(|(down, bits)| {
                // A margin of a third: connections are rarely as good as they say.
                bits / 1000 * 4 > u64::from(down) * 3
            });
            if !(too_tall || too_fat) {
                return None;
            }
            // Only what costs nothing to serve: nobody asked for an encode.
            let fits = |lines: &&u32| !too_tall || capabilities.max_height.is_none_or(|most| **lines <= most);
            let lines = file.renditions.iter().filter(fits).copied().max()?;
            notes.push(Reason::SmallerIsEnough);
            Some((lines, Method::Rendition))
        }
    }
}

/// A picture that is a little too tall is not worth another one.
fn is_too_tall(height: u32, capabilities: &Capabilities) -> bool {
    capabilities.max_height.is_some_and(|most| height > most.saturating_add(most / 4))
}

/// The pictures a player may change between by itself while a film plays in segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ladder {
    pub original: bool,
    /// Of versions and of the admitted live encode, tallest first.
    pub lines: Vec<u32>,
}

impl Ladder {
    /// `None` is the original.
    pub fn holds(&self, lines: Option<u32>) -> bool {
        lines.map_or(self.original, |lines| self.lines.contains(&lines))
    }
}

/// The ladder of a play that was decided: only what was chosen for those who chose, else
/// everything that costs nobody an encode. `chosen` is what [`decide`] said.
pub fn ladder(
    file: &Candidate<'_>,
    capabilities: &Capabilities,
    wish: Wish,
    method: Method,
    chosen: Option<u32>,
) -> Ladder {
    let Some(video) = file.facts.and_then(|facts| facts.video.as_ref()).filter(|_| method != Method::Direct) else {
        return Ladder::default();
    };
    let too_tall = is_too_tall(video.height, capabilities);
    let may = |lines: &u32| match wish.quality {
        Quality::Auto => !too_tall || capabilities.max_height.is_none_or(|most| *lines <= most),
        Quality::AtMost(most) => *lines <= most,
        Quality::Original | Quality::Lines(_) => false,
    };
    let made: &[u32] = match listed(&capabilities.mse_video_codecs, &COMMON_MSE_VIDEO, MADE) {
        true => file.renditions,
        false => &[],
    };
    let copied = file.copy == Some(CopyVerdict::Possible) && in_segments(file, video, capabilities).is_empty();
    let original = match wish.quality {
        Quality::Auto => copied && !too_tall && !wish.failed.remux,
        _ => false,
    };
    let mut lines: Vec<u32> = made.iter().copied().filter(may).chain(chosen).collect();
    lines.sort_unstable_by(|a, b| b.cmp(a));
    lines.dedup();
    Ladder { original: original || chosen.is_none(), lines }
}

/// The verdict for lists and filters, for an ordinary browser and a file nobody has indexed.
pub fn playability(facts: Option<&FileFacts>, defect: Option<Defect>) -> Playability {
    if defect.is_some() {
        return Playability::Broken;
    }
    let file = Candidate { facts, defect, copy: None, sound_begins_late: false, renditions: &[], live: &[] };
    match (facts, decide(&file, &Capabilities::default(), Wish::default())) {
        (None, _) => Playability::Unknown,
        (_, Decision::Play { method: Method::Direct, .. }) => Playability::Direct,
        (_, Decision::Play { .. }) => Playability::Remux,
        (Some(f), Decision::Refuse { .. }) if f.video.is_none() => Playability::Broken,
        (Some(_), Decision::Refuse { .. }) => Playability::NeedsPreparing,
    }
}

#[cfg(test)]
mod tests;
