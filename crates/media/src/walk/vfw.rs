//! Pictures by a `BITMAPINFOHEADER`, as AVI and old Matroska files keep them.

use super::{
    Sure, avc,
    describe::{Frame, Picture},
    jpeg, mpeg4,
};

pub(super) struct Header<'a> {
    width: u32,
    height: u32,
    depth: u16,
    pub(super) tag: [u8; 4],
    /// What the codec wrote behind the header.
    pub(super) extra: &'a [u8],
}

impl<'a> Header<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let field = |at: usize| Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let (own, width, height) = (field(0)?, field(4)?, field(8)?);
        // A header may name its own odd length inside an even chunk.
        let length = match usize::try_from(own).ok()? {
            own if own % 2 == 1 && own + 1 == bytes.len() => own,
            _ => bytes.len(),
        };
        Some(Self {
            width: u32::try_from(width).ok()?,
            height: height.unsigned_abs(),
            depth: u16::from_le_bytes(bytes.get(14..16)?.try_into().ok()?),
            tag: bytes.get(16..20)?.try_into().ok()?,
            extra: bytes.get(40..length).unwrap_or_default(),
        })
    }

    /// `first`: at most so many bytes of the first frame. `aspect`: of one pixel, where the container
    /// says it.
    pub(super) fn picture(
        &self,
        aspect: Option<(u64, u64)>,
        mut first: impl FnMut(usize) -> Sure<Vec<u8>>,
    ) -> Sure<Picture> {
        let picture = match &self.tag.map(|b| b.to_ascii_uppercase()) {
            b"FMP4" | b"DIVX" | b"DX50" | b"XVID" | b"MP4V" | b"M4S2" | b"3IV2" => {
                mpeg4::picture(self.extra, &first(mpeg4::MAX_HEADERS)?)?
            }
            b"DIV3" | b"DIV4" | b"DIV5" | b"DIV6" | b"MP43" => without_headers("msmpeg4v3", self.width, self.height),
            b"MP42" | b"DIV2" => without_headers("msmpeg4v2", self.width, self.height),
            b"H264" | b"X264" | b"AVC1" => match self.extra {
                [] => avc::annex_b(&first(avc::MAX_HEADERS)?)?,
                [1, ..] => avc::picture(self.extra)?,
                extra => avc::annex_b(extra)?,
            },
            b"MJPG" if self.extra.is_empty() => jpeg::picture(&first(jpeg::MAX_HEADERS)?)?,
            // Without a palette it is decoded to this, whatever was encoded.
            b"CVID" if self.depth == 24 => {
                Picture { pixel_format: "rgb24".into(), ..without_headers("cinepak", self.width, self.height) }
            }
            _ => return Err("a picture codec that needs a decoder"),
        };
        picture.within(Frame { width: self.width.into(), height: self.height.into(), aspect, ..Frame::default() })
    }
}

/// A picture of a codec whose frames say nothing of themselves.
pub(super) fn without_headers(codec: &'static str, width: u32, height: u32) -> Picture {
    Picture {
        codec,
        profile: None,
        level: None,
        width,
        height,
        pixel_format: "yuv420p".into(),
        aspect: None,
        primaries: None,
        transfer: None,
        says_colours: false,
        sample_entry: None,
    }
}
