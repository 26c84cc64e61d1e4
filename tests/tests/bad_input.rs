//! Bad input gets a clear typed answer; none of it stops the house or loses a row.

#![expect(clippy::disallowed_methods, reason = "starts the real programs")]

use loge_tests::{House, Runtime, eventually, media, wire};
use serde_json::json;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

#[test]
fn a_library_of_bad_files_costs_only_the_bad_files() {
    for runtime in Runtime::available() {
        let films = media::some(&[media::DIRECT]);
        let at = |name: &[u8]| films.path().join(OsStr::from_bytes(name));
        let good = std::fs::read(at(media::DIRECT.as_bytes())).expect("a film");
        std::fs::write(at(b"Empty.mp4"), b"").expect("a file");
        std::fs::write(at(b"Cut Short.mp4"), &good[..3000]).expect("a file");
        std::fs::write(at(b"Shopping List.mkv"), "milk\nbread\n".repeat(500)).expect("a file");
        std::fs::write(at(b"Playlist.mp4"), "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n").expect("a file");
        std::fs::write(at(b"new\nline 'and' \"quotes\".mp4"), &good).expect("a file");
        std::fs::write(at(b"bytes \xff\xfe.mp4"), &good).expect("a file");
        std::fs::write(at(b"-i leading dash.mp4"), &good).expect("a file");
        assert!(std::process::Command::new("mkfifo").arg(at(b"Pipe.mkv")).status().is_ok_and(|s| s.success()));
        std::os::unix::fs::symlink(films.path(), at(b"loop")).expect("a link");
        std::os::unix::fs::symlink("/etc/passwd", at(b"Outside.mp4")).expect("a link");

        let house = House::open(runtime);
        let owner = house.claim();
        let library = house.library(&owner, "Mixed", films.path());
        let list = owner.get(&format!("/api/v1/titles?library={library}&limit=200")).json();
        let items = list["items"].as_array().expect("a list");
        let verdict = |name: &str| {
            items
                .iter()
                .find(|t| t["name"].as_str().is_some_and(|n| n.starts_with(name)))
                .map(|t| t["playability"].clone())
        };
        assert_eq!(verdict("The Lantern Room"), Some(json!("direct")));
        for broken in ["Empty", "Cut Short", "Shopping List", "Playlist"] {
            assert_eq!(verdict(broken), Some(json!("broken")), "{broken}: {items:#?}");
        }
        for odd in ["new line", "bytes", "i leading dash"] {
            assert_eq!(verdict(odd), Some(json!("direct")), "{odd}: {items:#?}");
        }
        assert_eq!(items.len(), 8, "no pipe, no link: {items:#?}");

        let odd = items.iter().find(|t| t["name"].as_str().is_some_and(|n| n.starts_with("bytes"))).expect("it");
        let started =
            owner.post(&format!("/api/v1/titles/{}/play", odd["id"].as_str().expect("an id")), &json!({})).json();
        let got = house.anonymous().get(started["url"].as_str().expect("an address"));
        assert_eq!(media::sha256(&got.body), media::sha256(&good), "names are bytes");
        let broken = items.iter().find(|t| t["name"] == "Empty").expect("it");
        let refused = owner.post(&format!("/api/v1/titles/{}/play", broken["id"].as_str().expect("an id")), &json!({}));
        assert_eq!((refused.status, refused.code()), (409, "file_broken".into()));
    }
}

#[test]
fn a_file_that_changed_or_vanished_says_so() {
    let films = media::some(&[media::DIRECT, media::MOV]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    // Long enough that nobody rescans during the test by watching: the stream is asked at once.
    let library = house.library(&owner, "Films", films.path());
    let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
    let url = |name: &str| {
        let item = list["items"].as_array().expect("a list").iter().find(|t| t["name"] == name).expect("it").clone();
        let started = owner.post(&format!("/api/v1/titles/{}/play", item["id"].as_str().expect("an id")), &json!({}));
        started.json()["url"].as_str().expect("an address").to_string()
    };
    let (changed, gone) = (url("The Lantern Room"), url("Harbour Lights"));
    std::fs::write(films.path().join(media::DIRECT), b"another file now").expect("a file");
    std::fs::remove_file(films.path().join(media::MOV)).expect("removed");
    for (url, codes) in [(changed, ["file_changed", "file_missing"]), (gone, ["file_missing", "file_changed"])] {
        let answer = house.anonymous().get(&url);
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(codes.contains(&answer.code().as_str()), "{answer:?}");
    }
}

#[test]
fn folders_that_cannot_be_libraries_are_refused_by_code() {
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let file = house.data_dir().join("loge.db").to_string_lossy().into_owned();
    let data = house.data_dir().to_string_lossy().into_owned();
    for (folder, codes) in [
        ("/no/such/folder", &["folder_missing"][..]),
        ("relative/folder", &["folder_missing"]),
        (&*file, &["folder_not_directory"]),
        (&*data, &["folder_forbidden"]),
        ("/", &["folder_forbidden"]),
        ("/etc", &["folder_forbidden"]),
        ("/proc/self/root/etc", &["folder_forbidden"]),
    ] {
        let body = json!({ "name": "X", "kind": "movies", "folders": [folder] });
        let answer = owner.post("/api/v1/libraries", &body);
        assert!(codes.contains(&answer.code().as_str()), "{folder}: {answer:?}");
        assert!((400..500).contains(&answer.status), "{folder}: {answer:?}");
    }
    assert_eq!(owner.get("/api/v1/libraries").json()["items"], json!([]));
    let checked = owner.post("/api/v1/admin/folders/check", &json!({ "path": "/no/such/folder" })).json();
    assert_eq!((&checked["exists"], &checked["readable"]), (&json!(false), &json!(false)));
}

#[test]
fn wrong_passwords_are_slowed_down_and_the_right_one_still_works() {
    let house = House::open(Runtime::Process);
    house.claim();
    let attempt = |password: &str| {
        house.anonymous().post("/api/v1/auth/login", &json!({ "username": "olga", "password": password }))
    };
    let mut slowed = false;
    for _ in 0..20 {
        let answer = attempt("not the opera");
        match (answer.status, answer.code().as_str()) {
            (401, "wrong_credentials") => {}
            (429, "too_many_attempts") => {
                slowed = true;
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(slowed, "twenty wrong passwords in a row were all tried");
    eventually("the right password to work again", || {
        let answer = attempt("a long night at the opera");
        (answer.status == 200).then_some(())
    });
}

#[test]
fn paths_in_parameters_lead_nowhere() {
    let films = media::some(&[media::DIRECT]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let shapes = [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "....//etc",
        "/etc/passwd",
        "%00",
        "..\\..\\x",
        "%252e%252e%252f",
        "%c0%ae%c0%ae/",
        "file:///etc/passwd",
        "A".repeat(4000).as_str(),
        "\u{ff0e}\u{ff0e}/",
    ]
    .map(String::from);
    let template = owner.get(&format!("/api/v1/titles?library={library}")).json();
    let title = template["items"][0]["id"].as_str().expect("an id").to_string();
    let play = owner.post(&format!("/api/v1/titles/{title}/play"), &json!({})).json();
    let ticket = play["url"].as_str().expect("an address").split('/').nth(2).expect("a ticket").to_string();
    for shape in &shapes {
        for path in [
            format!("/api/v1/titles/{shape}"),
            format!("/api/v1/titles/{shape}/poster"),
            format!("/api/v1/titles?library={shape}"),
            format!("/api/v1/titles?cursor={shape}"),
            format!("/stream/{shape}/file"),
            format!("/stream/{ticket}/{shape}"),
            format!("/api/v1/admin/containers/{shape}/logs"),
        ] {
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                path.replace(['\u{ff0e}'], "%EF%BC%8E"),
                house.address(),
                owner.token.as_deref().expect("a token")
            );
            let answer = wire::raw(house.address(), request.as_bytes());
            let status = wire::status(&answer);
            assert!((400..500).contains(&status), "{path}: {status}");
            assert!(!String::from_utf8_lossy(&answer).contains("root:"), "{path}");
        }
    }
}

#[test]
fn expired_and_damaged_tickets_open_nothing() {
    let films = media::some(&[media::DIRECT]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    let list = owner.get(&format!("/api/v1/titles?library={library}")).json();
    let title = list["items"][0]["id"].as_str().expect("an id").to_string();
    let play = owner.post(&format!("/api/v1/titles/{title}/play"), &json!({})).json();
    let url = play["url"].as_str().expect("an address").to_string();
    assert_eq!(house.anonymous().get(&url).status, 200, "the control");
    let ticket = url.split('/').nth(2).expect("a ticket");
    for at in [0, ticket.len() / 2, ticket.len() - 1] {
        let mut damaged = ticket.as_bytes().to_vec();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged).expect("text");
        let answer = house.anonymous().get(&format!("/stream/{damaged}/file"));
        assert!(matches!(answer.status, 401 | 404), "{at}: {answer:?}");
    }
}

#[test]
fn malformed_requests_leave_honest_ones_alone() {
    let house = House::open(Runtime::Process);
    let host = house.address().to_string();
    let cases: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(70_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n", "X-A: b\r\n".repeat(500)).into_bytes(),
        format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into_bytes(),
        format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!").into_bytes(),
        format!("GET /api/v1/server HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\nConnection: close\r\n\r\n").into_bytes(),
        b"GET /api/v1/server HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec(),
        format!("TRACE / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes(),
    ];
    for case in &cases {
        let answer = wire::raw(house.address(), case);
        let status = wire::status(&answer);
        assert!(
            status == 0 || (400..500).contains(&status),
            "{:?}: {status}",
            String::from_utf8_lossy(&case[..case.len().min(60)])
        );
        assert_eq!(house.anonymous().get("/api/v1/server").status, 200, "the house still answers");
    }
}

#[test]
fn a_read_only_data_folder_is_said_in_words() {
    // Root writes where mode bits forbid it, so the folder is a file: the same answer to the owner.
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("data");
    std::fs::write(&file, b"").expect("a file");
    let out = std::process::Command::new(loge_tests::binary("LOGE_SERVER", "loge-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("data"), "{said}");
}

/// Docker may still be starting when we do: the house opens, says what is the matter and what
/// helps, and refuses to play without walls.
#[test]
fn docker_that_cannot_be_reached_is_named_with_advice() {
    let nowhere = tempfile::tempdir().expect("a folder");
    let host = format!("unix://{}/no.sock", nowhere.path().display());
    let house = House::open_with(Runtime::Docker, &[("DOCKER_HOST", &host)]);
    let owner = house.claim();
    let runtime = owner.get("/api/v1/admin/runtime").json();
    assert_eq!(runtime["kind"], "docker", "{runtime:#}");
    assert!(runtime["advice"].as_str().is_some_and(|a| a.contains("Docker")), "{runtime:#}");
}

#[test]
fn a_silent_connection_is_closed() {
    use std::io::Read;
    let house = House::open(Runtime::Process);
    let mut silent = std::net::TcpStream::connect(house.address()).expect("the house answers");
    silent.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    assert_eq!(silent.read(&mut [0; 16]).expect("an end, not a wait"), 0);
}
