//! VP8, VP9 and AV1: what their first frame or their sequence header says.

use super::{
    Sure,
    bits::Bits,
    color::{self, Sampling},
    describe::Picture,
};

const BROKEN: &str = "a first picture that cannot be read";

/// A VP8 key frame.
pub(super) fn vp8(frame: &[u8]) -> Sure<Picture> {
    let head: [u8; 10] = frame.get(..10).and_then(|h| h.try_into().ok()).ok_or(BROKEN)?;
    if head[0] & 1 != 0 || head[3..6] != [0x9d, 0x01, 0x2a] {
        return Err(BROKEN);
    }
    let size = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Ok(Picture {
        codec: "vp8",
        profile: Some((head[0] >> 1 & 7).to_string()),
        level: None,
        width: size(head[6], head[7]),
        height: size(head[8], head[9]),
        pixel_format: "yuv420p".into(),
        aspect: None,
        primaries: None,
        transfer: None,
        says_colours: false,
        sample_entry: None,
    })
}

/// A VP9 key frame.
pub(super) fn vp9(frame: &[u8]) -> Sure<Picture> {
    vp9_header(frame).ok_or(BROKEN)?
}

fn vp9_header(frame: &[u8]) -> Option<Sure<Picture>> {
    let mut b = Bits::new(frame);
    if b.take(2)? != 2 {
        return None;
    }
    let profile = b.take(1)? | b.take(1)? << 1;
    if profile == 3 && b.bit()? {
        return None;
    }
    // An existing frame shown again, or not a key frame.
    if b.bit()? || b.bit()? {
        return None;
    }
    b.skip(2)?;
    if b.take(24)? != 0x49_83_42 {
        return None;
    }
    let depth = match (profile >= 2, profile >= 2 && b.bit()?) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    let space = b.take(3)?;
    if space == 7 {
        return Some(Err("rare VP9 sampling"));
    }
    // Full range is a flag beside the format here, not another format.
    b.bit()?;
    let (x, y) = if profile & 1 == 1 { (b.bit()?, b.bit()?) } else { (true, true) };
    if profile & 1 == 1 {
        b.bit()?;
    }
    let (width, height) = (b.take(16)? + 1, b.take(16)? + 1);
    Some((|| {
        let sampling = match (x, y) {
            (true, true) => Sampling::Yuv420,
            (true, false) => Sampling::Yuv422,
            (false, false) => Sampling::Yuv444,
            (false, true) => return Err("rare VP9 sampling"),
        };
        Ok(Picture {
            codec: "vp9",
            profile: Some(format!("Profile {profile}")),
            level: None,
            width,
            height,
            pixel_format: color::pixel_format(sampling, depth, false)?,
            aspect: None,
            primaries: None,
            transfer: None,
            says_colours: false,
            sample_entry: None,
        })
    })())
}

/// An `av1C` record with its sequence header.
pub(super) fn av1(record: &[u8]) -> Sure<Picture> {
    if record.first() != Some(&0x81) {
        return Err("AV1 without its configuration");
    }
    let mut rest = record.get(4..).ok_or(BROKEN)?;
    while let Some(head) = rest.first() {
        let (kind, extended, sized) = (head >> 3 & 15, head >> 2 & 1 == 1, head >> 1 & 1 == 1);
        if !sized {
            return Err(BROKEN);
        }
        let mut at = 1 + usize::from(extended);
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = *rest.get(at).ok_or(BROKEN)?;
            length |= usize::from(byte & 127) << shift;
            at += 1;
            shift += 7;
            if byte & 128 == 0 {
                break;
            }
            if shift > 21 {
                return Err(BROKEN);
            }
        }
        let body = rest.get(at..at + length).ok_or(BROKEN)?;
        if kind == 1 {
            return av1_sequence(body).ok_or(BROKEN)?;
        }
        rest = &rest[at + length..];
    }
    Err("AV1 without its configuration")
}

fn av1_sequence(bytes: &[u8]) -> Option<Sure<Picture>> {
    let mut b = Bits::new(bytes);
    let profile = b.take(3)?;
    b.bit()?;
    let reduced = b.bit()?;
    let level;
    if reduced {
        level = b.take(5)?;
    } else {
        let mut model = None;
        if b.bit()? {
            b.skip(64)?;
            if b.bit()? {
                b.uvlc()?;
            }
            if b.bit()? {
                let delay_bits = b.take(5)? + 1;
                b.skip(32 + 5 + 5)?;
                model = Some(delay_bits);
            }
        }
        let shows_delay = b.bit()?;
        let points = b.take(5)? + 1;
        let mut first = None;
        for _ in 0..points {
            b.skip(12)?;
            let idx = b.take(5)?;
            if idx > 7 {
                b.bit()?;
            }
            if let Some(bits) = model
                && b.bit()?
            {
                b.skip(2 * bits as usize + 1)?;
            }
            if shows_delay && b.bit()? {
                b.skip(4)?;
            }
            first = first.or(Some(idx));
        }
        level = first?;
    }
    let (width_bits, height_bits) = (b.take(4)? + 1, b.take(4)? + 1);
    let (width, height) = (b.take(width_bits as usize)? + 1, b.take(height_bits as usize)? + 1);
    if !reduced && b.bit()? {
        b.skip(7)?;
    }
    b.skip(3)?;
    if !reduced {
        b.skip(4)?;
        let order = b.bit()?;
        if order {
            b.skip(2)?;
        }
        let tools = if b.bit()? { 2 } else { b.take(1)? };
        if tools > 0 && !b.bit()? {
            b.bit()?;
        }
        if order {
            b.skip(3)?;
        }
    }
    b.skip(3)?;
    let high = b.bit()?;
    let depth = match (high, profile == 2 && high && b.bit()?) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    let gray = profile != 1 && b.bit()?;
    let (mut primaries, mut transfer, mut matrix) = (None, None, 2);
    if b.bit()? {
        primaries = Some(u64::from(b.take(8)?));
        transfer = Some(u64::from(b.take(8)?));
        matrix = b.take(8)?;
    }
    if gray || matrix == 0 {
        return Some(Err("rare AV1 sampling"));
    }
    let full_range = b.bit()?;
    let sampling = match profile {
        0 => Sampling::Yuv420,
        1 => Sampling::Yuv444,
        _ if depth < 12 => Sampling::Yuv422,
        _ => return Some(Err("rare AV1 sampling")),
    };
    Some((|| {
        if full_range {
            return Err("AV1 of full range");
        }
        Ok(Picture {
            codec: "av1",
            profile: Some(["Main", "High", "Professional"].get(profile as usize).copied().ok_or(BROKEN)?.into()),
            level: Some(level),
            width,
            height,
            pixel_format: color::pixel_format(sampling, depth, false)?,
            aspect: None,
            primaries: primaries.map(color::primaries).transpose()?.flatten(),
            transfer: transfer.map(color::transfer).transpose()?.flatten(),
            says_colours: transfer.is_some(),
            sample_entry: None,
        })
    })())
}
