//! The facts of a film from its headers alone, in a few bounded reads.
//!
//! mp4, mov, m4v, mkv, webm and avi say almost everything in the first or last kilobytes: what ffprobe
//! learns in 70 ms of starting up, these functions read in some twenty microseconds. They answer
//! in ffprobe's own words ([`Walked::Known`] is JSON for [`crate::probe_json`]), so that one
//! reader bounds and cleans both.
//!
//! Promises: a fact is stated only where ffprobe would state the same; everything else makes the
//! whole answer [`Walked::Unsure`], which costs one ffprobe and nothing more. Never more than
//! [`MAX_BYTES`] are read in at most [`MAX_READS`] reads, whatever the bytes say; sample tables are
//! skipped.

mod avc;
mod avi;
mod bits;
mod chapters;
mod color;
mod describe;
mod editions;
mod ending;
mod hevc;
mod isobmff;
mod jpeg;
mod locks;
mod matroska;
mod mpeg2;
mod mpeg4;
mod reader;
mod sound;
mod vfw;
mod web_video;

pub(crate) mod ebml;

pub(crate) use describe::is_absurd;
pub use ending::last_packet_ms;
pub use locks::{Locks, locks};
pub use reader::{MAX_BYTES, MAX_READS};
pub(crate) use reader::{Reader, be};

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walked {
    /// JSON as ffprobe writes it.
    Known(String),
    /// Something decides that headers do not say, or that these functions do not know. The text
    /// names it for statistics.
    Unsure(&'static str),
}

/// Samples a second out of an MPEG-4 AudioSpecificConfig, where frames cannot say another.
pub(crate) fn aac_rate(config: &[u8]) -> Result<u32, &'static str> {
    sound::aac(config).map(|sound| sound.rate_hz)
}

/// Why a walk stops short.
type Unsure = &'static str;
type Sure<T> = Result<T, Unsure>;

/// Walks a file of `size` bytes. `read(at, out)` fills as much of `out` as there is and returns
/// how much that was.
pub fn walk(size: u64, read: impl FnMut(u64, &mut [u8]) -> usize) -> Walked {
    let mut reader = Reader::new(size, read);
    let film = match reader.get(0, 8) {
        Some([0x1a, 0x45, 0xdf, 0xa3, ..]) => matroska::film(&mut reader),
        Some(head) if isobmff::begins(head) => isobmff::film(&mut reader),
        Some(head) if avi::begins(head) => avi::film(&mut reader),
        _ => Err("neither mp4 nor Matroska nor AVI"),
    };
    match film.and_then(|film| describe::as_ffprobe_would(&film, size)) {
        Ok(json) => Walked::Known(json),
        Err(why) => Walked::Unsure(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> Walked {
        let (mut reads, mut total) = (0, 0);
        let walked = walk(bytes.len() as u64, |at, out| {
            reads += 1;
            total += out.len();
            let from = usize::try_from(at).unwrap().min(bytes.len());
            let n = out.len().min(bytes.len() - from);
            out[..n].copy_from_slice(&bytes[from..from + n]);
            n
        });
        assert!(reads <= MAX_READS && total <= MAX_BYTES);
        walked
    }

    const FILMS: [&[u8]; 8] = [
        include_bytes!("../../fixtures/head.mp4"),
        include_bytes!("../../fixtures/head.mkv"),
        include_bytes!("../../fixtures/hevc.mp4"),
        include_bytes!("../../fixtures/vp9.webm"),
        include_bytes!("../../fixtures/head.avi"),
        include_bytes!("../../fixtures/jpeg.avi"),
        include_bytes!("../../fixtures/chapters.mp4"),
        include_bytes!("../../fixtures/mpeg2.mkv"),
    ];

    #[test]
    fn the_films_that_are_damaged_below_are_known_whole() {
        for film in FILMS {
            assert!(matches!(of(film), Walked::Known(_)), "{:?}", of(film));
            for end in 0..film.len() {
                // Cut anywhere it is known or not, and never more than that.
                let _ = of(&film[..end]);
            }
        }
        assert!(matches!(of(b""), Walked::Unsure(_)));
    }

    #[test]
    fn loops_and_absurd_sizes_end() {
        let huge = [&1_u32.to_be_bytes()[..], b"moov", &u64::MAX.to_be_bytes(), &[0; 64]].concat();
        let tiny = [&8_u32.to_be_bytes()[..], b"ftyp"].concat().repeat(100_000);
        let nothing = [&0_u32.to_be_bytes()[..], b"moov", &[0; 64]].concat();
        let voids =
            [&[0x1a, 0x45, 0xdf, 0xa3, 0x80, 0x18, 0x53, 0x80, 0x67, 0x88][..], &[0xec, 0x80].repeat(9999)].concat();
        let lists = [&b"RIFF\xff\xff\xff\xffAVI "[..], &b"LIST\0\0\0\0strl".repeat(9999)].concat();
        let empty = [&b"RIFF\xff\xff\xff\xffAVI "[..], &b"JUNK\0\0\0\0".repeat(9999)].concat();
        for bytes in [huge, tiny, nothing, voids, lists, empty, vec![0xff; 5000], vec![0; 5000]] {
            assert!(matches!(of(&bytes), Walked::Unsure(_)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0..4) {
            let head: &[u8] = match kind {
                0 => &[0x1a, 0x45, 0xdf, 0xa3],
                1 => b"\0\0\x01\0moov",
                2 => b"RIFF\xff\0\0\0AVI ",
                _ => b"",
            };
            let _ = of(&[head, &bytes].concat());
        }

        #[test]
        fn damaged_films_are_answered(which in 0..FILMS.len(), hits in proptest::collection::vec((any::<u32>(), any::<u8>()), 1..8)) {
            let mut film = FILMS[which].to_vec();
            for (at, byte) in hits {
                let at = at as usize % film.len();
                film[at] = byte;
            }
            if let Walked::Known(json) = of(&film) {
                let _ = crate::probe_json::parse(json.as_bytes(), None);
            }
        }
    }
}
