//! Indexes of key frames: by a film's own tables or cues they have to be what its packets say, or
//! nothing.

mod common;

use common::{
    House,
    films::{AAC, ffmpeg, film},
    job,
};
use contract::{Job, Status};
use media::hls::{
    TICKS, args, cues,
    index::{AudioPhase, Builder, CrcLines, KeyframeIndex, PointKind, clock_micros, micros, tagged_end},
    plan::{Cut, VideoPlan},
    tables,
};
use std::{cell::Cell, collections::HashSet, fs::File, os::unix::fs::FileExt, path::Path, process::Command};

const X264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const X265: &[&str] = &["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

/// What the index is made of where tables do not say it, and the judge where they do.
#[expect(clippy::disallowed_methods, reason = "the judge is the reference program")]
fn by_packets(path: &Path) -> KeyframeIndex {
    let run = |program: &str, args: Vec<String>| {
        let film = std::fs::File::open(path).unwrap();
        let done = Command::new(program).args(args).stdin(film).output().unwrap();
        String::from_utf8(done.stdout).unwrap()
    };
    let streams: serde_json::Value = serde_json::from_str(&run("ffprobe", args::index_streams())).unwrap();
    let zero_us = micros(streams["format"]["start_time"].as_str().unwrap()).unwrap();
    let is_h264 = streams["streams"].as_array().unwrap().iter().any(|s| s["codec_name"] == "h264");
    let mut builder = Builder::new(zero_us, is_h264);
    for line in run("ffprobe", args::index_packets(0)).lines() {
        builder.line(line).unwrap();
    }
    let mut lines = CrcLines::default();
    if is_h264 {
        run("ffmpeg", args::index_idr(0)).lines().filter_map(|l| lines.line(l)).for_each(|at| builder.clean(at));
    }
    let time = |value: &serde_json::Value| value.as_str().and_then(micros);
    let audio = streams["streams"].as_array().unwrap().iter().filter(|s| s["codec_type"] == "audio").map(|stream| {
        let start = time(&stream["start_time"]).unwrap();
        let tag = || stream["tags"]["DURATION"].as_str().and_then(clock_micros);
        let tagged = || Some(tagged_end(start, tag()?, time(&streams["format"]["duration"])));
        let end = time(&stream["duration"]).map(|length| start + length).or_else(tagged);
        let since = |at: i64| u64::try_from(at - zero_us).unwrap();
        let rate = stream["sample_rate"].as_str().unwrap().parse().unwrap();
        AudioPhase { start_us: since(start), end_us: end.map_or(0, since), rate }
    });
    builder.finish(audio.collect()).unwrap()
}

#[test]
fn tables_say_what_packets_say() {
    let house = House::open();
    let open = ["-x264-params", "open-gop=1:keyint=72:bframes=3:scenecut=0"];
    let quiet = ["-x265-params", "log-level=error"];
    let vfr = ["-vf", "select='not(mod(n,3))+lt(mod(n,40),20)'", "-fps_mode", "vfr", "-g", "40"];
    let mut sure = 0;
    for (name, out) in [
        ("b-frames.mp4", [X264, &["-bf", "3", "-g", "60"], AAC].concat()),
        ("plain.mp4", [X264, &["-bf", "0"], AAC].concat()),
        ("front.mp4", [X264, &["-movflags", "+faststart"], AAC].concat()),
        ("open.mp4", [X264, &open, AAC].concat()),
        ("silent.mp4", [X264, &["-an"]].concat()),
        ("hevc.mp4", [X265, &quiet, &["-tag:v", "hvc1"], AAC].concat()),
        ("vfr.mov", [X264, &vfr, &["-c:a", "pcm_s16le"]].concat()),
        ("fragments.mp4", [X264, &["-movflags", "+frag_keyframe+empty_moov"], AAC].concat()),
        ("late.mp4", [X264, &["-output_ts_offset", "1.5"], AAC].concat()),
        ("other.mp4", [&["-c:v", "mpeg4"][..], AAC].concat()),
    ] {
        film(&house, name, &[], &out);
        let path = house.library.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let read = |at: u64, out: &mut [u8]| {
            let from = usize::try_from(at).unwrap().min(bytes.len());
            let n = out.len().min(bytes.len() - from);
            out[..n].copy_from_slice(&bytes[from..from + n]);
            n
        };
        let Ok(found) = tables::index(bytes.len() as u64, read) else { continue };
        sure += 1;
        let judged = by_packets(&path);
        // ffprobe's parser flags some frames that the tables rightly do not: a recovery point is no
        // place to begin at. Where decoding can begin, and every cut of a copy, is the same.
        let clean = |index: &KeyframeIndex| {
            index.points.iter().copied().filter(|p| p.kind == PointKind::Clean).collect::<Vec<_>>()
        };
        assert_eq!(clean(&found), clean(&judged), "{name}");
        assert!(clean(&found).len() > 1 || name.starts_with("open") || name.starts_with("hevc"), "{name}");
        assert_eq!(places(&found), places(&judged), "{name}");
        assert_eq!((found.end, found.frame), (judged.end, judged.frame), "{name}");
    }
    assert!(sure >= 6, "only {sure} of the plain films are sure");
}

/// Where segments of a copy begin.
fn places(index: &KeyframeIndex) -> Vec<(u64, u64)> {
    cuts(index).iter().map(|cut| (cut.start, cut.key)).collect()
}

/// The same with everything that a run is told of them.
fn cuts(index: &KeyframeIndex) -> Vec<Cut> {
    VideoPlan::copy(index).map(|plan| plan.cuts).unwrap_or_default()
}

#[test]
fn cues_say_what_packets_say_or_nothing() {
    let mut house = House::open();
    let srt = house.library.join("words.srt");
    std::fs::write(&srt, "1\n00:00:03,100 --> 00:00:04,900\nHallo\n\n").unwrap();
    let srt = ["-i", srt.to_str().unwrap()];
    let mapped = ["-map", "1:v", "-map", "2:a", "-map", "2:a", "-map", "0:s", "-c:s", "srt"];
    let vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "72", "-c:a", "libopus"];
    let vp8 = ["-c:v", "libvpx", "-deadline", "realtime", "-g", "48", "-c:a", "libvorbis"];
    let vfr = ["-vf", "select='not(mod(n,3))+lt(mod(n,40),20)'", "-fps_mode", "vfr", "-g", "40"];
    let open = ["-x264-params", "open-gop=1:keyint=72:bframes=3:scenecut=0"];
    let closed = ["-x265-params", "log-level=error:open-gop=0:keyint=72"];
    let led = ["-x265-params", "log-level=error:open-gop=1:keyint=72:bframes=3"];
    let films: [(&str, &[&str], Vec<&str>, bool); 16] = [
        ("plain.mkv", &[], [X264, &["-bf", "0", "-g", "48", "-c:a", "ac3"]].concat(), true),
        ("bframes.mkv", &[], [X264, &["-bf", "3", "-g", "60"], AAC].concat(), true),
        ("long.mkv", &[], [X264, &["-g", "250", "-c:a", "ac3"]].concat(), true),
        ("ntsc.mkv", &[], [X264, &["-r", "24000/1001", "-g", "72"], AAC].concat(), true),
        ("fast.mkv", &[], [X264, &["-r", "60", "-g", "100", "-c:a", "flac"]].concat(), true),
        ("vfr.mkv", &[], [X264, &vfr, AAC].concat(), true),
        ("silent.mkv", &[], [X264, &["-an", "-g", "50"]].concat(), true),
        ("late.mkv", &[], [X264, &["-output_ts_offset", "1.5", "-g", "50"], AAC].concat(), true),
        ("front.mkv", &[], [X264, &["-cues_to_front", "1", "-g", "50"], AAC].concat(), true),
        ("clusters.mkv", &[], [X264, &["-cluster_time_limit", "700", "-g", "60"], AAC].concat(), true),
        ("tracks.mkv", &srt, [&mapped[..], X264, &["-g", "60"], AAC].concat(), true),
        ("closed.mkv", &[], [X265, &closed, &["-c:a", "ac3"]].concat(), true),
        ("led.mkv", &[], [X265, &led, &["-c:a", "ac3"]].concat(), true),
        ("vp9.webm", &[], vp9.to_vec(), true),
        ("vp8.webm", &[], vp8.to_vec(), true),
        ("open.mkv", &[], [X264, &open, AAC].concat(), false),
    ];
    let mut sure = 0;
    for (name, inputs, out, is_sure) in &films {
        film(&house, name, inputs, out);
        let mut data = house.dial(200);
        let file = house.file(name.as_bytes(), None);
        let (status, bytes) = job(&mut data, 1, Job::Keys { file: file.clone() }, 8 << 20, 60_000);
        assert!(!is_sure || status == Status::Ok, "{name}: {status:?} {:?}", by_cues(&house.library.join(name)).err());
        if status != Status::Ok {
            assert_eq!(status, Status::Unsupported, "{name}");
            continue;
        }
        sure += 1;
        let keys = KeyframeIndex::from_bytes(&bytes).unwrap();
        assert!(keys.points.iter().all(|p| p.kind == PointKind::Clean), "{name}");
        let judged = by_packets(&house.library.join(name));
        let clean: Vec<_> = judged.points.iter().copied().filter(|p| p.kind == PointKind::Clean).collect();
        assert_eq!(keys.points, clean, "{name}");
        assert_eq!((keys.end, keys.frame), (judged.end, judged.frame), "{name}");
        assert_eq!(places(&keys), places(&judged), "{name}");
        // Whoever began with the key frames alone goes on with this.
        let (status, bytes) = job(&mut data, 2, Job::Index { file, picture: 0 }, 8 << 20, 60_000);
        assert_eq!(status, Status::Ok, "{name}");
        let whole = KeyframeIndex::from_bytes(&bytes).unwrap();
        assert_eq!((cuts(&whole), whole.end, &whole.audio), (cuts(&keys), keys.end, &keys.audio), "{name}");
        let frames = frames(&house.library.join(name));
        assert!(whole.points.iter().all(|p| frames.contains(&p.pts)), "{name}: a frame that is none");
        assert!(VideoPlan::encode(&whole).durations().all(|d| d < 3 * TICKS), "{name}: nothing to cut between");
        assert_eq!(whole.audio, judged.audio, "{name}");
    }
    assert!(sure >= 15, "{sure}");
}

/// The time of every frame, as ffprobe prints it.
#[expect(clippy::disallowed_methods, reason = "the judge is the reference program")]
fn frames(path: &Path) -> HashSet<u64> {
    let done = Command::new("ffprobe").args(args::index_packets(0)).stdin(File::open(path).unwrap()).output().unwrap();
    let lines = String::from_utf8(done.stdout).unwrap();
    let times: Vec<i64> = lines.lines().filter_map(|line| micros(line.split(',').next()?)).collect();
    let zero_us = by_cues(path).unwrap().zero_us;
    times.into_iter().map(|at| ((at - zero_us).max(0).cast_unsigned() * 9 + 50) / 100).collect()
}

fn by_cues(path: &Path) -> Result<cues::Keys, tables::Unsure> {
    let film = File::open(path).unwrap();
    cues::keys(film.metadata().unwrap().len(), |at, out| film.read_at(out, at).unwrap_or(0), |_, _| {})
}

#[test]
fn what_has_no_usable_cues_is_left_to_its_packets() {
    let house = House::open();
    for (name, out) in [
        ("live.mkv", [X264, &["-live", "1"], AAC].concat()),
        ("other.mkv", [&["-c:v", "mpeg4"][..], AAC].concat()),
        ("sparse.mkv", [X264, &["-g", "999", "-sc_threshold", "0", "-an"]].concat()),
    ] {
        film(&house, name, &[], &out);
        let found = by_cues(&house.library.join(name)).ok().filter(|keys| VideoPlan::copy(&keys.index).is_ok());
        assert_eq!(found, None, "{name}");
    }
}

/// Two hours, and no program may be started.
#[test]
fn a_long_film_begins_at_once() {
    let mut house = House::with_programs(Path::new("/bin/false"), Path::new("/bin/false"));
    film(&house, "short.mkv", &[], &[X264, &["-g", "96", "-sc_threshold", "0", "-c:a", "ac3", "-b:a", "96k"]].concat());
    let (short, long) = (house.library.join("short.mkv"), house.library.join("long.mkv"));
    let (short, long) = (short.to_str().unwrap(), long.to_str().unwrap());
    ffmpeg(&["-nostdin", "-v", "error", "-stream_loop", "299", "-i", short, "-c", "copy", long]);
    let mut data = house.dial(200);
    let file = house.file(b"long.mkv", None);
    let (status, bytes) = job(&mut data, 1, Job::Keys { file: file.clone() }, 8 << 20, 60_000);
    assert_eq!(status, Status::Ok);
    let keys = KeyframeIndex::from_bytes(&bytes).unwrap();
    assert!((7190..7210).contains(&(keys.end / 90_000)), "{}", keys.end / 90_000);
    assert_eq!(keys.points.len(), 1800);
    assert_eq!(cuts(&keys).len(), 1800);
    // The control: without these key frames, programs have to be asked.
    assert_ne!(job(&mut data, 2, Job::Index { file, picture: 0 }, 8 << 20, 60_000).0, Status::Ok);
    // A few reads a key frame, whatever lies between.
    let film = File::open(long).unwrap();
    let reads = Cell::new(0);
    let read = |at, out: &mut [u8]| {
        reads.set(reads.get() + 1);
        film.read_at(out, at).unwrap_or(0)
    };
    cues::keys(film.metadata().unwrap().len(), read, |_, _| {}).unwrap();
    assert!(reads.get() < 6 * 1800, "{} reads", reads.get());
}
