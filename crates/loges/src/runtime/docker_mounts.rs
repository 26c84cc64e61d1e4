//! Disks that are mounted below a library folder. A bind mount of the folder leaves them out on
//! purpose (they would come along writable), so each is shown by a read-only mount of its own.

use crate::words::Mount;
use base::disks;
use domain::FolderId;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tracing::warn;

/// One disk below a library folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    pub folder: FolderId,
    pub source: PathBuf,
    /// Relative to the folder.
    pub below: PathBuf,
}

/// A disk that hangs is left out, so that it does not keep all others away.
const LOOK: Duration = Duration::from_secs(2);
const MOST: usize = 64;

pub async fn nested(mounts: &[Mount]) -> Vec<Nested> {
    let table = base::mounts::table();
    let mut found = Vec::new();
    for mount in mounts {
        for source in points_below(&table, &mount.path) {
            let there = disks().look(&source, LOOK, Path::is_dir).await;
            let Ok(below) = source.strip_prefix(&mount.path).map(Path::to_path_buf) else { continue };
            if there == Ok(true) && source.to_str().is_some() && found.len() < MOST {
                found.push(Nested { folder: mount.id.clone(), source, below });
            } else {
                warn!(folder.id = %mount.id, "a disk mounted below folder {} is left out", mount.id);
            }
        }
    }
    found
}

/// Which folder or file a mount was meant to show: its device and inode, taken before the engine
/// is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    source: PathBuf,
    target: PathBuf,
    is: (u64, u64),
}

/// What cannot be looked at within its time is left out: an ordinary user may not see every
/// folder that the engine can mount.
pub async fn meant(mounts: &[bollard::models::Mount]) -> Vec<Meant> {
    let mut found = Vec::new();
    for mount in mounts {
        let (Some(source), Some(target)) = (&mount.source, &mount.target) else { continue };
        let (source, target) = (PathBuf::from(source), PathBuf::from(target));
        if let Some(is) = identity(&source).await.ok().flatten() {
            found.push(Meant { source, target, is });
        }
    }
    found
}

/// The first mount that shows something else than was meant, as seen from inside the container,
/// or, where this user may not look inside, by what the path means by now.
pub async fn swapped(pid: i64, meant: &[Meant]) -> Option<PathBuf> {
    for mount in meant {
        let below = mount.target.strip_prefix("/").unwrap_or(&mount.target);
        let inside = Path::new("/proc").join(pid.to_string()).join("root").join(below);
        let now = match identity(&inside).await {
            Ok(Some(is)) => Some(is),
            // Gone, or hanging: the worker's own words tell.
            Ok(None) => None,
            Err(_) => identity(&mount.source).await.ok().flatten(),
        };
        if now.is_some_and(|is| is != mount.is) {
            return Some(mount.target.clone());
        }
    }
    None
}

/// `Ok(None)` when nothing is there or nothing answers; an error when this user may not look.
async fn identity(path: &Path) -> Result<Option<(u64, u64)>, std::io::Error> {
    use std::os::unix::fs::MetadataExt;
    let look = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino()));
    match disks().look(path, LOOK, look).await {
        Ok(Ok(is)) => Ok(Some(is)),
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::PermissionDenied => Err(e),
        _ => Ok(None),
    }
}

/// Mount points strictly below `folder`, outer ones first, each once.
fn points_below(table: &[u8], folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = base::mounts::points(table)
        .map(|(point, _)| point)
        .filter(|point| point != folder && point.starts_with(folder))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn c8_a_folder_that_became_another_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (films, other) = (dir.path().join("films"), dir.path().join("other"));
        std::fs::create_dir(&films).unwrap();
        std::fs::create_dir(&other).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mount = |source: &Path, target: &Path| bollard::models::Mount {
            source: Some(text(source)),
            target: Some(text(target)),
            ..Default::default()
        };
        // Our own root stands in for a container's: there each path shows itself.
        let me = i64::from(std::process::id());
        let as_meant = meant(&[mount(&films, &films)]).await;
        assert_eq!(as_meant.len(), 1);
        assert_eq!(swapped(me, &as_meant).await, None);
        assert_eq!(swapped(me, &meant(&[mount(&films, &other)]).await).await, Some(other.clone()));
        std::fs::rename(&films, dir.path().join("away")).unwrap();
        std::fs::rename(&other, &films).unwrap();
        assert_eq!(swapped(me, &as_meant).await, Some(films));
        assert_eq!(meant(&[mount(&other, &other)]).await, []);
    }

    #[test]
    fn only_what_lies_below_the_folder_counts() {
        let table = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            22 21 8:2 / /films rw - ext4 /dev/sdb1 rw\n\
            23 22 8:3 / /films/new\\040disk rw - ext4 /dev/sdc1 rw\n\
            24 23 8:4 / /films/new\\040disk/a\\134b rw - ext4 /dev/sdd1 rw\n\
            25 23 8:5 / /films/new\\040disk rw - ext4 /dev/sde1 rw\n\
            26 21 8:6 / /films2 rw - ext4 /dev/sdf1 rw\n";
        let below = points_below(table, Path::new("/films"));
        assert_eq!(below, [Path::new("/films/new disk"), Path::new("/films/new disk/a\\b")]);
        assert_eq!(points_below(table, Path::new("/films/new disk/a\\b")), Vec::<PathBuf>::new());
        assert_eq!(points_below(b"\n \n", Path::new("/films")), Vec::<PathBuf>::new());
    }
}
