//! ASS and SSA: a table of lines, with instructions in braces. The words are kept, with slanted,
//! bold and underlined, and where they stand; drawings are left out.

use super::{
    Cue, MAX_CUE_CHARS,
    painting::{Line, is_drawing},
    place::{Canvas, Corner, point, settings},
    times::{span, time_ms},
    words::push,
};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// More styles than any typesetter makes are an attack.
const MAX_STYLES: usize = 2_000;

pub fn is_ass(text: &str) -> bool {
    let head = text.trim_start();
    head.starts_with("[Script Info]") || text.lines().take(4_000).any(|line| line.trim() == "[Events]")
}

pub fn lines(text: &str) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut columns = Columns::usual();
    let mut styles = Styles::default();
    let mut canvas = Canvas { width: None, height: None };
    for line in text.lines().map(str::trim_start) {
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
            && let Some(line) = columns.line(row, &styles, canvas)
        {
            out.push(line);
        }
    }
    out
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
    effect: Option<usize>,
    /// Always the last one: it may have commas.
    text: usize,
}

impl Columns {
    const fn usual() -> Self {
        Self { start: 1, end: 2, style: Some(3), effect: Some(8), text: 9 }
    }

    fn read(names: &str) -> Option<Self> {
        let names = columns_of(names);
        let at = |name: &str| place_of(&names, name);
        let (start, end, text) = (at("Start")?, at("End")?, at("Text")?);
        (text + 1 == names.len()).then_some(Self { start, end, style: at("Style"), effect: at("Effect"), text })
    }

    fn line(&self, row: &str, styles: &Styles<'_>, canvas: Canvas) -> Option<Line> {
        let fields: Vec<&str> = row.splitn(self.text + 1, ',').collect();
        let (start, end) = (time_ms(fields.get(self.start)?)?, time_ms(fields.get(self.end)?)?);
        let (start_ms, end_ms) = span(start, end)?;
        let said = spoken(fields.get(self.text)?);
        if said.lines.is_empty() {
            return None;
        }
        let style = self.style.and_then(|at| fields.get(at)).map_or("", |name| plain_name(name));
        let settings = settings(said.corner.unwrap_or(styles.corner(style)), said.at, canvas, said.lines.len());
        // Programs that paint sign their lines in this column.
        let is_signed =
            self.effect.and_then(|at| fields.get(at)).is_some_and(|text| text.trim().eq_ignore_ascii_case("fx"));
        let cue = Cue { start_ms, end_ms, settings, text: said.lines.join("\n") };
        let mut hasher = DefaultHasher::new();
        style.hash(&mut hasher);
        Some(Line { cue, is_painted: said.is_painted || is_signed, style: hasher.finish() })
    }
}

/// The words of a line, and what it says of its place.
fn spoken(text: &str) -> Said {
    let mut said = Said::default();
    let mut rest = text;
    let mut left = MAX_CUE_CHARS;
    // Braces behind the last one that closes are words: looking for their end again and again
    // would take the square of the line's length.
    let closing = text.rfind('}').map_or(0, |at| at + 1);
    while let Some(first) = rest.chars().next() {
        if left == 0 {
            break;
        }
        left -= 1;
        if first == '{'
            && text.len() - rest.len() < closing
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
    /// It says where it stands, how it moves or what of it is seen.
    is_painted: bool,
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
        if !bare.trim().is_empty() && !is_drawing(&bare) {
            self.lines.push(line.trim().to_owned());
        }
        for (tag, _) in TAGS.iter().zip(self.on).filter(|(_, on)| *on) {
            self.line.push_str(&format!("<{tag}>"));
        }
    }

    fn instructions(&mut self, text: &str) {
        let paints = ["\\pos(", "\\move(", "\\clip(", "\\iclip(", "\\org(", "\\t("];
        self.is_painted |= paints.iter().any(|name| text.contains(name));
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
                    // `\p1` begins a drawing and `\p0` ends it; what stands behind the number is ignored by
                    // players too. `\pos` and `\pbo` are others.
                    if let Some(scale) = other.strip_prefix('p').and_then(|rest| rest.trim().parse::<f32>().ok()) {
                        self.drawing = scale > 0.0;
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
