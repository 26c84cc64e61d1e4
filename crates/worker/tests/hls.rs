//! Segments of real films through the real worker: every one by itself and out of order must be
//! what one run from the start makes, and together they must be the film.

mod common;

use common::{House, films::*};
use contract::{Status, Track};
use media::hls::{
    AAC_RATE, TICKS,
    plan::{AudioPlan, VideoPlan},
};
use std::path::Path;

/// Every segment in order, by one run.
fn in_order(house: &mut House, name: &str, track: &Track, plan: &Plan) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut asker = Asker::new(house, 1);
    let init = asker.init(name, track);
    let all = (0..plan.len()).map(|n| {
        asker.segment(name, track, plan, n).unwrap_or_else(|e| panic!("{name} {track:?}: segment {n}: {e:?}"))
    });
    let all = all.collect();
    (init, all)
}

/// Starts, joins and first frames are as the playlist says.
fn joins_are_seamless(name: &str, track: &Track, plan: &Plan, init: &[u8], all: &[Vec<u8>]) {
    let starts = plan.starts();
    let mut last_end: Option<i64> = None;
    for (n, segment) in all.iter().enumerate() {
        let (scale, samples) = samples(init, segment);
        let start = samples[0].dts as f64 / f64::from(scale);
        // Copied sound keeps its own frames, which need not begin where the plan's do.
        let tolerance = if matches!(track, Track::AudioCopy { .. }) { 1024.0 / f64::from(scale) } else { 0.001 };
        assert!(
            (start - starts[n]).abs() <= tolerance,
            "{name} {track:?} {n}: begins at {start} instead of {}",
            starts[n]
        );
        if let Some(end) = last_end {
            assert_eq!(samples[0].dts, end, "{name} {track:?} {n}: a gap or an overlap");
        }
        assert!(samples[0].sync, "{name} {track:?} {n}: no key frame");
        let h264 = matches!(track, Track::VideoEncode { .. }) || init.windows(4).any(|w| w == b"avcC");
        if h264 && !matches!(track, Track::AudioCopy { .. } | Track::AudioEncode { .. }) {
            assert!(has_idr(&samples[0].data), "{name} {track:?} {n}: does not begin with an IDR picture");
        }
        assert!(samples.windows(2).all(|w| w[0].dts + i64::from(w[0].duration) == w[1].dts), "{name} {track:?} {n}");
        last_end = samples.last().map(|s| s.dts + i64::from(s.duration));
    }
}

fn has_idr(data: &[u8]) -> bool {
    let mut at = 0;
    while let Some(length) = data.get(at..at + 4) {
        if data.get(at + 4).is_some_and(|byte| byte & 0x1f == 5) {
            return true;
        }
        at += 4 + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    }
    false
}

/// Frames that the reference decoder gets out of the parts, which must be without an error.
fn decoded_frames(dir: &Path, init: &[u8], all: &[Vec<u8>], kind: &str) -> u64 {
    let path = dir.join("joined.mp4");
    std::fs::write(&path, [init, &all.concat()].concat()).unwrap();
    frames(path.to_str().unwrap(), kind)
}

fn frames(path: &str, kind: &str) -> u64 {
    let stream = format!("{kind}:0");
    let args = [
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        &stream,
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        path,
    ];
    let (out, errors) = output("ffprobe", &args);
    assert_eq!(errors, "", "{path}");
    out.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{path}: {out}"))
}

/// A fresh worker, every segment by itself and out of order.
fn out_of_order(name: &str, source: &House, track: &Track, plan: &Plan) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut house = House::open();
    std::fs::copy(source.library.join(name), house.library.join(name)).unwrap();
    let mut asker = Asker::new(&mut house, 1);
    let count = plan.len();
    let mut all = vec![Vec::new(); count as usize];
    // Coprime steps visit every number once and never in order.
    let step = [7, 11, 13, 17].into_iter().find(|s| !count.is_multiple_of(*s)).unwrap();
    for n in 0..count {
        let number = (n * step + count / 2) % count;
        all[number as usize] = asker
            .segment(name, track, plan, number)
            .unwrap_or_else(|e| panic!("{name} {track:?}: segment {number} alone: {e:?}"));
    }
    let init = asker.init(name, track);
    (init, all)
}

struct Case {
    name: &'static str,
    inputs: &'static [&'static str],
    out: &'static [&'static str],
    /// Whether the picture may be copied.
    copies: bool,
    hevc: bool,
}

fn check(case: &Case, out: &[&str]) {
    let mut house = House::open();
    let name = case.name;
    film(&house, name, case.inputs, out);
    let path = house.library.join(name);
    let source = frames(path.to_str().unwrap(), "v");
    let index = index(&mut house, name);
    let copy = VideoPlan::copy(&index);
    assert_eq!(copy.is_ok(), case.copies, "{name}: {copy:?}");
    let end = index.end;
    let mut tracks: Vec<(Track, Plan)> = Vec::new();
    if let Ok(copy) = copy {
        tracks.push((Track::VideoCopy { picture: 0, hevc: case.hevc }, Plan::Video(copy)));
    }
    tracks.push((Track::VideoEncode { picture: 0, rung: RUNG }, Plan::Video(VideoPlan::encode(&index))));
    tracks.push((Track::AudioEncode { index: 0 }, Plan::Audio(AudioPlan::new(end))));
    for (track, plan) in tracks {
        let (init, all) = in_order(&mut house, name, &track, &plan);
        joins_are_seamless(name, &track, &plan, &init, &all);
        let (alone_init, alone) = out_of_order(name, &house, &track, &plan);
        joins_are_seamless(name, &track, &plan, &alone_init, &alone);
        assert!(init == alone_init, "{name} {track:?}: the init depends on the run");
        match track {
            Track::VideoCopy { .. } => {
                assert!(all == alone, "{name} {track:?}: segments depend on the run");
                assert_eq!(decoded_frames(house.home.path(), &init, &all, "v"), source, "{name}: frames are lost");
            }
            Track::VideoEncode { .. } => {
                let of = |all: &[Vec<u8>]| all.iter().map(|s| samples(&init, s).1.len() as u64).sum::<u64>();
                assert_eq!((of(&all), of(&alone)), (source, source), "{name}: encoded frames");
                assert_eq!(decoded_frames(house.home.path(), &init, &alone, "v"), source, "{name}: encoded frames");
            }
            _ => {
                let wanted = (end * AAC_RATE).div_ceil(TICKS).div_ceil(1024);
                let got = all.iter().map(|s| samples(&init, s).1.len() as u64).sum::<u64>();
                assert_eq!(got, wanted, "{name}: sound is as long as the picture");
                assert!(decoded_frames(house.home.path(), &init, &alone, "a") + 3 >= wanted, "{name}");
            }
        }
    }
}

macro_rules! cases {
    ($($test:ident: $name:literal, $inputs:expr, $out:expr, copies $copies:literal, hevc $hevc:literal;)+) => {$(
        #[test]
        fn $test() {
            let case = Case { name: $name, inputs: &$inputs, out: &[], copies: $copies, hevc: $hevc };
            assert!(case.out.is_empty());
            check(&case, &$out.concat());
        }
    )+};
}

cases! {
    mp4_with_irregular_groups: "irregular.mp4", [],
        [H264, &["-bf", "0", "-g", "9999", "-sc_threshold", "0", "-force_key_frames", "0.042,1,1.2,5,5.5,9.7,14,20.3"], AAC], copies true, hevc false;
    mp4_with_b_frames_and_an_edit_list: "b-frames.mp4", [],
        [&["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "60"], AAC], copies true, hevc false;
    mkv_with_ac3: "ac3.mkv", [], [H264, &["-g", "50"], AC3], copies true, hevc false;
    mkv_that_begins_late: "late.mkv", [], [&["-output_ts_offset", "1.479"], H264, &["-g", "72", "-bf", "2"], AC3], copies true, hevc false;
    mkv_with_hevc: "hevc.mkv", [],
        [&["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params", "log-level=error:keyint=60"], AC3], copies true, hevc true;
    avi_with_mpeg4: "old.avi", [], [&["-c:v", "mpeg4", "-q:v", "5", "-bf", "2", "-g", "80", "-c:a", "libmp3lame"][..]], copies true, hevc false;
    webm_with_vp9: "nine.webm", [],
        [&["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k", "-g", "70", "-c:a", "libopus"][..]], copies true, hevc false;
    mov_with_a_changing_rate: "vfr.mov", [],
        [&["-vf", "select='not(mod(n,3))+lt(mod(n,40),20)'", "-fps_mode", "vfr"], H264, &["-g", "40"], &["-c:a", "pcm_s16le"]], copies true, hevc false;
    one_key_frame_for_everything: "sparse.mp4", [], [H264, &["-g", "9999", "-sc_threshold", "0"], AAC], copies false, hevc false;
    open_groups: "open.mp4", [],
        [&["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", "open-gop=1:keyint=72:bframes=3:scenecut=0"], AAC], copies false, hevc false;
}

#[test]
fn copied_sound_is_the_same_whoever_asks() {
    let mut house = House::open();
    for (name, out) in [("sound.mkv", [H264, AAC].concat()), ("sound.mp4", [H264, AAC].concat())] {
        film(&house, name, &[], &out);
        let index = index(&mut house, name);
        let phase = index.audio[0];
        let track = Track::AudioCopy { index: 0, start_us: phase.start_us, rate: phase.rate };
        let plan = Plan::Audio(AudioPlan::new(index.end.min(phase.end_us * 9 / 100)));
        let (init, all) = in_order(&mut house, name, &track, &plan);
        joins_are_seamless(name, &track, &plan, &init, &all);
        let (alone_init, alone) = out_of_order(name, &house, &track, &plan);
        assert!(init == alone_init && all == alone, "{name}: copied sound depends on the run");
        decoded_frames(house.home.path(), &init, &all, "a");
    }
}

#[test]
fn a_film_that_is_cut_short_is_no_film() {
    let mut house = House::open();
    film(&house, "whole.mkv", &[], &[H264, AC3].concat());
    let bytes = std::fs::read(house.library.join("whole.mkv")).unwrap();
    house.write("half.mkv", &bytes[..bytes.len() / 2]);
    house.write("text.mkv", b"not a film at all");
    let (status, _) = index_job(&mut house, "text.mkv");
    assert_ne!(status, Status::Ok);
    // What is there of it can be played.
    let index = index(&mut house, "half.mkv");
    let plan = Plan::Video(VideoPlan::copy(&index).unwrap());
    let (init, all) = in_order(&mut house, "half.mkv", &Track::VideoCopy { picture: 0, hevc: false }, &plan);
    joins_are_seamless("half.mkv", &Track::VideoCopy { picture: 0, hevc: false }, &plan, &init, &all);
}
