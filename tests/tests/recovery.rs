//! The steps of `docs/guide/recovery.md`, taken as they are written there.

use loge_tests::{House, Person, Runtime, media};
use serde_json::json;
use std::path::{Path, PathBuf};

const PASSWORD: &str = "a long night at the opera";

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

/// A house with a film, somebody who was signed in, and a backup of it on another disk.
struct Lived {
    house: House,
    owner: Person,
    films: tempfile::TempDir,
    disk: tempfile::TempDir,
    backup: PathBuf,
}

fn lived() -> Lived {
    let films = media::some(&[media::DIRECT]);
    let disk = tempfile::tempdir().expect("another disk");
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    let (code, said) = House::verb(house.data_dir(), &["backup", &text(disk.path())]);
    assert_eq!(code, 0, "{said}");
    let entries = std::fs::read_dir(disk.path()).expect("the disk").flatten();
    let backup = entries.map(|entry| entry.path()).find(|path| path.is_file()).expect("the backup");
    Lived { house, owner, films, disk, backup }
}

/// What a browser that was signed in before is answered.
fn renewed(house: &House, owner: &Person) -> u16 {
    let cookies = owner.cookies.join("; ");
    house.anonymous().call("POST", "/api/v1/auth/refresh", None, &[("cookie", &cookies)]).status
}

#[test]
fn the_machine_is_dead_and_films_lie_elsewhere_on_the_new_one() {
    let Lived { house, owner, films, disk, backup } = lived();
    let title = owner.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("a title").to_owned();
    let place = json!({ "position_s": 3.0, "event": "pause" });
    assert_eq!(owner.put(&format!("/api/v1/titles/{title}/progress"), &place).status, 204);
    let (code, said) = House::verb(house.data_dir(), &["backup", &text(&disk.path().join("last.loge-backup"))]);
    assert_eq!(code, 0, "{said}");
    drop(house);
    let elsewhere = disk.path().join("films");
    std::fs::rename(films.path(), &elsewhere).expect("the films move");

    let fresh = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
    let last = text(&disk.path().join("last.loge-backup"));
    let (code, said) = House::verb(fresh.path(), &["restore", &last, "--map", "/no/such/place=/mnt/films"]);
    assert!(code != 0 && said.contains(&text(films.path())), "it says which folders there are: {said}");
    assert!(!fresh.path().join("loge.db").exists(), "nothing was changed");
    let (code, said) = House::verb(fresh.path(), &["restore", &last, "--map", "films=/mnt/films"]);
    assert!(code != 0 && said.contains("whole paths"), "{said}");
    let map = format!("{}={}", text(films.path()), text(&elsewhere));
    let (code, said) = House::verb(fresh.path(), &["restore", &last, "--map", &map]);
    assert_eq!(code, 0, "{said}");

    let house = House::on(fresh, Runtime::Process, &[]);
    let back = house.sign_in("Olga", PASSWORD);
    house.wait_for_jobs(&back);
    let titles = back.get("/api/v1/titles").json();
    assert_eq!(
        (titles["total"].as_u64(), titles["items"][0]["id"].as_str()),
        (Some(1), Some(title.as_str())),
        "{titles}"
    );
    assert_eq!(titles["items"][0]["progress"]["position_s"], 3.0, "its history came along");
    let play = back.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    assert_eq!(play.status, 200, "{play:?}");
    drop(house);
    // The guard of the films looks where they were.
    std::fs::rename(&elsewhere, films.path()).expect("the films move back");
    assert!(backup.is_file());
}

#[test]
fn a_damaged_database_is_said_and_a_backup_brings_it_back() {
    let Lived { house, owner, films: _films, disk: _disk, backup } = lived();
    let data = house.close_and_keep();
    let database = data.path().join("loge.db");
    let mut bytes = std::fs::read(&database).expect("the database");
    let middle = bytes.len() / 2;
    bytes[100..middle].fill(0xa5);
    std::fs::write(&database, bytes).expect("damaged");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--runtime", "process"];
    let (code, said) = House::verb(data.path(), &serve);
    assert!(code != 0 && said.contains("damaged") && said.contains("restore FILE"), "{said}");
    let (code, said) = House::verb(data.path(), &["restore", &text(&backup)]);
    assert_eq!(code, 0, "{said}");
    let aside = said.lines().find_map(|line| line.strip_prefix("the earlier one is in ")).expect("it is kept");
    std::fs::remove_dir_all(aside).expect("ours");
    let house = House::on(data, Runtime::Process, &[]);
    assert_eq!(renewed(&house, &owner), 200, "who was signed in still is");
}

#[test]
fn a_lost_key_signs_everybody_out_and_loses_nothing_else() {
    let Lived { house, owner, films: _films, disk: _disk, backup: _backup } = lived();
    assert_eq!(renewed(&house, &owner), 200, "the control");
    let data = house.close_and_keep();
    std::fs::remove_dir_all(data.path().join("keys")).expect("the keys are lost");
    let house = House::on(data, Runtime::Process, &[]);
    assert_eq!(renewed(&house, &owner), 401);
    let back = house.sign_in("Olga", PASSWORD);
    assert_eq!(back.get("/api/v1/titles").json()["total"], 1);
}
