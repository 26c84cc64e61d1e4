//! Histories of wishes on an engine that fails in every way it can. Whatever happened, in the
//! end exactly those loges are there that are wanted: no twin, no orphan.

use crate::house::{House, ana, bo, runtime};
use domain::{LogeState, Tenant, UserId};
use loges::plan::Found;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use testkit::{Dice, FakeRuntime, Faults, Manner, eventually, runtime::Start};

const SEEDS: u64 = 1000;
/// The longest back-off, and the slow look after it.
const SETTLED: Duration = Duration::from_secs(150);

fn tenants() -> [Tenant; 3] {
    [ana(), bo(), Tenant::User(UserId::from_random([0xc; 16]))]
}

fn faulty(seed: u64, per_mille: u64) -> Arc<FakeRuntime> {
    let plain = Arc::into_inner(runtime(Start::Worker(Manner::Good))).unwrap();
    Arc::new(plain.with_faults(Faults::seeded(seed, per_mille)))
}

/// Answers how often something was there that should not be, before the faults ended.
async fn live_through(seed: u64) -> usize {
    let runtime = faulty(seed, 250);
    let dice = Dice::new(seed ^ 0x5eed);
    for n in 0..dice.below(3) {
        runtime.leave(Found {
            id: format!("left-{n}"),
            tenant: ana().to_string(),
            generation: n,
            spec_hash: String::new(),
        });
    }
    let house = House::open_on(runtime.clone()).await;
    let mut wanted: BTreeMap<String, bool> = BTreeMap::new();
    let mut wrong = 0;
    for _ in 0..10 {
        let tenant = &tenants()[usize::try_from(dice.below(3)).unwrap()];
        let mut is_wanted = |value| {
            wanted.insert(tenant.to_string(), value);
        };
        match dice.below(8) {
            0 => {
                house.loges.want(tenant);
                is_wanted(true);
            }
            1 | 2 => {
                let _ = house.read(tenant, 0, 100).await;
                is_wanted(true);
            }
            3 => {
                house.loges.stop(tenant).await;
                is_wanted(false);
            }
            4 => {
                let _ = house.loges.restart(tenant).await;
                is_wanted(true);
            }
            5 => house.loges.remount(tenant).await,
            6 => {
                let living = runtime.living();
                if !living.is_empty() {
                    runtime.kill(&living[usize::try_from(dice.below(living.len() as u64)).unwrap()]);
                }
            }
            _ => tokio::time::sleep(Duration::from_secs(dice.below(40))).await,
        }
        let there = runtime.tenants();
        wrong += there.len() - there.iter().collect::<std::collections::BTreeSet<_>>().len();
    }
    runtime.heal();
    let expected: Vec<String> =
        wanted.iter().filter(|(_, wanted)| **wanted).map(|(tenant, _)| tenant.clone()).collect();
    let expected_tenants: Vec<Tenant> = tenants().into_iter().filter(|t| expected.contains(&t.to_string())).collect();
    eventually(&format!("seed {seed}: exactly {expected:?} are there and serve"), SETTLED, async || {
        let ready = |tenant: &&Tenant| house.state(tenant) == LogeState::Ready;
        if runtime.tenants() != expected || tenants().iter().filter(ready).count() != expected.len() {
            return false;
        }
        for tenant in &expected_tenants {
            if house.read(tenant, 7, 100).await.is_err() {
                return false;
            }
        }
        true
    })
    .await;
    assert_eq!(runtime.tenants(), expected, "seed {seed}");
    house.close().await;
    wrong
}

#[tokio::test(start_paused = true)]
async fn after_a_thousand_histories_of_faults_exactly_the_wanted_are_there() {
    let mut wrong = 0;
    for seed in 0..SEEDS {
        wrong += live_through(seed).await;
    }
    // The control: these engines did leave twins behind, and somebody had to find them.
    assert!(wrong > 100, "only {wrong} twins in all histories: the faults are too kind");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_comes_back_is_not_waited_for() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    for _ in 0..4 {
        house.runtime.next(Start::EngineAway);
    }
    house.loges.want(&ana());
    let failed = async || matches!(house.state(&ana()), LogeState::Failed { .. });
    eventually("it fails", Duration::from_secs(5), failed).await;
    // Whoever asks meanwhile hears what it is, and it does not count against this loge.
    let failure = house.loges.ensure(&ana()).await.unwrap_err();
    assert_eq!(failure.code, domain::Code::EngineAway);
    assert_eq!(house.loges.view(&ana()).unwrap().circuit, loges::CircuitState::Closed);
    eventually("four tries", Duration::from_secs(30), async || house.runtime.starts().len() == 4).await;
    eventually("the fourth fails", Duration::from_secs(5), failed).await;
    let began = tokio::time::Instant::now();
    house.runtime.comes_back();
    eventually("it is ready", Duration::from_secs(30), async || house.state(&ana()) == LogeState::Ready).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_loge_that_is_used_every_day_is_made_anew_every_day_between_two_films() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let watching = house.loges.range(&ana(), crate::house::file(), 0, 1000).await.unwrap();
    tokio::time::sleep(loges::plan::MAX_LIFETIME + Duration::from_secs(60)).await;
    assert_eq!(house.runtime.starts().len(), 1, "somebody watches");
    crate::house::take(watching).await.unwrap();
    eventually("a new one", Duration::from_secs(30), async || house.runtime.starts().len() == 2).await;
    eventually("it serves", Duration::from_secs(30), async || house.read(&ana(), 0, 10).await.is_ok()).await;
    house.close().await;
}
