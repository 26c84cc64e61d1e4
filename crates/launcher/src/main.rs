//! `loge-launch`: the walls of a loge where there is no container engine.
//!
//! It becomes two processes. The outer one does nothing but wait: when its parent (the server)
//! ends, when it is killed itself, or when the inner one ends, the whole loge is gone. The inner
//! one takes every right away from itself, in an order in which no step needs a right that an
//! earlier one took, reports in one line of JSON what was reached, and becomes the worker.
//! What must be reached, or there is no worker, is in `must_stand`.
//!
//! It reads no file of a user, parses nothing but its own arguments, and knows no room of the
//! house.

mod args;
mod cgroup;
mod inner;
mod limits;
mod must_stand;
mod raw;
mod report;
mod syscalls;
mod view;
mod walls;
mod watch;

use args::Args;
use report::{Output, Report};
use rustix::{
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{DumpableBehavior, Pid, Signal, WaitOptions, kill_process, set_dumpable_behavior, waitpid},
    thread::UnshareFlags,
};
use std::{fs::File, io::Write, process::ExitCode};

/// The command line is not one of ours (`EX_USAGE`).
const USAGE: u8 = 64;
/// A wall that must stand could not be built (`EX_CONFIG`).
const REFUSED: u8 = 78;
/// The worker could not be started.
const NOT_STARTED: u8 = 126;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("loge-launch: {error}");
            return ExitCode::from(USAGE);
        }
    };
    if let Some(node) = args.render_node.as_deref().filter(|node| !walls::is_render_node(node)) {
        eprintln!("loge-launch: {} is no render node", node.display());
        return ExitCode::from(USAGE);
    }
    // Before anything else: whatever the server had open is none of a loge's business.
    let parent = match raw::close_all_but(args.report_fd).and_then(|()| watch::Parent::note()) {
        Ok(parent) => parent,
        Err(error) => {
            eprintln!("loge-launch: prepare: {error}");
            return ExitCode::from(NOT_STARTED);
        }
    };
    let _ = rustix::process::setsid();
    if rustix::process::geteuid().is_root() {
        // An ordinary user's groups stay: they may be what makes a library readable.
        let _ = rustix::thread::set_thread_groups(&[]);
    }
    let mut report = Report::default();
    let groups = cgroup::Groups::make(&args, &mut report);
    match start(args, &groups, report) {
        Ok(Half::Inner(code)) => ExitCode::from(code),
        Ok(Half::Outer { inner, alive }) => {
            let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
            let code = parent.wait_for_either(inner);
            drop(alive);
            groups.remove();
            code
        }
        Err(error) => {
            groups.remove();
            eprintln!("loge-launch: start the inner process: {error}");
            ExitCode::from(NOT_STARTED)
        }
    }
}

/// Which of the two processes goes on.
enum Half {
    /// Only seen when the worker was not started: its exit code.
    Inner(u8),
    /// The inner process sees the end of `alive` when the outer one is gone.
    Outer { inner: Pid, alive: File },
}

/// Starts the inner process in as many namespaces as are allowed: all, then all without one for
/// users (a system administrator may do that), then none. What was refused is reported, and the
/// walls that must stand stand without.
fn start(args: Args, groups: &cgroup::Groups, report: Report) -> rustix::io::Result<Half> {
    let mut refused = None;
    for flags in [raw::NAMESPACES | UnshareFlags::NEWUSER, raw::NAMESPACES, UnshareFlags::empty()] {
        let (go, alive) = pipe_with(PipeFlags::CLOEXEC)?;
        match raw::fork_into(flags) {
            Ok(None) => {
                drop(alive);
                return Ok(Half::Inner(inner::run(args, flags, refused, File::from(go), report)));
            }
            Ok(Some(inner)) => {
                drop(go);
                let mut alive = File::from(alive);
                let said = map_self(inner, flags).and_then(|()| {
                    let word = if groups.join(inner) { inner::GO } else { inner::GO_UNLIMITED };
                    alive.write_all(&[word]).map_err(|_| Errno::PIPE)
                });
                match said {
                    Ok(()) => {
                        Output::of(args.report_fd).close();
                        return Ok(Half::Outer { inner, alive });
                    }
                    Err(error) => refused = Some(error),
                }
                let _ = kill_process(inner, Signal::KILL);
                let _ = waitpid(Some(inner), WaitOptions::empty());
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or(Errno::PERM))
}

/// Inside, the user has the same number as outside and no other user exists.
fn map_self(inner: Pid, flags: UnshareFlags) -> rustix::io::Result<()> {
    if !flags.contains(UnshareFlags::NEWUSER) {
        return Ok(());
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let write = |file: &str, text: String| {
        let path = format!("/proc/{}/{file}", inner.as_raw_nonzero());
        std::fs::write(path, text).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{uid} {uid} 1"))?;
    write("gid_map", format!("{gid} {gid} 1"))
}
