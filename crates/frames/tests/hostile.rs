//! Films that are broken in every container, some hundred of them, the same ones every time. Each
//! may fail; none may cost anybody else anything.

mod common;

use common::*;
use contract::pictures::{Ending, Order, Picture};
use std::{collections::BTreeMap, path::Path};

/// Per film of [`WHOLE`]; `LOGE_LONG` tries ten times as many.
const EACH: u64 = 60;

const WHOLE: [(&str, &[&str]); 8] = [
    ("h264.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]),
    ("fast.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]),
    ("pieces.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+frag_keyframe"]),
    (
        "h265.mkv",
        &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p"],
    ),
    ("mpeg2.mkv", &["-c:v", "mpeg2video", "-bf", "2", "-c:a", "ac3"]),
    ("vp9.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-b:v", "200k", "-c:a", "libopus"]),
    ("mpeg4.avi", &["-c:v", "mpeg4", "-c:a", "libmp3lame"]),
    ("prores.mov", &["-c:v", "prores_ks", "-pix_fmt", "yuv422p10le", "-c:a", "pcm_s16le"]),
];

/// SplitMix64: the same numbers every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }
}

/// One way to break a film.
fn broken(whole: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut film = whole.to_vec();
    // Headers and tables are what readers trust.
    let header = 4096.min(film.len());
    match chance.next(7) {
        0 => film.truncate(chance.next(whole.len())),
        1 => (0..=chance.next(20)).for_each(|_| film[chance.next(header)] = chance.next(256) as u8),
        2 => (0..=chance.next(200)).for_each(|_| film[chance.next(whole.len())] ^= 1 << chance.next(8)),
        // Sizes and counts become huge, negative or nothing.
        3 => {
            let word = [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0], [0; 4]][chance.next(4)];
            for _ in 0..=chance.next(4) {
                let at = chance.next(header.saturating_sub(4));
                film[at..at + 4].copy_from_slice(&word);
            }
        }
        // Tables of an mp4 without its beginning moved lie at the end.
        4 => {
            let from = whole.len() - header;
            (0..=chance.next(40)).for_each(|_| film[from + chance.next(header)] = chance.next(256) as u8);
        }
        5 => {
            let (at, length) = (chance.next(whole.len()), chance.next(whole.len() / 4));
            film.drain(at..(at + length).min(whole.len()));
        }
        _ => {
            let (from, at) = (chance.next(whole.len()), chance.next(whole.len()));
            let piece = whole[from..(from + chance.next(2000)).min(whole.len())].to_vec();
            film.splice(at..at, piece);
        }
    }
    film
}

fn whole(dir: &Path, name: &str, codecs: &[&str]) -> std::path::PathBuf {
    let path = dir.join(name);
    let sources = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=12:d=3", "-f", "lavfi", "-i", "sine=d=3"];
    ffmpeg(&[&sources[..], codecs, &["-g", "12", path.to_str().unwrap()]].concat());
    path
}

#[test]
fn broken_films_cost_themselves_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let each = if std::env::var_os("LOGE_LONG").is_some() { EACH * 10 } else { EACH };
    let mut frames = Frames::start();
    let sheet = Order { cpu_s: 10, memory_bytes: GIB, ..sheet(&[0, 1_000, 2_000, 100_000], (160, 90)) };
    let poster = Order {
        picture: Picture::Poster { picture_track: 0, moments_ms: vec![300, 900, 2_700], width: 320 },
        ..sheet.clone()
    };
    let mut endings: BTreeMap<String, u32> = BTreeMap::new();
    for (seed, (name, codecs)) in WHOLE.iter().enumerate() {
        let honest = whole(dir.path(), name, codecs);
        let bytes = std::fs::read(&honest).unwrap();
        let control = jpeg(frames.ask(&honest, &sheet));
        let hostile = dir.path().join(format!("hostile-{name}"));
        let mut chance = Chance(seed as u64);
        for n in 0..each {
            std::fs::write(&hostile, broken(&bytes, &mut chance)).unwrap();
            let order = if n % 2 == 0 { &sheet } else { &poster };
            let (status, bytes, ending) = frames.ask(&hostile, order);
            assert!(bytes.len() <= order.max_bytes as usize, "{name} {n}");
            let ended = if ending == Ending::Exited(0) { format!("{status:?}") } else { format!("{ending:?}") };
            *endings.entry(ended).or_default() += 1;
        }
        // As good as new for the next one, whatever became of these.
        assert!(frames.program.try_wait().unwrap().is_none() && frames.children().is_empty(), "{name}");
        assert_eq!(jpeg(frames.ask(&honest, &sheet)), control, "{name}");
    }
    eprintln!("{endings:?}");
    let count = |name: &str| endings.get(name).copied().unwrap_or_default();
    assert!(count("Some(Ok)") > 50 && count("Some(Failed)") > 50, "the control: they differ: {endings:?}");
}
