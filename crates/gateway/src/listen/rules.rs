//! Which connection gets a place when there are not enough: a pure decision.

use std::net::IpAddr;
use tokio::time::Instant;

/// What one listener gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub connections: u32,
    pub connections_per_source: u32,
    /// Of `connections`, for those who are not strangers.
    pub reserved: u32,
}

/// What is taken at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub total: u32,
    pub by_source: u32,
}

/// A connection that showed no sign-in and on which nothing is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    pub id: u64,
    pub source: IpAddr,
    pub since: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Admit,
    /// In place of this one.
    Replace(u64),
    Refuse,
}

/// Decides about one new connection. `is_trusted`: it comes from this machine or from a source with
/// a sign-in. `idle` is only asked when there is no free place.
pub fn admit<I: Iterator<Item = Idle>>(
    source: IpAddr,
    is_trusted: bool,
    taken: Taken,
    room: &Room,
    idle: impl FnOnce() -> I,
) -> Answer {
    let longest = |idle: Option<Idle>| idle.map_or(Answer::Refuse, |idle| Answer::Replace(idle.id));
    if taken.by_source >= room.connections_per_source {
        return longest(idle().filter(|idle| idle.source == source).min_by_key(|idle| idle.since));
    }
    let reserved = if is_trusted { 0 } else { room.reserved };
    if taken.total < room.connections.saturating_sub(reserved) {
        return Answer::Admit;
    }
    longest(idle().min_by_key(|idle| idle.since))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ROOM: Room = Room { connections: 10, connections_per_source: 4, reserved: 3 };

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn idle(ids: &[(u64, u8, u64)]) -> Vec<Idle> {
        let now = Instant::now();
        let one = |(id, source, age_s): &(u64, u8, u64)| Idle {
            id: *id,
            source: ip(*source),
            since: now.checked_sub(Duration::from_secs(*age_s)).unwrap(),
        };
        ids.iter().map(one).collect()
    }

    fn asked(source: u8, is_trusted: bool, total: u32, by_source: u32, idles: &[(u64, u8, u64)]) -> Answer {
        admit(ip(source), is_trusted, Taken { total, by_source }, &ROOM, || idle(idles).into_iter())
    }

    #[tokio::test]
    async fn strangers_leave_places_to_those_who_are_known() {
        assert_eq!(asked(1, false, 6, 0, &[]), Answer::Admit);
        assert_eq!(asked(1, false, 7, 0, &[]), Answer::Refuse);
        assert_eq!(asked(1, true, 7, 0, &[]), Answer::Admit);
        assert_eq!(asked(1, true, 10, 0, &[]), Answer::Refuse, "all are at work");
    }

    #[tokio::test]
    async fn the_longest_idle_stranger_makes_place() {
        let idles = [(1, 2, 5), (2, 3, 50), (3, 4, 20)];
        assert_eq!(asked(1, false, 7, 0, &idles), Answer::Replace(2));
        assert_eq!(asked(1, true, 10, 0, &idles), Answer::Replace(2));
        assert_eq!(asked(1, true, 9, 0, &idles), Answer::Admit, "while there is a free place nobody goes");
    }

    #[tokio::test]
    async fn a_source_that_has_its_share_makes_place_itself() {
        let idles = [(1, 1, 5), (2, 3, 50), (3, 1, 20)];
        assert_eq!(asked(1, false, 5, 4, &idles), Answer::Replace(3));
        assert_eq!(asked(1, true, 5, 4, &idles), Answer::Replace(3));
        assert_eq!(asked(1, false, 5, 4, &[(2, 3, 50)]), Answer::Refuse, "and nobody else for it");
    }
}
