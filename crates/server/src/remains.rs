//! A data folder that held a house and has no database any more: what a file-system check or half
//! a restore leaves. Such a house is never taken for a new one by itself.

use base::Dirs;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use store::{Lies, what_lies_at};

/// What is left of a house whose database is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    pub folder: PathBuf,
    /// The file is there and has no bytes.
    pub is_empty_file: bool,
    /// In words for people.
    pub found: Vec<&'static str>,
    /// The newest of the copies Loge made by itself, or what a restore that was cut short left.
    pub newest_copy: Option<PathBuf>,
}

/// What a restore moves the database before it into, and where the new one lies until then.
pub(crate) const BEFORE_RESTORE: &str = "before-restore-";
pub(crate) const RESTORING: &str = "loge.db.restoring";

/// Everything that belongs to one house and not to the next one.
const OF_A_HOUSE: [&str; 10] =
    ["loge.db", "loge.db-wal", "loge.db-shm", "keys", "posters", "looks", "renditions", "segments", "reserve", "audit"];

/// Looks for a house without a database. `None`: there is a database, or there never was a house.
pub(crate) fn look(dirs: &Dirs) -> Option<Remains> {
    let is_empty_file = match what_lies_at(&dirs.database()) {
        Ok(Lies::Nothing) => false,
        Ok(Lies::Empty) => true,
        // What else is there is judged where the database is opened.
        Ok(Lies::Database | Lies::Other) | Err(_) => return None,
    };
    // Keys are made after the database, and the others after the first film.
    let kinds = [
        (dirs.keys(), "keys"),
        (dirs.posters(), "pictures"),
        (dirs.looks(), "subtitles and storyboards"),
        (dirs.renditions(), "prepared versions"),
    ];
    let found: Vec<_> = kinds.into_iter().filter(|(path, _)| holds_something(path)).map(|(_, words)| words).collect();
    let newest_copy = newest_copy(dirs);
    let is_house = !found.is_empty() || newest_copy.is_some();
    is_house.then(|| Remains { folder: dirs.data().into(), is_empty_file, found, newest_copy })
}

fn holds_something(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn newest_copy(dirs: &Dirs) -> Option<PathBuf> {
    let age = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    let within = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let made = within(&dirs.backups()).filter(|path| path.extension().is_some_and(|e| e == "db"));
    // Power that fails in the middle of a restore leaves the database before it, and the copy.
    let is_before = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(BEFORE_RESTORE));
    let before = within(dirs.data()).filter(is_before).map(|folder| folder.join("loge.db"));
    let half = std::iter::once(dirs.data().join(RESTORING));
    let all = made.chain(before).chain(half).filter_map(|path| Some((age(&path)?, path)));
    all.max().map(|(_, path)| path)
}

/// Moves what is left into a folder of its own and answers its path. Copies of the database and
/// the owner's settings stay where they are.
///
/// # Errors
/// When the disk does not do it.
pub(crate) fn move_aside(dirs: &Dirs, now_ms: i64) -> io::Result<PathBuf> {
    let aside = dirs.data().join(format!("earlier-house-{now_ms}"));
    set_aside(dirs.data(), &aside, &OF_A_HOUSE)?;
    Ok(aside)
}

/// Renames those of the files and folders that are there into a new folder.
///
/// # Errors
/// When the disk does not do it.
pub(crate) fn set_aside(folder: &Path, aside: &Path, names: &[&str]) -> io::Result<()> {
    fs::create_dir(aside)?;
    for name in names {
        match fs::rename(folder.join(name), aside.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn folder() -> (tempfile::TempDir, Dirs) {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path());
        for made in [dirs.keys(), dirs.posters(), dirs.looks(), dirs.logs()] {
            fs::create_dir(made).unwrap();
        }
        (dir, dirs)
    }

    #[test]
    fn a_new_folder_holds_no_house() {
        let (_dir, dirs) = folder();
        fs::write(dirs.logs().join("loge.json.log"), b"{}").unwrap();
        assert_eq!(look(&dirs), None);
        fs::write(dirs.database(), b"").unwrap();
        assert_eq!(look(&dirs), None, "a first start that was cut off");
    }

    #[test]
    fn a_house_without_its_database_is_seen() {
        let (_dir, dirs) = folder();
        fs::write(dirs.keys().join("house"), b"key").unwrap();
        let remains = look(&dirs).unwrap();
        assert_eq!((remains.is_empty_file, remains.found.as_slice()), (false, ["keys"].as_slice()));
        fs::write(dirs.database(), b"").unwrap();
        fs::create_dir(dirs.posters().join("ab")).unwrap();
        fs::create_dir(dirs.backups()).unwrap();
        let copy = dirs.backups().join("pre-m2.db");
        fs::write(&copy, b"x").unwrap();
        let remains = look(&dirs).unwrap();
        assert_eq!((remains.is_empty_file, remains.found.as_slice()), (true, ["keys", "pictures"].as_slice()));
        assert_eq!(remains.newest_copy.as_ref(), Some(&copy));
        // The disk's clock may be coarse: the older one is made older.
        fs::File::open(&copy).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let before = dirs.data().join("before-restore-17");
        fs::create_dir(&before).unwrap();
        fs::write(before.join("loge.db"), b"x").unwrap();
        assert_eq!(look(&dirs).unwrap().newest_copy, Some(before.join("loge.db")));
        fs::write(dirs.database(), b"SQLite format 3\0").unwrap();
        assert_eq!(look(&dirs), None, "the control: with a database it is a house");
    }

    #[test]
    fn what_is_left_is_moved_and_not_deleted() {
        let (_dir, dirs) = folder();
        fs::write(dirs.keys().join("house"), b"key").unwrap();
        fs::write(dirs.database(), b"").unwrap();
        fs::write(dirs.config_file(), b"listen = \"127.0.0.1:1\"").unwrap();
        let aside = move_aside(&dirs, 17).unwrap();
        assert_eq!(fs::read(aside.join("keys/house")).unwrap(), b"key");
        assert!(aside.join("loge.db").exists() && !dirs.database().exists() && !dirs.keys().exists());
        assert!(dirs.config_file().exists());
        assert_eq!(look(&dirs), None);
    }
}
