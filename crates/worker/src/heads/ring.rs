//! Segments in memory, a bounded number of bytes of them. Those that somebody took go first, the
//! least recently used before the others: a segment made ahead is about to be asked for.
//! Copied segments cost milliseconds to make again, so a disk would be no faster.

use std::{collections::HashMap, sync::Arc};

#[derive(Debug)]
pub struct Ring {
    budget: usize,
    used: usize,
    clock: u64,
    segments: HashMap<(u64, u32), Kept>,
}

#[derive(Debug)]
struct Kept {
    bytes: Arc<Vec<u8>>,
    was_taken: bool,
    touched: u64,
}

impl Ring {
    pub fn new(budget: usize) -> Self {
        Self { budget, used: 0, clock: 0, segments: HashMap::new() }
    }

    pub fn get(&mut self, stream: u64, number: u32) -> Option<Arc<Vec<u8>>> {
        self.clock += 1;
        let kept = self.segments.get_mut(&(stream, number))?;
        (kept.touched, kept.was_taken) = (self.clock, true);
        Some(kept.bytes.clone())
    }

    /// Whether it is there, which is no use of it.
    pub fn holds(&self, stream: u64, number: u32) -> bool {
        self.segments.contains_key(&(stream, number))
    }

    /// A segment larger than everything is kept all the same, alone: somebody waits for it.
    pub fn put(&mut self, stream: u64, number: u32, bytes: Arc<Vec<u8>>) {
        self.clock += 1;
        self.used += bytes.len();
        if let Some(old) = self.segments.insert((stream, number), Kept { bytes, was_taken: false, touched: self.clock })
        {
            self.used -= old.bytes.len();
        }
        while self.used > self.budget && self.segments.len() > 1 {
            let others = self.segments.iter().filter(|(key, _)| **key != (stream, number));
            let oldest = others.min_by_key(|(_, kept)| (!kept.was_taken, kept.touched)).map(|(key, _)| *key);
            let Some(gone) = oldest.and_then(|key| self.segments.remove(&key)) else { return };
            self.used -= gone.bytes.len();
        }
    }

    pub fn forget(&mut self, stream: u64) {
        self.segments.retain(|(of, _), kept| {
            let stays = *of != stream;
            if !stays {
                self.used -= kept.bytes.len();
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_took_yet_stays_longest() {
        let mut ring = Ring::new(300);
        let bytes = |n: usize| Arc::new(vec![0; n]);
        for number in 0..3 {
            ring.put(1, number, bytes(100));
        }
        assert!(ring.get(1, 1).is_some() && ring.get(1, 0).is_some());
        ring.put(2, 0, bytes(100));
        assert!(ring.get(1, 1).is_none(), "taken, and longer ago than 0");
        ring.put(2, 1, bytes(100));
        assert!(ring.get(1, 0).is_none() && ring.get(1, 2).is_some() && ring.get(2, 0).is_some());
        ring.put(2, 2, bytes(100));
        ring.put(2, 3, bytes(100));
        ring.put(2, 4, bytes(100));
        assert!(ring.get(2, 1).is_none() && ring.get(2, 4).is_some(), "of those that nobody took the oldest goes");
        ring.put(2, 1, bytes(1000));
        assert_eq!((ring.segments.len(), ring.used), (1, 1000));
        ring.put(2, 1, bytes(50));
        ring.put(3, 0, bytes(50));
        ring.forget(2);
        assert_eq!((ring.segments.len(), ring.used), (1, 50));
    }
}
