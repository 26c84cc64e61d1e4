//! Whether decoding can begin at a frame, by its first bytes.

use super::{Block, Film, Sure};
use crate::hls::tables::Unsure;

const NO_SLICE: Unsure = Unsure("a key frame without a slice");
/// Parameter sets, messages and delimiters before the first slice of a picture.
const MAX_NAL_UNITS: usize = 64;
const MAX_UNITS: usize = 16;

pub(super) enum Codec {
    /// With the bytes of a length field.
    Avc(u8),
    Hevc(u8),
    Vp8,
    Vp9,
    Av1,
}

impl Codec {
    /// By Matroska's name and its configuration.
    pub(super) fn new(name: &str, private: &[u8]) -> Sure<Self> {
        let length = |at: usize| private.get(at).map(|b| (b & 3) + 1).ok_or(Unsure("no parameters"));
        match name {
            "V_MPEG4/ISO/AVC" if private.first() == Some(&1) => Ok(Self::Avc(length(4)?)),
            "V_MPEGH/ISO/HEVC" if private.first() == Some(&1) => Ok(Self::Hevc(length(21)?)),
            "V_VP8" => Ok(Self::Vp8),
            "V_VP9" => Ok(Self::Vp9),
            "V_AV1" => Ok(Self::Av1),
            _ => Err(Unsure("another codec")),
        }
    }

    /// Whether pictures behind a key frame may be shown before it: after an IDR picture of H.264
    /// they are not, and the others know no such thing.
    pub(super) const fn may_be_led(&self) -> bool {
        matches!(self, Self::Hevc(_))
    }

    /// # Errors
    /// When it cannot.
    pub(super) fn begins_anew<R, S>(&self, film: &mut Film<R, S>, block: &Block) -> Sure<()>
    where
        R: FnMut(u64, &mut [u8]) -> usize,
        S: FnMut(u64, u64),
    {
        let begins = match self {
            Self::Avc(length) => first_slice(film, block, *length, |head| match head & 31 {
                kind @ 1..=5 => Some(kind == 5),
                _ => None,
            })?,
            Self::Hevc(length) => first_slice(film, block, *length, |head| match head >> 1 & 63 {
                kind @ 0..=31 => Some((16..=21).contains(&kind)),
                _ => None,
            })?,
            Self::Vp8 => film.get(block.at, 1)?[0] & 1 == 0,
            Self::Vp9 => vp9(film.get(block.at, 1)?[0]),
            Self::Av1 => av1(film, block)?,
        };
        if begins { Ok(()) } else { Err(Unsure("a cue for what is no key frame")) }
    }
}

/// `says`: of the first byte of a unit, `None` where it is no slice.
fn first_slice<R, S>(film: &mut Film<R, S>, block: &Block, length: u8, says: impl Fn(u8) -> Option<bool>) -> Sure<bool>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let length = usize::from(length);
    let mut at = block.at;
    for _ in 0..MAX_NAL_UNITS {
        if at + length as u64 + 1 > block.end {
            break;
        }
        let head = film.get(at, length + 1)?;
        let size = crate::walk::be(&head[..length]);
        if size == 0 {
            break;
        }
        if let Some(answer) = says(head[length]) {
            return Ok(answer);
        }
        at += length as u64 + size;
    }
    Err(NO_SLICE)
}

/// The uncompressed header begins with a marker, the profile, and whether the frame is an old one.
const fn vp9(byte: u8) -> bool {
    let profile = byte >> 5 & 1 | byte >> 3 & 2;
    // The reserved bit of profile 3 moves what follows.
    byte >> 6 == 2 && profile < 3 && byte & 0b1100 == 0
}

/// The first frame header among the units of a temporal unit.
fn av1<R, S>(film: &mut Film<R, S>, block: &Block) -> Sure<bool>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let mut at = block.at;
    for _ in 0..MAX_UNITS {
        if at + 2 > block.end {
            break;
        }
        let head = film.up_to(at, 12)?;
        let kind = head[0] >> 3 & 15;
        let (extended, sized) = (head[0] & 4 != 0, head[0] & 2 != 0);
        let from = 1 + usize::from(extended);
        let (size, width) = match sized {
            true => leb128(head.get(from..).ok_or(NO_SLICE)?).ok_or(NO_SLICE)?,
            false => (block.end - at - from as u64, 0),
        };
        let body = from + width;
        match kind {
            // A frame, or its header: shown already, then the kind of frame, then whether it is shown.
            3 | 6 => return Ok(head.get(body).is_some_and(|b| b & 0xf0 == 0x10)),
            // Delimiters, sequence headers and metadata.
            1 | 2 | 5 | 15 => {}
            _ => break,
        }
        at = at.checked_add(body as u64).and_then(|at| at.checked_add(size)).ok_or(NO_SLICE)?;
    }
    Err(NO_SLICE)
}

fn leb128(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (n, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 127) << (7 * n);
        if byte & 128 == 0 {
            return Some((value, n + 1));
        }
    }
    None
}
