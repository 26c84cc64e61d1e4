//! Who may put how much on the wire. The house has one [`Wire`]; every viewer drinks from it
//! through one [`Pace`], however many connections they have.
//!
//! What the wire carries is poured out equally among those who are drinking; what one of them
//! leaves flows to the others, and a short rest is kept for one who begins or seeks. A viewer may
//! have a rate of their own on top. Without any rate nothing is counted.
//!
//! The connections of one viewer are served in the order in which they asked: the one that was just
//! served wakes up first, and without a queue it would take every piece.
//!
//! Costs: one short lock and one step per drinking viewer for every piece of film; nobody polls,
//! since whoever is told to wait is told until when.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Below this many bytes it is not worth waking a connection up.
const SIP: u64 = 16 << 10;
const LARGEST_SIP: u64 = 128 << 10;
/// Somebody who did not ask for this long leaves their part to the others.
const LINGER: Duration = Duration::from_secs(1);
/// Whoever comes back after this begins anew, with something to begin with.
const FRESH: Duration = Duration::from_secs(2);
/// Nobody sleeps longer: others may leave something before.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// The way out of the house. Cloning gives another handle on the same one.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<Split>>);

/// One viewer's mouth on the wire. Cloning gives their next connection the same mouth.
pub struct Pace {
    wire: Wire,
    mouth: usize,
    connection: u64,
}

#[derive(Default)]
struct Split {
    /// Bytes per second for all; `None` is no limit.
    total: Option<u64>,
    /// Of the total, belonging to nobody yet. Below zero it is owed for what somebody began with.
    pool: i64,
    poured: Option<Instant>,
    /// One per viewer of this run; never taken away, since a viewer who comes back is the same one.
    mouths: Vec<Mouth>,
}

#[derive(Default)]
struct Mouth {
    /// Bytes per second for this viewer alone; `None` is no limit.
    rate: Option<u64>,
    own: u64,
    filled: Option<Instant>,
    /// Poured from the total.
    share: u64,
    asked: Option<Instant>,
    /// Connections that were told to wait, and when they stop being expected.
    queue: VecDeque<(u64, Instant)>,
}

impl Wire {
    pub fn viewer(&self) -> Pace {
        let mut split = self.lock();
        split.mouths.push(Mouth::default());
        Pace::of(self.clone(), split.mouths.len() - 1)
    }

    /// Bytes per second for everybody together; `None` is no limit.
    pub fn set_total(&self, bytes_per_s: Option<u64>) {
        let mut split = self.lock();
        let total = bytes_per_s.map(|rate| rate.max(SIP));
        if split.total == total {
            return;
        }
        split.total = total;
        split.pool = total.map_or(0, |total| signed(total / 2));
        split.poured = None;
        for mouth in &mut split.mouths {
            (mouth.share, mouth.asked) = (0, None);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Split> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Pace {
    /// Alone on a wire of its own.
    fn default() -> Self {
        Wire::default().viewer()
    }
}

impl Clone for Pace {
    fn clone(&self) -> Self {
        Self::of(self.wire.clone(), self.mouth)
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.wire.lock().mouths[self.mouth].leave(self.connection);
    }
}

impl Pace {
    fn of(wire: Wire, mouth: usize) -> Self {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        Self { wire, mouth, connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed) }
    }

    /// For this viewer alone.
    pub fn set_rate(&self, bytes_per_s: Option<u64>) {
        let mut split = self.wire.lock();
        let mouth = &mut split.mouths[self.mouth];
        mouth.rate = bytes_per_s.map(|rate| rate.max(SIP));
        (mouth.own, mouth.filled) = (0, None);
    }

    /// How many of `want` bytes may go now.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&self, want: usize) -> Result<usize, Instant> {
        let mut split = self.wire.lock();
        if split.total.is_none() && split.mouths[self.mouth].rate.is_none() {
            return Ok(want);
        }
        split.take(self.mouth, self.connection, want, Instant::now())
    }

    /// What was taken and did not go out.
    pub fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.wire.lock().mouths[self.mouth].give_back(bytes as u64);
        }
    }
}

impl Split {
    fn take(&mut self, me: usize, connection: u64, want: usize, now: Instant) -> Result<usize, Instant> {
        self.pour(now);
        self.ask(me, now);
        let part = self.total.map(|total| total / self.drinking(now).max(1));
        let mouth = &mut self.mouths[me];
        let own = mouth.rate.map(|rate| mouth.fill(rate, now));
        let share = part.map(|_| mouth.share);
        let rate = mouth.rate.into_iter().chain(part).min().unwrap_or(u64::MAX);
        let sip = (rate / 64).clamp(SIP, LARGEST_SIP);
        let kept = sip * mouth.ahead_of(connection, now);
        let enough = kept + sip.min(want as u64);
        let buckets = [own.zip(mouth.rate), share.zip(part)];
        let waits =
            buckets.into_iter().flatten().filter(|(has, _)| *has < enough).map(|(has, rate)| {
                Duration::from_micros((enough - has).saturating_mul(1_000_000) / rate.max(1) + 1000)
            });
        if let Some(wait) = waits.max() {
            let until = now + if share.is_some() { wait.min(LONGEST_WAIT) } else { wait };
            mouth.line_up(connection, until + LINGER);
            return Err(until);
        }
        mouth.leave(connection);
        let granted = own.into_iter().chain(share).min().map_or(u64::MAX, |has| has - kept).min(want as u64);
        mouth.own = mouth.own.saturating_sub(granted);
        mouth.share = mouth.share.saturating_sub(granted);
        Ok(usize::try_from(granted).unwrap_or(want))
    }

    /// Gives out what came since the last time: equally, until everybody is full.
    fn pour(&mut self, now: Instant) {
        let Some(total) = self.total else { return };
        let then = *self.poured.get_or_insert(now);
        let gained = bytes_in(total, now.duration_since(then));
        // Rounding must not eat the refill of a wire that is asked often.
        if gained > 0 {
            self.poured = Some(now);
        }
        let pool = self.pool.saturating_add(signed(gained));
        let mut back = 0;
        for mouth in &mut self.mouths {
            if !mouth.drinks(now) {
                back += std::mem::take(&mut mouth.share);
            }
        }
        self.pool = pool.saturating_add(signed(back)).min(signed(total / 2));
        let depth = depth(total / self.drinking(now).max(1));
        while self.pool > 0 {
            let open = self.mouths.iter().filter(|m| m.drinks(now) && m.share < depth).count() as u64;
            let part = self.pool.unsigned_abs().checked_div(open).unwrap_or(0);
            if part == 0 {
                break;
            }
            for mouth in self.mouths.iter_mut().filter(|m| m.drinks(now) && m.share < depth) {
                let poured = part.min(depth - mouth.share);
                mouth.share += poured;
                self.pool -= signed(poured);
            }
        }
    }

    /// Marks a viewer as drinking. One who begins gets something to begin with at once, on credit
    /// where the wire is busy: their first picture is worth more than anybody's last buffered one.
    fn ask(&mut self, me: usize, now: Instant) {
        let last = self.mouths[me].asked.replace(now);
        let Some(total) = self.total else { return };
        if last.is_none_or(|last| now.duration_since(last) > FRESH) {
            let most = self.pool.saturating_add(signed(total / 4)).max(0).unsigned_abs();
            let depth = depth(total / self.drinking(now).max(1));
            let given = depth.saturating_sub(self.mouths[me].share).min(most);
            self.mouths[me].share += given;
            self.pool -= signed(given);
        }
    }

    fn drinking(&self, now: Instant) -> u64 {
        self.mouths.iter().filter(|m| m.drinks(now)).count() as u64
    }
}

impl Mouth {
    fn drinks(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now.duration_since(asked) <= LINGER)
    }

    /// How many connections asked before this one and still wait.
    fn ahead_of(&mut self, connection: u64, now: Instant) -> u64 {
        self.queue.retain(|(other, until)| *other == connection || now <= *until);
        let place = self.queue.iter().position(|(other, _)| *other == connection);
        place.unwrap_or(self.queue.len()) as u64
    }

    fn line_up(&mut self, connection: u64, until: Instant) {
        match self.queue.iter_mut().find(|(other, _)| *other == connection) {
            Some((_, expected)) => *expected = until,
            None => self.queue.push_back((connection, until)),
        }
    }

    fn leave(&mut self, connection: u64) {
        self.queue.retain(|(other, _)| *other != connection);
    }

    /// Their own rate's bucket, filled up to now.
    fn fill(&mut self, rate: u64, now: Instant) -> u64 {
        let depth = depth(rate);
        let gained = self.filled.map_or(depth, |then| bytes_in(rate, now.duration_since(then)));
        if gained > 0 || self.filled.is_none() {
            self.filled = Some(now);
        }
        self.own = self.own.saturating_add(gained).min(depth);
        self.own
    }

    fn give_back(&mut self, bytes: u64) {
        self.own = self.own.saturating_add(bytes);
        self.share = self.share.saturating_add(bytes);
    }
}

/// A quarter of a second may go out at once.
fn depth(rate: u64) -> u64 {
    (rate / 4).max(4 * SIP)
}

fn bytes_in(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_micros() / 1_000_000).unwrap_or(u64::MAX)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
