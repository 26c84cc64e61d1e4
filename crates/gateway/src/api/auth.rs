//! Signing in and out. Each way in answers the same and starts the person's loge at once, so
//! that it stands when they press play.

use crate::{
    House, cookies,
    input::Input,
    policy::{self, Authenticated, Caller, FromDevice, Policy, bearer},
    problem::{Answer, Faults, Problem},
    routes::Routes,
    view::{Login, UserBrief},
};
use accounts::{Device, DeviceSecret, Peer, SignedIn, check_person};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Code, Failure, Tenant};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// More of one name are none of ours.
const MOST_COOKIES: usize = 4;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Anonymous, routes!(login))
        .add(Policy::RefreshCookie, routes!(refresh))
        .add(Policy::Anonymous, routes!(logout))
        .add(Policy::Anonymous, routes!(invite))
        .add(Policy::Anonymous, routes!(register))
        .add(Policy::Anonymous, routes!(setup))
}

/// Cookies, body, and a loge on its way.
pub fn signed_in(house: &House, signed: SignedIn, status: StatusCode) -> Response {
    house.loges.want(&Tenant::User(signed.user.id.clone()));
    let cookies = cookies::set(&signed.refresh_token, &signed.view_token, signed.refresh_max_age_s);
    let body = Login {
        access_token: signed.access_token,
        expires_in: signed.expires_in_s,
        user: UserBrief::from(&signed.user),
    };
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(Authenticated);
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Returns what a browser calls itself, when it was not told what it is, and its secret.
fn device(told: Option<String>, headers: &HeaderMap, secret: Option<DeviceSecret>) -> Device {
    let text = told.or_else(|| headers.get(header::USER_AGENT)?.to_str().ok().map(str::to_string));
    let text: String = text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(120).collect();
    let name = (!text.trim().is_empty()).then(|| text.trim().to_string());
    Device { name, secret }
}

/// Either name and password, or a ticket.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginForm {
    username: Option<String>,
    password: Option<String>,
    device: Option<String>,
    /// Works once, for a minute, and instead of all others. The desktop gets one for its window.
    ticket: Option<String>,
}

enum Proof {
    Password { username: String, password: String },
    Ticket(String),
}

impl LoginForm {
    fn proof(&mut self) -> Answer<Proof> {
        match (self.ticket.take(), self.username.take(), self.password.take()) {
            (Some(ticket), None, None) => Ok(Proof::Ticket(ticket)),
            (Some(_), ..) => Err(Problem::field("ticket", "comes without name and password")),
            (None, Some(username), Some(password)) => Ok(Proof::Password { username, password }),
            (None, None, _) => Err(Problem::field("username", "is needed")),
            (None, _, None) => Err(Problem::field("password", "is needed")),
        }
    }
}

/// Sign in, with name and password or with a one-time ticket.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginForm,
    responses((status = 200, body = Login)))]
async fn login(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    FromDevice(secret): FromDevice,
    headers: HeaderMap,
    Input(mut form): Input<LoginForm>,
) -> Answer<Response> {
    let signed = match form.proof()? {
        Proof::Password { username, password } => {
            let device = device(form.device, &headers, secret);
            house.accounts.login(&username, &password, device, peer).await?
        }
        Proof::Ticket(ticket) => house.accounts.redeem_ticket(&ticket, secret, peer).await?,
    };
    Ok(signed_in(&house, signed, StatusCode::OK))
}

/// A new access token, by the refresh cookie and the secret of the device it was given to.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth",
    params(("Loge-Device" = Option<String>, Header, description = "The secret that was sent with the sign-in, if one was")),
    responses((status = 200, body = Login)))]
async fn refresh(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    FromDevice(secret): FromDevice,
    headers: HeaderMap,
) -> Answer<Response> {
    let mut refused = None;
    for token in policy::cookies(&headers, cookies::REFRESH).filter(|t| !t.is_empty()).take(MOST_COOKIES) {
        match house.accounts.refresh(&token, secret, peer).await {
            Ok(signed) => return Ok(signed_in(&house, signed, StatusCode::OK)),
            // Another one may be ours; what is said at the end is the best known of all.
            Err(failure) => {
                refused = Some(refused.filter(|f: &Failure| f.code != Code::SignInRequired).unwrap_or(failure));
            }
        }
    }
    let failure = refused.unwrap_or_else(|| Failure::of(Code::SignInRequired));
    let unknown = failure.code == Code::SignInRequired;
    let mut response = Problem::from(failure).into_response();
    if unknown {
        // It will not get better: the browser need not show it again.
        clear_cookies(&mut response);
    }
    Ok(response)
}

fn clear_cookies(response: &mut Response) {
    for cookie in cookies::clear() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// End this session, by access token or refresh cookie. Its streams are cut. The cookies are
/// taken away in any case; a 204 means that the session has ended.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", responses((status = 204)))]
async fn logout(State(house): State<Arc<House>>, Caller(peer): Caller, headers: HeaderMap) -> Answer<Response> {
    let mut response = match end(&house, peer, &headers).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => Problem::from(failure).into_response(),
    };
    clear_cookies(&mut response);
    Ok(response)
}

async fn end(house: &House, peer: Peer, headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(token) = bearer(headers) {
        match house.accounts.authenticate(token).await {
            Ok(principal) => return house.accounts.logout(&principal.session).await,
            // Too old, or ended: the cookie may know more.
            Err(failure) if over(failure.code) => {}
            Err(failure) => return Err(failure),
        }
    }
    for token in policy::cookies(headers, cookies::REFRESH).filter(|t| !t.is_empty()).take(MOST_COOKIES) {
        match house.accounts.logout_by_token(&token, peer).await {
            // None of ours: there is nothing to end.
            Err(failure) if !over(failure.code) => return Err(failure),
            _ => {}
        }
    }
    Ok(())
}

/// Returns whether a caller with this answer is signed out already.
fn over(code: Code) -> bool {
    matches!(code, Code::SignInRequired | Code::SessionEnded | Code::AccountDisabled)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteForm {
    invite: String,
}

/// Whether an invitation can still be used. Uses nothing up.
#[utoipa::path(post, path = "/api/v1/auth/invite", tag = "auth", request_body = InviteForm,
    responses((status = 204)))]
async fn invite(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    Input(form): Input<InviteForm>,
) -> Answer<StatusCode> {
    house.accounts.check_invite(&form.invite, peer).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterForm {
    invite: String,
    username: String,
    password: String,
    device: Option<String>,
}

/// Become a viewer, by invitation.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", request_body = RegisterForm,
    responses((status = 201, body = Login)))]
async fn register(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    FromDevice(secret): FromDevice,
    headers: HeaderMap,
    Input(form): Input<RegisterForm>,
) -> Answer<Response> {
    let device = device(form.device, &headers, secret);
    let signed = house.accounts.register(&form.invite, &form.username, &form.password, device, peer).await?;
    Ok(signed_in(&house, signed, StatusCode::CREATED))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupForm {
    /// Shown on the desktop or in the terminal of the server.
    code: String,
    username: String,
    password: String,
    server_name: Option<String>,
    device: Option<String>,
}

/// Claim a house that has no owner yet.
#[utoipa::path(post, path = "/api/v1/setup", tag = "auth", request_body = SetupForm,
    responses((status = 201, body = Login)))]
async fn setup(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    FromDevice(secret): FromDevice,
    headers: HeaderMap,
    Input(form): Input<SetupForm>,
) -> Answer<Response> {
    // After the first time this is an address like any that does not exist.
    if house.accounts.setup_code().is_none() {
        return Err(Problem::missing());
    }
    let device = device(form.device, &headers, secret);
    let mut faults = Faults::default();
    let told = form.server_name.as_deref();
    let name = told.and_then(|name| faults.take(crate::input::text("server_name", name, 60)));
    if told.is_some() && name.is_none() {
        faults.take(check_person(&form.username, &form.password).map_err(Problem::from));
    }
    faults.done()?;
    let (name, password) = (name.as_deref(), &form.password);
    let claimed = house.accounts.claim(&form.code, &form.username, password, name, device, peer).await;
    let signed = claimed.map_err(|failure| match failure.code {
        // Another browser was faster.
        Code::AlreadySetUp => Problem::missing(),
        _ => failure.into(),
    })?;
    Ok(signed_in(&house, signed, StatusCode::CREATED))
}
