//! Files that are not what was written: every one gets an error, none gives wrong data.

#[expect(dead_code, reason = "shared by several tests")]
mod common;

use common::{Forged, House, Key, MADE_AT, check, end, head, names, noise};
use loge_backup::{Backup, KeyWish, Newer, ReadBackupError, StageError, StageOrder};
use std::fs;

const NAME: &str = "a.loge-backup";

fn small_house() -> (House, Vec<u8>) {
    let house = House::new(2000);
    house.back_up(NAME, Key::Plain);
    let bytes = fs::read(house.path(NAME)).unwrap();
    (house, bytes)
}

#[test]
fn a_damaged_byte_anywhere_is_found() {
    let (house, whole) = small_house();
    let path = house.path("damaged");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        let found = check(&path);
        assert!(found.is_err(), "byte {at} of {} was changed, and nobody saw it", whole.len());
    }
    fs::write(&path, &whole).unwrap();
    check(&path).expect("the control");
}

#[test]
fn damage_names_the_entry_and_stops_the_restore() {
    let house = House::new(400_000);
    house.back_up(NAME, Key::None);
    let mut bytes = fs::read(house.path(NAME)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(house.path(NAME), &bytes).unwrap();
    let backup = Backup::open(&house.path(NAME)).expect("the manifest is whole");
    let found = backup.verify().unwrap_err();
    assert!(matches!(&found, ReadBackupError::Damaged { part } if part == "database"), "{found:?}");
    assert_eq!(found.sentence(), "This backup is damaged (in database). Use another one.");
    let data_dir = &house.path("data");
    let order = StageOrder { data_dir, now: MADE_AT.parse().unwrap(), key: KeyWish::Take(None), carry: &[] };
    let before = names(house.dir.path());
    assert!(matches!(backup.stage(&order), Err(StageError::Read(ReadBackupError::Damaged { .. }))));
    assert_eq!(names(house.dir.path()), before, "nothing of it is left");
}

#[test]
fn a_file_that_ends_anywhere_is_half_a_backup() {
    let (house, whole) = small_house();
    let path = house.path("cut");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let found = check(&path);
        assert!(matches!(found, Err(ReadBackupError::Half)), "{len} of {}: {found:?}", whole.len());
    }
    fs::write(&path, [&whole, b"\n".as_slice()].concat()).unwrap();
    assert!(matches!(check(&path), Err(ReadBackupError::Half)), "something follows");
    // Two copies into one file: its end is right, and what is before it is not.
    fs::write(&path, [&whole[..], &whole].concat()).unwrap();
    assert!(check(&path).is_err());
    fs::write(&path, &whole).unwrap();
    check(&path).expect("the control");
}

#[test]
fn other_files_are_foreign() {
    let (house, whole) = small_house();
    let path = house.path("other");
    let zipped = zstd::encode_all(noise(1000).as_slice(), 3).unwrap();
    for other in [
        b"SQLite format 3\0".to_vec(),
        b"PK\x03\x04".to_vec(),
        noise(100_000),
        zipped,
        whole[1..].to_vec(),
        vec![0; 4096],
    ] {
        fs::write(&path, other).unwrap();
        let found = check(&path);
        assert!(matches!(found, Err(ReadBackupError::Foreign)), "{found:?}");
    }
    assert!(matches!(Backup::open(house.dir.path()), Err(ReadBackupError::Foreign)), "a folder");
    assert!(matches!(Backup::open(&house.path("absent")), Err(ReadBackupError::Open { .. })));
}

#[test]
fn a_newer_form_and_a_newer_schema_name_the_version_they_need() {
    let (house, _) = small_house();
    let path = house.path("newer");
    // Of a form of the future only the head is known.
    fs::write(&path, [head(2, "3.0.0"), noise(500)].concat()).unwrap();
    let found = Backup::open(&path).unwrap_err();
    assert!(
        matches!(&found, ReadBackupError::Newer { what: Newer::Format, program_version } if program_version == "3.0.0"),
        "{found:?}"
    );
    assert!(found.sentence().contains("Install Loge 3.0.0 or newer"));
    let backup = Backup::open(&house.path(NAME)).unwrap();
    let found = backup.refuse_newer_schema(&["m1"]).unwrap_err();
    assert!(
        matches!(&found, ReadBackupError::Newer { what: Newer::Schema, program_version } if program_version == "1.4.0"),
        "{found:?}"
    );
    backup.refuse_newer_schema(&["m1", "m2", "m3"]).expect("the control");
}

#[test]
fn a_manifest_that_is_none_is_damage() {
    let house = House::new(10);
    let path = house.path("forged");
    let forged = Forged::honest();
    forged.write(&path);
    check(&path).expect("the control");
    let good = String::from_utf8(forged.manifest()).unwrap();
    for (what, text) in [
        ("not JSON", "database".to_owned()),
        ("empty", String::new()),
        ("an unknown word", good.replace("\"counts\"", "\"count\"")),
        ("another format inside", good.replace("\"format\":1", "\"format\":0")),
        ("another version inside", good.replace("9.9.9", "9.9.8")),
        ("a sum that is none", good.replacen("\"sha256\":\"", "\"sha256\":\"x", 1)),
        ("a negative size", good.replacen("\"size_bytes\":", "\"size_bytes\":-", 1)),
        ("very deep", "[".repeat(100_000)),
    ] {
        assert_ne!(text, good, "{what}");
        forged.write_with(&path, text.as_bytes());
        let found = Backup::open(&path);
        assert!(matches!(found, Err(ReadBackupError::Damaged { .. })), "{what}: {found:?}");
    }
    // Right bytes under a tail of other bytes.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, end(whole[..whole.len() - 80].to_vec(), b"other")).unwrap();
    assert!(matches!(Backup::open(&path), Err(ReadBackupError::Damaged { .. })));
}
