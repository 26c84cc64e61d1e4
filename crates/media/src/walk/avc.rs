//! H.264: what its sequence parameter set says.

use super::{
    Sure,
    bits::{Bits, unescaped},
    color::{self, Sampling},
    describe::Picture,
};

const BROKEN: &str = "an H.264 configuration that cannot be read";

/// Reads an `avcC` record.
pub(super) fn picture(record: &[u8]) -> Sure<Picture> {
    if record.first() != Some(&1) {
        return Err("H.264 without its configuration");
    }
    let sets = record.get(5).ok_or(BROKEN)? & 31;
    if sets != 1 {
        return Err("several H.264 parameter sets");
    }
    let length = usize::from(u16::from_be_bytes([*record.get(6).ok_or(BROKEN)?, *record.get(7).ok_or(BROKEN)?]));
    let nal = record.get(8..8 + length).ok_or(BROKEN)?;
    if nal.first().is_none_or(|b| b & 31 != 7) {
        return Err(BROKEN);
    }
    sequence(&unescaped(&nal[1..])).ok_or(BROKEN)?
}

/// More than the parameter sets before a first slice take.
pub(super) const MAX_HEADERS: usize = 4 << 10;

/// Reads the parameter set out of a stream with start codes.
pub(super) fn annex_b(stream: &[u8]) -> Sure<Picture> {
    let (mut rest, mut found) = (stream, None);
    let start = |bytes: &[u8]| bytes.windows(3).position(|w| w == [0, 0, 1]);
    while let Some(at) = start(rest) {
        rest = &rest[at + 3..];
        match rest.first().map(|b| b & 31) {
            Some(7) if found.is_some() => return Err("several H.264 parameter sets"),
            Some(7) => {
                let nal = &rest[1..start(rest).unwrap_or(rest.len())];
                found = Some(sequence(&unescaped(nal)).ok_or(BROKEN)??);
            }
            Some(1..=5) => break,
            _ => {}
        }
    }
    found.ok_or("H.264 without its configuration")
}

fn sequence(bytes: &[u8]) -> Option<Sure<Picture>> {
    let mut b = Bits::new(bytes);
    let profile_idc = b.take(8)?;
    let constraints = b.take(8)?;
    let level = b.take(8)?;
    b.ue()?;
    let (mut chroma, mut depth, mut same_depth, mut separate) = (1, 8, true, false);
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile_idc) {
        chroma = b.ue()?;
        if chroma == 3 {
            separate = b.bit()?;
        }
        let (luma, colour) = (b.ue()?, b.ue()?);
        depth = luma.checked_add(8)?;
        same_depth = luma == colour;
        b.bit()?;
        if b.bit()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if b.bit()? {
                    skip_scaling(&mut b, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    b.ue()?;
    match b.ue()? {
        0 => {
            b.ue()?;
        }
        1 => {
            b.bit()?;
            b.se()?;
            b.se()?;
            let count = b.ue()?;
            if count > 255 {
                return None;
            }
            for _ in 0..count {
                b.se()?;
            }
        }
        _ => {}
    }
    b.ue()?;
    b.bit()?;
    let (across, down) = (b.ue()?.checked_add(1)?, b.ue()?.checked_add(1)?);
    let frames_only = b.bit()?;
    if !frames_only {
        b.bit()?;
    }
    b.bit()?;
    let crop = if b.bit()? { [b.ue()?, b.ue()?, b.ue()?, b.ue()?] } else { [0; 4] };
    let (unit_x, unit_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let field = if frames_only { 1 } else { 2 };
    let width = across.checked_mul(16)?.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(unit_x)?)?;
    let height =
        down.checked_mul(16 * field)?.checked_sub(crop[2].checked_add(crop[3])?.checked_mul(unit_y * field)?)?;
    let (mut full_range, mut primaries, mut transfer, mut matrix) = (false, None, None, 2);
    let mut aspect = None;
    if b.bit()? {
        if b.bit()? {
            aspect = match b.take(8)? {
                255 => Some((b.take(16)?.into(), b.take(16)?.into())),
                idc => color::aspect(idc),
            };
        }
        if b.bit()? {
            b.bit()?;
        }
        if b.bit()? {
            b.skip(3)?;
            full_range = b.bit()?;
            if b.bit()? {
                primaries = Some(u64::from(b.take(8)?));
                transfer = Some(u64::from(b.take(8)?));
                matrix = b.take(8)?;
            }
        }
    }
    Some((|| {
        let sampling = Sampling::of(chroma).ok_or(BROKEN)?;
        if separate || !same_depth || matrix == 0 {
            return Err("rare H.264 sampling");
        }
        if sampling == Sampling::Gray {
            return Err("gray H.264");
        }
        // Each picture says for itself whether it is made of fields.
        if !frames_only {
            return Err("H.264 that may be interlaced");
        }
        Ok(Picture {
            codec: "h264",
            profile: Some(profile(profile_idc, constraints)?.into()),
            level: Some(level),
            width,
            height,
            pixel_format: color::pixel_format(sampling, depth, full_range)?,
            aspect: aspect.filter(|(across, down)| *across > 0 && *down > 0),
            primaries: primaries.map(color::primaries).transpose()?.flatten(),
            transfer: transfer.map(color::transfer).transpose()?.flatten(),
            says_colours: transfer.is_some(),
            sample_entry: None,
        })
    })())
}

fn profile(idc: u32, constraints: u32) -> Sure<&'static str> {
    let set = |n: u32| constraints >> (7 - n) & 1 == 1;
    Ok(match idc {
        66 if set(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 if set(3) => "High 10 Intra",
        110 => "High 10",
        122 if set(3) => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        244 if set(3) => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        _ => return Err("a rare H.264 profile"),
    })
}

fn skip_scaling(b: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + b.se()? + 256).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}
