//! Subtitles of a play: which are offered, which one is shown, and what their addresses answer.

mod common;

use common::house::{Login, Shelf, TestHouse};
use domain::facts::{Container, SubtitleFacts};
use serde_json::{Value, json};
use store::{Beside, NewBeside, ScanChange};

const SIZE: u64 = 3 << 20;

/// A film with a track of text, one of pictures, and a file beside it.
async fn shelf(house: &TestHouse) -> Shelf {
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let file = house.store.file(&shelf.file).await.unwrap().unwrap();
    let mut facts = file.facts.clone().unwrap();
    let track = |codec: &str, language: &str, default| SubtitleFacts {
        codec: codec.into(),
        language: Some(language.into()),
        title: None,
        forced: false,
        default,
        hearing_impaired: false,
    };
    facts.subtitles = vec![track("subrip", "ger", false), track("hdmv_pgs_subtitle", "eng", true)];
    let updated = ScanChange::Updated {
        file: shelf.file.clone(),
        size_bytes: SIZE,
        mtime_ns: 1_700_000_000_000_000_000,
        inode: 7,
        facts: Ok(facts),
    };
    let beside = NewBeside {
        file: Beside { path: b"films.en.forced.srt".to_vec(), size_bytes: 10, mtime_ns: 1 },
        codec: "subrip".into(),
        language: Some("en".into()),
        title: None,
        forced: true,
        default: false,
        hearing_impaired: false,
    };
    let beside = ScanChange::Beside { path: file.path.clone(), subtitles: vec![beside] };
    house.store.apply_scan(&shelf.library, &file.folder, vec![updated, beside]).await.unwrap();
    shelf
}

fn list(play: &Value) -> &Vec<Value> {
    play["subtitles"].as_array().unwrap()
}

async fn reads(house: &TestHouse, who: &Login, language: &str) {
    let body = json!({ "language": language });
    assert_eq!(house.json("PATCH", "/api/v1/me/preferences", who, Some(body)).await.0, 200);
}

#[tokio::test]
async fn a_play_offers_what_can_be_shown_and_says_what_cannot() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = shelf(&house).await;
    let play = house.play(&owner, &shelf.title).await;
    let said: Vec<_> = list(&play)
        .iter()
        .map(|s| {
            (s["index"].as_u64().unwrap(), s["label"].as_str().unwrap(), s["url"].is_string(), s["note"].is_string())
        })
        .collect();
    assert_eq!(
        said,
        [(0, "Deutsch", true, false), (1, "English", false, true), (100, "English (forced)", true, false)]
    );
    assert_eq!(list(&play)[0]["language"], "de");
    let shown = |play: &Value| list(play).iter().find(|s| s["default"] == true).map(|s| s["index"].clone());
    assert_eq!(shown(&play), Some(json!(100)), "the sound is English, and so are the forced ones");
    reads(&house, &owner, "de").await;
    assert_eq!(shown(&house.play(&owner, &shelf.title).await), Some(json!(0)));
    let (_, title) = house.json("GET", &format!("/api/v1/titles/{}", shelf.title), &owner, None).await;
    assert!(list(&title).len() == 3 && list(&title).iter().all(|s| s["url"].is_null()), "{title:#}");
}

#[tokio::test]
async fn subtitles_are_made_once_and_kept_for_this_version_of_the_film() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = shelf(&house).await;
    let play = house.play(&owner, &shelf.title).await;
    let url = |n: usize| list(&play)[n]["url"].as_str().unwrap().to_string();
    let first = house.get(&url(0)).await;
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, Some("text/vtt; charset=utf-8")),
        "{}",
        first.text()
    );
    assert!(first.text().starts_with("WEBVTT") && first.header("x-content-type-options") == Some("nosniff"));
    let etag = first.header("etag").unwrap().to_string();
    assert_eq!(house.get(&url(2)).await.status, 200);
    for n in [0, 2, 0] {
        assert_eq!(house.get(&url(n)).await.status, 200);
    }
    assert_eq!(house.rooms.asked("job house Subtitles"), 1, "one pass over the film, in the house's loge");
    assert_eq!(house.rooms.asked("job house SubtitleFile"), 1);
    assert_eq!((house.rooms.jobs("Subtitles"), house.rooms.jobs("SubtitleFile")), (1, 1));
    let kept = house.call("GET", &url(0), &format!("if-none-match: {etag}\r\n"), None).await;
    assert_eq!((kept.status, kept.body.len()), (304, 0));
    assert_eq!(house.call("HEAD", &url(0), "", None).await.status, 200);

    let base = url(0).replace("0.vtt", "");
    for nothing in ["1.vtt", "2.vtt", "99999.vtt", "00.vtt", "x.vtt", "0.srt", "..%2ffile", "0.vtt%00"] {
        let status = house.get(&format!("{base}{nothing}")).await.status;
        assert!(matches!(status, 400 | 404), "{nothing}: {status}");
    }
    // Another film under this name: what was made of the old one is not served.
    *house.rooms.subtitle.lock().unwrap() = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nAnother\n".to_vec();
    let file = house.store.file(&shelf.file).await.unwrap().unwrap();
    let facts = file.facts.clone().unwrap();
    let updated =
        ScanChange::Updated { file: shelf.file.clone(), size_bytes: SIZE, mtime_ns: 5, inode: 7, facts: Ok(facts) };
    house.store.apply_scan(&shelf.library, &file.folder, vec![updated]).await.unwrap();
    let again = house.get(&url(0)).await;
    assert!(again.text().contains("Another") && again.header("etag") != Some(&etag));
}

#[tokio::test]
async fn what_is_no_webvtt_is_never_served() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = shelf(&house).await;
    let play = house.play(&owner, &shelf.title).await;
    let url = |n: usize| list(&play)[n]["url"].as_str().unwrap().to_string();
    *house.rooms.subtitle.lock().unwrap() = b"<script>alert(1)</script>".to_vec();
    let bad = house.get(&url(0)).await;
    assert!(bad.status == 409 && bad.text().contains("file_broken"), "{} {}", bad.status, bad.text());
    *house.rooms.subtitle.lock().unwrap() = vec![];
    assert_eq!(house.get(&url(2)).await.status, 409);
    // It is known now, and offered no more.
    let play = house.play(&owner, &shelf.title).await;
    assert!(list(&play).iter().all(|s| s["url"].is_null() && s["note"].is_string()), "{play:#}");
}

#[tokio::test]
async fn whoever_loses_the_right_loses_the_words() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = shelf(&house).await;
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    let play = house.play(&ana, &shelf.title).await;
    let url = list(&play)[0]["url"].as_str().unwrap().to_string();
    assert_eq!(house.get(&url).await.status, 200);
    let grants = json!({ "libraries": [] });
    let path = format!("/api/v1/admin/users/{}/grants", ana.user);
    assert_eq!(house.json("PUT", &path, &owner, Some(grants)).await.0, 204);
    let status = house.get(&url).await.status;
    assert!(matches!(status, 401 | 403 | 404 | 410), "{status}");
}
