//! Who may call what. A route cannot be registered without a policy, and the policy is checked
//! before the handler runs; handlers get the acting person from here and from nowhere else.

use crate::{House, edge::ByUser, listen::PeerAddress, problem::Problem};
use accounts::{DeviceSecret, Peer, Principal, TicketClaims, read_device_secret};
use axum::{
    extract::{FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, HeaderName, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Code, Role};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anyone who reaches the port. The list of these routes is reviewed in a test.
    Anonymous,
    /// Anyone who is signed in: an access token in the `Authorization` header.
    Session,
    /// The owner.
    Admin,
    /// A browser that shows a refresh cookie. What the cookie is worth, the handler finds out: asking
    /// that uses it up.
    RefreshCookie,
    /// Whoever holds a live ticket, which is in the path.
    Ticket,
    /// What browsers ask for without headers, images and the pages of this API's document: an access
    /// token or the view cookie.
    Image,
    /// The owner, or a scrape token from the configuration.
    Scrape,
}

/// Runs before the handler of every route.
pub async fn enforce(policy: Policy, mut request: Request, next: Next) -> Response {
    let Some(house) = request.extensions().get::<Arc<House>>().cloned() else {
        return Problem::of(Code::Internal).into_response();
    };
    let checked = match policy {
        Policy::Anonymous => Ok(()),
        Policy::RefreshCookie => refresh_cookie(request.headers()),
        Policy::Session => session(&house, &mut request).await,
        Policy::Admin => admin(&house, &mut request).await,
        Policy::Ticket => {
            let (mut parts, body) = request.into_parts();
            let checked = ticket(&house, &mut parts).await;
            request = Request::from_parts(parts, body);
            checked
        }
        Policy::Image => image(&house, &mut request).await,
        Policy::Scrape => scrape(&house, &mut request).await,
    };
    if let Err(problem) = checked {
        return problem.into_response();
    }
    let of = request.extensions();
    let user = of.get::<Principal>().map(|p| &p.user).or_else(|| of.get::<TicketClaims>().map(|c| &c.user)).cloned();
    let mut response = next.run(request).await;
    if !matches!(policy, Policy::Anonymous | Policy::RefreshCookie) {
        response.extensions_mut().insert(Authenticated);
    }
    if let Some(user) = user {
        response.extensions_mut().insert(ByUser(user));
    }
    response
}

/// Marks an answer to a caller who proved their identity.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated;

fn refresh_cookie(headers: &HeaderMap) -> Result<(), Problem> {
    let is_shown = cookies(headers, crate::cookies::REFRESH).any(|token| !token.is_empty());
    if is_shown { Ok(()) } else { Err(Problem::of(Code::SignInRequired)) }
}

async fn session(house: &House, request: &mut Request) -> Result<(), Problem> {
    let token = bearer(request.headers()).ok_or_else(|| Problem::of(Code::SignInRequired))?;
    let principal = house.accounts.authenticate(token).await?;
    request.extensions_mut().insert(principal);
    Ok(())
}

async fn admin(house: &House, request: &mut Request) -> Result<(), Problem> {
    session(house, request).await?;
    match request.extensions().get::<Principal>() {
        Some(who) if who.role == Role::Admin => Ok(()),
        _ => Err(Problem::of(Code::Forbidden)),
    }
}

async fn ticket(house: &House, parts: &mut Parts) -> Result<(), Problem> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Problem::missing())?;
    let ticket = params.iter().find(|(name, _)| *name == "ticket").map(|(_, value)| value.to_string());
    let claims = house.accounts.verify_ticket(&ticket.ok_or_else(Problem::missing)?).await?;
    parts.extensions.insert(claims);
    Ok(())
}

async fn image(house: &House, request: &mut Request) -> Result<(), Problem> {
    if bearer(request.headers()).is_some() {
        return session(house, request).await;
    }
    let token = cookie(request.headers(), crate::cookies::VIEW).ok_or_else(|| Problem::of(Code::SignInRequired))?;
    let principal = house.accounts.authenticate_view(&token).await?;
    request.extensions_mut().insert(principal);
    Ok(())
}

async fn scrape(house: &House, request: &mut Request) -> Result<(), Problem> {
    let told = bearer(request.headers());
    if let (Some(told), Some(token)) = (told, &house.scrape_token)
        && equal(told.as_bytes(), token.as_bytes())
    {
        return Ok(());
    }
    admin(house, request).await
}

/// Compares without telling by its time where the difference is.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    cookies(headers, name).next()
}

/// Returns all cookies of that name: a page on another port of this host can put its own before ours.
pub fn cookies(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(n, _)| *n == name)
        .map(|(_, value)| value.to_string())
}

/// The secret of the device, in a header of its own: pages of other ports of this host get our
/// cookies, but cannot read what the page keeps for its origin.
pub const DEVICE: HeaderName = HeaderName::from_static("loge-device");

/// What the caller's device is known by, if it keeps a secret.
pub struct FromDevice(pub Option<DeviceSecret>);

impl<S: Send + Sync> FromRequestParts<S> for FromDevice {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(DEVICE) else { return Ok(Self(None)) };
        let secret = value.to_str().ok().and_then(read_device_secret);
        let wrong = || Problem::new(Code::BadRequest, "The Loge-Device header holds 32 bytes in base64url.");
        secret.map(|s| Self(Some(s))).ok_or_else(wrong)
    }
}

/// The acting person, put there by the route's policy. On a route whose policy does not know
/// one this is our fault and fails closed.
pub struct Who(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Principal>().cloned().map(Self).ok_or_else(|| Problem::of(Code::Internal))
    }
}

/// What the ticket in the path stands for.
pub struct Admitted(pub TicketClaims);

impl<S: Send + Sync> FromRequestParts<S> for Admitted {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<TicketClaims>().cloned().map(Self).ok_or_else(|| Problem::of(Code::Internal))
    }
}

/// The other end of the TCP connection: for logs and throttling, never for rights.
pub struct Caller(pub Peer);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let address = parts.extensions.get::<PeerAddress>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |p| p.0);
        Ok(Self(Peer { address }))
    }
}
