//! Prints the very commands that versions are made with, as JSON: one list of arguments per height.

#![expect(clippy::print_stdout, reason = "what it is for")]

use media::hls::{
    TICKS,
    args::{Preset, Rung, ToneMap, encode_video},
    plan::{Cut, Window},
};

/// Of the film that is encoded, whose key frames and cuts are two seconds apart.
const SECONDS: u64 = 60;
/// The worker's own number.
const THREADS: u32 = 2;

fn main() {
    let step = 2 * TICKS;
    let end = SECONDS * TICKS;
    let cuts = (0..SECONDS / 2).map(|n| Cut {
        start: n * step,
        key: n * step,
        before: n.saturating_sub(1) * step,
        after: (n + 1) * step,
        on_key: true,
    });
    let frame = u32::try_from(TICKS / 24).unwrap_or(3750);
    let window = Window { first: 0, cuts: cuts.collect(), end, is_last: true, shown: end, frame, back: 0 };
    let list = |height| {
        let kbps = domain::rendition::most_kbps(height);
        let rung = Rung { height, kbps, preset: Preset::Veryfast, tone_map: ToneMap::None };
        (height.to_string(), encode_video(&window, 0, rung, THREADS, false).args().to_vec())
    };
    let all: std::collections::BTreeMap<String, Vec<String>> = [480, 720].into_iter().map(list).collect();
    println!("{}", serde_json::json!(all));
}
