//! What a sign-in is bound to, what is said when something could not be saved, and forms with
//! more than one fault.

mod common;

use common::house::{PASSWORD, TestHouse};
use serde_json::{Value, json};
use std::sync::Arc;

const DEVICE: &str = "loge-device: BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\r\n";
const OTHER: &str = "loge-device: CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg\r\n";

async fn signed_in_on_a_device(house: &TestHouse) -> String {
    let body = json!({ "username": "Owner", "password": PASSWORD, "device": "Chrome on Linux" });
    let answer = house.call("POST", "/api/v1/auth/login", DEVICE, Some(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    refresh_cookie(&answer.headers)
}

fn refresh_cookie(headers: &[(String, String)]) -> String {
    let set = headers.iter().find(|(n, v)| n == "set-cookie" && v.starts_with("loge_refresh=")).unwrap();
    format!("cookie: {}\r\n", set.1.split(';').next().unwrap())
}

#[tokio::test]
async fn the_cookie_alone_is_not_enough() {
    let house = TestHouse::start().await;
    house.owner().await;
    for thief in ["", OTHER] {
        let cookie = signed_in_on_a_device(&house).await;
        let refresh = async |headers: &str| house.call("POST", "/api/v1/auth/refresh", headers, None).await;
        let renewed = refresh(&format!("{cookie}{DEVICE}")).await;
        assert_eq!(renewed.status, 200, "control: {}", renewed.text());
        // Another port planted a cookie of the same name before ours; ours still counts.
        let cookie = refresh_cookie(&renewed.headers);
        let planted = cookie.replace("cookie: ", &format!("cookie: loge_refresh={}; ", "A".repeat(43)));
        let renewed = refresh(&format!("{planted}{DEVICE}")).await;
        assert_eq!(renewed.status, 200, "{}", renewed.text());
        let cookie = refresh_cookie(&renewed.headers);
        let stolen = refresh(&format!("{cookie}{thief}")).await;
        assert_eq!(stolen.status, 401, "{}", stolen.text());
        assert_eq!(refresh(&format!("{cookie}{DEVICE}")).await.status, 401, "and it ends the sign-in");
    }
    let unreadable = "cookie: loge_refresh=x\r\nloge-device: x\r\n";
    assert_eq!(house.call("POST", "/api/v1/auth/refresh", unreadable, None).await.status, 400);
}

#[tokio::test]
async fn garbage_is_slowed_and_its_cookie_taken_away() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let mut statuses = Vec::new();
    for n in 0..40 {
        let cookie = format!("cookie: loge_refresh={n:043}\r\n");
        let answer = house.call("POST", "/api/v1/auth/refresh", &cookie, None).await;
        if answer.status == 401 {
            let taken = answer.headers.iter().filter(|(n, v)| n == "set-cookie" && v.contains("Max-Age=0")).count();
            assert_eq!(taken, 2);
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses[39], 429, "{statuses:?}");
    let ours = house.call("POST", "/api/v1/auth/refresh", &owner.cookie("loge_refresh"), None).await;
    assert_eq!(ours.status, 200, "a known one is not slowed");
}

#[tokio::test]
async fn signing_out_that_failed_is_told() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    house.store.clone().close().await;
    let answer = house.call("POST", "/api/v1/auth/logout", &owner.cookie("loge_refresh"), None).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    let taken = answer.headers.iter().filter(|(n, v)| n == "set-cookie" && v.contains("Max-Age=0")).count();
    assert_eq!(taken, 2, "the next person at this browser is not signed in");
}

#[tokio::test]
async fn a_full_disk_is_told_by_readyz_until_there_is_room() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ready = async || house.call("GET", "/readyz", "", None).await;
    assert_eq!(ready().await.status, 200, "control");
    house.store.limit_pages(1).await.unwrap();
    let mut saved = Vec::new();
    let refused = loop {
        let name = format!("guest {}", saved.len());
        let body = json!({ "username": name, "password": PASSWORD, "role": "viewer" });
        let (status, answer) = house.json("POST", "/api/v1/admin/users", &owner, Some(body)).await;
        if status != 201 {
            break (status, answer);
        }
        saved.push(name);
    };
    assert_eq!((refused.0, refused.1["code"].as_str()), (507, Some("disk_full")));
    let full = ready().await;
    assert_eq!(full.status, 503);
    assert!(full.text().contains("disk_full") && full.header("retry-after").is_some(), "{}", full.text());
    house.store.limit_pages(1 << 20).await.unwrap();
    while ready().await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (_, list) = house.json("GET", "/api/v1/admin/users", &owner, None).await;
    let names: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|u| u["username"].as_str()).collect();
    assert!(saved.iter().all(|name| names.contains(&name.as_str())), "each that was acknowledged is there");
    assert_eq!(names.len(), saved.len() + 1, "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_different_settings_all_count() {
    let house = Arc::new(TestHouse::start().await);
    let owner = Arc::new(house.owner().await);
    for round in 1..=20_u64 {
        let fields = [
            json!({ "server_name": format!("House {round}") }),
            json!({ "max_viewers": round }),
            json!({ "idle_stop_minutes": round }),
            json!({ "scan_on_start": round % 2 == 0 }),
            json!({ "max_streams_per_person": round }),
            json!({ "per_user_rate_bps": 100_000 + round }),
            json!({ "total_rate_bps": 900_000 + round }),
            json!({ "allow_reduced_isolation": round % 2 == 1 }),
            json!({ "cache_each_bytes": (8 << 20) + round }),
            json!({ "cache_total_bytes": (80 << 20) + round }),
        ];
        let mut changes = Vec::new();
        for body in fields.clone() {
            let (house, owner) = (house.clone(), owner.clone());
            changes.push(tokio::spawn(async move {
                house.json("PATCH", "/api/v1/admin/settings", &owner, Some(body)).await.0
            }));
        }
        for change in changes {
            assert_eq!(change.await.unwrap(), 200);
        }
        let (_, now) = house.json("GET", "/api/v1/admin/settings", &owner, None).await;
        for field in &fields {
            for (name, value) in field.as_object().unwrap() {
                assert_eq!(&now[name], value, "round {round}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn all_faults_of_a_form_are_told_at_once() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let fields = |answer: &Value| -> Vec<String> {
        let list = answer["fields"].as_array().cloned().unwrap_or_default();
        list.iter().map(|f| f["field"].as_str().unwrap().to_owned()).collect()
    };
    let body = json!({ "max_viewers": 0, "server_name": "", "cache_each_bytes": 1, "scan_on_start": true });
    let (status, answer) = house.json("PATCH", "/api/v1/admin/settings", &owner, Some(body)).await;
    assert_eq!(
        (status, fields(&answer)),
        (400, vec!["server_name".into(), "max_viewers".into(), "cache_each_bytes".into()])
    );
    let body = json!({ "username": "a\u{200b}", "password": "short", "role": "king", "libraries": ["x"] });
    let (status, answer) = house.json("POST", "/api/v1/admin/users", &owner, Some(body)).await;
    let wanted = ["username", "password", "role", "libraries"].map(String::from).to_vec();
    assert_eq!((status, answer["code"].as_str(), fields(&answer)), (400, Some("invalid_field"), wanted));
    let body = json!({ "username": "ana", "password": "password1", "role": "viewer" });
    let (_, answer) = house.json("POST", "/api/v1/admin/users", &owner, Some(body)).await;
    assert_eq!((answer["code"].as_str(), fields(&answer)), (Some("weak_password"), vec!["password".into()]));
    assert!(answer["detail"].as_str().unwrap().contains("most common"), "{answer}");
    let body = json!({ "theme": "pink", "language": "d_e" });
    let (_, answer) = house.json("PATCH", "/api/v1/me/preferences", &owner, Some(body)).await;
    assert_eq!(fields(&answer), ["theme", "language"]);
}
