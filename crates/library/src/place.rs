//! Which folders may be part of a library, by where they are. Pure: paths arrive canonical.
//!
//! The whole folder is shown to the container of everybody with the library. So it must be none in
//! which a system, a container engine or a person keeps anything else.

use std::{
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

/// Neither these nor anything below them.
const WITH_ALL_BELOW: [&str; 25] = [
    "/bin",
    "/boot",
    "/dev",
    "/efi",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/snap",
    "/sys",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
];

/// Not these themselves: what people may use lies below.
const THEMSELVES: [&str; 17] = [
    "/",
    "/home",
    "/lost+found",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run/media",
    "/srv",
    "/tmp",
    "/usr",
    "/usr/local",
    "/usr/src",
    "/var",
    "/var/home",
    "/var/opt",
    "/var/tmp",
];

/// Folders of which each subfolder is one person's.
const OF_PEOPLE: [&str; 3] = ["/home", "/var/home", "/run/media"];

/// Returns whether a folder must not be part of a library.
pub(crate) fn is_refused(path: &Path) -> bool {
    let is_plain = path.as_os_str().as_bytes().iter().all(|byte| !byte.is_ascii_control());
    let is_system = WITH_ALL_BELOW.iter().any(|system| path.starts_with(system));
    let is_run = ["/run", "/var/run"].iter().any(|run| path.starts_with(run)) && !path.starts_with("/run/media");
    let is_itself = THEMSELVES.iter().any(|system| path == Path::new(system));
    !is_plain || is_system || is_run || is_itself || is_private(path)
}

/// Homes, and what is hidden in them: keys, passwords, mail.
fn is_private(path: &Path) -> bool {
    let below = |home: &Path| path.strip_prefix(home).ok().map(|below| below.components().collect::<Vec<_>>());
    let is_hidden = |part: &Component| part.as_os_str().as_bytes().starts_with(b".");
    let of_people = OF_PEOPLE.iter().filter_map(|homes| below(Path::new(homes)));
    of_people.into_iter().any(|parts| parts.len() == 1 || parts.iter().skip(1).any(is_hidden))
        || below(Path::new("/root")).is_some_and(|parts| parts.iter().any(is_hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s21_folders_of_systems_engines_and_people_are_refused() {
        let refused = [
            "/",
            "/bin",
            "/boot",
            "/boot/efi",
            "/dev",
            "/dev/shm",
            "/dev/shm/films",
            "/efi",
            "/etc",
            "/etc/ssh",
            "/etc/docker",
            "/home",
            "/home/ana",
            "/home/ana/.ssh",
            "/home/ana/.gnupg",
            "/home/ana/.config/loge",
            "/home/ana/.local/share/containers",
            "/home/ana/films/.hidden",
            "/home/ana/.docker/run",
            "/lib",
            "/lib/modules",
            "/lib32",
            "/lib64",
            "/libx32",
            "/lost+found",
            "/media",
            "/mnt",
            "/opt",
            "/proc",
            "/proc/1/root",
            "/proc/self",
            "/proc/self/cwd",
            "/root",
            "/root/.ssh",
            "/root/films/.keys",
            "/run",
            "/run/docker",
            "/run/containerd",
            "/run/user",
            "/run/user/1000",
            "/run/user/1000/podman",
            "/run/secrets",
            "/run/lock",
            "/run/media",
            "/run/media/ana",
            "/run/media/ana/disk/.private",
            "/sbin",
            "/snap",
            "/snap/core",
            "/srv",
            "/sys",
            "/sys/fs/cgroup",
            "/tmp",
            "/usr",
            "/usr/bin",
            "/usr/include",
            "/usr/lib",
            "/usr/lib/systemd",
            "/usr/lib64",
            "/usr/libexec",
            "/usr/local",
            "/usr/sbin",
            "/usr/share",
            "/usr/share/films",
            "/usr/src",
            "/var",
            "/var/backups",
            "/var/cache",
            "/var/home",
            "/var/home/ana",
            "/var/home/ana/.ssh",
            "/var/lib",
            "/var/lib/docker",
            "/var/lib/docker/volumes/films/_data",
            "/var/lib/containerd",
            "/var/lib/postgresql",
            "/var/log",
            "/var/opt",
            "/var/run",
            "/var/run/docker",
            "/var/spool/mail",
            "/var/tmp",
            "/srv/new\nline",
            "/srv/\u{1b}[2J",
        ];
        assert!(refused.len() >= 80, "{}", refused.len());
        for path in refused {
            assert!(is_refused(Path::new(path)), "{path} passes");
        }
        // The control: where people do keep films.
        for path in [
            "/home/ana/films",
            "/home/ana/Videos/2019",
            "/media/usb",
            "/media/ana/disk",
            "/mnt/nas",
            "/mnt/nas/films",
            "/opt/films",
            "/root/films",
            "/run/media/ana/disk",
            "/srv/films",
            "/films",
            "/data",
            "/volume1/video",
            "/tmp/films",
            "/usr/local/films",
            "/var/films",
            "/var/home/ana/films",
            "/srv/.films",
            "/libraries",
            "/mnt/a:ro",
            "/homes/ana",
        ] {
            assert!(!is_refused(Path::new(path)), "{path} is refused");
        }
    }
}
