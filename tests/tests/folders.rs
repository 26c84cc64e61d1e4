//! What lies beside films on people's disks, as a server meets it that runs as a plain user.
#![expect(clippy::disallowed_methods, reason = "makes a pipe")]

use loge_tests::{House, Person, eventually, media};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

/// Names that are listed, and those of them that are not missing.
fn names(owner: &Person, library: &str) -> (Vec<String>, Vec<String>) {
    let list = owner.get(&format!("/api/v1/titles?library={library}&sort=name&limit=200")).json();
    let items = list["items"].as_array().expect("a list").clone();
    let name = |title: &Value| title["name"].as_str().expect("a name").to_owned();
    let there = items.iter().filter(|title| title["missing"] != true).map(name).collect();
    (items.iter().map(name).collect(), there)
}

fn film(folder: &Path, name: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::copy(media::films().join(media::MKV), &path).expect("a film");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("rights");
}

fn close(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o000)).expect("rights");
}

#[test]
fn what_is_no_film_or_cannot_be_read_stops_nothing() {
    let dir = tempfile::Builder::new().prefix("loge-folders-").tempdir().expect("a folder");
    let films = dir.path();
    media::open_to_all(films);
    for name in
        ["Copper Sky (2017).mkv", "Delete Me (2018).mkv", "Deep/Down/Salt Road (2019).mkv", "Shut/Behind (2020).mkv"]
    {
        film(films, name);
    }
    for name in [
        "#recycle/Bin (2001).mkv",
        "@eaDir/Copper Sky (2017).mkv",
        ".Trash-1000/files/Old (2001).mkv",
        "$RECYCLE.BIN/Old (2001).mkv",
        ".AppleDouble/Copper Sky (2017).mkv",
        "lost+found/Lost (2001).mkv",
        "Copper/Sample/copper-sample.mkv",
        "Copper/Trailers/Copper.mkv",
        "Copper/Copper-trailer.mkv",
    ] {
        film(films, name);
    }
    film(films, "Copper/Copper Days (2016).mkv");
    fs::write(films.join("._Copper Sky (2017).mkv"), b"\0\x05\x16\x07 what a Mac writes beside each file")
        .expect("a file");
    symlink(films, films.join("Deep/round")).expect("a link");
    symlink("/nowhere/film.mkv", films.join("Broken (2002).mkv")).expect("a link");
    symlink(films.join("Copper Sky (2017).mkv"), films.join("Linked (2003).mkv")).expect("a link");
    let pipe = films.join("Pipe (2004).mkv");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    close(&films.join("lost+found"));

    let house = House::open_as_plain_user();
    let owner = house.claim();
    // What is looked at here is folders; a plain user cannot build every wall on each machine.
    assert_eq!(owner.patch("/api/v1/admin/settings", &json!({ "allow_reduced_isolation": true })).status, 200);
    let library = house.library(&owner, "Films", films);
    let expected = ["Behind", "Copper Days", "Copper Sky", "Delete Me", "Salt Road"];
    assert_eq!(names(&owner, &library).1, expected);
    let scan = |wanted: &str| {
        assert_eq!(owner.post(&format!("/api/v1/libraries/{library}/scan"), &json!({})).status, 202);
        house.wait_for_jobs(&owner);
        let jobs = owner.get("/api/v1/admin/jobs").json();
        let items = jobs["items"].as_array().expect("a list").clone();
        let note = items.iter().find_map(|job| job["note"].as_str().filter(|note| note.contains(wanted)));
        note.unwrap_or_else(|| panic!("nothing about {wanted}: {jobs:#}")).to_owned()
    };
    assert!(scan("3 symbolic links").contains("left out"));

    // One folder is closed, one film is deleted, and one gets words.
    close(&films.join("Shut"));
    fs::remove_file(films.join("Delete Me (2018).mkv")).expect("removed");
    fs::write(films.join("Copper Sky (2017).de.srt"), "1\n00:00:01,000 --> 00:00:02,000\nGuten Abend\n")
        .expect("words");
    let note = scan("Shut");
    assert!(!note.contains("Deep"), "{note}");
    let (all, there) = names(&owner, &library);
    assert!(all.contains(&"Behind".to_owned()), "what lies in a closed folder is not gone: {all:?}");
    assert!(!there.contains(&"Delete Me".to_owned()), "{there:?}");
    let titles = owner.get(&format!("/api/v1/titles?library={library}&limit=200")).json();
    let copper =
        titles["items"].as_array().expect("a list").iter().find(|title| title["name"] == "Copper Sky").cloned();
    let id = copper.expect("the film")["id"].as_str().expect("an id").to_owned();
    eventually("the words beside the film", || {
        let title = owner.get(&format!("/api/v1/titles/{id}")).json();
        let tracks = title["subtitles"].as_array()?;
        tracks.iter().any(|track| track["language"] == "de").then_some(())
    });
    for folder in ["lost+found", "Shut"] {
        fs::set_permissions(films.join(folder), fs::Permissions::from_mode(0o755)).expect("rights");
    }
}
