//! Phase 2: what changed since the last scan. Pure.

use super::{file_stem, judge::is_hidden, names::folder_of, phase_1_walk::Seen};
use base::UnixMs;
use domain::{FileId, episodes::Episode, facts::Defect, naming::title_from_file_stem};
use std::collections::{HashMap, HashSet};
use store::{KnownFile, ScanChange};

/// A file somebody has to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToProbe {
    pub(crate) seen: Seen,
    /// The known file whose content changed; `None` for a new one.
    pub(crate) changed: Option<FileId>,
    /// What is written down of exactly these bytes already.
    pub(crate) known: Option<Defect>,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) unchanged: usize,
    pub(crate) probe: Vec<ToProbe>,
    pub(crate) moved: Vec<ScanChange>,
    pub(crate) back: Vec<ScanChange>,
    pub(crate) missing: Vec<ScanChange>,
}

/// Compares by path first and by identity (inode, size, time of change) second, so that a renamed
/// or moved file keeps its history; then a film that is gone by what it is called, so that a
/// better file of it takes its place. What lies in `unread` folders is neither seen nor missing.
pub(crate) fn compare(known: &[KnownFile], seen: Vec<Seen>, unread: &[Vec<u8>], now: UnixMs) -> Plan {
    let by_path: HashMap<&[u8], &KnownFile> = known.iter().map(|k| (k.path.as_slice(), k)).collect();
    let seen_paths: HashSet<Vec<u8>> = seen.iter().map(|s| s.path.clone()).collect();
    let mut by_identity: HashMap<(u64, u64, i64), &KnownFile> = known
        .iter()
        .filter(|k| !seen_paths.contains(&k.path) && k.size_bytes > 0)
        .map(|k| ((k.inode, k.size_bytes, k.mtime_ns), k))
        .collect();
    let mut plan = Plan::default();
    let mut accounted: HashSet<&FileId> = HashSet::new();
    let mut new = Vec::new();
    for file in seen {
        if let Some(old) = by_path.get(file.path.as_slice()) {
            accounted.insert(&old.id);
            let same = old.size_bytes == file.size_bytes && old.mtime_ns == file.mtime_ns;
            if same && old.probed && !asks_again(old, now) {
                if old.missing {
                    plan.back.push(ScanChange::Back { file: old.id.clone() });
                } else {
                    plan.unchanged += 1;
                }
            } else {
                let known = old.defect.filter(|_| same && !old.missing);
                plan.probe.push(ToProbe { seen: file, changed: Some(old.id.clone()), known });
            }
        } else if let Some(old) = by_identity.remove(&(file.inode, file.size_bytes, file.mtime_ns)) {
            accounted.insert(&old.id);
            plan.moved.push(moved(old, file.path));
        } else {
            new.push(file);
        }
    }
    let gone: Vec<&KnownFile> =
        known.iter().filter(|k| !accounted.contains(&k.id) && !is_hidden(&k.path, unread)).collect();
    let mut places = places(&gone, &new);
    for file in new {
        let changed = places.remove(&file.path).map(|old| {
            accounted.insert(&old.id);
            plan.moved.push(moved(old, file.path.clone()));
            old.id.clone()
        });
        plan.probe.push(ToProbe { seen: file, changed, known: None });
    }
    let missing: Vec<&KnownFile> = gone.into_iter().filter(|k| !k.missing && !accounted.contains(&k.id)).collect();
    let mut heirs = heirs(&missing, known.iter().filter(|k| accounted.contains(&k.id)));
    plan.missing =
        missing.into_iter().map(|k| ScanChange::Missing { file: k.id.clone(), heir: heirs.remove(&k.id) }).collect();
    plan
}

/// Returns, for files that are gone now, the one that is there and called the same: a better copy
/// that an earlier scan found beside the old one. Where more than one could be meant, none is.
fn heirs<'a>(missing: &[&KnownFile], there: impl Iterator<Item = &'a KnownFile>) -> HashMap<FileId, FileId> {
    if missing.is_empty() {
        return HashMap::new();
    }
    let mut left: HashMap<Called, Vec<&KnownFile>> = HashMap::new();
    for file in missing {
        left.entry(Called::of(&file.path)).or_default().push(file);
    }
    let mut found: HashMap<Called, Vec<&KnownFile>> = HashMap::new();
    for file in there {
        let called = Called::of(&file.path);
        if left.contains_key(&called) {
            found.entry(called).or_default().push(file);
        }
    }
    let pair = |(called, old): (Called, Vec<&KnownFile>)| match (&old[..], &found.get(&called)?[..]) {
        ([old], [heir]) => Some((old.id.clone(), heir.id.clone())),
        _ => None,
    };
    left.into_iter().filter_map(pair).collect()
}

fn moved(old: &KnownFile, path: Vec<u8>) -> ScanChange {
    let name = title_from_file_stem(&file_stem(&path));
    ScanChange::Moved { file: old.id.clone(), path, name: name.name, year: name.year }
}

/// Returns which new file takes the place of which one that is gone: where both are called the same, and
/// nothing else is.
fn places<'a>(gone: &[&'a KnownFile], new: &[Seen]) -> HashMap<Vec<u8>, &'a KnownFile> {
    let mut left: HashMap<Called, Vec<&'a KnownFile>> = HashMap::new();
    for file in gone {
        left.entry(Called::of(&file.path)).or_default().push(file);
    }
    let mut came: HashMap<Called, Vec<&Seen>> = HashMap::new();
    for file in new {
        came.entry(Called::of(&file.path)).or_default().push(file);
    }
    let pair = |(called, came): (Called, Vec<&Seen>)| match (&came[..], &left.get(&called)?[..]) {
        ([new], [old]) => Some((new.path.clone(), *old)),
        _ => None,
    };
    came.into_iter().filter_map(pair).collect()
}

/// What people call a film, read from the name of its file.
#[derive(PartialEq, Eq, Hash)]
enum Called {
    Part {
        series: String,
        season: u16,
        first: u16,
        last: u16,
    },
    Film {
        name: String,
        year: u16,
    },
    /// Without a year a name says little: only in the same folder it is the same film.
    Name {
        folder: Vec<u8>,
        name: String,
    },
}

impl Called {
    fn of(path: &[u8]) -> Self {
        if let Some(Episode { series, season, first, last }) = Episode::of_path(&String::from_utf8_lossy(path)) {
            return Self::Part { series, season, first, last };
        }
        let title = title_from_file_stem(&file_stem(path));
        let name = title.name.to_lowercase();
        match title.year {
            Some(year) => Self::Film { name, year },
            None => Self::Name { folder: folder_of(path).to_vec(), name },
        }
    }
}

/// A film that took too long to look into may have met a busy hour.
const TOO_LONG_AGAIN_MS: u64 = 6 * 3600 * 1000;

/// Returns whether a verdict may have been one on the moment rather than on the file. Rights and disks
/// change without a trace in the file, so one that could not be opened is always asked again.
fn asks_again(file: &KnownFile, now: UnixMs) -> bool {
    match file.defect {
        Some(Defect::Unreadable) => true,
        Some(Defect::ProbeLimit) => file.probed_at.is_none_or(|at| now.since(at) >= TOO_LONG_AGAIN_MS),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use domain::TitleId;

    pub(crate) fn known(n: u8, path: &str, inode: u64) -> KnownFile {
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
            probed_at: Some(UnixMs(1000)),
        }
    }
    const NOW: UnixMs = UnixMs(2000);
    pub(crate) fn seen(path: &str, inode: u64) -> Seen {
        Seen { path: path.into(), size_bytes: 10, mtime_ns: 5, inode }
    }

    #[test]
    fn unchanged_files_cost_nothing() {
        let plan = compare(&[known(1, "a.mp4", 1)], vec![seen("a.mp4", 1)], &[], NOW);
        assert_eq!((plan.unchanged, plan.probe.len(), plan.missing.len()), (1, 0, 0));
    }

    #[test]
    fn a_renamed_file_is_moved_and_not_deleted_and_new() {
        let plan = compare(&[known(1, "a.mp4", 1)], vec![seen("sub/The Lantern Room (2021).mp4", 1)], &[], NOW);
        assert!(plan.probe.is_empty() && plan.missing.is_empty());
        assert!(
            matches!(&plan.moved[..], [ScanChange::Moved { name, year: Some(2021), .. }] if name == "The Lantern Room")
        );
    }

    #[test]
    fn a_replaced_file_is_probed_again_under_its_old_identity() {
        let mut new = seen("a.mp4", 2);
        new.size_bytes = 99;
        let plan = compare(&[known(1, "a.mp4", 1)], vec![new], &[], NOW);
        assert_eq!(plan.probe[0].changed, Some(FileId::from_random([1; 16])));
    }

    #[test]
    fn a_missing_file_is_marked_once_and_comes_back() {
        let mut gone = known(1, "a.mp4", 1);
        let plan = compare(std::slice::from_ref(&gone), vec![seen("b.mp4", 2)], &[], NOW);
        assert_eq!((plan.missing.len(), plan.probe.len()), (1, 1));
        gone.missing = true;
        assert!(compare(std::slice::from_ref(&gone), vec![], &[], NOW).missing.is_empty());
        assert_eq!(compare(&[gone], vec![seen("a.mp4", 1)], &[], NOW).back.len(), 1);
    }

    #[test]
    fn a_verdict_on_the_moment_is_asked_again_and_one_on_the_file_is_not() {
        for (defect, later_ms, asked) in [
            (Defect::Unreadable, 1, true),
            (Defect::ProbeLimit, 1, false),
            (Defect::ProbeLimit, TOO_LONG_AGAIN_MS, true),
            (Defect::NotMedia, TOO_LONG_AGAIN_MS, false),
            (Defect::Truncated, TOO_LONG_AGAIN_MS, false),
        ] {
            let old = KnownFile { defect: Some(defect), ..known(1, "a.mp4", 1) };
            let plan = compare(&[old], vec![seen("a.mp4", 1)], &[], UnixMs(1000 + later_ms.cast_signed()));
            assert_eq!(plan.probe.len() == 1, asked, "{defect:?} after {later_ms} ms");
            assert!(plan.probe.iter().all(|task| task.known == Some(defect)));
        }
    }

    /// Returns the path of the file that each change of a known one leads to.
    fn takers(plan: &Plan) -> Vec<(FileId, String)> {
        let of = |task: &ToProbe| Some((task.changed.clone()?, String::from_utf8_lossy(&task.seen.path).into_owned()));
        plan.probe.iter().filter_map(of).collect()
    }

    #[test]
    fn a_better_file_of_a_film_takes_its_place() {
        let better = |path: &str| Seen { size_bytes: 99, ..seen(path, 7) };
        for (old, new, takes) in [
            ("Heat (1995) 720p.mkv", "Heat (1995) 1080p x265.mp4", true),
            ("Heat (1995) 720p.mkv", "new/Heat (1995)/Heat (1995).mkv", true),
            ("Heat 720p.mkv", "Heat 1080p.mkv", true),
            ("a/Show S01E02 720p.mkv", "b/Show.S01E02.1080p.mkv", true),
            // The controls.
            ("Heat (1995) 720p.mkv", "Heat (1986) 1080p.mkv", false),
            ("a/Heat 720p.mkv", "b/Heat 1080p.mkv", false),
            ("Show S01E02.mkv", "Show S01E03.mkv", false),
        ] {
            let plan = compare(&[known(1, old, 1)], vec![better(new)], &[], NOW);
            assert_eq!(plan.probe.len(), 1);
            assert_eq!(!takers(&plan).is_empty(), takes, "{old} -> {new}");
            assert_eq!((plan.moved.len() == 1, plan.missing.is_empty()), (takes, takes), "{old} -> {new}");
        }
        let gone = KnownFile { missing: true, ..known(1, "Heat (1995) 720p.mkv", 1) };
        let plan = compare(&[gone], vec![better("Heat (1995).mkv")], &[], NOW);
        assert_eq!(takers(&plan).len(), 1, "also when it was gone for a while");
        let two = vec![better("Heat (1995) a.mkv"), better("Heat (1995).mkv"), better("x/Heat (1995).mkv")];
        let plan = compare(&[known(1, "Heat (1995) 720p.mkv", 1)], two, &[], NOW);
        assert_eq!((takers(&plan).len(), plan.missing.len()), (0, 1), "two of them are not for us to choose from");
        let both = vec![seen("Heat (1995) 720p.mkv", 1), better("Heat (1995) 1080p.mkv")];
        let plan = compare(&[known(1, "Heat (1995) 720p.mkv", 1)], both, &[], NOW);
        assert_eq!((takers(&plan).len(), plan.unchanged), (0, 1), "the old one is still there");
    }

    #[test]
    fn a_better_file_that_was_there_already_inherits_the_place() {
        let old = || known(1, "Heat (1995) 720p.mkv", 1);
        let heir_of = |others: &[&str]| {
            let others: Vec<KnownFile> = (2..).zip(others).map(|(n, path)| known(n, path, u64::from(n))).collect();
            let there = others.iter().map(|k| seen(&String::from_utf8_lossy(&k.path), k.inode)).collect();
            let all: Vec<KnownFile> = std::iter::once(old()).chain(others).collect();
            let mut plan = compare(&all, there, &[], NOW);
            assert_eq!((plan.missing.len(), plan.moved.len()), (1, 0));
            match plan.missing.remove(0) {
                ScanChange::Missing { heir, .. } => heir,
                other => panic!("{other:?}"),
            }
        };
        let second = Some(FileId::from_random([2; 16]));
        assert_eq!(heir_of(&["Heat (1995) 1080p.mkv", "Other (1995).mkv"]), second);
        assert_eq!(heir_of(&["Heat (1986) 1080p.mkv"]), None);
        assert_eq!(heir_of(&["Heat (1995) 1080p.mkv", "new/Heat (1995) 2160p.mkv"]), None, "not for us to choose");
        assert_eq!(heir_of(&[]), None);
    }

    #[test]
    fn only_what_lies_in_a_closed_folder_is_not_missing() {
        let known = [known(1, "open/a.mkv", 1), known(2, "closed/b.mkv", 2), known(3, "closed.mkv", 3)];
        let plan = compare(&known, vec![], &[b"closed".to_vec()], NOW);
        let missing: Vec<FileId> = plan
            .missing
            .iter()
            .map(|c| match c {
                ScanChange::Missing { file, .. } => file.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(missing, [known[0].id.clone(), known[2].id.clone()]);
    }
}
