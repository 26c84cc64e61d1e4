//! Whether the house answers at its own door: one request over TCP, past the accept loop, the
//! router and the database, as a browser's would go.

use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// No answer of this door is longer.
const MOST_BYTES: u64 = 16 << 10;
/// This machine too, and not the address that a proxy on it comes from: the places at the door are
/// counted by address, and a crowd behind the proxy must not keep us out.
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// What was heard at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The house takes viewers.
    Ready,
    /// It answers and says what is in the way: a full disk, a stop.
    Hindered,
    /// It answers, but its database does not.
    NoDatabase,
    /// No answer, or none in HTTP.
    Nothing,
}

/// Asks `/readyz`. How long to wait is the caller's to say.
pub(crate) async fn knock(address: SocketAddr) -> Heard {
    let Ok(mut stream) = connect(address).await else { return Heard::Nothing };
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return Heard::Nothing;
    }
    let mut answer = Vec::new();
    match stream.take(MOST_BYTES).read_to_end(&mut answer).await {
        Ok(_) => understood(&String::from_utf8_lossy(&answer)),
        Err(_) => Heard::Nothing,
    }
}

/// Asks the house that listens at an address of this machine, from outside its process.
///
/// # Errors
/// With what is the matter, in words.
pub async fn answers(listen: SocketAddr) -> Result<&'static str, &'static str> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match knock(SocketAddr::new(ip, listen.port())).await {
        Heard::Ready => Ok("the house is open"),
        // A full disk, or a stop: nothing that another start would help with.
        Heard::Hindered => Ok("the house answers, and takes no viewers at the moment"),
        Heard::NoDatabase => Err("the house answers, and its database does not"),
        Heard::Nothing => Err("the house does not answer"),
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return TcpStream::connect(address).await;
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(OURS, 0))?;
    socket.connect(address).await
}

fn understood(answer: &str) -> Heard {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Heard::Nothing };
    let mut words = head.split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1"), Some("200")) => Heard::Ready,
        (Some("HTTP/1.1"), Some(_)) => {
            let problem: Value = serde_json::from_str(body).unwrap_or_default();
            if problem["code"] == domain::Code::NotReady.as_str() { Heard::NoDatabase } else { Heard::Hindered }
        }
        _ => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::{net::TcpListener, time::timeout};

    #[test]
    fn an_answer_that_refuses_is_an_answer() {
        let problem = |code: &str| format!("HTTP/1.1 503 Service Unavailable\r\nx: y\r\n\r\n{{\"code\":\"{code}\"}}");
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n{}".to_owned(), Heard::Ready),
            (problem("disk_full"), Heard::Hindered),
            (problem("not_ready"), Heard::NoDatabase),
            ("HTTP/1.1 421 Misdirected\r\n\r\n<html>".to_owned(), Heard::Hindered),
            ("HTTP/1.1 200 OK\r\n".to_owned(), Heard::Nothing),
            ("SSH-2.0-other\r\n\r\n".to_owned(), Heard::Nothing),
            (String::new(), Heard::Nothing),
        ] {
            assert_eq!(understood(&answer), expected, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_door_that_takes_the_knock_and_says_nothing_is_waited_for() {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = door.local_addr().unwrap();
        assert!(timeout(Duration::from_millis(200), knock(address)).await.is_err(), "it hangs");
        let (_held, from) = door.accept().await.unwrap();
        assert_eq!(from.ip(), OURS);
        drop(door);
        assert_eq!(knock(address).await, Heard::Nothing, "nobody is there");
    }
}
