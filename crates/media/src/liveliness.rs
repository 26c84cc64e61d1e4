//! Which of several frames makes the better picture of a film: not black, not blank, not blurred.

use crate::storyboard::sheet::Size;

/// Frames are compared at this size; larger ones tell nothing more.
pub const SMALL: Size = Size { width: 160, height: 90 };

/// How much there is to see in a picture in YUV 4:2:0. 0 for black, white, fog, and for what is
/// no picture of this size.
pub fn liveliness(picture: &[u8], size: Size) -> u32 {
    let (width, height) = (size.width as usize, size.height as usize);
    if picture.len() != size.bytes() || width < 3 || height < 3 {
        return 0;
    }
    let (luma, chroma) = picture.split_at(width * height);
    let count = luma.len() as u64;
    let mean = luma.iter().map(|l| u64::from(*l)).sum::<u64>() / count;
    let contrast = luma.iter().map(|l| u64::from(l.abs_diff(mean as u8))).sum::<u64>() * 16 / count;
    let colour = chroma.iter().map(|c| u64::from(c.abs_diff(128))).sum::<u64>() * 16 / chroma.len() as u64;
    // How much each pixel differs from what its neighbours would make of it: little in a blur.
    let mut edges = 0_u64;
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let at = |x: usize, y: usize| i32::from(luma[y * width + x]);
            let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
            edges += u64::from((4 * at(x, y) - around).unsigned_abs());
        }
    }
    let sharpness = edges * 16 / count;
    let lively = contrast + colour / 2 + sharpness;
    u32::try_from(lively * exposure(mean) / 100).unwrap_or(u32::MAX)
}

/// In hundredths: of a picture that is nearly black or nearly white little is left.
fn exposure(mean: u64) -> u64 {
    match mean {
        0..=24 => 0,
        25..=64 => (mean - 24) * 100 / 40,
        65..=190 => 100,
        191..=230 => (230 - mean) * 100 / 40,
        _ => 0,
    }
}

/// The place of the liveliest of these pictures, one behind the other. The first one is what was
/// wished for, so another has to be clearly better.
pub fn liveliest(pictures: &[u8], size: Size) -> Option<usize> {
    let scores: Vec<u32> = pictures.chunks_exact(size.bytes()).map(|picture| liveliness(picture, size)).collect();
    let first = *scores.first()?;
    let (best, score) = scores.iter().enumerate().max_by_key(|(at, score)| (**score, std::cmp::Reverse(*at)))?;
    Some(if is_clearly_better(*score, first) { best } else { 0 })
}

/// Returns whether there is anything to see in a picture of so much liveliness. Plain colours, fog and
/// blurs are no picture of a film, as long as it has another.
pub const fn is_worth_showing(score: u32) -> bool {
    score >= 160
}

/// Whether a picture should be taken instead of the one that was wished for.
pub fn is_clearly_better(score: u32, wished_for: u32) -> bool {
    u64::from(score) * 4 > u64::from(wished_for) * 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(luma: impl Fn(u32, u32) -> u8, chroma: u8) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::new();
        for y in 0..SMALL.height {
            out.extend((0..SMALL.width).map(|x| luma(x, y)));
        }
        out.resize(SMALL.bytes(), chroma);
        out
    }

    /// Stripes, whose edges are slopes of `blur` pixels.
    fn stripes(blur: u32) -> Vec<u8> {
        let luma = move |x: u32, y: u32| {
            let phase = (x + y / 3) % 24;
            let from_edge = f64::from(phase.min(24 - phase)) - 6.0;
            (60.0 + 120.0 * (from_edge / f64::from(blur) + 0.5).clamp(0.0, 1.0)) as u8
        };
        picture(luma, 140)
    }

    #[test]
    fn what_is_lively() {
        let black = picture(|_, _| 16, 128);
        let white = picture(|_, _| 235, 128);
        let grey = picture(|_, _| 120, 128);
        let night = picture(|x, y| if (x / 9 + y / 7) % 5 == 0 { 60 } else { 20 }, 128);
        let fog = picture(|x, _| u8::try_from(110 + x / 16).unwrap(), 128);
        let score = |picture: &[u8]| liveliness(picture, SMALL);
        let order = [&black, &grey, &night, &fog, &stripes(12), &stripes(1)];
        let scores: Vec<u32> = order.iter().map(|p| score(p)).collect();
        assert!(scores.is_sorted() && scores[0] == 0 && scores[4] < scores[5], "{scores:?}");
        assert_eq!((score(&white), score(&grey), score(&[1, 2, 3])), (0, 0, 0));
    }

    #[test]
    fn the_first_is_taken_unless_another_is_clearly_better() {
        let choose = |list: &[Vec<u8>]| liveliest(&list.concat(), SMALL);
        let black = picture(|_, _| 16, 128);
        assert_eq!(choose(&[black.clone(), stripes(12), stripes(1)]), Some(2));
        assert_eq!(choose(&[stripes(1), stripes(12), black.clone()]), Some(0));
        assert_eq!(choose(&[stripes(11), stripes(10)]), Some(0), "hardly better");
        assert_eq!(choose(&[black.clone(), black]), Some(0));
        assert_eq!(choose(&[]), None);
    }
}
