//! mp4, m4v and mov: `moov` and its tracks, sample tables skipped.

use super::{
    Reader, Sure, avc, be, chapters,
    describe::{Content, Film, Frame, Picture, Roles, Sound, Track, reduced},
    hevc, jpeg, mpeg4, sound, web_video,
};

const CUT: &str = "a box that does not end in its parent";
const MAX_BOXES: usize = 256;
const MAX_TRACKS: usize = 64;
/// Sample times of one constant rate fit many times over.
const MAX_TIMES: u64 = 4096;

/// Does a file begin like one of the family?
pub(super) fn begins(head: &[u8]) -> bool {
    head.len() >= 8 && matches!(&head[4..8], b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot")
}

/// A box by its place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) kind: [u8; 4],
    pub(super) body: u64,
    pub(super) end: u64,
}

impl Place {
    pub(super) const fn length(&self) -> u64 {
        self.end - self.body
    }
}

pub(super) fn place<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, at: u64, parent_end: u64) -> Sure<Place> {
    let head = r.get(at, 8).ok_or(CUT)?;
    let (short, kind) = (be(&head[..4]), [head[4], head[5], head[6], head[7]]);
    let (size, header) = match short {
        0 => (parent_end - at, 8),
        1 => (be(r.get(at + 8, 8).ok_or(CUT)?), 16),
        n => (n, 8),
    };
    let end = at.checked_add(size).filter(|end| *end <= parent_end && size >= header).ok_or(CUT)?;
    Ok(Place { kind, body: at + header, end })
}

/// The children of a box. Eight bytes or fewer at the end are padding, which QuickTime writes.
pub(super) fn children<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, from: u64, end: u64) -> Sure<Vec<Place>> {
    let mut out = Vec::new();
    let mut at = from;
    while at + 8 <= end {
        let child = place(r, at, end)?;
        at = child.end;
        out.push(child);
        if out.len() > MAX_BOXES {
            return Err("very many boxes");
        }
    }
    Ok(out)
}

pub(super) fn one<'a>(list: &'a [Place], kind: &[u8; 4]) -> Option<&'a Place> {
    list.iter().find(|b| b.kind == *kind)
}

pub(super) fn film<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Film> {
    let (mut brand, mut at) = (None, 0);
    let moov = loop {
        if at + 8 > r.size() {
            return Err("no moov box");
        }
        let top = place(r, at, r.size())?;
        match &top.kind {
            b"ftyp" => {
                let major = r.get(top.body, 4).ok_or(CUT)?;
                brand = Some(std::str::from_utf8(major).map_err(|_| "a strange brand")?.to_owned());
            }
            b"moov" => break top,
            b"mdat" | b"free" | b"skip" | b"wide" | b"pnot" | b"uuid" | b"PICT" => {}
            b"moof" | b"sidx" | b"styp" => return Err("fragmented"),
            _ => return Err("a box of an unknown kind"),
        }
        at = top.end;
    };
    let list = children(r, moov.body, moov.end)?;
    let mut film =
        Film { format: "mov,mp4,m4a,3gp,3g2,mj2", brand, duration_us: 0, tracks: Vec::new(), parts: Vec::new() };
    let header = *one(&list, b"mvhd").ok_or("no movie header")?;
    let scale;
    (film.duration_us, scale) = movie_header(r, header)?;
    let mut traks = Vec::new();
    let mut has_tags = false;
    for child in &list {
        match &child.kind {
            b"trak" => {
                if traks.len() == MAX_TRACKS {
                    return Err("very many tracks");
                }
                // A cover among them would be counted before the film.
                if has_tags {
                    return Err("tags before the tracks");
                }
                traks.push((track_id(r, *child)?, *child));
            }
            b"udta" => {
                has_tags = true;
                film.parts = chapters::nero(r, *child)?;
            }
            b"mvex" => return Err("fragmented"),
            b"mvhd" | b"iods" | b"meta" | b"free" | b"skip" | b"uuid" | b"ctab" => {}
            _ => return Err("a box of an unknown kind"),
        }
    }
    let names_chapters = chapter_track(r, &traks)?;
    let mut late = !traks.is_empty();
    for (_, trak) in &traks {
        late &= begins_late(r, *trak, scale)?;
    }
    if late {
        return Err("a clock that begins late");
    }
    for (id, trak) in &traks {
        if names_chapters == Some(*id) {
            let parts = chapters::parts(r, *trak)?;
            // Both lists are numbered alike, and the track's goes before the other.
            if !film.parts.is_empty() && film.parts.len() != parts.len() {
                return Err("two lists of chapters");
            }
            film.parts = parts;
        } else if let Some(track) = track(r, *trak)? {
            film.tracks.push(track);
        }
    }
    Ok(film)
}

fn track_id<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, trak: Place) -> Sure<u64> {
    let list = children(r, trak.body, trak.end)?;
    let header = one(&list, b"tkhd").ok_or("a track without its headers")?;
    let b = r.get(header.body, 24).ok_or(CUT)?;
    Ok(be(if b[0] == 1 { &b[20..24] } else { &b[12..16] }))
}

/// The track whose samples are names of chapters, if others point at one.
fn chapter_track<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, traks: &[(u64, Place)]) -> Sure<Option<u64>> {
    let mut found = None;
    for (_, trak) in traks {
        let list = children(r, trak.body, trak.end)?;
        let Some(references) = one(&list, b"tref") else { continue };
        let list = children(r, references.body, references.end)?;
        let Some(chap) = one(&list, b"chap") else { continue };
        if chap.length() != 4 {
            return Err("several lists of chapters");
        }
        let id = be(r.get(chap.body, 4).ok_or(CUT)?);
        if found.is_some_and(|found| found != id) || traks.iter().filter(|(other, _)| *other == id).count() != 1 {
            return Err("several lists of chapters");
        }
        found = Some(id);
    }
    Ok(found)
}

/// Returns whether nothing is shown of a track for a second or longer.
fn begins_late<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, trak: Place, scale: u64) -> Sure<bool> {
    let list = children(r, trak.body, trak.end)?;
    let Some(edits) = one(&list, b"edts") else { return Ok(false) };
    let list = children(r, edits.body, edits.end)?;
    let Some(list) = one(&list, b"elst") else { return Ok(false) };
    let Some(b) = r.get(list.body, 20) else { return Ok(false) };
    let (duration, is_empty) = match b[0] {
        1 => (be(&b[8..16]), b[16..20] == [0xff; 4]),
        _ => (be(&b[8..12]), b[12..16] == [0xff; 4]),
    };
    Ok(is_empty && duration >= scale)
}

/// Duration in microseconds, and the ticks of a second.
fn movie_header<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, header: Place) -> Sure<(u64, u64)> {
    let long = r.get(header.body, 1).ok_or(CUT)?[0] == 1;
    let b = r.get(header.body, if long { 112 } else { 100 }).ok_or(CUT)?;
    let (scale, duration, none) = match long {
        true => (be(&b[20..24]), be(&b[24..32]), u64::MAX),
        false => (be(&b[12..16]), be(&b[16..20]), u64::from(u32::MAX)),
    };
    if duration == 0 || duration == none || scale == 0 {
        return Err("the headers say no duration");
    }
    let matrix = if long { &b[48..84] } else { &b[36..72] };
    if turn(matrix)? != Turn::None {
        return Err("the whole movie is turned");
    }
    // Rounded to the nearest microsecond.
    let (duration, scale) = (u128::from(duration), u128::from(scale));
    let us = u64::try_from((duration * 1_000_000 + scale / 2) / scale).map_err(|_| "an absurd duration")?;
    Ok((us, u64::try_from(scale).unwrap_or(u64::MAX)))
}

#[derive(PartialEq, Eq)]
enum Turn {
    None,
    Half,
    Quarter,
}

fn turn(matrix: &[u8]) -> Sure<Turn> {
    let cell = |n: usize| be(&matrix[n * 4..n * 4 + 4]) as u32 as i32;
    const ONE: i32 = 1 << 16;
    Ok(match [cell(0), cell(1), cell(3), cell(4)] {
        [ONE, 0, 0, ONE] => Turn::None,
        [a, 0, 0, d] if a.abs() == ONE && d.abs() == ONE => Turn::Half,
        [0, b, c, 0] if b.abs() == ONE && c.abs() == ONE => Turn::Quarter,
        _ => return Err("a rare display matrix"),
    })
}

/// Three packed letters, or a number of Apple's old table.
fn language(code: u64) -> Sure<Option<String>> {
    const OLD: [&str; 15] =
        ["eng", "fra", "ger", "ita", "dut", "sve", "spa", "dan", "por", "nor", "heb", "jpn", "ara", "fin", "gre"];
    match code {
        n if n < OLD.len() as u64 => Ok(Some(OLD[n as usize].into())),
        0x7fff => Ok(None),
        n if n >= 0x400 => {
            let letter = |shift: u64| char::from(((n >> shift & 31) + 0x60) as u8);
            Ok(Some([letter(10), letter(5), letter(0)].iter().collect()))
        }
        _ => Err("a language of the old Macintosh table"),
    }
}

fn track<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, trak: Place) -> Sure<Option<Track>> {
    let list = children(r, trak.body, trak.end)?;
    let find = |list: &[Place], kind: &[u8; 4]| one(list, kind).copied().ok_or("a track without its headers");
    let media = find(&list, b"mdia")?;
    let media = children(r, media.body, media.end)?;
    let handler = find(&media, b"hdlr")?;
    let handler: [u8; 4] = r.get(handler.body + 8, 4).and_then(|b| b.try_into().ok()).ok_or(CUT)?;
    let info = find(&media, b"minf")?;
    let info = children(r, info.body, info.end)?;
    let table = find(&info, b"stbl")?;
    let table = children(r, table.body, table.end)?;
    let stsd = find(&table, b"stsd")?;
    if be(r.get(stsd.body + 4, 4).ok_or(CUT)?) != 1 {
        return Err("several kinds of samples in one track");
    }
    let entry = place(r, stsd.body + 8, stsd.end)?;
    let is_film = matches!(&handler, b"vide" | b"soun" | b"sbtl" | b"subt" | b"text" | b"subp");
    if !is_film {
        return match &handler {
            b"tmcd" | b"meta" | b"hint" | b"camm" | b"mdta" => Ok(None),
            _ => Err("a track of an unknown kind"),
        };
    }
    let samples = one(&table, b"stsz").or_else(|| one(&table, b"stz2")).ok_or("a track without samples")?;
    let count = be(r.get(samples.body + 8, 4).ok_or(CUT)?);
    let tkhd = find(&list, b"tkhd")?;
    let head = r.get(tkhd.body, 84).ok_or(CUT)?;
    let default = head[3] & 1 == 1;
    let shape = tkhd.body + if head[0] == 1 { 52 } else { 40 };
    let shape = r.get(shape, 44).ok_or(CUT)?;
    let turned = turn(&shape[..36]);
    // In 16.16, of which libavformat looks at the whole part.
    let shown = (be(&shape[36..40]) >> 16, be(&shape[40..44]) >> 16);
    let mdhd = find(&media, b"mdhd")?;
    let long = r.get(mdhd.body, 1).ok_or(CUT)?[0] == 1;
    let b = r.get(mdhd.body, if long { 34 } else { 22 }).ok_or(CUT)?;
    let (scale, language_code) = if long { (be(&b[20..24]), be(&b[32..34])) } else { (be(&b[12..16]), be(&b[20..22])) };
    let language = language(language_code)?;
    let mut roles = match one(&list, b"udta") {
        Some(udta) => roles_of(r, *udta)?,
        None => Roles::default(),
    };
    roles.default |= default;
    if count == 0 && !matches!(&handler, b"sbtl" | b"subt" | b"text" | b"subp") {
        return Err("a track without samples");
    }
    let content = match &handler {
        b"vide" => {
            let times = find(&table, b"stts")?;
            let frame_rate = frame_rate(r, times, scale)?;
            let first = first_sample(r, &table);
            let picture = picture(r, entry, first, shown)?;
            Content::Picture { picture, frame_rate, quarter_turn: turned? == Turn::Quarter }
        }
        b"soun" => {
            let first = first_sample(r, &table);
            Content::Sound(heard(r, entry, first)?)
        }
        _ => Content::Words(match &entry.kind {
            b"tx3g" | b"text" => "mov_text",
            b"mp4s" => "dvd_subtitle",
            _ => return Err("subtitles of a rare kind"),
        }),
    };
    Ok(Some(Track { content, language, title: None, roles }))
}

/// Where the first sample lies: one read into the table of chunks.
fn first_sample<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, table: &[Place]) -> Option<u64> {
    match (one(table, b"stco"), one(table, b"co64")) {
        (Some(chunks), _) => r.get(chunks.body + 8, 4).map(be),
        (_, Some(chunks)) => r.get(chunks.body + 8, 8).map(be),
        _ => None,
    }
}

/// Frames by the time they take, as far as that is one short table.
fn frame_rate<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, times: Place, scale: u64) -> Sure<(u64, u64)> {
    let entries = be(r.get(times.body + 4, 4).ok_or(CUT)?);
    if entries == 0 || entries > MAX_TIMES || times.length() < 8 + entries * 8 {
        return Err("a frame rate that changes all the time");
    }
    let list = r.get(times.body + 8, entries as usize * 8).ok_or(CUT)?;
    let (mut frames, mut ticks) = (0_u64, 0_u64);
    for entry in list.chunks_exact(8) {
        let (count, each) = (be(&entry[..4]), be(&entry[4..]));
        if each > 0x7fff_ffff {
            return Err("negative sample times");
        }
        frames = frames.checked_add(count).ok_or(CUT)?;
        ticks = ticks.checked_add(count.checked_mul(each).ok_or(CUT)?).ok_or(CUT)?;
    }
    if frames < 2 || ticks == 0 {
        return Err("a film of one picture");
    }
    let above = scale.checked_mul(frames).ok_or(CUT)?;
    reduced(above, ticks, i32::MAX as u64).ok_or("no frame rate")
}

/// `shown`: the size that the track's header says.
fn picture<R: FnMut(u64, &mut [u8]) -> usize>(
    r: &mut Reader<R>,
    entry: Place,
    first: Option<u64>,
    shown: (u64, u64),
) -> Sure<Picture> {
    let head = r.get(entry.body, 78).ok_or(CUT)?;
    let (width, height) = (be(&head[24..26]), be(&head[26..28]));
    let list = children(r, entry.body + 78, entry.end)?;
    let mut record = |kind: &[u8; 4]| -> Sure<Vec<u8>> {
        let found = one(&list, kind).ok_or("a codec without its configuration")?;
        Ok(r.get(found.body, usize::try_from(found.length()).map_err(|_| CUT)?).ok_or(CUT)?.to_vec())
    };
    let mut picture = match &entry.kind {
        b"avc1" => avc::picture(&record(b"avcC")?)?,
        b"hvc1" | b"hev1" => hevc::picture(&record(b"hvcC")?)?,
        b"av01" => web_video::av1(&record(b"av1C")?)?,
        b"mp4v" => {
            let descriptor = record(b"esds")?;
            let (0x20, config) = decoder_config(&descriptor).ok_or("a picture configuration that cannot be read")?
            else {
                return Err("a picture codec that needs a decoder");
            };
            let frame = first.and_then(|at| r.up_to(at, mpeg4::MAX_HEADERS)).ok_or("a first picture out of reach")?;
            mpeg4::picture(config, frame)?
        }
        b"jpeg" | b"mjpa" => {
            let frame = first.and_then(|at| r.up_to(at, jpeg::MAX_HEADERS)).ok_or("a first picture out of reach")?;
            jpeg::picture(frame)?
        }
        b"vp09" => {
            let frame = first.and_then(|at| r.up_to(at, 64)).ok_or("a first picture out of reach")?;
            web_video::vp9(frame)?
        }
        _ => return Err("a picture codec that needs a decoder"),
    };
    if [b"dvcC", b"dvvC", b"dvwC"].iter().any(|kind| one(&list, kind).is_some()) {
        return Err("a picture with a layer of Dolby Vision");
    }
    picture.sample_entry = match &entry.kind {
        b"hvc1" => Some("hvc1"),
        b"hev1" => Some("hev1"),
        _ => None,
    };
    let mut frame = Frame { width, height, ..Frame::default() };
    if let Some(colr) = one(&list, b"colr") {
        let b = r.get(colr.body, 8).ok_or(CUT)?;
        match &b[..4] {
            b"nclx" | b"nclc" => (frame.primaries, frame.transfer) = (Some(be(&b[4..6])), Some(be(&b[6..8]))),
            _ => return Err("colours by a profile"),
        }
    }
    if let Some(vpcc) = one(&list, b"vpcC") {
        // Version and flags, profile, level, depth; then what colours are, 2 being not said.
        let b = r.get(vpcc.body, 9).ok_or(CUT)?;
        if b[7] != 2 || b[8] != 2 {
            return Err("VP9 whose container names colours");
        }
    }
    frame.aspect = match one(&list, b"pasp") {
        Some(pasp) => {
            let b = r.get(pasp.body, 8).ok_or(CUT)?;
            reduced(be(&b[..4]), be(&b[4..8]), 32_767).filter(|(across, _)| *across > 0)
        }
        None => None,
    };
    if frame.aspect.is_none() && shown != (width, height) && shown.0 > 0 && shown.1 > 0 {
        frame.aspect = reduced(height * shown.0, width * shown.1, i32::MAX as u64);
    }
    picture.within(frame)
}

fn heard<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, entry: Place, first: Option<u64>) -> Sure<Sound> {
    let head = r.get(entry.body, 28).ok_or(CUT)?;
    let (version, channels, bits, rate) =
        (be(&head[8..10]), be(&head[16..18]) as u32, be(&head[18..20]), be(&head[24..26]) as u32);
    let header = match version {
        0 => 28,
        1 => 44,
        _ => return Err("a sound header of version 2"),
    };
    let mut list = children(r, entry.body + header, entry.end)?;
    if let Some(wave) = one(&list, b"wave").copied() {
        // QuickTime keeps the same boxes one level deeper.
        let mut inner = Vec::new();
        let mut at = wave.body;
        while at + 8 <= wave.end && inner.len() < MAX_BOXES {
            let child = place(r, at, wave.end)?;
            at = child.end;
            inner.push(child);
        }
        list.extend(inner);
    }
    let mut record = |kind: &[u8; 4]| -> Sure<Vec<u8>> {
        let found = one(&list, kind).ok_or("a codec without its configuration")?;
        Ok(r.get(found.body, usize::try_from(found.length()).map_err(|_| CUT)?).ok_or(CUT)?.to_vec())
    };
    match &entry.kind {
        b"mp4a" => {
            let descriptor = record(b"esds")?;
            match decoder_config(&descriptor).ok_or("a sound configuration that cannot be read")? {
                (0x40, config) => sound::aac(config),
                (0x69 | 0x6b, _) => {
                    sound::mp3_or_before(first.and_then(|at| r.get(at, 4)).ok_or("a first sound out of reach")?)
                }
                _ => Err("a sound codec that needs a decoder"),
            }
        }
        b"ac-3" => sound::dac3(&record(b"dac3")?),
        b"ec-3" => sound::dec3(&record(b"dec3")?),
        b"Opus" => sound::opus(*record(b"dOps")?.get(1).ok_or(CUT)?),
        b"fLaC" => sound::flac(record(b"dfLa")?.get(8..).ok_or(CUT)?),
        b"alac" => sound::alac(record(b"alac")?.get(4..).ok_or(CUT)?),
        b".mp3" => sound::mp3_or_before(first.and_then(|at| r.get(at, 4)).ok_or("a first sound out of reach")?),
        b"sowt" if bits == 16 => sound::pcm("pcm_s16le", channels, rate),
        b"twos" if bits == 16 => sound::pcm("pcm_s16be", channels, rate),
        b"raw " if bits == 8 => sound::pcm("pcm_u8", channels, rate),
        b"ulaw" => sound::pcm("pcm_mulaw", channels, rate),
        b"alaw" => sound::pcm("pcm_alaw", channels, rate),
        _ => Err("a sound codec that needs a decoder"),
    }
}

/// Kind of object and configuration out of an `esds` box.
fn decoder_config(esds: &[u8]) -> Option<(u8, &[u8])> {
    fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8])> {
        let (mut length, mut at) = (0_usize, 1);
        for _ in 0..4 {
            let byte = *bytes.get(at)?;
            at += 1;
            length = length << 7 | usize::from(byte & 127);
            if byte & 128 == 0 {
                break;
            }
        }
        Some((*bytes.first()?, bytes.get(at..at + length)?))
    }
    let (3, body) = descriptor(esds.get(4..)?)? else { return None };
    let flags = *body.get(2)?;
    if flags & 0xe0 != 0 {
        return None;
    }
    let (4, config) = descriptor(body.get(3..)?)? else { return None };
    let kind = *config.first()?;
    match descriptor(config.get(13..)?) {
        Some((5, specific)) => Some((kind, specific)),
        _ => Some((kind, &[])),
    }
}

/// Roles a track's tags give it. Its names (`name`, `titl`) are no title for ffprobe.
fn roles_of<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, udta: Place) -> Sure<Roles> {
    let mut roles = Roles::default();
    for child in children(r, udta.body, udta.end)? {
        match &child.kind {
            b"kind" => {
                let length = usize::try_from(child.length()).map_err(|_| CUT)?;
                let words = r.get(child.body, length.min(1024)).ok_or(CUT)?;
                let mut words = words.get(4..).ok_or(CUT)?.split(|b| *b == 0);
                let role = words.nth(1).ok_or(CUT)?;
                roles.default |= role == b"main";
                roles.forced |= role == b"forced-subtitle";
                roles.commentary |= role == b"commentary";
                roles.visual_impaired |= role == b"description";
                roles.hearing_impaired |= role == b"caption";
            }
            // Either may hold a title or a picture.
            b"meta" | [0xa9, b'n', b'a', b'm'] => return Err("a track with tags of a rare kind"),
            _ => {}
        }
    }
    Ok(roles)
}
