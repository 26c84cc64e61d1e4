//! A real house moves from its file to PostgreSQL and back, and everybody finds everything.

use loge_tests::{House, Person, Runtime, media, postgres::Postgres};
use serde_json::{Value, json};
use std::path::Path;

const PASSWORD: &str = "a long night at the opera";

/// What a person sees, without what changes by itself.
fn seen(owner: &Person) -> Vec<Value> {
    let items = |path: &str| {
        let answer = owner.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()["items"].clone()
    };
    vec![
        items("/api/v1/titles"),
        items("/api/v1/me/continue"),
        owner.get("/api/v1/admin/settings").json(),
        owner.get("/api/v1/libraries").json(),
    ]
}

fn moved(data: &Path, to: &str, from: Option<&str>) -> Value {
    let mut arguments = vec!["--json", "migrate-database", "--to", to];
    arguments.extend(from.iter().flat_map(|from| ["--from", from]));
    let (code, said) = House::verb(data, &arguments);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(said.lines().last().expect("an answer")).unwrap_or_else(|e| panic!("{e}: {said}"))
}

#[test]
fn a_house_moves_to_postgresql_and_back() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url(None);
    let films = media::some(&[media::DIRECT, media::MKV]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    // A scan would write down when it was.
    assert_eq!(owner.patch("/api/v1/admin/settings", &json!({ "scan_on_start": false })).status, 200);
    let title = owner.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let place = json!({ "position_s": 5.0, "event": "pause" });
    assert_eq!(owner.put(&format!("/api/v1/titles/{title}/progress"), &place).status, 204);
    let before = seen(&owner);
    assert!(before[0].as_array().is_some_and(|titles| titles.len() == 2), "{before:?}");

    let (code, said) = House::verb(house.data_dir(), &["migrate-database", "--to", &url]);
    assert!(code != 0 && said.contains("A server runs"), "{said}");

    let data = house.close_and_keep();
    let file = data.path().join("loge.db");
    let bytes = std::fs::read(&file).expect("the old database");
    let told = moved(data.path(), &url, None);
    assert_eq!((&told["LOGE_DATABASE_URL"], &told["tables"]["titles"]), (&json!(url), &json!(2)), "{told:#}");
    assert!(std::fs::read(&file).expect("the old database") == bytes, "it is as it was");
    let (code, said) = House::verb(data.path(), &["migrate-database", "--to", &url]);
    assert!(code != 0 && said.contains("Nothing is written over"), "{said}");

    // It is the house on PostgreSQL that opens, and not the old file.
    std::fs::rename(&file, data.path().join("old.db")).expect("moved aside");
    let house = House::on(data, Runtime::Process, &[("LOGE_DATABASE_URL", &url)]);
    let mut owner = house.sign_in("Olga", PASSWORD);
    assert_eq!(seen(&owner), before);
    let further = json!({ "position_s": 9.0, "event": "pause" });
    assert_eq!(owner.put(&format!("/api/v1/titles/{title}/progress"), &further).status, 204);
    let before = seen(&owner);

    let data = house.close_and_keep();
    let to = format!("sqlite:{}", data.path().join("loge.db").display());
    assert_eq!(moved(data.path(), &to, Some(&url))["LOGE_DATABASE_URL"], Value::Null);
    postgres.down();
    let house = House::on(data, Runtime::Process, &[]);
    owner = house.sign_in("Olga", PASSWORD);
    assert_eq!(seen(&owner), before);
    let data = house.close_and_keep();
    let (code, said) = House::verb(data.path(), &["audit", "verify"]);
    assert_eq!(code, 0, "the chain of the audit log holds: {said}");
}
