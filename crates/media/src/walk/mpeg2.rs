//! MPEG-2 video: its sequence header and the extensions behind it.

use super::{Sure, bits::Bits, color, describe::Picture};

const BROKEN: &str = "MPEG-2 headers that cannot be read";
/// With both quantiser matrices they are much shorter.
pub(super) const MAX_HEADERS: usize = 1 << 10;
const PICTURE: u8 = 0;
const SEQUENCE: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const SLICES: std::ops::RangeInclusive<u8> = 1..=0xaf;

#[derive(Default)]
struct Said {
    size: Option<(u32, u32)>,
    /// Profile and level, whether both are escaped, and sampling.
    coding: Option<(u32, u32, bool, u32)>,
    size_above: (u32, u32),
    primaries: Option<u64>,
    transfer: Option<u64>,
    progressive: bool,
}

/// `extra`: what the container keeps apart from the frames; what the first frame says goes before it.
pub(super) fn picture(extra: &[u8], frame: &[u8]) -> Sure<Picture> {
    let mut said = Said::default();
    said.read(extra)?;
    if !said.read(frame)? {
        return Err("MPEG-2 that does not begin with a picture");
    }
    let (width, height) = said.size.ok_or("MPEG-2 without its configuration")?;
    let (profile, level, escaped, sampling) = said.coding.ok_or("MPEG-1")?;
    if escaped || said.size_above != (0, 0) {
        return Err("MPEG-2 of a rare kind");
    }
    // Each picture says for itself whether it is made of fields.
    if !said.progressive {
        return Err("MPEG-2 that may be interlaced");
    }
    let profile = match profile {
        1 => "High",
        2 => "Spatially Scalable",
        3 => "SNR Scalable",
        4 => "Main",
        5 => "Simple",
        _ => return Err("MPEG-2 of a rare kind"),
    };
    let pixel_format = match sampling {
        1 => "yuv420p",
        2 => "yuv422p",
        3 => "yuv444p",
        _ => return Err("rare MPEG-2 sampling"),
    };
    Ok(Picture {
        codec: "mpeg2video",
        profile: Some(profile.into()),
        level: Some(level),
        width,
        height,
        pixel_format: pixel_format.into(),
        // Only Matroska brings it here, which says the shape itself.
        aspect: None,
        primaries: said.primaries.map(color::primaries).transpose()?.flatten(),
        transfer: said.transfer.map(color::transfer).transpose()?.flatten(),
        says_colours: said.transfer.is_some(),
        sample_entry: None,
    })
}

impl Said {
    /// Whether a picture follows the headers.
    fn read(&mut self, bytes: &[u8]) -> Sure<bool> {
        let mut rest = bytes;
        while let Some(at) = rest.windows(3).position(|w| w == [0, 0, 1]) {
            rest = &rest[at + 3..];
            let Some((kind, body)) = rest.split_first() else { break };
            match *kind {
                PICTURE => return Ok(true),
                SEQUENCE => {
                    let mut b = Bits::new(body);
                    let size = (|| Some((b.take(12)?, b.take(12)?)))().ok_or(BROKEN)?;
                    if size.0 == 0 || size.1 == 0 {
                        return Err(BROKEN);
                    }
                    *self = Self { size: Some(size), ..Self::default() };
                }
                EXTENSION => self.extension(body).ok_or(BROKEN)?,
                kind if SLICES.contains(&kind) => return Err(BROKEN),
                _ => {}
            }
        }
        Ok(false)
    }

    fn extension(&mut self, body: &[u8]) -> Option<()> {
        let mut b = Bits::new(body);
        match b.take(4)? {
            1 => {
                let escaped = b.bit()?;
                let (profile, level) = (b.take(3)?, b.take(4)?);
                self.progressive = b.bit()?;
                self.coding = Some((profile, level, escaped, b.take(2)?));
                self.size_above = (b.take(2)?, b.take(2)?);
            }
            2 => {
                b.skip(3)?;
                if b.bit()? {
                    self.primaries = Some(b.take(8)?.into());
                    self.transfer = Some(b.take(8)?.into());
                }
            }
            _ => {}
        }
        Some(())
    }
}
