//! Somebody who watches: takes a film range by range, round and round, holds every byte against
//! the file, and goes on after whatever happened, as a player in a browser does.

use crate::House;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const PIECE: usize = 64 << 10;

pub struct Player {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    watching: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    pieces: AtomicU64,
    wrong: AtomicU64,
    refused: AtomicU64,
}

impl Player {
    /// `play` asks for an address; it is asked again when the one before no longer works, as the
    /// player in the page does.
    pub fn watch(house: &House, film: Vec<u8>, play: impl Fn() -> Option<String> + Send + 'static) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let (stopped, out, base) = (stop.clone(), seen.clone(), house.url.clone());
        let watching = std::thread::spawn(move || {
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(15)))
                .build()
                .into();
            let (mut at, mut url) = (0, play());
            while !stopped.load(Ordering::Relaxed) {
                let Some(address) = &url else {
                    std::thread::sleep(Duration::from_millis(250));
                    url = play();
                    continue;
                };
                let end = (at + PIECE).min(film.len());
                let answer = agent
                    .get(format!("{base}{address}"))
                    .header("range", format!("bytes={at}-{}", end - 1))
                    .call()
                    .ok()
                    .filter(|answer| answer.status() == 206)
                    .and_then(|mut answer| answer.body_mut().read_to_vec().ok())
                    .filter(|bytes| bytes.len() == end - at);
                if let Some(bytes) = answer {
                    out.wrong.fetch_add(u64::from(bytes != film[at..end]), Ordering::Relaxed);
                    out.pieces.fetch_add(1, Ordering::Relaxed);
                    at = if end == film.len() { 0 } else { end };
                    std::thread::sleep(Duration::from_millis(20));
                } else {
                    out.refused.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(100));
                    url = play();
                }
            }
        });
        let player = Self { stop, seen, watching: Some(watching) };
        player.goes_on("the first piece of the film");
        player
    }

    /// Waits for the next whole piece and answers how long that took.
    pub fn goes_on(&self, what: &str) -> Duration {
        let (began, before) = (Instant::now(), self.seen.pieces.load(Ordering::Relaxed));
        crate::eventually(what, || (self.seen.pieces.load(Ordering::Relaxed) > before).then_some(()));
        began.elapsed()
    }

    /// Requests that brought no whole piece, so far.
    pub fn refused(&self) -> u64 {
        self.seen.refused.load(Ordering::Relaxed)
    }

    /// Ends, and shows that every byte was the film's.
    pub fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watching) = self.watching.take() {
            watching.join().expect("the player did not panic");
        }
        assert_eq!(self.seen.wrong.load(Ordering::Relaxed), 0, "pieces that were not the film's");
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watching) = self.watching.take() {
            let _ = watching.join();
        }
    }
}
