//! Starting, parking, failing, idling, replacing and clearing away.

use crate::house::{House, IDLE, ana, bo, file, film, folder, runtime};
use domain::{Code, LogeLimits, LogeState, Tenant};
use loges::{CircuitState, LogeSpec, Mount, RenderNode, plan::Found};
use std::time::Duration;
use testkit::{Manner, eventually, runtime::Start};
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn everybody_who_parks_is_answered() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    // While it starts, all get the same loge.
    let (ana, bo) = (ana(), bo());
    let all = tokio::join!(house.loges.ensure(&ana), house.loges.ensure(&ana), house.loges.ensure(&ana));
    assert_eq!(all, (Ok(()), Ok(()), Ok(())));
    assert_eq!(house.runtime.starts().len(), 1);
    // When the start fails, all hear why and when to come back.
    house.runtime.next(Start::EngineAway);
    let (first, second) = tokio::join!(house.loges.ensure(&bo), house.loges.ensure(&bo));
    for failure in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(failure.code, Code::EngineAway);
        assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(2));
    }
    // When the engine hangs, the deadline frees them.
    let carl = Tenant::User(domain::UserId::from_random([0xc; 16]));
    house.runtime.next(Start::Hangs);
    let began = Instant::now();
    let (first, second) = tokio::join!(house.loges.ensure(&carl), house.loges.ensure(&carl));
    assert_eq!(first.unwrap_err().code, Code::LogeStarting);
    assert_eq!(second.unwrap_err().code, Code::LogeStarting);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn failing_starts_back_off_and_a_good_one_ends_it() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    for _ in 0..4 {
        house.runtime.next(Start::Refused);
    }
    let began = Instant::now();
    house.loges.want(&ana());
    let mut seen = Vec::new();
    for n in 1..=5 {
        eventually("another start", Duration::from_secs(90), async || house.runtime.starts().len() == n).await;
        seen.push(began.elapsed().as_secs());
    }
    // 0, then 1, 5, 30 and 60 seconds after the failure before, each up to a tenth more.
    for (seen, (from, to)) in seen.iter().zip([(0, 0), (1, 1), (6, 7), (36, 40), (96, 106)]) {
        assert!((from..=to).contains(seen), "{seen} is not between {from} and {to}");
    }
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_circuit_of_one_opens_and_the_other_watches_on() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.loges.ensure(&bo()).await.unwrap();
    let circuit = || house.loges.view(&ana()).map(|view| view.circuit);
    for _ in 0..5 {
        house.runtime.next(Start::Refused);
    }
    house.loges.want(&ana());
    eventually("it opens", Duration::from_secs(200), async || circuit() == Some(CircuitState::Open)).await;
    assert_eq!(house.runtime.starts().iter().filter(|start| start.tenant == ana()).count(), 5);
    assert_eq!(house.loges.ensure(&ana()).await.unwrap_err().code, Code::LogeFailed);
    assert_eq!(house.loges.view(&bo()).unwrap().circuit, CircuitState::Closed);
    house.read(&bo(), 0, 10).await.unwrap();
    // One try after the wait; it goes well, and half a minute later nobody speaks of it.
    eventually("it tries", Duration::from_secs(90), async || circuit() == Some(CircuitState::HalfOpen)).await;
    eventually("it closes", Duration::from_secs(60), async || circuit() == Some(CircuitState::Closed)).await;
    assert_eq!(house.state(&ana()), LogeState::Ready);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn somebody_who_asks_during_a_long_back_off_hears_so_at_once() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    for _ in 0..3 {
        house.runtime.next(Start::Refused);
    }
    house.loges.want(&ana());
    eventually("three failures", SOON, async || house.runtime.starts().len() == 3).await;
    eventually("the third is known", SOON, async || matches!(house.state(&ana()), LogeState::Failed { .. })).await;
    let began = Instant::now();
    let failure = house.loges.ensure(&ana()).await.unwrap_err();
    assert_eq!(failure.code, Code::LogeFailed);
    assert!(failure.retry_after.unwrap() > Duration::from_secs(25), "{failure:?}");
    assert!(began.elapsed() < Duration::from_secs(1));
    // The owner's restart does not wait.
    house.loges.restart(&ana()).await.unwrap();
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_worker_comes_back_at_once_and_a_dying_one_slower_and_slower() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.loges.ensure(&ana()).await.unwrap();
    // Well for a minute: the first death is answered immediately.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let began = Instant::now();
    house.runtime.kill(&house.runtime.living()[0]);
    eventually("it is back", SOON, async || house.runtime.starts().len() == 2).await;
    eventually("it serves", SOON, async || house.read(&ana(), 0, 10).await.is_ok()).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    for expected in [1, 5] {
        let starts = house.runtime.starts().len();
        let began = Instant::now();
        house.runtime.kill(&house.runtime.living()[0]);
        eventually("another start", SOON, async || house.runtime.starts().len() == starts + 1).await;
        assert_eq!(began.elapsed().as_secs(), expected);
        eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    }
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn idle_loges_stop_and_watched_ones_never() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let (ana, bo) = (ana(), bo());
    house.loges.ensure(&bo).await.unwrap();
    let watching = house.loges.range(&ana, file(), 0, 1000).await.unwrap();
    tokio::time::sleep(IDLE * 4).await;
    assert_eq!(house.state(&bo), LogeState::Absent, "nobody used it");
    assert_eq!(house.state(&ana), LogeState::Ready, "somebody watches");
    assert_eq!(crate::house::take(watching).await.unwrap(), film()[..1000]);
    tokio::time::sleep(IDLE - Duration::from_secs(5)).await;
    assert_eq!(house.state(&ana), LogeState::Ready, "its idle time began with the end of the stream");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(house.state(&ana), LogeState::Absent);
    assert!(house.runtime.living().is_empty());
    house.loges.ensure(&ana).await.unwrap();
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn signing_out_removes_and_the_next_request_starts_again() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.loges.ensure(&ana()).await.unwrap();
    house.loges.release(&ana()).await;
    assert_eq!(house.loges.view(&ana()), None);
    assert!(house.runtime.living().is_empty());
    house.loges.release(&ana()).await;
    house.loges.release(&bo()).await;
    house.read(&ana(), 0, 10).await.unwrap();
    let old = house.loges.view(&ana()).unwrap().container_id;
    house.loges.restart(&ana()).await.unwrap();
    assert_ne!(house.loges.view(&ana()).unwrap().container_id, old);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_right_taken_away_cuts_and_a_right_given_waits_for_the_end_of_the_film() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let mount = |n| Mount { id: folder(n), path: house.dir.path().into() };
    let spec = |mounts| Ok(LogeSpec { limits: LogeLimits::DEFAULT, mounts, chip: None, allows_reduced: false });
    let watching = house.loges.range(&ana(), file(), 0, 1000).await.unwrap();
    house.tenants.set(spec(vec![mount(1), mount(2)]));
    house.loges.remount(&ana()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(house.runtime.starts().len(), 1, "the film goes on");
    crate::house::take(watching).await.unwrap();
    eventually("a new loge with both folders", SOON, async || house.runtime.starts().len() == 2).await;
    assert_eq!(house.runtime.starts()[1].mounts.len(), 2);
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;

    let (mut stream, _lease) = house.loges.range(&ana(), file(), 0, 1000).await.unwrap().into_parts();
    house.tenants.set(spec(vec![mount(2)]));
    house.loges.remount(&ana()).await;
    eventually("a new loge without the folder", SOON, async || house.runtime.starts().len() == 3).await;
    // What was on its way may be read to the end; then nothing comes any more.
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    assert!(rest.len() <= 1000);
    // Unchanged is no reason for anything.
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    house.loges.remount(&ana()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(house.runtime.starts().len(), 3);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_a_loge_starts_reaches_it() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let begin = || {
        let loges = house.loges.clone();
        tokio::spawn(async move { loges.ensure(&ana()).await })
    };
    let begun = async |starts: usize| {
        while house.runtime.starts().len() < starts {
            tokio::task::yield_now().await;
        }
    };
    let first = begin();
    begun(1).await;
    assert_eq!(house.state(&ana()), LogeState::Starting, "it has read what was before");
    house.tenants.set(Ok(LogeSpec { limits: LogeLimits::DEFAULT, mounts: vec![], chip: None, allows_reduced: false }));
    house.loges.remount(&ana()).await;
    first.await.unwrap().unwrap();
    eventually("a new loge without the folder", SOON, async || house.runtime.starts().len() == 2).await;
    assert!(house.runtime.starts()[1].mounts.is_empty());
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(house.runtime.starts().len(), 2, "once");

    house.loges.stop(&ana()).await;
    let again = begin();
    begun(3).await;
    assert_eq!(house.state(&ana()), LogeState::Starting);
    let more = LogeLimits { cpu_millis: 900, ..LogeLimits::DEFAULT };
    house.loges.set_limits(&ana(), more).await.unwrap();
    again.await.unwrap().unwrap();
    eventually("the view shows it", SOON, async || house.loges.view(&ana()).unwrap().limits == more).await;
    assert_eq!(house.runtime.limits().last().unwrap().1, more);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_chip_comes_and_goes_between_films_and_no_loge_is_lost_for_it() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let node = RenderNode { path: "/dev/dri/renderD128".into(), group: Some(104) };
    let spec = |chip| {
        let mounts = vec![Mount { id: folder(1), path: house.dir.path().into() }];
        Ok(LogeSpec { limits: LogeLimits::DEFAULT, mounts, chip, allows_reduced: false })
    };
    let watching = house.loges.range(&ana(), file(), 0, 1000).await.unwrap();
    house.tenants.set(spec(Some(node.clone())));
    house.loges.remount(&ana()).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(house.runtime.starts().len(), 1, "the film goes on");
    assert!(!house.loges.view(&ana()).unwrap().has_chip);
    crate::house::take(watching).await.unwrap();
    eventually("a new loge with the chip", SOON, async || house.loges.view(&ana()).unwrap().has_chip).await;
    assert_eq!(house.runtime.starts()[1].chip, Some(node));

    house.tenants.set(spec(None));
    house.loges.remount(&ana()).await;
    eventually("a new loge without it", SOON, async || house.runtime.starts().len() == 3).await;
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    assert!(!house.loges.view(&ana()).unwrap().has_chip && house.runtime.starts()[2].chip.is_none());

    // An engine that does not find the device makes a loge without it, and is not asked again and again.
    house.tenants.set(spec(Some(RenderNode { path: "/dev/dri/renderD129".into(), group: None })));
    house.runtime.next(Start::Refused);
    house.loges.remount(&ana()).await;
    eventually("two tries", SOON, async || house.runtime.starts().len() == 5).await;
    eventually("it is ready", SOON, async || house.state(&ana()) == LogeState::Ready).await;
    assert!(!house.loges.view(&ana()).unwrap().has_chip && house.runtime.starts()[4].chip.is_none());
    house.loges.remount(&ana()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(house.runtime.starts().len(), 5);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_left_out_and_limits_change_live() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let gone = Mount { id: folder(9), path: house.dir.path().join("unplugged") };
    let here = Mount { id: folder(1), path: house.dir.path().into() };
    house.tenants.set(Ok(LogeSpec {
        limits: LogeLimits::DEFAULT,
        mounts: vec![gone, here.clone()],
        chip: None,
        allows_reduced: false,
    }));
    house.loges.ensure(&ana()).await.unwrap();
    assert_eq!(house.runtime.starts()[0].mounts, [here]);

    let more = LogeLimits { cpu_millis: 900, ..LogeLimits::DEFAULT };
    house.loges.set_limits(&ana(), more).await.unwrap();
    eventually("the view shows it", SOON, async || house.loges.view(&ana()).unwrap().limits == more).await;
    assert_eq!(house.runtime.limits()[0].1, more);
    let absurd = LogeLimits { pids: 0, ..more };
    assert_eq!(house.loges.set_limits(&ana(), absurd).await.unwrap_err().code, Code::InvalidField);
    assert_eq!(house.runtime.starts().len(), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_is_cleared_and_what_runs_is_not() {
    let runtime = runtime(Start::Worker(Manner::Good));
    let left = |id: &str| Found { id: id.into(), tenant: ana().to_string(), generation: 5, spec_hash: String::new() };
    runtime.leave(left("before-start"));
    let house = House::open_on(runtime.clone()).await;
    assert_eq!(runtime.cleared(), ["before-start"]);
    house.loges.ensure(&ana()).await.unwrap();
    let ours = runtime.living();
    runtime.leave(left("reply-lost"));
    eventually("the sweep finds it", Duration::from_secs(40), async || runtime.cleared().len() == 2).await;
    assert_eq!(runtime.cleared()[1], "reply-lost");
    assert_eq!(runtime.living(), ours);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_nothing_is_started() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.loges.ensure(&ana()).await.unwrap();
    house.lifecycle.soft().cancel();
    house.loges.shutdown().await;
    assert_eq!(house.loges.ensure(&ana()).await.unwrap_err().code, Code::ShuttingDown);
    assert_eq!(house.loges.ensure(&bo()).await.unwrap_err().code, Code::ShuttingDown);
    house.loges.want(&bo());
    assert_eq!(house.runtime.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_workers_said_can_be_read_after_they_ended() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.loges.ensure(&ana()).await.unwrap();
    assert_eq!(house.loges.logs(&ana(), 10).await, ["scripted words"]);
    house.runtime.kill(&house.runtime.living()[0]);
    eventually("another one", SOON, async || house.runtime.starts().len() == 2).await;
    eventually("it serves", SOON, async || house.read(&ana(), 0, 10).await.is_ok()).await;
    house.loges.stop(&ana()).await;
    let told = house.loges.logs(&ana(), 10).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[1].contains(" ended: it was killed") && told[3].ends_with(" ended: nobody wants it"), "{told:?}");
    assert_eq!(house.loges.logs(&ana(), 1).await, told[3..]);
    assert_eq!(house.loges.logs(&bo(), 10).await, Vec::<String>::new());
    house.close().await;
}
