//! Copies of machines below a temporary folder, planted from `tests/hosts/*.txt`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};
use tempfile::TempDir;

pub const REAL_MACHINES: &[&str] = &["old-i5", "spinning", "nvme", "laptop"];
pub const ALL: &[&str] = &["old-i5", "spinning", "nvme", "laptop", "virtual", "container"];

#[derive(Debug)]
pub struct Host {
    folder: TempDir,
}

#[derive(Debug)]
enum Entry {
    File(String),
    Link(String),
    Folder,
}

/// Everything below a folder: text of files, targets of links, and the mode of what Loge may make.
pub type Tree = BTreeMap<PathBuf, String>;

impl Host {
    pub fn plant(name: &str) -> Self {
        let mut entries = parse("base");
        entries.extend(parse(name));
        let folder = in_memory().expect("a temporary folder");
        for (path, entry) in &entries {
            let path = folder.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            match entry {
                Entry::File(text) => fs::write(path, text).expect("written"),
                Entry::Link(target) => symlink(target, path).expect("linked"),
                Entry::Folder => fs::create_dir_all(path).expect("made"),
            }
        }
        Self { folder }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Asserts that everything below the host is as it was, and names only what is not.
    #[track_caller]
    pub fn assert_is(&self, before: &Tree, context: &str) {
        let after = self.tree();
        let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let other: Vec<_> = paths
            .into_iter()
            .map(|path| (path, before.get(path), after.get(path)))
            .filter(|(_, b, a)| b != a)
            .collect();
        assert!(other.is_empty(), "{context}: (path, before, after) {other:#?}");
    }

    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        collect(self.root(), self.root(), &mut tree);
        tree
    }
}

/// Makes a folder in memory where there is such a place: hundreds of rounds that wait for a disk to
/// have every file take minutes.
fn in_memory() -> io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = path.symlink_metadata().expect("its kind");
        let mode = kind.permissions().mode() & 0o777;
        let content = if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).expect("a target").display())
        } else if kind.is_dir() {
            collect(root, &path, tree);
            format!("{mode:o} folder")
        } else {
            format!("{mode:o} {}", fs::read_to_string(&path).expect("a text"))
        };
        tree.insert(path.strip_prefix(root).expect("below the root").into(), content);
    }
}

fn parse(name: &str) -> BTreeMap<String, Entry> {
    let path = format!("{}/tests/hosts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).expect("a host");
    let mut entries = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((path, target)) = line.split_once(" -> ") {
            entries.insert(path.into(), Entry::Link(target.into()));
        } else if let Some((path, value)) = line.split_once(" =") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match entries.entry(path.into()).or_insert(Entry::File(String::new())) {
                Entry::File(text) => *text += &format!("{value}\n"),
                other => panic!("{path} is {other:?} already"),
            }
        } else {
            entries.insert(line.trim_end_matches('/').into(), Entry::Folder);
        }
    }
    entries
}
