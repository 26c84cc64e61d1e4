//! Libraries that come while the house runs.

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};

/// More than a loge's life of a second or two is long, so that every kind of moment is met.
const MANY: usize = 24;

fn titles(owner: &Person, library: &str) -> Vec<Value> {
    let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
    list["items"].as_array().expect("a list").clone()
}

/// The loge that looks into films was made before these folders were known. It has to be made
/// again for each, and what it cannot open until then is no fact about a film.
#[test]
fn libraries_added_in_a_row_are_all_looked_into() {
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let first = media::some(&[media::DIRECT, media::WEBM, media::MKV]);
    house.library(&owner, "First", first.path());
    let folders: Vec<_> = (0..MANY).map(|n| media::some(&[[media::DIRECT, media::WEBM, media::MKV][n % 3]])).collect();
    let added = folders.iter().enumerate().map(|(n, folder)| {
        let asked = json!({ "name": format!("Library {n}"), "kind": "movies", "folders": [folder.path()] });
        let made = owner.post("/api/v1/libraries", &asked);
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["id"].as_str().expect("an id").to_owned()
    });
    for (n, library) in added.collect::<Vec<_>>().iter().enumerate() {
        let found = eventually("the titles of a library", || {
            let found = titles(&owner, library);
            (!found.is_empty()).then_some(found)
        });
        for title in found {
            let is_known = title["duration_s"].as_f64().is_some_and(|d| d > 1.0) && title["width"] == 640;
            assert!(is_known && title["playability"] != "broken", "library {n}: {title:#}");
        }
    }
    house.wait_for_jobs(&owner);
    let jobs = owner.get("/api/v1/admin/jobs").json();
    let failed: Vec<&Value> =
        jobs["items"].as_array().expect("a list").iter().filter(|job| job["state"] == "failed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
