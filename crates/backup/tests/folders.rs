//! Folders as places backups go to.

#[expect(dead_code, reason = "shared by several tests")]
mod common;

use common::{House, Key, MADE_AT, check, names};
use loge_backup::{BackupName, Folder, FolderError, FolderMark, HouseTag, Kind, Listed};
use std::{fs, os::unix::fs::symlink};

const OURS: HouseTag = HouseTag(0xA);
const OTHERS: HouseTag = HouseTag(0xB);

fn name(house: HouseTag, made_at: &str, kind: Kind) -> BackupName {
    BackupName::new(house, made_at.parse().unwrap(), kind)
}

#[test]
fn a_copy_is_whole_and_listed() {
    let house = House::new(50_000);
    house.back_up("a.loge-backup", Key::Plain);
    fs::create_dir(house.path("backups")).unwrap();
    let folder = Folder::claim(&house.path("backups"), [1; 16]).unwrap();
    let (second, first) = (name(OURS, MADE_AT, Kind::ByHand), name(OURS, "2026-11-30T03:30:00Z", Kind::Scheduled));
    for name in [&second, &first] {
        folder.copy_in(&house.path("a.loge-backup"), name).unwrap();
        check(&folder.path_of(name)).unwrap();
    }
    let size_bytes = fs::metadata(house.path("a.loge-backup")).unwrap().len();
    let listed = folder.list(OURS).unwrap();
    assert_eq!(listed, [Listed { name: first, size_bytes }, Listed { name: second, size_bytes }], "oldest first");
    let refused = folder.copy_in(&house.path("copy.db"), &first);
    assert!(matches!(refused, Err(FolderError::Exists { .. })), "{refused:?}");
    check(&folder.path_of(&first)).expect("it is as it was");
    folder.delete(&first).unwrap();
    folder.delete(&first).expect("gone already");
    assert_eq!(names(folder.path()), [".loge-backups".to_owned(), second.to_string()]);
}

#[test]
fn nothing_but_whole_backups_of_this_house_is_listed_or_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::claim(dir.path(), [1; 16]).unwrap();
    let (ours, theirs) = (name(OURS, MADE_AT, Kind::Scheduled), name(OTHERS, MADE_AT, Kind::Scheduled));
    let put = |name: &str| fs::write(dir.path().join(name), b"x").unwrap();
    put(&theirs.to_string());
    put(&format!(".{ours}.part"));
    put(&format!(".{theirs}.part"));
    put(&format!("copy of {ours}"));
    put("films.loge-backup");
    fs::create_dir(dir.path().join(name(OURS, "2026-01-01T00:00:00Z", Kind::ByHand).to_string())).unwrap();
    symlink("/etc/passwd", dir.path().join(name(OURS, "2026-01-02T00:00:00Z", Kind::ByHand).to_string())).unwrap();
    let before = names(dir.path());
    assert_eq!(folder.list(OURS).unwrap(), []);
    assert_eq!(folder.sweep(OURS).unwrap(), 1);
    let after: Vec<_> = before.into_iter().filter(|name| *name != format!(".{ours}.part")).collect();
    assert_eq!(names(dir.path()), after);
    put(&ours.to_string());
    assert_eq!(folder.list(OURS).unwrap().len(), 1, "the control");
}

#[test]
fn a_folder_that_is_away_or_another_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (here, away) = (dir.path().join("disk"), dir.path().join("away"));
    assert!(matches!(Folder::claim(&here, [1; 16]), Err(FolderError::NotThere { .. })), "it is not made");
    fs::create_dir(&here).unwrap();
    let folder = Folder::claim(&here, [1; 16]).unwrap();
    let mark = FolderMark::parse(folder.mark().as_str()).unwrap();
    let again = Folder::claim(&here, [2; 16]).unwrap();
    assert_eq!(again.mark(), &mark, "a marked folder keeps its mark");
    Folder::open(&here, &mark).expect("the control");

    fs::rename(&here, &away).unwrap();
    let gone = folder.list(OURS).unwrap_err();
    assert!(matches!(gone, FolderError::NotThere { .. }));
    assert!(gone.sentence().contains("Loge tries again"));
    fs::create_dir(&here).unwrap();
    assert!(matches!(folder.free_bytes(), Err(FolderError::NotThere { .. })), "an empty mount point");
    Folder::claim(&here, [3; 16]).unwrap();
    assert!(matches!(Folder::open(&here, &mark), Err(FolderError::Another { .. })), "another disk");
    fs::write(here.join(".loge-backups"), b"").unwrap();
    assert!(matches!(Folder::open(&here, &mark), Err(FolderError::Another { .. })), "a mark that is none");

    // Under another name, as a disk that is mounted elsewhere, it is the same.
    assert!(Folder::open(&away, &mark).unwrap().free_bytes().unwrap() > 0);
}
