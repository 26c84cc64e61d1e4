//! Sheets of storyboards through the real worker, by `loge-frames` and by ffmpeg.

mod common;

use common::{House, job};
use contract::{Job, Status};

const ROOM: u32 = 200_000;

/// A film that is black, then red, green, blue and white, two seconds each, with key frames there.
#[expect(clippy::disallowed_methods, reason = "ffmpeg makes the film")]
fn colours(house: &House, name: &str, codecs: &[&str]) {
    let parts: Vec<String> =
        ["black", "red", "lime", "blue", "white"].iter().map(|c| format!("color=c={c}:s=320x180:r=25:d=2")).collect();
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    for part in &parts {
        command.args(["-f", "lavfi", "-i", part]);
    }
    command.args(["-filter_complex", "concat=n=5:v=1", "-pix_fmt", "yuv420p", "-g", "50"]).args(codecs);
    assert!(command.arg(house.library.join(name)).status().unwrap().success());
}

/// The middle of each of the first tiles, as red, green and blue.
#[expect(clippy::disallowed_methods, reason = "ffmpeg reads the picture")]
fn middles(house: &House, jpeg: &[u8], count: usize) -> Vec<[u8; 3]> {
    let path = house.home.path().join("sheet.jpg");
    std::fs::write(&path, jpeg).unwrap();
    let out = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&path)
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
        .output()
        .unwrap();
    assert_eq!(out.stdout.len(), 5 * 160 * 5 * 90 * 3, "five by five tiles");
    let at = |n: usize| (((n / 5) * 90 + 45) * 800 + (n % 5) * 160 + 80) * 3;
    (0..count).map(|n| out.stdout[at(n)..at(n) + 3].try_into().unwrap()).collect()
}

fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 30)
}

#[test]
fn every_tile_shows_its_moment() {
    House::both().into_iter().for_each(every_tile_in);
}

fn every_tile_in(mut house: House) {
    colours(&house, "film.mp4", &["-c:v", "libx264", "-preset", "ultrafast"]);
    colours(&house, "film.mkv", &["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"]);
    colours(&house, "film.webm", &["-c:v", "libvpx", "-deadline", "realtime", "-b:v", "300k"]);
    colours(&house, "film.avi", &["-c:v", "mpeg4"]);
    let mut data = house.dial(1);
    // More than one program takes at once, and not in the order of the film.
    let times_ms = vec![0, 2_000, 4_000, 6_000, 8_000, 6_000, 2_000];
    let expected =
        [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 255], [255, 0, 0], [0, 0, 0]];
    for (id, name) in ["film.mp4", "film.mkv", "film.webm", "film.avi"].into_iter().enumerate() {
        let file = house.file(name.as_bytes(), None);
        let asked = Job::Sheet { file, picture_track: 0, times_ms: times_ms.clone(), tile_width: 160, tile_height: 90 };
        let (status, jpeg) = job(&mut data, id as u64, asked, ROOM, 20_000);
        assert_eq!(status, Status::Ok, "{name}: {}", String::from_utf8_lossy(&jpeg));
        let found = middles(&house, &jpeg, expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| near(*a, b)), "{name}: {found:?}");
    }
    assert_eq!(std::fs::read_dir(house.home.path().join("work")).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_read_is_black_and_what_is_absurd_is_refused() {
    House::both().into_iter().for_each(what_cannot_be_read_in);
}

fn what_cannot_be_read_in(mut house: House) {
    colours(&house, "film.mp4", &["-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart"]);
    let whole = std::fs::read(house.library.join("film.mp4")).unwrap();
    house.write("cut.mp4", &whole[..whole.len() * 6 / 10]);
    house.write("text.mkv", b"hello, this is a shopping list");
    let mut data = house.dial(1);
    let asked = |name: &str, times_ms: Vec<u64>, tile_width, tile_height| Job::Sheet {
        file: house.file(name.as_bytes(), None),
        picture_track: 0,
        times_ms,
        tile_width,
        tile_height,
    };
    let (status, jpeg) = job(&mut data, 1, asked("cut.mp4", vec![2_000, 8_000], 160, 90), ROOM, 20_000);
    assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&jpeg));
    let found = middles(&house, &jpeg, 2);
    assert!(near(found[0], [255, 0, 0]) && !near(found[1], [255, 255, 255]), "{found:?}");
    for (id, (job_asked, expected)) in [
        (asked("text.mkv", vec![0], 160, 90), Status::Failed),
        (asked("film.mp4", vec![], 160, 90), Status::Refused),
        (asked("film.mp4", vec![0; 26], 160, 90), Status::Refused),
        (asked("film.mp4", vec![0], 161, 90), Status::Refused),
        (asked("film.mp4", vec![0], 4000, 90), Status::Refused),
        (asked("gone.mp4", vec![0], 160, 90), Status::NotFound),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(job(&mut data, 10 + id as u64, job_asked, ROOM, 20_000).0, expected, "{id}");
    }
    // Smaller and smaller until it fits, or not at all.
    let (_, large) = job(&mut data, 30, asked("film.mp4", vec![0, 2_000], 160, 90), ROOM, 20_000);
    let room = u32::try_from(large.len() - 1).unwrap();
    let (status, small) = job(&mut data, 31, asked("film.mp4", vec![0, 2_000], 160, 90), room, 20_000);
    assert!(status == Status::Ok && small.len() < large.len(), "{status:?}");
    assert_eq!(job(&mut data, 32, asked("film.mp4", vec![0], 160, 90), 100, 20_000).0, Status::Unsupported);
}
