//! What goes out, where more than one call says it. Ids, times and sizes; never a path unless
//! the reader is the owner.

use base::UnixMs;
use domain::{
    Role,
    facts::{AudioFacts, Chapter, FileFacts},
    language,
    playback::Reason,
};
use serde::Serialize;
use store::{Progress, Subtitle, SubtitleState, TitleRow, User};
use utoipa::ToSchema;

/// RFC 3339 in UTC.
pub fn at(time: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

pub fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Every list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Ask again with `cursor` set to this for what comes next.
    pub next_cursor: Option<String>,
    /// How many there are in all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> List<T> {
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None, total: None }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UserBrief {
    pub id: String,
    pub username: String,
    /// `admin` or `viewer`.
    pub role: String,
}

impl From<&User> for UserBrief {
    fn from(user: &User) -> Self {
        Self { id: user.id.to_string(), username: user.username.clone(), role: role(user.role) }
    }
}

pub fn role(role: Role) -> String {
    role.as_str().into()
}

/// The answer to every way of signing in. The refresh token is in a cookie.
#[derive(Debug, Serialize, ToSchema)]
pub struct Login {
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
    pub user: UserBrief,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProgressView {
    pub position_s: f64,
    pub finished: bool,
}

impl From<&Progress> for ProgressView {
    fn from(progress: &Progress) -> Self {
        Self { position_s: seconds(progress.position_ms), finished: progress.finished }
    }
}

/// One title in a grid.
#[derive(Debug, Serialize, ToSchema)]
pub struct TitleCard {
    pub id: String,
    pub library_id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    pub duration_s: f64,
    /// As it is seen, in square pixels.
    pub width: u32,
    pub height: u32,
    pub container: String,
    pub video_codec: Option<String>,
    pub audio_codec: Option<String>,
    pub size_bytes: u64,
    /// `direct`, `remux`, `needs_preparing`, `broken` or `unknown`.
    pub playability: String,
    pub added_at: String,
    pub poster_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    pub missing: bool,
}

impl From<&TitleRow> for TitleCard {
    fn from(row: &TitleRow) -> Self {
        Self {
            id: row.id.to_string(),
            library_id: row.library.to_string(),
            name: row.name.clone(),
            year: row.year,
            duration_s: seconds(row.best.duration_ms),
            width: row.best.width,
            height: row.best.height,
            container: row.best.container.clone(),
            video_codec: row.best.video_codec.clone(),
            audio_codec: row.best.audio_codec.clone(),
            size_bytes: row.best.size_bytes,
            playability: row.best.playability.as_str().into(),
            added_at: at(row.added_at),
            poster_url: poster_url(row),
            progress: row.progress.as_ref().map(Into::into),
            missing: row.missing,
        }
    }
}

pub fn poster_url(row: &TitleRow) -> Option<String> {
    row.poster.as_ref().map(|hash| format!("/api/v1/titles/{}/poster?v={hash}", row.id))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AudioTrack {
    pub index: usize,
    pub codec: String,
    pub channels: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For people: "Deutsch · 5.1".
    pub label: String,
    /// Marked so in the film.
    pub default: bool,
    /// What plays, or would.
    pub selected: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SubtitleTrack {
    /// Names it; not its place in this list.
    pub index: u32,
    pub codec: String,
    /// A language tag (BCP 47): `de`, `pt-BR`, `zh-Hans`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// For people: "Deutsch (forced)". No two in a list are the same.
    pub label: String,
    pub forced: bool,
    /// Shown unless somebody chooses otherwise.
    pub default: bool,
    /// WebVTT. Nothing outside a play, and for what cannot be shown.
    pub url: Option<String>,
    /// Why it cannot be shown.
    pub note: Option<String>,
}

/// `selected`: the number of the track that plays.
pub fn audio_tracks(facts: Option<&FileFacts>, selected: usize) -> Vec<AudioTrack> {
    facts
        .map(|f| {
            f.audio
                .iter()
                .enumerate()
                .map(|(index, a)| AudioTrack {
                    index,
                    codec: a.codec.clone(),
                    channels: a.channels,
                    language: a.language.clone(),
                    title: a.title.clone(),
                    label: audio_label(index, a),
                    default: a.default,
                    selected: index == selected,
                })
                .collect()
        })
        .unwrap_or_default()
}

fn audio_label(index: usize, audio: &AudioFacts) -> String {
    let channels = match audio.channels {
        1 => "mono".into(),
        2 => "stereo".into(),
        6 => "5.1".into(),
        8 => "7.1".into(),
        n => format!("{n} channels"),
    };
    let name = language::label(audio.language.as_deref(), audio.title.as_deref(), false, index);
    format!("{name} · {channels}")
}

/// A named part of a film.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChapterView {
    pub start_s: f64,
    pub end_s: f64,
    /// Its number where the film does not name it.
    pub title: Option<String>,
}

pub fn chapters(facts: &FileFacts) -> Vec<ChapterView> {
    let view = |(number, chapter): (usize, &Chapter)| ChapterView {
        start_s: seconds(chapter.start_ms),
        end_s: seconds(chapter.end_ms),
        title: Some(chapter.title.clone().unwrap_or_else(|| format!("Chapter {number}"))),
    };
    (1..).zip(&facts.chapters).map(view).collect()
}

/// `shown`: the place in the list of what is shown by itself; `address`: where a number is found.
pub fn subtitle_tracks(
    list: &[Subtitle],
    shown: Option<usize>,
    address: impl Fn(u32) -> Option<String>,
) -> Vec<SubtitleTrack> {
    let offered: Vec<_> = list.iter().map(crate::subtitles::offered).collect();
    let labels = domain::subtitles::labels(&offered);
    let view = |(at, one): (usize, &Subtitle)| SubtitleTrack {
        index: one.number,
        codec: one.codec.clone(),
        language: one.language.as_deref().map(|code| language::tag(code).unwrap_or_else(|| code.to_owned())),
        label: labels[at].clone(),
        forced: one.forced,
        default: shown == Some(at),
        url: if one.can_be_shown() { address(one.number) } else { None },
        note: match one.state {
            SubtitleState::Picture => Some("These are pictures of words, which browsers do not show.".into()),
            SubtitleState::Failed => Some("This subtitle could not be read.".into()),
            SubtitleState::Ready | SubtitleState::Waiting => None,
        },
    };
    list.iter().enumerate().map(view).collect()
}

/// One line of the receipt.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonView {
    pub code: String,
    pub text: String,
}

impl From<Reason> for ReasonView {
    fn from(reason: Reason) -> Self {
        Self { code: reason.as_str().into(), text: sentence(reason).into() }
    }
}

pub const fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::PlaysAsIs => "Your browser plays this file as it is.",
        Reason::ContainerNotPlayable => "Your browser does not open this kind of file.",
        Reason::VideoCodecNotPlayable => "Your browser does not show this kind of picture.",
        Reason::AudioCodecNotPlayable => "Your browser does not play this kind of sound.",
        Reason::TenBitNotPlayable => "Browsers do not show 10-bit H.264 properly.",
        Reason::NoVideo => "There is no picture in this file.",
        Reason::FileDefect => "The file is damaged or is not a film.",
        Reason::NotProbedYet => "This file has not been scanned yet.",
        Reason::PictureCopied => "The picture is sent as it is, in wrapping your browser takes.",
        Reason::SoundEncoded => "The sound is turned into AAC while you watch.",
        Reason::OtherSoundTrack => "You chose another sound track.",
        Reason::SoundNotFirst => "Your browser would play another sound track of this file.",
        Reason::PictureNotFirst => "Your browser would show another picture of this file.",
        Reason::Interlaced => "The picture is interlaced, which browsers show as combs.",
        Reason::TracksCompressed => "The tracks of this file are compressed in a way that browsers do not undo.",
        Reason::ClockNotFromZero => {
            "The clock of this file does not begin at zero, so your browser would show wrong times."
        }
        Reason::LengthNotInHeader => "This file does not say how long it is, so your browser could not seek in it.",
        Reason::SoundBeginsLate => {
            "The sound of this file begins behind the picture, and your browser would jump to it."
        }
        Reason::CodecNameNotPlayable => "Some browsers know this kind of picture only by another name.",
        Reason::SamplingNotPlayable => "Browsers do not show a picture whose colours are stored like this.",
        Reason::DolbyVision => {
            "The colours of this picture are Dolby Vision of a kind that neither browsers nor this server show as meant. A \
             player for the television may, or another copy of the film."
        }
        Reason::OpenGroups => "Its pictures depend on earlier ones in a way that browsers fail on after a seek.",
        Reason::KeyframesTooSparse => "Its key frames are too far apart to send it in parts.",
        Reason::PreparedVersion => "A version made ahead of time is played.",
        Reason::EncodedLive => "The picture is encoded for you while you watch.",
        Reason::EncodedByChip => "The picture is encoded for you by the graphics chip while you watch.",
        Reason::SmallerIsEnough => "A smaller picture suits your screen or your connection.",
        Reason::NoH264 => {
            "What the house could make of it is H.264, which this browser does not take. On Linux, Firefox takes it when \
             the libraries of ffmpeg (libavcodec) are installed."
        }
        Reason::FailedBefore => "It was tried in the simplest way first, and that failed.",
        Reason::QualityNotThere => "The quality you chose does not exist for this film.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(at(UnixMs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(at(UnixMs(1_795_000_000_123)), "2026-11-18T11:06:40.123Z");
    }
}
