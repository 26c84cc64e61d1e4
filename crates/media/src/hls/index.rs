//! What is known of a file's key frames: enough to plan every cut without opening the file again.
//!
//! Made by the worker from what ffprobe and ffmpeg print about packets, kept by the gateway, and
//! read there as untrusted bytes. All times are ticks ([`super::TICKS`]) since the file's own
//! start.

use super::TICKS;

/// A place where a segment may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When the frame is shown.
    pub pts: u64,
    /// The earliest frame that is decoded after this one and belongs to its group: earlier than
    /// `pts` where pictures lead their key frame.
    pub first: u64,
    pub kind: PointKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// Decoding can begin here whatever came before.
    Clean,
    /// Flagged as a key frame, but what follows may need frames from before it. Browsers fail on
    /// it after a seek.
    Open,
    /// An ordinary frame, remembered because the next key frame is far: encoders may cut here.
    Frame,
}

impl PointKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Open => 1,
            Self::Frame => 2,
        }
    }
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Clean,
            1 => Self::Open,
            2 => Self::Frame,
            _ => return None,
        })
    }
    pub const fn is_key(self) -> bool {
        matches!(self, Self::Clean | Self::Open)
    }
}

/// One sound track on the film's own timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioPhase {
    /// Microseconds from the film's start to the first packet.
    pub start_us: u64,
    /// Microseconds from the film's start to the track's end; 0 where the file does not say.
    pub end_us: u64,
    /// Samples a second; 0 where the file does not say.
    pub rate: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyframeIndex {
    /// Which of the film's pictures it is of, as ffmpeg counts them.
    pub picture: u32,
    /// In order of `pts`, each later than the one before; the first is a key frame.
    pub points: Vec<Point>,
    /// When the last picture's time is over.
    pub end: u64,
    /// Ticks of the median frame; never 0.
    pub frame: u32,
    pub audio: Vec<AudioPhase>,
}

/// Why bytes are no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no key frame index")]
pub struct BadIndex;

/// Why packets make no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoIndex {
    #[error("no key frame was found")]
    NoKeyframe,
    #[error("there are more frames than a film has")]
    TooMany,
}

/// No encoded index is larger.
pub const MAX_BYTES: usize = 8 << 20;
/// Of the first picture, as nearly every film has it.
const MAGIC: &[u8; 5] = b"LGIX1";
/// Of another one, whose number follows.
const MAGIC_OF_OTHER: &[u8; 5] = b"LGIX2";
const MAX_PICTURE: u64 = 128;
const MAX_POINTS: u64 = 1 << 20;
const MAX_AUDIO: u64 = 128;
/// A hundred hours.
const MAX_TICKS: u64 = TICKS * 360_000;
/// Three hours of sound behind the last picture.
const MOST_SOUND_ALONE: u64 = TICKS * 10_800;
/// Ordinary frames are remembered at this distance.
const MARK_EVERY: u64 = TICKS;

impl KeyframeIndex {
    /// Returns the end of the longest track. A sound that says of itself that it goes on for hours without
    /// a picture is not believed.
    pub fn film_end(&self) -> u64 {
        let sound = self.audio.iter().map(|track| track.end_us.saturating_mul(9) / 100).max().unwrap_or(0);
        if sound > self.end.saturating_add(MOST_SOUND_ALONE) { self.end } else { self.end.max(sound) }
    }

    /// Returns the same with no sound behind the last picture and behind `film_us`, the length that
    /// was found for the film: what a file says of the end of a sound may be of another clock, or
    /// of the whole of which this file is a part.
    #[must_use]
    pub fn within(mut self, film_us: u64) -> Self {
        let end_us = (self.end.saturating_mul(100) / 9).max(film_us);
        self.audio.iter_mut().filter(|_| film_us > 0).for_each(|track| track.end_us = track.end_us.min(end_us));
        self
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        if self.picture > 0 {
            out = MAGIC_OF_OTHER.to_vec();
            put(&mut out, u64::from(self.picture));
        }
        put(&mut out, self.end);
        put(&mut out, u64::from(self.frame));
        put(&mut out, self.audio.len() as u64);
        for track in &self.audio {
            put(&mut out, track.start_us);
            put(&mut out, track.end_us);
            put(&mut out, u64::from(track.rate));
        }
        put(&mut out, self.points.len() as u64);
        let mut last = 0;
        for point in &self.points {
            put(&mut out, point.pts - last);
            put(&mut out, point.pts - point.first);
            out.push(point.kind.byte());
            last = point.pts;
        }
        out
    }

    /// # Errors
    /// [`BadIndex`] for whatever [`KeyframeIndex::to_bytes`] does not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadIndex> {
        if bytes.len() > MAX_BYTES {
            return Err(BadIndex);
        }
        let (mut rest, is_other) = match bytes.strip_prefix(MAGIC.as_slice()) {
            Some(rest) => (rest, false),
            None => (bytes.strip_prefix(MAGIC_OF_OTHER.as_slice()).ok_or(BadIndex)?, true),
        };
        let picture = if is_other { take(&mut rest, MAX_PICTURE)? as u32 } else { 0 };
        let end = take(&mut rest, MAX_TICKS)?;
        let frame = u32::try_from(take(&mut rest, TICKS * 10)?).map_err(|_| BadIndex)?;
        let tracks = take(&mut rest, MAX_AUDIO)?;
        let mut audio = Vec::new();
        for _ in 0..tracks {
            let start_us = take(&mut rest, MAX_TICKS * 12)?;
            let end_us = take(&mut rest, MAX_TICKS * 12)?;
            audio.push(AudioPhase { start_us, end_us, rate: take(&mut rest, 1 << 24)? as u32 });
        }
        let count = take(&mut rest, MAX_POINTS)?;
        let mut points: Vec<Point> = Vec::new();
        for n in 0..count {
            let step = take(&mut rest, MAX_TICKS)?;
            let last = points.last().map_or(0, |p| p.pts);
            let pts = last + step;
            let lead = take(&mut rest, pts)?;
            let (kind, after) = rest.split_first().ok_or(BadIndex)?;
            rest = after;
            let kind = PointKind::from_byte(*kind).ok_or(BadIndex)?;
            if (n > 0 && step == 0) || pts >= end || (n == 0 && !kind.is_key()) {
                return Err(BadIndex);
            }
            points.push(Point { pts, first: pts - lead, kind });
        }
        if points.is_empty() || frame == 0 || !rest.is_empty() {
            return Err(BadIndex);
        }
        Ok(Self { picture, points, end, frame, audio })
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take(rest: &mut &[u8], max: u64) -> Result<u64, BadIndex> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(BadIndex)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return if value <= max { Ok(value) } else { Err(BadIndex) };
        }
    }
    Err(BadIndex)
}

/// Seconds as ffprobe prints them, as microseconds. `None` for `N/A` and for nonsense.
pub fn micros(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || whole.len() > 9 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut micros = whole.parse::<i64>().ok()? * 1_000_000;
    let mut unit = 100_000;
    for digit in part.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some(sign * micros)
}

/// Collects packets in the order in which they are decoded.
#[derive(Debug)]
pub struct Builder {
    zero_us: i64,
    /// Every frame's time, unsorted.
    frames: Vec<u64>,
    keys: Vec<Point>,
    /// Whether key frames have to be named by [`Builder::clean`] to be believed.
    strict: bool,
}

impl Builder {
    /// `zero_us`: the file's own start. `strict`: a key frame counts as clean only when the
    /// bitstream said so, which H.264 needs; for other codecs it is clean when no picture leads it.
    pub fn new(zero_us: i64, strict: bool) -> Self {
        Self { zero_us, frames: Vec::new(), keys: Vec::new(), strict }
    }

    fn ticks(&self, pts_us: i64) -> u64 {
        ticks_since(self.zero_us, pts_us)
    }

    /// One line of `packet=pts_time,flags`. Lines without a time are passed over.
    ///
    /// # Errors
    /// [`NoIndex::TooMany`].
    pub fn line(&mut self, line: &str) -> Result<(), NoIndex> {
        let Some((time, flags)) = line.trim_end().split_once(',') else { return Ok(()) };
        let Some(pts_us) = micros(time) else { return Ok(()) };
        self.frame(pts_us, flags.starts_with('K'))
    }

    /// One frame, in the order of decoding.
    ///
    /// # Errors
    /// [`NoIndex::TooMany`].
    pub fn frame(&mut self, pts_us: i64, is_key: bool) -> Result<(), NoIndex> {
        let pts = self.ticks(pts_us);
        if pts > MAX_TICKS || self.frames.len() >= 8 << 20 {
            return Err(NoIndex::TooMany);
        }
        self.frames.push(pts);
        if is_key {
            self.keys.push(Point { pts, first: pts, kind: PointKind::Open });
        } else if let Some(last) = self.keys.last_mut() {
            last.first = last.first.min(pts);
        }
        Ok(())
    }

    /// The bitstream begins anew at this time.
    pub fn clean(&mut self, pts_us: i64) {
        let pts = self.ticks(pts_us);
        // Times come from two programs that round differently.
        if let Some(key) = self.keys.iter_mut().find(|k| k.pts.abs_diff(pts) <= 90) {
            key.kind = PointKind::Clean;
        }
    }

    /// # Errors
    /// [`NoIndex::NoKeyframe`].
    pub fn finish(mut self, audio: Vec<AudioPhase>) -> Result<KeyframeIndex, NoIndex> {
        self.frames.sort_unstable();
        self.frames.dedup();
        if !self.strict {
            for key in &mut self.keys {
                key.kind = PointKind::Clean;
            }
        }
        self.keys.sort_unstable_by_key(|k| k.pts);
        self.keys.dedup_by_key(|k| k.pts);
        let Some(last) = self.frames.last().copied().filter(|_| !self.keys.is_empty()) else {
            return Err(NoIndex::NoKeyframe);
        };
        let frame = median_step(self.frames.windows(2).map(|w| w[1] - w[0]).collect());
        let points = among(&self.keys, &self.frames);
        Ok(KeyframeIndex { picture: 0, points, end: last + frame, frame: frame as u32, audio })
    }

    /// With key frames that are known already: everything stays as it is said there, and ordinary
    /// frames come in between. So whoever began with the key frames alone can go on with this.
    pub fn finish_between(mut self, known: KeyframeIndex) -> KeyframeIndex {
        self.frames.sort_unstable();
        self.frames.retain(|pts| *pts < known.end);
        KeyframeIndex { picture: 0, points: among(&known.points, &self.frames), ..known }
    }
}

/// Key frames, and ordinary frames where the next key frame is far. Both are in order; there is at
/// least one key frame.
fn among(keys: &[Point], frames: &[u64]) -> Vec<Point> {
    let first = keys[0];
    let mut points = vec![first];
    let mut keys = keys[1..].iter().peekable();
    for pts in frames.iter().copied().filter(|pts| *pts > first.pts) {
        while let Some(key) = keys.next_if(|key| key.pts <= pts) {
            points.push(*key);
        }
        if pts >= points[points.len() - 1].pts + MARK_EVERY {
            points.push(Point { pts, first: pts, kind: PointKind::Frame });
        }
    }
    points.extend(keys);
    points
}

/// The middle one of the frames' lengths, in ticks.
pub(super) fn median_step(mut steps: Vec<u64>) -> u64 {
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied().unwrap_or(TICKS / 25).clamp(1, TICKS)
}

/// Ticks from the film's start.
pub(super) fn ticks_since(zero_us: i64, at_us: i64) -> u64 {
    let since = at_us.saturating_sub(zero_us).max(0) as u64;
    (since * 9 + 50) / 100
}

/// Matroska's muxers write a track's length as `01:02:03.400000000`.
pub fn clock_micros(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..100).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    Some((hours * 3600 + minutes * 60) * 1_000_000 + micros(seconds)?)
}

/// Returns where a Matroska track ends that begins at `start_us` and whose tag says `tag_us`: some muxers
/// write its length there, and some the time of its end. Only the latter fits into a film that
/// ends at `film_end_us` where both would not.
pub fn tagged_end(start_us: i64, tag_us: i64, film_end_us: Option<i64>) -> i64 {
    const ROUNDING_US: i64 = 100_000;
    let as_length = start_us.saturating_add(tag_us);
    let fits = film_end_us.is_none_or(|end| as_length <= end.saturating_add(ROUNDING_US));
    if fits || tag_us <= start_us { as_length } else { tag_us }
}

/// What `framecrc` prints of packets: the time of each, in microseconds.
#[derive(Debug, Default)]
pub struct CrcLines {
    /// Seconds per tick, as a fraction.
    base: Option<(i64, i64)>,
}

impl CrcLines {
    pub fn line(&mut self, line: &str) -> Option<i64> {
        if let Some(base) = line.strip_prefix("#tb 0: ") {
            let (num, den) = base.trim().split_once('/')?;
            let (num, den): (i64, i64) = (num.parse().ok()?, den.parse().ok()?);
            self.base = (num > 0 && den > 0).then_some((num, den));
            return None;
        }
        if line.starts_with('#') {
            return None;
        }
        let pts: i64 = line.split(',').nth(2)?.trim().parse().ok()?;
        let (num, den) = self.base?;
        i64::try_from(i128::from(pts) * i128::from(num) * 1_000_000 / i128::from(den)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(strict: bool, lines: &[&str], clean: &[i64]) -> KeyframeIndex {
        let mut builder = Builder::new(1_479_000, strict);
        for line in lines {
            builder.line(line).unwrap();
        }
        for at in clean {
            builder.clean(*at);
        }
        builder.finish(vec![AudioPhase { start_us: 20_000, end_us: 0, rate: 48_000 }]).unwrap()
    }

    #[test]
    fn no_sound_goes_on_behind_a_film_of_known_length() {
        let whole = build(false, &["1.479000,K__", "11.479000,___"], &[]);
        let sounds = |ends: &[u64]| {
            let audio = ends.iter().map(|end_us| AudioPhase { start_us: 0, end_us: *end_us, rate: 48_000 }).collect();
            KeyframeIndex { audio, ..whole.clone() }
        };
        let picture_us = whole.end * 100 / 9;
        for (film_us, ends, within) in [
            // A recording whose clock begins at 90 minutes, and one that is cut off.
            (10_000_000, [5_410_000_000, 9_000_000], [picture_us, 9_000_000]),
            (15_000_000, [20_000_000, 15_000_000], [15_000_000, 15_000_000]),
            (0, [20_000_000, 0], [20_000_000, 0]),
        ] {
            assert_eq!(sounds(&ends).within(film_us), sounds(&within), "{film_us}");
        }
    }

    #[test]
    fn packets_become_points() {
        // A key frame led by a picture, one frame far from the next key frame, one line without a time.
        let lines =
            ["1.479000,K__", "1.519000,___", "N/A,K__", "2.559000,K__", "2.519000,___", "4.0,___\n", "5.000000,K_"];
        let index = build(true, &lines, &[1_479_000, 5_000_004]);
        let kinds: Vec<_> = index.points.iter().map(|p| (p.pts, p.pts - p.first, p.kind)).collect();
        assert_eq!(
            kinds,
            [
                (0, 0, PointKind::Clean),
                (93_600, 0, PointKind::Frame),
                (97_200, 3600, PointKind::Open),
                (226_890, 0, PointKind::Frame),
                (316_890, 0, PointKind::Clean),
            ]
        );
        assert_eq!(index.end, 316_890 + u64::from(index.frame));
        assert_eq!(KeyframeIndex::from_bytes(&index.to_bytes()).as_ref(), Ok(&index));
        let other = KeyframeIndex { picture: 2, ..index };
        assert_eq!(KeyframeIndex::from_bytes(&other.to_bytes()), Ok(other));
    }

    #[test]
    fn nothing_is_no_index() {
        assert_eq!(Builder::new(0, true).finish(vec![]), Err(NoIndex::NoKeyframe));
        assert_eq!(micros("N/A"), None);
        assert_eq!(micros("1e9"), None);
        assert_eq!(micros("-0.007"), Some(-7000));
        let mut crc = CrcLines::default();
        assert_eq!(crc.line("0,  1,  1, 1, 5, 0x0"), None);
        assert_eq!(crc.line("#tb 0: 1/1000"), None);
        assert_eq!(crc.line("0,       1479,       1479,       41,     7000, 0x1234"), Some(1_479_000));
    }

    #[test]
    fn a_tag_is_a_length_where_that_fits_and_else_an_end() {
        let s = |seconds: f64| (seconds * 1e6) as i64;
        for (start, tag, film_end, expected) in [
            // mkvmerge, and ffmpeg of sound that begins late.
            (1.939, 12.021, Some(13.96), 13.96),
            (1.939, 13.96, Some(13.96), 13.96),
            // A recording that begins at ten hours, by both.
            (36_000.0, 36_010.0, Some(36_010.0), 36_010.0),
            (36_000.0, 10.0, Some(10.0), 36_010.0),
            (0.0, 12.5, None, 12.5),
        ] {
            assert_eq!(tagged_end(s(start), s(tag), film_end.map(s)), s(expected), "{start} {tag} {film_end:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = KeyframeIndex::from_bytes(&bytes);
            let mut named = MAGIC.to_vec();
            named.extend(&bytes);
            if let Ok(index) = KeyframeIndex::from_bytes(&named) {
                prop_assert!(index.points.windows(2).all(|w| w[0].pts < w[1].pts));
            }
        }
    }
}
