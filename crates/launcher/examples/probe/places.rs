//! Files: where something can be written, what is mounted and how, devices, what the kernel shows
//! of itself.

use crate::{
    Site, Verdicts,
    raw::{End, in_child},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

pub fn all(site: &Site, verdicts: &mut Verdicts) {
    writing(site, verdicts);
    library(site, verdicts);
    work(site, verdicts);
    flags(site, verdicts);
    mounts(site, verdicts);
    devices(verdicts);
    kernel(verdicts);
}

const FOLDERS: [&str; 24] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/dev/shm",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/loge",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/lib",
    "/var",
    "/var/tmp",
];
const FILES: [&str; 5] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/usr/bin/ffmpeg"];

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::remove_file(path)
}
fn open_to_write(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path).map(drop)
}

fn writing(site: &Site, verdicts: &mut Verdicts) {
    for folder in FOLDERS {
        verdicts.tried("writing", format!("create in {folder}"), create(&Path::new(folder).join("loge-probe")));
    }
    for file in FILES {
        verdicts.tried("writing", format!("write {file}"), open_to_write(Path::new(file)));
    }
    let beside = site.socket.with_file_name("loge-probe");
    verdicts.tried("writing", "create beside the socket", create(&beside));
    // Moved and back, so that an attempt that works breaks nothing.
    let moved = fs::rename(&site.socket, &beside).and_then(|()| fs::rename(&beside, &site.socket));
    verdicts.tried("writing", "move the socket", moved);
    let mode = fs::metadata(&site.socket).map_or(0o666, |m| m.permissions().mode());
    verdicts.tried("writing", "change the socket", fs::set_permissions(&site.socket, PermissionsExt::from_mode(mode)));
    let myself = std::env::current_exe();
    verdicts.tried("writing", "write its own program", myself.and_then(|path| open_to_write(&path)));
}

fn library(site: &Site, verdicts: &mut Verdicts) {
    let film = site.library.join("film.bin");
    let mut put = |name: &str, outcome: io::Result<()>| verdicts.tried("library", name, outcome);
    put("read a film", File::open(&film).and_then(|mut file| file.read_exact(&mut [0; 4])));
    put("write a film", open_to_write(&film));
    put("cut a film", OpenOptions::new().write(true).truncate(true).open(&film).map(drop));
    put("add a film", create(&site.library.join("new")));
    put("add a folder", fs::create_dir(site.library.join("folder")));
    put("move a film", fs::rename(&film, site.library.join("moved")));
    put("remove a film", fs::remove_file(&film));
    put("link a film", fs::hard_link(&film, site.work.join("film")));
    put("leave a link", std::os::unix::fs::symlink("/", site.library.join("link")));
    put("change a film's mode", fs::set_permissions(&film, PermissionsExt::from_mode(0o777)));
    put("change a film's time", rustix_touch(&film));
    put("mark a film", mark(&film));
    put("write below, on another disk", create(&site.library.join("disk/new")));
}

fn rustix_touch(path: &Path) -> io::Result<()> {
    let now = rustix::fs::Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
    Ok(rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty())?)
}

fn mark(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::setxattr(path, "user.loge", b"x", rustix::fs::XattrFlags::empty())?)
}

/// The mode is given at once: a loge may be unable to change it later.
fn new_file(path: &Path, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(b"\x7fELF and nothing more")
}

fn work(site: &Site, verdicts: &mut Verdicts) {
    let program = site.work.join("program");
    let mut put = |name: &str, outcome: io::Result<()>| verdicts.tried("work", name, outcome);
    put("write", new_file(&program, 0o755));
    put("make a folder", fs::create_dir(site.work.join("f")).and_then(|()| fs::remove_dir(site.work.join("f"))));
    // The kernel finds that it is no program only after it has allowed it to be one.
    #[expect(clippy::disallowed_methods, reason = "starting a program is one of the things to try")]
    let started = std::process::Command::new(&program).status();
    put(
        "run a program",
        match started {
            Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => Ok(()),
            other => other.map(drop),
        },
    );
    let name = site.work.join("set-uid");
    put("mark a program as another user's", new_file(&name, 0o6755));
    for path in [program, name] {
        let _ = fs::remove_file(path);
    }
}

fn flags(site: &Site, verdicts: &mut Verdicts) {
    use rustix::fs::StatVfsMountFlags as Flag;
    for (place, path) in [("root", Path::new("/")), ("work", &site.work), ("library", &site.library)] {
        let Ok(seen) = rustix::fs::statvfs(path) else {
            verdicts.add("mounts", format!("{place} is known"), false, "");
            continue;
        };
        for (name, flag) in [
            ("is writable", Flag::RDONLY),
            ("honours set-uid", Flag::NOSUID),
            ("honours devices", Flag::NODEV),
            ("honours programs", Flag::NOEXEC),
        ] {
            verdicts.add("mounts", format!("{place} {name}"), !seen.f_flag.contains(flag), "");
        }
    }
}

/// Where a container or a view has mounts, apart from its libraries and its work.
const EXPECTED: [&str; 14] = [
    "/",
    "/proc",
    "/dev",
    "/sys",
    "/dev/pts",
    "/dev/mqueue",
    "/dev/shm",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/sbin/docker-init",
    "/dev/console",
    "/run/loge/gate.sock",
    "/work",
];
const EXPECTED_BELOW: [&str; 3] = ["/proc/", "/sys/", "/media/"];

fn mounts(site: &Site, verdicts: &mut Verdicts) {
    let table = fs::read_to_string("/proc/self/mountinfo");
    verdicts.add("mounts", "table can be read", table.is_ok(), "");
    let table = table.unwrap_or_default();
    let rows = table.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let target = fields.nth(4)?;
        Some((target, fields.next()?, line))
    });
    let (mut strange, mut shared, mut writable) = (Vec::new(), Vec::new(), Vec::new());
    for (target, options, line) in rows {
        let path = Path::new(target);
        let is_known = EXPECTED.contains(&target)
            || EXPECTED_BELOW.iter().any(|below| target.starts_with(below))
            || path.starts_with(&site.library)
            || path == site.work
            || path == site.socket;
        if !is_known {
            strange.push(target);
        }
        if line.split(" - ").next().is_some_and(|l| l.contains(" shared:") || l.contains(" master:")) {
            shared.push(target);
        }
        let is_data = path.starts_with(&site.library) || target.starts_with("/media/") || path == site.socket;
        if is_data && options.split(',').any(|option| option == "rw") {
            writable.push(target);
        }
    }
    verdicts.add("mounts", "has a mount that nobody meant", !strange.is_empty(), strange.join(" "));
    verdicts.add("mounts", "hears of mounts outside", !shared.is_empty(), shared.join(" "));
    verdicts.add("mounts", "has a library mounted for writing", !writable.is_empty(), writable.join(" "));
    let sockets = sockets_below(Path::new("/"), &site.socket);
    verdicts.add("mounts", "sees other sockets", !sockets.is_empty(), format!("{sockets:?}"));
}

/// Sockets in the file system but for our own: an engine's, above all.
fn sockets_below(root: &Path, own: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // What is mounted over an entry is not what the folder says of it.
            let Ok(kind) = fs::symlink_metadata(&path).map(|m| m.file_type()) else { continue };
            if kind.is_socket() && path != own {
                found.push(path);
            } else if kind.is_dir() && depth < 6 && !path.starts_with("/proc") && !path.starts_with("/sys") {
                folders.push((path, depth + 1));
            }
        }
    }
    found
}

/// Harmless, and every container has them.
const HARMLESS: [&str; 7] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx"];
const NAMED: [&str; 16] = [
    "/dev/mem",
    "/dev/port",
    "/dev/kmsg",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/sda",
    "/dev/vda",
    "/dev/nvme0n1",
    "/dev/loop-control",
    "/dev/loop0",
    "/dev/net/tun",
    "/dev/vsock",
    "/dev/vhost-net",
    "/dev/dri/card0",
    "/dev/mapper/control",
    "/dev/userfaultfd",
];

fn devices(verdicts: &mut Verdicts) {
    for device in NAMED {
        verdicts.tried("devices", format!("open {device}"), File::open(device).map(drop));
    }
    let mut folders = vec![PathBuf::from("/dev")];
    let (mut blocks, mut others) = (Vec::new(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // What is mounted over an entry is not what the folder says of it.
            let Ok(kind) = fs::symlink_metadata(&path).map(|m| m.file_type()) else { continue };
            // Looking at a watchdog is enough to set it off.
            let is_left = |name: &str| HARMLESS.contains(&name) || name.starts_with("watchdog");
            let is_plain = entry.file_name().to_str().is_some_and(is_left);
            if kind.is_block_device() {
                blocks.push(path);
            } else if kind.is_char_device() && !is_plain && File::open(&path).is_ok() {
                others.push(path);
            } else if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    verdicts.add("devices", "sees a disk", !blocks.is_empty(), format!("{blocks:?}"));
    verdicts.add("devices", "opens another device", !others.is_empty(), format!("{others:?}"));
}

const SECRETS: [&str; 8] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/sys/kernel/debug/tracing/trace",
    "/proc/1/mem",
];
const LISTS: [&str; 4] = ["/proc/scsi", "/proc/acpi", "/sys/firmware", "/sys/kernel/security"];
const SWITCHES: [&str; 8] = [
    "/proc/sysrq-trigger",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/kernel/modprobe",
    "/sys/kernel/uevent_helper",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sys/net/ipv4/ip_forward",
];
const GROUPS: [&str; 5] =
    ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"];

fn kernel(verdicts: &mut Verdicts) {
    for secret in SECRETS {
        // What is masked by an empty file can be opened and has nothing in it.
        let read = in_child(Duration::from_secs(5), || {
            let opened = OpenOptions::new().read(true).open(secret);
            match opened.and_then(|mut file| file.read(&mut [0; 64])) {
                Ok(n) if n > 0 => 0,
                _ => 1,
            }
        });
        verdicts.add("kernel", format!("read {secret}"), read == End::Code(0), "");
    }
    for list in LISTS {
        let shown = fs::read_dir(list).map_or(0, Iterator::count);
        verdicts.add("kernel", format!("list {list}"), shown > 0, shown);
    }
    for switch in SWITCHES {
        verdicts.tried("kernel", format!("write {switch}"), OpenOptions::new().write(true).open(switch).map(drop));
    }
    for group in GROUPS {
        let folder = Path::new(group).join("loge-probe");
        let made = fs::create_dir(&folder).and_then(|()| fs::remove_dir(&folder));
        verdicts.tried("kernel", format!("make a group in {group}"), made);
    }
    let lower = OpenOptions::new().write(true).open("/proc/self/oom_score_adj");
    verdicts.tried("kernel", "escape the memory killer", lower.and_then(|mut file| file.write_all(b"-1000")));
    let map = OpenOptions::new().write(true).open("/proc/self/uid_map");
    verdicts.tried("kernel", "map other users", map.and_then(|mut file| file.write_all(b"0 0 1")));
    let root = fs::metadata("/").map(|m| (m.dev(), m.ino()));
    let first = fs::metadata("/proc/1/root/").map(|m| (m.dev(), m.ino()));
    let another = matches!((root, first), (Ok(mine), Ok(its)) if mine != its);
    verdicts.add("kernel", "reaches another root through /proc", another, "");
}
