use super::*;
use crate::chip::{Chip, ChipProblem, ChipRung, VaDriver};

/// A ten-year-old machine with four cores.
fn old_pc() -> Capacity {
    Capacity {
        measured_at_ms: 1,
        cores: 4,
        decode_cost: 0.10,
        encode: vec![(360, 0.10), (480, 0.15), (720, 0.30), (1080, 0.60)],
        tone_map_cost: Some(0.40),
        remux_cost: 0.01,
        disk_bytes_per_s: Some(120_000_000),
        memory_bytes: 8 << 30,
        chip: ChipVerdict::Untested,
    }
}

fn film(codec: &str, width: u32, height: u32, rate: f64) -> VideoFacts {
    VideoFacts { bit_depth: Some(8), frame_rate: Some(rate), ..VideoFacts::plain(codec, width, height) }
}

#[test]
fn lines_are_offered_that_one_loge_makes_faster_than_the_film() {
    let check = |video: &VideoFacts, millis, expected: &[u32]| {
        assert_eq!(live_lines(Some(&old_pc()), video, millis), expected, "{video:?} {millis}");
    };
    let full_hd = film("h264", 1920, 1080, 25.0);
    check(&full_hd, 500, &[720, 480, 360, 240]); // 720: 0.40 × 1.1
    check(&full_hd, 430, &[480, 360, 240]);
    check(&full_hd, 770, &[1080, 720, 480, 360, 240]);
    check(&full_hd, 219, &[]);
    check(&film("h264", 1920, 1080, 50.0), 500, &[360, 240]);
    check(&film("mpeg4", 1280, 720, 25.0), 500, &[720, 480, 360, 240]);
    check(&film("mpeg4", 640, 352, 25.0), 500, &[352, 240]);
    check(&film("h264", 1920, 800, 25.0), 500, &[720, 480, 360, 240]); // its own 800 cost what 1080 do
    let uhd = film("hevc", 3840, 2160, 25.0);
    check(&uhd, 900, &[480, 360, 240]); // 0.6 for decoding alone
    check(&VideoFacts { bit_depth: Some(10), ..uhd.clone() }, 900, &[]);
    check(&film("h264", 100, 100, 25.0), 500, &[100]);
    check(&film("h264", 30, 30, 25.0), 500, &[]);
}

#[test]
fn no_loge_gets_what_the_gateway_needs() {
    let one = Capacity { cores: 1, ..old_pc() };
    assert_eq!(live_lines(Some(&one), &film("h264", 1920, 1080, 25.0), 4000), [720, 480, 360, 240]);
    assert_eq!(room_millis(Some(&one)), 500);
}

#[test]
fn what_took_too_long_to_be_measured_is_not_offered() {
    let slow = Capacity { encode: vec![(360, 0.2)], ..old_pc() };
    assert_eq!(live_lines(Some(&slow), &film("h264", 1280, 720, 25.0), 500), [360, 240]);
    assert_eq!((slow.most_live(480), slow.speed(480)), (0, None));
}

#[test]
fn what_idle_loges_leave_is_shared() {
    assert_eq!(reach_millis(500, [], 0), 500);
    assert_eq!(reach_millis(500, [1000, 500], 0), 500 + 900 + 400);
    assert_eq!(reach_millis(500, [1000], 1), 950);
    assert_eq!(reach_millis(500, [50], 0), 500);
}

#[test]
fn hdr_costs_its_tone_mapping() {
    let hdr = VideoFacts { transfer: Some("smpte2084".into()), ..film("hevc", 1920, 1080, 25.0) };
    let sum = 0.15 + 0.15 + 0.40;
    assert!((old_pc().cost(&hdr, 480).unwrap() - sum).abs() < 1e-9);
    assert_eq!(live_lines(Some(&old_pc()), &hdr, 800), [480, 360, 240]);
    let without = Capacity { tone_map_cost: None, ..old_pc() };
    assert_eq!(live_lines(Some(&without), &hdr, 4000), []);
}

#[test]
fn as_many_run_at_once_as_leave_half_a_core() {
    // 0.25 × 1.1 each, of 3.5.
    assert_eq!(old_pc().most_live(480), 12);
    assert_eq!(old_pc().most_live(1080), 4);
    assert_eq!(encode_millis(Some(&old_pc()), &film("h264", 1920, 1080, 25.0), 480), 275);
    assert!((old_pc().speed(480).unwrap() - 4.0).abs() < 1e-9);
}

#[test]
fn before_a_calibration_the_careful_rule_holds() {
    let check = |video: &VideoFacts, expected: &[u32]| assert_eq!(live_lines(None, video, 500), expected, "{video:?}");
    check(&film("mpeg4", 720, 576, 25.0), &[480, 360, 240]);
    check(&film("mpeg4", 720, 480, 29.97), &[480, 360, 240]);
    check(&film("mpeg4", 640, 360, 24.0), &[360, 240]);
    check(&film("mpeg4", 320, 180, 24.0), &[180]);
    check(&film("mpeg4", 1280, 720, 25.0), &[]);
    check(&film("mpeg4", 720, 576, 50.0), &[]);
    check(&film("mpeg4", 160, 120, 25.0), &[120]);
    check(&film("mpeg4", 40, 30, 25.0), &[]);
    let one = encode_millis(None, &film("mpeg4", 720, 576, 25.0), 480);
    assert_eq!(room_millis(None) / one, 2);
}

#[test]
fn numbers_that_no_machine_has_are_refused() {
    assert!(old_pc().checked().is_some());
    for bad in [
        Capacity { decode_cost: 0.0, ..old_pc() },
        Capacity { decode_cost: f64::NAN, ..old_pc() },
        Capacity { remux_cost: -1.0, ..old_pc() },
        Capacity { tone_map_cost: Some(1e9), ..old_pc() },
        Capacity { encode: vec![(480, 0.1), (360, 0.1)], ..old_pc() },
        Capacity { encode: vec![(500, 0.1)], ..old_pc() },
        Capacity { cores: 0, ..old_pc() },
    ] {
        assert!(bad.clone().checked().is_none(), "{bad:?}");
    }
}

#[test]
fn the_chip_offers_what_it_was_tested_for_and_only_where_it_passed() {
    let rung = |lines, fps| ChipRung { lines, upload_cost: Some(0.10), whole_cost: Some(0.05), fps };
    let chip = Chip { driver: VaDriver::I965, rungs: vec![rung(480, 200.0), rung(720, 90.0)] };
    let able = Capacity { chip: ChipVerdict::Works(chip.clone()), ..old_pc() };
    let cinema = VideoFacts { pixel_format: Some("yuv420p".into()), ..film("h264", 1920, 1080, 24.0) };
    assert_eq!(chip_lines(Some(&able), &cinema, 200), [720, 480, 360, 240]);
    assert_eq!(chip_millis(Some(&able), &cinema, 720), Some(53), "decoded there too: 0.048 × 1.1");
    assert_eq!(chip_millis(Some(&able), &cinema, 1080), None);
    let television = VideoFacts { frame_rate: Some(25.0), ..cinema.clone() };
    assert_eq!(chip_lines(Some(&able), &television, 210), [0; 0], "decoding alone takes 0.1");
    assert_eq!(chip_lines(Some(&able), &television, 221), [720, 480, 360, 240]);
    assert_eq!((able.chip_slots(), old_pc().chip_slots()), (3, 0));
    for chip in [ChipVerdict::Untested, ChipVerdict::Failed(ChipProblem::TooSlow)] {
        let without = Capacity { chip, ..old_pc() };
        assert_eq!(chip_lines(Some(&without), &cinema, 4000), [0; 0]);
        assert_eq!(without.chip_slots(), 0);
    }
    assert_eq!(chip_lines(None, &cinema, 4000), [0; 0]);
    let mad = Chip { rungs: vec![rung(480, f64::INFINITY)], ..chip };
    assert!(Capacity { chip: ChipVerdict::Works(mad), ..old_pc() }.checked().is_none());
}
