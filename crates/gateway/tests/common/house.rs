//! A whole house behind the real listener: real store, accounts, libraries and vitals; the loges
//! are a fake worker behind the gateway's own door.

use super::{Answer, Client, FakeWorker, film, until};
use async_trait::async_trait;
use base::{Bus, Clock, Lifecycle, SystemClock};
use contract::{FileRef, Job, Taken, Track, Wanted};
use domain::{
    Failure, FileId, FolderId, LibraryId, LibraryKind, LogeLimits, LogeState, RuntimeKind, Tenant, TitleId,
    facts::{AudioFacts, Container, FileFacts, VideoFacts},
};
use library::{Libraries, LibraryConfig, MediaFile, ProbeFailure, Prober, SandboxUser};
use loge_gateway::{Gateway, GatewayConfig, GatewayHandle, ListenLimits, LogeRoom, OpenRange, Streams};
use loges::{LogeView, RuntimeChoice, RuntimeInfo};
use media::hls::{
    TICKS,
    index::{AudioPhase, KeyframeIndex, Point, PointKind},
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{Database, NewLibrary, ScanChange, Store};
use tempfile::TempDir;
use testkit::OtherProgram;
use vitals::{HouseView, Vitals, VitalsConfig};

pub const PASSWORD: &str = "velvet-and-gilt-7";

/// Loges that are always there and remember what was asked of them.
pub struct FakeRooms {
    pub worker: FakeWorker,
    pub asked: Mutex<Vec<String>>,
    pub failing: Mutex<Option<Failure>>,
    /// What the worker makes of every subtitle.
    pub subtitle: Mutex<Vec<u8>>,
    /// What a calibration finds; while this is nothing it goes on and on.
    pub measured: Mutex<Option<Vec<u8>>>,
    /// The house loge was started with the graphics chip.
    pub has_chip: Mutex<bool>,
    /// The graphics chip fails at beginnings (`init`) or at segments (`segment`).
    pub chip_fails_at: Mutex<Option<&'static str>>,
    /// Whose loges were taken over: they answer in good form, and nothing of it is true.
    pub liars: Mutex<Vec<Tenant>>,
}

impl FakeRooms {
    fn subtitles(&self, job: &Job) -> Option<Result<Vec<u8>, Failure>> {
        let text = self.subtitle.lock().unwrap().clone();
        match job {
            Job::Subtitles { tracks, .. } => {
                let taken: Vec<Taken> = tracks.iter().map(|_| Taken::Text(text.clone())).collect();
                Some(Ok(contract::subtitle::encode(&taken).unwrap()))
            }
            Job::SubtitleFile { .. } if text.is_empty() => Some(Err(Failure::of(domain::Code::FileBroken))),
            Job::SubtitleFile { .. } => Some(Ok(text)),
            _ => None,
        }
    }
    /// A loge that was told that nothing can be made says what it says of a broken file.
    fn by_chip(&self, what: &str, track: &Track) -> Result<(), Failure> {
        let is_by_chip =
            matches!(track, Track::VideoEncode { rung, .. } if rung.encoder != contract::Encoder::Processor);
        match *self.chip_fails_at.lock().unwrap() {
            Some(at) if at == what && is_by_chip => Err(Failure::of(domain::Code::FileBroken)),
            _ => Ok(()),
        }
    }
    fn saw(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
    /// How many questions begin with this word.
    pub fn asked(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| a.starts_with(word)).count()
    }
    /// How many jobs of this kind were asked for.
    pub fn jobs(&self, kind: &str) -> usize {
        let named = format!(" {kind} {{");
        self.asked.lock().unwrap().iter().filter(|a| a.starts_with("job ") && a.contains(&named)).count()
    }
    pub fn was_asked(&self, what: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|a| a == what)
    }
}

#[async_trait]
impl LogeRoom for FakeRooms {
    async fn ensure(&self, tenant: &Tenant) -> Result<(), Failure> {
        self.saw(format!("ensure {tenant}"));
        self.failing.lock().unwrap().clone().map_or(Ok(()), Err)
    }
    fn want(&self, tenant: &Tenant) {
        self.saw(format!("want {tenant}"));
    }
    async fn release(&self, tenant: &Tenant) {
        self.saw(format!("release {tenant}"));
    }
    async fn remount(&self, tenant: &Tenant) {
        self.saw(format!("remount {tenant}"));
    }
    async fn restart(&self, tenant: &Tenant) -> Result<(), Failure> {
        self.saw(format!("restart {tenant}"));
        *self.has_chip.lock().unwrap() = true;
        Ok(())
    }
    async fn stop(&self, tenant: &Tenant) {
        self.saw(format!("stop {tenant}"));
    }
    async fn images(&self) -> Result<Vec<loges::Image>, Failure> {
        let image = |id: &str, is_used, is_own| loges::Image {
            id: id.into(),
            names: vec![format!("loge-worker:{id}")],
            made_at: base::UnixMs(0),
            size_bytes: 1,
            is_used,
            is_own,
        };
        Ok(vec![image("new", true, true), image("old", false, false)])
    }
    async fn use_image(&self, id: &str) -> Result<(), Failure> {
        self.saw(format!("image {id}"));
        self.failing.lock().unwrap().clone().map_or(Ok(()), Err)
    }
    async fn import_image(&self, file: &std::path::Path) -> Result<String, Failure> {
        self.saw(format!("import {}", file.display()));
        Ok("imported".into())
    }
    fn release_file(&self, file: &FileRef) {
        self.saw(format!("take back {}", String::from_utf8_lossy(&file.path)));
    }
    async fn set_limits(&self, tenant: &Tenant, limits: LogeLimits) -> Result<(), Failure> {
        self.saw(format!("limits {tenant} {}", limits.memory_bytes));
        Ok(())
    }
    async fn range(&self, tenant: &Tenant, file: FileRef, offset: u64, length: u64) -> Result<OpenRange, Failure> {
        self.saw(format!("range {tenant} {}", String::from_utf8_lossy(&file.path)));
        let (stream, lease) = self.worker.range(offset, length).await.unwrap();
        Ok(OpenRange { stream, length, lease })
    }
    async fn init(&self, tenant: &Tenant, _: FileRef, track: Track, max_bytes: u32) -> Result<OpenRange, Failure> {
        self.saw(format!("init {tenant} {track:?}"));
        self.by_chip("init", &track)?;
        let (stream, lease) = self.worker.range(0, u64::from(max_bytes.min(700))).await.unwrap();
        Ok(OpenRange { stream, length: u64::from(max_bytes.min(700)), lease })
    }
    async fn begin(&self, tenant: &Tenant, _: FileRef, track: Track, wanted: Wanted) -> Result<(), Failure> {
        self.saw(format!("begin {tenant} {track:?} {}", wanted.number));
        Ok(())
    }
    async fn segment(
        &self,
        tenant: &Tenant,
        _: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<OpenRange, Failure> {
        self.saw(format!("segment {tenant} {track:?} {}", wanted.number));
        self.by_chip("segment", &track)?;
        let length = u64::from(max_bytes.min(5000));
        let (stream, lease) = self.worker.range(u64::from(wanted.number), length).await.unwrap();
        Ok(OpenRange { stream, length, lease })
    }
    async fn job(&self, tenant: &Tenant, job: Job, _: u32, _: Duration) -> Result<Vec<u8>, Failure> {
        self.saw(format!("job {tenant} {job:?}"));
        if matches!(job, Job::Calibrate { .. }) {
            let found = self.measured.lock().unwrap().clone();
            return match found {
                Some(found) => Ok(found),
                None => std::future::pending().await,
            };
        }
        if self.liars.lock().unwrap().contains(tenant) {
            return lie(&job);
        }
        if let Some(made) = self.subtitles(&job) {
            return made;
        }
        Ok(index())
    }
    fn list(&self) -> Vec<LogeView> {
        vec![LogeView {
            tenant: Tenant::House,
            runtime: RuntimeKind::Process,
            state: LogeState::Ready,
            healthy: Some(true),
            container_id: None,
            image: "worker".into(),
            image_version: Some("1.2.3".into()),
            has_chip: *self.has_chip.lock().unwrap(),
            limits: LogeLimits::HOUSE,
            lent_millis: 250,
            usage: Some(loges::Usage {
                cpu_percent: 12.5,
                memory_bytes: 1 << 20,
                pids: 3,
                throttled_percent: Some(25.0),
            }),
            started_at: None,
            restarts: 0,
            out_of_memory: 2,
            circuit: loges::CircuitState::HalfOpen,
            active: 0,
        }]
    }
    async fn logs(&self, _: &Tenant, tail: usize) -> Vec<String> {
        vec![format!("the last {tail} lines"), "Probing film 7".into()]
    }
    fn lends(&self) -> bool {
        true
    }
    fn expects_work(&self, tenant: &Tenant) {
        self.saw(format!("expects {tenant}"));
    }
    fn runtime(&self) -> RuntimeInfo {
        RuntimeInfo {
            kind: RuntimeKind::Process,
            wanted: RuntimeChoice::Auto,
            version: None,
            detail: "test".into(),
            isolation: vec![],
            advice: None,
        }
    }
    fn set_idle_stop(&self, idle_stop: Duration) {
        self.saw(format!("idle stop {}", idle_stop.as_secs()));
    }
}

struct NoProber;
#[async_trait]
impl Prober for NoProber {
    async fn look(&self, files: &[MediaFile]) -> Vec<Result<FileFacts, ProbeFailure>> {
        files.iter().map(|_| Err(ProbeFailure::Unavailable("no loge in this test".into()))).collect()
    }
    async fn poster(&self, _: &MediaFile, _: u32, _: &[u64], _: u32) -> Result<Vec<u8>, ProbeFailure> {
        Err(ProbeFailure::Unavailable("no loge in this test".into()))
    }
}

/// Parts that say which they are.
struct FakeStudio;
#[async_trait]
impl renditions::Studio for FakeStudio {
    async fn index(&self, _: FileRef, _: u32) -> Result<Vec<u8>, renditions::StudioError> {
        Ok(index())
    }
    async fn init(&self, _: FileRef, track: Track, _: u32) -> Result<Vec<u8>, renditions::StudioError> {
        Ok(format!("init of {track:?}").into_bytes())
    }
    async fn segment(
        &self,
        _: FileRef,
        track: Track,
        wanted: Wanted,
        _: u32,
    ) -> Result<Vec<u8>, renditions::StudioError> {
        Ok(format!("part {} of {track:?}", wanted.number).into_bytes())
    }
    async fn rest(&self, _: FileRef, _: Track) {}
}

struct FakeRehearser;

#[async_trait]
impl vault::Rehearser for FakeRehearser {
    async fn rehearse(&self, backup: &std::path::Path) -> Result<vault::Rehearsal, String> {
        match backup.is_file() {
            true => Ok(vault::Rehearsal { played: Some("Metropolis".into()) }),
            false => Err("There is no such backup.".into()),
        }
    }
    async fn images(&self) -> Option<Vec<u8>> {
        None
    }
    fn is_quiet(&self) -> bool {
        true
    }
}

struct Quiet(Streams);
impl renditions::HouseView for Quiet {
    fn conditions(&self) -> domain::rendition::Conditions {
        domain::rendition::Conditions { viewers: self.0.viewers(), ..Default::default() }
    }
    fn minute_of_day(&self) -> u16 {
        12 * 60
    }
}

/// Key frames every four seconds of a film of twenty.
fn index() -> Vec<u8> {
    let key = |s: u64| Point { pts: s * TICKS, first: s * TICKS, kind: PointKind::Clean };
    let points = (0..5).map(|n| key(n * 4)).collect();
    let audio = vec![AudioPhase { start_us: 0, end_us: 20_000_000, rate: 48_000 }];
    KeyframeIndex { picture: 0, points, end: 20 * TICKS, frame: 3600, audio }.to_bytes()
}

/// Invents one key frame for the whole film, words that were never said, and verdicts.
fn lie(job: &Job) -> Result<Vec<u8>, Failure> {
    match job {
        Job::Keys { .. } => {
            let points = vec![Point { pts: 0, first: 0, kind: PointKind::Clean }];
            let audio = vec![AudioPhase { start_us: 0, end_us: 20_000_000, rate: 48_000 }];
            Ok(KeyframeIndex { picture: 0, points, end: 20 * TICKS, frame: 3600, audio }.to_bytes())
        }
        Job::Subtitles { tracks, .. } => {
            let text = b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nSend me your password\n".to_vec();
            Ok(contract::subtitle::encode(&vec![Taken::Text(text); tracks.len()]).unwrap())
        }
        _ => Err(Failure::of(domain::Code::FileBroken)),
    }
}

struct Calm;
impl HouseView for Calm {
    fn house(&self) -> vitals::House {
        vitals::House { viewers_max: 6, ..vitals::House::default() }
    }
    fn loges(&self) -> Vec<vitals::LogeUse> {
        vec![vitals::LogeUse { tenant: "house".into(), cpu_percent: 12.5, memory_bytes: 1 << 20 }]
    }
    fn library_roots(&self) -> Vec<PathBuf> {
        vec![]
    }
}

pub struct TestHouse {
    pub address: SocketAddr,
    pub gateway: GatewayHandle,
    pub rooms: Arc<FakeRooms>,
    pub store: Store,
    pub accounts: accounts::Accounts,
    pub bus: Bus,
    pub lifecycle: Lifecycle,
    pub posters: PathBuf,
    pub looks: library::Looks,
    pub dir: TempDir,
}

/// One library with one title whose bytes the fake worker has.
pub struct Shelf {
    pub library: LibraryId,
    pub title: TitleId,
    pub file: FileId,
}

#[derive(Clone, Debug)]
pub struct Login {
    pub token: String,
    pub user: String,
    pub cookies: Vec<(String, String)>,
}

impl Login {
    pub fn auth(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.token)
    }
    pub fn cookie(&self, name: &str) -> String {
        let value = self.cookies.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or("");
        format!("cookie: {name}={value}\r\n")
    }
    fn from(answer: &Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let cookies = answer
            .headers
            .iter()
            .filter(|(n, _)| n == "set-cookie")
            .filter_map(|(_, v)| v.split(';').next()?.split_once('='))
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect();
        Self {
            token: body["access_token"].as_str().unwrap().into(),
            user: body["user"]["id"].as_str().unwrap().into(),
            cookies,
        }
    }
}

impl TestHouse {
    pub async fn start() -> Self {
        Self::with(ListenLimits::default()).await
    }

    pub async fn with(limits: ListenLimits) -> Self {
        Self::open(tempfile::tempdir().unwrap(), limits).await
    }

    /// Stops it and starts it again on the same data.
    pub async fn restart(self) -> Self {
        let Self { dir, lifecycle, store, .. } = self;
        assert!(lifecycle.stop(Duration::from_secs(60)).await);
        store.close().await;
        Self::open(dir, ListenLimits::default()).await
    }

    async fn open(dir: TempDir, limits: ListenLimits) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (bus, lifecycle) = (Bus::new(), Lifecycle::new());
        let store = Store::open(Database::Sqlite(dir.path().join("loge.db")), clock.clone()).await.unwrap();
        let keys = dir.path().join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        let accounts = accounts::Accounts::open_with(
            store.clone(),
            clock.clone(),
            bus.clone(),
            &keys,
            accounts::HashCost { memory_kib: 256, passes: 1 },
        )
        .await
        .unwrap();
        let rooms = Arc::new(FakeRooms {
            worker: FakeWorker::new(film(3 << 20)),
            asked: Mutex::default(),
            failing: Mutex::default(),
            measured: Mutex::default(),
            has_chip: Mutex::default(),
            chip_fails_at: Mutex::default(),
            liars: Mutex::default(),
            subtitle: Mutex::new(b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n".to_vec()),
        });
        let posters = dir.path().join("posters");
        std::fs::create_dir_all(&posters).unwrap();
        let libraries = Libraries::open(
            LibraryConfig {
                posters_dir: posters.clone(),
                looks_dir: dir.path().join("looks"),
                forbidden: vec![],
                sandbox_user: SandboxUser::SameAsServer,
                probe_concurrency: 1,
                scan_on_start: false,
            },
            store.clone(),
            Arc::new(NoProber),
            clock.clone(),
            bus.clone(),
            &lifecycle,
        )
        .await
        .unwrap();
        let looks = libraries.looks();
        let vitals = Vitals::start(
            VitalsConfig { interval: Duration::from_millis(500), data_dir: dir.path().into() },
            Arc::new(Calm),
            clock.clone(),
            bus.clone(),
            &lifecycle,
        );
        let streams = Streams::new(clock.clone(), bus.clone());
        let renditions = renditions::Renditions::open(
            dir.path().join("renditions"),
            store.clone(),
            Arc::new(FakeStudio),
            Arc::new(Quiet(streams.clone())),
            clock.clone(),
            bus.clone(),
            &lifecycle,
        )
        .unwrap();
        let watching = streams.clone();
        let segments = renditions::SegmentCache::open(
            Arc::new(renditions::segments::Folder::new(dir.path().join("segments"), dir.path().into())),
            domain::cache::Quota::default(),
            store.clone(),
            Arc::new(move || watching.windows()),
            &bus,
            &lifecycle,
        );
        let vault = vault::Vault::open(
            vault::VaultConfig {
                dirs: base::Dirs::at(dir.path()),
                passphrase_file: None,
                zone: jiff::tz::TimeZone::UTC,
                is_by_itself: false,
            },
            store.clone(),
            clock.clone(),
            bus.clone(),
            Arc::new(FakeRehearser),
            &lifecycle,
        );
        let config = GatewayConfig {
            listener: loge_gateway::listen::bind("127.0.0.1:0".parse().unwrap()).unwrap(),
            limits,
            names: vec!["films.home".into()],
            way_in: store.way_in().await.unwrap(),
            trusted_proxies: Default::default(),
            public_url: None,
            addresses: vec![],
            store: store.clone(),
            accounts: accounts.clone(),
            loges: rooms.clone(),
            libraries,
            renditions,
            segments,
            vault,
            vitals,
            streams,
            bus: bus.clone(),
            clock,
            scrape_token: Some("scrape-me".into()),
            log_file: None,
            logs: base::telemetry::Logs::none(),
            render_nodes: dir.path().join("dri"),
        };
        let gateway = Gateway::start(config, &lifecycle).unwrap();
        Self { address: gateway.address(), gateway, rooms, store, accounts, bus, lifecycle, posters, looks, dir }
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// One request on a connection of its own; `headers` end with CRLF each.
    pub async fn call(&self, method: &str, path: &str, headers: &str, body: Option<Value>) -> Answer {
        let mut client = self.client().await;
        let body = body.map(|b| b.to_string());
        let typed = match &body {
            Some(body) => format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
            None if ["POST", "PUT", "PATCH"].contains(&method) => "content-length: 0\r\n".into(),
            None => String::new(),
        };
        let host = self.address;
        let body = body.unwrap_or_default();
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{typed}\r\n{body}")).await;
        client.answer(method == "HEAD").await.unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub async fn json(&self, method: &str, path: &str, who: &Login, body: Option<Value>) -> (u16, Value) {
        let answer = self.call(method, path, &who.auth(), body).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    pub async fn owner(&self) -> Login {
        let code = self.accounts.setup_code().expect("unclaimed");
        let body = json!({ "code": code, "username": "Owner", "password": PASSWORD });
        let answer = self.call("POST", "/api/v1/setup", "", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Login::from(&answer)
    }

    pub async fn viewer(&self, owner: &Login, name: &str, libraries: &[&LibraryId]) -> Login {
        let ids: Vec<&str> = libraries.iter().map(|l| l.as_str()).collect();
        let body = json!({ "username": name, "password": PASSWORD, "role": "viewer", "libraries": ids });
        let (status, answer) = self.json("POST", "/api/v1/admin/users", owner, Some(body)).await;
        assert_eq!(status, 201, "{answer}");
        self.login(name).await
    }

    pub async fn login(&self, name: &str) -> Login {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = self.call("POST", "/api/v1/auth/login", "", Some(body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Login::from(&answer)
    }

    /// Straight into the store: what a scan would have found.
    pub async fn shelf(&self, name: &str, container: Container, video: &str) -> Shelf {
        self.shelf_of(name, container, video, (640, 360)).await
    }

    /// On a connection of its own, without any credential but what is in the path.
    pub async fn get(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.address).await;
        client.send(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address)).await;
        client.answer(false).await.expect("an answer")
    }

    /// With a picture of this size.
    pub async fn shelf_of(&self, name: &str, container: Container, video: &str, size: (u32, u32)) -> Shelf {
        let library = LibraryId::from_random(SystemClock.random_id());
        let folder = FolderId::from_random(SystemClock.random_id());
        let path = self.dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let new = NewLibrary {
            id: library.clone(),
            name: name.into(),
            kind: LibraryKind::Movies,
            folders: vec![(folder.clone(), path)],
        };
        self.store.create_library(&new).await.unwrap();
        let facts = FileFacts {
            container,
            duration_ms: 60_000,
            bitrate: Some(400_000),
            start_ms: 0,
            compressed: false,
            is_length_found: false,
            video: Some(VideoFacts {
                bit_depth: Some(8),
                frame_rate: Some(25.0),
                ..VideoFacts::plain(video, size.0, size.1)
            }),
            audio: vec![AudioFacts {
                sample_rate_hz: Some(48_000),
                language: Some("en".into()),
                default: true,
                ..AudioFacts::plain(0, "aac", 2)
            }],
            subtitles: vec![],
            chapters: vec![],
        };
        let found = ScanChange::Found {
            path: format!("{name}.{}", container.as_str()).into_bytes(),
            size_bytes: self.rooms.worker.film.len() as u64,
            mtime_ns: 1_700_000_000_000_000_000,
            inode: 7,
            name: format!("Film of {name}"),
            year: Some(2020),
            facts: Ok(facts),
        };
        self.store.apply_scan(&library, &folder, vec![found]).await.unwrap();
        let known = self.store.files_of_folder(&folder).await.unwrap();
        Shelf { library, title: known[0].title.clone(), file: known[0].id.clone() }
    }

    pub async fn play(&self, who: &Login, title: &TitleId) -> Value {
        let path = format!("/api/v1/titles/{title}/play");
        let (status, body) = self.json("POST", &path, who, Some(json!({}))).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Returns a connection to the house's database that is not the house's own.
    pub async fn other_program(&self) -> OtherProgram {
        OtherProgram::open(&self.dir.path().join("loge.db")).await.unwrap()
    }

    /// Does what no request could ask the house to do.
    pub async fn sql(&self, sql: &str) {
        self.other_program().await.run(sql).await.unwrap();
    }

    pub async fn asked(&self, what: &str) {
        until(what, Duration::from_secs(5), || self.rooms.was_asked(what)).await;
    }
}
