//! What a calibration found decides what is encoded while somebody watches.

mod common;

use common::house::{Login, Shelf, TestHouse};
use contract::{Measured, measure};
use domain::{capacity::Capacity, chip::ChipVerdict, facts::Container};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CAPACITY: &str = "/api/v1/admin/capacity";
const CALIBRATE: &str = "/api/v1/admin/capacity/calibrate";

/// 360, 480, 720 and 1080 lines, and 480 of HDR, each at so many milliseconds a second.
fn found(encode_ms: [u32; 5]) -> Vec<u8> {
    let encode_us = encode_ms.map(|ms| Some(ms * 1000)).to_vec();
    let measured =
        Measured { decode_us: 50_000, remux_us: 2000, encode_us, read_bytes_per_s: Some(90_000_000), chip: None };
    measure::encode(&measured).unwrap()
}

/// Looks until it is measured, or was given up.
async fn at_rest(house: &TestHouse, owner: &Login) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, view) = house.json("GET", CAPACITY, owner, None).await;
        assert_eq!(status, 200, "{view}");
        if view["running"] == false {
            return view;
        }
        assert!(Instant::now() < until, "{view:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn calibrate(house: &TestHouse, owner: &Login, found: Vec<u8>) -> Value {
    *house.rooms.measured.lock().unwrap() = Some(found);
    let (status, view) = house.json("POST", CALIBRATE, owner, None).await;
    assert_eq!(status, 202, "{view}");
    at_rest(house, owner).await
}

async fn press_play(house: &TestHouse, who: &Login, shelf: &Shelf, form: Value) -> (u16, Value) {
    house.json("POST", &format!("/api/v1/titles/{}/play", shelf.title), who, Some(form)).await
}

#[tokio::test]
async fn what_is_encoded_live_follows_from_what_was_measured() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf_of("reels", Container::Avi, "mpeg4", (1280, 720)).await;
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    assert_eq!(house.json("GET", CAPACITY, &ana, None).await.0, 403);
    assert_eq!(house.json("POST", CALIBRATE, &ana, None).await.0, 403);

    let before = at_rest(&house, &owner).await;
    assert_eq!(
        (&before["calibrated_at"], &before["encode"], &before["live_millis"]),
        (&Value::Null, &json!([]), &json!(1000))
    );
    let (status, refused) = press_play(&house, &ana, &shelf, json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("needs_preparing")), "the careful rule: {refused}");

    let fast = calibrate(&house, &owner, found([50, 80, 150, 300, 130])).await;
    assert!(fast["calibrated_at"].is_string() && fast["problem"].is_null(), "{fast:#}");
    assert_eq!((&fast["disk_mbps"], &fast["remux_x"], &fast["tone_map"]), (&json!(90.0), &json!(500.0), &json!(true)));
    assert_eq!((&fast["encode"][2]["quality"], &fast["encode"][2]["x"]), (&json!("720p"), &json!(5.0)), "{fast:#}");
    let (status, started) = press_play(&house, &ana, &shelf, json!({})).await;
    assert_eq!(
        (status, &started["method"], &started["quality"]),
        (200, &json!("transcode"), &json!("720p")),
        "{started}"
    );
    let offered: Vec<&str> =
        started["qualities"].as_array().unwrap().iter().map(|q| q["id"].as_str().unwrap()).collect();
    assert_eq!(offered, ["original", "480p", "360p", "240p"]);
    house.gateway.streams().stop_all();

    let slow = calibrate(&house, &owner, found([2000, 2100, 2200, 2300, 2400])).await;
    assert_eq!(slow["encode"][0]["x"], 0.5, "{slow:#}");
    let (status, refused) = press_play(&house, &ana, &shelf, json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("needs_preparing")), "{refused}");
}

#[tokio::test]
async fn nothing_is_measured_while_somebody_watches() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    house.play(&owner, &shelf.title).await;
    let (status, refused) = house.json("POST", CALIBRATE, &owner, None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("somebody_watches")), "{refused}");
    house.gateway.streams().stop_all();

    // It goes on and on: a second one is refused, and whoever begins to watch ends it.
    assert_eq!(house.json("POST", CALIBRATE, &owner, None).await.0, 202);
    let (status, refused) = house.json("POST", CALIBRATE, &owner, None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("conflict")), "{refused}");
    house.play(&owner, &shelf.title).await;
    let view = at_rest(&house, &owner).await;
    assert!(view["problem"].as_str().unwrap().starts_with("Somebody is watching"), "{view:#}");
    assert_eq!(house.store.capacity().await.unwrap(), None);
}

#[tokio::test]
async fn a_worker_is_not_believed() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let good = calibrate(&house, &owner, found([50, 80, 150, 300, 130])).await;
    for nonsense in
        [b"{}".to_vec(), vec![0xff; 200], found([50, 80, 0, 300, 130]), found([50, 80, 4_000_000, 300, 130])]
    {
        let view = calibrate(&house, &owner, nonsense).await;
        assert_eq!(view["problem"], "What the worker measured makes no sense.", "{view:#}");
        assert_eq!(view["calibrated_at"], good["calibrated_at"], "what was known stays");
    }
}

#[tokio::test]
async fn encodes_hold_what_they_cost_and_whoever_has_it_is_named() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    // Half a core for encodes, and 0.33 for each of these.
    let capacity = Capacity {
        measured_at_ms: 1,
        cores: 1,
        decode_cost: 0.01,
        encode: vec![(360, 0.2987)],
        tone_map_cost: None,
        remux_cost: 0.01,
        disk_bytes_per_s: None,
        memory_bytes: 1 << 30,
        chip: ChipVerdict::Untested,
    };
    house.store.set_capacity(&capacity).await.unwrap();
    let shelf = house.shelf("reels", Container::Avi, "mpeg4").await;
    let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
    let ben = house.viewer(&owner, "Ben", &[&shelf.library]).await;
    let (status, started) = press_play(&house, &ana, &shelf, json!({})).await;
    assert_eq!((status, &started["quality"]), (200, &json!("360p")), "{started}");
    let (status, refused) = press_play(&house, &ben, &shelf, json!({})).await;
    assert_eq!((status, &refused["code"]), (503, &json!("house_full")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("0.4 of 0.5 are taken (Ana)"), "{refused}");
    // Her own next one takes its place.
    assert_eq!(press_play(&house, &ana, &shelf, json!({})).await.0, 200);
    house.gateway.streams().stop_all();
    assert_eq!(press_play(&house, &ben, &shelf, json!({})).await.0, 200);
}
