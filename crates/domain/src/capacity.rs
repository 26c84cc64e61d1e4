//! What this machine can do, as a calibration found it, and what follows for films that have to be
//! encoded while somebody watches. Before there is a calibration a careful rule stands in for it.
//!
//! A cost is seconds of processor time for each second of film.

use crate::{
    chip::{ChipEncode, ChipVerdict},
    facts::VideoFacts,
    lending::RESERVE,
    rendition::SMALLEST_LINES,
};

/// What a calibration found. Its film is H.264 of 1920 × 1080 at 25 frames a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// Milliseconds since 1970.
    pub measured_at_ms: i64,
    pub cores: u32,
    /// Of decoding the film.
    pub decode_cost: f64,
    /// Of scaling it and encoding it, by lines, smallest first. What took too long to be measured
    /// is missing, and is not offered.
    pub encode: Vec<(u32, f64)>,
    /// Of bringing the brightness of HDR down to [`TONE_MAP_LINES`], on top; `None` where the media
    /// programs cannot.
    pub tone_map_cost: Option<f64>,
    /// Of wrapping it anew.
    pub remux_cost: f64,
    /// From the disk of a library; `None` where there was nothing to read.
    pub disk_bytes_per_s: Option<u64>,
    pub memory_bytes: u64,
    pub chip: ChipVerdict,
}

/// Lines of the pictures that are measured.
pub const MEASURED_LINES: [u32; 4] = [360, 480, 720, 1080];
pub const TONE_MAP_LINES: u32 = 480;

/// What stays for the gateway and the system, in thousandths of a core.
const KEPT_MILLIS: u32 = 500;
/// An encode has to be faster than the film, or its viewer waits again and again.
const FASTER: f64 = 1.1;
const FILM_PIXELS_PER_S: f64 = 1920.0 * 1080.0 * 25.0;
const FILM_RATE: f64 = 25.0;
/// No cost that a machine of ours could have is larger.
const MOST_COST: f64 = 100.0;

/// Chips take no smaller pictures.
const CHIP_LINES: u32 = 144;

/// Before a calibration an encode is taken to need a whole loge, and two run at once.
const UNMEASURED_MILLIS: u32 = 500;
const UNMEASURED_ENCODES: u32 = 2;

impl Capacity {
    /// `None` for numbers that no machine has.
    pub fn checked(self) -> Option<Self> {
        let sane = |cost: f64| cost > 0.0 && cost <= MOST_COST;
        let in_order = self.encode.windows(2).all(|two| two[0].0 < two[1].0);
        let known = self.encode.iter().all(|(lines, cost)| MEASURED_LINES.contains(lines) && sane(*cost));
        let all = in_order
            && known
            && sane(self.decode_cost)
            && sane(self.remux_cost)
            && self.tone_map_cost.is_none_or(sane)
            && (1..=4096).contains(&self.cores);
        let chip = match self.chip {
            ChipVerdict::Works(chip) => ChipVerdict::Works(chip.checked()?),
            other => other,
        };
        all.then_some(Self { chip, ..self })
    }

    /// How the chip encodes this film with so many lines, where it passed its test.
    pub fn by_chip(&self, video: &VideoFacts, lines: u32) -> Option<ChipEncode> {
        let ChipVerdict::Works(chip) = &self.chip else { return None };
        chip.encode(video, lines, self.decode(video))
    }

    /// Films that the chip encodes at once.
    pub fn chip_slots(&self) -> u32 {
        if let ChipVerdict::Works(chip) = &self.chip { chip.slots() } else { 0 }
    }

    fn decode(&self, video: &VideoFacts) -> f64 {
        let pixels = f64::from(video.width) * f64::from(video.height) * frame_rate(video);
        self.decode_cost * decoder(video) * pixels / FILM_PIXELS_PER_S
    }

    /// Of decoding this film and encoding it with so many lines. `None` where nothing of the kind
    /// was measured.
    pub fn cost(&self, video: &VideoFacts, lines: u32) -> Option<f64> {
        let rate = frame_rate(video);
        let decode = self.decode(video);
        let encode = self.encode.iter().find(|(measured, _)| *measured >= lines)?.1;
        let tone_map = if video.is_hdr() {
            let of = f64::from(lines) / f64::from(TONE_MAP_LINES);
            self.tone_map_cost? * of * of
        } else {
            0.0
        };
        Some(decode + (encode + tone_map) * rate / FILM_RATE)
    }

    /// How many times faster than the calibration's film one core makes a picture of so many lines.
    pub fn speed(&self, lines: u32) -> Option<f64> {
        let (_, encode) = self.encode.iter().find(|(measured, _)| *measured == lines)?;
        Some(1.0 / (self.decode_cost + encode))
    }

    /// How many encodes of the calibration's film into so many lines run at once.
    pub fn most_live(&self, lines: u32) -> u32 {
        let cost = self.speed(lines).map_or(f64::INFINITY, |speed| 1.0 / speed);
        let millis = (cost * FASTER * 1000.0).ceil();
        if millis > f64::from(u32::MAX) { 0 } else { self.room_millis() / (millis as u32).max(1) }
    }

    fn room_millis(&self) -> u32 {
        self.cores.saturating_mul(1000).saturating_sub(KEPT_MILLIS)
    }
}

/// Thousandths of a core for all live encodes together.
pub fn room_millis(capacity: Option<&Capacity>) -> u32 {
    capacity.map_or(UNMEASURED_ENCODES * UNMEASURED_MILLIS, Capacity::room_millis)
}

/// Thousandths of a core that a live encode of this film takes, the little that it has to be
/// faster than the film included.
pub fn encode_millis(capacity: Option<&Capacity>, video: &VideoFacts, lines: u32) -> u32 {
    let cost = capacity.and_then(|capacity| capacity.cost(video, lines));
    cost.map_or(UNMEASURED_MILLIS, |cost| (cost * FASTER * 1000.0).ceil().min(f64::from(u32::MAX)) as u32)
}

/// The same by the chip; `None` where it does not encode this film with so many lines.
pub fn chip_millis(capacity: Option<&Capacity>, video: &VideoFacts, lines: u32) -> Option<u32> {
    let encode = capacity?.by_chip(video, lines)?;
    Some((encode.cost * FASTER * 1000.0).ceil().min(f64::from(u32::MAX)) as u32)
}

/// Thousandths of a core that a loge may count on: its own, and its part of what those leave whose
/// people do not watch (`idle`: what each of them has). `others`: how many others encode.
pub fn reach_millis(own: u32, idle: impl IntoIterator<Item = u32>, others: u32) -> u32 {
    let spare = idle.into_iter().map(|own| own.saturating_sub(RESERVE)).fold(0, u32::saturating_add);
    own.saturating_add(spare / others.saturating_add(1))
}

/// Lines with which this film can be encoded by the processor while it is watched by somebody
/// whose loge may use so many thousandths of a core; largest first.
pub fn live_lines(capacity: Option<&Capacity>, video: &VideoFacts, loge_millis: u32) -> Vec<u32> {
    let Some(capacity) = capacity else { return unmeasured(video) };
    let millis = |lines| capacity.cost(video, lines).map(|_| encode_millis(Some(capacity), video, lines));
    fitting(capacity, video, loge_millis, millis)
}

/// The same by the chip.
pub fn chip_lines(capacity: Option<&Capacity>, video: &VideoFacts, loge_millis: u32) -> Vec<u32> {
    let Some(capacity) = capacity else { return vec![] };
    let millis = |lines| if lines < CHIP_LINES { None } else { chip_millis(Some(capacity), video, lines) };
    fitting(capacity, video, loge_millis, millis)
}

fn fitting(capacity: &Capacity, video: &VideoFacts, loge_millis: u32, millis: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
    let own = video.height.min(1080) & !1;
    let most = loge_millis.min(capacity.room_millis());
    let fits =
        |lines: &u32| *lines <= own && *lines >= SMALLEST_LINES && millis(*lines).is_some_and(|millis| millis <= most);
    let mut lines: Vec<u32> = [own, 1080, 720, 480, 360, 240].into_iter().filter(fits).collect();
    lines.dedup();
    lines
}

/// What half a core of any machine encodes in real time: small pictures of small pictures.
fn unmeasured(video: &VideoFacts) -> Vec<u32> {
    const LARGEST_SOURCE: u64 = 720 * 576 * 31;
    let per_second = u64::from(video.width) * u64::from(video.height) * frame_rate(video).ceil() as u64;
    if per_second > LARGEST_SOURCE {
        return vec![];
    }
    let own = video.height.min(480) & !1;
    let mut lines = vec![own, 360, 240];
    lines.retain(|l| *l <= own && *l >= SMALLEST_LINES);
    lines.dedup();
    lines
}

pub(crate) fn frame_rate(video: &VideoFacts) -> f64 {
    video.frame_rate.filter(|rate| rate.is_finite()).unwrap_or(FILM_RATE).clamp(1.0, 240.0)
}

/// What decoding costs in comparison with the film of the calibration: rather too much than too
/// little, since only that film was measured.
fn decoder(video: &VideoFacts) -> f64 {
    let codec = match video.codec.as_str() {
        "h264" | "mpeg4" | "mpeg2video" | "mpeg1video" | "h263" | "msmpeg4v3" | "msmpeg4v2" | "mjpeg" | "vp8" => 1.0,
        "hevc" | "vp9" | "vc1" | "wmv3" => 1.5,
        _ => 2.0,
    };
    if video.bit_depth.is_some_and(|bits| bits > 8) { codec * 1.5 } else { codec }
}

#[cfg(test)]
mod tests;
