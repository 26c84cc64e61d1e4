//! The bytes. Every header comes from our own database; the worker adds nothing but content,
//! and exactly as much of it as was announced.

use crate::{
    House, admission,
    policy::{Admitted, Caller, Policy},
    problem::{Answer, Problem},
    routes::Routes,
    stream::{Flow, Lease, PortableBody, RegionBody, Slot, Source},
    streams::{NewPlay, OpenConnection, Play, Served},
};
use accounts::TicketClaims;
use axum::{
    body::Body,
    extract::{Extension, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Code, Tenant, facts::FileFacts, playback};
use media::{
    conditional::{Preconditions, Verdict, etag},
    mime::content_type,
    range::RangeAnswer,
};
use std::{net::IpAddr, sync::Arc};
use store::FileRow;
use tokio::net::UnixStream;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Ticket, routes!(file))
}

/// The film's bytes. One range at a time; also HEAD, `If-Range`, `If-None-Match`, `If-Match`.
#[utoipa::path(get, path = "/stream/{ticket}/file", tag = "watching", params(("ticket" = String, Path)),
    responses((status = 200), (status = 206), (status = 304), (status = 412), (status = 416)))]
async fn file(
    State(house): State<Arc<House>>,
    Admitted(claims): Admitted,
    Caller(peer): Caller,
    slot: Option<Extension<Slot>>,
    method: Method,
    headers: HeaderMap,
) -> Answer<Response> {
    let play = join(&house, &claims, peer.address).await?;
    // The ticket is for what was admitted: a smaller picture is no permission for the whole file.
    let about = &play.about;
    if about.method != playback::Method::Direct && !about.ladder.as_ref().is_none_or(|ladder| ladder.holds(None)) {
        return Err(Problem::missing());
    }
    let served = match play.served() {
        Some(served) => served,
        None => look_up(&house, &claims, &play).await?,
    };
    play.touch();
    let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let asked = Preconditions {
        if_match: text(header::IF_MATCH),
        if_none_match: text(header::IF_NONE_MATCH),
        if_range: text(header::IF_RANGE),
        // More than one header is more than one range; a server may answer it whole.
        range: text(header::RANGE).filter(|_| headers.get_all(header::RANGE).iter().count() == 1),
    };
    let (status, first, length) = match asked.verdict(&served.etag, served.size) {
        Verdict::PreconditionFailed => {
            return Ok(describe(StatusCode::PRECONDITION_FAILED.into_response(), &served));
        }
        Verdict::NotModified => return Ok(describe(StatusCode::NOT_MODIFIED.into_response(), &served)),
        Verdict::Send(RangeAnswer::NotSatisfiable) => {
            let all = HeaderValue::from_str(&format!("bytes */{}", served.size)).map_err(|_| fault())?;
            return Err(Problem::of(Code::RangeNotSatisfiable).header(header::CONTENT_RANGE, all));
        }
        Verdict::Send(RangeAnswer::Whole) => (StatusCode::OK, 0, served.size),
        Verdict::Send(RangeAnswer::Part { first, last }) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
    };
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        body(&house, &claims, &play, &served, slot, first, length).await?
    };
    let mut response = describe((status, body).into_response(), &served);
    let out = response.headers_mut();
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let part = format!("bytes {first}-{}/{}", first + length - 1, served.size);
        out.insert(header::CONTENT_RANGE, HeaderValue::from_str(&part).map_err(|_| fault())?);
    }
    Ok(response)
}

fn fault() -> Problem {
    Problem::of(Code::Internal)
}

fn describe(mut response: Response, served: &Served) -> Response {
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(served.mime));
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if let Ok(etag) = HeaderValue::from_str(&served.etag) {
        out.insert(header::ETAG, etag);
    }
    response
}

async fn body(
    house: &House,
    claims: &TicketClaims,
    play: &Arc<Play>,
    served: &Served,
    slot: Option<Extension<Slot>>,
    first: u64,
    length: u64,
) -> Answer<Body> {
    let tenant = Tenant::User(claims.user.clone());
    // Counted as open from here on, so that waiting for the loge does not look like an empty seat.
    let open = play.connection();
    let range = house.loges.range(&tenant, served.file.clone(), first, length).await?;
    let lease = Box::new(Seated::new(range.lease, open));
    let flow = Flow::new(play.cut.clone(), play.pace.clone(), play.meter.clone());
    let source = Source::new(range.stream, length, lease, flow);
    Ok(match slot {
        Some(Extension(slot)) => Body::new(RegionBody::new(slot, source)),
        None => Body::new(PortableBody::new(source)),
    })
}

/// The worker's lease, and the seat that is held while it lasts.
pub struct Seated {
    lease: Box<dyn Lease>,
    _open: OpenConnection,
}

impl Seated {
    pub fn new(lease: Box<dyn Lease>, open: OpenConnection) -> Self {
        Self { lease, _open: open }
    }
}

impl Lease for Seated {
    fn finish(self: Box<Self>, stream: UnixStream) {
        self.lease.finish(stream);
    }
}

/// Returns the play of this ticket. After a restart of the server it is made again from the ticket, if there
/// is a place for it.
pub async fn join(house: &House, claims: &TicketClaims, address: IpAddr) -> Answer<Arc<Play>> {
    // The permission in the address is none any more.
    let dead = |why: Code| Problem::of(why).status(StatusCode::UNAUTHORIZED);
    if let Some(play) = house.streams.join(&claims.play).map_err(|ended| dead(ended.code))? {
        return Ok(play);
    }
    if house.store.is_play_ended(&claims.play).await? {
        return Err(dead(Code::StoppedByOwner));
    }
    let user = house.store.user(&claims.user).await?.ok_or_else(Problem::missing)?;
    let (row, files) =
        house.store.title_for(&claims.user, user.role, &claims.title).await?.ok_or_else(Problem::missing)?;
    let (settings, capacity) = crate::chip::asked(house).await?;
    let room = admission::room(house, &settings, capacity.as_ref());
    let file = files.iter().find(|f| f.id == claims.file);
    // What was chosen is not all in the ticket: an ordinary browser's way is found again by itself.
    // What is larger than what was admitted is not sent.
    let (method, ladder) = match (claims.height, file) {
        (Some(height), Some(file)) => {
            let mut lines = house.renditions.lines_of(file).await?;
            lines.retain(|lines| *lines <= height);
            if !lines.contains(&height) {
                // A live encode has to be admitted again.
                return Err(Problem::of(Code::TicketExpired));
            }
            (playback::Method::Rendition, Some(playback::Ladder { original: false, lines }))
        }
        _ => (playback::Method::Direct, None),
    };
    let play = house.streams.enter(
        NewPlay {
            play: claims.play.clone(),
            user: claims.user.clone(),
            username: user.username,
            session: claims.session.clone(),
            title: claims.title.clone(),
            title_name: row.name.clone(),
            poster: crate::view::poster_url(&row),
            library: row.library.clone(),
            file: claims.file.clone(),
            method,
            lines: claims.height,
            ladder,
            reasons: vec![],
            audio_track: None,
            bits_per_s: file.map_or(0, |f| admission::bits_per_s(f, claims.height)),
            encode_millis: 0,
            chip: None,
            duration_ms: row.best.duration_ms,
            position_ms: row.progress.as_ref().map_or(0, |p| p.position_ms),
            address,
        },
        &room,
    )?;
    // The sign-in may have ended between the check of the ticket and now: its end has cut what was
    // there, and this was not.
    if let Err(ended) = house.accounts.still_live(&claims.session).await {
        house.streams.stop(&claims.play, ended.code);
        return Err(ended.into());
    }
    Ok(play)
}

/// Rights and facts, once per play and again whenever either may have changed.
pub async fn look_up(house: &House, claims: &TicketClaims, play: &Play) -> Answer<Arc<Served>> {
    let (file, facts) = facts_of(house, claims).await?;
    let served = Arc::new(Served {
        file: crate::timeline::file_ref(&file),
        size: file.size_bytes,
        mtime_ns: file.mtime_ns,
        etag: etag(&file.id, file.size_bytes, file.mtime_ns),
        mime: content_type(facts.container),
    });
    play.set_served(served.clone());
    Ok(served)
}

/// The file of a ticket, if whoever holds it may still see it.
pub async fn facts_of(house: &House, claims: &TicketClaims) -> Answer<(FileRow, FileFacts)> {
    let user = house.store.user(&claims.user).await?.filter(|u| !u.disabled).ok_or_else(Problem::missing)?;
    let file =
        house.store.file(&claims.file).await?.filter(|f| f.title == claims.title).ok_or_else(Problem::missing)?;
    if !house.store.can_see(&claims.user, user.role, &file.library).await? {
        return Err(Problem::missing());
    }
    if file.missing_since.is_some() {
        return Err(Problem::of(Code::FileMissing));
    }
    let facts = file.facts.clone().ok_or_else(|| Problem::of(Code::NeedsPreparing))?;
    Ok((file, facts))
}
