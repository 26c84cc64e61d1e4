//! What the gateway's request means for a run: its part of the plan and its command.

use contract::{Encoder, PlanPart, Track, Wanted};
use media::hls::{
    args::{self, Preset, Rung, ToneMap, TrackCommand},
    chip::{self, Chip},
    plan::{AudioPlan, Cut, Window},
    split::{AudioSplitter, Splitter, VideoSplitter},
};
use std::time::Duration;

/// A hundred hours in ticks: no number in a plan is larger.
const MOST: u64 = 90_000 * 360_000;
/// Threads of one encode: half a core feeds no more, and a burst feeds two.
pub const ENCODE_THREADS: u32 = 2;

/// The plan from one segment on.
#[derive(Debug, Clone)]
pub enum Part {
    Video(Window),
    Audio(AudioPlan),
}

/// `None` where track and plan do not belong together, or numbers are none of a film.
pub fn part(track: &Track, wanted: &Wanted) -> Option<Part> {
    match (track, &wanted.plan) {
        (
            Track::VideoCopy { .. } | Track::VideoEncode { .. },
            PlanPart::Video { cuts, end, is_last, shown, frame, back },
        ) => {
            // Of an encode, the last cut of a window only ends the segment before it.
            let fewest = if matches!(track, Track::VideoEncode { .. }) && !is_last { 2 } else { 1 };
            let sane = cuts.len() >= fewest
                && cuts.len() <= PlanPart::MOST_CUTS
                && *end <= MOST
                && *shown <= MOST
                && cuts.windows(2).all(|w| w[0].start < w[1].start && w[0].key < w[1].key)
                && cuts.iter().all(|c| c.before <= c.key && c.key < c.after && c.after <= MOST && c.start < *end);
            let cuts = cuts.iter().map(|c| Cut {
                start: c.start,
                key: c.key,
                before: c.before,
                after: c.after,
                on_key: c.on_key,
            });
            sane.then(|| {
                Part::Video(Window {
                    first: wanted.number,
                    cuts: cuts.collect(),
                    end: *end,
                    is_last: *is_last,
                    shown: *shown,
                    frame: *frame,
                    back: *back,
                })
            })
        }
        (Track::AudioCopy { .. } | Track::AudioEncode { .. }, PlanPart::Audio { end }) => {
            let plan = AudioPlan { end: *end };
            (*end > 0 && *end <= MOST && wanted.number < plan.len()).then_some(Part::Audio(plan))
        }
        _ => None,
    }
}

/// One way to make a track, after others have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The run before began behind the cut, or did not come to it: this one begins earlier, and
    /// passes over what it does not find.
    pub further_back: bool,
    pub tone_map: ToneMap,
}

impl Attempt {
    pub const fn first(track: &Track) -> Self {
        let is_hdr = matches!(track, Track::VideoEncode { rung: contract::Rung { tone_map: true, .. }, .. });
        Self { further_back: false, tone_map: if is_hdr { ToneMap::Named } else { ToneMap::None } }
    }
}

/// Returns the command of a run from `number` on. `node`: the render node; `None` for an encode by a chip
/// that this loge does not have.
pub fn command(track: &Track, part: &Part, number: u32, attempt: Attempt, node: Option<&str>) -> Option<TrackCommand> {
    let Attempt { further_back, tone_map } = attempt;
    Some(match (track, part) {
        (Track::VideoCopy { picture, hevc }, Part::Video(window)) => {
            args::copy_video(window, *picture, *hevc, further_back)
        }
        (Track::VideoEncode { picture, rung }, Part::Video(window)) => match chip_of(rung.encoder, node)? {
            None => args::encode_video(window, *picture, rung_of(*rung, tone_map), ENCODE_THREADS, further_back),
            Some(chip) => {
                chip::encode_video(window, *picture, rung_of(*rung, tone_map), chip, ENCODE_THREADS, further_back)
            }
        },
        (Track::AudioCopy { index, .. }, Part::Audio(_)) => args::copy_audio(*index, number),
        (Track::AudioEncode { index }, Part::Audio(plan)) => args::encode_audio(*index, number, *plan),
        _ => return None,
    })
}

/// The command that makes one frame and with it the init segment; `None` as in [`command`].
pub fn init_command(track: &Track, tone_map: ToneMap, node: Option<&str>) -> Option<TrackCommand> {
    Some(match track {
        Track::VideoCopy { picture, hevc } => args::init_copy_video(*picture, *hevc),
        Track::VideoEncode { picture, rung } => match chip_of(rung.encoder, node)? {
            None => args::init_encode_video(*picture, rung_of(*rung, tone_map)),
            Some(chip) => chip::init_encode_video(*picture, rung_of(*rung, tone_map), chip),
        },
        Track::AudioCopy { index, .. } => args::init_copy_audio(*index),
        Track::AudioEncode { index } => args::init_encode_audio(*index),
    })
}

/// `Some(None)` for the processor.
fn chip_of(encoder: Encoder, node: Option<&str>) -> Option<Option<Chip<'_>>> {
    match encoder {
        Encoder::Processor => Some(None),
        Encoder::Chip { driver, decodes } => Some(Some(Chip { node: node?, driver, decodes })),
    }
}

pub fn splitter(track: &Track, part: &Part, number: u32, attempt: Attempt) -> Splitter {
    let video =
        |splitter: VideoSplitter| Splitter::Video(if attempt.further_back { splitter.lenient() } else { splitter });
    match (track, part) {
        (Track::AudioCopy { start_us, rate, .. }, Part::Audio(plan)) => {
            Splitter::Audio(AudioSplitter::copied(*plan, number, *start_us, *rate))
        }
        (_, Part::Audio(plan)) => Splitter::Audio(AudioSplitter::encoded(*plan, number)),
        (Track::VideoEncode { .. }, Part::Video(window)) => video(VideoSplitter::of_encode(window)),
        (_, Part::Video(window)) => video(VideoSplitter::new(window)),
    }
}

fn rung_of(rung: contract::Rung, tone_map: ToneMap) -> Rung {
    Rung {
        height: u32::from(rung.height).clamp(32, 2160),
        kbps: rung.kbps.clamp(100, 50_000),
        preset: if rung.unhurried { Preset::Veryfast } else { Preset::Superfast },
        tone_map,
    }
}

/// What it takes a new run to its first segment; measured on slow machines, generous for fast ones.
pub const fn start_cost(track: &Track) -> Duration {
    match track {
        Track::VideoCopy { .. } | Track::AudioCopy { .. } => Duration::from_millis(300),
        Track::AudioEncode { .. } => Duration::from_millis(600),
        Track::VideoEncode { .. } => Duration::from_millis(1500),
    }
}

/// Encodes by programs that wait for nobody run behind those that somebody watches.
pub const fn niceness(track: &Track) -> i32 {
    match track {
        Track::VideoEncode { rung: contract::Rung { unhurried: true, .. }, .. } => 19,
        _ => 0,
    }
}

/// Whether a run can be told of cuts that it did not know when it began.
pub const fn is_extendable(track: &Track) -> bool {
    !matches!(track, Track::VideoEncode { .. })
}
