//! The command line. Only the server writes it, so it is strict and has no conveniences.

use std::{ffi::OsString, os::fd::RawFd, path::PathBuf};

/// What a loge gets.
#[derive(Debug)]
pub struct Args {
    /// The gateway's socket for this loge.
    pub socket: PathBuf,
    /// Files and folders to read.
    pub read: Vec<PathBuf>,
    /// Programs and folders of libraries: to read and to run.
    pub execute: Vec<PathBuf>,
    /// The graphics chip: the one device a loge may have.
    pub render_node: Option<PathBuf>,
    /// A private folder that exists; the only place to write.
    pub work: PathBuf,
    pub memory_bytes: u64,
    pub cpu_millis: u32,
    pub pids: u32,
    pub cgroup_root: CgroupRoot,
    pub report_fd: Option<RawFd>,
    /// The owner chose to go on without some of the walls.
    pub allow_reduced: bool,
    pub worker: PathBuf,
    pub worker_args: Vec<OsString>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupRoot {
    /// `/sys/fs/cgroup`, below the group this process is in.
    Auto,
    None,
    At(PathBuf),
}

/// Why the command line is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum ArgsError {
    Unknown(String),
    Value(&'static str),
    Missing(&'static str),
}

impl std::fmt::Display for ArgsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(arg) => write!(f, "unknown argument {arg:?}"),
            Self::Value(flag) => write!(f, "{flag} needs another value"),
            Self::Missing(flag) => write!(f, "{flag} is missing"),
        }
    }
}

impl Args {
    pub fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Self, ArgsError> {
        let (mut socket, mut work, mut memory_bytes, mut cpu_millis, mut pids) = (None, None, None, None, None);
        let (mut read, mut execute, mut cgroup_root) = (Vec::new(), Vec::new(), CgroupRoot::Auto);
        let (mut report_fd, mut allow_reduced, mut render_node) = (None, false, None);
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--socket") => socket = Some(path("--socket", args.next())?),
                Some("--ro") => read.push(path("--ro", args.next())?),
                Some("--exec-ro") => execute.push(path("--exec-ro", args.next())?),
                Some("--render-node") => render_node = Some(path("--render-node", args.next())?),
                Some("--work") => work = Some(path("--work", args.next())?),
                Some("--memory") => memory_bytes = Some(number("--memory", args.next())?),
                Some("--cpu-millis") => cpu_millis = Some(number("--cpu-millis", args.next())?),
                Some("--pids") => pids = Some(number("--pids", args.next())?),
                Some("--report-fd") => report_fd = Some(number("--report-fd", args.next())?),
                Some("--cgroup-root") => {
                    cgroup_root = match args.next() {
                        Some(none) if none == "none" => CgroupRoot::None,
                        other => CgroupRoot::At(path("--cgroup-root", other)?),
                    }
                }
                Some("--allow-reduced") => allow_reduced = true,
                // The nonce always travels in the environment: a command line can be read by all.
                Some("--nonce-env") => {}
                Some("--") => break,
                _ => return Err(ArgsError::Unknown(arg.to_string_lossy().into_owned())),
            }
        }
        if report_fd.is_some_and(|fd: RawFd| fd < 1) {
            return Err(ArgsError::Value("--report-fd"));
        }
        Ok(Self {
            socket: socket.ok_or(ArgsError::Missing("--socket"))?,
            read,
            execute,
            render_node,
            work: work.ok_or(ArgsError::Missing("--work"))?,
            memory_bytes: memory_bytes.ok_or(ArgsError::Missing("--memory"))?,
            cpu_millis: cpu_millis.ok_or(ArgsError::Missing("--cpu-millis"))?,
            pids: pids.ok_or(ArgsError::Missing("--pids"))?,
            cgroup_root,
            report_fd,
            allow_reduced,
            worker: path("-- WORKER", args.next())?,
            worker_args: args.collect(),
        })
    }
}

/// Absolute, and without `..`: the same path is used before and after the root changes.
fn path(flag: &'static str, value: Option<OsString>) -> Result<PathBuf, ArgsError> {
    let path = PathBuf::from(value.ok_or(ArgsError::Value(flag))?);
    let plain = path.components().all(|c| !matches!(c, std::path::Component::ParentDir));
    if path.is_absolute() && plain { Ok(path) } else { Err(ArgsError::Value(flag)) }
}

fn number<T: std::str::FromStr>(flag: &'static str, value: Option<OsString>) -> Result<T, ArgsError> {
    value.and_then(|v| v.to_str()?.parse().ok()).ok_or(ArgsError::Value(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Args, ArgsError> {
        Args::parse(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn strict_and_complete() {
        let base = "--socket /s --work /w --memory 1 --cpu-millis 500 --pids 10";
        let args = parse(&format!("{base} --ro /a --ro /b --exec-ro /bin/x --report-fd 1 -- /worker --ro")).unwrap();
        assert_eq!((args.read.len(), args.execute.len(), args.report_fd), (2, 1, Some(1)));
        assert_eq!(args.worker_args, ["--ro"]);
        assert_eq!((args.cgroup_root, args.render_node), (CgroupRoot::Auto, None));
        let args = parse(&format!("{base} --render-node /dev/dri/renderD128 -- /worker")).unwrap();
        assert_eq!(args.render_node, Some("/dev/dri/renderD128".into()));
        for (text, error) in [
            ("--socket /s -- /w", ArgsError::Missing("--work")),
            ("--socket s", ArgsError::Value("--socket")),
            ("--ro /a/../b", ArgsError::Value("--ro")),
            ("--render-node renderD128", ArgsError::Value("--render-node")),
            ("--memory -1", ArgsError::Value("--memory")),
            ("--pids", ArgsError::Value("--pids")),
            ("--what", ArgsError::Unknown("--what".into())),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(parse(base).unwrap_err(), ArgsError::Value("-- WORKER"));
        assert_eq!(parse(&format!("{base} --report-fd 0 -- /w")).unwrap_err(), ArgsError::Value("--report-fd"));
    }
}
