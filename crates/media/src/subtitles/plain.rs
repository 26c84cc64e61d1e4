//! SubRip and WebVTT: a line of two times, and words below it.

use super::{
    Cue, Cues, NoSubtitle,
    place::{self, Canvas, Corner},
    time_ms,
    words::clean,
};

pub fn cues(text: &str) -> Result<Vec<Cue>, NoSubtitle> {
    let is_webvtt = text.trim_start().starts_with("WEBVTT");
    let mut out = Cues::default();
    let mut open: Option<(u64, u64, String)> = None;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(next) = timing(line) {
            // What stands right above is the number of this cue.
            if lines.last().is_some_and(|last| is_number(last.trim())) {
                lines.pop();
            }
            close(&mut out, open.replace(next), &lines)?;
            lines.clear();
        } else if is_webvtt && line.trim().is_empty() {
            close(&mut out, open.take(), &lines)?;
            lines.clear();
        } else if open.is_some() {
            lines.push(line);
        }
    }
    close(&mut out, open, &lines)?;
    Ok(out.0)
}

fn is_number(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
}

fn close(out: &mut Cues, open: Option<(u64, u64, String)>, lines: &[&str]) -> Result<(), NoSubtitle> {
    let Some((start_ms, end_ms, mut settings)) = open else { return Ok(()) };
    let text = clean(lines);
    if settings.is_empty()
        && let Some(corner) = lines.first().and_then(|line| corner(line))
    {
        settings = place::settings(corner, None, Canvas { width: None, height: None }, text.lines().count());
    }
    out.add(Cue { start_ms, end_ms, settings, text })
}

/// `{\an8}`, which many players of SubRip understand.
fn corner(line: &str) -> Option<Corner> {
    let (_, rest) = line.split_once("{\\an")?;
    Corner::of_pad(rest.split_once('}')?.0)
}

fn timing(line: &str) -> Option<(u64, u64, String)> {
    let (start, rest) = line.split_once("-->")?;
    let mut rest = rest.split_whitespace();
    let (start, end) = (time_ms(start)?, time_ms(rest.next()?)?);
    let settings: Vec<&str> = rest.filter(|setting| is_setting(setting)).take(6).collect();
    Some((start, end, settings.join(" ")))
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
