//! What tells one disk from another.

use domain::FolderProblem;
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

/// Where the system lists the file systems of its disks by their own ids.
const BY_UUID: &str = "/dev/disk/by-uuid";
const MOUNTS: &str = "/proc/self/mountinfo";

/// Takes a short look at a folder: which disk it is on, or why it cannot be listed. Blocks.
pub(crate) fn glance(folder: &Path) -> Result<String, FolderProblem> {
    let looked = identity(folder).and_then(|identity| fs::read_dir(folder).map(|_| identity));
    looked.map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => FolderProblem::Gone,
        _ => FolderProblem::Refused,
    })
}

/// Returns the file system a folder is on and which folder of it this is. Numbers of devices come
/// and go with every start of the machine, so the file system's own id is asked for first.
fn identity(folder: &Path) -> io::Result<String> {
    let about = fs::metadata(folder)?;
    let disk = rustix::fs::statvfs(folder)?;
    let named = uuid(about.dev(), Path::new(BY_UUID));
    let unnamed = || {
        let mounts = fs::read_to_string(MOUNTS).unwrap_or_default();
        unnamed(disk.f_fsid, about.dev(), source(&mounts, about.dev()), disk.f_blocks * disk.f_frsize)
    };
    Ok(format!("{}/{:x}", named.unwrap_or_else(unnamed), about.ino()))
}

/// Names a file system that the system does not list by an id of its own. `size` never counts
/// where it may change by itself: a pool or a share grows and shrinks with what others write.
fn unnamed(fsid: u64, device: u64, source: Option<(&str, &str)>, size: u64) -> String {
    if fsid != 0 && fsid != packed(device) {
        return format!("{fsid:x}");
    }
    match source {
        // A disk of the machine keeps its size; its name there may be another's tomorrow.
        Some((kind, from)) if from.starts_with("/dev/") => format!("{kind}-{size:x}"),
        Some((kind, from)) => format!("{kind}-{from}"),
        None => format!("{fsid:x}"),
    }
}

/// The number of a device as file systems make an id of it (`new_encode_dev` of Linux).
fn packed(device: u64) -> u64 {
    let (major, minor) = (u64::from(rustix::fs::major(device)), u64::from(rustix::fs::minor(device)));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Kind and source of the file system with this device in a list like `/proc/self/mountinfo`
/// (proc_pid_mountinfo(5)).
fn source(mounts: &str, device: u64) -> Option<(&str, &str)> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&number))?;
    let mut behind = line.split_once(" - ")?.1.split(' ');
    Some((behind.next()?, behind.next()?))
}

fn uuid(device: u64, list: &Path) -> Option<String> {
    let is_it = |entry: &fs::DirEntry| {
        fs::metadata(entry.path()).is_ok_and(|m| m.file_type().is_block_device() && m.rdev() == device)
    };
    let found = fs::read_dir(list).ok()?.flatten().find(is_it)?;
    Some(found.file_name().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ZFS, a network share, XFS in a container and a pool of disks say of themselves.
    #[test]
    fn a_file_system_that_grows_stays_itself() {
        let mounts = "36 35 0:45 / /mnt/nas rw,noatime shared:1 - nfs4 nas.lan:/films rw,vers=4.2\n\
                      37 35 0:46 / /mnt/pool rw - fuse.mergerfs a:b rw\n\
                      38 35 8:1 / /films rw - xfs /dev/sda1 rw\n";
        let [nas, pool, disk, none] = [0x2d, 0x2e, 0x801, 0x999];
        let of = |fsid: u64, device: u64, size: u64| unnamed(fsid, device, source(mounts, device), size);
        for (fsid, device) in [(0, nas), (0, pool), (0xabcdef, nas), (0xabcdef, none), (packed(none), none)] {
            assert_eq!(of(fsid, device, 1000), of(fsid, device, 2000), "{fsid:x} on {device:x}");
        }
        let all =
            [of(0, nas, 1), of(0, pool, 1), of(0xabcdef, nas, 1), of(packed(disk), disk, 1), of(packed(disk), disk, 2)];
        for (n, one) in all.iter().enumerate() {
            assert!(!all[..n].contains(one), "{all:?}");
        }
        assert_eq!(source(mounts, nas), Some(("nfs4", "nas.lan:/films")));
    }

    #[test]
    fn a_folder_keeps_its_identity_and_another_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let (films, other) = (dir.path().join("films"), dir.path().join("other"));
        fs::create_dir(&films).unwrap();
        fs::create_dir(&other).unwrap();
        let before = glance(&films).unwrap();
        fs::write(films.join("a.mkv"), b"x").unwrap();
        assert_eq!(glance(&films).unwrap(), before);
        assert_ne!(glance(&other).unwrap(), before);
        fs::rename(&films, dir.path().join("away")).unwrap();
        assert_eq!(glance(&films), Err(FolderProblem::Gone));
        fs::rename(&other, &films).unwrap();
        assert_ne!(glance(&films).unwrap(), before, "another folder at the same path");
        fs::write(dir.path().join("file"), b"x").unwrap();
        assert_eq!(glance(&dir.path().join("file")), Err(FolderProblem::Refused));
    }
}
