//! The facts about the house that vitals asks for at every sample. They are gathered here when
//! something changed, so that answering never waits.

use loges::{LogeView, Loges};
use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use vitals::{House, HouseView, LogeUse};

pub(crate) struct HouseFacts {
    known: Mutex<(House, Vec<PathBuf>)>,
    loges: Loges,
}

impl HouseFacts {
    pub(crate) fn new(loges: Loges) -> Self {
        Self { known: Mutex::default(), loges }
    }
    pub(crate) fn set(&self, house: House, roots: Vec<PathBuf>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = (house, roots);
    }
}

impl HouseView for HouseFacts {
    fn house(&self) -> House {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
    fn loges(&self) -> Vec<LogeUse> {
        let of = |loge: LogeView| {
            let usage = loge.usage?;
            Some(LogeUse {
                tenant: loge.tenant.to_string(),
                cpu_percent: usage.cpu_percent,
                memory_bytes: usage.memory_bytes,
            })
        };
        self.loges.list().into_iter().filter_map(of).collect()
    }
    fn library_roots(&self) -> Vec<PathBuf> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}
