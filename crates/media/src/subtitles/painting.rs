//! Tells spoken lines from painted ones. Typesetters draw signs and karaoke with thousands of
//! lines that say where each letter stands in each frame; people read only what stays.

use super::{Cue, MAX_CUES, NoSubtitle};
use std::collections::HashMap;

/// A cue, and what its line says of how it is shown.
#[derive(Debug)]
pub struct Line {
    pub cue: Cue,
    /// It says where it stands, how it moves or what of it is seen.
    pub is_painted: bool,
    /// Lines of one style have one number.
    pub style: u64,
}

/// Lines that follow each other within so many milliseconds are one that moves.
const GAP_MS: u64 = 60;
/// What stays for less is no sign that could be read.
const READABLE_MS: u64 = 250;
/// More painted lines than this are a drawing made of letters, not words to read.
const MAX_PAINTED: usize = 1_500;

/// Returns what people read: every spoken line, and the painted ones that stay.
///
/// # Errors
/// [`NoSubtitle::TooLarge`] when more is spoken than in any film.
pub fn readable(lines: Vec<Line>) -> Result<Vec<Cue>, NoSubtitle> {
    let (painted, spoken): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|line| line.is_painted);
    let mut spoken =
        if spoken.len() > MAX_CUES { without_flood(spoken) } else { spoken.into_iter().map(cue).collect() };
    if spoken.len() > MAX_CUES {
        return Err(NoSubtitle::TooLarge);
    }
    let mut painted = joined(painted.into_iter().map(cue).collect());
    painted.retain(|cue| cue.end_ms - cue.start_ms >= READABLE_MS && cue.text.chars().any(char::is_alphanumeric));
    if painted.len() > MAX_PAINTED {
        painted.retain(|cue| cue.text.chars().filter(|c| c.is_alphabetic()).count() > 2);
    }
    if painted.len() <= MAX_PAINTED.min(MAX_CUES - spoken.len()) {
        spoken.append(&mut painted);
    }
    Ok(spoken)
}

fn cue(line: Line) -> Cue {
    line.cue
}

/// The same words frame after frame become one cue, at the place where they begin.
fn joined(mut cues: Vec<Cue>) -> Vec<Cue> {
    cues.sort_by(|a, b| (&a.text, a.start_ms, a.end_ms).cmp(&(&b.text, b.start_ms, b.end_ms)));
    let mut out: Vec<Cue> = Vec::new();
    for cue in cues {
        match out.last_mut() {
            Some(last) if last.text == cue.text && cue.start_ms <= last.end_ms + GAP_MS => {
                last.end_ms = last.end_ms.max(cue.end_ms);
            }
            _ => out.push(cue),
        }
    }
    out
}

/// Leaves out the styles that hold more lines than a film has words, the largest first, until the
/// rest could be a film's.
fn without_flood(lines: Vec<Line>) -> Vec<Cue> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for line in &lines {
        *counts.entry(line.style).or_default() += 1;
    }
    let mut left = lines.len();
    while left > MAX_CUES && counts.len() > 1 {
        let Some(style) = counts.iter().max_by_key(|(style, count)| (**count, **style)).map(|(style, _)| *style) else {
            break;
        };
        left -= counts.remove(&style).unwrap_or_default();
    }
    lines.into_iter().filter(|line| counts.contains_key(&line.style)).map(cue).collect()
}

/// Returns whether a line is an outline in the drawing language of ASS (`m 0 0 l 100 0 100 100`), which
/// other formats keep by mistake.
pub fn is_drawing(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let number = |word: &str| word.parse::<f32>().is_ok_and(f32::is_finite);
    let begins = words.next() == Some("m") && words.next().is_some_and(number) && words.next().is_some_and(number);
    begins && words.all(|word| number(word) || ["m", "n", "l", "b", "s", "p", "c"].contains(&word))
}
