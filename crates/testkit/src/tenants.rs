//! Tenants whose specification a test sets by hand.

use async_trait::async_trait;
use domain::{Failure, Tenant, UserId};
use loges::{LogeSpec, Tenants};
use std::sync::{Mutex, PoisonError};

/// Everybody has the same specification.
pub struct FixedTenants(Mutex<Result<LogeSpec, Failure>>);

impl FixedTenants {
    pub fn new(spec: LogeSpec) -> Self {
        Self(Mutex::new(Ok(spec)))
    }
    pub fn set(&self, spec: Result<LogeSpec, Failure>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = spec;
    }
}

#[async_trait]
impl Tenants for FixedTenants {
    async fn spec(&self, _: &Tenant) -> Result<LogeSpec, Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    async fn username(&self, _: &UserId) -> Option<String> {
        Some("somebody".into())
    }
}
