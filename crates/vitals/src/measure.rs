//! Reading the instruments. Everything here may block for a moment.

use crate::sample::{Disk, DiskRole, Memory, Network, Sample, ServerUse, Temperature};
use base::{Disks, LookError, UnixMs};
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use sysinfo::{Components, MemoryRefreshKind, Networks, System};

/// A disk that does not answer within this time hangs; one that slept needs some seconds.
const DISK_WAIT: Duration = Duration::from_secs(8);

pub(crate) struct Instruments {
    system: Option<System>,
    networks: Option<Networks>,
    components: Option<Components>,
    data_dir: PathBuf,
    last: Option<Instant>,
    started: Instant,
    last_ticks: u64,
}

fn monotonic() -> Instant {
    Instant::now()
}

impl Instruments {
    pub(crate) fn new(data_dir: PathBuf) -> Self {
        Self {
            system: System::new().ok(),
            networks: Networks::new_with_refreshed_list().ok(),
            components: Components::new_with_refreshed_list().ok(),
            data_dir,
            last: None,
            started: monotonic(),
            last_ticks: 0,
        }
    }

    /// Measures the machine and the data disk. `measure_libraries` adds the disks of libraries, since
    /// one of them may hang.
    pub(crate) fn sample(&mut self, at: UnixMs) -> Sample {
        let now = monotonic();
        let elapsed = self.last.map_or(0.0, |t| now.duration_since(t).as_secs_f64());
        self.last = Some(now);
        let mut sample = Sample {
            at,
            cpu_percent: 0.0,
            cpus: Vec::new(),
            load1: System::load_average().map_or(0.0, |l| l.one),
            memory: Memory::default(),
            temperature: self.temperature(),
            disks: disk(&self.data_dir, DiskRole::Data).into_iter().map(|(_, disk)| disk).collect(),
            hanging: Vec::new(),
            network: self.network(elapsed),
            server: self.server(elapsed, now),
        };
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            sample.cpu_percent = system.global_cpu_usage().clamp(0.0, 100.0);
            sample.cpus = system.cpus().iter().map(|c| c.usage().clamp(0.0, 100.0)).collect();
            let total_bytes = system.total_memory();
            let available_bytes = system.available_memory();
            sample.memory =
                Memory { total_bytes, available_bytes, used_bytes: total_bytes.saturating_sub(available_bytes) };
        }
        sample
    }

    fn temperature(&mut self) -> Temperature {
        let Some(components) = &mut self.components else { return Temperature::NoSensor };
        components.refresh(false);
        let readings = components.iter().filter_map(|c| Some((c.label().to_lowercase(), c.temperature()?)));
        pick_cpu_temperature(readings).map_or(Temperature::NoSensor, Temperature::Celsius)
    }

    fn network(&mut self, elapsed: f64) -> Network {
        let Some(networks) = &mut self.networks else { return Network::default() };
        networks.refresh(true);
        let mut sum = Network::default();
        for (name, data) in networks.iter().filter(|(name, _)| is_real_interface(&name.to_string_lossy())) {
            sum.rx_bps += per_second(data.received(), elapsed);
            sum.tx_bps += per_second(data.transmitted(), elapsed);
            sum.link_bps = sum.link_bps.max(link_speed(&name.to_string_lossy()));
        }
        sum
    }

    fn server(&mut self, elapsed: f64, now: Instant) -> ServerUse {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name in brackets may hold spaces; the numbers start after the last bracket.
        let fields: Vec<u64> =
            stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(1).map(|f| f.parse().unwrap_or(0)).collect();
        let ticks = fields.get(10).copied().unwrap_or(0) + fields.get(11).copied().unwrap_or(0);
        let used = ticks.saturating_sub(self.last_ticks);
        let first = self.last_ticks == 0;
        self.last_ticks = ticks;
        let hz = rustix::param::clock_ticks_per_second() as f64;
        ServerUse {
            rss_bytes: fields.get(20).copied().unwrap_or(0) * rustix::param::page_size() as u64,
            cpu_percent: if elapsed > 0.0 && !first { (used as f64 / hz / elapsed * 100.0) as f32 } else { 0.0 },
            uptime_s: now.duration_since(self.started).as_secs(),
            open_fds: std::fs::read_dir("/proc/self/fd").map_or(0, |d| u32::try_from(d.count()).unwrap_or(0)),
        }
    }
}

/// The IPv4 addresses under which this machine can be reached in its own network.
pub(crate) fn lan_addresses() -> Vec<Ipv4Addr> {
    let Ok(networks) = Networks::new_with_refreshed_list() else { return Vec::new() };
    let mut found: Vec<Ipv4Addr> = networks
        .iter()
        .filter(|(name, _)| is_real_interface(&name.to_string_lossy()))
        .flat_map(|(_, data)| data.ip_networks())
        .filter_map(|ip| match ip.addr {
            IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local() => Some(v4),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Bits per second from a byte count.
fn per_second(bytes: u64, elapsed: f64) -> u64 {
    if elapsed > 0.0 { (bytes as f64 * 8.0 / elapsed) as u64 } else { 0 }
}

/// Bridges and container pairs would count the same bytes twice.
fn is_real_interface(name: &str) -> bool {
    !["lo", "docker", "veth", "br-", "virbr", "tun", "tap"].iter().any(|p| name.starts_with(p))
}

/// The kernel's figure in Mbit/s; -1 and absence both mean unknown.
fn link_speed(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/sys/class/net").join(name).join("speed")).ok()?;
    text.trim().parse::<u64>().ok().filter(|mbit| *mbit > 0).map(|mbit| mbit * 1_000_000)
}

/// The processor's own package sensor first, any core next, any plausible reading of a
/// processor driver last. Readings at or below zero and above 125 °C are broken sensors or
/// thresholds that some drivers report as temperatures.
fn pick_cpu_temperature(readings: impl Iterator<Item = (String, f32)>) -> Option<f32> {
    let mut best: Option<(u8, f32)> = None;
    for (label, celsius) in readings {
        if !(1.0..=125.0).contains(&celsius) {
            continue;
        }
        let rank = if label.contains("package") || label.contains("tctl") || label.contains("tdie") {
            0
        } else if label.contains("core") || label.contains("cpu") || label.contains("k10temp") {
            1
        } else {
            continue;
        };
        best = match best {
            Some((r, c)) if r < rank || (r == rank && c >= celsius) => Some((r, c)),
            _ => Some((rank, celsius)),
        };
    }
    best.map(|(_, celsius)| celsius)
}

/// Returns the disk a folder is on, with its device number. Blocks for as long as the disk does.
fn disk(folder: &Path, role: DiskRole) -> Option<(u64, Disk)> {
    let (about, space) = std::fs::metadata(folder).ok().zip(rustix::fs::statvfs(folder).ok())?;
    let (total_bytes, free_bytes) = (space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize);
    (total_bytes > 0).then(|| (about.dev(), Disk { mount: folder.to_path_buf(), role, total_bytes, free_bytes }))
}

/// The disks of libraries, one entry for each file system, and the folders whose disk does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LibraryDisks {
    pub(crate) disks: Vec<Disk>,
    pub(crate) hanging: Vec<PathBuf>,
}

/// Looks at all of them at the same time; none waits for another.
pub(crate) async fn library_disks(disks: &Disks, roots: &[PathBuf]) -> LibraryDisks {
    let mut looks = tokio::task::JoinSet::new();
    for (n, root) in roots.iter().cloned().enumerate() {
        let disks = disks.clone();
        looks.spawn(async move {
            let look = disks.look(&root, DISK_WAIT, |root| disk(root, DiskRole::Library)).await;
            (n, root, look)
        });
    }
    let mut looked = looks.join_all().await;
    looked.sort_by_key(|(n, ..)| *n);
    let (mut found, mut seen) = (LibraryDisks::default(), HashSet::new());
    for (_, root, look) in looked {
        match look {
            Ok(Some((device, disk))) if seen.insert(device) => found.disks.push(disk),
            Err(LookError::Hanging) => found.hanging.push(root),
            // One file system is one disk; a folder that is away is for the library to tell of.
            Ok(_) | Err(LookError::Broke) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensors_are_not_believed_blindly() {
        let pick = |list: &[(&str, f32)]| pick_cpu_temperature(list.iter().map(|(l, c)| ((*l).to_string(), *c)));
        assert_eq!(pick(&[]), None);
        assert_eq!(pick(&[("nvme composite", 40.0), ("acpitz", 27.8)]), None);
        assert_eq!(pick(&[("coretemp core 0", 61.0), ("coretemp package id 0", 58.0)]), Some(58.0));
        assert_eq!(pick(&[("coretemp core 0", 61.0), ("coretemp core 1", 64.0)]), Some(64.0));
        assert_eq!(pick(&[("coretemp package id 0", 0.0), ("coretemp core 1", 255.0)]), None);
    }

    #[test]
    fn container_traffic_is_counted_once() {
        assert!(is_real_interface("enp3s0") && is_real_interface("wlan0"));
        assert!(!is_real_interface("lo") && !is_real_interface("docker0") && !is_real_interface("veth12"));
    }

    #[test]
    fn a_real_machine_gives_a_whole_sample() {
        let dir = tempfile::tempdir().unwrap();
        let mut instruments = Instruments::new(dir.path().into());
        instruments.sample(UnixMs(0));
        let sample = instruments.sample(UnixMs(1));
        assert!(sample.memory.total_bytes > sample.memory.available_bytes);
        assert!(!sample.cpus.is_empty());
        assert!(sample.server.rss_bytes > 1 << 20 && sample.server.open_fds > 2, "{:?}", sample.server);
        assert_eq!((sample.disks.len(), sample.hanging.len()), (1, 0));
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_named_and_the_others_are_measured() {
        let (dir, disks) = (tempfile::tempdir().unwrap(), Disks::default());
        let hanging = PathBuf::from("/mnt/nas");
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let out = disks.look(&hanging, Duration::ZERO, move |_| held.recv().is_ok()).await;
        assert_eq!(out, Err(LookError::Hanging));
        let roots = [hanging.clone(), dir.path().to_path_buf(), dir.path().join("a/.."), "/no/such/disk".into()];
        std::fs::create_dir(dir.path().join("a")).unwrap();
        let found = library_disks(&disks, &roots).await;
        assert_eq!(found.hanging, [hanging]);
        assert_eq!(found.disks.len(), 1, "two folders on one disk; the missing one left out");
        assert_eq!(disks.overdue(), 1, "nobody waits for it again");
        // The control: once it answers, it is measured like any other, or gone like any other.
        drop(hold);
        while disks.overdue() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(library_disks(&disks, &roots).await.hanging, Vec::<PathBuf>::new());
    }
}
