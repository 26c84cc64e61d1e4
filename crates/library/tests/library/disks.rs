//! Disks that hang, that are others than before, and that are not there.

use crate::house::{House, assert_done, numbered};
use base::{LookError, disks};
use domain::{FolderProblem, FolderState};
use std::{fs, path::Path, sync::mpsc, time::Duration};

/// Makes a folder's disk hang until the sender is dropped: no look and no walk comes back.
async fn hang(folder: &Path) -> [mpsc::Sender<()>; 2] {
    let [(first, look), (second, walk)] = [mpsc::channel::<()>(), mpsc::channel::<()>()];
    let looked = disks().look(folder, Duration::ZERO, move |_| look.recv().is_ok()).await;
    let walked = disks().walk(folder, Duration::ZERO, move |_, _| walk.recv().is_ok()).await;
    assert_eq!((looked, walked), (Err(LookError::Hanging), Err(LookError::Hanging)));
    [first, second]
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_other() {
    let house = House::open().await;
    let (nas, usb) = (house.films("nas", &numbered("a", 3)), house.films("usb", &numbered("b", 3)));
    let first = house.library(&nas).await;
    assert_eq!(house.problem(&first).await, None);
    let before = disks().overdue();
    let hold = hang(&nas).await;
    for _ in 0..100 {
        assert!(!house.libraries.check_folder(&nas).await.readable);
        assert!(house.libraries.browse(&nas).await.is_err());
        assert_done(&house.scan(&first).await);
    }
    assert!(disks().overdue() - before <= 2, "a hundred looks cost no more threads than two");
    assert_eq!(house.problem(&first).await, Some(FolderProblem::Hanging));
    assert_eq!(house.present(&first).await.len(), 3, "nothing is missing because of it");
    let second = house.library(&usb).await;
    assert_eq!(house.present(&second).await.len(), 3, "another disk is scanned at once");
    // The control: the same disk, answering.
    drop(hold);
    while disks().is_hanging(&nas) {
        tokio::task::yield_now().await;
    }
    assert!(house.libraries.check_folder(&nas).await.readable);
    assert_done(&house.scan(&first).await);
    assert_eq!(house.problem(&first).await, None);
    house.close().await;
}

#[tokio::test]
async fn another_disk_is_refused_until_the_owner_says_that_it_is_right() {
    let house = House::open().await;
    let media = house.films("media", &numbered("film", 12));
    let library = house.library(&media).await;
    let known = house.folder(&library).await.identity;
    fs::rename(&media, house.path("unplugged")).unwrap();
    house.films("media", &numbered("private", 4));
    for _ in 0..3 {
        let job = house.scan(&library).await;
        assert!(job.note.is_some_and(|note| note.contains("Another disk is mounted there")));
        let folder = house.folder(&library).await;
        assert_eq!((folder.state, folder.problem), (FolderState::Offline, Some(FolderProblem::AnotherDisk)));
        assert_eq!(folder.identity, known, "nothing is learned from what is not believed");
        assert_eq!(house.present(&library).await, numbered("film", 12));
    }
    let job = house.libraries.confirm_folder(&library, &house.folder(&library).await.id).await.unwrap();
    assert_done(&house.ended(&job).await);
    assert_eq!(house.present(&library).await, numbered("private", 4));
    assert_eq!(house.problem(&library).await, None);
    house.close().await;
}

#[tokio::test]
async fn an_empty_mount_point_is_away_and_an_emptied_folder_is_empty() {
    let house = House::open().await;
    let media = house.films("media", &numbered("film", 2));
    let library = house.library(&media).await;
    fs::rename(&media, house.path("unplugged")).unwrap();
    fs::create_dir(&media).unwrap();
    house.scan(&library).await;
    assert_eq!(house.problem(&library).await, Some(FolderProblem::NotMounted));
    assert_eq!(house.present(&library).await.len(), 2);
    fs::remove_dir(&media).unwrap();
    house.scan(&library).await;
    assert_eq!(house.problem(&library).await, Some(FolderProblem::Gone));
    fs::rename(house.path("unplugged"), &media).unwrap();
    house.scan(&library).await;
    assert_eq!((house.problem(&library).await, house.present(&library).await.len()), (None, 2), "it is back");
    for name in numbered("film", 2) {
        fs::remove_file(media.join(name)).unwrap();
    }
    house.scan(&library).await;
    let last = (house.problem(&library).await, house.present(&library).await.len(), house.files(&library).await.len());
    assert_eq!(last, (None, 0, 2), "the last film was deleted on purpose; a mark, never a delete");
    house.close().await;
}
