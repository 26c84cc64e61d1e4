//! Watching folders for changes. A change asks for a scan once the folder has been quiet for a
//! while, so that a film being copied is not looked into half-way. Network disks send no events
//! and the kernel's watches are limited, so a slow timer asks as well.

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{path::PathBuf, time::Duration};
use tokio::sync::mpsc;
use tracing::{debug, info};

/// Quiet time after the last change.
pub(crate) const QUIET: Duration = Duration::from_secs(3);
/// The slow timer: also the longest time a change on a network disk stays unseen.
pub(crate) const SLOW: Duration = Duration::from_secs(15 * 60);

/// Watches a set of folders; sends a unit when something in them that looks like a film changed.
pub(crate) struct FolderWatch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
}

impl FolderWatch {
    pub(crate) fn new(changed: mpsc::Sender<PathBuf>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            // A full channel means that a scan is due anyway.
            for path in event.paths {
                let _ = changed.try_send(path);
            }
        });
        let watcher = watcher.inspect_err(|e| info!("folders are not watched, only looked at now and then: {e}")).ok();
        Self { watcher, watched: Vec::new() }
    }

    /// Watches exactly these folders from now on.
    pub(crate) fn set(&mut self, folders: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        for old in self.watched.iter().filter(|w| !folders.contains(w)) {
            // The folder may be gone already.
            let _ = watcher.unwatch(old);
        }
        let mut watched: Vec<PathBuf> = self.watched.iter().filter(|w| folders.contains(w)).cloned().collect();
        for new in folders {
            if !watched.contains(new) {
                match watcher.watch(new, RecursiveMode::Recursive) {
                    Ok(()) => watched.push(new.clone()),
                    Err(e) => debug!("a folder is not watched, only looked at now and then: {e}"),
                }
            }
        }
        self.watched = watched;
    }
}

/// Is the folder there at all? Cheap, and asked often, so that a disk that comes back is seen soon.
pub(crate) fn is_there(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).is_ok()
}
