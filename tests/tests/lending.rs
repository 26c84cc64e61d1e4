//! Processor time that is lent, as the engine itself knows it.

#![expect(clippy::disallowed_methods, reason = "films are made with the program that people make them with")]

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

const OWN: u64 = 500_000_000;

/// Two minutes that no browser takes and that half a core encodes slowly.
fn film(path: &Path) {
    let picture = "testsrc2=s=768x432:r=25,noise=alls=12:allf=t";
    let args =
        ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-t", "120", "-c:v", "mpeg4", "-q:v", "5"];
    let done = Command::new("ffmpeg").args(args).arg(path).status().expect("ffmpeg runs");
    assert!(done.success());
}

/// What the engine says the container of this person may use, and what the house says.
fn allowed(owner: &Person, user: &Person) -> (u64, u64) {
    let list = owner.get("/api/v1/admin/containers").json();
    let items = list["items"].as_array().expect("a list");
    let item = items.iter().find(|c| c["user_id"] == json!(user.id)).unwrap_or_else(|| panic!("{list:#}"));
    assert_eq!(item["limits"]["cpus"], json!(0.5), "its own is what it was");
    let lent = (item["lent_cpus"].as_f64().expect("a number") * 1e9).round();
    (nano_cpus(item["container_id"].as_str().expect("an id")), lent as u64)
}

fn nano_cpus(container: &str) -> u64 {
    let host = std::env::var("DOCKER_HOST").expect("an engine");
    let mut engine = UnixStream::connect(host.strip_prefix("unix://").expect("a socket")).expect("it answers");
    write!(engine, "GET /containers/{container}/json HTTP/1.0\r\nHost: engine\r\n\r\n").expect("asked");
    let mut answer = Vec::new();
    engine.read_to_end(&mut answer).expect("answered");
    let text = String::from_utf8(answer).expect("text");
    let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    body["HostConfig"]["NanoCpus"].as_u64().expect("a number")
}

/// Takes segment after segment of a live encode until told to stop.
fn encode(anyone: &Person, person: &Person, title: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let started = person.post(&format!("/api/v1/titles/{title}/play"), &json!({})).json();
        assert_eq!(started["method"], json!("transcode"), "{started:#}");
        let base = started["url"].as_str().and_then(|url| url.strip_suffix("master.m3u8")).expect("a master");
        let get = |path: &str| anyone.get(&format!("{base}{path}"));
        let addresses = |body: Vec<u8>| -> Vec<String> {
            let text = String::from_utf8(body).expect("text");
            text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).map(String::from).collect()
        };
        let track = addresses(get("master.m3u8").body)[0].strip_suffix("index.m3u8").expect("a list").to_string();
        for segment in addresses(get(&format!("{track}index.m3u8")).body) {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let answer = get(&format!("{track}{segment}"));
            assert_eq!(answer.status, 200, "{segment}");
        }
    }
}

#[test]
fn an_encode_gets_what_others_leave_and_the_engine_knows() {
    if !Runtime::available().contains(&Runtime::Docker) {
        return;
    }
    let films = tempfile::Builder::new().prefix("loge-films-of-").tempdir().expect("a folder");
    film(&films.path().join("Slow Reel (1998).avi"));
    media::open_to_all(films.path());
    let house = House::open(Runtime::Docker);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let (ana, ben) = (house.viewer(&owner, "Ana", &[&library]), house.viewer(&owner, "Ben", &[&library]));
    let title = ana.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("an id").to_string();
    eventually("both containers", || {
        let list = owner.get("/api/v1/admin/containers").json();
        let items = list["items"].as_array()?.clone();
        let ready = |who: &Person| items.iter().any(|c| c["user_id"] == json!(who.id) && c["state"] == "ready");
        (ready(&ana) && ready(&ben)).then_some(())
    });
    assert_eq!((allowed(&owner, &ana), allowed(&owner, &ben)), ((OWN, 0), (OWN, 0)));

    let anyone = house.anonymous();
    let (stop_ana, stop_ben) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| encode(&anyone, &ana, &title, &stop_ana));
        let alone = eventually("something is lent", || {
            let (allowed, lent) = allowed(&owner, &ana);
            (lent > 0 && allowed == OWN + lent).then_some(lent)
        });
        assert_eq!(allowed(&owner, &ben), (OWN, 0));

        // Ben needs his own, and more: what was lent is shared now.
        scope.spawn(|| encode(&anyone, &ben, &title, &stop_ben));
        let (first, second) = eventually("it is shared", || {
            let (first, second) = (allowed(&owner, &ana), allowed(&owner, &ben));
            assert!(first.0 >= OWN && second.0 >= OWN, "never less than their own: {first:?} {second:?}");
            (first.1 < alone && first.1.abs_diff(second.1) <= OWN / 2 && second.0 == OWN + second.1)
                .then_some((first.1, second.1))
        });
        eprintln!("lent alone: {alone}, together: {first} and {second}");
        stop_ana.store(true, Ordering::SeqCst);
        stop_ben.store(true, Ordering::SeqCst);
    });
    eventually("everything is given back", || {
        ((allowed(&owner, &ana), allowed(&owner, &ben)) == ((OWN, 0), (OWN, 0))).then_some(())
    });
}
