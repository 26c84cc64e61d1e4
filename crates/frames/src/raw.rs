//! The system calls that Rust cannot check.

use rustix::{io::Errno, process::Pid};

/// Forks. `None` in the child.
///
/// # Errors
/// No memory, or too many processes.
pub fn fork() -> rustix::io::Result<Option<Pid>> {
    #[expect(unsafe_code, reason = "fork has no safe form")]
    // SAFETY: this program has one thread, so no lock is held and no other thread's state is copied
    // half-way.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::NOMEM));
    }
    Ok(Pid::from_raw(pid))
}

/// Ends a child at once: what the libraries would tidy up is their parent's.
pub fn end(code: i32) -> ! {
    #[expect(unsafe_code, reason = "an end without tidying up has no safe form")]
    // SAFETY: it takes a number and does not return.
    unsafe {
        libc::_exit(code)
    }
}
