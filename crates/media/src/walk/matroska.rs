//! mkv and webm: Info, Tracks, Chapters and Tags, found in order or by SeekHead.

use super::{
    Reader, Sure, avc, be,
    describe::{Content, Film, Frame, Picture, Roles, Sound, Track, reduced},
    ebml::{self, elements, float, id, text},
    editions, hevc, jpeg, mpeg2, mpeg4, sound, vfw, web_video,
};

use crate::extent;

const CUT: &str = "an element that does not end in its parent";
const MAX_ELEMENTS: usize = 64;
const MAX_TRACKS: usize = 64;
/// A first frame lies near the front of the first cluster.
const MAX_BLOCKS: usize = 64;

/// What was found of a segment, by place and length.
#[derive(Default)]
struct Segment {
    from: u64,
    seek: Vec<(u32, u64)>,
    info: Option<(u64, u64)>,
    tracks: Option<(u64, u64)>,
    chapters: Option<(u64, u64)>,
    tags: Option<(u64, u64)>,
    cluster: Option<u64>,
}

fn head<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, at: u64) -> Sure<ebml::Head> {
    ebml::head(r.up_to(at, ebml::MAX_HEAD).ok_or(CUT)?).ok_or(CUT)
}

fn body<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, (at, length): (u64, u64)) -> Sure<Vec<u8>> {
    let length = usize::try_from(length).map_err(|_| CUT)?;
    Ok(r.get(at, length).ok_or("a header that is too large or cut")?.to_vec())
}

/// What of a file everything else is read by.
pub(super) struct Essentials {
    pub(super) scale_ns: u64,
    pub(super) tracks: Vec<u8>,
}

/// Reads the essentials of a file, even if the rest of it is strange.
pub(super) fn essentials<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Essentials> {
    let (_, from) = segment(r)?;
    let found = find(r, from)?;
    let info = body(r, found.info.ok_or("no Info element")?)?;
    let scale_ns = elements(&info).find(|(kind, _)| *kind == id::TIMESTAMP_SCALE).map_or(1_000_000, |(_, ns)| be(ns));
    Ok(Essentials { scale_ns, tracks: body(r, found.tracks.ok_or("no Tracks element")?)? })
}

/// Returns the segment that holds everything but a header, and where its elements begin.
fn segment<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<(ebml::Head, u64)> {
    let first = head(r, 0)?;
    let length = first.size.ok_or(CUT)?;
    let header = body(r, (first.length, length))?;
    for (id, value) in elements(&header) {
        // Versions and limits beyond the usual are read differently by nobody here.
        if id == 0x4282 && !matches!(text(value), Some("matroska" | "webm")) {
            return Err("an unknown document type");
        }
    }
    let at = first.length + length;
    let segment = head(r, at)?;
    if segment.id == id::SEGMENT { Ok((segment, at + segment.length)) } else { Err("no segment") }
}

pub(super) fn film<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Film> {
    let (segment, from) = segment(r)?;
    let length = segment.size.ok_or("a segment without an end")?;
    // What is there plays, and only its last packet says for how long.
    if extent::is_cut(from.saturating_add(length), r.size()) {
        return Err("a segment that is cut");
    }
    let found = find(r, from)?;
    let (duration_us, scale) = info(&body(r, found.info.ok_or("no Info element")?)?)?;
    let tracks = body(r, found.tracks.ok_or("no Tracks element")?)?;
    let parts = match found.chapters {
        Some(place) => editions::parts(&body(r, place)?)?,
        None => Vec::new(),
    };
    if let Some(place) = found.tags {
        editions::refuse_track_names(&body(r, place)?)?;
    }
    let mut film = Film { format: "matroska,webm", brand: None, duration_us, tracks: Vec::new(), parts };
    let mut list = elements(&tracks);
    for (kind, entry) in list.by_ref() {
        if kind != id::TRACK_ENTRY {
            continue;
        }
        if film.tracks.len() >= MAX_TRACKS {
            return Err("very many tracks");
        }
        if let Some(track) = track(r, entry, found.cluster)? {
            film.tracks.push(track);
        }
    }
    if scale == 0 || !list.is_whole() {
        return Err(CUT);
    }
    if begins_late(r, found.cluster.ok_or("no cluster")?, scale)? {
        return Err("a clock that begins late");
    }
    Ok(film)
}

/// Returns whether the first block comes a second after zero, or later.
fn begins_late<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, cluster: u64, scale: u64) -> Sure<bool> {
    const FAR: &str = "a first block out of reach";
    let (mut at, mut time) = (cluster + head(r, cluster)?.length, 0);
    for _ in 0..8 {
        let element = head(r, at)?;
        let place = at + element.length;
        match element.id {
            id::TIMESTAMP => time = be(&body(r, (place, element.size.filter(|s| *s <= 8).ok_or(CUT)?))?),
            id::BLOCK_GROUP => {
                at = place;
                continue;
            }
            id::SIMPLE_BLOCK | id::BLOCK => {
                let (_, later, ..) = ebml::block(r.up_to(place, 12).ok_or(FAR)?).ok_or(CUT)?;
                let ticks = i128::from(time) + i128::from(later);
                return Ok(ticks * i128::from(scale) >= 1_000_000_000);
            }
            _ => {}
        }
        at = place.checked_add(element.size.ok_or(FAR)?).ok_or(CUT)?;
    }
    Err(FAR)
}

/// What comes before the first cluster, and what SeekHead says comes later.
fn find<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, from: u64) -> Sure<Segment> {
    let mut found = Segment { from, ..Segment::default() };
    let mut at = from;
    for _ in 0..MAX_ELEMENTS {
        if at >= r.size() {
            break;
        }
        let element = head(r, at)?;
        if element.id == id::CLUSTER {
            found.cluster = Some(at);
            break;
        }
        let place = (at + element.length, element.size.ok_or("an element without an end")?);
        take(r, &mut found, element.id, place)?;
        at = place.0.checked_add(place.1).ok_or(CUT)?;
    }
    // One SeekHead may name another one.
    let mut next = 0;
    while let Some((kind, position)) = found.seek.get(next).copied() {
        next += 1;
        let wanted = match kind {
            id::INFO => found.info.is_none(),
            id::TRACKS => found.tracks.is_none(),
            id::CHAPTERS => found.chapters.is_none(),
            id::TAGS => found.tags.is_none(),
            id::SEEK_HEAD => next <= 8,
            _ => false,
        };
        if !wanted || next > MAX_ELEMENTS {
            continue;
        }
        let at = found.from.checked_add(position).ok_or(CUT)?;
        let element = head(r, at)?;
        if element.id != kind {
            return Err("a SeekHead that points elsewhere");
        }
        take(r, &mut found, kind, (at + element.length, element.size.ok_or(CUT)?))?;
    }
    Ok(found)
}

fn take<R: FnMut(u64, &mut [u8]) -> usize>(
    r: &mut Reader<R>,
    found: &mut Segment,
    kind: u32,
    place: (u64, u64),
) -> Sure<()> {
    let twice = |slot: &mut Option<(u64, u64)>| match slot.replace(place) {
        Some(_) => Err("a header that is there twice"),
        None => Ok(()),
    };
    match kind {
        id::INFO => twice(&mut found.info),
        id::TRACKS => twice(&mut found.tracks),
        id::CHAPTERS => twice(&mut found.chapters),
        id::TAGS => twice(&mut found.tags),
        id::SEEK_HEAD => {
            let bytes = body(r, place)?;
            for (_, seek) in elements(&bytes).filter(|(kind, _)| *kind == id::SEEK) {
                let (mut kind, mut position) = (None, None);
                for (inner, value) in elements(seek) {
                    match inner {
                        id::SEEK_ID => kind = u32::try_from(be(value)).ok(),
                        id::SEEK_POSITION => position = Some(be(value)),
                        _ => {}
                    }
                }
                if let (Some(kind), Some(position)) = (kind, position) {
                    found.seek.push((kind, position));
                }
            }
            Ok(())
        }
        id::VOID | id::CRC | id::CUES | id::ATTACHMENTS => Ok(()),
        _ => Err("an element of an unknown kind"),
    }
}

/// Duration in microseconds, and the scale in nanoseconds.
fn info(bytes: &[u8]) -> Sure<(u64, u64)> {
    let (mut scale, mut duration) = (1_000_000, None);
    let mut list = elements(bytes);
    for (kind, value) in list.by_ref() {
        match kind {
            id::TIMESTAMP_SCALE => scale = be(value),
            0x4489 => duration = float(value),
            _ => {}
        }
    }
    let duration = duration.filter(|d| d.is_finite() && *d > 0.0).ok_or("the headers say no duration")?;
    if !list.is_whole() {
        return Err(CUT);
    }
    let us = duration * scale as f64 / 1000.0;
    if (1.0..=1e15).contains(&us) { Ok((us as u64, scale)) } else { Err("an absurd duration") }
}

#[derive(Default)]
struct Entry<'a> {
    number: u64,
    kind: u64,
    codec: &'a str,
    private: &'a [u8],
    language: Option<&'a str>,
    /// With region or script (BCP 47); newer writers put it beside the other.
    full_language: Option<&'a str>,
    name: Option<&'a str>,
    roles: Roles,
    /// Something hangs on its frames: a layer of Dolby Vision, transparency, subtitles of a disc.
    has_additions: bool,
    frame_ns: u64,
    encoding: Encoding<'a>,
    video: &'a [u8],
    audio: &'a [u8],
}

/// What was done to each frame before it was written.
#[derive(Default, Clone, Copy)]
enum Encoding<'a> {
    #[default]
    None,
    /// The bytes that all frames begin with are kept here.
    Stripped(&'a [u8]),
    Packed,
}

impl<'a> Encoding<'a> {
    fn read(list: &'a [u8]) -> Self {
        let mut all = elements(list).filter(|(kind, _)| *kind == 0x6240);
        let (Some((_, one)), None) = (all.next(), all.next()) else { return Self::Packed };
        let (mut scope, mut kind, mut method, mut prefix) = (1, 0, 0, &[][..]);
        for (id, value) in elements(one) {
            match id {
                0x5032 => scope = be(value),
                0x5033 => kind = be(value),
                0x5034 => {
                    for (id, value) in elements(value) {
                        match id {
                            0x4254 => method = be(value),
                            0x4255 => prefix = value,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if (scope, kind, method) == (1, 0, 3) { Self::Stripped(prefix) } else { Self::Packed }
    }
}

fn entry(bytes: &[u8]) -> Sure<Entry<'_>> {
    let mut e = Entry { roles: Roles { default: true, ..Roles::default() }, ..Entry::default() };
    let mut list = elements(bytes);
    for (kind, value) in list.by_ref() {
        match kind {
            0xd7 => e.number = be(value),
            0x83 => e.kind = be(value),
            0x86 => e.codec = text(value).ok_or("a strange codec name")?,
            0x63a2 => e.private = value,
            0x22_b59c => e.language = Some(text(value).ok_or("a strange language")?),
            0x22_b59d => e.full_language = text(value).filter(|tag| tag.contains('-')),
            0x536e => e.name = Some(text(value).ok_or("a track name in another encoding")?),
            0x88 => e.roles.default = be(value) != 0,
            0x55aa => e.roles.forced = be(value) != 0,
            0x55ab => e.roles.hearing_impaired = be(value) != 0,
            0x55ac => e.roles.visual_impaired = be(value) != 0,
            0x55af => e.roles.commentary = be(value) != 0,
            0x41e4 => e.has_additions = true,
            0x23_e383 => e.frame_ns = be(value),
            0x6d80 => e.encoding = Encoding::read(value),
            0xe0 => e.video = value,
            0xe1 => e.audio = value,
            _ => {}
        }
    }
    if list.is_whole() { Ok(e) } else { Err(CUT) }
}

fn track<R: FnMut(u64, &mut [u8]) -> usize>(
    r: &mut Reader<R>,
    bytes: &[u8],
    cluster: Option<u64>,
) -> Sure<Option<Track>> {
    let e = entry(bytes)?;
    if matches!(e.encoding, Encoding::Packed) && matches!(e.kind, 1 | 2) {
        return Err("frames that are packed");
    }
    if e.has_additions && e.kind == 1 {
        return Err("a picture with additions");
    }
    let content = match e.kind {
        1 => {
            let picture = picture(r, &e, cluster)?;
            let frame_rate = match e.frame_ns {
                0 => return Err("no frame rate"),
                ns => reduced(1_000_000_000, ns, 30_000).ok_or("no frame rate")?,
            };
            Content::Picture { picture, frame_rate, quarter_turn: false }
        }
        2 => Content::Sound(heard(r, &e, cluster)?),
        0x11 => Content::Words(words(e.codec)?),
        _ => return Ok(None),
    };
    let language = e.full_language.or(e.language).unwrap_or("eng");
    Ok(Some(Track {
        content,
        language: Some(language.to_owned()).filter(|l| l != "und" && !l.is_empty()),
        title: e.name.map(str::to_owned).filter(|t| !t.is_empty()),
        roles: e.roles,
    }))
}

fn words(codec: &str) -> Sure<&'static str> {
    Ok(match codec {
        "S_TEXT/UTF8" => "subrip",
        "S_TEXT/ASCII" => "text",
        "S_TEXT/ASS" | "S_ASS" | "S_TEXT/SSA" | "S_SSA" => "ass",
        "S_TEXT/WEBVTT" | "D_WEBVTT/SUBTITLES" => "webvtt",
        "S_VOBSUB" => "dvd_subtitle",
        "S_HDMV/PGS" => "hdmv_pgs_subtitle",
        "S_DVBSUB" => "dvb_subtitle",
        _ => return Err("subtitles of a rare kind"),
    })
}

fn picture<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, e: &Entry<'_>, cluster: Option<u64>) -> Sure<Picture> {
    let mut frame = Frame::default();
    let (mut shown_width, mut shown_height) = (None, None);
    for (kind, value) in elements(e.video) {
        match kind {
            0xb0 => frame.width = be(value),
            0xba => frame.height = be(value),
            0x54b0 => shown_width = Some(be(value)),
            0x54ba => shown_height = Some(be(value)),
            0x54b2 if be(value) > 3 => return Err("a shape of an unknown kind"),
            0x53b8 if be(value) != 0 => return Err("two pictures for two eyes"),
            0x53c0 if be(value) != 0 => return Err("a picture with transparency"),
            0x54aa | 0x54bb | 0x54cc | 0x54dd if be(value) != 0 => return Err("a cropped picture"),
            0x7670 => return Err("a picture on a sphere"),
            0x55b0 => {
                let code = |wanted| elements(value).find(|(kind, _)| *kind == wanted).map(|(_, code)| be(code));
                (frame.primaries, frame.transfer) = (code(0x55bb), code(0x55ba));
            }
            _ => {}
        }
    }
    let (across, down) = (shown_width.unwrap_or(frame.width), shown_height.unwrap_or(frame.height));
    if across > 0 && down > 0 {
        let across = frame.height.checked_mul(across).ok_or(CUT)?;
        let down = frame.width.checked_mul(down).ok_or(CUT)?;
        frame.aspect = reduced(across, down, 255);
    }
    let mut first = |length| first_frame(r, e, cluster, length);
    let picture = match e.codec {
        "V_MPEG4/ISO/AVC" => avc::picture(e.private)?,
        "V_MPEGH/ISO/HEVC" => hevc::picture(e.private)?,
        "V_AV1" => web_video::av1(e.private)?,
        "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => {
            mpeg4::picture(e.private, &first(mpeg4::MAX_HEADERS)?)?
        }
        "V_MPEG4/MS/V3" => {
            let side = |n: u64| u32::try_from(n).map_err(|_| CUT);
            vfw::without_headers("msmpeg4v3", side(frame.width)?, side(frame.height)?)
        }
        "V_MPEG2" => mpeg2::picture(e.private, &first(mpeg2::MAX_HEADERS)?)?,
        "V_MJPEG" => jpeg::picture(&first(jpeg::MAX_HEADERS)?)?,
        "V_MS/VFW/FOURCC" => vfw::Header::read(e.private).ok_or(CUT)?.picture(frame.aspect, first)?,
        "V_VP8" => web_video::vp8(&first(16)?)?,
        "V_VP9" => web_video::vp9(&first(64)?)?,
        _ => return Err("a picture codec that needs a decoder"),
    };
    picture.within(frame)
}

fn heard<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, e: &Entry<'_>, cluster: Option<u64>) -> Sure<Sound> {
    let (mut rate, mut channels, mut bits) = (8000.0, 1, 0);
    for (kind, value) in elements(e.audio) {
        match kind {
            0xb5 => rate = float(value).ok_or(CUT)?,
            0x9f => channels = be(value),
            0x6264 => bits = be(value),
            _ => {}
        }
    }
    let mut first = |length| first_frame(r, e, cluster, length);
    match e.codec {
        "A_AAC" => sound::aac(e.private),
        "A_AC3" => sound::ac3(&first(64)?),
        "A_EAC3" => sound::eac3(&first(16 << 10)?),
        "A_DTS" => sound::dts(&first(17 << 10)?),
        "A_MPEG/L2" => sound::mp2(&first(16)?),
        "A_MPEG/L3" => sound::mp3(&first(16)?),
        "A_OPUS" => match e.private.strip_prefix(b"OpusHead") {
            Some([_, channels, ..]) => sound::opus(*channels),
            _ => Err("Opus without its configuration"),
        },
        "A_VORBIS" => sound::vorbis(e.private),
        "A_ALAC" => sound::alac(e.private),
        "A_FLAC" => sound::flac_file(e.private),
        "A_PCM/INT/LIT" if rate >= 1.0 && rate.fract() == 0.0 => {
            let codec = match bits {
                8 => "pcm_u8",
                16 => "pcm_s16le",
                24 => "pcm_s24le",
                32 => "pcm_s32le",
                _ => return Err("plain sound of a rare depth"),
            };
            sound::pcm(codec, u32::try_from(channels).map_err(|_| CUT)?, rate as u32)
        }
        _ => Err("a sound codec that needs a decoder"),
    }
}

/// The beginning of the first frame of a track, if it lies near the front.
fn first_frame<R: FnMut(u64, &mut [u8]) -> usize>(
    r: &mut Reader<R>,
    e: &Entry<'_>,
    cluster: Option<u64>,
    length: usize,
) -> Sure<Vec<u8>> {
    const FAR: &str = "a first frame out of reach";
    let prefix = match e.encoding {
        Encoding::None => &[][..],
        Encoding::Stripped(prefix) => prefix,
        Encoding::Packed => return Err("frames that are packed"),
    };
    let at = cluster.ok_or(FAR)?;
    let mut at = at + head(r, at)?.length;
    for _ in 0..MAX_BLOCKS {
        let element = head(r, at)?;
        let place = at + element.length;
        let end = place.checked_add(element.size.ok_or(FAR)?).ok_or(CUT)?;
        match element.id {
            // Looked into, not over: the block is its first child.
            id::BLOCK_GROUP => {
                at = place;
                continue;
            }
            id::SIMPLE_BLOCK | id::BLOCK => {
                let there = usize::try_from(end - place).map_err(|_| CUT)?;
                let piece = r.up_to(place, there.min(length + 8)).ok_or(FAR)?;
                let (number, _, flags, skip) = ebml::block(piece).ok_or(CUT)?;
                if number == e.number {
                    let frames = piece.get(skip..).ok_or(CUT)?;
                    return Ok([prefix, unlaced(frames, flags & 6).ok_or(CUT)?].concat());
                }
            }
            id::CLUSTER => return Err(FAR),
            _ => {}
        }
        at = end;
    }
    Err(FAR)
}

/// The frames behind the sizes that a lace puts in front of them.
fn unlaced(bytes: &[u8], lacing: u8) -> Option<&[u8]> {
    if lacing == 0 {
        return Some(bytes);
    }
    let (count, mut rest) = bytes.split_first()?;
    for _ in 0..*count {
        match lacing {
            2 => rest = &rest[rest.iter().position(|b| *b != 255)? + 1..],
            6 => rest = rest.get(ebml::number(rest)?.1..)?,
            _ => {}
        }
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_with_region_or_script_counts_before_the_short_one() {
        let element =
            |id: u32, text: &str| [&id.to_be_bytes()[1..], &[0x80 | text.len() as u8], text.as_bytes()].concat();
        for (short, full, expected) in
            [("chi", "zh-Hans", Some("zh-Hans")), ("eng", "en", Some("eng")), ("por", "pt-BR", Some("pt-BR"))]
        {
            // A subtitle track of plain text.
            let track = [
                &[0x83, 0x81, 0x11, 0x86, 0x8b][..],
                b"S_TEXT/UTF8",
                &element(0x22_b59c, short),
                &element(0x22_b59d, full),
            ];
            let found = super::track(&mut Reader::new(0, |_, _: &mut [u8]| 0), &track.concat(), None).unwrap().unwrap();
            assert_eq!(found.language.as_deref(), expected);
        }
    }
}
