//! From a run's samples to segments at planned places.
//!
//! A run begins somewhere before the wanted cut; what comes too early is dropped. Inside a
//! segment, decode times are the sorted presentation times, the first is the planned start and
//! the last frame lasts until the next one: so the bytes do not depend on the run. Frames that
//! are decoded and never shown, since their times lie before the film's start, last one tick each.
//! Where no picture comes, behind the last one or in a damaged part, a segment holds a key frame.

mod sound;

use super::{
    TICKS,
    fmp4::{Sample, segment},
    plan::{Cut, Window},
};
pub use sound::AudioSplitter;
use std::collections::VecDeque;

#[derive(Debug, PartialEq, Eq)]
pub struct Segment {
    pub number: u32,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// The run began after the wanted cut: it has to begin earlier.
    #[error("the run began behind the cut")]
    Overshoot,
    #[error("a planned cut did not come")]
    Missed,
    #[error("a segment does not begin with a frame that can be decoded alone")]
    NotSync,
    #[error("the track counts time in other units than planned")]
    Timescale,
    #[error("a segment is larger than a film's")]
    TooLarge,
}

const MAX_SEGMENT: usize = 96 << 20;
/// Segments that hold a key frame one run makes in a row: each costs memory and nobody may ask.
const MOST_STILLS: u32 = 8;

/// Cuts one track.
#[derive(Debug)]
pub enum Splitter {
    Video(VideoSplitter),
    Audio(AudioSplitter),
}

impl Splitter {
    /// # Errors
    /// [`SplitError::Timescale`] where the muxer chose another unit.
    pub fn opened(&mut self, timescale: u32) -> Result<(), SplitError> {
        match self {
            Self::Video(_) if u64::from(timescale) != TICKS => Err(SplitError::Timescale),
            Self::Video(_) => Ok(()),
            Self::Audio(audio) => audio.opened(timescale),
        }
    }
    /// # Errors
    /// [`SplitError`]; the run is of no use then.
    pub fn push(&mut self, samples: Vec<Sample>, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        match self {
            Self::Video(video) => video.push(samples, out),
            Self::Audio(audio) => audio.push(samples, out),
        }
    }
    /// The run has ended by itself.
    ///
    /// # Errors
    /// As [`Splitter::push`].
    pub fn finish(&mut self, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        match self {
            Self::Video(video) => video.finish(out),
            Self::Audio(audio) => audio.finish(out),
        }
    }
    /// More of the plan is known.
    pub fn extend(&mut self, window: &Window) {
        if let Self::Video(video) = self {
            video.extend(window);
        }
    }
    /// Whether the plan has to be extended before more can be cut.
    pub fn is_blind(&self) -> bool {
        match self {
            Self::Video(video) => video.cuts.len() < 2 && !video.is_last,
            Self::Audio(_) => false,
        }
    }
    /// Every planned segment was cut.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Video(video) => video.cuts.is_empty(),
            Self::Audio(audio) => audio.is_done(),
        }
    }
    /// The segment that comes next.
    pub fn next(&self) -> u32 {
        match self {
            Self::Video(video) => video.number,
            Self::Audio(audio) => audio.next(),
        }
    }
}

#[derive(Debug)]
pub struct VideoSplitter {
    /// Number of the first cut in `cuts`.
    number: u32,
    cuts: VecDeque<Cut>,
    end: u64,
    is_last: bool,
    /// Where the last picture's time is over.
    shown: u64,
    tolerance: u64,
    /// Whether a cut that does not come is passed over.
    is_lenient: bool,
    /// The key frame that came last, for segments without pictures.
    still: Option<Vec<u8>>,
    stills_left: u32,
    /// Whether segments have to begin with an IDR picture of H.264, whatever the muxer calls a
    /// key frame.
    wants_idr: bool,
    /// Samples of segment `number`; empty until its first frame has come.
    current: Vec<Sample>,
    bytes: usize,
}

impl VideoSplitter {
    pub fn new(window: &Window) -> Self {
        Self {
            number: window.first,
            cuts: window.cuts.iter().copied().collect(),
            end: window.end,
            is_last: window.is_last,
            shown: window.shown,
            tolerance: u64::from(window.frame / 2).max(1),
            is_lenient: false,
            still: None,
            stills_left: MOST_STILLS,
            wants_idr: false,
            current: Vec::new(),
            bytes: 0,
        }
    }

    /// Of H.264 from an encoder of ours.
    pub fn of_encode(window: &Window) -> Self {
        Self { wants_idr: true, ..Self::new(window) }
    }

    /// Of a film that is damaged here: a key frame is held where a planned cut does not come.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { is_lenient: true, ..self }
    }

    fn extend(&mut self, window: &Window) {
        let known = self.number + u32::try_from(self.cuts.len()).unwrap_or(u32::MAX);
        let Some(skip) = known.checked_sub(window.first) else { return };
        let skip = skip as usize;
        if skip <= window.cuts.len() && window.cuts.len() > skip {
            self.cuts.extend(&window.cuts[skip..]);
            self.end = window.end;
            self.is_last = window.is_last;
        }
    }

    fn push(&mut self, samples: Vec<Sample>, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        for sample in samples {
            if self.cuts.is_empty() {
                return Ok(());
            }
            if sample.sync {
                self.key(&sample, out)?;
            }
            if self.current.is_empty() && (!sample.sync || !self.begins(&sample)) {
                continue;
            }
            self.bytes += sample.data.len();
            if self.bytes > MAX_SEGMENT {
                return Err(SplitError::TooLarge);
            }
            self.current.push(sample);
        }
        // A fragment that ends where the next cut lies is complete: waiting for the next
        // fragment would hold every segment back by a whole group of pictures.
        if let (Some(last), Some(next)) = (self.current.last(), self.cuts.get(1).copied()) {
            let end = self.current.iter().map(|s| s.pts() + i64::from(s.duration)).max().unwrap_or(last.pts());
            let decoded = last.dts + i64::from(last.duration);
            let reaches = |at: i64| at.max(0).cast_unsigned().abs_diff(next.key) <= self.tolerance;
            // Leading pictures of the next key frame would still be to come.
            if next.start == next.key && reaches(decoded) && reaches(end) {
                self.emit(next.start, out)?;
            }
        }
        Ok(())
    }

    /// Ends what lies before a key frame.
    fn key(&mut self, sample: &Sample, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        let pts = shown_at(sample);
        if !self.current.is_empty()
            && let Some(next) = self.cuts.get(1).copied()
        {
            if next.key.abs_diff(pts) <= self.tolerance {
                self.emit(next.start, out)?;
            } else if pts > next.key {
                self.passed_over(next)?;
                self.current.retain(|s| shown_at(s) < next.start);
                self.emit(next.start, out)?;
            }
        }
        while self.current.is_empty()
            && let Some(cut) = self.cuts.front().copied()
            // Before the film's first picture there is none, whatever time a decoder gives it.
            && cut.start > 0
            && pts > cut.key.saturating_add(self.tolerance)
        {
            self.missed(SplitError::Overshoot)?;
            // Before the first key frame of the run there is none: the first is shown early.
            let still = self.still.get_or_insert_with(|| sample.data.clone()).clone();
            if !self.hold(still, out)? {
                return Ok(());
            }
        }
        if !self.wants_idr || is_idr(&sample.data) {
            self.still = Some(sample.data.clone());
        }
        Ok(())
    }

    fn begins(&self, key: &Sample) -> bool {
        self.cuts.front().is_some_and(|cut| cut.start == 0 || cut.key.abs_diff(shown_at(key)) <= self.tolerance)
    }

    fn missed(&self, otherwise: SplitError) -> Result<(), SplitError> {
        if self.is_lenient { Ok(()) } else { Err(otherwise) }
    }

    /// `next` has no key frame. A damaged film has no picture there; an encoder of ours that made
    /// one there and did not make it a key frame makes no key frames anywhere.
    fn passed_over(&self, next: Cut) -> Result<(), SplitError> {
        let is_there = |s: &Sample| !s.sync && shown_at(s).saturating_add(self.tolerance) >= next.key;
        if self.wants_idr && self.current.iter().any(is_there) {
            return Err(SplitError::Missed);
        }
        self.missed(SplitError::Missed)
    }

    /// One segment that holds a key frame. False where there have been enough of them, or its end
    /// is not known yet: then this run is over.
    fn hold(&mut self, still: Vec<u8>, out: &mut Vec<Segment>) -> Result<bool, SplitError> {
        let until = match self.cuts.get(1) {
            Some(next) => next.start,
            None if self.is_last => self.end,
            None => 0,
        };
        let Some(cut) = self.cuts.front().copied().filter(|cut| cut.start < until && self.stills_left > 0) else {
            self.cuts.clear();
            return Ok(false);
        };
        self.stills_left -= 1;
        self.current = vec![Sample { dts: cut.start.cast_signed(), duration: 0, offset: 0, sync: true, data: still }];
        self.emit(until, out)?;
        Ok(true)
    }

    fn finish(&mut self, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        if !self.current.is_empty() {
            let next = self.cuts.get(1).copied();
            // What comes behind the last picture is planned to hold it.
            match next {
                Some(next) if next.start < self.shown => self.passed_over(next)?,
                None if !self.is_last => self.missed(SplitError::Missed)?,
                _ => {}
            }
            self.emit(next.map_or(self.end, |next| next.start), out)?;
        }
        while let Some(cut) = self.cuts.front().copied() {
            // A run that saw no key frame began too late.
            let Some(still) = self.still.clone() else { return Err(SplitError::Overshoot) };
            if cut.start < self.shown {
                self.missed(SplitError::Missed)?;
            }
            if !self.hold(still, out)? {
                break;
            }
        }
        Ok(())
    }

    fn emit(&mut self, end: u64, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        let Some(cut) = self.cuts.pop_front() else { return Ok(()) };
        let mut samples = std::mem::take(&mut self.current);
        self.bytes = 0;
        if !samples.first().is_some_and(|s| s.sync && (!self.wants_idr || is_idr(&s.data))) {
            return Err(SplitError::NotSync);
        }
        let mut order: Vec<usize> = (0..samples.len()).collect();
        order.sort_by_key(|n| samples[*n].pts());
        // The planned start is what the playlist says; a film whose picture begins late holds its
        // first frame from the start.
        let mut times: Vec<i64> = Vec::with_capacity(samples.len());
        for n in &order {
            let at = times.last().map_or(cut.start.cast_signed(), |last| samples[*n].pts().max(last + 1));
            times.push(at);
        }
        let end = end.cast_signed().max(times[times.len() - 1] + 1);
        let mut shown = vec![0; samples.len()];
        for (at, n) in times.iter().zip(order) {
            shown[n] = *at;
        }
        for (n, sample) in samples.iter_mut().enumerate() {
            let until = times.get(n + 1).copied().unwrap_or(end);
            sample.dts = times[n];
            sample.duration = u32::try_from(until - times[n]).unwrap_or(1);
            sample.offset = shown[n] - times[n];
        }
        out.push(Segment { number: self.number, bytes: segment(self.number, &samples) });
        self.number += 1;
        Ok(())
    }
}

/// When it is shown, as plans count it: what lies before the film's start is never shown.
fn shown_at(sample: &Sample) -> u64 {
    sample.pts().max(0).cast_unsigned()
}

/// Whether the first picture in a sample of H.264, as MP4 has them, is an IDR picture.
fn is_idr(sample: &[u8]) -> bool {
    const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
    const IDR: u8 = 5;
    let mut rest = sample;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let Some((unit, after)) = tail.split_at_checked(u32::from_be_bytes(*length) as usize) else { return false };
        match unit.first().map(|byte| byte & 0x1f) {
            None => return false,
            Some(kind) if SLICES.contains(&kind) => return kind == IDR,
            Some(_) => rest = after,
        }
    }
    false
}

#[cfg(test)]
mod tests;
