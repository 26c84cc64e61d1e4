//! Libraries over real folders and a real database, with a prober that is told what to answer.

use async_trait::async_trait;
use base::{Bus, FakeClock, Lifecycle, UnixMs};
use domain::{
    FolderProblem, JobId, JobState, LibraryId, LibraryKind,
    facts::{Container, FileFacts},
};
use loge_library::{JobView, Libraries, LibraryConfig, MediaFile, ProbeFailure, Prober, SandboxUser};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{Database, Folder, KnownFile, Store};
use tokio::sync::Semaphore;

/// Knows every file, and makes a picture for each permit.
pub struct FakeProber {
    pub pictures: Semaphore,
    /// What the next looks answer instead of facts.
    pub failing: Mutex<Option<ProbeFailure>>,
}

#[async_trait]
impl Prober for FakeProber {
    async fn look(&self, files: &[MediaFile]) -> Vec<Result<FileFacts, ProbeFailure>> {
        let failing = self.failing.lock().unwrap().clone();
        files.iter().map(|_| failing.clone().map_or_else(|| Ok(facts()), Err)).collect()
    }
    async fn poster(&self, _: &MediaFile, _: u32, _: &[u64], _: u32) -> Result<Vec<u8>, ProbeFailure> {
        self.pictures.acquire().await.unwrap().forget();
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe0];
        jpeg.resize(200, 0);
        jpeg.extend([0xff, 0xd9]);
        Ok(jpeg)
    }
}

fn facts() -> FileFacts {
    FileFacts {
        container: Container::Mp4,
        duration_ms: 60_000,
        start_ms: 0,
        compressed: false,
        is_length_found: false,
        bitrate: None,
        video: None,
        audio: vec![],
        subtitles: vec![],
        chapters: vec![],
    }
}

pub struct House {
    pub libraries: Libraries,
    pub store: Store,
    pub prober: Arc<FakeProber>,

    lifecycle: Lifecycle,
    dir: tempfile::TempDir,
}

impl House {
    pub async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(UnixMs(1_800_000_000_000), 7));
        let store = Store::open(Database::Sqlite(dir.path().join("loge.db")), clock.clone()).await.unwrap();
        let prober = Arc::new(FakeProber { pictures: Semaphore::new(1000), failing: Mutex::default() });
        let config = LibraryConfig {
            posters_dir: dir.path().join("posters"),
            looks_dir: dir.path().join("looks"),
            forbidden: vec![],
            sandbox_user: SandboxUser::SameAsServer,
            probe_concurrency: 2,
            scan_on_start: false,
        };
        let lifecycle = Lifecycle::new();
        let open = Libraries::open(config, store.clone(), prober.clone(), clock.clone(), Bus::new(), &lifecycle);
        Self { libraries: open.await.unwrap(), store, prober, lifecycle, dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns a folder with these files, each of its own size.
    pub fn films(&self, folder: &str, names: &[String]) -> PathBuf {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).unwrap();
        for (n, name) in names.iter().enumerate() {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, vec![b'x'; n + 1]).unwrap();
        }
        folder
    }

    /// Returns a library whose first scan is over.
    pub async fn library(&self, folder: &Path) -> LibraryId {
        let (library, job) =
            self.libraries.create("Films", LibraryKind::Movies, &[folder.to_path_buf()]).await.unwrap();
        self.ended(&job).await;
        library.id
    }

    pub async fn scan(&self, library: &LibraryId) -> JobView {
        let job = self.libraries.scan(library).await.unwrap();
        self.ended(&job).await
    }

    pub async fn ended(&self, job: &JobId) -> JobView {
        self.job(job, |view| view.state.is_over()).await
    }

    pub async fn job(&self, job: &JobId, is_it: impl Fn(&JobView) -> bool) -> JobView {
        loop {
            if let Some(view) = self.libraries.jobs().into_iter().find(|view| &view.id == job)
                && is_it(&view)
            {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn folder(&self, library: &LibraryId) -> Folder {
        self.store.library(library).await.unwrap().unwrap().folders.remove(0)
    }

    pub async fn problem(&self, library: &LibraryId) -> Option<FolderProblem> {
        self.folder(library).await.problem
    }

    pub async fn files(&self, library: &LibraryId) -> Vec<KnownFile> {
        let folder = self.folder(library).await;
        self.store.files_of_folder(&folder.id).await.unwrap()
    }

    /// Paths of those that are there.
    pub async fn present(&self, library: &LibraryId) -> Vec<String> {
        let files = self.files(library).await.into_iter().filter(|file| !file.missing);
        files.map(|file| String::from_utf8(file.path).unwrap()).collect()
    }

    pub async fn close(self) {
        self.lifecycle.stop(Duration::from_secs(5)).await;
        self.store.clone().close().await;
    }
}

pub fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name} {n:03}.mp4")).collect()
}

pub fn assert_done(job: &JobView) {
    assert_eq!((job.state, &job.error), (JobState::Done, &None));
}
