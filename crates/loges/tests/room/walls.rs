//! Machines that lack walls: nothing starts there unless the owner allows it, and ends when the
//! owner no longer does.

use crate::house::{FILM_BYTES, House, ana, bo, file, folder, take};
use domain::{Code, LogeLimits, LogeState};
use loges::{LogeSpec, Mount};
use std::time::Duration;
use testkit::{Manner, eventually, runtime::Start};

const SOON: Duration = Duration::from_secs(10);
const WALLS: [&str; 9] =
    ["no_new_privs", "limits", "landlock", "seccomp", "signals", "read_only", "network", "cgroup_memory", "processes"];

/// All walls but these.
fn lack(house: &House, missing: &[&str]) {
    let walls = WALLS.map(|wall| (wall, !missing.contains(&wall)));
    house.runtime.build(&walls);
}

fn allow(house: &House, allows_reduced: bool) {
    let mounts = vec![Mount { id: folder(1), path: house.dir.path().into() }];
    house.tenants.set(Ok(LogeSpec { limits: LogeLimits::DEFAULT, mounts, chip: None, allows_reduced }));
}

#[tokio::test(start_paused = true)]
async fn f1_without_permission_nothing_starts_and_permission_needs_no_restart() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    lack(&house, &["cgroup_memory"]);
    let failure = house.loges.ensure(&ana()).await.unwrap_err();
    assert_eq!((failure.code, failure.retry_after), (Code::IsolationMissing, None));
    assert_eq!(house.runtime.living(), Vec::<String>::new());
    // The loge is not at fault, and it is not tried again and again.
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(house.runtime.starts().len(), 1);
    // A change of something else is no permission.
    house.loges.remount(&ana()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(house.runtime.starts().len(), 1);

    allow(&house, true);
    house.loges.remount(&ana()).await;
    eventually("it starts", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    // A viewer who watches when it is taken back is cut off: the walls are missing now.
    let watching = house.loges.range(&ana(), file(), 0, FILM_BYTES as u64).await.unwrap();
    allow(&house, false);
    house.loges.remount(&ana()).await;
    eventually("it is gone", SOON, async || house.runtime.living().is_empty()).await;
    drop(watching);
    assert_eq!(house.loges.ensure(&ana()).await.unwrap_err().code, Code::IsolationMissing);
    assert_eq!(house.loges.ensure(&bo()).await.unwrap_err().code, Code::IsolationMissing);
    house.close().await;
}

/// The control of the one above: with all walls the same changes interrupt no viewer.
#[tokio::test(start_paused = true)]
async fn f1_with_all_walls_the_permission_changes_nothing() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    lack(&house, &[]);
    let watching = house.loges.range(&ana(), file(), 0, FILM_BYTES as u64).await.unwrap();
    for allows in [true, false] {
        allow(&house, allows);
        house.loges.remount(&ana()).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(house.runtime.starts().len(), 1);
    take(watching).await.unwrap();
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn permission_that_comes_while_a_start_is_refused_is_not_missed() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    lack(&house, &["processes"]);
    house.loges.want(&ana());
    // The start has read what was before, whichever of the two comes first.
    eventually("it starts", SOON, async || house.state(&ana()) != LogeState::Absent).await;
    allow(&house, true);
    house.loges.remount(&ana()).await;
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    house.close().await;
}
