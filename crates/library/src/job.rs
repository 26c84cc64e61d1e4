//! What a job shows: how far it is, how fast, and how long it will take.

use crate::control::Wish;
use base::UnixMs;
use domain::{JobId, JobKind, JobState, LibraryId};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// A job as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobView {
    pub id: JobId,
    pub kind: JobKind,
    pub library: Option<LibraryId>,
    pub state: JobState,
    pub progress: JobProgress,
    pub error: Option<String>,
    /// What the owner should know although it went well.
    pub note: Option<String>,
    pub created_at: UnixMs,
    pub started_at: Option<UnixMs>,
    pub finished_at: Option<UnixMs>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobProgress {
    pub done: u64,
    pub total: u64,
    /// Items a second over the last half minute.
    pub rate: Option<f64>,
    pub eta: Option<Duration>,
    /// What is worked on now, as readable text.
    pub current: Option<String>,
}

impl JobProgress {
    /// 0 to 1.
    pub fn fraction(&self) -> f64 {
        if self.total == 0 { 0.0 } else { (self.done as f64 / self.total as f64).min(1.0) }
    }
}

/// Over how much past the rate is taken.
const RATE_WINDOW: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Counters {
    done: u64,
    total: u64,
    current: Option<String>,
    marks: VecDeque<(Instant, u64)>,
}

/// The job's side of its progress; cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Counters>>);

impl Progress {
    fn with<T>(&self, f: impl FnOnce(&mut Counters) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub(crate) fn add_total(&self, n: u64) {
        self.with(|c| c.total += n);
    }
    pub(crate) fn set_total(&self, n: u64) {
        self.with(|c| c.total = n);
    }
    pub(crate) fn add_done(&self, n: u64) {
        let now = Instant::now();
        self.with(|c| {
            if c.marks.is_empty() {
                c.marks.push_back((now, c.done));
            }
            c.done += n;
            c.marks.push_back((now, c.done));
            while c.marks.len() > 2 && now.duration_since(c.marks[0].0) > RATE_WINDOW {
                c.marks.pop_front();
            }
        });
    }
    pub(crate) fn current(&self, text: Option<String>) {
        self.with(|c| c.current = text);
    }
    pub(crate) fn view(&self) -> JobProgress {
        self.with(|c| {
            let rate = match (c.marks.front(), c.marks.back()) {
                (Some((from, a)), Some((to, b))) if to > from => {
                    Some((b - a) as f64 / to.duration_since(*from).as_secs_f64())
                }
                _ => None,
            };
            let left = c.total.saturating_sub(c.done);
            let eta =
                rate.filter(|r| *r > 0.0 && left > 0).map(|r| Duration::from_secs_f64((left as f64 / r).min(1e7)));
            JobProgress { done: c.done, total: c.total, rate, eta, current: c.current.clone() }
        })
    }
}

/// One job of this run, in the queue's hands.
pub(crate) struct Job {
    pub(crate) view: JobView,
    pub(crate) progress: Progress,
    pub(crate) wish: watch::Sender<Wish>,
}

impl Job {
    pub(crate) fn new(id: JobId, kind: JobKind, library: Option<LibraryId>, created_at: UnixMs) -> Self {
        let view = JobView {
            id,
            kind,
            library,
            state: JobState::Queued,
            progress: JobProgress::default(),
            error: None,
            note: None,
            created_at,
            started_at: None,
            finished_at: None,
        };
        Self { view, progress: Progress::default(), wish: watch::channel(Wish::Run).0 }
    }

    pub(crate) fn snapshot(&self) -> JobView {
        let mut view = self.view.clone();
        view.progress = self.progress.view();
        if view.state.is_over() {
            view.progress.rate = None;
            view.progress.eta = None;
            view.progress.current = None;
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_gives_the_time_left() {
        let progress = Progress::default();
        progress.set_total(100);
        assert_eq!(progress.view().eta, None);
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            progress.add_done(1);
        }
        let view = progress.view();
        assert!((view.fraction() - 0.2).abs() < 1e-9);
        let eta = view.eta.unwrap().as_secs();
        assert!((70..=85).contains(&eta), "{eta}");
    }
}
