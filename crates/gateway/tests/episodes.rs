//! What comes after an episode.

mod common;

use common::house::TestHouse;
use domain::facts::Container;
use store::ScanChange;

#[tokio::test]
async fn an_episode_says_what_comes_next() {
    let house = TestHouse::start().await;
    let owner = house.owner().await;
    let shelf = house.shelf("films", Container::Mp4, "h264").await;
    assert!(house.play(&owner, &shelf.title).await["next"].is_null(), "a film is no part of a series");
    let file = house.store.file(&shelf.file).await.unwrap().unwrap();
    let facts = file.facts.clone().unwrap();
    let found = |n: u64, path: &str| ScanChange::Found {
        path: path.into(),
        size_bytes: file.size_bytes,
        mtime_ns: 1,
        inode: 100 + n,
        name: path.rsplit('/').next().unwrap().into(),
        year: None,
        facts: Ok(facts.clone()),
    };
    let paths = ["A/Season 1/A S01E09.mp4", "A/Season 1/A S01E10.mp4", "A/Season 2/A S02E01.mp4", "B S01E11.mp4"];
    let all = (0..).zip(paths).map(|(n, path)| found(n, path)).collect();
    house.store.apply_scan(&shelf.library, &file.folder, all).await.unwrap();
    let known = house.store.files_of_folder(&file.folder).await.unwrap();
    let of = |path: &str| known.iter().find(|f| f.path == path.as_bytes()).unwrap();
    let many = serde_json::json!({ "max_streams_per_person": 20 });
    assert_eq!(house.json("PATCH", "/api/v1/admin/settings", &owner, Some(many)).await.0, 200);
    let ana = house.viewer(&owner, "ana", &[&shelf.library]).await;
    for (path, expected) in [(paths[0], Some(1)), (paths[1], Some(2)), (paths[2], None), (paths[3], None)] {
        let play = house.play(&ana, &of(path).title).await;
        let next = play["next"]["title_id"].as_str();
        assert_eq!(next, expected.map(|n: usize| of(paths[n]).title.as_str()), "{path}");
        assert_eq!(play["next"]["name"].as_str(), expected.map(|n| paths[n].rsplit('/').next().unwrap()));
    }
    // One that is away is passed over.
    let gone = ScanChange::Missing { file: of(paths[1]).id.clone(), heir: None };
    house.store.apply_scan(&shelf.library, &file.folder, vec![gone]).await.unwrap();
    let play = house.play(&ana, &of(paths[0]).title).await;
    assert_eq!(play["next"]["title_id"].as_str(), Some(of(paths[2]).title.as_str()));
}
