//! The first and the last bytes of a backup file.
//!
//! ```text
//! head   zstd skippable frame: "loge-backup\n" {"format":1,"program_version":"…"}
//! body   one zstd frame with checksum: a tar whose first entry is manifest.json
//! tail   zstd skippable frame: "loge-end", SHA-256 of manifest.json, SHA-256 of every byte before it
//! ```
//!
//! Zstandard says that readers step over skippable frames, so the file as a whole stays a zstd tar that
//! `tar --zstd` opens without Loge. The head tells other files apart and names the version that wrote
//! the file, in whatever form the rest is: it never changes. The tail tells a whole file from half of
//! one, and covers the bits that zstd itself does not look at.

use crate::sum::Sum;
use serde::{Deserialize, Serialize};

const HEAD_MAGIC: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();
const TAIL_MAGIC: [u8; 4] = 0x184D_2A51_u32.to_le_bytes();
const HEAD_WORD: &[u8; 12] = b"loge-backup\n";
const TAIL_WORD: &[u8; 8] = b"loge-end";
const LONGEST_HEAD_BYTES: usize = 4096;
const FRAME_BYTES: usize = 8;
/// How much of a file has to be read for its head.
pub(crate) const HEAD_READ_BYTES: usize = FRAME_BYTES + LONGEST_HEAD_BYTES;
pub(crate) const TAIL_BYTES: usize = FRAME_BYTES + TAIL_WORD.len() + 32 + 32;
/// The sum of the whole is the last thing in the file and does not cover itself.
pub(crate) const WHOLE_SUM_BYTES: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    pub(crate) program_version: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoHead {
    Foreign,
    /// The file ends within what could be a head.
    Short,
    Damaged,
}

impl Head {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut payload = HEAD_WORD.to_vec();
        payload.extend(
            serde_json::json!({ "format": self.format, "program_version": self.program_version }).to_string().bytes(),
        );
        payload.push(b'\n');
        let mut frame = HEAD_MAGIC.to_vec();
        frame.extend((payload.len() as u32).to_le_bytes());
        frame.extend(payload);
        frame
    }

    /// Reads the head off the first bytes of a file; answers its length too.
    pub(crate) fn parse(file: &[u8]) -> Result<(Self, usize), NoHead> {
        let is = |at: usize, expected: &[u8]| file.iter().skip(at).zip(expected).all(|(a, b)| a == b);
        if !is(0, &HEAD_MAGIC) || !is(FRAME_BYTES, HEAD_WORD) {
            return Err(NoHead::Foreign);
        }
        let (_, rest) = file.split_at_checked(HEAD_MAGIC.len()).ok_or(NoHead::Short)?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or(NoHead::Short)?;
        let len = u32::from_le_bytes(*len) as usize;
        if len > LONGEST_HEAD_BYTES || len < HEAD_WORD.len() {
            return Err(NoHead::Damaged);
        }
        let payload = rest.get(..len).ok_or(NoHead::Short)?;
        let head = serde_json::from_slice(&payload[HEAD_WORD.len()..]).map_err(|_| NoHead::Damaged)?;
        Ok((head, FRAME_BYTES + len))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) manifest: Sum,
    pub(crate) whole: Sum,
}

impl Tail {
    /// Returns the tail without the sum of the whole, which covers these bytes too.
    pub(crate) fn start(manifest: Sum) -> Vec<u8> {
        let mut bytes = TAIL_MAGIC.to_vec();
        bytes.extend(((TAIL_BYTES - FRAME_BYTES) as u32).to_le_bytes());
        bytes.extend(TAIL_WORD);
        bytes.extend(manifest.0);
        bytes
    }

    /// Reads the last bytes of a file. `None`: its end is missing.
    pub(crate) fn parse(bytes: &[u8; TAIL_BYTES]) -> Option<Self> {
        let (start, whole) = bytes.split_last_chunk::<WHOLE_SUM_BYTES>()?;
        let manifest = Sum(*start.last_chunk()?);
        (start == Self::start(manifest)).then_some(Self { manifest, whole: Sum(*whole) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_other_files_are_told_apart() {
        let head = Head { format: 7, program_version: "9.1".into() };
        let bytes = head.to_bytes();
        assert_eq!(Head::parse(&[&bytes, b"more".as_slice()].concat()), Ok((head, bytes.len())));
        for cut in 0..bytes.len() {
            assert_eq!(Head::parse(&bytes[..cut]), Err(NoHead::Short), "{cut}");
        }
        for other in ["PK\x03\x04", "SQLite format 3\0", "x", &"y".repeat(5000)] {
            assert_eq!(Head::parse(other.as_bytes()), Err(NoHead::Foreign));
        }
    }
}
