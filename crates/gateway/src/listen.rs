//! The only door to the LAN: an accept loop of our own on hyper, because axum's has no limits.
//!
//! Every connection is a named task of the [`Lifecycle`]: at the soft stop it finishes the
//! answer it is in and closes, at the hard stop it is dropped.

use crate::stream::{
    IoLimits, Slot, SpliceIo,
    io::{Activity, Serving},
};
use axum::{Router, body::Body, http::Request};
use base::Lifecycle;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tracing::{debug, warn};

/// What one listener takes.
#[derive(Debug, Clone, Copy)]
pub struct ListenLimits {
    pub connections: u32,
    pub connections_per_source: u32,
    pub head_bytes: usize,
    pub headers: usize,
    pub io: IoLimits,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_source: 128,
            head_bytes: 32 << 10,
            headers: 100,
            io: IoLimits::default(),
        }
    }
}

/// The address of the other end of the TCP connection. No header can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The address of ours that the connection arrived at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub IpAddr);

/// Accepts until the soft stop. `app` sees [`PeerAddress`] and [`Slot`] as request extensions.
pub async fn serve(listener: TcpListener, app: Router, limits: ListenLimits, lifecycle: Lifecycle) {
    let seats = Seats::default();
    loop {
        let accepted = tokio::select! {
            () = lifecycle.soft().cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let address = canonical(peer);
                let Some(seat) = seats.take(address, &limits) else {
                    metrics::counter!("loge_connections_refused_total").increment(1);
                    debug!(peer = %address, "connection of {address} refused: too many");
                    continue;
                };
                let connection = connection(tcp, address, app.clone(), limits, lifecycle.clone(), seat);
                lifecycle.spawn("connection", connection);
            }
            Err(e) => {
                // Out of descriptors: accepting at once again would only burn the CPU.
                warn!("cannot accept connections for a moment: {e}");
                tokio::select! {
                    () = lifecycle.soft().cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(100)) => {}
                }
            }
        }
    }
}

async fn connection(
    tcp: TcpStream,
    peer: IpAddr,
    app: Router,
    limits: ListenLimits,
    lifecycle: Lifecycle,
    _seat: Seat,
) {
    if let Err(e) = tcp.set_nodelay(true) {
        debug!("connection was gone before it began: {e}");
        return;
    }
    let local = tcp.local_addr().ok().map(canonical).map(LocalAddress);
    let (slot, activity) = (Slot::default(), Activity::default());
    let io = SpliceIo::new(tcp, slot.clone(), activity.clone(), limits.io);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, slot, serving) = (app.clone(), slot.clone(), activity.begin());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddress(peer));
            request.extensions_mut().insert(slot);
            if let Some(local) = local {
                request.extensions_mut().insert(local);
            }
            let answer = app.oneshot(request).await;
            answer.map(|response| response.map(|body| Counted { body, _serving: serving }))
        }
    });
    let connection = http1::Builder::new()
        .writev(true)
        .half_close(false)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes)
        // Ours is in SpliceIo; see `Activity`.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = lifecycle.soft().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        debug!(peer = %peer, "connection of {peer} ended early: {e}");
    }
}

/// `::ffff:192.168.1.5` is 192.168.1.5.
fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// An answer's body that tells the IO object when it is over.
struct Counted {
    body: Body,
    _serving: Serving,
}

impl http_body::Body for Counted {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Who holds how many connections. Locked for a moment, never across an await.
#[derive(Clone, Default)]
struct Seats(Arc<Mutex<HashMap<IpAddr, u32>>>);

struct Seat {
    seats: Seats,
    source: IpAddr,
}

impl Seats {
    fn take(&self, peer: IpAddr, limits: &ListenLimits) -> Option<Seat> {
        let source = source_of(peer);
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: u32 = seats.values().sum();
        let mine = seats.get(&source).copied().unwrap_or(0);
        if total >= limits.connections || mine >= limits.connections_per_source {
            return None;
        }
        seats.insert(source, mine + 1);
        Some(Seat { seats: self.clone(), source })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seats.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                seats.remove(&self.source);
            }
        }
    }
}

/// One machine owns a whole /64 of IPv6 addresses.
fn source_of(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::V6(segments.into())
        }
    }
}

/// Binds with `SO_REUSEADDR`, so that a restart does not wait for old connections.
///
/// # Errors
/// The address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold_per_source_and_in_all() {
        let limits = ListenLimits { connections: 3, connections_per_source: 2, ..ListenLimits::default() };
        let seats = Seats::default();
        let (a, b): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = seats.take(a, &limits).unwrap();
        let _second = seats.take(a, &limits).unwrap();
        assert!(seats.take(a, &limits).is_none());
        let _third = seats.take(b, &limits).unwrap();
        assert!(seats.take(b, &limits).is_none(), "the house is full");
        drop(first);
        assert!(seats.take(b, &limits).is_some());
    }

    #[test]
    fn one_machine_is_one_source() {
        let one: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        let two: IpAddr = "2001:db8:1:2:ffff::1".parse().unwrap();
        assert_eq!(source_of(one), source_of(two));
        assert_eq!(canonical("[::ffff:10.0.0.1]:80".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
