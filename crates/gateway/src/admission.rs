//! What [`domain::admission`] has to know, gathered: what the house may give, and what a play
//! will take.

use crate::{House, timeline::live_rung};
use domain::{
    admission::{Room, Smaller},
    facts::FileFacts,
};
use store::{FileRow, Settings};

/// Other people's encodes beside which one more may begin: each of them can use a whole loge.
pub const MOST_LIVE: u32 = 2;
/// Stereo AAC.
pub const SOUND_BPS: u64 = 160_000;

pub fn room(house: &House, settings: &Settings) -> Room {
    Room {
        seats: settings.max_viewers,
        plays_per_person: settings.max_streams_per_person,
        encodes: MOST_LIVE,
        wire_bps: total_rate(house, settings).map(|rate| rate.saturating_mul(8)),
    }
}

/// Bytes per second for all viewers together: what the owner set, else four fifths of the link;
/// nothing where the link does not say how fast it is.
pub fn total_rate(house: &House, settings: &Settings) -> Option<u64> {
    let link = || house.vitals.now().and_then(|sample| sample.network.link_bps);
    settings.total_rate_bps.or_else(|| link().map(|bits| bits / 8 / 5 * 4))
}

/// On average, in bits per second. `lines`: of a live encode; `None` is the file as it is.
pub fn bits_per_s(file: &FileRow, lines: Option<u32>) -> u64 {
    match lines {
        Some(lines) => encoded_bps(lines),
        None => original_bps(file.facts.as_ref(), file.size_bytes),
    }
}

pub fn original_bps(facts: Option<&FileFacts>, size_bytes: u64) -> u64 {
    facts.and_then(|f| f.bitrate).unwrap_or_else(|| {
        let seconds = facts.map_or(0, |f| f.duration_ms / 1000).max(1);
        size_bytes.saturating_mul(8) / seconds
    })
}

/// Smaller pictures that are there (`ready`) or can be encoded live, as admission weighs them.
pub fn smaller(ready: &[u32], live: &[u32]) -> Vec<Smaller> {
    let of = |lines: &u32, encoded| Smaller { lines: *lines, bps: encoded_bps(*lines), encoded };
    let ready_ones = ready.iter().map(|lines| of(lines, false));
    ready_ones.chain(live.iter().filter(|l| !ready.contains(l)).map(|lines| of(lines, true))).collect()
}

/// Of an encoded picture of so many lines, with its sound.
pub fn encoded_bps(lines: u32) -> u64 {
    u64::from(live_rung(lines, false).kbps) * 1000 + SOUND_BPS
}
