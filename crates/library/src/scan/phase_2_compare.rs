//! Phase 2: what changed since the last scan. Pure.

use super::{
    file_stem,
    phase_1_walk::{Seen, Walk},
};
use domain::{FileId, FolderState};
use std::collections::{HashMap, HashSet};
use store::{KnownFile, ScanChange};

/// A file somebody has to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToProbe {
    pub(crate) seen: Seen,
    /// The known file whose content changed; `None` for a new one.
    pub(crate) changed: Option<FileId>,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) unchanged: usize,
    pub(crate) probe: Vec<ToProbe>,
    pub(crate) moved: Vec<ScanChange>,
    pub(crate) back: Vec<ScanChange>,
    pub(crate) missing: Vec<ScanChange>,
}

/// May this walk be believed? A folder that is gone, that sits on another device than before, or
/// that is suddenly empty is a disk that is away: nothing in it is touched.
pub(crate) fn judge_folder(walk: &Walk, known_present: usize, device: Option<u64>) -> FolderState {
    if walk.gone {
        return FolderState::Offline;
    }
    if walk.unreadable.is_some() {
        return FolderState::Unreadable;
    }
    let another_disk = device.is_some() && walk.device != device;
    if known_present > 0 && walk.files.is_empty() {
        return FolderState::Offline;
    }
    // Device numbers may change over a reboot; only together with vanished files they mean another disk.
    if another_disk && known_present > 0 && walk.files.len() * 2 < known_present {
        return FolderState::Offline;
    }
    FolderState::Online
}

/// Compares by path first and by identity (inode, size, time of change) second, so that a renamed
/// or moved file keeps its history.
pub(crate) fn compare(known: &[KnownFile], seen: Vec<Seen>) -> Plan {
    let by_path: HashMap<&[u8], &KnownFile> = known.iter().map(|k| (k.path.as_slice(), k)).collect();
    let seen_paths: HashSet<Vec<u8>> = seen.iter().map(|s| s.path.clone()).collect();
    let mut by_identity: HashMap<(u64, u64, i64), &KnownFile> = known
        .iter()
        .filter(|k| !seen_paths.contains(&k.path) && k.size_bytes > 0)
        .map(|k| ((k.inode, k.size_bytes, k.mtime_ns), k))
        .collect();
    let mut plan = Plan::default();
    let mut accounted: HashSet<&FileId> = HashSet::new();
    for file in seen {
        if let Some(old) = by_path.get(file.path.as_slice()) {
            accounted.insert(&old.id);
            let same = old.size_bytes == file.size_bytes && old.mtime_ns == file.mtime_ns;
            if same && old.probed {
                if old.missing {
                    plan.back.push(ScanChange::Back { file: old.id.clone() });
                } else {
                    plan.unchanged += 1;
                }
            } else {
                plan.probe.push(ToProbe { seen: file, changed: Some(old.id.clone()) });
            }
        } else if let Some(old) = by_identity.remove(&(file.inode, file.size_bytes, file.mtime_ns)) {
            accounted.insert(&old.id);
            let name = domain::naming::title_from_file_stem(&file_stem(&file.path));
            plan.moved.push(ScanChange::Moved {
                file: old.id.clone(),
                path: file.path,
                name: name.name,
                year: name.year,
            });
        } else {
            plan.probe.push(ToProbe { seen: file, changed: None });
        }
    }
    plan.missing = known
        .iter()
        .filter(|k| !k.missing && !accounted.contains(&k.id))
        .map(|k| ScanChange::Missing { file: k.id.clone() })
        .collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TitleId;

    fn known(n: u8, path: &str, inode: u64) -> KnownFile {
        KnownFile {
            id: FileId::from_random([n; 16]),
            title: TitleId::from_random([n; 16]),
            path: path.into(),
            size_bytes: 10,
            mtime_ns: 5,
            inode,
            probed: true,
            missing: false,
            defect: None,
        }
    }
    fn seen(path: &str, inode: u64) -> Seen {
        Seen { path: path.into(), size_bytes: 10, mtime_ns: 5, inode }
    }

    #[test]
    fn unchanged_files_cost_nothing() {
        let plan = compare(&[known(1, "a.mp4", 1)], vec![seen("a.mp4", 1)]);
        assert_eq!((plan.unchanged, plan.probe.len(), plan.missing.len()), (1, 0, 0));
    }

    #[test]
    fn a_renamed_file_is_moved_and_not_deleted_and_new() {
        let plan = compare(&[known(1, "a.mp4", 1)], vec![seen("sub/The Lantern Room (2021).mp4", 1)]);
        assert!(plan.probe.is_empty() && plan.missing.is_empty());
        assert!(
            matches!(&plan.moved[..], [ScanChange::Moved { name, year: Some(2021), .. }] if name == "The Lantern Room")
        );
    }

    #[test]
    fn a_replaced_file_is_probed_again_under_its_old_identity() {
        let mut new = seen("a.mp4", 2);
        new.size_bytes = 99;
        let plan = compare(&[known(1, "a.mp4", 1)], vec![new]);
        assert_eq!(plan.probe[0].changed, Some(FileId::from_random([1; 16])));
    }

    #[test]
    fn a_missing_file_is_marked_once_and_comes_back() {
        let mut gone = known(1, "a.mp4", 1);
        let plan = compare(std::slice::from_ref(&gone), vec![seen("b.mp4", 2)]);
        assert_eq!((plan.missing.len(), plan.probe.len()), (1, 1));
        gone.missing = true;
        assert!(compare(std::slice::from_ref(&gone), vec![]).missing.is_empty());
        assert_eq!(compare(&[gone], vec![seen("a.mp4", 1)]).back.len(), 1);
    }

    #[test]
    fn an_absent_disk_is_not_believed() {
        let walk = |files: Vec<Seen>, device| Walk { files, device, ..Walk::default() };
        assert_eq!(judge_folder(&Walk { gone: true, ..Walk::default() }, 5, Some(1)), FolderState::Offline);
        assert_eq!(judge_folder(&walk(vec![], Some(1)), 5, Some(1)), FolderState::Offline, "an empty mount point");
        assert_eq!(judge_folder(&walk(vec![seen("a", 1)], Some(2)), 5, Some(1)), FolderState::Offline, "another disk");
        assert_eq!(judge_folder(&walk(vec![], Some(1)), 0, None), FolderState::Online, "a new, empty library");
        assert_eq!(judge_folder(&Walk::unreadable("x"), 5, None), FolderState::Unreadable);
    }
}
