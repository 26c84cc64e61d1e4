//! Which sound track of a film is heard.

use super::Wish;
use crate::{
    facts::{AudioFacts, FileFacts},
    language::is_same,
};

/// Returns the sound of the film: the track marked default, else the first. A commentary only where there
/// is nothing else.
pub fn default_audio(facts: &FileFacts) -> usize {
    let place = |fits: fn(&AudioFacts) -> bool| facts.audio.iter().position(fits);
    place(|audio| audio.default && !audio.commentary)
        .or_else(|| place(|audio| !audio.commentary))
        .or_else(|| place(|audio| audio.default))
        .unwrap_or(0)
}

/// Returns the track in the viewer's language, where the film's own default speaks another
/// one. What is said about a film is not the film: a commentary only where nothing else speaks it.
pub fn heard_in(facts: &FileFacts, language: &str) -> Option<usize> {
    let speaks = |track: &AudioFacts| track.language.as_deref().is_some_and(|code| is_same(code, language));
    if facts.audio.get(default_audio(facts)).is_some_and(speaks) {
        return None;
    }
    let film = facts.audio.iter().position(|track| speaks(track) && !track.commentary);
    film.or_else(|| facts.audio.iter().position(speaks))
}

pub(super) fn chosen_audio(facts: &FileFacts, wish: Wish) -> Option<&AudioFacts> {
    facts.audio.get(wish.audio_track.unwrap_or_else(|| default_audio(facts)))
}
