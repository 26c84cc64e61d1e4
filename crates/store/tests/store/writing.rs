use crate::house::{House, SQLITE, on_both};
use domain::{JobId, JobKind, JobState, ProgressEvent, Role, TitleId};
use std::sync::Arc;
use store::{Database, JobRow, Store};

on_both!(progress_is_kept, acknowledged_is_on_the_disk, many_writers_and_readers, jobs_over_a_restart);

async fn progress_is_kept(house: &House) {
    use ProgressEvent::*;
    let (films, folder) = house.library("films").await;
    let title = house.title(&films, &folder, "a").await;
    let ana = house.user("ana", Role::Admin).await;
    let (one, two) = (house.session_id(), house.session_id());
    let now = || async {
        let (row, _) = house.store.title_for(&ana.id, Role::Admin, &title).await.unwrap().unwrap();
        row.progress.map(|p| (p.position_ms, p.finished))
    };
    let tell = |session, position_ms, event| house.store.set_progress(&ana.id, &title, position_ms, 0, event, session);
    assert_eq!(now().await, None);
    // (who, where, what) -> (position, finished); the title is 100 s long.
    let steps = [
        (&one, 0, Play, (0, false)),
        (&one, 10_000, Time, (10_000, false)),
        (&two, 50_000, Pause, (50_000, false)),
        (&one, 0, Close, (50_000, false)),
        (&one, 12_000, Time, (12_000, false)),
        (&one, 0, Seek, (0, false)),
        (&two, 95_000, Time, (95_000, true)),
        (&two, 0, Play, (95_000, true)),
        (&two, 5_000, Time, (5_000, false)),
        (&two, 0, Ended, (100_000, true)),
        (&two, 900_000, Close, (100_000, true)),
    ];
    for (session, position, event, want) in steps {
        // The wall clock may go back between two reports; the later one still counts.
        house.clock.advance_ms(-500);
        assert!(tell(session, position, event).await.unwrap());
        assert_eq!(now().await, Some(want), "{position} {event:?}");
    }
    let nothing = TitleId::from_random([9; 16]);
    assert!(!house.store.set_progress(&ana.id, &nothing, 1, 1, Time, &one).await.unwrap());
    assert!(!house.store.set_progress(&house.user_id(), &title, 1, 1, Time, &one).await.unwrap());
    assert!(house.store.continue_watching(&ana.id, Role::Admin, 5).await.unwrap().is_empty(), "it is finished");
    assert_eq!(house.store.history(&ana.id, 5).await.unwrap().len(), 1);
}

async fn acknowledged_is_on_the_disk(house: &House) {
    let (films, folder) = house.library("films").await;
    let title = house.title(&films, &folder, "a").await;
    let ana = house.user("ana", Role::Admin).await;
    let session = house.session_id();
    for n in 1..=20_u64 {
        house.store.set_progress(&ana.id, &title, n * 1000, 0, ProgressEvent::Time, &session).await.unwrap();
        // Opened beside the first one, which is not closed: what was acknowledged is there.
        let again = house.again().await;
        let (row, _) = again.title_for(&ana.id, Role::Admin, &title).await.unwrap().unwrap();
        assert_eq!(row.progress.unwrap().position_ms, n * 1000);
        again.close().await;
    }
    if let Database::Sqlite(path) = &house.database {
        // The files as a kill would leave them: database and log, no clean close.
        let dead = house.dir.path().join("dead");
        std::fs::create_dir(&dead).unwrap();
        for end in ["", "-wal"] {
            std::fs::copy(format!("{}{end}", path.display()), dead.join(format!("loge.db{end}"))).unwrap();
        }
        let risen = Store::open(Database::Sqlite(dead.join("loge.db")), Arc::new(house.clock.clone())).await.unwrap();
        let (row, _) = risen.title_for(&ana.id, Role::Admin, &title).await.unwrap().unwrap();
        assert_eq!(row.progress.unwrap().position_ms, 20_000);
        risen.close().await;
    }
}

async fn many_writers_and_readers(house: &House) {
    let (films, folder) = house.library("films").await;
    let title = house.title(&films, &folder, "a").await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(house.user(&format!("u{n}"), Role::Admin).await.id);
    }
    // Two processes on one database: neither ever sees "locked".
    let second = house.again().await;
    let session = house.session_id();
    let mut tasks = Vec::new();
    for (n, user) in people.iter().enumerate() {
        let store = if n % 2 == 0 { house.store.clone() } else { second.clone() };
        let (user, title, session) = (user.clone(), title.clone(), session.clone());
        tasks.push(tokio::spawn(async move {
            for position in 1..=25_u64 {
                assert!(
                    store.set_progress(&user, &title, position * 2000, 0, ProgressEvent::Time, &session).await.unwrap()
                );
                let (row, _) = store.title_for(&user, Role::Admin, &title).await.unwrap().unwrap();
                assert_eq!(row.progress.unwrap().position_ms, position * 2000, "a writer reads its own write");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    second.close().await;
}

async fn jobs_over_a_restart(house: &House) {
    let job = |n: u8, state| JobRow {
        id: JobId::from_random([n; 16]),
        kind: JobKind::Scan,
        library: None,
        state,
        done: 1,
        total: u64::MAX,
        current: Some("a\0b".into()),
        error: None,
        note: Some("Two links were left out.".into()),
        created_at: base::UnixMs(i64::from(n)),
        started_at: Some(base::UnixMs(1)),
        finished_at: None,
    };
    let running = job(1, JobState::Running);
    house.store.create_job(&running).await.unwrap();
    house.store.save_job(&job(2, JobState::Paused)).await.unwrap();
    assert_eq!(house.store.requeue_interrupted().await.unwrap(), 1);
    let now = house.store.job(&running.id).await.unwrap().unwrap();
    assert_eq!((now.state, now.total, now.current.as_deref()), (JobState::Queued, u64::MAX, Some("a\u{fffd}b")));
    let newest: Vec<_> = house.store.jobs(10).await.unwrap().into_iter().map(|j| j.created_at.0).collect();
    assert_eq!(newest, [2, 1]);
    for n in 0..210 {
        let id = JobId::from_random([u8::MAX, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let at = base::UnixMs(1000 + i64::from(n));
        let over = JobRow { id, created_at: at, finished_at: Some(at), ..job(3, JobState::Done) };
        house.store.update_job(&over).await.unwrap();
    }
    assert_eq!(house.store.jobs(500).await.unwrap().len(), 202, "200 finished ones and the two that wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_goes_away_leaves_nothing_half_done() {
    let Some(house) = House::open(SQLITE).await else { return };
    let (films, folder) = house.library("films").await;
    for round in 0..40_u32 {
        let batch =
            (0..20).map(|n| crate::house::found(&format!("{round}-{n}"), None, Err(domain::facts::Defect::Empty)));
        let work = house.store.apply_scan(&films, &folder, batch.collect());
        // Dropped at another point each time.
        let _ = tokio::time::timeout(std::time::Duration::from_micros(u64::from(round) * 150), work).await;
    }
    let files = house.store.files_of_folder(&folder).await.unwrap();
    assert_eq!(files.len() % 20, 0, "whole batches only");
    house.title(&films, &folder, "after").await;
    house.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_as_such_and_passes() {
    let Some(house) = House::open(SQLITE).await else { return };
    let (films, folder) = house.library("films").await;
    house.store.limit_pages(60).await.unwrap();
    let mut failed = None;
    for n in 0..2000 {
        let change = crate::house::found(&format!("{n} {}", "x".repeat(500)), None, Err(domain::facts::Defect::Empty));
        if let Err(e) = house.store.apply_scan(&films, &folder, vec![change]).await {
            failed = Some(e);
            break;
        }
    }
    let error = failed.expect("the database has an end");
    assert!(error.is_full(), "{error:?}");
    assert_eq!(error.failure().code, domain::Code::DiskFull);
    assert!(!house.store.libraries().await.unwrap().is_empty(), "reading goes on");
    house.store.limit_pages(1_000_000).await.unwrap();
    house.title(&films, &folder, "room again").await;
    house.clear().await;
}
