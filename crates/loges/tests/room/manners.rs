//! Workers that break one rule each. The control is the good one; in every case another tenant
//! goes on undisturbed.

use crate::house::{House, ana, bo, file, film, take};
use contract::{FileRef, Job, PlanPart, Status, Track, Wanted};
use domain::{Code, LogeState, Tenant};
use loges::{JobError, RangeError};
use std::time::Duration;
use testkit::{Manner, eventually, runtime::Start};

#[tokio::test]
async fn a_good_worker_gives_exactly_what_was_asked_for() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    for (offset, length) in [(0, 1), (99_999, 1), (10, 5000), (0, 100_000)] {
        let expected = film()[offset..offset + length].to_vec();
        assert_eq!(house.read(&ana(), offset as u64, length as u64).await.unwrap(), expected);
    }
    let missing = FileRef { path: b"other".to_vec(), ..file() };
    assert!(matches!(house.loges.range(&ana(), missing, 0, 1).await, Err(RangeError::NotFound)));
    let changed = FileRef { size: Some(5), ..file() };
    assert!(matches!(house.loges.range(&ana(), changed, 0, 1).await, Err(RangeError::Changed)));
    let limit = Duration::from_secs(5);
    let probe = house.loges.job(&ana(), Job::Probe { file: file() }, 1000, limit).await.unwrap();
    assert_eq!(probe, b"{\"format\":{}}");
    let poster = Job::Poster { file: file(), picture_track: 0, moments_ms: vec![0], width: 10 };
    match house.loges.job(&ana(), poster, 1000, limit).await {
        Err(JobError::Ended { status: Status::Failed, text }) => assert_eq!(text, "no picture[31min there"),
        other => panic!("{other:?}"),
    }
    // A result over the limit is refused although the worker means well.
    let over = house.loges.job(&ana(), Job::Probe { file: file() }, 3, limit).await;
    assert!(matches!(over, Err(JobError::Broke(_))), "{over:?}");
    let view = house.loges.view(&ana()).unwrap();
    assert_eq!((view.state, view.active, view.restarts), (LogeState::Ready, 0, 0));
    assert_eq!(house.runtime.starts().len(), 1);
    house.close().await;
}

async fn check(manner: Manner, expected: &str) {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.read(&bo(), 0, 10).await.unwrap();
    house.runtime.next(Start::Worker(manner));
    let began = tokio::time::Instant::now();
    let outcome = house.read(&ana(), 0, 10_000).await;
    let text = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert!(text.contains(expected), "{manner:?}: {text:?} {:?}", outcome.map(|b| b.len()));
    assert!(began.elapsed() <= Duration::from_secs(11), "{manner:?} took {:?}", began.elapsed());
    assert_eq!(house.read(&bo(), 5, 100).await.unwrap(), film()[5..105], "{manner:?} hurt somebody else");
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_what_was_asked_for_are_cut() {
    for (manner, expected) in [
        (Manner::WrongId, "answered another request"),
        (Manner::GarbageHead, "no head"),
        (Manner::AnnouncesMore, "another length"),
        (Manner::AnnouncesLess, "another length"),
        (Manner::BytesBehindNo, "where none belong"),
        (Manner::SendsLess, "early eof"),
        (Manner::StopsHalfWay, "stalled"),
        (Manner::SilentOnData, "did not answer in time"),
        (Manner::NeverDials, "did not dial in"),
    ] {
        check(manner, expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn workers_that_do_not_get_through_the_door_fail_their_start_and_are_cleared_away() {
    for manner in
        [Manner::Mute, Manner::NeverConnects, Manner::WrongNonce, Manner::WrongProtocol, Manner::DiesAtStart(1)]
    {
        let house = House::open(Start::Worker(Manner::Good)).await;
        house.runtime.next(Start::Worker(manner));
        let failure = house.loges.ensure(&ana()).await.unwrap_err();
        assert!(matches!(failure.code, Code::LogeFailed | Code::LogeStarting), "{manner:?}: {failure:?}");
        assert!(failure.retry_after.is_some());
        eventually("the failed start is cleared away", Duration::from_secs(5), async || {
            house.runtime.living().is_empty()
        })
        .await;
        // And the next try is a good one.
        eventually("it is tried again", Duration::from_secs(10), async || house.loges.ensure(&ana()).await.is_ok())
            .await;
        house.close().await;
    }
}

/// Whoever asked either hears that it broke or is served by the next worker, with the right bytes.
#[tokio::test]
async fn a_worker_that_dies_half_way_is_replaced() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.runtime.next(Start::Worker(Manner::DiesHalfWay));
    match house.read(&ana(), 0, 10_000).await {
        Ok(bytes) => assert!(bytes == film()[..10_000]),
        Err(e) => assert!(matches!(e, RangeError::Broke(_)), "{e}"),
    }
    eventually("the next one serves", Duration::from_secs(10), async || {
        house.read(&ana(), 0, 10_000).await.is_ok_and(|bytes| bytes == film()[..10_000])
    })
    .await;
    assert_eq!(house.runtime.starts().len(), 2);
    house.close().await;
}

fn named(name: &str) -> FileRef {
    FileRef { path: name.as_bytes().to_vec(), ..file() }
}

/// Asks for what a program has to parse a film for.
async fn parse(house: &House, who: &Tenant, file: FileRef) -> Result<Vec<u8>, RangeError> {
    let track = Track::VideoCopy { picture: 0, hevc: false };
    house.loges.init(who, file, track, 5000).await.map(take).map(Box::pin)?.await
}

/// One bad film must not cost its viewer the loge again and again. `137` is somebody else's doing.
#[tokio::test(start_paused = true)]
async fn a_film_that_ends_two_workers_is_set_aside() {
    let house = House::open(Start::Worker(Manner::ChokesOnBad)).await;
    let bad = named("bad film");
    let refused = async || matches!(parse(&house, &ana(), bad.clone()).await, Err(RangeError::Unplayable(_)));
    assert!(!refused().await, "the first time it is worked on");
    // The second time it is alone in the house's loge.
    eventually("its owner is told", Duration::from_secs(60), async || house.tenants.aside() == [bad.clone()]).await;
    let lost = house.runtime.starts().len();
    assert!(refused().await);
    // Everything else goes on, and so does the film as it is.
    eventually("another film", Duration::from_secs(60), async || parse(&house, &ana(), file()).await.is_ok()).await;
    house.loges.release_file(&bad);
    assert!(!refused().await, "its owner gave it another chance, and it is worked on again");
    eventually("another worker", Duration::from_secs(60), async || house.runtime.starts().len() > lost).await;
    house.close().await;

    // The control: workers that somebody kills at the same moment put no blame on the film.
    let house = House::open(Start::Worker(Manner::Good)).await;
    for _ in 0..4 {
        let track = Track::VideoCopy { picture: 0, hevc: false };
        eventually("a good answer", Duration::from_secs(120), async || {
            house.loges.init(&ana(), file(), track.clone(), 5000).await.is_ok()
        })
        .await;
        house.runtime.kill(&house.runtime.living()[0]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(house.tenants.aside(), []);
    house.close().await;
}

/// Films that play beside a bad one are not to blame, however often it happens.
#[tokio::test(start_paused = true)]
async fn a_film_that_was_only_in_bad_company_is_tried_alone_and_plays_on() {
    let house = House::open(Start::Worker(Manner::ChokesOnBad)).await;
    let (good, bad) = (named("slow film"), named("bad film"));
    for _ in 0..2 {
        let ana = ana();
        let (_, bad) = tokio::join!(parse(&house, &ana, good.clone()), parse(&house, &ana, bad.clone()));
        assert!(bad.is_err());
        eventually("a loge of hers", Duration::from_secs(60), async || house.loges.ensure(&ana).await.is_ok()).await;
    }
    eventually("the bad one is aside", Duration::from_secs(300), async || house.tenants.aside() == [bad.clone()]).await;
    // The control: the good one was suspected too, and tried in the house's loge.
    assert!(house.runtime.starts().iter().any(|start| start.tenant == Tenant::House));
    // Every retrial that was ordered has been tried by now.
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(house.tenants.aside(), std::slice::from_ref(&bad));
    let answer = parse(&house, &ana(), good).await;
    assert!(matches!(answer, Err(RangeError::NotFound)), "it is asked for, and the worker lives: {answer:?}");
    assert!(matches!(parse(&house, &ana(), bad).await, Err(RangeError::Unplayable(_))));
    house.close().await;
}

/// Each ends the worker and a fresh one takes its place.
#[tokio::test(start_paused = true)]
async fn three_broken_rules_end_a_worker() {
    for manner in
        [Manner::TwoHellos, Manner::UnaskedPongs, Manner::HugeFrame, Manner::MadeUpTokens, Manner::DeafToPings]
    {
        let house = House::open(Start::Worker(Manner::Good)).await;
        house.runtime.next(Start::Worker(manner));
        let first = house.loges.ensure(&ana()).await;
        eventually("a fresh worker", Duration::from_secs(30), async || {
            house.runtime.starts().len() == 2 && house.state(&ana()) == LogeState::Ready
        })
        .await;
        assert!(first.is_ok(), "{manner:?}: {first:?}");
        assert_eq!(house.loges.view(&ana()).unwrap().restarts, 1, "{manner:?}");
        assert_eq!(house.read(&ana(), 0, 10).await.unwrap(), film()[..10]);
        house.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_answer_three_times_ends_the_worker_too() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.runtime.next(Start::Worker(Manner::WrongId));
    for _ in 0..3 {
        assert!(house.read(&ana(), 0, 10).await.is_err());
    }
    eventually("the next worker serves", Duration::from_secs(10), async || house.read(&ana(), 0, 10).await.is_ok())
        .await;
    assert_eq!(house.runtime.starts().len(), 2);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn more_bytes_than_announced_are_never_taken_and_count() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.runtime.next(Start::Worker(Manner::SendsMore));
    // Exactly the asked-for bytes arrive; the rest is seen when the connection comes back.
    for _ in 0..3 {
        assert_eq!(house.read(&ana(), 7, 50).await.unwrap(), film()[7..57]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eventually("the worker is replaced", Duration::from_secs(10), async || {
        let _ = house.read(&ana(), 0, 1).await;
        house.runtime.starts().len() == 2
    })
    .await;
    house.close().await;
}

fn wanted(number: u32) -> Wanted {
    Wanted { number, ahead: 1, plan: PlanPart::Audio { end: 48_000 } }
}
const SOUND: Track = Track::AudioEncode { index: 0 };

#[tokio::test]
async fn segments_are_as_long_as_the_worker_says_up_to_a_limit() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let init = house.loges.init(&ana(), file(), SOUND, 4000).await.unwrap();
    assert_eq!(init.length(), 1000);
    assert_eq!(take(init).await.unwrap(), film()[..1000]);
    let segment = house.loges.segment(&ana(), file(), SOUND, wanted(4), 1000).await.unwrap();
    assert_eq!(take(segment).await.unwrap(), film()[5000..6000]);
    let none = house.loges.segment(&ana(), file(), SOUND, wanted(4000), 1000).await;
    assert!(matches!(none, Err(RangeError::Unplayable(_))), "{none:?}");
    assert_eq!(house.loges.view(&ana()).unwrap().restarts, 0);
    // One byte over the limit breaks a rule, and the third time ends the worker.
    for _ in 0..3 {
        let over = house.loges.segment(&ana(), file(), SOUND, wanted(4), 999).await;
        assert!(matches!(over, Err(RangeError::Broke(_))), "{over:?}");
    }
    eventually("a fresh worker", Duration::from_secs(10), async || {
        house.loges.init(&ana(), file(), SOUND, 4000).await.is_ok()
            && house.runtime.starts().iter().filter(|start| start.tenant == ana()).count() == 2
    })
    .await;
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn segments_may_take_longer_than_ranges_and_not_for_ever() {
    let house = House::open(Start::Worker(Manner::SilentOnData)).await;
    house.loges.ensure(&ana()).await.unwrap();
    let began = tokio::time::Instant::now();
    let outcome = house.loges.segment(&ana(), file(), SOUND, wanted(0), 1000).await;
    assert!(matches!(&outcome, Err(RangeError::Broke(why)) if why.contains("did not answer in time")), "{outcome:?}");
    let took = began.elapsed();
    assert!(took >= loges::link::SEGMENT_DEADLINE && took < Duration::from_secs(25), "{took:?}");
    // A viewer who leaves is not waited for.
    let ana = ana();
    let leaving = house.loges.segment(&ana, file(), SOUND, wanted(1), 1000);
    assert!(tokio::time::timeout(Duration::from_secs(3), leaving).await.is_err());
    assert_eq!(house.loges.view(&ana).unwrap().active, 0);
    house.close().await;
}

#[tokio::test]
async fn dribbled_bytes_arrive_whole() {
    let house = House::open(Start::Worker(Manner::Dribbles)).await;
    assert_eq!(house.read(&ana(), 0, 200).await.unwrap(), film()[..200]);
    house.close().await;
}

/// The kernel ends a read where descriptors ride, which the runtime takes for the end of what
/// there is: such an answer may come late and be cut, and that is this worker's own loss.
#[tokio::test(start_paused = true)]
async fn passed_descriptors_never_arrive() {
    let open = || {
        let fds = std::fs::read_dir("/proc/self/fd").unwrap();
        fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .filter(|target| target.as_os_str() == "/dev/null")
            .count()
    };
    let house = House::open(Start::Worker(Manner::PassesDescriptors)).await;
    house.loges.ensure(&ana()).await.unwrap();
    let before = open();
    for _ in 0..20 {
        match house.read(&ana(), 0, 10).await {
            Ok(bytes) => assert_eq!(bytes, film()[..10]),
            Err(e) => assert!(matches!(e, RangeError::Broke(_)), "{e:?}"),
        }
        assert!(open() <= before, "descriptors of a worker are open here");
    }
    house.close().await;
}

#[tokio::test]
async fn one_worker_takes_a_bounded_number_of_requests() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    let mut held = Vec::new();
    for _ in 0..loges::link::MAX_ACTIVE {
        held.push(house.loges.range(&ana(), file(), 0, 10).await.unwrap());
    }
    let refused = house.loges.range(&ana(), file(), 0, 10).await;
    assert!(matches!(refused, Err(RangeError::Busy)), "{refused:?}");
    assert_eq!(house.loges.view(&ana()).unwrap().active, loges::link::MAX_ACTIVE);
    // The limit is one tenant's own, and a place is free as soon as a stream is dropped.
    house.read(&bo(), 0, 10).await.unwrap();
    held.pop();
    house.read(&ana(), 0, 10).await.unwrap();
    drop(held);
    house.close().await;
}
