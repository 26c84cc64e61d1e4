//! Which files a worker works on, so that its end can be explained.

use contract::RequestBody;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A worker goes on with a film for a while after a request was answered or given up.
const LINGERS: Duration = Duration::from_secs(5);
/// The end of a worker ends its requests one after the other, the one that caused it perhaps first.
const JUST_OVER: Duration = Duration::from_secs(1);
const MOST: usize = 64;

#[derive(Default)]
pub struct Works(Mutex<Vec<Work>>);

struct Work {
    number: u64,
    request: RequestBody,
    over: Option<Instant>,
}

/// Until this is dropped.
pub struct Working<'a> {
    works: &'a Works,
    number: u64,
}

impl Works {
    pub fn begin(&self, body: &RequestBody, number: u64) -> Option<Working<'_>> {
        body.parsed_file()?;
        let mut works = self.lock();
        works.retain(|work| work.over.is_none_or(|over| over.elapsed() < LINGERS));
        if works.len() >= MOST {
            works.remove(0);
        }
        works.push(Work { number, request: body.clone(), over: None });
        Some(Working { works: self, number })
    }

    /// What was being worked on; where nothing was, what was just before.
    pub fn suspects(&self) -> Vec<RequestBody> {
        let works = self.lock();
        let since = |than: Duration| {
            let fits = |work: &&Work| work.over.is_none_or(|over| over.elapsed() < than);
            works.iter().filter(fits).map(|work| work.request.clone()).collect()
        };
        let now: Vec<RequestBody> = since(JUST_OVER);
        if now.is_empty() { since(LINGERS) } else { now }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut works = self.works.lock();
        if let Some(work) = works.iter_mut().find(|work| work.number == self.number) {
            work.over = Some(Instant::now());
        }
    }
}
