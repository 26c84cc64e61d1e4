//! MPEG-4 part 2: the headers before its first picture.

use super::{Sure, bits::Bits, describe::Picture};

const BROKEN: &str = "MPEG-4 headers that cannot be read";
/// The headers of a film and its first picture's beginning are much shorter.
pub(super) const MAX_HEADERS: usize = 2 << 10;
const LAYER: std::ops::RangeInclusive<u8> = 0x20..=0x2f;
const SEQUENCE: u8 = 0xb0;
const OBJECT: u8 = 0xb5;
const PICTURE: u8 = 0xb6;
/// By their numbers.
const PROFILES: [&str; 16] = [
    "Simple Profile",
    "Simple Scalable Profile",
    "Core Profile",
    "Main Profile",
    "N-bit Profile",
    "Scalable Texture Profile",
    "Simple Face Animation Profile",
    "Basic Animated Texture Profile",
    "Hybrid Profile",
    "Advanced Real Time Simple Profile",
    "Code Scalable Profile",
    "Advanced Coding Profile",
    "Advanced Core Profile",
    "Advanced Scalable Texture Profile",
    "Simple Studio Profile",
    "Advanced Simple Profile",
];
const STUDIO: u32 = 14;

#[derive(Default)]
struct Said {
    profile: Option<(u32, u32)>,
    layer: Option<Layer>,
}

/// What a video object layer says.
struct Layer {
    size: (u32, u32),
    aspect: Option<(u64, u64)>,
}

/// `extra`: what the container keeps apart from the frames; what the first frame says goes before it.
pub(super) fn picture(extra: &[u8], frame: &[u8]) -> Sure<Picture> {
    let mut said = Said::default();
    said.read(extra)?;
    if !said.read(frame)? {
        return Err("MPEG-4 that does not begin with a picture");
    }
    let (width, height) = said.layer.as_ref().map(|layer| layer.size).ok_or("MPEG-4 without its configuration")?;
    Ok(Picture {
        codec: "mpeg4",
        profile: said.profile.map(|(profile, _)| PROFILES[profile as usize].into()),
        level: said.profile.map(|(_, level)| level),
        width,
        height,
        pixel_format: "yuv420p".into(),
        aspect: said.layer.and_then(|layer| layer.aspect),
        primaries: None,
        transfer: None,
        says_colours: false,
        sample_entry: None,
    })
}

impl Said {
    /// Whether a picture follows the headers.
    fn read(&mut self, bytes: &[u8]) -> Sure<bool> {
        let mut rest = bytes;
        // Only the first layer of a piece counts.
        let mut layers = 0;
        while let Some(at) = rest.windows(3).position(|w| w == [0, 0, 1]) {
            rest = &rest[at + 3..];
            let Some((kind, body)) = rest.split_first() else { break };
            match *kind {
                PICTURE => return Ok(true),
                SEQUENCE => {
                    let both = u32::from(*body.first().ok_or(BROKEN)?);
                    let (profile, level) = (both >> 4, both & 15);
                    if profile == STUDIO {
                        return Err("MPEG-4 of a studio");
                    }
                    // Level 0 of the simple profile is written as 8.
                    self.profile = Some((profile, if (profile, level) == (0, 8) { 0 } else { level }));
                }
                OBJECT if describes_colours(body).ok_or(BROKEN)? => return Err("MPEG-4 with colours of its own"),
                kind if LAYER.contains(&kind) => {
                    layers += 1;
                    if layers == 1 {
                        self.layer = Some(layer(body).ok_or(BROKEN)??);
                    }
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

fn describes_colours(object: &[u8]) -> Option<bool> {
    let mut b = Bits::new(object);
    if b.bit()? {
        b.skip(7)?;
    }
    let is_video = matches!(b.take(4)?, 1 | 2);
    if !is_video || !b.bit()? {
        return Some(false);
    }
    b.skip(4)?;
    b.bit()
}

/// Width and height of one pixel, by their numbers from 1 on.
const ASPECTS: [(u64, u64); 5] = [(1, 1), (12, 11), (10, 11), (16, 11), (40, 33)];

/// Reads a video object layer.
fn layer(layer: &[u8]) -> Option<Sure<Layer>> {
    let mut b = Bits::new(layer);
    b.skip(1)?;
    let kind = b.take(8)?;
    if b.bit()? {
        b.skip(7)?;
    }
    let aspect = match b.take(4)? {
        15 => Some((b.take(8)?.into(), b.take(8)?.into())),
        number => ASPECTS.get((number as usize).wrapping_sub(1)).copied(),
    };
    let aspect = aspect.filter(|(across, down)| *across > 0 && *down > 0);
    if b.bit()? {
        let sampling = b.take(2)?;
        b.skip(1)?;
        if b.bit()? {
            b.skip(79)?;
        }
        if sampling != 1 {
            return Some(Err("rare MPEG-4 sampling"));
        }
    }
    let shape = b.take(2)?;
    b.skip(1)?;
    let resolution = b.take(16)?;
    b.skip(1)?;
    // Studio profiles, shapes, and clocks that decoders refuse.
    if matches!(kind, 14 | 15) || shape != 0 || resolution == 0 {
        return Some(Err("MPEG-4 of a rare kind"));
    }
    if b.bit()? {
        let bits = (u32::BITS - (resolution - 1).leading_zeros()).max(1);
        b.skip(bits as usize)?;
    }
    b.skip(1)?;
    let width = b.take(13)?;
    b.skip(1)?;
    let height = b.take(13)?;
    b.skip(1)?;
    Some(match width == 0 || height == 0 {
        true => Err("MPEG-4 without a size"),
        false => Ok(Layer { size: (width, height), aspect }),
    })
}
