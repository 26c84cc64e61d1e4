//! The room's public face, and the one task that runs its jobs.

use crate::{
    asked::Asked,
    control::Wish,
    folders::{self, FolderListing, FolderReport, SandboxUser},
    job::JobView,
    looks::Looks,
    pace::Pace,
    posters::{Posters, PostersError, poster_path},
    prober::Prober,
    queue::{Ended, Queue, Taken},
    scan::{Scan, ScanError, glance},
};
use base::{Bus, Clock, Event, Lifecycle, LookError, disks};
use domain::{Code, Failure, FolderId, FolderProblem, JobId, JobKind, LibraryId, LibraryKind, TitleId};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use store::{Library, NewLibrary, Store, StoreError};
use tracing::{error, info};

/// How long a request that names a folder waits for its disk.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct LibraryConfig {
    pub posters_dir: PathBuf,
    /// Subtitles and storyboards.
    pub looks_dir: PathBuf,
    /// Folders that are never part of a library: the data folder, the run folder.
    pub forbidden: Vec<PathBuf>,
    pub sandbox_user: SandboxUser,
    /// Files looked into at the same time.
    pub probe_concurrency: usize,
    pub scan_on_start: bool,
}

/// Handle on the room; cloning is cheap.
#[derive(Clone)]
pub struct Libraries(Arc<Shared>);

struct Shared {
    config: LibraryConfig,
    store: Store,
    prober: Arc<dyn Prober>,
    clock: Arc<dyn Clock>,
    bus: Bus,
    queue: Queue,
    refolder: tokio::sync::Notify,
    asked_posters: Asked,
    asked_storyboards: Asked,
    pace: Pace,
}

impl Libraries {
    /// Puts the jobs of an earlier run back into the queue and starts the room's tasks.
    ///
    /// # Errors
    /// When the jobs cannot be read.
    pub async fn open(
        config: LibraryConfig,
        store: Store,
        prober: Arc<dyn Prober>,
        clock: Arc<dyn Clock>,
        bus: Bus,
        lifecycle: &Lifecycle,
    ) -> Result<Self, StoreError> {
        let queue = Queue::new(store.clone(), clock.clone(), bus.clone());
        store.requeue_interrupted().await?;
        for row in store.jobs(50).await?.into_iter().rev() {
            queue.restore(row);
        }
        let room = Self(Arc::new(Shared {
            config,
            store,
            prober,
            clock,
            bus,
            queue,
            refolder: tokio::sync::Notify::new(),
            asked_posters: Asked::default(),
            asked_storyboards: Asked::default(),
            pace: Pace::default(),
        }));
        if room.0.config.scan_on_start {
            for library in room.0.store.libraries().await? {
                room.0.queue.add(JobKind::Scan, Some(library.id)).await;
            }
        }
        let (jobs, soft) = (room.clone(), lifecycle.soft().clone());
        lifecycle.spawn("library jobs", async move {
            tokio::select! {
                () = soft.cancelled() => {}
                () = jobs.work() => {}
            }
        });
        let (folders, soft) = (room.clone(), lifecycle.soft().clone());
        lifecycle.spawn("library folders", async move {
            tokio::select! {
                () = soft.cancelled() => {}
                () = folders.watch_folders() => {}
            }
        });
        Ok(room)
    }

    /// Looks at a folder that may become part of a library. Takes up to two seconds.
    pub async fn check_folder(&self, path: &Path) -> FolderReport {
        let (path, user, forbidden) = (path.to_path_buf(), self.0.config.sandbox_user, self.0.config.forbidden.clone());
        let look = disks().look(&path, LOOK, move |path| folders::check(path, user, &forbidden)).await;
        look.unwrap_or_else(|_| FolderReport::hanging())
    }

    /// # Errors
    /// When the path is no folder that can be listed.
    pub async fn browse(&self, path: &Path) -> Result<FolderListing, Failure> {
        let (path, user) = (path.to_path_buf(), self.0.config.sandbox_user);
        let look = disks().look(&path, LOOK, move |path| folders::browse(path, user)).await;
        look.unwrap_or_else(|_| Err(hanging()))
    }

    /// Makes a library and asks for its first scan.
    ///
    /// # Errors
    /// When a folder cannot be one, or belongs to another library already.
    pub async fn create(&self, name: &str, kind: LibraryKind, paths: &[PathBuf]) -> Result<(Library, JobId), Failure> {
        let name = checked_name(name)?;
        let folders = self.accept(None, paths).await?;
        let id = LibraryId::from_random(self.0.clock.random_id());
        let new = NewLibrary { id, name, kind, folders };
        let library = self.0.store.create_library(&new).await.map_err(|e| e.failure())?;
        self.0.bus.publish(Event::Library { library: library.id.clone() });
        self.0.refolder.notify_one();
        let job = self.0.queue.add(JobKind::Scan, Some(library.id.clone())).await;
        Ok((library, job))
    }

    /// Renames a library, changes its folders, or both. Titles of folders that leave go with them.
    ///
    /// # Errors
    /// When there is no such library or a folder cannot be one.
    pub async fn update(
        &self,
        id: &LibraryId,
        name: Option<&str>,
        paths: Option<&[PathBuf]>,
    ) -> Result<Library, Failure> {
        let old = self.library(id).await?;
        if let Some(name) = name {
            self.0.store.rename_library(id, &checked_name(name)?).await.map_err(|e| e.failure())?;
        }
        if let Some(paths) = paths {
            let folders = self.accept(Some(&old), paths).await?;
            self.0.store.set_folders(id, folders).await.map_err(|e| e.failure())?;
            self.0.refolder.notify_one();
            self.0.queue.add(JobKind::Scan, Some(id.clone())).await;
        }
        self.0.bus.publish(Event::Library { library: id.clone() });
        self.library(id).await
    }

    /// Forgets a library, its titles and what people watched of them. No file is touched.
    ///
    /// # Errors
    /// When there is no such library.
    pub async fn remove(&self, id: &LibraryId) -> Result<(), Failure> {
        self.library(id).await?;
        self.0.queue.cancel_of(id).await;
        self.0.store.delete_library(id).await.map_err(|e| e.failure())?;
        self.0.refolder.notify_one();
        self.0.bus.publish(Event::Library { library: id.clone() });
        Ok(())
    }

    /// Asks for a scan; a scan that waits already is the answer.
    ///
    /// # Errors
    /// When there is no such library.
    pub async fn scan(&self, id: &LibraryId) -> Result<JobId, Failure> {
        self.library(id).await?;
        Ok(self.0.queue.add(JobKind::Scan, Some(id.clone())).await)
    }

    /// The owner says that what is at a folder's path now is the folder: a disk that replaces
    /// another one, or an empty one. Asks for the scan that believes it.
    ///
    /// # Errors
    /// When there is no such folder, or nothing at its path can be looked at.
    pub async fn confirm_folder(&self, id: &LibraryId, folder: &FolderId) -> Result<JobId, Failure> {
        let library = self.library(id).await?;
        let folder = library.folders.iter().find(|f| &f.id == folder).ok_or_else(|| Failure::of(Code::NotFound))?;
        let identity = match disks().look(&folder.path, LOOK, glance).await {
            Ok(Ok(identity)) => identity,
            Ok(Err(problem)) => return Err(Failure::new(Code::Conflict, problem.sentence())),
            Err(LookError::Hanging | LookError::Broke) => return Err(hanging()),
        };
        self.0.store.set_folder_identity(&folder.id, &identity).await.map_err(|e| e.failure())?;
        Ok(self.0.queue.add(JobKind::Scan, Some(id.clone())).await)
    }

    async fn library(&self, id: &LibraryId) -> Result<Library, Failure> {
        self.0.store.library(id).await.map_err(|e| e.failure())?.ok_or_else(|| Failure::of(Code::NotFound))
    }

    /// Every folder checked, none twice, none inside another one; folders the library had keep their id.
    async fn accept(&self, old: Option<&Library>, paths: &[PathBuf]) -> Result<Vec<(FolderId, PathBuf)>, Failure> {
        if paths.is_empty() || paths.len() > 32 {
            return Err(Failure::new(Code::InvalidField, "A library has 1 to 32 folders."));
        }
        let libraries = self.0.store.libraries().await.map_err(|e| e.failure())?;
        let own = old.map(|l| l.id.clone());
        let taken: Vec<PathBuf> = libraries
            .iter()
            .filter(|l| Some(&l.id) != own.as_ref())
            .flat_map(|l| l.folders.iter().map(|f| f.path.clone()))
            .collect();
        let kept: HashMap<PathBuf, FolderId> =
            old.iter().flat_map(|l| l.folders.iter().map(|f| (f.path.clone(), f.id.clone()))).collect();
        let mut accepted: Vec<(FolderId, PathBuf)> = Vec::new();
        for path in paths {
            // A folder the library already has may be on a disk that is away just now.
            let path = if kept.contains_key(path) {
                path.clone()
            } else {
                let forbidden = self.0.config.forbidden.clone();
                let look = disks().look(path, LOOK, move |path| folders::accept(path, &forbidden)).await;
                look.unwrap_or_else(|_| Err(hanging()))?
            };
            let overlaps = |other: &PathBuf| path.starts_with(other) || other.starts_with(&path);
            if taken.iter().any(overlaps) || accepted.iter().any(|(_, p)| overlaps(p)) {
                return Err(Failure::of(Code::FolderTaken));
            }
            let id = kept.get(&path).cloned().unwrap_or_else(|| FolderId::from_random(self.0.clock.random_id()));
            accepted.push((id, path));
        }
        Ok(accepted)
    }

    /// Newest first.
    pub fn jobs(&self) -> Vec<JobView> {
        self.0.queue.list()
    }
    /// # Errors
    /// When there is no such job or it is over.
    pub async fn pause(&self, job: &JobId) -> Result<(), Failure> {
        self.0.queue.wish(job, Wish::Pause).await
    }
    /// # Errors
    /// When there is no such job or it is over.
    pub async fn resume(&self, job: &JobId) -> Result<(), Failure> {
        self.0.queue.wish(job, Wish::Run).await
    }
    /// # Errors
    /// When there is no such job.
    pub async fn cancel(&self, job: &JobId) -> Result<(), Failure> {
        self.0.queue.wish(job, Wish::Cancel).await
    }
    /// Holds or frees all jobs together; holds for the run of the server.
    pub fn pause_all(&self, paused: bool) {
        self.0.queue.pause_all(paused);
    }
    pub fn all_paused(&self) -> bool {
        self.0.queue.all_paused()
    }
    /// Any library, or this one.
    pub fn is_scanning(&self, library: Option<&LibraryId>) -> bool {
        self.0.queue.is_scanning(library)
    }

    /// Subtitles and storyboards that were made.
    pub fn looks(&self) -> Looks {
        Looks::new(self.0.config.looks_dir.clone())
    }

    /// Returns the JPEG of a title that says it has one. The caller has checked the right to see it. One
    /// that is gone is made again, before pictures that no page asked for.
    pub async fn poster(&self, title: &TitleId) -> Option<Vec<u8>> {
        match tokio::fs::read(poster_path(&self.0.config.posters_dir, title)).await {
            Ok(jpeg) => Some(jpeg),
            Err(e) => {
                if e.kind() == std::io::ErrorKind::NotFound {
                    self.0.asked_posters.add(title);
                    // A job that ended early left some; this one takes them up.
                    self.0.queue.add(JobKind::Posters, None).await;
                }
                None
            }
        }
    }

    /// Has a title's storyboard made again when a sheet of it is gone, before storyboards that no
    /// player asked for.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn storyboard_is_gone(&self, title: &TitleId) -> Result<(), StoreError> {
        if self.0.asked_storyboards.add(title) {
            self.0.store.forget_storyboard(title).await?;
        }
        Ok(())
    }

    /// Returns the titles whose storyboards players asked for and did not find.
    pub fn asked_storyboards(&self) -> &Asked {
        &self.0.asked_storyboards
    }

    async fn work(self) {
        loop {
            match self.0.queue.take().await {
                Some(taken) => self.run(taken).await,
                None => self.0.queue.wake.notified().await,
            }
        }
    }

    async fn run(&self, taken: Taken) {
        let id = taken.id.clone();
        let kind = taken.kind;
        let work = async {
            match taken.kind {
                JobKind::Scan => Some(self.run_scan(taken).await),
                JobKind::Posters => self.run_posters(taken).await,
            }
        };
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        tokio::pin!(work);
        let ended = loop {
            tokio::select! {
                ended = &mut work => break ended,
                // Progress is told once a second at most, however many files a second there are.
                _ = ticks.tick() => self.0.queue.tell(&id),
            }
        };
        let Some(ended) = ended else { return self.0.queue.put_back(&id).await };
        if let Some(error) = &ended.error {
            error!(job.id = %id, "{} {id} ended early: {error}", kind.as_str());
        }
        self.0.queue.finish(&id, ended).await;
    }

    async fn run_scan(&self, taken: Taken) -> Ended {
        let Some(library) = taken.library else { return Ended::failed("no library".into()) };
        info!(library.id = %library, "scan of library {library} begins");
        let scan = Scan {
            store: self.0.store.clone(),
            prober: self.0.prober.clone(),
            clock: self.0.clock.clone(),
            bus: self.0.bus.clone(),
            control: taken.control,
            progress: taken.progress,
            concurrency: self.0.config.probe_concurrency,
            pace: self.0.pace.clone(),
        };
        match scan.run(&library).await {
            Ok(note) => {
                self.0.queue.add(JobKind::Posters, None).await;
                Ended::done(note)
            }
            Err(ScanError::Cancelled | ScanError::LibraryGone) => Ended::cancelled(),
            Err(e) => Ended::failed(chain(&e)),
        }
    }

    /// `None` when it steps aside for a scan.
    async fn run_posters(&self, taken: Taken) -> Option<Ended> {
        let shared = self.0.clone();
        let posters = Posters {
            store: self.0.store.clone(),
            prober: self.0.prober.clone(),
            bus: self.0.bus.clone(),
            dir: self.0.config.posters_dir.clone(),
            asked: &self.0.asked_posters,
            control: taken.control,
            progress: taken.progress,
            pace: self.0.pace.clone(),
            scan_waits: Box::new(move || shared.queue.has_waiting_scan()),
        };
        match posters.run().await {
            Ok(()) => Some(Ended::done(None)),
            Err(PostersError::ScanWaits) => None,
            Err(PostersError::Cancelled) => Some(Ended::cancelled()),
            Err(e) => Some(Ended::failed(chain(&e))),
        }
    }

    /// Leaves disk and processor to viewers, asking who watches. Works once.
    pub fn yield_to(&self, viewers: impl Fn() -> u32 + Send + Sync + 'static) {
        self.0.pace.yield_to(viewers);
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) async fn add_job(&self, kind: JobKind, library: Option<LibraryId>) -> JobId {
        self.0.queue.add(kind, library).await
    }

    /// Waits until a library got other folders.
    pub(crate) async fn folders_changed(&self) {
        self.0.refolder.notified().await;
    }
}

fn checked_name(name: &str) -> Result<String, Failure> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(Failure::new(Code::InvalidField, "A library has a name of 1 to 80 characters."));
    }
    Ok(name.into())
}

fn hanging() -> Failure {
    Failure::new(Code::FolderUnreadable, FolderProblem::Hanging.sentence())
}

/// The whole chain of causes in one line, for the log and for the owner.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
