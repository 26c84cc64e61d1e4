//! What was left open, what else is alive: the gateway and another loge.

use crate::{
    Site, Verdicts,
    calls::outcome,
    raw::{call, kill},
};
use std::{
    fs::File,
    io::{self, Read},
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixStream},
    },
    path::Path,
};

/// Descriptors, environment and folder as they were found.
pub fn own(site: &Site, verdicts: &mut Verdicts) {
    let is_open = |fd: i64| call(libc::SYS_fcntl, [fd, libc::F_GETFD.into(), 0, 0, 0, 0]).is_ok();
    let open: Vec<i64> = (3..1024).filter(|fd| is_open(*fd)).collect();
    verdicts.add("own", "has further descriptors", !open.is_empty(), format!("{open:?}"));
    let odd = (0..3).filter(|fd| is_file_or_folder(*fd)).count();
    verdicts.add("own", "has a file as standard stream", odd > 0, odd);
    let here = std::env::current_dir();
    verdicts.add("own", "begins in another folder", !here.as_ref().is_ok_and(|h| *h == site.work), format!("{here:?}"));
    let usual = |name: &str| name.starts_with("LOGE_") || matches!(name, "PATH" | "HOME" | "HOSTNAME");
    let more: Vec<_> = std::env::vars_os().map(|(n, _)| n).filter(|n| !n.to_str().is_some_and(usual)).collect();
    verdicts.add("own", "has further variables", !more.is_empty(), format!("{more:?}"));
}

fn is_file_or_folder(fd: i32) -> bool {
    use std::os::fd::BorrowedFd;
    #[expect(unsafe_code, reason = "a descriptor known by its number alone")]
    // SAFETY: looked at only; one that is not open is an error.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::fs::fstat(fd).is_ok_and(|seen| {
        let kind = rustix::fs::FileType::from_raw_mode(seen.st_mode);
        kind.is_file() || kind.is_dir() || kind.is_block_device()
    })
}

pub fn all(site: &Site, verdicts: &mut Verdicts) {
    verdicts.tried("gate", "connect to its gate", UnixStream::connect(&site.socket).map(drop));
    verdicts.tried("others", "connect to another gate", UnixStream::connect(site.told("other_socket")).map(drop));
    let name = SocketAddr::from_abstract_name(site.told("abstract"));
    verdicts.tried("others", "connect to a nameless gate", name.and_then(|at| UnixStream::connect_addr(&at)).map(drop));
    verdicts.tried("others", "connect to the house", TcpStream::connect(site.told("address")).map(drop));
    for (what, key) in [("library", "other_library"), ("work", "other_work"), ("secret", "secret")] {
        verdicts.tried("others", format!("read another {what}"), look(Path::new(site.told(key))));
    }
    for (whose, key) in [("the gateway", "gateway"), ("another loge", "other_process")] {
        let pid = site.pid(key);
        // The number alone may belong to somebody else in here.
        let seen = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        let is_it = seen.as_ref().is_ok_and(|comm| comm.trim() == site.told(&format!("{key}_name")));
        verdicts.add("others", format!("sees {whose}"), is_it, format!("{seen:?}"));
        for file in ["environ", "mem", "root", "fd"] {
            let open = look(Path::new(&format!("/proc/{pid}/{file}")));
            verdicts.add("others", format!("opens {file} of {whose}"), open.is_ok(), format!("{open:?}"));
        }
        outcome(verdicts, "others", &format!("signal {whose}"), || kill(pid, 0));
        outcome(verdicts, "others", &format!("trace {whose}"), || {
            const SEIZE: i64 = 0x4206;
            call(libc::SYS_ptrace, [SEIZE, pid.into(), 0, 0, 0, 0])
        });
        outcome(verdicts, "others", &format!("hold {whose}"), || {
            call(libc::SYS_pidfd_open, [pid.into(), 0, 0, 0, 0, 0])
        });
        outcome(verdicts, "others", &format!("change the turn of {whose}"), || {
            call(libc::SYS_setpriority, [0, pid.into(), 0, 0, 0, 0])
        });
        outcome(verdicts, "others", &format!("read the limits of {whose}"), || {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            let core = i64::from(libc::RLIMIT_CORE);
            call(libc::SYS_prlimit64, [pid.into(), core, 0, (&raw mut limit) as i64, 0, 0])
        });
    }
    network(verdicts);
}

fn look(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path)?.is_dir() {
        true => std::fs::read_dir(path).map(drop),
        false => File::open(path)?.read(&mut [0]).map(drop),
    }
}

fn network(verdicts: &mut Verdicts) {
    let cards = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut cards: Vec<String> = cards.filter_map(|card| card.file_name().into_string().ok()).collect();
    let table = std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    cards.extend(table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())));
    // Kernels put fallback tunnels into every namespace; they lead nowhere and are down.
    let is_idle = |card: &str| {
        ["lo", "sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"]
            .contains(&card)
    };
    cards.retain(|card| !is_idle(card));
    verdicts.add("network", "has a card", !cards.is_empty(), cards.join(" "));
    let routes = std::fs::read_to_string("/proc/self/net/route").unwrap_or_default().lines().skip(1).count();
    verdicts.add("network", "has a route", routes > 0, routes);
}
