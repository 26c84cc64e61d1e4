//! Every kind of film through the real server and the viewer's own loge, judged by the reference
//! player's own libraries, with both runtimes.

#![expect(clippy::disallowed_methods, reason = "the judge is a real program")]

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};
use std::process::Command;

fn title_id(person: &Person, name: &str) -> String {
    let list = person.get("/api/v1/titles?limit=200").json();
    let items = list["items"].as_array().expect("a list");
    items.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("no {name}"))["id"]
        .as_str()
        .expect("an id")
        .into()
}

fn play(person: &Person, title: &str, form: &Value) -> Value {
    let answer = person.post(&format!("/api/v1/titles/{title}/play"), form);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Frames and duration as ffprobe finds them in a file or at an address; decoding must be clean.
fn judged(what: &str, stream: &str) -> u64 {
    let args = [
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        stream,
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    ];
    let out = Command::new("ffprobe").args(args).arg(what).output().expect("ffprobe runs");
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(errors.is_empty(), "{what}: {errors}");
    let text = String::from_utf8_lossy(&out.stdout);
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_else(|| panic!("{what}: nothing decoded"));
    first.trim().trim_end_matches(',').parse().unwrap_or_else(|_| panic!("{what}: {text}"))
}

/// A player that begins in the middle, as VLC and mpv do with a kept place: one clean frame from there.
/// For files alone: ffmpeg's HLS reader cannot seek in fragmented MP4, not even in what ffmpeg wrote
/// (<https://github.com/mpv-player/mpv/issues/15184>).
fn jumped(address: &str) {
    let args = ["-nostdin", "-v", "error", "-ss", "4", "-i", address, "-an", "-frames:v", "1", "-f", "framemd5", "-"];
    let out = Command::new("ffmpeg").args(args).output().expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{address}: {said}");
    let frames = String::from_utf8_lossy(&out.stdout).lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(frames, 1, "{address}");
}

fn addresses(list: &str) -> Vec<&str> {
    list.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect()
}

#[test]
fn films_that_no_browser_takes_play_in_any_player() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::DIRECT, media::MKV, media::AVI]);
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        for (file, name, method, quality) in
            [(media::MKV, "Copper Sky", "remux", "original"), (media::AVI, "Old Reel", "transcode", "360p")]
        {
            let source = judged(films.path().join(file).to_str().expect("a path"), "v:0");
            let started = play(&ana, &title_id(&ana, name), &json!({}));
            assert_eq!((&started["method"], &started["quality"]), (&json!(method), &json!(quality)), "{started:#}");
            let url = started["url"].as_str().expect("an address");
            // A player that knows nothing of Loge: the address is enough.
            let whole = format!("{}{url}", house.url);
            assert_eq!(judged(&whole, "v:0"), source, "{name}: every frame and no other");
            assert!(judged(&whole, "a:0") > 100, "{name}: it can be heard");

            // The same by hand: each segment alone, from the end to the beginning.
            let base = url.strip_suffix("master.m3u8").expect("a master");
            let get = |path: &str| {
                let answer = house.anonymous().get(&format!("{base}{path}"));
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                answer.body
            };
            let master = String::from_utf8(get("master.m3u8")).expect("text");
            let track = addresses(&master)[0].strip_suffix("index.m3u8").expect("a list").to_string();
            let list = String::from_utf8(get(&format!("{track}index.m3u8"))).expect("text");
            let mut segments: Vec<Vec<u8>> =
                addresses(&list).iter().rev().map(|segment| get(&format!("{track}{segment}"))).collect();
            segments.reverse();
            let joined = films.path().join("joined.mp4");
            std::fs::write(&joined, [get(&format!("{track}init.mp4")), segments.concat()].concat()).expect("written");
            assert_eq!(judged(joined.to_str().expect("a path"), "v:0"), source, "{name}: joined from parts");
            std::fs::remove_file(&joined).expect("removed");
        }
        // The film a browser takes as it is can be had with another quality: its own list says so.
        let direct = play(&ana, &title_id(&ana, "The Lantern Room"), &json!({}));
        assert_eq!((&direct["method"], &direct["qualities"][0]["id"]), (&json!("direct"), &json!("original")));
        let whole = format!("{}{}", house.url, direct["url"].as_str().expect("an address"));
        let source = films.path().join(media::DIRECT);
        assert_eq!(judged(&whole, "v:0"), judged(source.to_str().expect("a path"), "v:0"));
        jumped(&whole);
        let smaller = play(&ana, &title_id(&ana, "The Lantern Room"), &json!({ "quality": "240p" }));
        assert_eq!((&smaller["method"], &smaller["quality"]), (&json!("transcode"), &json!("240p")), "{smaller:#}");
    }
}

#[test]
fn a_house_that_gives_way_to_other_programs_plays_all_the_same() {
    let films = media::some(&[media::MKV, media::AVI]);
    // An engine's containers are its own children and know nothing of the server's rank.
    let house = House::open(Runtime::Process);
    house.step_back();
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let ana = house.viewer(&owner, "Ana", &[&library]);
    for name in ["Copper Sky", "Old Reel"] {
        let started = play(&ana, &title_id(&ana, name), &json!({}));
        let quality = started["quality"].as_str().expect("a quality");
        let first = started["url"].as_str().expect("an address").replace("master.m3u8", &format!("v-{quality}/0.m4s"));
        let answer = house.anonymous().get(&first);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
}

#[test]
fn whoever_signs_out_has_no_more_segments_and_no_program_runs_on() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::MKV]);
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let started = play(&ana, &title_id(&ana, "Copper Sky"), &json!({}));
        let url = started["url"].as_str().expect("an address").to_string();
        let segment = url.replace("master.m3u8", "v-original/0.m4s");
        assert_eq!(house.anonymous().get(&segment).status, 200);
        assert_eq!(ana.post("/api/v1/auth/logout", &json!({})).status, 204);
        eventually("her addresses are dead", || (house.anonymous().get(&segment).status != 200).then_some(()));
        assert_ne!(house.anonymous().get(&url).status, 200);
        // The house proves when it closes that nothing of it runs on.
    }
}

#[test]
fn films_in_other_wrapping_are_looked_into_while_nobody_watches() {
    let films = media::some(&[media::DIRECT, media::MKV, media::AVI]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    eventually("both indexes", || {
        let database = house.data_dir().join("loge.db");
        let count = "select count(*) from keyframe_indexes where length(content) > 0";
        let out = Command::new("sqlite3").arg("-readonly").arg(database).arg(count).output().expect("sqlite3 runs");
        (String::from_utf8_lossy(&out.stdout).trim() == "2").then_some(())
    });
}

#[test]
fn an_index_is_of_one_version_of_a_file() {
    let films = media::some(&[media::MKV, media::AVI]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let title = title_id(&owner, "Copper Sky");
    let before = play(&owner, &title, &json!({}));
    let url = before["url"].as_str().expect("an address");
    let segment = url.replace("master.m3u8", "v-original/0.m4s");
    assert_eq!(house.anonymous().get(&segment).status, 200);
    // Another film under the same name: nothing of the old one may be mixed with it.
    let path = films.path().join(media::MKV);
    let half = std::fs::read(&path).expect("the film");
    std::fs::write(&path, &half[..half.len() * 2 / 3]).expect("written");
    let answer = house.anonymous().get(&segment);
    assert_eq!((answer.status, answer.code().as_str()), (409, "file_changed"), "{answer:?}");
    let scan = owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({}));
    assert_eq!(scan.status, 202, "{scan:?}");
    eventually("the new version is known", || {
        let title = owner.get(&format!("/api/v1/titles/{title}")).json();
        (title["files"][0]["size_bytes"].as_u64() == Some(half.len() as u64 * 2 / 3)).then_some(())
    });
}

/// What a list says of one of its pictures: `BANDWIDTH`, `RESOLUTION`…
fn attribute<'a>(master: &'a str, picture: &str, name: &str) -> &'a str {
    let mut lines = master.lines();
    let told = std::iter::from_fn(|| lines.next().zip(lines.clone().next())).find(|(_, uri)| uri.starts_with(picture));
    let told = told.unwrap_or_else(|| panic!("no {picture} in {master}")).0;
    let value = told.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {told}")).1;
    value.split_once(',').map_or(value, |(value, _)| value)
}

#[test]
fn one_list_holds_every_picture_that_costs_nobody_an_encode() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::TALL]);
        let path = films.path().join(media::TALL);
        let source = judged(path.to_str().expect("a path"), "v:0");
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let title = title_id(&ana, "Tall Grass");
        assert_eq!(owner.post(&format!("/api/v1/titles/{title}/prepare"), &json!({ "quality": "480p" })).status, 202);
        eventually("the version is there", || {
            let item = owner.get("/api/v1/admin/renditions").json()["items"][0].clone();
            assert_ne!(item["state"], "failed", "{item:#}");
            (item["state"] == "done").then_some(())
        });

        let started = play(&ana, &title, &json!({}));
        assert_eq!((&started["method"], &started["quality"]), (&json!("remux"), &json!("original")), "{started:#}");
        let offered: Vec<(&str, bool)> = started["qualities"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|q| (q["id"].as_str().expect("an id"), q["in_playlist"] == true))
            .collect();
        assert_eq!(offered, [("original", true), ("480p", true)]);
        let base = started["url"].as_str().and_then(|url| url.strip_suffix("master.m3u8")).expect("a master");
        let get = |path: &str| {
            let answer = house.anonymous().get(&format!("{base}{path}"));
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            answer.body
        };
        let master = String::from_utf8(get("master.m3u8")).expect("text");
        assert_eq!(addresses(&master), ["v-original/index.m3u8", "v-480p/index.m3u8"], "{master}");
        assert_eq!(master.matches("TYPE=AUDIO,GROUP-ID=\"sound\"").count(), 1, "{master}");
        for (picture, resolution) in [("v-original", "1280x720"), ("v-480p", "852x480")] {
            assert_eq!(attribute(&master, picture, "RESOLUTION"), resolution, "{master}");
            assert_eq!(attribute(&master, picture, "AUDIO"), "\"sound\"", "{master}");
            assert!(attribute(&master, picture, "CODECS").starts_with("\"avc1."), "{master}");
            assert_eq!(attribute(&master, picture, "FRAME-RATE"), "24.000", "{master}");
            // Each decodes from its own parts alone, to the frame, and takes no more than the list says.
            let list = String::from_utf8(get(&format!("{picture}/index.m3u8"))).expect("text");
            let seconds: Vec<f64> =
                list.lines().filter_map(|l| l.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok()).collect();
            assert!((seconds.iter().sum::<f64>() - 9.0).abs() < 0.1, "{list}");
            let parts: Vec<Vec<u8>> = addresses(&list).iter().map(|part| get(&format!("{picture}/{part}"))).collect();
            let bandwidth: f64 = attribute(&master, picture, "BANDWIDTH").parse().expect("a number");
            for (part, seconds) in parts.iter().zip(&seconds) {
                let rate = part.len() as f64 * 8.0 / seconds;
                assert!(rate < bandwidth, "{picture}: {rate} bit/s of {bandwidth}");
            }
            let joined = films.path().join("joined.mp4");
            std::fs::write(&joined, [get(&format!("{picture}/init.mp4")), parts.concat()].concat()).expect("written");
            assert_eq!(judged(joined.to_str().expect("a path"), "v:0"), source, "{picture}");
            std::fs::remove_file(&joined).expect("removed");
        }
        // The owner sees the picture that was asked for last.
        let streams = owner.get("/api/v1/admin/streams").json();
        let seen = (&streams["items"][0]["method"], &streams["items"][0]["quality"]);
        assert_eq!(seen, (&json!("rendition"), &json!("480p")), "{streams:#}");
        get("v-original/1.m4s");
        assert_eq!(owner.get("/api/v1/admin/streams").json()["items"][0]["quality"], "original");
        // A rung nobody admitted is not there.
        assert_eq!(house.anonymous().get(&format!("{base}v-360p/index.m3u8")).status, 404);

        // Who chose gets that and nothing else.
        for (quality, address) in [("480p", "v-480p/index.m3u8"), ("original", "v-original/index.m3u8")] {
            let chosen = play(&ana, &title, &json!({ "quality": quality }));
            let master = house.anonymous().get(chosen["url"].as_str().expect("an address"));
            let master = String::from_utf8(master.body).expect("text");
            assert_eq!(addresses(&master), [address], "{master}");
        }
    }
}

#[test]
fn a_film_that_no_browser_decodes_is_prepared_and_plays_to_the_frame() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::HEVC]);
        let source = judged(films.path().join(media::HEVC).to_str().expect("a path"), "v:0");
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let title = title_id(&ana, "Salt Road");
        let refused = ana.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
        assert_eq!((refused.status, refused.code().as_str()), (409, "needs_preparing"), "{refused:?}");
        assert_eq!(refused.json()["preparing"]["state"], "none");

        let wanted = ana.post(&format!("/api/v1/titles/{title}/prepare"), &json!({ "quality": "480p" }));
        assert_eq!(wanted.status, 202, "{wanted:?}");
        let item = eventually("the version is there", || {
            let item = owner.get("/api/v1/admin/renditions").json()["items"][0].clone();
            assert_ne!(item["state"], "failed", "{item:#}");
            (item["state"] == "done").then_some(item)
        });
        assert!(item["size_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{item:#}");

        let started = play(&ana, &title, &json!({}));
        assert_eq!((&started["method"], &started["quality"]), (&json!("rendition"), &json!("480p")), "{started:#}");
        let url = started["url"].as_str().expect("an address");
        let whole = format!("{}{url}", house.url);
        assert_eq!(judged(&whole, "v:0"), source, "every frame and no other");
        assert!(judged(&whole, "a:0") > 100, "it can be heard");
        // A browser's way, which tests/browser walks too: the same bytes under the same names.
        let part = url.replace("master.m3u8", "v-480p/1.m4s");
        let (once, again) = (house.anonymous().get(&part), house.anonymous().get(&part));
        assert!(once.status == 200 && once.body == again.body && !once.body.is_empty(), "{once:?}");

        // Another film under the same name: the version is of the one that was.
        let path = films.path().join(media::HEVC);
        let bytes = std::fs::read(&path).expect("the film");
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).expect("written");
        let scan = owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({}));
        assert_eq!(scan.status, 202, "{scan:?}");
        eventually("the version goes with its film", || {
            let gone = owner.get("/api/v1/admin/renditions").json()["items"].as_array().is_some_and(Vec::is_empty);
            let folder = house.data_dir().join("renditions");
            let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
            (gone && empty).then_some(())
        });
    }
}
