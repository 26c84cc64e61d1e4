//! What was done to all frames of a file before they were written: encryption, compression.

use super::{
    Reader, Sure, be,
    ebml::{elements, id},
    isobmff::{self, Place, children, one},
    matroska,
};

/// Which of both a picture or sound track has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Locks {
    /// Encrypted, as films are that a shop sells.
    pub protected: bool,
    /// Compressed once more, which only Matroska does.
    pub compressed: bool,
}

/// Looks for both in a file of `size` bytes. What cannot be read has neither.
pub fn locks(size: u64, read: impl FnMut(u64, &mut [u8]) -> usize) -> Locks {
    let mut reader = Reader::new(size, read);
    match reader.get(0, 8) {
        Some([0x1a, 0x45, 0xdf, 0xa3, ..]) => of_matroska(&mut reader),
        Some(head) if isobmff::begins(head) => {
            Ok(Locks { protected: is_encrypted(&mut reader).unwrap_or(false), compressed: false })
        }
        _ => Ok(Locks::default()),
    }
    .unwrap_or_default()
}

fn of_matroska<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Locks> {
    /// Of an encoding: what it was applied to, and how.
    const CONTENT_ENCODING_TYPE: u32 = 0x5033;
    const CONTENT_COMPRESSION: u32 = 0x5034;
    const CONTENT_COMP_ALGO: u32 = 0x4254;
    const HEADERS_STRIPPED: u64 = 3;
    let tracks = matroska::essentials(r)?.tracks;
    let mut out = Locks::default();
    for (_, entry) in elements(&tracks).filter(|(kind, _)| *kind == id::TRACK_ENTRY) {
        let is_film = elements(entry).any(|(kind, value)| kind == 0x83 && matches!(be(value), 1 | 2));
        let lists = elements(entry).filter(|(kind, _)| is_film && *kind == 0x6d80);
        for (_, encoding) in lists.flat_map(|(_, list)| elements(list)) {
            let find = |wanted| elements(encoding).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
            if find(CONTENT_ENCODING_TYPE).is_some_and(|value| be(value) == 1) {
                out.protected = true;
                continue;
            }
            // zlib where nothing is said.
            let algorithm = find(CONTENT_COMPRESSION).map_or(0, |compression| {
                elements(compression).find(|(kind, _)| *kind == CONTENT_COMP_ALGO).map_or(0, |(_, value)| be(value))
            });
            out.compressed |= algorithm != HEADERS_STRIPPED;
        }
    }
    Ok(out)
}

/// Whether a track's samples are described as `encv` or `enca`.
fn is_encrypted<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<bool> {
    const NONE: &str = "no moov box";
    let mut at = 0;
    let moov = loop {
        let top = isobmff::place(r, at, r.size())?;
        if &top.kind == b"moov" {
            break top;
        }
        at = top.end;
        if at >= r.size() {
            return Err(NONE);
        }
    };
    for trak in children(r, moov.body, moov.end)?.iter().filter(|child| &child.kind == b"trak") {
        let mut place: Place = *trak;
        for step in [b"mdia", b"minf", b"stbl", b"stsd"] {
            let list = children(r, place.body, place.end)?;
            place = *one(&list, step).ok_or(NONE)?;
        }
        let entry = isobmff::place(r, place.body + 8, place.end)?;
        if matches!(&entry.kind, b"encv" | b"enca" | b"drmi" | b"drms") {
            return Ok(true);
        }
    }
    Ok(false)
}
