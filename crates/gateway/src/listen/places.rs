//! Who holds which connection. Locked for a moment, never across an await.

use super::rules::{Answer, Idle, Room, Taken, admit};
use crate::stream::io::Activity;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A source that used a sign-in this recently is no stranger.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    next: u64,
    held: HashMap<u64, Held>,
    by_source: HashMap<IpAddr, u32>,
    /// Sources that asked with a sign-in, and when they did last.
    known: HashMap<IpAddr, Instant>,
}

struct Held {
    source: IpAddr,
    activity: Activity,
    close: CancellationToken,
}

/// One connection's place, given back when it is dropped.
pub struct Place {
    places: Places,
    id: u64,
    source: IpAddr,
    is_proxy: bool,
    /// Cancelled when the place is given to another one.
    pub close: CancellationToken,
}

impl Places {
    /// Takes a place, if need be from a stranger who has not asked for anything for the longest time.
    /// A proxy brings strangers: it has no part in what is kept for others, wherever it runs.
    pub fn take(&self, peer: IpAddr, is_proxy: bool, room: &Room, activity: &Activity) -> Option<Place> {
        let source = source_of(peer);
        let mut book = self.lock();
        let is_trusted = !is_proxy && (peer.is_loopback() || book.is_known(source));
        let taken = Taken {
            total: u32::try_from(book.held.len()).unwrap_or(u32::MAX),
            by_source: book.by_source.get(&source).copied().unwrap_or(0),
        };
        match admit(source, is_trusted, taken, room, || book.idle()) {
            Answer::Admit => {}
            Answer::Replace(id) => {
                metrics::counter!("loge_connections_replaced_total").increment(1);
                if let Some(held) = book.remove(id) {
                    held.close.cancel();
                }
            }
            Answer::Refuse => return None,
        }
        let (id, close) = (book.next, CancellationToken::new());
        book.next += 1;
        book.held.insert(id, Held { source, activity: activity.clone(), close: close.clone() });
        *book.by_source.entry(source).or_default() += 1;
        Some(Place { places: self.clone(), id, source, is_proxy, close })
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn is_known(&mut self, source: IpAddr) -> bool {
        self.known.retain(|_, at| at.elapsed() < REMEMBERED);
        self.known.contains_key(&source)
    }

    fn idle(&self) -> impl Iterator<Item = Idle> {
        self.held.iter().filter_map(|(id, held)| {
            Some(Idle { id: *id, source: held.source, since: held.activity.idle_stranger_since()? })
        })
    }

    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(count) = self.by_source.get_mut(&held.source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&held.source);
            }
        }
        Some(held)
    }
}

impl Place {
    /// Notes that a request with a sign-in came on this connection.
    pub fn is_known(&self) {
        if self.is_proxy {
            return;
        }
        self.places.lock().known.insert(self.source, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.id);
    }
}

/// One machine owns a whole /64 of IPv6 addresses.
fn source_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { connections: 3, connections_per_source: 2, reserved: 0 };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn places_come_free_and_are_given_on() {
        let places = Places::default();
        // Each is at work, so none can be let go.
        let activities: Vec<Activity> = (0..4).map(|_| Activity::default()).collect();
        let work: Vec<_> = activities.iter().map(Activity::begin).collect();
        let (a, b) = (ip("10.0.0.1"), ip("10.0.0.2"));
        let first = places.take(a, false, &ROOM, &activities[0]).unwrap();
        let second = places.take(a, false, &ROOM, &activities[1]).unwrap();
        assert!(places.take(a, false, &ROOM, &activities[2]).is_none(), "its share is taken");
        let _third = places.take(b, false, &ROOM, &activities[2]).unwrap();
        assert!(places.take(b, false, &ROOM, &activities[3]).is_none(), "all places are taken");
        drop(first);
        let fourth = places.take(b, false, &ROOM, &activities[3]).unwrap();
        // A connection that asks for nothing makes room, once.
        drop(work);
        activities[1].knows_its_caller();
        tokio::time::advance(Duration::from_secs(1)).await;
        let fifth = places.take(ip("10.0.0.3"), false, &ROOM, &Activity::default()).unwrap();
        assert!(!second.close.is_cancelled(), "somebody is signed in there");
        assert!(_third.close.is_cancelled() ^ fourth.close.is_cancelled());
        drop((_third, fourth, fifth));
        assert_eq!(places.lock().held.len(), 1, "a place is given back once");
        assert_eq!(places.lock().by_source.get(&a), Some(&1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_is_known_for_a_while() {
        let places = Places::default();
        let room = Room { connections: 2, connections_per_source: 2, reserved: 2 };
        let busy = Activity::default();
        let _work = busy.begin();
        assert!(places.take(ip("10.0.0.1"), false, &room, &busy).is_none(), "a stranger");
        let own = places.take(ip("127.0.0.1"), false, &room, &busy).unwrap();
        own.is_known();
        let place = Place {
            places: places.clone(),
            id: u64::MAX,
            source: ip("10.0.0.1"),
            is_proxy: false,
            close: own.close.clone(),
        };
        place.is_known();
        assert!(places.take(ip("10.0.0.1"), false, &room, &busy).is_some());
        tokio::time::advance(REMEMBERED).await;
        assert!(places.take(ip("10.0.0.1"), false, &room, &busy).is_none(), "that was long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_takes_nothing_of_what_is_kept() {
        let places = Places::default();
        let room = Room { connections: 2, connections_per_source: 2, reserved: 2 };
        let busy = Activity::default();
        let _work = busy.begin();
        let local = ip("127.0.0.1");
        assert!(places.take(local, true, &room, &busy).is_none(), "who comes through it is not on this machine");
        let spacious = Room { reserved: 1, ..room };
        let through = places.take(local, true, &spacious, &busy).unwrap();
        through.is_known();
        assert!(places.take(local, true, &spacious, &busy).is_none(), "one sign-in through it does not make it known");
        assert!(places.take(local, false, &spacious, &busy).is_some(), "the control");
    }

    #[test]
    fn one_machine_is_one_source() {
        assert_eq!(source_of(ip("2001:db8:1:2:3:4:5:6")), source_of(ip("2001:db8:1:2:ffff::1")));
    }
}
