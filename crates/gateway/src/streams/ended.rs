//! Plays that ended before their tickets ran out.

use domain::{Code, PlayId};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// No ticket lives longer, so nothing older has to be remembered.
const REMEMBERED: Duration = Duration::from_millis(accounts::TICKET_MAX_MS.unsigned_abs());

/// All are remembered equally long, so the oldest stand first and each is looked at twice: when it
/// comes and when it goes.
#[derive(Debug, Default)]
pub struct Ended {
    why: HashMap<PlayId, Code>,
    order: VecDeque<(Instant, PlayId)>,
}

impl Ended {
    /// The first reason stays.
    pub fn insert(&mut self, play: PlayId, why: Code, now: Instant) {
        self.forget(now);
        if !self.why.contains_key(&play) {
            self.why.insert(play.clone(), why);
            self.order.push_back((now, play));
        }
    }

    pub fn why(&mut self, play: &PlayId, now: Instant) -> Option<Code> {
        self.forget(now);
        self.why.get(play).copied()
    }

    fn forget(&mut self, now: Instant) {
        while let Some((_, play)) = self.order.pop_front_if(|(at, _)| now.duration_since(*at) > REMEMBERED) {
            self.why.remove(&play);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        debug_assert_eq!(self.why.len(), self.order.len());
        self.why.len()
    }
}
