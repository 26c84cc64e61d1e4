//! The graphics chip: its self-test and encodes by it, through the real worker. No chip is needed: a
//! media program stands in for it, and what must fail fails on real devices that are none.

mod common;

use common::{
    House, ask,
    chip::{Chip, program},
    job,
};
use contract::{
    ChipCost, ChipTest, Encoder, Job, PlanPart, PlannedCut, RequestBody, Rung, Status, Track, Wanted, env, measure,
};
use domain::chip::{ChipProblem, VaDriver};
use std::{path::Path, time::Duration};

const TIME_MS: u32 = 300_000;
const NODE: &str = "/dev/dri/renderD128";
const FFPROBE: &str = "/usr/bin/ffprobe";

fn rungs() -> Vec<Rung> {
    let rung = |height, tone_map| Rung { height, kbps: 1400, unhurried: false, tone_map, encoder: Encoder::Processor };
    vec![rung(360, false), rung(480, true)]
}

/// A folder with a driver in it, and the media program of a chip that behaves like this.
struct Stand {
    folder: tempfile::TempDir,
    ffmpeg: std::path::PathBuf,
    log: std::path::PathBuf,
}

impl Stand {
    fn new(chip: Chip) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ffmpeg, log) = program(folder.path(), chip, NODE);
        std::fs::write(folder.path().join(VaDriver::I965.file_name()), b"a driver").unwrap();
        Self { folder, ffmpeg, log }
    }
    fn house(&self) -> House {
        let extra = [(env::RENDER_NODE, Path::new(NODE)), (env::VA_DRIVERS, self.folder.path())];
        House::with(&self.ffmpeg, Path::new(FFPROBE), &extra)
    }
    fn commands(&self) -> Vec<String> {
        std::fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

fn test_chip(house: &mut House) -> ChipTest {
    test_chip_for(house, &rungs()[..1])
}

fn test_chip_for(house: &mut House, rungs: &[Rung]) -> ChipTest {
    let mut data = house.dial(1);
    data.set_read_timeout(Some(Duration::from_millis(u64::from(TIME_MS)))).unwrap();
    let calibrate = Job::Calibrate { rungs: rungs.to_vec(), read: None, chip: true };
    let (status, bytes) = job(&mut data, 1, calibrate, measure::MAX_BYTES, TIME_MS);
    assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&bytes));
    let measured = measure::decode(&bytes, rungs.len()).unwrap();
    assert!(measured.encode_us.iter().all(Option::is_some), "the processor is measured all the same: {measured:?}");
    measured.chip.expect("it was asked for")
}

#[test]
fn a_chip_that_does_its_work_passes_by_both_ways() {
    let stand = Stand::new(Chip::Works);
    let mut house = stand.house();
    let ChipTest::Works { driver, rungs } = test_chip_for(&mut house, &rungs()) else {
        panic!("{:?}", stand.commands())
    };
    assert_eq!(driver, VaDriver::I965);
    let [Some(ChipCost { upload_us: Some(_), whole_us: Some(_), fps }), None] = rungs[..] else { panic!("{rungs:?}") };
    assert!(fps >= 75, "as fast as it must be: {rungs:?}");
    let commands = stand.commands();
    assert_eq!(commands.iter().filter(|c| c.contains("-hwaccel vaapi")).count(), 1, "{commands:#?}");
    assert_eq!(commands.len(), 2, "HDR is not for it: {commands:#?}");
    assert!(commands.iter().all(|c| c.contains("-force_key_frames 0.000000,0.980000,1.980000,")), "{commands:#?}");
    let left: Vec<_> = std::fs::read_dir(house.home.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_chip_that_only_encodes_passes_by_one() {
    let stand = Stand::new(Chip::DoesNotDecode);
    let ChipTest::Works { rungs, .. } = test_chip(&mut stand.house()) else { panic!("{:?}", stand.commands()) };
    assert!(matches!(rungs[0], Some(ChipCost { upload_us: Some(_), whole_us: None, .. })), "{rungs:?}");
}

#[test]
fn every_way_of_failing_has_its_own_reason() {
    for (chip, expected) in [
        (Chip::DoesNotStart, ChipProblem::NoEncode),
        (Chip::IgnoresKeyFrames, ChipProblem::KeyFrames),
        (Chip::NoIdr, ChipProblem::KeyFrames),
        (Chip::LosesFrames, ChipProblem::Frames),
        (Chip::Garbles, ChipProblem::Undecodable),
        (Chip::IsSlow, ChipProblem::TooSlow),
    ] {
        let stand = Stand::new(chip);
        assert_eq!(test_chip(&mut stand.house()), ChipTest::Failed(expected), "{chip:?}: {:#?}", stand.commands());
    }
}

#[test]
fn without_device_or_driver_or_with_a_device_that_is_no_chip_it_says_so() {
    let ffmpeg = Path::new("/usr/bin/ffmpeg");
    let mut none = House::with(ffmpeg, Path::new(FFPROBE), &[]);
    assert_eq!(test_chip(&mut none), ChipTest::Failed(ChipProblem::NoDevice));
    let empty = tempfile::tempdir().unwrap();
    let of = |node: &str, drivers: &Path| {
        let extra = [(env::RENDER_NODE, Path::new(node)), (env::VA_DRIVERS, drivers)];
        test_chip(&mut House::with(ffmpeg, Path::new(FFPROBE), &extra))
    };
    assert_eq!(of("/dev/null", empty.path()), ChipTest::Failed(ChipProblem::NoDriver));
    std::fs::write(empty.path().join("i965_drv_video.so"), b"no driver").unwrap();
    for node in ["/dev/null", "/dev/zero", "/dev/dri/renderD199"] {
        assert_eq!(of(node, empty.path()), ChipTest::Failed(ChipProblem::NoEncode), "{node}");
    }
}

/// Six seconds in three segments, with a key frame of the source at the first one only.
fn wanted(number: u32) -> Wanted {
    const SECOND: u64 = 90_000;
    let cut = |n: u64| PlannedCut {
        start: n * 2 * SECOND,
        key: n * 2 * SECOND,
        before: 0,
        after: 6 * SECOND,
        on_key: n == 0,
    };
    let cuts = (u64::from(number)..3).map(cut).collect();
    let plan = PlanPart::Video { cuts, end: 6 * SECOND, is_last: true, shown: 6 * SECOND, frame: 3600, back: 0 };
    Wanted { number, ahead: 1, plan }
}

fn track(encoder: Encoder) -> Track {
    Track::VideoEncode { picture: 0, rung: Rung { encoder, ..rungs()[0] } }
}

const BY_CHIP: Encoder = Encoder::Chip { driver: VaDriver::I965, decodes: false };

fn get(house: &mut House, mark: u8, track: &Track, number: Option<u32>) -> (Status, Vec<u8>) {
    let file = house.file(b"film.mkv", None);
    let (track, max_bytes) = (track.clone(), 8 << 20);
    let body = match number {
        None => RequestBody::Init { file, track, max_bytes },
        Some(number) => RequestBody::Segment { file, track, wanted: wanted(number), max_bytes },
    };
    let mut data = house.dial(mark);
    data.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (head, bytes) = ask(&mut data, 1, body);
    (head.status, bytes)
}

fn film(house: &House) {
    house.clip("film.mkv", &["-t", "6", "-filter_complex", "[0:v]loop=2:50:0[v]", "-map", "[v]", "-g", "500"]);
}

#[test]
fn a_film_is_encoded_by_the_chip_and_cut_like_any_other() {
    let stand = Stand::new(Chip::Works);
    let mut house = stand.house();
    film(&house);
    let by_chip = track(BY_CHIP);
    let (status, init) = get(&mut house, 1, &by_chip, None);
    assert_eq!(status, Status::Ok);
    for number in [0, 1, 2] {
        let (status, bytes) = get(&mut house, 2 + number as u8, &by_chip, Some(number));
        assert_eq!(status, Status::Ok, "segment {number}: {:#?}", stand.commands());
        assert!(bytes.len() > 1000);
    }
    let commands = stand.commands();
    assert!(
        commands[0].contains("-frames:v 1") && commands[1].contains("-force_key_frames 0.000000,1.980000,3.980000")
    );
    // By the processor it is another track: nothing of one is ever behind the other's beginning.
    let (status, other) = get(&mut house, 9, &track(Encoder::Processor), None);
    assert_eq!(status, Status::Ok);
    assert_ne!(init, other);
    assert_eq!(stand.commands().len(), commands.len(), "and no command of a chip");
}

#[test]
fn what_the_chip_does_wrong_never_reaches_a_player_and_the_processor_goes_on() {
    for chip in [Chip::DoesNotStart, Chip::OnlyBegins, Chip::IgnoresKeyFrames] {
        let stand = Stand::new(chip);
        let mut house = stand.house();
        film(&house);
        let (status, _) = get(&mut house, 1, &track(BY_CHIP), Some(0));
        assert_eq!(status, Status::Failed, "{chip:?}: {:#?}", stand.commands());
        assert_eq!(get(&mut house, 3, &track(Encoder::Processor), Some(0)).0, Status::Ok, "{chip:?}");
    }
}

#[test]
fn a_loge_without_a_chip_refuses_to_encode_by_one() {
    let mut house = House::open();
    film(&house);
    for number in [None, Some(0)] {
        assert_eq!(get(&mut house, 1, &track(BY_CHIP), number).0, Status::Refused);
    }
    assert_eq!(get(&mut house, 2, &track(Encoder::Processor), Some(0)).0, Status::Ok);
}
