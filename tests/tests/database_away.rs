//! A house on PostgreSQL whose database goes away while a film plays: the film goes on, everything
//! else says within three seconds what is the matter, and all is well when the database is back.

use loge_tests::{
    Answer, House, Person, Runtime, eventually, media,
    player::Player,
    postgres::{Line, Postgres},
};
use serde_json::json;
use std::time::{Duration, Instant};

type Ask<'a> = Box<dyn Fn() -> Answer + Send + Sync + 'a>;

const PROMISED: Duration = Duration::from_secs(3);
const PASSWORD: &str = "curtain up at eight";

fn in_time(what: &str, ask: impl FnOnce() -> Answer) -> Answer {
    let begun = Instant::now();
    let answer = ask();
    assert!(begun.elapsed() < PROMISED, "{what} took {:?}: {answer:?}", begun.elapsed());
    answer
}

/// Everything that a person does, at the same time.
fn told_that_it_is_away(house: &House, owner: &Person, ana: &Person, title: &str, play: &str) {
    let progress = json!({ "position_s": 5.0, "event": "time", "play_id": play });
    let sign_in = json!({ "username": "Ana", "password": PASSWORD });
    let anybody = house.anonymous();
    let asks: [(&str, Ask<'_>); 7] = [
        ("signing in", Box::new(|| anybody.post("/api/v1/auth/login", &sign_in))),
        ("titles", Box::new(|| ana.get("/api/v1/titles"))),
        ("one title", Box::new(|| ana.get(&format!("/api/v1/titles/{title}")))),
        ("progress", Box::new(|| ana.put(&format!("/api/v1/titles/{title}/progress"), &progress))),
        ("pressing play", Box::new(|| ana.post(&format!("/api/v1/titles/{title}/play"), &json!({})))),
        ("an invitation", Box::new(|| owner.post("/api/v1/admin/invites", &json!({ "libraries": [] })))),
        ("/readyz", Box::new(|| anybody.get("/readyz"))),
    ];
    std::thread::scope(|scope| {
        for (what, ask) in &asks {
            scope.spawn(move || {
                let answer = in_time(what, ask);
                assert_eq!((answer.status, answer.code().as_str()), (503, "database_away"), "{what}: {answer:?}");
                assert!(answer.header("retry-after").is_some(), "{what}: {answer:?}");
            });
        }
        scope.spawn(|| assert_eq!(in_time("/healthz", || anybody.get("/healthz")).status, 200));
    });
}

#[test]
fn a_film_plays_on_and_everyone_is_told_within_three_seconds() {
    let Some(mut postgres) = Postgres::start() else { return };
    let line = Line::to(&postgres);
    let url = postgres.url(Some(line.port));
    let films = media::some(&[media::DIRECT]);
    let mut house = House::open_with(Runtime::Process, &[("LOGE_DATABASE_URL", &url)]);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let ana = house.viewer(&owner, "Ana", &[&library]);
    let title = ana.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let film = std::fs::read(films.path().join(media::DIRECT)).expect("a film");
    let started = ana.post(&format!("/api/v1/titles/{title}/play"), &json!({})).json();
    let play = started["play_id"].as_str().expect("an id").to_owned();
    let address = started["url"].as_str().expect("an address").to_owned();
    // It has this one address: where that is refused, the film stops.
    let player = Player::watch(&house, film, move || Some(address.clone()));
    assert_eq!(house.anonymous().get("/readyz").status, 200, "the control");

    for fault in ["refused", "held", "silent"] {
        match fault {
            "refused" => postgres.down(),
            "held" => postgres.hold(),
            _ => line.set_silent(true),
        }
        // Both at once: what waits already, and what comes when it is known.
        told_that_it_is_away(&house, &owner, &ana, &title, &play);
        told_that_it_is_away(&house, &owner, &ana, &title, &play);
        player.goes_on("the film, without a database");
        eventually("the owner to be told", || {
            let alerts = in_time("alerts", || owner.get("/api/v1/admin/alerts"));
            assert_eq!(alerts.status, 200, "{alerts:?}");
            let alerts = alerts.json();
            let codes: Vec<_> = alerts["items"].as_array()?.iter().map(|a| a["code"].clone()).collect();
            assert!(!codes.contains(&json!("writes_fail")), "no disk is to blame: {codes:?}");
            codes.contains(&json!("database_away")).then_some(())
        });
        match fault {
            "refused" => postgres.up(),
            "held" => postgres.let_go(),
            _ => line.set_silent(false),
        }
        eventually("the house to be ready", || (house.anonymous().get("/readyz").status == 200).then_some(()));
        house.sign_in("Ana", PASSWORD);
        assert_eq!(ana.get("/api/v1/titles").json()["items"].as_array().expect("a list").len(), 1, "{fault}");
        let progress = json!({ "position_s": 6.0, "event": "time", "play_id": play });
        assert_eq!(ana.put(&format!("/api/v1/titles/{title}/progress"), &progress).status, 204, "{fault}");
        assert_eq!(owner.post("/api/v1/admin/invites", &json!({ "libraries": [] })).status, 201, "{fault}");
        eventually("the alert to be over", || {
            let alerts = owner.get("/api/v1/admin/alerts").json();
            (!alerts["items"].as_array()?.iter().any(|a| a["code"] == "database_away")).then_some(())
        });
        player.goes_on("the film, with its database again");
    }
    assert_eq!(player.refused(), 0, "the film never stopped");
    player.end();
    assert_eq!(house.close(), 0);
}
