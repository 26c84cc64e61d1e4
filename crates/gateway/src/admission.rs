//! What [`domain::admission`] has to know, gathered: what the house may give, and what a play
//! will take.

use crate::{House, problem::Answer, timeline::live_rung};
use domain::{
    LogeState, Tenant, UserId,
    admission::{Room, Smaller},
    capacity::{Capacity, encode_millis, live_lines, reach_millis, room_millis},
    facts::FileFacts,
};
use store::{FileRow, Settings};

/// Stereo AAC.
pub const SOUND_BPS: u64 = 160_000;

pub fn room(house: &House, settings: &Settings, capacity: Option<&Capacity>) -> Room {
    Room {
        seats: settings.max_viewers,
        plays_per_person: settings.max_streams_per_person,
        encode_millis: room_millis(capacity),
        wire_bps: total_rate(house, settings).map(|rate| rate.saturating_mul(8)),
    }
}

/// What may be encoded live for one person, now.
pub struct Live {
    pub capacity: Option<Capacity>,
    loge_millis: u32,
}

impl Live {
    pub async fn of(house: &House, user: &UserId) -> Answer<Self> {
        let capacity = house.store.capacity().await?;
        let own = house.store.loge_limits(user).await?.cpu_millis;
        if !house.loges.lends() {
            return Ok(Self { capacity, loge_millis: own });
        }
        let watching = house.streams.people();
        let mut idle = house.loges.list();
        idle.retain(|loge| match &loge.tenant {
            Tenant::House => loge.state == LogeState::Ready,
            Tenant::User(id) => loge.state == LogeState::Ready && id != user && !watching.contains(id),
        });
        let others = house.streams.encoding(user);
        let loge_millis = reach_millis(own, idle.into_iter().map(|loge| loge.limits.cpu_millis), others);
        Ok(Self { capacity, loge_millis })
    }

    pub fn lines(&self, facts: Option<&FileFacts>) -> Vec<u32> {
        let video = facts.and_then(|f| f.video.as_ref());
        video.map_or_else(Vec::new, |video| live_lines(self.capacity.as_ref(), video, self.loge_millis))
    }

    /// What encoding it with so many lines takes.
    pub fn millis(&self, facts: Option<&FileFacts>, lines: u32) -> u32 {
        let video = facts.and_then(|f| f.video.as_ref());
        video.map_or(0, |video| encode_millis(self.capacity.as_ref(), video, lines))
    }

    /// Smaller pictures that are there (`ready`) or can be encoded, as admission weighs them.
    pub fn smaller(&self, facts: Option<&FileFacts>, ready: &[u32]) -> Vec<Smaller> {
        let of = |lines: u32, encode_millis| Smaller { lines, bps: encoded_bps(lines), encode_millis };
        let live = self.lines(facts).into_iter().filter(|lines| !ready.contains(lines));
        let live = live.map(|lines| of(lines, self.millis(facts, lines)));
        ready.iter().map(|lines| of(*lines, 0)).chain(live).collect()
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

/// Of an encoded picture of so many lines, with its sound.
pub fn encoded_bps(lines: u32) -> u64 {
    u64::from(live_rung(lines, false).kbps) * 1000 + SOUND_BPS
}
