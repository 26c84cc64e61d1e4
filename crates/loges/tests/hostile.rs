//! The door of a loge, with raw bytes on the real socket: who is let in, what a frame may be, and
//! what becomes of descriptors. Each attack is followed by an honest worker at the same door, and
//! each has a control that shows that the attack would work on somebody careless.

use base::{FakeClock, UnixMs};
use contract::{Hello, Opening, PROTOCOL, ToWorker, frame};
use loges::link::{Gate, Link, PeerRule, Within};
use std::{
    io::{IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

const NONCE: [u8; 32] = [0x5a; 32];
const PATIENCE: Duration = Duration::from_secs(10);

struct Door {
    gate: Gate,
    _dir: tempfile::TempDir,
}

impl Door {
    fn open(rule: PeerRule) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new(UnixMs(1_800_000_000_000), 7));
        let gate = Gate::open(&dir.path().join("l"), "loge", NONCE, clock).unwrap();
        gate.peer().set(rule);
        Self { gate, _dir: dir }
    }

    fn for_anybody() -> Self {
        Self::open(PeerRule::default())
    }

    async fn knock(&self) -> UnixStream {
        UnixStream::connect(self.gate.socket()).await.unwrap()
    }

    /// Says these bytes, and answers what came back until the door was shut.
    async fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.knock().await;
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the door is shut in time");
        answer
    }

    /// The control: an honest worker gets in here.
    async fn welcomes(&self) -> (Arc<Link>, UnixStream) {
        let mut stream = self.knock().await;
        stream.write_all(&hello(NONCE)).await.unwrap();
        let mut answer = vec![0; frame::encode(&ToWorker::Welcome).unwrap().len()];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, frame::encode(&ToWorker::Welcome).unwrap());
        (timeout(PATIENCE, self.gate.link()).await.unwrap(), stream)
    }

    async fn has_link(&self) -> bool {
        timeout(Duration::from_millis(20), self.gate.link()).await.is_ok()
    }
}

fn hello(nonce: [u8; 32]) -> Vec<u8> {
    let hello = Hello { protocol: PROTOCOL, nonce, version: "hostile".into() };
    frame::encode(&Opening::Control(hello)).unwrap()
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], body].concat()
}

#[tokio::test]
async fn h1_only_the_worker_that_was_started_gets_in_and_once() {
    let me = rustix::process::geteuid().as_raw();
    let within = |within| PeerRule { uid: None, within };
    for rule in [
        PeerRule { uid: Some(me + 1), within: Within::Anywhere },
        within(Within::Container("f".repeat(64))),
        within(Within::Process(u32::MAX)),
    ] {
        let door = Door::open(rule.clone());
        assert_eq!(door.say(&hello(NONCE)).await, b"", "{rule:?}");
        assert!(!door.has_link().await, "{rule:?}");
    }
    let door = Door::open(PeerRule { uid: Some(me), within: Within::Process(std::process::id()) });
    for wrong in [[0; 32], [0xff; 32], std::array::from_fn(|n| if n == 31 { 0x5b } else { 0x5a })] {
        assert_eq!(door.say(&hello(wrong)).await, b"");
    }
    assert!(!door.has_link().await);
    let (link, _control) = door.welcomes().await;
    // The same nonce again is a second worker, and that counts against the first.
    for _ in 0..2 {
        assert_eq!(door.say(&hello(NONCE)).await, b"");
        assert!(link.is_alive());
    }
    assert_eq!(door.say(&hello(NONCE)).await, b"");
    let why = timeout(PATIENCE, link.ended()).await.unwrap();
    assert!(why.contains("broke the rules 3 times") && why.contains("a second hello"), "{why}");
}

/// Openings that are none, by name.
fn openings() -> Vec<(String, Vec<u8>)> {
    let good = hello(NONCE);
    let body = &good[4..];
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut put = |name: &str, bytes: Vec<u8>| all.push((name.to_owned(), bytes));
    for length in [0_u32, 1, (64 << 10) + 1, 1 << 20, 1 << 24, i32::MAX as u32, 1 << 31, u32::MAX - 1, u32::MAX] {
        put(&format!("length {length} and an honest body"), [&length.to_le_bytes()[..], body].concat());
    }
    put("length in the other byte order", [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat());
    for kind in [2_u8, 3, 9, 0x7f, 0x80, 0xff] {
        put(&format!("unknown opening {kind}"), framed(&[&[kind], &body[1..]].concat()));
    }
    for cut in [1, 2, 10, body.len() - 1] {
        put(&format!("body cut to {cut}"), framed(&body[..cut]));
    }
    for more in [1, 100, 60_000] {
        put(&format!("{more} bytes behind the message"), framed(&[body, &vec![0; more][..]].concat()));
    }
    for flip in [0, 1, 2, 5, 20, 33, 34] {
        let mut body = body.to_vec();
        body[flip] ^= 0x81;
        put(&format!("byte {flip} turned"), framed(&body));
    }
    put("a version longer than the frame", framed(&[&body[..body.len() - 8], &[0xff, 0xff, 0xff, 0x7f]].concat()));
    put("a version that is no UTF-8", framed(&[&body[..body.len() - 7], &[0xff; 7]].concat()));
    put("protocol 0", framed(&[&body[..1], &[0], &body[2..]].concat()));
    for token in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
        put(&format!("data before hello, token {token:?}"), frame::encode(&Opening::Data { token }).unwrap());
    }
    for (name, text) in [
        ("HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("HTTP with a body", "POST /api/v1/setup HTTP/1.1\r\nContent-Length: 99\r\n\r\n{}"),
        ("an answer", "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nLocation: //evil\r\n\r\n"),
        ("a line", "hello\n"),
        ("JSON", "{\"Control\":{\"protocol\":2}}"),
        ("a TLS hello", "\u{16}\u{3}\u{1}\0\u{1}"),
    ] {
        put(name, text.as_bytes().to_vec());
    }
    put("gzip that blows up", [&[0x1f, 0x8b, 8, 0][..], &[0xff; 4096]].concat());
    put("zeros", vec![0; 70_000]);
    put("ones", vec![0xff; 70_000]);
    put("a frame in a frame", framed(&good));
    put("a whole megabyte", vec![0x41; 1 << 20]);
    all
}

#[tokio::test]
async fn h2_what_is_no_opening_shuts_the_door_and_the_next_honest_one_gets_in() {
    let cases = openings();
    assert!(cases.len() >= 45, "{} cases", cases.len());
    let door = Door::for_anybody();
    for (name, bytes) in &cases {
        // Half a frame waits for its other half, which the deadline ends: here the sender does.
        let mut stream = door.knock().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect(name);
        assert_eq!(answer, b"", "{name}");
    }
    assert!(!door.has_link().await);
    let _ = door.welcomes().await;
}

/// Nobody holds a place in the door by saying half of something.
#[tokio::test]
async fn h5_half_a_hello_is_not_waited_for() {
    let door = Door::for_anybody();
    for sent in [0, 3, 4, 20] {
        let began = tokio::time::Instant::now();
        assert_eq!(door.say(&hello(NONCE)[..sent]).await, b"");
        assert!(began.elapsed() >= loges::link::HELLO_DEADLINE - Duration::from_millis(100), "{sent}");
    }
    let _ = door.welcomes().await;
}

/// A million frames of nothing on a control connection end it at the third, not at the millionth.
#[tokio::test]
async fn h2_a_flood_of_frames_nobody_asked_for_ends_the_worker() {
    let door = Door::for_anybody();
    let (link, mut control) = door.welcomes().await;
    let pong = frame::encode(&contract::FromWorker::Pong { seq: 1 << 40, busy: 0 }).unwrap();
    let flood = tokio::spawn(async move {
        for _ in 0..1_000_000 {
            if control.write_all(&pong).await.is_err() {
                return true;
            }
        }
        false
    });
    let why = timeout(PATIENCE, link.ended()).await.unwrap();
    assert!(why.contains("broke the rules 3 times"), "{why}");
    assert!(timeout(PATIENCE, flood).await.unwrap().unwrap(), "the flood was taken to its end");
}

/// Everything a hostile worker may have open and would like to give away.
fn gifts() -> Vec<OwnedFd> {
    let (read, write) = rustix::pipe::pipe().unwrap();
    let (one, other) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::empty(),
        None,
    )
    .unwrap();
    let folder: OwnedFd = std::fs::File::open("/").unwrap().into();
    let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    vec![read, write, one, other, folder, null]
}

fn give(stream: BorrowedFd<'_>, bytes: &[u8], gifts: &[OwnedFd]) -> rustix::io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let fds: Vec<BorrowedFd<'_>> = gifts.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
}

/// Descriptors of this process that show one of these.
fn open_here(gifts: &[OwnedFd]) -> usize {
    use std::os::unix::fs::MetadataExt;
    let is = |fd: &OwnedFd| rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino)).unwrap();
    let given: Vec<_> = gifts.iter().map(is).collect();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    fds.filter_map(|fd| std::fs::metadata(fd.path()).ok()).filter(|m| given.contains(&(m.dev(), m.ino()))).count()
}

#[tokio::test]
async fn h6_ten_thousand_descriptors_leave_none_behind() {
    let gifts = gifts();
    // The control: a reader with room for them gets them.
    let before = open_here(&gifts);
    let (careless, sender) = std::os::unix::net::UnixStream::pair().unwrap();
    give(sender.as_fd(), b"x", &gifts).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(6))];
    let mut room = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    rustix::net::recvmsg(&careless, &mut [IoSliceMut::new(&mut byte)], &mut room, rustix::net::RecvFlags::empty())
        .unwrap();
    assert_eq!(open_here(&gifts), before + gifts.len(), "the attack works on a careless reader");
    drop(room);
    assert_eq!(open_here(&gifts), before);

    let door = Door::for_anybody();
    // One frame of the largest size, a byte at a time, with a handful riding on every byte: the
    // kernel ends a read at each, so it does not come far before its time is over.
    let slow = door.knock().await;
    slow.writable().await.unwrap();
    slow.try_write(&(64_u32 << 10).to_le_bytes()).unwrap();
    let mut sent = 0;
    let over = async {
        while sent < 10_000 {
            slow.writable().await.unwrap();
            match slow.try_io(tokio::io::Interest::WRITABLE, || Ok(give(slow.as_fd(), &[0], &gifts)?)) {
                Ok(_) => sent += 1,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
                // More in flight than this user may have, or the door was shut: no more can be given here.
                Err(_) => break,
            }
        }
    };
    timeout(PATIENCE, over).await.expect("the door is shut in time");
    assert!(sent > 10, "only {sent} handfuls were sent");
    drop(slow);
    // Ten thousand more at the door, a fresh connection for each handful.
    for _ in 0..10_000 / gifts.len() {
        let stream = door.knock().await;
        let _ = give(stream.as_fd(), &hello(NONCE)[..8], &gifts);
    }
    testkit::eventually("no descriptor of a worker is open here", PATIENCE, async || open_here(&gifts) == before).await;
}
