//! The usual house: this process runs the server itself. The only file that knows the server
//! crate; where another process has the data folder, `attached` takes over.

use crate::attached::AttachedHouse;
use crate::house::{House, Level, StartFailure, StartWish, Starter, Status};
use crate::options::Options;
use crate::ports;
use async_trait::async_trait;
use server::{Config, Explanation, Handle, Overrides, Phase, RuntimeChoice, Server, StartError};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

pub struct EmbeddedStarter {
    options: Options,
}

impl EmbeddedStarter {
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Read anew at every attempt: the owner may have mended `loge.toml` in between.
    fn config(&self, wish: StartWish) -> Result<Config, StartFailure> {
        let runtime = self.options.runtime.as_deref().map(str::parse::<RuntimeChoice>).transpose();
        let overrides = Overrides {
            data_dir: self.options.data_dir.clone(),
            listen: self.options.listen,
            runtime: runtime.map_err(|sentence| StartFailure::Refused { sentence, help: Vec::new() })?,
            start_anew: wish.anew || self.options.start_anew,
        };
        let mut config = Config::load(overrides).map_err(|error| refused(error.explain()))?;
        if let Some(port) = wish.port {
            config.listen.set_port(port);
        }
        Ok(config)
    }
}

#[async_trait]
impl Starter for EmbeddedStarter {
    async fn start(&self, wish: StartWish) -> Result<Arc<dyn House>, StartFailure> {
        // Starting is the one large future of the shell; on the heap it burdens no caller.
        match Box::pin(Server::start(self.config(wish)?)).await {
            Ok(handle) => Ok(Arc::new(EmbeddedHouse::new(handle))),
            Err(StartError::AddressInUse { addr, holder }) => Err(StartFailure::AddressInUse { address: addr, holder }),
            Err(StartError::AlreadyRunning { address }) => {
                if let Some(address) = address
                    && let Some(house) = AttachedHouse::connect(address, server::lan_urls(address)).await
                {
                    return Ok(Arc::new(house));
                }
                Err(StartFailure::AlreadyRunning { address })
            }
            Err(error @ StartError::Gone(_)) => {
                let Explanation { sentence, help } = error.explain();
                Err(StartFailure::Gone { sentence, help })
            }
            Err(error) => Err(refused(error.explain())),
        }
    }

    fn next_free(&self, taken: SocketAddr) -> Option<u16> {
        ports::next_free(taken)
    }
}

struct EmbeddedHouse {
    handle: Handle,
    status: watch::Receiver<Status>,
}

impl EmbeddedHouse {
    fn new(handle: Handle) -> Self {
        let mut source = handle.status();
        let first = seen(&source.borrow_and_update());
        let (sender, status) = watch::channel(first);
        tokio::spawn(translate(source, sender));
        Self { handle, status }
    }
}

#[async_trait]
impl House for EmbeddedHouse {
    fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    fn lan_urls(&self) -> Vec<String> {
        self.handle.lan_urls()
    }

    fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    fn setup_code(&self) -> Option<String> {
        self.handle.setup_code()
    }

    async fn desktop_ticket(&self) -> Option<String> {
        self.handle.desktop_ticket().await
    }

    fn pause_jobs(&self, paused: bool) {
        self.handle.pause_jobs(paused);
    }

    async fn stop_all_streams(&self) {
        self.handle.stop_all_streams().await;
    }

    async fn stop(&self) -> bool {
        self.handle.stop().await;
        !self.handle.has_failed()
    }

    fn attached(&self) -> bool {
        false
    }
}

/// Ends, and with it the shell's view of the house, when the server has stopped.
async fn translate(mut source: watch::Receiver<server::Status>, sender: watch::Sender<Status>) {
    while source.changed().await.is_ok() {
        let status = source.borrow_and_update().clone();
        if status.phase == Phase::Stopped {
            return;
        }
        sender.send_if_modified(|shown| {
            let now = seen(&status);
            let changed = *shown != now;
            *shown = now;
            changed
        });
    }
}

fn seen(status: &server::Status) -> Status {
    Status {
        level: match status.level {
            server::Level::Good => Level::Good,
            server::Level::Attention => Level::Attention,
            server::Level::Trouble => Level::Trouble,
        },
        sentence: status.sentence.clone(),
        viewers: status.viewers,
        max_viewers: status.max_viewers,
        streams: status.streams,
        jobs_paused: status.jobs_paused,
    }
}

fn refused(Explanation { sentence, help }: Explanation) -> StartFailure {
    StartFailure::Refused { sentence, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starter(data_dir: &str) -> EmbeddedStarter {
        let line = ["loge", "--data-dir", data_dir, "--listen", "127.0.0.1:0", "--runtime", "process"];
        EmbeddedStarter::new(clap::Parser::parse_from(line))
    }

    #[test]
    fn flags_reach_the_configuration_and_a_chosen_port_replaces_theirs() {
        let starter = starter("/nonexistent/loge-test");
        let config = starter.config(StartWish::default()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:0".parse().unwrap());
        assert_eq!(config.runtime, RuntimeChoice::Process);
        assert_eq!(config.data_dir, std::path::Path::new("/nonexistent/loge-test"));
        let wish = StartWish { port: Some(8097), anew: true };
        let config = starter.config(wish).unwrap();
        assert!(config.start_anew);
        assert_eq!(config.listen, "127.0.0.1:8097".parse().unwrap());
    }

    #[tokio::test]
    async fn a_data_folder_that_cannot_be_is_refused_in_one_sentence() {
        // A file stands where a folder would have to be made.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml/data");
        let Err(StartFailure::Refused { sentence, help }) = starter(folder).start(StartWish::default()).await else {
            panic!("this cannot start");
        };
        assert!(sentence.starts_with("The folder "), "{sentence}");
        assert!(help.iter().any(|line| line.contains("--data-dir")), "{help:?}");
        assert!(sentence.contains("Cargo.toml/data"), "{sentence}");
        assert!(sentence.ends_with('.') && !sentence.ends_with(".."), "{sentence}");
    }
}
