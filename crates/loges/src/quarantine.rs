//! Files that end workers. A file that was being worked on when its worker ended by its own fault
//! is suspected; the second time it is set aside, and no worker opens it again until its owner
//! says so or the file is another one.

use contract::FileRef;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One such end may be chance.
const STRIKES: u8 = 2;
/// More files than this are not remembered; the oldest suspicions are the least worth.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub struct Quarantine(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    suspected: HashMap<FileRef, u8>,
    aside: HashSet<FileRef>,
}

impl Quarantine {
    /// These were being worked on; answers those that are set aside from now on.
    pub fn blame(&self, files: Vec<FileRef>) -> Vec<FileRef> {
        let mut known = self.lock();
        if known.suspected.len() > MOST {
            known.suspected.clear();
        }
        let mut caught = Vec::new();
        for file in files.iter().map(FileRef::of_any_time) {
            let strikes = known.suspected.entry(file.clone()).or_insert(0);
            *strikes += 1;
            if *strikes >= STRIKES {
                known.suspected.remove(&file);
                if known.aside.insert(file.clone()) {
                    caught.push(file);
                }
            }
        }
        caught
    }

    pub fn holds(&self, file: &FileRef) -> bool {
        self.lock().aside.contains(&file.of_any_time())
    }

    /// Another chance.
    pub fn release(&self, file: &FileRef) {
        let (mut known, file) = (self.lock(), file.of_any_time());
        known.suspected.remove(&file);
        known.aside.remove(&file);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_is_once_too_often_and_another_version_is_another_file() {
        let file = |size| FileRef { mount: "m".into(), path: b"film".to_vec(), size: Some(size), mtime_ns: None };
        let quarantine = Quarantine::default();
        assert_eq!(quarantine.blame(vec![file(1), file(2)]), []);
        assert!(!quarantine.holds(&file(1)));
        assert_eq!(quarantine.blame(vec![file(1)]), [file(1)]);
        assert!(quarantine.holds(&file(1)) && !quarantine.holds(&file(2)));
        assert_eq!(quarantine.blame(vec![file(1)]), []);
        quarantine.release(&file(1));
        assert!(!quarantine.holds(&file(1)));
        assert_eq!(quarantine.blame(vec![file(1)]), []);
        assert_eq!(quarantine.blame(vec![file(1)]), [file(1)]);
    }
}
