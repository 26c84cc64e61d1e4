//! SubRip, WebVTT and SubViewer: a line of two times, and words below it.

use super::{
    Cue,
    painting::Line,
    place::{self, Canvas, Corner},
    times::{Timing, timing},
    words::clean,
};

pub fn lines(text: &str) -> Vec<Line> {
    let is_webvtt = text.trim_start().starts_with("WEBVTT");
    let mut out: Vec<Line> = Vec::new();
    let mut open: Option<Open> = None;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let next = timing(line);
        if next != Timing::None {
            // What stands right above is the number of this cue.
            if lines.last().is_some_and(|last| is_number(last.trim())) {
                lines.pop();
            }
            out.extend(close(open.take(), &lines));
            lines.clear();
            open = Open::of(next, is_webvtt);
        } else if is_webvtt && line.trim().is_empty() {
            out.extend(close(open.take(), &lines));
            lines.clear();
        } else {
            lines.push(line);
        }
    }
    out.extend(close(open, &lines));
    out
}

/// A cue whose words come next.
struct Open {
    start_ms: u64,
    end_ms: u64,
    settings: String,
    /// Words in the line of times itself.
    words: String,
}

impl Open {
    fn of(timing: Timing, is_webvtt: bool) -> Option<Self> {
        let Timing::Cue { start_ms, end_ms, rest } = timing else { return None };
        let is_word = |word: &&str| !is_webvtt && !is_setting(word) && !is_coordinate(word);
        let settings: Vec<&str> = rest.split_whitespace().filter(|word| is_setting(word)).take(6).collect();
        let words: Vec<&str> = rest.split_whitespace().filter(is_word).collect();
        // Digits alone are the rest of a time.
        let words = Some(words.join(" ")).filter(|words| words.chars().any(char::is_alphabetic)).unwrap_or_default();
        Some(Self { start_ms, end_ms, settings: settings.join(" "), words })
    }
}

fn is_number(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
}

fn close(open: Option<Open>, lines: &[&str]) -> Option<Line> {
    let Open { start_ms, end_ms, mut settings, words } = open?;
    let first = Some(words.as_str()).filter(|words| !words.is_empty());
    let lines: Vec<&str> = first.into_iter().chain(lines.iter().copied()).collect();
    let text = clean(&lines);
    if settings.is_empty()
        && let Some(corner) = lines.first().and_then(|line| corner(line))
    {
        settings = place::settings(corner, None, Canvas { width: None, height: None }, text.lines().count());
    }
    // Programs that turn ASS into SubRip leave its instructions in.
    let is_painted = lines.iter().any(|line| line.contains("{\\pos(") || line.contains("{\\move("));
    Some(Line { cue: Cue { start_ms, end_ms, settings, text }, is_painted, style: 0 })
}

/// `{\an8}`, which many players of SubRip understand.
fn corner(line: &str) -> Option<Corner> {
    let (_, rest) = line.split_once("{\\an")?;
    Corner::of_pad(rest.split_once('}')?.0)
}

/// `X1:100`, which SubRip has of the places of words on a DVD.
fn is_coordinate(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, value)| {
        ["X1", "X2", "Y1", "Y2"].contains(&name) && value.bytes().all(|b| b.is_ascii_digit())
    })
}

/// Where and how a cue stands; regions and styles are left out.
fn is_setting(text: &str) -> bool {
    let Some((name, value)) = text.split_once(':') else { return false };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"%.,-".contains(&b);
    ["line", "position", "size", "align", "vertical"].contains(&name)
        && (1..=24).contains(&value.len())
        && value.bytes().all(plain)
        && !value.contains("--")
}
