//! What people asked for and did not find. It is made before anything else.

use domain::TitleId;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// A page shows fewer; earlier requests come in their turn with all other titles.
const MOST: usize = 500;

/// In the order in which people looked, each title once.
#[derive(Default)]
pub struct Asked(Mutex<VecDeque<TitleId>>);

impl Asked {
    /// Returns whether this is the first request for it.
    pub fn add(&self, title: &TitleId) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.contains(title) {
            return false;
        }
        if all.len() == MOST {
            all.pop_front();
        }
        all.push_back(title.clone());
        true
    }

    /// Takes the one that was asked for first.
    pub fn take(&self) -> Option<TitleId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_come_in_the_order_in_which_they_were_asked_for_and_stay_bounded() {
        let asked = Asked::default();
        let title = |n: usize| {
            TitleId::from_random([(n % 256) as u8, (n / 256) as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        };
        assert!(asked.add(&title(2)) && asked.add(&title(1)) && !asked.add(&title(2)));
        assert_eq!((asked.take(), asked.take(), asked.take()), (Some(title(2)), Some(title(1)), None));
        for n in 0..MOST + 3 {
            asked.add(&title(n));
        }
        assert_eq!(asked.take(), Some(title(3)));
    }
}
