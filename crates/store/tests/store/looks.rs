use crate::house::{House, facts, found, on_both};
use domain::facts::{Container, SubtitleFacts};
use domain::{FileId, LibraryId, Role, TitleId};
use store::{Beside, FIRST_BESIDE, NewBeside, ScanChange, Storyboard, SubtitleState};

on_both!(storyboards_follow_the_bytes, subtitles_inside_and_beside);

fn board(version: &str) -> Storyboard {
    Storyboard {
        version: version.into(),
        tile_width: 240,
        tile_height: 136,
        tiles_across: 5,
        tiles_down: 5,
        sheets: 2,
        times_ms: vec![0, 9_960, 20_040],
    }
}

fn track(codec: &str) -> SubtitleFacts {
    SubtitleFacts {
        codec: codec.into(),
        language: Some("ger".into()),
        title: None,
        forced: true,
        default: true,
        hearing_impaired: false,
    }
}

async fn film(house: &House) -> (LibraryId, domain::FolderId, TitleId, FileId) {
    let (library, folder) = house.library("films").await;
    let mut facts = facts(Container::Mkv, "h264", 60_000);
    facts.subtitles = vec![track("subrip"), track("hdmv_pgs_subtitle")];
    house.store.apply_scan(&library, &folder, vec![found("a", None, Ok(facts))]).await.unwrap();
    let file = house.store.files_of_folder(&folder).await.unwrap().remove(0);
    (library, folder, file.title, file.id)
}

fn changed(file: &FileId) -> ScanChange {
    ScanChange::Updated {
        file: file.clone(),
        size_bytes: 1,
        mtime_ns: 1,
        inode: 1,
        facts: Ok(facts(Container::Mkv, "h264", 60_000)),
    }
}

async fn storyboards_follow_the_bytes(house: &House) {
    let (library, folder, title, file) = film(house).await;
    assert_eq!(house.store.storyboard_of(&title).await.unwrap(), None);
    assert_eq!(house.store.titles_without_storyboard(9).await.unwrap().len(), 1);
    house.store.set_storyboard(&title, None).await.unwrap();
    assert_eq!(house.store.storyboard_of(&title).await.unwrap(), None, "failed is not there");
    assert!(house.store.titles_without_storyboard(9).await.unwrap().is_empty(), "and is not tried again");
    house.store.set_storyboard(&title, Some(&board("one"))).await.unwrap();
    assert_eq!(house.store.storyboard_of(&title).await.unwrap(), Some(board("one")));
    house.store.apply_scan(&library, &folder, vec![changed(&file)]).await.unwrap();
    assert_eq!(house.store.storyboard_of(&title).await.unwrap(), None, "the bytes are others");
    assert_eq!(house.store.titles_without_storyboard(9).await.unwrap().len(), 1);
    let gone = TitleId::from_random([7; 16]);
    house.store.set_storyboard(&gone, Some(&board("x"))).await.unwrap();
    assert_eq!(house.store.storyboard_of(&gone).await.unwrap(), None);
    house.store.set_storyboard(&title, Some(&board("two"))).await.unwrap();
    house.store.delete_library(&library).await.unwrap();
    assert_eq!(house.store.storyboard_of(&title).await.unwrap(), None);
}

fn beside(name: &[u8], mtime_ns: i64) -> NewBeside {
    NewBeside {
        file: Beside { path: name.to_vec(), size_bytes: 10, mtime_ns },
        codec: "subrip".into(),
        language: Some("de".into()),
        title: None,
        forced: false,
        default: false,
        hearing_impaired: false,
    }
}

async fn subtitles_inside_and_beside(house: &House) {
    let (library, folder, title, file) = film(house).await;
    let owner = house.user("owner", Role::Admin).await;
    assert!(house.store.title_for(&owner.id, Role::Admin, &title).await.unwrap().is_some());
    let scan = async |changes| house.store.apply_scan(&library, &folder, changes).await.unwrap();
    let look = async || {
        let list = house.store.subtitles_of(&file).await.unwrap();
        list.into_iter().map(|s| (s.number, s.state, s.beside.map(|b| b.path))).collect::<Vec<_>>()
    };
    use SubtitleState::{Failed, Picture, Ready, Waiting};
    assert_eq!(look().await, [(0, Waiting, None), (1, Picture, None)]);
    let first = house.store.subtitles_of(&file).await.unwrap().remove(0);
    assert!(first.forced && first.default && first.can_be_shown() && first.language.as_deref() == Some("ger"));
    assert_eq!(house.store.files_with_waiting_tracks(9).await.unwrap().len(), 1);
    house.store.set_subtitle_states(&file, &[(0, Ready), (1, Picture)]).await.unwrap();
    assert!(house.store.files_with_waiting_tracks(9).await.unwrap().is_empty());

    let (a, b): (&[u8], &[u8]) = (b"a.de.srt", b"a.\xff.srt");
    let list = |subtitles| vec![ScanChange::Beside { path: b"a.mp4".to_vec(), subtitles }];
    assert_eq!(scan(list(vec![beside(a, 1), beside(b, 1)])).await.titles, std::slice::from_ref(&title));
    assert!(scan(list(vec![beside(a, 1), beside(b, 1)])).await.titles.is_empty(), "nothing new, nobody is told");
    let known = house.store.besides_of_folder(&folder).await.unwrap();
    assert_eq!(known[&b"a.mp4"[..]].len(), 2);
    let (n, m) = (FIRST_BESIDE, FIRST_BESIDE + 1);
    assert_eq!(look().await[2..], [(n, Waiting, Some(a.to_vec())), (m, Waiting, Some(b.to_vec()))]);
    assert_eq!(house.store.files_with_waiting_beside(9).await.unwrap().len(), 1);
    house.store.set_subtitle_states(&file, &[(n, Ready), (m, Failed), (400, Ready)]).await.unwrap();
    assert!(house.store.files_with_waiting_beside(9).await.unwrap().is_empty());
    scan(list(vec![beside(b, 2)])).await;
    assert_eq!(look().await[2..], [(m, Waiting, Some(b.to_vec()))], "one left, one changed and kept its number");
    scan(vec![ScanChange::Beside { path: b"nobody.mp4".to_vec(), subtitles: vec![beside(a, 1)] }]).await;
    scan(vec![changed(&file)]).await;
    assert_eq!(look().await, [(m, Waiting, Some(b.to_vec()))], "its tracks are others, its neighbours are not");
    house.store.set_subtitle_states(&FileId::from_random([9; 16]), &[(0, Ready)]).await.unwrap();
    house.store.delete_library(&library).await.unwrap();
    assert!(look().await.is_empty());
}
