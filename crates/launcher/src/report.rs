//! What was reached, in one line of JSON, before the worker exists.

use crate::raw;
use rustix::{
    fs::{Mode, OFlags},
    stdio,
};
use std::{fs::File, io::Write, os::fd::RawFd, path::PathBuf};

/// One wall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub name: &'static str,
    pub reached: bool,
    pub detail: String,
}

#[derive(Debug, Default)]
pub struct Report {
    pub isolation: Vec<Item>,
    /// The control groups of this loge, where use can be read and limits changed.
    pub groups: Vec<PathBuf>,
    /// Why there is no worker.
    pub fatal: Option<String>,
}

impl Report {
    pub fn add(&mut self, name: &'static str, reached: bool, detail: impl Into<String>) {
        self.isolation.push(Item { name, reached, detail: detail.into() });
    }

    /// Adds the outcome of one step, with `good` as its detail when it worked.
    pub fn step<E: std::fmt::Display>(&mut self, name: &'static str, outcome: Result<(), E>, good: &str) -> bool {
        match outcome {
            Ok(()) => self.add(name, true, good),
            Err(error) => self.add(name, false, error.to_string()),
        }
        self.has(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.isolation.iter().any(|item| item.name == name && item.reached)
    }

    pub fn to_line(&self) -> String {
        let items = self
            .isolation
            .iter()
            .map(|item| serde_json::json!({ "name": item.name, "reached": item.reached, "detail": item.detail }));
        let groups = self.groups.iter().map(|path| path.to_string_lossy().into_owned());
        let line = serde_json::json!({
            "isolation": items.collect::<Vec<_>>(),
            "cgroups": groups.collect::<Vec<_>>(),
            "fatal": self.fatal,
        });
        format!("{line}\n")
    }
}

/// Where the report goes. Standard output may be it: a worker has no other use for it.
pub enum Output {
    None,
    Stdout,
    File(File),
}

impl Output {
    pub fn of(fd: Option<RawFd>) -> Self {
        match fd {
            None => Self::None,
            Some(1) => Self::Stdout,
            Some(fd) => Self::File(raw::adopt(fd)),
        }
    }

    pub fn write(&mut self, line: &str) {
        let _ = match self {
            Self::None => Ok(()),
            Self::Stdout => std::io::stdout().write_all(line.as_bytes()),
            Self::File(file) => file.write_all(line.as_bytes()),
        };
    }

    /// Lets go, so that the reader sees the end; nothing inside may write there again.
    pub fn close(self) {
        if let Self::Stdout = self {
            let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
            if let Ok(null) = null {
                let _ = stdio::dup2_stdout(null);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_json_whatever_is_in_it() {
        let mut report = Report::default();
        report.step("landlock", Err::<(), _>("no\n\"quotes\""), "");
        assert!(report.step("seccomp", Ok::<(), String>(()), "filter"));
        let line = report.to_line();
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["isolation"][0]["detail"], "no\n\"quotes\"");
        assert_eq!(value["isolation"][1]["reached"], true);
        assert!(value["fatal"].is_null());
    }
}
