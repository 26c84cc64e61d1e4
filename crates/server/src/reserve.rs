//! Room for a day on which the disk of the data folder is full. SQLite needs some to open its
//! database at all, and signing in writes. So a little space is held while there is plenty, and
//! given back at a start that finds none; before that, kept segments go, which cost nothing but
//! to be encoded again.
//! Everything here waits for the disk.

use base::Dirs;
use renditions::segments::{Disk, Folder};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};
use tracing::{info, warn};

/// Held while there is plenty: twice what the log of the database grows to before it is folded in.
const HELD: u64 = 8 << 20;
/// With less than this a start makes room first.
const NEEDED: u64 = 6 << 20;
/// A disk has plenty when it has so many times what is held.
const PLENTY: u64 = 4;
/// A small disk gives this part of itself and no more.
const SMALL_PART: u64 = 16;

/// Makes room where a start finds too little. Call it with the lock of the data folder held.
/// Returns whether there was too little.
pub(crate) fn make_room(dirs: &Dirs, segments: &Folder, segments_dir: &Path) -> bool {
    if free(dirs.data()) >= NEEDED {
        return false;
    }
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    if device(segments_dir).is_some() && device(segments_dir) == device(dirs.data()) {
        clear_segments(dirs.data(), segments);
    }
    if free(dirs.data()) < NEEDED && fs::remove_file(dirs.reserve()).is_ok() {
        warn!("the disk of the data folder is full; the space held for this is used now");
    }
    true
}

/// The oldest first, until there is twice what is needed.
fn clear_segments(data: &Path, segments: &Folder) {
    let mut found = match segments.sweep() {
        Ok(found) => found,
        Err(e) => return warn!("the kept segments cannot be listed to make room: {e}"),
    };
    found.sort_by_key(|one| one.used_at);
    let mut gone = 0;
    for one in found {
        if free(data) >= 2 * NEEDED {
            break;
        }
        match segments.remove(&one.track, &one.piece) {
            Ok(()) => gone += 1,
            Err(e) => warn!("a kept segment cannot be removed to make room: {e}"),
        }
    }
    if gone > 0 {
        warn!("the disk of the data folder is full; {gone} kept segments made room");
    }
}

/// Holds space where there is plenty and none is held yet.
pub(crate) fn hold_when_there_is_plenty(dirs: &Dirs) {
    let (total, free) = space(dirs.data());
    let wanted = HELD.min(total / SMALL_PART);
    if free >= PLENTY * wanted {
        hold(&dirs.reserve(), wanted);
    }
}

/// Holds as much as there is for the next start, at the end of a run.
pub(crate) fn hold_what_there_is(dirs: &Dirs) {
    let (total, free) = space(dirs.data());
    let wanted = HELD.min(total / SMALL_PART);
    hold(&dirs.reserve(), free.min(wanted) / 4096 * 4096);
}

fn hold(path: &Path, bytes: u64) {
    if fs::metadata(path).is_ok_and(|about| about.len() >= bytes) || bytes == 0 {
        return;
    }
    match allocate(path, bytes) {
        Ok(()) => info!("{} MB are held for a day on which the disk is full", bytes >> 20),
        Err(e) => {
            let _ = fs::remove_file(path);
            tracing::debug!("no space can be held: {e}");
        }
    }
}

fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    file.sync_all()
}

/// Returns how much is free for us.
pub(crate) fn free(path: &Path) -> u64 {
    space(path).1
}

/// Returns all of a disk, and what is free for us. One that does not say has enough.
fn space(path: &Path) -> (u64, u64) {
    match statvfs(path) {
        // Some file systems have no end, and say 0.
        Ok(disk) if disk.f_blocks > 0 => {
            (disk.f_blocks.saturating_mul(disk.f_frsize), disk.f_bavail.saturating_mul(disk.f_frsize))
        }
        _ => (u64::MAX, u64::MAX),
    }
}
