//! What changes, as it changes, for as long as the page is open. Ids and no secrets; each
//! reader gets what their role and grants let them see, and is told to refetch when they fell
//! behind.

use crate::{
    House,
    policy::{Policy, Who},
    problem::Answer,
    routes::Routes,
};
use accounts::Principal;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base::{Event, Stamped};
use bytes::Bytes;
use domain::LibraryId;
use futures_util::stream;
use serde_json::{Value, json};
use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};
use utoipa_axum::routes;

/// Keeps middle boxes and phones from closing a quiet connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(events))
}

/// Server-sent events. `Last-Event-ID` resumes; `resync` means: refetch what you show.
#[utoipa::path(get, path = "/api/v1/events", tag = "house",
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn events(State(house): State<Arc<House>>, Who(who): Who, headers: HeaderMap) -> Answer<Response> {
    let last: Option<u64> = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    // Subscribed before anything is read, so that no change falls in between.
    let (missed, receiver) = match last {
        Some(seq) => house.bus.resume(seq),
        None => (Some(Vec::new()), house.bus.subscribe()),
    };
    let mut reader = Reader {
        house: house.clone(),
        grants: HashSet::new(),
        who,
        receiver,
        ready: VecDeque::new(),
        beat_at: Instant::now() + HEARTBEAT,
        over: false,
    };
    reader.reload_grants().await?;
    let hello = json!({ "type": "hello", "seq": house.bus.last_seq() });
    reader.ready.push_back(block("hello", None, &hello));
    match missed {
        Some(missed) => {
            for stamped in missed {
                reader.take(stamped).await;
            }
        }
        None => reader.resync(),
    }
    let body = Body::from_stream(stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    }));
    let mut response = body.into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

struct Reader {
    house: Arc<House>,
    who: Principal,
    grants: HashSet<LibraryId>,
    receiver: Receiver<Stamped>,
    ready: VecDeque<Bytes>,
    /// When the next heartbeat is due. Events of others come more often than that, so waiting for a
    /// quiet moment would wait for ever.
    beat_at: Instant,
    over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.over {
                return None;
            }
            let soft = self.house.lifecycle.soft().clone();
            let received = tokio::select! {
                biased;
                () = soft.cancelled() => return None,
                () = tokio::time::sleep_until(self.beat_at) => None,
                received = self.receiver.recv() => Some(received),
            };
            match received {
                None => {
                    self.beat_at = Instant::now() + HEARTBEAT;
                    // Sign-ins run out without an event.
                    if !self.knows_its_reader().await {
                        return None;
                    }
                    self.ready.push_back(Bytes::from_static(b": here\n\n"));
                }
                Some(Ok(stamped)) => self.take(stamped).await,
                Some(Err(RecvError::Lagged(_))) => {
                    // Among what was lost may be the end of this very session.
                    if !self.knows_its_reader().await {
                        return None;
                    }
                    self.resync();
                }
                Some(Err(RecvError::Closed)) => return None,
            }
        }
    }

    /// Looks again at who reads: whether the sign-in lives, the role, the grants. False when there is
    /// no right to read on, or when that cannot be told: the page comes back by itself.
    async fn knows_its_reader(&mut self) -> bool {
        let Ok(who) = self.house.accounts.live(&self.who.session).await else { return false };
        if who.role != self.who.role {
            self.resync();
        }
        self.who = who;
        // Nothing is granted or taken by a database that is away.
        self.reload_grants().await.is_ok() || self.house.store.away_since().is_some()
    }

    async fn reload_grants(&mut self) -> Answer<()> {
        if !self.who.role.is_admin() {
            self.grants = self.house.store.grants(&self.who.user).await?.into_iter().collect();
        }
        Ok(())
    }

    fn resync(&mut self) {
        self.ready.push_back(block("resync", Some(self.house.bus.last_seq()), &json!({ "type": "resync" })));
    }

    fn sees(&self, library: &LibraryId) -> bool {
        self.who.role.is_admin() || self.grants.contains(library)
    }

    /// Puts an event into words for this reader, or drops it.
    async fn take(&mut self, stamped: Stamped) {
        let may_be_about_the_reader = match &stamped.event {
            Event::GrantsChanged { user } => *user == self.who.user,
            Event::Users => true,
            _ => false,
        };
        if may_be_about_the_reader && !self.knows_its_reader().await {
            self.over = true;
            return;
        }
        let admin = self.who.role.is_admin();
        let seq = stamped.seq;
        let (name, data): (&str, Value) = match stamped.event {
            Event::Library { library } if self.sees(&library) => ("library", json!({ "library_id": library.as_str() })),
            Event::Title { title, library } if self.sees(&library) => {
                ("title", json!({ "title_id": title.as_str(), "library_id": library.as_str() }))
            }
            Event::Poster { title, library } if self.sees(&library) => {
                ("poster", json!({ "title_id": title.as_str(), "library_id": library.as_str() }))
            }
            Event::Job { job } if admin => ("job", json!({ "job_id": job.as_str() })),
            Event::Loge { user } if admin => {
                ("loge", json!({ "user_id": user.as_ref().map_or("house", |u| u.as_str()) }))
            }
            Event::Streams | Event::StreamsMoved if admin => ("streams", json!({})),
            Event::Users if admin => ("users", json!({})),
            Event::Alerts if admin => ("alert", json!({})),
            Event::Backups if admin => ("backup", json!({})),
            Event::Vitals if admin => match super::admin::vitals::now(&self.house) {
                Some(vitals) => match serde_json::to_value(vitals) {
                    Ok(value) => ("vitals", value),
                    Err(_) => return,
                },
                None => return,
            },
            Event::SessionEnded { session, .. } if session == self.who.session => {
                self.over = true;
                ("session_ended", json!({ "session_id": session.as_str() }))
            }
            Event::GrantsChanged { user } if user == self.who.user => ("resync", json!({})),
            Event::GrantsChanged { .. } if admin => ("users", json!({})),
            Event::Message { user, text } if user == self.who.user => ("message", json!({ "text": text })),
            Event::PlayStopped { user, play, why } if user == self.who.user => {
                ("play_stopped", json!({ "play_id": play.as_str(), "code": why.as_str(), "detail": why.sentence() }))
            }
            Event::Library { .. }
            | Event::Title { .. }
            | Event::Poster { .. }
            | Event::Job { .. }
            | Event::Loge { .. }
            | Event::Streams
            | Event::StreamsMoved
            | Event::Users
            | Event::Alerts
            | Event::Backups
            | Event::Vitals
            | Event::SessionEnded { .. }
            | Event::GrantsChanged { .. }
            | Event::PlayStopped { .. }
            | Event::Message { .. } => return,
        };
        let mut data = data;
        if let Value::Object(fields) = &mut data {
            fields.insert("type".into(), name.into());
        }
        self.ready.push_back(block(name, Some(seq), &data));
    }
}

/// JSON has no raw line breaks, so one `data` line always suffices.
fn block(name: &str, seq: Option<u64>, data: &Value) -> Bytes {
    let id = seq.map_or(String::new(), |seq| format!("id: {seq}\n"));
    format!("event: {name}\n{id}data: {data}\n\n").into()
}
