//! May a walk be believed? Pure.

use super::phase_1_walk::Walk;
use domain::FolderProblem;
use std::collections::HashSet;
use store::KnownFile;

/// Says why a walk is not believed. A folder of the same identity is: what is not in it was taken
/// out of it. Any other has to show at least half of the films we know under the paths we know,
/// or it is a disk that is not mounted, or another disk, and nothing is changed or learned.
pub(crate) fn judge(walk: &Walk, known: &[KnownFile], identity: Option<&str>) -> Result<(), FolderProblem> {
    if let Some(problem) = walk.problem {
        return Err(problem);
    }
    if identity.is_some() && walk.identity.as_deref() == identity {
        return Ok(());
    }
    let visible: Vec<&KnownFile> = known.iter().filter(|file| !is_hidden(&file.path, &walk.unread)).collect();
    if visible.is_empty() {
        return Ok(());
    }
    if walk.files.is_empty() {
        return Err(FolderProblem::NotMounted);
    }
    let seen: HashSet<&[u8]> = walk.files.iter().map(|file| file.path.as_slice()).collect();
    let present: Vec<&KnownFile> = visible.iter().copied().filter(|file| !file.missing).collect();
    let (of, needed) = if present.is_empty() { (visible, 1) } else { (present, 2) };
    let shared = of.iter().filter(|file| seen.contains(file.path.as_slice())).count();
    // Of films that were all gone before, any one that is back speaks for the disk.
    let is_ours = if needed == 1 { shared > 0 } else { shared * needed >= of.len() };
    if is_ours { Ok(()) } else { Err(FolderProblem::AnotherDisk) }
}

/// Returns whether a path lies in a folder that could not be listed.
pub(crate) fn is_hidden(path: &[u8], unread: &[Vec<u8>]) -> bool {
    unread.iter().any(|folder| {
        folder.is_empty() || path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.first() == Some(&b'/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::phase_2_compare::tests::{known, seen};

    fn films(n: u8) -> Vec<KnownFile> {
        (0..n).map(|n| known(n, &format!("film {n}.mkv"), n.into())).collect()
    }
    fn walk(identity: &str, paths: &[String]) -> Walk {
        let files = paths.iter().map(|path| seen(path, 1)).collect();
        Walk { files, identity: Some(identity.into()), ..Walk::default() }
    }
    fn paths(range: std::ops::Range<u8>) -> Vec<String> {
        range.map(|n| format!("film {n}.mkv")).collect()
    }

    #[test]
    fn another_disk_is_refused_however_often_it_is_seen() {
        let known = films(100);
        let strangers: Vec<String> = (0..20).map(|n| format!("private {n}.mkv")).collect();
        let mut twenty = paths(0..20);
        for walk in [walk("stick", &strangers), walk("stick", &twenty)] {
            for _ in 0..2 {
                assert_eq!(judge(&walk, &known, Some("disk")), Err(FolderProblem::AnotherDisk));
            }
        }
        // Many films are no proof; the same ones are.
        let many: Vec<String> = (0..200).map(|n| format!("private {n}.mkv")).collect();
        assert_eq!(judge(&walk("stick", &many), &known, Some("disk")), Err(FolderProblem::AnotherDisk));
        twenty.extend(paths(20..50));
        assert_eq!(judge(&walk("copy", &twenty), &known, Some("disk")), Ok(()), "a copy of the disk is the disk");
        // The control: the same walk of the folder that we know.
        assert_eq!(judge(&walk("disk", &strangers), &known, Some("disk")), Ok(()));
    }

    #[test]
    fn an_empty_mount_point_is_no_empty_disk() {
        let known = films(1);
        assert_eq!(judge(&walk("below", &[]), &known, Some("disk")), Err(FolderProblem::NotMounted));
        assert_eq!(judge(&walk("disk", &[]), &known, Some("disk")), Ok(()), "the last film was deleted on purpose");
        assert_eq!(judge(&walk("below", &[]), &known, None), Err(FolderProblem::NotMounted), "from an earlier version");
        assert_eq!(judge(&walk("new", &[]), &[], None), Ok(()), "a new, empty library");
        let gone: Vec<KnownFile> = films(3).into_iter().map(|k| KnownFile { missing: true, ..k }).collect();
        assert_eq!(judge(&walk("stick", &["x.mkv".into()]), &gone, Some("disk")), Err(FolderProblem::AnotherDisk));
        assert_eq!(judge(&walk("copy", &paths(0..1)), &gone, Some("disk")), Ok(()));
        assert_eq!(judge(&Walk::away(FolderProblem::Hanging), &[], None), Err(FolderProblem::Hanging));
    }

    #[test]
    fn what_cannot_be_listed_says_nothing_for_or_against_a_disk() {
        let mut half = walk("new id", &paths(0..1));
        let known = [known(0, "film 0.mkv", 0), known(1, "closed/a.mkv", 1), known(2, "closed/b.mkv", 2)];
        assert_eq!(judge(&half, &known, Some("disk")), Err(FolderProblem::AnotherDisk));
        half.unread = vec![b"closed".to_vec()];
        assert_eq!(judge(&half, &known, Some("disk")), Ok(()));
        assert!(!is_hidden(b"closed.mkv", &half.unread) && is_hidden(b"any", &[vec![]]));
    }
}
