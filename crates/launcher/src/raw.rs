//! The system calls that Rust cannot check. Everything unsafe in the launcher is here.

use rustix::{io::Errno, process::Pid, thread::UnshareFlags};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Every namespace but the one for users.
pub const NAMESPACES: UnshareFlags = UnshareFlags::NEWNS
    .union(UnshareFlags::NEWPID)
    .union(UnshareFlags::NEWNET)
    .union(UnshareFlags::NEWIPC)
    .union(UnshareFlags::NEWUTS);

fn checked(answer: libc::c_long) -> rustix::io::Result<libc::c_long> {
    if answer >= 0 {
        return Ok(answer);
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Forks, with the child in new namespaces. `None` in the child.
///
/// As the first process of a process namespace the child takes everyone in it along when it ends.
pub fn fork_into(namespaces: UnshareFlags) -> rustix::io::Result<Option<Pid>> {
    let flags = libc::c_long::from(namespaces.bits()) | libc::c_long::from(libc::SIGCHLD);
    #[expect(unsafe_code, reason = "fork with namespaces has no safe form")]
    // SAFETY: without a new stack and without shared memory this is `fork`. The launcher has one
    // thread, so no lock is held and no other thread's state is copied half-way.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    let pid = checked(answer)?;
    Ok(i32::try_from(pid).ok().and_then(Pid::from_raw))
}

/// Closes every descriptor above standard error but one.
pub fn close_all_but(kept: Option<RawFd>) -> rustix::io::Result<()> {
    let close = |first: RawFd, last: libc::c_uint| {
        let Ok(first) = libc::c_uint::try_from(first) else { return Ok(()) };
        if first > last {
            return Ok(());
        }
        #[expect(unsafe_code, reason = "descriptors of unknown owners have no safe form")]
        // SAFETY: called first thing in `main`: nothing in this process owns a descriptor yet.
        let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        checked(answer).map(drop)
    };
    match kept.filter(|fd| *fd > 2) {
        Some(fd) => {
            close(3, libc::c_uint::try_from(fd).unwrap_or(3).saturating_sub(1))?;
            close(fd.saturating_add(1), libc::c_uint::MAX)
        }
        None => close(3, libc::c_uint::MAX),
    }
}

/// Takes over a descriptor that the parent opened for us by number.
pub fn adopt(fd: RawFd) -> std::fs::File {
    #[expect(unsafe_code, reason = "a number from the command line has no safe form")]
    // SAFETY: nobody else in this process uses the number; if it is not open, using it fails.
    unsafe {
        std::fs::File::from_raw_fd(fd)
    }
}

/// A descriptor that becomes readable when this process is asked to end, instead of ending it.
/// Only after the fork: the worker must not inherit blocked signals.
pub fn end_requests() -> rustix::io::Result<OwnedFd> {
    #[expect(unsafe_code, reason = "signals as a descriptor have no safe form")]
    // SAFETY: the set is initialised by `sigemptyset` before it is read and outlives both calls;
    // the descriptor is new and owned by nobody else.
    unsafe {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
        checked(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()).into())?;
        let fd = checked(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC).into())?;
        Ok(OwnedFd::from_raw_fd(RawFd::try_from(fd).map_err(|_| Errno::BADF)?))
    }
}
