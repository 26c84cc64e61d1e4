//! Processor time that one loge leaves unused and another gets on top.

use crate::house::{House, ana, bo, runtime};
use domain::{LogeLimits, Tenant};
use std::time::Duration;
use testkit::{Manner, eventually, runtime::Start};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);
const OWN: u32 = LogeLimits::DEFAULT.cpu_millis;

fn lent(house: &House, tenant: &Tenant) -> u32 {
    house.loges.view(tenant).map_or(0, |view| view.lent_millis)
}

/// What the engine was told last about this tenant's loge.
fn told(house: &House, tenant: &Tenant) -> u32 {
    let id = house.loges.view(tenant).unwrap().container_id.unwrap();
    house.runtime.limits().iter().rev().find(|(of, _)| *of == id).map_or(OWN, |(_, limits)| limits.cpu_millis)
}

async fn two() -> House {
    let house = House::open(Start::Worker(Manner::Good)).await;
    for tenant in [ana(), bo()] {
        house.loges.ensure(&tenant).await.unwrap();
    }
    house
}

#[tokio::test(start_paused = true)]
async fn the_idle_lend_to_the_busy_and_have_it_back_within_a_second() {
    let house = two().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(house.runtime.limits(), [], "while nobody needs anything, nobody is told anything");
    house.runtime.hunger(&ana(), 2000);
    eventually("something is lent", SOON, async || lent(&house, &ana()) >= 100).await;
    let most = lent(&house, &ana());
    assert!(most < OWN, "{most}: what the other may wake up for is left");
    assert_eq!(told(&house, &ana()), OWN + most);
    assert_eq!(house.loges.view(&ana()).unwrap().limits, LogeLimits::DEFAULT, "its own is what it was");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(lent(&house, &ana()), most, "and stays so for as long as it is needed");

    house.runtime.hunger(&bo(), 450);
    let began = Instant::now();
    eventually("it is taken back", SOON, async || told(&house, &ana()) == OWN).await;
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(told(&house, &bo()), OWN, "which never had less than its own");

    // Both are hungry: nobody has anything to lend. One rests: the other gets it, but not at once.
    house.runtime.hunger(&bo(), 2000);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((lent(&house, &ana()), lent(&house, &bo())), (0, 0));
    house.runtime.hunger(&bo(), 0);
    eventually("it is lent again", SOON, async || lent(&house, &ana()) >= most - 100).await;
    // It has had enough.
    house.runtime.hunger(&ana(), 20);
    eventually("it gives back", SOON, async || lent(&house, &ana()) == 0).await;
    let asked = house.runtime.limits().len();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(house.runtime.limits().len(), asked, "and there is peace");
    assert!(house.runtime.limits().iter().all(|(_, limits)| limits.cpu_millis >= OWN), "never less than its own");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_presses_play_has_it_before_it_is_measured() {
    let house = two().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    house.loges.expects_work(&ana());
    eventually("something is lent", SOON, async || told(&house, &ana()) > OWN).await;
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}: it was measured first", began.elapsed());
    assert_eq!(told(&house, &bo()), OWN);
    // Nothing came of it: it is given back as from anybody who is content.
    eventually("it is taken back", SOON, async || told(&house, &ana()) == OWN).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}: who begins needs a moment", began.elapsed());

    // That it was given back is no reason to wait with the next one.
    let again = Instant::now();
    house.loges.expects_work(&ana());
    eventually("something is lent again", SOON, async || told(&house, &ana()) > OWN).await;
    assert!(again.elapsed() < Duration::from_millis(100), "{:?}", again.elapsed());

    // A hundred presses are told the engine once.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let asked = house.runtime.limits().len();
    house.runtime.hunger(&ana(), 2000);
    for _ in 0..100 {
        house.loges.expects_work(&ana());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.runtime.limits().len(), asked + 1, "{:?}", house.runtime.limits());
    // What is not there is lent to nobody, however often it is asked for.
    house.runtime.hunger(&bo(), 2000);
    eventually("both have their own", SOON, async || lent(&house, &ana()) == 0).await;
    for tenant in [ana(), bo()].iter().cycle().take(100) {
        house.loges.expects_work(tenant);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!((told(&house, &ana()), told(&house, &bo())), (OWN, OWN));
    }
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn other_limits_and_lent_time_leave_each_other_alone() {
    let house = two().await;
    house.runtime.hunger(&ana(), 2000);
    eventually("something is lent", SOON, async || lent(&house, &ana()) >= 100).await;
    let more = LogeLimits { cpu_millis: 700, ..LogeLimits::DEFAULT };
    house.loges.set_limits(&ana(), more).await.unwrap();
    eventually("both are known", SOON, async || {
        let view = house.loges.view(&ana()).unwrap();
        view.limits == more && told(&house, &ana()) == 700 + view.lent_millis
    })
    .await;
    house.runtime.hunger(&ana(), 0);
    eventually("it gives back", SOON, async || told(&house, &ana()) == 700).await;
    // What is lent ends with the generation.
    house.runtime.hunger(&ana(), 2000);
    eventually("something is lent", SOON, async || lent(&house, &ana()) >= 100).await;
    house.loges.restart(&ana()).await.unwrap();
    assert_eq!(lent(&house, &ana()), 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_lends_where_limits_cannot_change() {
    let runtime = runtime(Start::Worker(Manner::Good));
    runtime.freeze_limits();
    let house = House::open_on(runtime).await;
    assert!(!house.loges.lends());
    for tenant in [ana(), bo()] {
        house.loges.ensure(&tenant).await.unwrap();
    }
    house.runtime.hunger(&ana(), 2000);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!((lent(&house, &ana()), house.runtime.limits()), (0, vec![]));
    house.close().await;
}
