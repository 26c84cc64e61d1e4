//! A time limit that is armed when waiting begins and forgotten when something moves.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Default)]
pub struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Deadline {
    /// Ready once `limit` has passed since the first call after [`Deadline::moved`].
    pub fn poll_waiting(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        if self.armed {
            self.poll_at(cx, None)
        } else {
            self.armed = true;
            self.poll_at(cx, Some(Instant::now() + limit))
        }
    }

    /// Ready at that moment, whatever was armed before.
    pub fn poll_until(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        self.armed = true;
        let change = self.sleep.as_ref().is_none_or(|s| s.deadline() != at);
        self.poll_at(cx, change.then_some(at))
    }

    /// Something moved: the next wait counts from zero.
    pub fn moved(&mut self) {
        self.armed = false;
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        match (&mut self.sleep, at) {
            (Some(sleep), Some(at)) => sleep.as_mut().reset(at),
            (None, at) => self.sleep = Some(Box::pin(sleep_until(at.unwrap_or_else(Instant::now)))),
            (Some(_), None) => {}
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}
