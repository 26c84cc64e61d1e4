//! Every system call there is, made for real with words that no call can do harm with; families of
//! sockets; ways into new namespaces. A call counts as possible when the kernel looked at it.

use crate::{
    Verdicts,
    raw::{Answer, End, call, in_child},
};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a refused call answers, by the filter or by the kernel for want of a right.
#[cfg(target_arch = "x86_64")]
const REFUSED: [i32; 2] = [libc::EPERM, libc::ENOSYS];

pub fn all(verdicts: &mut Verdicts) {
    #[cfg(target_arch = "x86_64")]
    every_call(verdicts);
    namespaces(verdicts);
    sockets(verdicts);
    terminal(verdicts);
}

/// Tried in a child: it may have worked.
pub fn outcome(verdicts: &mut Verdicts, group: &str, name: &str, attempt: impl FnOnce() -> Answer) {
    let end = in_child(PATIENCE, || match attempt() {
        Ok(_) => 0,
        Err(error) => u8::try_from(error).unwrap_or(u8::MAX),
    });
    match end {
        End::Code(0) => verdicts.add(group, name, true, ""),
        End::Code(error) => verdicts.add(group, name, false, errno(error.into())),
        end => verdicts.add(group, name, true, format!("{end:?}")),
    }
}

/// The names of the calls of this machine, with their numbers.
#[cfg(target_arch = "x86_64")]
const CALLS: &str = include_str!("calls.txt");

#[cfg(target_arch = "x86_64")]
fn every_call(verdicts: &mut Verdicts) {
    for line in CALLS.lines() {
        let Some((number, name)) = line.split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        let (args, seconds) = harmless(name);
        verdict(verdicts, "calls", name, in_child(PATIENCE, || made(number, args, seconds)));
    }
    // The same calls under the numbers of another kind of program.
    for (name, number) in [("x32 getpid", 0x4000_0000 + 39), ("x32 ptrace", 0x4000_0000 + 521)] {
        verdict(verdicts, "calls", name, in_child(PATIENCE, || made(number, [-1; 6], 20)));
    }
}

#[cfg(target_arch = "x86_64")]
fn verdict(verdicts: &mut Verdicts, group: &str, name: &str, end: End) {
    match end {
        End::Code(0) => verdicts.add(group, name, true, ""),
        End::Code(error) if REFUSED.contains(&i32::from(error)) => {
            verdicts.add(group, name, false, errno(error.into()));
        }
        End::Code(error) => verdicts.add(group, name, true, errno(error.into())),
        // Some filters end the caller instead.
        End::Signal(libc::SIGSYS) => verdicts.add(group, name, false, "SIGSYS"),
        end => verdicts.add(group, name, true, format!("{end:?}")),
    }
}

/// A call that does not come back is ended by the alarm.
#[cfg(target_arch = "x86_64")]
fn made(number: i64, args: [i64; 6], seconds: i64) -> u8 {
    let _ = call(libc::SYS_alarm, [seconds, 0, 0, 0, 0, 0]);
    match call(number, args) {
        Ok(_) => 0,
        Err(error) => u8::try_from(error).unwrap_or(u8::MAX),
    }
}

/// All ones is no pointer, no descriptor, no process and no known flag. Where a call takes that
/// for something, or could not be told from a refused one, it gets other words.
#[cfg(target_arch = "x86_64")]
fn harmless(name: &str) -> ([i64; 6], i64) {
    let args = match name {
        "socket" | "socketpair" => [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, -1, -1, -1],
        "clone" => [libc::SIGCHLD.into(), 0, 0, 0, 0, 0],
        // A queue that nobody has; all ones would make one.
        "msgget" => [0x4c6f_6765, 0, 0, 0, 0, 0],
        "modify_ldt" | "syslog" => [0; 6],
        // Nobody may signal a process that is none.
        "kill" | "tkill" => [-1, 9999, 9999, 0, 0, 0],
        _ => [-1; 6],
    };
    (args, if name == "pause" { 1 } else { 20 })
}

const NAMESPACES: [(&str, i32); 7] = [
    ("mounts", libc::CLONE_NEWNS),
    ("users", libc::CLONE_NEWUSER),
    ("processes", libc::CLONE_NEWPID),
    ("network", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("names", libc::CLONE_NEWUTS),
    ("groups", libc::CLONE_NEWCGROUP),
];

fn namespaces(verdicts: &mut Verdicts) {
    for (name, flag) in NAMESPACES {
        let unshare = || call(libc::SYS_unshare, [flag.into(), 0, 0, 0, 0, 0]);
        outcome(verdicts, "namespaces", &format!("unshare {name}"), unshare);
        let clone = || call(libc::SYS_clone, [i64::from(flag | libc::SIGCHLD), 0, 0, 0, 0, 0]);
        outcome(verdicts, "namespaces", &format!("clone {name}"), clone);
    }
    const CLOCKS: i64 = 0x80;
    outcome(verdicts, "namespaces", "unshare clocks", || call(libc::SYS_unshare, [CLOCKS, 0, 0, 0, 0, 0]));
}

/// Families by number, so that none is forgotten; the names are those of the kernel.
fn sockets(verdicts: &mut Verdicts) {
    let name = |family: i32| match family {
        libc::AF_UNIX => "unix".to_owned(),
        libc::AF_INET => "inet".into(),
        libc::AF_INET6 => "inet6".into(),
        libc::AF_NETLINK => "netlink".into(),
        libc::AF_PACKET => "packet".into(),
        libc::AF_CAN => "can".into(),
        libc::AF_BLUETOOTH => "bluetooth".into(),
        libc::AF_ALG => "alg".into(),
        libc::AF_VSOCK => "vsock".into(),
        libc::AF_XDP => "xdp".into(),
        other => other.to_string(),
    };
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
    for family in 0..=46 {
        for (what, call_number) in [("socket", libc::SYS_socket), ("pair", libc::SYS_socketpair)] {
            let answers = kinds.map(|kind| {
                let mut pair = [0_i32; 2];
                let room = pair.as_mut_ptr() as i64;
                in_child(PATIENCE, || match call(call_number, [family.into(), kind.into(), 0, room, 0, 0]) {
                    Ok(_) => 0,
                    Err(error) => u8::try_from(error).unwrap_or(u8::MAX),
                })
            });
            let can = answers.contains(&End::Code(0));
            if what == "socket" || can {
                let [first, ..] = &answers;
                let detail =
                    if let (false, End::Code(error)) = (can, first) { errno((*error).into()) } else { "".into() };
                verdicts.add("sockets", format!("{what} {}", name(family)), can, detail);
            }
        }
    }
}

/// Putting words into somebody's terminal. Without a terminal the kernel says so, which is to be
/// told from a refusal.
fn terminal(verdicts: &mut Verdicts) {
    for (name, request) in [("type into a terminal", 0x5412), ("drive a console", 0x541c)] {
        let end = in_child(PATIENCE, || {
            let byte = b'x';
            match call(libc::SYS_ioctl, [0, request, (&raw const byte) as i64, 0, 0, 0]) {
                Ok(_) => 0,
                Err(error) => u8::try_from(error).unwrap_or(u8::MAX),
            }
        });
        verdicts.add("calls", name, end == End::Code(0), format!("{end:?}"));
    }
}

/// The name of an error number, where it is one that matters here.
pub fn errno(number: i32) -> String {
    match number {
        libc::EPERM => "EPERM".into(),
        libc::ENOENT => "ENOENT".into(),
        libc::ENOSYS => "ENOSYS".into(),
        libc::EACCES => "EACCES".into(),
        libc::EROFS => "EROFS".into(),
        libc::EINVAL => "EINVAL".into(),
        libc::EFAULT => "EFAULT".into(),
        libc::EBADF => "EBADF".into(),
        libc::EAGAIN => "EAGAIN".into(),
        libc::ENOMEM => "ENOMEM".into(),
        libc::ENOSPC => "ENOSPC".into(),
        libc::EAFNOSUPPORT => "EAFNOSUPPORT".into(),
        libc::ECONNREFUSED => "ECONNREFUSED".into(),
        libc::ESRCH => "ESRCH".into(),
        other => format!("errno {other}"),
    }
}
