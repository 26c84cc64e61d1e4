//! A house in one file: made while it runs, brought back whole or not at all.

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

const PASSWORD: &str = "a long night at the opera";

/// Every file of the folder with its bytes, but for the lock.
fn all_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("our own").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "loge.lock") {
                found.insert(path.clone(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

fn names(owner: &Person) -> Vec<String> {
    let users = owner.get("/api/v1/admin/users").json();
    let items = users["items"].as_array().expect("a list");
    items.iter().filter_map(|user| user["username"].as_str().map(str::to_owned)).collect()
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// What a browser that was signed in before is answered.
fn renewed(house: &House, cookies: &str) -> u16 {
    house.anonymous().call("POST", "/api/v1/auth/refresh", None, &[("cookie", cookies)]).status
}

#[test]
fn a_house_comes_back_from_one_file() {
    let films = media::some(&[media::DIRECT]);
    let out = tempfile::tempdir().expect("a folder");
    let (file, pass) = (out.path().join("house.loge-backup"), out.path().join("pass"));
    std::fs::write(&pass, "three legs and a tail\n").expect("written");
    let (file_path, pass_path) = (text(&file), text(&pass));

    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    let title = owner.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("a title").to_owned();
    let place = json!({ "position_s": 3.0, "event": "pause" });
    assert_eq!(owner.put(&format!("/api/v1/titles/{title}/progress"), &place).status, 204);
    let (code, said) = House::verb(house.data_dir(), &["backup", &file_path, "--passphrase-file", &pass_path]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("checked") && !said.contains("as it is"), "{said}");
    let (code, said) = House::verb(house.data_dir(), &["backup", &file_path]);
    assert!(code != 0 && said.contains("exists already"), "nothing is written over another file: {said}");
    house.viewer(&owner, "Too Late", &[]);
    let (code, said) = House::verb(house.data_dir(), &["restore", &file_path, "--passphrase-file", &pass_path]);
    assert!(code != 0 && said.contains("A server runs"), "{said}");

    // What cannot be used changes nothing, and is told apart.
    let data = house.close_and_keep();
    let before = all_of(data.path());
    let whole = std::fs::read(&file).expect("the backup");
    let bad = |name: &str, bytes: &[u8]| {
        let path = out.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        text(&path)
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let words = bad("wrong", b"four legs\n");
    for (from, pass, says) in [
        (bad("half.loge-backup", &whole[..whole.len() - 100]), &pass_path, "its end is missing"),
        (bad("flipped.loge-backup", &flipped), &pass_path, "damaged"),
        (bad("foreign.loge-backup", b"my notes about films"), &pass_path, "not a"),
        (text(&out.path().join("nothing.loge-backup")), &pass_path, "cannot be opened"),
        (file_path.clone(), &words, "not the passphrase"),
    ] {
        let (code, said) = House::verb(data.path(), &["restore", &from, "--passphrase-file", pass]);
        assert!(code != 0 && said.contains(says), "{from}: {said}");
        assert!(all_of(data.path()) == before, "{from}: the house is as it was");
    }
    let (code, said) = House::verb(data.path(), &["restore", &file_path]);
    assert!(code != 0 && said.contains("sealed"), "{said}");

    let (code, said) = House::verb(data.path(), &["restore", &file_path, "--passphrase-file", &pass_path]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("people: 1") && said.contains("titles: 1"), "{said}");
    let aside = said.lines().find_map(|line| line.strip_prefix("the earlier one is in ")).expect("it is kept");
    assert!(Path::new(aside).join("loge.db").is_file());
    std::fs::remove_dir_all(aside).expect("ours");
    let house = House::on(data, Runtime::Process, &[]);
    let back = house.sign_in("Olga", PASSWORD);
    assert_eq!(names(&back), ["Olga"], "as it was when the backup was made");
    let seen = back.get(&format!("/api/v1/titles/{title}")).json();
    assert_eq!(seen["progress"]["position_s"], 3.0, "{seen}");
    let cookies = owner.cookies.join("; ");
    assert_eq!(renewed(&house, &cookies), 200, "the key came along: who was signed in is signed in");
    drop(house);

    // Another machine, and the passphrase is lost.
    let fresh = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
    let (code, said) = House::verb(fresh.path(), &["restore", &file_path, "--without-key"]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("earlier"), "there was none: {said}");
    let house = House::on(fresh, Runtime::Process, &[]);
    assert_eq!(house.setup_code, None, "it has its owner");
    assert_eq!(renewed(&house, &cookies), 401, "a new key signs everybody out");
    house.sign_in("Olga", PASSWORD);
}

fn shown(owner: &Person) -> serde_json::Value {
    owner.get("/api/v1/admin/backups").json()
}

#[test]
fn the_owner_makes_copies_and_proves_backups_from_the_page() {
    let films = media::some(&[media::DIRECT]);
    let disk = tempfile::tempdir().expect("a second disk");
    for runtime in Runtime::available() {
        let house = House::open(runtime);
        let owner = house.claim();
        house.library(&owner, "Films", films.path());
        let viewer = house.viewer(&owner, "Ana", &[]);
        assert_eq!(viewer.get("/api/v1/admin/backups").status, 403);

        // By itself the house would try the first backup out at once.
        let quiet = owner.patch("/api/v1/admin/backups/plan", &json!({ "enabled": false, "at": "04:15" })).json();
        assert_eq!(
            (quiet["enabled"].as_bool(), quiet["at"].as_str(), quiet["next_at"].as_str()),
            (Some(false), Some("04:15"), None)
        );
        assert_eq!(owner.patch("/api/v1/admin/backups/plan", &json!({ "at": "quarter past" })).status, 400);

        let place = disk.path().join(format!("{runtime:?}"));
        std::fs::create_dir(&place).expect("a folder");
        let refused = owner.post("/api/v1/admin/backups/places", &json!({ "path": "backups" }));
        assert_eq!(
            (refused.status, refused.json()["fields"][0]["field"].as_str()),
            (400, Some("path")),
            "a whole path"
        );
        let refused = owner.post("/api/v1/admin/backups/places", &json!({ "path": text(&place.join("nothing")) }));
        assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("folder_missing")));
        assert_eq!(owner.post("/api/v1/admin/backups/places", &json!({ "path": text(&place) })).status, 201);

        let made = owner.post("/api/v1/admin/backups", &json!({}));
        assert_eq!(made.status, 201, "{}", made.json());
        let name = made.json()["items"][0]["name"].as_str().expect("a name").to_owned();
        let copied = eventually("the copy", || {
            let now = shown(&owner);
            (now["items"][0]["places"].as_array().is_some_and(|at| at.len() == 1)).then_some(now)
        });
        assert_eq!(copied["places"][0]["waiting"], 0, "{copied}");
        assert!(place.join(&name).is_file());

        // Restored, started, signed in to and watched, beside the house that goes on.
        assert_eq!(owner.post(&format!("/api/v1/admin/backups/{name}/prove"), &json!({})).status, 202);
        let proven = eventually("the proof", || {
            let now = shown(&owner);
            (!now["last_proof"].is_null() && now["work"] == "idle").then_some(now)
        });
        assert_eq!(proven["last_proof"]["problem"], serde_json::Value::Null, "{proven}");
        assert!(proven["last_proof"]["played"].is_string(), "a film played: {proven}");
        assert_eq!((proven["items"][0]["proven"].as_bool(), proven["proven_at"].is_string()), (Some(true), true));
        let left: Vec<_> =
            std::fs::read_dir(house.data_dir()).expect("ours").flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("rehearsal")), "{left:?}");
        assert_eq!(owner.delete(&format!("/api/v1/admin/backups/{name}")).status, 409, "the only proven one");

        // The control: what a damaged backup is answered.
        let file = house.data_dir().join("backups").join(&name);
        let mut bytes = std::fs::read(&file).expect("the backup");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("damaged");
        let before = proven["last_proof"]["at"].clone();
        assert_eq!(owner.post(&format!("/api/v1/admin/backups/{name}/prove"), &json!({})).status, 202);
        let failed = eventually("the refusal", || {
            let now = shown(&owner);
            (now["last_proof"]["at"] != before && now["work"] == "idle").then_some(now)
        });
        assert!(failed["last_proof"]["problem"].as_str().is_some_and(|said| said.contains("damaged")), "{failed}");
        assert_eq!(failed["proven_at"], proven["proven_at"], "the good proof stays known");

        // The copy on the other disk brings the house back.
        let data = house.close_and_keep();
        let (code, said) = House::verb(data.path(), &["restore", &text(&place.join(&name))]);
        assert_eq!(code, 0, "{said}");
        let aside = said.lines().find_map(|line| line.strip_prefix("the earlier one is in ")).expect("it is kept");
        std::fs::remove_dir_all(aside).expect("ours");
        let house = House::on(data, runtime, &[]);
        house.sign_in("Olga", PASSWORD);
    }
}
