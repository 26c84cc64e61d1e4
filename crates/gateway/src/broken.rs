//! Tracks that could not be made of a file, remembered for a while: the next play of it is given
//! another way, or the truth at once. One viewer's loge says so, and only that viewer is told.

use base::UnixMs;
use contract::Track;
use domain::UserId;
use renditions::segments::FilmKey;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a viewer's loge could not make of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broken {
    /// The picture as it is.
    pub copy: bool,
    /// The picture, encoded.
    pub encode: bool,
    /// A sound as it is.
    pub sound_copy: bool,
    /// Sounds that could not be encoded either, one bit for each by its number in the file.
    sounds: u64,
}

impl Broken {
    /// Returns whether the picture can be made in no way.
    pub const fn has_no_picture(self) -> bool {
        self.copy && self.encode
    }

    /// Returns whether the sound with this number in the file can be made in no way.
    pub const fn is_silent(self, sound: u32) -> bool {
        sound < u64::BITS && self.sounds & (1 << sound) != 0
    }

    fn add(&mut self, track: &Track) {
        match track {
            Track::VideoCopy { .. } => self.copy = true,
            Track::VideoEncode { .. } => self.encode = true,
            Track::AudioCopy { .. } => self.sound_copy = true,
            Track::AudioEncode { index } => self.sounds |= 1_u64.checked_shl(u32::from(*index)).unwrap_or(0),
        }
    }
}

/// What broke for whom, and when it last did.
type ByViewer = HashMap<(UserId, FilmKey), (Broken, UnixMs)>;

/// By viewer and version of a file. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct BrokenFiles(Arc<Mutex<ByViewer>>);

impl BrokenFiles {
    /// Long enough that a player does not go in circles; a loge that was unwell gets another chance.
    const KEEP_MS: u64 = 10 * 60_000;
    const MOST: usize = 1024;

    pub fn add(&self, user: &UserId, film: FilmKey, track: &Track, now: UnixMs) {
        let mut files = self.lock();
        if files.len() >= Self::MOST {
            files.clear();
        }
        let (broken, since) = files.entry((user.clone(), film)).or_insert_with(|| (Broken::default(), now));
        broken.add(track);
        *since = now;
    }

    pub fn of(&self, user: &UserId, film: &FilmKey, now: UnixMs) -> Broken {
        let mut files = self.lock();
        files.retain(|_, (_, since)| now.since(*since) < Self::KEEP_MS);
        files.get(&(user.clone(), film.clone())).map(|(broken, _)| *broken).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, ByViewer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::FileId;

    #[test]
    fn what_one_loge_could_not_make_is_told_to_its_viewer_for_a_while() {
        let files = BrokenFiles::default();
        let [ana, bo] = [1, 2].map(|n| UserId::from_random([n; 16]));
        let version = |mtime_ns| FilmKey { file: FileId::from_random([1; 16]), size: 1, mtime_ns };
        let begin = UnixMs(1_000_000);
        assert_eq!(files.of(&ana, &version(1), begin), Broken::default());
        files.add(&ana, version(1), &Track::VideoCopy { picture: 0, hevc: false }, begin);
        let copy = Broken { copy: true, ..Broken::default() };
        assert_eq!(files.of(&ana, &version(1), begin), copy);
        for (user, film) in [(&bo, version(1)), (&ana, version(2))] {
            assert_eq!(files.of(user, &film, begin), Broken::default(), "another viewer, another version");
        }
        let later = begin.plus_ms(599_999);
        files.add(&ana, version(1), &Track::AudioCopy { index: 0, start_us: 0, rate: 48_000 }, later);
        assert_eq!(files.of(&ana, &version(1), later.plus_ms(599_999)), Broken { sound_copy: true, ..copy });
        assert_eq!(files.of(&ana, &version(1), later.plus_ms(600_000)), Broken::default());
        assert!(!copy.has_no_picture() && Broken { encode: true, ..copy }.has_no_picture());
        files.add(&ana, version(1), &Track::AudioEncode { index: 3 }, later);
        let silent = files.of(&ana, &version(1), later);
        assert_eq!(
            [0, 2, 3, 4, 64, 200].map(|sound| silent.is_silent(sound)),
            [false, false, true, false, false, false]
        );
    }
}
