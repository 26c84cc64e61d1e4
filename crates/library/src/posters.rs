//! Pictures for titles: asked of the house loge one by one, newest titles first, kept as files
//! below the data folder. A title whose picture fails is marked and not tried again until its
//! file changes. A picture whose file is gone is made again, what people asked for first.

use crate::{
    asked::Asked,
    control::Control,
    job::Progress,
    pace::Pace,
    prober::{MediaFile, ProbeFailure, Prober},
};
use base::{Bus, Event};
use domain::TitleId;
use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{FileRow, Store, StoreError};
use tokio::time::Instant;
use tracing::{info, warn};

/// Wide enough for a card on a sharp screen and for a blurred stage behind a title.
const WIDTH: u32 = 640;
const MAX_BYTES: usize = 400 << 10;
const BATCH: u32 = 50;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PostersError {
    #[error("cancelled")]
    Cancelled,
    /// A scan comes first; the pictures go on after it.
    #[error("a scan waits")]
    ScanWaits,
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("pictures could not be made: {0}")]
    ProberAway(String),
    #[error("writing a picture failed")]
    Write(#[from] io::Error),
    #[error("the disk of the data folder is nearly full; pictures wait until there is room")]
    NoRoom,
}

pub(crate) struct Posters<'a> {
    pub(crate) store: Store,
    pub(crate) prober: Arc<dyn Prober>,
    pub(crate) bus: Bus,
    pub(crate) dir: PathBuf,
    pub(crate) asked: &'a Asked,
    pub(crate) control: Control,
    pub(crate) progress: Progress,
    pub(crate) pace: Pace,
    /// Whether a scan waits for its turn.
    pub(crate) scan_waits: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Posters<'_> {
    pub(crate) async fn run(&self) -> Result<(), PostersError> {
        self.notice_missing().await?;
        let mut made = HashSet::new();
        let mut waiting = VecDeque::new();
        while let Some((title, file)) = self.next(&mut waiting, &made).await? {
            // Those made before it stepped aside for a scan count too.
            self.progress.set_total(self.progress.view().done + 1 + waiting.len() as u64);
            self.control.checkpoint().await.map_err(|_| PostersError::Cancelled)?;
            if !has_room(&self.dir) {
                return Err(PostersError::NoRoom);
            }
            if (self.scan_waits)() {
                return Err(PostersError::ScanWaits);
            }
            let began = Instant::now();
            self.one(&title, &file).await?;
            tokio::time::sleep(self.pace.rest_after(began.elapsed())).await;
            made.insert(title);
            self.progress.add_done(1);
        }
        info!(made = made.len(), "{} pictures made", made.len());
        Ok(())
    }

    /// Titles whose file is gone, as after a cleaned-up disk or half a restore, wait again.
    async fn notice_missing(&self) -> Result<(), StoreError> {
        let (titles, dir) = (self.store.titles_with_poster().await?, self.dir.clone());
        let look = move || titles.into_iter().filter(|title| is_gone(&poster_path(&dir, title))).collect::<Vec<_>>();
        let gone = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        if !gone.is_empty() {
            info!("the pictures of {} titles are gone and are made again", gone.len());
        }
        self.store.forget_posters(&gone).await
    }

    /// Returns what people asked for, then the newest titles.
    async fn next(
        &self,
        waiting: &mut VecDeque<(TitleId, FileRow)>,
        made: &HashSet<TitleId>,
    ) -> Result<Option<(TitleId, FileRow)>, StoreError> {
        while let Some(title) = self.asked.take() {
            // It may have gone while this job ran, or be there by now.
            if is_gone(&poster_path(&self.dir, &title)) {
                self.store.forget_posters(std::slice::from_ref(&title)).await?;
                if let Some(file) = self.store.poster_source(&title).await? {
                    return Ok(Some((title, file)));
                }
            }
        }
        if waiting.is_empty() {
            waiting.extend(self.store.titles_without_poster(BATCH).await?);
        }
        while let Some((title, file)) = waiting.pop_front() {
            if !made.contains(&title) {
                return Ok(Some((title, file)));
            }
        }
        Ok(None)
    }

    async fn one(&self, title: &TitleId, file: &FileRow) -> Result<(), PostersError> {
        let media = MediaFile { folder: file.folder.clone(), path: file.path.clone(), size_bytes: file.size_bytes };
        let duration_ms = file.facts.as_ref().map_or(0, |f| f.duration_ms);
        let track = file.facts.as_ref().and_then(|f| f.video.as_ref()).map_or(0, |video| video.track);
        let made = match self.prober.poster(&media, track, &moments(duration_ms), WIDTH).await {
            // Some files cannot be entered in the middle; their beginning is better than nothing.
            Err(ProbeFailure::Defect(_)) => self.prober.poster(&media, track, &[0], WIDTH).await,
            other => other,
        };
        match made {
            Ok(bytes) if is_jpeg(&bytes) && bytes.len() <= MAX_BYTES => {
                // A new address each time: a browser that missed the earlier picture asks again.
                let hash = format!("{:016x}", RandomState::new().hash_one(&bytes));
                write(&poster_path(&self.dir, title), &bytes)?;
                self.store.set_poster(title, &hash).await?;
                self.bus.publish(Event::Poster { title: title.clone(), library: file.library.clone() });
            }
            Ok(_) | Err(ProbeFailure::Defect(_) | ProbeFailure::Changed) => {
                self.store.set_poster_failed(title).await?;
            }
            Err(ProbeFailure::Unavailable(why)) => {
                warn!("no picture for now: {why}");
                tokio::time::sleep(Duration::from_secs(2)).await;
                return Err(PostersError::ProberAway(why));
            }
        }
        Ok(())
    }
}

/// A tenth into the film: past logos and black, before anything is given away. Should it be dark
/// there, some places further on, and one before.
fn moments(duration_ms: u64) -> [u64; 5] {
    [10, 14, 19, 25, 6].map(|percent| (duration_ms * percent / 100).min(percent * 60_000))
}

/// The worker is not trusted to send a picture: what does not begin and end like a JPEG is
/// never written, and what is written is only ever served as `image/jpeg`.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.len() > 100 && bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

/// Where a title's picture lies. The id is our own random text, so the path is ours alone.
pub(crate) fn poster_path(dir: &Path, title: &TitleId) -> PathBuf {
    let name = title.as_str();
    dir.join(&name[..2]).join(format!("{name}.jpg"))
}

fn is_gone(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// Returns whether the disk has room: the last of it is for the database, and what can be made again waits.
pub(crate) fn has_room(dir: &Path) -> bool {
    const LEFT_FREE: u64 = 16 << 20;
    // The folder may have to be made yet; its disk is the one above it.
    let there = dir.ancestors().find(|path| path.is_dir()).unwrap_or(dir);
    !rustix::fs::statvfs(there)
        .is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < LEFT_FREE)
}

/// Written beside and renamed, so that a reader never sees half a picture.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let beside = path.with_extension("part");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_kept() {
        let mut good = vec![0xff, 0xd8, 0xff, 0xe0];
        good.resize(200, 0);
        good.extend([0xff, 0xd9]);
        assert!(is_jpeg(&good));
        for bad in [&b"<svg onload=alert(1)>"[..], &good[..150], &[0xff, 0xd8, 0xff, 0xd9][..]] {
            assert!(!is_jpeg(bad));
        }
    }

    #[test]
    fn the_moments_lie_inside_the_film() {
        assert_eq!(moments(0), [0; 5]);
        assert_eq!(moments(5_400_000), [540_000, 756_000, 1_026_000, 1_350_000, 324_000]);
        assert_eq!(moments(90_000_000)[0], 600_000);
    }
}
