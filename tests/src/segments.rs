//! Somebody who watches a film in segments, and a look at what of it lies in the house's cache.

use crate::{Answer, House, Person};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

/// One picture of one play.
#[derive(Clone)]
pub struct Picture {
    anybody: Person,
    /// Up to its track.
    base: String,
    pub init: Vec<u8>,
    pub len: u32,
    /// Of the whole play: any player takes it.
    pub url: String,
    who: Person,
    title: String,
    play: String,
}

impl Picture {
    /// Presses play, in this quality where one is said, and takes the list and the init as every
    /// player does.
    pub fn play(house: &House, who: &Person, title: &str, quality: Option<&str>) -> Self {
        Self::try_play(&house.anonymous(), who, title, quality).unwrap_or_else(|answer| panic!("no play: {answer:?}"))
    }

    /// # Errors
    /// The refusal.
    pub fn try_play(anybody: &Person, who: &Person, title: &str, quality: Option<&str>) -> Result<Self, Answer> {
        let form = quality.map_or(json!({}), |quality| json!({ "quality": quality }));
        let started = who.post(&format!("/api/v1/titles/{title}/play"), &form);
        if started.status != 200 {
            return Err(started);
        }
        let text = |name: &str| started.json()[name].as_str().expect("text").to_owned();
        let (url, play) = (text("url"), text("play_id"));
        let anybody = anybody.clone();
        let master = anybody.get(&url);
        if master.status != 200 {
            return Err(master);
        }
        let list = String::from_utf8(master.body).expect("text");
        let track = list.lines().find(|line| !line.starts_with('#') && !line.is_empty()).expect("a picture");
        let base = url.replace("master.m3u8", track.strip_suffix("index.m3u8").expect("a list"));
        let (index, init) = (anybody.get(&format!("{base}index.m3u8")), anybody.get(&format!("{base}init.mp4")));
        if init.status != 200 {
            return Err(init);
        }
        let len = String::from_utf8(index.body).expect("text").matches("#EXTINF").count();
        let len = u32::try_from(len).expect("a film");
        Ok(Self { anybody, base, init: init.body, len, url, who: who.clone(), title: title.into(), play })
    }

    /// The page was closed.
    pub fn close(self) {
        let form = json!({ "position_s": 1.0, "event": "close", "play_id": self.play });
        let told = self.who.put(&format!("/api/v1/titles/{}/progress", self.title), &form);
        assert_eq!(told.status, 204, "{told:?}");
    }

    pub fn get(&self, number: u32) -> Answer {
        self.anybody.get(&format!("{}{number}.m4s", self.base))
    }

    /// A segment, whole.
    pub fn segment(&self, number: u32) -> Vec<u8> {
        let answer = self.get(number);
        assert_eq!(answer.status, 200, "segment {number}: {answer:?}");
        assert!(is_whole(&answer.body), "segment {number} is none");
        answer.body
    }
}

/// Boxes from the first byte to the last, a `moof` and an `mdat` among them.
pub fn is_whole(segment: &[u8]) -> bool {
    let (mut at, mut seen) = (0, vec![]);
    while let Some(head) = segment.get(at..at + 8) {
        let length = u32::from_be_bytes(head[..4].try_into().expect("four bytes")) as usize;
        if length < 8 {
            return false;
        }
        seen.push(&head[4..]);
        at += length;
    }
    at == segment.len() && seen.contains(&&b"moof"[..]) && seen.contains(&&b"mdat"[..])
}

/// Everything below a folder that is a file, with what it takes from the disk.
pub fn files(root: &Path) -> BTreeMap<PathBuf, u64> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        // What is listed may be gone by the time it is looked at.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), about.blocks() * 512);
            }
        }
    }
    found
}

/// The number of a kept segment, from its name. `None` for every other file.
pub fn number(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_suffix(".m4s")?;
    name.split('.').next()?.parse().ok()
}

/// The track of this film that has this segment; two films may both have one of that number.
pub fn track_of(film: &str, number_in: u32, lie: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let tracks = lie.iter().filter(|p| number(p) == Some(number_in)).filter_map(|p| p.parent());
    let of_film = |track: &&Path| {
        let version = track.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.is_some_and(|name| name.split('.').next() == Some(film))
    };
    tracks.filter(of_film).map(Path::to_path_buf).next()
}

/// As if a calibration had found a machine on which everybody may have an encode at once.
pub fn let_everybody_encode(house: &House) {
    let capacity = json!({
        "measured_at_ms": 1, "cores": 64, "decode_cost": 0.01, "encode": [[360, 0.01], [480, 0.01]],
        "tone_map_cost": null, "remux_cost": 0.01, "disk_bytes_per_s": null, "memory_bytes": 1 << 30,
    });
    let change = format!("insert or replace into settings (name, content) values ('capacity', '{capacity}')");
    let done = Command::new("sqlite3")
        .args(["-cmd", ".timeout 10000"])
        .arg(house.data_dir().join("loge.db"))
        .arg(change)
        .status()
        .expect("sqlite3 runs");
    assert!(done.success(), "the capacity is set");
}

/// A small old film that no browser decodes. `picture`: a source of ffmpeg's.
pub fn old_film(path: &Path, picture: &str, seconds: u32) {
    old_film_of(path, picture, seconds, "6M");
}

/// With so many bits a second.
pub fn old_film_of(path: &Path, picture: &str, seconds: u32, rate: &str) {
    let sound = "sine=frequency=220";
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound])
        .args([
            "-t",
            &seconds.to_string(),
            "-c:v",
            "mpeg4",
            "-b:v",
            rate,
            "-g",
            "50",
            "-c:a",
            "libmp3lame",
            "-b:a",
            "64k",
        ])
        .arg(path)
        .status()
        .expect("ffmpeg runs");
    assert!(done.success(), "ffmpeg makes {}", path.display());
}

/// The same film so many times over.
pub fn repeated(from: &Path, to: &Path, times: u32) {
    let done = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-stream_loop", &(times - 1).to_string(), "-i"])
        .arg(from)
        .args(["-c", "copy"])
        .arg(to)
        .status()
        .expect("ffmpeg runs");
    assert!(done.success(), "ffmpeg makes {}", to.display());
}
