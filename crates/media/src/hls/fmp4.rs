//! Fragmented MP4: a bounded reader of what ffmpeg writes into a pipe, and a writer of segments.
//!
//! The reader takes bytes as they come and gives samples. It knows exactly the boxes that
//! ffmpeg's muxer writes for one track (ISO/IEC 14496-12) and refuses the rest, since what
//! ffmpeg just decoded may have taken it over.

use std::ops::Range;

/// One group of pictures of the fattest film there is; more is no film.
const MAX_BOX: usize = 96 << 20;
const MAX_INIT: usize = 1 << 20;
const MAX_SAMPLES: usize = 1 << 16;

/// One frame of picture or sound, in units of the track's timescale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub dts: i64,
    pub duration: u32,
    /// When it is shown, less `dts`.
    pub offset: i64,
    /// Whether the muxer says that decoding can begin here.
    pub sync: bool,
    pub data: Vec<u8>,
}

impl Sample {
    pub fn pts(&self) -> i64 {
        self.dts + self.offset
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything before the first fragment.
    Init {
        bytes: Vec<u8>,
        timescale: u32,
    },
    Fragment(Vec<Sample>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("a box is larger than a film's")]
    TooLarge,
    #[error("the boxes are not those of one fragmented track")]
    Shape,
}

/// Feeds on bytes.
#[derive(Debug, Default)]
pub struct Reader {
    pending: Vec<u8>,
    /// Bytes of `pending` that are read already.
    taken: usize,
    init: Vec<u8>,
    defaults: Defaults,
    moof: Option<Vec<u8>>,
    is_open: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

const NOT_SYNC: u32 = 0x0001_0000;

impl Reader {
    /// # Errors
    /// [`ReadError`]; the reader is of no use then.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Part>) -> Result<(), ReadError> {
        self.pending.extend_from_slice(bytes);
        loop {
            let rest = &self.pending[self.taken..];
            let Some(header) = rest.get(..8) else { break };
            let size = be32(header, 0).ok_or(ReadError::Shape)? as usize;
            // ffmpeg's fragments are small enough for 32 bits; 0 and 1 are other lengths' signs.
            if size < 8 {
                return Err(ReadError::Shape);
            }
            if size > MAX_BOX {
                return Err(ReadError::TooLarge);
            }
            if rest.len() < size {
                self.pending.reserve(size - rest.len());
                break;
            }
            let at = self.taken..self.taken + size;
            self.taken += size;
            self.take(at, out)?;
        }
        if self.taken > 0 {
            self.pending.drain(..self.taken);
            self.taken = 0;
        }
        Ok(())
    }

    fn take(&mut self, at: Range<usize>, out: &mut Vec<Part>) -> Result<(), ReadError> {
        let whole = &self.pending[at];
        match &whole[4..8] {
            b"ftyp" | b"moov" if !self.is_open => {
                if self.init.len() + whole.len() > MAX_INIT {
                    return Err(ReadError::TooLarge);
                }
                self.init.extend_from_slice(whole);
                if &whole[4..8] == b"moov" {
                    let timescale = timescale(whole).ok_or(ReadError::Shape)?;
                    self.defaults = trex(whole).ok_or(ReadError::Shape)?;
                    self.is_open = true;
                    out.push(Part::Init { bytes: std::mem::take(&mut self.init), timescale });
                }
            }
            b"moof" if self.is_open => self.moof = Some(whole.to_vec()),
            b"mdat" => {
                // ffmpeg ends some files with an empty one.
                if let Some(moof) = self.moof.take() {
                    out.push(Part::Fragment(samples(&moof, whole, self.defaults).ok_or(ReadError::Shape)?));
                } else if whole.len() > 8 {
                    return Err(ReadError::Shape);
                }
            }
            b"styp" | b"sidx" | b"mfra" | b"free" | b"prft" => {}
            _ => return Err(ReadError::Shape),
        }
        Ok(())
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Boxes inside a box's content: name and content.
fn children(content: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let size = be32(rest, 0)? as usize;
        let name = rest.get(4..8)?.try_into().ok()?;
        let inside = rest.get(8..size)?;
        rest = &rest[size..];
        Some((name, inside))
    })
}

fn child<'a>(content: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(content, |content, name| children(content).find(|(n, _)| n == *name).map(|(_, inside)| inside))
}

fn timescale(moov: &[u8]) -> Option<u32> {
    let mdhd = child(&moov[8..], &[b"trak", b"mdia", b"mdhd"])?;
    let at = if *mdhd.first()? == 1 { 20 } else { 12 };
    be32(mdhd, at).filter(|scale| *scale > 0)
}

fn trex(moov: &[u8]) -> Option<Defaults> {
    let Some(trex) = child(&moov[8..], &[b"mvex", b"trex"]) else { return Some(Defaults::default()) };
    Some(Defaults { duration: be32(trex, 12)?, size: be32(trex, 16)?, flags: be32(trex, 20)? })
}

fn samples(moof: &[u8], mdat: &[u8], defaults: Defaults) -> Option<Vec<Sample>> {
    let mut tracks = children(&moof[8..]).filter(|(name, _)| name == b"traf");
    let traf = tracks.next()?.1;
    if tracks.next().is_some() {
        return None;
    }
    let defaults = tfhd(child(traf, &[b"tfhd"])?, defaults)?;
    let tfdt = child(traf, &[b"tfdt"])?;
    let mut dts = match *tfdt.first()? {
        // ffmpeg writes times before the start as they are, in two's complement.
        1 => be64(tfdt, 4)?.cast_signed(),
        _ => i64::from(be32(tfdt, 4)?.cast_signed()),
    };
    let mut out = Vec::new();
    for (_, trun) in children(traf).filter(|(name, _)| name == b"trun") {
        let head = be32(trun, 0)?;
        let (version, flags) = (head >> 24, head & 0xff_ffff);
        let count = be32(trun, 4)? as usize;
        let mut at = 8;
        let mut next = || {
            let value = be32(trun, at);
            at += 4;
            value
        };
        // With default-base-is-moof, data offsets count from the start of the moof.
        let offset = if flags & 1 != 0 { next()?.cast_signed() } else { 0 };
        let first_flags = if flags & 4 != 0 { Some(next()?) } else { None };
        let mut from = usize::try_from(i64::from(offset) - moof.len() as i64).ok()?;
        if count > MAX_SAMPLES - out.len().min(MAX_SAMPLES) {
            return None;
        }
        for n in 0..count {
            let duration = if flags & 0x100 != 0 { next()? } else { defaults.duration };
            let size = if flags & 0x200 != 0 { next()? } else { defaults.size } as usize;
            let mut sample_flags = if flags & 0x400 != 0 { next()? } else { defaults.flags };
            let cts = if flags & 0x800 != 0 { next()? } else { 0 };
            if let (0, Some(first)) = (n, first_flags) {
                sample_flags = first;
            }
            let offset = if version == 0 { i64::from(cts) } else { i64::from(cts.cast_signed()) };
            let data = mdat.get(from..from.checked_add(size)?)?.to_vec();
            from += size;
            out.push(Sample { dts, duration, offset, sync: sample_flags & NOT_SYNC == 0, data });
            dts = dts.checked_add(i64::from(duration))?;
        }
    }
    Some(out)
}

fn tfhd(tfhd: &[u8], mut defaults: Defaults) -> Option<Defaults> {
    let flags = be32(tfhd, 0)? & 0xff_ffff;
    let mut at = 8;
    if flags & 1 != 0 {
        // An absolute offset: not what was asked of the muxer.
        return None;
    }
    if flags & 2 != 0 {
        at += 4;
    }
    for (bit, field) in [(8, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)] {
        if flags & bit != 0 {
            *field = be32(tfhd, at)?;
            at += 4;
        }
    }
    Some(defaults)
}

/// A media segment of one track: `styp`, `moof`, `mdat`. `number` counts from 0.
pub fn segment(number: u32, samples: &[Sample]) -> Vec<u8> {
    let data: usize = samples.iter().map(|s| s.data.len()).sum();
    let mut out = Vec::with_capacity(data + samples.len() * 16 + 128);
    boxed(&mut out, b"styp", |out| out.extend_from_slice(b"msdh\0\0\0\0msdhmsix"));
    let moof_at = out.len();
    let mut offset_at = 0;
    boxed(&mut out, b"moof", |out| {
        boxed(out, b"mfhd", |out| {
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&(number + 1).to_be_bytes());
        });
        boxed(out, b"traf", |out| {
            // default-base-is-moof; track 1.
            boxed(out, b"tfhd", |out| out.extend_from_slice(&[0, 2, 0, 0, 0, 0, 0, 1]));
            boxed(out, b"tfdt", |out| {
                out.extend_from_slice(&[1, 0, 0, 0]);
                let first = samples.first().map_or(0, |s| s.dts);
                out.extend_from_slice(&first.to_be_bytes());
            });
            boxed(out, b"trun", |out| {
                // Version 1 with data offset, durations, sizes, flags and signed composition offsets.
                out.extend_from_slice(&0x0100_0f01_u32.to_be_bytes());
                out.extend_from_slice(&u32::try_from(samples.len()).unwrap_or(u32::MAX).to_be_bytes());
                offset_at = out.len();
                out.extend_from_slice(&[0; 4]);
                for sample in samples {
                    let flags: u32 = if sample.sync { 0x0200_0000 } else { 0x0101_0000 };
                    out.extend_from_slice(&sample.duration.to_be_bytes());
                    out.extend_from_slice(&u32::try_from(sample.data.len()).unwrap_or(u32::MAX).to_be_bytes());
                    out.extend_from_slice(&flags.to_be_bytes());
                    out.extend_from_slice(&(sample.offset as i32).to_be_bytes());
                }
            });
        });
    });
    let offset = u32::try_from(out.len() - moof_at + 8).unwrap_or(u32::MAX);
    out[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
    boxed(&mut out, b"mdat", |out| {
        for sample in samples {
            out.extend_from_slice(&sample.data);
        }
    });
    out
}

fn boxed(out: &mut Vec<u8>, name: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(name);
    content(out);
    let size = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moov() -> Vec<u8> {
        let mut out = Vec::new();
        boxed(&mut out, b"moov", |out| {
            boxed(out, b"trak", |out| {
                boxed(out, b"mdia", |out| {
                    boxed(out, b"mdhd", |out| {
                        out.extend_from_slice(&[0; 12]);
                        out.extend_from_slice(&90_000_u32.to_be_bytes());
                        out.extend_from_slice(&[0; 8]);
                    });
                });
            });
        });
        out
    }

    fn sample(dts: i64, duration: u32, offset: i64, sync: bool, byte: u8) -> Sample {
        Sample { dts, duration, offset, sync, data: vec![byte; 5] }
    }

    #[test]
    fn what_is_written_is_read_again_however_it_is_sliced() {
        let written = [sample(7200, 3600, 7200, true, 1), sample(10_800, 3000, -3600, false, 2)];
        let mut bytes = vec![0, 0, 0, 8];
        bytes.extend_from_slice(b"ftyp");
        bytes.extend(moov());
        bytes.extend(segment(4, &written));
        bytes.extend(segment(5, &written[..1]));
        for step in [1, 7, 64, bytes.len()] {
            let (mut reader, mut parts) = (Reader::default(), Vec::new());
            for slice in bytes.chunks(step) {
                reader.feed(slice, &mut parts).unwrap();
            }
            assert_eq!(parts.len(), 3, "{step}");
            assert!(matches!(&parts[0], Part::Init { timescale: 90_000, bytes } if bytes.len() == 8 + moov().len()));
            assert_eq!(parts[1], Part::Fragment(written.to_vec()));
            assert_eq!(parts[2], Part::Fragment(written[..1].to_vec()));
        }
    }

    #[test]
    fn other_boxes_and_absurd_sizes_are_refused() {
        let feed = |bytes: &[u8]| Reader::default().feed(bytes, &mut Vec::new());
        assert_eq!(feed(b"\0\0\0\x08evil"), Err(ReadError::Shape));
        assert_eq!(feed(b"\0\0\0\x01moof\0\0\0\0\0\0\0\0"), Err(ReadError::Shape));
        assert_eq!(feed(b"\x7f\0\0\0mdat"), Err(ReadError::TooLarge));
        assert_eq!(feed(b"\0\0\0\x08moof"), Err(ReadError::Shape), "a fragment before the init");
    }

    proptest! {
        #[test]
        fn mutations_never_panic(at in 0_usize..300, byte in any::<u8>()) {
            let mut bytes = moov();
            bytes.extend(segment(0, &[sample(0, 1, 0, true, 9), sample(1, 1, 0, false, 9)]));
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Reader::default().feed(&bytes, &mut Vec::new());
        }
    }
}
