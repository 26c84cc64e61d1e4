//! The kernel's list of mounts, which can be read without touching any disk.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// Returns the list as it is now; empty where the kernel has none.
pub fn table() -> Vec<u8> {
    std::fs::read("/proc/self/mountinfo").unwrap_or_default()
}

/// Returns every mount point with its line.
pub fn points(table: &[u8]) -> impl Iterator<Item = (PathBuf, &[u8])> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| Some((unescape(line.split(|byte| *byte == b' ').nth(4)?), line)))
}

/// Returns the lines of mounts on the way to a folder and below it. While they are the same, the
/// same disks are mounted there.
pub fn around(table: &[u8], folder: &Path) -> Vec<Vec<u8>> {
    let near = points(table).filter(|(point, _)| folder.starts_with(point) || point.starts_with(folder));
    near.map(|(_, line)| line.to_vec()).collect()
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

    const TABLE: &[u8] = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        22 21 8:2 / /media/new\\040disk rw - ext4 /dev/sdb1 rw\n\
        23 22 8:3 / /media/new\\040disk/a\\134b rw - ext4 /dev/sdc1 rw\n\
        24 21 0:50 / /var/lib/engine/overlay rw - overlay overlay rw\n";

    #[test]
    fn only_mounts_on_the_way_and_below_concern_a_folder() {
        let around = |folder: &str| around(TABLE, Path::new(folder)).len();
        assert_eq!(around("/media/new disk/films"), 2, "the root and its own disk");
        assert_eq!(around("/media"), 3);
        assert_eq!(around("/srv"), 1);
        assert_eq!(points(TABLE).nth(2).unwrap().0, Path::new("/media/new disk/a\\b"));
        assert_eq!(points(b"\n \n").count(), 0);
        // The control: the same folder after its disk went.
        let without: Vec<u8> =
            TABLE.split_inclusive(|b| *b == b'\n').filter(|l| !l.starts_with(b"22")).flatten().copied().collect();
        assert_ne!(
            super::around(&without, Path::new("/media/new disk/films")),
            super::around(TABLE, Path::new("/media/new disk/films"))
        );
    }
}
