//! Live encodes by the graphics chip: only where the owner wants them, and never a viewer's trouble.

mod common;

use common::house::{Login, Shelf, TestHouse};
use contract::{ChipCost, ChipTest, Measured, measure};
use domain::{
    capacity::Capacity,
    chip::{Chip, ChipProblem, ChipRung, ChipVerdict, VaDriver},
    facts::Container,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CAPACITY: &str = "/api/v1/admin/capacity";
const SETTINGS: &str = "/api/v1/admin/settings";

/// A machine that encodes 480 lines for one person by its processor, and for one more by its chip.
fn capacity() -> Capacity {
    let rung = ChipRung { lines: 480, upload_cost: Some(0.02), whole_cost: None, fps: 80.0 };
    Capacity {
        measured_at_ms: 1,
        cores: 1,
        decode_cost: 0.02,
        encode: vec![(480, 0.4)],
        tone_map_cost: None,
        remux_cost: 0.01,
        disk_bytes_per_s: None,
        memory_bytes: 1 << 30,
        chip: ChipVerdict::Works(Chip { driver: VaDriver::I965, rungs: vec![rung] }),
    }
}

struct Scene {
    house: TestHouse,
    owner: Login,
    ana: Login,
    shelf: Shelf,
}

impl Scene {
    /// `wanted`: as the owner set it before.
    async fn open(wanted: bool) -> Self {
        let house = TestHouse::start().await;
        let owner = house.owner().await;
        let shelf = house.shelf_of("reels", Container::Avi, "mpeg4", (640, 480)).await;
        let ana = house.viewer(&owner, "Ana", &[&shelf.library]).await;
        house.store.set_capacity(&capacity()).await.unwrap();
        let settings = house.store.settings().await.unwrap();
        assert!(!settings.hardware_encoding, "off by default");
        house.store.change_settings(|s| s.hardware_encoding = wanted).await.unwrap();
        Self { house, owner, ana, shelf }
    }

    async fn press_play(&self, who: &Login, shelf: &Shelf) -> (u16, Value) {
        self.house.json("POST", &format!("/api/v1/titles/{}/play", shelf.title), who, Some(json!({}))).await
    }

    async fn get(&self, started: &Value, part: &str) -> u16 {
        let base = started["url"].as_str().unwrap().strip_suffix("master.m3u8").unwrap();
        self.house.get(&format!("{base}{part}")).await.status
    }

    fn asked_of_chip(&self, what: &str) -> usize {
        let asked = self.house.rooms.asked.lock().unwrap();
        asked.iter().filter(|a| a.starts_with(what) && a.contains("driver: I965")).count()
    }

    async fn verdict(&self) -> ChipVerdict {
        self.house.store.capacity().await.unwrap().unwrap().chip
    }
}

fn says(started: &Value, code: &str) -> bool {
    started["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == code)
}

#[tokio::test]
async fn without_the_owners_wish_the_chip_is_not_asked_for_anything() {
    let scene = Scene::open(false).await;
    let (status, started) = scene.press_play(&scene.ana, &scene.shelf).await;
    assert_eq!((status, &started["method"]), (200, &json!("transcode")), "{started:#}");
    assert!(says(&started, "encoded_live") && !says(&started, "encoded_by_chip"));
    assert_eq!(scene.get(&started, "v-480p/init.mp4").await, 200);
    assert_eq!(scene.get(&started, "v-480p/0.m4s").await, 200);
    assert_eq!((scene.asked_of_chip("init"), scene.asked_of_chip("segment")), (0, 0));
    let view = scene.house.json("GET", CAPACITY, &scene.owner, None).await.1;
    assert_eq!(view["chip"]["state"], "off", "{view:#}");
}

#[tokio::test]
async fn the_chip_encodes_first_then_the_processor_and_then_nobody() {
    let scene = Scene::open(true).await;
    let (status, first) = scene.press_play(&scene.ana, &scene.shelf).await;
    assert_eq!((status, &first["method"], &first["quality"]), (200, &json!("transcode"), &json!("480p")), "{first:#}");
    assert!(says(&first, "encoded_by_chip") && !says(&first, "encoded_live"), "{first:#}");
    assert_eq!(scene.asked_of_chip("init"), 1, "the first frame was made before she was told");
    for part in ["v-480p/init.mp4", "v-480p/0.m4s"] {
        assert_eq!(scene.get(&first, part).await, 200);
    }
    assert_eq!((scene.asked_of_chip("init"), scene.asked_of_chip("segment")), (2, 1));
    let streams = scene.house.json("GET", "/api/v1/admin/streams", &scene.owner, None).await.1;
    assert!(streams.to_string().contains("encoded_by_chip"), "{streams:#}");

    let mut by = Vec::new();
    for name in ["Ben", "Cai", "Dee"] {
        let who = scene.house.viewer(&scene.owner, name, &[&scene.shelf.library]).await;
        let (status, answer) = scene.press_play(&who, &scene.shelf).await;
        by.push(match status {
            200 if says(&answer, "encoded_by_chip") => "chip".to_string(),
            200 => "processor".into(),
            _ => answer["code"].as_str().unwrap().to_owned(),
        });
    }
    assert_eq!(by, ["chip", "processor", "house_full"]);
}

#[tokio::test]
async fn a_chip_that_does_not_begin_is_nobodys_trouble() {
    let scene = Scene::open(true).await;
    *scene.house.rooms.chip_fails_at.lock().unwrap() = Some("init");
    let (status, started) = scene.press_play(&scene.ana, &scene.shelf).await;
    assert_eq!(status, 200, "{started:#}");
    assert!(says(&started, "encoded_live") && !says(&started, "encoded_by_chip"), "{started:#}");
    for part in ["v-480p/init.mp4", "v-480p/0.m4s"] {
        assert_eq!(scene.get(&started, part).await, 200);
    }
    assert_eq!((scene.asked_of_chip("init"), scene.asked_of_chip("segment")), (1, 0));
    // This film is not tried again, and one film does not switch it off.
    assert_eq!(scene.press_play(&scene.ana, &scene.shelf).await.0, 200);
    assert_eq!(scene.asked_of_chip("init"), 1);
    assert!(matches!(scene.verdict().await, ChipVerdict::Works(_)));
}

#[tokio::test]
async fn a_chip_that_fails_in_the_middle_makes_the_player_ask_anew() {
    let scene = Scene::open(true).await;
    let (_, started) = scene.press_play(&scene.ana, &scene.shelf).await;
    assert_eq!(scene.get(&started, "v-480p/0.m4s").await, 200);
    *scene.house.rooms.chip_fails_at.lock().unwrap() = Some("segment");
    // No retry of a player helps with this one; a new play does.
    assert_eq!(scene.get(&started, "v-480p/1.m4s").await, 409);
    assert_eq!(scene.get(&started, "a-0/1.m4s").await, 200, "sound goes on");
    let (status, again) = scene.press_play(&scene.ana, &scene.shelf).await;
    assert!(status == 200 && says(&again, "encoded_live"), "{again:#}");
    assert_eq!(scene.get(&again, "v-480p/1.m4s").await, 200);
}

#[tokio::test]
async fn several_films_switch_it_off_and_a_new_test_on_again() {
    let scene = Scene::open(true).await;
    *scene.house.rooms.chip_fails_at.lock().unwrap() = Some("init");
    let mut told = scene.house.bus.subscribe();
    for n in 0..3 {
        assert!(matches!(scene.verdict().await, ChipVerdict::Works(_)), "{n}");
        let shelf = scene.house.shelf_of(&format!("reel {n}"), Container::Avi, "mpeg4", (640, 480)).await;
        let (status, started) = scene.press_play(&scene.owner, &shelf).await;
        assert!(status == 200 && says(&started, "encoded_live"), "{started:#}");
    }
    assert_eq!(scene.verdict().await, ChipVerdict::Failed(ChipProblem::KeptFailing));
    let mut alerted = false;
    while let Ok(event) = told.try_recv() {
        alerted |= matches!(event.event, base::Event::Alerts);
    }
    assert!(alerted);
    let asked = scene.asked_of_chip("init");
    scene.house.gateway.streams().stop_all();
    assert_eq!(scene.press_play(&scene.owner, &scene.shelf).await.0, 200);
    assert_eq!(scene.asked_of_chip("init"), asked, "no film is given to it");
    scene.house.gateway.streams().stop_all();

    *scene.house.rooms.chip_fails_at.lock().unwrap() = None;
    let view = calibrate(&scene, works()).await;
    assert!(view["problem"].is_null(), "{view:#}");
    let (_, started) = scene.press_play(&scene.owner, &scene.shelf).await;
    assert!(says(&started, "encoded_by_chip"), "{started:#}");
}

fn works() -> ChipTest {
    let cost = ChipCost { upload_us: Some(20_000), whole_us: Some(10_000), fps: 100 };
    ChipTest::Works { driver: VaDriver::I965, rungs: vec![Some(cost), Some(cost), None, None, None] }
}

/// What the next calibration finds.
fn finds(scene: &Scene, chip: ChipTest) {
    let encode_us = [200, 300, 400, 500, 600].map(|ms| Some(ms * 1000)).to_vec();
    let measured = Measured { decode_us: 20_000, remux_us: 2000, encode_us, read_bytes_per_s: None, chip: Some(chip) };
    *scene.house.rooms.measured.lock().unwrap() = Some(measure::encode(&measured).unwrap());
}

async fn calibrate(scene: &Scene, chip: ChipTest) -> Value {
    finds(scene, chip);
    let (status, view) = scene.house.json("POST", &format!("{CAPACITY}/calibrate"), &scene.owner, None).await;
    assert_eq!(status, 202, "{view}");
    at_rest(scene).await
}

async fn at_rest(scene: &Scene) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let view = scene.house.json("GET", CAPACITY, &scene.owner, None).await.1;
        if view["running"] == false {
            return view;
        }
        assert!(Instant::now() < until, "{view:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A device file in the folder of this house's render nodes, as far as this user may make one.
#[expect(clippy::disallowed_methods, reason = "device files are made by a program")]
fn render_node(house: &TestHouse) -> bool {
    let folder = house.dir.path().join("dri");
    std::fs::create_dir(&folder).unwrap();
    let made = std::process::Command::new("mknod").arg(folder.join("renderD128")).args(["c", "226", "128"]).status();
    made.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn switching_it_on_gives_it_to_loges_and_tests_it() {
    let scene = Scene::open(false).await;
    let rooms = &scene.house.rooms;
    finds(&scene, works());
    let has_node = render_node(&scene.house);
    assert_eq!(
        scene.house.json("PATCH", SETTINGS, &scene.ana, Some(json!({ "hardware_encoding": true }))).await.0,
        403
    );
    let (status, settings) =
        scene.house.json("PATCH", SETTINGS, &scene.owner, Some(json!({ "hardware_encoding": true }))).await;
    assert_eq!((status, &settings["hardware_encoding"]), (200, &json!(true)), "{settings}");
    let view = at_rest(&scene).await;
    assert!(rooms.was_asked("remount house"), "{view:#}");
    assert_eq!(rooms.asked("restart house"), usize::from(has_node), "only where there is something to test");
    assert!(rooms.asked.lock().unwrap().iter().any(|a| a.contains("Calibrate") && a.contains("chip: true")));
    assert!(matches!(scene.verdict().await, ChipVerdict::Works(chip) if chip.rungs.len() == 2));
    let state = if has_node { "works" } else { "absent" };
    assert_eq!((&view["chip"]["state"], &view["chip"]["found"]), (&json!(state), &json!(has_node)), "{view:#}");
    if has_node {
        let shown = json!({ "quality": "360p", "x": 4.0, "cpu_millis": 10 });
        assert_eq!((&view["chip"]["at_once"], &view["chip"]["encode"][0]), (&json!(3), &shown), "{view:#}");
    }

    let failed = calibrate(&scene, ChipTest::Failed(ChipProblem::NoDriver)).await;
    assert!(failed["problem"].is_null(), "the processor was measured all the same: {failed:#}");
    assert_eq!(scene.verdict().await, ChipVerdict::Failed(ChipProblem::NoDriver));
    assert_eq!(rooms.asked("restart house"), usize::from(has_node), "once was enough");
    assert!(
        !has_node || failed["chip"]["reason"].as_str().unwrap().starts_with("Its driver is not there"),
        "{failed:#}"
    );

    let (_, off) = scene.house.json("PATCH", SETTINGS, &scene.owner, Some(json!({ "hardware_encoding": false }))).await;
    assert_eq!(off["hardware_encoding"], false);
    let same = scene.house.json("PATCH", SETTINGS, &scene.owner, Some(json!({ "max_viewers": 5 }))).await.1;
    assert_eq!(same["hardware_encoding"], false, "what is not said stays");
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_is_none() {
    let scene = Scene::open(false).await;
    let view = calibrate(&scene, works()).await;
    assert_eq!(view["problem"], "What the worker measured makes no sense.", "{view:#}");
}
