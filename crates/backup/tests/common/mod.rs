//! A house to back up, and files made by hand that only look like backups.

use loge_backup::{About, Backup, DatabaseKind, HouseKey, Inputs, Kind, Passphrase, SealingBytes, Written, write};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

pub const MADE_AT: &str = "2026-12-01T03:30:00Z";
pub const PASSPHRASE: &str = "seven quiet evenings";

pub struct House {
    pub dir: tempfile::TempDir,
}

pub enum Key {
    None,
    Plain,
    Sealed,
}

impl House {
    /// `database_bytes` of it do not shrink.
    pub fn new(database_bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("copy.db", &noise(database_bytes));
        write("loge.toml", b"listen = \"0.0.0.0:8096\"\n");
        write("audit/2026-01.jsonl", b"{}\n");
        write("artwork/7/poster.jpg", &noise(700));
        write("artwork/7/empty.jpg", b"");
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn inputs(&self, key: Key) -> Inputs {
        let fresh = SealingBytes { salt: [3; 16], nonce: [4; 24] };
        let sealed =
            || HouseKey::sealed(b"the key of the house", &Passphrase::new(PASSPHRASE).unwrap(), &fresh).unwrap();
        Inputs {
            database: self.path("copy.db"),
            config: Some(self.path("loge.toml")),
            key: match key {
                Key::None => None,
                Key::Plain => Some(HouseKey::plain(b"the key of the house".to_vec())),
                Key::Sealed => Some(sealed()),
            },
            images: Some(br#"[{"name":"loge-worker","digest":"sha256:00"}]"#.to_vec()),
            audit: Some(self.path("audit")),
            artwork: Some(self.path("artwork")),
        }
    }

    pub fn back_up(&self, name: &str, key: Key) -> Written {
        write(&self.path(name), &about(), &self.inputs(key)).unwrap()
    }
}

pub fn about() -> About {
    About {
        program_version: "1.4.0".into(),
        made_at: MADE_AT.parse().unwrap(),
        kind: Kind::Scheduled,
        database: DatabaseKind::Sqlite,
        schema: vec!["m1".into(), "m2".into()],
        counts: BTreeMap::from([("users".into(), 8), ("titles".into(), 50_000)]),
    }
}

/// The same bytes every time, which zstd cannot make smaller.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Every file below a folder, by its name in the folder. Markers of a restore are left out.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                add(&entry.path(), &format!("{name}/"), found);
            } else if name != ".loge-restore.json" {
                found.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(folder, "", &mut found);
    found
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn check(path: &Path) -> Result<loge_backup::Verified, loge_backup::ReadBackupError> {
    Backup::open(path)?.verify()
}

/// A backup written by hand, byte by byte, whose sums are right whatever it holds.
pub struct Forged {
    pub format: u32,
    /// What the manifest says is there: name, size, contents of the sum.
    pub claimed: Vec<(String, u64, Vec<u8>)>,
    /// What is there: raw tar headers with their contents.
    pub lying: Vec<(tar::Header, Vec<u8>)>,
    pub window_log: u32,
    pub tar_end: usize,
    pub after_the_frame: Vec<u8>,
}

impl Forged {
    pub fn honest() -> Self {
        let mut forged =
            Self { format: 1, claimed: vec![], lying: vec![], window_log: 0, tar_end: 1024, after_the_frame: vec![] };
        forged.add("loge.toml", b"x = 1");
        forged.add("database", b"the database");
        forged
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.claim(name, bytes);
        self.lay(name, bytes);
    }

    pub fn claim(&mut self, name: &str, bytes: &[u8]) {
        self.claimed.push((name.into(), bytes.len() as u64, bytes.to_vec()));
    }

    pub fn lay(&mut self, name: &str, bytes: &[u8]) {
        self.lying.push((header(name, bytes.len() as u64, tar::EntryType::Regular), bytes.to_vec()));
    }

    pub fn manifest(&self) -> Vec<u8> {
        let entries: Vec<_> = self
            .claimed
            .iter()
            .map(|(path, size, bytes)| serde_json::json!({ "path": path, "size_bytes": size, "sha256": hex(&Sha256::digest(bytes)) }))
            .collect();
        let key = if self.claimed.iter().any(|(path, ..)| path == "house.key") { "plain" } else { "absent" };
        let manifest = serde_json::json!({
            "format": self.format, "program_version": "9.9.9", "made_at": MADE_AT, "kind": "by_hand",
            "database": "sqlite", "schema": [], "key": key, "counts": {}, "entries": entries,
        });
        manifest.to_string().into_bytes()
    }

    pub fn write(&self, to: &Path) {
        let manifest = self.manifest();
        self.write_with(to, &manifest);
    }

    pub fn write_with(&self, to: &Path, manifest: &[u8]) {
        let mut file = head(self.format, "9.9.9");
        let mut packed = zstd::Encoder::new(Vec::new(), 3).unwrap();
        if self.window_log > 0 {
            packed.window_log(self.window_log).unwrap();
        }
        let mut put = |header: &tar::Header, bytes: &[u8]| {
            packed.write_all(header.as_bytes()).unwrap();
            packed.write_all(bytes).unwrap();
            packed.write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()]).unwrap();
        };
        put(&header("manifest.json", manifest.len() as u64, tar::EntryType::Regular), manifest);
        for (header, bytes) in &self.lying {
            put(header, bytes);
        }
        packed.write_all(&vec![0; self.tar_end]).unwrap();
        file.extend(packed.finish().unwrap());
        file.extend(&self.after_the_frame);
        fs::write(to, end(file, manifest)).unwrap();
    }
}

pub fn head(format: u32, program_version: &str) -> Vec<u8> {
    let text = format!("loge-backup\n{{\"format\":{format},\"program_version\":\"{program_version}\"}}\n");
    [&0x184D_2A50_u32.to_le_bytes(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// Appends a tail that fits.
pub fn end(mut file: Vec<u8>, manifest: &[u8]) -> Vec<u8> {
    file.extend(0x184D_2A51_u32.to_le_bytes());
    file.extend(72_u32.to_le_bytes());
    file.extend(b"loge-end");
    file.extend(Sha256::digest(manifest));
    let whole = Sha256::digest(&file);
    file.extend(whole);
    file
}

pub fn header(name: &str, size: u64, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // Not `set_path`, which refuses what a hostile file has.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o777);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
