//! HEVC: what its sequence parameter set says.

use super::{
    Sure,
    bits::{Bits, unescaped},
    color::{self, Sampling},
    describe::Picture,
};

const BROKEN: &str = "an HEVC configuration that cannot be read";
/// Slices refer to few pictures; more is no parameter set.
const MAX_SETS: u32 = 64;

/// Reads an `hvcC` record.
pub(super) fn picture(record: &[u8]) -> Sure<Picture> {
    // Very old writers put 0 here.
    if record.first() != Some(&1) {
        return Err("HEVC without its configuration");
    }
    let arrays = *record.get(22).ok_or(BROKEN)?;
    let mut rest = record.get(23..).ok_or(BROKEN)?;
    let mut found = None;
    for _ in 0..arrays {
        let head = rest.get(..3).ok_or(BROKEN)?;
        let (kind, count) = (head[0] & 63, u16::from_be_bytes([head[1], head[2]]));
        rest = &rest[3..];
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([*rest.first().ok_or(BROKEN)?, *rest.get(1).ok_or(BROKEN)?]));
            let nal = rest.get(2..2 + length).ok_or(BROKEN)?;
            rest = &rest[2 + length..];
            if kind == 33 {
                if found.is_some() {
                    return Err("several HEVC parameter sets");
                }
                found = Some(nal);
            }
        }
    }
    let nal = found.ok_or("HEVC without its configuration")?;
    sequence(&unescaped(nal.get(2..).ok_or(BROKEN)?)).ok_or(BROKEN)?
}

fn sequence(bytes: &[u8]) -> Option<Sure<Picture>> {
    let mut b = Bits::new(bytes);
    b.skip(4)?;
    let sub_layers = b.take(3)?;
    b.bit()?;
    b.skip(3)?;
    let profile_idc = b.take(5)?;
    b.skip(32 + 48)?;
    let level = b.take(8)?;
    skip_sub_layers(&mut b, sub_layers)?;
    b.ue()?;
    let chroma = b.ue()?;
    let separate = chroma == 3 && b.bit()?;
    let (coded_width, coded_height) = (b.ue()?, b.ue()?);
    let crop = if b.bit()? { [b.ue()?, b.ue()?, b.ue()?, b.ue()?] } else { [0; 4] };
    let (luma, colour) = (b.ue()?, b.ue()?);
    let poc_bits = b.ue()?.checked_add(4)?;
    if poc_bits > 16 {
        return None;
    }
    let ordered = b.bit()?;
    for _ in if ordered { 0 } else { sub_layers }..=sub_layers {
        b.ue()?;
        b.ue()?;
        b.ue()?;
    }
    for _ in 0..6 {
        b.ue()?;
    }
    if b.bit()? && b.bit()? {
        skip_scaling(&mut b)?;
    }
    b.skip(2)?;
    if b.bit()? {
        b.skip(8)?;
        b.ue()?;
        b.ue()?;
        b.bit()?;
    }
    skip_reference_sets(&mut b)?;
    if b.bit()? {
        let count = b.ue()?;
        if count > 32 {
            return None;
        }
        for _ in 0..count {
            b.skip(poc_bits as usize + 1)?;
        }
    }
    b.skip(2)?;
    let (mut full_range, mut primaries, mut transfer, mut matrix) = (false, None, None, 2);
    let (mut aspect, mut fields) = (None, false);
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
        if b.bit()? {
            b.ue()?;
            b.ue()?;
        }
        b.bit()?;
        fields = b.bit()?;
    }
    let (unit_x, unit_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let width = coded_width.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(unit_x)?)?;
    let height = coded_height.checked_sub(crop[2].checked_add(crop[3])?.checked_mul(unit_y)?)?;
    Some((|| {
        let sampling = Sampling::of(chroma).ok_or(BROKEN)?;
        if separate || luma != colour || matrix == 0 || sampling == Sampling::Gray {
            return Err("rare HEVC sampling");
        }
        if fields {
            return Err("HEVC of fields");
        }
        // Only 4:2:0 has a name of its own for full range here.
        let full_range = full_range && sampling == Sampling::Yuv420;
        let transfer = transfer.map(color::transfer).transpose()?.flatten();
        if transfer == Some("bt2020-10") {
            return Err("HEVC that may say its transfer in a message beside the picture");
        }
        Ok(Picture {
            codec: "hevc",
            profile: Some(
                match profile_idc {
                    1 => "Main",
                    2 => "Main 10",
                    3 => "Main Still Picture",
                    4 => "Rext",
                    _ => return Err("a rare HEVC profile"),
                }
                .into(),
            ),
            level: Some(level),
            width,
            height,
            pixel_format: color::pixel_format(sampling, luma.checked_add(8).ok_or(BROKEN)?, full_range)?,
            says_colours: transfer.is_some(),
            aspect: aspect.filter(|(across, down)| *across > 0 && *down > 0),
            primaries: primaries.map(color::primaries).transpose()?.flatten(),
            transfer,
            sample_entry: None,
        })
    })())
}

fn skip_sub_layers(b: &mut Bits<'_>, count: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..count {
        present.push((b.bit()?, b.bit()?));
    }
    if count > 0 {
        b.skip(2 * (8 - count as usize))?;
    }
    for (profile, level) in present {
        b.skip(if profile { 88 } else { 0 })?;
        b.skip(if level { 8 } else { 0 })?;
    }
    Some(())
}

fn skip_scaling(b: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !b.bit()? {
                b.ue()?;
                continue;
            }
            if size > 1 {
                b.se()?;
            }
            for _ in 0..(1 << (4 + (size << 1))).min(64) {
                b.se()?;
            }
        }
    }
    Some(())
}

fn skip_reference_sets(b: &mut Bits<'_>) -> Option<()> {
    let count = b.ue()?;
    if count > MAX_SETS {
        return None;
    }
    let mut pictures: Vec<u32> = Vec::new();
    for set in 0..count {
        if set > 0 && b.bit()? {
            b.bit()?;
            b.ue()?;
            let mut kept = 0;
            for _ in 0..=*pictures.last()? {
                let used = b.bit()?;
                if used || b.bit()? {
                    kept += 1;
                }
            }
            pictures.push(kept);
            continue;
        }
        let (before, after) = (b.ue()?, b.ue()?);
        if before > 16 || after > 16 {
            return None;
        }
        for _ in 0..before + after {
            b.ue()?;
            b.bit()?;
        }
        pictures.push(before + after);
    }
    Some(())
}
