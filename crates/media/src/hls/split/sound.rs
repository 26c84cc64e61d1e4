//! Sound, cut on its own grid.

use super::{Segment, SplitError};
use crate::hls::{
    AAC_FRAME, AAC_RATE,
    fmp4::{Sample, segment},
    plan::AudioPlan,
};

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

    pub(super) fn is_done(&self) -> bool {
        self.number >= self.plan.len()
    }

    pub(super) fn next(&self) -> u32 {
        self.number
    }

    pub(super) fn opened(&self, timescale: u32) -> Result<(), SplitError> {
        if u64::from(timescale) == self.rate { Ok(()) } else { Err(SplitError::Timescale) }
    }

    pub(super) fn push(&mut self, samples: Vec<Sample>, out: &mut Vec<Segment>) -> Result<(), SplitError> {
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

    pub(super) fn finish(&mut self, out: &mut Vec<Segment>) -> Result<(), SplitError> {
        if !self.current.is_empty() {
            self.emit(out);
        }
        // Sound that ends before the picture does: what is left is silence, which no frame says.
        Ok(())
    }

    fn emit(&mut self, out: &mut Vec<Segment>) {
        let mut samples = std::mem::take(&mut self.current);
        // A lost frame leaves a gap: what comes behind it keeps its time.
        for n in 1..samples.len() {
            let until = samples[n].dts - samples[n - 1].dts;
            samples[n - 1].duration = u32::try_from(until).unwrap_or(samples[n - 1].duration);
        }
        out.push(Segment { number: self.number, bytes: segment(self.number, &samples) });
        self.number += 1;
    }
}
