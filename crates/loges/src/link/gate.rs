//! The socket of one loge, and the door behind it: who says hello correctly becomes the link,
//! who brings a token of an outstanding dial becomes its data connection, all others are shut out.

use super::{
    HELLO_DEADLINE, Link,
    control::{self, ORDERS},
    lock,
    peer::PeerSlot,
    wire::read_frame,
};
use base::Clock;
use contract::{Hello, Opening, PROTOCOL, ToWorker, frame::encode};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use subtle::ConstantTimeEq;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, warn};

/// Connections that have not said yet what they are. As many as a worker may hold: it is told to
/// dial for every request that begins, and a dial turned away here would cost a viewer a deadline.
const UNHEARD: usize = contract::MAX_DATA_CONNECTIONS;

#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error("cannot make the socket {path}")]
    Listen { path: PathBuf, source: io::Error },
}

/// Listens until dropped; then socket, folder and every connection in the door are gone.
#[derive(Debug)]
pub struct Gate {
    folder: PathBuf,
    peer: PeerSlot,
    link: watch::Receiver<Option<Arc<Link>>>,
    accepting: JoinHandle<()>,
}

impl Gate {
    /// `folder` is made, private to this user. The socket in it may be opened by anybody who
    /// gets there, because a container's own uid has to; the folder keeps all others out.
    ///
    /// # Errors
    /// When folder or socket cannot be made.
    pub fn open(folder: &Path, name: &str, nonce: [u8; 32], clock: Arc<dyn Clock>) -> Result<Self, GateError> {
        let path = Self::socket_below(folder);
        let listener = listen(folder, &path).map_err(|source| GateError::Listen { path, source })?;
        let peer = PeerSlot::default();
        let (found, link) = watch::channel(None);
        let door = Arc::new(Door {
            name: name.into(),
            nonce: Mutex::new(Some(nonce)),
            clock,
            peer: peer.clone(),
            link: found,
            unheard: Arc::new(Semaphore::new(UNHEARD)),
        });
        let accepting = tokio::spawn(accept(listener, door));
        Ok(Self { folder: folder.into(), peer, link, accepting })
    }

    pub fn socket_below(folder: &Path) -> PathBuf {
        folder.join("gate.sock")
    }
    pub fn socket(&self) -> PathBuf {
        Self::socket_below(&self.folder)
    }
    pub fn peer(&self) -> PeerSlot {
        self.peer.clone()
    }

    /// Resolves when the worker has said hello. The caller sets the deadline.
    pub async fn link(&self) -> Arc<Link> {
        let mut link = self.link.clone();
        let found = link.wait_for(Option::is_some).await.ok().and_then(|link| link.clone());
        match found {
            Some(link) => link,
            // The accept loop ended, which only happens when this gate is being dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Some(link) = self.link.borrow().as_ref() {
            link.hang_up();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn listen(folder: &Path, path: &Path) -> io::Result<UnixListener> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

struct Door {
    name: String,
    /// Taken by the first hello that knows it.
    nonce: Mutex<Option<[u8; 32]>>,
    clock: Arc<dyn Clock>,
    peer: PeerSlot,
    link: watch::Sender<Option<Arc<Link>>>,
    unheard: Arc<Semaphore>,
}

async fn accept(listener: UnixListener, door: Arc<Door>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Out of descriptors, most likely: wait, so that the loop does not spin.
                warn!(loge.id = %door.name, "the socket of {} cannot accept: {e}", door.name);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = door.unheard.clone().try_acquire_owned() else {
            debug!(loge.id = %door.name, "too many silent connections to {}", door.name);
            continue;
        };
        let door = door.clone();
        tokio::spawn(async move {
            if let Err(why) = timeout(HELLO_DEADLINE, door.hear(stream)).await.unwrap_or(Err("it said nothing".into()))
            {
                door.refuse(&why);
            }
            drop(place);
        });
    }
}

impl Door {
    async fn hear(&self, mut stream: UnixStream) -> Result<(), String> {
        let peer = stream.peer_cred().map_err(|e| format!("its credentials cannot be read: {e}"))?;
        self.peer.get().await.judge(peer)?;
        match read_frame::<Opening>(&mut stream).await.map_err(|e| e.to_string())? {
            Opening::Control(hello) => self.welcome(stream, &hello).await,
            Opening::Data { token } => {
                let link = self.link.borrow().clone().ok_or("data before hello")?;
                link.connect(token, stream)
            }
        }
    }

    async fn welcome(&self, mut stream: UnixStream, hello: &Hello) -> Result<(), String> {
        if hello.protocol != PROTOCOL {
            return Err(format!("it speaks protocol {} where {PROTOCOL} is spoken", hello.protocol));
        }
        {
            let mut nonce = lock(&self.nonce);
            let Some(expected) = *nonce else { return Err("a second hello".into()) };
            if !bool::from(expected.ct_eq(&hello.nonce)) {
                return Err("its nonce is not the one it was given".into());
            }
            *nonce = None;
        }
        let welcome = encode(&ToWorker::Welcome).map_err(|e| e.to_string())?;
        stream.write_all(&welcome).await.map_err(|e| format!("it cannot be answered: {e}"))?;
        let version: String = hello.version.chars().filter(|c| !c.is_control()).take(64).collect();
        let (orders, inbox) = mpsc::channel(ORDERS);
        let link = Arc::new(Link::new(orders, self.clock.clone(), self.name.clone(), version));
        tokio::spawn(control::run(link.clone(), stream, inbox));
        self.link.send_replace(Some(link));
        Ok(())
    }

    /// A stranger at the door before the hello costs nothing; after it, only this worker can be
    /// the stranger, and that counts.
    fn refuse(&self, why: &str) {
        match self.link.borrow().as_ref() {
            Some(link) => link.strike(&format!("a connection was refused: {why}")),
            None => warn!(loge.id = %self.name, "a connection to {} was refused: {why}", self.name),
        }
    }
}
