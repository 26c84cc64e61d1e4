//! An order is carried out although its caller leaves in the middle of it. Alone in its program,
//! because it reads what the whole process counts.

mod common;

use common::{
    house::{Login, TestHouse},
    until_async,
};
use domain::facts::Container;
use loge_gateway::{policy::Policy, routes::Entry};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::OtherProgram;
use tokio::{io::AsyncReadExt, sync::Mutex};

/// What is counted is the whole process's, so one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Holds the write lock of the house's database, so that an order has to wait in its middle.
struct WriteLock(OtherProgram);

impl WriteLock {
    async fn take(house: &TestHouse) -> Self {
        let program = house.other_program().await;
        program.run("BEGIN IMMEDIATE").await.unwrap();
        Self(program)
    }
    async fn release(self) {
        self.0.run("ROLLBACK").await.unwrap();
    }
}

struct Targets {
    ana: String,
    ben: String,
    invite: String,
    session: String,
    play: String,
    library: String,
    other_library: String,
    title: String,
}

impl Targets {
    /// Returns the path and the body of one order.
    fn of(&self, entry: &Entry) -> (String, Option<Value>) {
        let body = match (entry.method, entry.path.as_str()) {
            ("POST", "/api/v1/admin/users") => {
                json!({ "username": "cleo", "password": common::house::PASSWORD, "role": "viewer" })
            }
            ("PATCH", "/api/v1/admin/users/{id}") => json!({ "disabled": false, "password": "velvet-and-gilt-9" }),
            ("PUT", "/api/v1/admin/users/{id}/grants") => json!({ "libraries": [] }),
            ("POST", "/api/v1/admin/images/import") => json!({ "path": "/nowhere/worker.tar" }),
            ("POST", "/api/v1/admin/invites") => json!({ "libraries": [] }),
            ("POST", "/api/v1/admin/folders/check") => json!({ "path": "/nowhere" }),
            ("PATCH", "/api/v1/admin/settings") => json!({ "server_name": "Palace" }),
            ("PATCH", "/api/v1/admin/night-shift") => json!({ "enabled": true }),
            ("PATCH", "/api/v1/admin/containers/{user_id}/limits") => json!({ "pids": 40 }),
            ("POST", "/api/v1/admin/streams/{play_id}/message") => json!({ "text": "Dinner" }),
            ("POST", "/api/v1/libraries") => json!({ "name": "more", "kind": "movies", "folders": ["/nowhere"] }),
            ("PATCH", "/api/v1/libraries/{id}") => json!({ "name": "renamed" }),
            ("POST" | "PUT" | "PATCH", _) => json!({}),
            _ => Value::Null,
        };
        let id = match (entry.method, entry.path.as_str()) {
            ("DELETE", "/api/v1/admin/users/{id}") => &self.ben,
            ("DELETE", "/api/v1/libraries/{id}") => &self.other_library,
            (_, path) if path.contains("/admin/users/") => &self.ana,
            (_, path) if path.contains("/libraries/") => &self.library,
            (_, path) if path.contains("/invites/") => &self.invite,
            (_, path) if path.contains("/sessions/") => &self.session,
            (_, path) if path.contains("/containers/") => &self.ana,
            (_, path) if path.contains("/streams/") => &self.play,
            _ => &self.title,
        };
        let path = entry.path.split('/').map(|part| if part.starts_with('{') { id } else { part });
        let body = (!body.is_null()).then_some(body);
        (path.collect::<Vec<_>>().join("/"), body)
    }
}

/// Sends an order and hangs up as soon as it is under way.
async fn order_and_hang_up(house: &TestHouse, who: &Login, entry: &Entry, targets: &Targets) {
    let (path, body) = targets.of(entry);
    let body = body.map(|body| body.to_string());
    let typed = body
        .as_ref()
        .map_or(String::new(), |body| format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    let before = counted(house, entry.method).await;
    let mut client = house.client().await;
    let head = format!("{} {path} HTTP/1.1\r\nhost: {}\r\n{}{typed}\r\n", entry.method, house.address, who.auth());
    client.send(head + &body.unwrap_or_default()).await;
    until_async("the order is under way", async || {
        figure(house, "loge_orders_running ").await > 0 || counted(house, entry.method).await > before
    })
    .await;
    drop(client);
}

async fn figures(house: &TestHouse) -> String {
    house.call("GET", "/metrics", "authorization: Bearer scrape-me\r\n", None).await.text()
}

async fn figure(house: &TestHouse, name: &str) -> u64 {
    let text = figures(house).await;
    text.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |value| value.trim().parse().unwrap())
}

/// Returns how many requests of this method were answered, with any status.
async fn counted(house: &TestHouse, method: &str) -> u64 {
    let text = figures(house).await;
    let named = format!("method=\"{method}\"");
    let lines = text.lines().filter(|l| l.starts_with("loge_http_requests_total{") && l.contains(&named));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn every_order_is_carried_out_whoever_listens() {
    let _alone = ALONE.lock().await;
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let films = house.shelf("films", Container::Mp4, "h264").await;
    let other = house.shelf("other", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&films.library]).await;
    let ben = house.viewer(&owner, "ben", &[&films.library]).await;
    let (_, invite) = house.json("POST", "/api/v1/admin/invites", &owner, Some(json!({ "libraries": [] }))).await;
    let (_, sessions) = house.json("GET", "/api/v1/admin/sessions", &owner, None).await;
    let sessions = sessions["items"].as_array().unwrap();
    let hers = sessions.iter().find(|s| s["user_id"] == ana.user.as_str()).unwrap();
    let play = house.play(&owner, &films.title).await;
    let targets = Targets {
        ana: ana.user.clone(),
        ben: ben.user.clone(),
        invite: invite["id"].as_str().unwrap().into(),
        session: hers["id"].as_str().unwrap().into(),
        play: play["play_id"].as_str().unwrap().into(),
        library: films.library.to_string(),
        other_library: other.library.to_string(),
        title: films.title.to_string(),
    };
    let table = loge_gateway::api::all().table().to_vec();
    let orders: Vec<Entry> =
        table.into_iter().filter(|e| e.policy == Policy::Admin && !["GET", "HEAD"].contains(&e.method)).collect();
    assert!(orders.len() >= 30, "{orders:?}");
    for entry in &orders {
        let before = counted(&house, entry.method).await;
        let lock = WriteLock::take(&house).await;
        order_and_hang_up(&house, &owner, entry, &targets).await;
        lock.release().await;
        let what = format!("{} {} to its end", entry.method, entry.path);
        until_async(&what, async || counted(&house, entry.method).await > before).await;
    }
    // The effects of some of them, looked at.
    let (_, users) = house.json("GET", "/api/v1/admin/users", &owner, None).await;
    let names: Vec<&str> = users["items"].as_array().unwrap().iter().map(|u| u["username"].as_str().unwrap()).collect();
    assert!(names.contains(&"cleo") && !names.contains(&"ben"), "{names:?}");
    assert_eq!(house.store.settings().await.unwrap().server_name, "Palace");
    assert!(house.store.grants(&ana.user.parse().unwrap()).await.unwrap().is_empty());
    assert!(house.gateway.streams().all().is_empty(), "the stream was stopped");
    assert_eq!(house.call("GET", "/api/v1/me", &ana.auth(), None).await.status, 401, "her sign-in ended");
}

#[tokio::test]
async fn a_right_that_is_taken_cuts_the_film_though_the_owner_hung_up() {
    let _alone = ALONE.lock().await;
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let films = house.shelf("films", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&films.library]).await;
    let url = house.play(&ana, &films.title).await["url"].as_str().unwrap().to_string();
    for running in house.gateway.streams().all() {
        running.pace.set_rate(Some(100_000));
    }
    let mut film = house.client().await;
    film.send(format!("GET {url} HTTP/1.1\r\nhost: {}\r\n\r\n", house.address)).await;
    film.tcp.read_exact(&mut [0; 20_000]).await.unwrap();
    let lock = WriteLock::take(&house).await;
    let body = json!({ "libraries": [] }).to_string();
    let mut client = house.client().await;
    client
        .send(format!(
            "PUT /api/v1/admin/users/{}/grants HTTP/1.1\r\nhost: {}\r\n{}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            ana.user,
            house.address,
            owner.auth(),
            body.len()
        ))
        .await;
    until_async("the order is under way", async || figure(&house, "loge_orders_running ").await > 0).await;
    drop(client);
    assert!(!house.gateway.streams().all().is_empty(), "control: nothing is cut before it is decided");
    lock.release().await;
    assert!(film.closed(Duration::from_secs(60)).await, "the film is cut");
}
