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
    /// Pictures that may be encoded at once.
    pub encodes: u32,
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
    /// Its picture is encoded while it plays.
    pub encoded: bool,
    /// Until its film ends; `None` while it is paused, and where nobody knows.
    pub left: Option<Duration>,
}

/// A play that asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub user: &'a UserId,
    pub bps: u64,
    pub encoded: bool,
    /// Smaller pictures of the same film, with what they take from the wire.
    pub smaller: &'a [Smaller],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smaller {
    pub lines: u32,
    pub bps: u64,
    pub encoded: bool,
}

/// The answer. A smaller picture is offered where it is all that fits; a viewer who insists on the
/// large one gets the refusal instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Admit,
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
    let fits =
        |bps: u64, encoded: bool| has_wire(bps, running, room) && (!encoded || has_encoder(wanted, running, room));
    if fits(wanted.bps, wanted.encoded) {
        return Admission::Admit;
    }
    let no = if has_wire(wanted.bps, running, room) {
        match room.encodes {
            0 => {
                let text = "This film would have to be encoded while you watch, which this house does not do.";
                Admission::Refuse(Failure::new(Code::NeedsPreparing, text))
            }
            1 => turned_away(
                "One film is being encoded already, which is all this machine does at once.",
                running.iter().filter(|p| p.encoded),
            ),
            many => turned_away(
                &format!("{many} films are being encoded already, which is all this machine does at once."),
                running.iter().filter(|p| p.encoded),
            ),
        }
    } else {
        let what = format!(
            "The network is full: what plays takes {} of {} Mbit/s, and this film needs {}.",
            mbit(taken(running)),
            mbit(room.wire_bps.unwrap_or(0)),
            mbit(wanted.bps),
        );
        turned_away(&what, running.iter())
    };
    let largest =
        wanted.smaller.iter().filter(|s| s.bps < wanted.bps && fits(s.bps, s.encoded)).max_by_key(|s| s.lines);
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
fn has_encoder(wanted: &Wanted<'_>, running: &[Running<'_>], room: &Room) -> bool {
    running.iter().filter(|p| p.encoded && p.user != wanted.user).count() < room.encodes as usize
}

fn turned_away<'a, 'b: 'a>(what: &str, worth_waiting: impl Iterator<Item = &'a Running<'b>>) -> Admission {
    // Whoever is nearest to the end.
    let soonest =
        worth_waiting.filter_map(|p| p.left.filter(|left| !left.is_zero()).map(|left| (left, p.username))).min();
    let Some((left, name)) = soonest else {
        let text = format!("{what} Try again when somebody stops.");
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
