//! Subtitles ahead of time: the first viewer who wants one should not wait until a whole film is
//! read. One film at a time in the house loge, and only while nobody watches, nothing is scanned,
//! and every film has its index of key frames.

use crate::{indexing::somebody_watches, wiring::Rooms};
use domain::{Code, Failure, FileId, Tenant};
use gateway::subtitles;
use std::{collections::HashMap, sync::Arc, time::Duration};
use store::{FileRow, StoreError, SubtitleState};
use tracing::{debug, warn};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After something that may go well another time.
const PAUSE: Duration = Duration::from_secs(60);
/// A film that ends its worker or its time limit this often does it again.
const MOST_TRIES: u8 = 3;

/// Runs until the house closes.
pub(crate) async fn run(rooms: Arc<Rooms>) {
    let soft = rooms.lifecycle.soft().clone();
    let (mut wait, mut tries) = (LOOK_EVERY, HashMap::new());
    let mut swept = false;
    while tokio::time::timeout(wait, soft.cancelled()).await.is_err() {
        wait = LOOK_EVERY;
        if rooms.streams.viewers() > 0 || rooms.libraries.is_scanning(None) || rooms.libraries.all_paused() {
            continue;
        }
        let done = tokio::select! {
            done = step(&rooms, &mut tries, &mut swept) => done,
            // Whoever begins to watch has the disk; the film is taken up again later.
            () = somebody_watches(&rooms) => continue,
            () = soft.cancelled() => return,
        };
        if let Err(e) = done {
            warn!(error = &e as &dyn std::error::Error, "what is made of films ahead of time has to wait: {e}");
            wait = PAUSE;
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("{}", .0.message)]
    Loge(Failure),
}

/// One thing, if there is one to do.
async fn step(rooms: &Rooms, tries: &mut HashMap<FileId, u8>, swept: &mut bool) -> Result<(), StepError> {
    if !rooms.store.files_without_index(1).await?.is_empty() {
        return Ok(());
    }
    if let Some(file) = rooms.store.files_with_waiting_beside(1).await?.into_iter().next() {
        return beside(rooms, &file, tries).await;
    }
    if let Some(file) = rooms.store.files_with_waiting_tracks(1).await?.into_iter().next() {
        return tracks(rooms, &file, tries).await;
    }
    if !*swept {
        sweep(rooms).await?;
        *swept = true;
    }
    Ok(())
}

async fn beside(rooms: &Rooms, file: &FileRow, tries: &mut HashMap<FileId, u8>) -> Result<(), StepError> {
    let looks = rooms.libraries.looks();
    for subtitle in rooms.store.subtitles_of(&file.id).await? {
        if subtitle.beside.is_none() || subtitle.state != SubtitleState::Waiting {
            continue;
        }
        let made = subtitles::make_beside(&rooms.store, &looks, &rooms.loges, &Tenant::House, file, &subtitle).await;
        settle(rooms, file, &[subtitle.number], made, tries).await?;
    }
    Ok(())
}

async fn tracks(rooms: &Rooms, file: &FileRow, tries: &mut HashMap<FileId, u8>) -> Result<(), StepError> {
    let looks = rooms.libraries.looks();
    let made = subtitles::make_tracks(&rooms.store, &looks, &rooms.loges, &Tenant::House, file, None).await;
    let waiting = rooms.store.subtitles_of(&file.id).await?;
    let is_waiting = |s: &&store::Subtitle| s.beside.is_none() && s.state == SubtitleState::Waiting;
    let numbers: Vec<u32> = waiting.iter().filter(is_waiting).map(|s| s.number).collect();
    settle(rooms, file, &numbers, made, tries).await
}

/// A file that is away now is left out; the next scan says what became of it. One that fails for
/// no reason of its own is tried again, but not forever.
async fn settle(
    rooms: &Rooms,
    file: &FileRow,
    numbers: &[u32],
    made: Result<(), Failure>,
    tries: &mut HashMap<FileId, u8>,
) -> Result<(), StepError> {
    let Err(failure) = made else {
        tries.remove(&file.id);
        return Ok(());
    };
    debug!(file.id = %file.id, "no subtitles of file {}: {}", file.id, failure.message);
    let count = tries.entry(file.id.clone()).or_default();
    *count += 1;
    let is_gone = matches!(failure.code, Code::FileMissing | Code::FileChanged);
    if is_gone || (failure.code == Code::LogeBroke && *count >= MOST_TRIES) {
        let states: Vec<_> = numbers.iter().map(|number| (*number, SubtitleState::Failed)).collect();
        rooms.store.set_subtitle_states(&file.id, &states).await?;
        return Ok(());
    }
    Err(StepError::Loge(failure))
}

/// What was made of films that nobody has any more.
async fn sweep(rooms: &Rooms) -> Result<(), StepError> {
    let looks = rooms.libraries.looks();
    for id in looks.kept().await {
        let is_file = match id.parse::<FileId>() {
            Ok(file) => rooms.store.file(&file).await?.is_some(),
            Err(_) => false,
        };
        let is_title = match id.parse() {
            Ok(title) => rooms.store.storyboard_of(&title).await?.is_some(),
            Err(_) => false,
        };
        if !is_file && !is_title {
            looks.forget(&id).await;
        }
    }
    Ok(())
}
