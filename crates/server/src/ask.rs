//! One request to a house of this machine, as a browser would make it.

use serde_json::Value;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// No answer that is asked for here is longer.
const MOST_BYTES: u64 = 16 << 20;
const LONGEST: Duration = Duration::from_secs(30);

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    /// First and last byte.
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) json: Option<&'a Value>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Returns the body as JSON, null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Asks once, on a connection of its own.
///
/// # Errors
/// When the house does not answer whole, within half a minute.
pub(crate) async fn ask(address: SocketAddr, ask: Ask<'_>) -> io::Result<Reply> {
    let asked = tokio::time::timeout(LONGEST, exchange(address, request(address, ask)));
    asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn request(address: SocketAddr, ask: Ask<'_>) -> Vec<u8> {
    let Ask { method, path, token, range, json } = ask;
    let body = json.map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    if let Some(token) = token {
        text.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if let Some((first, last)) = range {
        text.push_str(&format!("range: bytes={first}-{last}\r\n"));
    }
    if json.is_some() {
        text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(&body);
    text.into_bytes()
}

async fn exchange(address: SocketAddr, request: Vec<u8>) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    understood(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Returns `None` for what is no answer, or not a whole one.
fn understood(answer: &[u8]) -> Option<Reply> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let body = answer.get(end + 4..)?.to_vec();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match length {
        Some((_, length)) if length.trim().parse() != Ok(body.len()) => None,
        _ => Some(Reply { status, body }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_answer_is_none() {
        let whole = understood(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        assert_eq!((whole.status, whole.body.as_slice()), (206, b"abc".as_slice()));
        for half in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc", "SSH-2.0\r\n\r\n"] {
            assert!(understood(half.as_bytes()).is_none(), "{half}");
        }
    }
}
