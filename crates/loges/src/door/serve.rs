//! The door's socket, and the way of each request through it.

use super::{
    LABEL_DOOR, Refusal,
    engine::{Engine, EngineError, request},
    form,
    house::{Whose, is_plain_socket},
    verbs::{self, Asked, Verb},
};
use crate::{chip::RenderNode, runtime::docker_images::LABEL_IMAGE};
use contract::env;
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use hyper::{Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::bytes::Bytes;
use tracing::{info, warn};

/// The profile of system calls is most of a create.
const MOST_BODY: usize = 256 << 10;
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// A server has a few for itself, and two for each loge: its figures and its end.
const CONNECTIONS: usize = 1024;
const KNOCK_WITHIN: Duration = Duration::from_secs(4);
/// What the runtime reads of the engine's words about itself.
const INFO: [&str; 14] = [
    "SecurityOptions",
    "ServerVersion",
    "CgroupDriver",
    "CgroupVersion",
    "NCPU",
    "MemTotal",
    "MemoryLimit",
    "SwapLimit",
    "PidsLimit",
    "CPUShares",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "OSType",
    "DockerRootDir",
];

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    #[error("make the socket {path}")]
    Listen { path: PathBuf, source: io::Error },
}

/// A door that is open until it is dropped.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    inside: Arc<Inside>,
}

struct Inside {
    engine: Engine,
    whose: Whose,
    chips: Vec<RenderNode>,
}

impl Door {
    /// Makes the socket. Who may reach it is for the folder it is in to say. The engine is asked nothing yet.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(path: &Path, engine: &Path, whose: Whose, chips: Vec<RenderNode>) -> Result<Self, DoorError> {
        let failed = |source| DoorError::Listen { path: path.into(), source };
        // One that was left by a door that was killed. Anything else is in the way and stays.
        if fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket()) {
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(failed)?;
        let inside = Inside { engine: Engine { socket: engine.into() }, whose, chips };
        Ok(Self { listener, path: path.into(), inside: Arc::new(inside) })
    }

    /// Serves; ends never.
    pub async fn serve(&self) -> Infallible {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = places.clone().acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let inside = self.inside.clone();
                    tokio::spawn(async move {
                        let service = service_fn(|request| {
                            let inside = inside.clone();
                            async move { Ok::<_, Infallible>(inside.answer(request).await) }
                        });
                        let _ = hyper::server::conn::http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEAD_WITHIN)
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                        drop(place);
                    });
                }
                Err(e) => {
                    warn!("the engine door cannot accept: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether an engine answers behind the door at this socket.
pub async fn knock(path: &Path) -> bool {
    if UnixStream::connect(path).await.is_err() {
        return false;
    }
    let engine = Engine { socket: path.into() };
    let asked = timeout(KNOCK_WITHIN, engine.ask("/_ping")).await;
    asked.is_ok_and(|answer| answer.is_ok_and(|(status, _)| status == StatusCode::OK))
}

/// A request does not pass, or not now.
enum Stopped {
    Refused(Refusal),
    Gone { id: String },
    Away(EngineError),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<EngineError> for Stopped {
    fn from(error: EngineError) -> Self {
        Self::Away(error)
    }
}

impl Inside {
    async fn answer(&self, asked: Request<Incoming>) -> Answer {
        let (method, path) = (asked.method().clone(), asked.uri().path().to_owned());
        match self.pass(asked).await {
            Ok(answer) => answer,
            Err(Stopped::Refused(Refusal::Image { image })) => {
                // In the engine's own words: for the server there is no such image.
                said(StatusCode::NOT_FOUND, &format!("No such image: {image}"))
            }
            Err(Stopped::Refused(refusal)) => {
                warn!(%method, "a request was refused: {refusal}");
                said(StatusCode::FORBIDDEN, &refusal.to_string())
            }
            Err(Stopped::Gone { id }) => said(StatusCode::NOT_FOUND, &format!("No such container: {id}")),
            Err(Stopped::Away(error)) => {
                info!(%method, path, "the engine did not answer: {error}");
                said(StatusCode::BAD_GATEWAY, &error.to_string())
            }
        }
    }

    async fn pass(&self, asked: Request<Incoming>) -> Result<Answer, Stopped> {
        let method = asked.method().as_str().to_owned();
        let (path, query) = (asked.uri().path(), asked.uri().query().unwrap_or_default());
        // The name of a house is only asked for where it is needed.
        let needs_house = path.ends_with("/containers/json") || path.ends_with("/events");
        let house = if needs_house { self.whose.name(&self.engine).await? } else { String::new() };
        let (version, what) = verbs::read(&method, path, query, &house)?;
        let body = body(asked.into_body()).await?;
        let send = async |target: String, body: Bytes| {
            Ok(passed(self.engine.send(request(&method, &format!("{version}{target}"), body)?).await?))
        };
        if !body.is_empty() && !matches!(what, Asked::Create { .. } | Asked::Container { verb: Verb::Update, .. }) {
            return Err(Refusal::Body { reason: "it has a body".into() }.into());
        }
        match what {
            Asked::Ping => send("/_ping".into(), body).await,
            Asked::Version => send("/version".into(), body).await,
            Asked::Info => self.info(&version).await,
            Asked::Events { query } => send(format!("/events?{query}"), body).await,
            Asked::ListContainers { query } => send(format!("/containers/json?{query}"), body).await,
            Asked::ListImages { query } => send(format!("/images/json?{query}"), body).await,
            Asked::Image { name } => {
                let found = self.worker_image(&version, &name).await?;
                Ok(told(StatusCode::OK, Bytes::from(found.to_string())))
            }
            Asked::Create { name } => {
                let house = self.whose.look(&self.engine, &self.chips).await?;
                let create = form::create(&name, &body, &house.allowed)?;
                if !is_plain_socket(&house.seen, &create.socket.0, &create.socket.1) {
                    return Err(not_plain(&create.socket).into());
                }
                self.worker_image(&version, &create.image).await?;
                send(format!("/containers/create?name={name}"), json(&create.body)?).await
            }
            Asked::Container { id, verb, query } => {
                let id = self.own_container(&version, &id, verb).await?;
                let body = match verb {
                    Verb::Update => json(&form::update(&body)?)?,
                    _ => Bytes::new(),
                };
                let query = if query.is_empty() { query } else { format!("?{query}") };
                send(format!("/containers/{id}{}{query}", verb.path()), body).await
            }
        }
    }

    async fn info(&self, version: &str) -> Result<Answer, Stopped> {
        let (status, body) = self.engine.ask(&format!("{version}/info")).await?;
        let all: Value = serde_json::from_slice(&body).map_err(|e| EngineError::Answer(e.to_string()))?;
        if status != StatusCode::OK {
            return Ok(told(status, body));
        }
        let known = INFO.iter().filter_map(|name| Some(((*name).to_owned(), all.get(*name)?.clone())));
        Ok(told(StatusCode::OK, Bytes::from(Value::Object(known.collect()).to_string())))
    }

    /// What the engine says about a worker image; any other is none.
    async fn worker_image(&self, version: &str, name: &str) -> Result<Value, Stopped> {
        let found = self.engine.look_up(&format!("{version}/images/{name}/json")).await?;
        let is_worker = |image: &Value| image["Config"]["Labels"][LABEL_IMAGE.0] == LABEL_IMAGE.1;
        found.filter(is_worker).ok_or_else(|| Refusal::Image { image: name.into() }.into())
    }

    /// The full id of a container that this verb may be used on.
    async fn own_container(&self, version: &str, id: &str, verb: Verb) -> Result<String, Stopped> {
        let Some(made) = self.engine.look_up(&format!("{version}/containers/{id}/json")).await? else {
            return Err(Stopped::Gone { id: id.into() });
        };
        let full = made["Id"].as_str().unwrap_or_default().to_owned();
        let label = made["Config"]["Labels"][LABEL_DOOR].as_str().unwrap_or_default();
        let house = self.whose.name(&self.engine).await?;
        if !label.is_empty() && label == house {
            if verb == Verb::Start {
                self.look_at_socket(&made).await?;
            }
            return Ok(full);
        }
        // A server finds its paths by what the engine says about its own container.
        if verb == Verb::Inspect && self.whose.look(&self.engine, &[]).await?.server.as_ref() == Some(&full) {
            return Ok(full);
        }
        Err(Refusal::Foreign.into())
    }

    /// Time has passed since the container was made.
    async fn look_at_socket(&self, made: &Value) -> Result<(), Stopped> {
        let house = self.whose.look(&self.engine, &self.chips).await?;
        let mounts = made["Mounts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = mounts.iter().find(|mount| mount["Destination"] == env::CONTAINER_SOCKET);
        let path = shown.and_then(|mount| mount["Source"].as_str()).unwrap_or_default();
        let socket = form::socket(Path::new(path), &house.allowed)?;
        if is_plain_socket(&house.seen, &socket.0, &socket.1) { Ok(()) } else { Err(not_plain(&socket).into()) }
    }
}

fn not_plain((folder, below): &(PathBuf, PathBuf)) -> Refusal {
    Refusal::Mount { path: format!("{}, which is no socket that the door can see", folder.join(below).display()) }
}

async fn body(incoming: Incoming) -> Result<Bytes, Refusal> {
    let read = timeout(BODY_WITHIN, Limited::new(incoming, MOST_BODY).collect()).await;
    match read {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(e)) => Err(Refusal::Body { reason: e.to_string() }),
        Err(_) => Err(Refusal::Body { reason: "it took too long".into() }),
    }
}

fn json(value: &impl serde::Serialize) -> Result<Bytes, Refusal> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| Refusal::Body { reason: e.to_string() })
}

/// The engine's answer, piece by piece as it comes.
fn passed(answer: Response<Incoming>) -> Answer {
    let (head, body) = answer.into_parts();
    let mut out = Response::new(body.boxed());
    *out.status_mut() = head.status;
    for name in ["content-type", "api-version", "ostype", "server"] {
        if let Some(value) = head.headers.get(name) {
            out.headers_mut().insert(header::HeaderName::from_static(name), value.clone());
        }
    }
    out
}

fn said(status: StatusCode, message: &str) -> Answer {
    told(status, Bytes::from(json!({ "message": message }).to_string()))
}

fn told(status: StatusCode, body: Bytes) -> Answer {
    let mut out = Response::new(Full::new(body).map_err(|never| match never {}).boxed());
    *out.status_mut() = status;
    out.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    out
}
