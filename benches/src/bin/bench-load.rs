//! The load client: reads ranges from a server on loopback, discards them, and prints one JSON
//! object. Every mode is bounded in requests or time.
//!
//! `bench-load MODE HOST:PORT PATH FILE_BYTES [key=value…]`
//! - `bulk`: `conns` connections read `per` ranges of `size` bytes each.
//! - `small`: `conns` connections ask for ranges of `size` bytes for `secs` seconds, as fast as
//!   they can, or at `rate` requests a second in all.
//! - `beside`: `conns` streams of `size` bytes while one connection asks for `ping` again and again.
//! - `drop`: PATH is a local file whose pages leave the page cache.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use serde_json::json;
use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

struct Target {
    address: String,
    path: String,
    file_bytes: u64,
    options: HashMap<String, String>,
}

impl Target {
    fn number(&self, key: &str, default: u64) -> u64 {
        self.options.get(key).and_then(|v| v.parse().ok()).unwrap_or(default)
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(&target.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, buffer: vec![0; 256 << 10] })
    }

    /// Asks for a range and reads it away. Gives the time to the first byte of the answer.
    fn range(&mut self, target: &Target, offset: u64, length: u64) -> io::Result<Duration> {
        let asked = Instant::now();
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={offset}-{}\r\n\r\n",
            target.path,
            target.address,
            offset + length - 1
        );
        self.stream.write_all(request.as_bytes())?;
        let (status, expected, mut got, first) = self.head(asked)?;
        if status != 206 || expected != length {
            return Err(io::Error::other(format!("answered {status} with {expected} instead of {length} bytes")));
        }
        while got < length {
            let want = self.buffer.len().min((length - got) as usize);
            match self.stream.read(&mut self.buffer[..want])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => got += n as u64,
            }
        }
        Ok(first)
    }

    fn ping(&mut self, target: &Target, path: &str) -> io::Result<Duration> {
        let asked = Instant::now();
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", target.address)?;
        let (_, expected, mut got, first) = self.head(asked)?;
        while got < expected {
            got += self.stream.read(&mut self.buffer)? as u64;
        }
        Ok(first)
    }

    /// Reads an answer's head: status, body length, body bytes that came along, time to the first byte.
    fn head(&mut self, asked: Instant) -> io::Result<(u16, u64, u64, Duration)> {
        let mut head = Vec::new();
        let mut first = None;
        loop {
            let mut piece = [0; 4096];
            let n = self.stream.read(&mut piece)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            first.get_or_insert_with(|| asked.elapsed());
            head.extend_from_slice(&piece[..n]);
            if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
                let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
                let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok());
                return Ok((status, length.unwrap_or(0), (head.len() - end - 4) as u64, first.unwrap_or_default()));
            }
        }
    }
}

fn percentile(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let at = (values.len().saturating_sub(1) as f64 * share) as usize;
    values.get(at).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
}

/// xorshift: offsets that repeat from run to run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn each<T: Send + 'static>(
    conns: u64,
    target: &Arc<Target>,
    work: impl Fn(u64, &Target) -> io::Result<T> + Send + Sync + 'static,
) -> io::Result<Vec<T>> {
    let work = Arc::new(work);
    let threads: Vec<_> = (0..conns)
        .map(|i| {
            let (target, work) = (target.clone(), work.clone());
            thread::spawn(move || work(i, &target))
        })
        .collect();
    threads.into_iter().map(|t| t.join().unwrap_or_else(|_| Err(io::Error::other("a reader died")))).collect()
}

fn bulk(target: &Arc<Target>) -> io::Result<serde_json::Value> {
    let (conns, per, size) = (target.number("conns", 1), target.number("per", 4), target.number("size", 256 << 20));
    let began = Instant::now();
    each(conns, target, move |i, target| {
        let mut connection = Connection::open(target)?;
        for k in 0..per {
            let offset = ((i * per + k) * size) % (target.file_bytes - size + 1);
            connection.range(target, offset, size)?;
        }
        Ok(())
    })?;
    let gib = (conns * per * size) as f64 / f64::from(1 << 30);
    Ok(json!({ "gib": gib, "gib_per_s": gib / began.elapsed().as_secs_f64() }))
}

fn small(target: &Arc<Target>) -> io::Result<serde_json::Value> {
    let (conns, size, secs) = (target.number("conns", 8), target.number("size", 256 << 10), target.number("secs", 4));
    let rate = target.number("rate", 0);
    let began = Instant::now();
    let lists = each(conns, target, move |i, target| {
        let mut connection = Connection::open(target)?;
        let mut state = 0x9e37_79b9_7f4a_7c15 ^ (i + 1);
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(secs) {
            if let Some(gap) = (1_000_000_000 * conns).checked_div(rate) {
                let due = Duration::from_nanos(gap) * u32::try_from(times.len()).unwrap_or(u32::MAX);
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            let offset = next(&mut state) % (target.file_bytes - size);
            times.push(connection.range(target, offset, size)?);
        }
        Ok(times)
    })?;
    let elapsed = began.elapsed().as_secs_f64();
    let mut all: Vec<Duration> = lists.concat();
    let requests = all.len();
    Ok(json!({
        "requests": requests, "requests_per_s": requests as f64 / elapsed, "gib": requests as f64 * size as f64 / f64::from(1 << 30),
        "first_byte_p50_ms": percentile(&mut all, 0.5), "first_byte_p99_ms": percentile(&mut all, 0.99),
    }))
}

fn beside(target: &Arc<Target>) -> io::Result<serde_json::Value> {
    let (conns, size) = (target.number("conns", 4), target.number("size", 192 << 20));
    let ping = target.options.get("ping").cloned().unwrap_or_else(|| "/healthz".into());
    let done = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let streams = {
        let (target, done) = (target.clone(), done.clone());
        thread::spawn(move || {
            let read = each(conns, &target, move |i, target| {
                Connection::open(target)?.range(target, (i * size) % (target.file_bytes - size + 1), size).map(|_| ())
            });
            done.store(true, Ordering::SeqCst);
            read
        })
    };
    let mut connection = Connection::open(target)?;
    let mut times = Vec::new();
    while !done.load(Ordering::SeqCst) {
        times.push(connection.ping(target, &ping)?);
        thread::sleep(Duration::from_millis(3));
    }
    streams.join().map_err(|_| io::Error::other("a stream died"))??;
    let gib = (conns * size) as f64 / f64::from(1 << 30);
    Ok(json!({
        "gib": gib, "gib_per_s": gib / began.elapsed().as_secs_f64(), "pings": times.len(),
        "p50_ms": percentile(&mut times, 0.5), "p99_ms": percentile(&mut times, 0.99), "max_ms": percentile(&mut times, 1.0),
    }))
}

fn drop_pages(file: &str) -> io::Result<serde_json::Value> {
    let file = std::fs::File::open(file)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    Ok(json!({ "dropped": true }))
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut take = || arguments.next().ok_or_else(|| io::Error::other("see the head of the source for the arguments"));
    let (mode, address, path, file_bytes) = (take()?, take()?, take()?, take()?);
    let options = arguments.filter_map(|a| a.split_once('=').map(|(k, v)| (k.to_string(), v.to_string()))).collect();
    let file_bytes = file_bytes.parse().map_err(|_| io::Error::other("FILE_BYTES is a number"))?;
    let target = Arc::new(Target { address, path, file_bytes, options });
    let result = match mode.as_str() {
        "bulk" => bulk(&target)?,
        "small" => small(&target)?,
        "beside" => beside(&target)?,
        "drop" => drop_pages(&target.path)?,
        other => return Err(io::Error::other(format!("{other} is no mode"))),
    };
    println!("{result}");
    Ok(())
}
