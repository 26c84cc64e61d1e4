//! Tenants whose specification a test sets by hand.

use async_trait::async_trait;
use contract::FileRef;
use domain::{Failure, Tenant, UserId};
use loges::{LogeSpec, Tenants};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everybody has the same specification.
pub struct FixedTenants {
    spec: Mutex<Result<LogeSpec, Failure>>,
    misbehaved: Mutex<Vec<(Tenant, String)>>,
    aside: Mutex<Vec<FileRef>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FixedTenants {
    pub fn new(spec: LogeSpec) -> Self {
        Self { spec: Mutex::new(Ok(spec)), misbehaved: Mutex::default(), aside: Mutex::default() }
    }
    pub fn set(&self, spec: Result<LogeSpec, Failure>) {
        *lock(&self.spec) = spec;
    }
    /// Files that ended two workers.
    pub fn aside(&self) -> Vec<FileRef> {
        lock(&self.aside).clone()
    }
    /// What the audit log would hold.
    pub fn killed(&self) -> Vec<(Tenant, String)> {
        lock(&self.misbehaved).clone()
    }
}

#[async_trait]
impl Tenants for FixedTenants {
    async fn spec(&self, _: &Tenant) -> Result<LogeSpec, Failure> {
        lock(&self.spec).clone()
    }
    async fn set_aside(&self, file: &FileRef) {
        lock(&self.aside).push(file.clone());
    }
    async fn username(&self, _: &UserId) -> Option<String> {
        Some("somebody".into())
    }
    async fn misbehaved(&self, tenant: &Tenant, what: &str) {
        lock(&self.misbehaved).push((tenant.clone(), what.into()));
    }
}
