//! The disk of the data folder runs full under a real server: what was acknowledged is there, at
//! once and after a kill, and everything that was not is said.

use loge_tests::{Answer, House, Person, Runtime, eventually, volume::Volume};
use serde_json::json;
use std::{fs, io::Write, path::Path};

const PASSWORD: &str = "curtain up at eight";

fn fill(disk: &Path) -> std::path::PathBuf {
    let path = disk.join("filler");
    let mut file = fs::File::create(&path).expect("a file");
    for size in [1 << 20, 64 << 10, 4096, 512, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

/// Makes an invitation, a write that costs no hashing.
fn invite(owner: &Person) -> Answer {
    owner.post("/api/v1/admin/invites", &json!({ "libraries": [] }))
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn invitations(owner: &Person) -> Vec<String> {
    let list = owner.get("/api/v1/admin/invites").json();
    let items = list["items"].as_array().expect("a list").clone();
    items.iter().map(|i| i["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn no_acknowledged_write_is_lost_by_a_full_disk() {
    let parent = tempfile::Builder::new().prefix("loge-small-").tempdir().expect("a folder");
    let disk = parent.path().join("disk");
    let Some(_volume) = Volume::mount(&disk, 48 << 20) else { return };
    let mut house = House::open_on(&disk, Runtime::Process);
    let mut owner = house.claim();
    let (mut acknowledged, mut refused, mut n) = (Vec::new(), 0, 0);
    for round in 0..3 {
        let filler = fill(&disk);
        // Some fit into what the log has already; then the answers must turn.
        let until = refused + 5;
        while refused < until {
            n += 1;
            let answer = invite(&owner);
            match answer.status {
                201 => acknowledged.push(id(&answer)),
                507 | 503 => refused += 1,
                _ => panic!("{answer:?}"),
            }
            assert!(n < 5000, "the disk never ran full");
        }
        assert_eq!(house.anonymous().get("/readyz").status, 503, "round {round}");
        eventually("an alert", || {
            let alerts = owner.get("/api/v1/admin/alerts").json();
            alerts["items"].as_array()?.iter().any(|a| a["code"] == "writes_fail").then_some(())
        });
        fs::remove_file(filler).expect("room again");
        eventually("the house to be ready", || (house.anonymous().get("/readyz").status == 200).then_some(()));
        for _ in 0..3 {
            let answer = invite(&owner);
            assert_eq!(answer.status, 201, "there is room: {answer:?}");
            acknowledged.push(id(&answer));
        }
        let name = format!("guest {round}");
        let guest = json!({ "username": name, "password": PASSWORD, "role": "viewer" });
        assert_eq!(owner.post("/api/v1/admin/users", &guest).status, 201);
        house.sign_in(&name, PASSWORD);
        let there = invitations(&owner);
        let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains(id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} were acknowledged and are not there");
        house = house.crash_and_reopen();
        owner = house.sign_in("Olga", "a long night at the opera");
        let there = invitations(&owner);
        let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains(id)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} did not survive the kill");
        house.sign_in(&name, PASSWORD);
    }
    assert!(refused >= 15, "control: the disk was full");
    assert_eq!(house.close(), 0);
}
