//! What tells one disk from another.

use domain::FolderProblem;
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

/// Where the system lists the file systems of its disks by their own ids.
const BY_UUID: &str = "/dev/disk/by-uuid";

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
    // Some file systems make their id of the device number alone; their size helps.
    let unnamed = || format!("{:x}-{}x{}", disk.f_fsid, disk.f_blocks, disk.f_frsize);
    Ok(format!("{}/{:x}", named.unwrap_or_else(unnamed), about.ino()))
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
