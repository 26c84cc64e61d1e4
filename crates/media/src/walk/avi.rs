//! avi: what the stream headers say, and of each stream's first chunk what they leave open.

use super::{
    Reader, Sure,
    describe::{Content, Film, Picture, Roles, Sound, Track, reduced},
    sound, vfw,
};

const CUT: &str = "a chunk that does not end in the file";
const MAX_CHUNKS: usize = 128;
const MAX_STREAMS: usize = 32;
/// libavformat takes a larger chunk before the pictures for a broken header.
const MAX_HEADER: u32 = 1_000_000;
/// The first chunk of every stream lies near the front.
const MAX_FIRST_CHUNKS: usize = 64;
/// `avih` says that the order of the index counts, not that of the chunks.
const MUST_USE_INDEX: u32 = 0x20;

/// A sound whose kind is said by a longer identifier.
const EXTENSIBLE: u32 = 0xfffe;
/// What follows a short kind in a longer identifier.
const MEDIA_SUBTYPE: &[u8] = &[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
const AC3: &[u8] = &[0x2c, 0x80, 0x6d, 0xe0, 0x46, 0xdb, 0xcf, 0x11, 0xb4, 0xd1, 0, 0x80, 0x5f, 0x6c, 0xbb, 0xea];

/// Does a file begin like one?
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(b"RIFF")
}

#[derive(Clone, Copy)]
struct Chunk {
    kind: [u8; 4],
    body: u64,
    size: u32,
}

impl Chunk {
    /// Chunks begin at even places.
    const fn next(&self) -> u64 {
        self.body + self.size as u64 + (self.size & 1) as u64
    }
}

fn chunk<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>, at: u64) -> Sure<Chunk> {
    let head = r.get(at, 8).ok_or(CUT)?;
    Ok(Chunk { kind: [head[0], head[1], head[2], head[3]], body: at + 8, size: le32(head, 4).ok_or(CUT)? })
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A stream by its headers.
struct Stream {
    header: Vec<u8>,
    format: Option<Vec<u8>>,
    /// `strd`: stands in where the format has nothing behind it.
    data: Option<Vec<u8>>,
    /// Width and height of one pixel.
    aspect: Option<(u64, u64)>,
    name: Option<String>,
}

struct Headers {
    /// Where the file says that it ends.
    end: u64,
    streams: Vec<Stream>,
    /// Where the chunks of the streams begin.
    chunks: u64,
}

pub(super) fn film<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Film> {
    let headers = headers(r)?;
    let mut film = Film { format: "avi", brand: None, duration_us: 0, tracks: Vec::new(), parts: Vec::new() };
    for (number, stream) in headers.streams.iter().enumerate() {
        let field = |at| le32(&stream.header, at).ok_or(CUT);
        let (scale, rate, length, sample) = (field(20)?, field(24)?, field(32)?, field(44)?.cast_signed());
        if scale == 0 || rate == 0 {
            return Err("no frame rate");
        }
        let frame_rate = reduced(rate.into(), scale.into(), i32::MAX as u64).ok_or("no frame rate")?;
        if u64::from(rate) * frame_rate.1 != u64::from(scale) * frame_rate.0 {
            return Err("a rare frame rate");
        }
        let is_picture = stream.header.starts_with(b"vids");
        // Sound of constant size says its length in bytes, and libavformat looks past it.
        if is_picture || sample <= 0 {
            let mut length = u64::from(length);
            if headers.end > r.size() {
                length = u64::try_from(nearest(length.into(), r.size().into(), headers.end.into())).map_err(|_| CUT)?;
            }
            let us = nearest(length.into(), u128::from(scale) * 1_000_000, rate.into());
            film.duration_us = film.duration_us.max(u64::try_from(us).map_err(|_| "an absurd duration")?);
        }
        let format = stream.format.as_deref().ok_or("a stream without a format")?;
        let mut first = First { r, from: headers.chunks, number, streams: headers.streams.len() };
        let content = match stream.header.get(..4) {
            Some(b"vids") => {
                Content::Picture { picture: picture(&mut first, stream, format)?, frame_rate, quarter_turn: false }
            }
            Some(b"auds") => Content::Sound(heard(&mut first, stream, format)?),
            _ => return Err("a stream of a rare kind"),
        };
        let title = stream.name.clone();
        film.tracks.push(Track { content, language: None, title, roles: Roles::default() });
    }
    Ok(film)
}

/// `a * b / c`, halves away from zero.
const fn nearest(a: u128, b: u128, c: u128) -> u128 {
    (a * b + c / 2) / c
}

/// Everything up to the list of the streams' chunks.
fn headers<R: FnMut(u64, &mut [u8]) -> usize>(r: &mut Reader<R>) -> Sure<Headers> {
    let head = r.get(0, 12).ok_or(CUT)?;
    if &head[8..] != b"AVI " {
        return Err("another kind of RIFF");
    }
    let end = 8 + u64::from(le32(head, 4).ok_or(CUT)?);
    let (mut streams, mut at) = (Vec::<Stream>::new(), 12);
    for _ in 0..MAX_CHUNKS {
        let found = chunk(r, at)?;
        let body = |r: &mut Reader<R>| Some(r.get(found.body, usize::try_from(found.size).ok()?)?.to_vec());
        at = found.next();
        match &found.kind {
            // Lists are entered; only their first word matters.
            b"LIST" => {
                at = found.body + 4;
                match r.get(found.body, 4).ok_or(CUT)? {
                    b"movi" => return Ok(Headers { end, streams, chunks: at }),
                    b"ncdt" => return Err("tags of a camera"),
                    _ => continue,
                }
            }
            _ if found.size > MAX_HEADER => return Err("a large chunk before the pictures"),
            b"avih" => {
                let flags = body(r).and_then(|b| le32(&b, 12)).ok_or(CUT)?;
                if flags & MUST_USE_INDEX != 0 {
                    return Err("chunks in the order of the index");
                }
            }
            b"amvh" => return Err("another kind of RIFF"),
            b"strh" => {
                let header = body(r).filter(|b| b.len() >= 48 && b.len() % 2 == 0).ok_or(CUT)?;
                if header.starts_with(b"pads") {
                    continue;
                }
                if streams.len() == MAX_STREAMS {
                    return Err("very many tracks");
                }
                streams.push(Stream { header, format: None, data: None, aspect: None, name: None });
            }
            b"strf" | b"strd" | b"strn" => {
                let bytes = body(r).ok_or(CUT)?;
                let stream = streams.last_mut().ok_or("a format without a stream")?;
                let twice = match &found.kind {
                    b"strf" => stream.format.replace(bytes).is_some(),
                    b"strd" => stream.data.replace(bytes).is_some(),
                    _ => {
                        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                        let name = std::str::from_utf8(&bytes[..end]).map_err(|_| "a name in another encoding")?;
                        stream.name.replace(name.to_owned()).is_some()
                    }
                };
                if twice {
                    return Err("a header that is there twice");
                }
            }
            // Their length is not rounded up there.
            b"indx" | b"vprp" if found.size % 2 == 1 => return Err("a chunk of odd length"),
            b"vprp" if found.size > 36 => {
                let bytes = body(r).ok_or(CUT)?;
                let stream = streams.last_mut().ok_or("a format without a stream")?;
                stream.aspect = shape(&bytes).ok_or(CUT)?;
            }
            kind if kind.iter().all(|b| b.is_ascii_alphanumeric() || *b == b' ') => {}
            _ => return Err("a chunk of an unknown kind"),
        }
    }
    Err("very many chunks")
}

/// Width and height of one pixel out of video properties, which name the shape of the whole picture.
fn shape(properties: &[u8]) -> Option<Option<(u64, u64)>> {
    let (down, across) = (u64::from(le16(properties, 20)?), u64::from(le16(properties, 22)?));
    let (width, height) = (u64::from(le32(properties, 24)?), u64::from(le32(properties, 28)?));
    if [down, across, width, height].contains(&0) {
        return Some(None);
    }
    Some(reduced(across * height, down * width, i32::MAX as u64))
}

/// The first chunk of a stream, looked for when it is needed.
struct First<'r, R> {
    r: &'r mut Reader<R>,
    from: u64,
    number: usize,
    streams: usize,
}

impl<R: FnMut(u64, &mut [u8]) -> usize> First<'_, R> {
    /// At most so many bytes of it.
    fn bytes(&mut self, most: usize) -> Sure<Vec<u8>> {
        const FAR: &str = "a first frame out of reach";
        let mut at = self.from;
        for _ in 0..MAX_FIRST_CHUNKS {
            let found = chunk(self.r, at).map_err(|_| FAR)?;
            at = found.next();
            match found.kind {
                [b'L', b'I', b'S', b'T'] => at = found.body + 4,
                [b'J', b'U', b'N', b'K'] | [b'i', b'x', _, _] => {}
                [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'd', b'c' | b'b']
                | [tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'w', b'b'] => {
                    let number = usize::from(tens - b'0') * 10 + usize::from(ones - b'0');
                    if number >= self.streams {
                        return Err("a chunk of an unknown stream");
                    }
                    // Empty ones hold the frame before them and are not handed on.
                    if number == self.number && found.size > 0 {
                        let there = usize::try_from(found.size).unwrap_or(usize::MAX);
                        return Ok(self.r.up_to(found.body, there.min(most)).ok_or(FAR)?.to_vec());
                    }
                }
                _ => return Err("a chunk of an unknown kind"),
            }
        }
        Err(FAR)
    }
}

fn picture<R: FnMut(u64, &mut [u8]) -> usize>(
    first: &mut First<'_, R>,
    stream: &Stream,
    format: &[u8],
) -> Sure<Picture> {
    let mut header = vfw::Header::read(format).ok_or(CUT)?;
    if header.extra.is_empty() && !matches!(&header.tag, b"H264") {
        header.extra = stream.data.as_deref().unwrap_or_default();
    }
    header.picture(stream.aspect, |most| first.bytes(most))
}

fn heard<R: FnMut(u64, &mut [u8]) -> usize>(first: &mut First<'_, R>, stream: &Stream, format: &[u8]) -> Sure<Sound> {
    const BROKEN: &str = "a sound header that cannot be read";
    let half = |at| le16(format, at).map(u32::from).ok_or(BROKEN);
    let (mut kind, channels, rate, mut bits) = (half(0)?, half(2)?, le32(format, 4).ok_or(BROKEN)?, half(14)?);
    if kind == EXTENSIBLE && format.len() >= 40 && half(16)? >= 22 {
        if half(18)? != 0 {
            bits = half(18)?;
        }
        kind = match &format[24..40] {
            AC3 => 0x2000,
            [tag0, tag1, rest @ ..] if rest == MEDIA_SUBTYPE => u32::from(u16::from_le_bytes([*tag0, *tag1])),
            _ => EXTENSIBLE,
        };
    }
    if i32::try_from(rate).is_err() || rate == 0 {
        return Err(BROKEN);
    }
    if &stream.header[4..8] == b"Axan" {
        return Err("a sound codec that needs a decoder");
    }
    match (kind, bits) {
        (1, 8) => sound::pcm("pcm_u8", channels, rate),
        (1, 16) => sound::pcm("pcm_s16le", channels, rate),
        (1, 24) => sound::pcm("pcm_s24le", channels, rate),
        (2, _) if channels <= 2 => sound::pcm("adpcm_ms", channels, rate),
        (0x11, 4) if channels <= 2 => sound::pcm("adpcm_ima_wav", channels, rate),
        (6, _) => sound::pcm("pcm_alaw", channels, rate),
        (7, _) => sound::pcm("pcm_mulaw", channels, rate),
        (0x50, _) => agreeing(sound::mp2(&first.bytes(4)?)?, channels, rate),
        (0x55, _) => agreeing(sound::mp3(&first.bytes(4)?)?, channels, rate),
        (0xff, _) => {
            let length = usize::from(le16(format, 16).ok_or(BROKEN)?);
            let config = format.get(18..).ok_or(BROKEN)?;
            match config.get(..length.min(config.len())) {
                Some(config) if !config.is_empty() => sound::aac(config),
                _ => Err("AAC without its configuration"),
            }
        }
        (0x2000, _) => sound::ac3(&first.bytes(64)?),
        _ => Err("a sound codec that needs a decoder"),
    }
}

/// What looks like a frame's header is one when the stream's header says the same.
fn agreeing(sound: Sound, channels: u32, rate: u32) -> Sure<Sound> {
    if (sound.channels, sound.rate_hz) == (channels, rate) {
        Ok(sound)
    } else {
        Err("container and sound name different rates")
    }
}
