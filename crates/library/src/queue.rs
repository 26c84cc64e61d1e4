//! The queue of jobs: one at a time, in order, with its one owner. Scans come before pictures,
//! since a title without a picture can be watched and a film nobody knows of cannot.

use crate::{
    control::{Control, Wish},
    job::{Job, JobView},
};
use base::{Bus, Clock, Event};
use domain::{Code, Failure, JobId, JobKind, JobState, LibraryId};
use std::sync::{Arc, Mutex, PoisonError};
use store::{JobRow, Store};
use tokio::sync::{Notify, watch};
use tracing::warn;

/// Finished jobs kept in view.
const KEPT: usize = 50;

pub(crate) struct Queue {
    jobs: Mutex<Vec<Job>>,
    pub(crate) wake: Notify,
    all_paused: watch::Sender<bool>,
    store: Store,
    clock: Arc<dyn Clock>,
    bus: Bus,
}

/// How a job ended.
pub(crate) struct Ended {
    pub(crate) state: JobState,
    pub(crate) error: Option<String>,
    /// What the owner should know although it went well.
    pub(crate) note: Option<String>,
}

impl Ended {
    pub(crate) fn done(note: Option<String>) -> Self {
        Self { state: JobState::Done, error: None, note }
    }
    pub(crate) fn cancelled() -> Self {
        Self { state: JobState::Cancelled, error: None, note: None }
    }
    pub(crate) fn failed(error: String) -> Self {
        Self { state: JobState::Failed, error: Some(error), note: None }
    }
}

/// A job taken for running.
pub(crate) struct Taken {
    pub(crate) id: JobId,
    pub(crate) kind: JobKind,
    pub(crate) library: Option<LibraryId>,
    pub(crate) control: Control,
    pub(crate) progress: crate::job::Progress,
}

impl Queue {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>, bus: Bus) -> Self {
        Self { jobs: Mutex::default(), wake: Notify::new(), all_paused: watch::channel(false).0, store, clock, bus }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Vec<Job>) -> T) -> T {
        f(&mut self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a job, or gives the one that already waits for the same work.
    pub(crate) async fn add(&self, kind: JobKind, library: Option<LibraryId>) -> JobId {
        let (id, new) = self.with(|jobs| {
            let same = |j: &&Job| j.view.kind == kind && j.view.library == library && j.view.state == JobState::Queued;
            if let Some(waiting) = jobs.iter().find(same) {
                return (waiting.view.id.clone(), false);
            }
            let id = JobId::from_random(self.clock.random_id());
            jobs.push(Job::new(id.clone(), kind, library, self.clock.now()));
            let over = jobs.iter().filter(|j| j.view.state.is_over()).count();
            if over > KEPT
                && let Some(oldest) = jobs.iter().position(|j| j.view.state.is_over())
            {
                jobs.remove(oldest);
            }
            (id, true)
        });
        if new {
            self.save(&id).await;
        }
        self.wake.notify_one();
        id
    }

    /// Puts a job of an earlier run back, under its old id.
    pub(crate) fn restore(&self, row: JobRow) {
        self.with(|jobs| {
            let mut job = Job::new(row.id, row.kind, row.library, row.created_at);
            if row.state.is_over() {
                job.view.state = row.state;
                job.view.error = row.error;
                job.view.note = row.note;
                job.view.started_at = row.started_at;
                job.view.finished_at = row.finished_at;
                job.progress.set_total(row.total);
                job.progress.add_done(row.done);
            }
            jobs.push(job);
        });
    }

    /// The next job that may run now.
    pub(crate) async fn take(&self) -> Option<Taken> {
        if *self.all_paused.borrow() {
            return None;
        }
        let now = self.clock.now();
        let taken = self.with(|jobs| {
            let ready = |kind: JobKind| jobs.iter().position(|j| is_ready(j, kind));
            let at = ready(JobKind::Scan).or_else(|| ready(JobKind::Posters))?;
            let job = &mut jobs[at];
            job.view.state = JobState::Running;
            job.view.started_at.get_or_insert(now);
            Some(Taken {
                id: job.view.id.clone(),
                kind: job.view.kind,
                library: job.view.library.clone(),
                control: Control::new(job.wish.subscribe(), self.all_paused.subscribe()),
                progress: job.progress.clone(),
            })
        })?;
        self.save(&taken.id).await;
        Some(taken)
    }

    pub(crate) async fn finish(&self, id: &JobId, ended: Ended) {
        let now = self.clock.now();
        self.edit(id, |job| {
            (job.view.state, job.view.finished_at) = (ended.state, Some(now));
            (job.view.error, job.view.note) = (ended.error, ended.note);
        });
        self.save(id).await;
    }

    /// Puts a running job back where it waits, for others that come first. One that was cancelled
    /// meanwhile is over.
    pub(crate) async fn put_back(&self, id: &JobId) {
        let now = self.clock.now();
        self.edit(id, |job| {
            if *job.wish.borrow() == Wish::Cancel {
                (job.view.state, job.view.finished_at) = (JobState::Cancelled, Some(now));
            } else {
                job.view.state = JobState::Queued;
            }
        });
        self.save(id).await;
    }

    /// Returns whether a scan waits and may run.
    pub(crate) fn has_waiting_scan(&self) -> bool {
        self.with(|jobs| jobs.iter().any(|j| is_ready(j, JobKind::Scan)))
    }

    fn edit(&self, id: &JobId, f: impl FnOnce(&mut Job)) -> bool {
        self.with(|jobs| match jobs.iter_mut().find(|j| &j.view.id == id) {
            Some(job) => {
                f(job);
                true
            }
            None => false,
        })
    }

    /// Writes a job's state down and tells everyone. A job that cannot be written still runs:
    /// its row is for showing and for the next start.
    pub(crate) async fn save(&self, id: &JobId) {
        let Some(view) = self.with(|jobs| jobs.iter().find(|j| &j.view.id == id).map(Job::snapshot)) else { return };
        if let Err(e) = self.store.save_job(&row(&view)).await {
            warn!(job.id = %id, error = %e, "job {id} could not be written down");
        }
        self.bus.publish(Event::Job { job: id.clone() });
    }

    pub(crate) fn tell(&self, id: &JobId) {
        self.bus.publish(Event::Job { job: id.clone() });
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<JobView> {
        let paused = *self.all_paused.borrow();
        let mut list: Vec<JobView> = self.with(|jobs| {
            jobs.iter()
                .map(|job| {
                    let mut view = job.snapshot();
                    let held = paused || *job.wish.borrow() == Wish::Pause;
                    if held && !view.state.is_over() {
                        view.state = JobState::Paused;
                    }
                    view
                })
                .collect()
        });
        list.reverse();
        list
    }

    /// Pauses, resumes or cancels one job.
    pub(crate) async fn wish(&self, id: &JobId, wish: Wish) -> Result<(), Failure> {
        let over = self
            .with(|jobs| {
                jobs.iter_mut().find(|j| &j.view.id == id).map(|job| {
                    if job.view.state.is_over() {
                        return true;
                    }
                    job.wish.send_replace(wish);
                    if wish == Wish::Cancel && job.view.state == JobState::Queued {
                        job.view.state = JobState::Cancelled;
                        job.view.finished_at = Some(self.clock.now());
                    }
                    false
                })
            })
            .ok_or_else(|| Failure::of(Code::NotFound))?;
        if over && wish != Wish::Cancel {
            return Err(Failure::new(Code::Conflict, "This job is over."));
        }
        self.save(id).await;
        self.wake.notify_one();
        Ok(())
    }

    pub(crate) fn pause_all(&self, paused: bool) {
        self.all_paused.send_replace(paused);
        self.wake.notify_one();
        for id in self
            .with(|jobs| jobs.iter().filter(|j| !j.view.state.is_over()).map(|j| j.view.id.clone()).collect::<Vec<_>>())
        {
            self.tell(&id);
        }
    }

    pub(crate) fn all_paused(&self) -> bool {
        *self.all_paused.borrow()
    }

    /// Is this library being scanned, or about to be?
    pub(crate) fn is_scanning(&self, library: Option<&LibraryId>) -> bool {
        self.with(|jobs| {
            jobs.iter().any(|j| {
                j.view.kind == JobKind::Scan
                    && matches!(j.view.state, JobState::Running | JobState::Queued)
                    && library.is_none_or(|l| j.view.library.as_ref() == Some(l))
            })
        })
    }

    /// Cancels whatever concerns a library that goes away.
    pub(crate) async fn cancel_of(&self, library: &LibraryId) {
        let ids: Vec<JobId> = self.with(|jobs| {
            jobs.iter()
                .filter(|j| j.view.library.as_ref() == Some(library) && !j.view.state.is_over())
                .map(|j| j.view.id.clone())
                .collect()
        });
        for id in ids {
            // Over in the meantime is as good as cancelled.
            let _ = self.wish(&id, Wish::Cancel).await;
        }
    }
}

fn is_ready(job: &Job, kind: JobKind) -> bool {
    job.view.state == JobState::Queued && job.view.kind == kind && *job.wish.borrow() == Wish::Run
}

fn row(view: &JobView) -> JobRow {
    JobRow {
        id: view.id.clone(),
        kind: view.kind,
        library: view.library.clone(),
        state: view.state,
        done: view.progress.done,
        total: view.progress.total,
        current: view.progress.current.clone(),
        error: view.error.clone(),
        note: view.note.clone(),
        created_at: view.created_at,
        started_at: view.started_at,
        finished_at: view.finished_at,
    }
}
