//! What a play knows of its film: the file as it is served, its plans and versions, and, so that
//! encoded segments can be kept and found again, the init of each track and where its player is.

use crate::timeline::{Rendition, Timeline};
use contract::Track;
use domain::{UserId, cache::Window, facts::FileFacts};
use media::hls::TICKS;
use renditions::{
    Stored,
    segments::{FilmKey, TrackKey},
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

/// One file as the gateway will serve it for the length of a play.
#[derive(Debug)]
pub struct Served {
    pub file: contract::FileRef,
    pub size: u64,
    pub mtime_ns: i64,
    pub etag: String,
    pub mime: &'static str,
}

/// What a play in segments works with.
#[derive(Debug, Clone)]
pub struct Film {
    pub timeline: Arc<Timeline>,
    pub facts: FileFacts,
    /// Versions that were made ahead of time, those of its ladder.
    pub stored: Vec<Arc<Stored>>,
}

impl Film {
    pub fn version(&self, lines: u32) -> Option<&Arc<Stored>> {
        self.stored.iter().find(|stored| stored.lines == lines)
    }
}

/// Set once: a play whose file became another one while it ran is over, since its player has
/// segments and a playlist of the one before.
#[derive(Debug, Default)]
pub struct Version(OnceLock<String>);

impl Version {
    /// False when the play began with another one.
    pub fn is(&self, etag: &str) -> bool {
        self.0.get_or_init(|| etag.into()) == etag
    }
}

/// Where the player is in each track, by the track's name: the segment it asked for last.
#[derive(Debug, Default)]
pub struct Course(Mutex<HashMap<String, u32>>);

impl Course {
    /// A player that goes on asks for the next segment, or for one again that did not come.
    const STEP: u32 = 2;

    /// Notes that it asks for this segment; answers whether that is somewhere else than where it
    /// was, as after a seek and at the beginning of a track.
    pub fn leaves(&self, rendition: &Rendition, number: u32) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.insert(rendition.name(), number);
        before.and_then(|before| number.checked_sub(before)).is_none_or(|step| step > Self::STEP)
    }
}

/// By the name of a track.
#[derive(Debug, Default)]
pub struct Watched(Mutex<HashMap<String, Part>>);

#[derive(Debug)]
struct Part {
    /// Under what its segments are kept.
    key: TrackKey,
    /// The last one asked for.
    asked: Option<u32>,
    rendition: Rendition,
    timeline: Arc<Timeline>,
}

impl Watched {
    /// The player was given this init; segments of the track that fit it are kept from now on.
    pub fn begins(&self, rendition: &Rendition, timeline: &Arc<Timeline>, key: TrackKey) {
        let part = Part { key, asked: None, rendition: rendition.clone(), timeline: timeline.clone() };
        self.lock().insert(rendition.name(), part);
    }

    /// The player asks for this segment. `None`: nothing of this track is kept.
    pub fn asks(&self, rendition: &Rendition, number: u32) -> Option<TrackKey> {
        let mut parts = self.lock();
        let part = parts.get_mut(&rendition.name())?;
        part.asked = Some(number);
        Some(part.key.clone())
    }

    /// What it is about to show. `position_ms`: where it said it is.
    pub fn windows(&self, position_ms: Option<u64>) -> Vec<(TrackKey, Window)> {
        let parts = self.lock();
        let window = |part: &Part| {
            let at = position_ms.map(|ms| part.at(ms));
            Some((part.key.clone(), Window { at, asked: part.asked? }))
        };
        parts.values().filter_map(window).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    fn at(&self, position_ms: u64) -> u32 {
        let ticks = position_ms.saturating_mul(TICKS) / 1000;
        match self.rendition {
            Rendition::Sound(_) => self.timeline.audio.at(ticks),
            Rendition::Original | Rendition::Live(_) => self.timeline.encode.at(ticks),
        }
    }
}

/// Under what tracks were kept when they were played last. A hint: whether it still holds shows
/// when a player asks for the init.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<Mutex<HashMap<TrackKey, TrackKey>>>);

impl Known {
    /// So many are remembered; then it begins anew.
    const MOST: usize = 4096;

    /// `bare`: the [`key`] of the track without an init.
    pub fn learn(&self, bare: TrackKey, whole: TrackKey) {
        let mut known = self.lock();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(bare, whole);
    }

    pub fn of(&self, bare: &TrackKey) -> Option<TrackKey> {
        self.lock().get(bare).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TrackKey, TrackKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under what the segments of a track are kept. The init stands for the encoder and its settings
/// as they are today: segments are only ever put together with one that they fit, whatever program
/// made them.
pub fn key(user: &UserId, film: FilmKey, track: &Track, timeline: &Timeline, init: &[u8]) -> TrackKey {
    let mut all = Sha256::new();
    for part in [format!("{track:?} {}", env!("CARGO_PKG_VERSION")).as_bytes(), &timeline.digest(), init] {
        all.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        all.update(part);
    }
    let mut track = [0; 16];
    track.copy_from_slice(&all.finalize()[..16]);
    TrackKey { user: user.clone(), film, track }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::FileId;
    use media::hls::index::{KeyframeIndex, Point, PointKind};

    /// Key frames every two seconds of a film of a minute.
    fn timeline(first: u64) -> Arc<Timeline> {
        let points = (0..30).map(|n| n * 2 * TICKS + if n == 0 { 0 } else { first });
        let points = points.map(|pts| Point { pts, first: pts, kind: PointKind::Clean }).collect();
        Arc::new(Timeline::new(KeyframeIndex { picture: 0, points, end: 60 * TICKS, frame: 3600, audio: vec![] }))
    }
    fn film(mtime_ns: i64) -> FilmKey {
        FilmKey { file: FileId::from_random([1; 16]), size: 1, mtime_ns }
    }

    #[test]
    fn whatever_changes_a_segment_changes_where_it_is_kept() {
        let (ana, bo) = (UserId::from_random([1; 16]), UserId::from_random([2; 16]));
        let sound = |index| Track::AudioEncode { index };
        let one = key(&ana, film(1), &sound(0), &timeline(0), b"init");
        assert_eq!(one, key(&ana, film(1), &sound(0), &timeline(0), b"init"));
        for other in [
            key(&bo, film(1), &sound(0), &timeline(0), b"init"),
            key(&ana, film(2), &sound(0), &timeline(0), b"init"),
            key(&ana, film(1), &sound(1), &timeline(0), b"init"),
            key(&ana, film(1), &sound(0), &timeline(1), b"init"),
            key(&ana, film(1), &sound(0), &timeline(0), b"tini"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn windows_follow_the_player() {
        let watched = Watched::default();
        let (timeline, ana) = (timeline(0), UserId::from_random([1; 16]));
        let (picture, sound) = (Rendition::Live(360), Rendition::Sound(0));
        assert_eq!(watched.asks(&picture, 3), None, "before its init nothing is kept");
        let video = key(&ana, film(1), &Track::AudioEncode { index: 9 }, &timeline, b"v");
        let audio = key(&ana, film(1), &Track::AudioEncode { index: 0 }, &timeline, b"a");
        watched.begins(&picture, &timeline, video.clone());
        watched.begins(&sound, &timeline, audio.clone());
        assert_eq!(watched.windows(None), []);
        assert_eq!(watched.asks(&picture, 7), Some(video.clone()));
        assert_eq!(watched.windows(None), [(video.clone(), Window { at: None, asked: 7 })]);
        assert_eq!(watched.windows(Some(10_000)), [(video, Window { at: Some(5), asked: 7 })]);
        assert_eq!(watched.asks(&sound, 2), Some(audio));
        assert_eq!(watched.windows(Some(10_000)).len(), 2);
    }

    #[test]
    fn who_goes_on_does_not_leave() {
        let course = Course::default();
        let (picture, sound) = (Rendition::Live(360), Rendition::Sound(0));
        assert!(course.leaves(&picture, 4) && course.leaves(&sound, 4), "each begins");
        for (number, leaves) in [(5, false), (5, false), (6, false), (8, false), (11, true), (12, false), (11, true)] {
            assert_eq!(course.leaves(&picture, number), leaves, "{number}");
        }
        assert!(!course.leaves(&sound, 5));
    }

    #[test]
    fn a_play_is_of_one_version() {
        let version = Version::default();
        assert!(version.is("a") && version.is("a") && !version.is("b") && version.is("a"));
    }
}
