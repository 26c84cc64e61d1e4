//! Stands in for the worker in tests: tries what its arguments name and says on standard error
//! how each ended. `read /etc/shadow` gives `read /etc/shadow = 13`; 0 means that it worked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
};

fn main() {
    let mut args = std::env::args().skip(1);
    while let Some(action) = args.next() {
        if action == "sleep" {
            say("sleep", "", 0);
            loop {
                std::thread::park();
            }
        }
        let target = args.next().unwrap_or_default();
        say(&action, &target, code(attempt(&action, &target)));
    }
}

fn say(action: &str, target: &str, code: i32) {
    let _ = writeln!(io::stderr(), "{action} {target} = {code}");
}

fn code(outcome: io::Result<i32>) -> i32 {
    match outcome {
        Ok(value) => value,
        Err(error) => error.raw_os_error().unwrap_or(999),
    }
}

#[expect(clippy::disallowed_methods, reason = "starting a program is one of the things to try")]
fn attempt(action: &str, target: &str) -> io::Result<i32> {
    match action {
        "read" => match fs::metadata(target)?.is_dir() {
            true => fs::read_dir(target).map(|_| 0),
            false => File::open(target)?.read(&mut [0]).map(|_| 0),
        },
        "write" => OpenOptions::new().write(true).create(true).truncate(false).open(target)?.write(b"x").map(|_| 0),
        "truncate" => OpenOptions::new().write(true).truncate(true).open(target).map(|_| 0),
        "remove" => fs::remove_file(target).map(|()| 0),
        "mkdir" => fs::create_dir(target).map(|()| 0),
        // A program of our own, put where it can be written.
        "drop-and-run" => {
            let mut program = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(target)?;
            io::copy(&mut File::open(std::env::current_exe()?)?, &mut program)?;
            drop(program);
            std::process::Command::new(target).status().map(|_| 0)
        }
        "run" => std::process::Command::new(target)
            .arg("-version")
            .stdout(std::process::Stdio::null())
            .status()
            .map(|s| s.code().unwrap_or(-1)),
        "use" => OpenOptions::new().read(true).write(true).open(target).map(|_| 0),
        "seems-graphics" => fs::metadata("/sys/dev/char/226:128/device/drm").map(|_| 0),
        "connect" => UnixStream::connect(target).map(|_| 0),
        "seen" => Ok(fs::read_dir(target)?.count() as i32),
        "env" => Ok(std::env::vars().filter(|(name, _)| !name.starts_with("LOGE_")).count() as i32),
        "variable" => Ok(i32::from(std::env::var_os(target).is_none())),
        "pid" => Ok(i32::try_from(std::process::id()).unwrap_or(-1)),
        "capabilities" => {
            let sets = rustix::thread::capabilities(None)?;
            let any = sets.effective | sets.permitted | sets.inheritable;
            Ok(any.bits().count_ones() as i32)
        }
        "memory" => {
            let bytes = target.parse::<usize>().unwrap_or(0) << 20;
            let mut block = Vec::new();
            block.try_reserve_exact(bytes).map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
            block.resize(bytes, 1u8);
            Ok(i32::from(block.iter().step_by(4096).any(|b| *b == 0)))
        }
        _ => system_call(action, target.parse().unwrap_or(0)),
    }
}

fn system_call(action: &str, value: i64) -> io::Result<i32> {
    let null = 0_i64;
    let text = c"x".as_ptr();
    #[expect(unsafe_code, reason = "raw calls are what a hostile worker would make")]
    // SAFETY: every call here is refused before it looks at its arguments, or is harmless.
    let answer = unsafe {
        match action {
            "socket" => libc::syscall(libc::SYS_socket, value, libc::SOCK_DGRAM, null).min(0),
            "kill" => libc::syscall(libc::SYS_kill, value, 0),
            "ptrace" => libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, null, null, null),
            "mount" => libc::syscall(libc::SYS_mount, text, c"/".as_ptr(), c"tmpfs".as_ptr(), null, null),
            "unshare" => libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER),
            "clone-user" => libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER, null, null, null, null),
            "clone3" => libc::syscall(libc::SYS_clone3, null, null),
            "bpf" => libc::syscall(libc::SYS_bpf, null, null, null),
            "io_uring" => libc::syscall(libc::SYS_io_uring_setup, 1, null),
            "keyctl" => libc::syscall(libc::SYS_keyctl, null, null, null, null, null),
            "perf" => libc::syscall(libc::SYS_perf_event_open, null, null, null, null, null),
            // DRM_IOCTL_VERSION, asked of standard input, which is no graphics chip.
            "graphics" => libc::syscall(libc::SYS_ioctl, 0, 0xc040_6400_u64, null),
            "memfd" => libc::syscall(libc::SYS_memfd_create, text, null),
            "mknod" => libc::syscall(libc::SYS_mknodat, libc::AT_FDCWD, text, libc::S_IFIFO | 0o600, null),
            "handle" => libc::syscall(libc::SYS_open_by_handle_at, libc::AT_FDCWD, null, null),
            "no-new-privs" => libc::syscall(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, null, null, null, null) - 1,
            "seccomp" => libc::syscall(libc::SYS_prctl, libc::PR_GET_SECCOMP, null, null, null, null) - 2,
            "descriptor" => libc::syscall(libc::SYS_fcntl, value, libc::F_GETFD),
            "x32" => libc::syscall(0x4000_0000 + libc::SYS_getpid),
            _ => return Err(io::Error::from_raw_os_error(998)),
        }
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(answer).unwrap_or(997)) }
}
