//! Names of colours, as ffmpeg spells them.

use super::{Sure, Unsure};

const UNKNOWN: Unsure = "an unknown transfer characteristic";

/// A code point of ISO/IEC 23091-2. `None` is "unspecified".
pub(super) fn transfer(code: u64) -> Sure<Option<&'static str>> {
    Ok(Some(match code {
        1 => "bt709",
        2 => return Ok(None),
        4 => "bt470m",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "linear",
        9 => "log100",
        10 => "log316",
        11 => "iec61966-2-4",
        12 => "bt1361e",
        13 => "iec61966-2-1",
        14 => "bt2020-10",
        15 => "bt2020-12",
        16 => "smpte2084",
        17 => "smpte428",
        18 => "arib-std-b67",
        _ => return Err(UNKNOWN),
    }))
}

/// A code point of ISO/IEC 23091-2. `None` is "unspecified".
pub(super) fn primaries(code: u64) -> Sure<Option<&'static str>> {
    Ok(Some(match code {
        1 => "bt709",
        2 => return Ok(None),
        4 => "bt470m",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "film",
        9 => "bt2020",
        10 => "smpte428",
        11 => "smpte431",
        12 => "smpte432",
        22 => "ebu3213",
        _ => return Err("unknown colour primaries"),
    }))
}

/// Width and height of one pixel by `aspect_ratio_idc` (ITU-T H.264 and H.265, table E.1).
pub(super) fn aspect(idc: u32) -> Option<(u64, u64)> {
    const TABLE: [(u64, u64); 16] = [
        (1, 1),
        (12, 11),
        (10, 11),
        (16, 11),
        (40, 33),
        (24, 11),
        (20, 11),
        (32, 11),
        (80, 33),
        (18, 11),
        (15, 11),
        (64, 33),
        (160, 99),
        (4, 3),
        (3, 2),
        (2, 1),
    ];
    TABLE.get(usize::try_from(idc.checked_sub(1)?).ok()?).copied()
}

/// How colour is sampled: the number in H.264 and HEVC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    Gray,
    Yuv420,
    Yuv422,
    Yuv444,
}

impl Sampling {
    pub(super) const fn of(chroma_format: u32) -> Option<Self> {
        Some(match chroma_format {
            0 => Self::Gray,
            1 => Self::Yuv420,
            2 => Self::Yuv422,
            3 => Self::Yuv444,
            _ => return None,
        })
    }
}

/// The pixel format by its parts. `full_range` matters only where a name of its own exists.
pub(super) fn pixel_format(sampling: Sampling, depth: u32, full_range: bool) -> Sure<String> {
    let base = match sampling {
        Sampling::Gray => "gray",
        Sampling::Yuv420 if full_range && depth == 8 => "yuvj420p",
        Sampling::Yuv422 if full_range && depth == 8 => "yuvj422p",
        Sampling::Yuv444 if full_range && depth == 8 => "yuvj444p",
        Sampling::Yuv420 => "yuv420p",
        Sampling::Yuv422 => "yuv422p",
        Sampling::Yuv444 => "yuv444p",
    };
    match depth {
        8 => Ok(base.into()),
        9 | 10 | 12 => Ok(format!("{base}{depth}le")),
        _ => Err("a rare bit depth"),
    }
}
