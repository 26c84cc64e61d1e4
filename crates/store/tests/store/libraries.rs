use crate::house::{House, facts, found, on_both, query};
use domain::{
    FolderId, FolderProblem, FolderState, LibraryId, ProgressEvent, Role, TitleId, UserId,
    facts::{Container, Defect},
    playback::Playability,
};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};
use store::{Change, FolderVerdict, LeftOut, ScanChange, TitleSort};

on_both!(
    libraries_and_their_folders,
    what_was_not_granted_does_not_exist,
    a_scan_keeps_identity,
    a_scan_of_a_library_that_left,
    a_film_that_goes_leaves_the_places_to_its_heir,
    files_are_found_by_how_their_paths_begin,
    pictures
);

async fn libraries_and_their_folders(house: &House) {
    let (films, folder) = house.library("films").await;
    house.library("home").await;
    let bytes = PathBuf::from(OsStr::from_bytes(b"/disk/\xff\xfe new\nline"));
    let second = FolderId::from_random([2; 16]);
    let folders = vec![(second.clone(), bytes.clone()), (folder.clone(), PathBuf::from("/films/films"))];
    assert_eq!(house.store.set_folders(&films, folders).await.unwrap(), Change::Done);
    let left_out = LeftOut { unread: vec!["a \"b\"".into(), "ü\n".into()], unread_total: u64::MAX, links: 3 };
    let online = FolderVerdict::Online { identity: Some("disk/1".into()), left_out: left_out.clone() };
    house.store.set_folder_verdict(&second, &online).await.unwrap();
    house.store.set_folder_verdict(&second, &FolderVerdict::Away(FolderProblem::AnotherDisk)).await.unwrap();
    assert_eq!(house.store.rename_library(&films, "Cinema").await.unwrap(), Change::Done);
    house.store.mark_scanned(&films, crate::house::START).await.unwrap();
    let library = house.store.library(&films).await.unwrap().unwrap();
    assert_eq!((library.name.as_str(), library.last_scan_at), ("Cinema", Some(crate::house::START)));
    let seen: Vec<_> = library.folders.iter().map(|f| (&f.path, f.state, f.problem)).collect();
    assert_eq!(
        seen,
        [
            (&bytes, FolderState::Offline, Some(FolderProblem::AnotherDisk)),
            (&"/films/films".into(), FolderState::Online, None)
        ]
    );
    let away = &library.folders[0];
    assert_eq!(away.identity.as_deref(), Some("disk/1"), "nothing is learned from a walk that is not believed");
    assert_eq!(away.left_out, left_out);
    assert_eq!(library.folders[1].left_out, LeftOut::default());
    house.store.set_folder_identity(&second, "disk/2").await.unwrap();
    let folders = house.store.all_folders().await.unwrap();
    assert!(folders.iter().any(|f| f.id == second && f.identity.as_deref() == Some("disk/2")));
    assert_eq!(house.store.all_folders().await.unwrap().len(), 3);
    let taken = store::NewLibrary {
        id: LibraryId::from_random([9; 16]),
        name: "again".into(),
        kind: domain::LibraryKind::Shows,
        folders: vec![(FolderId::from_random([8; 16]), bytes)],
    };
    assert!(house.store.create_library(&taken).await.unwrap_err().is_conflict());
    assert_eq!(house.store.libraries().await.unwrap().len(), 2, "a refused library leaves no half behind");
    let title = house.title(&films, &folder, "a").await;
    house.store.set_folders(&films, vec![(second, "/disk/other".into())]).await.unwrap();
    let owner = house.user("owner", Role::Admin).await;
    assert!(house.store.title_for(&owner.id, Role::Admin, &title).await.unwrap().is_none(), "gone with its folder");
    assert_eq!(house.store.delete_library(&films).await.unwrap(), Change::Done);
    assert_eq!(house.store.delete_library(&films).await.unwrap(), Change::Missing);
    assert_eq!(house.store.set_folders(&films, vec![]).await.unwrap(), Change::Missing);
}

async fn files_are_found_by_how_their_paths_begin(house: &House) {
    let (films, folder) = house.library("films").await;
    let paths: [&[u8]; 6] = [b"A/1.mp4", b"A/2.mp4", b"A0/1.mp4", b"a/1.mp4", b"A.mp4", b"\xff\xff/1.mp4"];
    let all = paths.iter().map(|path| match found("x", None, Ok(facts(Container::Mp4, "h264", 1))) {
        ScanChange::Found { size_bytes, mtime_ns, inode, name, year, facts, .. } => {
            ScanChange::Found { path: path.to_vec(), size_bytes, mtime_ns, inode, name, year, facts }
        }
        other => other,
    });
    house.store.apply_scan(&films, &folder, all.collect()).await.unwrap();
    let begin = async |beginnings: &[&[u8]]| {
        let beginnings: Vec<Vec<u8>> = beginnings.iter().map(|b| b.to_vec()).collect();
        let found = house.store.paths_that_begin(&folder, &beginnings).await.unwrap();
        let mut found: Vec<Vec<u8>> = found.into_iter().map(|(_, path)| path).collect();
        found.sort();
        found
    };
    assert_eq!(begin(&[b"A/"]).await, [&b"A/1.mp4"[..], b"A/2.mp4"]);
    assert_eq!(begin(&[b"a", b"A."]).await, [&b"A.mp4"[..], b"a/1.mp4"]);
    assert_eq!(begin(&[b"\xff"]).await, [b"\xff\xff/1.mp4"]);
    assert_eq!(begin(&[b""]).await.len(), paths.len(), "the control: nothing is left out but by its beginning");
    assert!(begin(&[b"B/"]).await.is_empty());
}

async fn what_was_not_granted_does_not_exist(house: &House) {
    let ((films, films_folder), (secret, secret_folder)) =
        (house.library("films").await, house.library("secret").await);
    let (seen, hidden) =
        (house.title(&films, &films_folder, "a").await, house.title(&secret, &secret_folder, "b").await);
    let (ana, owner) = (house.user("ana", Role::Viewer).await, house.user("owner", Role::Admin).await);
    assert_eq!(house.store.set_grants(&ana.id, &[films.clone(), films.clone()]).await.unwrap(), Change::Done);
    let nowhere = LibraryId::from_random([9; 16]);
    assert_eq!(house.store.set_grants(&ana.id, std::slice::from_ref(&nowhere)).await.unwrap(), Change::Missing);
    assert_eq!(
        house.store.grants(&ana.id).await.unwrap(),
        vec![films.clone()],
        "a refused change keeps the old grants"
    );
    for (library, may) in [(&films, true), (&secret, false), (&nowhere, false)] {
        assert_eq!(house.store.can_see(&ana.id, Role::Viewer, library).await.unwrap(), may);
        assert_eq!(house.store.can_see(&owner.id, Role::Admin, library).await.unwrap(), *library != nowhere);
    }
    let session = house.session_id();
    for title in [&seen, &hidden] {
        assert!(house.store.set_progress(&ana.id, title, 50_000, 0, ProgressEvent::Time, &session).await.unwrap());
    }
    assert!(house.store.title_for(&ana.id, Role::Viewer, &seen).await.unwrap().is_some());
    assert!(house.store.title_for(&ana.id, Role::Viewer, &hidden).await.unwrap().is_none());
    assert!(house.store.title_for(&owner.id, Role::Admin, &hidden).await.unwrap().is_some());
    let ids = |rows: Vec<store::TitleRow>| rows.into_iter().map(|t| t.id).collect::<Vec<TitleId>>();
    let page = house.store.titles(&query(&ana, TitleSort::Name)).await.unwrap();
    assert_eq!((page.total, ids(page.items)), (1, vec![seen.clone()]));
    assert_eq!(ids(house.store.newest(&ana.id, Role::Viewer, 9).await.unwrap()), vec![seen.clone()]);
    assert_eq!(ids(house.store.continue_watching(&ana.id, Role::Viewer, 9).await.unwrap()), vec![seen.clone()]);
    assert_eq!(ids(house.store.history(&ana.id, 9).await.unwrap()), [seen]);
    assert_eq!(house.store.libraries_for(&ana.id, Role::Viewer).await.unwrap().len(), 1);
    assert_eq!(house.store.libraries_for(&owner.id, Role::Admin).await.unwrap().len(), 2);
    let folders = house.store.folders_for(&ana.id, Role::Viewer).await.unwrap();
    assert_eq!(folders.into_iter().map(|f| f.id).collect::<Vec<_>>(), [films_folder]);
    house.store.delete_library(&films).await.unwrap();
    assert!(house.store.grants(&ana.id).await.unwrap().is_empty());
}

async fn a_scan_keeps_identity(house: &House) {
    let (films, folder) = house.library("films").await;
    let owner = house.user("owner", Role::Admin).await;
    let batch = vec![
        found("The Lantern Room", Some(2021), Ok(facts(Container::Mp4, "h264", 60_000))),
        found("broken", None, Err(Defect::Truncated)),
        found("old", None, Ok(facts(Container::Avi, "mpeg4", 1))),
    ];
    let done = house.store.apply_scan(&films, &folder, batch.clone()).await.unwrap();
    assert_eq!((done.found, done.titles.len()), (3, 3));
    let again = house.store.apply_scan(&films, &folder, batch).await.unwrap();
    assert_eq!((again.found, again.updated), (0, 3), "a path that is known is not a second title");
    let known = house.store.files_of_folder(&folder).await.unwrap();
    let file = |name: &str| known.iter().find(|k| k.path == format!("{name}.mp4").as_bytes()).unwrap().clone();
    let lantern = file("The Lantern Room");
    assert_eq!((lantern.size_bytes, lantern.inode, lantern.mtime_ns), (u64::MAX, u64::MAX - 1, -5));
    assert!(known.iter().all(|k| k.probed && !k.missing));
    let (title, files) = house.store.title_for(&owner.id, Role::Admin, &lantern.title).await.unwrap().unwrap();
    assert_eq!(
        (title.name.as_str(), title.sort_key.as_str(), title.year),
        ("The Lantern Room", "lantern room", Some(2021))
    );
    assert_eq!(title.best.playability, Playability::Direct);
    assert_eq!(
        (title.best.width, title.best.duration_ms, title.best.audio_codec.as_deref()),
        (2731, 60_000, Some("aac"))
    );
    assert_eq!(files[0].facts, Some(facts(Container::Mp4, "h264", 60_000)), "facts come back as they went in");
    let verdict = |id: TitleId| {
        let store = house.store.clone();
        let owner = owner.id.clone();
        async move { store.title_for(&owner, Role::Admin, &id).await.unwrap().unwrap().0.best }
    };
    assert_eq!(verdict(file("old").title).await.playability, Playability::NeedsPreparing);
    let broken = verdict(file("broken").title).await;
    assert_eq!((broken.playability, broken.container.as_str()), (Playability::Broken, "mp4"));

    let session = house.session_id();
    house.store.set_progress(&owner.id, &lantern.title, 30_000, 0, ProgressEvent::Pause, &session).await.unwrap();
    let strange = b"sub/\xff\xfe.mp4".to_vec();
    let changes = vec![
        ScanChange::Moved { file: lantern.id.clone(), path: strange.clone(), name: "New".into(), year: None },
        ScanChange::Missing { file: file("old").id, heir: None },
    ];
    let done = house.store.apply_scan(&films, &folder, changes).await.unwrap();
    assert_eq!((done.moved, done.missing), (1, 1));
    let (title, files) = house.store.title_for(&owner.id, Role::Admin, &lantern.title).await.unwrap().unwrap();
    assert_eq!((title.name.as_str(), &files[0].path), ("New", &strange));
    assert_eq!(title.progress.unwrap().position_ms, 30_000, "the history moves along");
    let old = file("old");
    let (gone, _) = house.store.title_for(&owner.id, Role::Admin, &old.title).await.unwrap().unwrap();
    assert!(gone.missing, "said, not hidden");
    assert_eq!(house.store.library(&films).await.unwrap().unwrap().title_count, 2);
    let kept = house.store.file(&old.id).await.unwrap().unwrap();
    assert!(kept.missing_since.is_some() && kept.facts.is_some(), "a mark and no deletion");
    house.store.apply_scan(&films, &folder, vec![ScanChange::Back { file: old.id }]).await.unwrap();
    assert!(house.store.title_for(&owner.id, Role::Admin, &old.title).await.unwrap().is_some());
    // Moving onto a path that is another file's is left to the next scan.
    let onto = ScanChange::Moved { file: lantern.id, path: b"old.mp4".to_vec(), name: "x".into(), year: None };
    assert_eq!(house.store.apply_scan(&films, &folder, vec![onto]).await.unwrap().moved, 0);
}

async fn a_film_that_goes_leaves_the_places_to_its_heir(house: &House) {
    let (films, folder) = house.library("films").await;
    let [ana, ben] = [house.user("Ana", Role::Admin).await, house.user("Ben", Role::Admin).await];
    let well = || Ok(facts(Container::Mp4, "h264", 60_000));
    let changes = vec![found("Heat 720p", None, well()), found("Heat 1080p", None, well())];
    house.store.apply_scan(&films, &folder, changes).await.unwrap();
    let files = house.store.files_of_folder(&folder).await.unwrap();
    let of = |path: &str| files.iter().find(|file| file.path == path.as_bytes()).unwrap();
    let (old, new) = (of("Heat 720p.mp4"), of("Heat 1080p.mp4"));
    let session = house.session_id();
    let watch = async |who: &UserId, title: &TitleId, at_ms: u64| {
        house.clock.advance_ms(1000);
        assert!(house.store.set_progress(who, title, at_ms, 0, ProgressEvent::Pause, &session).await.unwrap());
    };
    for (who, title, at_ms) in
        [(&ana.id, &old.title, 20_000), (&ben.id, &old.title, 25_000), (&ben.id, &new.title, 40_000)]
    {
        watch(who, title, at_ms).await;
    }
    let gone = ScanChange::Missing { file: old.id.clone(), heir: Some(new.id.clone()) };
    house.store.apply_scan(&films, &folder, vec![gone]).await.unwrap();
    let place = async |who: &UserId, title: &TitleId| {
        let (row, _) = house.store.title_for(who, Role::Admin, title).await.unwrap().unwrap();
        row.progress.map(|progress| progress.position_ms)
    };
    assert_eq!(place(&ana.id, &new.title).await, Some(20_000));
    assert_eq!(place(&ben.id, &new.title).await, Some(40_000), "their own, newer place stays");
    assert_eq!(place(&ana.id, &old.title).await, Some(20_000), "and the old film keeps its places for its return");
}

async fn a_scan_of_a_library_that_left(house: &House) {
    let ((films, folder), (other, _)) = (house.library("films").await, house.library("other").await);
    let batch = || vec![found("a", None, Err(Defect::Empty))];
    assert_eq!(house.store.apply_scan(&other, &folder, batch()).await.unwrap().found, 0, "not its folder");
    house.store.delete_library(&films).await.unwrap();
    assert_eq!(house.store.apply_scan(&films, &folder, batch()).await.unwrap().found, 0);
    assert!(house.store.files_of_folder(&folder).await.unwrap().is_empty());
}

async fn pictures(house: &House) {
    let (films, folder) = house.library("films").await;
    let (a, b) = (house.title(&films, &folder, "a").await, house.title(&films, &folder, "b").await);
    house.store.apply_scan(&films, &folder, vec![found("c", None, Err(Defect::NotMedia))]).await.unwrap();
    let waiting = house.store.titles_without_poster(10).await.unwrap();
    assert_eq!(waiting.len(), 2, "nothing can be taken from a broken file");
    assert!(waiting.iter().all(|(title, file)| *title == file.title));
    assert_eq!(house.store.set_poster(&a, "abc").await.unwrap(), Change::Done);
    assert_eq!(house.store.set_poster_failed(&b).await.unwrap(), Change::Done);
    assert!(house.store.titles_without_poster(10).await.unwrap().is_empty());
    let file = waiting.iter().find(|(title, _)| *title == b).unwrap().1.id.clone();
    let facts = Ok(facts(Container::Webm, "vp9", 5));
    let changed = ScanChange::Updated { file, size_bytes: 1, mtime_ns: 2, inode: 3, facts };
    house.store.apply_scan(&films, &folder, vec![changed]).await.unwrap();
    let waiting = house.store.titles_without_poster(10).await.unwrap();
    assert_eq!(waiting.into_iter().map(|(t, _)| t).collect::<Vec<_>>(), [b], "other bytes are another chance");
}
