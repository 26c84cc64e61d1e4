//! The rim of the house: who gets in without a name (nobody), under which names pages may call,
//! and what becomes of requests that are not quite requests.

mod common;

use common::{Client, house::TestHouse};
use loge_gateway::{policy::Policy, routes::Entry};
use serde_json::{Value, json};
use std::time::Duration;

/// Reviewed: everything that answers without a session. Adding a line here is a decision.
const OPEN: [(&str, &str); 8] = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/server"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/auth/invite"),
    ("POST", "/api/v1/auth/register"),
    ("POST", "/api/v1/setup"),
];

fn table() -> Vec<Entry> {
    loge_gateway::api::all().table().to_vec()
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let id = "0123456789abcdef0123456789abcdef";
    path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>().join("/")
}

fn is_problem(answer: &common::Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["status"], answer.status);
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
    assert!(body["code"].is_string() && body["detail"].is_string() && body["type"] == "about:blank");
    body
}

#[test]
fn the_open_routes_are_the_reviewed_ones() {
    let mut open: Vec<(String, String)> =
        table().into_iter().filter(|e| e.policy == Policy::Anonymous).map(|e| (e.method.to_string(), e.path)).collect();
    let mut reviewed: Vec<(String, String)> = OPEN.iter().map(|(m, p)| (m.to_string(), p.to_string())).collect();
    open.sort();
    reviewed.sort();
    assert_eq!(open, reviewed);
    for entry in table() {
        let admin = entry.path.starts_with("/api/v1/admin/");
        assert!(!admin || entry.policy == Policy::Admin, "{entry:?}");
    }
}

#[tokio::test]
async fn no_route_answers_a_stranger() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let viewer = house.viewer(&owner, "ana", &[]).await;
    let expired = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjoxfQ.AAAA";
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.";
    let mut tampered = owner.token.clone();
    let last = tampered.pop().unwrap();
    tampered.push(if last == 'A' { 'B' } else { 'A' });
    let strangers = [
        String::new(),
        "authorization: Bearer garbage\r\n".into(),
        "authorization: Basic b3duZXI6b3duZXI=\r\n".into(),
        format!("authorization: Bearer {expired}\r\n"),
        format!("authorization: Bearer {unsigned}\r\n"),
        format!("authorization: Bearer {}x\r\n", &tampered[..tampered.len() - 1]),
        "cookie: loge_view=abc\r\n".into(),
    ];
    let mut walked = 0;
    for entry in table().into_iter().filter(|e| e.policy != Policy::Anonymous) {
        let path = filled(&entry.path);
        for headers in &strangers {
            let answer = house.call(entry.method, &path, headers, None).await;
            assert!(matches!(answer.status, 401 | 404), "{entry:?} {headers:?} answered {}", answer.status);
            is_problem(&answer);
            walked += 1;
        }
        if entry.policy == Policy::Admin || entry.policy == Policy::Scrape {
            let answer = house.call(entry.method, &path, &viewer.auth(), None).await;
            assert_eq!(answer.status, 403, "{entry:?} for a viewer");
            assert_eq!(is_problem(&answer)["code"], "forbidden");
        }
    }
    assert!(walked > 300, "{walked}");
    let answer = house.call("GET", "/metrics", "authorization: Bearer scrape-me\r\n", None).await;
    assert_eq!(answer.status, 200, "the scrape token opens exactly this");
    let answer = house.call("GET", "/api/v1/admin/users", "authorization: Bearer scrape-me\r\n", None).await;
    assert_eq!(answer.status, 401);
    // A session in the address is none.
    let answer = house.call("GET", &format!("/api/v1/me/sessions?access_token={}", owner.token), "", None).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_stranger_learns_the_name_and_no_version() {
    let house = TestHouse::start().await;
    let server = async |headers: &str| {
        let answer = house.call("GET", "/api/v1/server", headers, None).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    assert_eq!(server("").await, json!({ "name": "Loge", "setup_required": true }));
    let owner = house.owner().await;
    let body = json!({ "code": "x", "username": "eve", "password": common::house::PASSWORD });
    let setup = house.call("POST", "/api/v1/setup", "", Some(body)).await;
    assert_eq!((setup.status, is_problem(&setup)["code"].as_str()), (404, Some("not_found")), "like any other address");
    assert_eq!(server("").await, json!({ "name": "Loge", "setup_required": false }), "told at once");
    let name = json!({ "server_name": "Palace" });
    assert_eq!(house.json("PATCH", "/api/v1/admin/settings", &owner, Some(name)).await.0, 200);
    assert_eq!(server("authorization: Bearer x\r\n").await, json!({ "name": "Palace", "setup_required": false }));
    assert_eq!(server(&owner.auth()).await["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn shapes_of_an_address_do_not_open_it() {
    let house = TestHouse::start().await;
    let host = house.address;
    for target in [
        "/api/v1/admin/users?r=/healthz",
        "/api/v1/admin/users#/healthz",
        "//api/v1/admin/users",
        "/api//v1/admin/users",
        "/api/v1/./admin/users",
        "/api/v1/healthz/../admin/users",
        "/api/v1/%61dmin/users",
        "/api/v1%2fadmin%2fusers",
        "/api/v1/admin/users;x=1",
        "/api/v1/admin/users/",
        "/API/v1/admin/users",
        "/healthz/..%2fapi/v1/admin/users",
    ] {
        for verb in ["GET", "HEAD", "OPTIONS"] {
            let mut client = house.client().await;
            client.send(format!("{verb} {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
            let Ok(answer) = client.answer(verb == "HEAD").await else { continue };
            let page = answer.header("content-type").is_some_and(|t| t.starts_with("text/html"));
            assert!(page || matches!(answer.status, 400 | 401 | 404 | 405), "{verb} {target}: {}", answer.status);
        }
    }
    let mut client = house.client().await;
    client.send(format!("GET http://{host}/api/v1/admin/users HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
    assert_eq!(client.answer(false).await.unwrap().status, 401, "absolute form");
    for headers in [
        "x-http-method-override: GET\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "forwarded: for=127.0.0.1\r\n",
        "x-real-ip: 127.0.0.1\r\n",
        "x-forwarded-user: owner\r\n",
        "x-original-url: /healthz\r\n",
        "x-rewrite-url: /healthz\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\n",
    ] {
        let answer = house.call("GET", "/api/v1/admin/users", headers, None).await;
        assert_eq!(answer.status, 401, "{headers}");
    }
    let trace = house.call("TRACE", "/healthz", "", None).await;
    assert_eq!((trace.status, is_problem(&trace)["code"].as_str()), (405, Some("method_not_allowed")));
    let wrong = house.call("DELETE", "/api/v1/server", "", None).await;
    assert_eq!(wrong.status, 405);
    assert!(wrong.header("allow").is_some_and(|v| v.contains("GET")));
    let unknown = house.call("GET", "/api/v1/nothing", "", None).await;
    assert_eq!((unknown.status, is_problem(&unknown)["code"].as_str()), (404, Some("not_found")));
}

#[tokio::test]
async fn only_our_names_are_answered() {
    let house = TestHouse::start().await;
    let port = house.address.port();
    let ask = async |host_lines: String| {
        let mut client = house.client().await;
        client.send(format!("GET /healthz HTTP/1.1\r\n{host_lines}\r\n")).await;
        client.answer(false).await.unwrap().status
    };
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("films.home:{port}"),
        format!("FILMS.home:{port}"),
        format!("localhost.:{port}"),
        "films.home".into(),
        "nas.lan:80".into(),
        "nas.fritz.box".into(),
        "nas.home.arpa".into(),
    ] {
        assert_eq!(ask(format!("host: {host}\r\n")).await, 200, "{host}");
    }
    for host in [
        format!("evil.example:{port}"),
        "evil.example".into(),
        format!("localhost.evil.example:{port}"),
        "localhost".into(),
        "localhost:1".into(),
        format!("10.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("xn--flms-pma.home:{port}"),
        String::new(),
    ] {
        let status = ask(format!("host: {host}\r\n")).await;
        assert!(matches!(status, 400 | 421), "{host}: {status}");
    }
    assert_eq!(ask(String::new()).await, 400, "no Host");
    assert_eq!(ask(format!("host: localhost:{port}\r\nhost: evil.example\r\n")).await, 400, "two Hosts");
    let mut client = house.client().await;
    client.send(format!("GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n")).await;
    assert_eq!(client.answer(false).await.unwrap().status, 400, "two names in one request");
}

#[tokio::test]
async fn an_unknown_name_is_told_how_to_be_known() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let ask = async |host: &str, accept: &str| {
        let mut client = house.client().await;
        client.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\n\r\n")).await;
        client.answer(false).await.unwrap()
    };
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = ask("Films.Example.org.", browser).await;
    assert_eq!((page.status, page.header("content-type")), (421, Some("text/html; charset=utf-8")));
    let text = page.text();
    assert!(text.contains("<strong>films.example.org</strong>") && text.contains("Settings, Names"), "{text}");
    let problem = ask("films.example.org", "*/*").await;
    assert_eq!((problem.status, is_problem(&problem)["code"].as_str()), (421, Some("unknown_host")));
    assert!(problem.text().contains("films.example.org"));
    for strange in ["<script>x</script>", "a\"b", "films.example.org&lt;"] {
        let page = ask(strange, browser).await;
        assert!(page.status == 400 || page.status == 421 && !page.text().contains(strange), "{strange}");
    }

    let names = async |allowed: Value| {
        house.json("PUT", "/api/v1/admin/names", &owner, Some(json!({ "allowed": allowed }))).await
    };
    assert_eq!(names(json!(["http://"])).await.0, 400);
    assert_eq!(names(json!(["films.example.org:x"])).await.0, 400);
    let (status, told) = names(json!(["https://Films.example.org/library", "203.0.113.7"])).await;
    assert_eq!((status, &told["allowed"]), (200, &json!(["203.0.113.7", "films.example.org"])));
    assert_eq!(told["configured"], json!(["films.home"]));
    assert_eq!(ask("films.example.org", browser).await.status, 200, "at once");
    assert_eq!(ask("203.0.113.7:8443", browser).await.status, 200);
    let house = house.restart().await;
    assert_eq!(house.json("GET", "/api/v1/admin/names", &owner, None).await.1["allowed"], told["allowed"], "kept");
    let empty = json!({ "allowed": [] });
    assert_eq!(house.json("PUT", "/api/v1/admin/names", &owner, Some(empty)).await.0, 200);
    let mut client = house.client().await;
    client.send("GET / HTTP/1.1\r\nhost: films.example.org\r\n\r\n").await;
    assert_eq!(client.answer(false).await.unwrap().status, 421, "taken back");
}

#[tokio::test]
async fn other_sites_cannot_change_anything() {
    let house = TestHouse::start().await;
    let host = house.address;
    let login = r#"{"username":"nobody","password":"wrong-password"}"#;
    let post = async |headers: String, body: &str| {
        let mut client = house.client().await;
        let length = body.len();
        client
            .send(format!(
                "POST /api/v1/auth/login HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n{body}"
            ))
            .await;
        let answer = client.answer(false).await.unwrap();
        (answer.status, is_problem(&answer)["code"].as_str().unwrap().to_string())
    };
    let json = "content-type: application/json\r\n";
    for fine in [String::new(), format!("origin: http://{host}\r\n"), "sec-fetch-site: same-origin\r\n".into()] {
        assert_eq!(post(format!("{json}{fine}"), login).await.1, "wrong_credentials", "{fine}");
    }
    for origin in [
        "null".to_string(),
        "http://evil.example".into(),
        format!("http://{host}.evil.example"),
        format!("http://evil.example/{host}"),
        format!("http://evil{host}"),
        format!("{host}"),
        format!("ftp://{host}"),
        format!("http://{host}/"),
        "http://127.0.0.1".into(),
        format!("http://localhost:{}", host.port()),
        String::new(),
    ] {
        assert_eq!(post(format!("{json}origin: {origin}\r\n"), login).await, (403, "wrong_origin".into()), "{origin}");
    }
    let two = format!("{json}origin: http://{host}\r\norigin: http://evil.example\r\n");
    assert_eq!(post(two, login).await.0, 403);
    for site in ["cross-site", "same-site"] {
        assert_eq!(post(format!("{json}sec-fetch-site: {site}\r\n"), login).await.0, 403, "{site}");
    }
    for kind in
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "application/jsonp"]
    {
        assert_eq!(post(format!("content-type: {kind}\r\n"), login).await.0, 415, "{kind}");
    }
    assert_eq!(post(String::new(), login).await.0, 415, "no type");
}

#[tokio::test]
async fn bodies_are_read_strictly_and_answered_politely() {
    let house = TestHouse::start().await;
    let host = house.address;
    let post = async |body: Vec<u8>| {
        let mut client = house.client().await;
        let head = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.send([head.as_bytes(), &body].concat()).await;
        let answer = client.answer(false).await.unwrap();
        let text = answer.text();
        for leak in ["struct", "LoginForm", "crates/", "::", "SELECT"] {
            assert!(!text.contains(leak), "{text}");
        }
        (answer.status, is_problem(&answer)["code"].as_str().unwrap().to_string())
    };
    for body in [
        "",
        "{",
        "[]",
        "null",
        "1",
        r#"{"username":1,"password":"x"}"#,
        r#"{"username":"a","password":"b","user_id":"c"}"#,
        r#"{"username":"a","username":"b","password":"c"}"#,
        r#"{"username":"a"}"#,
        r#"{"username":"a","password":{"$ne":1}}"#,
        "{\"username\":\"a\u{0}\",\"password\"",
    ] {
        assert_eq!(post(body.into()).await.0, 400, "{body}");
    }
    assert_eq!(post(vec![0xff; 10]).await.0, 400);
    assert_eq!(post(vec![b'['; 40_000]).await.0, 400, "deep");
    let large = format!(r#"{{"username":"a","password":"{}"}}"#, "x".repeat(70 << 10));
    assert_eq!(post(large.into_bytes()).await, (413, "too_large".into()));
}

#[tokio::test]
async fn heads_that_are_none_are_refused_and_the_next_is_answered() {
    let house = TestHouse::start().await;
    let host = house.address;
    for raw in [
        "GET /healthz HTTP/1.1\r\nhost: H\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: H\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: H\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: H\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: H\r\ncontent-length: -1\r\n\r\n",
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: H\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost : H\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: H\r\n folded: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: H\r\nx\u{0}y: 1\r\n\r\n",
        "GET  /healthz  HTTP/1.1\r\nhost: H\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nhost: H\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\r\n\r\n\r\n\r\nnot http at all\r\n\r\n",
    ] {
        let mut client = house.client().await;
        client.send(raw.replace("host: H", &format!("host: {host}"))).await;
        let refused = match tokio::time::timeout(Duration::from_secs(3), client.answer(false)).await {
            Ok(Ok(answer)) => {
                matches!(answer.status, 400 | 405 | 408 | 411 | 413 | 415 | 431 | 501 | 505)
                    || answer.header("connection") == Some("close") && client.closed(Duration::from_secs(3)).await
            }
            Ok(Err(_)) => true,
            Err(_) => false,
        };
        assert!(refused, "{raw:?}");
    }
    let long = house.call("GET", &format!("/healthz?{}", "a".repeat(9 << 10)), "", None).await;
    assert_eq!(long.status, 414);
    assert_eq!(house.call("GET", "/healthz", "", None).await.status, 200, "an honest request");
    // Many requests at once on one connection are answered one by one.
    let mut client = Client::connect(host).await;
    let one = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n");
    client.send(one.repeat(500)).await;
    for _ in 0..500 {
        assert_eq!(client.answer(false).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn every_answer_carries_its_headers() {
    let house = TestHouse::start().await;
    for path in [
        "/",
        "/healthz",
        "/api/v1/server",
        "/api/v1/me",
        "/api/v1/nothing",
        "/stream/x/file",
        "/library/films",
        "/api/docs/",
    ] {
        let answer = house.call("GET", path, "", None).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'self' 'unsafe"), "{path}");
        assert!(answer.header("access-control-allow-origin").is_none() && answer.header("server").is_none(), "{path}");
        assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 16), "{path}");
    }
    assert_eq!(house.call("GET", "/assets/none.js", "", None).await.status, 404, "a stale script is no page");
    let page = house.call("GET", "/library/films", "", None).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(house.call("POST", "/library/films", "", None).await.status, 405);
    let owner = house.owner().await;
    let document = house.call("GET", "/api/openapi.json", &owner.auth(), None).await;
    assert_eq!(document.text(), loge_gateway::document());
    // What the pages were made for.
    let snapshot = include_str!("../../../ui/src/api/openapi.json");
    assert!(snapshot.trim() == loge_gateway::document().trim(), "the API changed: run `npm run api`");
    // A page that is opened sends no header, only the cookie for looking.
    let cookie = owner.cookie("loge_view");
    let docs = async |path: &str| house.call("GET", path, &cookie, None).await;
    assert!(docs("/api/docs/").await.text().contains("swagger-ui"));
    assert!(docs("/api/docs/swagger-initializer.js").await.text().contains("/api/openapi.json"));
    assert_eq!(docs("/api/openapi.json").await.status, 200);
    assert_eq!(docs("/api/docs/..%2f..%2fetc").await.status, 404);
    assert_eq!(docs("/api/v1/me").await.status, 401, "it opens nothing else");
}
