//! Who is watching what, right now. Every play has one entry, which carries the cut signal and
//! the byte meter of all its connections.
//!
//! Nothing here is stored: after a restart an entry comes back with the first range that its
//! ticket asks for. Locks are held for lookups and never across an await.

mod about;
mod ended;
mod play;

use crate::stream::{Pace, Wire};
pub use about::{NewPlay, PlayView, TurnedAway};
use base::{Bus, Clock, Event};
use domain::{
    Code, Failure, PlayId, UserId,
    admission::{Admission, Room, Smaller, Wanted, admit, resume},
    cache::Window,
    playback::Reason,
};
use ended::Ended;
pub use play::{OpenConnection, Play};
use renditions::segments::TrackKey;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

pub use crate::watched::{Film, Served};

/// What was asked for before a page was closed may arrive after it said so, for this long.
const STRAYS: Duration = Duration::from_secs(10);

/// Stops a play that was begun and never handed over: its page left while it was being asked for.
pub struct Unclaimed {
    streams: Streams,
    play: Option<PlayId>,
}

impl Unclaimed {
    /// The answer is on its way: from here on the page says when it is over.
    pub fn claim(mut self) {
        self.play = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(play) = self.play.take() {
            self.streams.replace_where(|p| p.play == play);
        }
    }
}

struct Inner {
    plays: Mutex<HashMap<PlayId, Arc<Play>>>,
    /// Their tickets are dead though their time has not come.
    ended: Mutex<Ended>,
    /// Plays whose page was closed a moment ago.
    closed: Mutex<HashMap<PlayId, Instant>>,
    paces: Mutex<Paces>,
    clock: Arc<dyn Clock>,
    bus: Bus,
}

#[derive(Default)]
struct Paces {
    wire: Wire,
    /// For each person alone.
    rate: Option<u64>,
    of: HashMap<UserId, Pace>,
}

/// Handle on the registry; cloning is cheap.
#[derive(Clone)]
pub struct Streams(Arc<Inner>);

impl Streams {
    pub fn new(clock: Arc<dyn Clock>, bus: Bus) -> Self {
        let (plays, ended, closed, paces) = Default::default();
        Self(Arc::new(Inner { plays, ended, closed, paces, clock, bus }))
    }

    /// Takes a place for a play, if [`domain::admission`] says that there is one. `smaller`: other
    /// pictures of the same film.
    ///
    /// # Errors
    /// Who is in the way and what helps, or a smaller picture that would fit.
    pub fn begin(&self, mut new: NewPlay, smaller: &[Smaller], room: &Room) -> Result<Arc<Play>, TurnedAway> {
        let entry = {
            let mut plays = lock(&self.0.plays);
            forget(&mut plays);
            let now = Instant::now();
            let running = plays.values().map(|play| play.running(now));
            let (encode_millis, chip_millis) = (new.encode_millis, new.chip.map(|chip| chip.millis));
            let wanted = Wanted { user: &new.user, bps: new.bits_per_s, encode_millis, chip_millis, smaller };
            let (answer, told) = match admit(&wanted, &running.collect::<Vec<_>>(), room) {
                Admission::Admit => {
                    new.chip = None;
                    (Ok(self.insert(&mut plays, new)), "admitted")
                }
                Admission::AdmitOnChip => {
                    new.encode_millis = chip_millis.unwrap_or(0);
                    by_chip(&mut new.reasons);
                    (Ok(self.insert(&mut plays, new)), "chip")
                }
                Admission::Lower { lines, otherwise } => (Err(TurnedAway::Lower { lines, otherwise }), "lower"),
                Admission::Wait(failure) => (Err(TurnedAway::Refused(failure)), "wait"),
                Admission::Refuse(failure) => (Err(TurnedAway::Refused(failure)), "refused"),
            };
            metrics::counter!("loge_admissions_total", "answer" => told).increment(1);
            answer?
        };
        self.0.bus.publish(Event::Streams);
        Ok(entry)
    }

    /// Ends it again unless it is claimed.
    pub fn unclaimed(&self, play: PlayId) -> Unclaimed {
        Unclaimed { streams: self.clone(), play: Some(play) }
    }

    /// A part of this play's encoded picture is asked for: it holds its processor time from here on
    /// as before. False when it had given it back.
    pub fn encodes(&self, play: &Play) -> bool {
        play.encodes()
    }

    /// Takes back the processor time that a rested encode had given up.
    ///
    /// # Errors
    /// Somebody else has it by now; the failure says who.
    pub fn encodes_again(&self, play: &Play, room: &Room) -> Result<(), Failure> {
        let plays = lock(&self.0.plays);
        let now = Instant::now();
        let others = plays.values().filter(|p| p.about.play != play.about.play).map(|p| p.running(now));
        let on_chip = play.about.chip.is_some();
        resume(&play.about.user, play.about.encode_millis, on_chip, &others.collect::<Vec<_>>(), room)?;
        play.encodes_anew();
        Ok(())
    }

    /// Returns the entry of a play that runs.
    ///
    /// # Errors
    /// The play was ended; the failure says by what.
    pub fn join(&self, play: &PlayId) -> Result<Option<Arc<Play>>, Failure> {
        match self.ended(play) {
            Some(why) => Err(Failure::of(why)),
            None => Ok(lock(&self.0.plays).get(play).cloned()),
        }
    }

    /// Returns why a play ended, where it did.
    pub fn ended(&self, play: &PlayId) -> Option<Code> {
        lock(&self.0.ended).why(play, Instant::now())
    }

    /// Takes a place for a play whose ticket outlived its entry: the server was restarted, or its
    /// page was closed. A ticket promises no seat.
    ///
    /// # Errors
    /// Who is in the way and what helps.
    pub fn enter(&self, new: NewPlay, room: &Room) -> Result<Arc<Play>, Failure> {
        let entry = {
            let mut plays = lock(&self.0.plays);
            forget(&mut plays);
            // Two of its requests may come at once.
            if let Some(entry) = plays.get(&new.play) {
                return Ok(entry.clone());
            }
            let now = Instant::now();
            let running: Vec<_> = plays.values().map(|play| play.running(now)).collect();
            let wanted =
                Wanted { user: &new.user, bps: new.bits_per_s, encode_millis: 0, chip_millis: None, smaller: &[] };
            match admit(&wanted, &running, room) {
                Admission::Admit | Admission::AdmitOnChip => {}
                Admission::Lower { otherwise: failure, .. } | Admission::Wait(failure) | Admission::Refuse(failure) => {
                    return Err(failure);
                }
            }
            drop(running);
            self.insert(&mut plays, new)
        };
        self.0.bus.publish(Event::Streams);
        Ok(entry)
    }

    fn insert(&self, plays: &mut HashMap<PlayId, Arc<Play>>, new: NewPlay) -> Arc<Play> {
        let (now, id) = (Instant::now(), new.play.clone());
        let over = lock(&self.0.closed).get(&id).is_some_and(|at| now.duration_since(*at) <= STRAYS);
        let pace = self.pace(&new.user);
        let play = Play::begun(new, self.0.clock.now(), over, pace, self.0.bus.clone());
        plays.entry(id).or_insert_with(|| Arc::new(play)).clone()
    }

    /// The player told where it is. `over`: its page was closed or the film ended. Gives the play
    /// that is over, where its viewer watches the same file nowhere else.
    pub fn told(&self, user: &UserId, play: &PlayId, position_ms: u64, paused: bool, over: bool) -> Option<Arc<Play>> {
        let now = Instant::now();
        let mut plays = lock(&self.0.plays);
        let entry = plays.get(play).filter(|p| p.about.user == *user).cloned()?;
        let is_closed = {
            let mut closed = lock(&self.0.closed);
            closed.retain(|_, at| now.duration_since(*at) <= STRAYS);
            if over {
                closed.insert(play.clone(), now);
            }
            closed.contains_key(play)
        };
        let changed = entry.tell(position_ms, paused, is_closed);
        if over && entry.connections() == 0 {
            plays.remove(play);
        }
        let same = |p: &Arc<Play>| p.about.user == *user && p.about.file == entry.about.file && p.about.play != *play;
        let alone = over && !plays.values().any(same);
        drop(plays);
        if changed || over {
            self.0.bus.publish(Event::Streams);
        }
        alone.then_some(entry)
    }

    /// Ends a play at once and for good, and tells its player why. False when there is no such play.
    pub fn stop(&self, play: &PlayId, why: Code) -> bool {
        !self.stop_where(why, |p| p.play == *play).is_empty()
    }

    /// Ends every play that `which` names, and tells their players why; gives which they were.
    pub fn stop_where(&self, why: Code, which: impl Fn(&NewPlay) -> bool) -> Vec<PlayId> {
        let gone = self.end_where(why, which);
        for play in &gone {
            let (user, play) = (play.about.user.clone(), play.about.play.clone());
            self.0.bus.publish(Event::PlayStopped { user, play, why });
        }
        gone.iter().map(|play| play.about.play.clone()).collect()
    }

    /// Ends plays whose own page has asked for another one: nobody has to be told.
    pub fn replace_where(&self, which: impl Fn(&NewPlay) -> bool) {
        self.end_where(Code::TicketExpired, which);
    }

    fn end_where(&self, why: Code, which: impl Fn(&NewPlay) -> bool) -> Vec<Arc<Play>> {
        let gone: Vec<Arc<Play>> =
            lock(&self.0.plays).extract_if(|_, p| which(&p.about)).map(|(_, play)| play).collect();
        let now = Instant::now();
        for play in &gone {
            lock(&self.0.ended).insert(play.about.play.clone(), why, now);
            play.cut.cancel();
        }
        if !gone.is_empty() {
            self.0.bus.publish(Event::Streams);
        }
        gone
    }

    pub fn stop_all(&self) -> Vec<PlayId> {
        self.stop_where(Code::StoppedByOwner, |_| true)
    }

    /// What was allowed has to be looked up again.
    pub fn doubt(&self) {
        for play in lock(&self.0.plays).values() {
            play.doubt();
        }
    }

    /// Segments of kept tracks that somebody is about to see.
    pub fn windows(&self) -> Vec<(TrackKey, Window)> {
        let mut plays = lock(&self.0.plays);
        forget(&mut plays);
        plays.values().flat_map(|play| play.watched.windows(play.position_told())).collect()
    }

    /// Plays of other people whose picture is encoded at the moment.
    pub fn encoding(&self, but: &UserId) -> u32 {
        let now = Instant::now();
        let plays = lock(&self.0.plays);
        let count = plays.values().filter(|p| p.encode_millis(now) > 0 && p.about.user != *but).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Slots of the graphics chip that other people's plays hold.
    pub fn on_chip(&self, but: &UserId) -> u32 {
        let now = Instant::now();
        let plays = lock(&self.0.plays);
        let holds = |p: &&Arc<Play>| p.about.chip.is_some() && p.holds(now) && p.about.user != *but;
        u32::try_from(plays.values().filter(holds).count()).unwrap_or(u32::MAX)
    }

    /// Takes back a play that never began to be sent: nobody is told, since nobody knows of it.
    pub fn take_back(&self, play: &PlayId) {
        lock(&self.0.plays).remove(play);
    }

    /// Who is watching.
    pub fn people(&self) -> HashSet<UserId> {
        let mut plays = lock(&self.0.plays);
        forget(&mut plays);
        plays.values().map(|p| p.about.user.clone()).collect()
    }

    pub fn plays_of(&self, user: &UserId) -> Vec<Arc<Play>> {
        lock(&self.0.plays).values().filter(|p| p.about.user == *user).cloned().collect()
    }

    pub fn all(&self) -> Vec<Arc<Play>> {
        lock(&self.0.plays).values().cloned().collect()
    }

    pub fn play(&self, play: &PlayId) -> Option<Arc<Play>> {
        lock(&self.0.plays).get(play).cloned()
    }

    /// Longest first.
    pub fn list(&self) -> Vec<PlayView> {
        let now = Instant::now();
        let mut plays = lock(&self.0.plays);
        forget(&mut plays);
        let mut list: Vec<PlayView> = plays
            .values()
            .map(|play| {
                let (bytes_sent, rate, paused) = play.look(now);
                let position_ms = play.position_now(now);
                PlayView { about: play.about_now(), started_at: play.started_at, position_ms, bytes_sent, rate, paused }
            })
            .collect();
        list.sort_by(|a, b| (a.started_at, &a.about.play).cmp(&(b.started_at, &b.about.play)));
        list
    }

    /// Measures every play; whether an owner's page would show any of them otherwise than before.
    pub fn have_moved(&self) -> bool {
        let now = Instant::now();
        let plays = lock(&self.0.plays);
        plays.values().fold(false, |moved, play| play.has_moved(now) | moved)
    }

    /// People who are watching.
    pub fn viewers(&self) -> u32 {
        u32::try_from(self.people().len()).unwrap_or(u32::MAX)
    }

    /// Bytes per second for each person alone, and for all together; `None` is no limit.
    pub fn set_rates(&self, each: Option<u64>, total: Option<u64>) {
        let mut paces = lock(&self.0.paces);
        paces.wire.set_total(total);
        if paces.rate != each {
            paces.rate = each;
            for pace in paces.of.values() {
                pace.set_rate(each);
            }
        }
    }

    fn pace(&self, user: &UserId) -> Pace {
        let mut paces = lock(&self.0.paces);
        if let Some(pace) = paces.of.get(user) {
            return pace.clone();
        }
        let pace = paces.wire.viewer();
        pace.set_rate(paces.rate);
        paces.of.insert(user.clone(), pace.clone());
        pace
    }
}

/// The receipt of a play that the graphics chip encodes says so.
pub fn by_chip(reasons: &mut [Reason]) {
    for reason in reasons.iter_mut().filter(|reason| **reason == Reason::EncodedLive) {
        *reason = Reason::EncodedByChip;
    }
}

fn forget(plays: &mut HashMap<PlayId, Arc<Play>>) {
    let now = Instant::now();
    plays.retain(|_, play| !play.is_forgotten(now));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
