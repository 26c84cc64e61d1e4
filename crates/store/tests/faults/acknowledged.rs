use crate::{
    subject::Subject,
    vfs::{Call, Disk, Errno, Lasts},
};

const WRITERS: u32 = 16;
const FAULTS: [(Call, Errno); 5] = [
    (Call::Write, Errno::NoSpace),
    (Call::Write, Errno::Io),
    (Call::Sync, Errno::NoSpace),
    (Call::Sync, Errno::Io),
    (Call::Truncate, Errno::Io),
];

/// Rows that were acknowledged and are not there, or what else went wrong.
#[derive(Debug, Default)]
struct Seen {
    lost: Vec<(u32, String)>,
    /// The write after a healed disk was refused.
    stuck: Vec<String>,
    /// Calls that failed: no test without them.
    failed: u32,
}

/// Each of the first calls fails in a round of its own, and then every seventh up to the 200th.
fn rounds() -> impl Iterator<Item = u32> {
    (1..=40).chain((41..=200).step_by(7))
}

async fn storm(twin: bool, rounds: impl Iterator<Item = u32>, call: Call, errno: Errno, lasts: Lasts) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    std::fs::create_dir(&folder).unwrap();
    let disk = Disk::under(&folder);
    let file = folder.join("loge.db");
    let subject = if twin { Subject::twin(&file).await } else { Subject::loge(&file).await };
    let (mut seen, mut acknowledged, mut n) = (Seen::default(), Vec::new(), 0);
    let rounds: Vec<u32> = rounds.collect();
    for (turn, &round) in rounds.iter().enumerate() {
        let at = format!("{call:?} {round} {errno:?} {lasts:?}");
        disk.fail(round, call, errno, lasts);
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            n += 1;
            let (subject, n) = (subject.clone(), n);
            writers.push(tokio::spawn(async move {
                let acknowledged = subject.write(n).await;
                (n, acknowledged, !acknowledged || subject.reads(n).await)
            }));
        }
        for writer in writers {
            let (n, was_acknowledged, is_there) = writer.await.unwrap();
            if was_acknowledged {
                acknowledged.push(n);
            }
            if !is_there {
                seen.lost.push((n, format!("at once, {at}")));
            }
        }
        let failed = disk.heal();
        seen.failed += failed;
        if let Subject::Loge(store) = &subject
            && failed > 0
            && lasts == Lasts::Until
        {
            assert!(store.write_failure().is_some(), "{at}: nothing is told");
        }
        n += 1;
        if !subject.write(n).await || !subject.reads(n).await {
            seen.stuck.push(at.clone());
        } else {
            acknowledged.push(n);
        }
        if let Subject::Loge(store) = &subject {
            assert_eq!(store.write_failure(), None, "{at}: the flag stays");
        }
        if turn % 16 == 15 || turn + 1 == rounds.len() {
            let risen = subject.after_a_kill(&file, &dir.path().join("risen")).await;
            for n in &acknowledged {
                if !risen.reads(*n).await {
                    seen.lost.push((*n, format!("after a kill, {at}")));
                }
            }
            risen.close().await;
        }
    }
    subject.close().await;
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn each_acknowledged_write_is_there_whichever_call_fails() {
    for (call, errno) in FAULTS {
        for lasts in [Lasts::Once, Lasts::Until] {
            let seen = storm(false, rounds(), call, errno, lasts).await;
            assert!(seen.lost.is_empty() && seen.stuck.is_empty(), "{call:?} {errno:?} {lasts:?}: {seen:?}");
            assert!(seen.failed > 0 || call == Call::Truncate, "{call:?} was never called");
        }
    }
}

/// The control: the driver's pool as it comes loses rows under the same faults, or never writes
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn the_drivers_pool_alone_loses_what_it_acknowledged() {
    let seen = storm(true, 1..=20, Call::Write, Errno::NoSpace, Lasts::Until).await;
    assert!(!seen.lost.is_empty(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_given_up_in_the_middle_leaves_the_next_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    std::fs::create_dir(&folder).unwrap();
    let disk = Disk::under(&folder);
    let subject = Subject::loge(&folder.join("loge.db")).await;
    for round in 1..=200_u32 {
        disk.fail(1 + round % 12, Call::Write, Errno::NoSpace, Lasts::Until);
        let late = subject.clone();
        // Dropped at another point each time, also while its commit fails.
        let _ = tokio::time::timeout(std::time::Duration::from_micros(u64::from(round) * 20), late.write(round)).await;
        disk.heal();
        let next = 1000 + round;
        assert!(subject.write(next).await && subject.reads(next).await, "round {round}");
    }
    subject.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_notices_by_itself_that_writes_work_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("disk");
    std::fs::create_dir(&folder).unwrap();
    let disk = Disk::under(&folder);
    let subject = Subject::loge(&folder.join("loge.db")).await;
    let Subject::Loge(store) = &subject else { unreachable!() };
    assert!(store.can_write().await);
    disk.fail(1, Call::Write, Errno::NoSpace, Lasts::Until);
    assert!(!subject.write(1).await);
    assert!(store.write_failure().unwrap().full);
    assert!(!store.can_write().await, "the probe fails as well");
    disk.heal();
    while !store.can_write().await {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    subject.close().await;
}
