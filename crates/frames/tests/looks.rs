//! What pictures look like: held against ffmpeg's own, which turns, stretches and converts by itself.

mod common;

use common::*;
use contract::{Status, pictures::Ending};
use std::path::{Path, PathBuf};

const X264: [&str; 5] = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt"];

/// Something with a clear up and left, colours and fine parts.
const SCENE: &str = "testsrc2=s=320x180:r=25:d=4,drawbox=x=0:y=0:w=90:h=50:c=red:t=fill";

fn made(dir: &Path, name: &str, extra: &[&str]) -> PathBuf {
    film(dir, name, SCENE, &[&X264[..], &["yuv420p", "-g", "25"], extra].concat())
}

/// Writes another display matrix (a b; c d) into the header of the only track.
fn turn(film: &Path, [a, b, c, d]: [i32; 4]) {
    let mut bytes = std::fs::read(film).unwrap();
    let at = bytes.windows(4).position(|w| w == b"tkhd").unwrap() + 4 + 40;
    for (n, value) in [a, b, 0, c, d, 0].into_iter().enumerate() {
        bytes[at + n * 4..at + n * 4 + 4].copy_from_slice(&(value << 16).to_be_bytes());
    }
    std::fs::write(film, bytes).unwrap();
}

/// The film's first frame as ffmpeg shows it to people, in this size.
fn as_ffmpeg(film: &Path, width: usize, height: usize) -> Vec<u8> {
    // Square pixels first: the scaler alone would keep the shape of each.
    let scale = format!("scale={width}:{height}:flags=bicubic:in_color_matrix=auto,format=rgb24");
    ffmpeg(&["-i", film.to_str().unwrap(), "-frames:v", "1", "-vf", &scale, "-f", "rawvideo", "pipe:1"])
}

#[test]
fn pictures_are_turned_and_stretched_like_ffmpegs() {
    let dir = tempfile::tempdir().unwrap();
    let frames = Frames::start();
    for (name, matrix, size) in [
        ("upright", [1, 0, 0, 1], (320, 180)),
        ("clockwise", [0, 1, -1, 0], (180, 320)),
        ("upside down", [-1, 0, 0, -1], (320, 180)),
        ("counterclockwise", [0, -1, 1, 0], (180, 320)),
        ("mirrored", [-1, 0, 0, 1], (320, 180)),
        ("mirrored and turned", [0, 1, 1, 0], (180, 320)),
    ] {
        let film = made(dir.path(), "turned.mp4", &["-movflags", "+faststart"]);
        turn(&film, matrix);
        let (ours, width, height) = pixels(dir.path(), &jpeg(frames.poster(&film, &[0], 640)));
        assert_eq!((width, height), size, "{name}");
        let apart = difference(&ours, &as_ffmpeg(&film, width, height));
        assert!(apart < 8.0, "{name}: {apart}");
        // The control: any other way round is far away.
        let mut other = ours.clone();
        other.reverse();
        assert!(difference(&other, &as_ffmpeg(&film, width, height)) > 30.0, "{name}");
    }
    for (name, extra, size) in [
        ("wide.mkv", &["-vf", "scale=240:180,setsar=4/3"][..], (320, 180)),
        ("narrow.mp4", &["-vf", "setsar=1/2"], (160, 180)),
        ("odd.mkv", &["-vf", "scale=321:181", "-pix_fmt", "yuv444p"], (320, 182)),
        ("deep.mkv", &["-pix_fmt", "yuv420p10le"], (320, 180)),
        ("large.mp4", &["-vf", "scale=1280:720", "-colorspace", "bt709"], (640, 360)),
    ] {
        let film = made(dir.path(), name, extra);
        let (ours, width, height) = pixels(dir.path(), &jpeg(frames.poster(&film, &[0], 640)));
        assert_eq!((width, height), size, "{name}");
        let apart = difference(&ours, &as_ffmpeg(&film, width, height));
        assert!(apart < 8.0, "{name}: {apart}");
    }
}

/// Black, red, green, blue and white, two seconds each, with key frames there.
fn colours(dir: &Path, name: &str, codecs: &[&str]) -> PathBuf {
    let path = dir.join(name);
    let parts = ["black", "red", "lime", "blue", "white"].map(|c| format!("color=c={c}:s=320x180:r=25:d=2"));
    let mut args: Vec<&str> = parts.iter().flat_map(|part| ["-f", "lavfi", "-i", part]).collect();
    args.extend(["-filter_complex", "concat=n=5:v=1", "-pix_fmt", "yuv420p", "-g", "50"]);
    args.extend(codecs);
    args.push(path.to_str().unwrap());
    ffmpeg(&args);
    path
}

#[test]
fn every_container_and_codec_shows_its_moments_in_the_right_colours() {
    let dir = tempfile::tempdir().unwrap();
    let frames = Frames::start();
    let expected = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 255], [0, 0, 0]];
    for (name, codecs) in [
        ("h264.mp4", &["-c:v", "libx264", "-preset", "ultrafast"][..]),
        ("reordered.mkv", &["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"]),
        ("open.mkv", &["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-x264-params", "open-gop=1"]),
        ("late.mkv", &["-c:v", "libx264", "-preset", "ultrafast", "-output_ts_offset", "7.5"]),
        ("h265.mkv", &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"]),
        ("vp8.webm", &["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "300k"]),
        ("vp9.webm", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-b:v", "300k"]),
        ("mpeg4.avi", &["-c:v", "mpeg4", "-bf", "2"]),
        ("mpeg2.mkv", &["-c:v", "mpeg2video", "-bf", "2", "-q:v", "2"]),
        ("prores.mov", &["-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"]),
        ("mjpeg.avi", &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]),
    ] {
        let film = colours(dir.path(), name, codecs);
        let times = [0, 2_000, 4_000, 6_000, 8_000, 6_000];
        let (rgb, width, height) = pixels(dir.path(), &jpeg(frames.sheet(&film, &times, (160, 90))));
        assert_eq!((width, height), (800, 450), "five by five tiles");
        let at = |n: usize| (((n / 5) * 90 + 45) * 800 + (n % 5) * 160 + 80) * 3;
        for (n, colour) in expected.iter().enumerate() {
            let found = &rgb[at(n)..at(n) + 3];
            assert!(found.iter().zip(colour).all(|(a, b)| a.abs_diff(*b) < 24), "{name}, tile {n}: {found:?}");
        }
    }
}

/// A grey ramp as a display for films of high brightness would get it.
#[test]
fn bright_films_are_neither_washed_out_nor_dark() {
    let dir = tempfile::tempdir().unwrap();
    let frames = Frames::start();
    // The 10-bit numbers of 203 candela (white) left and of 20 candela right.
    for (name, transfer, left, right) in [("pq", "smpte2084", 573, 399), ("hlg", "arib-std-b67", 721, 388)] {
        let luma = format!(
            "color=c=gray:s=320x180:r=5:d=2,format=yuv420p10le,geq=lum='if(lt(X,160),{left},{right})':cb=512:cr=512"
        );
        let params = format!("log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc");
        let codecs = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", &params];
        let film = film(dir.path(), &format!("{name}.mkv"), &luma, &codecs);
        let (rgb, width, _) = pixels(dir.path(), &jpeg(frames.poster(&film, &[0], 320)));
        let at = |x: usize| rgb[(90 * width + x) * 3];
        assert!(at(40) > 200, "{name}: white is {}", at(40));
        assert!((60..=130).contains(&at(280)), "{name}: a tenth of it is {}", at(280));
    }
}

#[test]
fn the_liveliest_moment_is_taken_and_the_beginning_where_there_is_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let frames = Frames::start();
    let source = "color=c=black:s=320x180:r=25:d=4[a];testsrc2=s=320x180:r=25:d=4[b];[a][b]concat";
    let film = film(dir.path(), "dark.mp4", source, &[&X264[..], &["yuv420p", "-g", "25"]].concat());
    let mean = |answer: Answer| {
        let (rgb, ..) = pixels(dir.path(), &jpeg(answer));
        rgb.iter().map(|v| u64::from(*v)).sum::<u64>() / rgb.len() as u64
    };
    assert!(mean(frames.poster(&film, &[1_000], 320)) < 4, "the control: it begins dark");
    assert!(mean(frames.poster(&film, &[1_000, 2_000, 6_000, 3_000, 500], 320)) > 60);
    let short = std::fs::read(&film).unwrap();
    let cut = dir.path().join("cut.mkv");
    ffmpeg(&["-i", film.to_str().unwrap(), "-c", "copy", cut.to_str().unwrap()]);
    let whole = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 10]).unwrap();
    assert!(mean(frames.poster(&cut, &[7_000, 7_500], 320)) < 4, "{} bytes", short.len());
}

#[test]
fn places_that_cannot_be_read_are_black_and_what_is_absurd_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let frames = Frames::start();
    let film =
        colours(dir.path(), "whole.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart"]);
    let whole = std::fs::read(&film).unwrap();
    let cut = dir.path().join("cut.mp4");
    std::fs::write(&cut, &whole[..whole.len() * 6 / 10]).unwrap();
    let (rgb, ..) = pixels(dir.path(), &jpeg(frames.sheet(&cut, &[2_000, 8_000], (160, 90))));
    let at = |n: usize| &rgb[(45 * 800 + n * 160 + 80) * 3..][..3];
    assert!(at(0)[0] > 230 && at(0)[1] < 24 && at(1).iter().all(|c| *c < 200), "{:?} {:?}", at(0), at(1));

    let text = dir.path().join("text.mkv");
    std::fs::write(&text, b"hello, this is a shopping list").unwrap();
    let sound = dir.path().join("sound.mkv");
    ffmpeg(&["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", sound.to_str().unwrap()]);
    let failed =
        |answer: Answer| (answer.0, answer.2) == (Some(Status::Failed), Ending::Exited(0)) && !answer.1.is_empty();
    for path in [&text, &sound] {
        assert!(failed(frames.sheet(path, &[0], (160, 90))) && failed(frames.poster(path, &[0], 320)), "{path:?}");
    }
    let refused = |answer: Answer| answer == (Some(Status::Refused), Vec::new(), Ending::Exited(0));
    assert!(refused(frames.sheet(&film, &[], (160, 90))) && refused(frames.sheet(&film, &[0; 26], (160, 90))));
    assert!(refused(frames.sheet(&film, &[0], (161, 90))) && refused(frames.sheet(&film, &[0], (4000, 90))));
    assert!(refused(frames.poster(&film, &[], 320)) && refused(frames.poster(&film, &[0; 6], 320)));
    assert!(refused(frames.poster(&film, &[0], 15)) && refused(frames.poster(&film, &[0], 2000)));
    let small = |max_bytes| {
        let order = contract::pictures::Order { max_bytes, ..sheet(&[0, 2_000], (160, 90)) };
        frames.ask(&film, &order)
    };
    let large = jpeg(small(200_000));
    assert!(jpeg(small(u32::try_from(large.len()).unwrap() - 1)).len() < large.len());
    assert_eq!(small(100), (Some(Status::Unsupported), Vec::new(), Ending::Exited(0)));
}
