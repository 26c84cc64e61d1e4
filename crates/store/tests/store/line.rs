//! A line to PostgreSQL that fails as networks and servers do.

use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// What the line does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Carries,
    /// Takes connections and bytes, and nothing comes back: a stopped process, or packets that are
    /// dropped. What was held back goes on when it carries again.
    Silent,
    /// Nobody listens, and what was connected is cut.
    Refuses,
}

#[derive(Clone, Copy)]
struct State {
    mode: Mode,
    /// Connections before this one stay silent for ever.
    first_alive: u32,
}

pub struct Line {
    state: watch::Sender<State>,
    made: watch::Receiver<u32>,
    pub port: u16,
}

impl Line {
    pub async fn to(server: String) -> Self {
        let (state, seen) = watch::channel(State { mode: Mode::Carries, first_alive: 0 });
        let (count, made) = watch::channel(0);
        let socket = bound(([127, 0, 0, 1], 0).into());
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(listen(socket, server, seen, count));
        Self { state, made, port }
    }

    /// Returns when it is so.
    pub async fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
        while (TcpStream::connect(("127.0.0.1", self.port)).await.is_err()) != (mode == Mode::Refuses) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Carries, but only what connects from now on: another machine answers in the place of the first.
    pub fn fail_over(&self) {
        let made = *self.made.borrow();
        self.state.send_modify(|state| *state = State { mode: Mode::Carries, first_alive: made });
    }
}

/// A port that is ours; who connects is refused for as long as it does not listen.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn listen(socket: TcpSocket, server: String, mut state: watch::Receiver<State>, count: watch::Sender<u32>) {
    let address = socket.local_addr().unwrap();
    let (mut socket, seen) = (Some(socket), state.clone());
    loop {
        let listener: TcpListener = socket.take().unwrap_or_else(|| bound(address)).listen(64).unwrap();
        loop {
            tokio::select! {
                changed = state.wait_for(|state| state.mode == Mode::Refuses) => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                Ok((client, _)) = listener.accept() => {
                    let number = *count.borrow();
                    count.send_modify(|made| *made += 1);
                    tokio::spawn(carry(client, server.clone(), number, seen.clone()));
                }
            }
        }
        drop(listener);
        socket = Some(bound(address));
        if state.wait_for(|state| state.mode != Mode::Refuses).await.is_err() {
            return;
        }
    }
}

async fn carry(mut client: TcpStream, server: String, number: u32, mut state: watch::Receiver<State>) {
    let (mut asked, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let flows = |state: &State| state.mode == Mode::Carries && number >= state.first_alive;
    if state.wait_for(|state| flows(state) || state.mode == Mode::Refuses).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    loop {
        let now = *state.borrow_and_update();
        if now.mode == Mode::Refuses {
            return;
        }
        let flows = flows(&now);
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            read = client.read(&mut asked), if flows => {
                let Ok(n @ 1..) = read else { return };
                if server.write_all(&asked[..n]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut told), if flows => {
                let Ok(n @ 1..) = read else { return };
                if client.write_all(&told[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Where in a URL the server is named, and what surrounds it.
pub fn parts(url: &str) -> (&str, &str, &str) {
    let from = url.find('@').map_or_else(|| url.find("//").unwrap() + 2, |at| at + 1);
    let to = url[from..].find('/').map_or(url.len(), |at| from + at);
    (&url[..from], &url[from..to], &url[to..])
}
