//! One rule broken at a time, until the loge is killed: how often, what the person hears, that the
//! kill is taken down once, and that nobody else notices. The control is a gateway that checks
//! nothing, with the same workers: there each attack gets through.

use crate::house::{FILM_BYTES, House, ana, bo, file, film};
use contract::{AnswerHead, FromWorker, Hello, Opening, Request, RequestBody, ToWorker, frame};
use domain::LogeState;
use loges::{RangeError, link};
use std::{collections::HashMap, sync::Arc, time::Duration};
use testkit::{Manner, ScriptedWorker, eventually, runtime::Start};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// Reads until the worker was replaced; what each read before that came to.
async fn until_killed(house: &House, manner: Manner) -> Vec<Result<Vec<u8>, RangeError>> {
    let mut outcomes = Vec::new();
    while house.runtime.starts().iter().filter(|start| start.tenant == ana()).count() < 2 {
        assert!(outcomes.len() < 12, "{manner:?} is let get away with it");
        let outcome = house.read(&ana(), 7, 5000).await;
        outcomes.push(outcome);
        // A kill is on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    outcomes
}

async fn killed_for(rule: &str, manner: Manner, words: &str) {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.read(&bo(), 0, 10).await.unwrap();
    house.runtime.next(Start::Worker(manner));
    let outcomes = until_killed(&house, manner).await;
    for bytes in outcomes.into_iter().flatten() {
        assert!(bytes == film()[7..5007], "{rule}: {manner:?} got other bytes through");
    }
    eventually("it is taken down", Duration::from_secs(10), async || !house.tenants.killed().is_empty()).await;
    let killed = house.tenants.killed();
    assert!(killed.len() == 1 && killed[0].0 == ana(), "{rule}: {manner:?}: {killed:?}");
    assert!(killed[0].1.contains("3 times") && killed[0].1.contains(words), "{rule}: {manner:?}: {killed:?}");
    eventually("a fresh worker serves", Duration::from_secs(30), async || {
        house.read(&ana(), 7, 5000).await.is_ok_and(|bytes| bytes == film()[7..5007])
    })
    .await;
    assert_eq!(house.read(&bo(), 5, 100).await.unwrap(), film()[5..105], "{rule}: {manner:?} hurt somebody else");
    assert_eq!(house.loges.view(&bo()).unwrap().restarts, 0);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn h1_h2_h4_three_broken_rules_kill_and_are_taken_down_once() {
    for (rule, manner, words) in [
        ("H1", Manner::TwoHellos, "a second hello"),
        ("H1", Manner::MadeUpTokens, "its token is not awaited"),
        ("H1", Manner::TokenTwice, "its token is not awaited"),
        ("H2", Manner::UnaskedPongs, "a pong that nobody asked for"),
        ("H2", Manner::WrongId, "an answer to another request"),
        ("H2", Manner::OldId, "an answer to another request"),
        ("H2", Manner::GarbageHead, "an answer that is none"),
        ("H4", Manner::AnnouncesMore, "announced"),
        ("H4", Manner::AnnouncesLess, "announced"),
        ("H4", Manner::AnnouncesTenfold, "announced"),
        ("H4", Manner::AnnouncesEverything, "announced"),
        ("H4", Manner::BytesBehindNo, "bytes behind an answer that has none"),
        ("H4", Manner::SendsMore, "bytes"),
        ("H4", Manner::SendsLess, "short"),
        ("H4", Manner::AnswersTwice, "bytes"),
        ("H4", Manner::Endless, "bytes"),
        ("H4", Manner::SpeaksUnasked, "bytes that nobody asked for"),
    ] {
        killed_for(rule, manner, words).await;
    }
}

/// Frames that are none end the connection at once, and a worker that hangs is not waited for:
/// it is replaced, and whoever waits hears so within the deadline.
#[tokio::test(start_paused = true)]
async fn h2_h5_what_cannot_go_on_is_replaced_within_its_deadline() {
    for manner in [
        Manner::HugeFrame,
        Manner::NonsenseFrames,
        Manner::HalfAFrame,
        Manner::StopsReading,
        Manner::DeafToPings,
        Manner::SilentOnData,
        Manner::HalfAHead,
        Manner::NeverDials,
        Manner::StopsHalfWay,
    ] {
        let house = House::open(Start::Worker(Manner::Good)).await;
        house.read(&bo(), 0, 10).await.unwrap();
        house.runtime.next(Start::Worker(manner));
        let began = tokio::time::Instant::now();
        let outcome = house.read(&ana(), 0, 10_000).await;
        assert!(began.elapsed() <= Duration::from_secs(11), "{manner:?} took {:?}", began.elapsed());
        if let Ok(bytes) = outcome {
            assert!(bytes == film()[..10_000], "{manner:?}");
        }
        eventually("a fresh worker, or the old one if it lives", Duration::from_secs(60), async || {
            house.state(&ana()) == LogeState::Ready
        })
        .await;
        assert_eq!(house.read(&bo(), 5, 100).await.unwrap(), film()[5..105], "{manner:?} hurt somebody else");
        house.close().await;
    }
}

/// No stall is ever long enough to be one, and still the answer has its time.
#[tokio::test(start_paused = true)]
async fn h5_a_result_that_dribbles_ends_with_its_job() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.runtime.next(Start::Worker(Manner::TakesForEver));
    let limit = Duration::from_secs(3);
    let began = tokio::time::Instant::now();
    let job = contract::Job::Probe { file: file() };
    let outcome = house.loges.job(&ana(), job, 1000, limit).await;
    assert!(outcome.is_err(), "{outcome:?}");
    let most = limit + link::FIRST_BYTE_DEADLINE + link::STALL_DEADLINE + Duration::from_secs(1);
    assert!(began.elapsed() <= most, "it took {:?}", began.elapsed());
    house.close().await;
}

/// Eight of nine mean no good, and the ninth watches.
#[tokio::test(start_paused = true)]
async fn h5_eight_evil_ones_do_not_slow_the_ninth() {
    let house = House::open(Start::Worker(Manner::Good)).await;
    house.read(&bo(), 0, 10).await.unwrap();
    let evil = [
        Manner::SilentOnData,
        Manner::Endless,
        Manner::TakesForEver,
        Manner::NeverDials,
        Manner::StopsHalfWay,
        Manner::StopsReading,
        Manner::HalfAHead,
        Manner::AnnouncesEverything,
    ];
    let mut busy = tokio::task::JoinSet::new();
    let house = Arc::new(house);
    for (n, manner) in evil.into_iter().enumerate() {
        let who = domain::Tenant::User(domain::UserId::from_random([0x40 + u8::try_from(n).unwrap(); 16]));
        house.runtime.next(Start::Worker(manner));
        house.loges.ensure(&who).await.unwrap();
        let house = house.clone();
        busy.spawn(async move {
            let _ = house.read(&who, 0, 50_000).await;
        });
    }
    for n in 0..200 {
        let began = tokio::time::Instant::now();
        assert_eq!(house.read(&bo(), n, 1000).await.unwrap(), film()[n as usize..n as usize + 1000]);
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    }
    busy.shutdown().await;
    Arc::into_inner(house).unwrap().close().await;
}

/// What a viewer would get through a gateway that believes its worker.
#[derive(Debug, PartialEq)]
enum Believed {
    Right,
    Other,
    /// It would wait for ever.
    Waits,
}

const ASKED: usize = 5000;

/// Welcomes, dials, asks for the first bytes, and hands on what comes, as announced.
async fn careless(manner: Manner) -> Believed {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("gate.sock");
    let door = UnixListener::bind(&socket).unwrap();
    let films = Arc::new(HashMap::from([((file().mount, file().path), film())]));
    let worker = tokio::spawn(ScriptedWorker { socket, nonce: [1; 32], manner, films }.run());
    let reading = async {
        let (mut control, _) = door.accept().await.ok()?;
        let _hello: Hello = match hear(&mut control).await? {
            Opening::Control(hello) => hello,
            Opening::Data { .. } => return None,
        };
        let say = async |control: &mut UnixStream, message: ToWorker| {
            control.write_all(&frame::encode(&message).unwrap()).await.ok()
        };
        say(&mut control, ToWorker::Welcome).await?;
        say(&mut control, ToWorker::Dial { token: [2; 16] }).await?;
        say(&mut control, ToWorker::Ping { seq: 1 }).await?;
        let (mut data, _) = door.accept().await.ok()?;
        let _opening: Opening = hear(&mut data).await?;
        let body = RequestBody::Range { file: file(), offset: 0, length: ASKED as u64 };
        data.write_all(&frame::encode(&Request { id: 9, body }).unwrap()).await.ok()?;
        let mut head = [0; AnswerHead::BYTES];
        data.read_exact(&mut head).await.ok()?;
        let head = AnswerHead::from_bytes(&head);
        // Believed: whose answer it is, and that it is one. Taken: everything that comes at once.
        let mut bytes = vec![0; FILM_BYTES];
        let mut got = 0;
        while let Ok(Ok(n)) = timeout(Duration::from_secs(1), data.read(&mut bytes[got..])).await
            && n > 0
        {
            got += n;
        }
        let pong: Option<FromWorker> = timeout(Duration::from_secs(1), hear(&mut control)).await.ok().flatten();
        let honest = pong == Some(FromWorker::Pong { seq: 1, busy: 0 })
            && head.is_some_and(|head| head.id == 9 && head.length == ASKED as u64)
            && timeout(Duration::from_secs(1), door.accept()).await.is_err();
        Some(honest && bytes[..got] == film()[..ASKED])
    };
    let outcome = timeout(Duration::from_secs(30), reading).await;
    worker.abort();
    match outcome {
        Err(_) => Believed::Waits,
        Ok(Some(true)) => Believed::Right,
        Ok(_) => Believed::Other,
    }
}

async fn hear<T: serde::de::DeserializeOwned>(stream: &mut UnixStream) -> Option<T> {
    let mut field = [0; 4];
    stream.read_exact(&mut field).await.ok()?;
    let mut body = vec![0; frame::body_length(field).ok()?];
    stream.read_exact(&mut body).await.ok()?;
    frame::decode(&body).ok()
}

#[tokio::test(start_paused = true)]
async fn the_control_without_checks_every_attack_gets_through() {
    assert_eq!(careless(Manner::Good).await, Believed::Right);
    for manner in [
        Manner::TwoHellos,
        Manner::MadeUpTokens,
        Manner::TokenTwice,
        Manner::UnaskedPongs,
        Manner::WrongId,
        Manner::OldId,
        Manner::GarbageHead,
        Manner::AnnouncesMore,
        Manner::AnnouncesLess,
        Manner::AnnouncesTenfold,
        Manner::AnnouncesEverything,
        Manner::BytesBehindNo,
        Manner::SendsMore,
        Manner::SendsLess,
        Manner::AnswersTwice,
        Manner::Endless,
        Manner::SpeaksUnasked,
        Manner::HugeFrame,
        Manner::NonsenseFrames,
        Manner::HalfAFrame,
        Manner::StopsReading,
        Manner::DeafToPings,
        Manner::SilentOnData,
        Manner::HalfAHead,
        Manner::NeverDials,
        Manner::StopsHalfWay,
        Manner::TakesForEver,
    ] {
        assert_ne!(careless(manner).await, Believed::Right, "{manner:?} does no harm to anybody");
    }
}
