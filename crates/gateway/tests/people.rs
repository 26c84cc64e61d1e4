//! Signing in, the owner's calls, and what pages are told while they are open.

mod common;

use base::Event;
use common::{
    Client,
    house::{Login, PASSWORD, Shelf, TestHouse},
};
use domain::facts::Container;
use serde_json::{Value, json};
use std::time::Duration;

struct Page {
    client: Client,
}

impl Page {
    async fn open(house: &TestHouse, who: &Login, last: Option<u64>) -> Self {
        let mut client = house.client().await;
        let resume = last.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        // HTTP/1.0 has no chunks, so events can be read as they are.
        client
            .send(format!("GET /api/v1/events HTTP/1.0\r\nhost: {}\r\n{}{resume}\r\n", house.address, who.auth()))
            .await;
        let head = client.answer(true).await.unwrap();
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
        let mut page = Self { client };
        assert_eq!(page.next().await.0, "hello");
        page
    }

    /// Name, id and data of the next event that is no vitals.
    async fn next(&mut self) -> (String, Option<u64>, Value) {
        loop {
            let block = tokio::time::timeout(Duration::from_secs(5), self.client.event_block()).await;
            let block = block.expect("an event").unwrap();
            let field = |name: &str| block.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
            let Some(name) = field("event:") else { continue };
            let data: Value = serde_json::from_str(field("data:").unwrap()).unwrap();
            assert_eq!(data["type"], name);
            if name != "vitals" {
                return (name.into(), field("id:").map(|id| id.parse().unwrap()), data);
            }
        }
    }
}

impl Page {
    /// Returns the names of the events up to the control, vitals too; `None` where the line ended first.
    async fn names_until_control(&mut self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        loop {
            let block = self.client.event_block().await.ok()?;
            let Some(name) = block.lines().find_map(|l| l.strip_prefix("event:")) else { continue };
            match name.trim() {
                "message" => return Some(names),
                other => names.push(other.into()),
            }
        }
    }
}

/// One of each event that only an owner may see.
fn publish_owners_events(house: &TestHouse, reader: &Login, shelf: &Shelf) {
    house.bus.publish(Event::Vitals);
    house.bus.publish(Event::Streams);
    house.bus.publish(Event::StreamsMoved);
    house.bus.publish(Event::Users);
    house.bus.publish(Event::Alerts);
    house.bus.publish(Event::Loge { user: None });
    house.bus.publish(Event::Job { job: domain::JobId::from_random([7; 16]) });
    house.bus.publish(Event::Library { library: shelf.library.clone() });
    house.bus.publish(Event::Title { title: shelf.title.clone(), library: shelf.library.clone() });
    house.bus.publish(Event::Message { user: reader.user.parse().unwrap(), text: "control".into() });
}

#[tokio::test]
async fn a_demoted_owner_hears_no_more_of_the_house() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let body = json!({ "username": "bea", "password": PASSWORD, "role": "admin" });
    assert_eq!(house.json("POST", "/api/v1/admin/users", &owner, Some(body)).await.0, 201);
    let bea = house.login("bea").await;
    let mut page = Page::open(&house, &bea, None).await;
    publish_owners_events(&house, &bea, &shelf);
    let before = page.names_until_control().await.unwrap();
    for name in ["vitals", "streams", "users", "alert", "loge", "job", "library", "title"] {
        assert!(before.iter().any(|n| n == name), "control: an owner hears of {name}: {before:?}");
    }
    let path = format!("/api/v1/admin/users/{}", bea.user);
    assert_eq!(house.json("PATCH", &path, &owner, Some(json!({ "role": "viewer" }))).await.0, 200);
    // What was sent before the change may still be on its way.
    while page.next().await.0 != "resync" {}
    publish_owners_events(&house, &bea, &shelf);
    let after = page.names_until_control().await.unwrap();
    assert!(after.iter().all(|name| name == "resync"), "{after:?}");
}

#[tokio::test]
async fn a_page_whose_right_cannot_be_told_is_closed() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    let mut page = Page::open(&house, &ana, None).await;
    publish_owners_events(&house, &ana, &shelf);
    assert!(page.names_until_control().await.is_some(), "control");
    // The store fails.
    house.sql("ALTER TABLE grants RENAME TO grants_away").await;
    publish_owners_events(&house, &ana, &shelf);
    assert_eq!(page.names_until_control().await, None);
}

#[tokio::test]
async fn a_sign_in_that_runs_out_ends_its_page() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ana = house.viewer(&owner, "ana", &[]).await;
    let mut page = Page::open(&house, &ana, None).await;
    // As time does it: no event says so.
    house.sql("UPDATE sessions SET expires_at = 1").await;
    assert_eq!(page.names_until_control().await, None, "at the next heartbeat");
}

#[tokio::test]
async fn the_first_owner_needs_the_code() {
    let house = TestHouse::start().await;
    let server = house.call("GET", "/api/v1/server", "", None).await;
    assert!(server.text().contains("\"setup_required\":true"));
    let wrong = json!({ "code": "AAAA-BBBB", "username": "Owner", "password": PASSWORD });
    assert_eq!(house.call("POST", "/api/v1/setup", "", Some(wrong)).await.status, 403);
    let owner = house.owner().await;
    let again = json!({ "code": "AAAA-BBBB", "username": "Other", "password": PASSWORD });
    let answer = house.call("POST", "/api/v1/setup", "", Some(again)).await;
    assert!(matches!(answer.status, 403 | 404), "{}", answer.text());
    assert!(house.call("GET", "/api/v1/server", "", None).await.text().contains("\"setup_required\":false"));
    let (status, me) = house.json("GET", "/api/v1/me", &owner, None).await;
    assert_eq!((status, me["role"].as_str()), (200, Some("admin")));
    house.asked(&format!("want {}", owner.user)).await;
}

#[tokio::test]
async fn cookies_are_narrow_and_rotate() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let answer = house.call("POST", "/api/v1/auth/refresh", &owner.cookie("loge_refresh"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookies: Vec<&str> =
        answer.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(cookies.len(), 2);
    for cookie in &cookies {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
    assert!(cookies.iter().any(|c| c.starts_with("loge_refresh=") && c.contains("Path=/api/v1/auth;")));
    assert!(cookies.iter().any(|c| c.starts_with("loge_view=") && c.contains("Path=/api;")));
    assert_eq!(house.call("POST", "/api/v1/auth/refresh", "", None).await.status, 401);
    // The picture cookie opens pictures and nothing else.
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let view = owner.cookie("loge_view");
    let poster = format!("/api/v1/titles/{}/poster", shelf.title);
    assert_eq!(house.call("GET", &poster, &view, None).await.status, 404, "known, and there is none yet");
    assert_eq!(house.call("GET", &poster, "", None).await.status, 401);
    assert_eq!(house.call("GET", &format!("/api/v1/titles/{}", shelf.title), &view, None).await.status, 401);
    let logout = house.call("POST", "/api/v1/auth/logout", &owner.auth(), None).await;
    assert_eq!(logout.status, 204);
    assert!(logout.headers.iter().filter(|(n, v)| n == "set-cookie" && v.contains("Max-Age=0")).count() == 2);
    assert_eq!(house.call("GET", &poster, &view, None).await.status, 401, "the session is over");
}

#[tokio::test]
async fn people_are_invited_changed_and_removed() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let ask = json!({ "libraries": [shelf.library.as_str()] });
    let (status, invite) = house.json("POST", "/api/v1/admin/invites", &owner, Some(ask)).await;
    assert_eq!(status, 201, "{invite}");
    let token = invite["token"].as_str().unwrap();
    assert_eq!(invite["url"], format!("http://{}/invite#{token}", house.address), "the owner's own page is here");
    assert_eq!(invite["urls"], json!([]), "nobody else reaches a house that listens on loopback alone");
    let check = async |invite: &str| {
        house.call("POST", "/api/v1/auth/invite", "", Some(json!({ "invite": invite }))).await.status
    };
    assert_eq!((check(token).await, check(token).await), (204, 204), "looking uses nothing up");
    assert_eq!(check("nothing").await, 404);
    let (_, list) = house.json("GET", "/api/v1/admin/invites", &owner, None).await;
    assert!(!list.to_string().contains(token), "shown once");
    let form = json!({ "invite": token, "username": "ana", "password": PASSWORD });
    let answer = house.call("POST", "/api/v1/auth/register", "", Some(form.clone())).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let again = json!({ "invite": token, "username": "ben", "password": PASSWORD });
    assert_eq!(house.call("POST", "/api/v1/auth/register", "", Some(again)).await.status, 404, "used up");
    let ana = house.login("ana").await;
    assert_eq!(house.json("GET", "/api/v1/libraries", &ana, None).await.1["items"].as_array().unwrap().len(), 1);

    let (_, users) = house.json("GET", "/api/v1/admin/users", &owner, None).await;
    assert_eq!(users["items"].as_array().unwrap().len(), 2);
    assert!(!users.to_string().contains("argon2"));
    let (_, sessions) = house.json("GET", "/api/v1/me/sessions", &ana, None).await;
    let sessions = sessions["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|s| s["current"] == false).unwrap()["id"].as_str().unwrap();
    let path = format!("/api/v1/me/sessions/{other}");
    assert_eq!(house.json("DELETE", &path, &owner, None).await.0, 404, "not the owner's own");
    assert_eq!(house.json("DELETE", &path, &ana, None).await.0, 204);
    assert_eq!(house.json("DELETE", &path, &ana, None).await.0, 404);

    let own = format!("/api/v1/admin/users/{}", owner.user);
    for (verb, body) in
        [("PATCH", Some(json!({ "role": "viewer" }))), ("PATCH", Some(json!({ "disabled": true }))), ("DELETE", None)]
    {
        let (status, problem) = house.json(verb, &own, &owner, body).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("last_admin")), "{verb}");
    }
    assert_eq!(house.json("DELETE", &format!("/api/v1/admin/users/{}", ana.user), &owner, None).await.0, 204);
    assert_eq!(house.call("GET", "/api/v1/me", &ana.auth(), None).await.status, 401, "at once");
    let (_, audit) = house.json("GET", "/api/v1/admin/audit?limit=500", &owner, None).await;
    assert!(audit["items"].as_array().unwrap().len() >= 5, "{audit}");
}

#[tokio::test]
async fn the_audit_log_is_told_in_names() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", domain::facts::Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[]).await;
    let grants = json!({ "libraries": [shelf.library.as_str()] });
    let path = format!("/api/v1/admin/users/{}/grants", ana.user);
    assert_eq!(house.json("PUT", &path, &owner, Some(grants)).await.0, 204);
    let play = house.play(&ana, &shelf.title).await;
    let stream = format!("/api/v1/admin/streams/{}", play["play_id"].as_str().unwrap());
    assert_eq!(house.json("DELETE", &stream, &owner, None).await.0, 204);
    let newest = async |n: usize| {
        let (_, audit) = house.json("GET", "/api/v1/admin/audit?limit=500", &owner, None).await;
        let items = audit["items"].as_array().unwrap().clone();
        let line = |item: &serde_json::Value| {
            let of = |field: &str| item[field].as_str().unwrap_or("-").to_owned();
            (of("actor_name"), of("action"), of("target_name"))
        };
        (line(&items[n]), items[n]["target"].clone())
    };
    let said = |actor: &str, action: &str, target: &str| (actor.to_owned(), action.to_owned(), target.to_owned());
    let (line, target) = newest(0).await;
    assert_eq!(line, said("Owner", "stream.stop", "ana: Film of films"));
    assert_eq!(target, format!("{}: {}", ana.user, shelf.title), "the log itself keeps the ids");
    let (grants, _) = newest(1).await;
    assert_eq!(grants, said("Owner", "user.grants", "ana"));
    // A person who is gone has no name, and a number would say nothing.
    assert_eq!(house.json("DELETE", &format!("/api/v1/admin/users/{}", ana.user), &owner, None).await.0, 204);
    let (stopped, _) = newest(1).await;
    assert_eq!(stopped, said("Owner", "stream.stop", "Film of films"));
}

#[tokio::test]
async fn the_owner_sees_and_steers_the_machine() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ana = house.viewer(&owner, "ana", &[]).await;
    let (status, vitals) = loop {
        let (status, body) = house.json("GET", "/api/v1/admin/vitals?range=live", &owner, None).await;
        if status != 503 {
            break (status, body);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(status, 200, "{vitals}");
    assert!(vitals["now"]["memory"]["total_bytes"].as_u64().unwrap() > 0 && vitals["history"]["step_s"].is_f64());
    assert!(vitals["now"]["sentence"]["text"].is_string() && vitals["now"]["viewers"]["max"] == 6);
    assert_eq!(house.json("GET", "/api/v1/admin/vitals?range=year", &owner, None).await.0, 400);

    let (_, containers) = house.json("GET", "/api/v1/admin/containers", &owner, None).await;
    let loge = &containers["items"][0];
    assert_eq!((loge["user_id"].as_str(), loge["username"].as_str()), (Some("house"), Some("House")));
    // 12.5 % of a core, of the one it may have and the quarter that is lent to it.
    assert_eq!(loge["usage"]["cpu_of_quota_percent"], 10.0);
    assert_eq!((loge["lent_cpus"].as_f64(), loge["circuit"].as_str()), (Some(0.25), Some("half_open")));
    assert_eq!((loge["oom_count"].as_u64(), loge["throttled_percent"].as_f64()), (Some(2), Some(25.0)));
    let base = format!("/api/v1/admin/containers/{}", ana.user);
    let limits = json!({ "memory_bytes": 256 << 20, "cpus": 0.25 });
    let (status, changed) = house.json("PATCH", &format!("{base}/limits"), &owner, Some(limits)).await;
    assert_eq!(
        (status, changed["limits"]["cpus"].as_f64(), changed["state"].as_str()),
        (200, Some(0.25), Some("absent"))
    );
    house.asked(&format!("limits {} {}", ana.user, 256 << 20)).await;
    for bad in [json!({ "memory_bytes": 1 }), json!({ "cpus": 0.0 }), json!({ "cpus": -5.0 }), json!({ "pids": 1 })] {
        assert_eq!(house.json("PATCH", &format!("{base}/limits"), &owner, Some(bad.clone())).await.0, 400, "{bad}");
    }
    // The house's own are changed in the same way, and what is not said stays.
    let of_house = "/api/v1/admin/containers/house/limits";
    let (status, changed) = house.json("PATCH", of_house, &owner, Some(json!({ "cpus": 2.0 }))).await;
    assert_eq!((status, changed["limits"]["cpus"].as_f64()), (200, Some(2.0)), "{changed}");
    house.asked(&format!("limits house {}", domain::LogeLimits::HOUSE.memory_bytes)).await;
    let kept = house.store.house_limits().await.unwrap();
    assert_eq!(kept, domain::LogeLimits { cpu_millis: 2000, ..domain::LogeLimits::HOUSE });
    assert_eq!(house.json("PATCH", of_house, &owner, Some(json!({ "pids": 1 }))).await.0, 400);
    assert_eq!(house.json("POST", &format!("{base}/restart"), &owner, None).await.0, 202);
    house.asked(&format!("restart {}", ana.user)).await;
    assert_eq!(house.json("POST", "/api/v1/admin/containers/nobody/stop", &owner, None).await.0, 404);
    assert_eq!(house.json("GET", &format!("{base}/logs?tail=7"), &owner, None).await.1["lines"][0], "the last 7 lines");
    let (_, found) = house.json("GET", &format!("{base}/logs?q=probing%20FILM"), &owner, None).await;
    assert_eq!(found["lines"], serde_json::json!(["Probing film 7"]));

    let films = house.dir.path().join("some films");
    std::fs::create_dir(&films).unwrap();
    std::fs::write(films.join("a.mp4"), b"x").unwrap();
    let path = films.to_str().unwrap();
    let (status, check) =
        house.json("POST", "/api/v1/admin/folders/check", &owner, Some(json!({ "path": path }))).await;
    assert_eq!((status, check["videos_found"].as_u64()), (200, Some(1)), "{check}");
    let (status, listing) = house.json("GET", "/api/v1/admin/folders?path=/", &owner, None).await;
    assert!(status == 200 && !listing["entries"].as_array().unwrap().is_empty());
    assert_eq!(house.json("GET", "/api/v1/admin/folders?path=etc", &owner, None).await.0, 400);
    let new = json!({ "name": "Films", "kind": "movies", "folders": [path] });
    let (status, library) = house.json("POST", "/api/v1/libraries", &owner, Some(new)).await;
    assert_eq!(status, 201, "{library}");
    house.asked("remount house").await;
    let id = library["id"].as_str().unwrap();
    let (_, jobs) = house.json("GET", "/api/v1/admin/jobs", &owner, None).await;
    assert_eq!(
        (jobs["items"][0]["kind"].as_str(), jobs["items"][0]["name"].as_str()),
        (Some("scan"), Some("Scan of Films"))
    );
    assert_eq!(house.json("POST", &format!("/api/v1/libraries/{id}/scan"), &owner, None).await.0, 202);
    assert_eq!(house.json("POST", "/api/v1/admin/jobs/pause-all", &owner, None).await.0, 202);
    assert_eq!(house.json("POST", "/api/v1/admin/jobs/resume-all", &owner, None).await.0, 202);
    let (status, renamed) =
        house.json("PATCH", &format!("/api/v1/libraries/{id}"), &owner, Some(json!({ "name": "Kino" }))).await;
    assert_eq!((status, renamed["name"].as_str()), (200, Some("Kino")));
    assert_eq!(house.json("DELETE", &format!("/api/v1/libraries/{id}"), &owner, None).await.0, 204);
    assert_eq!(house.json("DELETE", &format!("/api/v1/libraries/{id}"), &owner, None).await.0, 404);
    for (path, wanted) in
        [("alerts", 200), ("logs?level=warn", 200), ("logs?level=loud", 400), ("runtime", 200), ("sessions", 200)]
    {
        assert_eq!(house.json("GET", &format!("/api/v1/admin/{path}"), &owner, None).await.0, wanted, "{path}");
    }
    let metrics = house.call("GET", "/metrics", &owner.auth(), None).await;
    assert!(metrics.text().contains("loge_http_requests_total"), "{}", metrics.text());
    for told in [
        "cpu_cores{tenant=\"house\"} 0.125",
        "throttled_ratio{tenant=\"house\"} 0.25",
        "out_of_memory{tenant=\"house\"} 2",
    ] {
        assert!(metrics.text().contains(&format!("\nloge_container_{told}\n")), "{told}: {}", metrics.text());
    }
}

#[tokio::test]
async fn preferences_are_ones_own() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let path = "/api/v1/me/preferences";
    let (_, changed) = house.json("PATCH", path, &owner, Some(json!({ "theme": "light" }))).await;
    assert_eq!((changed["theme"].as_str(), changed["autoplay_next"].as_bool()), (Some("light"), Some(true)));
    let tags = json!({ "language": "de", "audio_language": "pt-BR" });
    let (_, changed) = house.json("PATCH", path, &owner, Some(tags)).await;
    assert_eq!((&changed["language"], &changed["audio_language"]), (&json!("de"), &json!("pt-BR")));
    let (_, changed) = house.json("PATCH", path, &owner, Some(json!({ "audio_language": "" }))).await;
    assert_eq!((&changed["language"], &changed["audio_language"]), (&json!("de"), &json!(null)));
    assert_eq!(house.json("PATCH", path, &owner, Some(json!({ "audio_language": "a b" }))).await.0, 400);
    assert_eq!(house.json("PATCH", path, &owner, Some(json!({ "theme": "pink" }))).await.0, 400);
    assert_eq!(house.json("PATCH", path, &owner, Some(json!({ "user_id": "x" }))).await.0, 400);
    assert_eq!(house.json("GET", path, &owner, None).await.1["theme"], "light");
}

#[tokio::test]
async fn pages_hear_what_they_may_see_and_no_more() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let mine = house.shelf("mine", Container::Mp4, "h264").await;
    let theirs = house.shelf("theirs", Container::Mp4, "h264").await;
    let ana = house.viewer(&owner, "ana", &[&mine.library]).await;
    let ana_id: domain::UserId = ana.user.parse().unwrap();
    let mut hers = Page::open(&house, &ana, None).await;
    let mut owners = Page::open(&house, &owner, None).await;
    house.bus.publish(Event::Title { title: theirs.title.clone(), library: theirs.library.clone() });
    house.bus.publish(Event::Users);
    house.bus.publish(Event::Streams);
    house.bus.publish(Event::Message { user: owner.user.parse().unwrap(), text: "not for her".into() });
    house.bus.publish(Event::Poster { title: mine.title.clone(), library: mine.library.clone() });
    let (name, id, data) = hers.next().await;
    assert_eq!((name.as_str(), data["title_id"].as_str()), ("poster", Some(mine.title.as_str())), "{data}");
    for wanted in ["title", "users", "streams", "message", "poster"] {
        assert_eq!(owners.next().await.0, wanted);
    }
    house.bus.publish(Event::Message { user: ana_id.clone(), text: "Dinner\nis ready".into() });
    assert_eq!(hers.next().await.2["text"], "Dinner\nis ready");

    // She comes back: what she missed and may see is told, in order.
    drop(hers);
    house.bus.publish(Event::Library { library: theirs.library.clone() });
    house.bus.publish(Event::Library { library: mine.library.clone() });
    let mut hers = Page::open(&house, &ana, id).await;
    assert_eq!(hers.next().await.0, "message");
    let (name, _, data) = hers.next().await;
    assert_eq!((name.as_str(), data["library_id"].as_str()), ("library", Some(mine.library.as_str())));
    let mut late = Page::open(&house, &ana, Some(999_999)).await;
    assert_eq!(late.next().await.0, "resync", "a number of another run");

    // A right that goes takes its events along.
    let path = format!("/api/v1/admin/users/{}/grants", ana.user);
    house.json("PUT", &path, &owner, Some(json!({ "libraries": [] }))).await;
    assert_eq!(hers.next().await.0, "resync");
    house.bus.publish(Event::Library { library: mine.library.clone() });
    house.bus.publish(Event::Message { user: ana_id, text: "control".into() });
    assert_eq!(hers.next().await.0, "message");

    // The end of the session is the last thing she hears.
    assert_eq!(house.call("POST", "/api/v1/auth/logout", &ana.auth(), None).await.status, 204);
    assert_eq!(hers.next().await.0, "session_ended");
    assert!(hers.client.closed(Duration::from_secs(5)).await);
    assert!(house.lifecycle.stop(Duration::from_secs(10)).await, "open pages do not hold up a stop");
}
