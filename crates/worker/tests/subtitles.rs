//! Subtitles through the real worker and the real ffmpeg, and files that pretend to be some.

mod common;

use common::{House, job};
use contract::{Job, Status, Taken, TextTrack, subtitle};

const ROOM: u32 = 8 << 20;
const LINES: &str = "1\n00:00:00,200 --> 00:00:01,000\nHello <i>there</i>\n\n2\n00:00:01,200 --> 00:00:01,900\n<script>alert(1)</script> & so\n";
const EXPECTED: &str = "WEBVTT\n\n00:00:00.200 --> 00:00:01.000\nHello <i>there</i>\n\n00:00:01.200 --> 00:00:01.900\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; so\n";

fn scratch(house: &House) -> usize {
    std::fs::read_dir(house.home.path().join("work")).unwrap().count()
}

#[test]
fn tracks_of_every_kind_of_text_come_out_in_one_pass() {
    let mut house = House::open();
    house.write("lines.srt", LINES.as_bytes());
    let lines = house.library.join("lines.srt").to_string_lossy().into_owned();
    let two = ["-i", &lines, "-map", "0:v", "-map", "2:s", "-map", "2:s", "-c:v", "libx264", "-preset", "ultrafast"];
    house.clip("film.mkv", &[&two[..], &["-c:s:0", "srt", "-c:s:1", "ass"]].concat());
    house.clip("web.mkv", &[&two[..], &["-c:s", "webvtt"]].concat());
    house.clip("film.mp4", &[&two[..], &["-c:s", "mov_text"]].concat());
    let mut data = house.dial(1);
    for (id, name) in ["film.mkv", "web.mkv", "film.mp4"].into_iter().enumerate() {
        let file = house.file(name.as_bytes(), None);
        let ass = |number| TextTrack { number, is_ass: number == 1 && name == "film.mkv" };
        let asked = Job::Subtitles { file, tracks: vec![ass(0), ass(1)] };
        let (status, bytes) = job(&mut data, id as u64, asked, ROOM, 20_000);
        assert_eq!(status, Status::Ok, "{name}: {}", String::from_utf8_lossy(&bytes));
        for taken in subtitle::decode(&bytes, 2).unwrap() {
            let Taken::Text(text) = taken else { panic!("{name}: nothing taken") };
            let text = String::from_utf8(text).unwrap();
            assert!(text.starts_with("WEBVTT\n\n00:00:00.200 --> 00:00:01.000\nHello"), "{name}: {text}");
            assert!(!text.contains("<script") && text.contains("& so") | text.contains("&amp; so"), "{name}: {text}");
        }
    }
    // A track that is not there costs only itself; a film without any says so.
    let plain = |number| TextTrack { number, is_ass: false };
    let asked = |numbers: Vec<u8>| Job::Subtitles {
        file: house.file(b"film.mkv", None),
        tracks: numbers.into_iter().map(plain).collect(),
    };
    let (status, bytes) = job(&mut data, 10, asked(vec![7, 0]), ROOM, 20_000);
    assert_eq!(status, Status::Ok);
    let taken = subtitle::decode(&bytes, 2).unwrap();
    assert!(matches!(taken[..], [Taken::Nothing, Taken::Text(_)]), "{taken:?}");
    assert_eq!(job(&mut data, 11, asked(vec![]), ROOM, 20_000).0, Status::Refused);
    assert_eq!(job(&mut data, 12, asked(vec![0; 33]), ROOM, 20_000).0, Status::Refused);
    assert_eq!(job(&mut data, 13, asked(vec![0]), 20, 20_000).0, Status::Limit);
    house.write("text.mkv", b"hello, this is a shopping list");
    let none = Job::Subtitles { file: house.file(b"text.mkv", None), tracks: vec![plain(0)] };
    assert_eq!(job(&mut data, 14, none, ROOM, 20_000).0, Status::Failed);
    assert_eq!(scratch(&house), 0, "nothing is left in the work folder");
}

#[test]
fn files_beside_a_film_are_read_whatever_they_are() {
    let mut house = House::open();
    let canary = house.home.path().join("canary");
    std::fs::write(&canary, LINES).unwrap();
    std::os::unix::fs::symlink(&canary, house.library.join("link.srt")).unwrap();
    house.write("good.srt", LINES.as_bytes());
    house.write(
        "latin.srt",
        b"1\n00:00:01,000 --> 00:00:02,000\nSch\xf6ne Gr\xfc\xdfe, da\xdf es gr\xf6\xdfer w\xe4re\n",
    );
    house.write("empty.srt", b"");
    house.write("binary.srt", &b"\x7fELF\x02\x01\0\0".repeat(400));
    house.write("list.srt", b"a shopping list");
    house.write("huge.srt", &vec![b'x'; media::subtitles::MAX_FILE_BYTES + 1]);
    let mut data = house.dial(1);
    for (id, (name, expected)) in [
        ("good.srt", Ok(EXPECTED)),
        ("latin.srt", Ok("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nSchöne Grüße, daß es größer wäre\n")),
        ("empty.srt", Err(Status::Unsupported)),
        ("binary.srt", Err(Status::Unsupported)),
        ("list.srt", Err(Status::Unsupported)),
        ("huge.srt", Err(Status::Unsupported)),
        ("link.srt", Err(Status::Refused)),
        ("../canary", Err(Status::Refused)),
        ("gone.srt", Err(Status::NotFound)),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = Job::SubtitleFile { file: house.file(name.as_bytes(), None), frame_rate_millihertz: None };
        let (status, bytes) = job(&mut data, id as u64, asked, ROOM, 20_000);
        match expected {
            Ok(text) => assert_eq!((status, String::from_utf8_lossy(&bytes).as_ref()), (Status::Ok, text), "{name}"),
            Err(why) => assert_eq!((status, bytes.len()), (why, 0), "{name}"),
        }
    }
    let small =
        Job::SubtitleFile { file: house.file(b"good.srt", Some(LINES.len() as u64)), frame_rate_millihertz: None };
    assert_eq!(job(&mut data, 20, small, 20, 20_000).0, Status::Limit);
    let other = Job::SubtitleFile { file: house.file(b"good.srt", Some(5)), frame_rate_millihertz: None };
    assert_eq!(job(&mut data, 21, other, ROOM, 20_000).0, Status::Changed);
}
