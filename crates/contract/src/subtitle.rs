//! Tracks of text taken out of a film, one by one.

use crate::frame::FrameError;
use serde::{Deserialize, Serialize};

/// Tracks in one [`crate::Job::Subtitles`].
pub const MAX_TRACKS: usize = 32;
/// No WebVTT is longer: the words of a day and a night.
pub const MAX_TEXT_BYTES: usize = 2 << 20;

/// A track of text in a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextTrack {
    /// Its place among the film's subtitles.
    pub number: u8,
    /// ASS or SSA: read as it is, since ffmpeg shows the outlines of its drawings as words.
    pub is_ass: bool,
}

/// One track; a bad one costs only itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// WebVTT, as untrusted bytes.
    Text(Vec<u8>),
    /// There is no such track, no text in it, or too much.
    Nothing,
}

/// # Errors
/// [`FrameError::Body`] when it cannot be written, which no list of ours does.
pub fn encode(taken: &[Taken]) -> Result<Vec<u8>, FrameError> {
    postcard::to_stdvec(taken).map_err(|_| FrameError::Body)
}

/// Reads the answer to a request about `count` tracks.
///
/// # Errors
/// [`FrameError::Body`] when the bytes are not exactly that many tracks.
pub fn decode(bytes: &[u8], count: usize) -> Result<Vec<Taken>, FrameError> {
    match postcard::take_from_bytes::<Vec<Taken>>(bytes) {
        Ok((taken, [])) if taken.len() == count => Ok(taken),
        _ => Err(FrameError::Body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_survive_and_other_counts_do_not() {
        let list = vec![Taken::Text(b"WEBVTT\n".to_vec()), Taken::Nothing];
        let bytes = encode(&list).unwrap();
        assert_eq!(decode(&bytes, 2), Ok(list));
        assert_eq!(decode(&bytes, 1), Err(FrameError::Body));
        assert_eq!(decode(&bytes[..bytes.len() - 1], 2), Err(FrameError::Body));
        assert_eq!(decode(&[0xff; 40], 2), Err(FrameError::Body));
    }
}
