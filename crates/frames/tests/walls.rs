//! What a film, or whoever took over the process that reads it, can do to the others: nothing.

mod common;

use common::*;
use contract::{
    Status,
    pictures::{Ending, Order},
};
use std::{fs::File, io::Read, os::fd::AsFd, os::unix::net::UnixStream, path::Path};

const SIGKILL: u8 = 9;
const SIGXCPU: u8 = 24;

/// Noise: its JPEG is larger than what a stream takes at once, so that its process waits for us.
fn noise(dir: &Path) -> std::path::PathBuf {
    let source = "nullsrc=s=320x320:r=5:d=1,geq=lum='random(1)*255':cb=128:cr=128";
    film(dir, "noise.avi", source, &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"])
}

fn usual(dir: &Path) -> std::path::PathBuf {
    let codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"];
    film(dir, "usual.mp4", "testsrc2=s=320x180:r=25:d=3", &codecs)
}

/// Such an order, whose process is at work until its answer is read or dropped.
fn waiting(frames: &Frames, film: &Path) -> UnixStream {
    let before = frames.children().len();
    let stream = frames.order(film, &sheet(&[0; 25], (320, 320)));
    eventually("the process of an order", || frames.children().len() > before);
    // Its first byte is there: all that is left is to say the rest.
    let mut first = [0xff];
    (&stream).read_exact(&mut first).unwrap();
    assert_eq!(first, [Status::Ok as u8]);
    stream
}

#[test]
fn whoever_no_longer_wants_an_answer_ends_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let (noise, usual) = (noise(dir.path()), usual(dir.path()));
    let frames = Frames::start();
    let (dropped, kept) = (waiting(&frames, &noise), waiting(&frames, &noise));
    assert_eq!(frames.children().len(), 2);
    drop(dropped);
    eventually("one process is gone", || frames.children().len() == 1);
    // Half a close is enough, and then the end of the answer says that nobody works on it.
    kept.shutdown(std::net::Shutdown::Write).unwrap();
    std::io::copy(&mut &kept, &mut std::io::sink()).unwrap();
    assert_eq!(frames.children(), [0_u32; 0]);
    jpeg(frames.poster(&usual, &[0], 320));
}

#[test]
fn a_process_has_its_own_film_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let noise = noise(dir.path());
    let other = dir.path().join("other.avi");
    std::fs::copy(&noise, &other).unwrap();
    let frames = Frames::start();
    let _first = waiting(&frames, &noise);
    let first = frames.children();
    let _second = waiting(&frames, &other);
    let second = frames.children().into_iter().find(|pid| !first.contains(pid)).unwrap();
    let files = |pid| open_files(pid);
    let of = |files: &[String], part: &str| files.iter().filter(|name| name.contains(part)).count();
    let (one, two, zygote) = (files(first[0]), files(second), files(frames.program.id()));
    assert!(of(&one, "noise.avi") > 0 && of(&one, "other.avi") == 0, "{one:?}");
    assert!(of(&two, "other.avi") > 0 && of(&two, "noise.avi") == 0, "{two:?}");
    // The control socket is the zygote's alone; each process has its own answer and nothing else.
    assert!(of(&zygote, "socket:") == 3 && of(&zygote, ".avi") == 0, "{zygote:?}");
    assert_eq!((of(&one, "socket:"), of(&two, "socket:")), (1, 1), "{one:?} {two:?}");
    let shared = |a: &[String], b: &[String]| a.iter().any(|name| name.starts_with("socket:") && b.contains(name));
    assert!(!shared(&one, &two) && shared(&one, &zygote) && shared(&two, &zygote));
    let limits = std::fs::read_to_string(format!("/proc/{second}/limits")).unwrap();
    let limit = |name: &str| limits.lines().find_map(|l| l.strip_prefix(name)).unwrap().split_whitespace().next();
    assert_eq!(
        (limit("Max cpu time"), limit("Max file size"), limit("Max processes")),
        (Some("60"), Some("0"), Some("0"))
    );
    assert_eq!(limit("Max address space"), Some((3 * GIB / 2).to_string().as_str()));
}

#[test]
fn the_end_of_one_is_the_end_of_all() {
    let dir = tempfile::tempdir().unwrap();
    let noise = noise(dir.path());
    // Killed, as by a kernel without memory; or left by its worker.
    for killed in [true, false] {
        let mut frames = Frames::start();
        let _waiting = waiting(&frames, &noise);
        let child = frames.children()[0];
        if killed {
            frames.program.kill().unwrap();
        } else {
            frames.control = None;
        }
        frames.program.wait().unwrap();
        let is_there = || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|s| !s.contains(") Z "));
        eventually("its process is gone too", || !is_there());
    }
}

#[test]
fn memory_and_time_are_limits_of_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let usual = usual(dir.path());
    let source = "testsrc2=s=3840x2160:r=5:d=1,noise=alls=80";
    let large = film(dir.path(), "large.avi", source, &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"]);
    let frames = Frames::start();
    // Never the same twice in a row: that would be decoded once.
    let times: Vec<u64> = (0..25).map(|n| n % 2 * 400).collect();
    let order = sheet(&times, (160, 90));
    jpeg(frames.ask(&large, &Order { picture: sheet(&[0], (160, 90)).picture, ..order.clone() }));

    // What is mapped already and a little more: enough to begin, not enough for a picture.
    let mapped = || {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", frames.program.id())).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
    };
    let (status, _, ending) = frames.ask(&large, &Order { memory_bytes: mapped() + (6 << 20), ..order.clone() });
    let out_of_memory = (status, ending) == (Some(Status::Limit), Ending::Exited(0));
    assert!(out_of_memory || matches!(ending, Ending::Killed(_)), "{status:?} {ending:?}");
    jpeg(frames.ask(&usual, &Order { memory_bytes: mapped() + (64 << 20), ..sheet(&[0], (160, 90)) }));

    // Far more than a second of work; asked for as often as it takes a fast machine.
    let (status, bytes, ending) = (0..20)
        .map(|_| frames.ask(&large, &Order { cpu_s: 1, ..order.clone() }))
        .find(|(_, _, ending)| *ending != Ending::Exited(0))
        .expect("one of them takes more than a second");
    assert!(status.is_none() && bytes.is_empty(), "{status:?}");
    assert!([SIGKILL, SIGXCPU].map(Ending::Killed).contains(&ending), "{ending:?}");
    jpeg(frames.poster(&usual, &[0], 320));
}

#[test]
fn what_is_no_order_is_dropped_with_everything_that_came_along() {
    let dir = tempfile::tempdir().unwrap();
    let usual = usual(dir.path());
    let frames = Frames::start();
    let order = sheet(&[0], (160, 90)).to_bytes().unwrap();
    let before = open_files(frames.program.id()).len();
    let film = File::open(&usual).unwrap();
    for (bytes, count) in [
        (&order[..], 0),
        (&order, 1),
        (&order, 3),
        (&order, 8),
        (&order[..order.len() - 1], 2),
        (&[order.as_slice(), &[0]].concat(), 2),
        (&[0xff; 40], 2),
        (&[0; 5000], 2),
        (b"x", 2),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut fds = vec![film.as_fd(); count];
        if let Some(last) = fds.last_mut() {
            *last = theirs.as_fd();
        }
        frames.send(bytes, &fds);
        drop(fds);
        drop(theirs);
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = Vec::new();
        (&ours).read_to_end(&mut said).expect("it is dropped");
        assert_eq!(said, [0_u8; 0], "{} bytes, {count} descriptors", bytes.len());
    }
    jpeg(frames.poster(&usual, &[0], 320));
    eventually("nothing of it stays open", || open_files(frames.program.id()).len() == before);
    // An order whose film is none.
    let (ours, theirs) = UnixStream::pair().unwrap();
    frames.send(&order, &[theirs.as_fd(), theirs.as_fd()]);
    drop(theirs);
    assert_eq!(answer(ours).0, Some(Status::Failed));
    jpeg(frames.poster(&usual, &[0], 320));
}
