//! When a library is scanned because its folders changed, and when a folder that is away is looked
//! at again. Pure.

use domain::{FolderProblem, LibraryId};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Quiet time after the last change, so that a film being copied is not looked into half-way.
pub(crate) const QUIET: Duration = Duration::from_secs(3);
/// A program that writes without a pause puts a scan off no longer than this.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Between two looks at a folder that is away, at first and at most.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LAST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Libraries that wait for a scan.
#[derive(Default)]
pub(crate) struct Due(HashMap<LibraryId, Waiting>);

struct Waiting {
    first: Instant,
    at: Instant,
}

impl Due {
    /// Something in it changed.
    pub(crate) fn changed(&mut self, library: &LibraryId, now: Instant) {
        let waiting = self.0.entry(library.clone()).or_insert(Waiting { first: now, at: now });
        waiting.at = (now + QUIET).min(waiting.first + LONGEST_WAIT);
    }

    /// It is scanned at once.
    pub(crate) fn at_once(&mut self, library: &LibraryId, now: Instant) {
        self.0.insert(library.clone(), Waiting { first: now, at: now });
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().map(|waiting| waiting.at).min()
    }

    /// Takes those whose time has come.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<LibraryId> {
        let ready: Vec<LibraryId> = self.0.iter().filter(|(_, w)| w.at <= now).map(|(l, _)| l.clone()).collect();
        for library in &ready {
            self.0.remove(library);
        }
        ready
    }
}

/// A folder that is away, and when it is looked at next.
pub(crate) struct Away {
    wait: Duration,
    next: Instant,
    last: Option<Look>,
}

/// Which disk was there, or why none could be seen.
pub(crate) type Look = Result<String, FolderProblem>;

impl Away {
    pub(crate) fn since(now: Instant) -> Self {
        Self { wait: FIRST_WAIT, next: now, last: None }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next <= now
    }

    /// Takes a look; returns whether a scan has to find out what is there. As long as all stays the
    /// same, the next look is farther away each time.
    pub(crate) fn saw(
        &mut self,
        look: Look,
        problem: Option<FolderProblem>,
        known: Option<&str>,
        now: Instant,
    ) -> bool {
        let tells = is_news(&look, problem, known, self.last.as_ref());
        self.last = Some(look);
        let wait = if tells { FIRST_WAIT } else { self.wait };
        (self.next, self.wait) = (now + wait, (wait * 2).min(LAST_WAIT));
        tells
    }
}

/// Returns whether what is seen of a folder is something else than what was judged.
fn is_news(look: &Look, problem: Option<FolderProblem>, known: Option<&str>, last: Option<&Look>) -> bool {
    let Some(problem) = problem else { return true };
    match look {
        Err(now) => *now != problem,
        Ok(disk) if known == Some(disk.as_str()) => true,
        // It was seen and not believed: only yet another disk is worth a scan.
        Ok(_) if problem.can_be_confirmed() => last.is_some_and(|last| last != look),
        Ok(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> LibraryId {
        LibraryId::from_random([1; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_without_a_pause_puts_a_scan_off_for_a_minute_at_most() {
        let (mut due, start) = (Due::default(), Instant::now());
        let mut scanned = Vec::new();
        for second in 0..300 {
            let now = start + Duration::from_secs(second);
            scanned.extend(due.take(now).iter().map(|_| second));
            due.changed(&library(), now);
        }
        assert_eq!(scanned, [60, 120, 180, 240]);
        // The control: once the writing stops, the scan waits until it is quiet.
        let mut due = Due::default();
        due.changed(&library(), start);
        due.changed(&library(), start + Duration::from_secs(2));
        assert_eq!(due.next(), Some(start + Duration::from_secs(5)));
        assert!(due.take(start + Duration::from_secs(4)).is_empty());
        due.at_once(&library(), start);
        assert_eq!(due.take(start).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_mount_point_is_looked_at_less_and_less_and_scanned_no_more() {
        let (start, below) = (Instant::now(), || Ok("below".to_owned()));
        let mut away = Away::since(start);
        let (mut looks, mut scans) = (0, 0);
        for second in 0..3600 {
            let now = start + Duration::from_secs(second);
            if away.is_due(now) {
                looks += 1;
                scans += u32::from(away.saw(below(), Some(FolderProblem::NotMounted), Some("disk"), now));
            }
        }
        assert_eq!((looks, scans), (10, 0));
        let later = start + Duration::from_secs(7200);
        assert!(away.saw(Ok("disk".into()), Some(FolderProblem::NotMounted), Some("disk"), later), "it is back");
        assert!(away.is_due(later + FIRST_WAIT));
    }

    #[test]
    fn only_what_differs_from_the_verdict_is_news() {
        use FolderProblem::{AnotherDisk, Gone, Hanging, NotMounted, Refused};
        let stick = || Ok("stick".to_owned());
        for (look, problem, last, news) in [
            (stick(), Some(AnotherDisk), None, false),
            (stick(), Some(AnotherDisk), Some(stick()), false),
            (stick(), Some(AnotherDisk), Some(Ok("third".into())), true),
            (Err(Gone), Some(AnotherDisk), None, true),
            (Err(Gone), Some(Gone), None, false),
            (stick(), Some(Gone), None, true),
            (stick(), Some(Hanging), None, true),
            (stick(), Some(Refused), None, true),
            (Err(Hanging), Some(Hanging), None, false),
            (Ok("disk".into()), Some(NotMounted), None, true),
            (Err(Gone), None, None, true),
        ] {
            assert_eq!(is_news(&look, problem, Some("disk"), last.as_ref()), news, "{look:?} {problem:?} {last:?}");
        }
    }
}
