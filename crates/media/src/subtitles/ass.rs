//! ASS and SSA: a table of lines, with instructions in braces. The words are kept, with slanted,
//! bold and underlined, and whether they stand at the top; drawings are left out.

use super::{Cue, Cues, MAX_CUE_CHARS, NoSubtitle, time_ms, words::push};

pub fn is_ass(text: &str) -> bool {
    let head = text.trim_start();
    head.starts_with("[Script Info]") || text.lines().take(4_000).any(|line| line.trim() == "[Events]")
}

pub fn cues(text: &str) -> Result<Vec<Cue>, NoSubtitle> {
    let mut out = Cues::default();
    let mut columns = Columns::usual();
    for line in text.lines() {
        if let Some(names) = line.strip_prefix("Format:") {
            // Styles have a format too; theirs has no times.
            columns = Columns::read(names).unwrap_or(columns);
        } else if let Some(row) = line.strip_prefix("Dialogue:")
            && let Some(cue) = columns.cue(row)
        {
            out.add(cue)?;
        }
    }
    Ok(out.0)
}

struct Columns {
    start: usize,
    end: usize,
    /// Always the last one: it may have commas.
    text: usize,
}

impl Columns {
    const fn usual() -> Self {
        Self { start: 1, end: 2, text: 9 }
    }

    fn read(names: &str) -> Option<Self> {
        let names: Vec<&str> = names.split(',').take(30).map(str::trim).collect();
        let at = |name: &str| names.iter().position(|n| n.eq_ignore_ascii_case(name));
        let (start, end, text) = (at("Start")?, at("End")?, at("Text")?);
        (text + 1 == names.len()).then_some(Self { start, end, text })
    }

    fn cue(&self, row: &str) -> Option<Cue> {
        let fields: Vec<&str> = row.splitn(self.text + 1, ',').collect();
        let (start_ms, end_ms) = (time_ms(fields.get(self.start)?)?, time_ms(fields.get(self.end)?)?);
        let (text, is_above) = spoken(fields.get(self.text)?);
        let settings = if is_above { "line:5%".into() } else { String::new() };
        Some(Cue { start_ms, end_ms, settings, text })
    }
}

/// The words of a line, and whether they stand at the top.
fn spoken(text: &str) -> (String, bool) {
    let mut said = Said::default();
    let mut rest = text;
    let mut room = MAX_CUE_CHARS;
    while let Some(first) = rest.chars().next() {
        if room == 0 {
            break;
        }
        room -= 1;
        if first == '{'
            && let Some(end) = rest.find('}')
        {
            said.instructions(&rest[1..end]);
            rest = &rest[end + 1..];
            continue;
        }
        let mut taken = first.len_utf8();
        if first == '\\' {
            taken += 1;
            match rest[1..].chars().next() {
                Some('N' | 'n') => said.end_line(),
                Some('h') => said.push('\u{a0}'),
                _ => {
                    taken = 1;
                    said.push(first);
                }
            }
        } else {
            said.push(first);
        }
        rest = &rest[taken..];
    }
    said.end_line();
    (said.lines.join("\n"), said.is_above)
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    line: String,
    /// Slanted, bold, underlined.
    on: [bool; 3],
    drawing: bool,
    is_above: bool,
}

const TAGS: [&str; 3] = ["i", "b", "u"];

impl Said {
    fn push(&mut self, c: char) {
        if !self.drawing {
            push(&mut self.line, c);
        }
    }

    /// A tag is closed with its line and opened again in the next, so that none is left open.
    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        for (tag, _) in TAGS.iter().zip(self.on).filter(|(_, on)| *on).rev() {
            line.push_str(&format!("</{tag}>"));
        }
        let bare =
            TAGS.iter().fold(line.clone(), |l, t| l.replace(&format!("<{t}>"), "").replace(&format!("</{t}>"), ""));
        if !bare.trim().is_empty() {
            self.lines.push(line.trim().to_owned());
        }
        for (tag, _) in TAGS.iter().zip(self.on).filter(|(_, on)| *on) {
            self.line.push_str(&format!("<{tag}>"));
        }
    }

    fn instructions(&mut self, text: &str) {
        for one in text.split('\\').skip(1) {
            match one.trim() {
                "an7" | "an8" | "an9" | "a5" | "a6" | "a7" => self.is_above = true,
                "i1" => self.turn(0, true),
                "i0" | "i" => self.turn(0, false),
                "b1" | "b700" => self.turn(1, true),
                "b0" | "b" | "b400" => self.turn(1, false),
                "u1" => self.turn(2, true),
                "u0" | "u" => self.turn(2, false),
                "r" => (0..3).for_each(|tag| self.turn(tag, false)),
                other => {
                    if let Some(scale) = other.strip_prefix('p').filter(|s| s.bytes().all(|b| b.is_ascii_digit())) {
                        self.drawing = scale.bytes().any(|b| b != b'0');
                    }
                }
            }
        }
    }

    fn turn(&mut self, tag: usize, on: bool) {
        if self.on[tag] == on {
            return;
        }
        // Tags lie inside each other: those within are closed and opened again.
        let inner: Vec<usize> = (tag + 1..3).filter(|t| self.on[*t]).collect();
        for t in inner.iter().rev() {
            self.line.push_str(&format!("</{}>", TAGS[*t]));
        }
        self.line.push_str(&format!("<{}{}>", if on { "" } else { "/" }, TAGS[tag]));
        for t in inner {
            self.line.push_str(&format!("<{}>", TAGS[t]));
        }
        self.on[tag] = on;
    }
}
