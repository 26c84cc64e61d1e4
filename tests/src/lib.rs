//! Driving the real house from outside: the binaries people run, over the HTTP people speak.
//!
//! A [`House`] is one `loge-server` on a free port with a data folder of its own. Dropping it
//! stops the server as a person would and fails the test when anything is left behind.

#![expect(clippy::disallowed_methods, reason = "tests start the real programs")]

pub mod engine;
pub mod media;
pub mod network;
pub mod player;
pub mod postgres;
pub mod processes;
pub mod segments;
pub mod volume;
pub mod wire;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// What makes the loges of a test house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    Docker,
    Process,
}

impl Runtime {
    /// Runtimes this machine can test. Docker needs an engine in `DOCKER_HOST` and an image in
    /// `LOGE_WORKER_IMAGE`; `npm test` provides both.
    pub fn available() -> Vec<Self> {
        let docker = std::env::var_os("DOCKER_HOST").is_some() && std::env::var_os("LOGE_WORKER_IMAGE").is_some();
        if docker {
            vec![Self::Process, Self::Docker]
        } else {
            eprintln!("skipped with docker: no DOCKER_HOST and LOGE_WORKER_IMAGE; `npm test` starts an engine");
            vec![Self::Process]
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Process => "process",
        }
    }
}

/// A binary of ours: where the variable says, else where cargo puts it.
pub fn binary(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let exe = std::env::current_exe().expect("a test knows its own path");
    let debug = exe.ancestors().find(|p| p.ends_with("debug") || p.ends_with("release")).expect("a target folder");
    let target = debug.parent().expect("a target folder");
    let musl = target.join("x86_64-unknown-linux-musl");
    [debug.join(name), musl.join("debug").join(name), musl.join("release").join(name)]
        .into_iter()
        .find(|p| p.is_file())
        .unwrap_or_else(|| panic!("{name} is not built; build it or set {variable}"))
}

/// Waits for a condition; the patience is for slow machines, never part of what is tested.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub struct House {
    child: Option<Child>,
    pub url: String,
    pub setup_code: Option<String>,
    pub runtime: Runtime,
    data: Option<tempfile::TempDir>,
    lines: mpsc::Receiver<String>,
}

impl House {
    /// Opens a fresh house.
    pub fn open(runtime: Runtime) -> Self {
        Self::open_with(runtime, &[])
    }

    /// With an environment of its own.
    pub fn open_with(runtime: Runtime, env: &[(&str, &str)]) -> Self {
        let data = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
        Self::on(data, runtime, env)
    }

    /// With its data on a disk of the test's choice.
    pub fn open_on(disk: &Path, runtime: Runtime) -> Self {
        let data = tempfile::Builder::new().prefix("loge-t").tempdir_in(disk).expect("a data folder");
        Self::on(data, runtime, &[])
    }

    /// On a data folder that is there, for instance one on a disk of its own.
    pub fn on(data: tempfile::TempDir, runtime: Runtime, env: &[(&str, &str)]) -> Self {
        Self::at(data, runtime, env, "127.0.0.1:0")
    }

    /// As a user that owns nothing but its data folder; where the tests themselves run as such a
    /// user, as that one.
    pub fn open_as_plain_user() -> Self {
        use std::os::unix::{fs::MetadataExt, process::CommandExt};
        const NOBODY: u32 = 65_534;
        let data = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
        let mut command = Self::command(data.path(), Runtime::Process, "127.0.0.1:0");
        if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
            std::os::unix::fs::chown(data.path(), Some(NOBODY), Some(NOBODY)).expect("a folder for that user");
            command.uid(NOBODY).gid(NOBODY).env("HOME", data.path());
        }
        Self::spawn(data, Runtime::Process, command)
    }

    /// Open to a network, at an address of this machine there, with so many descriptors.
    pub fn open_on_network(address: std::net::Ipv4Addr, descriptors: u32) -> Self {
        let data = tempfile::Builder::new().prefix("loge-t").tempdir().expect("a data folder");
        let mut command = Command::new("prlimit");
        let server = Self::command(data.path(), Runtime::Process, "0.0.0.0:0");
        command.arg(format!("--nofile={descriptors}:{descriptors}")).arg(server.get_program()).args(server.get_args());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(data.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut house = Self::spawn(data, Runtime::Process, command);
        house.url = house.url.replace("0.0.0.0", &address.to_string());
        house
    }

    fn at(data: tempfile::TempDir, runtime: Runtime, env: &[(&str, &str)], listen: &str) -> Self {
        let mut command = Self::command(data.path(), runtime, listen);
        command.envs(env.iter().copied());
        Self::spawn(data, runtime, command)
    }

    fn spawn(data: tempfile::TempDir, runtime: Runtime, mut command: Command) -> Self {
        let mut child = command.spawn().expect("loge-server starts");
        let (tell, lines) = mpsc::channel();
        let out = child.stdout.take().expect("its output");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut house =
            Self { child: Some(child), url: String::new(), setup_code: None, runtime, data: Some(data), lines };
        house.wait_open();
        house
    }

    fn command(data: &Path, runtime: Runtime, listen: &str) -> Command {
        let mut command = Command::new(binary("LOGE_SERVER", "loge-server"));
        command
            .args(["serve", "--listen", listen, "--runtime", runtime.as_str(), "--data-dir"])
            .arg(data)
            .env("LOGE_WORKER", binary("LOGE_WORKER", "loge-worker"))
            .env("LOGE_LAUNCHER", binary("LOGE_LAUNCHER", "loge-launch"))
            .env("LOGE_FRAMES", binary("LOGE_FRAMES", "loge-frames"))
            .env("LOGE_LOG", std::env::var("LOGE_TEST_LOG").unwrap_or_else(|_| "warn".into()))
            .env_remove("XDG_RUNTIME_DIR")
            .current_dir(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn wait_open(&mut self) {
        let first = self.lines.recv_timeout(Duration::from_secs(60)).expect("the house opens");
        self.url = first.strip_prefix("listening on ").unwrap_or_else(|| panic!("not an address: {first}")).into();
        // The code follows at once, or never.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(300)) {
            if let Some(code) = line.strip_prefix("setup code: ") {
                self.setup_code = Some(code.into());
                break;
            }
        }
    }

    /// A start that should fail: its exit code and what it said.
    pub fn refused(data: &Path, runtime: Runtime, listen: &str) -> (i32, String) {
        let out = Self::command(data, runtime, listen).stderr(Stdio::piped()).output().expect("it runs");
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    pub fn data_dir(&self) -> &Path {
        self.data.as_ref().expect("an open house").path()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("an open house").id()
    }

    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").expect("an address")
    }

    /// Enters the setup code and becomes the owner.
    pub fn claim(&self) -> Person {
        let code = self.setup_code.as_deref().expect("an unclaimed house");
        let body = json!({ "code": code, "username": "Olga", "password": "a long night at the opera" });
        let answer = self.anonymous().post("/api/v1/setup", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        let owner = Person::of(self, &answer);
        // The person who runs the tests may allow a machine to lack walls; the default never does.
        if self.runtime == Runtime::Process && std::env::var_os("LOGE_TEST_ALLOW_REDUCED").is_some_and(|v| v == "1") {
            let allowed = owner.patch("/api/v1/admin/settings", &json!({ "allow_reduced_isolation": true }));
            assert_eq!(allowed.status, 200, "{allowed:?}");
        }
        owner
    }

    pub fn anonymous(&self) -> Person {
        Person { url: self.url.clone(), token: None, cookies: Vec::new(), id: String::new() }
    }

    pub fn sign_in(&self, username: &str, password: &str) -> Person {
        let answer =
            self.anonymous().post("/api/v1/auth/login", &json!({ "username": username, "password": password }));
        assert_eq!(answer.status, 200, "{answer:?}");
        Person::of(self, &answer)
    }

    /// A viewer with grants, made by the owner and signed in.
    pub fn viewer(&self, owner: &Person, username: &str, libraries: &[&str]) -> Person {
        let password = "curtain up at eight";
        let body = json!({ "username": username, "password": password, "role": "viewer" });
        let made = owner.post("/api/v1/admin/users", &body);
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().expect("an id").to_string();
        let granted = owner.put(&format!("/api/v1/admin/users/{id}/grants"), &json!({ "libraries": libraries }));
        assert_eq!(granted.status, 204, "{granted:?}");
        self.sign_in(username, password)
    }

    /// Makes a library of a folder and waits until its scan and its pictures are done.
    pub fn library(&self, owner: &Person, name: &str, folder: &Path) -> String {
        let made = owner.post("/api/v1/libraries", &json!({ "name": name, "kind": "movies", "folders": [folder] }));
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().expect("an id").to_string();
        self.wait_for_jobs(owner);
        id
    }

    pub fn wait_for_jobs(&self, owner: &Person) {
        eventually("all jobs to be over", || {
            let jobs = owner.get("/api/v1/admin/jobs").json();
            let items = jobs["items"].as_array().expect("a list");
            let over = |j: &Value| matches!(j["state"].as_str(), Some("done" | "failed" | "cancelled"));
            (!items.is_empty() && items.iter().all(over)).then_some(())
        });
    }

    /// Kills the server as a power cut or an out-of-memory killer would, and opens it again.
    pub fn crash_and_reopen(mut self) -> Self {
        let mut child = self.child.take().expect("an open house");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let (data, runtime) = (self.data.take().expect("its data"), self.runtime);
        Self::on(data, runtime, &[])
    }

    /// Ends the server by a signal, and opens it again at the same address.
    pub fn restart(mut self, name: &str) -> Self {
        let mut child = self.child.take().expect("an open house");
        signal(name, child.id());
        child.wait().expect("it ends");
        let (data, runtime) = (self.data.take().expect("its data"), self.runtime);
        Self::at(data, runtime, &[], self.address())
    }

    /// Whatever it does from now on gives way to others, as if it had been started with `nice`.
    pub fn step_back(&self) {
        let pid = self.child.as_ref().expect("an open house").id();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        let tasks = tasks.map(|task| task.expect("a task").file_name());
        let done = Command::new("renice").args(["-n", "5", "-p"]).args(tasks).stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|s| s.success()), "renice");
    }

    /// Stops it kindly and hands its data folder over.
    pub fn close_and_keep(mut self) -> tempfile::TempDir {
        assert_eq!(self.close(), 0, "it ends well");
        self.data.take().expect("its data")
    }

    /// Another verb of the command line on a data folder: its exit code and all it said.
    pub fn verb(data: &Path, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(binary("LOGE_SERVER", "loge-server"));
        let out = command.args(arguments).arg("--data-dir").arg(data).output().expect("it runs");
        let said = [out.stdout, out.stderr].concat();
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Stops it kindly and gives its exit code.
    pub fn close(&mut self) -> i32 {
        let Some(mut child) = self.child.take() else { return 0 };
        signal("TERM", child.id());
        let until = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = child.try_wait().expect("it can be waited for") {
                return status.code().unwrap_or(-1);
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                return -2;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Sends a signal to a process that is there.
pub fn signal(name: &str, pid: u32) {
    assert!(try_signal(name, pid), "{pid} was gone already");
}

/// Answers whether it was there.
pub fn try_signal(name: &str, pid: u32) -> bool {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status();
    done.is_ok_and(|s| s.success())
}

impl Drop for House {
    fn drop(&mut self) {
        let Some(data) = self.data.take() else { return };
        let was_open = self.child.is_some();
        let code = self.close();
        let left = left_behind(data.path());
        if std::thread::panicking() {
            eprintln!("the house ended with {code}; left behind: {left:?}");
            return;
        }
        assert!(!was_open || code == 0, "the house ended with {code}");
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

/// Processes and sockets of a house that should be gone.
fn left_behind(data: &Path) -> Vec<String> {
    let marker = data.to_string_lossy().into_owned();
    let mut left = Vec::new();
    for process in std::fs::read_dir("/proc").expect("a Linux").flatten() {
        let about = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
        let text = [about("cmdline"), about("environ")].concat();
        let mine = process.file_name().to_string_lossy() == std::process::id().to_string();
        if !mine && String::from_utf8_lossy(&text).contains(&marker) {
            left.push(format!("process {}", process.file_name().to_string_lossy()));
        }
    }
    if data.join("run").exists() {
        left.push("the run folder".into());
    }
    left
}

/// Somebody with a browser.
#[derive(Clone)]
pub struct Person {
    url: String,
    pub token: Option<String>,
    pub cookies: Vec<String>,
    pub id: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().into()
    }
}

impl Person {
    fn of(house: &House, answer: &Answer) -> Self {
        let json = answer.json();
        Self {
            url: house.url.clone(),
            token: json["access_token"].as_str().map(String::from),
            id: json["user"]["id"].as_str().unwrap_or_default().into(),
            cookies: answer
                .headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case("set-cookie"))
                .filter_map(|(_, v)| v.split(';').next().map(String::from))
                .collect(),
        }
    }

    /// Tokens last minutes.
    pub fn sign_in_again(&mut self, username: &str, password: &str) {
        let nobody = Self { token: None, cookies: Vec::new(), ..self.clone() };
        let answer = nobody.post("/api/v1/auth/login", &json!({ "username": username, "password": password }));
        assert_eq!(answer.status, 200, "{answer:?}");
        self.token = answer.json()["access_token"].as_str().map(String::from);
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None, &[])
    }
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body), &[])
    }
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, Some(body), &[])
    }
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path, Some(body), &[])
    }
    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None, &[])
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Answer {
        self.try_call(method, path, body, headers).unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    /// `None` when nobody answers.
    pub fn try_call(&self, method: &str, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Option<Answer> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !self.cookies.is_empty() {
            request = request.header("cookie", self.cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body.map(|b| serde_json::to_vec(b).expect("JSON")).unwrap_or_default();
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(bytes).expect("a request");
        let answer = agent.run(request).ok()?;
        let (parts, mut body) = answer.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect();
        let body = body.with_config().limit(1 << 30).read_to_vec().unwrap_or_default();
        Some(Answer { status: parts.status.as_u16(), headers, body })
    }
}
