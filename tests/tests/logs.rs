//! What the owner may read in the logs, and what never stands there.

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};

fn lines(owner: &Person, source: &str) -> Vec<Value> {
    let answer = owner.get(&format!("/api/v1/admin/logs?tail=5000&source={source}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["lines"].as_array().expect("lines").clone()
}

fn write(owner: &Person, level: &str, requests: bool) {
    let wish = json!({ "level": level, "requests": requests });
    let answer = owner.put("/api/v1/admin/logs/settings", &wish);
    assert_eq!((answer.status, answer.json()), (200, wish));
}

#[test]
fn a_log_of_requests_is_written_where_the_owner_wants_one() {
    let films = media::some(&[media::DIRECT]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    let title = owner.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(lines(&owner, "requests"), Vec::<Value>::new(), "off unless it is switched on");

    write(&owner, "info", true);
    assert_eq!(owner.get(&format!("/api/v1/titles/{title}")).status, 200);
    assert_eq!(owner.get("/api/v1/titles/none").status, 404);
    let play = owner.post(&format!("/api/v1/titles/{title}/play"), &json!({})).json();
    let url = play["url"].as_str().expect("an address").to_owned();
    assert_eq!(house.anonymous().get(&url).status, 200);
    let of = |route: &str, status: u64| {
        eventually(route, || {
            lines(&owner, "requests").into_iter().find(|line| line["route"] == route && line["status"] == status)
        })
    };
    let seen = of("/api/v1/titles/{id}", 200);
    assert_eq!((seen["method"].as_str(), seen["user"].as_str()), (Some("GET"), Some(owner.id.as_str())), "{seen}");
    assert!(seen["took_ms"].is_u64() && seen["timestamp"].is_string(), "{seen}");
    of("/api/v1/titles/{id}", 404);
    of("/api/v1/titles/{id}/play", 200);
    let whole = eventually("the film that was fetched", || {
        let all = lines(&owner, "requests");
        let is_film = |line: &Value| line["route"].as_str().is_some_and(|route| route.starts_with("/stream/"));
        all.iter().any(is_film).then(|| json!(all).to_string())
    });
    let ticket = url.split('/').nth(2).expect("a ticket");
    assert!(ticket.len() > 20 && !whole.contains(ticket), "a ticket opens the film for whoever reads it");
    assert!(!whole.contains("127.0.0.1"), "{whole}");

    write(&owner, "info", false);
    let before = lines(&owner, "requests").len();
    for _ in 0..5 {
        assert_eq!(owner.get("/api/v1/titles").status, 200);
    }
    write(&owner, "info", true);
    assert_eq!(owner.get("/api/v1/me").status, 200);
    of("/api/v1/me", 200);
    let titles = lines(&owner, "requests")[before..].iter().filter(|line| line["route"] == "/api/v1/titles").count();
    assert_eq!(titles, 0, "control: what was asked while it was off is not there");
}
