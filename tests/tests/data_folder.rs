//! What happens to the data folder behind the server's back: a cleaned-up disk, half a restore, a
//! file-system check, a disk that is full.

#![expect(clippy::disallowed_methods, reason = "other programs are started beside the server")]

use loge_tests::{
    House, Person, Runtime, eventually,
    media::{self, DIRECT},
    volume::Volume,
};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

const PASSWORD: &str = "a long night at the opera";

fn only_title(who: &Person) -> serde_json::Value {
    let list = who.get("/api/v1/titles").json();
    list["items"].as_array().and_then(|items| items.first()).cloned().expect("a title")
}

fn poster(who: &Person) -> Option<Vec<u8>> {
    let url = only_title(who)["poster_url"].as_str()?.to_owned();
    let answer = who.get(&url);
    (answer.status == 200).then_some(answer.body)
}

#[test]
fn what_can_be_made_again_is_made_again_when_it_is_asked_for() {
    let films = media::some(&[DIRECT]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    eventually("the picture", || poster(&owner));
    let before = only_title(&owner)["poster_url"].clone();

    for folder in ["posters", "looks", "segments", "renditions", "logs"] {
        let path = house.data_dir().join(folder);
        if path.exists() {
            std::fs::remove_dir_all(path).expect("it can be removed");
        }
    }
    let made = eventually("the picture again", || poster(&owner));
    assert!(made.starts_with(&[0xff, 0xd8]), "a JPEG");
    assert_ne!(only_title(&owner)["poster_url"], before, "a page that missed it asks again under another address");
    let log = house.data_dir().join("logs/loge.json.log");
    eventually("the log", || std::fs::read_to_string(&log).ok().filter(|text| text.contains("pictures made")));
}

/// The next scan and the next start notice a missing picture that no page asked for.
#[test]
fn a_scan_notices_pictures_that_are_gone() {
    let films = media::some(&[DIRECT]);
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let library = house.library(&owner, "Films", films.path());
    eventually("the picture", || poster(&owner));
    std::fs::remove_dir_all(house.data_dir().join("posters")).expect("it can be removed");
    assert_eq!(owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({})).status, 202);
    eventually("a file with a picture", || {
        let folders = std::fs::read_dir(house.data_dir().join("posters")).ok()?;
        folders.flatten().find_map(|folder| std::fs::read_dir(folder.path()).ok()?.flatten().next().map(drop))
    });
}

#[test]
fn a_house_that_lost_its_database_is_no_new_house() {
    let house = House::open(Runtime::Process);
    house.claim();
    let copy = tempfile::tempdir().expect("a folder");
    let copy = copy.path().join("copy.db");
    let copy_path = copy.to_str().expect("text");
    let (code, said) = House::verb(house.data_dir(), &["backup", copy_path]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = House::verb(house.data_dir(), &["restore", copy_path]);
    assert!(code != 0 && said.contains("A server runs"), "{said}");
    let data = house.close_and_keep();
    let database = data.path().join("loge.db");

    for is_empty in [true, false] {
        if is_empty {
            std::fs::File::create(&database).expect("emptied");
        } else {
            std::fs::remove_file(&database).expect("removed");
        }
        let (code, said) = House::refused(data.path(), Runtime::Process, "127.0.0.1:0");
        assert_eq!(code, 1, "{said}");
        assert_eq!(said.matches("held a house").count(), 1, "said once: {said}");
        assert!(said.contains("restore") && said.contains("--start-anew"), "{said}");
    }

    let (code, said) = House::verb(data.path(), &["restore", copy_path]);
    assert_eq!(code, 0, "{said}");
    let house = House::on(data, Runtime::Process, &[]);
    assert_eq!(house.setup_code, None, "it has its owner");
    house.sign_in("Olga", PASSWORD);

    // The owner may well want a new house; nothing is deleted then.
    let data = house.close_and_keep();
    std::fs::File::create(&database).expect("emptied");
    let mut anew = Command::new(loge_tests::binary("LOGE_SERVER", "loge-server"))
        .args(["serve", "--start-anew", "--listen", "127.0.0.1:0", "--runtime", "process", "--data-dir"])
        .arg(data.path())
        .env_remove("XDG_RUNTIME_DIR")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let mut out = std::io::BufReader::new(anew.stdout.take().expect("its output"));
    while !said.contains("setup code: ") {
        assert_ne!(std::io::BufRead::read_line(&mut out, &mut said).expect("lines"), 0, "it ended: {said}");
    }
    loge_tests::signal("TERM", anew.id());
    assert!(anew.wait().expect("it ends").success());
    let aside = std::fs::read_dir(data.path())
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("earlier-house-")));
    assert!(aside.expect("what was left").join("keys").is_dir());
}

#[test]
fn every_refusal_is_one_sentence_and_what_helps() {
    let data = tempfile::tempdir().expect("a folder");
    let foreign = "these are my notes and no database at all\n".repeat(100);
    std::fs::write(data.path().join("loge.db"), &foreign).expect("written");
    let (code, said) = House::refused(data.path(), Runtime::Process, "127.0.0.1:0");
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("is not a database").count(), 1, "{said}");
    assert!(said.contains("restore") && !said.contains("code:"), "{said}");
    assert_eq!(std::fs::read_to_string(data.path().join("loge.db")).expect("text"), foreign, "left alone");

    let house = House::open(Runtime::Process);
    let (code, said) = House::refused(house.data_dir(), Runtime::Process, "127.0.0.1:0");
    assert_eq!(code, 3, "{said}");
    assert_eq!(said.matches("already runs").count(), 1, "{said}");
    let (code, said) = House::refused(data.path(), Runtime::Process, house.address());
    assert!(code != 0 && said.lines().count() <= 5, "{said}");
    assert_eq!(house.anonymous().get("/readyz").status, 200, "the first one goes on");
}

/// Fills a disk to its last byte.
fn fill(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("somebody-elses");
    let mut file = std::fs::File::create(&path).expect("a file");
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
    path
}

#[test]
fn a_house_on_a_full_disk_opens_for_watching_and_for_its_owner() {
    let films = media::some(&[DIRECT]);
    let data = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
    let Some(disk) = Volume::mount(data.path(), 256 << 20) else { return };
    let house = House::on(data, Runtime::Process, &[]);
    let owner = house.claim();
    house.library(&owner, "Films", films.path());
    let viewer = house.viewer(&owner, "Ana", &[]);
    drop(viewer);
    let data = house.close_and_keep();

    let filler = fill(data.path());
    let house = House::on(data, Runtime::Process, &[]);
    let owner = house.sign_in("Olga", PASSWORD);
    let title = only_title(&owner)["id"].as_str().expect("an id").to_owned();
    let play = owner.post(&format!("/api/v1/titles/{title}/play"), &json!({}));
    assert_eq!(play.status, 200, "{play:?}");
    let url = play.json()["url"].as_str().expect("an address").to_owned();
    let bytes = owner.call("GET", &url, None, &[("range", "bytes=0-999")]);
    assert_eq!((bytes.status, bytes.body.len()), (206, 1000));
    let told = eventually("the alert", || {
        let alerts = owner.get("/api/v1/admin/alerts").json();
        let items = alerts["items"].as_array()?.clone();
        items.into_iter().find(|alert| alert["code"] == "disk_low")
    });
    assert!(told.to_string().contains("Films play on"), "{told}");
    // It starts again and again: what it needs for that is given back at its end.
    let data = house.close_and_keep();
    let house = House::on(data, Runtime::Process, &[]);
    let owner = house.sign_in("Olga", PASSWORD);

    std::fs::remove_file(filler).expect("room again");
    let renamed = owner.patch("/api/v1/admin/settings", &json!({ "server_name": "Opera" }));
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let data = house.close_and_keep();

    // The control: without the space that was held, it says what is full and what helps.
    std::fs::remove_file(data.path().join("reserve")).expect("it was held again");
    fill(data.path());
    let (code, said) = House::refused(data.path(), Runtime::Process, "127.0.0.1:0");
    assert_eq!(code, 1, "{said}");
    assert_eq!(said.matches("is full").count(), 1, "{said}");
    assert!(!data.path().join(".write-test").exists());
    drop(disk);
    drop(data);
}

/// A terminal that was left, or a broken pipe to a log collector, must not hold up the server.
#[test]
fn a_console_nobody_reads_stops_nobody() {
    let data = tempfile::tempdir().expect("a folder");
    let mut server = Command::new(loge_tests::binary("LOGE_SERVER", "loge-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--runtime", "process", "--data-dir"])
        .arg(data.path())
        .env("LOGE_LOG", "debug")
        .env_remove("XDG_RUNTIME_DIR")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = std::io::BufReader::new(server.stdout.take().expect("its output"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("its address");
    let address = line.trim().strip_prefix("listening on http://").expect("its address").to_owned();
    // Each of these is a line of more than a hundred bytes; a pipe takes 64 KiB.
    let mut connection = TcpStream::connect(&address).expect("it listens");
    // In one piece: the kernel holds a second small one until the first is acknowledged.
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    for n in 0..3000 {
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = [0; 15];
        connection.read_exact(&mut answer).unwrap_or_else(|e| panic!("request {n}: {e}"));
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        read_to_next(&mut connection);
    }
    let mut waiting = [0; 1 << 10];
    let mut pipe = server.stderr.take().expect("its lines");
    assert!(pipe.read(&mut waiting).expect("lines") > 0, "the control: lines were written");
    loge_tests::signal("TERM", server.id());
    assert!(server.wait().expect("it ends").success());
}

/// The rest of an answer whose body is short.
fn read_to_next(connection: &mut TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<u64>().ok());
    let mut body = Vec::new();
    connection.take(length.unwrap_or(0)).read_to_end(&mut body).expect("a body");
}

#[test]
fn more_connections_than_descriptors_are_survived() {
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    let limit = |soft| {
        let pid = house.pid().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]).status();
        assert!(done.is_ok_and(|status| status.success()), "prlimit");
    };
    limit("220");
    let idle: Vec<TcpStream> = (0..260).filter_map(|_| TcpStream::connect(house.address()).ok()).collect();
    assert!(idle.len() > 220, "the control: the kernel takes more than the server may");
    drop(idle);
    eventually("an answer", || {
        let answer = owner.try_call("GET", "/readyz", None, &[])?;
        (answer.status == 200).then_some(())
    });
    assert_eq!(owner.patch("/api/v1/admin/settings", &json!({ "server_name": "Opera" })).status, 200);
}

/// Only the user who runs the server reads what it writes, and nothing of it ends in a core file.
#[test]
fn the_process_and_its_files_are_one_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::open(Runtime::Process);
    let owner = house.claim();
    owner.patch("/api/v1/admin/settings", &json!({ "server_name": "Opera" }));
    let mut folders = vec![house.data_dir().to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("our own").flatten() {
            let about = std::fs::symlink_metadata(entry.path()).expect("it is there");
            // Containers reach their socket as a user of their own.
            if entry.path().starts_with(house.data_dir().join("run")) {
                continue;
            }
            seen += 1;
            assert_eq!(about.permissions().mode() & 0o077, 0, "{}", entry.path().display());
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    assert!(seen > 5, "the control: there are files");
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", house.pid())).expect("it runs");
    let limit = |name: &str| {
        let limits = read("limits");
        let line = limits.lines().find(|line| line.starts_with(name)).expect("a limit").to_owned();
        let mut numbers = line[name.len()..].split_whitespace().map(str::to_owned);
        (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
    };
    assert_eq!(limit("Max core file size"), ("0".into(), "0".into()));
    let (soft, hard) = limit("Max open files");
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    assert_eq!(number(&soft), number(&hard).min(65_536).max(number(&soft).min(number(&hard))));
    assert!(read("status").contains("Umask:\t0077"), "{}", read("status"));
}
