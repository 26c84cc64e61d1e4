//! Reading the instruments. Everything here may block for a moment.

use crate::sample::{Disk, DiskRole, Memory, Network, Sample, ServerUse, Temperature};
use base::UnixMs;
use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};
use sysinfo::{Components, MemoryRefreshKind, Networks, System};

/// A disk that does not answer within this time is left out of the sample.
const DISK_WAIT: Duration = Duration::from_millis(500);

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

    pub(crate) fn sample(&mut self, at: UnixMs, library_roots: &[PathBuf]) -> Sample {
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
            disks: disks(&self.data_dir, library_roots),
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

/// One entry per filesystem. A hanging disk (a network share that went away) holds a thread of
/// its own, not the sample; it is simply missing from the list.
fn disks(data_dir: &Path, library_roots: &[PathBuf]) -> Vec<Disk> {
    let mut wanted = vec![(data_dir.to_path_buf(), DiskRole::Data)];
    wanted.extend(library_roots.iter().map(|p| (p.clone(), DiskRole::Library)));
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for (mount, role) in wanted {
        let (tell, told) = mpsc::channel();
        let path = mount.clone();
        let spawned = std::thread::Builder::new().name("disk".into()).spawn(move || {
            let answer = std::fs::metadata(&path).ok().zip(rustix::fs::statvfs(&path).ok());
            let _ = tell.send(answer.map(|(m, v)| (m.dev(), v.f_blocks * v.f_frsize, v.f_bavail * v.f_frsize)));
        });
        if spawned.is_err() {
            continue;
        }
        if let Ok(Some((device, total_bytes, free_bytes))) = told.recv_timeout(DISK_WAIT)
            && total_bytes > 0
            && seen.insert((device, role))
        {
            out.push(Disk { mount, role, total_bytes, free_bytes });
        }
    }
    out
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
        instruments.sample(UnixMs(0), &[]);
        let sample = instruments.sample(UnixMs(1), &[dir.path().into(), "/no/such/disk".into()]);
        assert!(sample.memory.total_bytes > sample.memory.available_bytes);
        assert!(!sample.cpus.is_empty());
        assert!(sample.server.rss_bytes > 1 << 20 && sample.server.open_fds > 2, "{:?}", sample.server);
        assert_eq!(sample.disks.len(), 2, "data and library on one disk, the missing one left out");
    }
}
