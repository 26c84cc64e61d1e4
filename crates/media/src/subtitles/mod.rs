//! Subtitles of any kind of text become WebVTT.
//!
//! The bytes come from strangers: nothing of them is kept but times, words, line breaks, and
//! slanted, bold and underlined. Everything else that could mean something to a browser is
//! escaped or left out. Reading runs in the worker; the functions are pure.

mod ass;
mod charset;
mod framed;
mod painting;
mod place;
mod plain;
#[cfg(test)]
mod tests;
mod times;
mod words;

use std::fmt::Write as _;

/// A subtitle file that is larger holds more than words.
pub const MAX_FILE_BYTES: usize = 8 << 20;
/// More of them are an attack, or an effect that no browser could show.
const MAX_CUES: usize = 30_000;
const MAX_CUE_CHARS: usize = 2_000;

/// Words, from when to when. `text` is safe to be put into WebVTT.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cue {
    start_ms: u64,
    end_ms: u64,
    /// Of WebVTT, checked: `line:5%`. Often empty.
    settings: String,
    text: String,
}

/// Why there is no WebVTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSubtitle {
    #[error("the subtitle file is larger than any text of a film")]
    TooLarge,
    #[error("the subtitle file is no text")]
    NotText,
    #[error("there is no timed line in the subtitle")]
    Empty,
}

/// Reads SubRip, WebVTT, SubViewer, ASS, SSA, MicroDVD, MPL2 or TMPlayer in any usual encoding. The
/// answer is at most `max_bytes` long. `frame_rate`: frames in a second of the film, for files
/// that count in frames.
///
/// # Errors
/// See [`NoSubtitle`].
pub fn to_webvtt(bytes: &[u8], max_bytes: usize, frame_rate: Option<f64>) -> Result<String, NoSubtitle> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(NoSubtitle::TooLarge);
    }
    let text = charset::decode(bytes).ok_or(NoSubtitle::NotText)?;
    // Every end of a line there is becomes one: of Unix, of Windows, doubled by a copy, of an old Mac.
    let text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = if ass::is_ass(&text) {
        ass::lines(&text)
    } else if let Some(kind) = framed::Kind::of(&text) {
        framed::lines(&text, kind, frame_rate)
    } else {
        plain::lines(&text)
    };
    lines.retain(|line| !line.cue.text.is_empty());
    lines.sort_by_key(|line| (line.cue.start_ms, line.cue.end_ms));
    // ASS paints a line more than once, for its shadow and its glow.
    lines.dedup_by(|a, b| a.cue == b.cue);
    let mut cues = painting::readable(lines)?;
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    if cues.is_empty() {
        return Err(NoSubtitle::Empty);
    }
    write(&cues, max_bytes)
}

fn write(cues: &[Cue], max_bytes: usize) -> Result<String, NoSubtitle> {
    let mut out = String::from("WEBVTT\n");
    for cue in cues {
        let (start, end) = (Timestamp(cue.start_ms), Timestamp(cue.end_ms));
        let space = if cue.settings.is_empty() { "" } else { " " };
        let _ = write!(out, "\n{start} --> {end}{space}{}\n{}\n", cue.settings, cue.text);
        if out.len() > max_bytes {
            return Err(NoSubtitle::TooLarge);
        }
    }
    Ok(out)
}

/// As WebVTT writes it.
pub(crate) struct Timestamp(pub(crate) u64);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0;
        write!(f, "{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}
