//! Films that are not as films should be, through the real worker: each of their tracks is made to
//! its end, in its shape and in step with the others.

mod common;

use common::{House, films::*};
use contract::{Rung, Status, Track};
use media::hls::{
    TICKS,
    plan::{AudioPlan, VideoPlan},
};
use std::path::PathBuf;

/// One track of a film, made to its end.
struct Made {
    path: PathBuf,
    /// When each picture is shown, in order, in seconds; starts of frames for sound.
    times: Vec<f64>,
    /// When the last one's time is over.
    end: f64,
}

fn make(house: &mut House, name: &str, track: &Track, plan: &Plan) -> Made {
    let mut asker = Asker::new(house, 1);
    let init = asker.init(name, track);
    let mut all = init.clone();
    let (mut times, mut end) = (Vec::new(), 0.0_f64);
    for number in 0..plan.len() {
        let segment = asker.segment(name, track, plan, number);
        let segment = segment.unwrap_or_else(|e| panic!("{name} {track:?}: segment {number}: {e:?}"));
        let (scale, samples) = samples(&init, &segment);
        let seconds = |ticks: i64| ticks as f64 / f64::from(scale);
        times.extend(samples.iter().map(|sample| seconds(sample.pts())));
        end = samples.iter().map(|s| seconds(s.dts + i64::from(s.duration))).fold(end, f64::max);
        all.extend(segment);
    }
    times.sort_by(f64::total_cmp);
    let path = house.home.path().join(format!("{name}.{}.mp4", if matches!(plan, Plan::Video(_)) { "v" } else { "a" }));
    std::fs::write(&path, all).unwrap();
    Made { path, times, end }
}

impl Made {
    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Returns when a picture is white that was not before.
    fn flashes(&self) -> Vec<f64> {
        let stats = "signalstats,metadata=print:key=lavfi.signalstats.YMIN:file=-";
        let (out, _) = output("ffmpeg", &["-v", "error", "-i", self.path(), "-vf", stats, "-f", "null", "-"]);
        let values = out.lines().filter_map(|line| line.split_once("YMIN=")?.1.parse::<f64>().ok());
        let white: Vec<bool> = values.map(|least| least > 180.0).collect();
        assert_eq!(white.len(), self.times.len(), "{}: every picture is decoded", self.path());
        let first = |n: &usize| white[*n] && (*n == 0 || !white[n - 1]);
        (0..white.len()).filter(first).map(|n| self.times[n]).collect()
    }

    /// Returns when it becomes loud.
    fn beeps(&self) -> Vec<f64> {
        let detect = "silencedetect=n=-32dB:d=0.3";
        let args = ["-v", "info", "-nostats", "-copyts", "-i", self.path(), "-af", detect, "-f", "null", "-"];
        let (_, said) = output("ffmpeg", &args);
        let end = |line: &str| line.split_once("silence_end: ")?.1.split_whitespace().next()?.parse().ok();
        // What ends with the film is no beep.
        said.lines().filter_map(end).filter(|at: &f64| *at < self.end - 0.3).collect()
    }

    /// Width and height as they are shown.
    fn shape(&self) -> f64 {
        let entries = "stream=width,height,sample_aspect_ratio";
        let args = ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0", self.path()];
        let (out, _) = output("ffprobe", &args);
        let fields: Vec<&str> = out.trim().split([',', ':']).collect();
        let number = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(1.0);
        number(0) * number(2) / (number(1) * number(3))
    }
}

/// Every flash has its beep, as near as a picture lasts.
fn in_step(name: &str, flashes: &[f64], beeps: &[f64]) {
    // The one at the start is not told from silence before it, and what is held is no flash.
    let heard: Vec<f64> = beeps.iter().copied().filter(|at| *at > 0.5).collect();
    let pairs = heard.iter().filter(|beep| flashes.iter().any(|flash| (*flash - **beep).abs() < 0.09)).count();
    assert!(heard.len() >= 4 && pairs + 1 >= heard.len(), "{name}: flashes {flashes:?}, beeps {beeps:?}");
}

struct Case {
    name: &'static str,
    inputs: &'static [&'static str],
    out: Vec<&'static str>,
    shape: f64,
    seconds: f64,
}

const SIXTEEN_NINE: f64 = 16.0 / 9.0;
const MP2: &[&str] = &["-c:v", "mpeg2video", "-b:v", "900k", "-g", "12"];

fn cases() -> Vec<Case> {
    let case = |name, inputs, out: &[&[&'static str]], shape, seconds| {
        let out = [out.concat(), vec!["-threads", "1"]].concat();
        Case { name, inputs, out, shape, seconds }
    };
    let wide = ["-vf", "scale=720:576,setsar=64/45"];
    let narrow = ["-vf", "scale=720:480,setsar=8/9"];
    vec![
        case("wide.mkv", &[], &[&wide, MP2, AC3, &["-t", "5"]], SIXTEEN_NINE, 5.0),
        case("narrow.avi", &[], &[&narrow, &["-c:v", "mpeg4", "-q:v", "8"], AC3, &["-t", "5"]], 4.0 / 3.0, 5.0),
        case("wide-copied.mkv", &[], &[&wide, H264, AAC, &["-t", "5"]], SIXTEEN_NINE, 5.0),
        case(
            "ten-hours.mkv",
            &[],
            &[H264, &["-bf", "2"], AC3, &["-output_ts_offset", "36000", "-t", "8"]],
            SIXTEEN_NINE,
            8.0,
        ),
        case("live.mkv", &[], &[H264, AC3, &["-t", "8", "-f", "matroska", "-live", "1"]], SIXTEEN_NINE, 8.0),
        case(
            "b-frames.avi",
            &[],
            &[
                &["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p", "-g", "48"],
                AC3,
                &["-t", "8"],
            ],
            SIXTEEN_NINE,
            8.0,
        ),
    ]
}

#[test]
fn unusual_films_play_in_shape_in_step_and_to_their_end() {
    let mut house = House::open();
    for case in cases() {
        let name = case.name;
        film(&house, name, case.inputs, &case.out);
        let index = index(&mut house, name);
        let end = index.film_end();
        assert!((end as f64 / TICKS as f64 - case.seconds).abs() < 0.25, "{name}: {end} ticks");
        let sound = Plan::Audio(AudioPlan::new(end));
        let sound = make(&mut house, name, &Track::AudioEncode { index: 0 }, &sound);
        let mut pictures = vec![(Track::VideoEncode { picture: 0, rung: RUNG }, VideoPlan::encode(&index))];
        // Those of AVI have no times of their own.
        if let Some(plan) = VideoPlan::copy(&index).ok().filter(|_| !name.ends_with(".avi")) {
            pictures.push((Track::VideoCopy { picture: 0, hevc: false }, plan));
        }
        let beeps = sound.beeps();
        for (track, plan) in pictures {
            let made = make(&mut house, name, &track, &Plan::Video(plan));
            let shape = made.shape();
            assert!((shape - case.shape).abs() < 0.02, "{name} {track:?}: a shape of {shape}");
            assert!((made.end - case.seconds).abs() < 0.25, "{name} {track:?}: ends at {}", made.end);
            assert!(made.times[0] == 0.0 && made.times.windows(2).all(|w| w[0] < w[1]), "{name} {track:?}");
            in_step(name, &made.flashes(), &beeps);
        }
        assert!((sound.end - case.seconds).abs() < 0.25, "{name}: sound ends at {}", sound.end);
    }
}

/// The longest track says how long a film is: a picture is held, and silence fills.
#[test]
fn a_track_that_ends_early_is_filled_to_the_end_of_the_film() {
    let mut house = House::open();
    let long = ["-f", "lavfi", "-i", "sine=f=440:r=48000:d=31"];
    for (name, out, seconds) in [
        ("sound.mp4", vec!["-map", "1:v", "-map", "0:a"], 31.0),
        ("sound.mkv", vec!["-map", "1:v", "-map", "0:a"], 31.0),
        ("picture.mkv", vec!["-map", "1:v", "-map", "2:a", "-af", "atrim=end=5"], 8.0),
    ] {
        let film_out = [H264, &["-g", "24"], AC3, &out[..]].concat();
        let picture = "testsrc2=s=320x180:r=24:d=8";
        let tone = "sine=f=440:r=48000:d=8";
        let path = house.library.join(name);
        let inputs = [&long[..], &["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]].concat();
        let args = [&["-nostdin", "-v", "error", "-y"], &inputs[..], &film_out[..], &[path.to_str().unwrap()]].concat();
        ffmpeg(&args);
        let index = index(&mut house, name);
        assert!((index.film_end() as f64 / TICKS as f64 - seconds).abs() < 0.1, "{name}: {}", index.film_end());
        let sound = Plan::Audio(AudioPlan::new(index.film_end()));
        let sound = make(&mut house, name, &Track::AudioEncode { index: 0 }, &sound);
        assert!((sound.end - seconds).abs() < 0.1, "{name}: sound ends at {}", sound.end);
        for (track, plan) in [
            (Track::VideoCopy { picture: 0, hevc: false }, VideoPlan::copy(&index).unwrap()),
            (Track::VideoEncode { picture: 0, rung: RUNG }, VideoPlan::encode(&index)),
        ] {
            let made = make(&mut house, name, &track, &Plan::Video(plan.clone()));
            assert!((made.end - seconds).abs() < 0.1, "{name} {track:?}: ends at {}", made.end);
            assert!(made.times.windows(2).all(|w| w[0] < w[1] && w[1] - w[0] < 11.0), "{name}: {:?}", made.times);
            // 24 a second, and one for each segment that holds the last.
            let held = plan.cuts.iter().filter(|cut| cut.start >= plan.shown).count();
            assert_eq!((made.times.len(), held), (192 + held, if seconds > 8.0 { 2 } else { 0 }), "{name} {track:?}");
            assert_eq!(made.flashes(), [0.0; 0], "{name}: all of it can be decoded");
            // A player that seeks behind the last picture finds it too.
            let Some(last) = plan.len().checked_sub(1).filter(|_| held > 0) else { continue };
            let mut other = House::open();
            std::fs::copy(&path, other.library.join(name)).unwrap();
            let alone = Asker::new(&mut other, 1).segment(name, &track, &Plan::Video(plan), last);
            assert!(alone.is_ok(), "{name} {track:?}: {alone:?}");
        }
    }
}

/// What the zeros stand for is named by the file's own index; no packet of them comes out.
#[test]
fn a_damaged_part_is_passed_over() {
    let mut house = House::open();
    film(&house, "whole.mkv", &[], &[H264, &["-g", "24"], AC3].concat());
    let known = index(&mut house, "whole.mkv");
    let mut bytes = std::fs::read(house.library.join("whole.mkv")).unwrap();
    let (from, to) = (bytes.len() * 4 / 10, bytes.len() * 6 / 10);
    bytes[from..to].fill(0);
    house.write("rotten.mkv", &bytes);
    for (track, plan) in [
        (Track::VideoCopy { picture: 0, hevc: false }, VideoPlan::copy(&known).unwrap()),
        (Track::VideoEncode { picture: 0, rung: RUNG }, VideoPlan::encode(&known)),
    ] {
        let plan = Plan::Video(plan);
        let made = make(&mut house, "rotten.mkv", &track, &plan);
        assert!((made.end - 24.0).abs() < 0.1, "{track:?}: ends at {}", made.end);
        assert!(made.times.len() < 24 * 24 - 48, "{track:?}: something is missing, or this test is of nothing");
        // Behind the damage it goes on as if nothing had been.
        let whole = make(&mut house, "whole.mkv", &track, &plan);
        let last = |made: &Made| made.times.iter().copied().filter(|at| *at > 18.0).collect::<Vec<_>>();
        assert_eq!(last(&made), last(&whole), "{track:?}");
    }
    let sound =
        make(&mut house, "rotten.mkv", &Track::AudioEncode { index: 0 }, &Plan::Audio(AudioPlan::new(known.end)));
    assert!((sound.end - 24.0).abs() < 0.1, "sound ends at {}", sound.end);
}

/// Some HDR films name their brightness and nothing else; the filter that brings it down gives up
/// on those.
#[test]
fn brightness_is_brought_down_whatever_colours_are_named() {
    let mut house = House::open();
    let bare = ["-color_trc", "smpte2084", "-x264-params", "transfer=smpte2084"];
    let named = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"];
    for (name, colours) in [("bare.mkv", &bare[..]), ("named.mkv", &named[..])] {
        film(&house, name, &[], &[H264, &["-g", "48"], colours, AC3, &["-t", "6"]].concat());
        let index = index(&mut house, name);
        let rung = Rung { tone_map: true, ..RUNG };
        let made =
            make(&mut house, name, &Track::VideoEncode { picture: 0, rung }, &Plan::Video(VideoPlan::encode(&index)));
        assert_eq!(made.times.len(), 144, "{name}");
        let entries = "stream=color_transfer,color_primaries";
        let args = ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0", made.path()];
        assert_eq!(output("ffprobe", &args).0.trim(), "bt709,bt709", "{name}: it is no HDR any more");
    }
}

#[test]
fn why_a_film_cannot_be_cut_travels_along() {
    let mut house = House::open();
    house.write("text.mkv", b"not a film at all");
    let track = Track::VideoEncode { picture: 0, rung: RUNG };
    let mut asker = Asker::new(&mut house, 1);
    let said = asker.refusal("text.mkv", &track, &Plan::Audio(AudioPlan { end: 480_000 }));
    assert_eq!(said, (Status::Refused, String::new()), "a plan of another kind");
    let sound = Track::AudioEncode { index: 0 };
    let (status, text) = asker.refusal("text.mkv", &sound, &Plan::Audio(AudioPlan { end: 480_000 }));
    assert_eq!(status, Status::Failed);
    assert!(text.starts_with("segment 0: ffmpeg ended with exit status: 1: "), "{text}");
    assert!(text.contains("EBML header parsing failed") || text.contains("Invalid data"), "{text}");
}
