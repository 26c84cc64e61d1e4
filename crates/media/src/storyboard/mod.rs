//! Storyboards: small pictures of a whole film on a few sheets, for whoever drags along it.
//!
//! Here is which moments are taken, where on which sheet each one stands, and the text that tells
//! a player; [`sheet`] has how a sheet is made. A tile is a key frame, so it carries that frame's
//! true time instead of a round one.

pub mod sheet;

use std::fmt::Write as _;

/// Tiles side by side on a sheet.
pub const ACROSS: u32 = 5;
/// Tiles one above the other.
pub const DOWN: u32 = 5;
pub const TILES: usize = (ACROSS * DOWN) as usize;
/// No sheet has more bytes: an hour of film, at ten seconds a tile, stays below 2 MB.
pub const SHEET_BYTES: u32 = 138_000;
/// Pictures of more than this many moments tell nobody more.
const MOST_TILES: u64 = 1_500;
const BOX: (u32, u32) = (240, 180);

/// What is to be made of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Even numbers of pixels.
    pub tile_width: u32,
    pub tile_height: u32,
    /// In the order of the film, at most [`MOST_TILES`].
    pub times_ms: Vec<u64>,
}

impl Plan {
    /// `keys_ms`: when the key frames are, in order; empty where nobody knows. `None` for films
    /// without length or picture.
    pub fn new(duration_ms: u64, size: (u32, u32), keys_ms: &[u64]) -> Option<Self> {
        if duration_ms == 0 || size.0 == 0 || size.1 == 0 {
            return None;
        }
        // A short film is looked at more closely.
        let apart = (duration_ms / 60).clamp(2_000, 10_000).max(duration_ms / MOST_TILES);
        let mut times_ms: Vec<u64> = Vec::new();
        if keys_ms.is_empty() {
            times_ms.extend((0..).map(|n| n * apart).take_while(|at| *at < duration_ms));
        }
        for key in keys_ms.iter().filter(|key| **key < duration_ms) {
            // Key frames are rarely exactly apart.
            if times_ms.last().is_none_or(|last| key.saturating_sub(*last) >= apart - apart / 20) {
                times_ms.push(*key);
            }
        }
        times_ms.truncate(MOST_TILES as usize + MOST_TILES as usize / 10);
        let (tile_width, tile_height) = tile(size);
        (!times_ms.is_empty()).then_some(Self { tile_width, tile_height, times_ms })
    }

    pub fn sheets(&self) -> u32 {
        u32::try_from(self.times_ms.len().div_ceil(TILES)).unwrap_or(u32::MAX)
    }

    /// The moments on one sheet.
    pub fn sheet(&self, number: u32) -> &[u64] {
        self.times_ms.chunks(TILES).nth(number as usize).unwrap_or_default()
    }
}

/// The largest tile of this shape that fits the box.
fn tile((width, height): (u32, u32)) -> (u32, u32) {
    let (width, height) = (u64::from(width), u64::from(height));
    let even = |pixels: u64| u32::try_from(pixels.clamp(16, 240) & !1).unwrap_or(16);
    if width * u64::from(BOX.1) >= height * u64::from(BOX.0) {
        (BOX.0, even(u64::from(BOX.0) * height / width))
    } else {
        (even(u64::from(BOX.1) * width / height), BOX.1)
    }
}

/// Where the tiles of a storyboard are, for players that read WebVTT: each one from its own
/// moment until the next. `address` names a sheet.
pub fn webvtt(
    times_ms: &[u64],
    duration_ms: u64,
    tile: (u32, u32),
    grid: (u32, u32),
    address: impl Fn(usize) -> String,
) -> String {
    let on_sheet = ((grid.0 * grid.1) as usize).max(1);
    let mut out = String::from("WEBVTT\n");
    for (n, time) in times_ms.iter().enumerate() {
        // The first picture stands for everything before it too.
        let from = if n == 0 { 0 } else { *time };
        let to = times_ms.get(n + 1).copied().unwrap_or_else(|| duration_ms.max(time + 1));
        let place = u32::try_from(n % on_sheet).unwrap_or(0);
        let (x, y) = (place % grid.0.max(1) * tile.0, place / grid.0.max(1) * tile.1);
        let (from, to) = (crate::subtitles::Timestamp(from), crate::subtitles::Timestamp(to));
        let sheet = address(n / on_sheet);
        let _ = write!(out, "\n{from} --> {to}\n{sheet}#xywh={x},{y},{},{}\n", tile.0, tile.1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_key_frames_about_ten_seconds_apart() {
        let keys: Vec<u64> = (0..2700).map(|n| n * 2_002).collect();
        let plan = Plan::new(5_400_000, (1920, 1080), &keys).unwrap();
        assert_eq!((plan.tile_width, plan.tile_height), (240, 134));
        assert_eq!(plan.times_ms[..3], [0, 10_010, 20_020]);
        assert!((530..=541).contains(&plan.times_ms.len()), "{}", plan.times_ms.len());
        assert_eq!(plan.sheets(), 22);
        assert_eq!(plan.sheet(21).len(), plan.times_ms.len() - 21 * TILES);
        assert!(plan.sheet(22).is_empty());
        let bytes = u64::from(plan.sheets()) * u64::from(SHEET_BYTES);
        assert!(bytes * 60 / 90 <= 2_050_000, "an hour has {} bytes", bytes * 60 / 90);
        // Far apart: every key frame, and none twice.
        let plan = Plan::new(5_400_000, (1920, 1080), &[0, 30_000, 65_000]).unwrap();
        assert_eq!(plan.times_ms, [0, 30_000, 65_000]);
    }

    #[test]
    fn films_of_all_lengths_and_shapes() {
        for (duration_ms, expected) in [(1, 1), (10_000, 5), (60_000, 30), (600_000, 60), (36_000_000, 1_500)] {
            let plan = Plan::new(duration_ms, (640, 360), &[]).unwrap();
            assert_eq!(plan.times_ms.len(), expected, "{duration_ms}");
            assert!(plan.times_ms.iter().all(|t| *t < duration_ms));
        }
        let every_frame: Vec<u64> = (0..2_000_000).map(|n| n * 18).collect();
        assert!(Plan::new(36_000_000, (640, 360), &every_frame).unwrap().times_ms.len() <= 1_650);
        for (size, expected) in [
            ((1920, 800), (240, 100)),
            ((720, 576), (224, 180)),
            ((1080, 1920), (100, 180)),
            ((10_000, 1), (240, 16)),
            ((1, 10_000), (16, 180)),
        ] {
            let plan = Plan::new(60_000, size, &[]).unwrap();
            assert_eq!((plan.tile_width, plan.tile_height), expected, "{size:?}");
        }
        assert_eq!(Plan::new(0, (640, 360), &[]), None);
        assert_eq!(Plan::new(1000, (0, 360), &[]), None);
    }

    #[test]
    fn the_text_says_where_each_tile_is() {
        let text = webvtt(&[40, 10_000, 20_000], 25_000, (240, 134), (2, 1), |n| format!("storyboard/{n}.jpg"));
        assert_eq!(
            text,
            "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nstoryboard/0.jpg#xywh=0,0,240,134\n\
             \n00:00:10.000 --> 00:00:20.000\nstoryboard/0.jpg#xywh=240,0,240,134\n\
             \n00:00:20.000 --> 00:00:25.000\nstoryboard/1.jpg#xywh=0,0,240,134\n"
        );
    }
}
