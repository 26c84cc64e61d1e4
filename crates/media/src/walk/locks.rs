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

/// Returns whether a track's samples are described as `encv` or `enca`.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        [id, &[0x01], &(body.len() as u64).to_be_bytes()[1..], body].concat()
    }

    /// Returns a file of one track of this kind, whose frames went through these encodings.
    fn matroska(kind: u8, encodings: &[Vec<u8>]) -> Vec<u8> {
        let list: Vec<u8> = encodings.iter().flat_map(|one| element(&[0x62, 0x40], one)).collect();
        let entry = [element(&[0xd7], &[1]), element(&[0x83], &[kind]), element(&[0x6d, 0x80], &list)].concat();
        let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &entry));
        let info = element(&[0x15, 0x49, 0xa9, 0x66], &[]);
        let header = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], b"matroska"));
        [header, element(&[0x18, 0x53, 0x80, 0x67], &[info, tracks].concat())].concat()
    }

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], kind, body].concat()
    }

    fn mp4(entry: &[u8; 4]) -> Vec<u8> {
        let table = boxed(b"stsd", &[&[0; 8][..], &boxed(entry, &[0; 78])].concat());
        let media = boxed(b"mdia", &boxed(b"minf", &boxed(b"stbl", &table)));
        [boxed(b"ftyp", b"isom\0\0\0\0"), boxed(b"moov", &boxed(b"trak", &media))].concat()
    }

    fn of(bytes: &[u8]) -> Locks {
        locks(bytes.len() as u64, |at, out| {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
            n
        })
    }

    #[test]
    fn what_was_done_to_frames_is_found() {
        let open = Locks::default();
        let compressed = Locks { compressed: true, ..open };
        let protected = Locks { protected: true, ..open };
        let compression = |algorithm: Option<u8>| {
            let algorithm = algorithm.map_or_else(Vec::new, |number| element(&[0x42, 0x54], &[number]));
            element(&[0x50, 0x34], &algorithm)
        };
        let encrypted = || element(&[0x50, 0x33], &[1]);
        for (bytes, expected) in [
            (matroska(1, &[]), open),
            (matroska(1, &[compression(Some(0))]), compressed),
            (matroska(2, &[compression(None)]), compressed),
            (matroska(1, &[compression(Some(3))]), open),
            // Subtitles are not handed to a browser as they are.
            (matroska(0x11, &[compression(Some(0))]), open),
            (matroska(1, &[encrypted()]), protected),
            (mp4(b"avc1"), open),
            (mp4(b"encv"), protected),
            (mp4(b"enca"), protected),
            (b"RIFF\0\0\0\0AVI ".to_vec(), open),
            (vec![], open),
        ] {
            assert_eq!(of(&bytes), expected, "{bytes:?}");
        }
    }
}
