//! How the worker keeps `loge-frames`: one for all pictures, one process per picture, nothing left,
//! and ffmpeg where it cannot be had.

mod common;

use common::{House, children_of, eventually, frames_binary, job, put};
use contract::{Job, RequestBody, Status};
use std::{os::unix::fs::PermissionsExt, path::Path};

/// A film whose sheet takes a while: 8K, every picture a key frame.
fn slow(house: &House) {
    let codecs = ["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p", "-an", "-vf", "scale=7680:4320,noise=alls=60"];
    house.clip("slow.avi", &[&codecs[..], &["-frames:v", "2"]].concat());
}

fn clip(house: &House) {
    house.clip("film.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
}

fn sheet(house: &House, name: &str, count: usize) -> Job {
    // Every other one, so that none is the same as the one before it.
    let times_ms = (0..count as u64).map(|n| n % 2 * 40).collect();
    Job::Sheet { file: house.file(name.as_bytes(), None), picture_track: 0, times_ms, tile_width: 160, tile_height: 90 }
}

fn is_frames(pid: &u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "loge-frames\n")
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The one that is kept ready.
fn zygote(house: &House) -> u32 {
    let found: Vec<u32> = children_of(house.worker.id()).into_iter().filter(is_frames).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

/// A picture in the making, and the process that makes it.
fn begin(house: &mut House, mark: u8) -> (std::os::unix::net::UnixStream, u32) {
    let mut data = house.dial(mark);
    let job = sheet(house, "slow.avi", 25);
    put(&mut data, 1, RequestBody::Job { job, max_bytes: 1 << 20, time_limit_ms: 600_000 });
    let mut child = None;
    let zygote = zygote(house);
    eventually("a process works on it", || {
        child = children_of(zygote).first().copied();
        child.is_some()
    });
    (data, child.unwrap())
}

#[test]
fn one_is_kept_and_every_picture_has_its_own_process_that_ends_with_it() {
    let mut house = House::with_frames(&frames_binary());
    clip(&house);
    slow(&house);
    let mut data = house.dial(1);
    assert!(children_of(house.worker.id()).is_empty(), "nobody has asked for a picture");
    for id in 0..3 {
        assert_eq!(job(&mut data, id, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
    }
    let kept = zygote(&house);
    let (cancelled, child) = begin(&mut house, 2);
    assert_eq!(house.ping(1), 1);
    drop(cancelled);
    eventually("nothing of it is left", || !is_there(child));
    eventually("the worker is idle", || house.ping(2) == 0);
    // Too late is over as well, before its answer is given.
    assert_eq!(job(&mut data, 9, sheet(&house, "slow.avi", 25), 1 << 20, 300).0, Status::Limit);
    assert_eq!(children_of(kept), [0_u32; 0]);
    assert_eq!(job(&mut data, 10, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
    assert_eq!(zygote(&house), kept);
    assert_eq!(house.log(), "");
}

#[test]
fn one_that_is_killed_costs_the_picture_in_its_hands_and_is_started_anew() {
    let mut house = House::with_frames(&frames_binary());
    clip(&house);
    slow(&house);
    let mut data = house.dial(1);
    assert_eq!(job(&mut data, 1, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
    let first = zygote(&house);
    let (mut lost, child) = begin(&mut house, 2);
    kill(first);
    assert_eq!(common::head(&mut lost).status, Status::Io);
    eventually("its process is gone too", || !is_there(child) && !is_there(first));
    assert_eq!(job(&mut data, 2, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
    let second = zygote(&house);
    assert_ne!(second, first);
    // Between two pictures nobody notices.
    kill(second);
    eventually("it is gone", || !is_there(second));
    assert_eq!(job(&mut data, 3, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_dead_worker_leaves_nothing_of_it() {
    for shut_down in [false, true] {
        let mut house = House::with_frames(&frames_binary());
        clip(&house);
        slow(&house);
        let mut data = house.dial(1);
        assert_eq!(job(&mut data, 1, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
        let kept = zygote(&house);
        let (_data, child) = begin(&mut house, 2);
        if shut_down {
            house.order(&contract::ToWorker::Shutdown);
        } else {
            house.worker.kill().unwrap();
        }
        house.worker.wait().unwrap();
        eventually("both are gone", || !is_frames(&kept) && !is_frames(&child));
    }
}

#[test]
fn without_it_ffmpeg_takes_the_pictures_and_the_log_says_so_once() {
    let home = tempfile::tempdir().unwrap();
    let broken = home.path().join("loge-frames");
    std::fs::write(&broken, "#!/bin/sh\necho 'libavcodec.so.59: cannot open shared object file' >&2; exit 127\n")
        .unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (program, why) in
        [(broken.as_path(), "libavcodec.so.59"), (Path::new("/nonexistent/loge-frames"), "No such file")]
    {
        let mut house = House::with_frames(program);
        clip(&house);
        let mut data = house.dial(1);
        for id in 0..3 {
            assert_eq!(job(&mut data, id, sheet(&house, "film.mp4", 3), 1 << 20, 20_000).0, Status::Ok);
            let file = house.file(b"film.mp4", None);
            let poster = Job::Poster { file, picture_track: 0, moments_ms: vec![0, 1_000], width: 160 };
            assert_eq!(job(&mut data, 10 + id, poster, 1 << 20, 20_000).0, Status::Ok);
        }
        let log = house.log();
        assert!(log.lines().count() == 1 && log.contains("made by ffmpeg") && log.contains(why), "{log}");
        assert!(children_of(house.worker.id()).is_empty());
    }
}
