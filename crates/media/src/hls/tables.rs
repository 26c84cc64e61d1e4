//! A key frame index from an MP4's own tables: exact, and two milliseconds where reading every
//! packet takes as long as the disk does.
//!
//! The tables say when every frame is shown and which are key frames. Whether a key frame of
//! H.264 is an IDR picture stands in the frame itself, so the first bytes of each are read too.
//! Promises: what is answered is what [`super::index::Builder`] makes of ffprobe's packets; every
//! edit list, sample group or table that needs thought makes the answer [`Unsure`]; reads and
//! memory are bounded whatever the bytes say.

use super::index::{AudioPhase, Builder, KeyframeIndex};

/// Why the tables do not answer. The text is for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tables do not say it: {0}")]
pub struct Unsure(pub &'static str);

type Sure<T> = Result<T, Unsure>;

/// Tables of ten hours at 60 pictures a second, with sound, are smaller.
const MAX_MOOV: u64 = 64 << 20;
const MAX_FRAMES: u64 = 3 << 20;
const MAX_TOP_BOXES: usize = 256;
/// Parameter sets, messages and delimiters before the first slice of a picture.
const MAX_NAL_UNITS: usize = 64;

/// Reads the tables of a file of `size` bytes. `read(at, out)` fills as much of `out` as there is
/// and returns how much that was.
///
/// # Errors
/// [`Unsure`] for whatever is not a plain, whole MP4.
pub fn index(size: u64, read: impl FnMut(u64, &mut [u8]) -> usize) -> Sure<KeyframeIndex> {
    let mut film = Film { size, read };
    let moov = film.moov()?;
    if child(&moov, b"mvex").is_some() {
        return Err(Unsure("its tables are spread over fragments"));
    }
    let movie_scale = scale(child(&moov, b"mvhd").ok_or(Unsure("no header"))?)?;
    let (mut picture, mut audio, mut begins) = (None, Vec::new(), i64::MAX);
    for (_, trak) in children(&moov).filter(|(name, _)| name == b"trak").take(128) {
        let mdia = child(trak, b"mdia").ok_or(Unsure("a track without media"))?;
        let kind = child(mdia, b"hdlr").and_then(|hdlr| hdlr.get(8..12)).ok_or(Unsure("a track of no kind"))?;
        match kind {
            b"vide" if picture.is_some() => return Err(Unsure("more than one picture")),
            b"vide" => picture = Some(Frames::read(trak, mdia, movie_scale)?),
            b"soun" => {
                let phase = sound(trak, mdia, movie_scale)?;
                begins = begins.min(i64::try_from(phase.start_us).unwrap_or(i64::MAX));
                audio.push(phase);
            }
            _ => {}
        }
    }
    let frames = picture.ok_or(Unsure("no picture"))?;
    begins = begins.min(frames.shown.iter().copied().min().map_or(i64::MAX, |first| frames.micros(first)));
    // Something begins at 0 and nothing before it, so that is the film's start for every reader.
    if begins != 0 {
        return Err(Unsure("nothing begins at the start"));
    }
    let mut builder = Builder::new(0, frames.nal_length.is_some());
    for (shown, key) in frames.shown.iter().zip(&frames.keys) {
        builder.frame(frames.micros(*shown), key.is_some()).map_err(|_| Unsure("too many frames"))?;
    }
    if let Some(length) = frames.nal_length {
        for (shown, place) in frames.shown.iter().zip(&frames.keys) {
            if let Some(place) = place
                && film.begins_anew(*place, length)?
            {
                builder.clean(frames.micros(*shown));
            }
        }
    }
    builder.finish(audio).map_err(|_| Unsure("no key frame"))
}

struct Film<R> {
    size: u64,
    read: R,
}

impl<R: FnMut(u64, &mut [u8]) -> usize> Film<R> {
    fn fill(&mut self, at: u64, out: &mut [u8]) -> Sure<()> {
        let end = at.checked_add(out.len() as u64).filter(|end| *end <= self.size);
        let mut got = 0;
        while end.is_some() && got < out.len() {
            match (self.read)(at + got as u64, &mut out[got..]) {
                0 => break,
                n => got += n.min(out.len() - got),
            }
        }
        if got == out.len() { Ok(()) } else { Err(Unsure("the file ends too early")) }
    }

    /// The content of the one `moov` box.
    fn moov(&mut self) -> Sure<Vec<u8>> {
        let (mut at, mut found) = (0, None);
        for _ in 0..MAX_TOP_BOXES {
            if at == self.size {
                break;
            }
            let mut head = [0; 8];
            self.fill(at, &mut head)?;
            let (mut header, mut length) = (8, u64::from(be32(&head, 0)?));
            if length == 1 {
                let mut long = [0; 8];
                self.fill(at + 8, &mut long)?;
                (header, length) = (16, be64(&long, 0)?);
            } else if length == 0 {
                length = self.size - at;
            }
            if length < header || length > self.size - at {
                return Err(Unsure("a box is longer than the file"));
            }
            match &head[4..] {
                b"moof" => return Err(Unsure("its tables are spread over fragments")),
                b"moov" if found.is_none() && length <= MAX_MOOV => found = Some((at + header, length - header)),
                b"moov" => return Err(Unsure("its tables are too large")),
                _ => {}
            }
            at += length;
        }
        let (at, length) = found.ok_or(Unsure("no tables"))?;
        let mut moov = vec![0; usize::try_from(length).map_err(|_| Unsure("its tables are too large"))?];
        self.fill(at, &mut moov)?;
        Ok(moov)
    }

    /// Whether the first slice of this H.264 picture is one of an IDR picture.
    fn begins_anew(&mut self, place: Place, nal_length: u8) -> Sure<bool> {
        let (mut at, end) = (place.at, place.at + u64::from(place.bytes));
        for _ in 0..MAX_NAL_UNITS {
            let mut head = [0; 5];
            let head = &mut head[..usize::from(nal_length) + 1];
            if at + head.len() as u64 > end {
                break;
            }
            self.fill(at, head)?;
            let (last, length) = head.split_last().ok_or(Unsure("no slice"))?;
            let kind = last & 0x1f;
            if matches!(kind, 1..=5) {
                return Ok(kind == 5);
            }
            let length = length.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            at += u64::from(nal_length) + length;
        }
        Err(Unsure("a key frame without a slice"))
    }
}

/// Where a frame lies in the file.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    bytes: u32,
}

/// The one picture track.
struct Frames {
    scale: u32,
    /// In the order of decoding.
    shown: Vec<i64>,
    /// Beside `shown`: where the key frames are.
    keys: Vec<Option<Place>>,
    /// Bytes of a length field, for H.264 only.
    nal_length: Option<u8>,
}

impl Frames {
    fn read(trak: &[u8], mdia: &[u8], movie_scale: u32) -> Sure<Self> {
        let mdhd = child(mdia, b"mdhd").ok_or(Unsure("a track without a header"))?;
        let scale = scale(mdhd)?;
        let stbl = path(mdia, &[b"minf", b"stbl"]).ok_or(Unsure("a track without tables"))?;
        if child(stbl, b"stps").is_some() || child(stbl, b"sbgp").is_some() || child(stbl, b"stz2").is_some() {
            return Err(Unsure("its key frames are marked in another way"));
        }
        let nal_length = codec(child(stbl, b"stsd").ok_or(Unsure("no codec"))?)?;
        let sizes = Sizes::read(child(stbl, b"stsz").ok_or(Unsure("no sizes"))?)?;
        let mut shown = Vec::with_capacity(sizes.count);
        let mut decoded = 0_i64;
        for (count, step) in runs(child(stbl, b"stts").ok_or(Unsure("no times"))?)? {
            if shown.len() as u64 + u64::from(count) > sizes.count as u64 {
                return Err(Unsure("more times than frames"));
            }
            for _ in 0..count {
                shown.push(decoded);
                decoded = decoded.checked_add(i64::from(step)).ok_or(Unsure("endless times"))?;
            }
        }
        if shown.len() != sizes.count || shown.is_empty() {
            return Err(Unsure("fewer times than frames"));
        }
        if let Some(ctts) = child(stbl, b"ctts") {
            let mut at = 0;
            for (count, offset) in runs(ctts)? {
                // Offsets into the past make readers shift the whole track.
                let offset = i32::try_from(offset).map_err(|_| Unsure("offsets into the past"))?;
                for _ in 0..count {
                    *shown.get_mut(at).ok_or(Unsure("more offsets than frames"))? += i64::from(offset);
                    at += 1;
                }
            }
            if at != shown.len() {
                return Err(Unsure("fewer offsets than frames"));
            }
        }
        let first = shown.iter().copied().min().unwrap_or(0);
        match edit(trak)? {
            None => {}
            Some(edit) if edit.from == first => {
                let last = shown.iter().copied().max().unwrap_or(0);
                edit.must_hold(last - first, scale, movie_scale)?;
                shown.iter_mut().for_each(|at| *at -= first);
            }
            Some(_) => return Err(Unsure("its edit list cuts pictures away")),
        }
        let mut keys = vec![None; shown.len()];
        let is_key = sync_samples(stbl, shown.len())?;
        places(stbl, &sizes, |n, place| {
            if is_key.as_ref().is_none_or(|keys| keys[n]) {
                keys[n] = Some(place);
            }
        })?;
        Ok(Self { scale, shown, keys, nal_length })
    }

    /// As ffprobe rounds.
    fn micros(&self, ticks: i64) -> i64 {
        let scale = i128::from(self.scale);
        let micros = (i128::from(ticks) * 2_000_000 + scale).div_euclid(2 * scale);
        i64::try_from(micros).unwrap_or(i64::MAX)
    }
}

/// The bytes of a length field where that is needed. Only codecs that say in the tables what
/// ffprobe says of their packets.
fn codec(stsd: &[u8]) -> Sure<Option<u8>> {
    if be32(stsd, 4)? != 1 {
        return Err(Unsure("more than one codec"));
    }
    let (name, entry) = children(&stsd[8..]).next().ok_or(Unsure("no codec"))?;
    match &name {
        b"avc1" | b"avc3" => {
            let boxes = entry.get(78..).ok_or(Unsure("no codec"))?;
            let length = child(boxes, b"avcC").and_then(|avcc| avcc.get(4)).ok_or(Unsure("no parameters"))?;
            Ok(Some((length & 3) + 1))
        }
        b"hvc1" | b"hev1" | b"vp09" | b"av01" => Ok(None),
        _ => Err(Unsure("another codec")),
    }
}

struct Sizes<'a> {
    count: usize,
    /// Of every frame, where it is not 0.
    all: u32,
    each: &'a [u8],
}

impl<'a> Sizes<'a> {
    fn read(stsz: &'a [u8]) -> Sure<Self> {
        let (all, count) = (be32(stsz, 4)?, be32(stsz, 8)?);
        if u64::from(count) > MAX_FRAMES {
            return Err(Unsure("too many frames"));
        }
        let sizes = Self { count: count as usize, all, each: stsz.get(12..).unwrap_or_default() };
        if all == 0 && sizes.each.len() < sizes.count * 4 {
            return Err(Unsure("fewer sizes than frames"));
        }
        Ok(sizes)
    }
    fn of(&self, n: usize) -> Sure<u32> {
        if self.all != 0 { Ok(self.all) } else { be32(self.each, n * 4) }
    }
}

/// Which frames are key frames; `None` says all.
fn sync_samples(stbl: &[u8], count: usize) -> Sure<Option<Vec<bool>>> {
    let Some(stss) = child(stbl, b"stss") else { return Ok(None) };
    let mut keys = vec![false; count];
    for n in 0..be32(stss, 4)? as usize {
        let number = be32(stss, n.checked_mul(4).and_then(|at| at.checked_add(8)).ok_or(Unsure("endless keys"))?)?;
        let key = (number as usize).checked_sub(1).and_then(|n| keys.get_mut(n));
        *key.ok_or(Unsure("a key frame that is none of the film's"))? = true;
    }
    Ok(Some(keys))
}

/// Tells where every frame lies.
fn places(stbl: &[u8], sizes: &Sizes<'_>, mut tell: impl FnMut(usize, Place)) -> Sure<()> {
    let (offsets, wide) = match (child(stbl, b"stco"), child(stbl, b"co64")) {
        (Some(stco), None) => (stco, false),
        (None, Some(co64)) => (co64, true),
        _ => return Err(Unsure("no places")),
    };
    let stsc = child(stbl, b"stsc").ok_or(Unsure("no chunks"))?;
    let (chunks, changes) = (be32(offsets, 4)? as usize, be32(stsc, 4)? as usize);
    let (mut frame, mut change, mut in_chunk) = (0, 0, 0);
    for chunk in 0..chunks {
        while change < changes && be32(stsc, 8 + change * 12)? as usize <= chunk + 1 {
            in_chunk = be32(stsc, 12 + change * 12)?;
            change += 1;
        }
        let mut at = if wide { be64(offsets, 8 + chunk * 8)? } else { u64::from(be32(offsets, 8 + chunk * 4)?) };
        for _ in 0..in_chunk {
            if frame == sizes.count {
                return Err(Unsure("more places than frames"));
            }
            let bytes = sizes.of(frame)?;
            tell(frame, Place { at, bytes });
            at = at.checked_add(u64::from(bytes)).ok_or(Unsure("a place outside"))?;
            frame += 1;
        }
    }
    if frame == sizes.count { Ok(()) } else { Err(Unsure("fewer places than frames")) }
}

/// One sound track: players drop what lies before its edit list's beginning.
fn sound(trak: &[u8], mdia: &[u8], movie_scale: u32) -> Sure<AudioPhase> {
    let mdhd = child(mdia, b"mdhd").ok_or(Unsure("a track without a header"))?;
    let rate = scale(mdhd)?;
    let wide = mdhd.first() == Some(&1);
    let length = if wide { be64(mdhd, 24)? } else { u64::from(be32(mdhd, 16)?) };
    let mut length = i64::try_from(length).map_err(|_| Unsure("endless sound"))?;
    if let Some(edit) = edit(trak)? {
        // More than an encoder's own delay is a cut.
        if edit.from > i64::from(rate) / 5 {
            return Err(Unsure("its edit list cuts sound away"));
        }
        length -= edit.from;
        edit.must_hold(length - i64::from(rate) / 5, rate, movie_scale)?;
    }
    let end_us = u64::try_from(i128::from(length.max(0)) * 1_000_000 / i128::from(rate)).unwrap_or(0);
    Ok(AudioPhase { start_us: 0, end_us, rate: if rate <= 768_000 { rate } else { 0 } })
}

/// The only edit of a track.
struct Edit {
    /// In the movie's units.
    length: u64,
    /// In the track's units.
    from: i64,
}

impl Edit {
    /// What the edit shows reaches to the track's last frame.
    fn must_hold(&self, ticks: i64, scale: u32, movie_scale: u32) -> Sure<()> {
        let shown = (i128::from(self.length) + 1) * i128::from(scale);
        // 0 is "to the end" to most writers and nothing to some readers.
        if self.length > 0 && shown > i128::from(ticks) * i128::from(movie_scale) {
            Ok(())
        } else {
            Err(Unsure("its edit list ends early"))
        }
    }
}

fn edit(trak: &[u8]) -> Sure<Option<Edit>> {
    let Some(elst) = path(trak, &[b"edts", b"elst"]) else { return Ok(None) };
    if be32(elst, 4)? != 1 {
        return Err(Unsure("more than one edit"));
    }
    let (length, from, rate) = if elst.first() == Some(&1) {
        (be64(elst, 8)?, be64(elst, 16)?.cast_signed(), be32(elst, 24)?)
    } else {
        (u64::from(be32(elst, 8)?), i64::from(be32(elst, 12)?.cast_signed()), be32(elst, 16)?)
    };
    if from < 0 || rate != 0x1_0000 {
        return Err(Unsure("an empty edit or another speed"));
    }
    Ok(Some(Edit { length, from }))
}

fn be32(bytes: &[u8], at: usize) -> Sure<u32> {
    let field = at.checked_add(4).and_then(|end| bytes.get(at..end)).and_then(|field| field.try_into().ok());
    field.map(u32::from_be_bytes).ok_or(Unsure("a box is too short"))
}
fn be64(bytes: &[u8], at: usize) -> Sure<u64> {
    let (high, low) = (be32(bytes, at)?, be32(bytes, at.saturating_add(4))?);
    Ok(u64::from(high) << 32 | u64::from(low))
}

/// `stts` and `ctts`: how many frames in a row have which value.
fn runs(table: &[u8]) -> Sure<impl Iterator<Item = (u32, u32)>> {
    let count = be32(table, 4)? as usize;
    let entries = table[8..].as_chunks::<8>().0;
    if entries.len() < count {
        return Err(Unsure("a table is too short"));
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    Ok(entries[..count].iter().map(move |entry| (number(&entry[..4]), number(&entry[4..]))))
}

/// Units a second of an `mvhd` or `mdhd`.
fn scale(header: &[u8]) -> Sure<u32> {
    let at = if header.first() == Some(&1) { 20 } else { 12 };
    be32(header, at).and_then(|scale| if scale > 0 { Ok(scale) } else { Err(Unsure("no unit of time")) })
}

/// Boxes inside a box's content: name and content.
fn children(content: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let size = be32(rest, 0).ok()? as usize;
        let name = rest.get(4..8)?.try_into().ok()?;
        let inside = rest.get(8..size)?;
        rest = &rest[size..];
        Some((name, inside))
    })
}
fn child<'a>(content: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    children(content).find(|(found, _)| found == name).map(|(_, inside)| inside)
}
fn path<'a>(content: &'a [u8], names: &[&[u8; 4]]) -> Option<&'a [u8]> {
    names.iter().try_fold(content, |content, name| child(content, name))
}

#[cfg(test)]
mod tests;
