//! The event bus: what changed, as ids. A reader that falls behind is told to refetch
//! everything; it never slows the house down.

use domain::{Code, JobId, LibraryId, PlayId, SessionId, TitleId, UserId};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::broadcast;

/// A closed list of things that changed. Carries ids and never secrets or paths.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Library {
        library: LibraryId,
    },
    Title {
        title: TitleId,
        library: LibraryId,
    },
    Poster {
        title: TitleId,
        library: LibraryId,
    },
    Job {
        job: JobId,
    },
    /// The loge of a user changed its state; `None` is the house loge.
    Loge {
        user: Option<UserId>,
    },
    Streams,
    /// Films went on: positions and bit rates are others, and who watches what is as it was.
    StreamsMoved,
    Users,
    /// A backup was made, copied, proven or deleted, or is about to be.
    Backups,
    Alerts,
    /// New vitals are there to be read.
    Vitals,
    /// A session ended: its streams are cut and its page is told.
    SessionEnded {
        session: SessionId,
        user: UserId,
    },
    /// Rights of a user changed: streams without a right are cut, mounts follow.
    GrantsChanged {
        user: UserId,
    },
    /// A play was ended from outside: by the owner, or with its right. Its player must not try again
    /// by itself; `why` says what its viewer reads.
    PlayStopped {
        user: UserId,
        play: PlayId,
        why: Code,
    },
    /// Words from the owner to one viewer's player.
    Message {
        user: UserId,
        text: String,
    },
}

/// An event with its place in the run's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    pub seq: u64,
    pub event: Event,
}

const KEPT: usize = 512;

struct Log {
    next: u64,
    recent: VecDeque<Stamped>,
}

/// Cloning gives another handle on the same bus.
#[derive(Clone)]
pub struct Bus {
    log: Arc<Mutex<Log>>,
    out: broadcast::Sender<Stamped>,
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    pub fn new() -> Self {
        let (out, _) = broadcast::channel(KEPT);
        Self { log: Arc::new(Mutex::new(Log { next: 1, recent: VecDeque::with_capacity(KEPT) })), out }
    }

    /// Tells everyone. Never blocks, never fails.
    pub fn publish(&self, event: Event) {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let stamped = Stamped { seq: log.next, event };
        log.next += 1;
        if log.recent.len() == KEPT {
            log.recent.pop_front();
        }
        log.recent.push_back(stamped.clone());
        // Sent under the lock so that readers see the order of the numbers. No receiver is no error.
        let _ = self.out.send(stamped);
    }

    /// Everything from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Stamped> {
        self.out.subscribe()
    }

    /// Everything after `seq`: what was missed, and what comes. `None` for the missed part means
    /// it is no longer kept and the reader has to refetch all it shows.
    pub fn resume(&self, seq: u64) -> (Option<Vec<Stamped>>, broadcast::Receiver<Stamped>) {
        let log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let receiver = self.out.subscribe();
        let oldest = log.recent.front().map_or(log.next, |s| s.seq);
        let missed =
            (seq < log.next && seq + 1 >= oldest).then(|| log.recent.iter().filter(|s| s.seq > seq).cloned().collect());
        (missed, receiver)
    }

    /// Number of the newest event, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_resumes_where_it_left_or_is_told_to_refetch() {
        let bus = Bus::new();
        for _ in 0..3 {
            bus.publish(Event::Streams);
        }
        let (missed, _) = bus.resume(1);
        assert_eq!(missed.unwrap().iter().map(|s| s.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(bus.resume(3).0, Some(vec![]));
        assert_eq!(bus.resume(99).0, None, "a number from another run");
        for _ in 0..KEPT {
            bus.publish(Event::Users);
        }
        assert_eq!(bus.resume(1).0, None);
    }
}
