//! A gateway for tests: a real socket, the real worker binary, and the contract in between.

#![expect(dead_code, reason = "each test file uses its part")]

pub mod chip;
pub mod films;

use contract::{AnswerHead, FileRef, FromWorker, Job, Opening, Request, RequestBody, Status, ToWorker, env, frame};
use std::{
    io::{Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const NONCE: [u8; 32] = [0x5a; 32];
/// Patience of a condition that should come at once; a loaded machine is slow.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct House {
    pub home: tempfile::TempDir,
    pub library: PathBuf,
    listener: UnixListener,
    pub worker: Child,
    pub control: UnixStream,
}

impl House {
    pub fn open() -> Self {
        Self::with_programs(Path::new("/usr/bin/ffmpeg"), Path::new("/usr/bin/ffprobe"))
    }

    pub fn with_programs(ffmpeg: &Path, ffprobe: &Path) -> Self {
        Self::with(ffmpeg, ffprobe, &[])
    }

    /// One whose pictures are taken by this program.
    pub fn with_frames(frames: &Path) -> Self {
        Self::with(Path::new("/usr/bin/ffmpeg"), Path::new("/usr/bin/ffprobe"), &[(env::FRAMES, frames)])
    }

    /// With ffmpeg alone, and with the real `loge-frames`.
    pub fn both() -> [Self; 2] {
        [Self::open(), Self::with_frames(&frames_binary())]
    }

    /// `extra`: more of the environment.
    #[expect(clippy::disallowed_methods, reason = "the test starts the program it is about")]
    pub fn with(ffmpeg: &Path, ffprobe: &Path, extra: &[(&str, &Path)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (library, work) = (home.path().join("films"), home.path().join("work"));
        std::fs::create_dir(&library).unwrap();
        std::fs::create_dir(&work).unwrap();
        let socket = home.path().join("gate.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mounts = [env::MountPoint { id: "films".into(), path: library.as_os_str().as_bytes().to_vec() }];
        let worker = Command::new(env!("CARGO_BIN_EXE_loge-worker"))
            .env_clear()
            .env(env::SOCKET, &socket)
            .env(env::NONCE, env::to_hex(&NONCE))
            .env(env::MOUNTS, env::encode_mounts(&mounts))
            .env(env::FFMPEG, ffmpeg)
            .env(env::FFPROBE, ffprobe)
            .env(env::WORK_DIR, &work)
            .envs(extra.iter().copied())
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(home.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut control = listener.accept().unwrap().0;
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        match receive::<Opening>(&mut control) {
            Opening::Control(hello) => assert_eq!((hello.protocol, hello.nonce), (contract::PROTOCOL, NONCE)),
            other => panic!("expected a hello, not {other:?}"),
        }
        let mut house = Self { home, library, listener, worker, control };
        house.order(&ToWorker::Welcome);
        house
    }

    pub fn order(&mut self, order: &ToWorker) {
        self.control.write_all(&frame::encode(order).unwrap()).unwrap();
    }

    pub fn ping(&mut self, seq: u64) -> u32 {
        self.order(&ToWorker::Ping { seq });
        let FromWorker::Pong { seq: back, busy } = receive(&mut self.control);
        assert_eq!(back, seq);
        busy
    }

    pub fn dial(&mut self, mark: u8) -> UnixStream {
        self.order(&ToWorker::Dial { token: [mark; 16] });
        let mut data = self.listener.accept().unwrap().0;
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(receive::<Opening>(&mut data), Opening::Data { token: [mark; 16] });
        data
    }

    /// Whether a worker dials within a moment, without taking the connection for anything.
    pub fn is_dialled(&self) -> bool {
        self.listener.set_nonblocking(true).unwrap();
        let dialled = self.listener.accept().is_ok();
        self.listener.set_nonblocking(false).unwrap();
        dialled
    }

    /// What the worker has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    pub fn file(&self, path: &[u8], size: Option<u64>) -> FileRef {
        FileRef { mount: "films".into(), path: path.to_vec(), size, mtime_ns: None }
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.library.join(name), bytes).unwrap();
    }

    /// A clip with a picture and a tone, made by ffmpeg.
    #[expect(clippy::disallowed_methods, reason = "ffmpeg makes the clip")]
    pub fn clip(&self, name: &str, extra: &[&str]) {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"])
            .args(extra)
            .args(["-y"])
            .arg(self.library.join(name))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
    }
}

/// `LOGE_FRAMES`, else beside the worker, where a build of the workspace puts it.
#[expect(clippy::disallowed_methods, reason = "builds the program under test when nobody has")]
pub fn frames_binary() -> PathBuf {
    if let Some(given) = std::env::var_os("LOGE_FRAMES") {
        return given.into();
    }
    let frames = Path::new(env!("CARGO_BIN_EXE_loge-worker")).with_file_name("loge-frames");
    if !frames.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", "loge-frames"]).status().unwrap();
        assert!(built.success());
    }
    frames
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.worker.kill();
        let _ = self.worker.wait();
    }
}

pub fn receive<T: serde::de::DeserializeOwned>(stream: &mut UnixStream) -> T {
    let mut field = [0; 4];
    stream.read_exact(&mut field).unwrap();
    let mut body = vec![0; frame::body_length(field).unwrap()];
    stream.read_exact(&mut body).unwrap();
    frame::decode(&body).unwrap()
}

pub fn ask(stream: &mut UnixStream, id: u64, body: RequestBody) -> (AnswerHead, Vec<u8>) {
    put(stream, id, body);
    let head = head(stream);
    assert_eq!(head.id, id);
    let mut bytes = vec![0; usize::try_from(head.length).unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    (head, bytes)
}

pub fn put(stream: &mut UnixStream, id: u64, body: RequestBody) {
    stream.write_all(&frame::encode(&Request { id, body }).unwrap()).unwrap();
}

pub fn head(stream: &mut UnixStream) -> AnswerHead {
    let mut head = [0; AnswerHead::BYTES];
    stream.read_exact(&mut head).unwrap();
    AnswerHead::from_bytes(&head).unwrap()
}

pub fn range(stream: &mut UnixStream, id: u64, file: FileRef, offset: u64, length: u64) -> (Status, Vec<u8>) {
    let (head, bytes) = ask(stream, id, RequestBody::Range { file, offset, length });
    (head.status, bytes)
}

pub fn job(stream: &mut UnixStream, id: u64, job: Job, max_bytes: u32, time_limit_ms: u32) -> (Status, Vec<u8>) {
    let (head, bytes) = ask(stream, id, RequestBody::Job { job, max_bytes, time_limit_ms });
    (head.status, bytes)
}

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processes whose parent is `parent`, zombies too.
pub fn children_of(parent: u32) -> Vec<u32> {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        after_name.split(' ').nth(1).and_then(|p| p.parse().ok()) == Some(parent)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

pub fn script(house: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = house.path().join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
