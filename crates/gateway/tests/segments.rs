//! A film in segments: what playlists say, which addresses exist, and that nothing else does.

mod common;

use common::house::TestHouse;
use domain::facts::Container;
use serde_json::json;

async fn text(house: &TestHouse, path: &str) -> (u16, String, Option<String>) {
    let answer = house.get(path).await;
    let kind = answer.header("content-type").map(str::to_string);
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned(), kind)
}

#[tokio::test]
async fn a_film_that_needs_other_wrapping_plays_in_segments() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mkv, "h264").await;
    let play = house.play(&owner, &shelf.title).await;
    assert_eq!((play["method"].as_str(), play["quality"].as_str()), (Some("remux"), Some("original")), "{play:#}");
    assert_eq!(play["mime"], "application/vnd.apple.mpegurl");
    assert_eq!(play["audio_tracks"][0]["label"], "English · stereo");
    assert!(play["reasons"].as_array().unwrap().iter().any(|r| r["code"] == "picture_copied"), "{play:#}");
    let url = play["url"].as_str().unwrap();
    let base = url.strip_suffix("master.m3u8").unwrap();

    let (status, master, kind) = text(&house, url).await;
    assert_eq!((status, kind.as_deref()), (200, Some("application/vnd.apple.mpegurl")));
    assert!(master.contains("CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=640x360"), "{master}");
    assert!(
        master.contains("NAME=\"English · stereo\",LANGUAGE=\"en\",DEFAULT=YES")
            && master.ends_with("v-original/index.m3u8\n")
    );
    let (status, list, _) = text(&house, &format!("{base}v-original/index.m3u8")).await;
    assert_eq!((status, list.matches("#EXTINF:4.000000,").count()), (200, 5), "{list}");
    let (_, sound, _) = text(&house, &format!("{base}a-0/index.m3u8")).await;
    assert_eq!(sound.matches("#EXTINF").count(), 7, "{sound}");

    let film = house.rooms.worker.film.clone();
    let init = house.get(&format!("{base}v-original/init.mp4")).await;
    assert_eq!((init.status, init.header("content-type")), (200, Some("video/mp4")));
    assert!(init.body == film[..init.body.len()] && !init.body.is_empty());
    let segment = house.get(&format!("{base}v-original/3.m4s")).await;
    assert_eq!(segment.status, 200);
    assert!(segment.body == film[3..3 + segment.body.len()], "every byte the worker's and no other");
    assert!(segment.header("etag").is_some() && segment.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(house.get(&format!("{base}a-0/0.m4s")).await.header("content-type"), Some("audio/mp4"));

    // HEAD says what GET would, and sends nothing.
    for part in ["v-original/init.mp4", "v-original/3.m4s", "a-0/0.m4s", "master.m3u8", "v-original/index.m3u8"] {
        let path = format!("{base}{part}");
        let (get, head) = (house.get(&path).await, house.call("HEAD", &path, "", None).await);
        assert_eq!((head.status, head.body.len()), (200, 0), "{part}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{part}");
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{part}");
        assert_eq!(head.header("etag"), get.header("etag"), "{part}");
    }

    for nothing in [
        "v-original/5.m4s",
        "v-original/00.m4s",
        "v-original/-1.m4s",
        "v-original/99999999999.m4s",
        "a-0/7.m4s",
        "a-1/index.m3u8",
        "a-1/init.mp4",
        "v-480p/index.m3u8",
        "v-480p/0.m4s",
        "v-9999p/0.m4s",
        "x/index.m3u8",
        "v-original/..%2ffile",
        "..%2f..%2fetc/passwd",
        "v-original/init.mp4%00",
    ] {
        let (status, body, _) = text(&house, &format!("{base}{nothing}")).await;
        assert!(matches!(status, 400 | 404), "{nothing}: {status} {body}");
    }
    // Key frames alone are enough to begin a copy; they cost little and are not kept.
    house.play(&owner, &shelf.title).await;
    assert_eq!((house.rooms.jobs("Keys"), house.rooms.jobs("Index")), (2, 0));
    // An encode has to know the other frames too, and that is kept.
    let path = format!("/api/v1/titles/{}/play", shelf.title);
    let smaller = json!({ "quality": "240p" });
    let (_, play) = house.json("POST", &path, &owner, Some(smaller)).await;
    assert_eq!((play["method"].as_str(), house.rooms.jobs("Index")), (Some("transcode"), 1), "{play:#}");
    house.play(&owner, &shelf.title).await;
    assert_eq!((house.rooms.jobs("Keys"), house.rooms.jobs("Index")), (2, 1), "once known, nothing is asked for");
}

#[tokio::test]
async fn an_ended_play_has_no_segments() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mkv, "h264").await;
    let play = house.play(&owner, &shelf.title).await;
    let url = play["url"].as_str().unwrap().to_string();
    assert_eq!(text(&house, &url).await.0, 200);
    let id = play["play_id"].as_str().unwrap();
    let (status, _) = house.json("DELETE", &format!("/api/v1/admin/streams/{id}"), &owner, None).await;
    assert_eq!(status, 204);
    let segment = url.replace("master.m3u8", "v-original/0.m4s");
    for path in [url, segment] {
        assert!(matches!(text(&house, &path).await.0, 401 | 404 | 410), "{path}");
    }
}

#[tokio::test]
async fn small_old_films_are_encoded_and_only_at_the_size_that_was_admitted() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("old", Container::Avi, "mpeg4").await;
    let play = house.play(&owner, &shelf.title).await;
    assert_eq!((play["method"].as_str(), play["quality"].as_str()), (Some("transcode"), Some("360p")), "{play:#}");
    let base = play["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap().to_string();
    let (_, master, _) = text(&house, &format!("{base}master.m3u8")).await;
    assert!(master.ends_with("v-360p/index.m3u8\n"), "{master}");
    assert_eq!(text(&house, &format!("{base}v-360p/index.m3u8")).await.0, 200);
    assert_eq!(house.get(&format!("{base}v-360p/0.m4s")).await.status, 200);
    assert_eq!(text(&house, &format!("{base}v-240p/0.m4s")).await.0, 404);
    let path = format!("/api/v1/titles/{}/play", shelf.title);
    for bad in [
        json!({ "quality": "9p" }),
        json!({ "quality": "high" }),
        json!({ "audio_track": 7 }),
        json!({ "capabilities": { "mse": { "video_codecs": ["x".repeat(33)] } } }),
    ] {
        assert_eq!(house.json("POST", &path, &owner, Some(bad.clone())).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn how_a_title_would_play_can_be_asked_without_playing_it() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf_of("films", Container::Mkv, "hevc", (1920, 1080)).await;
    let ask = async |query: &str| {
        let path = format!("/api/v1/titles/{}/playability{query}", shelf.title);
        house.json("GET", &path, &owner, None).await
    };
    let (_, browser) = ask("").await;
    assert_eq!((&browser["verdict"], &browser["method"]), (&json!("needs_preparing"), &json!(null)), "{browser:#}");
    assert_eq!(browser["files"][0]["reasons"][0]["code"], "container_not_playable");
    assert_eq!(ask("?device=safari").await.1["method"], "remux");
    assert_eq!(ask("?device=vlc").await.1["method"], "direct");
    assert_eq!(ask("?device=toaster").await.0, 400);
    assert_eq!(house.rooms.asked("job"), 0, "a question opens no film");
    let (_, devices) = house.json("GET", "/api/v1/devices", &owner, None).await;
    assert!(devices["items"].as_array().unwrap().iter().any(|d| d["id"] == "chromium"));
    let form = json!({ "capabilities": { "device": "vlc" } });
    let (_, play) = house.json("POST", &format!("/api/v1/titles/{}/play", shelf.title), &owner, Some(form)).await;
    assert_eq!(play["method"], "direct", "{play:#}");
}

#[tokio::test]
async fn a_film_that_needs_it_is_prepared_and_plays() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf_of("films", Container::Mkv, "hevc", (1920, 1080)).await;
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    let bob = house.viewer(&owner, "Bob", &[]).await;
    let (play, prepare) =
        (format!("/api/v1/titles/{}/play", shelf.title), format!("/api/v1/titles/{}/prepare", shelf.title));
    let (status, refused) = house.json("POST", &play, &ana, None).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("needs_preparing")));
    assert_eq!(refused["preparing"], json!({ "state": "none" }));

    assert_eq!(house.json("POST", &prepare, &bob, None).await.0, 404, "what is not granted does not exist");
    for bad in [json!({ "quality": "1080p" }), json!({ "quality": "auto" }), json!({ "speed": 2 })] {
        assert_eq!(house.json("POST", &prepare, &ana, Some(bad.clone())).await.0, 400, "{bad}");
    }
    let (status, wanted) = house.json("POST", &prepare, &ana, Some(json!({ "quality": "480p" }))).await;
    assert_eq!(status, 202, "{wanted}");
    let list = async || house.json("GET", "/api/v1/admin/renditions", &owner, None).await.1["items"].clone();
    let done = async || {
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let items = list().await;
            if items[0]["state"] == "done" {
                return items;
            }
            assert!(tokio::time::Instant::now() < until, "{items:#}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let items = done().await;
    assert_eq!((&items[0]["id"], &items[0]["quality"]), (&wanted["job_id"], &json!("480p")), "{items:#}");
    assert_eq!(items[0]["progress"], 1.0);

    let started = house.play(&ana, &shelf.title).await;
    assert_eq!((&started["method"], &started["quality"]), (&json!("rendition"), &json!("480p")), "{started:#}");
    let kinds: Vec<&str> =
        started["qualities"].as_array().unwrap().iter().map(|q| q["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["original", "rendition"]);
    let base = started["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap().to_string();
    let (_, master, _) = text(&house, &format!("{base}master.m3u8")).await;
    assert!(master.contains("a-0/index.m3u8") && master.ends_with("v-480p/index.m3u8\n"), "{master}");
    let (_, index, _) = text(&house, &format!("{base}v-480p/index.m3u8")).await;
    let segments = index.lines().filter(|l| l.ends_with(".m4s")).count();
    for (part, holds) in [
        ("v-480p/init.mp4".to_string(), "init of VideoEncode".to_string()),
        ("v-480p/0.m4s".into(), "part 0 of VideoEncode".into()),
        (format!("v-480p/{}.m4s", segments - 1), format!("part {} of VideoEncode", segments - 1)),
        ("a-0/1.m4s".into(), "part 1 of Audio".into()),
    ] {
        let answer = house.get(&format!("{base}{part}")).await;
        assert!(answer.status == 200 && answer.text().starts_with(&holds), "{part}: {}", answer.text());
        assert!(answer.header("etag").is_some() && answer.header("cache-control").unwrap().contains("immutable"));
    }
    for nothing in [format!("v-480p/{segments}.m4s"), "v-720p/0.m4s".into(), "v-480p/00.m4s".into()] {
        assert_eq!(house.get(&format!("{base}{nothing}")).await.status, 404, "{nothing}");
    }
    assert_eq!(house.rooms.asked("segment"), 0, "nobody's loge worked for it");

    // The same for a player that cannot know which file is behind it.
    let how = house.json("GET", &format!("/api/v1/titles/{}/playability", shelf.title), &ana, None).await.1;
    assert_eq!((&how["method"], &how["renditions"][0]["state"]), (&json!("rendition"), &json!("done")), "{how:#}");
    let id = wanted["job_id"].as_str().unwrap();
    let path = format!("/api/v1/admin/renditions/{id}");
    assert_eq!(house.json("DELETE", &path, &ana, None).await.0, 403);
    assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 204);
    assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 404);
    assert_eq!(house.json("POST", &play, &ana, None).await.0, 409);
}

#[tokio::test]
async fn what_plays_is_prepared_for_the_owner_only_and_waits_while_somebody_watches() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf_of("films", Container::Mkv, "h264", (1920, 1080)).await;
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    let prepare = format!("/api/v1/titles/{}/prepare", shelf.title);
    assert_eq!(house.json("POST", &prepare, &ana, None).await.0, 403);
    let play = house.play(&ana, &shelf.title).await;
    let (status, wanted) = house.json("POST", &prepare, &owner, None).await;
    assert_eq!(status, 202);
    let item = async || house.json("GET", "/api/v1/admin/renditions", &owner, None).await.1["items"][0].clone();
    let wait_for = async |state: &str| {
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let item = item().await;
            if item["state"] == state {
                return item;
            }
            assert!(tokio::time::Instant::now() < until, "{state}: {item:#}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let held = wait_for("paused").await;
    assert!(held["reason"].as_str().unwrap().contains("watching") && held["progress"] == 0.0, "{held:#}");
    let path = format!("/api/v1/admin/renditions/{}", wanted["job_id"].as_str().unwrap());
    assert_eq!(house.json("POST", &format!("{path}/pause"), &owner, None).await.0, 202);
    house.json("DELETE", &format!("/api/v1/admin/streams/{}", play["play_id"].as_str().unwrap()), &owner, None).await;
    let held = wait_for("paused").await;
    assert_eq!(held["reason"], serde_json::Value::Null, "by the owner: {held:#}");
    assert_eq!(house.json("POST", &format!("{path}/resume"), &owner, None).await.0, 202);
    assert_eq!(wait_for("done").await["quality"], "720p");
    // The small picture is there for whoever asks for it, and the film stays what it was.
    let smaller = json!({ "quality": "720p" });
    let (_, small) = house.json("POST", &format!("/api/v1/titles/{}/play", shelf.title), &ana, Some(smaller)).await;
    assert_eq!(small["method"], "rendition", "{small:#}");
    assert_eq!(house.play(&ana, &shelf.title).await["method"], "remux");
}

#[tokio::test]
async fn the_night_shift_is_the_owners() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ana = house.viewer(&owner, "Ana", &[]).await;
    let path = "/api/v1/admin/night-shift";
    assert_eq!(house.json("GET", path, &ana, None).await.0, 403);
    let (_, shift) = house.json("GET", path, &owner, None).await;
    assert_eq!((&shift["enabled"], &shift["state"], &shift["from"]), (&json!(false), &json!("off"), &json!("01:00")));
    for bad in [json!({ "from": "1:00" }), json!({ "from": "06:00" }), json!({ "cap_bytes": 5 }), json!({ "when": 1 })]
    {
        assert_eq!(house.json("PATCH", path, &owner, Some(bad.clone())).await.0, 400, "{bad}");
    }
    let change = json!({ "enabled": true, "from": "23:30", "to": "05:00", "cap_bytes": 5_u64 << 30 });
    assert_eq!(house.json("PATCH", path, &owner, Some(change)).await.0, 200);
    // It is noon in this house.
    let (_, shift) = house.json("GET", path, &owner, None).await;
    assert_eq!(
        (&shift["state"], &shift["to"], &shift["cap_bytes"]),
        (&json!("waiting"), &json!("05:00"), &json!(5_u64 << 30))
    );
    assert_eq!(shift["state_text"], "It begins at 23:30.");
}

#[tokio::test]
async fn what_a_player_asks_for_first_is_begun_when_it_is_played() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mkv, "h264").await;
    let at = json!({ "position_s": 9.5, "event": "pause" });
    let (status, _) = house.json("PUT", &format!("/api/v1/titles/{}/progress", shelf.title), &owner, Some(at)).await;
    assert_eq!(status, 204);
    house.play(&owner, &shelf.title).await;
    let id = &owner.user;
    house.asked(&format!("begin {id} VideoCopy {{ picture: 0, hevc: false }} 2")).await;
    house.asked(&format!("begin {id} AudioCopy {{ index: 0, start_us: 0, rate: 48000 }} 3")).await;
    assert_eq!(house.rooms.asked("begin"), 2);

    // Before that, its loge was expected to work; so it is where a player comes to somewhere else,
    // and not while it goes on.
    let expected = || house.rooms.asked(&format!("expects {id}"));
    assert_eq!(expected(), 1);
    let play = house.play(&owner, &shelf.title).await;
    let base = play["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap();
    for (part, times) in [("init.mp4", 2), ("0.m4s", 3), ("1.m4s", 3), ("2.m4s", 3), ("0.m4s", 4), ("4.m4s", 5)] {
        assert_eq!(house.get(&format!("{base}v-original/{part}")).await.status, 200);
        assert_eq!(expected(), times, "{part}");
    }
    let begun = house.rooms.asked("begin");

    // A plain file is asked for by its player.
    let direct = house.shelf("plain", Container::Mp4, "h264").await;
    assert_eq!(house.play(&owner, &direct.title).await["method"], "direct");
    assert_eq!((house.rooms.asked("begin"), expected()), (begun, 5));
}
