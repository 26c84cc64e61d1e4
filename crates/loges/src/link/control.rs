//! The control connection: one task that writes orders, counts pings, and reads pongs.

use super::{
    HANGS_AFTER, Link, MISSED_PINGS, PING_ACTIVE, PING_EVERY, SUSPECT_DEADLINE,
    wire::{Frames, WireError},
};
use contract::{FromWorker, ToWorker, frame::encode};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

pub const ORDERS: usize = 32;
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// What the rest of the gateway may want said.
pub enum Order {
    Say(ToWorker),
    Suspect,
}

pub async fn run(link: Arc<Link>, stream: UnixStream, mut inbox: mpsc::Receiver<Order>) {
    let (read, mut write) = stream.into_split();
    let mut frames = Frames::new(read);
    let mut pings = Pings {
        seq: 0,
        waiting: None,
        missed: 0,
        tick: Instant::now() + PING_ACTIVE,
        next: Instant::now() + PING_EVERY,
        deadline: None,
    };
    let reason = loop {
        let step = tokio::select! {
            () = link.dead.cancelled() => break None,
            frame = frames.next::<FromWorker>() => match frame {
                Ok(FromWorker::Pong { seq, .. }) => {
                    if pings.answered(seq) { link.missed.store(0, Ordering::Relaxed) }
                    else { link.strike("a pong that nobody asked for") }
                    Ok(())
                }
                Err(WireError::Ended) => break Some("the worker hung up".to_owned()),
                Err(e) => break Some(format!("the control connection broke: {e}")),
            },
            order = inbox.recv() => match order {
                Some(Order::Say(message)) => say(&mut write, &message).await,
                Some(Order::Suspect) if pings.deadline.is_none() => {
                    pings.deadline = Some(Instant::now() + SUSPECT_DEADLINE);
                    pings.send(&mut write).await
                }
                Some(Order::Suspect) => Ok(()),
                None => break None,
            },
            () = sleep_until(pings.tick) => {
                let now = Instant::now();
                pings.tick = now + PING_ACTIVE;
                let watched = link.active() > 0;
                if watched {
                    pings.deadline.get_or_insert(now + HANGS_AFTER);
                } else if now >= pings.next && pings.waiting.is_some() {
                    pings.missed += 1;
                    link.missed.store(u8::try_from(pings.missed).unwrap_or(u8::MAX), Ordering::Relaxed);
                    if pings.missed >= MISSED_PINGS {
                        break Some(format!("the worker missed {MISSED_PINGS} pings"));
                    }
                }
                // While somebody watches one at a time: its deadline decides.
                let due = if watched { pings.waiting.is_none() } else { now >= pings.next };
                if due { pings.send(&mut write).await } else { Ok(()) }
            }
            () = sleep_until(pings.deadline.unwrap_or(pings.next)), if pings.deadline.is_some() => {
                break Some("the worker hangs".to_owned());
            }
        };
        if let Err(e) = step {
            break Some(e);
        }
    };
    if let Some(reason) = reason {
        link.end(reason);
    }
}

struct Pings {
    seq: u64,
    /// The newest ping without an answer.
    waiting: Option<u64>,
    missed: u32,
    /// When to look whether a ping is due.
    tick: Instant,
    /// When one is due though nobody watches.
    next: Instant,
    /// Set while a request went wrong and the worker has to show that it lives.
    deadline: Option<Instant>,
}

impl Pings {
    async fn send(&mut self, write: &mut OwnedWriteHalf) -> Result<(), String> {
        self.seq += 1;
        self.waiting = Some(self.seq);
        self.next = Instant::now() + PING_EVERY;
        say(write, &ToWorker::Ping { seq: self.seq }).await
    }

    /// A late pong for an older ping is no answer, but no offence either.
    fn answered(&mut self, seq: u64) -> bool {
        if self.waiting == Some(seq) {
            (self.waiting, self.missed, self.deadline) = (None, 0, None);
            return true;
        }
        self.waiting.is_some_and(|newest| seq < newest && newest - seq <= u64::from(MISSED_PINGS))
    }
}

async fn say(write: &mut OwnedWriteHalf, message: &ToWorker) -> Result<(), String> {
    let frame = encode(message).map_err(|e| e.to_string())?;
    match timeout(WRITE_DEADLINE, write.write_all(&frame)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(format!("the worker cannot be told anything: {e}")),
        Err(_) => Err("the worker stopped reading".into()),
    }
}
