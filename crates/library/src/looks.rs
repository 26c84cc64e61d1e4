//! What was made of films ahead of time or on demand, as files below the data folder: subtitles
//! as WebVTT, and the sheets of storyboards. A file's name carries the version of what it was
//! made of, so a stale one is never found; its place is taken with the next one.

use crate::posters::{has_room, is_jpeg, write};
use domain::{FileId, TitleId};
use std::{
    io,
    path::{Path, PathBuf},
};

/// No WebVTT that is kept is larger.
pub const MAX_SUBTITLE_BYTES: usize = 2 << 20;
/// No sheet of a storyboard that is kept is larger.
pub const MAX_SHEET_BYTES: usize = 1 << 20;

/// Cloning gives another handle on the same folder.
#[derive(Debug, Clone)]
pub struct Looks {
    dir: PathBuf,
}

/// What came from a worker is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("it is no WebVTT, or too much of it")]
    NotWebVtt,
    #[error("it is no JPEG, or too much of it")]
    NotJpeg,
    #[error("write it below the data folder")]
    Write(#[from] io::Error),
}

/// Names the bytes something was made of.
pub fn version_of(size_bytes: u64, mtime_ns: i64) -> String {
    format!("{size_bytes:x}-{:x}", mtime_ns.cast_unsigned())
}

impl Looks {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// A subtitle's WebVTT, if it was made of this version.
    pub async fn subtitle(&self, file: &FileId, number: u32, version: &str) -> Option<Vec<u8>> {
        tokio::fs::read(self.subtitles(file).join(format!("{number}-{version}.vtt"))).await.ok()
    }

    /// Keeps a subtitle; earlier versions of it go.
    ///
    /// # Errors
    /// When it is no WebVTT, or the disk is full.
    pub async fn keep_subtitle(
        &self,
        file: &FileId,
        number: u32,
        version: &str,
        text: Vec<u8>,
    ) -> Result<(), KeepError> {
        if text.len() > MAX_SUBTITLE_BYTES || !text.starts_with(b"WEBVTT\n") || std::str::from_utf8(&text).is_err() {
            return Err(KeepError::NotWebVtt);
        }
        let (dir, name) = (self.subtitles(file), format!("{number}-{version}.vtt"));
        keep(dir, format!("{number}-"), name, text).await
    }

    /// One sheet of a storyboard, of this version.
    pub async fn sheet(&self, title: &TitleId, version: &str, number: u32) -> Option<Vec<u8>> {
        tokio::fs::read(self.storyboard(title).join(format!("{number}-{version}.jpg"))).await.ok()
    }

    /// Keeps a sheet; earlier versions of it go.
    ///
    /// # Errors
    /// When it is no JPEG, or the disk is full.
    pub async fn keep_sheet(
        &self,
        title: &TitleId,
        version: &str,
        number: u32,
        jpeg: Vec<u8>,
    ) -> Result<(), KeepError> {
        if jpeg.len() > MAX_SHEET_BYTES || !is_jpeg(&jpeg) {
            return Err(KeepError::NotJpeg);
        }
        let (dir, name) = (self.storyboard(title), format!("{number}-{version}.jpg"));
        keep(dir, format!("{number}-"), name, jpeg).await
    }

    /// The files and titles something is kept of, as their ids.
    pub async fn kept(&self) -> Vec<String> {
        let dir = self.dir.clone();
        let list = move || {
            let shelves =
                ["subtitles", "storyboards"].into_iter().filter_map(|kind| std::fs::read_dir(dir.join(kind)).ok());
            let folders = shelves.flatten().flatten().filter_map(|shelf| std::fs::read_dir(shelf.path()).ok());
            folders.flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
        };
        tokio::task::spawn_blocking(list).await.unwrap_or_default()
    }

    /// Everything that was made of a file or title that is gone.
    pub async fn forget(&self, id: &str) {
        // Only names of our own making are paths.
        if id.len() < 3 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return;
        }
        for kind in ["subtitles", "storyboards"] {
            // What is not there need not go.
            let _ = tokio::fs::remove_dir_all(self.dir.join(kind).join(&id[..2]).join(id)).await;
        }
    }

    fn subtitles(&self, file: &FileId) -> PathBuf {
        self.place("subtitles", file.as_str())
    }

    fn storyboard(&self, title: &TitleId) -> PathBuf {
        self.place("storyboards", title.as_str())
    }

    /// The id is our own random text, so the path is ours alone.
    fn place(&self, kind: &str, id: &str) -> PathBuf {
        self.dir.join(kind).join(&id[..2]).join(id)
    }
}

async fn keep(dir: PathBuf, earlier: String, name: String, bytes: Vec<u8>) -> Result<(), KeepError> {
    let work = move || {
        if !has_room(&dir) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        write(&dir.join(&name), &bytes)?;
        remove_others(&dir, &earlier, &name);
        Ok(())
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
        .map_err(KeepError::Write)
}

/// A stale one that stays is never read, so failing to remove it is no failure.
fn remove_others(dir: &Path, earlier: &str, name: &str) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let other = entry.file_name();
        if other.to_str().is_some_and(|other| other.starts_with(earlier) && other != name) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_version_replaces_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let looks = Looks::new(dir.path().into());
        let (file, other) = (FileId::from_random([1; 16]), FileId::from_random([2; 16]));
        let text = |word: &str| format!("WEBVTT\n\n{word}").into_bytes();
        looks.keep_subtitle(&file, 1, "a", text("one")).await.unwrap();
        looks.keep_subtitle(&file, 10, "a", text("ten")).await.unwrap();
        looks.keep_subtitle(&file, 1, "b", text("two")).await.unwrap();
        assert_eq!(looks.subtitle(&file, 1, "a").await, None);
        assert_eq!(looks.subtitle(&file, 1, "b").await, Some(text("two")));
        assert_eq!(looks.subtitle(&file, 10, "a").await, Some(text("ten")), "a number is not a beginning of another");
        assert_eq!(looks.subtitle(&other, 1, "b").await, None);
        for bad in
            [b"<script>".to_vec(), b"WEBVTT\n\xff".to_vec(), [text("x"), vec![b'x'; MAX_SUBTITLE_BYTES]].concat()]
        {
            assert!(matches!(looks.keep_subtitle(&file, 2, "a", bad).await, Err(KeepError::NotWebVtt)));
        }
        let title = TitleId::from_random([3; 16]);
        assert!(matches!(looks.keep_sheet(&title, "a", 0, b"GIF89a".to_vec()).await, Err(KeepError::NotJpeg)));
        assert_eq!(looks.kept().await, [file.to_string()]);
        looks.forget("../..").await;
        looks.forget(file.as_str()).await;
        assert!(looks.kept().await.is_empty());
    }
}
