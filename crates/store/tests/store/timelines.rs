use crate::house::{House, facts, found, on_both};
use domain::facts::Container;
use store::{FileRow, StoredIndex};

on_both!(indexes_belong_to_a_version, what_plays_in_segments_waits_for_its_index, a_file_is_set_aside_and_taken_back);

async fn file(house: &House, name: &str, container: Container) -> (domain::LibraryId, FileRow) {
    let (library, folder) = house.library(name).await;
    let facts = facts(container, "h264", 60_000);
    house.store.apply_scan(&library, &folder, vec![found(name, None, Ok(facts))]).await.unwrap();
    let known = house.store.files_of_folder(&folder).await.unwrap().remove(0);
    (library, house.store.file(&known.id).await.unwrap().unwrap())
}

async fn indexes_belong_to_a_version(house: &House) {
    let (library, row) = file(house, "a", Container::Mkv).await;
    assert_eq!(house.store.keyframe_index(&row).await.unwrap(), None);
    let made = StoredIndex::Made(vec![1, 2, 3]);
    house.store.set_keyframe_index(&row, &made).await.unwrap();
    assert_eq!(house.store.keyframe_index(&row).await.unwrap(), Some(made.clone()));
    for other in [FileRow { size_bytes: 7, ..row.clone() }, FileRow { mtime_ns: 7, ..row.clone() }] {
        assert_eq!(house.store.keyframe_index(&other).await.unwrap(), None, "another version");
    }
    house.store.set_keyframe_index(&row, &StoredIndex::Impossible).await.unwrap();
    assert_eq!(house.store.keyframe_index(&row).await.unwrap(), Some(StoredIndex::Impossible));
    house.store.delete_library(&library).await.unwrap();
    house.store.set_keyframe_index(&row, &made).await.unwrap();
    assert_eq!(house.store.keyframe_index(&row).await.unwrap(), None, "gone with its file");
}

async fn what_plays_in_segments_waits_for_its_index(house: &House) {
    let waiting = async || {
        let files = house.store.files_without_index(9).await.unwrap();
        files.into_iter().map(|f| f.id).collect::<Vec<_>>()
    };
    let (_, direct) = file(house, "a", Container::Mp4).await;
    let (_, remux) = file(house, "b", Container::Mkv).await;
    assert_eq!(waiting().await, std::slice::from_ref(&remux.id), "{} plays as it is", direct.id);
    house.store.set_keyframe_index(&FileRow { mtime_ns: 7, ..remux.clone() }, &StoredIndex::Impossible).await.unwrap();
    assert_eq!(waiting().await, std::slice::from_ref(&remux.id), "an older version's index does not count");
    house.store.set_keyframe_index(&remux, &StoredIndex::Made(vec![1])).await.unwrap();
    assert!(waiting().await.is_empty());
    house.store.refresh_verdicts().await.unwrap();
    house.store.refresh_verdicts().await.unwrap();
    assert!(waiting().await.is_empty());
}

async fn a_file_is_set_aside_and_taken_back(house: &House) {
    let (_, row) = file(house, "a", Container::Mp4).await;
    let aside = async || {
        let files = house.store.files_set_aside().await.unwrap();
        files.into_iter().map(|(file, name)| (file.id, name)).collect::<Vec<_>>()
    };
    let size = Some(row.size_bytes);
    assert_eq!(house.store.set_aside(&row.folder, &row.path, Some(7)).await.unwrap(), None, "another version");
    assert_eq!(house.store.set_aside(&row.folder, b"other", size).await.unwrap(), None);
    assert_eq!(aside().await, []);
    let set = house.store.set_aside(&row.folder, &row.path, size).await.unwrap().unwrap();
    assert_eq!((set.id.clone(), set.defect), (row.id.clone(), Some(domain::facts::Defect::EndsWorkers)));
    assert_eq!(set.facts, row.facts, "what is known of it stays known");
    assert_eq!(house.store.set_aside(&row.folder, &row.path, size).await.unwrap(), None, "it is already");
    assert_eq!(aside().await, [(row.id.clone(), "a".to_owned())]);
    assert_eq!(house.store.take_back(&row.id).await.unwrap().unwrap(), row);
    assert_eq!(house.store.take_back(&row.id).await.unwrap(), None);
    assert_eq!(aside().await, []);
}
