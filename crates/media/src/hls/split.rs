//! From a run's samples to segments at planned places.
//!
//! A run begins somewhere before the wanted cut; what comes too early is dropped. Inside a
//! segment, decode times are the sorted presentation times, the first is the planned start and
//! the last frame lasts until the next one: so the bytes do not depend on the run.

use super::{
    AAC_FRAME, AAC_RATE, TICKS,
    fmp4::{Sample, segment},
    plan::{AudioPlan, Cut, Window},
};
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
            Self::Audio(audio) => audio.number >= audio.plan.len(),
        }
    }
    /// The segment that comes next.
    pub fn next(&self) -> u32 {
        match self {
            Self::Video(video) => video.number,
            Self::Audio(audio) => audio.number,
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
    tolerance: u64,
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
            tolerance: u64::from(window.frame / 2).max(1),
            wants_idr: false,
            current: Vec::new(),
            bytes: 0,
        }
    }

    /// Of H.264 from an encoder of ours.
    pub fn of_encode(window: &Window) -> Self {
        Self { wants_idr: true, ..Self::new(window) }
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
                let pts = sample.pts().max(0).cast_unsigned();
                if self.current.is_empty() {
                    let hit = self.cuts.iter().position(|c| c.key.abs_diff(pts) <= self.tolerance);
                    match hit {
                        Some(0) => {}
                        Some(_) => return Err(SplitError::Overshoot),
                        None if pts > self.cuts[0].key => return Err(SplitError::Overshoot),
                        None => continue,
                    }
                } else if let Some(next) = self.cuts.get(1).copied() {
                    if next.key.abs_diff(pts) <= self.tolerance {
                        self.emit(next.start, out)?;
                    } else if pts > next.key {
                        return Err(SplitError::Missed);
                    }
                }
            }
            if self.current.is_empty() && !sample.sync {
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

    fn finish(&mut self, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        if self.current.is_empty() {
            return if self.cuts.is_empty() { Ok(()) } else { Err(SplitError::Missed) };
        }
        if self.cuts.len() == 1 && self.is_last {
            let end = self.end;
            return self.emit(end, out);
        }
        Err(SplitError::Missed)
    }

    fn emit(&mut self, end: u64, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        let Some(cut) = self.cuts.pop_front() else { return Ok(()) };
        let mut samples = std::mem::take(&mut self.current);
        self.bytes = 0;
        if !samples.first().is_some_and(|s| s.sync && (!self.wants_idr || is_idr(&s.data))) {
            return Err(SplitError::NotSync);
        }
        let mut shown: Vec<i64> = samples.iter().map(Sample::pts).collect();
        let start = cut.start.cast_signed();
        // The planned start is what the playlist says; a film whose picture begins late holds its
        // first frame from the start.
        if let Some(earliest) = shown.iter_mut().min() {
            *earliest = start;
        }
        let mut order = shown.clone();
        order.sort_unstable();
        let end = end.cast_signed().max(order[order.len() - 1] + 1);
        for (n, sample) in samples.iter_mut().enumerate() {
            let until = order.get(n + 1).copied().unwrap_or(end);
            sample.dts = order[n];
            sample.duration = u32::try_from(until - order[n]).unwrap_or(1);
            sample.offset = shown[n] - order[n];
        }
        out.push(Segment { number: self.number, bytes: segment(self.number, &samples) });
        self.number += 1;
        Ok(())
    }
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

#[derive(Debug)]
pub struct AudioSplitter {
    number: u32,
    plan: AudioPlan,
    /// Samples a second of this track; those of the plan are [`AAC_RATE`].
    rate: u64,
    /// Where frame 0 begins, in the track's samples; frames of a copy are put back on their grid.
    phase: i64,
    current: Vec<Sample>,
}

impl AudioSplitter {
    /// Sound encoded by us, on the grid of the plan.
    pub fn encoded(plan: AudioPlan, first: u32) -> Self {
        Self { number: first, plan, rate: AAC_RATE, phase: 0, current: Vec::new() }
    }

    /// Sound as it is in the file, its first frame `start_us` after the film's start.
    pub fn copied(plan: AudioPlan, first: u32, start_us: u64, rate: u32) -> Self {
        let rate = u64::from(rate.max(1));
        let phase = (start_us * rate + 500_000) / 1_000_000;
        Self { number: first, plan, rate, phase: phase.cast_signed(), current: Vec::new() }
    }

    fn opened(&self, timescale: u32) -> Result<(), SplitError> {
        if u64::from(timescale) == self.rate { Ok(()) } else { Err(SplitError::Timescale) }
    }

    fn push(&mut self, samples: Vec<Sample>, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        let frame = AAC_FRAME.cast_signed();
        for mut sample in samples {
            // Matroska keeps milliseconds; a frame lies on the grid all the same.
            let n = (sample.dts - self.phase + frame / 2).div_euclid(frame);
            if n < 0 {
                continue;
            }
            sample.dts = self.phase + n * frame;
            sample.duration = u32::try_from(AAC_FRAME).unwrap_or(1024);
            sample.offset = 0;
            sample.sync = true;
            let dts = sample.dts.max(0).cast_unsigned();
            // Starts of segments are planned at 48 kHz: frame n belongs to the segment that holds its time.
            let in_plan = (u128::from(dts) * u128::from(AAC_RATE) / u128::from(self.rate)) as u64;
            let last = self.plan.len() - 1;
            let belongs = u32::try_from(in_plan / AudioPlan::STEP).unwrap_or(u32::MAX).min(last);
            if belongs < self.number {
                continue;
            }
            let over = in_plan >= self.plan.end;
            while !self.current.is_empty() && (belongs > self.number || over) {
                self.emit(out);
            }
            if over {
                self.number = self.number.max(last + 1);
                return Ok(());
            }
            if belongs > self.number {
                return Err(SplitError::Overshoot);
            }
            if self.current.last().is_some_and(|l| l.dts >= sample.dts) {
                // Two packets of a jittery file on one place of the grid.
                continue;
            }
            self.current.push(sample);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        if !self.current.is_empty() {
            self.emit(out);
        }
        // Sound that ends before the picture does: what is left is silence, which no frame says.
        Ok(())
    }

    fn emit(&mut self, out: &mut Vec<Segment>) {
        let samples = std::mem::take(&mut self.current);
        out.push(Segment { number: self.number, bytes: segment(self.number, &samples) });
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u32 = 3600;

    fn window(cuts: &[u64], end: u64) -> Window {
        let cuts = cuts.iter().map(|at| Cut { start: *at, key: *at, before: 0, after: end, on_key: true }).collect();
        Window { first: 0, cuts, end, is_last: true, frame: FRAME, back: 0 }
    }
    fn frame(n: i64, sync: bool) -> Sample {
        Sample { dts: n * 3600, duration: FRAME, offset: 0, sync, data: vec![n as u8] }
    }
    fn numbers(out: &[Segment]) -> Vec<u32> {
        out.iter().map(|s| s.number).collect()
    }

    #[test]
    fn segments_end_where_they_are_planned_and_not_a_fragment_later() {
        let mut splitter = VideoSplitter::new(&window(&[0, 10 * 3600], 15 * 3600));
        let mut out = Vec::new();
        splitter.push((0..5).map(|n| frame(n, n == 0)).collect(), &mut out).unwrap();
        assert!(out.is_empty());
        splitter.push((5..10).map(|n| frame(n, n == 5)).collect(), &mut out).unwrap();
        assert_eq!(numbers(&out), [0]);
        splitter.push((10..15).map(|n| frame(n, n == 10)).collect(), &mut out).unwrap();
        splitter.finish(&mut out).unwrap();
        assert_eq!(numbers(&out), [0, 1]);
    }

    #[test]
    fn a_run_from_further_back_makes_the_same_bytes() {
        let all = |from: i64| (from..15).map(move |n| frame(n, n % 5 == 0)).collect::<Vec<_>>();
        let cut = |first: usize, from: i64| {
            let whole = window(&[0, 5 * 3600, 10 * 3600], 15 * 3600);
            let part = Window { first: first as u32, cuts: whole.cuts[first..].to_vec(), ..whole };
            let (mut splitter, mut out) = (VideoSplitter::new(&part), Vec::new());
            splitter.push(all(from), &mut out).unwrap();
            splitter.finish(&mut out).unwrap();
            out
        };
        let full = cut(0, 0);
        assert_eq!(full.len(), 3);
        for from in [0, 5, 10] {
            assert_eq!(cut(2, from)[0], full[2]);
        }
        let (mut late, mut out) = (VideoSplitter::new(&window(&[0, 5 * 3600], 9 * 3600)), Vec::new());
        assert_eq!(late.push(all(5), &mut out), Err(SplitError::Overshoot));
        let mut missed = VideoSplitter::new(&window(&[0, 7 * 3600], 9 * 3600));
        assert_eq!(missed.push(all(0), &mut out), Err(SplitError::Missed));
    }

    #[test]
    fn a_segment_of_an_encode_begins_with_an_idr_picture_whatever_the_muxer_says() {
        let nal = |kind: u8| [&[0, 0, 0, 3][..], &[0x60 | kind, 1, 2]].concat();
        let (idr, slice, set, info, delimiter) = (nal(5), nal(1), nal(7), nal(6), nal(9));
        let check = |sample: Vec<u8>, expected: Result<(), SplitError>| {
            let mut splitter = VideoSplitter::of_encode(&window(&[0], 3600));
            let mut out = Vec::new();
            splitter.push(vec![Sample { data: sample.clone(), ..frame(0, true) }], &mut out).unwrap();
            assert_eq!(splitter.finish(&mut out), expected, "{sample:?}");
            assert_eq!(out.len(), usize::from(expected.is_ok()));
        };
        check(idr.clone(), Ok(()));
        check([&delimiter[..], &set, &info, &idr].concat(), Ok(()));
        check([&idr[..], &slice].concat(), Ok(()));
        for bad in [
            slice.clone(),
            [&set[..], &slice, &idr].concat(),
            set,
            vec![],
            vec![0, 0, 0],
            vec![0, 0, 0, 1],
            vec![0xff; 40],
            [&[0, 0, 0, 0][..], &idr].concat(),
        ] {
            check(bad, Err(SplitError::NotSync));
        }
    }

    #[test]
    fn decode_times_are_sorted_presentation_times() {
        let mut splitter = VideoSplitter::new(&window(&[0], 4 * 3600));
        let order = [(0, true), (3, false), (1, false), (2, false)];
        let samples = order.iter().enumerate().map(|(n, (shown, sync))| Sample {
            dts: (n as i64 - 1) * 3600,
            offset: (shown - n as i64 + 1) * 3600,
            ..frame(*shown, *sync)
        });
        let mut out = Vec::new();
        splitter.push(samples.collect(), &mut out).unwrap();
        splitter.finish(&mut out).unwrap();
        let mut parts = Vec::new();
        let read = samples_of(&out[0].bytes, &mut parts);
        assert_eq!(read.iter().map(|s| s.dts).collect::<Vec<_>>(), [0, 3600, 7200, 10_800]);
        assert_eq!(read.iter().map(Sample::pts).collect::<Vec<_>>(), [0, 10_800, 3600, 7200]);
        assert!(read.iter().all(|s| s.duration == FRAME));
    }

    fn samples_of(bytes: &[u8], parts: &mut Vec<super::super::fmp4::Part>) -> Vec<Sample> {
        use super::super::fmp4::{Part, Reader};
        let mut init = Vec::new();
        // The smallest init the reader takes: a timescale and nothing else.
        let mdhd = [&[0_u8; 12][..], &90_000_u32.to_be_bytes(), &[0; 8]].concat();
        let wrap =
            |name: &[u8; 4], inside: Vec<u8>| [&(inside.len() as u32 + 8).to_be_bytes()[..], name, &inside].concat();
        init.extend(wrap(b"moov", wrap(b"trak", wrap(b"mdia", wrap(b"mdhd", mdhd)))));
        init.extend(bytes);
        Reader::default().feed(&init, parts).unwrap();
        parts.drain(..).find_map(|p| if let Part::Fragment(samples) = p { Some(samples) } else { None }).unwrap()
    }

    #[test]
    fn sound_is_put_on_its_grid() {
        let plan = AudioPlan::new(7 * TICKS);
        let mut splitter = AudioSplitter::encoded(plan, 1);
        let mut out = Vec::new();
        let frames = (136..400).map(|n| Sample { dts: n * 1024 + n % 3, duration: 1000, ..frame(0, true) });
        splitter.push(frames.collect(), &mut out).unwrap();
        splitter.finish(&mut out).unwrap();
        assert_eq!(numbers(&out), [1, 2]);
        let first = samples_of(&out[0].bytes, &mut Vec::new());
        assert_eq!((first.len(), first[0].dts), (141, 141 * 1024));
        let last = samples_of(&out[1].bytes, &mut Vec::new());
        assert_eq!(last.len(), (7 * 48_000_usize).div_ceil(1024) - 282);
    }

    #[test]
    fn copied_sound_keeps_its_own_clock() {
        let plan = AudioPlan::new(7 * TICKS);
        let mut splitter = AudioSplitter::copied(plan, 0, 23_000, 44_100);
        let mut out = Vec::new();
        // Milliseconds, as Matroska rounds them.
        let frames = (0..400_i64).map(|n| {
            let ms = 23 + (n * 1024 * 1000 + 22_050) / 44_100;
            Sample { dts: ms * 441 / 10, ..frame(0, true) }
        });
        splitter.push(frames.collect(), &mut out).unwrap();
        splitter.finish(&mut out).unwrap();
        let first = samples_of(&out[0].bytes, &mut Vec::new());
        assert!(first.windows(2).all(|w| w[1].dts - w[0].dts == 1024));
        assert_eq!(first[0].dts, 1014);
        assert_eq!(numbers(&out), [0, 1, 2]);
    }
}
