//! The engine behind the door: one request over a connection of its own.

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{io, path::PathBuf, time::Duration};
use tokio::{net::UnixStream, time::timeout};
use tokio_util::bytes::Bytes;

/// For the questions that the door asks of its own.
const ASK: Duration = Duration::from_secs(5);
/// No answer that the door reads itself is longer.
const MOST_BYTES: usize = 4 << 20;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the engine cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the engine broke off")]
    Broke(#[source] hyper::Error),
    #[error("the engine said something that cannot be read: {0}")]
    Answer(String),
    #[error("the engine took too long")]
    Slow,
}

#[derive(Debug, Clone)]
pub struct Engine {
    pub socket: PathBuf,
}

impl Engine {
    /// Sends one request and returns the answer as it begins. The connection ends with its body.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, EngineError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(EngineError::Connect)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(EngineError::Broke)?;
        tokio::spawn(async move {
            // What went wrong shows in the answer's body.
            let _ = connection.await;
        });
        sender.send_request(request).await.map_err(EngineError::Broke)
    }

    /// Asks a short question; the status and the whole answer.
    pub async fn ask(&self, target: &str) -> Result<(StatusCode, Bytes), EngineError> {
        let asked = async {
            let answer = self.send(request("GET", target, Bytes::new())?).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            Ok((status, body.map_err(|e| EngineError::Answer(e.to_string()))?.to_bytes()))
        };
        timeout(ASK, asked).await.map_err(|_| EngineError::Slow)?
    }

    /// `None` for what is not there.
    pub async fn look_up(&self, target: &str) -> Result<Option<Value>, EngineError> {
        let (status, body) = self.ask(target).await?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map(Some).map_err(|e| EngineError::Answer(e.to_string())),
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(EngineError::Answer(format!("{other} to a question about {target}"))),
        }
    }
}

/// None of the client's headers goes on: an engine acts on some of them.
pub fn request(method: &str, target: &str, body: Bytes) -> Result<Request<Full<Bytes>>, EngineError> {
    let mut request = Request::builder().method(method).uri(target).header(header::HOST, "engine");
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    request.body(Full::new(body)).map_err(|e| EngineError::Answer(e.to_string()))
}
