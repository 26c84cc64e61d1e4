//! Encoded segments that were kept: found again by whoever they were made for and by nobody else,
//! never for another version of the film, and the owner's levers.

mod common;

use common::{
    house::{Login, TestHouse},
    until,
};
use domain::{LibraryId, capacity::Capacity, facts::Container};
use serde_json::{Value, json};
use std::time::Duration;
use store::ScanChange;

/// A play of a film that is encoded, as far as its player has the inits.
async fn begin(house: &TestHouse, who: &Login, title: &domain::TitleId) -> String {
    // A machine on which everybody may have an encode.
    let capacity = Capacity {
        measured_at_ms: 1,
        cores: 64,
        decode_cost: 0.01,
        encode: vec![(360, 0.01), (480, 0.01)],
        tone_map_cost: None,
        remux_cost: 0.01,
        disk_bytes_per_s: None,
        memory_bytes: 1 << 30,
        chip: domain::chip::ChipVerdict::Untested,
    };
    house.store.set_capacity(&capacity).await.unwrap();
    let play = house.play(who, title).await;
    assert_eq!(play["method"], "transcode", "{play:#}");
    let base = play["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap().to_string();
    for track in ["v-360p", "a-0"] {
        assert_eq!(house.get(&format!("{base}{track}/init.mp4")).await.status, 200);
    }
    base
}

async fn cache(house: &TestHouse, owner: &Login) -> Value {
    house.json("GET", "/api/v1/admin/cache", owner, None).await.1
}

async fn kept(house: &TestHouse, owner: &Login, segments: u64) -> Value {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let view = cache(house, owner).await;
        if view["segments"] == segments {
            return view;
        }
        assert!(tokio::time::Instant::now() < end, "{view:#}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn segment(house: &TestHouse, path: &str) -> Vec<u8> {
    let answer = house.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type").map(|kind| kind.ends_with("/mp4")), Some(true));
    answer.body
}

#[tokio::test]
async fn going_back_asks_no_loge() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("old", Container::Avi, "mpeg4").await;
    let base = begin(&house, &owner, &shelf.title).await;
    let picture = format!("{base}v-360p/3.m4s");
    let first = segment(&house, &picture).await;
    let film = house.rooms.worker.film.clone();
    assert!(first == film[3..3 + first.len()], "every byte the worker's and no other");
    // Its sound is copied.
    segment(&house, &format!("{base}a-0/1.m4s")).await;
    let view = kept(&house, &owner, 1).await;
    assert_eq!((&view["state"], &view["people"][0]["username"]), (&json!("keeping"), &json!("Owner")), "{view:#}");
    let asked = house.rooms.asked("segment");
    assert!(segment(&house, &picture).await == first);
    assert_eq!((house.rooms.asked("segment"), &cache(&house, &owner).await["served"]), (asked, &json!(1)));
    // The control: one that was not made before is asked for.
    segment(&house, &format!("{base}v-360p/4.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 1);
    kept(&house, &owner, 2).await;

    // Watched once more, and by somebody else.
    let again = begin(&house, &owner, &shelf.title).await;
    segment(&house, &format!("{again}v-360p/3.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 1);
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    let hers = begin(&house, &ana, &shelf.title).await;
    segment(&house, &format!("{hers}v-360p/3.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 2, "nobody gets what was made for somebody else");
    kept(&house, &owner, 3).await;

    // Pressing play begins the first segment, unless that lies there already.
    let begun = || house.rooms.asked(&format!("begin {} VideoEncode", owner.user));
    let before = begun();
    assert!(before > 0);
    segment(&house, &format!("{again}v-360p/0.m4s")).await;
    kept(&house, &owner, 4).await;
    begin(&house, &owner, &shelf.title).await;
    assert_eq!(begun(), before);

    // What was never asked for with an init is not kept: nothing says what it would fit.
    let bare = house.play(&ana, &shelf.title).await["url"].as_str().unwrap().replace("master.m3u8", "v-360p/4.m4s");
    segment(&house, &bare).await;
    assert_eq!(cache(&house, &owner).await["segments"], 4);

    let metrics = house.call("GET", "/metrics", "authorization: Bearer scrape-me\r\n", None).await.text();
    assert!(metrics.contains("loge_segment_cache_segments 4\n"), "{metrics}");
    assert!(metrics.contains("loge_segment_cache_limit_bytes 8589934592\n"));
}

#[tokio::test]
async fn copies_are_not_kept() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mkv, "h264").await;
    let play = house.play(&owner, &shelf.title).await;
    let base = play["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap().to_string();
    for part in ["v-original/init.mp4", "v-original/0.m4s", "v-original/1.m4s", "a-0/init.mp4", "a-0/0.m4s"] {
        segment(&house, &format!("{base}{part}")).await;
    }
    let asked = house.rooms.asked("segment");
    segment(&house, &format!("{base}v-original/0.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 1);
    // The control: what is kept is there by now.
    let old = house.shelf("old", Container::Avi, "mpeg4").await;
    let base = begin(&house, &owner, &old.title).await;
    segment(&house, &format!("{base}v-360p/0.m4s")).await;
    let view = kept(&house, &owner, 1).await;
    assert_eq!(view["used_bytes"], 8192, "{view:#}");
}

/// What a scan finds when the file has another time by now.
async fn another_version(house: &TestHouse, library: &LibraryId, name: &str) {
    let folder = house.store.library(library).await.unwrap().unwrap().folders.remove(0).id;
    let known = house.store.files_of_folder(&folder).await.unwrap().remove(0);
    let row = house.store.file(&known.id).await.unwrap().unwrap();
    let found = ScanChange::Found {
        path: row.path.clone(),
        size_bytes: row.size_bytes,
        mtime_ns: row.mtime_ns + 1,
        inode: row.inode,
        name: name.into(),
        year: None,
        facts: Ok(row.facts.unwrap()),
    };
    house.store.apply_scan(library, &folder, vec![found]).await.unwrap();
    house.bus.publish(base::Event::Title { title: row.title, library: library.clone() });
}

#[tokio::test]
async fn a_play_never_sees_two_versions_of_its_film() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("old", Container::Avi, "mpeg4").await;
    let base = begin(&house, &owner, &shelf.title).await;
    let path = format!("{base}v-360p/3.m4s");
    segment(&house, &path).await;
    kept(&house, &owner, 1).await;
    another_version(&house, &shelf.library, "Film of old").await;
    kept(&house, &owner, 0).await;
    let answer = house.get(&path).await;
    assert_eq!((answer.status, answer.text().contains("file_changed")), (409, true), "{}", answer.text());
    // Whoever begins anew has the new one, which is kept for itself.
    let asked = house.rooms.asked("segment");
    let base = begin(&house, &owner, &shelf.title).await;
    segment(&house, &format!("{base}v-360p/3.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 1);
    kept(&house, &owner, 1).await;
}

#[tokio::test]
async fn the_owner_sets_the_space_and_empties_it() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("old", Container::Avi, "mpeg4").await;
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    let base = begin(&house, &ana, &shelf.title).await;
    segment(&house, &format!("{base}v-360p/3.m4s")).await;
    kept(&house, &owner, 1).await;
    for call in ["GET", "DELETE"] {
        assert_eq!(house.json(call, "/api/v1/admin/cache", &ana, None).await.0, 403);
    }
    let change = async |body: Value| house.json("PATCH", "/api/v1/admin/settings", &owner, Some(body)).await;
    for bad in [1_u64, (4 << 20) - 1, u64::MAX] {
        let (status, problem) = change(json!({ "cache_total_bytes": bad })).await;
        assert_eq!((status, &problem["fields"][0]["field"]), (400, &json!("cache_total_bytes")), "{problem}");
    }
    assert_eq!(house.json("DELETE", "/api/v1/admin/cache", &owner, None).await.0, 204);
    let view = cache(&house, &owner).await;
    assert_eq!((&view["used_bytes"], &view["people"]), (&json!(0), &json!([])), "{view:#}");
    let asked = house.rooms.asked("segment");
    segment(&house, &format!("{base}v-360p/3.m4s")).await;
    assert_eq!(house.rooms.asked("segment"), asked + 1, "she watches on");
    kept(&house, &owner, 1).await;

    let (status, settings) = change(json!({ "cache_each_bytes": 5_000_000, "cache_total_bytes": 0 })).await;
    assert_eq!((status, &settings["cache_total_bytes"]), (200, &json!(0)), "{settings}");
    let view = cache(&house, &owner).await;
    assert_eq!((&view["state"], &view["each_bytes"]), (&json!("off"), &json!(5_000_000)), "{view:#}");
    segment(&house, &format!("{base}v-360p/4.m4s")).await;
    // Ended, she is about to see nothing any more: what was hers goes.
    let streams = house.gateway.streams().clone();
    streams.stop_all();
    until("nobody watches", Duration::from_secs(5), || streams.list().is_empty()).await;
    assert_eq!(change(json!({ "max_viewers": 5 })).await.0, 200);
    kept(&house, &owner, 0).await;
}
