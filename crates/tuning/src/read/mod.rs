//! Reads the facts of a machine from `/proc`, `/sys` and `/etc` below a root folder. Changes
//! nothing. What cannot be read is left out, and judged as unknown.
//!
//! Cost: a few hundred small files of the kernel. No disk is woken by it.

mod devices;
mod place;

use crate::{
    facts::{Choice, Facts, Mount, Swap, TrimTimer},
    finding::sysctl_path,
    machine::Machine,
    values::SYSCTLS,
};

const UNIT_FOLDERS: &[&str] = &["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];
const TIMER: &str = "fstrim.timer";
/// File systems that hold films and note when they were read.
const FILM_FILE_SYSTEMS: &[&str] = &["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"];

/// Returns what is known about a machine.
pub fn read(machine: &dyn Machine) -> Facts {
    let place = place::place(machine);
    Facts {
        place,
        laptop: place::is_laptop(machine),
        memory_bytes: memory(machine),
        disks: devices::disks(machine),
        mounts: mounts(machine),
        trim_timer: trim_timer(machine),
        cards: devices::cards(machine),
        swap: swap(machine),
        governors: devices::governors(machine),
        sysctls: SYSCTLS
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), shown(&machine.read(&sysctl_path(key)).ok()?))))
            .collect(),
        congestion: congestion(machine),
        open_files: open_files(machine),
    }
}

/// Returns the value a kernel file shows: of a list the one in brackets, and numbers one blank apart.
pub(crate) fn shown(raw: &str) -> String {
    let marked = raw.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(marked, _)| marked);
    marked.map_or_else(|| raw.split_whitespace().collect::<Vec<_>>().join(" "), str::to_owned)
}

fn line(machine: &dyn Machine, path: &str) -> Option<String> {
    machine.read(path).ok().map(|raw| raw.trim().to_owned())
}

fn number(machine: &dyn Machine, path: &str) -> Option<u64> {
    line(machine, path)?.parse().ok()
}

/// Reads a list with the present value in brackets.
fn choice(machine: &dyn Machine, path: &str) -> Option<Choice> {
    let raw = machine.read(path).ok()?;
    let offered = raw.split_whitespace().map(|word| word.trim_matches(['[', ']']).to_owned()).collect();
    Some(Choice { now: shown(&raw), offered })
}

fn memory(machine: &dyn Machine) -> u64 {
    let text = machine.read("/proc/meminfo").unwrap_or_default();
    let kb =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    kb.unwrap_or(0_u64).saturating_mul(1024)
}

fn mounts(machine: &dyn Machine) -> Vec<Mount> {
    let text = machine.read("/proc/self/mounts").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (device, folder, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
            let film = FILM_FILE_SYSTEMS.contains(&kind) && device.starts_with("/dev/") && !folder.starts_with("/boot");
            film.then(|| Mount {
                device: device.to_owned(),
                folder: unescaped(folder),
                options: options.split(',').map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// The kernel writes a blank in a name as `\040`.
fn unescaped(name: &str) -> String {
    name.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn trim_timer(machine: &dyn Machine) -> TrimTimer {
    let wanted = |folder: &str| machine.is_there(&format!("{folder}/timers.target.wants/{TIMER}"));
    let masked = machine.target(&format!("/etc/systemd/system/{TIMER}")).is_ok_and(|target| target == "/dev/null");
    if masked {
        TrimTimer::Masked
    } else if UNIT_FOLDERS.iter().any(|folder| wanted(folder)) {
        TrimTimer::Enabled
    } else if UNIT_FOLDERS.iter().any(|folder| machine.is_there(&format!("{folder}/{TIMER}"))) {
        TrimTimer::Disabled
    } else {
        TrimTimer::Missing
    }
}

fn swap(machine: &dyn Machine) -> Swap {
    let text = machine.read("/proc/swaps").unwrap_or_default();
    let (zram, disk): (Vec<&str>, Vec<&str>) =
        text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).partition(|name| name.contains("/zram"));
    Swap {
        zram: !zram.is_empty(),
        zswap: line(machine, "/sys/module/zswap/parameters/enabled").as_deref() == Some("Y"),
        disk: !disk.is_empty(),
    }
}

/// The kernel lists only what is loaded, and loads the rest when it is chosen.
fn congestion(machine: &dyn Machine) -> Vec<String> {
    let loaded = line(machine, "/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap_or_default();
    let mut names: Vec<String> = loaded.split_whitespace().map(str::to_owned).collect();
    let release = line(machine, "/proc/sys/kernel/osrelease").unwrap_or_default();
    let modules = machine.read(&format!("/lib/modules/{release}/modules.dep")).unwrap_or_default();
    names.extend(modules.lines().filter_map(|line| {
        let (path, _) = line.split_once(':')?;
        let (name, _) = path.rsplit('/').next()?.strip_prefix("tcp_")?.split_once(".ko")?;
        Some(name.to_owned())
    }));
    names
}

fn open_files(machine: &dyn Machine) -> Option<u64> {
    let text = machine.read("/proc/self/limits").ok()?;
    let limits = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    limits.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_kernel_file_shows_one_value() {
        for (raw, value) in [
            ("60\n", "60"),
            ("none [mq-deadline] kyber bfq\n", "mq-deadline"),
            ("[none]\n", "none"),
            ("4096\t16384\t4194304\n", "4096 16384 4194304"),
            ("", ""),
        ] {
            assert_eq!(shown(raw), value, "{raw:?}");
        }
    }
}
