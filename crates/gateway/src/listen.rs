//! The only door to the LAN: an accept loop of our own on hyper, because axum's has no limits.
//!
//! Every connection is a named task of the [`Lifecycle`]: at the soft stop it finishes the
//! answer it is in and closes, at the hard stop it is dropped.

mod places;
mod rules;

use crate::{
    policy::Authenticated,
    proxies::Proxies,
    stream::{
        IoLimits, Slot, SpliceIo,
        io::{Activity, Serving},
    },
};
use axum::{Router, body::Body, http::Request};
use base::Lifecycle;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use places::{Place, Places};
use rules::Room;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
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
    /// How many of `connections` are kept for this machine and for sources with a sign-in.
    pub reserved: u32,
    pub head_bytes: usize,
    pub headers: usize,
    pub io: IoLimits,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_source: 128,
            reserved: RESERVED,
            head_bytes: 32 << 10,
            headers: 100,
            io: IoLimits::default(),
        }
    }
}

const RESERVED: u32 = 64;

impl ListenLimits {
    /// Derives the limits from how many descriptors the process may have. A third of them stays for
    /// what else a film takes, for the database and for the container engine.
    pub fn for_descriptors(descriptors: u64) -> Self {
        let most = u32::try_from(descriptors / 3 * 2).unwrap_or(u32::MAX);
        let connections = most.clamp(32, 2048);
        Self { connections, reserved: RESERVED.min(connections / 4), ..Self::default() }
    }

    /// A proxy brings the connections of everybody.
    fn room(&self, is_proxy: bool) -> Room {
        Room {
            connections: self.connections,
            connections_per_source: if is_proxy { self.connections } else { self.connections_per_source },
            reserved: self.reserved,
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
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ListenLimits,
    proxies: Arc<Proxies>,
    lifecycle: Lifecycle,
) {
    let places = Places::default();
    loop {
        let accepted = tokio::select! {
            () = lifecycle.soft().cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let address = canonical(peer);
                let activity = Activity::default();
                let is_proxy = proxies.trusts(address);
                if is_proxy {
                    // It keeps idle connections for the next request of anybody, and one that is closed
                    // just then would be told to its browser as a fault of the house.
                    activity.knows_its_caller();
                }
                let Some(place) = places.take(address, is_proxy, &limits.room(is_proxy), &activity) else {
                    metrics::counter!("loge_connections_refused_total").increment(1);
                    debug!(peer = %address, "connection of {address} refused: too many");
                    continue;
                };
                let connection =
                    connection(tcp, app.clone(), limits, lifecycle.clone(), Caller { address, activity, place });
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

/// Who is at the other end of a connection, and what it does.
struct Caller {
    address: IpAddr,
    activity: Activity,
    place: Place,
}

async fn connection(tcp: TcpStream, app: Router, limits: ListenLimits, lifecycle: Lifecycle, caller: Caller) {
    let Caller { address: peer, activity, place } = caller;
    if let Err(e) = tcp.set_nodelay(true) {
        debug!("connection was gone before it began: {e}");
        return;
    }
    let local = tcp.local_addr().ok().map(canonical).map(LocalAddress);
    let (slot, close, place) = (Slot::default(), place.close.clone(), Arc::new(place));
    let io = SpliceIo::new(tcp, slot.clone(), activity.clone(), limits.io);
    let is_at_work = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, slot, serving) = (app.clone(), slot.clone(), activity.begin());
        let (activity, place) = (activity.clone(), place.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddress(peer));
            request.extensions_mut().insert(slot);
            if let Some(local) = local {
                request.extensions_mut().insert(local);
            }
            let answer = app.oneshot(request).await;
            answer.map(|response| {
                if response.extensions().get::<Authenticated>().is_some() {
                    activity.knows_its_caller();
                    place.is_known();
                }
                response.map(|body| Counted { body, _serving: serving })
            })
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
        () = close.cancelled() => {
            // A request may have come while its place was given away; that one is answered.
            if !is_at_work.is_serving() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
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
    fn connections_follow_from_the_descriptors_there_are() {
        let of = |descriptors| {
            let limits = ListenLimits::for_descriptors(descriptors);
            (limits.connections, limits.reserved)
        };
        assert_eq!(of(1024), (682, 64));
        assert_eq!(of(220), (146, 36));
        assert_eq!(of(1 << 20), (2048, 64));
        assert_eq!(of(0), (32, 8), "it listens in any case");
    }

    #[test]
    fn one_machine_has_one_address() {
        assert_eq!(canonical("[::ffff:10.0.0.1]:80".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
