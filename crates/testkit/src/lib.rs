//! Dev only: what tests of several rooms need.
//!
//! Owns: a worker that behaves as a script says (well, badly, or not at all), a runtime that
//! starts such workers inside the test's own process, tenants with a fixed specification, and
//! waiting on a condition.
//! Never here: anything a shipped program could want.

pub mod database;
pub mod faults;
pub mod runtime;
pub mod tenants;
pub mod worker;

pub use database::OtherProgram;
pub use faults::{Dice, Faults};
pub use runtime::FakeRuntime;
pub use tenants::FixedTenants;
pub use worker::{Manner, ScriptedWorker};

use std::{future::Future, time::Duration};

/// Waits until `check` holds, at most `patience`; panics with `what` otherwise. Polls every
/// few milliseconds, which under paused time costs nothing.
pub async fn eventually<F, Fut>(what: &str, patience: Duration, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let holds = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(patience, holds).await.is_ok(), "not within {patience:?}: {what}");
}

/// Returns whether tests of the process runtime may do without some of the walls. The person who runs
/// them on a machine that lacks walls says so; the product's own default never does.
pub fn is_reduced_allowed() -> bool {
    std::env::var_os("LOGE_TEST_ALLOW_REDUCED").is_some_and(|value| value == "1")
}
