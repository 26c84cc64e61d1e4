//! Films as households have them, with what once went wrong: what the real worker learns of each, and
//! what is decided from it.

mod common;

use common::{House, films::ffmpeg, job};
use contract::{Job, Status};
use domain::{
    devices::Device,
    facts::{Container, Defect, FileFacts},
    playback::{Candidate, Capabilities, Decision, Method, Reason, Wish, decide, default_audio},
};
use std::path::{Path, PathBuf};

const JSON: u32 = 1 << 20;
/// Looking into a film goes behind everything else on the machine: it takes what it takes.
const TIME_MS: u32 = 300_000;
const PICTURE: &str = "testsrc2=s=320x180:r=25:d=10";
const SOUND: &str = "sine=f=440:r=48000:d=10";
const H264: &[&str] = &["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"];
const HEVC: &[&str] = &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:pools=1"];
const AAC: &[&str] = &["-c:a", "aac"];

/// What must be true of a film.
type Check = fn(&FileFacts);

struct Case {
    name: &'static str,
    /// How ffmpeg makes it.
    made: Vec<&'static str>,
    /// What happens to its bytes then.
    then: fn(Vec<u8>) -> Vec<u8>,
    right: Result<Check, Defect>,
    /// How an ordinary browser gets it, where nothing is encoded live.
    plays: Result<Method, Reason>,
}

fn as_it_is(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn film(name: &'static str, made: &[&[&'static str]], right: Check, plays: Result<Method, Reason>) -> Case {
    Case { name, made: made.concat(), then: as_it_is, right: Ok(right), plays }
}

fn no_film(name: &'static str, made: &[&[&'static str]], then: fn(Vec<u8>) -> Vec<u8>, defect: Defect) -> Case {
    Case { name, made: made.concat(), then, right: Err(defect), plays: Err(Reason::FileDefect) }
}

fn seen(facts: &FileFacts) -> (u32, u32) {
    facts.video.as_ref().unwrap().display_size()
}

fn about_ten_seconds(facts: &FileFacts) {
    assert!((9_900..10_200).contains(&facts.duration_ms), "{}", facts.duration_ms);
}

/// Writes a length into Matroska's header: 64-bit floating point behind its identifier.
fn ten_years(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.windows(3).position(|b| b == [0x44, 0x89, 0x88]).unwrap() + 3;
    bytes[at..at + 8].copy_from_slice(&322_843_082_752_000.0_f64.to_be_bytes());
    bytes
}

/// Calls the samples of the first track encrypted, as a shop does.
fn bought(mut bytes: Vec<u8>) -> Vec<u8> {
    let table = bytes.windows(4).position(|b| b == b"stsd").unwrap();
    let entry = table + bytes[table..].windows(4).position(|b| b == b"avc1").unwrap();
    bytes[entry..entry + 4].copy_from_slice(b"encv");
    bytes
}

fn six_tenths(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() * 6 / 10);
    bytes
}

const WEB: Result<Method, Reason> = Ok(Method::Direct);
const WRAPPED: Result<Method, Reason> = Ok(Method::Remux);

fn cases(chapters: &'static str) -> Vec<Case> {
    let late: &[&str] = &["-output_ts_offset", "36000"];
    let two: &[&str] = &["-f", "lavfi", "-i", "testsrc=s=160x90:r=1:d=1", "-map", "2:v", "-map", "0:v", "-map", "1:a"];
    let marked: &[&str] = &["-disposition:v:0", "0", "-disposition:v:1", "default"];
    vec![
        film("plain.mp4", &[H264, AAC], |f| assert_eq!((seen(f), f.start_ms), ((320, 180), 0)), WEB),
        film(
            "dvd.mkv",
            &[&["-vf", "scale=720:576,setsar=64/45", "-c:v", "mpeg2video", "-c:a", "ac3"]],
            |f| assert_eq!(seen(f), (1024, 576)),
            Err(Reason::VideoCodecNotPlayable),
        ),
        film(
            "ntsc.avi",
            &[&["-vf", "scale=720:480,setsar=8/9", "-c:v", "mpeg4", "-c:a", "libmp3lame"]],
            |f| assert_eq!(seen(f), (640, 480)),
            Err(Reason::VideoCodecNotPlayable),
        ),
        film(
            "wide.mp4",
            &[&["-vf", "scale=720:576,setsar=64/45"], H264, AAC],
            |f| assert_eq!(seen(f), (1024, 576)),
            WEB,
        ),
        film(
            "pq.mkv",
            &[&["-pix_fmt", "yuv420p10le"], HEVC, &["-color_trc", "smpte2084"], AAC],
            |f| {
                let video = f.video.as_ref().unwrap();
                assert!(video.is_hdr() && video.primaries.is_none());
            },
            Err(Reason::VideoCodecNotPlayable),
        ),
        film(
            "thumbnail.mov",
            &[
                two,
                &["-c:v:0", "mjpeg", "-pix_fmt:v:0", "yuvj420p", "-c:v:1", "libx264", "-pix_fmt:v:1", "yuv420p"],
                AAC,
            ],
            |f| assert_eq!((f.video.as_ref().unwrap().track, seen(f)), (1, (320, 180))),
            WRAPPED,
        ),
        film(
            "second.mkv",
            &[two, H264, AAC, marked],
            |f| assert_eq!((f.video.as_ref().unwrap().track, seen(f)), (1, (320, 180))),
            WRAPPED,
        ),
        film(
            "late.mkv",
            &[H264, AAC, late],
            |f| {
                about_ten_seconds(f);
                assert!((35_900_000..36_000_100).contains(&f.start_ms), "{}", f.start_ms);
            },
            WRAPPED,
        ),
        film(
            "late.mp4",
            &[H264, AAC, &["-output_ts_offset", "5400", "-movflags", "frag_keyframe+empty_moov"]],
            about_ten_seconds,
            WEB,
        ),
        Case {
            then: six_tenths,
            ..film(
                "power.mkv",
                &[H264, AAC],
                |f| assert!((4_000..9_000).contains(&f.duration_ms), "{}", f.duration_ms),
                WRAPPED,
            )
        },
        Case {
            then: six_tenths,
            ..film(
                "crashed.mp4",
                &[H264, AAC, &["-movflags", "frag_keyframe+empty_moov"]],
                |f| assert!((4_000..9_000).contains(&f.duration_ms), "{}", f.duration_ms),
                WEB,
            )
        },
        film("live.mkv", &[H264, AAC, &["-f", "matroska", "-live", "1"]], about_ten_seconds, WRAPPED),
        Case { then: ten_years, ..film("years.mkv", &[H264, AAC], about_ten_seconds, WRAPPED) },
        film(
            "side.mp4",
            &[&["-af", "pan=5.1(side)|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0"], H264, AAC],
            |f| assert!(f.audio[0].has_channel_map && !f.audio[0].fits_segments()),
            WEB,
        ),
        film(
            "main.mkv",
            &[H264, &["-c:a", "aac", "-profile:a", "aac_main"]],
            |f| assert!(!f.audio[0].fits_segments()),
            WRAPPED,
        ),
        film(
            "fields.mp4",
            &[H264, &["-flags", "+ilme+ildct"], AAC],
            |f| assert!(f.video.as_ref().unwrap().interlaced),
            Err(Reason::Interlaced),
        ),
        film(
            "colours.mp4",
            &[&["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv422p"], AAC],
            |f| assert_eq!(f.video.as_ref().unwrap().bit_depth, Some(8)),
            Err(Reason::SamplingNotPlayable),
        ),
        film(
            "hev1.mp4",
            &[&["-pix_fmt", "yuv420p"], HEVC, &["-tag:v", "hev1"], AAC],
            |f| {
                assert_eq!(f.video.as_ref().unwrap().sample_entry.as_deref(), Some("hev1"));
                let safari = Device::named("safari").unwrap().capabilities();
                assert_eq!(decided(f, &safari), WRAPPED);
                let mut renamed = f.clone();
                renamed.video.as_mut().unwrap().sample_entry = Some("hvc1".into());
                assert_eq!(decided(&renamed, &safari), WEB);
            },
            Err(Reason::CodecNameNotPlayable),
        ),
        film(
            "told.mp4",
            &[&["-map", "0:v", "-map", "1:a", "-map", "1:a"], H264, AAC, &["-metadata:s:a:0", "language=eng"]],
            |f| assert_eq!((f.audio.len(), default_audio(f)), (2, 0)),
            WEB,
        ),
        film(
            "told.mkv",
            &[
                &["-map", "0:v", "-map", "1:a", "-map", "1:a"],
                H264,
                AAC,
                &["-metadata:s:a:0", "title=Commentary", "-disposition:a:0", "default", "-disposition:a:1", "0"],
            ],
            |f| assert_eq!((f.audio[0].commentary, default_audio(f)), (true, 1)),
            WRAPPED,
        ),
        film(
            "chapters.mkv",
            &[&["-i", chapters, "-map_chapters", "2", "-map", "0:v", "-map", "1:a"], H264, AAC],
            |f| {
                assert_eq!(f.chapters.len(), media::probe_json::MAX_CHAPTERS);
                assert!(f.chapters.iter().all(|c| c.start_ms < f.duration_ms && c.end_ms <= f.duration_ms));
            },
            WRAPPED,
        ),
        film(
            "small.avi",
            &[&["-vf", "scale=96:54", "-c:v", "mpeg4", "-c:a", "libmp3lame"]],
            |f| assert_eq!(seen(f), (96, 54)),
            Err(Reason::VideoCodecNotPlayable),
        ),
        no_film("bought.m4v", &[H264, AAC, &["-f", "mp4"]], bought, Defect::Protected),
        no_film("cut.mp4", &[H264, AAC, &["-movflags", "+faststart"]], six_tenths, Defect::Truncated),
        no_film("unfinished.mp4", &[H264, AAC], six_tenths, Defect::Truncated),
        no_film("recorder.mp4", &[H264, AAC, &["-f", "mpegts"]], as_it_is, Defect::Unsupported),
        no_film(
            "page.mp4",
            &[H264, AAC],
            |_| b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n".to_vec(),
            Defect::NotMedia,
        ),
        no_film(
            "list.mp4",
            &[H264, AAC],
            |_| b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/secret.ts\n".to_vec(),
            Defect::NotMedia,
        ),
        no_film("sound.mp4", &[&["-vn"], AAC], as_it_is, Defect::NoVideo),
    ]
}

fn decided(facts: &FileFacts, capabilities: &Capabilities) -> Result<Method, Reason> {
    let film = Candidate {
        facts: Some(facts),
        defect: None,
        copy: None,
        sound_begins_late: false,
        renditions: &[],
        live: &[],
    };
    match decide(&film, capabilities, Wish::default()) {
        Decision::Play { method, .. } => Ok(method),
        // What weighs most is said last.
        Decision::Refuse { reasons } => Err(*reasons.iter().rfind(|r| **r != Reason::AudioCodecNotPlayable).unwrap()),
    }
}

fn make(library: &Path, case: &Case) -> PathBuf {
    let path = library.join(case.name);
    let to = path.to_str().unwrap();
    ffmpeg(
        &[
            &["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND],
            &case.made[..],
            &[to],
        ]
        .concat(),
    );
    std::fs::write(&path, (case.then)(std::fs::read(&path).unwrap())).unwrap();
    path
}

#[test]
fn what_is_known_of_a_film_and_what_is_decided_from_it() {
    let mut house = House::open();
    let chapters = house.library.join("chapters.txt");
    let one = |n: u32| format!("[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\n", n * 20, n * 20 + 20);
    std::fs::write(&chapters, format!(";FFMETADATA1\n{}", (0..1_200).map(one).collect::<String>())).unwrap();
    let chapters: &'static str = chapters.to_str().unwrap().to_owned().leak();
    let mut data = house.dial(1);
    data.set_read_timeout(None).unwrap();
    let mut wrong = Vec::new();
    for (id, case) in cases(chapters).iter().enumerate() {
        make(&house.library, case);
        let file = house.file(case.name.as_bytes(), None);
        let (status, bytes) = job(&mut data, id as u64, Job::Probe { file }, JSON, TIME_MS);
        let ending = case.name.rsplit('.').next().and_then(Container::from_extension);
        let found = match status {
            Status::Ok => media::probe_json::parse(&bytes, ending),
            Status::Failed => Err(media::probe_json::defect_of(&bytes)),
            other => panic!("{}: {other:?}", case.name),
        };
        let holds = std::panic::catch_unwind(|| match (&found, &case.right) {
            (Ok(facts), Ok(check)) => {
                check(facts);
                assert_eq!(decided(facts, &Capabilities::default()), case.plays);
            }
            (Err(defect), Err(expected)) => assert_eq!(defect, expected),
            (_, expected) => panic!("not {:?}", expected.as_ref().err()),
        });
        if holds.is_err() {
            wrong.push(format!("{}: {found:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns where a picture's colours lie on average, by a program that is not ours.
fn average(jpeg: &[u8], library: &Path) -> [u8; 3] {
    let path = library.join("seen.jpg");
    std::fs::write(&path, jpeg).unwrap();
    let raw = library.join("seen.rgb");
    let (from, to) = (path.to_str().unwrap(), raw.to_str().unwrap());
    ffmpeg(&[
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-i",
        from,
        "-vf",
        "scale=1:1:flags=area",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        to,
    ]);
    std::fs::read(&raw).unwrap().try_into().unwrap()
}

#[test]
fn posters_are_of_the_film() {
    House::both().into_iter().for_each(posters_in);
}

fn posters_in(mut house: House) {
    let solid = |colour: &'static str| format!("color=c={colour}:s=320x180:r=25:d=10").leak() as &'static str;
    let path = |name: &str| house.library.join(name).to_str().unwrap().to_owned();
    let cover = path("cover.jpg");
    ffmpeg(&["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", solid("blue"), "-frames:v", "1", &cover]);
    let base = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"];
    let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"];
    let two = ["-f", "lavfi", "-i", solid("red"), "-map", "0:v", "-map", "1:v"];
    ffmpeg(&[&base[..], &[solid("lime")], &two, &h264, &[&path("two.mkv")]].concat());
    let attach = ["-attach", &cover, "-metadata:s:t", "mimetype=image/jpeg"];
    ffmpeg(&[&base[..], &[solid("red")], &attach, &h264, &[&path("cover.mkv")]].concat());
    ffmpeg(&[&base[..], &[solid("red")], &h264, &[&path("bare.mkv")]].concat());
    let mut data = house.dial(1);
    data.set_read_timeout(None).unwrap();
    let mut next = 0;
    let mut poster = |house: &House, name: &str, picture_track| {
        next += 1;
        let moments_ms = vec![1_000, 1_400, 1_900, 2_500, 600];
        let asked = Job::Poster { file: house.file(name.as_bytes(), None), picture_track, moments_ms, width: 160 };
        let (status, jpeg) = job(&mut data, next, asked, 1 << 20, TIME_MS);
        assert_eq!(status, Status::Ok, "{name}: {}", String::from_utf8_lossy(&jpeg));
        average(&jpeg, &house.library)
    };
    let is = |[red, green, blue]: [u8; 3], name: &str| match name {
        "red" => red > 150 && green < 90 && blue < 90,
        "lime" => red < 90 && green > 150 && blue < 90,
        _ => red < 90 && green < 90 && blue > 150,
    };
    for (name, track, colour) in
        [("two.mkv", 0, "lime"), ("two.mkv", 1, "red"), ("cover.mkv", 0, "blue"), ("bare.mkv", 0, "red")]
    {
        let found = poster(&house, name, track);
        assert!(is(found, colour), "{name} {track}: {found:?} is not {colour}");
    }
}

/// The first six seconds are plain gray, and all five moments lie there.
#[test]
fn a_plain_colour_is_no_poster() {
    let mut house = House::with_frames(&common::frames_binary());
    let to = house.library.join("gray.mkv");
    let picture = "color=c=gray:s=320x180:r=25:d=6[a];testsrc2=s=320x180:r=25:d=4[b];[a][b]concat";
    let base = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture];
    ffmpeg(&[&base[..], H264, &["-g", "25"], &[to.to_str().unwrap()]].concat());
    let mut data = house.dial(1);
    data.set_read_timeout(None).unwrap();
    let mut bytes_of = |moments_ms: Vec<u64>| {
        let asked = Job::Poster { file: house.file(b"gray.mkv", None), picture_track: 0, moments_ms, width: 160 };
        let (status, jpeg) = job(&mut data, 1, asked, 1 << 20, TIME_MS);
        assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&jpeg));
        jpeg.len()
    };
    // The beginning alone has nothing else to be compared with.
    let plain = bytes_of(vec![0]);
    let chosen = bytes_of(vec![1_000, 1_400, 1_900, 2_500, 600]);
    assert!(chosen > plain * 2, "{chosen} bytes, and {plain} of a plain picture");
}
