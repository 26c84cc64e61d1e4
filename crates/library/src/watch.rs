//! Being told of changes in folders. The kernel tells of local disks; network disks tell nothing,
//! and its list of watched folders is limited.

use crate::scan::{is_path_left_out, looks_like_film, looks_like_subtitle};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use tokio::sync::mpsc;
use tracing::debug;

/// One folder that is listened to; dropping it ends that. Each has a queue of its own in the
/// kernel, so that a disk that hangs keeps no other one quiet.
pub(crate) struct Watching {
    _watcher: RecommendedWatcher,
}

/// Listens to a folder; `None` where the kernel cannot. Takes long on large folders, and blocks.
/// What is sent is the folder itself, whenever something in it changed that may concern films.
pub(crate) fn listen(folder: &Path, changed: mpsc::Sender<PathBuf>) -> Option<Watching> {
    let root = folder.to_path_buf();
    let told = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| concerns(&root, &event)) {
            // A full channel means that a scan is due anyway.
            let _ = changed.try_send(root.clone());
        }
    };
    let watch = || {
        let mut watcher = notify::recommended_watcher(told)?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Watching { _watcher: watcher })
    };
    watch().inspect_err(|e: &notify::Error| debug!("a folder is not watched, only looked at now and then: {e}")).ok()
}

/// Returns whether a scan may find something else after this event.
fn concerns(root: &Path, event: &Event) -> bool {
    if event.need_rescan() {
        return true;
    }
    let may = |path: &Path| {
        let below = path.strip_prefix(root).unwrap_or(path);
        let is_ours = looks_like_film(path) || looks_like_subtitle(path);
        match event.kind {
            EventKind::Access(_) => false,
            _ if is_path_left_out(below.as_os_str().as_bytes()) => false,
            // Rights of folders change too; asking the disk what it is may hang.
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => is_ours || path.extension().is_none(),
            _ => true,
        }
    };
    event.paths.iter().any(|path| may(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, DataChange, Flag, RemoveKind};

    #[test]
    fn only_what_a_scan_would_see_asks_for_one() {
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        for (kind, path, told) in [
            (EventKind::Create(CreateKind::File), "/films/a.mkv", true),
            (EventKind::Create(CreateKind::Folder), "/films/New.Film.2019", true),
            (EventKind::Remove(RemoveKind::Folder), "/films/Old", true),
            (data, "/films/a.mkv", true),
            (data, "/films/a.srt", true),
            (data, "/films/a.mkv.part", false),
            (data, "/films/download.log", false),
            (EventKind::Access(AccessKind::Read), "/films/a.mkv", false),
            (EventKind::Create(CreateKind::File), "/films/#recycle/a.mkv", false),
            (EventKind::Create(CreateKind::File), "/films/.Trash-1000/files/a.mkv", false),
        ] {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(concerns(Path::new("/films"), &event), told, "{kind:?} {path}");
        }
        let hidden = Event::new(EventKind::Create(CreateKind::File)).add_path("/home/.films/a.mkv".into());
        assert!(concerns(Path::new("/home/.films"), &hidden), "the library itself may be hidden");
        assert!(
            concerns(Path::new("/films"), &Event::new(EventKind::Other).set_flag(Flag::Rescan)),
            "events were lost"
        );
    }
}
