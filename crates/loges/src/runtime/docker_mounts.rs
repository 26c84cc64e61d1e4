//! Disks that are mounted below a library folder. A bind mount of the folder leaves them out on
//! purpose (they would come along writable), so each is shown by a read-only mount of its own.

use crate::words::Mount;
use domain::FolderId;
use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;
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
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut found = Vec::new();
    for mount in mounts {
        for source in points_below(&table, &mount.path) {
            let looked = source.clone();
            let there = timeout(LOOK, tokio::task::spawn_blocking(move || looked.is_dir())).await;
            let Ok(below) = source.strip_prefix(&mount.path).map(Path::to_path_buf) else { continue };
            if matches!(there, Ok(Ok(true))) && source.to_str().is_some() && found.len() < MOST {
                found.push(Nested { folder: mount.id.clone(), source, below });
            } else {
                warn!(folder.id = %mount.id, "a disk mounted below folder {} is left out", mount.id);
            }
        }
    }
    found
}

/// Mount points strictly below `folder`, outer ones first, each once.
fn points_below(table: &[u8], folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescape)
        .filter(|point| point != folder && point.starts_with(folder))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Blanks, tabs, newlines and backslashes are written in octal there.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *first == b'\\').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

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
