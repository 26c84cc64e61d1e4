//! Nothing that was acknowledged is lost, and nobody is left behind: crashes, second starts,
//! disks that go away.

use loge_tests::{House, Runtime, eventually, media};
use serde_json::json;

#[test]
fn acknowledged_progress_survives_a_kill() {
    let films = media::some(&[media::DIRECT]);
    let mut house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
    let title = list["items"][0]["id"].as_str().expect("an id").to_string();
    for round in 1..=5 {
        let owner = house.sign_in("Olga", "a long night at the opera");
        let position = f64::from(round) + 0.25;
        let body = json!({ "position_s": position, "event": "pause" });
        assert_eq!(owner.put(&format!("/api/v1/titles/{title}/progress"), &body).status, 204);
        house = house.crash_and_reopen();
        assert_eq!(house.setup_code, None, "the owner is still there");
        let owner = house.sign_in("Olga", "a long night at the opera");
        let seen = owner.get(&format!("/api/v1/titles/{title}")).json();
        assert_eq!(seen["progress"]["position_s"], position, "{seen:#}");
    }
}

#[test]
fn loges_of_a_killed_server_are_cleared_at_the_next_start() {
    for runtime in Runtime::available() {
        let house = House::open(runtime);
        let owner = house.claim();
        let started = eventually("the owner's container", || {
            let list = owner.get("/api/v1/admin/containers").json();
            let mine = list["items"].as_array().expect("a list").iter().find(|c| c["user_id"] == owner.id).cloned();
            mine.filter(|c| c["state"] == "ready")
        });
        let house = house.crash_and_reopen();
        let owner = house.sign_in("Olga", "a long night at the opera");
        eventually("one container, and a new one", || {
            let list = owner.get("/api/v1/admin/containers").json();
            let mine: Vec<_> = list["items"]
                .as_array()
                .expect("a list")
                .iter()
                .filter(|c| c["user_id"] == owner.id)
                .cloned()
                .collect();
            (mine.len() == 1 && mine[0]["state"] == "ready" && mine[0]["container_id"] != started["container_id"]
                || mine.len() == 1 && mine[0]["state"] == "ready" && started["container_id"].is_null())
            .then_some(())
        });
    }
}

#[test]
fn an_absent_disk_loses_nothing() {
    let parent = tempfile::Builder::new().prefix("loge-disk-").tempdir().expect("a folder");
    media::open_to_all(parent.path());
    let films = media::some(&[media::DIRECT, media::WEBM]);
    let mounted = parent.path().join("disk");
    std::fs::rename(films.path(), &mounted).expect("the disk is there");
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", &mounted);
    let away = parent.path().join("away");
    std::fs::rename(&mounted, &away).expect("the disk goes");
    let scan = owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({}));
    assert_eq!(scan.status, 202, "{scan:?}");
    eventually("the library to be offline", || {
        let list = owner.get("/api/v1/libraries").json();
        (list["items"][0]["state"] == "offline").then_some(())
    });
    house.wait_for_jobs(&owner);
    let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
    assert_eq!(list["total"], 2, "both titles are kept: {list:#}");
    std::fs::rename(&away, &mounted).expect("the disk is back");
    eventually("the library to be back", || {
        let list = owner.get("/api/v1/libraries").json();
        (list["items"][0]["state"] == "ready").then_some(())
    });
}

#[test]
fn a_moved_file_keeps_its_history_and_a_removed_one_is_only_marked() {
    let films = media::some(&[media::DIRECT, media::WEBM]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let titles = || owner.get(&format!("/api/v1/titles?library={library}&sort=name")).json();
    let find = |name: &str| {
        let list = titles();
        list["items"].as_array().expect("a list").iter().find(|t| t["name"] == name).cloned().unwrap_or_default()
    };
    let id = find("The Lantern Room")["id"].as_str().expect("an id").to_string();
    let body = json!({ "position_s": 3.0, "event": "pause" });
    assert_eq!(owner.put(&format!("/api/v1/titles/{id}/progress"), &body).status, 204);
    std::fs::rename(films.path().join(media::DIRECT), films.path().join("The Lamp Room (2022).mp4")).expect("renamed");
    std::fs::remove_file(films.path().join(media::WEBM)).expect("removed");
    let scan = owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({}));
    assert_eq!(scan.status, 202);
    eventually("the scan to be over", || (find("The Lamp Room") != json!(null)).then_some(()));
    house.wait_for_jobs(&owner);
    let moved = find("The Lamp Room");
    assert_eq!((moved["id"].as_str(), moved["year"].as_u64()), (Some(&*id), Some(2022)), "{moved:#}");
    assert_eq!(moved["progress"]["position_s"], 3.0, "{moved:#}");
    assert_eq!(find("Night Ferry")["missing"], true, "{:#}", titles());
}

#[test]
fn a_second_house_on_the_same_data_or_port_is_refused_in_words() {
    let house = House::open(Runtime::Process);
    let (code, said) = House::refused(house.data_dir(), Runtime::Process, "127.0.0.1:0");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("already runs") && said.contains(house.address()), "{said}");
    let other = tempfile::tempdir().expect("a folder");
    let (code, said) = House::refused(other.path(), Runtime::Process, house.address());
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("is taken") && said.contains(&format!("process {}", house.pid())), "{said}");
}
