//! From "play" to the last byte, through the whole app: rights, ranges, seats, and the end of a
//! right in the middle of a film.

mod common;

use common::{
    Client, Dice,
    house::{Login, Shelf, TestHouse},
    until,
};
use domain::{Code, Failure, LibraryId, TitleId, facts::Container};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::io::AsyncReadExt;

const SECOND: Duration = Duration::from_secs(1);

async fn set_grants(house: &TestHouse, owner: &Login, user: &str, libraries: &[&LibraryId]) {
    let ids: Vec<&str> = libraries.iter().map(|l| l.as_str()).collect();
    let path = format!("/api/v1/admin/users/{user}/grants");
    let (status, body) = house.json("PUT", &path, owner, Some(json!({ "libraries": ids }))).await;
    assert_eq!(status, 204, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_of_two_thousand_ranges_is_true_through_the_whole_app() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let url = house.play(&owner, &shelf.title).await["url"].as_str().unwrap().to_string();
    let film = house.rooms.worker.film.clone();
    let size = film.len() as u64;
    let tasks: Vec<_> = (0..8_u64)
        .map(|lane| {
            let (film, address, url) = (film.clone(), house.address, url.clone());
            tokio::spawn(async move {
                let mut dice = Dice(lane + 11);
                let mut client = Client::connect(address).await;
                let mut seen = 0;
                while seen < 250 {
                    let batch: Vec<(bool, u64, u64)> = (0..1 + dice.below(4))
                        .map(|_| {
                            let first = dice.below(size);
                            let most = if dice.below(20) == 0 { size - first } else { (size - first).min(150_000) };
                            (dice.below(8) == 0, first, first + dice.below(most))
                        })
                        .collect();
                    let mut text = String::new();
                    for (head, first, last) in &batch {
                        let verb = if *head { "HEAD" } else { "GET" };
                        text +=
                            &format!("{verb} {url} HTTP/1.1\r\nhost: {address}\r\nrange: bytes={first}-{last}\r\n\r\n");
                    }
                    client.send(text).await;
                    for (head, first, last) in batch {
                        let answer = client.answer(head).await.unwrap();
                        assert_eq!(answer.status, 206);
                        assert_eq!(
                            answer.header("content-range"),
                            Some(format!("bytes {first}-{last}/{size}").as_str())
                        );
                        assert_eq!(answer.header("content-length"), Some((last - first + 1).to_string().as_str()));
                        if !head {
                            assert!(answer.broken.is_none(), "{:?}", answer.broken);
                            assert!(answer.body == film[first as usize..=last as usize], "{first}-{last} differs");
                        }
                        seen += 1;
                    }
                    if dice.below(15) == 0 {
                        client.send(format!("GET {url} HTTP/1.1\r\nhost: {address}\r\n\r\n")).await;
                        let _ = client.tcp.read(&mut [0; 2048]).await.unwrap();
                        client = Client::connect(address).await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn ranges_and_validators_on_the_wire() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let play = house.play(&owner, &shelf.title).await;
    assert_eq!((play["method"].as_str(), play["mime"].as_str()), (Some("direct"), Some("video/mp4")));
    assert_eq!(play["reasons"][0]["code"], "plays_as_is");
    let url = play["url"].as_str().unwrap();
    let film = house.rooms.worker.film.clone();
    let size = film.len();
    let whole = house.call("GET", url, "", None).await;
    assert_eq!((whole.status, whole.body.len()), (200, size));
    assert!(whole.body == **film);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert!(whole.header("content-security-policy").unwrap().contains("sandbox"));
    let etag = whole.header("etag").unwrap().to_string();
    assert!(etag.starts_with('"'), "strong: {etag}");

    let many = format!("range: bytes={}\r\n", (0..10_000).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
    for (headers, status, length) in [
        ("range: bytes=0-0\r\n".to_string(), 206, 1),
        ("range: bytes=-100\r\n".into(), 206, 100),
        (format!("range: bytes={}-\r\n", size - 1), 206, 1),
        ("range: bytes=0-999999999999\r\n".into(), 206, size),
        ("range: bytes=9-3\r\n".into(), 200, size),
        ("range: items=0-1\r\n".into(), 200, size),
        ("range: bytes=0-1,5-6\r\n".into(), 200, size),
        ("range: bytes=0-1\r\nrange: bytes=5-6\r\n".into(), 200, size),
        (format!("if-range: {etag}\r\nrange: bytes=0-9\r\n"), 206, 10),
        ("if-range: \"old\"\r\nrange: bytes=0-9\r\n".into(), 200, size),
        (format!("if-range: W/{etag}\r\nrange: bytes=0-9\r\n"), 200, size),
        (format!("if-match: {etag}\r\nrange: bytes=0-9\r\n"), 206, 10),
        (format!("if-none-match: {etag}\r\n"), 304, 0),
        (format!("if-none-match: W/{etag}\r\n"), 304, 0),
        ("if-none-match: \"old\"\r\nrange: bytes=0-9\r\n".into(), 206, 10),
        ("if-match: \"old\"\r\n".into(), 412, 0),
    ] {
        let answer = house.call("GET", url, &headers, None).await;
        assert_eq!((answer.status, answer.body.len()), (status, length), "{headers}");
        assert!(answer.broken.is_none());
    }
    assert!(matches!(house.call("GET", url, &many, None).await.status, 200 | 431), "10,000 ranges");
    for past in [format!("bytes={size}-"), "bytes=-0".into(), format!("bytes={}-{}", size + 5, size + 9)] {
        let answer = house.call("GET", url, &format!("range: {past}\r\n"), None).await;
        assert_eq!(answer.status, 416, "{past}");
        assert_eq!(answer.header("content-range"), Some(format!("bytes */{size}").as_str()));
    }
    let asked = house.rooms.asked.lock().unwrap().len();
    let head = house.call("HEAD", url, "range: bytes=5-9\r\n", None).await;
    assert_eq!((head.status, head.header("content-length")), (206, Some("5")));
    assert_eq!(house.rooms.asked.lock().unwrap().len(), asked, "HEAD asks no worker");
    assert_eq!(house.call("POST", url, "", None).await.status, 405);
}

#[tokio::test]
async fn what_is_not_granted_does_not_exist() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let mine = house.shelf("mine", Container::Mp4, "h264").await;
    let theirs = house.shelf("theirs", Container::Mp4, "h264").await;
    house.store.set_poster(&theirs.title, "abc").await.unwrap();
    std::fs::write(house.posters.join("x"), b"x").unwrap();
    let ana = house.viewer(&owner, "ana", &[&mine.library]).await;
    let nowhere = TitleId::from_random([9; 16]);

    let (_, libraries) = house.json("GET", "/api/v1/libraries", &ana, None).await;
    assert_eq!(libraries["items"].as_array().unwrap().len(), 1);
    assert!(libraries["items"][0].get("folders").is_none(), "paths are the owner's");
    let (_, titles) = house.json("GET", "/api/v1/titles?q=Film", &ana, None).await;
    assert_eq!((titles["items"].as_array().unwrap().len(), titles["total"].as_u64()), (1, Some(1)));
    assert!(!titles.to_string().contains("theirs"));
    let (status, _) = house.json("GET", &format!("/api/v1/titles?library={}", theirs.library), &ana, None).await;
    assert_eq!(status, 404);

    let progress = json!({ "position_s": 1.0, "event": "time" });
    for (verb, path, body) in [
        ("GET", "", None),
        ("GET", "/poster", None),
        ("POST", "/play", Some(json!({}))),
        ("PUT", "/progress", Some(progress)),
    ] {
        let mut answers = Vec::new();
        for title in [&theirs.title, &nowhere] {
            let (status, mut problem) =
                house.json(verb, &format!("/api/v1/titles/{title}{path}"), &ana, body.clone()).await;
            problem["request_id"] = Value::Null;
            answers.push((status, problem));
        }
        assert_eq!(answers[0].0, 404, "{verb} {path}");
        assert_eq!(answers[0], answers[1], "{verb} {path}: foreign and missing look the same");
        let control = house.json(verb, &format!("/api/v1/titles/{}{path}", mine.title), &ana, body).await.0;
        assert!(control < 300 || path == "/poster", "{verb} {path}: {control}");
    }
    for bad in ["..", "%2e%2e%2fetc", "x'--", "0123456789ABCDEF0123456789ABCDEF", "%00", "a%0d%0ab"] {
        assert_eq!(house.json("GET", &format!("/api/v1/titles/{bad}"), &ana, None).await.0, 404, "{bad}");
    }
    for query in
        ["limit=0", "limit=201", "limit=x", "sort=path", "order=up", "playability=all", "who=owner", "cursor=zzz"]
    {
        assert_eq!(house.json("GET", &format!("/api/v1/titles?{query}"), &ana, None).await.0, 400, "{query}");
    }
    // The owner sees the path, a viewer does not.
    let (_, detail) = house.json("GET", &format!("/api/v1/titles/{}", mine.title), &owner, None).await;
    assert!(detail["files"][0]["path"].as_str().unwrap().ends_with("mine.mp4"));
    let (_, detail) = house.json("GET", &format!("/api/v1/titles/{}", mine.title), &ana, None).await;
    assert!(detail["files"][0].get("path").is_none());
}

#[tokio::test]
async fn the_end_of_a_right_ends_the_film() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    let me = ana.user.clone();
    for way in ["grant", "stop", "disable"] {
        let ana = if way == "grant" { ana.clone() } else { house.login("ana").await };
        let play = house.play(&ana, &shelf.title).await;
        let url = play["url"].as_str().unwrap();
        // A slow viewer, so that the film is in the middle when the right ends.
        for running in house.gateway.streams().all() {
            running.pace.set_rate(Some(200_000));
        }
        let mut client = house.client().await;
        client.send(format!("GET {url} HTTP/1.1\r\nhost: {}\r\n\r\n", house.address)).await;
        let mut some = vec![0; 20_000];
        client.tcp.read_exact(&mut some).await.unwrap();
        let (_, streams) = house.json("GET", "/api/v1/admin/streams", &owner, None).await;
        assert_eq!(streams["items"].as_array().unwrap().len(), 1, "{streams}");
        assert_eq!(streams["items"][0]["username"], "ana");
        assert!(streams["items"][0]["bytes_sent"].as_u64().unwrap() > 0);
        match way {
            "grant" => set_grants(&house, &owner, &me, &[]).await,
            "stop" => {
                let path = format!("/api/v1/admin/streams/{}", play["play_id"].as_str().unwrap());
                assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 204);
                assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 404);
            }
            _ => {
                let path = format!("/api/v1/admin/users/{me}");
                assert_eq!(house.json("PATCH", &path, &owner, Some(json!({ "disabled": true }))).await.0, 200);
            }
        }
        assert!(client.closed(5 * SECOND).await, "{way}: cut");
        until("the seat is free", 5 * SECOND, || house.gateway.streams().viewers() == 0).await;
        let again = house.call("GET", url, "", None).await;
        assert!(matches!(again.status, 401 | 404), "{way}: the copied address answered {}", again.status);
        assert!(again.body.len() < 1000);
        if way == "grant" {
            house.asked(&format!("remount {me}")).await;
            set_grants(&house, &owner, &me, &[&shelf.library]).await;
        }
    }
    house.asked(&format!("release {me}")).await;
}

#[tokio::test]
async fn a_copied_address_dies_with_the_session() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    house.asked(&format!("want {}", ana.user)).await;
    let url = house.play(&ana, &shelf.title).await["url"].as_str().unwrap().to_string();
    assert_eq!(house.call("GET", &url, "range: bytes=0-9\r\n", None).await.status, 206, "control");
    let mut wrong = url.clone();
    wrong.insert(12, 'x');
    assert_eq!(house.call("GET", &wrong, "", None).await.status, 404);
    assert_eq!(house.call("POST", "/api/v1/auth/logout", &ana.auth(), None).await.status, 204);
    let after = house.call("GET", &url, "range: bytes=0-9\r\n", None).await;
    assert_eq!(after.status, 401, "{}", after.text());
    assert_eq!(house.call("GET", "/api/v1/me", &ana.auth(), None).await.status, 401);
    let refreshed = house.call("POST", "/api/v1/auth/refresh", &ana.cookie("loge_refresh"), None).await;
    assert_eq!(refreshed.status, 401);
    house.asked(&format!("release {}", ana.user)).await;
}

#[tokio::test]
async fn a_full_house_says_who_sits_where() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let (status, settings) = house
        .json("PATCH", "/api/v1/admin/settings", &owner, Some(json!({ "max_viewers": 1, "idle_stop_minutes": 5 })))
        .await;
    assert_eq!((status, settings["max_viewers"].as_u64()), (200, Some(1)));
    house.asked("idle stop 300").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    let ben = house.viewer(&owner, "ben", &[&shelf.library]).await;
    let first = house.play(&ana, &shelf.title).await;
    house.play(&ana, &shelf.title).await;
    let path = format!("/api/v1/titles/{}/play", shelf.title);
    let (status, problem) = house.json("POST", &path, &ben, Some(json!({}))).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("house_full")));
    assert!(problem["detail"].as_str().unwrap().contains("ana") && problem["retry_after_ms"].is_u64());
    // The earlier play of the same page is over.
    let old = house.call("GET", first["url"].as_str().unwrap(), "", None).await;
    assert_eq!(old.status, 401);
    let (_, streams) = house.json("GET", "/api/v1/admin/streams", &owner, None).await;
    // Another tab may have the same film; a page that says which play it had ends that one.
    let second = streams["items"][0]["play_id"].as_str().unwrap().to_string();
    let again = json!({ "replaces": second });
    let (_, third) = house.json("POST", &path, &ana, Some(again)).await;
    let play = third["play_id"].as_str().unwrap().to_string();
    assert_eq!(house.json("POST", &path, &ana, Some(json!({ "replaces": first["play_id"] }))).await.0, 200);
    let (_, streams) = house.json("GET", "/api/v1/admin/streams", &owner, None).await;
    assert_eq!(streams["items"].as_array().unwrap().len(), 2, "{streams}");
    house.play(&ana, &shelf.title).await;
    let (_, streams) = house.json("GET", "/api/v1/admin/streams", &owner, None).await;
    assert_eq!(streams["items"].as_array().unwrap().len(), 1, "{streams}");
    assert_ne!(streams["items"][0]["play_id"], play.as_str());
    let play = streams["items"][0]["play_id"].as_str().unwrap().to_string();
    assert_eq!(house.json("POST", &path, &ana, Some(json!({ "replaces": "x" }))).await.0, 400);
    let told = json!({ "position_s": 59.5, "event": "close", "play_id": play });
    let (status, _) = house.json("PUT", &format!("/api/v1/titles/{}/progress", shelf.title), &ana, Some(told)).await;
    assert_eq!(status, 204);
    assert_eq!(house.json("POST", &path, &ben, Some(json!({}))).await.0, 200, "the seat is free");
}

#[tokio::test]
async fn a_person_and_the_wire_have_their_limits() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let change = async |body| house.json("PATCH", "/api/v1/admin/settings", &owner, Some(body)).await;
    for (field, bad) in [("total_rate_bps", 1000), ("max_streams_per_person", 0)] {
        let (status, problem) = change(json!({ field: bad })).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_field")), "{problem}");
    }
    let (one, two) =
        (house.shelf("one", Container::Mp4, "h264").await, house.shelf("two", Container::Mp4, "h264").await);
    let ana = house.viewer(&owner, "ana", &[&one.library, &two.library]).await;
    let ben = house.viewer(&owner, "ben", &[&one.library]).await;
    let ask = async |who, shelf: &Shelf| {
        let path = format!("/api/v1/titles/{}/play", shelf.title);
        let (status, answer) = house.json("POST", &path, who, Some(json!({}))).await;
        (status, answer["code"].as_str().map(String::from))
    };
    assert_eq!(change(json!({ "max_streams_per_person": 1 })).await.0, 200);
    assert_eq!(ask(&ana, &one).await, (200, None));
    assert_eq!(ask(&ana, &one).await, (200, None), "the same page again is no second film");
    assert_eq!(ask(&ana, &two).await, (429, Some("too_many_streams".into())));
    let (_, settings) = change(json!({ "max_streams_per_person": 2 })).await;
    assert_eq!(settings["max_streams_per_person"].as_u64(), Some(2));
    assert_eq!(ask(&ana, &two).await, (200, None));

    // What plays takes all that the wire now has.
    let (_, settings) = change(json!({ "total_rate_bps": 65_536 })).await;
    assert_eq!((&settings["total_rate_bps"], &settings["total_rate_now_bps"]), (&json!(65_536), &json!(65_536)));
    assert_eq!(ask(&ben, &one).await, (503, Some("house_full".into())));
    let (_, settings) = change(json!({ "total_rate_bps": null })).await;
    assert_eq!(settings["total_rate_bps"], json!(null));
    assert_eq!(ask(&ben, &one).await, (200, None));
}

#[tokio::test]
async fn old_addresses_take_seats_like_plays() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let limits = json!({ "max_streams_per_person": 3, "per_user_rate_bps": 100_000 });
    assert_eq!(house.json("PATCH", "/api/v1/admin/settings", &owner, Some(limits)).await.0, 200);
    let mut kept = Vec::new();
    for n in 0..5 {
        let shelf = house.shelf(&format!("films {n}"), Container::Mp4, "h264").await;
        let play = house.play(&owner, &shelf.title).await;
        let told = json!({ "position_s": 1.0, "event": "close", "play_id": play["play_id"] });
        let path = format!("/api/v1/titles/{}/progress", shelf.title);
        assert_eq!(house.json("PUT", &path, &owner, Some(told)).await.0, 204);
        kept.push((play["url"].as_str().unwrap().to_string(), shelf.title));
    }
    let mut open = Vec::new();
    for (url, _) in &kept[..3] {
        let mut client = house.client().await;
        client.send(format!("GET {url} HTTP/1.1\r\nhost: {}\r\n\r\n", house.address)).await;
        client.tcp.read_exact(&mut [0; 5_000]).await.unwrap();
        open.push(client);
    }
    let path = format!("/api/v1/titles/{}/play", kept[4].1);
    let (status, refused) = house.json("POST", &path, &owner, Some(json!({}))).await;
    assert_eq!(refused["code"], "too_many_streams");
    for (url, _) in &kept[3..] {
        let answer = house.get(url).await;
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &problem["code"], &problem["detail"]),
            (status, &refused["code"], &refused["detail"])
        );
    }
    drop(open);
    until("their seats are free", 60 * SECOND, || house.gateway.streams().list().is_empty()).await;
    let answer = house.call("GET", &kept[4].0, "range: bytes=0-9\r\n", None).await;
    assert_eq!(answer.status, 206, "control: with a free seat it plays");
}

#[tokio::test]
async fn what_the_owner_stopped_stays_stopped_after_a_restart() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let other = house.shelf("others", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library, &other.library]).await;
    let (stopped, runs) = (house.play(&ana, &shelf.title).await, house.play(&ana, &other.title).await);
    let path = format!("/api/v1/admin/streams/{}", stopped["play_id"].as_str().unwrap());
    assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 204);
    let house = house.restart().await;
    let get = async |play: &Value| {
        let answer = house.call("GET", play["url"].as_str().unwrap(), "range: bytes=0-9\r\n", None).await;
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, problem["code"].as_str().unwrap_or_default().to_string())
    };
    assert_eq!(get(&stopped).await, (401, "stopped_by_owner".into()));
    assert_eq!(get(&runs).await.0, 206, "control: the other one goes on");
    // A player that heals itself says which play it goes on with; a press of the viewer does not.
    let path = format!("/api/v1/titles/{}/play", shelf.title);
    let healed = json!({ "replaces": stopped["play_id"] });
    let (status, problem) = house.json("POST", &path, &ana, Some(healed)).await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("stopped_by_owner")));
    assert_eq!(house.json("POST", &path, &ana, Some(json!({}))).await.0, 200);
}

#[tokio::test]
async fn a_container_that_is_stopped_ends_the_films_that_play_from_it() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    let (hers, mine) = (house.play(&ana, &shelf.title).await, house.play(&owner, &shelf.title).await);
    let mut events = house.bus.subscribe();
    let path = format!("/api/v1/admin/containers/{}/stop", ana.user);
    assert_eq!(house.json("POST", &path, &owner, Some(json!({}))).await.0, 202);
    let told = async {
        loop {
            if let base::Event::PlayStopped { play, why, .. } = events.recv().await.unwrap().event {
                return (play.to_string(), why);
            }
        }
    };
    assert_eq!(told.await, (hers["play_id"].as_str().unwrap().into(), Code::StoppedByOwner));
    assert!(house.rooms.was_asked(&format!("stop {}", ana.user)));
    let healed = json!({ "replaces": hers["play_id"] });
    let path = format!("/api/v1/titles/{}/play", shelf.title);
    assert_eq!(house.json("POST", &path, &ana, Some(healed)).await.0, 410, "her player does not go on by itself");
    let url = mine["url"].as_str().unwrap();
    assert_eq!(house.call("GET", url, "range: bytes=0-9\r\n", None).await.status, 206, "other people's films go on");
}

#[tokio::test]
async fn refusals_have_their_reason() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let avi = house.shelf_of("old", Container::Avi, "mpeg4", (1920, 1080)).await;
    let film = house.shelf("films", Container::Mp4, "h264").await;
    let path = |title: &TitleId| format!("/api/v1/titles/{title}/play");
    let (status, problem) = house.json("POST", &path(&avi.title), &owner, Some(json!({}))).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("needs_preparing")));
    let caps = json!({ "capabilities": { "containers": ["avi"], "video_codecs": ["mpeg4"] } });
    assert_eq!(house.json("POST", &path(&avi.title), &owner, Some(caps)).await.0, 200, "a browser that says it can");

    *house.rooms.failing.lock().unwrap() = Some(Failure::of(Code::LogeFailed).retry_after(Duration::from_secs(5)));
    let (status, problem) = house.json("POST", &path(&film.title), &owner, None).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("loge_failed")));
    assert_eq!(problem["retry_after_ms"], 5000);
    *house.rooms.failing.lock().unwrap() = None;

    let folders = house.store.all_folders().await.unwrap();
    let folder = folders.iter().find(|f| f.library == film.library).unwrap();
    let gone = store::ScanChange::Missing { file: film.file.clone(), heir: None };
    house.store.apply_scan(&film.library, &folder.id, vec![gone]).await.unwrap();
    let (status, problem) = house.json("POST", &path(&film.title), &owner, None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("file_missing")), "said, not hidden");
    let away = store::FolderVerdict::Away(domain::FolderProblem::Gone);
    house.store.set_folder_verdict(&folder.id, &away).await.unwrap();
    let back = store::ScanChange::Back { file: film.file.clone() };
    house.store.apply_scan(&film.library, &folder.id, vec![back]).await.unwrap();
    let (status, problem) = house.json("POST", &path(&film.title), &owner, None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("library_offline")));
}

#[tokio::test]
async fn progress_is_kept_and_resumed() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let path = format!("/api/v1/titles/{}/progress", shelf.title);
    for bad in [
        json!({ "position_s": -1.0, "event": "time" }),
        json!({ "position_s": 1e12, "event": "time" }),
        json!({ "position_s": "1", "event": "time" }),
        json!({ "position_s": 1.0, "event": "rewind" }),
        json!({ "position_s": 1.0, "event": "time", "user_id": owner.user }),
        json!({ "position_s": 1.0, "event": "time", "play_id": "../x" }),
    ] {
        assert_eq!(house.json("PUT", &path, &owner, Some(bad.clone())).await.0, 400, "{bad}");
    }
    let (status, _) = house.json("PUT", &path, &owner, Some(json!({ "position_s": 21.5, "event": "pause" }))).await;
    assert_eq!(status, 204);
    assert_eq!(house.play(&owner, &shelf.title).await["resume_at_s"], 21.5);
    let (_, list) = house.json("GET", "/api/v1/me/continue", &owner, None).await;
    assert_eq!(list["items"][0]["progress"]["position_s"], 21.5);
    let (_, history) = house.json("GET", "/api/v1/me/history", &owner, None).await;
    assert_eq!(history["items"][0]["title"]["id"], shelf.title.as_str());
}

#[tokio::test]
async fn a_play_survives_a_forgetful_registry() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Webm, "vp9").await;
    let play = house.play(&owner, &shelf.title).await;
    // As after a restart of the server: the registry is empty, the ticket is still good.
    let told = json!({ "position_s": 1.0, "event": "close", "play_id": play["play_id"] });
    house.json("PUT", &format!("/api/v1/titles/{}/progress", shelf.title), &owner, Some(told)).await;
    assert_eq!(house.gateway.streams().list().len(), 0);
    let answer = house.call("GET", play["url"].as_str().unwrap(), "range: bytes=7-16\r\n", None).await;
    assert_eq!((answer.status, answer.header("content-type")), (206, Some("video/webm")));
    assert!(answer.body == house.rooms.worker.film[7..17]);
    // Its page said that it was closed, so it holds no seat beyond its connection.
    until("it is gone again", SECOND, || house.gateway.streams().list().is_empty()).await;
    until("the worker's connection is kept", SECOND, || house.rooms.worker.finished.load(Ordering::SeqCst) == 1).await;
}
