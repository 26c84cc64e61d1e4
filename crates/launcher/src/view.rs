//! What a loge sees of the file system: an empty root, and in it, at the same paths as outside,
//! what it needs, read-only.
//!
//! Everything is mounted below the work folder first and becomes the root at the very end, so a
//! step that fails leaves nothing half-done that matters: the mounts are this process's own.

use crate::args::Args;
use rustix::{
    fs::{StatVfsMountFlags, statvfs},
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
        mount_remount, unmount,
    },
    process::{chdir, pivot_root},
};
use std::{
    ffi::CStr,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What programs with shared libraries need, and nothing people keep films in: every loge may
/// read it. Folders that are links are made as links.
pub const SYSTEM: [&str; 6] = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"];
const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];

/// The step that failed, and why.
#[derive(Debug)]
pub struct ViewError {
    step: String,
    cause: std::io::Error,
}

impl std::fmt::Display for ViewError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.cause)
    }
}

fn at<E: Into<std::io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> ViewError {
    let step = step.into();
    move |cause| ViewError { step, cause: cause.into() }
}

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

pub fn build(args: &Args) -> Result<(), ViewError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(at("keep mounts to ourselves"))?;
    let root = args.work.as_path();
    tmpfs(root, PLAIN, c"size=1m,mode=0755").map_err(at("make an empty root"))?;

    for path in SYSTEM {
        system(root, Path::new(path))?;
    }
    let mut paths: Vec<(&Path, MountFlags)> = Vec::new();
    paths.extend(args.execute.iter().chain([&args.worker]).map(|path| (path.as_path(), PLAIN)));
    paths.extend(args.read.iter().chain([&args.socket]).map(|p| (p.as_path(), PLAIN | MountFlags::NOEXEC)));
    paths.extend(DEVICES.map(|path| (Path::new(path), MountFlags::NOSUID | MountFlags::NOEXEC)));
    if let Some(node) = &args.render_node {
        paths.push((node, MountFlags::NOSUID | MountFlags::NOEXEC));
        name_as_graphics(root, node)?;
    }
    // Outer folders first, so that an inner one lands on top.
    paths.sort_by_key(|(path, _)| path.components().count());
    for (path, flags) in paths {
        match bind(root, path, flags) {
            // A disk that is away, or a folder we may not enter: the worker says so when asked.
            Err(_) if args.read.iter().any(|read| read == path) => {}
            outcome => outcome?,
        }
    }
    processes(root)?;
    let work = inside(root, &args.work);
    fs::create_dir_all(&work).map_err(at("make the work folder"))?;
    tmpfs(&work, PLAIN | MountFlags::NOEXEC, c"size=64m,nr_inodes=1024,mode=0700")
        .map_err(at("make the work folder"))?;

    let closed = MountFlags::BIND | MountFlags::RDONLY | PLAIN;
    mount_remount(root, closed, c"").map_err(at("close the root"))?;
    chdir(root).map_err(at("enter the new root"))?;
    // With both the same, the old root ends up on top of the new one and is taken off.
    pivot_root(".", ".").map_err(at("change the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(at("leave the old root"))?;
    chdir("/").map_err(at("enter the new root"))
}

/// libdrm takes a device for a graphics chip where this folder is, and looks no further. An empty
/// one does: what the kernel shows there is none of a loge's business.
fn name_as_graphics(root: &Path, node: &Path) -> Result<(), ViewError> {
    let step = || format!("show {} as what it is", node.display());
    let device = fs::metadata(node).map_err(at(step()))?.rdev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let folder = root.join(format!("sys/dev/char/{major}:{minor}/device/drm"));
    fs::create_dir_all(folder).map_err(at(step()))
}

fn tmpfs(target: &Path, flags: MountFlags, options: &CStr) -> rustix::io::Result<()> {
    mount("tmpfs", target, "tmpfs", flags, options)
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn system(root: &Path, path: &Path) -> Result<(), ViewError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if metadata.is_symlink() {
        let link = inside(root, path);
        let target = fs::read_link(path).map_err(at(format!("read {}", path.display())))?;
        return std::os::unix::fs::symlink(target, link).map_err(at(format!("link {}", path.display())));
    }
    bind(root, path, PLAIN)
}

/// Shows `path` at the same place, read-only.
fn bind(root: &Path, path: &Path, flags: MountFlags) -> Result<(), ViewError> {
    let step = || format!("show {}", path.display());
    let target = inside(root, path);
    let there = fs::metadata(path).map_err(at(step()))?;
    // Visible already, as part of a folder around it.
    if fs::metadata(&target).is_ok_and(|seen| (seen.dev(), seen.ino()) == (there.dev(), there.ino())) {
        return Ok(());
    }
    if there.is_dir() {
        fs::create_dir_all(&target).map_err(at(step()))?;
    } else if !target.exists() {
        let folder = target.parent().unwrap_or(root);
        fs::create_dir_all(folder).and_then(|()| fs::File::create(&target).map(drop)).map_err(at(step()))?;
    }
    match mount_bind(path, &target) {
        // Another disk is mounted somewhere below, and in a user namespace the two cannot be
        // told apart: it comes along, as read-only as the rest.
        Err(Errno::INVAL) => mount_bind_recursive(path, &target),
        answer => answer,
    }
    .map_err(at(step()))?;
    for mounted in mounts_at(&target) {
        close(&mounted, flags).map_err(at(step()))?;
    }
    Ok(())
}

/// Flags that were set on the original stay: in a user namespace they are locked.
fn close(target: &Path, flags: MountFlags) -> rustix::io::Result<()> {
    let seen = statvfs(target)?.f_flag;
    let mut flags = flags | MountFlags::BIND | MountFlags::RDONLY;
    for (is, keep) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if seen.contains(is) {
            flags |= keep;
        }
    }
    if !seen.intersects(StatVfsMountFlags::NOATIME | StatVfsMountFlags::RELATIME) {
        flags |= MountFlags::STRICTATIME;
    }
    mount_remount(target, flags, c"")
}

/// `target` and every mount below it.
fn mounts_at(target: &Path) -> Vec<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut found = vec![target.to_owned()];
    for line in table.split(|b| *b == b'\n') {
        let Some(field) = line.split(|b| *b == b' ').nth(4) else { continue };
        let path = unescape(field);
        if path != target && path.starts_with(target) {
            found.push(path);
        }
    }
    found
}

/// Spaces, tabs, newlines and backslashes are written in octal there.
fn unescape(field: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        match octal {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

/// A media program reopens its input by a name in `/proc`. Where the kernel refuses a new one
/// (inside some containers) the old one is shown; Landlock keeps its files shut in both.
fn processes(root: &Path) -> Result<(), ViewError> {
    let target = root.join("proc");
    fs::create_dir_all(&target).map_err(at("make /proc"))?;
    let flags = PLAIN | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount("proc", &target, "proc", flags, None::<&CStr>)
        .or_else(|_| mount_bind_recursive("/proc", &target))
        .map_err(at("show /proc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_mount_table_are_read_back() {
        assert_eq!(unescape(b"/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescape(b"/plain\\"), Path::new("/plain\\"));
        assert_eq!(inside(Path::new("/w"), Path::new("/usr/lib")), Path::new("/w/usr/lib"));
    }
}
