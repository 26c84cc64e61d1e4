//! Storyboards: who gets which text and which sheets.

mod common;

use common::house::TestHouse;
use domain::facts::Container;
use store::Storyboard;

fn jpeg(mark: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    bytes.resize(300, mark);
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[tokio::test]
async fn a_film_with_a_storyboard_has_small_pictures_for_those_who_may_see_it() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    let play = house.play(&owner, &shelf.title).await;
    assert!(play["storyboard_url"].is_null(), "there is none yet: {play:#}");
    let title = format!("/api/v1/titles/{}", shelf.title);
    let auth = owner.auth();
    assert_eq!(house.call("GET", &format!("{title}/storyboard.vtt"), &auth, None).await.status, 404);

    for (number, mark) in [(0, 7), (1, 8)] {
        house.looks.keep_sheet(&shelf.title, "v1", number, jpeg(mark)).await.unwrap();
    }
    let board = Storyboard {
        version: "v1".into(),
        tile_width: 240,
        tile_height: 134,
        tiles_across: 5,
        tiles_down: 5,
        sheets: 2,
        times_ms: (0..30).map(|n| n * 2_000).collect(),
    };
    house.store.set_storyboard(&shelf.title, Some(&board)).await.unwrap();
    let play = house.play(&owner, &shelf.title).await;
    let url = play["storyboard_url"].as_str().unwrap().to_string();
    let text = house.get(&url).await;
    assert_eq!((text.status, text.header("content-type")), (200, Some("text/vtt; charset=utf-8")));
    assert!(
        text.text().contains("00:00:52.000 --> 00:00:54.000\nstoryboard/1.jpg#xywh=240,0,240,134\n"),
        "{}",
        text.text()
    );
    assert!(text.text().ends_with("00:00:58.000 --> 00:01:00.000\nstoryboard/1.jpg#xywh=960,0,240,134\n"));
    let base = url.replace("storyboard.vtt", "storyboard/");
    let sheet = house.get(&format!("{base}1.jpg")).await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, Some("image/jpeg")));
    assert!(sheet.body == jpeg(8));
    for nothing in ["2.jpg", "01.jpg", "1.png", "-1.jpg", "..%2f0.jpg"] {
        assert!(matches!(house.get(&format!("{base}{nothing}")).await.status, 400 | 404), "{nothing}");
    }
    let etag = format!("if-none-match: {}\r\n", sheet.header("etag").unwrap());
    assert_eq!(house.call("GET", &format!("{base}1.jpg"), &etag, None).await.status, 304);

    for (path, kind) in [("storyboard.vtt", "text/vtt; charset=utf-8"), ("storyboard/0.jpg", "image/jpeg")] {
        let path = format!("{title}/{path}");
        let answer = house.call("GET", &path, &auth, None).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(house.get(&path).await.status, 401, "nobody is signed in");
        let ben = house.viewer(&owner, &format!("ben{}", path.len()), &[]).await;
        assert_eq!(house.call("GET", &path, &ben.auth(), None).await.status, 404, "not granted is not there");
    }
}
