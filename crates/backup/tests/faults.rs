//! Disks that are full, processes that are killed in the middle, and files that change meanwhile.

#[expect(dead_code, reason = "shared by several tests")]
mod common;

use common::{House, Key, MADE_AT, about, check, files, names, noise};
use loge_backup::{
    Backup, BackupName, EntryName, Folder, FolderError, HouseTag, KeyWish, Kind, Left, StageError, StageOrder,
    WriteBackupError, finish_or_forget, swap_in, write,
};
use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

const HOUSE: HouseTag = HouseTag(1);

fn order(data_dir: &Path) -> StageOrder<'_> {
    StageOrder { data_dir, now: MADE_AT.parse().unwrap(), key: KeyWish::Take(None), carry: &[] }
}

fn name() -> BackupName {
    BackupName::new(HOUSE, MADE_AT.parse().unwrap(), Kind::Scheduled)
}

/// A disk of 256 KiB, for as long as this lives. `None`, and said so, where tests may not mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let size = Some(c"size=256k");
        match rustix::mount::mount("tmpfs", &path, "tmpfs", rustix::mount::MountFlags::empty(), size) {
            Ok(()) => Some(Self(path)),
            Err(e) => {
                eprintln!("left out: a small disk cannot be mounted here ({e})");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

#[test]
fn a_full_disk_leaves_nothing_of_a_backup() {
    let house = House::new(600_000);
    let Some(disk) = SmallDisk::at(house.path("disk")) else { return };
    let target = disk.0.join("a.loge-backup");
    let refused = write(&target, &about(), &house.inputs(Key::None)).unwrap_err();
    assert!(matches!(refused, WriteBackupError::DiskFull { .. }), "{refused:?}");
    assert!(refused.sentence().contains("not enough room"));
    assert_eq!(names(&disk.0), [""; 0]);
    fs::write(house.path("copy.db"), noise(100_000)).unwrap();
    write(&target, &about(), &house.inputs(Key::None)).expect("the control");
    check(&target).unwrap();
}

#[test]
fn a_full_disk_leaves_nothing_of_a_restore() {
    let house = House::new(600_000);
    let Some(disk) = SmallDisk::at(house.path("disk")) else { return };
    let data = disk.0.join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("loge.db"), b"earlier").unwrap();
    let restore = |backup: &str| Backup::open(&house.path(backup)).unwrap().stage(&order(&data));
    house.back_up("large.loge-backup", Key::None);
    let refused = restore("large.loge-backup").unwrap_err();
    assert!(matches!(refused, StageError::DiskFull { .. }), "{refused:?}");
    // Small files take more room than their sizes say, so this one runs full in the middle.
    fs::write(house.path("copy.db"), b"small").unwrap();
    for number in 0..100 {
        fs::write(house.path(&format!("artwork/{number}.jpg")), b"1").unwrap();
    }
    house.back_up("many.loge-backup", Key::None);
    let refused = restore("many.loge-backup").unwrap_err();
    assert!(matches!(refused, StageError::DiskFull { .. }), "{refused:?}");
    assert_eq!(names(&disk.0), ["data"]);
    assert_eq!(fs::read(data.join("loge.db")).unwrap(), b"earlier");
    fs::remove_dir_all(house.path("artwork")).unwrap();
    fs::create_dir(house.path("artwork")).unwrap();
    house.back_up("few.loge-backup", Key::None);
    restore("few.loge-backup").expect("the control").discard().unwrap();
}

/// A volume of a container cannot be renamed: the restore goes by the way within.
#[test]
fn a_mount_point_is_restored_too() {
    let house = House::new(10_000);
    house.back_up("a.loge-backup", Key::Plain);
    let Some(disk) = SmallDisk::at(house.path("disk")) else { return };
    fs::write(disk.0.join("loge.db"), b"earlier").unwrap();
    let staged = Backup::open(&house.path("a.loge-backup")).unwrap().stage(&order(&disk.0)).unwrap();
    assert_eq!(staged.place(), loge_backup::Place::Within);
    let aside = swap_in(staged).unwrap().aside.unwrap();
    assert_eq!(fs::read(aside.join("loge.db")).unwrap(), b"earlier");
    assert_eq!(fs::read(disk.0.join("database")).unwrap(), noise(10_000));
    assert!(!disk.0.join("loge.db").exists());
    assert_eq!(finish_or_forget(&disk.0).unwrap(), Left::Nothing);
}

#[test]
fn a_copy_to_a_full_disk_leaves_nothing() {
    let house = House::new(600_000);
    house.back_up("a.loge-backup", Key::None);
    let Some(disk) = SmallDisk::at(house.path("disk")) else { return };
    let folder = Folder::claim(&disk.0, [1; 16]).unwrap();
    let refused = folder.copy_in(&house.path("a.loge-backup"), &name()).unwrap_err();
    assert!(matches!(refused, FolderError::DiskFull { .. }), "{refused:?}");
    assert_eq!(names(&disk.0), [".loge-backups"]);
    // The disk is taken out: an empty folder is where it was, and nothing is written there.
    let mark = folder.mark().clone();
    let path = disk.0.clone();
    drop(disk);
    assert!(matches!(folder.copy_in(&house.path("copy.db"), &name()), Err(FolderError::NotThere { .. })));
    assert!(matches!(Folder::open(&path, &mark), Err(FolderError::NotThere { .. })));
    assert_eq!(names(&path), [""; 0]);
}

/// Runs a verb of [`child`] in a process that may write files of so many bytes only. What is larger
/// kills it at that very byte, or, when it does not listen, is refused as on a full disk.
fn limited(verb: &str, root: &Path, most_bytes: usize, is_killed: bool) -> ExitStatus {
    let trap = if is_killed { "" } else { "trap '' XFSZ;" };
    let script = format!("{trap} ulimit -c 0; ulimit -f {}; exec \"$0\" --exact child --quiet", most_bytes / 512);
    #[expect(clippy::disallowed_methods, reason = "a process that can be killed")]
    let mut child = Command::new("sh");
    child.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    child.env("LOGE_VERB", verb).env("LOGE_ROOT", root).output().unwrap().status
}

/// Not a test by itself: what others run to kill it.
#[test]
fn child() {
    let Ok(verb) = std::env::var("LOGE_VERB") else { return };
    let root = PathBuf::from(std::env::var("LOGE_ROOT").unwrap());
    match verb.as_str() {
        "write" => {
            let inputs = loge_backup::Inputs { database: root.join("copy.db"), ..Default::default() };
            let written = write(&root.join("backups").join(name().to_string()), &about(), &inputs);
            assert!(matches!(written, Ok(_) | Err(WriteBackupError::DiskFull { .. })), "{written:?}");
            written.unwrap();
        }
        "stage" => {
            let _ = Backup::open(&root.join("a.loge-backup")).unwrap().stage(&order(&root.join("data"))).unwrap();
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_backup_that_is_killed_at_any_byte_is_never_listed() {
    let house = House::new(200_000);
    fs::create_dir(house.path("backups")).unwrap();
    let folder = Folder::claim(&house.path("backups"), [1; 16]).unwrap();
    for most_bytes in [512, 4096, 40_960, 100_352, 199_680] {
        for is_killed in [true, false] {
            let status = limited("write", house.dir.path(), most_bytes, is_killed);
            assert_eq!((status.success(), status.signal().is_some()), (false, is_killed), "{most_bytes}: {status}");
            assert_eq!(folder.list(HOUSE).unwrap(), []);
            assert_eq!(names(folder.path()).len(), 1 + usize::from(is_killed), "an error clears up, a kill cannot");
            assert_eq!(folder.sweep(HOUSE).unwrap(), usize::from(is_killed));
        }
    }
    // What a kill left is in nobody's way.
    limited("write", house.dir.path(), 4096, true);
    assert!(limited("write", house.dir.path(), 1 << 20, true).success(), "the control");
    assert_eq!(folder.list(HOUSE).unwrap().len(), 1);
    assert_eq!(names(folder.path()).len(), 2);
    check(&folder.path_of(&name())).unwrap();
}

#[test]
fn unpacking_that_is_killed_at_any_byte_leaves_the_house() {
    let house = House::new(200_000);
    house.back_up("a.loge-backup", Key::Plain);
    fs::create_dir(house.path("data")).unwrap();
    fs::write(house.path("data/loge.db"), b"earlier").unwrap();
    let before = files(house.dir.path());
    for most_bytes in [0, 512, 4096, 150_016] {
        let status = limited("stage", house.dir.path(), most_bytes, true);
        assert!(status.signal().is_some(), "{most_bytes}: {status}");
        assert!(house.path(".data.restoring").exists());
        assert_eq!(finish_or_forget(&house.path("data")).unwrap(), Left::Forgotten);
        assert_eq!(files(house.dir.path()), before);
    }
    assert!(limited("stage", house.dir.path(), 1 << 20, true).success(), "the control");
}

#[test]
fn an_input_that_changes_ends_the_backup() {
    let house = House::new(10);
    let mut inputs = house.inputs(Key::None);
    // The kernel gives this file another text of the same length each time it is read.
    inputs.config = Some("/proc/sys/kernel/random/uuid".into());
    let refused = write(&house.path("a.loge-backup"), &about(), &inputs).unwrap_err();
    assert!(matches!(refused, WriteBackupError::Changed { entry: EntryName::Config }), "{refused:?}");
    assert!(!names(house.dir.path()).iter().any(|name| name.contains("loge-backup")));
    inputs.config = Some("/proc/sys/kernel/ostype".into());
    write(&house.path("a.loge-backup"), &about(), &inputs).expect("the control");
}
