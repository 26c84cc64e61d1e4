//! Where segments begin: pure arithmetic over a [`KeyframeIndex`].
//!
//! Copied video can only be cut at key frames; encoded video is cut at the same places and in
//! between, so that a player may change between them without a seam. Sound is cut on its own
//! grid.

use super::{
    AAC_FRAME, AAC_FRAMES, AAC_RATE, TICKS,
    index::{KeyframeIndex, Point, PointKind},
};

/// Copied segments are at least this long: shorter ones cost a request each and save nothing.
const COPY_MIN: u64 = 3 * TICKS;
/// A player waits for a whole segment before it shows anything of it.
const COPY_MAX: u64 = 20 * TICKS;
const ENCODE_MAX: u64 = 2 * TICKS;
/// A shorter end is given to the segment before it.
const TAIL: u64 = TICKS / 2;
/// Where sound goes on without pictures, the last one is held in segments of this length.
const HOLD: u64 = 10 * TICKS;

/// The start of one segment of video, in ticks since the film's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// What the playlist says and the segment's first decode time.
    pub start: u64,
    /// When the frame that begins it is shown.
    pub key: u64,
    /// The key frame before it in the source; itself for the first.
    pub before: u64,
    /// The key frame after it in the source, or the film's end.
    pub after: u64,
    /// Whether the source has a key frame here.
    pub on_key: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoPlan {
    /// Starts strictly increase; the first is 0.
    pub cuts: Vec<Cut>,
    /// The end of the film: of the longest of its tracks.
    pub end: u64,
    /// Where the last picture's time is over.
    pub shown: u64,
    pub frame: u32,
}

/// Why video cannot be copied into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCopy {
    #[error("its key frames need frames from before them")]
    OpenGroups,
    #[error("its key frames are too far apart")]
    TooSparse,
}

impl VideoPlan {
    /// Cuts at key frames only.
    ///
    /// # Errors
    /// [`NoCopy`] where a browser would fail after a seek, or wait too long for one segment.
    pub fn copy(index: &KeyframeIndex) -> Result<Self, NoCopy> {
        let clean = |p: &&Point| p.kind == PointKind::Clean;
        if index.points[0].kind != PointKind::Clean {
            return Err(NoCopy::OpenGroups);
        }
        let chosen = greedy(index, index.points.iter().filter(clean));
        let plan = Self::of(index, &chosen, true);
        if plan.pictures().any(|ticks| ticks > COPY_MAX) {
            let has_open = index.points.iter().any(|p| p.kind == PointKind::Open);
            return Err(if has_open { NoCopy::OpenGroups } else { NoCopy::TooSparse });
        }
        Ok(plan)
    }

    /// Cuts of at most about two seconds, those of a copy among them.
    pub fn encode(index: &KeyframeIndex) -> Self {
        let base = match Self::copy(index) {
            Ok(_) => greedy(index, index.points.iter().filter(|p| p.kind == PointKind::Clean)),
            Err(_) => greedy(index, index.points.iter().filter(|p| p.kind.is_key())),
        };
        let mut chosen: Vec<Point> = Vec::new();
        for (n, from) in base.iter().enumerate() {
            chosen.push(*from);
            let until = base.get(n + 1).map_or(index.end, |p| p.pts);
            let parts = (until - from.pts).div_ceil(ENCODE_MAX + ENCODE_MAX / 4).max(1);
            for part in 1..parts {
                let wanted = from.pts + (until - from.pts) * part / parts;
                let at = index.points.partition_point(|p| p.pts < wanted);
                let Some(point) = index.points.get(at) else { continue };
                let last = chosen[chosen.len() - 1].pts;
                if point.pts > last + TAIL && point.pts + TAIL < until {
                    chosen.push(*point);
                }
            }
        }
        Self::of(index, &chosen, false)
    }

    /// `led`: pictures that lead their key frame belong to its segment, as they do in the source;
    /// an encoder puts them before it.
    fn of(index: &KeyframeIndex, chosen: &[Point], led: bool) -> Self {
        let keys: Vec<u64> = index.points.iter().filter(|p| p.kind.is_key()).map(|p| p.pts).collect();
        let mut cuts: Vec<Cut> = Vec::with_capacity(chosen.len());
        for (n, point) in chosen.iter().enumerate() {
            let at = keys.partition_point(|k| *k < point.pts);
            let before = at.checked_sub(1).map_or(keys[0], |at| keys[at]);
            let on_key = point.kind.is_key();
            let after = keys.get(at + usize::from(on_key)).copied().unwrap_or(index.end);
            let floor = cuts.last().map_or(0, |c| c.start + 1);
            let first = if led { point.first } else { point.pts };
            let start = if n == 0 { 0 } else { first.max(floor) };
            cuts.push(Cut { start, key: point.pts, before, after, on_key });
        }
        let end = index.film_end();
        let before = keys[keys.len() - 1];
        let mut at = index.end + HOLD;
        while at + TAIL < end {
            cuts.push(Cut { start: at, key: at, before, after: end, on_key: false });
            at += HOLD;
        }
        Self { cuts, end, shown: index.end, frame: index.frame }
    }

    pub fn len(&self) -> u32 {
        u32::try_from(self.cuts.len()).unwrap_or(u32::MAX)
    }
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// Ticks of each segment.
    pub fn durations(&self) -> impl Iterator<Item = u64> + '_ {
        let next = self.cuts.iter().skip(1).map(|c| c.start).chain(std::iter::once(self.end));
        self.cuts.iter().zip(next).map(|(cut, next)| next.saturating_sub(cut.start))
    }

    /// Ticks of the pictures in each segment, without the time for which the last one is held.
    fn pictures(&self) -> impl Iterator<Item = u64> + '_ {
        let end = |cut: &Cut, ticks: u64| (cut.start + ticks).min(self.shown);
        self.cuts.iter().zip(self.durations()).map(move |(cut, ticks)| end(cut, ticks).saturating_sub(cut.start))
    }

    /// The segment that holds a moment.
    pub fn at(&self, ticks: u64) -> u32 {
        let after = self.cuts.partition_point(|c| c.start <= ticks);
        u32::try_from(after.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Segment `number` and at most `most` cuts from there on; `None` past the end.
    pub fn window(&self, number: u32, most: usize) -> Option<Window> {
        let from = usize::try_from(number).ok().filter(|n| *n < self.cuts.len())?;
        let until = self.cuts.len().min(from + most.max(1));
        let end = self.cuts.get(until).map_or(self.end, |c| c.start);
        // A seek that lands too late is tried again from further back.
        let back = self.cuts[from.saturating_sub(1)].before;
        Some(Window {
            first: number,
            cuts: self.cuts[from..until].to_vec(),
            end,
            is_last: until == self.cuts.len(),
            shown: self.shown,
            frame: self.frame,
            back,
        })
    }
}

/// A part of a plan: what a run needs to know to cut from here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Number of the first cut.
    pub first: u32,
    pub cuts: Vec<Cut>,
    /// Where the last of these segments ends.
    pub end: u64,
    /// Whether that is the film's end.
    pub is_last: bool,
    /// Where the last picture's time is over; segments from there on hold it.
    pub shown: u64,
    pub frame: u32,
    /// A key frame surely before the first cut.
    pub back: u64,
}

fn greedy<'a>(index: &KeyframeIndex, allowed: impl Iterator<Item = &'a Point>) -> Vec<Point> {
    let mut chosen = vec![index.points[0]];
    for point in allowed {
        if point.pts >= chosen[chosen.len() - 1].pts + COPY_MIN {
            chosen.push(*point);
        }
    }
    if chosen.len() > 1 && index.end - chosen[chosen.len() - 1].pts < TAIL {
        chosen.pop();
    }
    chosen
}

/// Sound in segments of [`AAC_FRAMES`] frames, padded or cut to the film's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioPlan {
    /// Samples at [`AAC_RATE`].
    pub end: u64,
}

impl AudioPlan {
    /// Samples in one segment.
    pub const STEP: u64 = AAC_FRAME * AAC_FRAMES;

    pub fn new(film_end: u64) -> Self {
        Self { end: (film_end * AAC_RATE).div_ceil(TICKS).max(AAC_FRAME) }
    }

    pub fn len(&self) -> u32 {
        let whole = self.end.div_ceil(Self::STEP);
        // An end of less than two frames is no segment of its own.
        let short = whole > 1 && self.end - (whole - 1) * Self::STEP < 2 * AAC_FRAME;
        u32::try_from(whole - u64::from(short)).unwrap_or(u32::MAX)
    }
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Samples of each segment at [`AAC_RATE`].
    pub fn durations(&self) -> impl Iterator<Item = u64> {
        let (len, end) = (self.len(), self.end);
        (0..len).map(move |n| if n + 1 == len { end - u64::from(n) * Self::STEP } else { Self::STEP })
    }

    /// The segment that holds a moment, in ticks.
    pub fn at(&self, ticks: u64) -> u32 {
        let number = ticks * AAC_RATE / TICKS / Self::STEP;
        u32::try_from(number).unwrap_or(u32::MAX).min(self.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::index::AudioPhase;
    use proptest::prelude::*;

    fn index(points: &[(f64, PointKind)], end: f64) -> KeyframeIndex {
        let ticks = |s: f64| (s * TICKS as f64).round() as u64;
        let points = points.iter().map(|(s, kind)| Point { pts: ticks(*s), first: ticks(*s), kind: *kind }).collect();
        KeyframeIndex { picture: 0, points, end: ticks(end), frame: 3750, audio: vec![] }
    }
    fn starts(plan: &VideoPlan) -> Vec<f64> {
        plan.cuts.iter().map(|c| c.start as f64 / TICKS as f64).collect()
    }

    #[test]
    fn copies_are_cut_at_clean_key_frames() {
        use PointKind::{Clean, Open};
        let film = index(&[(0.0, Clean), (1.0, Clean), (3.5, Clean), (4.0, Clean), (9.0, Clean), (11.8, Clean)], 12.0);
        let plan = VideoPlan::copy(&film).unwrap();
        assert_eq!(starts(&plan), [0.0, 3.5, 9.0]);
        assert_eq!(plan.durations().sum::<u64>(), plan.end);
        assert_eq!((plan.cuts[1].before, plan.cuts[1].after), (TICKS, 4 * TICKS));
        assert_eq!((plan.at(0), plan.at(4 * TICKS), plan.at(u64::MAX)), (0, 1, 2));

        let open = index(&[(0.0, Clean), (10.0, Open), (21.0, Open)], 30.0);
        assert_eq!(VideoPlan::copy(&open), Err(NoCopy::OpenGroups));
        assert_eq!(VideoPlan::copy(&index(&[(0.0, Open), (4.0, Clean)], 5.0)), Err(NoCopy::OpenGroups));
        assert_eq!(VideoPlan::copy(&index(&[(0.0, Clean)], 21.0)), Err(NoCopy::TooSparse));
        // One key frame that needs others is passed over when the next clean one is near.
        assert_eq!(
            starts(&VideoPlan::copy(&index(&[(0.0, Clean), (4.0, Open), (8.0, Clean)], 9.0)).unwrap()),
            [0.0, 8.0]
        );
    }

    #[test]
    fn a_late_first_frame_is_held_from_the_start() {
        let film = index(&[(0.94, PointKind::Clean), (5.0, PointKind::Clean)], 8.0);
        let plan = VideoPlan::copy(&film).unwrap();
        assert_eq!((plan.cuts[0].start, plan.cuts[0].key), (0, 84_600));
    }

    #[test]
    fn the_longest_track_says_how_long_a_film_is() {
        use PointKind::Clean;
        let film = index(&[(0.0, Clean), (4.0, Clean)], 6.0);
        let with = |end_s: f64| {
            let sound = AudioPhase { start_us: 0, end_us: (end_s * 1_000_000.0) as u64, rate: 48_000 };
            let film = KeyframeIndex { audio: vec![sound], ..film.clone() };
            [VideoPlan::copy(&film).unwrap(), VideoPlan::encode(&film)]
        };
        for (end_s, expected) in [
            // Sound that is shorter, and sound whose end is unknown.
            (3.0, vec![0.0, 4.0]),
            (0.0, vec![0.0, 4.0]),
            (14.0, vec![0.0, 4.0]),
            (16.4, vec![0.0, 4.0]),
            (17.0, vec![0.0, 4.0, 16.0]),
            (37.0, vec![0.0, 4.0, 16.0, 26.0, 36.0]),
        ] {
            for plan in with(end_s) {
                let cuts: Vec<f64> = starts(&plan).into_iter().filter(|start| *start != 2.0).collect();
                assert_eq!(cuts, expected, "{end_s}");
                let end = (end_s.max(6.0) * TICKS as f64) as u64;
                assert!(plan.end.abs_diff(end) <= 1, "{end_s}: {}", plan.end);
                assert_eq!(plan.shown, 6 * TICKS);
                assert_eq!(plan.durations().sum::<u64>(), plan.end);
            }
        }
        let held = with(37.0)[0].window(3, 9).unwrap();
        assert_eq!((held.cuts[0].before, held.back, held.shown), (4 * TICKS, 4 * TICKS, 6 * TICKS));
    }

    #[test]
    fn encodes_share_the_cuts_of_copies() {
        use PointKind::{Clean, Frame};
        let mut points = vec![(0.0, Clean), (6.0, Clean)];
        points.extend((1..6).map(|s| (f64::from(s), Frame)));
        points.extend((7..10).map(|s| (f64::from(s), Frame)));
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let film = index(&points, 10.0);
        let plan = VideoPlan::encode(&film);
        assert_eq!(starts(&plan), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(plan.cuts.iter().map(|c| c.on_key).collect::<Vec<_>>(), [true, false, false, true, false]);
        let window = plan.window(1, 2).unwrap();
        assert_eq!((window.first, window.cuts.len(), window.end, window.is_last), (1, 2, 6 * TICKS, false));
        assert!(plan.window(3, 9).unwrap().is_last && plan.window(5, 1).is_none());
    }

    #[test]
    fn sound_has_its_own_grid() {
        let plan = AudioPlan::new(10 * TICKS);
        assert_eq!(plan.durations().collect::<Vec<_>>(), [144_384, 144_384, 144_384, 46_848]);
        assert_eq!(plan.at(4 * TICKS), 1);
        assert_eq!(AudioPlan::new(0).durations().collect::<Vec<_>>(), [1024]);
        // 3.01 s: two frames are left over and stay with the segment before.
        assert_eq!(AudioPlan::new(270_900).len(), 1);
    }

    proptest! {
        #[test]
        fn plans_cover_the_film(steps in proptest::collection::vec((1_u64..900_000, 0_u8..3, 0_u64..20_000), 1..200)) {
            let mut points: Vec<Point> = vec![];
            let mut pts = 0;
            for (n, (step, kind, lead)) in steps.iter().enumerate() {
                pts += if n == 0 { step % 1000 } else { *step };
                let kind = if n == 0 { PointKind::Clean } else { PointKind::from_test(*kind) };
                let lead = if kind.is_key() { (*lead).min(step - 1) } else { 0 };
                points.push(Point { pts, first: pts - lead.min(pts), kind });
            }
            let film = KeyframeIndex { picture: 0, end: pts + 3000, points, frame: 3000, audio: vec![] };
            let film = KeyframeIndex::from_bytes(&film.to_bytes()).unwrap();
            for plan in VideoPlan::copy(&film).into_iter().chain([VideoPlan::encode(&film)]) {
                prop_assert_eq!(plan.cuts[0].start, 0);
                prop_assert!(plan.cuts.windows(2).all(|w| w[0].start < w[1].start && w[0].key < w[1].key));
                prop_assert!(plan.cuts.iter().all(|c| c.before <= c.key && c.after > c.key && c.start <= c.key));
                prop_assert_eq!(plan.durations().sum::<u64>(), plan.end);
            }
        }
    }

    impl PointKind {
        fn from_test(n: u8) -> Self {
            [Self::Clean, Self::Open, Self::Frame][usize::from(n) % 3]
        }
    }
}
