//! What is kept of live encodes: how much of a disk it may take, and what goes first.
//!
//! A [`Ledger`] knows every kept piece by a key and never touches a disk. What makes room is
//! decided here; whoever owns the files does it.

use crate::UserId;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
};

/// Bytes on the disk that may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// By what one person watched.
    pub each: u64,
    /// By everyone together; 0 keeps nothing.
    pub total: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { each: 2 << 30, total: 8 << 30 }
    }
}

/// What a file of so many bytes takes from a disk: file systems give whole blocks.
pub const fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(4096).saturating_mul(4096)
}

/// A disk as the cache sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub free: u64,
    /// Nothing else of the house lies on it.
    pub is_own: bool,
}

/// Shared with the database, a disk keeps at least this much free.
const RESERVE: u64 = 2 << 30;

impl Space {
    /// Left free, whatever the quota allows.
    pub const fn reserve(&self) -> u64 {
        let share = self.total / 20;
        if self.is_own || share > RESERVE { share } else { RESERVE }
    }

    /// The quota as far as the disk reaches, of which `used` bytes are taken already.
    pub fn allows(&self, quota: Quota, used: u64) -> Quota {
        let reach = used.saturating_add(self.free).saturating_sub(self.reserve());
        let total = quota.total.min(reach);
        Quota { each: quota.each.min(total), total }
    }
}

/// Why nothing is kept at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pause {
    /// No room is left, or what is left belongs to the rest of the house.
    Full,
    ReadOnly,
    /// The folder is not there and cannot be made.
    Missing,
    /// The disk fails to write or read.
    Failing,
    /// The disk takes so long that nobody should wait for it.
    Slow,
}

impl Pause {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Missing => "missing",
            Self::Failing => "failing",
            Self::Slow => "slow",
        }
    }

    /// For the owner: what is the matter, and that nobody has to stop watching.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Full => {
                "The disk of the segment cache is full, so encoded pictures are not kept. Everything plays on; going back in an encoded film encodes it again."
            }
            Self::ReadOnly => {
                "The segment cache cannot be written: its disk is read-only, or its folder is not Loge's. Everything plays on; going back in an encoded film encodes it again."
            }
            Self::Missing => {
                "The folder of the segment cache is not there. Everything plays on; going back in an encoded film encodes it again."
            }
            Self::Failing => {
                "The disk of the segment cache fails. Everything plays on without it; look after that disk."
            }
            Self::Slow => {
                "The disk of the segment cache does not answer. Everything plays on without it; look after that disk."
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    user: UserId,
    age: u64,
    bytes: u64,
}

#[derive(Debug, Clone)]
struct Person<K> {
    used: u64,
    /// Least recently used first.
    by_age: BTreeMap<u64, K>,
}

/// Who keeps what, and in which order it was used.
#[derive(Debug, Clone)]
pub struct Ledger<K> {
    entries: HashMap<K, Entry>,
    people: BTreeMap<UserId, Person<K>>,
    clock: u64,
    used: u64,
}

impl<K> Default for Ledger<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), people: BTreeMap::new(), clock: 0, used: 0 }
    }
}

impl<K: Copy + Eq + Hash> Ledger<K> {
    pub const fn used(&self) -> u64 {
        self.used
    }
    pub fn used_by(&self, user: &UserId) -> u64 {
        self.people.get(user).map_or(0, |person| person.used)
    }
    /// Everyone with something, and how much.
    pub fn people(&self) -> impl Iterator<Item = (&UserId, u64)> {
        self.people.iter().map(|(user, person)| (user, person.used))
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn holds(&self, key: K) -> bool {
        self.entries.contains_key(&key)
    }
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.entries.keys().copied()
    }

    /// As the one used last; one that was there under this key is forgotten.
    pub fn insert(&mut self, user: &UserId, key: K, bytes: u64) {
        self.remove(key);
        self.clock += 1;
        self.used += bytes;
        let person = self.people.entry(user.clone()).or_insert_with(|| Person { used: 0, by_age: BTreeMap::new() });
        person.used += bytes;
        person.by_age.insert(self.clock, key);
        self.entries.insert(key, Entry { user: user.clone(), age: self.clock, bytes });
    }

    /// It is used now. False when it is not there.
    pub fn touch(&mut self, key: K) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        self.clock += 1;
        if let Some(person) = self.people.get_mut(&entry.user) {
            person.by_age.remove(&entry.age);
            person.by_age.insert(self.clock, key);
        }
        entry.age = self.clock;
        true
    }

    pub fn remove(&mut self, key: K) -> bool {
        let Some(entry) = self.entries.remove(&key) else { return false };
        self.used -= entry.bytes;
        if let Some(person) = self.people.get_mut(&entry.user) {
            person.used -= entry.bytes;
            person.by_age.remove(&entry.age);
            if person.by_age.is_empty() {
                self.people.remove(&entry.user);
            }
        }
        true
    }

    /// Which go so that `bytes` more of this person's fit: the person's own first, those unused for
    /// longest before others, none that is `active`. `None` when that is in vain: then nothing goes.
    pub fn to_leave(&self, user: &UserId, bytes: u64, quota: Quota, active: impl Fn(K) -> bool) -> Option<Vec<K>> {
        let over = |used: u64, most: u64| used.saturating_add(bytes).saturating_sub(most);
        let own = over(self.used_by(user), quota.each);
        let (mut leaving, freed) = self.oldest(own, &HashSet::new(), &active, Some(user));
        let all = over(self.used, quota.total).saturating_sub(freed);
        let taken = leaving.iter().copied().collect();
        let (others, more) = self.oldest(all, &taken, &active, None);
        leaving.extend(others);
        (freed >= own && more >= all).then_some(leaving)
    }

    /// Which go so that what is there fits into a quota, as far as that is possible.
    pub fn too_much(&self, quota: Quota, active: impl Fn(K) -> bool) -> Vec<K> {
        let (mut leaving, mut freed) = (Vec::new(), 0);
        for (user, used) in self.people() {
            let (own, bytes) = self.oldest(used.saturating_sub(quota.each), &HashSet::new(), &active, Some(user));
            leaving.extend(own);
            freed += bytes;
        }
        let taken = leaving.iter().copied().collect();
        let all = self.used.saturating_sub(quota.total).saturating_sub(freed);
        leaving.extend(self.oldest(all, &taken, &active, None).0);
        leaving
    }

    /// At least `need` bytes of what was unused for longest, if there are as many.
    fn oldest(&self, need: u64, taken: &HashSet<K>, active: &impl Fn(K) -> bool, of: Option<&UserId>) -> (Vec<K>, u64) {
        let (mut found, mut bytes) = (Vec::new(), 0);
        if need == 0 {
            return (found, 0);
        }
        let concerned = self.people.iter().filter(|(user, _)| of.is_none_or(|of| of == *user));
        let mut queues: Vec<_> = concerned.map(|(_, person)| person.by_age.iter().peekable()).collect();
        while bytes < need {
            let ages = queues.iter_mut().enumerate().filter_map(|(n, queue)| queue.peek().map(|(age, _)| (**age, n)));
            let Some((_, first)) = ages.min() else { break };
            let Some((_, key)) = queues[first].next() else { break };
            if !taken.contains(key) && !active(*key) {
                found.push(*key);
                bytes += self.entries.get(key).map_or(0, |entry| entry.bytes);
            }
        }
        (found, bytes)
    }
}

/// Segments of one track that somebody is about to see: around the place they are at, and around
/// the one their player asked for last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Where the player said it is; `None` while it has not.
    pub at: Option<u32>,
    pub asked: u32,
}

/// Ten seconds back, which is what a player jumps.
const BEHIND: u32 = 5;
/// A player asks for half a minute before it is there, so it may still be this far behind.
const BUFFERED: u32 = 20;
/// What a loge makes beyond what was asked for.
const AHEAD: u32 = 15;

impl Window {
    pub fn holds(&self, number: u32) -> bool {
        let within = |at: u32, behind| number >= at.saturating_sub(behind) && number <= at.saturating_add(AHEAD);
        within(self.asked, BUFFERED) || self.at.is_some_and(|at| within(at, BEHIND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u8) -> UserId {
        UserId::from_random([n; 16])
    }
    const fn quota(each: u64, total: u64) -> Quota {
        Quota { each, total }
    }

    #[test]
    fn what_was_unused_for_longest_goes_first_and_the_own_before_others() {
        let (ana, bo) = (person(1), person(2));
        let mut ledger = Ledger::default();
        for (user, key) in [(&ana, 1), (&bo, 2), (&ana, 3), (&ana, 4)] {
            ledger.insert(user, key, 10);
        }
        assert!(ledger.touch(1) && !ledger.touch(9));
        let check = |user, bytes, quota, active: &[u32], want: Option<&[u32]>| {
            let got = ledger.to_leave(user, bytes, quota, |key| active.contains(&key));
            assert_eq!(got.as_deref(), want, "{user} {bytes} {quota:?} {active:?}");
        };
        check(&ana, 10, quota(100, 100), &[], Some(&[]));
        check(&ana, 10, quota(30, 100), &[], Some(&[3]));
        check(&ana, 10, quota(30, 100), &[3], Some(&[4]));
        check(&ana, 10, quota(30, 100), &[1, 3, 4], None);
        check(&ana, 40, quota(30, 100), &[], None);
        // The total takes from everyone, and what the own quota freed counts.
        check(&bo, 10, quota(100, 40), &[], Some(&[2]));
        check(&ana, 10, quota(30, 40), &[], Some(&[3]));
        check(&ana, 20, quota(30, 40), &[], Some(&[3, 4]));
        check(&ana, 15, quota(30, 30), &[], Some(&[3, 4, 2]));
        check(&bo, 10, quota(100, 0), &[], None);
        // In vain nothing goes.
        check(&ana, 10, quota(30, 10), &[2], None);
        assert_eq!(ledger.too_much(quota(20, 20), |_| false), [3, 2]);
        assert_eq!(ledger.too_much(quota(0, 0), |key| key == 4), [3, 1, 2]);
        assert_eq!((ledger.used(), ledger.used_by(&ana), ledger.len()), (40, 30, 4));
        ledger.insert(&ana, 3, 50);
        assert!(ledger.remove(2) && !ledger.remove(2));
        assert_eq!((ledger.used(), ledger.used_by(&bo), ledger.people().count()), (70, 0, 1));
    }

    /// A thousand runs of what a house does, held against the rules after every step.
    #[test]
    fn no_quota_is_ever_exceeded_and_nothing_active_goes() {
        let mut seed = 7_u64;
        let mut chance = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut kept, mut gone, mut refused) = (0, 0, 0);
        for _ in 0..1000 {
            let quota = quota(20 + chance(60), 40 + chance(100));
            let mut ledger = Ledger::default();
            for _ in 0..200 {
                let (user, key, bytes) = (person(chance(4) as u8), chance(60), 1 + chance(12));
                let window = chance(60);
                let active = |key: u64| key.abs_diff(window) < 8;
                if chance(4) == 0 {
                    ledger.touch(key);
                    continue;
                }
                ledger.remove(key);
                let before: Vec<u64> = ledger.keys().collect();
                match ledger.to_leave(&user, bytes, quota, active) {
                    None => refused += 1,
                    Some(leaving) => {
                        assert!(leaving.iter().all(|key| !active(*key) && before.contains(key)));
                        gone += leaving.len();
                        for key in leaving {
                            assert!(ledger.remove(key), "named twice");
                        }
                        ledger.insert(&user, key, bytes);
                        kept += 1;
                    }
                }
                assert!(ledger.used() <= quota.total && ledger.people().all(|(_, used)| used <= quota.each));
                assert_eq!(ledger.used(), ledger.people().map(|(_, used)| used).sum::<u64>());
            }
        }
        assert!(kept > 1000 && gone > 1000 && refused > 100, "every way was walked: {kept} {gone} {refused}");
    }

    #[test]
    fn a_disk_keeps_room_for_the_rest_of_the_house() {
        let gib = |n: u64| n << 30;
        let shared = |total, free| Space { total: gib(total), free: gib(free), is_own: false };
        assert_eq!(shared(20, 9).reserve(), gib(2));
        assert_eq!(shared(1000, 9).reserve(), gib(50));
        let all = Quota::default();
        assert_eq!(shared(100, 50).allows(all, 0), all);
        assert_eq!(shared(100, 8).allows(all, 0), quota(gib(2), gib(3)));
        assert_eq!(shared(100, 5).allows(all, gib(1)), quota(gib(1), gib(1)));
        assert_eq!(shared(100, 0).allows(all, gib(1)), quota(0, 0));
        let own = Space { total: gib(1), free: gib(1), is_own: true };
        assert_eq!(own.allows(all, 0).total, gib(1) - gib(1) / 20);
        assert_eq!((on_disk(0), on_disk(1), on_disk(4096), on_disk(4097)), (0, 4096, 4096, 8192));
    }

    #[test]
    fn a_window_is_around_the_place_and_around_what_was_asked() {
        let check =
            |at, asked, number, want| assert_eq!(Window { at, asked }.holds(number), want, "{at:?} {asked} {number}");
        check(None, 100, 100, true);
        check(None, 100, 80, true);
        check(None, 100, 79, false);
        check(None, 100, 115, true);
        check(None, 100, 116, false);
        check(Some(10), 100, 5, true);
        check(Some(10), 100, 4, false);
        check(Some(10), 100, 40, false);
        check(None, 3, 0, true);
        check(None, u32::MAX, u32::MAX, true);
    }
}
