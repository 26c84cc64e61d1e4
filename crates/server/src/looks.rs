//! What is made of films ahead of time: subtitles, so that the first viewer who wants one need not
//! wait until a whole film is read, and storyboards. One film at a time in the house loge, and only
//! while nobody watches, nothing is scanned, and every film has its index of key frames.

use crate::{indexing::others_come_first, wiring::Rooms};
use contract::Status;
use domain::{Code, Failure, FileId, FolderId, FolderState};
use gateway::subtitles;
use loges::JobError;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use store::{FileRow, StoreError, SubtitleState};
use tokio::time::Instant;
use tracing::{debug, warn};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// While there is more to do.
const BREATH: Duration = Duration::from_millis(50);
/// After something that may go well another time.
const PAUSE: Duration = Duration::from_secs(60);
/// A film that ends its worker or its time limit this often is left out for a while.
const MOST_TRIES: u8 = 3;
const LEFT_OUT_FOR: Duration = Duration::from_secs(6 * 3600);
/// Looked at for one that is not left out.
const BATCH: u32 = 200;

/// Runs until the house closes.
pub(crate) async fn run(rooms: Arc<Rooms>) {
    let soft = rooms.lifecycle.soft().clone();
    let (mut wait, mut patience, mut swept) = (LOOK_EVERY, Patience::default(), false);
    while tokio::time::timeout(wait, soft.cancelled()).await.is_err() {
        wait = LOOK_EVERY;
        if rooms.streams.viewers() > 0 || rooms.libraries.is_scanning(None) || rooms.libraries.all_paused() {
            continue;
        }
        let done = tokio::select! {
            done = Box::pin(step(&rooms, &mut patience, &mut swept)) => done,
            // A viewer or a scan has the disk first; the film is taken up again later.
            () = others_come_first(&rooms) => continue,
            () = soft.cancelled() => return,
        };
        match done {
            Ok(true) => wait = BREATH,
            Ok(false) => {}
            Err(e) => {
                warn!(error = &e as &dyn std::error::Error, "what is made of films ahead of time has to wait: {e}");
                wait = PAUSE;
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("{}", .0.message)]
    Loge(Failure),
    #[error(transparent)]
    Job(JobError),
    #[error("a sheet of a storyboard is not kept: {0}")]
    Keep(#[from] library::KeepError),
}

impl StepError {
    /// The film is not there now; the next scan says what became of it.
    fn is_gone(&self) -> bool {
        match self {
            Self::Loge(failure) => matches!(failure.code, Code::FileMissing | Code::FileChanged),
            Self::Job(error) => matches!(error.status(), Some(Status::NotFound | Status::Changed)),
            Self::Store(_) | Self::Keep(_) => false,
        }
    }

    /// It may well be the film's fault.
    fn is_breaking(&self) -> bool {
        match self {
            Self::Loge(failure) => failure.code == Code::LogeBroke,
            Self::Job(error) => !matches!(error, JobError::Away(_) | JobError::Busy),
            Self::Store(_) | Self::Keep(_) => false,
        }
    }
}

/// Films that made trouble lately. Nothing of it is written down: a disk that was away is no
/// film's fault.
struct Patience {
    tries: HashMap<FileId, u8>,
    left_out: HashSet<FileId>,
    since: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: HashMap::new(), left_out: HashSet::new(), since: Instant::now() }
    }
}

impl Patience {
    /// Only what says more about the moment than about the film stays an error.
    fn settle(&mut self, file: &FileId, done: Result<(), StepError>) -> Result<(), StepError> {
        let Err(error) = done else {
            self.tries.remove(file);
            return Ok(());
        };
        debug!(file.id = %file, "nothing made of file {file}: {error}");
        let tries = self.tries.entry(file.clone()).or_default();
        *tries += 1;
        if error.is_gone() || (error.is_breaking() && *tries >= MOST_TRIES) {
            self.left_out.insert(file.clone());
            return Ok(());
        }
        Err(error)
    }

    fn forgive(&mut self) {
        if self.since.elapsed() >= LEFT_OUT_FOR {
            *self = Self::default();
        }
    }
}

/// One thing, if there is one to do; whether there was.
async fn step(rooms: &Rooms, patience: &mut Patience, swept: &mut bool) -> Result<bool, StepError> {
    patience.forgive();
    if !rooms.store.files_without_index(1).await?.is_empty() {
        return Ok(false);
    }
    let folders = rooms.store.all_folders().await?;
    let online: HashSet<FolderId> =
        folders.into_iter().filter(|f| f.state == FolderState::Online).map(|f| f.id).collect();
    let fits = |file: &FileRow| online.contains(&file.folder) && !patience.left_out.contains(&file.id);
    if let Some(file) = rooms.store.files_with_waiting_beside(BATCH).await?.into_iter().find(fits) {
        let done = beside(rooms, &file).await;
        return patience.settle(&file.id, done).map(|()| true);
    }
    if let Some(file) = rooms.store.files_with_waiting_tracks(BATCH).await?.into_iter().find(fits) {
        let looks = rooms.libraries.looks();
        let made = subtitles::make_tracks(&rooms.store, &looks, &rooms.loges, &file, None).await;
        return patience.settle(&file.id, made.map_err(StepError::Loge)).map(|()| true);
    }
    // Storyboards that a player missed come before all others.
    while let Some(title) = rooms.libraries.asked_storyboards().take() {
        if let Some(file) = rooms.store.storyboard_source(&title).await?.filter(fits) {
            let done = crate::storyboards::make(rooms, &title, &file).await;
            return patience.settle(&file.id, done).map(|()| true);
        }
    }
    let waiting = rooms.store.titles_without_storyboard(BATCH).await?;
    if let Some((title, file)) = waiting.into_iter().find(|(_, file)| fits(file)) {
        let done = crate::storyboards::make(rooms, &title, &file).await;
        return patience.settle(&file.id, done).map(|()| true);
    }
    if !*swept {
        sweep(rooms).await?;
        *swept = true;
    }
    Ok(false)
}

async fn beside(rooms: &Rooms, file: &FileRow) -> Result<(), StepError> {
    let looks = rooms.libraries.looks();
    for subtitle in rooms.store.subtitles_of(&file.id).await? {
        if subtitle.beside.is_some() && subtitle.state == SubtitleState::Waiting {
            subtitles::make_beside(&rooms.store, &looks, &rooms.loges, file, &subtitle)
                .await
                .map_err(StepError::Loge)?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_that_makes_trouble_is_left_out_and_a_bad_moment_is_waited_for() {
        let file = FileId::from_random([1; 16]);
        let job = |status| StepError::Job(JobError::Ended { status, text: String::new() });
        let mut patience = Patience::default();
        assert!(patience.settle(&file, Err(job(Status::NotFound))).is_ok() && patience.left_out.contains(&file));

        let mut patience = Patience::default();
        for _ in 0..MOST_TRIES * 2 {
            assert!(patience.settle(&file, Err(StepError::Job(JobError::Busy))).is_err());
        }
        assert!(patience.left_out.is_empty(), "no film is to blame for a house that is busy");

        let mut patience = Patience::default();
        let broke = || StepError::Loge(Failure::of(Code::LogeBroke));
        assert!(patience.settle(&file, Err(broke())).is_err() && patience.settle(&file, Err(broke())).is_err());
        assert!(patience.settle(&file, Ok(())).is_ok(), "it went well after all, and begins anew");
        assert!(patience.settle(&file, Err(broke())).is_err() && patience.settle(&file, Err(broke())).is_err());
        assert!(patience.settle(&file, Err(broke())).is_ok() && patience.left_out.contains(&file));
    }
}
