//! The outer process: it waits for its parent's end and for its child's, whichever comes first.

use crate::raw;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getppid, kill_process, pidfd_open, set_parent_process_death_signal,
        waitpid,
    },
};
use std::{os::fd::OwnedFd, process::ExitCode};

/// The process that started us.
pub struct Parent(Option<OwnedFd>);

impl Parent {
    /// A descriptor of the process, where the kernel has those: the older signal is tied to the
    /// *thread* that started us, which in a server may end long before the server does.
    pub fn note() -> rustix::io::Result<Self> {
        let Some(parent) = getppid() else { return Ok(Self(None)) };
        let Ok(fd) = pidfd_open(parent, PidfdFlags::empty()) else {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            return Ok(Self(None));
        };
        // Had it ended before the call above, the number would be somebody else's by now.
        if getppid() == Some(parent) { Ok(Self(Some(fd))) } else { Err(Errno::SRCH) }
    }

    /// Returns when nothing of the loge is left, with the worker's exit code.
    pub fn wait_for_either(&self, inner: Pid) -> ExitCode {
        let child = pidfd_open(inner, PidfdFlags::empty());
        if let (Ok(child), Ok(requests)) = (child, raw::end_requests()) {
            loop {
                let mut fds = vec![PollFd::new(&child, PollFlags::IN), PollFd::new(&requests, PollFlags::IN)];
                fds.extend(self.0.iter().map(|parent| PollFd::new(parent, PollFlags::IN)));
                match poll(&mut fds, None) {
                    Err(Errno::INTR) => continue,
                    Ok(_) if fds[1..].iter().all(|fd| fd.revents().is_empty()) => {}
                    // The server is gone or wants this loge to end, or nothing can be known any
                    // more: nobody is served.
                    Ok(_) | Err(_) => drop(kill_process(inner, Signal::KILL)),
                }
                break;
            }
        }
        loop {
            match waitpid(Some(inner), WaitOptions::empty()) {
                Err(Errno::INTR) | Ok(None) => {}
                Ok(Some((_, status))) => {
                    let code = status.exit_status().or_else(|| status.terminating_signal().map(|n| 128 + n));
                    return ExitCode::from(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1));
                }
                Err(_) => return ExitCode::FAILURE,
            }
        }
    }
}
