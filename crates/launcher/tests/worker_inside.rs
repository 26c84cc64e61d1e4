//! The real worker behind the real walls: it dials in, sends bytes, and its programs run.

use contract::{AnswerHead, FileRef, Job, Opening, Request, RequestBody, Status, ToWorker, env, frame};
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

const PATIENCE: Duration = Duration::from_secs(30);

/// What the variable says, else beside the launcher, where a build of the workspace puts it.
#[expect(clippy::disallowed_methods, reason = "builds the program under test when nobody has")]
fn binary(variable: &str, name: &str) -> PathBuf {
    if let Some(given) = std::env::var_os(variable) {
        return given.into();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_loge-launch")).with_file_name(name);
    if !program.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", name]).status().unwrap();
        assert!(built.success());
    }
    program
}

struct House {
    home: tempfile::TempDir,
    listener: UnixListener,
    launcher: Child,
    control: UnixStream,
    took: Duration,
}

impl House {
    #[expect(clippy::disallowed_methods, reason = "the test starts the programs it is about")]
    fn open(as_nobody: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        open(home.path(), 0o755);
        std::fs::create_dir(path("films")).unwrap();
        std::fs::create_dir(path("work")).unwrap();
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-c:v", "libx264"])
            .args(["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-y"])
            .arg(path("films/film.mp4"))
            .status()
            .unwrap();
        assert!(made.success());
        std::fs::copy(env!("CARGO_BIN_EXE_loge-launch"), path("loge-launch")).unwrap();
        for (variable, name) in [("LOGE_WORKER", "loge-worker"), ("LOGE_FRAMES", "loge-frames")] {
            std::fs::copy(binary(variable, name), path(name)).unwrap();
        }
        let listener = UnixListener::bind(path("gate.sock")).unwrap();
        open(&path("gate.sock"), 0o666);
        let mut command = Command::new(path("loge-launch"));
        if as_nobody {
            std::os::unix::fs::chown(path("work"), Some(65534), Some(65534)).unwrap();
            command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(path("loge-launch"));
        }
        let mounts = [env::MountPoint { id: "films".into(), path: path("films").as_os_str().as_bytes().to_vec() }];
        let began = Instant::now();
        let launcher = command
            .arg("--socket")
            .arg(path("gate.sock"))
            .arg("--ro")
            .arg(path("films"))
            .arg("--work")
            .arg(path("work"))
            .args(["--exec-ro", "/usr/bin/ffprobe", "--exec-ro", "/usr/bin/ffmpeg", "--exec-ro"])
            .arg(path("loge-frames"))
            .args(["--memory", "536870912", "--cpu-millis", "500", "--pids", "128", "--report-fd", "1"])
            // An ordinary user may make no control groups here; this is about what works, not about them.
            .args(["--allow-reduced", "--"])
            .arg(path("loge-worker"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env(env::SOCKET, path("gate.sock"))
            .env(env::NONCE, env::to_hex(&[9; 32]))
            .env(env::MOUNTS, env::encode_mounts(&mounts))
            .env(env::FFMPEG, "/usr/bin/ffmpeg")
            .env(env::FFPROBE, "/usr/bin/ffprobe")
            .env(env::FRAMES, path("loge-frames"))
            .env(env::WORK_DIR, path("work"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut control = listener.accept().unwrap().0;
        control.set_read_timeout(Some(PATIENCE)).unwrap();
        let Opening::Control(hello) = receive(&mut control) else { panic!("no hello") };
        assert_eq!(hello.nonce, [9; 32]);
        let took = began.elapsed();
        Self { home, listener, launcher, control, took }
    }

    fn order(&mut self, order: &ToWorker) {
        self.control.write_all(&frame::encode(order).unwrap()).unwrap();
    }

    fn dial(&mut self) -> UnixStream {
        self.order(&ToWorker::Dial { token: [3; 16] });
        let mut data = self.listener.accept().unwrap().0;
        data.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(receive::<Opening>(&mut data), Opening::Data { token: [3; 16] });
        data
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Ok(None) = self.launcher.try_wait() {
            let launcher = rustix::process::Pid::from_child(&self.launcher);
            let _ = rustix::process::kill_process(launcher, rustix::process::Signal::TERM);
            let _ = self.launcher.wait();
        }
    }
}

fn receive<T: serde::de::DeserializeOwned>(stream: &mut UnixStream) -> T {
    let mut field = [0; 4];
    stream.read_exact(&mut field).unwrap();
    let mut body = vec![0; frame::body_length(field).unwrap()];
    stream.read_exact(&mut body).unwrap();
    frame::decode(&body).unwrap()
}

fn ask(data: &mut UnixStream, body: RequestBody) -> (Status, Vec<u8>) {
    data.write_all(&frame::encode(&Request { id: 1, body }).unwrap()).unwrap();
    let mut head = [0; AnswerHead::BYTES];
    data.read_exact(&mut head).unwrap();
    let head = AnswerHead::from_bytes(&head).unwrap();
    let mut bytes = vec![0; usize::try_from(head.length).unwrap()];
    data.read_exact(&mut bytes).unwrap();
    (head.status, bytes)
}

#[test]
fn a_film_is_probed_pictured_and_sent_from_behind_the_walls() {
    let users: &[bool] = if rustix::process::geteuid().is_root() { &[false, true] } else { &[false] };
    for as_nobody in users {
        let mut house = House::open(*as_nobody);
        eprintln!("from start to hello: {:?}", house.took);
        house.order(&ToWorker::Welcome);
        let mut data = house.dial();
        let film = std::fs::read(house.home.path().join("films/film.mp4")).unwrap();
        let size = film.len() as u64;
        let file = FileRef { mount: "films".into(), path: b"film.mp4".to_vec(), size: Some(size), mtime_ns: None };

        let range = RequestBody::Range { file: file.clone(), offset: 0, length: size };
        let (status, bytes) = ask(&mut data, range);
        assert_eq!(status, Status::Ok);
        assert!(bytes == film);

        let max_bytes = 256 << 10;
        let probe = RequestBody::Job { job: Job::Probe { file: file.clone() }, max_bytes, time_limit_ms: 20_000 };
        let (status, json) = ask(&mut data, probe);
        assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&json));
        assert_eq!(media::probe_json::parse(&json, None).unwrap().video.unwrap().width, 320);

        let job = Job::Poster { file, picture_track: 0, moments_ms: vec![500, 1000], width: 160 };
        let (status, jpeg) = ask(&mut data, RequestBody::Job { job, max_bytes, time_limit_ms: 20_000 });
        assert_eq!(status, Status::Ok, "{}", String::from_utf8_lossy(&jpeg));
        assert_eq!(jpeg[..2], [0xff, 0xd8]);
        // ffmpeg would have made it too, and the worker would have said so.
        assert_eq!(std::fs::read_to_string(house.home.path().join("log")).unwrap(), "");

        house.order(&ToWorker::Shutdown);
        assert_eq!(house.launcher.wait().unwrap().code(), Some(0));
    }
}
