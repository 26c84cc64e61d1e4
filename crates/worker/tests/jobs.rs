//! Probes and posters through the real worker and the real ffmpeg, and programs that misbehave.

mod common;

use common::{House, PATIENCE, children_of, eventually, job, put, script};
use contract::{Job, Looked, RequestBody, Status};
use domain::facts::{Container, Defect};
use std::{path::PathBuf, time::Instant};

const JSON: u32 = media::probe_json::MAX_JSON_BYTES as u32;

#[test]
fn probes_of_all_containers_become_facts() {
    let mut house = House::open();
    let mut data = house.dial(1);
    let h264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    let vp8: &[&str] = &["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"];
    let mpeg4: &[&str] = &["-c:v", "mpeg4", "-c:a", "libmp3lame"];
    for (id, (container, codecs)) in [
        (Container::Mp4, h264),
        (Container::M4v, h264),
        (Container::Mov, h264),
        (Container::Mkv, h264),
        (Container::Webm, vp8),
        (Container::Avi, mpeg4),
    ]
    .into_iter()
    .enumerate()
    {
        // ffmpeg's own m4v muxer writes a bare stream, so the muxer is named.
        let muxer: &[&str] = if container == Container::M4v { &["-f", "mp4"] } else { &[] };
        let name = format!("-i \"ü\" %03d.{}", container.as_str());
        house.clip(&name, &[codecs, muxer].concat());
        let file = house.file(name.as_bytes(), None);
        let (status, bytes) = job(&mut data, id as u64, Job::Probe { file }, JSON, 20_000);
        assert_eq!(status, Status::Ok, "{container:?}: {}", String::from_utf8_lossy(&bytes));
        let facts = media::probe_json::parse(&bytes, Some(container)).unwrap();
        assert_eq!(facts.container, container);
        let video = facts.video.unwrap();
        assert_eq!((video.width, video.height), (320, 180));
        assert_eq!(facts.audio.len(), 1);
        assert!((1900..2200).contains(&facts.duration_ms), "{}", facts.duration_ms);
    }
}

#[test]
fn posters_are_jpegs_of_the_asked_width() {
    House::both().into_iter().for_each(posters_in);
}

fn posters_in(mut house: House) {
    house.clip("film.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
    let mut data = house.dial(1);
    for (id, (at_ms, width, expected)) in [(500, 160, 160), (0, 1920, 320), (3_600_000, 64, 64)].into_iter().enumerate()
    {
        let file = house.file(b"film.mp4", None);
        let (status, jpeg) = job(
            &mut data,
            id as u64,
            Job::Poster { file, picture_track: 0, moments_ms: vec![at_ms], width },
            1 << 20,
            20_000,
        );
        assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&jpeg));
        assert_eq!((&jpeg[..2], &jpeg[jpeg.len() - 2..]), (&[0xff, 0xd8][..], &[0xff, 0xd9][..]));
        assert_eq!(jpeg_width(&jpeg), expected);
    }
    for width in [0, 15, 5000] {
        let file = house.file(b"film.mp4", None);
        assert_eq!(
            job(&mut data, 9, Job::Poster { file, picture_track: 0, moments_ms: vec![0], width }, 1 << 20, 20_000).0,
            Status::Refused
        );
    }
}

#[test]
fn a_poster_is_the_liveliest_of_several_frames() {
    House::both().into_iter().for_each(the_liveliest_in);
}

fn the_liveliest_in(mut house: House) {
    // Black for four seconds, then a picture.
    house.clip(
        "film.mkv",
        &[
            "-filter_complex",
            "color=c=black:s=320x180:r=25:d=4[b];[b][0:v]concat=n=2:v=1",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-g",
            "25",
        ],
    );
    let mut data = house.dial(1);
    let mut ask = |moments_ms: &[u64]| {
        let file = house.file(b"film.mkv", None);
        job(
            &mut data,
            1,
            Job::Poster { file, picture_track: 0, moments_ms: moments_ms.to_vec(), width: 320 },
            1 << 20,
            20_000,
        )
    };
    let (black, lively) = (ask(&[1_000]), ask(&[5_000]));
    assert!(black.0 == Status::Ok && lively.0 == Status::Ok && black.1.len() * 3 < lively.1.len(), "control");
    let chosen = ask(&[1_000, 2_000, 5_000, 3_000]);
    assert!(chosen.0 == Status::Ok && chosen.1.len() * 2 > lively.1.len(), "{:?} {}", chosen.0, chosen.1.len());
    // A moment that is not there does not spoil the others; no moment, and too many, are refused.
    assert_eq!(ask(&[1_000, 3_600_000]).0, Status::Ok);
    assert_eq!((ask(&[]).0, ask(&[0; 6]).0), (Status::Refused, Status::Refused));
}

/// From the frame header of a baseline JPEG.
fn jpeg_width(jpeg: &[u8]) -> u32 {
    let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    u32::from(jpeg[at + 7]) << 8 | u32::from(jpeg[at + 8])
}

#[test]
fn a_glance_judges_every_file_by_itself() {
    let mut house = House::open();
    let h264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];
    for name in ["good.mp4", "good.mkv"] {
        house.clip(name, h264);
    }
    house.clip("odd.avi", &["-c:v", "huffyuv", "-c:a", "libmp3lame"]);
    let whole = std::fs::read(house.library.join("good.mp4")).unwrap();
    house.write("cut.mp4", &whole[..whole.len() / 2]);
    house.write("text.mkv", b"hello, this is a shopping list");
    std::os::unix::fs::symlink("/etc/passwd", house.library.join("link.mp4")).unwrap();
    let names: [&[u8]; 8] =
        [b"good.mp4", b"gone.mp4", b"text.mkv", b"cut.mp4", b"link.mp4", b"odd.avi", b"../films/good.mp4", b"good.mkv"];
    let mut files: Vec<_> = names.iter().map(|name| house.file(name, None)).collect();
    files.push(house.file(b"good.mp4", Some(5)));
    let mut data = house.dial(1);
    let ask = |data: &mut _, files: &[contract::FileRef], max_bytes| {
        job(data, 1, Job::Glance { files: files.to_vec() }, max_bytes, 20_000)
    };
    let (status, bytes) = ask(&mut data, &files, 1 << 20);
    assert_eq!(status, Status::Ok);
    let looked = contract::look::decode(&bytes, files.len()).unwrap();
    for (at, container) in [(0, Container::Mp4), (7, Container::Mkv)] {
        let Looked::Known(json) = &looked[at] else { panic!("{:?}", looked[at]) };
        let facts = media::probe_json::parse(json, Some(container)).unwrap();
        assert_eq!((facts.container, facts.audio.len()), (container, 1));
    }
    let kinds: Vec<_> = [1, 2, 3, 4, 5, 6, 8].iter().map(|at: &usize| looked[*at].clone()).collect();
    use Looked::{Changed, Cut, Unreadable, Unsure};
    assert_eq!(kinds, [Changed, Unsure, Cut, Unreadable, Unsure, Unreadable, Changed]);

    // No room for the answers is said file by file.
    let (status, bytes) = ask(&mut data, &files, 9 * 16 + 100);
    assert_eq!(status, Status::Ok);
    let looked = contract::look::decode(&bytes, files.len()).unwrap();
    assert_eq!((&looked[0], &looked[2], &looked[7]), (&Looked::Later, &Unsure, &Looked::Later));
    assert_eq!(ask(&mut data, &[], 1 << 20).0, Status::Refused);
    assert_eq!(ask(&mut data, &vec![files[0].clone(); contract::look::MAX_FILES + 1], 1 << 20).0, Status::Refused);
}

#[test]
fn what_is_no_film_fails_with_words() {
    House::both().into_iter().for_each(what_is_no_film_in);
}

fn what_is_no_film_in(mut house: House) {
    house.clip("whole.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
    let whole = std::fs::read(house.library.join("whole.mp4")).unwrap();
    house.write("cut.mp4", &whole[..whole.len() / 2]);
    let x264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
    house.clip("front.mp4", &[x264, &["-movflags", "+faststart"]].concat());
    let front = std::fs::read(house.library.join("front.mp4")).unwrap();
    house.write("front.mp4", &front[..front.len() / 2]);
    house.clip("cut.mkv", x264);
    let mkv = std::fs::read(house.library.join("cut.mkv")).unwrap();
    house.write("cut.mkv", &mkv[..mkv.len() / 2]);
    house.write("empty.mp4", b"");
    house.write("text.mkv", b"hello, this is a shopping list");
    let canary = house.home.path().join("canary");
    std::fs::copy(house.library.join("whole.mp4"), &canary).unwrap();
    house.write("list.mkv", format!("#EXTM3U\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", canary.display()).as_bytes());
    house.write("concat.avi", format!("ffconcat version 1.0\nfile '{}'\n", canary.display()).as_bytes());
    let mut data = house.dial(1);
    for (id, (name, defect)) in [
        ("cut.mp4", Defect::Truncated),
        ("front.mp4", Defect::Truncated),
        ("empty.mp4", Defect::NotMedia),
        ("text.mkv", Defect::NotMedia),
        ("list.mkv", Defect::NotMedia),
        ("concat.avi", Defect::Unsupported),
    ]
    .into_iter()
    .enumerate()
    {
        let file = house.file(name.as_bytes(), None);
        let (status, words) = job(&mut data, id as u64, Job::Probe { file: file.clone() }, JSON, 20_000);
        let shown = String::from_utf8_lossy(&words).into_owned();
        assert_eq!(status, Status::Failed, "{name}: {shown}");
        assert!(words.len() <= 4096 && !shown.contains(['\n', '\u{1b}']), "{name}: {shown}");
        let found = media::probe_json::defect_of(&words);
        assert!(found == defect || (name == "empty.mp4" && found == Defect::Truncated), "{name}: {shown}");
        // What is there of a film may still give a picture; what is none may not.
        let poster =
            job(&mut data, 50, Job::Poster { file, picture_track: 0, moments_ms: vec![0], width: 64 }, 1 << 20, 20_000)
                .0;
        assert!(poster != Status::Ok || name == "front.mp4", "{name}");
    }
    // A Matroska film that broke off is one, as long as its last packet says.
    let file = house.file(b"cut.mkv", None);
    let (status, answer) = job(&mut data, 60, Job::Probe { file }, JSON, 20_000);
    assert_eq!(status, Status::Ok);
    let facts = media::probe_json::parse(&answer, Some(Container::Mkv)).unwrap();
    assert!((200..1500).contains(&facts.duration_ms), "{}", facts.duration_ms);
}

#[test]
fn a_job_gets_the_file_a_clean_environment_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let program = script(&home, "env; echo; ulimit -c; ulimit -n; ls /proc/self/fd; cat; cat /proc/self/fd/0");
    let mut house = House::with_programs(&program, &program);
    house.write("film.mp4", b"the film");
    let mut data = house.dial(1);
    let file = house.file(b"film.mp4", None);
    let (status, out) = job(&mut data, 1, Job::Probe { file }, JSON, 20_000);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(status, Status::Ok, "{out}");
    assert!(!out.contains("LOGE_") && !out.contains(&contract::env::to_hex(&common::NONCE)), "{out}");
    let (env, rest) = out.split_once("\n\n").unwrap();
    for line in env.lines() {
        assert!(["LC_ALL=C", "PWD=", "SHLVL=", "_="].iter().any(|p| line.starts_with(p)), "{line}");
    }
    let mut rest = rest.lines();
    assert_eq!((rest.next(), rest.next()), (Some("0"), Some("128")), "no core dumps, few open files");
    let mut fds: Vec<_> = rest.by_ref().map_while(|line| line.parse::<u32>().ok()).collect();
    fds.retain(|fd| !is_inherited_here(*fd));
    // 3 is ls's own look at the folder.
    assert!(fds.iter().all(|fd| *fd <= 3), "{fds:?}");
    assert!(out.ends_with("\nthe filmthe film"), "{out}");
}

/// Whoever ran this test may have left descriptors open for everything below; a launcher and a
/// container do not.
fn is_inherited_here(fd: u32) -> bool {
    const CLOEXEC: u32 = 0o2_000_000;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|l| u32::from_str_radix(l.strip_prefix("flags:")?.trim(), 8).ok());
    fd > 2 && flags.is_some_and(|f| f & CLOEXEC == 0)
}

#[test]
fn a_closed_connection_kills_the_job() {
    let home = tempfile::tempdir().unwrap();
    let program = script(&home, "sleep 1000 & sleep 1000");
    let mut house = House::with_programs(&program, &program);
    house.write("film.mp4", b"x");
    let mut data = house.dial(1);
    let worker = house.worker.id();
    let file = house.file(b"film.mp4", None);
    put(&mut data, 1, RequestBody::Job { job: Job::Probe { file }, max_bytes: 1000, time_limit_ms: 600_000 });
    let mut all = Vec::new();
    eventually("the job runs", || {
        all = children_of(worker);
        all.extend(all.clone().into_iter().flat_map(children_of));
        all.len() == 3
    });
    assert_eq!(house.ping(1), 1);
    drop(data);
    eventually("nothing of it is left", || all.iter().all(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()));
    eventually("the worker is idle", || house.ping(2) == 0);
}

#[test]
fn a_dead_worker_leaves_no_job() {
    let home = tempfile::tempdir().unwrap();
    let program = script(&home, "exec sleep 1000");
    for shut_down in [false, true] {
        let mut house = House::with_programs(&program, &program);
        house.write("film.mp4", b"x");
        let mut data = house.dial(1);
        let file = house.file(b"film.mp4", None);
        put(&mut data, 1, RequestBody::Job { job: Job::Probe { file }, max_bytes: 1000, time_limit_ms: 600_000 });
        let worker = house.worker.id();
        let is_sleep = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "sleep\n");
        let mut job = None;
        eventually("the job runs", || {
            job = children_of(worker).into_iter().find(is_sleep);
            job.is_some()
        });
        if shut_down {
            house.order(&contract::ToWorker::Shutdown);
        } else {
            house.worker.kill().unwrap();
        }
        house.worker.wait().unwrap();
        eventually("the job is gone", || !job.as_ref().is_some_and(is_sleep));
    }
}

#[test]
fn time_and_size_are_limits() {
    let home = tempfile::tempdir().unwrap();
    let slow = script(&home, "exec sleep 1000");
    let mut house = House::with_programs(&slow, &slow);
    house.write("film.mp4", b"x");
    let mut data = house.dial(1);
    let file = house.file(b"film.mp4", None);
    let began = Instant::now();
    let (status, _) = job(&mut data, 1, Job::Probe { file: file.clone() }, 1000, 300);
    assert_eq!(status, Status::Limit);
    assert!(began.elapsed() < PATIENCE);
    assert!(children_of(house.worker.id()).is_empty());

    // Endless words on both outputs: the result is bounded, the words are dropped.
    script(&home, "while :; do echo 0123456789abcdef0123456789abcdef; echo no >&2; done");
    assert_eq!(job(&mut data, 2, Job::Probe { file: file.clone() }, 10_000, 20_000).0, Status::Limit);
    // One that closes its outputs and stays is not waited for past its time.
    script(&home, "exec >&- 2>&-; sleep 1000");
    assert_eq!(job(&mut data, 3, Job::Probe { file: file.clone() }, 1000, 300).0, Status::Limit);
    // Processor time is limited by the kernel as well.
    script(&home, "while :; do :; done");
    assert_eq!(job(&mut data, 4, Job::Probe { file: file.clone() }, 1000, 900).0, Status::Limit);
    script(&home, "kill -SEGV $$");
    let (status, words) = job(&mut data, 5, Job::Probe { file: file.clone() }, 1000, 20_000);
    assert_eq!((status, words.as_slice()), (Status::Failed, &b"ended by signal 11"[..]));
    script(&home, "exit 0");
    assert_eq!(job(&mut data, 6, Job::Probe { file: file.clone() }, 1000, 20_000).0, Status::Unsupported);
    std::fs::remove_file(home.path().join("program")).unwrap();
    assert_eq!(job(&mut data, 7, Job::Probe { file }, 1000, 20_000).0, Status::Io);
    assert!(children_of(house.worker.id()).is_empty());
}
