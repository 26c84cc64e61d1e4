//! A machine that lacks walls: nothing starts before its owner allows that, and nothing runs on
//! after the permission is taken back. Loge is not restarted in between.

use loge_tests::{House, Person, Runtime, binary, eventually, media, processes::container};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// Writes the launcher of a machine where no user may make control groups, at a path that tests may write.
fn launcher_without_groups(folder: &std::path::Path) -> String {
    let path = folder.join("launch");
    let script =
        format!("#!/bin/sh\nexec {} --cgroup-root none \"$@\"\n", binary("LOGE_LAUNCHER", "loge-launch").display());
    std::fs::write(&path, script).expect("a script");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a program");
    path.to_str().expect("plain text").to_owned()
}

fn allow(owner: &Person, allowed: bool) {
    let answer = owner.patch("/api/v1/admin/settings", &json!({ "allow_reduced_isolation": allowed }));
    assert_eq!((answer.status, &answer.json()["allow_reduced_isolation"]), (200, &json!(allowed)));
}

fn alerts(owner: &Person) -> Vec<String> {
    let items = owner.get("/api/v1/admin/alerts").json()["items"].clone();
    let codes = items.as_array().expect("a list").iter();
    codes.filter_map(|alert| alert["code"].as_str().map(str::to_owned)).collect()
}

#[test]
fn f1_nothing_starts_without_walls_until_the_owner_allows_it() {
    let programs = tempfile::tempdir().expect("a folder");
    let launcher = launcher_without_groups(programs.path());
    let house = House::open_with(Runtime::Process, &[("LOGE_LAUNCHER", &launcher)]);
    let owner = house.claim();
    let shipped = owner.get("/api/v1/admin/settings").json()["allow_reduced_isolation"].clone();
    // The control: the person who runs these tests may have allowed it for this machine.
    assert_eq!(shipped, json!(std::env::var_os("LOGE_TEST_ALLOW_REDUCED").is_some_and(|v| v == "1")));
    allow(&owner, true);
    let films = media::some(&[media::DIRECT]);
    let library = house.library(&owner, "Films", films.path());
    let ana = house.viewer(&owner, "Ana", &[&library]);
    let title = ana.get("/api/v1/titles").json()["items"][0]["id"].as_str().expect("a title").to_owned();
    let play = || ana.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    let runtime = |field: &str| owner.get("/api/v1/admin/runtime").json()[field].clone();
    let bytes = || ana.get(play().json()["url"].as_str().expect("an address")).status;
    assert_eq!(bytes(), 200);
    let hers = || container(&owner, &ana.id).filter(|seen| seen["state"] == "ready");
    assert!(hers().is_some());
    assert_eq!((runtime("level"), runtime("is_refused")), (json!("reduced"), json!(false)));
    eventually("the alert that isolation is reduced", || {
        alerts(&owner).contains(&"reduced_isolation".to_owned()).then_some(())
    });

    allow(&owner, false);
    eventually("her container is gone", || hers().is_none().then_some(()));
    assert_eq!(runtime("is_refused"), json!(true));
    let refused = |answer: loge_tests::Answer| (answer.status, answer.code());
    let address = play();
    let tried =
        if address.status == 200 { ana.get(address.json()["url"].as_str().expect("an address")) } else { address };
    assert_eq!(refused(tried), (409, "isolation_missing".to_owned()));
    let told: Value = eventually("one alert that says what to do", || {
        let codes = alerts(&owner);
        (codes.contains(&"isolation_refused".to_owned()) && !codes.contains(&"reduced_isolation".to_owned()))
            .then(|| owner.get("/api/v1/admin/alerts").json())
    });
    assert!(!told.to_string().contains("loge_failed"), "{told:#}");

    // Allowed again: the films go on, without a restart of Loge.
    allow(&owner, true);
    eventually("she watches again", || (play().status == 200 && bytes() == 200).then_some(()));
}
