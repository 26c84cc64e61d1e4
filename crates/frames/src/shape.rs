//! Where a film's picture ends up in ours: which way is up, how wide its pixels are, and moving
//! small pictures in planar 4:2:0 about. Pure.

use crate::film::Shot;
use media::storyboard::sheet::Size;

/// A small picture in planar 4:2:0, in the colours of JPEG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub size: Size,
    pub bytes: Vec<u8>,
}

/// How a film wants its picture to be turned, in quarters and reflections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Lines become columns.
    pub transposed: bool,
    /// What is left and right afterwards changes places.
    pub flipped_x: bool,
    pub flipped_y: bool,
}

impl Turn {
    /// From the display matrix (a b; c d): a point (x, y) goes to (ax + cy, bx + dy). Anything but
    /// quarters, give or take a degree, is left as it is.
    pub fn of([a, b, c, d]: [i32; 4]) -> Self {
        let size = |n: i32| i64::from(n).abs();
        let small = [a, b, c, d].map(size).into_iter().max().unwrap_or(0) / 57;
        if size(b) <= small && size(c) <= small {
            Self { transposed: false, flipped_x: a < 0, flipped_y: d < 0 }
        } else if size(a) <= small && size(d) <= small {
            Self { transposed: true, flipped_x: c < 0, flipped_y: b < 0 }
        } else {
            Self::default()
        }
    }

    /// The size of a picture before it is turned, from that after.
    pub const fn before(self, size: Size) -> Size {
        if self.transposed { Size { width: size.height, height: size.width } } else { size }
    }
}

/// Width by height as people see it, upright and with square pixels.
pub fn upright(shot: &Shot) -> (f64, f64) {
    let sar = if shot.sar.0 > 0 && shot.sar.1 > 0 { f64::from(shot.sar.0) / f64::from(shot.sar.1) } else { 1.0 };
    let (width, height) = (f64::from(shot.width), f64::from(shot.height));
    // Pixels are widened, never flattened: the height of a film as it is, is kept.
    if Turn::of(shot.matrix).transposed { (height / sar, width) } else { (width * sar, height) }
}

/// The largest picture of this shape that fits, in even numbers.
pub fn fit(shape: (f64, f64), into: Size) -> Size {
    let dar = shape.0 / shape.1;
    let even = |pixels: f64, most: u32| ((pixels / 2.0).floor().clamp(1.0, f64::from(most / 2)) as u32) * 2;
    let (width, height) = (f64::from(into.width), f64::from(into.height));
    Size { width: even(width.min(height * dar), into.width), height: even(height.min(width / dar), into.height) }
}

/// No poster is higher, whatever a film says of its pixels.
const MOST_HEIGHT: f64 = 2160.0;

/// A poster at most this wide, and never larger than the film.
pub fn poster(shape: (f64, f64), width: u32) -> Size {
    let own = ((shape.0 / 2.0).floor() * 2.0).max(2.0);
    let width = own.min(f64::from(width & !1)).max(2.0);
    let height = ((width * shape.1 / own / 2.0).round() * 2.0).clamp(2.0, MOST_HEIGHT);
    Size { width: width as u32, height: height as u32 }
}

/// Planes of a picture: offset, width, height.
fn planes(size: Size) -> [(usize, usize, usize); 3] {
    let (width, height) = (size.width as usize, size.height as usize);
    let (half_width, half_height) = (width / 2, height / 2);
    let (luma, chroma) = (width * height, half_width * half_height);
    [(0, width, height), (luma, half_width, half_height), (luma + chroma, half_width, half_height)]
}

impl Picture {
    /// As a film wants it seen.
    #[must_use]
    pub fn turned(self, turn: Turn) -> Self {
        if turn == Turn::default() {
            return self;
        }
        // Sizes only change places, whichever way.
        let size = turn.before(self.size);
        let mut bytes = vec![0; size.bytes()];
        for ((from, from_width, from_height), (to, width, height)) in planes(self.size).into_iter().zip(planes(size)) {
            for y in 0..height {
                let line = &mut bytes[to + y * width..to + (y + 1) * width];
                for (x, out) in line.iter_mut().enumerate() {
                    let x = if turn.flipped_x { width - 1 - x } else { x };
                    let y = if turn.flipped_y { height - 1 - y } else { y };
                    let (x, y) = if turn.transposed { (y, x) } else { (x, y) };
                    *out = self.bytes[from + y.min(from_height - 1) * from_width + x.min(from_width - 1)];
                }
            }
        }
        Self { size, bytes }
    }

    /// In the middle of a larger one, black around it. One that does not fit stays as it is.
    #[must_use]
    pub fn in_the_middle_of(self, into: Size) -> Self {
        if self.size == into || self.size.width > into.width || self.size.height > into.height {
            return self;
        }
        let mut bytes = vec![128; into.bytes()];
        bytes[..into.width as usize * into.height as usize].fill(0);
        let (left, top) = ((into.width - self.size.width) / 4 * 2, (into.height - self.size.height) / 4 * 2);
        for (n, ((from, width, height), (to, into_width, _))) in
            planes(self.size).into_iter().zip(planes(into)).enumerate()
        {
            let half = if n == 0 { 1 } else { 2 };
            let (left, top) = (left as usize / half, top as usize / half);
            for y in 0..height {
                let (source, target) = (from + y * width, to + (top + y) * into_width + left);
                bytes[target..target + width].copy_from_slice(&self.bytes[source..source + width]);
            }
        }
        Self { size: into, bytes }
    }

    /// The same in the range of films, 16 to 235: what [`media::liveliness`] judges.
    pub fn in_film_range(&self) -> Vec<u8> {
        let luma = self.size.width as usize * self.size.height as usize;
        let scaled = |from_zero: i32, range: i32, zero: i32| (zero + from_zero * range / 255).clamp(0, 255) as u8;
        let brightness = self.bytes[..luma].iter().map(|l| scaled(i32::from(*l), 219, 16));
        brightness.chain(self.bytes[luma..].iter().map(|c| scaled(i32::from(*c) - 128, 224, 128))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(width: u32, height: u32, sar: (i32, i32), matrix: [i32; 4]) -> Shot {
        Shot { width, height, sar, matrix, transfer: 1, primaries: 1 }
    }

    const ONE: i32 = 1 << 16;
    const UPRIGHT: [i32; 4] = [ONE, 0, 0, ONE];
    const CLOCKWISE: [i32; 4] = [0, ONE, -ONE, 0];

    #[test]
    fn shapes_follow_pixels_and_turns() {
        let of = |shot: &Shot| upright(shot);
        assert_eq!(of(&shot(1920, 1080, (1, 1), UPRIGHT)), (1920.0, 1080.0));
        assert_eq!(of(&shot(1920, 1080, (0, 0), [0; 4])), (1920.0, 1080.0));
        assert_eq!(of(&shot(720, 576, (64, 45), UPRIGHT)), (1024.0, 576.0));
        assert_eq!(of(&shot(1920, 1080, (1, 1), CLOCKWISE)), (1080.0, 1920.0));
        let tile = Size { width: 240, height: 180 };
        for (shape, expected) in [
            ((1920.0, 1080.0), (240, 134)),
            ((1080.0, 1920.0), (100, 180)),
            ((1024.0, 576.0), (240, 134)),
            ((640.0, 480.0), (240, 180)),
            ((1e9, 1.0), (240, 2)),
            ((1.0, 1e9), (2, 180)),
        ] {
            let fitted = fit(shape, tile);
            assert_eq!((fitted.width, fitted.height), expected, "{shape:?}");
        }
        for (shape, width, expected) in [
            ((1920.0, 1080.0), 640, (640, 360)),
            ((1024.0, 576.0), 640, (640, 360)),
            ((320.0, 180.0), 640, (320, 180)),
            ((321.0, 180.0), 640, (320, 180)),
            ((1080.0, 1920.0), 640, (640, 1138)),
            ((1.0, 1e9), 640, (2, 2160)),
        ] {
            let poster = poster(shape, width);
            assert_eq!((poster.width, poster.height), expected, "{shape:?}");
        }
    }

    /// Four by two pixels with a different brightness each, and two of each colour.
    fn numbered() -> Picture {
        Picture { size: Size { width: 4, height: 2 }, bytes: vec![0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 20, 21] }
    }

    #[test]
    fn pictures_are_turned_as_players_turn_them() {
        let turned = |matrix| numbered().turned(Turn::of(matrix)).bytes;
        assert_eq!(turned(UPRIGHT), numbered().bytes);
        // A quarter clockwise: the first column, from below, is the first line.
        assert_eq!(turned(CLOCKWISE), [4, 0, 5, 1, 6, 2, 7, 3, 10, 11, 20, 21]);
        assert_eq!(turned([0, -ONE, ONE, 0]), [3, 7, 2, 6, 1, 5, 0, 4, 11, 10, 21, 20]);
        assert_eq!(turned([-ONE, 0, 0, -ONE]), [7, 6, 5, 4, 3, 2, 1, 0, 11, 10, 21, 20]);
        assert_eq!(turned([ONE, 0, 0, -ONE]), [4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 20, 21]);
        assert_eq!(turned([-ONE, 0, 0, ONE]), [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 21, 20]);
        for odd in [[0; 4], [ONE, ONE, -ONE, ONE], [i32::MIN, i32::MAX, i32::MIN, i32::MIN], [ONE, ONE / 40, 0, ONE]] {
            assert_eq!(turned(odd), numbered().bytes, "{odd:?}");
        }
        assert_eq!(turned([ONE, ONE / 60, -ONE / 60, -ONE]), turned([ONE, 0, 0, -ONE]));
    }

    #[test]
    fn what_is_left_over_is_black() {
        let picture = Picture { size: Size { width: 2, height: 2 }, bytes: vec![200, 201, 202, 203, 90, 91] };
        let around = picture.clone().in_the_middle_of(Size { width: 6, height: 2 });
        assert_eq!(around.bytes, [0, 0, 200, 201, 0, 0, 0, 0, 202, 203, 0, 0, 128, 90, 128, 128, 91, 128]);
        assert_eq!(picture.clone().in_the_middle_of(Size { width: 2, height: 2 }), picture);
        let film = Picture { size: Size { width: 2, height: 2 }, bytes: vec![0, 255, 128, 64, 128, 0] }.in_film_range();
        assert_eq!(film, [16, 235, 125, 70, 128, 16]);
    }
}
