//! Chapters as QuickTime keeps them: a track of texts, each as long as its chapter.

use super::{
    Reader, Sure, be,
    describe::Part,
    isobmff::{Place, children, one},
};

const CUT: &str = "a chapter track that cannot be read";
/// A film has fewer; each is one small read.
const MAX_CHAPTERS: u64 = 128;
const MAX_TITLE: u64 = 1 << 10;

/// The texts of the track that other tracks name as their chapters.
pub(super) fn parts<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, trak: Place) -> Sure<Vec<Part>> {
    let list = children(r, trak.body, trak.end)?;
    if let Some(edits) = one(&list, b"edts") {
        whole(r, *edits)?;
    }
    let media = *one(&list, b"mdia").ok_or(CUT)?;
    let media = children(r, media.body, media.end)?;
    let header = *one(&media, b"mdhd").ok_or(CUT)?;
    let (scale, length) = match r.get(header.body, 24).ok_or(CUT)? {
        [0, rest @ ..] => (be(&rest[11..15]), be(&rest[15..19])),
        _ => return Err("a chapter track of a rare kind"),
    };
    let info = *one(&media, b"minf").ok_or(CUT)?;
    let info = children(r, info.body, info.end)?;
    let table = *one(&info, b"stbl").ok_or(CUT)?;
    let table = children(r, table.body, table.end)?;
    let texts = samples(r, &table)?;
    let times = times(r, &table, texts.len())?;
    let total = *times.last().ok_or(CUT)?;
    if scale == 0 || length == 0 || one(&table, b"ctts").is_some() {
        return Err("a chapter track of a rare kind");
    }
    // The shorter of both is the track's length.
    let end = length.min(total);
    let second = 1.0 / scale as f64;
    let mut out = Vec::with_capacity(texts.len());
    for (n, (at, size)) in texts.into_iter().enumerate() {
        let until = if times.len() > n + 2 { times[n + 1] } else { end };
        if until < times[n] {
            return Err("chapters that are longer than their track");
        }
        let title = title(r, at, size)?;
        out.push(Part { start_s: times[n] as f64 * second, end_s: Some(until as f64 * second), title });
    }
    Ok(out)
}

/// An edit list that shows the track from its start.
fn whole<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, edits: Place) -> Sure<()> {
    let list = children(r, edits.body, edits.end)?;
    let Some(list) = one(&list, b"elst") else { return Ok(()) };
    let b = r.get(list.body, 20).ok_or(CUT)?;
    if b[0] == 0 && be(&b[4..8]) == 1 && be(&b[12..16]) == 0 && be(&b[16..20]) == 0x1_0000 {
        Ok(())
    } else {
        Err("a chapter track with an edit list")
    }
}

/// Where each text lies, and how long it is.
fn samples<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, table: &[Place]) -> Sure<Vec<(u64, u64)>> {
    let sizes = *one(table, b"stsz").ok_or(CUT)?;
    let b = r.get(sizes.body, 12).ok_or(CUT)?;
    let (all, count) = (be(&b[4..8]), be(&b[8..12]));
    if count == 0 || count > MAX_CHAPTERS {
        return Err("no chapters or very many");
    }
    let sizes: Vec<u64> = match all {
        0 => r.get(sizes.body + 12, count as usize * 4).ok_or(CUT)?.chunks_exact(4).map(be).collect(),
        all => vec![all; count as usize],
    };
    let (chunks, wide) = match (one(table, b"stco"), one(table, b"co64")) {
        (Some(chunks), None) => (*chunks, 4),
        (None, Some(chunks)) => (*chunks, 8),
        _ => return Err(CUT),
    };
    let chunk_count = be(r.get(chunks.body + 4, 4).ok_or(CUT)?);
    let runs = *one(table, b"stsc").ok_or(CUT)?;
    let run_count = be(r.get(runs.body + 4, 4).ok_or(CUT)?);
    if chunk_count == 0 || chunk_count > count || run_count == 0 || run_count > count {
        return Err(CUT);
    }
    let places: Vec<u64> =
        r.get(chunks.body + 8, chunk_count as usize * wide).ok_or(CUT)?.chunks_exact(wide).map(be).collect();
    let runs: Vec<(u64, u64)> = r
        .get(runs.body + 8, run_count as usize * 12)
        .ok_or(CUT)?
        .chunks_exact(12)
        .map(|run| (be(&run[..4]), be(&run[4..8])))
        .collect();
    let mut out = Vec::with_capacity(sizes.len());
    let mut sizes = sizes.into_iter();
    for (n, place) in places.into_iter().enumerate() {
        let in_chunk = runs.iter().rev().find(|(first, _)| *first <= n as u64 + 1).ok_or(CUT)?.1;
        let mut at = place;
        for size in sizes.by_ref().take(usize::try_from(in_chunk).unwrap_or(usize::MAX)) {
            out.push((at, size));
            at = at.checked_add(size).ok_or(CUT)?;
        }
    }
    if sizes.next().is_some() { Err(CUT) } else { Ok(out) }
}

/// When each text begins, and when the last one ends.
fn times<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, table: &[Place], count: usize) -> Sure<Vec<u64>> {
    let steps = *one(table, b"stts").ok_or(CUT)?;
    let entries = be(r.get(steps.body + 4, 4).ok_or(CUT)?);
    if entries == 0 || entries > count as u64 {
        return Err(CUT);
    }
    let list = r.get(steps.body + 8, entries as usize * 8).ok_or(CUT)?;
    let (mut out, mut at) = (vec![0], 0_u64);
    for entry in list.chunks_exact(8) {
        let (repeat, step) = (be(&entry[..4]), be(&entry[4..]));
        if repeat > count as u64 || step > 0x7fff_ffff {
            return Err(CUT);
        }
        for _ in 0..repeat {
            at = at.checked_add(step).ok_or(CUT)?;
            out.push(at);
        }
    }
    if out.len() == count + 1 { Ok(out) } else { Err(CUT) }
}

/// A length and so many bytes; further boxes behind them name an encoding that nobody reads.
fn title<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, at: u64, size: u64) -> Sure<Option<String>> {
    if !(2..=MAX_TITLE).contains(&size) {
        return Err(CUT);
    }
    let sample = r.get(at, size as usize).ok_or(CUT)?;
    let length = be(&sample[..2]) as usize;
    let text = sample.get(2..2 + length).ok_or(CUT)?;
    if matches!(text, [0xfe, 0xff, ..] | [0xff, 0xfe, ..]) {
        return Err("chapter names in UTF-16");
    }
    let text = &text[..text.iter().position(|b| *b == 0).unwrap_or(text.len())];
    let text = std::str::from_utf8(text).map_err(|_| "a chapter name in another encoding")?;
    Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
}

/// Nero's list of chapters.
pub(super) fn nero<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, udta: Place) -> Sure<Vec<Part>> {
    let list = children(r, udta.body, udta.end)?;
    let Some(chpl) = one(&list, b"chpl") else { return Ok(Vec::new()) };
    let length = usize::try_from(chpl.length()).map_err(|_| CUT)?;
    let b = r.get(chpl.body, length).ok_or(CUT)?;
    if b.first() != Some(&1) {
        return Err("a chapter list of an old version");
    }
    let count = *b.get(8).ok_or(CUT)?;
    let mut rest = b.get(9..).ok_or(CUT)?;
    let mut out = Vec::new();
    for _ in 0..count {
        let (start, length) = (be(rest.get(..8).ok_or(CUT)?), usize::from(*rest.get(8).ok_or(CUT)?));
        let title = rest.get(9..9 + length).ok_or(CUT)?;
        rest = &rest[9 + length..];
        let title = std::str::from_utf8(title).map_err(|_| "a chapter name in another encoding")?;
        let title = Some(title.to_owned()).filter(|t| !t.is_empty());
        out.push(Part { start_s: start as f64 / 1e7, end_s: None, title });
    }
    Ok(out)
}
