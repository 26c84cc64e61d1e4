//! Loges without a container engine: the same worker behind `loge-launch`, which takes every
//! right away from itself before it becomes the worker.

use super::{CpuTime, Exit, News, Running, Runtime, RuntimeError, StartSpec, escape_line, process_usage::Meter};
use crate::{
    link::{PeerRule, Within},
    plan::Found,
    words::{IsolationItem, LogesConfig, RuntimeInfo, Usage},
};
use async_trait::async_trait;
use contract::env;
use domain::{InstallId, LogeLimits, RuntimeKind};
use std::{
    collections::{HashMap, VecDeque},
    ffi::OsString,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
    time::timeout,
};

const LOG_LINES: usize = 500;
/// The launcher reports before it becomes the worker; nothing in it waits for anything.
const REPORT_DEADLINE: Duration = Duration::from_secs(5);
const MAX_REPORT: u64 = 16 << 10;

pub struct ProcessRuntime {
    worker: PathBuf,
    launcher: PathBuf,
    ffmpeg: PathBuf,
    ffprobe: PathBuf,
    frames: Option<PathBuf>,
    /// The control group that loges get theirs in.
    group: Option<PathBuf>,
    running: Mutex<HashMap<String, Arc<Sandbox>>>,
    info: Mutex<RuntimeInfo>,
}

struct Sandbox {
    pid: u32,
    tenant: String,
    generation: u64,
    spec_hash: String,
    lines: Mutex<VecDeque<String>>,
    exit: watch::Receiver<Option<Exit>>,
    meter: Mutex<Meter>,
}

impl ProcessRuntime {
    /// # Errors
    /// When a program it needs is not there.
    pub fn new(config: &LogesConfig, why: String, advice: Option<String>) -> Result<Self, RuntimeError> {
        for path in [&config.worker_binary, &config.launcher_binary] {
            std::fs::metadata(path).map_err(|source| RuntimeError::Program { path: path.clone(), source })?;
        }
        if !config.frames_binary.is_file() {
            let path = config.frames_binary.display();
            tracing::warn!("there is no {path}: pictures are made by ffmpeg, which takes longer");
        }
        let info = RuntimeInfo {
            kind: RuntimeKind::Process,
            wanted: config.runtime,
            version: Some(env!("CARGO_PKG_VERSION").into()),
            detail: why,
            isolation: Vec::new(),
            advice,
        };
        Ok(Self {
            worker: config.worker_binary.clone(),
            launcher: config.launcher_binary.clone(),
            ffmpeg: program("ffmpeg"),
            ffprobe: program("ffprobe"),
            frames: Some(config.frames_binary.clone()).filter(|path| path.is_file()),
            group: None,
            running: Mutex::default(),
            info: Mutex::new(info),
        })
    }

    /// Makes the groups of loges in this one, where it is ours to divide.
    #[must_use]
    pub fn in_group(mut self, group: Option<PathBuf>) -> Self {
        self.group = group;
        self
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Sandbox>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn sandbox(&self, id: &str) -> Option<Arc<Sandbox>> {
        self.running().get(id).cloned()
    }

    fn arguments(&self, spec: &StartSpec, work: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut put = |flag: &str, value: OsString| args.extend([flag.into(), value]);
        put("--socket", spec.socket.clone().into());
        for mount in &spec.mounts {
            put("--ro", mount.path.clone().into());
        }
        // The launcher itself adds the system's libraries.
        for path in [&self.worker, &self.ffmpeg, &self.ffprobe].into_iter().chain(&self.frames) {
            put("--exec-ro", path.clone().into());
        }
        if let Some(chip) = &spec.chip {
            put("--render-node", chip.path.clone().into());
        }
        if let Some(group) = &self.group {
            put("--cgroup-root", group.clone().into());
        }
        put("--work", work.into());
        put("--memory", spec.limits.memory_bytes.to_string().into());
        put("--cpu-millis", spec.limits.cpu_millis.to_string().into());
        put("--pids", spec.limits.pids.to_string().into());
        // The worker has no use for standard output, so the report comes through it.
        put("--report-fd", "1".into());
        if spec.allows_reduced {
            args.push("--allow-reduced".into());
        }
        args.extend(["--".into(), self.worker.clone().into()]);
        args
    }

    fn command(&self, spec: &StartSpec, work: &Path) -> Command {
        let points: Vec<env::MountPoint> = spec
            .mounts
            .iter()
            .map(|m| env::MountPoint { id: m.id.to_string(), path: m.path.as_os_str().as_bytes().to_vec() })
            .collect();
        let mut command = Command::new(&self.launcher);
        command
            .args(self.arguments(spec, work))
            .env_clear()
            .env(env::SOCKET, &spec.socket)
            .env(env::NONCE, env::to_hex(&spec.nonce))
            .env(env::MOUNTS, env::encode_mounts(&points))
            .env(env::FFMPEG, &self.ffmpeg)
            .env(env::FFPROBE, &self.ffprobe)
            .env(env::WORK_DIR, work)
            .envs(spec.chip.iter().map(|chip| (env::RENDER_NODE, &chip.path)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(frames) = &self.frames {
            command.env(env::FRAMES, frames);
        }
        command
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    fn info(&self) -> RuntimeInfo {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn has_live_limits(&self) -> bool {
        false
    }

    async fn start(&self, spec: StartSpec) -> Result<Running, RuntimeError> {
        let work = spec.socket.with_file_name("work");
        std::fs::create_dir_all(&work).map_err(|source| RuntimeError::Program { path: work.clone(), source })?;
        let failed = |source| RuntimeError::Program { path: self.launcher.clone(), source };
        let mut child = self.command(&spec, &work).spawn().map_err(failed)?;
        let pid = child.id().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        spec.peer.set(PeerRule { uid: None, within: Within::Process(pid) });

        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (ended, exit) = watch::channel(None);
        let sandbox = Arc::new(Sandbox {
            pid,
            tenant: spec.tenant.to_string(),
            generation: spec.generation,
            spec_hash: spec.spec_hash.clone(),
            lines: Mutex::default(),
            exit,
            meter: Mutex::default(),
        });
        let id = format!("process-{}-{pid}", spec.generation);
        self.running().insert(id.clone(), sandbox.clone());
        if let Some(stderr) = stderr {
            tokio::spawn(keep_lines(stderr, sandbox.clone()));
        }
        tokio::spawn(wait(child, pid, ended));

        let report = async {
            let mut line = Vec::new();
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout.take(MAX_REPORT)).read_until(b'\n', &mut line).await;
            }
            line
        };
        let line = timeout(REPORT_DEADLINE, report).await.unwrap_or_default();
        let report = parse_report(&line).unwrap_or_default();
        if !report.isolation.is_empty() {
            let mut info = self.info.lock().unwrap_or_else(PoisonError::into_inner);
            info.isolation.clone_from(&report.isolation);
        }
        let permitted = self.info().permit(spec.allows_reduced);
        if report.fatal.is_none() && !report.isolation.is_empty() && permitted.is_ok() {
            return Ok(Running { id, image: self.worker.display().to_string() });
        }
        // Without a report its last words say why.
        let _ = timeout(Duration::from_secs(1), self.exited(&id)).await;
        let said = self.logs(&id, 3).await.unwrap_or_default().join(" / ");
        self.stop(&id, Duration::ZERO).await?;
        self.remove(&id).await?;
        if !report.isolation.is_empty() {
            permitted?;
        }
        let said = if said.is_empty() { "the launcher said nothing".to_owned() } else { said };
        Err(RuntimeError::Sandbox { detail: report.fatal.unwrap_or(said) })
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let Some(sandbox) = self.sandbox(id) else { return Ok(()) };
        let mut exit = sandbox.exit.clone();
        // The kind part was said over the link. A signal would end the launcher, and the worker
        // with it in the middle of its goodbye.
        if !grace.is_zero() && timeout(grace, exit.wait_for(Option::is_some)).await.is_ok() {
            return Ok(());
        }
        kill(sandbox.pid);
        let _ = timeout(Duration::from_secs(5), exit.wait_for(Option::is_some)).await;
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.running().remove(id);
        Ok(())
    }

    async fn update_limits(&self, _: &str, _: LogeLimits) -> Result<(), RuntimeError> {
        Err(RuntimeError::NotLive)
    }

    async fn usage(&self, id: &str) -> Option<Usage> {
        let sandbox = self.sandbox(id)?;
        sandbox.meter.lock().unwrap_or_else(PoisonError::into_inner).read(sandbox.pid)
    }

    async fn cpu_time(&self, _: &str) -> Option<CpuTime> {
        // Asked in order to change limits, which is not possible here.
        None
    }

    async fn logs(&self, id: &str, tail: usize) -> Result<Vec<String>, RuntimeError> {
        let Some(sandbox) = self.sandbox(id) else { return Ok(Vec::new()) };
        let lines = sandbox.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(lines.iter().skip(lines.len().saturating_sub(tail)).cloned().collect())
    }

    async fn list_ours(&self, _: &InstallId) -> Result<Vec<Found>, RuntimeError> {
        // Sandboxes of an earlier run died with it: the launcher asks the kernel for that.
        let running = self.running();
        let found = running.iter().map(|(id, sandbox)| Found {
            id: id.clone(),
            tenant: sandbox.tenant.clone(),
            generation: sandbox.generation,
            spec_hash: sandbox.spec_hash.clone(),
        });
        Ok(found.collect())
    }

    /// Nothing but this program starts or ends its sandboxes.
    async fn tell_news(&self, _: &InstallId, _: &mpsc::Sender<News>) {
        std::future::pending().await
    }

    async fn exited(&self, id: &str) -> Exit {
        let gone = Exit { code: None, out_of_memory: false };
        let Some(sandbox) = self.sandbox(id) else { return gone };
        let mut exit = sandbox.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or(gone)
    }
}

impl Drop for ProcessRuntime {
    fn drop(&mut self) {
        for sandbox in self.running().values() {
            kill(sandbox.pid);
        }
    }
}

/// The launcher leads a session of its own, so its group is everything it started. Before it
/// gets that far the group does not exist and the process itself is meant.
fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
}

async fn wait(mut child: Child, pid: u32, ended: watch::Sender<Option<Exit>>) {
    use std::os::unix::process::ExitStatusExt;
    let status = child.wait().await.ok();
    // What it started must not outlive it.
    if let Some(group) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let code = status.and_then(|s| s.code().or_else(|| s.signal().map(|n| 128 + n))).map(i64::from);
    ended.send_replace(Some(Exit { code, out_of_memory: false }));
}

/// Keeps the newest lines, each cut and escaped. A worker that shouts costs no more memory.
async fn keep_lines(stderr: impl AsyncRead + Unpin, sandbox: Arc<Sandbox>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stderr).take(4096).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 => {}
            _ => return,
        }
        let mut lines = sandbox.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(escape_line(&line));
    }
}

#[derive(Default)]
struct Report {
    isolation: Vec<IsolationItem>,
    fatal: Option<String>,
}

/// The launcher's one line of JSON. It was written before any media was touched, and is bounded
/// all the same. `None` for anything else.
fn parse_report(line: &[u8]) -> Option<Report> {
    #[derive(serde::Deserialize)]
    struct Line {
        isolation: Vec<Item>,
        #[serde(default)]
        fatal: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        name: String,
        reached: bool,
        #[serde(default)]
        detail: String,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let item = |i: Item| IsolationItem { name: i.name, reached: i.reached, detail: i.detail };
    Some(Report { isolation: line.isolation.into_iter().take(64).map(item).collect(), fatal: line.fatal })
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| Path::new("/usr/bin").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_was_reached_and_why_not() {
        let report = parse_report(
            br#"{"isolation":[{"name":"seccomp","reached":true,"detail":"filter"},{"name":"landlock","reached":false}],
                "cgroups":[],"fatal":"no Landlock"}"#,
        )
        .unwrap();
        assert_eq!(report.fatal.as_deref(), Some("no Landlock"));
        assert_eq!(report.isolation.iter().map(|i| i.reached).collect::<Vec<_>>(), [true, false]);
        assert!(parse_report(b"loge-launch: unknown argument").is_none());
        assert!(parse_report(b"").is_none());
    }
}
