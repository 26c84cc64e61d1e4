//! Backups made by somebody who wants to write elsewhere, or to fill the disk. All their sums are right.

#[expect(dead_code, reason = "shared by several tests")]
mod common;

use common::{Forged, House, MADE_AT, files, header, names};
use loge_backup::{Backup, KeyWish, ReadBackupError, StageError, StageOrder};
use std::{collections::BTreeMap, fs};
use tar::EntryType;

/// Restores a forged backup as far as it goes; answers the error, after looking that nothing was left.
fn refused(what: &str, forged: &Forged) -> StageError {
    let house = House::new(10);
    let path = house.path("forged.loge-backup");
    forged.write(&path);
    let before = (names(house.dir.path()), files(house.dir.path()));
    let data_dir = &house.path("data");
    let order = StageOrder { data_dir, now: MADE_AT.parse().unwrap(), key: KeyWish::Take(None), carry: &[] };
    let backup = match Backup::open(&path) {
        Ok(backup) => backup,
        Err(e) => return e.into(),
    };
    assert!(backup.verify().is_err(), "{what}: verifying finds it too");
    let error = backup.stage(&order).expect_err(what);
    assert_eq!((names(house.dir.path()), files(house.dir.path())), before, "{what}: nothing is left");
    error
}

fn assert_damaged(what: &str, forged: &Forged) {
    let error = refused(what, forged);
    assert!(matches!(error, StageError::Read(ReadBackupError::Damaged { .. })), "{what}: {error:?}");
}

#[test]
fn an_honest_one_is_taken() {
    let house = House::new(10);
    let path = house.path("forged.loge-backup");
    Forged::honest().write(&path);
    let data_dir = &house.path("data");
    let order = StageOrder { data_dir, now: MADE_AT.parse().unwrap(), key: KeyWish::Take(None), carry: &[] };
    let staged = Backup::open(&path).unwrap().stage(&order).unwrap();
    let expected: BTreeMap<_, _> = [("database", b"the database".to_vec()), ("loge.toml", b"x = 1".to_vec())]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into();
    assert_eq!(files(staged.folder()), expected);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../escaped",
        "artwork/../../escaped",
        "/tmp/loge-escaped",
        "artwork//x",
        "./database",
        "artwork/.hidden",
        "artwork/a\\..\\b",
        "artwork/",
        "extra",
        "manifest.json",
        "loge.db",
        "artwork/é",
    ] {
        let mut forged = Forged::honest();
        forged.add(name, b"hostile");
        assert_damaged(name, &forged);
        // In the archive alone.
        let mut forged = Forged::honest();
        forged.lay(name, b"hostile");
        assert_damaged(name, &forged);
        // The manifest has a good name for it.
        let mut forged = Forged::honest();
        forged.claim("artwork/good", b"hostile");
        forged.lay(name, b"hostile");
        assert_damaged(name, &forged);
    }
}

#[test]
fn nothing_but_plain_files_is_unpacked() {
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNUSparse,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
        EntryType::Continuous,
        EntryType::new(b'?'),
    ] {
        for bytes in [b"".as_slice(), b"/etc/passwd"] {
            let mut forged = Forged::honest();
            forged.claim("artwork/a", bytes);
            let mut entry = header("artwork/a", bytes.len() as u64, kind);
            entry.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
            entry.set_cksum();
            forged.lying.push((entry, bytes.to_vec()));
            assert_damaged(&format!("{kind:?}"), &forged);
            // In front of an honest entry, which it would rename or resize for other programs.
            let mut forged = Forged::honest();
            forged.lying.insert(1, (header("x", bytes.len() as u64, kind), bytes.to_vec()));
            assert_damaged(&format!("{kind:?} in front"), &forged);
        }
    }
}

#[test]
fn names_twice_are_refused() {
    let mut twice = Forged::honest();
    twice.add("database", b"another");
    assert_damaged("twice", &twice);
    let mut letter_case = Forged::honest();
    letter_case.add("artwork/a", b"1");
    letter_case.add("artwork/A", b"2");
    assert_damaged("letter case", &letter_case);
    let mut folder = Forged::honest();
    folder.add("artwork/a", b"1");
    folder.add("artwork/a/b", b"2");
    assert_damaged("file and folder", &folder);
    let mut order = Forged::honest();
    order.lying.swap(0, 1);
    assert_damaged("another order", &order);
    let mut missing = Forged::honest();
    missing.lying.pop();
    assert_damaged("missing", &missing);
    let mut no_database = Forged::honest();
    no_database.claimed.pop();
    no_database.lying.pop();
    assert_damaged("no database", &no_database);
}

#[test]
fn sizes_that_lie_are_refused() {
    let big = vec![0; 5 << 20];
    let mut bomb = Forged::honest();
    bomb.claim("artwork/a", b"small");
    bomb.lay("artwork/a", &big);
    assert_damaged("more than the manifest says", &bomb);
    let mut less = Forged::honest();
    less.claim("artwork/a", &big);
    less.lay("artwork/a", b"small");
    assert_damaged("less than the manifest says", &less);
    let mut absurd = Forged::honest();
    absurd.claimed[0].1 = 1 << 40;
    assert_damaged("settings of a terabyte", &absurd);
    let mut other = Forged::honest();
    other.claimed[1].2 = b"the databasf".to_vec();
    assert_damaged("another sum", &other);
    let mut header_lies = Forged::honest();
    header_lies.lying[1].0.set_size(u64::MAX / 2);
    header_lies.lying[1].0.set_cksum();
    assert_damaged("a header of eight exabytes", &header_lies);
    let mut bad_sum = Forged::honest();
    bad_sum.lying[1].0.set_mode(0);
    assert_damaged("a header with a wrong sum of its own", &bad_sum);
}

/// The manifest and the archive agree on more than any disk holds: refused before a byte is written.
#[test]
fn a_bomb_that_admits_it_finds_no_room() {
    let mut bomb = Forged::honest();
    bomb.claimed[1].1 = 1 << 40;
    bomb.lying[1].0.set_size(1 << 40);
    bomb.lying[1].0.set_cksum();
    let error = refused("a terabyte", &bomb);
    let StageError::DiskFull { needed_bytes, free_bytes, .. } = &error else { panic!("{error:?}") };
    assert!(*needed_bytes > 1 << 40 && free_bytes < needed_bytes);
    assert!(error.sentence().contains("not enough room"));
}

#[test]
fn what_lies_outside_the_archive_is_refused() {
    let mut more = Forged::honest();
    more.after_the_frame = zstd::encode_all(b"more".as_slice(), 3).unwrap();
    assert_damaged("a second frame", &more);
    for tar_end in [0, 512, 1536, 1 << 20] {
        let mut end = Forged::honest();
        end.tar_end = tar_end;
        assert_damaged(&format!("{tar_end} bytes of end"), &end);
    }
}

/// A window of a gigabyte would be a gigabyte of memory.
#[test]
fn a_huge_window_is_refused() {
    let mut huge = Forged::honest();
    huge.window_log = 27;
    let error = refused("128 MiB", &huge);
    assert!(matches!(error, StageError::Read(ReadBackupError::Damaged { .. })), "{error:?}");
    let house = House::new(10);
    let mut bearable = Forged::honest();
    bearable.window_log = 22;
    bearable.write(&house.path("x"));
    Backup::open(&house.path("x")).unwrap().verify().expect("the control");
    assert!(fs::metadata(house.path("x")).unwrap().len() < 2000);
}
