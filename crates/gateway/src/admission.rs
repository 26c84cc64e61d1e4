//! What [`domain::admission`] has to know, gathered: what the house may give, and what a play
//! will take.

use crate::{House, chip, problem::Answer, timeline::live_rung};
use contract::{Encoder, Rung, Track};
use domain::{
    LogeState, Tenant, UserId,
    admission::{Room, Smaller},
    capacity::{Capacity, chip_lines, chip_millis, encode_millis, live_lines, reach_millis, room_millis},
    chip::ChipEncode,
    facts::{FileFacts, VideoFacts},
};
use store::{FileRow, Settings};

/// Stereo AAC.
pub const SOUND_BPS: u64 = 160_000;

pub fn room(house: &House, settings: &Settings, capacity: Option<&Capacity>) -> Room {
    Room {
        seats: settings.max_viewers,
        plays_per_person: settings.max_streams_per_person,
        encode_millis: room_millis(capacity),
        chip_slots: capacity.map_or(0, Capacity::chip_slots),
        wire_bps: total_rate(house, settings).map(|rate| rate.saturating_mul(8)),
    }
}

/// What may be encoded live for one person, now.
pub struct Live<'a> {
    house: &'a House,
    pub capacity: Option<Capacity>,
    loge_millis: u32,
    /// A slot of the graphics chip is free for this person, and their loge has it.
    chip_is_free: bool,
}

/// What encoding one picture takes, by either way.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// `u32::MAX` where the processor cannot.
    pub encode_millis: u32,
    pub chip: Option<ByChip>,
}

/// An encode by the graphics chip, and the processor time beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByChip {
    pub encode: ChipEncode,
    pub millis: u32,
}

impl<'a> Live<'a> {
    pub async fn of(house: &'a House, user: &UserId) -> Answer<Self> {
        let (_, capacity) = chip::asked(house).await?;
        let own = house.store.loge_limits(user).await?.cpu_millis;
        let slots = capacity.as_ref().map_or(0, Capacity::chip_slots);
        let chip_is_free = house.streams.on_chip(user) < slots && chip::is_in(house, &Tenant::User(user.clone()));
        if !house.loges.lends() {
            return Ok(Self { house, capacity, loge_millis: own, chip_is_free });
        }
        let watching = house.streams.people();
        let mut idle = house.loges.list();
        idle.retain(|loge| match &loge.tenant {
            Tenant::House => loge.state == LogeState::Ready,
            Tenant::User(id) => loge.state == LogeState::Ready && id != user && !watching.contains(id),
        });
        let others = house.streams.encoding(user);
        let loge_millis = reach_millis(own, idle.into_iter().map(|loge| loge.limits.cpu_millis), others);
        Ok(Self { house, capacity, loge_millis, chip_is_free })
    }

    /// Largest first.
    pub fn lines(&self, file: &FileRow) -> Vec<u32> {
        let Some(video) = video(file) else { return vec![] };
        let mut lines = live_lines(self.capacity.as_ref(), video, self.loge_millis);
        lines.extend(self.chip_lines(file, video));
        lines.sort_unstable_by(|a, b| b.cmp(a));
        lines.dedup();
        lines
    }

    fn chip_lines(&self, file: &FileRow, video: &VideoFacts) -> Vec<u32> {
        if !self.chip_is_free || self.house.chip_failures.holds(&file.id) {
            return vec![];
        }
        chip_lines(self.capacity.as_ref(), video, self.loge_millis)
    }

    /// What encoding it with so many lines takes.
    pub fn ways(&self, file: &FileRow, lines: u32) -> Ways {
        let Some(video) = video(file) else { return Ways { encode_millis: u32::MAX, chip: None } };
        let capacity = self.capacity.as_ref();
        let can = live_lines(capacity, video, self.loge_millis).contains(&lines);
        let encode_millis = if can { encode_millis(capacity, video, lines) } else { u32::MAX };
        let chip = self.chip_lines(file, video).contains(&lines).then(|| {
            let encode = capacity?.by_chip(video, lines)?;
            // What the chip decodes stays on it, where fields are not undone.
            let encode = ChipEncode { decodes: encode.decodes && !video.interlaced, ..encode };
            Some(ByChip { encode, millis: chip_millis(capacity, video, lines)? })
        });
        Ways { encode_millis, chip: chip.flatten() }
    }

    /// Smaller pictures that are there (`ready`) or can be encoded, as admission weighs them.
    pub fn smaller(&self, file: &FileRow, ready: &[u32]) -> Vec<Smaller> {
        let live = self.lines(file).into_iter().filter(|lines| !ready.contains(lines)).map(|lines| {
            let Ways { encode_millis, chip } = self.ways(file, lines);
            Smaller { lines, bps: encoded_bps(lines), encode_millis, chip_millis: chip.map(|chip| chip.millis) }
        });
        let there =
            |lines: &u32| Smaller { lines: *lines, bps: encoded_bps(*lines), encode_millis: 0, chip_millis: None };
        ready.iter().map(there).chain(live).collect()
    }
}

/// The track as this play gets it: encoded by the graphics chip where that was admitted.
pub fn by(track: Track, chip: Option<ByChip>) -> Track {
    match (track, chip) {
        (Track::VideoEncode { picture, rung }, Some(ByChip { encode, .. })) => {
            let encoder = Encoder::Chip { driver: encode.driver, decodes: encode.decodes };
            Track::VideoEncode { picture, rung: Rung { encoder, ..rung } }
        }
        (track, _) => track,
    }
}

fn video(file: &FileRow) -> Option<&VideoFacts> {
    file.facts.as_ref()?.video.as_ref()
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
