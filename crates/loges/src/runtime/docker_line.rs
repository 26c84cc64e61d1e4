//! The line to an engine: connected to when needed, every call within a time, and hung up when the
//! other end broke off, because the one that comes back may speak another version.

use super::RuntimeError;
use bollard::{API_DEFAULT_VERSION, Docker, errors::Error};
use std::{future::Future, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// For questions, which an engine that is well answers at once.
pub const ASK: Duration = Duration::from_secs(5);

pub struct Line {
    socket: String,
    engine: Mutex<Option<Docker>>,
}

impl Line {
    pub fn new(socket: String) -> Self {
        Self { socket, engine: Mutex::default() }
    }

    pub fn socket(&self) -> &str {
        &self.socket
    }

    pub async fn engine(&self) -> Result<Docker, RuntimeError> {
        let mut engine = self.engine.lock().await;
        if let Some(docker) = engine.as_ref() {
            return Ok(docker.clone());
        }
        // Looked at by hand first: a denied and an absent socket need different advice.
        match tokio::net::UnixStream::connect(&self.socket).await {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(RuntimeError::EngineDenied { socket: self.socket.clone() });
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(RuntimeError::EngineAbsent { socket: self.socket.clone() });
            }
            Err(e) => return Err(RuntimeError::EngineAway { detail: e.to_string() }),
        }
        let docker = Docker::connect_with_unix(&self.socket, 60, API_DEFAULT_VERSION)
            .map_err(|e| RuntimeError::EngineAway { detail: e.to_string() })?;
        let docker = match timeout(ASK, docker.negotiate_version()).await {
            Ok(Ok(docker)) => docker,
            Ok(Err(e)) => return Err(RuntimeError::EngineAway { detail: e.to_string() }),
            Err(_) => return Err(RuntimeError::Slow { verb: "say its version" }),
        };
        *engine = Some(docker.clone());
        Ok(docker)
    }

    /// One call within its time. An engine that broke off is connected to anew, because the one
    /// that comes back may speak another version.
    pub async fn call<T>(
        &self,
        verb: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, RuntimeError> {
        let error = match timeout(limit, call).await {
            Ok(Ok(value)) => return Ok(value),
            // An engine door says so of the engine behind it; no engine says it of itself.
            Ok(Err(Error::DockerResponseServerError { status_code: 502, message })) => {
                RuntimeError::EngineAway { detail: message }
            }
            Ok(Err(Error::DockerResponseServerError { status_code: status, message })) => {
                RuntimeError::Refused { verb, status, message }
            }
            Ok(Err(Error::RequestTimeoutError)) | Err(_) => RuntimeError::Slow { verb },
            Ok(Err(e)) => RuntimeError::EngineAway { detail: chain(&e) },
        };
        if !matches!(error, RuntimeError::Refused { .. }) {
            self.hang_up().await;
        }
        Err(error)
    }

    /// The next call connects anew.
    pub async fn hang_up(&self) {
        *self.engine.lock().await = None;
    }
}

/// "It is so already" counts as success.
pub fn settled(outcome: Result<(), RuntimeError>, fine: &[u16]) -> Result<(), RuntimeError> {
    match outcome {
        Err(RuntimeError::Refused { status, .. }) if fine.contains(&status) => Ok(()),
        other => other,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
