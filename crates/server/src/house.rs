//! The facts about the house that vitals asks for at every sample. They are gathered here when
//! something changed, so that answering never waits.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use vitals::{House, HouseView};

#[derive(Default)]
pub(crate) struct HouseFacts(Mutex<(House, Vec<PathBuf>)>);

impl HouseFacts {
    pub(crate) fn set(&self, house: House, roots: Vec<PathBuf>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (house, roots);
    }
}

impl HouseView for HouseFacts {
    fn house(&self) -> House {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
    fn library_roots(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}
