use super::*;
use crate::hls::plan::AudioPlan;

const FRAME: u32 = 3600;

fn window(cuts: &[u64], end: u64) -> Window {
    let cuts = cuts.iter().map(|at| Cut { start: *at, key: *at, before: 0, after: end, on_key: true }).collect();
    Window { first: 0, cuts, end, is_last: true, shown: end, frame: FRAME, back: 0 }
}
fn frame(n: i64, sync: bool) -> Sample {
    Sample { dts: n * 3600, duration: FRAME, offset: 0, sync, data: vec![n as u8] }
}
fn numbers(out: &[Segment]) -> Vec<u32> {
    out.iter().map(|s| s.number).collect()
}

#[test]
fn segments_end_where_they_are_planned_and_not_a_fragment_later() {
    let mut splitter = VideoSplitter::new(&window(&[0, 10 * 3600], 15 * 3600));
    let mut out = Vec::new();
    splitter.push((0..5).map(|n| frame(n, n == 0)).collect(), &mut out).unwrap();
    assert!(out.is_empty());
    splitter.push((5..10).map(|n| frame(n, n == 5)).collect(), &mut out).unwrap();
    assert_eq!(numbers(&out), [0]);
    splitter.push((10..15).map(|n| frame(n, n == 10)).collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    assert_eq!(numbers(&out), [0, 1]);
}

#[test]
fn a_run_from_further_back_makes_the_same_bytes() {
    let all = |from: i64| (from..15).map(move |n| frame(n, n % 5 == 0)).collect::<Vec<_>>();
    let cut = |first: usize, from: i64| {
        let whole = window(&[0, 5 * 3600, 10 * 3600], 15 * 3600);
        let part = Window { first: first as u32, cuts: whole.cuts[first..].to_vec(), ..whole };
        let (mut splitter, mut out) = (VideoSplitter::new(&part), Vec::new());
        splitter.push(all(from), &mut out).unwrap();
        splitter.finish(&mut out).unwrap();
        out
    };
    let full = cut(0, 0);
    assert_eq!(full.len(), 3);
    for from in [0, 5, 10] {
        assert_eq!(cut(2, from)[0], full[2]);
    }
    let part = Window { first: 1, cuts: window(&[0, 5 * 3600], 9 * 3600).cuts[1..].to_vec(), ..window(&[0], 9 * 3600) };
    let (mut late, mut out) = (VideoSplitter::new(&part), Vec::new());
    assert_eq!(late.push(all(10), &mut out), Err(SplitError::Overshoot));
    let mut missed = VideoSplitter::new(&window(&[0, 7 * 3600], 9 * 3600));
    assert_eq!(missed.push(all(0), &mut out), Err(SplitError::Missed));
}

#[test]
fn a_segment_of_an_encode_begins_with_an_idr_picture_whatever_the_muxer_says() {
    let nal = |kind: u8| [&[0, 0, 0, 3][..], &[0x60 | kind, 1, 2]].concat();
    let (idr, slice, set, info, delimiter) = (nal(5), nal(1), nal(7), nal(6), nal(9));
    let check = |sample: Vec<u8>, expected: Result<(), SplitError>| {
        let mut splitter = VideoSplitter::of_encode(&window(&[0], 3600));
        let mut out = Vec::new();
        splitter.push(vec![Sample { data: sample.clone(), ..frame(0, true) }], &mut out).unwrap();
        assert_eq!(splitter.finish(&mut out), expected, "{sample:?}");
        assert_eq!(out.len(), usize::from(expected.is_ok()));
    };
    check(idr.clone(), Ok(()));
    check([&delimiter[..], &set, &info, &idr].concat(), Ok(()));
    check([&idr[..], &slice].concat(), Ok(()));
    for bad in [
        slice.clone(),
        [&set[..], &slice, &idr].concat(),
        set,
        vec![],
        vec![0, 0, 0],
        vec![0, 0, 0, 1],
        vec![0xff; 40],
        [&[0, 0, 0, 0][..], &idr].concat(),
    ] {
        check(bad, Err(SplitError::NotSync));
    }
}

#[test]
fn decode_times_are_sorted_presentation_times() {
    let mut splitter = VideoSplitter::new(&window(&[0], 4 * 3600));
    let order = [(0, true), (3, false), (1, false), (2, false)];
    let samples = order.iter().enumerate().map(|(n, (shown, sync))| Sample {
        dts: (n as i64 - 1) * 3600,
        offset: (shown - n as i64 + 1) * 3600,
        ..frame(*shown, *sync)
    });
    let mut out = Vec::new();
    splitter.push(samples.collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    let mut parts = Vec::new();
    let read = samples_of(&out[0].bytes, &mut parts);
    assert_eq!(read.iter().map(|s| s.dts).collect::<Vec<_>>(), [0, 3600, 7200, 10_800]);
    assert_eq!(read.iter().map(Sample::pts).collect::<Vec<_>>(), [0, 10_800, 3600, 7200]);
    assert!(read.iter().all(|s| s.duration == FRAME));
}

fn samples_of(bytes: &[u8], parts: &mut Vec<super::super::fmp4::Part>) -> Vec<Sample> {
    use super::super::fmp4::{Part, Reader};
    let mut init = Vec::new();
    // The smallest init the reader takes: a timescale and nothing else.
    let mdhd = [&[0_u8; 12][..], &90_000_u32.to_be_bytes(), &[0; 8]].concat();
    let wrap = |name: &[u8; 4], inside: Vec<u8>| [&(inside.len() as u32 + 8).to_be_bytes()[..], name, &inside].concat();
    init.extend(wrap(b"moov", wrap(b"trak", wrap(b"mdia", wrap(b"mdhd", mdhd)))));
    init.extend(bytes);
    Reader::default().feed(&init, parts).unwrap();
    parts.drain(..).find_map(|p| if let Part::Fragment(samples) = p { Some(samples) } else { None }).unwrap()
}

#[test]
fn sound_is_put_on_its_grid() {
    let plan = AudioPlan::new(7 * TICKS);
    let mut splitter = AudioSplitter::encoded(plan, 1);
    let mut out = Vec::new();
    let frames = (136..400).map(|n| Sample { dts: n * 1024 + n % 3, duration: 1000, ..frame(0, true) });
    splitter.push(frames.collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    assert_eq!(numbers(&out), [1, 2]);
    let first = samples_of(&out[0].bytes, &mut Vec::new());
    assert_eq!((first.len(), first[0].dts), (141, 141 * 1024));
    let last = samples_of(&out[1].bytes, &mut Vec::new());
    assert_eq!(last.len(), (7 * 48_000_usize).div_ceil(1024) - 282);
}

#[test]
fn copied_sound_keeps_its_own_clock() {
    let plan = AudioPlan::new(7 * TICKS);
    let mut splitter = AudioSplitter::copied(plan, 0, 23_000, 44_100);
    let mut out = Vec::new();
    // Milliseconds, as Matroska rounds them.
    let frames = (0..400_i64).map(|n| {
        let ms = 23 + (n * 1024 * 1000 + 22_050) / 44_100;
        Sample { dts: ms * 441 / 10, ..frame(0, true) }
    });
    splitter.push(frames.collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    let first = samples_of(&out[0].bytes, &mut Vec::new());
    assert!(first.windows(2).all(|w| w[1].dts - w[0].dts == 1024));
    assert_eq!(first[0].dts, 1014);
    assert_eq!(numbers(&out), [0, 1, 2]);
}

#[test]
fn what_comes_behind_a_lost_frame_keeps_its_time() {
    let mut splitter = AudioSplitter::copied(AudioPlan::new(7 * TICKS), 0, 0, 48_000);
    let mut out = Vec::new();
    let kept = |n: &i64| !(10..14).contains(n);
    splitter
        .push((0..300).filter(kept).map(|n| Sample { dts: n * 1024, ..frame(0, true) }).collect(), &mut out)
        .unwrap();
    let first = samples_of(&out[0].bytes, &mut Vec::new());
    let starts: Vec<i64> = first.iter().map(|sample| sample.dts).collect();
    assert_eq!(starts[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15].map(|n| n * 1024));
    assert_eq!(first[9].duration, 5 * 1024, "the gap is of the frame before it");
}

/// Starts and key frames' marks of what came out.
fn held(out: &[Segment]) -> Vec<(u32, i64, u32, u8)> {
    let first = |segment: &Segment| {
        let samples = samples_of(&segment.bytes, &mut Vec::new());
        (segment.number, samples[0].dts, samples.iter().map(|s| s.duration).sum(), samples[0].data[0])
    };
    out.iter().map(first).collect()
}

#[test]
fn a_cut_that_does_not_come_is_held_where_the_film_is_damaged() {
    // Key frames at 0, 5, 10 and 15; the one at 5 is lost, and so is everything up to 11.
    let plan = window(&[0, 5 * 3600, 10 * 3600, 15 * 3600], 20 * 3600);
    let damaged = || (0..20).filter(|n| !(5..12).contains(n)).map(|n| frame(n, n % 5 == 0)).collect::<Vec<_>>();
    let mut out = Vec::new();
    let mut strict = VideoSplitter::new(&plan);
    assert_eq!(strict.push(damaged(), &mut out), Err(SplitError::Missed), "the control");
    let (mut lenient, mut out) = (VideoSplitter::new(&plan).lenient(), Vec::new());
    lenient.push(damaged(), &mut out).unwrap();
    lenient.finish(&mut out).unwrap();
    let five = 5 * FRAME;
    assert_eq!(held(&out), [(0, 0, five, 0), (1, 18_000, five, 0), (2, 36_000, five, 0), (3, 54_000, five, 15)]);
    // A run that begins in the damage shows what comes first.
    let part = Window { first: 1, cuts: plan.cuts[1..].to_vec(), ..plan.clone() };
    let (mut lenient, mut out) = (VideoSplitter::new(&part).lenient(), Vec::new());
    lenient.push(damaged().split_off(8), &mut out).unwrap();
    lenient.finish(&mut out).unwrap();
    assert_eq!(held(&out), [(1, 18_000, five, 15), (2, 36_000, five, 15), (3, 54_000, five, 15)]);
    // A film whose end is lost is held to it, a few segments at a time.
    let cuts: Vec<u64> = (0..30).map(|n| n * 18_000).collect();
    let (mut cut_off, mut out) = (VideoSplitter::new(&window(&cuts, 30 * 18_000)).lenient(), Vec::new());
    cut_off.push((0..7).map(|n| frame(n, n % 5 == 0)).collect(), &mut out).unwrap();
    cut_off.finish(&mut out).unwrap();
    assert_eq!(numbers(&out), (0..10).collect::<Vec<_>>());
    assert!(cut_off.cuts.is_empty(), "whoever wants more begins anew");
}

#[test]
fn behind_the_last_picture_a_key_frame_is_held() {
    let whole = window(&[0, 18_000, 60_000, 90_000], 100_000);
    let plan = Window { shown: 36_000, ..whole };
    let (mut splitter, mut out) = (VideoSplitter::new(&plan), Vec::new());
    splitter.push((0..10).map(|n| frame(n, n % 5 == 0)).collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    assert_eq!(held(&out), [(0, 0, 18_000, 0), (1, 18_000, 42_000, 5), (2, 60_000, 30_000, 5), (3, 90_000, 10_000, 5)]);
    // Pictures that end before they are said to are another thing.
    let mut early = VideoSplitter::new(&Window { shown: 80_000, ..plan.clone() });
    early.push((0..10).map(|n| frame(n, n % 5 == 0)).collect(), &mut Vec::new()).unwrap();
    assert_eq!(early.finish(&mut Vec::new()), Err(SplitError::Missed));
    // A run that began behind them has nothing to hold.
    let part = Window { first: 2, cuts: plan.cuts[2..].to_vec(), ..plan };
    assert_eq!(VideoSplitter::new(&part).finish(&mut Vec::new()), Err(SplitError::Overshoot));
}

#[test]
fn pictures_before_the_start_are_decoded_and_pass_in_no_time() {
    let (mut splitter, mut out) = (VideoSplitter::new(&window(&[0], 5 * 3600)), Vec::new());
    splitter.push((-3..5).map(|n| frame(n, n == -3)).collect(), &mut out).unwrap();
    splitter.finish(&mut out).unwrap();
    let samples = samples_of(&out[0].bytes, &mut Vec::new());
    assert_eq!(samples.iter().map(Sample::pts).collect::<Vec<_>>(), [0, 1, 2, 3, 3600, 7200, 10_800, 14_400]);
}
