//! ASS and SSA: a table of lines, with instructions in braces. The words are kept, with slanted,
//! bold and underlined, and where they stand; drawings are left out.

use super::{
    Cue, Cues, MAX_CUE_CHARS, NoSubtitle,
    place::{Canvas, Corner, point, settings},
    time_ms,
    words::push,
};
use std::collections::HashMap;

/// More styles than any typesetter makes are an attack.
const MAX_STYLES: usize = 2_000;

pub fn is_ass(text: &str) -> bool {
    let head = text.trim_start();
    head.starts_with("[Script Info]") || text.lines().take(4_000).any(|line| line.trim() == "[Events]")
}

pub fn cues(text: &str) -> Result<Vec<Cue>, NoSubtitle> {
    let mut out = Cues::default();
    let mut columns = Columns::usual();
    let mut styles = Styles::default();
    let mut canvas = Canvas { width: None, height: None };
    for line in text.lines() {
        if line.starts_with('[') {
            styles.old = line.trim().eq_ignore_ascii_case("[V4 Styles]");
        } else if let Some(names) = line.strip_prefix("Format:") {
            // Styles have a format too; theirs has no times.
            columns = Columns::read(names).unwrap_or(columns);
            styles.read_format(names);
        } else if let Some(row) = line.strip_prefix("Style:") {
            styles.add(row);
        } else if let Some(side) = line.strip_prefix("PlayResX:") {
            canvas.width = Canvas::side(side);
        } else if let Some(side) = line.strip_prefix("PlayResY:") {
            canvas.height = Canvas::side(side);
        } else if let Some(row) = line.strip_prefix("Dialogue:")
            && let Some(cue) = columns.cue(row, &styles, canvas)
        {
            out.add(cue)?;
        }
    }
    Ok(out.0)
}

/// The columns that a format names.
fn columns_of(names: &str) -> Vec<&str> {
    names.split(',').take(30).map(str::trim).collect()
}

fn place_of(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|n| n.eq_ignore_ascii_case(name))
}

/// Where the lines of each style stand.
#[derive(Default)]
struct Styles<'a> {
    corners: HashMap<&'a str, Corner>,
    /// Columns of a style's name and of its place.
    columns: Option<(usize, usize)>,
    /// In SSA the numbers of places are others.
    old: bool,
}

impl<'a> Styles<'a> {
    fn read_format(&mut self, names: &str) {
        let names = columns_of(names);
        self.columns = place_of(&names, "Name").zip(place_of(&names, "Alignment")).or(self.columns);
    }

    fn add(&mut self, row: &'a str) {
        let Some((name, place)) = self.columns.filter(|_| self.corners.len() < MAX_STYLES) else { return };
        let fields: Vec<&str> = row.split(',').take(30).collect();
        let Some((name, place)) = fields.get(name).copied().zip(fields.get(place).copied()) else { return };
        let corner = if self.old { Corner::of_ssa(place) } else { Corner::of_pad(place) };
        if let Some(corner) = corner {
            self.corners.insert(plain_name(name), corner);
        }
    }

    fn corner(&self, name: &str) -> Corner {
        self.corners.get(plain_name(name)).copied().unwrap_or(Corner::USUAL)
    }
}

/// Some editors put a star before a name.
fn plain_name(name: &str) -> &str {
    name.trim().trim_start_matches('*')
}

struct Columns {
    start: usize,
    end: usize,
    style: Option<usize>,
    /// Always the last one: it may have commas.
    text: usize,
}

impl Columns {
    const fn usual() -> Self {
        Self { start: 1, end: 2, style: Some(3), text: 9 }
    }

    fn read(names: &str) -> Option<Self> {
        let names = columns_of(names);
        let at = |name: &str| place_of(&names, name);
        let (start, end, text) = (at("Start")?, at("End")?, at("Text")?);
        (text + 1 == names.len()).then_some(Self { start, end, style: at("Style"), text })
    }

    fn cue(&self, row: &str, styles: &Styles<'_>, canvas: Canvas) -> Option<Cue> {
        let fields: Vec<&str> = row.splitn(self.text + 1, ',').collect();
        let (start_ms, end_ms) = (time_ms(fields.get(self.start)?)?, time_ms(fields.get(self.end)?)?);
        let said = spoken(fields.get(self.text)?);
        let style = self.style.and_then(|at| fields.get(at)).map_or(Corner::USUAL, |name| styles.corner(name));
        let settings = settings(said.corner.unwrap_or(style), said.at, canvas, said.lines.len());
        Some(Cue { start_ms, end_ms, settings, text: said.lines.join("\n") })
    }
}

/// The words of a line, and what it says of its place.
fn spoken(text: &str) -> Said {
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
    said
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    line: String,
    /// Slanted, bold, underlined.
    on: [bool; 3],
    drawing: bool,
    /// The first of each counts.
    corner: Option<Corner>,
    at: Option<(f32, f32)>,
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
                    } else {
                        self.place(other);
                    }
                }
            }
        }
    }

    fn place(&mut self, text: &str) {
        let inside = |name: &str| text.strip_prefix(name)?.strip_suffix(')');
        if let Some(number) = text.strip_prefix("an") {
            self.corner = self.corner.or(Corner::of_pad(number));
        } else if let Some(number) = text.strip_prefix('a') {
            self.corner = self.corner.or(Corner::of_ssa(number));
        } else if let Some(numbers) = inside("pos(").or_else(|| inside("move(")) {
            self.at = self.at.or(point(numbers));
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
