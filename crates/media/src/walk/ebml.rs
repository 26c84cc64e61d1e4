//! EBML: elements and numbers of Matroska.

use super::be;

/// Identifier, size (`None`: not said), and length of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: u32,
    pub(crate) size: Option<u64>,
    pub(crate) length: u64,
}

/// More than an element's head ever takes.
pub(crate) const MAX_HEAD: usize = 12;

/// A number of variable length: its value without the marker, and how long it is.
pub(crate) fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let value = be(bytes.get(..length)?);
    Some((value & ((1 << (7 * length)) - 1), length))
}

pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let id_length = bytes.first()?.leading_zeros() as usize + 1;
    if id_length > 4 {
        return None;
    }
    let id = u32::try_from(be(bytes.get(..id_length)?)).ok()?;
    let (size, size_length) = number(bytes.get(id_length..)?)?;
    let unknown = size == (1 << (7 * size_length)) - 1;
    Some(Head { id, size: (!unknown).then_some(size), length: (id_length + size_length) as u64 })
}

/// The elements inside a body that is at hand. Ends early, with `false` from [`Elements::is_whole`],
/// at the first one that does not fit.
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
    broken: bool,
}

pub(crate) const fn elements(body: &[u8]) -> Elements<'_> {
    Elements { rest: body, broken: false }
}

impl Elements<'_> {
    pub(crate) const fn is_whole(&self) -> bool {
        !self.broken
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = head(self.rest).and_then(|h| {
            let from = usize::try_from(h.length).ok()?;
            let to = from.checked_add(usize::try_from(h.size?).ok()?)?;
            Some((h.id, self.rest.get(from..to)?, to))
        });
        match found {
            Some((id, body, to)) => {
                self.rest = &self.rest[to..];
                Some((id, body))
            }
            None => {
                self.broken = true;
                self.rest = &[];
                None
            }
        }
    }
}

/// A float of four or eight bytes; none is zero.
pub(crate) fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        0 => Some(0.0),
        4 => Some(f64::from(f32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// Text may be padded with zeros.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).ok()
}

/// A block's track, its time relative to its cluster, its flags, and where its frames begin.
pub(crate) fn block(bytes: &[u8]) -> Option<(u64, i16, u8, usize)> {
    let (track, length) = number(bytes)?;
    let time = i16::from_be_bytes(bytes.get(length..length + 2)?.try_into().ok()?);
    Some((track, time, *bytes.get(length + 2)?, length + 3))
}

pub(crate) mod id {
    pub(crate) const SEGMENT: u32 = 0x1853_8067;
    pub(crate) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(crate) const SEEK: u32 = 0x4dbb;
    pub(crate) const SEEK_ID: u32 = 0x53ab;
    pub(crate) const SEEK_POSITION: u32 = 0x53ac;
    pub(crate) const INFO: u32 = 0x1549_a966;
    pub(crate) const TRACKS: u32 = 0x1654_ae6b;
    pub(crate) const CHAPTERS: u32 = 0x1043_a770;
    pub(crate) const TAGS: u32 = 0x1254_c367;
    pub(crate) const CUES: u32 = 0x1c53_bb6b;
    pub(crate) const CLUSTER: u32 = 0x1f43_b675;
    pub(crate) const TIMESTAMP: u32 = 0xe7;
    pub(crate) const VOID: u32 = 0xec;
    pub(crate) const CRC: u32 = 0xbf;
    pub(crate) const ATTACHMENTS: u32 = 0x1941_a469;
    pub(crate) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(crate) const BLOCK_GROUP: u32 = 0xa0;
    pub(crate) const BLOCK: u32 = 0xa1;
    pub(crate) const TRACK_ENTRY: u32 = 0xae;
    pub(crate) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
}
