//! Where a film's segments begin, and how a worker is asked for one.

use contract::{Encoder, PlanPart, PlannedCut, Rung, Track};
use domain::{
    facts::{FileFacts, VideoFacts},
    playback::CopyVerdict,
    rendition::most_kbps,
};
use media::hls::{
    codecs,
    index::{BadIndex, KeyframeIndex},
    plan::{AudioPlan, NoCopy, VideoPlan},
};
use sha2::{Digest as _, Sha256};
use std::sync::OnceLock;

/// A jump of this many microseconds is seen.
const LATE_US: u64 = 300_000;

/// The plans of one file.
#[derive(Debug)]
pub struct Timeline {
    index: KeyframeIndex,
    pub copy: Result<VideoPlan, NoCopy>,
    pub encode: VideoPlan,
    pub audio: AudioPlan,
    digest: OnceLock<[u8; 32]>,
}

impl Timeline {
    pub fn new(index: KeyframeIndex) -> Self {
        let (copy, encode) = (VideoPlan::copy(&index), VideoPlan::encode(&index));
        Self { copy, encode, audio: AudioPlan::new(index.film_end()), index, digest: OnceLock::new() }
    }

    /// Returns the same of a film whose sounds are not heard behind its last picture.
    pub fn ending_with_picture(mut index: KeyframeIndex) -> Self {
        index.audio.iter_mut().for_each(|track| track.end_us = 0);
        Self::new(index)
    }

    /// Returns the same with every sound encoded.
    #[must_use]
    pub fn encoding_sounds(&self) -> Self {
        let mut index = self.index.clone();
        // What has no rate is never copied.
        index.audio.iter_mut().for_each(|track| track.rate = 0);
        Self::new(index)
    }

    /// Another one where any segment begins elsewhere.
    pub fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| Sha256::digest(self.index.to_bytes()).into())
    }

    pub fn verdict(&self) -> CopyVerdict {
        match self.copy {
            Ok(_) => CopyVerdict::Possible,
            Err(NoCopy::OpenGroups) => CopyVerdict::OpenGroups,
            Err(NoCopy::TooSparse) => CopyVerdict::TooSparse,
        }
    }

    /// Returns whether a sound, by its number in the file, begins so late that a browser that plays
    /// the file itself may jump to it.
    pub fn begins_late(&self, sound: u32) -> bool {
        self.index.audio.get(sound as usize).is_some_and(|phase| phase.start_us > LATE_US)
    }

    /// Sound is copied only where nothing of it would be missing or shifted.
    pub fn audio_track(&self, facts: &FileFacts, number: usize) -> Option<Track> {
        let audio = facts.audio.get(number)?;
        let index = u8::try_from(audio.track).ok()?;
        let phase = self.index.audio.get(usize::from(index));
        let end_us = self.index.film_end() * 100 / 9;
        let copied = phase.filter(|p| {
            codecs::is_copyable_aac(audio)
                && p.start_us <= 50_000
                && p.end_us + 100_000 >= end_us
                && matches!(p.rate, 32_000 | 44_100 | 48_000)
        });
        Some(match copied {
            Some(phase) => Track::AudioCopy { index, start_us: phase.start_us, rate: phase.rate },
            None => Track::AudioEncode { index },
        })
    }
}

/// Reads what a worker says of a file's key frames, with bounds, and believes no sound that goes on
/// behind the film.
///
/// # Errors
/// [`BadIndex`] when it does not hold together.
pub fn index_of(bytes: &[u8], facts: Option<&FileFacts>) -> Result<KeyframeIndex, BadIndex> {
    let film_us = facts.map_or(0, |facts| facts.duration_ms.saturating_mul(1000));
    KeyframeIndex::from_bytes(bytes).map(|index| index.within(film_us))
}

/// An encoded picture of so many lines. `unhurried`: nobody waits for it.
pub const fn rung(lines: u32, tone_map: bool, unhurried: bool) -> Rung {
    let height = if lines > 2160 { 2160 } else { lines as u16 };
    Rung { height, kbps: most_kbps(lines), unhurried, tone_map, encoder: Encoder::Processor }
}

pub fn is_hdr(video: &VideoFacts) -> bool {
    video.is_hdr()
}

/// The part of a plan around one segment; `None` past its end.
pub fn video_part(plan: &VideoPlan, number: u32) -> Option<PlanPart> {
    let window = plan.window(number, PlanPart::MOST_CUTS)?;
    let cuts = window.cuts.iter().map(|c| PlannedCut {
        start: c.start,
        key: c.key,
        before: c.before,
        after: c.after,
        on_key: c.on_key,
    });
    Some(PlanPart::Video {
        cuts: cuts.collect(),
        end: window.end,
        is_last: window.is_last,
        shown: window.shown,
        frame: window.frame,
        back: window.back,
    })
}
