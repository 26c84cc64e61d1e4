//! The owner's calls about images and about files that end workers.

mod common;

use common::house::TestHouse;
use domain::{Code, Failure, facts::Container};
use serde_json::{Value, json};

#[tokio::test]
async fn images_are_chosen_and_taken_from_files() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let call = async |method: &str, path: &str, body: Option<Value>| house.json(method, path, &owner, body).await;
    let (_, images) = call("GET", "/api/v1/admin/images", None).await;
    assert_eq!((&images["items"][0]["version"], &images["items"][0]["is_used"]), (&json!("new"), &json!(true)));
    let choose = async |id: &str| call("POST", &format!("/api/v1/admin/images/{id}/use"), None).await.0;
    let pinned = async || house.store.settings().await.unwrap().worker_image.map(|p| (p.id, p.instead_of));
    assert_eq!(choose("nobodys").await, 404);
    assert_eq!(choose("old").await, 202);
    assert!(house.rooms.was_asked("image old"));
    assert_eq!(pinned().await, Some(("old".into(), "new".into())));
    assert_eq!(choose("new").await, 202);
    assert_eq!(pinned().await, None, "the server's own needs no note");
    // One whose workers do not start is not remembered.
    *house.rooms.failing.lock().unwrap() = Some(Failure::of(Code::LogeFailed));
    assert_eq!(choose("old").await, 503);
    *house.rooms.failing.lock().unwrap() = None;
    assert_eq!(pinned().await, None);

    let import = async |path: &str| call("POST", "/api/v1/admin/images/import", Some(json!({ "path": path }))).await;
    assert_eq!(import("relative.tar").await.0, 400);
    assert_eq!(import("/tmp/worker.tar").await, (200, json!({ "id": "imported" })));
    assert!(house.rooms.was_asked("import /tmp/worker.tar"));
}

#[tokio::test]
async fn a_file_that_is_set_aside_does_not_play_until_its_owner_says_so() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf_of("a", Container::Mp4, "h264", (640, 360)).await;
    let list = async || house.json("GET", "/api/v1/admin/quarantine", &owner, None).await.1["items"].clone();
    let play = async || {
        let path = format!("/api/v1/titles/{}/play", shelf.title);
        house.json("POST", &path, &owner, Some(json!({}))).await
    };
    assert_eq!(list().await, json!([]));
    assert_eq!(play().await.0, 200);
    let file = house.store.file(&shelf.file).await.unwrap().unwrap();
    house.store.set_aside(&file.folder, &file.path, Some(file.size_bytes)).await.unwrap().unwrap();
    let (status, refused) = play().await;
    assert_eq!((status, &refused["code"]), (409, &json!("file_broken")), "{refused}");
    let listed = list().await;
    assert_eq!((&listed[0]["file_id"], &listed[0]["title_name"]), (&json!(shelf.file.as_str()), &json!("Film of a")));

    let release =
        async |id: &str| house.json("DELETE", &format!("/api/v1/admin/quarantine/{id}"), &owner, None).await.0;
    assert_eq!(release("nobody").await, 404);
    assert_eq!(release(shelf.file.as_str()).await, 204);
    assert!(house.rooms.was_asked("take back a.mp4"));
    assert_eq!(release(shelf.file.as_str()).await, 404, "it is back already");
    assert_eq!(list().await, json!([]));
    assert_eq!(play().await.0, 200);
}

#[tokio::test]
async fn every_container_has_a_history() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ask = async |user: &str, range: &str| {
        let path = format!("/api/v1/admin/containers/{user}/history?range={range}");
        house.json("GET", &path, &owner, None).await
    };
    let mut told = ask("house", "live").await;
    while told.1["points"] == json!([]) {
        // The first sample is taken at once; there is nothing else to wait for.
        tokio::task::yield_now().await;
        told = ask("house", "live").await;
    }
    assert_eq!((told.0, &told.1["points"][0]["cpu_percent"]), (200, &json!(12.5)), "{told:?}");
    assert_eq!(ask("house", "1y").await.0, 400);
    assert_eq!(ask("nobody", "live").await.0, 404);
    assert_eq!(ask(owner.user.as_str(), "1h").await, (200, json!({ "step_s": 10.0, "points": [] })));
}
