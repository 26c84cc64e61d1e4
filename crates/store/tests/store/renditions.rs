use crate::house::{House, facts, found, on_both};
use domain::{JobId, ProgressEvent, RenditionState, facts::Container, playback::Playability};
use std::collections::HashSet;
use store::{Change, FileRow, NightShift};

on_both!(
    a_version_is_wanted_once_and_made_in_order,
    versions_belong_to_a_version_of_the_file,
    the_night_shift_is_off_until_the_owner_says_so,
    what_the_house_picks_waits_for_the_night_and_for_people,
    likely_films_are_those_nobody_thought_of
);

async fn file(house: &House, name: &str) -> (domain::LibraryId, domain::FolderId, FileRow) {
    let (library, folder) = house.library(name).await;
    let facts = facts(Container::Mkv, "hevc", 60_000);
    house.store.apply_scan(&library, &folder, vec![found(name, None, Ok(facts))]).await.unwrap();
    let known = house.store.files_of_folder(&folder).await.unwrap().remove(0);
    let row = house.store.file(&known.id).await.unwrap().unwrap();
    (library, folder, row)
}

async fn want(house: &House, of: &FileRow, lines: u32) -> JobId {
    house.store.want_rendition(of, lines, None).await.unwrap().unwrap()
}

async fn next(house: &House) -> Option<JobId> {
    house.store.next_rendition(true, &HashSet::new()).await.unwrap().map(|(r, _)| r.id)
}

async fn a_version_is_wanted_once_and_made_in_order(house: &House) {
    let (_, _, a) = file(house, "a").await;
    let (_, _, b) = file(house, "b").await;
    let first = want(house, &a, 720).await;
    let second = want(house, &b, 480).await;
    let olga = domain::UserId::from_random([7; 16]);
    assert_eq!(want(house, &a, 720).await, first, "not twice");
    assert_eq!(next(house).await, Some(first.clone()));
    let passed = HashSet::from([first.clone()]);
    assert_eq!(house.store.next_rendition(true, &passed).await.unwrap().map(|(r, _)| r.id), Some(second.clone()));
    assert_eq!(house.store.rendition_first(&second, &olga).await.unwrap(), Change::Done);
    assert_eq!(next(house).await, Some(second.clone()));
    house.store.set_rendition_state(&second, RenditionState::Paused, None).await.unwrap();
    assert_eq!(next(house).await, Some(first.clone()));

    house.store.set_rendition_progress(&first, 3, 9, 500).await.unwrap();
    house.store.set_rendition_state(&first, RenditionState::Done, None).await.unwrap();
    house.store.rendition_used(&first).await.unwrap();
    let owner = house.user("olga", domain::Role::Admin).await;
    let listed = async |of: &FileRow| {
        let found = house.store.title_for(&owner.id, owner.role, &of.title).await.unwrap();
        found.unwrap().0.best.playability
    };
    assert_eq!((listed(&a).await, listed(&b).await), (Playability::Prepared, Playability::NeedsPreparing));
    assert_eq!(next(house).await, None);
    let list = house.store.renditions().await.unwrap();
    assert_eq!(list.iter().map(|r| &r.id).collect::<Vec<_>>(), [&second, &first], "what waits comes first");
    let done = &list[1];
    assert_eq!((done.done, done.total, done.stored_bytes, done.lines), (3, 9, 500, 720));
    assert!(done.finished_at.is_some() && done.title == a.title && !done.title_name.is_empty());
    assert_eq!(want(house, &a, 720).await, first, "it is there");
    house.store.forget_rendition(&first).await.unwrap();
    assert_eq!(listed(&a).await, Playability::NeedsPreparing);

    house.store.set_rendition_state(&second, RenditionState::Failed, Some("why")).await.unwrap();
    let again = want(house, &b, 480).await;
    assert_ne!(again, second, "what failed is tried anew");
    assert_eq!(house.store.forget_rendition(&again).await.unwrap(), Change::Done);
    assert_eq!(house.store.forget_rendition(&again).await.unwrap(), Change::Missing);
    assert_eq!(house.store.rendition(&again).await.unwrap(), None);
}

async fn versions_belong_to_a_version_of_the_file(house: &House) {
    let (library, folder, row) = file(house, "a").await;
    let id = want(house, &row, 480).await;
    let stale = async |before| house.store.stale_renditions(base::UnixMs(before)).await.unwrap();
    assert!(stale(i64::MAX).await.is_empty());
    assert_eq!(house.store.renditions_of(&row).await.unwrap().len(), 1);
    assert!(house.store.renditions_of(&FileRow { mtime_ns: 7, ..row.clone() }).await.unwrap().is_empty());

    let gone = store::ScanChange::Missing { file: row.id.clone(), heir: None };
    house.store.apply_scan(&library, &folder, vec![gone]).await.unwrap();
    assert_eq!(next(house).await, None, "nothing can be made of what is not there");
    assert!(stale(0).await.is_empty(), "it may come back");
    assert_eq!(stale(i64::MAX).await, std::slice::from_ref(&id));

    house.store.delete_library(&library).await.unwrap();
    assert!(house.store.renditions().await.unwrap().is_empty(), "gone with its file");
    assert_eq!(house.store.want_rendition(&row, 480, None).await.unwrap(), None);
}

async fn the_night_shift_is_off_until_the_owner_says_so(house: &House) {
    assert!(!house.store.night_shift().await.unwrap().enabled);
    let shift = NightShift { enabled: true, from_minute: 90, to_minute: 300, cap_bytes: 5 << 30 };
    house.store.set_night_shift(&shift).await.unwrap();
    assert_eq!(house.store.night_shift().await.unwrap(), shift);
}

async fn what_the_house_picks_waits_for_the_night_and_for_people(house: &House) {
    let (_, _, a) = file(house, "a").await;
    let (_, _, b) = file(house, "b").await;
    let olga = domain::UserId::from_random([7; 16]);
    let picked = want(house, &a, 720).await;
    let by_day = async || house.store.next_rendition(false, &HashSet::new()).await.unwrap().map(|(r, _)| r.id);
    assert_eq!((by_day().await, next(house).await), (None, Some(picked.clone())));
    let asked = house.store.want_rendition(&b, 720, Some(&olga)).await.unwrap().unwrap();
    assert_eq!((by_day().await, next(house).await), (Some(asked.clone()), Some(asked.clone())), "people first");
    // Who asks for what was picked makes it theirs.
    assert_eq!(house.store.want_rendition(&a, 720, Some(&olga)).await.unwrap(), Some(picked.clone()));
    assert_eq!(by_day().await, Some(picked.clone()));
    let list = house.store.renditions().await.unwrap();
    assert_eq!(list.iter().map(|r| &r.id).collect::<Vec<_>>(), [&picked, &asked]);
}

async fn likely_films_are_those_nobody_thought_of(house: &House) {
    let (_, _, old) = file(house, "a").await;
    let (_, _, new) = file(house, "b").await;
    let (library, folder) = house.library("c").await;
    let plain = found("c", None, Ok(facts(Container::Mp4, "h264", 60_000)));
    house.store.apply_scan(&library, &folder, vec![plain]).await.unwrap();
    let likely = async || {
        let films = house.store.likely_films(10).await.unwrap();
        films.into_iter().map(|(f, begun, at)| (f.id, begun, at.0 > 0)).collect::<Vec<_>>()
    };
    let found: Vec<_> = likely().await;
    assert_eq!(found.len(), 2, "{found:?}");
    let ana = house.user("ana", domain::Role::Admin).await;
    let session = house.session_id();
    assert!(house.store.set_progress(&ana.id, &old.title, 30_000, 0, ProgressEvent::Pause, &session).await.unwrap());
    assert_eq!(likely().await, [(old.id.clone(), true, true), (new.id.clone(), false, true)]);
    want(house, &old, 480).await;
    assert_eq!(likely().await, [(new.id.clone(), false, true)]);
}
