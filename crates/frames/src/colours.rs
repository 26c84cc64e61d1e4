//! Films with more brightness than a JPEG can show: brought down so that they look neither washed
//! out nor dark. Pure, and only ever applied to small pictures.

use crate::shape::Picture;
use media::storyboard::sheet::Size;

/// The code points of H.273.
const TRANSFER_PQ: i32 = 16;
const TRANSFER_HLG: i32 = 18;
const PRIMARIES_BT2020: i32 = 9;
const PRIMARIES_UNNAMED: i32 = 2;

/// What a film means by white, and what it may go up to, in candela per square metre.
const WHITE: f32 = 203.0;
const PEAK: f32 = 1000.0;
/// Below this part of white nothing changes but the scale.
const KNEE: f32 = 0.5;

/// How the numbers of a film become light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bright {
    Pq,
    Hlg,
}

impl Bright {
    /// `None` for films whose numbers a JPEG can take as they are.
    pub const fn of(transfer: i32) -> Option<Self> {
        match transfer {
            TRANSFER_PQ => Some(Self::Pq),
            TRANSFER_HLG => Some(Self::Hlg),
            _ => None,
        }
    }

    /// Light, as a multiple of white, for a number from 0 to 1.
    fn light(self, number: f32) -> f32 {
        match self {
            Self::Pq => {
                let root = number.powf(1.0 / 78.843_75);
                let light = ((root - 0.835_937_5).max(0.0) / (18.851_563 - 18.687_5 * root)).powf(1.0 / 0.159_301_76);
                light * 10_000.0 / WHITE
            }
            Self::Hlg => {
                let scene = if number <= 0.5 {
                    number * number / 3.0
                } else {
                    (((number - 0.559_910_7) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
                };
                // The gamma between camera and a display of this peak, taken of each colour alone.
                scene.powf(1.2) * PEAK / WHITE
            }
        }
    }
}

/// Returns whether colours are those of BT.2020, as they are of HDR that does not name them.
const fn is_wide(primaries: i32) -> bool {
    matches!(primaries, PRIMARIES_BT2020 | PRIMARIES_UNNAMED)
}

/// Of the lookup tables; finer is not seen.
const STEPS: usize = 4096;

/// Pixels of 16-bit red, green and blue, little-endian, become a picture for a JPEG. `None` when
/// they are not as many as that.
pub fn brought_down(rgb48: &[u8], size: Size, bright: Bright, primaries: i32) -> Option<Picture> {
    let (width, height) = (size.width as usize, size.height as usize);
    if rgb48.len() != width * height * 6 {
        return None;
    }
    let light: Vec<f32> = (0..STEPS).map(|n| bright.light(n as f32 / (STEPS - 1) as f32)).collect();
    let shown: Vec<u8> = (0..STEPS).map(|n| (encoded(n as f32 / (STEPS - 1) as f32) * 255.0 + 0.5) as u8).collect();
    let pixel = |at: &[u8]| {
        let of = |n: usize| light[(usize::from(u16::from_le_bytes([at[n], at[n + 1]])) * STEPS) >> 16];
        let mut rgb = [of(0), of(2), of(4)];
        if is_wide(primaries) {
            rgb = narrowed(rgb);
        }
        let brightest = rgb[0].max(rgb[1]).max(rgb[2]).max(1e-6);
        let down = compressed(brightest) / brightest;
        rgb.map(|c| i32::from(shown[((c * down).clamp(0.0, 1.0) * (STEPS - 1) as f32) as usize]))
    };
    let mut bytes = vec![0; size.bytes()];
    let (luma, chroma) = bytes.split_at_mut(width * height);
    let (blue, red) = chroma.split_at_mut(width * height / 4);
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let mut sum = [0; 3];
            for (x, y) in [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)] {
                let at = y * width + x;
                let [r, g, b] = pixel(&rgb48[at * 6..at * 6 + 6]);
                luma[at] = ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8;
                sum = [sum[0] + r, sum[1] + g, sum[2] + b];
            }
            let [r, g, b] = sum.map(|of_four| of_four as f32 / 4.0);
            let at = y / 2 * (width / 2) + x / 2;
            let of = |value: f32| (value + 128.5).clamp(0.0, 255.0) as u8;
            blue[at] = of(-0.168_736 * r - 0.331_264 * g + 0.5 * b);
            red[at] = of(0.5 * r - 0.418_688 * g - 0.081_312 * b);
        }
    }
    Some(Picture { size, bytes })
}

/// From the wide colours of BT.2020 to those of BT.709, in light.
fn narrowed([r, g, b]: [f32; 3]) -> [f32; 3] {
    [
        1.660_491 * r - 0.587_641_1 * g - 0.072_849_86 * b,
        -0.124_550_5 * r + 1.132_9 * g - 0.008_349_42 * b,
        -0.018_150_76 * r - 0.100_578_9 * g + 1.118_729_7 * b,
    ]
    .map(|c| c.max(0.0))
}

/// Straight up to the knee, then ever flatter, so that the peak ends at 1.
fn compressed(light: f32) -> f32 {
    let peak = PEAK / WHITE;
    if light <= KNEE {
        return light;
    }
    let (over, most, room) = (light.min(peak) - KNEE, peak - KNEE, 1.0 - KNEE);
    // Begins with the slope 1 and ends at `room` when `over` is `most`.
    let bend = (most - room) / (most * room);
    KNEE + over / (1.0 + over * bend)
}

/// sRGB, as a JPEG is understood.
fn encoded(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One colour as 16-bit numbers becomes one of the picture: brightness, blue, red.
    fn one(rgb: [f32; 3], bright: Bright, primaries: i32) -> [u8; 3] {
        let pixel: Vec<u8> = rgb.iter().flat_map(|c| ((c * 65_535.0) as u16).to_le_bytes()).collect();
        let size = Size { width: 2, height: 2 };
        let picture = brought_down(&pixel.repeat(4), size, bright, primaries).unwrap();
        [picture.bytes[0], picture.bytes[4], picture.bytes[5]]
    }

    #[test]
    fn white_is_bright_grey_stays_grey_and_black_is_black() {
        // PQ: 0.58 is white (203 cd/m²), 0.75 about the peak. HLG: 0.75 is white.
        for (bright, white, peak) in [(Bright::Pq, 0.581, 0.752), (Bright::Hlg, 0.75, 1.0)] {
            let grey = |n: f32| one([n; 3], bright, PRIMARIES_BT2020);
            assert_eq!(grey(0.0), [0, 128, 128], "{bright:?}");
            assert!((205..=245).contains(&grey(white)[0]), "{bright:?} {:?}", grey(white));
            assert!(grey(peak)[0] >= 252, "{bright:?} {:?}", grey(peak));
            assert!(grey(white)[1..].iter().all(|c| c.abs_diff(128) <= 1));
            let steps: Vec<u8> = (0..=20).map(|n| grey(n as f32 / 20.0)[0]).collect();
            assert!(steps.is_sorted(), "{bright:?} {steps:?}");
        }
        let red = one([0.58, 0.1, 0.1], Bright::Pq, PRIMARIES_BT2020);
        let same = one([0.58, 0.1, 0.1], Bright::Pq, 1);
        assert_eq!(one([0.58, 0.1, 0.1], Bright::Pq, PRIMARIES_UNNAMED), red, "what HDR is unless it says so");
        assert!(red[2] > 200 && same[2] > 180 && red[2] >= same[2], "{red:?} {same:?}");
    }

    #[test]
    fn what_is_no_picture_of_that_size_is_none() {
        let size = Size { width: 4, height: 2 };
        assert_eq!(brought_down(&[0; 10], size, Bright::Pq, 9), None);
        assert_eq!((Bright::of(1), Bright::of(16), Bright::of(18)), (None, Some(Bright::Pq), Some(Bright::Hlg)));
    }

    #[test]
    fn the_knee_is_smooth_and_ends_at_one() {
        assert!((compressed(PEAK / WHITE) - 1.0).abs() < 1e-5 && (compressed(99.0) - 1.0).abs() < 1e-5);
        assert!((compressed(KNEE + 1e-3) - compressed(KNEE) - 1e-3).abs() < 1e-4);
    }
}
