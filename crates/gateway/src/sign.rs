//! What a stranger is told of the house. Kept for a moment, so that asking again and again costs no
//! reads of the database.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use store::{Store, StoreError};
use tokio::time::Instant;

/// The command line writes to the same database without telling the server.
const KEPT_FOR: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    pub name: String,
    pub setup_required: bool,
}

#[derive(Default)]
pub struct SignCache(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// How often it was forgotten, so that what was read before is not kept after.
    forgotten: u64,
    kept: Option<(Instant, Sign)>,
}

impl SignCache {
    /// # Errors
    /// When the database cannot be read.
    pub async fn read(&self, store: &Store) -> Result<Sign, StoreError> {
        let forgotten = {
            let inner = self.lock();
            match &inner.kept {
                Some((at, sign)) if at.elapsed() < KEPT_FOR => return Ok(sign.clone()),
                _ => inner.forgotten,
            }
        };
        let sign = Sign { name: store.settings().await?.server_name, setup_required: !store.has_admin().await? };
        let mut inner = self.lock();
        if inner.forgotten == forgotten {
            inner.kept = Some((Instant::now(), sign.clone()));
        }
        Ok(sign)
    }

    /// Something was changed.
    pub fn forget(&self) {
        let mut inner = self.lock();
        inner.forgotten += 1;
        inner.kept = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
