//! What is told of a play: when it begins, while it runs, and to the owner.

use crate::admission::ByChip;
use base::UnixMs;
use domain::{
    Failure, FileId, LibraryId, PlayId, SessionId, TitleId, UserId,
    playback::{Ladder, Method, Reason},
};
use std::net::IpAddr;

/// What is known when a play begins.
#[derive(Debug, Clone)]
pub struct NewPlay {
    pub play: PlayId,
    pub user: UserId,
    pub username: String,
    pub session: SessionId,
    pub title: TitleId,
    pub title_name: String,
    pub poster: Option<String>,
    pub library: LibraryId,
    pub file: FileId,
    pub method: Method,
    /// Lines of the version that plays; `None` is the original.
    pub lines: Option<u32>,
    /// What its player may change to by itself; `None` where that is not known any more.
    pub ladder: Option<Ladder>,
    pub reasons: Vec<Reason>,
    /// The sound that was chosen; `None` is the film's own default.
    pub audio_track: Option<usize>,
    /// What it takes from the wire on average, in bits per second.
    pub bits_per_s: u64,
    /// Thousandths of a core that encoding its picture takes; 0 where it is not encoded.
    pub encode_millis: u32,
    /// The graphics chip encodes its picture; before it begins: it may.
    pub chip: Option<ByChip>,
    pub duration_ms: u64,
    pub position_ms: u64,
    pub address: IpAddr,
}

/// Why a play did not get a place.
#[derive(Debug)]
pub enum TurnedAway {
    /// A smaller picture would fit; `otherwise` is for whoever wants none.
    Lower {
        lines: u32,
        otherwise: Failure,
    },
    Refused(Failure),
}

/// A play as the owner's page shows it.
#[derive(Debug, Clone)]
pub struct PlayView {
    pub about: NewPlay,
    pub started_at: UnixMs,
    pub position_ms: u64,
    pub bytes_sent: u64,
    /// Bytes per second.
    pub rate: u64,
    pub paused: bool,
}
