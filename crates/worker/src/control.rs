//! The control connection: hello, then orders until it ends.

use crate::{
    connection::{self, BUSY, ConnectionError, receive, send},
    heads::Heads,
    log,
    settings::Settings,
};
use contract::{FromWorker, Hello, MAX_DATA_CONNECTIONS, Opening, PROTOCOL, ToWorker};
use std::{
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A thread of ours opens a file, waits, and moves pages: this is plenty.
const STACK_BYTES: usize = 256 << 10;

/// A gateway that does not take a pong for this long is gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Serves until told to shut down.
///
/// # Errors
/// Whatever ended the control connection otherwise; nothing goes on without it.
pub fn run(settings: Settings) -> Result<(), ConnectionError> {
    let mut stream = UnixStream::connect(&settings.socket).map_err(ConnectionError::Connect)?;
    stream.set_write_timeout(Some(WRITE_DEADLINE)).map_err(ConnectionError::Write)?;
    let hello = Hello { protocol: PROTOCOL, nonce: settings.nonce, version: env!("CARGO_PKG_VERSION").to_owned() };
    send(&mut stream, &Opening::Control(hello))?;

    let settings = Arc::new(settings);
    let heads = Arc::new(Heads::new());
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        match receive(&mut stream)? {
            ToWorker::Welcome => {}
            ToWorker::Ping { seq } => {
                send(&mut stream, &FromWorker::Pong { seq, busy: BUSY.load(Ordering::Relaxed) })?;
            }
            ToWorker::Dial { token } => dial(&settings, &heads, &open, token),
            ToWorker::Shutdown => return Ok(()),
        }
    }
}

fn dial(settings: &Arc<Settings>, heads: &Arc<Heads>, open: &Arc<AtomicUsize>, token: [u8; 16]) {
    // Only this thread adds, so the check and the addition need not be one step.
    if open.load(Ordering::Acquire) >= MAX_DATA_CONNECTIONS {
        log::line("a data connection too many was asked for");
        return;
    }
    let place = Place::take(Arc::clone(open));
    let (settings, heads) = (Arc::clone(settings), Arc::clone(heads));
    let thread = std::thread::Builder::new().name("data".into()).stack_size(STACK_BYTES).spawn(move || {
        let _place = place;
        connection::serve(&settings, &heads, token);
    });
    if let Err(error) = thread {
        log::line(&format!("start a thread: {error}"));
    }
}

/// One of the places for data connections, given back however its thread ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(open)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
