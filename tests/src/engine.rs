//! A Docker engine of a test's own, to be killed, stopped and started again.

use crate::binary;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Engine {
    dir: PathBuf,
    host: String,
    image: String,
    /// What the daemon was started with, to start it again.
    arguments: Vec<String>,
    again: Option<Child>,
    _folder: tempfile::TempDir,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

fn script(name: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new("node").arg(root().join("scripts").join(name)).args(arguments).output().ok()?;
    if !done.status.success() {
        eprintln!("{name}: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

fn is_over(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.is_empty() || state.contains(") Z ")
}

impl Engine {
    /// `None`, with a reason printed, where this machine cannot run one.
    pub fn start() -> Option<Self> {
        if std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) != 0) {
            eprintln!("skipped: an engine of one's own can only be killed by root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("loge-e").tempdir().expect("a folder");
        let dir = folder.path().join("e");
        let text = dir.to_str().expect("a plain path");
        let said = script("engine.mjs", &["start", "--dir", text])?;
        let host = said.lines().find_map(|line| line.strip_prefix("DOCKER_HOST="))?.to_owned();
        let mut engine = Self { dir, host, image: String::new(), arguments: vec![], again: None, _folder: folder };
        let worker = binary("LOGE_WORKER", "loge-worker");
        let frames = binary("LOGE_FRAMES", "loge-frames");
        let programs = ["--worker", worker.to_str()?, "--frames", frames.to_str()?];
        let made = script("worker-image.mjs", &[&programs[..], &["--host", &engine.host]].concat())?;
        engine.image = made.lines().last()?.to_owned();
        let line = std::fs::read(format!("/proc/{}/cmdline", engine.pid())).expect("the daemon runs");
        let parts = line.split(|b| *b == 0).filter(|part| !part.is_empty());
        engine.arguments = parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        Some(engine)
    }

    pub fn host(&self) -> String {
        self.host.clone()
    }
    pub fn image(&self) -> String {
        self.image.clone()
    }

    fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.dir.join("docker.pid")).expect("the daemon's own record");
        text.trim().parse().expect("a process id")
    }

    /// Ends the daemon alone; what runs in containers is its own affair.
    pub fn end(&mut self, name: &str) {
        let pid = self.pid();
        crate::signal(name, pid);
        if let Some(mut child) = self.again.take() {
            let _ = child.wait();
        }
        crate::eventually("the daemon ends", || is_over(pid).then_some(()));
        // Its own containerd goes with it, sooner or later. What begins before that would take the
        // dying one for one that runs, and wait for it in vain; a zombie likewise.
        let record = self.dir.join("exec/containerd/containerd.pid");
        let containerd = std::fs::read_to_string(&record).ok().and_then(|text| text.trim().parse().ok());
        if let Some(containerd) = containerd {
            crate::try_signal("KILL", containerd);
            crate::eventually("its containerd ends", || is_over(containerd).then_some(()));
        }
        let _ = std::fs::remove_file(&record);
    }

    pub fn begin(&mut self) {
        let _ = std::fs::remove_file(self.dir.join("docker.pid"));
        let log = std::fs::File::create(self.dir.join("again.log")).expect("a log");
        let child = Command::new(&self.arguments[0])
            .args(&self.arguments[1..])
            .env("TMPDIR", &self.dir)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("dockerd starts again");
        // The scripts that clear up look here.
        let record = serde_json::json!({ "pid": child.id(), "owner": null });
        std::fs::write(self.dir.join("engine.json"), record.to_string()).expect("a record");
        self.again = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        while self.docker(&["version"]).is_none() {
            let said = || std::fs::read_to_string(self.dir.join("again.log")).unwrap_or_default();
            assert!(Instant::now() < until, "the engine does not come back; it said: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn pause(&self) {
        crate::signal("STOP", self.pid());
    }
    pub fn go_on(&self) {
        crate::signal("CONT", self.pid());
    }

    fn docker(&self, arguments: &[&str]) -> Option<String> {
        let done = Command::new("docker").args(["-H", &self.host]).args(arguments).output().ok()?;
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }

    /// Something of somebody else, with a name like ours.
    pub fn foreign_container(&self) -> String {
        let created = ["create", "--name", "loge-foreign", "--network", "none", "--entrypoint", "/usr/bin/ffprobe"];
        self.docker(&[&created[..], &[&self.image, "-version"]].concat()).expect("a container")
    }
    pub fn exists(&self, id: &str) -> bool {
        self.docker(&["inspect", "--format", "{{.Id}}", id]).is_some()
    }
    pub fn remove(&self, id: &str) {
        let _ = self.docker(&["rm", "-f", id]);
    }
    /// How many containers one user has, running or not.
    pub fn loges(&self, user: &str) -> usize {
        let filter = format!("label=loge.tenant={user}");
        self.docker(&["ps", "-aq", "--filter", &filter]).map_or(0, |list| list.lines().count())
    }
    pub fn left(&self) -> Vec<String> {
        let list = self.docker(&["ps", "-a", "--format", "{{.Names}}"]).unwrap_or_default();
        list.lines().map(String::from).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A stopped daemon cannot be told to end.
        if self.dir.join("docker.pid").exists() {
            let _ = Command::new("kill").args(["-CONT", &self.pid().to_string()]).status();
        }
        let _ = script("engine.mjs", &["stop", "--dir", self.dir.to_str().unwrap_or_default()]);
        if let Some(mut child) = self.again.take() {
            let _ = child.wait();
        }
    }
}
