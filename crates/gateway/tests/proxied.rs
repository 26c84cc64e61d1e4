//! A house behind a reverse proxy: whose word counts about who asks, how, and under which name.

mod common;

use common::{
    Answer,
    house::{Login, PASSWORD, TestHouse},
};
use serde_json::{Value, json};

const CLIENT: &str = "203.0.113.9";

async fn trust(house: &TestHouse, owner: &Login, proxies: Value) -> (u16, Value) {
    let form = json!({ "trusted_proxies": proxies });
    house.json("PUT", "/api/v1/admin/names", owner, Some(form)).await
}

fn forwarded(client: &str, rest: &str) -> String {
    format!("x-forwarded-for: {client}\r\n{rest}")
}

async fn sign_in(house: &TestHouse, headers: &str, password: &str) -> Answer {
    let body = json!({ "username": "Owner", "password": password });
    house.call("POST", "/api/v1/auth/login", headers, Some(body)).await
}

async fn addresses(house: &TestHouse, owner: &Login) -> Vec<String> {
    let (_, sessions) = house.json("GET", "/api/v1/me/sessions", owner, None).await;
    let text = |session: &Value| session["address"].as_str().unwrap_or_default().to_owned();
    sessions["items"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_asks() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    assert_eq!(sign_in(&house, &forwarded(CLIENT, ""), PASSWORD).await.status, 200);
    assert!(!addresses(&house, &owner).await.contains(&CLIENT.to_owned()), "anybody can send a header");
    let (_, names) = house.json("GET", "/api/v1/admin/names", &owner, None).await;
    assert_eq!(names["unknown_proxy"], "127.0.0.1", "the owner hears who would like to be believed");

    for nonsense in ["nas.lan", "0.0.0.0/0", "10.0.0.1/33", ""] {
        let (status, told) = trust(&house, &owner, json!(["10.0.0.1", nonsense])).await;
        assert_eq!((status, told["fields"][0]["field"].as_str()), (400, Some("trusted_proxies")), "{nonsense}: {told}");
    }
    let (status, names) = trust(&house, &owner, json!(["127.0.0.0/8"])).await;
    assert_eq!((status, &names["unknown_proxy"]), (200, &Value::Null));
    assert_eq!(names["trusted_proxies"], json!(["127.0.0.0/8"]));
    assert_eq!(sign_in(&house, &forwarded(&format!("10.9.9.9, {CLIENT}"), ""), PASSWORD).await.status, 200);
    assert!(addresses(&house, &owner).await.contains(&CLIENT.to_owned()), "from now on");
    let standard = "forwarded: for=\"[2001:db8::17]:4711\";proto=http\r\n";
    assert_eq!(sign_in(&house, standard, PASSWORD).await.status, 200);
    assert!(addresses(&house, &owner).await.contains(&"2001:db8::17".to_owned()));
    let two_minds = forwarded(CLIENT, "forwarded: for=10.0.0.3\r\n");
    assert_eq!(sign_in(&house, &two_minds, PASSWORD).await.status, 400);

    // It is kept, and taken back at once.
    let house = house.restart().await;
    let (_, names) = house.json("GET", "/api/v1/admin/names", &owner, None).await;
    assert_eq!(names["trusted_proxies"], json!(["127.0.0.0/8"]));
    assert_eq!(trust(&house, &owner, json!([])).await.0, 200);
    assert_eq!(sign_in(&house, &forwarded("203.0.113.77", ""), PASSWORD).await.status, 200);
    assert!(!addresses(&house, &owner).await.contains(&"203.0.113.77".to_owned()));
}

#[tokio::test]
async fn each_client_of_a_proxy_is_braked_for_itself() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    trust(&house, &owner, json!(["127.0.0.1"])).await;
    let wrong = async |client: &str| sign_in(&house, &forwarded(client, ""), "wrong wrong wrong").await.status;
    let mut tries = 0;
    while wrong(CLIENT).await != 429 {
        tries += 1;
        assert!(tries < 60, "nobody guesses for ever");
    }
    let another = forwarded("198.51.100.4", "");
    let other = house.call("POST", "/api/v1/auth/invite", &another, Some(json!({ "invite": "x" })));
    assert_eq!(other.await.status, 404, "another one is not braked for it");
}

#[tokio::test]
async fn over_tls_cookies_are_bound_to_it() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    trust(&house, &owner, json!(["127.0.0.1"])).await;
    let https = forwarded(CLIENT, "x-forwarded-proto: https\r\nx-forwarded-host: films.home\r\n");
    let answer = sign_in(&house, &https, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let set: Vec<&str> = answer.headers.iter().filter(|(n, _)| n == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(set.len(), 2);
    for cookie in &set {
        assert!(
            cookie.starts_with("__Host-loge_") && cookie.contains("; Secure") && cookie.contains("Path=/;"),
            "{cookie}"
        );
    }
    let refresh = set.iter().find_map(|c| c.strip_prefix("__Host-loge_refresh=")).unwrap().split(';').next().unwrap();
    let renew = async |headers: String| house.call("POST", "/api/v1/auth/refresh", &headers, None).await.status;
    let plain = format!("cookie: loge_refresh={refresh}\r\n");
    assert_eq!(renew(format!("{https}{plain}")).await, 401, "a cookie that was set without TLS is nobody's");
    assert_eq!(renew(format!("{https}cookie: __Host-loge_refresh={refresh}\r\n")).await, 200);
    // The control: in the home network, without TLS, all is as it was.
    let answer = sign_in(&house, "", PASSWORD).await;
    assert!(
        answer
            .headers
            .iter()
            .any(|(n, v)| n == "set-cookie" && v.starts_with("loge_refresh=") && !v.contains("Secure"))
    );
}

#[tokio::test]
async fn names_that_a_proxy_passes_on_are_checked_like_ours() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    trust(&house, &owner, json!(["127.0.0.1"])).await;
    let ask = async |headers: &str| {
        let mut client = house.client().await;
        client.send(format!("GET /healthz HTTP/1.1\r\n{headers}\r\n")).await;
        client.answer(false).await.unwrap().status
    };
    let by = |host: &str, told: &str| format!("host: {host}\r\n{}", forwarded(CLIENT, told));
    assert_eq!(ask(&by("127.0.0.1:443", "")).await, 200, "a proxy has a port of its own");
    assert_eq!(ask("host: 127.0.0.1:443\r\n").await, 200, "and it is known by its address, not by a header");
    assert_eq!(ask(&by("loge:8096", "x-forwarded-host: films.home:8443\r\n")).await, 200);
    assert_eq!(ask(&by("loge:8096", "x-forwarded-host: evil.example\r\n")).await, 421);
    assert_eq!(ask(&by("evil.example", "x-forwarded-host: films.home\r\n")).await, 421, "both must be ours");
    // A page that came over TLS is no page without it.
    let change = async |origin: &str| {
        let headers = format!(
            "{}origin: {origin}\r\n{}",
            forwarded(CLIENT, "x-forwarded-proto: https\r\nx-forwarded-host: films.home\r\n"),
            owner.auth(),
        );
        house.call("PUT", "/api/v1/admin/names", &headers, Some(json!({}))).await.status
    };
    assert_eq!(change("https://films.home").await, 200);
    assert_eq!(change("https://films.home:443").await, 200);
    assert_eq!(change("http://films.home").await, 403);
    assert_eq!(change("https://evil.example").await, 403);
}

#[tokio::test]
async fn links_carry_the_public_address() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let set =
        async |url: &str| house.json("PUT", "/api/v1/admin/names", &owner, Some(json!({ "public_url": url }))).await;
    for nonsense in ["films.example.org", "https://films.example.org/loge", "ftp://films.example.org", "https://"] {
        let (status, told) = set(nonsense).await;
        assert_eq!((status, told["fields"][0]["field"].as_str()), (400, Some("public_url")), "{nonsense}");
    }
    let invite = async || {
        let form = Some(json!({ "libraries": [] }));
        house.json("POST", "/api/v1/admin/invites", &owner, form).await.1.to_string()
    };
    assert!(!invite().await.contains("films.example.org"), "the control");
    let (status, names) = set("https://Films.example.org:443/").await;
    assert_eq!((status, names["public_url"].as_str()), (200, Some("https://films.example.org")), "{names}");
    let told = invite().await;
    assert!(told.contains("https://films.example.org/invite"), "{told}");
    let mut client = house.client().await;
    client.send("GET /healthz HTTP/1.1\r\nhost: films.example.org\r\n\r\n").await;
    assert_eq!(client.answer(false).await.unwrap().status, 200, "the house may be called so");
    assert_eq!(set("").await.1["public_url"], Value::Null);
    assert!(!invite().await.contains("films.example.org"));
}
