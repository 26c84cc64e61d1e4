//! Where words stand: the numbers and points of ASS become settings of a WebVTT cue. Numbers come
//! from strangers; what is written is made of our own words and of whole numbers up to 100.

use std::fmt::Write as _;

/// Lines of a picture in hundredths that one line of words takes.
const LINE: usize = 6;
/// Nothing begins further down: there would be no room for a line.
const LOWEST: usize = 90;

/// A place as a number pad has it: 1 to 3 at the bottom, 7 to 9 at the top, each from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corner(u8);

impl Corner {
    /// Where words stand that say nothing: at the bottom, in the middle.
    pub const USUAL: Self = Self(2);

    /// `8` as in `\an8`.
    pub fn of_pad(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|n| (1..=9).contains(n)).map(Self)
    }

    /// `6` as in `\a6`, the older way: 1 to 3 from left to right, 4 more at the top, 8 more in the
    /// middle of the height.
    pub fn of_ssa(text: &str) -> Option<Self> {
        let n: u8 = text.trim().parse().ok()?;
        let across = n & 3;
        let row = match n >> 2 {
            0 => 0,
            1 => 6,
            2 => 3,
            _ => return None,
        };
        (across != 0).then_some(Self(row + across))
    }
}

/// The size of the picture that points are said in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canvas {
    pub width: Option<f32>,
    pub height: Option<f32>,
}

impl Canvas {
    /// `PlayResX: 1920`: a number that could be a side of a picture.
    pub fn side(text: &str) -> Option<f32> {
        text.trim().parse().ok().filter(|n: &f32| (16.0..=32_768.0).contains(n))
    }

    /// A point in hundredths of the picture; what lies outside is moved to its edge.
    fn share(self, (x, y): (f32, f32)) -> (usize, usize) {
        // Whoever says one side means an old screen; whoever says none, the one ASS was made for.
        let (width, height) = match (self.width, self.height) {
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => (width, width * 3.0 / 4.0),
            (None, Some(height)) => (height * 4.0 / 3.0, height),
            (None, None) => (384.0, 288.0),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        let share = |n: f32, of: f32| (n * 100.0 / of).clamp(0.0, 100.0).round() as usize;
        (share(x, width), share(y, height))
    }
}

/// `100,200` as in `\pos(100,200)`; of a movement, where it begins.
pub fn point(text: &str) -> Option<(f32, f32)> {
    let mut numbers = text.split(',').map(|n| n.trim().parse::<f32>().ok().filter(|n| n.is_finite()));
    Some((numbers.next()??, numbers.next()??))
}

/// The settings of a cue of so many lines. Empty for the usual place.
pub fn settings(corner: Corner, at: Option<(f32, f32)>, canvas: Canvas, lines: usize) -> String {
    let (row, column) = ((corner.0 - 1) / 3, (corner.0 - 1) % 3);
    let mut out = String::new();
    let tall = LINE * lines.min(LOWEST / LINE);
    let (x, line) = match at.map(|point| canvas.share(point)) {
        // A cue is hung up by its upper edge.
        Some((x, y)) => {
            let up = [tall, tall / 2, 0][usize::from(row)];
            (Some(x), Some(y.saturating_sub(up).min(LOWEST)))
        }
        None => {
            let line = [None, Some(50 - tall / 2), Some(5)][usize::from(row)];
            ([Some(5), None, Some(95)][usize::from(column)], line)
        }
    };
    if let Some(line) = line {
        let _ = write!(out, "line:{line}%");
    }
    if let Some(x) = x {
        let _ = write!(out, "{}position:{x}%", if out.is_empty() { "" } else { " " });
    }
    match column {
        0 => out.push_str(" align:left"),
        2 => out.push_str(" align:right"),
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Canvas = Canvas { width: Some(1920.0), height: Some(1080.0) };

    #[test]
    fn corners() {
        for (pad, ssa, expected) in [
            ("1", "1", "position:5% align:left"),
            ("2", "2", ""),
            ("3", "3", "position:95% align:right"),
            ("4", "9", "line:44% position:5% align:left"),
            ("5", "10", "line:44%"),
            ("6", "11", "line:44% position:95% align:right"),
            ("7", "5", "line:5% position:5% align:left"),
            ("8", "6", "line:5%"),
            ("9", "7", "line:5% position:95% align:right"),
        ] {
            let corner = Corner::of_pad(pad).unwrap();
            assert_eq!(Corner::of_ssa(ssa), Some(corner), "{ssa}");
            assert_eq!(settings(corner, None, HD, 2), expected, "{pad}");
        }
        for text in ["0", "10", "-1", "", "x", "2.5"] {
            assert_eq!(Corner::of_pad(text), None, "{text}");
        }
        for text in ["0", "4", "8", "12", "255", "-1", ""] {
            assert_eq!(Corner::of_ssa(text), None, "{text}");
        }
    }

    #[test]
    fn points() {
        let at = |pad: &str, text: &str, lines| settings(Corner::of_pad(pad).unwrap(), point(text), HD, lines);
        assert_eq!(at("8", "960,108", 1), "line:10% position:50%");
        assert_eq!(at("2", "480, 540", 2), "line:38% position:25%");
        assert_eq!(at("5", "480,540", 2), "line:44% position:25%");
        assert_eq!(at("7", "0,0", 1), "line:0% position:0% align:left");
        // Outside, and by far.
        assert_eq!(at("9", "99999,1e30", 1), "line:90% position:100% align:right");
        assert_eq!(at("1", "-5,-5", 40), "line:0% position:0% align:left");
        // A movement is where it begins.
        assert_eq!(point("10,20,30,40,0,500"), Some((10.0, 20.0)));
        for text in ["", "1", "a,b", "nan,1", "inf,1", "1;2"] {
            assert_eq!(point(text), None, "{text}");
        }
        let bare = Canvas { width: None, height: None };
        assert_eq!(settings(Corner(8), Some((192.0, 144.0)), bare, 1), "line:50% position:50%");
        let wide = Canvas { width: Canvas::side("640"), height: Canvas::side("0") };
        assert_eq!(settings(Corner(8), Some((320.0, 240.0)), wide, 1), "line:50% position:50%");
    }
}
