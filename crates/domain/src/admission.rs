//! Whether one more play may begin now. What already runs is never made worse to let another in,
//! and whoever is turned away hears who counts, why, and what helps.

use crate::{
    failure::{Code, Failure},
    id::UserId,
};
use std::{collections::BTreeSet, time::Duration};

/// What the house has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// People who may watch at once.
    pub seats: u32,
    /// Plays one person may have at once.
    pub plays_per_person: u32,
    /// Processor time for live encodes, in thousandths of a core.
    pub encode_millis: u32,
    /// Films that the graphics chip encodes at once; 0 where it encodes none.
    pub chip_slots: u32,
    /// What the wire carries, in bits per second; `None` where nobody knows.
    pub wire_bps: Option<u64>,
}

/// A play that has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running<'a> {
    pub user: &'a UserId,
    pub username: &'a str,
    /// What it takes from the wire on average, in bits per second.
    pub bps: u64,
    /// Processor time that encoding its picture takes at the moment, in thousandths of a core.
    pub encode_millis: u32,
    /// It holds a slot of the graphics chip.
    pub on_chip: bool,
    /// Until its film ends; `None` while it is paused, and where nobody knows.
    pub left: Option<Duration>,
}

/// A play that asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub user: &'a UserId,
    pub bps: u64,
    /// By the processor; 0 for a picture that is not encoded while it plays, and `u32::MAX` where
    /// the processor cannot.
    pub encode_millis: u32,
    /// Processor time beside the graphics chip; `None` where that does not encode this picture.
    pub chip_millis: Option<u32>,
    /// Smaller pictures of the same film, with what they take from the wire.
    pub smaller: &'a [Smaller],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smaller {
    pub lines: u32,
    pub bps: u64,
    pub encode_millis: u32,
    pub chip_millis: Option<u32>,
}

/// The answer. A smaller picture is offered where it is all that fits; a viewer who insists on the
/// large one gets the refusal instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Admit,
    /// With a slot of the graphics chip.
    AdmitOnChip,
    Lower {
        lines: u32,
        otherwise: Failure,
    },
    /// A place comes free soon; the failure says when to ask again.
    Wait(Failure),
    Refuse(Failure),
}

/// Somebody whose film ends this soon is worth waiting for.
const SOON: Duration = Duration::from_secs(90);
/// When to ask again where nobody knows.
const LATER: Duration = Duration::from_secs(30);

/// Decides about one play, beside all that run.
pub fn admit(wanted: &Wanted<'_>, running: &[Running<'_>], room: &Room) -> Admission {
    let own = running.iter().filter(|p| p.user == wanted.user).count();
    let viewers: BTreeSet<&UserId> = running.iter().map(|p| p.user).collect();
    if own == 0 && viewers.len() >= room.seats as usize {
        let seats = room.seats;
        let what = format!("The house is full: {seats} of {seats} seats are taken ({}).", names(running));
        return turned_away(&what, running.iter());
    }
    if own >= room.plays_per_person as usize {
        let text = match own {
            1 => "A film already plays under your name. Stop it to begin another.".into(),
            _ => format!("{own} films already play under your name. Stop one of them to begin another."),
        };
        return Admission::Refuse(Failure::new(Code::TooManyStreams, text));
    }
    let by_chip = |millis: Option<u32>| millis.is_some_and(|millis| has_chip(wanted.user, millis, running, room));
    let by_processor = |millis: u32| has_cpu(wanted.user, millis, running, room);
    if has_wire(wanted.bps, running, room) {
        // The chip first: it leaves the processor to films that it does not take.
        if by_chip(wanted.chip_millis) {
            return Admission::AdmitOnChip;
        }
        if by_processor(wanted.encode_millis) {
            return Admission::Admit;
        }
    }
    let fits = |s: &&Smaller| {
        s.bps < wanted.bps
            && has_wire(s.bps, running, room)
            && (by_chip(s.chip_millis) || by_processor(s.encode_millis))
    };
    let no = if has_wire(wanted.bps, running, room) {
        no_cpu(wanted, running, room)
    } else {
        let what = format!(
            "The network is full: what plays takes {} of {} Mbit/s, and this film needs {}.",
            mbit(taken(running)),
            mbit(room.wire_bps.unwrap_or(0)),
            mbit(wanted.bps),
        );
        turned_away(&what, running.iter())
    };
    let largest = wanted.smaller.iter().filter(fits).max_by_key(|s| s.lines);
    match (largest, no) {
        (Some(smaller), Admission::Wait(otherwise) | Admission::Refuse(otherwise)) => {
            Admission::Lower { lines: smaller.lines, otherwise }
        }
        (_, no) => no,
    }
}

fn taken(running: &[Running<'_>]) -> u64 {
    running.iter().map(|p| p.bps).fold(0, u64::saturating_add)
}

/// Alone, a film may take as long as it takes: nobody else has to wait for it.
fn has_wire(bps: u64, running: &[Running<'_>], room: &Room) -> bool {
    running.is_empty() || room.wire_bps.is_none_or(|wire| taken(running).saturating_add(bps) <= wire)
}

/// A person's own encode makes place for their next one.
fn others_millis(user: &UserId, running: &[Running<'_>]) -> u32 {
    running.iter().filter(|p| p.user != user).map(|p| p.encode_millis).fold(0, u32::saturating_add)
}

fn has_cpu(user: &UserId, millis: u32, running: &[Running<'_>], room: &Room) -> bool {
    millis == 0 || others_millis(user, running).saturating_add(millis) <= room.encode_millis
}

/// A slot, and the processor time beside it.
fn has_chip(user: &UserId, millis: u32, running: &[Running<'_>], room: &Room) -> bool {
    let taken = running.iter().filter(|p| p.on_chip && p.user != user).count();
    taken < room.chip_slots as usize && has_cpu(user, millis, running, room)
}

/// Decides whether an encode may go on that nobody asked anything of for a while, so that its
/// processor time may be somebody else's by now. `running` is without it.
///
/// # Errors
/// Who has it by now, and what helps.
pub fn resume(
    user: &UserId,
    encode_millis: u32,
    on_chip: bool,
    running: &[Running<'_>],
    room: &Room,
) -> Result<(), Failure> {
    let chip_millis = on_chip.then_some(encode_millis);
    let goes_on = if on_chip {
        has_chip(user, encode_millis, running, room)
    } else {
        has_cpu(user, encode_millis, running, room)
    };
    if goes_on {
        return Ok(());
    }
    let encode_millis = if on_chip { u32::MAX } else { encode_millis };
    match no_cpu(&Wanted { user, bps: 0, encode_millis, chip_millis, smaller: &[] }, running, room) {
        Admission::Wait(failure) | Admission::Refuse(failure) => Err(failure),
        Admission::Admit | Admission::AdmitOnChip | Admission::Lower { .. } => Ok(()),
    }
}

fn no_cpu(wanted: &Wanted<'_>, running: &[Running<'_>], room: &Room) -> Admission {
    // What only the chip can do waits for the chip.
    let only_chip = wanted.chip_millis.filter(|_| room.chip_slots > 0 && wanted.encode_millis > room.encode_millis);
    let on_chip = || running.iter().filter(|p| p.on_chip && p.user != wanted.user);
    if only_chip.is_some() && on_chip().count() >= room.chip_slots as usize {
        let films = if room.chip_slots == 1 { "one film".into() } else { format!("{} films", room.chip_slots) };
        let what = format!(
            "This film has to be encoded while you watch. The graphics chip encodes {films} at once, and that many play ({}).",
            names(&on_chip().copied().collect::<Vec<_>>()),
        );
        return turned_away(&what, on_chip());
    }
    let millis = only_chip.unwrap_or(wanted.encode_millis);
    if millis > room.encode_millis {
        let text = "This film would have to be encoded while you watch, which this machine is not fast enough for.";
        return Admission::Refuse(Failure::new(Code::NeedsPreparing, text));
    }
    let encoding = || running.iter().filter(|p| p.encode_millis > 0 && p.user != wanted.user);
    let what = format!(
        "This film has to be encoded while you watch. That takes {} processor cores, and {} of {} are taken ({}).",
        cores(millis),
        cores(others_millis(wanted.user, running)),
        cores(room.encode_millis),
        names(&encoding().copied().collect::<Vec<_>>()),
    );
    turned_away(&what, encoding())
}

/// One decimal, rounded up: what is not quite there is not there.
fn cores(millis: u32) -> String {
    let tenths = millis.div_ceil(100);
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

fn turned_away<'a, 'b: 'a>(what: &str, worth_waiting: impl Iterator<Item = &'a Running<'b>>) -> Admission {
    // Whoever is nearest to the end.
    let soonest =
        worth_waiting.filter_map(|p| p.left.filter(|left| !left.is_zero()).map(|left| (left, p.username))).min();
    let Some((left, name)) = soonest else {
        let text = format!("{what} Try again when a viewer stops.");
        return Admission::Refuse(Failure::new(Code::HouseFull, text).retry_after(LATER));
    };
    let text = match left.as_secs().div_ceil(60) {
        0 | 1 => format!("{what} {name}'s film ends in about a minute."),
        minutes => format!("{what} {name}'s film ends in about {minutes} minutes."),
    };
    let failure = Failure::new(Code::HouseFull, text);
    if left <= SOON {
        Admission::Wait(failure.retry_after(left))
    } else {
        Admission::Refuse(failure.retry_after(LATER))
    }
}

fn names(running: &[Running<'_>]) -> String {
    let names: BTreeSet<&str> = running.iter().map(|p| p.username).collect();
    let more = names.len().saturating_sub(8);
    let shown = names.into_iter().take(8).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// As people say it: whole numbers, and one decimal below ten.
fn mbit(bps: u64) -> String {
    let tenths = bps.saturating_add(50_000) / 100_000;
    if tenths >= 100 || tenths.is_multiple_of(10) {
        (tenths.saturating_add(5) / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests;
