//! The graphics chip in a whole house. No machine of these tests has one, so: without a device, with
//! a device file that has nothing behind it, and with a media program that stands in for a chip.

#![expect(clippy::disallowed_methods, reason = "films, devices, images and the judge are made by real programs")]

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const FILM: &str = "Small Reel (1999).avi";
const FRAMES: u64 = 100;
const CAPACITY: &str = "/api/v1/admin/capacity";

fn run(program: &str, args: &[&str]) -> Option<String> {
    let done = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    if !done.status.success() {
        eprintln!("{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn films() -> tempfile::TempDir {
    let films = tempfile::Builder::new().prefix("loge-films-of-").tempdir().expect("a folder");
    let film = films.path().join(FILM);
    let picture = "testsrc2=s=640x360:r=25:d=4";
    let args = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "mpeg4", "-q:v", "6"];
    run("ffmpeg", &[&args[..], &[film.to_str().expect("a plain path")]].concat()).expect("a film");
    media::open_to_all(films.path());
    films
}

/// A folder like `/dev/dri` with a render node, as far as this user may make one.
struct Nodes(tempfile::TempDir);

impl Nodes {
    fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("loge-dri-").tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("open to all");
        Self(folder)
    }
    fn with_one() -> Option<Self> {
        let nodes = Self::empty();
        let path = nodes.node();
        let made = run("mknod", &["-m", "666", path.to_str()?, "c", "226", "128"]);
        if made.is_none() {
            eprintln!("skipped: this user may not make device files");
        }
        made.map(|_| nodes)
    }
    fn path(&self) -> &str {
        self.0.path().to_str().expect("a plain path")
    }
    fn node(&self) -> PathBuf {
        self.0.path().join("renderD128")
    }
}

/// Each of these measures the machine, which is no work for several at once.
static ALONE: Mutex<()> = Mutex::new(());
/// Of a machine that is busy with other things. Never part of what is tested.
const PATIENCE: Duration = Duration::from_secs(300);

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Scene {
    house: House,
    owner: Person,
    ana: Person,
    title: String,
    _films: tempfile::TempDir,
}

impl Scene {
    fn open(runtime: Runtime, env: &[(&str, &str)]) -> Self {
        let films = films();
        let house = House::open_with(runtime, env);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let ana = house.viewer(&owner, "Ana", &[&library]);
        let list = ana.get("/api/v1/titles").json();
        let title = list["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{list:#}")).to_string();
        Self { house, owner, ana, title, _films: films }
    }

    fn switch(&self, on: bool) {
        let answer = self.owner.patch("/api/v1/admin/settings", &json!({ "hardware_encoding": on }));
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What is found once nothing is being measured.
    fn found(&self) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let view = self.owner.get(CAPACITY).json();
            if view["running"] == false && view["calibrated_at"].is_string() {
                return view;
            }
            assert!(Instant::now() < until, "{view:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn press_play(&self) -> Value {
        let answer = self.ana.post(&format!("/api/v1/titles/{}/play", self.title), &json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        let started = answer.json();
        assert_eq!(started["method"], "transcode", "{started:#}");
        started
    }

    /// Every frame of it, as a player gets them.
    fn frames(&self, started: &Value) -> Option<u64> {
        let whole = format!("{}{}", self.house.url, started["url"].as_str().expect("an address"));
        let args = ["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames"];
        let said = run("ffprobe", &[&args[..], &["-of", "csv=p=0", &whole]].concat())?;
        said.lines().find_map(|line| line.trim().trim_end_matches(',').parse().ok())
    }

    fn part(&self, started: &Value, part: &str) -> u16 {
        let base = started["url"].as_str().expect("an address").trim_end_matches("master.m3u8");
        let quality = started["quality"].as_str().expect("a quality");
        self.ana.get(&format!("{base}v-{quality}/{part}")).status
    }

    /// The wall that the chip lowers, where it is spoken of.
    fn wall(&self) -> Option<Value> {
        let runtime = self.owner.get("/api/v1/admin/runtime").json();
        let walls = runtime["isolation"].as_array().expect("walls").clone();
        walls.into_iter().find(|wall| wall["name"].as_str().is_some_and(|name| name.starts_with("graphics")))
    }
}

fn says(started: &Value, code: &str) -> bool {
    started["reasons"].as_array().expect("reasons").iter().any(|reason| reason["code"] == code)
}

#[test]
fn without_a_chip_the_wish_for_one_changes_nothing() {
    let _alone = alone();
    // Nothing is given to a container here, so one way of making them says enough.
    for runtime in Runtime::available().into_iter().take(1) {
        let nodes = Nodes::empty();
        let scene = Scene::open(runtime, &[("LOGE_RENDER_NODES", nodes.path())]);
        assert_eq!(scene.owner.get(CAPACITY).json()["chip"]["state"], "off");
        scene.switch(true);
        let view = scene.found();
        assert_eq!((&view["chip"]["state"], &view["chip"]["found"]), (&json!("absent"), &json!(false)), "{view:#}");
        assert!(view["problem"].is_null() && !view["encode"].as_array().expect("a list").is_empty(), "{view:#}");
        let started = scene.press_play();
        assert!(says(&started, "encoded_live") && !says(&started, "encoded_by_chip"), "{started:#}");
        assert_eq!(scene.frames(&started), Some(FRAMES));
        assert!(scene.wall().is_none());
    }
}

#[test]
fn a_device_with_no_chip_behind_it_fails_its_test_and_films_play() {
    let _alone = alone();
    let Some(nodes) = Nodes::with_one() else { return };
    for runtime in Runtime::available() {
        let scene = Scene::open(runtime, &[("LOGE_RENDER_NODES", nodes.path())]);
        let before = scene.owner.get(CAPACITY).json();
        assert_eq!((&before["chip"]["state"], &before["chip"]["found"]), (&json!("off"), &json!(true)), "{before:#}");
        assert!(scene.wall().is_none(), "nobody was given it");
        scene.switch(true);
        let view = scene.found();
        assert_eq!(view["chip"]["state"], "failed", "{view:#}");
        // Whether the driver is installed is this machine's affair; that the loge had the device is ours.
        let reason = view["chip"]["reason"].as_str().expect("a reason");
        assert!(reason.starts_with("Its driver"), "{runtime:?}: {reason}");
        let wall = scene.wall().unwrap_or_else(|| panic!("{runtime:?}: the wall is not spoken of"));
        assert_eq!(wall["reached"], false, "{wall:#}");
        let started = scene.press_play();
        assert!(says(&started, "encoded_live"), "{started:#}");
        assert_eq!(scene.frames(&started), Some(FRAMES), "{runtime:?}");

        // Taken away again: the next container of everybody is as it was.
        scene.switch(false);
        assert_eq!(scene.owner.get(CAPACITY).json()["chip"]["state"], "off");
        assert_eq!(
            scene.owner.delete(&format!("/api/v1/admin/streams/{}", started["play_id"].as_str().unwrap())).status / 100,
            2
        );
        eventually("the wall to stand again", || {
            scene.press_play();
            scene.wall().is_none().then_some(())
        });
    }
}

/// The image of these tests with another media program in it: one that stands in for a chip.
fn image_with(chip: &str, node: &Path) -> Option<String> {
    let host = std::env::var("DOCKER_HOST").ok()?;
    let docker = |args: &[&str]| run("docker", &[&["-H", &host], args].concat());
    let from = std::env::var("LOGE_WORKER_IMAGE").ok()?;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let script = include_str!("../../crates/worker/tests/common/chip-ffmpeg.sh")
        .replace("%CHIP%", chip)
        .replace("%NODE%", node.to_str()?)
        .replace("%FFMPEG%", "/usr/bin/ffmpeg-itself")
        .replace("%LOG%", "/dev/null");
    std::fs::write(file("ffmpeg"), script).expect("a script");
    std::fs::write(file("i965_drv_video.so"), b"a driver").expect("a file");
    std::fs::copy("/bin/sh", file("sh")).expect("a shell");
    let id = docker(&["create", &from])?;
    let made = (|| {
        let itself = file("ffmpeg-itself");
        docker(&["cp", &format!("{id}:/usr/bin/ffmpeg"), itself.to_str()?])?;
        for (name, mode) in [("ffmpeg", 0o755), ("ffmpeg-itself", 0o755), ("sh", 0o755), ("i965_drv_video.so", 0o644)] {
            std::fs::set_permissions(file(name), PermissionsExt::from_mode(mode)).ok()?;
        }
        // Folders are made by what lies in them.
        let tree = folder.path().join("tree");
        for (name, to) in [
            ("ffmpeg", "usr/bin/ffmpeg"),
            ("ffmpeg-itself", "usr/bin/ffmpeg-itself"),
            ("sh", "bin/sh"),
            ("i965_drv_video.so", "usr/lib/x86_64-linux-gnu/dri/i965_drv_video.so"),
        ] {
            let to = tree.join(to);
            std::fs::create_dir_all(to.parent()?).ok()?;
            std::fs::copy(file(name), to).ok()?;
        }
        docker(&["cp", &format!("{}/.", tree.to_str()?), &format!("{id}:/")])?;
        docker(&["commit", &id])
    })();
    docker(&["rm", "-f", &id]);
    made
}

fn with_chip(chip: &str) -> Option<(Scene, Nodes)> {
    if !Runtime::available().contains(&Runtime::Docker) {
        return None;
    }
    let nodes = Nodes::with_one()?;
    let image = image_with(chip, &nodes.node()).expect("an image");
    let env = [("LOGE_RENDER_NODES", nodes.path()), ("LOGE_WORKER_IMAGE", &image)];
    let scene = Scene::open(Runtime::Docker, &env);
    scene.switch(true);
    let view = scene.found();
    assert_eq!((&view["chip"]["state"], &view["chip"]["driver"]), (&json!("works"), &json!("i965")), "{view:#}");
    assert!(view["chip"]["at_once"].as_u64().is_some_and(|n| (2..=3).contains(&n)), "{view:#}");
    Some((scene, nodes))
}

#[test]
fn a_film_is_encoded_by_what_passed_for_a_chip() {
    let _alone = alone();
    let Some((scene, _nodes)) = with_chip("works") else { return };
    let started = scene.press_play();
    assert!(says(&started, "encoded_by_chip"), "{started:#}");
    assert_eq!(scene.frames(&started), Some(FRAMES));
    let streams = scene.owner.get("/api/v1/admin/streams").json();
    assert!(streams.to_string().contains("encoded_by_chip"), "{streams:#}");
}

#[test]
fn a_chip_that_fails_in_the_middle_leaves_the_film_to_the_processor() {
    let _alone = alone();
    let Some((scene, _nodes)) = with_chip("only-begins") else { return };
    let started = scene.press_play();
    assert!(says(&started, "encoded_by_chip"), "{started:#}");
    assert_eq!(scene.part(&started, "init.mp4"), 200);
    assert_eq!(scene.part(&started, "0.m4s"), 409, "which no player retries");
    let again = scene.press_play();
    assert!(says(&again, "encoded_live") && !says(&again, "encoded_by_chip"), "{again:#}");
    assert_eq!(scene.frames(&again), Some(FRAMES));
}
