//! Files that end workers. A file is suspected when it alone was being worked on while a worker
//! ended by its own fault, and set aside the second time: no worker opens it again until its owner
//! says so or the file is another one. One viewer counts once, however often their loge ends: it
//! may be the viewer's other films that end it.
//!
//! When several files were in work, it is not known which one it was, and each is tried alone in the
//! house's loge (`retrial`). So is a film after its first suspicion.

use contract::{FileRef, Job, RequestBody};
use domain::Tenant;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One such end may be chance.
const STRIKES: usize = 2;
/// More files than this are not remembered; the oldest suspicions are the least worth.
const MOST: usize = 1000;
/// The size limit of a retrial's answer, which is thrown away.
const MOST_BYTES: u32 = 64 << 20;

#[derive(Debug, Default)]
pub struct Quarantine(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    suspected: HashMap<FileRef, Strikes>,
    aside: HashSet<FileRef>,
    /// Those whose retrial has been ordered and has not begun.
    waiting: HashSet<FileRef>,
}

#[derive(Debug, Default)]
struct Strikes {
    viewers: HashSet<Tenant>,
    /// Ends of the house's loge, which was alone with the file each time.
    retrials: usize,
}

/// How a worker ended by its own fault.
#[derive(Debug)]
pub struct End<'a> {
    pub tenant: &'a Tenant,
    /// Requests that were being worked on.
    pub works: Vec<RequestBody>,
    pub out_of_memory: bool,
}

/// What follows from it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Set aside from now on.
    pub aside: Option<FileRef>,
    /// To be tried alone in the house's loge.
    pub retrials: Vec<RequestBody>,
}

impl Quarantine {
    pub fn blame(&self, end: End<'_>) -> Verdict {
        let mut known = self.lock();
        if known.suspected.len() > MOST {
            known.suspected.clear();
        }
        // The memory of one loge is filled by all that it works on together.
        let is_known = end.works.len() == 1 || !end.out_of_memory;
        let mut files: Vec<FileRef> = Vec::new();
        let mut first = Vec::new();
        for request in end.works {
            let Some(file) = request.parsed_file().map(FileRef::of_any_time) else { continue };
            if !files.contains(&file) {
                files.push(file);
                first.push(request);
            }
        }
        let mut verdict = Verdict::default();
        if let [file] = files.as_slice()
            && is_known
        {
            let strikes = known.suspected.entry(file.clone()).or_default();
            match end.tenant {
                Tenant::House => strikes.retrials += 1,
                viewer @ Tenant::User(_) => {
                    strikes.viewers.insert(viewer.clone());
                }
            }
            if strikes.viewers.len() + strikes.retrials >= STRIKES {
                known.suspected.remove(file);
                verdict.aside = known.aside.insert(file.clone()).then(|| file.clone());
                return verdict;
            }
        }
        let known = &mut *known;
        let open = files.into_iter().zip(first).filter(|(file, _)| !known.aside.contains(file));
        verdict.retrials = open
            .filter_map(|(file, request)| Some((file, retrial_of(request)?)))
            .filter(|(file, _)| known.waiting.insert(file.clone()))
            .map(|(_, request)| request)
            .collect();
        verdict
    }

    /// Takes up a retrial, which begins now or never, and returns whether it is worth one.
    pub fn takes_up(&self, file: &FileRef) -> bool {
        let (mut known, file) = (self.lock(), file.of_any_time());
        known.waiting.remove(&file);
        !known.aside.contains(&file)
    }

    /// It was tried alone and ended nothing.
    pub fn acquit(&self, file: &FileRef) {
        if let Some(strikes) = self.lock().suspected.get_mut(&file.of_any_time()) {
            strikes.retrials = 0;
        }
    }

    pub fn holds(&self, file: &FileRef) -> bool {
        self.lock().aside.contains(&file.of_any_time())
    }

    /// Another chance.
    pub fn release(&self, file: &FileRef) {
        let (mut known, file) = (self.lock(), file.of_any_time());
        known.suspected.remove(&file);
        known.aside.remove(&file);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the same work with an answer to wait for; `None` where there is no work in it.
fn retrial_of(request: RequestBody) -> Option<RequestBody> {
    match request {
        RequestBody::Job { job: Job::Begin { file, track, wanted }, .. } => {
            Some(RequestBody::Segment { file, track, wanted, max_bytes: MOST_BYTES })
        }
        RequestBody::Job { job: Job::Rest { .. }, .. } | RequestBody::Range { .. } => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::UserId;

    fn file(size: u64) -> FileRef {
        FileRef { mount: "m".into(), path: b"film".to_vec(), size: Some(size), mtime_ns: None }
    }
    fn probe(size: u64) -> RequestBody {
        RequestBody::Job { job: Job::Probe { file: file(size) }, max_bytes: 1, time_limit_ms: 1 }
    }
    fn viewer(n: u8) -> Tenant {
        Tenant::User(UserId::from_random([n; 16]))
    }
    fn sizes(requests: &[RequestBody]) -> Vec<u64> {
        requests.iter().filter_map(|request| request.parsed_file()?.size).collect()
    }

    /// Returns what is set aside, and what is tried alone.
    fn check(quarantine: &Quarantine, tenant: &Tenant, works: &[u64], out_of_memory: bool) -> (Option<u64>, Vec<u64>) {
        let works = works.iter().map(|size| probe(*size)).collect();
        let verdict = quarantine.blame(End { tenant, works, out_of_memory });
        for request in &verdict.retrials {
            quarantine.takes_up(request.parsed_file().unwrap());
        }
        (verdict.aside.and_then(|file| file.size), sizes(&verdict.retrials))
    }

    #[test]
    fn in_company_nobody_is_to_blame_until_it_was_tried_alone() {
        let quarantine = Quarantine::default();
        let (ana, house) = (viewer(1), Tenant::House);
        for _ in 0..5 {
            assert_eq!(check(&quarantine, &ana, &[1, 2], false), (None, vec![1, 2]));
        }
        // The bad one ends the house's loge when it is alone, twice; the good one does not.
        quarantine.acquit(&file(2));
        assert_eq!(check(&quarantine, &house, &[1], false), (None, vec![1]));
        assert_eq!(check(&quarantine, &house, &[1], false), (Some(1), vec![]));
        assert!(quarantine.holds(&file(1)) && !quarantine.holds(&file(2)));
        assert_eq!(check(&quarantine, &ana, &[1, 2], false), (None, vec![2]), "what is aside is known already");
    }

    #[test]
    fn one_viewer_counts_once_and_the_second_opinion_decides() {
        let quarantine = Quarantine::default();
        for _ in 0..5 {
            assert_eq!(check(&quarantine, &viewer(1), &[1], false), (None, vec![1]));
            quarantine.acquit(&file(1));
        }
        assert_eq!(check(&quarantine, &viewer(2), &[1], false), (Some(1), vec![]));
        let quarantine = Quarantine::default();
        assert_eq!(check(&quarantine, &viewer(1), &[1], false), (None, vec![1]));
        assert_eq!(check(&quarantine, &Tenant::House, &[1], false), (Some(1), vec![]));
        // Another version is another file, and a file that is released begins with no strikes.
        assert!(!quarantine.holds(&file(2)));
        quarantine.release(&file(1));
        assert_eq!(check(&quarantine, &Tenant::House, &[1], false), (None, vec![1]));
        assert_eq!(check(&quarantine, &Tenant::House, &[1], false), (Some(1), vec![]));
    }

    #[test]
    fn memory_that_several_requests_filled_is_no_films_fault() {
        let quarantine = Quarantine::default();
        for n in 1..5 {
            assert_eq!(check(&quarantine, &viewer(n), &[1, 1, 1], true), (None, vec![1]));
        }
        // The control: by a request that was alone, and by an end of another kind, it is.
        assert_eq!(check(&quarantine, &viewer(1), &[1], true), (None, vec![1]));
        assert_eq!(check(&quarantine, &viewer(2), &[1, 1], false), (Some(1), vec![]));
    }

    #[test]
    fn a_retrial_is_ordered_once_and_only_where_there_is_work_in_it() {
        let quarantine = Quarantine::default();
        let order = |works| quarantine.blame(End { tenant: &viewer(1), works, out_of_memory: false }).retrials;
        assert_eq!(sizes(&order(vec![probe(1), probe(2)])), [1, 2]);
        assert_eq!(sizes(&order(vec![probe(1), probe(3)])), [3]);
        assert!(quarantine.takes_up(&file(1)));
        assert_eq!(sizes(&order(vec![probe(1), probe(2)])), [1]);
        let track = contract::Track::VideoCopy { picture: 0, hevc: false };
        let rest = RequestBody::Job { job: Job::Rest { file: file(9), track }, max_bytes: 1, time_limit_ms: 1 };
        assert_eq!(order(vec![rest]), []);
    }
}
