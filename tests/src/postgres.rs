//! A PostgreSQL of one test's own, which the test may stop, hold and start again, and a line to it
//! that falls silent.

use crate::signal;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
    is_held: bool,
}

impl Postgres {
    /// `None` where it is not installed; `npm test` installs it.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("loge-pg").tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
        let this = Self { folder, programs, port, is_held: false };
        if is_root() {
            let done = Command::new("chown").arg("postgres:postgres").arg(this.folder.path()).status();
            assert!(done.is_ok_and(|s| s.success()), "chown");
        }
        this.call("initdb", &["-U", "loge", "--auth=trust", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"]);
        this.up();
        Some(this)
    }

    /// With the database's own address, or one of a [`Line`].
    pub fn url(&self, port: Option<u16>) -> String {
        format!("postgres://loge@127.0.0.1:{}/postgres", port.unwrap_or(self.port))
    }

    pub fn up(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=40",
            self.port
        );
        let log = self.folder.path().join("log");
        self.call("pg_ctl", &["-l", &log.to_string_lossy(), "-w", "-t", "60", "-o", &options, "start"]);
    }

    /// Nobody listens any more.
    pub fn down(&self) {
        self.call("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

    /// Each of its processes stands still: it takes connections and answers none.
    pub fn hold(&mut self) {
        self.is_held = true;
        self.all("STOP");
    }

    pub fn let_go(&mut self) {
        self.is_held = false;
        self.all("CONT");
    }

    fn all(&self, name: &str) {
        let main = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let main: u32 = main.lines().next().expect("a pid").trim().parse().expect("a number");
        // It first, so that it makes no further ones.
        signal(name, main);
        let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap_or_default();
        for child in children.split_whitespace() {
            crate::try_signal(name, child.parse().expect("a number"));
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn call(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(if is_root() { "setpriv" } else { "env" });
        if is_root() {
            // It refuses to run as root.
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        let data = self.data();
        command.arg(self.programs.join(program)).arg("-D").arg(&data).args(arguments);
        // The server keeps what it is given, so it is given nothing that somebody waits for.
        let done = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(done.is_ok_and(|s| s.success()), "{program}: {log}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.data().join("postmaster.pid").exists() {
            return;
        }
        if self.is_held {
            self.let_go();
        }
        self.down();
    }
}

/// Debian keeps them off the PATH, one folder a version.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.into_iter().rev().find(|programs| programs.join("initdb").is_file())
}

fn is_root() -> bool {
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|me| me.uid() == 0)
}

/// A line that carries bytes, or holds them back as a network does that drops every packet.
pub struct Line {
    pub port: u16,
    is_silent: Arc<AtomicBool>,
}

impl Line {
    pub fn to(postgres: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let line =
            Self { port: listener.local_addr().expect("a port").port(), is_silent: Arc::new(AtomicBool::new(false)) };
        let (is_silent, server) = (line.is_silent.clone(), postgres.port);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let ends = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                for (from, to) in [(client, server), (ends.1, ends.0)] {
                    let is_silent = is_silent.clone();
                    std::thread::spawn(move || carry(from, to, &is_silent));
                }
            }
        });
        line
    }

    pub fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_silent: &AtomicBool) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        while is_silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
