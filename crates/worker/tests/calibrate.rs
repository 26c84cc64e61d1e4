//! The measurements of a calibration, by the real worker and the real ffmpeg.

mod common;

use common::{House, job, put};
use contract::{Encoder, Job, Measured, RequestBody, Rung, Status, measure};
use std::time::Duration;

const TIME_MS: u32 = 120_000;

fn rungs() -> Vec<Rung> {
    let rung = |height, tone_map| Rung { height, kbps: 5000, unhurried: false, tone_map, encoder: Encoder::Processor };
    vec![rung(360, false), rung(1080, false), rung(480, false), rung(480, true)]
}

fn calibrate(house: &mut House, file: Option<&str>) -> Measured {
    let read = file.map(|name| house.file(name.as_bytes(), None));
    let mut data = house.dial(1);
    data.set_read_timeout(Some(Duration::from_millis(u64::from(TIME_MS)))).unwrap();
    let (status, bytes) =
        job(&mut data, 1, Job::Calibrate { rungs: rungs(), read, chip: false }, measure::MAX_BYTES, TIME_MS);
    assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&bytes));
    measure::decode(&bytes, rungs().len()).unwrap()
}

#[test]
fn a_machine_is_measured_and_nothing_of_it_stays() {
    let mut house = House::open();
    house.write("large.mkv", &vec![7; 12 << 20]);
    // The cheaper of two: what the machine does beside only adds to a cost.
    let [first, measured] = [(); 2].map(|()| calibrate(&mut house, Some("large.mkv")));
    let costs = first.encode_us.iter().zip(&measured.encode_us);
    let encode: Vec<u32> = costs.map(|(a, b)| (*a).min(*b).expect("every picture can be made here")).collect();
    assert!(encode[0] < encode[1], "more lines cost more: {measured:?}");
    assert!(encode[2] < encode[3], "and so does HDR: {measured:?}");
    assert!(measured.remux_us < measured.decode_us, "wrapping is no decoding: {measured:?}");
    assert!(measured.read_bytes_per_s.is_some_and(|speed| speed > 0));
    let left: Vec<_> = std::fs::read_dir(house.home.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn too_many_pictures_are_refused_and_a_small_file_tells_no_speed() {
    let mut house = House::open();
    house.write("small.mkv", &[7; 4096]);
    let mut data = house.dial(1);
    data.set_read_timeout(Some(Duration::from_millis(u64::from(TIME_MS)))).unwrap();
    let many = Job::Calibrate { rungs: vec![rungs()[0]; measure::MAX_RUNGS + 1], read: None, chip: false };
    assert_eq!(job(&mut data, 1, many, measure::MAX_BYTES, TIME_MS).0, Status::Refused);
    let none = Job::Calibrate { rungs: vec![], read: Some(house.file(b"small.mkv", None)), chip: false };
    let (status, bytes) = job(&mut data, 2, none, measure::MAX_BYTES, TIME_MS);
    assert_eq!(status, Status::Ok);
    assert_eq!(measure::decode(&bytes, 0).unwrap().read_bytes_per_s, None);
}

#[test]
fn leaving_ends_it() {
    let mut house = House::open();
    let mut data = house.dial(1);
    let job = Job::Calibrate { rungs: rungs(), read: None, chip: false };
    put(&mut data, 1, RequestBody::Job { job, max_bytes: measure::MAX_BYTES, time_limit_ms: TIME_MS });
    common::eventually("it works", || house.ping(1) == 1);
    drop(data);
    common::eventually("it rests", || house.ping(2) == 0);
}
