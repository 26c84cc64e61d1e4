//! What goes in comes out.

#[expect(dead_code, reason = "shared by several tests")]
mod common;

use common::{House, Key, MADE_AT, PASSPHRASE, about, check, files, names, noise};
use loge_backup::{
    Backup, EntryName, KeyState, KeyWish, Kind, Passphrase, StageError, StageOrder, UnsealKeyError, WriteBackupError,
    write,
};
use std::{collections::BTreeMap, fs, io::Read, os::unix::fs::PermissionsExt, path::Path};

const NAME: &str = "a.loge-backup";

fn order<'a>(data_dir: &'a Path, key: KeyWish<'a>) -> StageOrder<'a> {
    StageOrder { data_dir, now: MADE_AT.parse().unwrap(), key, carry: &[] }
}

fn whole(house: &House, key: Option<&[u8]>) -> BTreeMap<String, Vec<u8>> {
    let mut expected = BTreeMap::from([
        ("database".to_owned(), fs::read(house.path("copy.db")).unwrap()),
        ("loge.toml".to_owned(), fs::read(house.path("loge.toml")).unwrap()),
        ("images.json".to_owned(), house.inputs(Key::None).images.unwrap()),
    ]);
    for folder in ["audit", "artwork"] {
        expected
            .extend(files(&house.path(folder)).into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
    }
    expected.extend(key.map(|key| ("house.key".to_owned(), key.to_vec())));
    expected
}

#[test]
fn everything_comes_back_byte_for_byte() {
    let house = House::new(300_000);
    for (key, state, expected) in [
        (Key::None, KeyState::Absent, None),
        (Key::Plain, KeyState::Plain, Some(b"the key of the house".as_slice())),
        (Key::Sealed, KeyState::Sealed, Some(b"the key of the house".as_slice())),
    ] {
        let written = house.back_up(NAME, key);
        let backup = Backup::open(&house.path(NAME)).unwrap();
        assert_eq!(*backup.manifest(), written.manifest);
        assert_eq!(backup.size_bytes(), fs::metadata(house.path(NAME)).unwrap().len());
        assert_eq!((backup.manifest().key, backup.manifest().kind), (state, Kind::Scheduled));
        assert_eq!(backup.manifest().counts["titles"], 50_000);
        let verified = backup.verify().unwrap();
        assert_eq!(verified.entries, written.manifest.entries.len());
        assert_eq!(verified.unpacked_bytes, written.manifest.unpacked_bytes());

        let passphrase = Passphrase::new(PASSPHRASE).unwrap();
        let staged = backup.stage(&order(&house.path("data"), KeyWish::Take(Some(&passphrase)))).unwrap();
        assert_eq!(files(staged.folder()), whole(&house, expected));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(staged.folder()), mode(&staged.folder().join("database"))), (0o700, 0o600));
        assert_eq!(mode(&house.path(NAME)), 0o600);
        staged.discard().unwrap();
        fs::remove_file(house.path(NAME)).unwrap();
    }
    assert_eq!(names(house.dir.path()), ["artwork", "audit", "copy.db", "loge.toml"], "nothing else is left");
}

#[test]
fn a_sealed_key_is_not_in_the_file_and_needs_its_passphrase() {
    let house = House::new(1000);
    house.back_up(NAME, Key::Sealed);
    let backup = Backup::open(&house.path(NAME)).unwrap();
    let data = house.path("data");
    let stage = |key| backup.stage(&order(&data, key));
    let other = Passphrase::new("seven quiet evening").unwrap();
    assert!(matches!(stage(KeyWish::Take(None)), Err(StageError::Key(UnsealKeyError::PassphraseNeeded))));
    assert!(matches!(stage(KeyWish::Take(Some(&other))), Err(StageError::Key(UnsealKeyError::WrongPassphrase))));
    assert_eq!(names(house.dir.path()), [NAME, "artwork", "audit", "copy.db", "loge.toml"], "nothing is left");
    let without = stage(KeyWish::LeaveOut).unwrap();
    assert_eq!(files(without.folder()), whole(&house, None));
    without.discard().unwrap();
    // The control: with the right one it opens, and a plain one lies there to be read.
    let right = Passphrase::new(PASSPHRASE).unwrap();
    let staged = stage(KeyWish::Take(Some(&right))).unwrap();
    assert_eq!(files(staged.folder()), whole(&house, Some(b"the key of the house")));
    let is_in = |name: &str| unpacked(&house.path(name)).windows(20).any(|bytes| bytes == b"the key of the house");
    assert!(!is_in(NAME));
    house.back_up("plain.loge-backup", Key::Plain);
    assert!(is_in("plain.loge-backup"));
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn it_is_a_zstd_tar_for_other_programs_too() {
    let house = House::new(10_000);
    house.back_up(NAME, Key::Plain);
    let bytes = unpacked(&house.path(NAME));
    let mut tar = tar::Archive::new(bytes.as_slice());
    let found: Vec<_> = tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(
        found,
        [
            "manifest.json",
            "house.key",
            "loge.toml",
            "images.json",
            "database",
            "audit/2026-01.jsonl",
            "artwork/7/empty.jpg",
            "artwork/7/poster.jpg"
        ]
    );
}

#[test]
fn a_backup_is_never_written_over_another_file() {
    let house = House::new(1000);
    fs::write(house.path(NAME), b"mine").unwrap();
    let refused = write(&house.path(NAME), &about(), &house.inputs(Key::None));
    assert!(matches!(refused, Err(WriteBackupError::Exists { .. })), "{refused:?}");
    assert_eq!(fs::read(house.path(NAME)).unwrap(), b"mine");
}

#[test]
fn what_cannot_be_put_in_is_named_and_nothing_is_left() {
    let house = House::new(1000);
    let refused = |why: &str| {
        let error = write(&house.path(NAME), &about(), &house.inputs(Key::None)).unwrap_err();
        assert!(!names(house.dir.path()).iter().any(|name| name.contains(NAME)), "{why}");
        error
    };
    std::os::unix::fs::symlink("/etc/passwd", house.path("artwork/link.jpg")).unwrap();
    assert!(matches!(refused("a link"), WriteBackupError::Unfit { path } if path.ends_with("link.jpg")));
    fs::remove_file(house.path("artwork/link.jpg")).unwrap();
    fs::write(house.path("artwork/with space.jpg"), b"").unwrap();
    assert!(matches!(refused("a name"), WriteBackupError::Unfit { path } if path.ends_with("with space.jpg")));
    fs::remove_file(house.path("artwork/with space.jpg")).unwrap();
    fs::write(house.path("loge.toml"), noise((1 << 20) + 1)).unwrap();
    assert!(matches!(refused("size"), WriteBackupError::TooLarge { entry: EntryName::Config }));
    fs::write(house.path("loge.toml"), b"").unwrap();
    fs::rename(house.path("copy.db"), house.path("copy.away")).unwrap();
    assert!(matches!(refused("absence"), WriteBackupError::ReadInput { path, .. } if path.ends_with("copy.db")));
    fs::rename(house.path("copy.away"), house.path("copy.db")).unwrap();
    house.back_up(NAME, Key::None);
    check(&house.path(NAME)).expect("the control");
}
