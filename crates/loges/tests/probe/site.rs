//! The world around a probed loge: libraries, sockets, secrets and neighbours that it must not
//! reach.

use domain::FolderId;
use std::{
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
};

pub fn folder(n: u8) -> FolderId {
    FolderId::from_random([n; 16])
}

pub struct Site {
    dir: tempfile::TempDir,
    pub random: [u8; 16],
    house: TcpListener,
    nameless: String,
    /// Whether a disk of its own is mounted below the films.
    has_disk: bool,
    _doors: Vec<UnixListener>,
}

impl Site {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("loges-probe-").tempdir_in("/tmp").unwrap();
        let open = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        open(dir.path(), 0o755);
        // What permissions alone would allow, so that only walls are in the way.
        for name in ["films", "films/disk", "others", "waiting", "shouting", "a", "b"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            open(&dir.path().join(name), 0o777);
        }
        for name in ["films/film.bin", "others/film.bin", "secret"] {
            std::fs::write(dir.path().join(name), b"0123456789").unwrap();
            open(&dir.path().join(name), 0o666);
        }
        for (name, plan) in [("waiting", "{\"wait\":true}"), ("shouting", "{\"shout\":200}")] {
            std::fs::write(dir.path().join(name).join("plan.json"), plan).unwrap();
        }
        let disk = dir.path().join("films/disk");
        let has_disk = rustix::mount::mount(
            "tmpfs",
            &disk,
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            Some(c"size=1m,mode=0777"),
        )
        .is_ok();
        let random = crate::random();
        let nameless = format!("loge-probe-{}", contract::env::to_hex(&random));
        let mut doors: Vec<_> = ["a/gate.sock", "b/gate.sock"]
            .map(|name| {
                let door = UnixListener::bind(dir.path().join(name)).unwrap();
                open(&dir.path().join(name), 0o666);
                door
            })
            .into();
        doors.push(UnixListener::bind_addr(&SocketAddr::from_abstract_name(&nameless).unwrap()).unwrap());
        Self { dir, random, house: TcpListener::bind("127.0.0.1:0").unwrap(), nameless, has_disk, _doors: doors }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Tells the probe what to look for.
    pub fn plan(&self, other: Option<(u32, String)>) {
        let (other_process, other_name) = other.unwrap_or((u32::MAX >> 1, String::new()));
        let plan = serde_json::json!({
            "gateway": std::process::id(),
            "gateway_name": std::fs::read_to_string("/proc/self/comm").unwrap().trim(),
            "other_process": other_process,
            "other_process_name": other_name,
            "other_library": self.path("others/film.bin"),
            "other_work": self.path("b"),
            "other_socket": self.path("b/gate.sock"),
            "secret": self.path("secret"),
            "abstract": self.nameless,
            "address": self.house.local_addr().unwrap().to_string(),
        });
        std::fs::write(self.path("films/plan.json"), plan.to_string()).unwrap();
        std::fs::set_permissions(self.path("films/plan.json"), PermissionsExt::from_mode(0o644)).unwrap();
    }

    /// Returns the launcher with `more` arguments, behind a program that first forbids it all namespaces.
    pub fn without_namespaces(&self, launcher: &Path, more: &str) -> PathBuf {
        let script = format!(
            "#!/bin/sh\nexec unshare --user --map-root-user sh -c 'for n in user mnt pid net ipc uts; do \
             echo 0 > /proc/sys/user/max_${{n}}_namespaces; done; exec \"$0\" \"$@\"' {} {more} \"$@\"\n",
            launcher.display()
        );
        let path = self.path("launch");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.has_disk {
            let _ = rustix::mount::unmount(self.path("films/disk"), rustix::mount::UnmountFlags::DETACH);
        }
    }
}

pub fn namespaces_are_allowed() -> bool {
    #[expect(clippy::disallowed_methods, reason = "asks the machine")]
    let tried = std::process::Command::new("unshare").args(["-Urmpf", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// The worker of a loge, by what the runtime calls it: a container's id, or a launcher's number.
pub fn newest_process_of(id: &str) -> Option<(u32, String)> {
    let launcher: Option<u32> = id.strip_prefix("process-").and_then(|rest| rest.rsplit('-').next()?.parse().ok());
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |pid: &u32| match launcher {
        Some(launcher) => parent_of(*pid) == Some(launcher),
        None => std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(id)),
    };
    let pid = all.filter(is_ours).max()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().into()))
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Of this process.
pub fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * rustix::param::page_size()
}

pub fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(seen) if seen.is_dir() => bytes_below(&entry.path()),
        Ok(seen) => seen.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// An archive of one program.
pub fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", bytes.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = header.to_vec();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512) + 1024, 0);
    out
}
