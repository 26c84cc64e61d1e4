//! A worker that means no good: tries everything from inside a loge and says of each thing whether
//! it could. What is looked for is an ability, so that in every line `false` is the good answer,
//! but for the few things that a worker needs.
//!
//! Its output, on standard error, is a row of JSON lines `[[group, name, can, detail], …]`, each
//! short enough for a log, and at the end the number of verdicts. What it is to look for comes as
//! `plan.json` in the first library folder.

mod calls;
mod limits;
mod others;
mod places;
mod raw;
mod rights;

use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};

/// Lines are cut at 500 characters on their way.
const LINE: usize = 440;

/// What this probe knows of the world outside.
pub struct Site {
    pub plan: Value,
    pub library: PathBuf,
    pub work: PathBuf,
    pub socket: PathBuf,
}

impl Site {
    fn find() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let mounts = contract::env::decode_mounts(&variable(contract::env::MOUNTS)?)?;
        let library = PathBuf::from(String::from_utf8(mounts.first()?.path.clone()).ok()?);
        let plan = std::fs::read(library.join("plan.json")).ok()?;
        Some(Self {
            plan: serde_json::from_slice(&plan).ok()?,
            library,
            work: variable(contract::env::WORK_DIR)?.into(),
            socket: variable(contract::env::SOCKET)?.into(),
        })
    }

    /// Something of the plan; a name that nothing has where it says nothing.
    pub fn told(&self, name: &str) -> &str {
        self.plan[name].as_str().unwrap_or("/nothing/of/this/name")
    }
    pub fn pid(&self, name: &str) -> i32 {
        self.plan[name].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(i32::MAX)
    }
}

/// What was found out so far.
#[derive(Default)]
pub struct Verdicts(Vec<Value>);

impl Verdicts {
    pub fn add(&mut self, group: &str, name: impl Into<String>, can: bool, detail: impl std::fmt::Display) {
        let detail: String = detail.to_string().chars().take(120).collect();
        self.0.push(json!([group, name.into(), can, detail]));
    }

    /// An attempt that is over: it worked or says why not.
    pub fn tried(&mut self, group: &str, name: impl Into<String>, outcome: std::io::Result<()>) {
        match outcome {
            Ok(()) => self.add(group, name, true, ""),
            Err(error) => {
                let why = error.raw_os_error().map_or_else(|| error.to_string(), calls::errno);
                self.add(group, name, false, why);
            }
        }
    }

    fn say(&self) {
        let mut out = std::io::stderr().lock();
        let mut line = Vec::new();
        let mut length = 0;
        for verdict in &self.0 {
            let more = verdict.to_string().len() + 1;
            if length + more > LINE {
                let _ = writeln!(out, "{}", Value::Array(std::mem::take(&mut line)));
                length = 0;
            }
            line.push(verdict.clone());
            length += more;
        }
        let _ = writeln!(out, "{}", Value::Array(line));
        let _ = writeln!(out, "{}", self.0.len());
    }
}

/// Fills whatever listens: colours, titles, lines that look like somebody else's, and one line
/// that does not end. Says at the end that all of it was taken.
fn shout(mib: u64) -> std::process::ExitCode {
    const LINE: &[u8] = b"\x1b[2J\x1b]0;evil\x07\r2026-01-01T00:00:00Z ERROR loge_server: all is lost\n";
    let mut out = std::io::stderr().lock();
    let block = LINE.repeat((1 << 20) / LINE.len());
    let all = (0..mib).try_for_each(|_| out.write_all(&block));
    let endless = out.write_all(&vec![b'a'; 1 << 20]);
    std::process::ExitCode::from(u8::from(all.and(endless).is_err()))
}

fn main() -> std::process::ExitCode {
    let Some(site) = Site::find() else {
        let _ = writeln!(std::io::stderr(), "no plan");
        return std::process::ExitCode::from(2);
    };
    if site.plan["wait"] == true {
        let _ = writeln!(std::io::stderr(), "waiting");
        loop {
            std::thread::park();
        }
    }
    if let Some(mib) = site.plan["shout"].as_u64() {
        return shout(mib);
    }
    let mut verdicts = Verdicts::default();
    // First of all, before anything here opens something itself.
    others::own(&site, &mut verdicts);
    rights::all(&site, &mut verdicts);
    calls::all(&mut verdicts);
    places::all(&site, &mut verdicts);
    others::all(&site, &mut verdicts);
    limits::all(&site, &mut verdicts);
    verdicts.say();
    std::process::ExitCode::SUCCESS
}
