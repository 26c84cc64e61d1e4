//! What a scan finds, asks again, and gives way to.

use crate::house::{House, assert_done, numbered};
use domain::{JobKind, JobState, facts::Defect};
use loge_library::ProbeFailure;
use std::{fs, os::unix::fs::symlink};

#[tokio::test]
async fn pictures_step_aside_for_a_scan_and_go_on_after_it() {
    let house = House::open().await;
    house.prober.pictures.forget_permits(1000);
    let first = house.films("first", &numbered("a", 5));
    let second = house.films("second", &numbered("b", 5));
    house.library(&first).await;
    let pictures = house.libraries.jobs().into_iter().find(|job| job.kind == JobKind::Posters).unwrap().id;
    house.job(&pictures, |job| job.state == JobState::Running).await;
    let (library, scan) =
        house.libraries.create("Second", domain::LibraryKind::Movies, std::slice::from_ref(&second)).await.unwrap();
    // One picture is being made; it may be finished, and no other comes before the scan.
    house.prober.pictures.add_permits(1);
    assert_done(&house.ended(&scan).await);
    assert_eq!(house.present(&library.id).await.len(), 5);
    assert_eq!(house.prober.pictures.available_permits(), 0, "no picture but the one that was begun");
    // The control: they go on after it, all of them, as the same job.
    house.prober.pictures.add_permits(1000);
    let over = house.ended(&pictures).await;
    assert_eq!((over.state, over.progress.done), (JobState::Done, 10));
    house.close().await;
}

#[tokio::test]
async fn a_file_that_could_not_be_opened_is_asked_again_and_a_broken_one_is_not() {
    let house = House::open().await;
    for (defect, heals) in [(Defect::Unreadable, true), (Defect::NotMedia, false)] {
        let folder = house.films(defect.as_str(), &numbered("film", 3));
        *house.prober.failing.lock().unwrap() = Some(ProbeFailure::Defect(defect));
        let library = house.library(&folder).await;
        assert!(house.files(&library).await.iter().all(|file| file.defect == Some(defect)));
        *house.prober.failing.lock().unwrap() = None;
        assert_done(&house.scan(&library).await);
        let healed = house.files(&library).await.iter().all(|file| file.defect.is_none() && file.probed);
        assert_eq!(healed, heals, "{defect:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn what_is_left_out_is_told_and_hides_nothing_else() {
    let house = House::open().await;
    let deep = format!("{}film.mp4", "d/".repeat(66));
    let files =
        ["a.mp4", "b.mp4", "Film (2019)/Film (2019).mp4", "Film (2019)/Sample/film-sample.mp4", "#recycle/old.mp4"];
    let mut names: Vec<String> = files.iter().map(ToString::to_string).collect();
    names.push(deep);
    let films = house.films("films", &names);
    symlink(films.join("a.mp4"), films.join("link.mp4")).unwrap();
    let library = house.library(&films).await;
    assert_eq!(house.present(&library).await, ["Film (2019)/Film (2019).mp4", "a.mp4", "b.mp4"]);
    let left_out = house.folder(&library).await.left_out;
    assert_eq!((left_out.links, left_out.unread_total), (1, 1));
    assert!(left_out.unread[0].starts_with("d/d/"), "{:?}", left_out.unread);
    // A folder that cannot be read keeps nothing else from being missed.
    fs::remove_file(films.join("b.mp4")).unwrap();
    let job = house.scan(&library).await;
    let note = job.note.unwrap_or_default();
    assert!(note.contains("may not read these folders: d/d/") && note.contains("One symbolic link"), "{note}");
    assert_eq!(house.present(&library).await, ["Film (2019)/Film (2019).mp4", "a.mp4"]);
    fs::remove_dir_all(films.join("d")).unwrap();
    fs::remove_file(films.join("link.mp4")).unwrap();
    assert_eq!(house.scan(&library).await.note, None, "the control: with nothing left out nothing is told");
    house.close().await;
}

#[tokio::test]
async fn a_better_file_keeps_the_place_of_the_old_one() {
    let house = House::open().await;
    let films = house.films("films", &["Heat (1995) 720p.mp4".into(), "Other (2000).mp4".into()]);
    let library = house.library(&films).await;
    let title = |files: Vec<store::KnownFile>, path: &str| {
        files.into_iter().find(|file| file.path == path.as_bytes()).map(|file| file.title)
    };
    let before = title(house.files(&library).await, "Heat (1995) 720p.mp4").unwrap();
    fs::remove_file(films.join("Heat (1995) 720p.mp4")).unwrap();
    fs::write(films.join("Heat (1995) 1080p.mp4"), vec![b'y'; 999]).unwrap();
    assert_done(&house.scan(&library).await);
    assert_eq!(title(house.files(&library).await, "Heat (1995) 1080p.mp4"), Some(before));
    assert_eq!(house.files(&library).await.len(), 2);
    house.close().await;
}
