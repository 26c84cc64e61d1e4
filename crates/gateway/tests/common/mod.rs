//! A worker that answers ranges over Unix streams, and a client that sees every byte on the wire.
#![expect(dead_code, reason = "each test file uses its own part")]

pub mod house;

use loge_gateway::stream::{Flow, Lease, Meter, Pace, Source};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_util::sync::CancellationToken;

/// Bytes that differ at every place, so that a shifted range is noticed.
pub fn film(length: usize) -> Arc<Vec<u8>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    Arc::new(
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect(),
    )
}

/// Small repeatable chance.
pub struct Dice(pub u64);
impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n.max(1)
    }
}

/// Serves `(offset, length)` requests on pooled connections.
#[derive(Clone)]
pub struct FakeWorker {
    pub film: Arc<Vec<u8>>,
    pub idle: Arc<Mutex<Vec<UnixStream>>>,
    pub finished: Arc<AtomicUsize>,
    pub dropped: Arc<AtomicUsize>,
    /// Bytes per write; 0 writes everything at once.
    pub chunk: usize,
    /// Ends every answer after this many bytes.
    pub cut_at: Option<u64>,
}

struct WorkerLease {
    worker: FakeWorker,
    done: bool,
}

impl Lease for WorkerLease {
    fn finish(mut self: Box<Self>, stream: UnixStream) {
        self.done = true;
        self.worker.finished.fetch_add(1, Ordering::SeqCst);
        self.worker.idle.lock().unwrap().push(stream);
    }
}

impl Drop for WorkerLease {
    fn drop(&mut self) {
        if !self.done {
            self.worker.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl FakeWorker {
    pub fn new(film: Arc<Vec<u8>>) -> Self {
        Self { film, idle: Arc::default(), finished: Arc::default(), dropped: Arc::default(), chunk: 0, cut_at: None }
    }

    pub async fn range(&self, offset: u64, length: u64) -> io::Result<(UnixStream, Box<dyn Lease>)> {
        let idle = self.idle.lock().unwrap().pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => {
                let (ours, theirs) = UnixStream::pair()?;
                tokio::spawn(self.clone().work(theirs));
                ours
            }
        };
        let mut ask = offset.to_le_bytes().to_vec();
        ask.extend(length.to_le_bytes());
        stream.write_all(&ask).await?;
        Ok((stream, Box::new(WorkerLease { worker: self.clone(), done: false })))
    }

    pub async fn source(&self, offset: u64, length: u64, cut: CancellationToken, pace: Pace) -> io::Result<Source> {
        let (stream, lease) = self.range(offset, length).await?;
        Ok(Source::new(stream, length, lease, Flow::new(cut, pace, Arc::new(Meter::default()))))
    }

    async fn work(self, mut stream: UnixStream) {
        let mut ask = [0; 16];
        while stream.read_exact(&mut ask).await.is_ok() {
            let offset = u64::from_le_bytes(ask[..8].try_into().unwrap()) as usize;
            let length = u64::from_le_bytes(ask[8..].try_into().unwrap()) as usize;
            let send = self.cut_at.map_or(length, |cut| length.min(cut as usize));
            let bytes = &self.film[offset..offset + send];
            for part in bytes.chunks(if self.chunk == 0 { bytes.len().max(1) } else { self.chunk }) {
                if stream.write_all(part).await.is_err() {
                    return;
                }
                if self.chunk > 0 {
                    tokio::task::yield_now().await;
                }
            }
            if send < length {
                return;
            }
        }
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The head was read and the body had to be given up.
    pub broken: Option<io::Error>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// HTTP/1.1 by hand: what a test sends is what goes out.
pub struct Client {
    pub tcp: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { tcp: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.tcp.write_all(text.as_ref()).await.unwrap();
    }

    pub async fn get(&mut self, path: &str, headers: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
        self.answer(false).await.expect("an answer")
    }

    /// How many bytes of the body came before the connection broke; `None` when it did not break.
    pub async fn get_broken(&mut self, path: &str) -> Option<Vec<u8>> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        match self.answer(false).await {
            // The reset may overtake even the head.
            Err(_) => Some(Vec::new()),
            Ok(answer) => answer.broken.map(|_| answer.body),
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        let mut chunk = vec![0; 16 << 10];
        let read = self.tcp.read(&mut chunk).await?;
        self.buffer.extend_from_slice(&chunk[..read]);
        Ok(read)
    }

    /// # Errors
    /// The connection ended before a whole head was there.
    pub async fn answer(&mut self, head_only: bool) -> io::Result<Answer> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        self.buffer.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> =
            lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_lowercase(), v.trim().to_string())).collect();
        let mut answer = Answer { status, headers, body: Vec::new(), broken: None };
        if head_only || status == 304 || status == 204 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.broken = self.chunked(&mut answer.body).await.err();
            return Ok(answer);
        }
        let length: usize = answer.header("content-length").map_or(0, |v| v.parse().unwrap());
        while self.buffer.len() < length {
            match self.more().await {
                Ok(0) => {
                    answer.broken = Some(io::ErrorKind::UnexpectedEof.into());
                    break;
                }
                Ok(_) => {}
                Err(e) => {
                    answer.broken = Some(e);
                    break;
                }
            }
        }
        let take = length.min(self.buffer.len());
        answer.body = self.buffer.drain(..take).collect();
        Ok(answer)
    }

    async fn chunked(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = loop {
                if let Some(at) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                    break at;
                }
                if self.more().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            let size = usize::from_str_radix(&String::from_utf8_lossy(&self.buffer[..line]), 16).unwrap();
            while self.buffer.len() < line + 2 + size + 2 {
                if self.more().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            body.extend_from_slice(&self.buffer[line + 2..line + 2 + size]);
            self.buffer.drain(..line + 2 + size + 2);
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// One server-sent event or comment block, without its empty line.
    pub async fn event_block(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|w| w == b"\n\n") {
                let block = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
                self.buffer.drain(..at + 2);
                return Ok(block);
            }
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Waits for the end of the connection; what still came is dropped.
    pub async fn closed(&mut self, within: Duration) -> bool {
        tokio::time::timeout(within, async {
            let mut sink = vec![0; 64 << 10];
            while !matches!(self.tcp.read(&mut sink).await, Ok(0) | Err(_)) {}
        })
        .await
        .is_ok()
    }
}

/// Waits until `condition` holds; panics after `within`.
pub async fn until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + within;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "{what} did not happen within {within:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until `condition` holds, however long that takes a loaded machine; says so when it is a
/// minute.
pub async fn until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(), "{what} did not happen");
}
