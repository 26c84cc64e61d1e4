//! Who runs, for whom and how long: the programs behind segments.

mod common;

use common::{House, eventually, films::*, put, script};
use contract::{Job, PlanPart, RequestBody, Rung, Status, Track, Wanted};
use media::hls::plan::{AudioPlan, VideoPlan};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Programs of this worker that run.
fn programs(house: &House) -> Vec<String> {
    let worker = house.worker.id().to_string();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&worker)
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_storm_of_seeks_leaves_one_run_and_a_viewer_who_leaves_none() {
    let mut house = House::open();
    film(&house, "storm.mkv", &[], &[H264, &["-g", "24"], AC3].concat());
    let index = index(&mut house, "storm.mkv");
    let plan = Plan::Video(VideoPlan::copy(&index).unwrap());
    let track = Track::VideoCopy { picture: 0, hevc: false };
    for round in 0..30_u32 {
        let number = round * 5 % plan.len();
        let mut data = house.dial(round as u8 + 1);
        let wanted = Wanted { number, ahead: 2, plan: plan.part(number) };
        let file = house.file(b"storm.mkv", None);
        put(&mut data, 1, RequestBody::Segment { file, track: track.clone(), wanted, max_bytes: MAX });
        // The player has gone on to the next place before this one came.
        if round % 3 > 0 {
            assert!(take(&mut data, 1).len() == 1);
        }
        assert!(programs(&house).len() <= 2, "one run, and one that is being put away");
    }
    eventually("one run is left", || programs(&house).len() <= 1);
    eventually("nobody asks, nothing runs", || programs(&house).is_empty());
}

#[test]
fn who_makes_ahead_of_time_can_be_told_to_rest() {
    let mut house = House::open();
    film(&house, "rest.mkv", &[], &[H264, &["-g", "24"], AC3].concat());
    let index = index(&mut house, "rest.mkv");
    let plan = Plan::Video(VideoPlan::encode(&index));
    let track = Track::VideoEncode { picture: 0, rung: Rung { unhurried: true, ..RUNG } };
    let mut asker = Asker::new(&mut house, 1);
    let first = asker.segment("rest.mkv", &track, &plan, 0).unwrap();
    let rest = |asker: &mut Asker<'_>| {
        let file = asker.house.file(b"rest.mkv", None);
        let job = Job::Rest { file, track: track.clone() };
        asker.ask(RequestBody::Job { job, max_bytes: 64, time_limit_ms: 5000 })
    };
    assert_eq!(programs(asker.house).len(), 1, "it goes on by itself");
    assert_eq!(rest(&mut asker), Ok(vec![]));
    // Patience for the process table, well below the time after which any unused run ends.
    let until = Instant::now() + Duration::from_secs(5);
    while !programs(asker.house).is_empty() {
        assert!(Instant::now() < until, "it runs on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rest(&mut asker), Ok(vec![]), "twice is harmless");
    // Whoever goes on later gets what would have come.
    let later = asker.segment("rest.mkv", &track, &plan, 1).unwrap();
    assert!(!later.is_empty() && later != first);
}

#[test]
fn a_killed_run_is_begun_anew_and_nonsense_is_refused() {
    let mut house = House::open();
    film(&house, "kill.mkv", &[], &[H264, &["-g", "24"], AC3].concat());
    let index = index(&mut house, "kill.mkv");
    let plan = Plan::Video(VideoPlan::encode(&index));
    let track = Track::VideoEncode { picture: 0, rung: RUNG };
    let mut asker = Asker::new(&mut house, 1);
    asker.segment("kill.mkv", &track, &plan, 0).unwrap();
    kill_programs(asker.house);
    for number in 0..plan.len() {
        let made = asker.segment("kill.mkv", &track, &plan, number);
        assert!(made.is_ok(), "segment {number}: {made:?}");
    }
    // What a killed run had in hand is no segment, however far it had come.
    let (sound, heard) = (Track::AudioEncode { index: 0 }, Plan::Audio(AudioPlan::new(index.end)));
    let init = asker.init("kill.mkv", &sound);
    let mut frames = Vec::new();
    for number in 0..heard.len() {
        let segment = asker.segment("kill.mkv", &sound, &heard, number).unwrap();
        frames.push(samples(&init, &segment).1.len());
        kill_programs(asker.house);
    }
    let (last, whole) = frames.split_last().unwrap();
    assert!(whole.iter().all(|n| *n == 141) && *last > 1, "{frames:?}");
    let file = asker.house.file(b"kill.mkv", None);
    let crossed = Wanted { number: 0, ahead: 0, plan: PlanPart::Audio { end: 48_000 } };
    let body = RequestBody::Segment { file: file.clone(), track: track.clone(), wanted: crossed, max_bytes: MAX };
    assert_eq!(asker.ask(body), Err(Status::Refused));
    let empty = Wanted {
        number: 0,
        ahead: 0,
        plan: PlanPart::Video { cuts: vec![], end: 1, is_last: true, shown: 1, frame: 1, back: 0 },
    };
    let body = RequestBody::Segment { file: file.clone(), track: track.clone(), wanted: empty, max_bytes: MAX };
    assert_eq!(asker.ask(body), Err(Status::Refused));
    let wanted = Wanted { number: 0, ahead: 0, plan: plan.part(0) };
    let body = RequestBody::Segment { file, track, wanted, max_bytes: 10 };
    assert_eq!(asker.ask(body), Err(Status::Limit));
}

/// A command names so many cuts and no more; where a film's frames do not lie exactly on them, the
/// last segment ends only with the group behind it.
#[test]
fn the_last_segment_that_a_run_knows_comes_before_the_film_has_ended() {
    let mut house = House::open();
    let noise = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=24,noise=alls=60:allf=t"];
    film(&house, "goes-on.mkv", &noise, &[H264, &["-g", "50", "-map", "0:v"]].concat());
    let index = index(&mut house, "goes-on.mkv");
    let PlanPart::Video { mut cuts, end, shown, frame, back, .. } = Plan::Video(VideoPlan::encode(&index)).part(0)
    else {
        panic!("a plan of pictures")
    };
    cuts.truncate(3);
    cuts[1..].iter_mut().for_each(|cut| cut.start -= 900);
    let plan = PlanPart::Video { cuts, end, is_last: false, shown, frame, back };
    let track = Track::VideoEncode { picture: 0, rung: Rung { kbps: 8000, ..RUNG } };
    let (mut asker, mut bytes) = (Asker::new(&mut house, 1), vec![]);
    for number in 0..2 {
        let wanted = Wanted { number, ahead: 0, plan: plan.clone() };
        let wanted = if number == 0 { wanted } else { from(wanted, 1) };
        let file = asker.house.file(b"goes-on.mkv", None);
        let body = RequestBody::Segment { file, track: track.clone(), wanted, max_bytes: MAX };
        bytes.push(asker.ask(body).unwrap_or_else(|e| panic!("segment {number}: {e:?}")).len() as u64);
    }
    // Twelve such segments are the film, and a pipe holds less than one.
    let written = written_by_programs(asker.house);
    assert!(bytes[1] > 1 << 20 && written > bytes[1] && written < 6 * bytes[1], "{written} of {bytes:?}");
}

/// Bytes that the running programs of this worker have given away; 0 where none runs.
fn written_by_programs(house: &House) -> u64 {
    let of = |pid: &str| {
        let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse::<u64>().ok()).unwrap_or(0)
    };
    programs(house).iter().map(|pid| of(pid)).sum()
}

/// The same plan, seen from a later segment.
fn from(wanted: Wanted, number: usize) -> Wanted {
    let PlanPart::Video { cuts, end, is_last, shown, frame, back } = wanted.plan else { panic!("a plan of pictures") };
    let plan = PlanPart::Video { cuts: cuts[number..].to_vec(), end, is_last, shown, frame, back };
    Wanted { plan, ..wanted }
}

#[expect(clippy::disallowed_methods, reason = "kills what the worker started")]
fn kill_programs(house: &House) {
    let _ = Command::new("pkill").args(["-KILL", "-P", &house.worker.id().to_string()]).status();
}

/// What the index is made of where tables do not say it, and the judge where they do.

#[test]
fn what_is_begun_ahead_is_there_when_somebody_asks() {
    let mut house = House::open();
    film(&house, "ahead.mkv", &[], &[H264, &["-g", "24"], AC3].concat());
    let index = index(&mut house, "ahead.mkv");
    let plan = Plan::Video(VideoPlan::encode(&index));
    let track = Track::VideoEncode { picture: 0, rung: RUNG };
    let mut asker = Asker::new(&mut house, 1);
    let begin = |asker: &mut Asker<'_>, plan: PlanPart, number| {
        let file = asker.house.file(b"ahead.mkv", None);
        let wanted = Wanted { number, ahead: 2, plan };
        let job = Job::Begin { file, track: track.clone(), wanted };
        asker.ask(RequestBody::Job { job, max_bytes: 64, time_limit_ms: 5000 })
    };
    let nonsense = PlanPart::Audio { end: 48_000 };
    assert_eq!(begin(&mut asker, nonsense, 0), Err(Status::Refused));
    assert_eq!(programs(asker.house).len(), 0);

    assert_eq!(begin(&mut asker, plan.part(3), 3), Ok(vec![]));
    eventually("it runs though nobody asked", || programs(asker.house).len() == 1);
    // The init is that of the run: no second program is started for it.
    let init = asker.init("ahead.mkv", &track);
    assert!(programs(asker.house).len() <= 1, "a program of its own made the init");
    // Somewhere else: the one that runs is not disturbed by a mere wish.
    assert_eq!(begin(&mut asker, plan.part(0), 0), Ok(vec![]));
    let third = asker.segment("ahead.mkv", &track, &plan, 3).unwrap();
    assert!(!samples(&init, &third).1.is_empty());
    assert!(programs(asker.house).len() <= 1);
    // Somebody who really asks is heard.
    let first = asker.segment("ahead.mkv", &track, &plan, 0).unwrap();
    assert_eq!(samples(&init, &first).1[0].dts, 0);
    assert_eq!(begin(&mut asker, plan.part(0), 0), Ok(vec![]), "it lies there");
    drop(asker);
    eventually("nobody asks, nothing runs", || programs(&house).is_empty());
}

#[test]
fn a_program_that_lacks_something_is_no_fault_of_the_film() {
    let home = tempfile::tempdir().unwrap();
    let said = |words: &str| script(&home, &format!("echo '[error] {words}' >&2; exit 1"));
    let program = said("pthread_create: Resource temporarily unavailable");
    let mut house = House::with_programs(&program, &program);
    house.write("film.mkv", b"x");
    let sound = Track::AudioEncode { index: 0 };
    let plan = Plan::Audio(AudioPlan { end: 480_000 });
    let mut asker = Asker::new(&mut house, 1);
    for (words, status) in [
        ("pthread_create: Resource temporarily unavailable", Status::Limit),
        ("av_malloc: Cannot allocate memory", Status::Limit),
        ("Invalid data found when processing input", Status::Failed),
    ] {
        said(words);
        assert_eq!(asker.segment("film.mkv", &sound, &plan, 0), Err(status), "{words}");
    }
}
