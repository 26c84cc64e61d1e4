//! What a segment says before and behind its clusters: units, tracks, lengths and cues.

use super::{AudioPhase, Codec, Film, MAX_KEYS, Sure};
use crate::{
    hls::{
        index::{clock_micros, tagged_end},
        tables::Unsure,
    },
    walk::{
        aac_rate, be,
        ebml::{self, elements, float, id, text},
    },
};

const BROKEN: Unsure = Unsure("a header that cannot be read");
/// Of the Info element: how long the film is, in its units.
const DURATION: u32 = 0x4489;
const MAX_ELEMENTS: usize = 64;
const MAX_TRACKS: usize = 128;
const MAX_HEADER: u64 = 4 << 20;
const MAX_CUES: u64 = 8 << 20;

pub(super) struct Headers {
    /// Nanoseconds of a unit; whole microseconds.
    scale: i64,
    /// Where the film ends, in microseconds, as its header says.
    end_us: Option<i64>,
    pub(super) picture: Picture,
    pub(super) sounds: Vec<Sound>,
    cues: (u64, u64),
    /// Where positions are counted from.
    from: u64,
    pub(super) end: u64,
    pub(super) first_cluster: u64,
}

pub(super) struct Picture {
    pub(super) number: u64,
    codec: String,
    private: Vec<u8>,
}

pub(super) struct Sound {
    pub(super) number: u64,
    uid: u64,
    rate: u32,
    /// What decoders drop at the beginning, in units of the segment.
    pub(super) delay: i64,
    /// What its tag says of its length, in microseconds.
    tag_us: Option<i64>,
}

/// What a cue says.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time: i64,
    pub(super) cluster: u64,
    /// Where its block lies, counted from behind the cluster's head.
    pub(super) relative: Option<u64>,
}

fn head<R, S>(film: &mut Film<R, S>, at: u64) -> Sure<ebml::Head>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    ebml::head(film.up_to(at, ebml::MAX_HEAD)?).ok_or(BROKEN)
}

fn body<R, S>(film: &mut Film<R, S>, (at, length): (u64, u64), most: u64) -> Sure<Vec<u8>>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let length = usize::try_from(length.min(most + 1)).map_err(|_| BROKEN)?;
    if length as u64 > most {
        return Err(Unsure("a header that is too large"));
    }
    if length == 0 {
        return Ok(Vec::new());
    }
    Ok(film.get(at, length)?[..length].to_vec())
}

#[derive(Default)]
struct Found {
    seek: Vec<(u32, u64)>,
    info: Option<(u64, u64)>,
    tracks: Option<(u64, u64)>,
    tags: Vec<(u64, u64)>,
    cues: Option<(u64, u64)>,
}

pub(super) fn read<R, S>(film: &mut Film<R, S>) -> Sure<Headers>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let first = head(film, 0)?;
    if first.id != 0x1a45_dfa3 {
        return Err(Unsure("no Matroska"));
    }
    let at = first.size.and_then(|size| first.length.checked_add(size)).ok_or(BROKEN)?;
    let segment = head(film, at)?;
    let from = at + segment.length;
    let end = segment.size.and_then(|size| from.checked_add(size)).ok_or(Unsure("a segment without an end"))?;
    if segment.id != id::SEGMENT || end > film.size {
        return Err(Unsure("a segment that does not end in the file"));
    }
    let (found, first_cluster) = find(film, from, end)?;
    let info = body(film, found.info.ok_or(Unsure("no Info element"))?, MAX_HEADER)?;
    let scale = scale(&info)?;
    let length = elements(&info).find(|(kind, _)| *kind == DURATION).and_then(|(_, value)| float(value));
    let end_us = length.map(|units| units * (scale / 1000) as f64).filter(|us| (0.0..1e15).contains(us));
    let tracks = body(film, found.tracks.ok_or(Unsure("no Tracks element"))?, MAX_HEADER)?;
    let (picture, mut sounds) = read_tracks(&tracks, scale)?;
    for place in found.tags {
        lengths(&body(film, place, MAX_HEADER)?, &mut sounds);
    }
    let cues = found.cues.ok_or(Unsure("no cues"))?;
    Ok(Headers { scale, end_us: end_us.map(|us| us as i64), picture, sounds, cues, from, end, first_cluster })
}

/// What comes before the first cluster, and what SeekHead says comes later.
fn find<R, S>(film: &mut Film<R, S>, from: u64, end: u64) -> Sure<(Found, u64)>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let mut found = Found::default();
    let mut at = from;
    for _ in 0..MAX_ELEMENTS {
        if at >= end {
            break;
        }
        let element = head(film, at)?;
        if element.id == id::CLUSTER {
            let mut next = 0;
            while let Some((kind, position)) = found.seek.get(next).copied() {
                next += 1;
                let place = from.checked_add(position).filter(|place| *place < end).ok_or(BROKEN)?;
                let known = match kind {
                    id::CUES => found.cues.is_some(),
                    id::TAGS => found.tags.iter().any(|(body, _)| *body > place && *body < place + 16),
                    id::SEEK_HEAD => next > 8 || place < at,
                    _ => true,
                };
                if known || next > MAX_ELEMENTS {
                    continue;
                }
                let element = head(film, place)?;
                if element.id != kind {
                    return Err(Unsure("a SeekHead that points elsewhere"));
                }
                take(film, &mut found, kind, (place + element.length, element.size.ok_or(BROKEN)?))?;
            }
            return Ok((found, at));
        }
        let place = (at + element.length, element.size.ok_or(BROKEN)?);
        take(film, &mut found, element.id, place)?;
        at = place.0.checked_add(place.1).ok_or(BROKEN)?;
    }
    Err(Unsure("no cluster"))
}

fn take<R, S>(film: &mut Film<R, S>, found: &mut Found, kind: u32, place: (u64, u64)) -> Sure<()>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let once = |slot: &mut Option<(u64, u64)>| match slot.replace(place) {
        Some(_) => Err(Unsure("a header that is there twice")),
        None => Ok(()),
    };
    match kind {
        id::INFO => once(&mut found.info),
        id::TRACKS => once(&mut found.tracks),
        id::CUES => once(&mut found.cues),
        id::TAGS => {
            found.tags.push(place);
            Ok(())
        }
        id::SEEK_HEAD => {
            for (_, seek) in elements(&body(film, place, MAX_HEADER)?).filter(|(kind, _)| *kind == id::SEEK) {
                let (mut kind, mut position) = (None, None);
                for (inner, value) in elements(seek) {
                    match inner {
                        id::SEEK_ID => kind = u32::try_from(be(value)).ok(),
                        id::SEEK_POSITION => position = Some(be(value)),
                        _ => {}
                    }
                }
                found.seek.extend(kind.zip(position));
            }
            Ok(())
        }
        id::VOID | id::CRC | id::ATTACHMENTS | id::CHAPTERS => Ok(()),
        _ => Err(Unsure("an element of an unknown kind")),
    }
}

fn scale(info: &[u8]) -> Sure<i64> {
    let scale = elements(info).find(|(kind, _)| *kind == id::TIMESTAMP_SCALE).map_or(1_000_000, |(_, value)| be(value));
    match i64::try_from(scale) {
        Ok(scale) if scale > 0 && scale <= 1_000_000_000 && scale % 1000 == 0 => Ok(scale),
        _ => Err(Unsure("a rare unit of time")),
    }
}

fn read_tracks(tracks: &[u8], scale: i64) -> Sure<(Picture, Vec<Sound>)> {
    let (mut picture, mut sounds) = (None, Vec::new());
    let mut list = elements(tracks);
    for (_, entry) in list.by_ref().filter(|(kind, _)| *kind == id::TRACK_ENTRY).take(MAX_TRACKS) {
        let (mut number, mut kind, mut uid, mut codec, mut private) = (0, 0, 0, "", &[][..]);
        let (mut delay, mut packed, mut speed, mut audio) = (0, false, 1.0, &[][..]);
        let mut fields = elements(entry);
        for (id, value) in fields.by_ref() {
            match id {
                0xd7 => number = be(value),
                0x83 => kind = be(value),
                0x73c5 => uid = be(value),
                0x86 => codec = text(value).ok_or(BROKEN)?,
                0x63a2 => private = value,
                0x56aa => delay = be(value),
                0x6d80 => packed = true,
                0x23_314f => speed = float(value).ok_or(BROKEN)?,
                0xe1 => audio = value,
                _ => {}
            }
        }
        if !fields.is_whole() || speed.to_bits() != 1.0_f64.to_bits() {
            return Err(Unsure("a track with a time of its own"));
        }
        match kind {
            1 if picture.is_some() => return Err(Unsure("more than one picture")),
            1 if packed || delay != 0 => return Err(Unsure("pictures that are packed or delayed")),
            1 => picture = Some(Picture { number, codec: codec.into(), private: private.to_vec() }),
            2 => {
                let delay = i64::try_from(delay).map_err(|_| BROKEN)?;
                sounds.push(Sound {
                    number,
                    uid,
                    rate: rate(codec, private, audio)?,
                    // To the nearest unit.
                    delay: (delay + scale / 2) / scale,
                    tag_us: None,
                });
            }
            _ => {}
        }
    }
    if !list.is_whole() {
        return Err(BROKEN);
    }
    Ok((picture.ok_or(Unsure("no picture"))?, sounds))
}

/// Samples a second as a decoder hands them on.
fn rate(codec: &str, private: &[u8], audio: &[u8]) -> Sure<u32> {
    if codec == "A_AAC" {
        return aac_rate(private).map_err(Unsure);
    }
    if codec == "A_OPUS" {
        return Ok(48_000);
    }
    let field = |id: u32| elements(audio).find(|(kind, _)| *kind == id).map(|(_, value)| float(value).ok_or(BROKEN));
    let rate = field(0x78b5).or_else(|| field(0xb5)).unwrap_or(Ok(8000.0))?;
    if (1.0..=768_000.0).contains(&rate) { Ok(rate as u32) } else { Ok(0) }
}

/// `DURATION` as muxers write it into the tags of a track.
fn lengths(tags: &[u8], sounds: &mut [Sound]) {
    for (_, tag) in elements(tags).filter(|(kind, _)| *kind == 0x7373) {
        let uid = elements(tag)
            .filter(|(kind, _)| *kind == 0x63c0)
            .flat_map(|(_, targets)| elements(targets))
            .filter(|(kind, _)| *kind == 0x63c5)
            .map(|(_, uid)| be(uid))
            .last();
        let Some(sound) = sounds.iter_mut().find(|sound| uid == Some(sound.uid)) else { continue };
        for (_, simple) in elements(tag).filter(|(kind, _)| *kind == 0x67c8) {
            let (mut name, mut value, mut language, mut default) = (None, None, None, false);
            for (kind, content) in elements(simple) {
                match kind {
                    0x45a3 => name = text(content),
                    0x4487 => value = text(content),
                    0x447a => language = text(content),
                    0x4484 | 0x44b4 => default = be(content) != 0,
                    _ => {}
                }
            }
            // Of one language alone, it is known under another name.
            if name == Some("DURATION") && (default || language.is_none_or(|l| l == "und")) {
                sound.tag_us = value.and_then(clock_micros);
            }
        }
    }
}

impl Headers {
    pub(super) const fn micros(&self, time: i64) -> i64 {
        time.saturating_mul(self.scale / 1000)
    }

    pub(super) fn codec(&self) -> Sure<Codec> {
        Codec::new(&self.picture.codec, &self.picture.private)
    }

    /// The cues of the picture, in the order of time.
    pub(super) fn places<R, S>(&self, film: &mut Film<R, S>) -> Sure<Vec<Place>>
    where
        R: FnMut(u64, &mut [u8]) -> usize,
        S: FnMut(u64, u64),
    {
        let bytes = body(film, self.cues, MAX_CUES)?;
        let mut places = Vec::new();
        let mut list = elements(&bytes);
        for (_, point) in list.by_ref().filter(|(kind, _)| *kind == 0xbb) {
            let time = elements(point).find(|(kind, _)| *kind == 0xb3).map(|(_, time)| be(time));
            for (_, position) in elements(point).filter(|(kind, _)| *kind == 0xb7) {
                let field = |id: u32| elements(position).find(|(kind, _)| *kind == id).map(|(_, value)| be(value));
                if field(0xf7) != Some(self.picture.number) {
                    continue;
                }
                let time = time.and_then(|time| i64::try_from(time).ok()).ok_or(BROKEN)?;
                let cluster = field(0xf1).and_then(|at| self.from.checked_add(at)).filter(|at| *at < self.end);
                let cluster = cluster.ok_or(Unsure("a cue that points elsewhere"))?;
                places.push(Place { time, cluster, relative: field(0xf0) });
                if places.len() > MAX_KEYS {
                    return Err(Unsure("very many cues"));
                }
            }
        }
        if !list.is_whole() || places.is_empty() {
            return Err(Unsure("no cues"));
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    /// Each sound on the film's own timeline.
    pub(super) fn audio(&self, begins_us: &[i64], zero_us: i64) -> Vec<AudioPhase> {
        let since = |at: i64| u64::try_from(at.saturating_sub(zero_us)).unwrap_or(0);
        let phase = |(sound, begins): (&Sound, &i64)| AudioPhase {
            start_us: since(*begins),
            end_us: sound.tag_us.map_or(0, |tag_us| since(tagged_end(*begins, tag_us, self.end_us))),
            rate: sound.rate,
        };
        self.sounds.iter().zip(begins_us).map(phase).collect()
    }
}
