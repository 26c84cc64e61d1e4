//! Raw system calls and children to make them in. Everything unsafe in the probe is here.

use std::time::{Duration, Instant};

/// What a call answered, or its error number.
pub type Answer = Result<i64, i32>;

/// One call with these words as they are. Bad pointers are the kernel's to find.
pub fn call(number: i64, args: [i64; 6]) -> Answer {
    let [a, b, c, d, e, f] = args;
    #[expect(unsafe_code, reason = "raw calls are what a hostile worker would make")]
    // SAFETY: calls that change this process are made in a child that ends right after.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer < 0 { Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) } else { Ok(answer) }
}

/// The address of a C string, as a word for [`call`].
pub fn text(text: &std::ffi::CStr) -> i64 {
    text.as_ptr() as i64
}

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Code(u8),
    Signal(i32),
    /// It had to be killed.
    Late,
    /// There is no child: the limit, most likely.
    NotStarted(i32),
}

/// Forks. `None` in the child.
pub fn fork() -> Result<Option<i32>, i32> {
    #[expect(unsafe_code, reason = "fork has no safe form")]
    // SAFETY: this process has one thread, so the child may go on as if nothing had happened.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid)),
        _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
    }
}

/// Ends a child at once, without anybody's destructors.
pub fn end(code: u8) -> ! {
    #[expect(unsafe_code, reason = "a child must not run its parent's exit handlers")]
    // SAFETY: it does not return.
    unsafe {
        libc::_exit(code.into())
    }
}

pub fn kill(pid: i32, signal: i32) -> Answer {
    call(libc::SYS_kill, [pid.into(), signal.into(), 0, 0, 0, 0])
}

/// The child's end, if it has ended.
fn ended(pid: i32) -> Option<End> {
    let mut status = 0;
    #[expect(unsafe_code, reason = "the status of a raw child")]
    // SAFETY: `status` outlives the call.
    let found = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    if found != pid {
        return None;
    }
    Some(match libc::WIFSIGNALED(status) {
        true => End::Signal(libc::WTERMSIG(status)),
        false => End::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX)),
    })
}

/// Waits for a child; one that does not end within `patience` is killed.
pub fn wait(pid: i32, patience: Duration) -> End {
    let until = Instant::now() + patience;
    loop {
        if let Some(end) = ended(pid) {
            return end;
        }
        if Instant::now() > until {
            let _ = kill(pid, libc::SIGKILL);
            while ended(pid).is_none() {
                std::thread::yield_now();
            }
            return End::Late;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Runs `work` in a child of its own.
pub fn in_child(patience: Duration, work: impl FnOnce() -> u8) -> End {
    match fork() {
        Ok(None) => end(work()),
        Ok(Some(pid)) => wait(pid, patience),
        Err(error) => End::NotStarted(error),
    }
}
