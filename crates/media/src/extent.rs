//! Where a file says it ends, from a few bytes of its outermost structure.
//!
//! ffprobe is content with a film whose index is at the front, even when most of the film is
//! missing: a download that stopped, a copy that ran out of disk. The outermost boxes say how long
//! the file ought to be. Costs a handful of 16-byte reads; anything unusual is "not known".

/// More boxes than a finished film has; fragmented recordings have thousands.
const MAX_BOXES: usize = 256;

/// The length the file claims to have. `read` fills a buffer from an offset as far as it can.
/// `None` when the file does not say, or says it in a way that is not trusted.
pub fn declared_length(size_bytes: u64, mut read: impl FnMut(u64, &mut [u8]) -> usize) -> Option<u64> {
    let mut start = [0; 64];
    let got = read(0, &mut start);
    let start = &start[..got.min(64)];
    if start.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return matroska(start);
    }
    isobmff(size_bytes, read)
}

/// Returns whether so much of a file is missing that it does not play. A Matroska file and a
/// fragmented MP4 play as far as they go.
pub fn is_beyond_play(size_bytes: u64, mut read: impl FnMut(u64, &mut [u8]) -> usize) -> bool {
    let mut start = [0; 4];
    let got = read(0, &mut start);
    let is_matroska = got == 4 && start == [0x1a, 0x45, 0xdf, 0xa3];
    !is_matroska && declared_length(size_bytes, read).is_some_and(|declared| is_cut(declared, size_bytes))
}

/// Returns whether a file begins like a film of a kind that is not taken: a transport stream of a
/// recorder, a disc's program stream, FLV, Windows Media, Ogg, RealMedia.
pub fn is_of_another_kind(mut read: impl FnMut(u64, &mut [u8]) -> usize) -> bool {
    const PACKET: usize = 188;
    let mut head = [0; 2 * PACKET + 1];
    let got = read(0, &mut head);
    let head = &head[..got.min(head.len())];
    let is_transport = [0, PACKET, 2 * PACKET].iter().all(|at| head.get(*at) == Some(&0x47));
    let marks: [&[u8]; 5] = [b"\0\0\x01\xba", b"FLV\x01", b"\x30\x26\xb2\x75", b"OggS", b".RMF"];
    is_transport || marks.iter().any(|mark| head.starts_with(mark))
}

/// Whether so much is missing that it is not worth starting: more than a fiftieth. A film that
/// lost its last second still plays.
pub const fn is_cut(declared: u64, size_bytes: u64) -> bool {
    declared.saturating_sub(size_bytes) > declared / 50
}

/// EBML header, then one segment that holds everything else.
fn matroska(start: &[u8]) -> Option<u64> {
    let (header, width) = vint(start.get(4..)?)?;
    let segment = usize::try_from(header?).ok()?.checked_add(4 + width)?;
    if start.get(segment..segment.checked_add(4)?)? != [0x18, 0x53, 0x80, 0x67] {
        return None;
    }
    let (length, width) = vint(start.get(segment + 4..)?)?;
    // A live recording does not know its length.
    length?.checked_add((segment + 4 + width) as u64)
}

/// A variable-length number and the bytes it takes; all ones mean "unknown".
fn vint(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let width = first.leading_zeros() as usize + 1;
    let rest = bytes.get(1..width).filter(|_| width <= 8)?;
    let mask = (1u64 << (8 - width)) - 1;
    let value = rest.iter().fold(u64::from(first) & mask, |n, b| n << 8 | u64::from(*b));
    let unknown = value == (1u64 << (7 * width)) - 1;
    Some(((!unknown).then_some(value), width))
}

/// Box after box to the one that reaches the end or beyond.
fn isobmff(size_bytes: u64, mut read: impl FnMut(u64, &mut [u8]) -> usize) -> Option<u64> {
    let mut at = 0u64;
    for _ in 0..MAX_BOXES {
        let mut head = [0; 16];
        let got = read(at, &mut head);
        if got < 8 || !head[4..8].iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
            return None;
        }
        if at == 0 && !matches!(&head[4..8], b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide") {
            return None;
        }
        // Each fragment stands alone.
        if &head[4..8] == b"moof" {
            return None;
        }
        let length = match u32::from_be_bytes(head[..4].try_into().ok()?) {
            0 => return None,
            1 if got == 16 => u64::from_be_bytes(head[8..].try_into().ok()?),
            n => u64::from(n),
        };
        if length < 8 {
            return None;
        }
        at = at.checked_add(length)?;
        if at >= size_bytes {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(bytes: &[u8]) -> Option<u64> {
        declared_length(bytes.len() as u64, |at, out| {
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
            n
        })
    }

    fn boxed(kind: &[u8; 4], length: u32, body: usize) -> Vec<u8> {
        [&length.to_be_bytes()[..], kind, &vec![0; body]].concat()
    }

    #[test]
    fn boxes_say_where_they_end() {
        let whole = [boxed(b"ftyp", 20, 12), boxed(b"moov", 108, 100), boxed(b"mdat", 1008, 1000)].concat();
        assert_eq!(declared(&whole), Some(1136));
        assert_eq!(declared(&whole[..500]), Some(1136));
        assert!(is_cut(1136, 500) && !is_cut(1136, 1136) && !is_cut(1136, 1120) && !is_cut(0, 0));
        let large = [&1u32.to_be_bytes()[..], b"mdat", &(1u64 << 40).to_be_bytes(), &[0; 100]].concat();
        assert_eq!(declared(&large), Some(1 << 40));
    }

    #[test]
    fn what_stands_alone_plays_as_far_as_it_goes() {
        let read_of = |bytes: Vec<u8>| {
            move |at: u64, out: &mut [u8]| {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let n = rest.len().min(out.len());
                out[..n].copy_from_slice(&rest[..n]);
                n
            }
        };
        let beyond = |bytes: Vec<u8>| is_beyond_play(bytes.len() as u64, read_of(bytes));
        let whole = [boxed(b"ftyp", 20, 12), boxed(b"moov", 108, 100), boxed(b"mdat", 1008, 1000)].concat();
        let fragments = [boxed(b"ftyp", 20, 12), boxed(b"moov", 108, 100), boxed(b"moof", 108, 100)].concat();
        let fragments = [fragments, boxed(b"mdat", 1008, 1000)].concat();
        assert!(!beyond(whole.clone()) && beyond(whole[..500].to_vec()));
        assert!(!beyond(fragments.clone()) && !beyond(fragments[..500].to_vec()));
        let matroska = [&[0x1a, 0x45, 0xdf, 0xa3, 0x82, 0, 0, 0x18, 0x53, 0x80, 0x67, 0x50, 0][..], &[0; 60]].concat();
        assert!(is_cut(declared(&matroska).unwrap(), matroska.len() as u64) && !beyond(matroska));
    }

    #[test]
    fn other_films_are_told_from_no_films() {
        let of = |bytes: Vec<u8>| {
            is_of_another_kind(|_, out| {
                let n = bytes.len().min(out.len());
                out[..n].copy_from_slice(&bytes[..n]);
                n
            })
        };
        let packet = [&[0x47][..], &[0; 187]].concat();
        assert!(of(packet.repeat(3)) && of(b"OggS\0\x02".to_vec()) && of(b"\0\0\x01\xbaD".to_vec()));
        assert!(!of(packet) && !of(b"GIF89a".to_vec()) && !of(vec![]) && !of(boxed(b"ftyp", 20, 12)));
    }

    #[test]
    fn segments_say_where_they_end() {
        let head = [0x1a, 0x45, 0xdf, 0xa3, 0x82, 0, 0, 0x18, 0x53, 0x80, 0x67];
        let sized = [&head[..], &[0x40, 100], &[0; 60]].concat();
        assert_eq!(declared(&sized), Some(113));
        let live = [&head[..], &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0; 60]].concat();
        assert_eq!(declared(&live), None);
    }

    #[test]
    fn the_unusual_is_not_known() {
        let endless = [boxed(b"ftyp", 20, 12), boxed(b"mdat", 0, 100)].concat();
        let tail = [boxed(b"ftyp", 20, 12), vec![0xff; 40]].concat();
        let tiny = boxed(b"free", 8, 0).repeat(1000);
        for bytes in [
            &b""[..],
            b"RIFF\0\0\0\0AVI ",
            b"hello, this is text",
            &endless,
            &tail,
            &tiny,
            &boxed(b"ftyp", 4, 12),
            &[0x1a, 0x45, 0xdf, 0xa3],
            &[0x1a, 0x45, 0xdf, 0xa3, 0x00],
            &[0x1a, 0x45, 0xdf, 0xa3, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
            &[0xff; 64],
        ] {
            assert_eq!(declared(bytes), None, "{bytes:?}");
        }
        let over = [&1u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat();
        assert_eq!(declared(&over), Some(u64::MAX));
        assert_eq!(declared(&[boxed(b"ftyp", 20, 12), over].concat()), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = declared(&bytes);
            let _ = declared(&[&[0x1a, 0x45, 0xdf, 0xa3], bytes.as_slice()].concat());
            let _ = declared(&[&20u32.to_be_bytes(), &b"ftyp"[..], &bytes].concat());
        }
    }
}
