//! Under systemd: says when the house is open, that it still answers, and when it closes
//! (`sd_notify(3)`). One datagram for each; a supervisor that does not read costs nothing.

use std::{
    ffi::OsString,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

/// A supervisor that was named and cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("NOTIFY_SOCKET={name} names no socket of this machine")]
    Address { name: String, source: io::Error },
    #[error("no socket can be made for the supervisor")]
    Socket(#[source] io::Error),
}

/// What a supervisor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// The house is open.
    Ready,
    /// The house answered just now.
    Alive,
    /// The house closes, and may take so long.
    Stopping { within: Duration },
    /// A sentence for people who ask the supervisor.
    Status(&'a str),
}

/// The program that started this one and wants to hear of it.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
    /// After so long without [`Word::Alive`] it takes this process for dead.
    patience: Option<Duration>,
}

impl Supervisor {
    /// Finds the supervisor of this process; without one there is nobody to tell.
    ///
    /// # Errors
    /// When one is named and there is no way to it.
    pub fn find() -> Result<Option<Self>, SupervisorError> {
        Self::named(&|name| std::env::var_os(name), std::process::id())
    }

    fn named(env: &dyn Fn(&str) -> Option<OsString>, process: u32) -> Result<Option<Self>, SupervisorError> {
        let Some(name) = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(rest) => SocketAddr::from_abstract_name(rest),
            None => SocketAddr::from_pathname(&name),
        };
        let named = |source| SupervisorError::Address { name: name.to_string_lossy().into_owned(), source };
        let address = address.map_err(named)?;
        let socket = UnixDatagram::unbound().map_err(SupervisorError::Socket)?;
        socket.set_nonblocking(true).map_err(SupervisorError::Socket)?;
        let number = |name: &str| env(name)?.to_str()?.parse::<u64>().ok();
        // Meant for another process when it names one.
        let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process));
        let patience = number("WATCHDOG_USEC").filter(|usec| is_for_us && *usec > 0).map(Duration::from_micros);
        Ok(Some(Self { socket, address, patience }))
    }

    /// Tells without waiting. What does not arrive is lost: the next word follows soon.
    pub fn tell(&self, word: Word<'_>) {
        if let Err(e) = self.socket.send_to_addr(text(word).as_bytes(), &self.address) {
            debug!("the supervisor was not told {word:?}: {e}");
        }
    }

    /// Says that the house lives for as long as `answers` says so, and nothing while it waits: the
    /// supervisor then ends what hangs. Ends never; without a watchdog it does nothing.
    pub async fn watch(&self, answers: impl AsyncFn() -> bool) {
        let Some(patience) = self.patience else { return std::future::pending().await };
        // One answer that comes late is no reason to end a house in which people watch.
        let every = patience / 4;
        let mut timer = interval(every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            match timeout(every, answers()).await {
                Ok(true) => self.tell(Word::Alive),
                Ok(false) => {
                    warn!("the house does not answer at its own door; the supervisor is not told that it lives")
                }
                Err(_) => warn!("the house did not answer at its own door within {every:?}"),
            }
        }
    }
}

fn text(word: Word<'_>) -> String {
    match word {
        Word::Ready => "READY=1".into(),
        Word::Alive => "WATCHDOG=1".into(),
        // A drain may be longer than what the unit allows for a stop.
        Word::Stopping { within } => format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", within.as_micros()),
        // A line break would begin another word.
        Word::Status(sentence) => format!("STATUS={}", sentence.replace(['\n', '\r'], " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, path::Path};

    fn supervisor(socket: &str, more: &[(&str, &str)]) -> Result<Option<Supervisor>, SupervisorError> {
        let of = |name: &str| match name {
            "NOTIFY_SOCKET" => Some(OsString::from(socket)),
            _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)),
        };
        Supervisor::named(&of, 7)
    }

    fn listening(at: &Path) -> UnixDatagram {
        let ear = UnixDatagram::bind(at).unwrap();
        ear.set_nonblocking(true).unwrap();
        ear
    }

    fn heard(ear: &UnixDatagram) -> Vec<String> {
        let mut words = Vec::new();
        let mut room = [0; 512];
        while let Ok(length) = ear.recv(&mut room) {
            words.push(String::from_utf8_lossy(&room[..length]).into_owned());
        }
        words
    }

    #[test]
    fn each_word_is_one_datagram() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let ear = listening(&path);
        let supervisor = supervisor(path.to_str().unwrap(), &[]).unwrap().unwrap();
        supervisor.tell(Word::Ready);
        supervisor.tell(Word::Status("Two watch.\nREADY=1"));
        supervisor.tell(Word::Stopping { within: Duration::from_secs(3) });
        let expected = ["READY=1", "STATUS=Two watch. READY=1", "STOPPING=1\nEXTEND_TIMEOUT_USEC=3000000"];
        assert_eq!(heard(&ear), expected);
    }

    #[test]
    fn a_name_without_a_path_is_spoken_to_as_well() {
        let name = format!("loge-test-{}", std::process::id());
        let ear = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ear.set_nonblocking(true).unwrap();
        supervisor(&format!("@{name}"), &[]).unwrap().unwrap().tell(Word::Ready);
        assert_eq!(heard(&ear), ["READY=1"]);
    }

    #[test]
    fn nobody_is_told_where_nobody_asked() {
        assert!(supervisor("", &[]).unwrap().is_none());
        // One that is gone is no reason to stop.
        supervisor("/nowhere/notify", &[]).unwrap().unwrap().tell(Word::Ready);
        let long = format!("/{}", "x".repeat(200));
        assert!(matches!(supervisor(&long, &[]), Err(SupervisorError::Address { name, .. }) if name == long));
    }

    #[test]
    fn a_watchdog_of_another_process_is_none_of_ours() {
        let patience = |more: &[(&str, &str)]| supervisor("/x", more).unwrap().unwrap().patience;
        let second = ("WATCHDOG_USEC", "1000000");
        assert_eq!(patience(&[second]), Some(Duration::from_secs(1)));
        assert_eq!(patience(&[second, ("WATCHDOG_PID", "7")]), Some(Duration::from_secs(1)));
        assert_eq!(patience(&[second, ("WATCHDOG_PID", "8")]), None);
        assert_eq!(patience(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(patience(&[]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_house_that_answers_is_said_to_live() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let ear = listening(&path);
        let watchdog = [("WATCHDOG_USEC", "4000000")];
        let supervisor = supervisor(path.to_str().unwrap(), &watchdog).unwrap().unwrap();
        let ten_seconds = Duration::from_millis(9_500);

        let _ = timeout(ten_seconds, supervisor.watch(async || true)).await;
        assert_eq!(heard(&ear), ["WATCHDOG=1"; 10], "the control: four in each stretch of patience");
        let _ = timeout(ten_seconds, supervisor.watch(async || std::future::pending().await)).await;
        assert_eq!(heard(&ear), [""; 0], "it hangs");
        let _ = timeout(ten_seconds, supervisor.watch(async || false)).await;
        assert_eq!(heard(&ear), [""; 0], "it refuses");

        // One that hangs once and then answers is told of again.
        let asked = Cell::new(0);
        let once = async || {
            asked.set(asked.get() + 1);
            if asked.get() == 1 { std::future::pending().await } else { true }
        };
        let _ = timeout(ten_seconds, supervisor.watch(once)).await;
        assert!(heard(&ear).len() >= 8);
    }
}
