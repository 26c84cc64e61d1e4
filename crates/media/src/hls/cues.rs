//! The key frames of a Matroska film from its own cues: a few small reads for each, where reading
//! every packet takes as long as the disk does.
//!
//! Cues say where key frames lie. Whether each is a place where decoding can begin stands in the
//! frame itself, so its first bytes are read too, and the beginning of the frame behind it. Only
//! what these say is answered: no other frame's time is known ([`PointKind::Frame`] is missing),
//! which is enough to copy a film and not enough to encode it.
//!
//! Promises: every point is a key frame of the file with the time that its block says, `Clean`,
//! and no picture of its group is shown before `first`. What needs thought makes the answer
//! [`Unsure`]; reads and memory are bounded whatever the bytes say.

mod blocks;
mod frames;
mod headers;

use super::{
    index::{AudioPhase, KeyframeIndex, Point, PointKind, median_step, ticks_since},
    tables::Unsure,
};
use blocks::{Block, Blocks};
use frames::Codec;
use headers::Headers;

type Sure<T> = Result<T, Unsure>;

/// More than a film of ten hours with a key frame every second.
const MAX_KEYS: usize = 40_000;
const MAX_READS: u32 = 300_000;
/// One read usually serves a block's head, the frame's own, and several small blocks behind it.
const WINDOW: usize = 4 << 10;
/// Sounds, pictures and words before every track of the film has begun.
const MAX_FIRST_BLOCKS: usize = 2_000;
/// Blocks of all tracks: the longest group of pictures that can be copied has fewer.
const MAX_IN_GROUP: usize = 20_000;
/// Between a key frame and the next picture lie only a few sounds.
const MAX_BETWEEN: usize = 200;
/// Pictures that lead a key frame.
const MAX_LEADING: usize = 16;
/// Places are told this many at once.
const AHEAD: usize = 64;

/// The reading of one film: bounded in count, each at most [`WINDOW`] or what is asked for.
struct Film<R, S> {
    size: u64,
    read: R,
    soon: S,
    window: Vec<u8>,
    window_at: u64,
    reads_left: u32,
}

impl<R: FnMut(u64, &mut [u8]) -> usize, S: FnMut(u64, u64)> Film<R, S> {
    /// At least `length` bytes at `at`, and more where they came along.
    fn get(&mut self, at: u64, length: usize) -> Sure<&[u8]> {
        const EARLY: Unsure = Unsure("the file ends too early");
        let end = at.checked_add(length as u64).filter(|end| *end <= self.size).ok_or(EARLY)?;
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            self.reads_left = self.reads_left.checked_sub(1).ok_or(Unsure("too many places to look at"))?;
            let there = usize::try_from(self.size - at).unwrap_or(usize::MAX);
            self.window.resize(length.max(WINDOW).min(there), 0);
            self.window_at = at;
            let mut got = 0;
            while got < self.window.len() {
                match (self.read)(at + got as u64, &mut self.window[got..]) {
                    0 => break,
                    n => got += n.min(self.window.len() - got),
                }
            }
            self.window.truncate(got);
        }
        let from = usize::try_from(at - self.window_at).map_err(|_| EARLY)?;
        self.window.get(from..).filter(|there| there.len() >= length).ok_or(EARLY)
    }

    /// As much as there is, at most `length`.
    fn up_to(&mut self, at: u64, length: usize) -> Sure<&[u8]> {
        let there = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        self.get(at, length.min(there).max(1))
    }
}

/// What the cues of a film say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Without ordinary frames.
    pub index: KeyframeIndex,
    /// The film's own start, from which its times are counted, in microseconds.
    pub zero_us: i64,
}

/// One key frame, and where the next block lies.
struct Key {
    time: i64,
    first: i64,
    next: u64,
    cluster_time: i64,
}

/// Reads the cues of a film of `size` bytes. `read(at, out)` fills as much of `out` as there is and
/// returns how much that was; `soon(at, length)` is told of places that will be read.
///
/// # Errors
/// [`Unsure`] for whatever is not a whole Matroska with cues for key frames of a known kind.
pub fn keys(size: u64, read: impl FnMut(u64, &mut [u8]) -> usize, soon: impl FnMut(u64, u64)) -> Sure<Keys> {
    let mut film = Film { size, read, soon, window: Vec::new(), window_at: 0, reads_left: MAX_READS };
    let headers = headers::read(&mut film)?;
    let places = headers.places(&mut film)?;
    let codec = headers.codec()?;
    let begins = beginnings(&mut film, &headers)?;
    let mut keys: Vec<Key> = Vec::with_capacity(places.len());
    for (n, place) in places.iter().enumerate() {
        if n % AHEAD == 0 {
            for place in &places[n..places.len().min(n + AHEAD)] {
                (film.soon)(place.cluster, WINDOW as u64);
                if let Some(relative) = place.relative.filter(|relative| *relative > WINDOW as u64 / 2) {
                    (film.soon)(place.cluster.saturating_add(relative), WINDOW as u64);
                }
            }
        }
        let key = key(&mut film, &headers, &codec, place)?;
        if keys.last().is_some_and(|last| last.time >= key.time || last.next > key.next) {
            return Err(Unsure("cues that are out of order"));
        }
        keys.push(key);
    }
    if keys.first().map(|key| key.next) != Some(begins.picture_next) {
        return Err(Unsure("the film begins before its first cue"));
    }
    lead(&mut film, &headers, &codec, &mut keys)?;
    let steps = sampled(&mut film, &headers, &keys)?;
    let latest = steps.latest;
    let zero_us = begins.zero_us;
    let ticks = |time: i64| ticks_since(zero_us, headers.micros(time));
    let frame = median_step(steps.ticks.iter().map(|step| ticks_since(0, headers.micros(*step))).collect());
    let points: Vec<Point> = keys
        .iter()
        .map(|key| Point { pts: ticks(key.time), first: ticks(key.first.min(key.time)), kind: PointKind::Clean })
        .collect();
    if points.windows(2).any(|w| w[0].pts >= w[1].pts) {
        return Err(Unsure("key frames before the film's start"));
    }
    let end = ticks(latest) + frame;
    let audio = headers.audio(&begins.sounds, zero_us);
    let index = KeyframeIndex { picture: 0, points, end, frame: u32::try_from(frame).unwrap_or(u32::MAX), audio };
    Ok(Keys { index, zero_us })
}

/// When every track of the film begins.
struct Beginnings {
    /// The earliest of them, in microseconds.
    zero_us: i64,
    /// In the order of the tracks, in microseconds.
    sounds: Vec<i64>,
    /// Where the block behind the first picture lies.
    picture_next: u64,
}

fn beginnings<R, S>(film: &mut Film<R, S>, headers: &Headers) -> Sure<Beginnings>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let mut blocks = Blocks::new(headers.first_cluster, 0, headers.end);
    let (mut picture, mut sounds) = (None, vec![None; headers.sounds.len()]);
    for _ in 0..MAX_FIRST_BLOCKS {
        if picture.is_some() && sounds.iter().all(Option::is_some) {
            break;
        }
        let block = blocks.next(film)?.ok_or(Unsure("a track without frames"))?;
        if block.track == headers.picture.number {
            picture.get_or_insert((headers.micros(block.time), block.next));
        } else if let Some(n) = headers.sounds.iter().position(|sound| sound.number == block.track) {
            sounds[n].get_or_insert(headers.micros(block.time - headers.sounds[n].delay));
        } else {
            // Words that come first may move the film's start.
            return Err(Unsure("something else begins before the film"));
        }
    }
    let (picture_us, picture_next) = picture.ok_or(Unsure("a late beginning"))?;
    let sounds: Option<Vec<i64>> = sounds.into_iter().collect();
    let sounds = sounds.ok_or(Unsure("a late beginning"))?;
    let zero_us = sounds.iter().copied().fold(picture_us, i64::min);
    Ok(Beginnings { zero_us, sounds, picture_next })
}

/// Looks at one cue: its block has to be there, at its time, and hold a key frame.
fn key<R, S>(film: &mut Film<R, S>, headers: &Headers, codec: &Codec, place: &headers::Place) -> Sure<Key>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    const ELSEWHERE: Unsure = Unsure("a cue that points elsewhere");
    let mut blocks = Blocks::new(place.cluster, 0, headers.end);
    let block = match place.relative {
        Some(relative) => {
            let (content, time) = blocks::cluster(film, place.cluster)?;
            let at = content.checked_add(relative).ok_or(ELSEWHERE)?;
            blocks = Blocks::new(at, time, headers.end);
            blocks.next(film)?.filter(|block| block.head == at)
        }
        // Old programs name the cluster alone.
        None => {
            let mut found = None;
            for _ in 0..MAX_BETWEEN {
                match blocks.next(film)? {
                    Some(block) if block.track == headers.picture.number && block.time == place.time => {
                        found = Some(block);
                        break;
                    }
                    Some(block) if block.time <= place.time => {}
                    _ => break,
                }
            }
            found
        }
    };
    let block: Block = block.ok_or(ELSEWHERE)?;
    if block.track != headers.picture.number || block.time != place.time || !block.key || block.laced {
        return Err(ELSEWHERE);
    }
    codec.begins_anew(film, &block)?;
    Ok(Key { time: block.time, first: block.time, next: block.next, cluster_time: blocks.cluster_time() })
}

/// Looks at the pictures behind each key frame: those that lead it are shown before it.
fn lead<R, S>(film: &mut Film<R, S>, headers: &Headers, codec: &Codec, keys: &mut [Key]) -> Sure<()>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    for n in 0..keys.len() {
        if n % AHEAD == 0 {
            for key in &keys[n..keys.len().min(n + AHEAD)] {
                (film.soon)(key.next, WINDOW as u64);
            }
        }
        let key = &mut keys[n];
        let mut blocks = Blocks::new(key.next, key.cluster_time, headers.end);
        let (mut leading, mut between) = (0, 0);
        while let Some(block) = blocks.next(film)? {
            between += 1;
            if between > MAX_BETWEEN {
                return Err(Unsure("a picture out of reach"));
            }
            if block.track != headers.picture.number {
                continue;
            }
            if block.time >= key.time {
                break;
            }
            leading += 1;
            if !codec.may_be_led() || leading > MAX_LEADING {
                return Err(Unsure("pictures before their key frame"));
            }
            key.first = key.first.min(block.time);
        }
    }
    Ok(())
}

/// What whole groups of pictures show.
struct Steps {
    /// From frame to frame.
    ticks: Vec<i64>,
    /// The last frame of the film.
    latest: i64,
}

/// Goes through the last group of pictures, where the film's end is, and some others. Cues that
/// leave key frames out would make segments longer than they need to be.
fn sampled<R, S>(film: &mut Film<R, S>, headers: &Headers, keys: &[Key]) -> Sure<Steps>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let last = keys.len() - 1;
    let mut sample = vec![last, 0, last / 3, last * 2 / 3];
    sample.sort_unstable();
    sample.dedup();
    let mut steps = Steps { ticks: Vec::new(), latest: 0 };
    for n in sample {
        let until = keys.get(n + 1).map(|next| next.time);
        let mut times = group(film, headers, &keys[n], until)?;
        times.sort_unstable();
        times.dedup();
        steps.latest = steps.latest.max(times.last().copied().unwrap_or(0));
        steps.ticks.extend(times.windows(2).map(|w| w[1] - w[0]));
    }
    Ok(steps)
}

/// The times of the pictures from a key frame to the next one, or to the film's end.
fn group<R, S>(film: &mut Film<R, S>, headers: &Headers, key: &Key, until: Option<i64>) -> Sure<Vec<i64>>
where
    R: FnMut(u64, &mut [u8]) -> usize,
    S: FnMut(u64, u64),
{
    let mut blocks = Blocks::new(key.next, key.cluster_time, headers.end);
    let mut times = vec![key.time];
    for _ in 0..MAX_IN_GROUP {
        match blocks.next(film)? {
            Some(block) if block.track == headers.picture.number => {
                if block.laced {
                    return Err(Unsure("pictures that are laced"));
                }
                if block.key && until == Some(block.time) {
                    return Ok(times);
                }
                if block.key {
                    return Err(Unsure("a key frame without a cue"));
                }
                times.push(block.time);
            }
            Some(_) => {}
            None if until.is_none() => return Ok(times),
            None => return Err(Unsure("a film that ends early")),
        }
    }
    Err(Unsure("a key frame far from the next"))
}

#[cfg(test)]
mod tests;
