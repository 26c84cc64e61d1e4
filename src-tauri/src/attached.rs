//! A house somebody else keeps: a `loge-server`, for instance a system service, already has
//! the data folder. The window shows its pages; quitting the window leaves it running.
//!
//! Nothing here is a credential. The owner signs in by password, because being on this
//! machine proves nothing about who sits at it.

use crate::house::{House, Level, Status};
use async_trait::async_trait;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(3);
const POLL_EVERY: Duration = Duration::from_secs(5);

pub struct AttachedHouse {
    address: SocketAddr,
    lan_urls: Vec<String>,
    status: watch::Receiver<Status>,
}

impl AttachedHouse {
    /// `lan_urls` are where other devices reach a server that listens on `address`. `None` when
    /// nothing healthy answers there.
    pub async fn connect(address: SocketAddr, lan_urls: Vec<String>) -> Option<Self> {
        let address = on_this_machine(address);
        if !healthy(address).await {
            return None;
        }
        let (sender, status) = watch::channel(seen(true));
        tokio::spawn(watch_health(address, sender));
        Some(Self { address, lan_urls, status })
    }
}

#[async_trait]
impl House for AttachedHouse {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn lan_urls(&self) -> Vec<String> {
        self.lan_urls.clone()
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    fn setup_code(&self) -> Option<String> {
        None
    }

    async fn desktop_ticket(&self) -> Option<String> {
        None
    }

    /// Scans and streams are the owner's to steer, who signs in to the page: the tray has no rows for them.
    fn pause_jobs(&self, _paused: bool) {}

    async fn stop_all_streams(&self) {}

    /// The service is not ours to stop.
    async fn stop(&self) -> bool {
        true
    }

    fn attached(&self) -> bool {
        true
    }
}

/// Ends with the last receiver, that is with the shell.
async fn watch_health(address: SocketAddr, sender: watch::Sender<Status>) {
    loop {
        tokio::select! {
            () = sender.closed() => return,
            () = tokio::time::sleep(POLL_EVERY) => {}
        }
        let now = seen(healthy(address).await);
        sender.send_if_modified(|status| {
            let changed = *status != now;
            *status = now;
            changed
        });
    }
}

fn seen(healthy: bool) -> Status {
    let (level, sentence) = if healthy {
        (Level::Good, "Loge runs as a service on this machine.")
    } else {
        (Level::Trouble, "The Loge service on this machine does not answer.")
    };
    Status { level, sentence: sentence.to_owned(), viewers: 0, max_viewers: 0, streams: 0, jobs_paused: false }
}

/// "Listening everywhere" includes here; the window always uses the loopback address.
fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn healthy(address: SocketAddr) -> bool {
    matches!(timeout(PATIENCE, ask_health(address)).await, Ok(Ok(true)))
}

async fn ask_health(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // The status line is all that matters, and it comes first.
    let mut line = [0u8; 12];
    stream.read_exact(&mut line).await?;
    Ok(&line == b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answering(reply: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0u8; 512];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(reply).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn a_healthy_server_is_a_house() {
        let address = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let urls = vec!["http://192.168.1.5:8096".to_owned()];
        let house = AttachedHouse::connect(address, urls.clone()).await.unwrap();
        assert_eq!(house.lan_urls(), urls);
        assert_eq!(house.address(), address);
        assert!(house.attached());
        assert_eq!(house.status().borrow().level, Level::Good);
        assert_eq!(house.desktop_ticket().await, None);
    }

    #[tokio::test]
    async fn something_else_on_that_port_is_not() {
        for reply in [b"HTTP/1.1 404 Not Found\r\n\r\n".as_slice(), b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"HTTP"] {
            assert!(AttachedHouse::connect(answering(reply).await, Vec::new()).await.is_none());
        }
    }

    #[tokio::test]
    async fn nobody_home() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(AttachedHouse::connect(address, Vec::new()).await.is_none());
    }

    #[test]
    fn everywhere_includes_here() {
        assert_eq!(on_this_machine("0.0.0.0:8096".parse().unwrap()), "127.0.0.1:8096".parse().unwrap());
        assert_eq!(on_this_machine("[::]:8096".parse().unwrap()), "[::1]:8096".parse().unwrap());
        assert_eq!(on_this_machine("127.0.0.1:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
    }
}
