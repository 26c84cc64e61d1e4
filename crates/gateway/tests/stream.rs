//! The stream path alone: real sockets, real pipes, a fake worker. What must never happen.

mod common;

use axum::{
    Router,
    body::Body,
    extract::{Extension, Path, State},
    http::Method,
    response::Response,
    routing::get,
};
use base::Lifecycle;
use bytes::Bytes;
use common::{Client, Dice, FakeWorker, film, until};
use http_body::{Frame, SizeHint};
use loge_gateway::{
    listen::{ListenLimits, serve},
    stream::{Flow, IoLimits, Lease, Pace, PortableBody, RegionBody, Slot, Source, marker},
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
};
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct House {
    worker: FakeWorker,
    cut: CancellationToken,
    pace: Pace,
}

struct Running {
    address: SocketAddr,
    house: House,
    lifecycle: Lifecycle,
}

async fn start(worker: FakeWorker, limits: ListenLimits) -> Running {
    let house = House { worker, cut: CancellationToken::new(), pace: Pace::default() };
    let app = Router::new()
        .route("/ping", get(|| async { "pong" }))
        .route(
            "/slow-answer",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                "late"
            }),
        )
        .route("/film/{from}/{length}", get(spliced))
        .route("/read/{from}/{length}", get(portable))
        .route("/no-source", get(|| async { Response::new(Body::new(Lie::NoSource(1 << 20))) }))
        .route("/plain-inside", get(plain_inside))
        .route("/two-at-once", get(two_at_once))
        .with_state(house.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lifecycle = Lifecycle::new();
    lifecycle.spawn("listener", serve(listener, app, limits, std::sync::Arc::default(), lifecycle.clone()));
    Running { address, house, lifecycle }
}

async fn source(house: &House, from: u64, length: u64) -> Source {
    house.worker.source(from, length, house.cut.clone(), house.pace.clone()).await.unwrap()
}

async fn spliced(
    State(house): State<House>,
    Extension(slot): Extension<Slot>,
    Path((from, length)): Path<(u64, u64)>,
    method: Method,
) -> Response {
    let source = source(&house, from, length).await;
    // Even a careless handler, which asks the worker for HEAD too, must not break anything.
    let _ = method;
    Response::new(Body::new(RegionBody::new(slot, source)))
}

async fn portable(State(house): State<House>, Path((from, length)): Path<(u64, u64)>) -> Response {
    Response::new(Body::new(PortableBody::new(source(&house, from, length).await)))
}

/// Bodies that break the rules.
enum Lie {
    NoSource(u64),
    PlainInside(RegionBody, bool),
    Two(RegionBody, Box<RegionBody>),
}

impl http_body::Body for Lie {
    type Data = Bytes;
    type Error = io::Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Lie::NoSource(0) => Poll::Ready(None),
            Lie::NoSource(left) => {
                let n = std::mem::take(left);
                Poll::Ready(Some(Ok(Frame::data(marker::frame(n as usize)))))
            }
            Lie::PlainInside(body, false) => {
                let frame = Pin::new(body).poll_frame(cx);
                if let Lie::PlainInside(_, told) = &mut *self {
                    *told = true;
                }
                frame
            }
            Lie::PlainInside(body, true) => {
                let rest = body.size_hint().exact().unwrap() as usize;
                Poll::Ready(Some(Ok(Frame::data(vec![b'x'; rest].into()))))
            }
            Lie::Two(first, second) => {
                let _ = Pin::new(first).poll_frame(cx);
                Pin::new(&mut **second).poll_frame(cx)
            }
        }
    }
    fn size_hint(&self) -> SizeHint {
        match self {
            Lie::NoSource(n) => SizeHint::with_exact(*n),
            Lie::PlainInside(b, _) | Lie::Two(b, _) => b.size_hint(),
        }
    }
}

async fn plain_inside(State(house): State<House>, Extension(slot): Extension<Slot>) -> Response {
    let source = source(&house, 0, 3 << 20).await;
    // The source is one byte longer than what is sent as film, so it is unfinished when plain bytes come.
    Response::new(Body::new(Lie::PlainInside(RegionBody::new(slot, source), false)))
}

async fn two_at_once(State(house): State<House>, Extension(slot): Extension<Slot>) -> Response {
    let (a, b) = (source(&house, 0, 1000).await, source(&house, 0, 1000).await);
    Response::new(Body::new(Lie::Two(RegionBody::new(slot.clone(), a), Box::new(RegionBody::new(slot, b)))))
}

fn small_film() -> FakeWorker {
    FakeWorker::new(film(6 << 20))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_of_two_thousand_ranges_is_true() {
    let run = start(small_film(), ListenLimits::default()).await;
    let film = run.house.worker.film.clone();
    let size = film.len() as u64;
    let tasks: Vec<_> = (0..8_u64)
        .map(|lane| {
            let (film, address) = (film.clone(), run.address);
            tokio::spawn(async move {
                let mut dice = Dice(lane + 1);
                let mut client = Client::connect(address).await;
                let mut seen = 0;
                while seen < 250 {
                    // Several requests before the first answer is read; one in eight is HEAD.
                    let batch: Vec<(bool, &str, u64, u64)> = (0..1 + dice.below(4))
                        .map(|_| {
                            let from = dice.below(size);
                            let most = if dice.below(10) == 0 { size - from } else { (size - from).min(200_000) };
                            let path = if dice.below(4) == 0 { "read" } else { "film" };
                            (dice.below(8) == 0, path, from, 1 + dice.below(most))
                        })
                        .collect();
                    let mut text = String::new();
                    for (head, path, from, length) in &batch {
                        let verb = if *head { "HEAD" } else { "GET" };
                        text += &format!("{verb} /{path}/{from}/{length} HTTP/1.1\r\nhost: x\r\n\r\n");
                    }
                    client.send(text).await;
                    for (head, path, from, length) in batch {
                        let answer = client.answer(head).await.unwrap();
                        assert_eq!(answer.status, 200);
                        assert_eq!(answer.header("content-length"), Some(length.to_string().as_str()));
                        assert!(answer.broken.is_none(), "{path} {from}+{length}: {:?}", answer.broken);
                        if !head {
                            let (from, length) = (from as usize, length as usize);
                            assert!(answer.body == film[from..from + length], "{path} {from}+{length} differs");
                        }
                        seen += 1;
                    }
                    if dice.below(12) == 0 {
                        // Leaves in the middle of an answer.
                        client.send(format!("GET /film/0/{size} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
                        let mut some = [0; 4096];
                        let _ = client.tcp.read(&mut some).await.unwrap();
                        client = Client::connect(address).await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(run.lifecycle.stop(5 * SECOND).await);
    assert!(!run.lifecycle.has_failed());
}

#[tokio::test]
async fn a_marker_without_a_source_resets() {
    let run = start(small_film(), ListenLimits::default()).await;
    assert_eq!(Client::connect(run.address).await.get_broken("/no-source").await, Some(vec![]));
    assert_eq!(Client::connect(run.address).await.get("/ping", "").await.text(), "pong", "control");
}

#[tokio::test]
async fn plain_bytes_in_the_middle_of_a_film_reset() {
    let run = start(small_film(), ListenLimits::default()).await;
    let body = Client::connect(run.address).await.get_broken("/plain-inside").await.expect("a reset");
    assert!(body.len() <= 2 << 20);
    assert!(run.house.worker.film.starts_with(&body), "nothing but film may have come out");
}

#[tokio::test]
async fn two_sources_on_one_connection_reset() {
    let run = start(small_film(), ListenLimits::default()).await;
    assert_eq!(Client::connect(run.address).await.get_broken("/two-at-once").await, Some(vec![]));
}

#[tokio::test]
async fn a_short_source_is_a_reset_and_never_a_clean_end() {
    for path in ["film", "read"] {
        let worker = FakeWorker { cut_at: Some(100_000), ..small_film() };
        let run = start(worker, ListenLimits::default()).await;
        let mut client = Client::connect(run.address).await;
        let answer = client.get(&format!("/{path}/0/100000"), "").await;
        assert!(answer.broken.is_none(), "control: a range that is there comes whole");
        let answer = client.get(&format!("/{path}/0/100001"), "").await;
        assert!(answer.broken.is_some(), "{path}");
        assert_eq!(run.house.worker.dropped.load(Ordering::SeqCst), 1, "{path}: a broken connection is not pooled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost() {
    // Tiny writes on one side and jerky reading on the other make both sockets turn empty and
    // full at every possible moment.
    let worker = FakeWorker { chunk: 3000, ..FakeWorker::new(film(1 << 20)) };
    let run = start(worker, ListenLimits::default()).await;
    let film = run.house.worker.film.clone();
    let tasks: Vec<_> = (0..48_u64)
        .map(|lane| {
            let (film, address) = (film.clone(), run.address);
            tokio::spawn(async move {
                let mut dice = Dice(lane + 77);
                for _ in 0..3 {
                    let mut client = Client::connect(address).await;
                    client.send(format!("GET /film/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", film.len())).await;
                    let mut got = Vec::new();
                    let mut buffer = vec![0; 70_000];
                    let head = loop {
                        let most = 1 + dice.below(70_000) as usize;
                        let n = client.tcp.read(&mut buffer[..most]).await.unwrap();
                        assert!(n > 0, "ended early");
                        got.extend_from_slice(&buffer[..n]);
                        if dice.below(5) == 0 {
                            tokio::time::sleep(Duration::from_micros(dice.below(900))).await;
                        }
                        if let Some(at) = got.windows(4).position(|w| w == b"\r\n\r\n")
                            && got.len() >= at + 4 + film.len()
                        {
                            break at + 4;
                        }
                    };
                    assert!(got[head..] == film[..]);
                }
            })
        })
        .collect();
    let all = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    tokio::time::timeout(60 * SECOND, all).await.expect("a stream hangs");
}

fn limits(io: IoLimits) -> ListenLimits {
    ListenLimits { io, ..ListenLimits::default() }
}

#[tokio::test]
async fn a_viewer_who_takes_nothing_is_let_go() {
    let io = IoLimits { write: SECOND, ..IoLimits::default() };
    const LENGTH: usize = 48 << 20;
    let worker = FakeWorker::new(film(LENGTH));
    let run = start(worker, limits(io)).await;
    // Control: slow but moving, for longer than the limit.
    let mut slow = Client::connect(run.address).await;
    slow.send(format!("GET /film/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", LENGTH)).await;
    let mut taken = 0;
    let mut buffer = vec![0; 64 << 10];
    let begin = tokio::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(2200) {
        taken += slow.tcp.read(&mut buffer).await.expect("still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(taken > 0 && taken < LENGTH, "in the middle: {taken}");
    drop(slow);
    until("the slow one is gone", 5 * SECOND, || run.house.worker.dropped.load(Ordering::SeqCst) == 1).await;

    let mut stalled = Client::connect(run.address).await;
    stalled.send(format!("GET /film/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", LENGTH)).await;
    until("the stalled stream is dropped", 5 * SECOND, || run.house.worker.dropped.load(Ordering::SeqCst) == 2).await;
    assert!(stalled.closed(5 * SECOND).await);
}

#[tokio::test]
async fn a_cut_ends_a_running_stream() {
    for path in ["film", "read"] {
        let run = start(FakeWorker::new(film(24 << 20)), ListenLimits::default()).await;
        let mut client = Client::connect(run.address).await;
        client.send(format!("GET /{path}/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", 24 << 20)).await;
        let mut some = vec![0; 100_000];
        client.tcp.read_exact(&mut some).await.unwrap();
        run.house.cut.cancel();
        assert!(client.closed(2 * SECOND).await, "{path}");
        let after = Client::connect(run.address).await.get_broken(&format!("/{path}/0/1000")).await;
        assert_eq!(after, Some(vec![]), "a cut source gives nothing");
    }
}

#[tokio::test]
async fn a_rate_is_kept() {
    let run = start(small_film(), ListenLimits::default()).await;
    run.house.pace.set_rate(Some(1 << 20));
    let begin = tokio::time::Instant::now();
    let answer = Client::connect(run.address).await.get("/film/0/1500000", "").await;
    let took = begin.elapsed().as_secs_f64();
    assert!(answer.body == run.house.worker.film[..1_500_000]);
    assert!((0.9..4.0).contains(&took), "1.5 MB at 1 MiB/s took {took} s");
}

/// A byte every nine seconds is never a stall. Time is not real here, so the socket to the viewer
/// is left out.
#[tokio::test(start_paused = true)]
async fn h5_a_worker_that_dribbles_is_given_up() {
    struct Nothing;
    impl Lease for Nothing {
        fn finish(self: Box<Self>, _: UnixStream) {}
    }
    for (chunk, is_enough) in [(1, false), (1_500_000, true)] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let length = chunk * 10;
        tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(9 * SECOND).await;
                if theirs.write_all(&vec![7; chunk]).await.is_err() {
                    return;
                }
            }
        });
        let flow = Flow::new(CancellationToken::new(), Pace::default(), Arc::default());
        let mut body = Box::pin(PortableBody::new(Source::new(ours, length as u64, Box::new(Nothing), flow)));
        let began = tokio::time::Instant::now();
        let (mut came, mut error) = (0, None);
        while let Some(frame) = std::future::poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await {
            match frame {
                Ok(frame) => came += frame.into_data().unwrap().len(),
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        assert_eq!((error.is_none(), came == length), (is_enough, is_enough), "{error:?} after {came}");
        assert!(is_enough || began.elapsed() < 20 * SECOND, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn connections_that_keep_us_waiting_are_closed() {
    let quick = Duration::from_millis(250);
    let io = IoLimits { first_byte: quick, head: quick, idle: quick, stranger_idle: quick, write: 30 * SECOND };
    let run = start(FakeWorker::new(film(24 << 20)), limits(io)).await;

    let mut silent = Client::connect(run.address).await;
    assert!(silent.closed(2 * SECOND).await, "connected and silent");

    let mut trickle = Client::connect(run.address).await;
    let begin = tokio::time::Instant::now();
    for byte in b"GET /ping HTTP/1.1\r\nhost: localhost\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        use tokio::io::AsyncWriteExt;
        if trickle.tcp.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(trickle.closed(2 * SECOND).await && begin.elapsed() < 5 * SECOND, "a head, byte by byte");

    let mut idle = Client::connect(run.address).await;
    assert_eq!(idle.get("/ping", "").await.text(), "pong");
    assert!(idle.closed(2 * SECOND).await, "nothing after the first request");

    // Controls: neither a slow handler nor a viewer who takes the end of an answer slowly is late.
    let mut patient = Client::connect(run.address).await;
    assert_eq!(patient.get("/slow-answer", "").await.text(), "late");
    let mut slow = Client::connect(run.address).await;
    slow.send(format!("GET /film/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", 24 << 20)).await;
    tokio::time::sleep(4 * quick).await;
    let answer = slow.answer(false).await.unwrap();
    assert!(answer.broken.is_none() && answer.body.len() == 24 << 20);
}

#[tokio::test]
async fn the_last_frame_may_take_its_time() {
    // All of the answer is queued inside hyper, which then waits for the next request. Its own
    // head timer would cut the viewer off here.
    let quick = Duration::from_millis(200);
    let io = IoLimits { first_byte: quick, head: quick, idle: quick, stranger_idle: quick, write: 30 * SECOND };
    let worker = FakeWorker { chunk: 20_000, ..FakeWorker::new(film(1 << 20)) };
    let run = start(worker, limits(io)).await;
    run.house.pace.set_rate(Some(512 << 10));
    let answer = Client::connect(run.address).await.get(&format!("/film/0/{}", 1 << 20), "").await;
    assert!(answer.broken.is_none() && answer.body == **run.house.worker.film);
}

#[tokio::test]
async fn heads_and_connections_are_capped() {
    let run = start(small_film(), ListenLimits { connections_per_source: 2, ..ListenLimits::default() }).await;
    let many: String = (0..150).map(|i| format!("x-{i}: 1\r\n")).collect();
    assert_eq!(Client::connect(run.address).await.get("/ping", &many).await.status, 431);
    let mut client = Client::connect(run.address).await;
    client.send(format!("GET /ping HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(40 << 10))).await;
    assert!(client.answer(false).await.map_or(true, |a| a.status == 431));
    drop(client);
    let mut first = Client::connect(run.address).await;
    assert_eq!(first.get("/ping", "").await.status, 200);
    let mut second = Client::connect(run.address).await;
    assert_eq!(second.get("/ping", "").await.status, 200, "control");
    // The longest idle makes place; what is at work does not.
    let mut third = Client::connect(run.address).await;
    assert_eq!(third.get("/ping", "").await.status, 200);
    assert!(first.closed(20 * SECOND).await);
    second.send("GET /slow-answer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    third.send("GET /slow-answer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(second.answer(false).await.unwrap().text(), "late");
    assert_eq!(third.answer(false).await.unwrap().text(), "late");
}

#[tokio::test]
async fn a_stop_drains_running_streams() {
    let run = start(FakeWorker::new(film(24 << 20)), ListenLimits::default()).await;
    let mut idle = Client::connect(run.address).await;
    assert_eq!(idle.get("/ping", "").await.status, 200);
    let mut client = Client::connect(run.address).await;
    client.send(format!("GET /film/0/{} HTTP/1.1\r\nhost: x\r\n\r\n", 24 << 20)).await;
    let mut some = [0; 10];
    client.tcp.peek(&mut some).await.unwrap();
    let lifecycle = run.lifecycle.clone();
    let stop = tokio::spawn(async move { lifecycle.stop(20 * SECOND).await });
    assert!(idle.closed(2 * SECOND).await, "idle connections close at once");
    let answer = client.answer(false).await.unwrap();
    assert!(answer.broken.is_none() && answer.body.len() == 24 << 20);
    assert!(stop.await.unwrap(), "the kind part was enough");
    assert!(tokio::net::TcpStream::connect(run.address).await.is_err());
}
