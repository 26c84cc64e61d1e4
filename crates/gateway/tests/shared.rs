//! What is made of a film for everyone, while one person's loge has been taken over and lies: in
//! well-formed answers, and in verdicts. What others get is the house's.

mod common;

use common::house::{Login, Shelf, TestHouse};
use contract::{FileRef, Job, TextTrack};
use domain::{
    Tenant,
    facts::{Container, SubtitleFacts},
};
use loge_gateway::LogeRoom;
use serde_json::{Value, json};
use std::time::Duration;
use store::{ScanChange, StoredIndex};

const SIZE: u64 = 3 << 20;

struct Household {
    house: TestHouse,
    shelf: Shelf,
    /// Her loge lies.
    ana: Login,
    bo: Login,
}

impl Household {
    /// Returns a film with a track of text in it.
    async fn open(container: Container) -> Self {
        let house = TestHouse::start().await;
        let owner = house.owner().await;
        let shelf = house.shelf("films", container, "h264").await;
        let file = house.store.file(&shelf.file).await.unwrap().unwrap();
        let mut facts = file.facts.clone().unwrap();
        facts.subtitles = vec![SubtitleFacts {
            codec: "subrip".into(),
            language: Some("en".into()),
            title: None,
            forced: false,
            default: false,
            hearing_impaired: false,
        }];
        let updated = ScanChange::Updated {
            file: shelf.file.clone(),
            size_bytes: SIZE,
            mtime_ns: 1_700_000_000_000_000_000,
            inode: 7,
            facts: Ok(facts),
        };
        house.store.apply_scan(&shelf.library, &file.folder, vec![updated]).await.unwrap();
        let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
        let bo = house.viewer(&owner, "bo", &[&shelf.library]).await;
        house.rooms.liars.lock().unwrap().push(Tenant::User(ana.user.parse().unwrap()));
        Self { house, shelf, ana, bo }
    }

    async fn play(&self, who: &Login, wish: Value) -> (u16, Value) {
        let path = format!("/api/v1/titles/{}/play", self.shelf.title);
        self.house.json("POST", &path, who, Some(wish)).await
    }

    /// Segments of the picture as the playlist of this play has them.
    async fn segments(&self, play: &Value, picture: &str) -> usize {
        let url = play["url"].as_str().unwrap().replace("master.m3u8", &format!("{picture}/index.m3u8"));
        let list = self.house.get(&url).await;
        assert_eq!(list.status, 200, "{}", list.text());
        list.text().matches("#EXTINF").count()
    }

    /// The control: every request to her loge is answered with a lie.
    async fn her_loge_lies(&self) {
        let file = FileRef { mount: "m".into(), path: b"film".to_vec(), size: None, mtime_ns: None };
        let ana = Tenant::User(self.ana.user.parse().unwrap());
        let ask = async |job| self.house.rooms.job(&ana, job, 1 << 20, Duration::from_secs(1)).await;
        assert_eq!(
            ask(Job::Index { file: file.clone(), picture: 0 }).await.unwrap_err().code,
            domain::Code::FileBroken
        );
        let text = ask(Job::Subtitles { file, tracks: vec![TextTrack { number: 0, is_ass: false }] }).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains("Send me your password"));
    }
}

#[tokio::test]
async fn a_lie_about_key_frames_costs_nobody_else_anything() {
    let household = Household::open(Container::Mkv).await;
    household.her_loge_lies().await;
    let (_, hers) = household.play(&household.ana, json!({})).await;
    let (_, his) = household.play(&household.bo, json!({})).await;
    // Her own copy begins with what her own loge says; that is between the two of them.
    assert_eq!(household.segments(&hers, "v-original").await, 1, "control: the lie was taken, for her");
    assert_eq!(household.segments(&his, "v-original").await, 5);

    // What an encode needs is kept for all, and she is the first who asks.
    let (_, hers) = household.play(&household.ana, json!({ "quality": "240p" })).await;
    let (_, his) = household.play(&household.bo, json!({ "quality": "240p" })).await;
    for play in [hers, his] {
        assert_eq!(household.segments(&play, "v-240p").await, 5, "{play:#}");
    }
}

#[tokio::test]
async fn a_film_that_her_loge_calls_broken_plays_for_everyone() {
    let household = Household::open(Container::Avi).await;
    household.her_loge_lies().await;
    for who in [&household.ana, &household.bo] {
        let (status, play) = household.play(who, json!({})).await;
        assert_eq!((status, play["method"].as_str()), (200, Some("remux")), "{play:#}");
        assert_eq!(household.segments(&play, "v-original").await, 5);
    }
    let file = household.house.store.file(&household.shelf.file).await.unwrap().unwrap();
    assert!(matches!(household.house.store.keyframe_index(&file).await.unwrap(), Some(StoredIndex::Made(_))));
    assert_eq!(household.house.rooms.jobs("Index"), 2, "the control's own, and one for all");
}

#[tokio::test]
async fn her_words_are_read_by_nobody() {
    let household = Household::open(Container::Mp4).await;
    household.her_loge_lies().await;
    for who in [&household.ana, &household.bo] {
        let (_, play) = household.play(who, json!({})).await;
        let url = play["subtitles"][0]["url"].as_str().unwrap();
        let text = household.house.get(url).await;
        assert_eq!((text.status, text.text().contains("Hello")), (200, true), "{}", text.text());
    }
}
