//! The picture goes on: workers die, the engine restarts, Loge restarts, and nobody presses
//! anything. How long it took is printed; that it went on, at the right place and with the right
//! bytes, is what is tested. `LOGE_LONG=1` does each of it as often as a release should see.

use loge_tests::{
    House, Person, Runtime,
    engine::Engine,
    eventually, media,
    player::Player,
    processes::{container, processes_of},
    try_signal,
};
use serde_json::json;
use std::time::{Duration, Instant};

fn long() -> bool {
    std::env::var_os("LOGE_LONG").is_some()
}

/// The first film of a library, and somebody who watches it.
struct Watching {
    ana: Person,
    title: String,
    film: Vec<u8>,
}

impl Watching {
    fn new(house: &House, owner: &Person) -> (Self, tempfile::TempDir) {
        let (mut all, films) = Self::several(house, owner, &["Ana"]);
        (all.remove(0), films)
    }

    /// Everybody watches the same film, each in a loge of their own.
    fn several(house: &House, owner: &Person, names: &[&str]) -> (Vec<Self>, tempfile::TempDir) {
        let films = media::some(&[media::DIRECT]);
        let library = house.library(owner, "Films", films.path());
        let film = std::fs::read(films.path().join(media::DIRECT)).expect("the film");
        let watching = names.iter().map(|name| {
            let ana = house.viewer(owner, name, &[&library]);
            let list = ana.get("/api/v1/titles").json();
            let title = list["items"][0]["id"].as_str().expect("a title").to_owned();
            Self { ana, title, film: film.clone() }
        });
        (watching.collect(), films)
    }

    fn play(&self, house: &House) -> Player {
        let (ana, path) = (self.ana.clone(), format!("/api/v1/titles/{}/play", self.title));
        Player::watch(house, self.film.clone(), move || {
            let answer = ana.try_call("POST", &path, Some(&json!({})), &[])?;
            (answer.status == 200).then(|| answer.json()["url"].as_str().unwrap_or_default().to_owned())
        })
    }
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].as_millis();
    eprintln!("{what}: {} times, p50 {} ms, p95 {} ms, max {} ms", took.len(), at(50), at(95), at(100));
}

#[test]
fn killed_workers_come_back_and_the_film_goes_on() {
    for runtime in Runtime::available() {
        let house = House::open(runtime);
        let owner = house.claim();
        let (watching, _films) = Watching::new(&house, &owner);
        let player = watching.play(&house);
        for (name, rounds) in [("KILL", if long() { 40 } else { 4 }), ("STOP", if long() { 10 } else { 1 })] {
            let mut took = Vec::new();
            for _ in 0..rounds {
                let before = eventually("a container", || container(&owner, &watching.ana.id));
                let id = before["container_id"].as_str().expect("an id").to_owned();
                let pids = processes_of(&id);
                assert!(!pids.is_empty(), "nothing runs in {id}");
                for pid in pids {
                    // Killing the first may have taken the others along.
                    try_signal(name, pid);
                }
                let began = Instant::now();
                eventually("another container", || {
                    container(&owner, &watching.ana.id).filter(|now| now["container_id"] != before["container_id"])
                });
                player.goes_on("the film after its worker ended");
                took.push(began.elapsed());
                forget_failures(&owner, &watching.ana.id);
            }
            report(&format!("{runtime:?}, worker with SIG{name}"), took);
        }
        assert!(player.refused() > 0, "the control: the player noticed something");
        player.end();
    }
}

/// A restart by the owner closes the circuit, so that each death counts as the first.
fn forget_failures(owner: &Person, user: &str) {
    let answer = owner.post(&format!("/api/v1/admin/containers/{user}/restart"), &json!({}));
    assert!(answer.status < 300, "{answer:?}");
}

#[test]
fn the_engine_restarts_and_the_film_goes_on() {
    if !Runtime::available().contains(&Runtime::Docker) {
        return;
    }
    let Some(mut engine) = Engine::start() else { return };
    {
        let env = [("DOCKER_HOST", engine.host()), ("LOGE_WORKER_IMAGE", engine.image())];
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let house = House::open_with(Runtime::Docker, &env);
        let owner = house.claim();
        let (watching, _films) = Watching::new(&house, &owner);
        let player = watching.play(&house);
        let foreign = engine.foreign_container();
        for round in 0..if long() { 5 } else { 1 } {
            for (name, down) in [("TERM", 0), ("KILL", 0), ("TERM", if long() { 60 } else { 8 })] {
                engine.end(name);
                if down > 0 {
                    eventually("the house says that the engine is away", || {
                        let runtime = owner.get("/api/v1/admin/runtime").json();
                        runtime["advice"].is_string().then_some(())
                    });
                    // Nobody hangs on an engine that is away.
                    let asked = Instant::now();
                    assert_eq!(owner.get("/api/v1/admin/containers").status, 200);
                    eprintln!("asked while the engine is away: {} ms", asked.elapsed().as_millis());
                    std::thread::sleep(Duration::from_secs(down));
                }
                engine.begin();
                let began = Instant::now();
                player.goes_on("the film after the engine came back");
                eprintln!(
                    "round {round}: engine SIG{name}, {down} s away: film after {} ms",
                    began.elapsed().as_millis()
                );
                eventually("exactly one container of hers", || (engine.loges(&watching.ana.id) == 1).then_some(()));
            }
        }
        // Stopped altogether, as a machine without memory does it: nothing waits for ever.
        engine.pause();
        std::thread::sleep(Duration::from_secs(if long() { 60 } else { 6 }));
        player.goes_on("the film while the engine hangs");
        let is_advised = || owner.get("/api/v1/admin/runtime").json()["advice"].is_string();
        let is_told = || owner.get("/api/v1/admin/alerts").json().to_string().contains("engine_away");
        eventually("no alert of before", || (!is_told()).then_some(()));
        eventually("the house says that the engine hangs", || is_advised().then_some(()));
        eventually("the alert about it", || is_told().then_some(()));
        engine.go_on();
        eventually("neither of them stays", || (!is_advised() && !is_told()).then_some(()));
        player.goes_on("the film after the engine woke up");
        assert!(engine.exists(&foreign), "somebody else's container was touched");
        player.end();
        engine.remove(&foreign);
    }
    assert_eq!(engine.left(), Vec::<String>::new(), "containers are left");
}

#[test]
fn loge_restarts_and_the_film_goes_on() {
    for runtime in Runtime::available() {
        let mut house = House::open(runtime);
        let owner = house.claim();
        let names = ["Ana", "Bo", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hal"];
        assert_eq!(owner.patch("/api/v1/admin/settings", &json!({ "max_viewers": 8 })).status, 200);
        let (watching, _films) = Watching::several(&house, &owner, &names[..if long() { 8 } else { 3 }]);
        let players: Vec<Player> = watching.iter().map(|one| one.play(&house)).collect();
        for name in ["TERM", "KILL"] {
            let mut took = Vec::new();
            for _ in 0..if long() { 15 } else { 1 } {
                house = house.restart(name);
                let began = Instant::now();
                for player in &players {
                    player.goes_on("the film after Loge came back");
                }
                took.push(began.elapsed());
            }
            report(&format!("{runtime:?}, Loge with SIG{name}, {} films", players.len()), took);
        }
        for one in &watching {
            eventually("a container of each", || container(&owner, &one.ana.id));
        }
        for player in players {
            player.end();
        }
    }
}
