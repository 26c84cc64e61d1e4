//! Key frame indexes ahead of time: the first play of a film in other wrapping should not have to
//! read the whole film first. One file at a time in the house loge, and only while nobody watches
//! and nothing is scanned.

use crate::wiring::Rooms;
use contract::{FileRef, Job, Status};
use domain::{FileId, Tenant};
use media::hls::index::MAX_BYTES;
use renditions::timeline::index_of;
use std::{collections::HashMap, sync::Arc, time::Duration};
use store::{FileRow, StoredIndex};
use tokio::time::Instant;
use tracing::{debug, warn};

/// How often it looks whether there is something to do and whether the house is quiet.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A disk that is read from end to end, and a slow one.
const INDEX_TIME: Duration = Duration::from_secs(590);
/// Between two films: whoever needs the disk gets a word in.
const BREATH: Duration = Duration::from_millis(50);
/// A file that could not be looked into for a passing reason waits this long.
const PAUSE: Duration = Duration::from_secs(60);
/// So many files may wait at a time; beyond them the reason is not theirs.
const MOST_RESTING: usize = 32;

/// Runs until the house closes.
pub(crate) async fn run(rooms: Arc<Rooms>) {
    let soft = rooms.lifecycle.soft().clone();
    let mut resting: HashMap<FileId, Instant> = HashMap::new();
    let mut wait = LOOK_EVERY;
    while tokio::time::timeout(wait, soft.cancelled()).await.is_err() {
        wait = LOOK_EVERY;
        if rooms.streams.viewers() > 0 || rooms.libraries.is_scanning(None) || rooms.libraries.all_paused() {
            continue;
        }
        resting.retain(|_, until| *until > Instant::now());
        if resting.len() >= MOST_RESTING {
            continue;
        }
        let waiting = match rooms.store.files_without_index(resting.len() as u32 + 1).await {
            Ok(files) => files,
            Err(e) => {
                warn!(error = &e as &dyn std::error::Error, "it is unknown which films have no index");
                wait = PAUSE;
                continue;
            }
        };
        let Some(file) = waiting.into_iter().find(|file| !resting.contains_key(&file.id)) else { continue };
        let made = tokio::select! {
            made = make(&rooms, &file) => made,
            // A viewer or a scan has the disk first; the film is taken up again later.
            () = others_come_first(&rooms) => continue,
            () = soft.cancelled() => return,
        };
        wait = BREATH;
        let Some(index) = made else {
            resting.insert(file.id.clone(), Instant::now() + PAUSE);
            continue;
        };
        if let Err(e) = rooms.store.set_keyframe_index(&file, &index).await {
            warn!(file.id = %file.id, error = &e as &dyn std::error::Error, "the index of file {} is not kept", file.id);
            wait = PAUSE;
        }
    }
}

/// Returns when a viewer or a scan needs the disk and the house loge. A scan of a new library waits
/// for a house loge with its folder, which is made once the old one has nothing to do.
pub(crate) async fn others_come_first(rooms: &Rooms) {
    while rooms.streams.viewers() == 0 && !rooms.libraries.is_scanning(None) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// `None` when it may go well another time.
async fn make(rooms: &Rooms, file: &FileRow) -> Option<StoredIndex> {
    let of = FileRef {
        mount: file.folder.to_string(),
        path: file.path.clone(),
        size: Some(file.size_bytes),
        mtime_ns: None,
    };
    let picture = file.facts.as_ref().and_then(|facts| facts.video.as_ref()).map_or(0, |video| video.track);
    let most = u32::try_from(MAX_BYTES).unwrap_or(u32::MAX);
    match rooms.loges.job(&Tenant::House, Job::Index { file: of, picture }, most, INDEX_TIME).await {
        // Kept only when it holds together: a worker is not believed.
        Ok(bytes) => match index_of(&bytes, file.facts.as_ref()) {
            Ok(index) => Some(StoredIndex::Made(index.to_bytes())),
            Err(_) => Some(StoredIndex::Impossible),
        },
        Err(e) => {
            debug!(file.id = %file.id, "no index of file {}: {e}", file.id);
            match e.status() {
                Some(Status::Unsupported | Status::Failed | Status::Limit) => Some(StoredIndex::Impossible),
                _ => None,
            }
        }
    }
}
