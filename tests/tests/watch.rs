//! From a folder of films to bytes in a viewer's hands, through their own loge, with both runtimes.

use loge_tests::{House, Person, Runtime, eventually, media};
use serde_json::{Value, json};

fn title_id(person: &Person, library: &str, name: &str) -> String {
    let list = person.get(&format!("/api/v1/titles?library={library}&limit=200")).json();
    let items = list["items"].as_array().expect("a list");
    let found = items.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("no {name} in {items:#?}"));
    found["id"].as_str().expect("an id").into()
}

fn play(person: &Person, title: &str) -> Value {
    let answer = person.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn container_of(owner: &Person, user: &str) -> Option<Value> {
    let list = owner.get("/api/v1/admin/containers").json();
    list["items"].as_array().expect("a list").iter().find(|c| c["user_id"] == user).cloned()
}

#[test]
fn a_viewer_watches_through_their_own_loge() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::DIRECT, media::WEBM, media::MKV, media::AVI, media::MOV, media::M4V]);
        let private = media::some(&[media::WEBM]);
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        let hidden = house.library(&owner, "Private", private.path());

        let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
        assert_eq!(list["total"], 6, "{list:#}");
        for title in list["items"].as_array().expect("a list") {
            assert!(title["duration_s"].as_f64().is_some_and(|d| d > 5.0), "{title:#}");
            assert!(title["width"] == 640 && title["height"] == 360, "{title:#}");
            assert!(title["poster_url"].is_string(), "{title:#}");
        }

        let ana = house.viewer(&owner, "Ana", &[&library]);
        let container =
            eventually("Ana's container", || container_of(&owner, &ana.id).filter(|c| c["state"] == "ready"));
        assert_eq!(container["limits"]["memory_bytes"], 512 << 20, "{container:#}");
        assert_eq!(container["limits"]["cpus"], 0.5, "{container:#}");
        assert_eq!(container["runtime"], if runtime == Runtime::Docker { "docker" } else { "process" });

        let film = title_id(&ana, &library, "The Lantern Room");
        let started = play(&ana, &film);
        assert_eq!(started["method"], "direct", "{started:#}");
        let url = started["url"].as_str().expect("an address");
        let bytes = std::fs::read(films.path().join(media::DIRECT)).expect("the film");
        let whole = house.anonymous().get(url);
        assert_eq!(whole.status, 200);
        assert_eq!(media::sha256(&whole.body), media::sha256(&bytes), "every byte of the file and no other");
        ranges_are_exact(&house, url, &bytes);

        // Progress that was acknowledged is there, for this person and nobody else.
        let saved =
            ana.put(&format!("/api/v1/titles/{film}/progress"), &json!({ "position_s": 7.5, "event": "pause" }));
        assert_eq!(saved.status, 204, "{saved:?}");
        assert_eq!(play(&ana, &film)["resume_at_s"], 7.5);
        assert_eq!(play(&owner, &film)["resume_at_s"], 0.0);

        // What a browser cannot play as it is comes in segments.
        let old = title_id(&ana, &library, "Old Reel");
        assert_eq!(play(&ana, &old)["method"], "transcode");

        // The other library does not exist for her, in any way.
        let foreign = title_id(&owner, &hidden, "Night Ferry");
        let missing = "0".repeat(32);
        for (method, path) in [
            ("GET", "/api/v1/titles/{}"),
            ("GET", "/api/v1/titles/{}/poster"),
            ("POST", "/api/v1/titles/{}/play"),
            ("PUT", "/api/v1/titles/{}/progress"),
        ] {
            let body = match method {
                "POST" => Some(json!({})),
                "PUT" => Some(json!({ "position_s": 1.0, "event": "time" })),
                _ => None,
            };
            let ask = |id: &str| ana.call(method, &path.replace("{}", id), body.as_ref(), &[]);
            let (theirs, nobodys) = (ask(&foreign), ask(&missing));
            assert_eq!((theirs.status, nobodys.status), (404, 404), "{method} {path}");
            assert_eq!(theirs.code(), nobodys.code(), "{method} {path}");
        }
        let seen = ana.get("/api/v1/libraries").json();
        assert_eq!(seen["items"].as_array().map(Vec::len), Some(1), "{seen:#}");

        // A copied address is worthless after logout, and the container goes.
        let copied = play(&ana, &film)["url"].as_str().expect("an address").to_string();
        assert_eq!(ana.post("/api/v1/auth/logout", &json!({})).status, 204);
        let after = house.anonymous().get(&copied);
        assert!(matches!(after.status, 401 | 404), "{after:?}");
        eventually("the container to go", || match container_of(&owner, &ana.id) {
            None => Some(()),
            Some(c) => (c["state"] == "absent").then_some(()),
        });
    }
}

fn ranges_are_exact(house: &House, url: &str, bytes: &[u8]) {
    let nobody = house.anonymous();
    let ask = |range: &str| nobody.call("GET", url, None, &[("range", range)]);
    let part = ask("bytes=1000-4999");
    assert_eq!((part.status, &part.body[..]), (206, &bytes[1000..5000]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 1000-4999/{}", bytes.len())));
    let tail = ask("bytes=-700");
    assert_eq!((tail.status, &tail.body[..]), (206, &bytes[bytes.len() - 700..]));
    let rest = ask(&format!("bytes={}-", bytes.len() - 5));
    assert_eq!((rest.status, &rest.body[..]), (206, &bytes[bytes.len() - 5..]));
    assert_eq!(ask("bytes=-0").status, 416);
    assert_eq!(ask(&format!("bytes={}-", bytes.len())).status, 416);
    assert_eq!(ask("bytes=9-3").status, 200, "an invalid range is no range");
    let many = (0..2000).map(|i| format!("{}-{}", i * 2, i * 2)).collect::<Vec<_>>().join(",");
    assert!(matches!(ask(&format!("bytes={many}")).status, 200 | 416 | 431));
    let etag = part.header("etag").expect("a strong validator").to_string();
    assert!(etag.starts_with('"'), "{etag}");
    let same = nobody.call("GET", url, None, &[("range", "bytes=0-9"), ("if-range", &etag)]);
    assert_eq!((same.status, same.body.len()), (206, 10));
    let other = nobody.call("GET", url, None, &[("range", "bytes=0-9"), ("if-range", "\"another\"")]);
    assert_eq!((other.status, other.body.len()), (200, bytes.len()));
    let fresh = nobody.call("GET", url, None, &[("if-none-match", &etag)]);
    assert_eq!((fresh.status, fresh.body.len()), (304, 0));
    let head = nobody.call("HEAD", url, None, &[]);
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*bytes.len().to_string())));
    // Many small pieces at odd places, as a seeking browser asks for them.
    let mut at = 1_u64;
    for _ in 0..60 {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = (at >> 20) as usize % (bytes.len() - 1);
        let last = (first + (at >> 50) as usize).min(bytes.len() - 1);
        let piece = ask(&format!("bytes={first}-{last}"));
        assert_eq!((piece.status, &piece.body[..]), (206, &bytes[first..=last]), "{first}-{last}");
    }
}

#[test]
fn a_revoked_grant_and_an_ended_session_cut_the_stream() {
    use std::io::{Read, Write};
    for runtime in Runtime::available() {
        let films = media::some(&[media::DIRECT]);
        // Large enough that it cannot all hide in socket buffers.
        let big = films.path().join("Long Night.mp4");
        std::fs::copy(films.path().join(media::DIRECT), &big).expect("a film");
        std::fs::OpenOptions::new().append(true).open(&big).expect("a film").set_len(256 << 20).expect("room");
        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Films", films.path());
        for end in ["grant", "session"] {
            let viewer = house.viewer(&owner, &format!("Ben {end}"), &[&library]);
            let url = play(&viewer, &title_id(&viewer, &library, "Long Night"))["url"]
                .as_str()
                .expect("an address")
                .to_string();
            let mut stream = std::net::TcpStream::connect(house.address()).expect("the house answers");
            stream.set_read_timeout(Some(std::time::Duration::from_secs(30))).expect("a limit");
            write!(stream, "GET {url} HTTP/1.1\r\nHost: {}\r\n\r\n", house.address()).expect("a request");
            let mut first = [0; 65536];
            assert!(stream.read(&mut first).expect("bytes") > 0);
            match end {
                "grant" => {
                    let path = format!("/api/v1/admin/users/{}/grants", viewer.id);
                    assert_eq!(owner.put(&path, &json!({ "libraries": [] })).status, 204);
                }
                _ => {
                    let list = owner.get("/api/v1/admin/sessions").json();
                    let items = list["items"].as_array().expect("a list");
                    let id = items.iter().find(|s| s["user_id"] == viewer.id).expect("a session")["id"]
                        .as_str()
                        .expect("an id");
                    assert_eq!(owner.delete(&format!("/api/v1/admin/sessions/{id}")).status, 204);
                }
            }
            eventually("the stream to leave the list", || {
                let list = owner.get("/api/v1/admin/streams").json();
                list["items"].as_array().expect("a list").iter().all(|s| s["user_id"] != viewer.id).then_some(())
            });
            let mut got = 0;
            let mut buffer = vec![0; 1 << 20];
            while let Ok(n) = stream.read(&mut buffer) {
                if n == 0 {
                    break;
                }
                got += n;
            }
            assert!(got < 200 << 20, "the stream ran on to its end after the {end} was taken: {got}");
        }
    }
}
