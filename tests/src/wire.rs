//! Requests as raw bytes, for what no honest client would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Sends bytes and reads until the other side closes or says nothing for a while.
pub fn raw(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the house answers");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit");
    // The server may have refused and closed before all was sent.
    let _ = stream.write_all(bytes);
    let mut got = Vec::new();
    let mut buffer = [0; 65536];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 {
            break;
        }
        got.extend_from_slice(&buffer[..n]);
        if got.len() > 64 << 20 {
            break;
        }
    }
    got
}

/// The status of the first answer, 0 when there was none.
pub fn status(answer: &[u8]) -> u16 {
    let line = answer.split(|b| *b == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}
