//! Which files a worker works on, so that its end can be explained.

use contract::{FileRef, RequestBody};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A worker goes on with a film for a while after a request was answered or given up.
const LINGERS: Duration = Duration::from_secs(5);
const MOST: usize = 64;

#[derive(Default)]
pub struct Works(Mutex<Vec<Work>>);

struct Work {
    number: u64,
    file: FileRef,
    over: Option<Instant>,
}

/// Until this is dropped.
pub struct Working<'a> {
    works: &'a Works,
    number: u64,
}

impl Works {
    pub fn begin(&self, body: &RequestBody, number: u64) -> Option<Working<'_>> {
        let file = body.parsed_file()?.clone();
        let mut works = self.lock();
        works.retain(|work| work.over.is_none_or(|over| over.elapsed() < LINGERS));
        if works.len() >= MOST {
            works.remove(0);
        }
        works.push(Work { number, file, over: None });
        Some(Working { works: self, number })
    }

    /// What was being worked on; where nothing was, what was just before.
    pub fn suspects(&self) -> Vec<FileRef> {
        let works = self.lock();
        let mut now: Vec<FileRef> = works.iter().filter(|w| w.over.is_none()).map(|w| w.file.clone()).collect();
        if now.is_empty() {
            let lately = |work: &&Work| work.over.is_some_and(|over| over.elapsed() < LINGERS);
            now = works.iter().filter(lately).map(|w| w.file.clone()).collect();
        }
        let mut once = Vec::with_capacity(now.len());
        for file in now {
            if !once.contains(&file) {
                once.push(file);
            }
        }
        once
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
