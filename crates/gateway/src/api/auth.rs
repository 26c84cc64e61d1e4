//! Signing in and out. Each way in answers the same and starts the person's loge at once, so
//! that it stands when they press play.

use crate::{
    House, cookies,
    input::Input,
    policy::{Caller, Policy, bearer, cookie},
    problem::{Answer, Problem},
    routes::Routes,
    view::{Login, UserBrief},
};
use accounts::SignedIn;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Code, Tenant};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Anonymous, routes!(login))
        .add(Policy::Anonymous, routes!(ticket))
        .add(Policy::Anonymous, routes!(refresh))
        .add(Policy::Anonymous, routes!(logout))
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
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// What a browser calls itself, when it was not told what it is.
fn device(told: Option<String>, headers: &HeaderMap) -> Option<String> {
    let text = told.or_else(|| headers.get(header::USER_AGENT)?.to_str().ok().map(str::to_string))?;
    let text: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    (!text.trim().is_empty()).then(|| text.trim().to_string())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginForm {
    username: String,
    password: String,
    device: Option<String>,
}

/// Sign in.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginForm,
    responses((status = 200, body = Login)))]
async fn login(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    headers: HeaderMap,
    Input(form): Input<LoginForm>,
) -> Answer<Response> {
    let device = device(form.device, &headers);
    let signed = house.accounts.login(&form.username, &form.password, device, peer).await?;
    Ok(signed_in(&house, signed, StatusCode::OK))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketForm {
    ticket: String,
}

/// Sign in with the one-time ticket that the desktop was handed.
#[utoipa::path(post, path = "/api/v1/auth/ticket", tag = "auth", request_body = TicketForm,
    responses((status = 200, body = Login)))]
async fn ticket(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    Input(form): Input<TicketForm>,
) -> Answer<Response> {
    let signed = house.accounts.redeem_ticket(&form.ticket, peer).await?;
    Ok(signed_in(&house, signed, StatusCode::OK))
}

/// A new access token, by the refresh cookie.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", responses((status = 200, body = Login)))]
async fn refresh(State(house): State<Arc<House>>, Caller(peer): Caller, headers: HeaderMap) -> Answer<Response> {
    let token = cookie(&headers, cookies::REFRESH)
        .filter(|t| !t.is_empty())
        .ok_or_else(|| Problem::of(Code::SignInRequired))?;
    let signed = house.accounts.refresh(&token, peer).await?;
    Ok(signed_in(&house, signed, StatusCode::OK))
}

/// End this session, by access token or refresh cookie. Its streams are cut.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", responses((status = 204)))]
async fn logout(State(house): State<Arc<House>>, Caller(peer): Caller, headers: HeaderMap) -> Answer<Response> {
    let by_token = match bearer(&headers) {
        Some(token) => house.accounts.authenticate(token).await.ok().map(|p| p.session),
        None => None,
    };
    let session = match (by_token, cookie(&headers, cookies::REFRESH)) {
        (Some(session), _) => Some(session),
        // The rotation proves the token; its successor is never handed out.
        (None, Some(token)) => house.accounts.refresh(&token, peer).await.ok().map(|s| s.session),
        (None, None) => None,
    };
    if let Some(session) = session {
        house.accounts.logout(&session).await;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    for cookie in cookies::clear() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterForm {
    invite: String,
    username: String,
    password: String,
}

/// Become a viewer, by invitation.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", request_body = RegisterForm,
    responses((status = 201, body = Login)))]
async fn register(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    Input(form): Input<RegisterForm>,
) -> Answer<Response> {
    let signed = house.accounts.register(&form.invite, &form.username, &form.password, peer).await?;
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
}

/// Claim a house that has no owner yet.
#[utoipa::path(post, path = "/api/v1/setup", tag = "auth", request_body = SetupForm,
    responses((status = 201, body = Login)))]
async fn setup(
    State(house): State<Arc<House>>,
    Caller(peer): Caller,
    Input(form): Input<SetupForm>,
) -> Answer<Response> {
    let name = form.server_name.as_deref().map(|n| crate::input::text("server_name", n, 60)).transpose()?;
    let signed = house.accounts.claim(&form.code, &form.username, &form.password, name.as_deref(), peer).await?;
    Ok(signed_in(&house, signed, StatusCode::CREATED))
}
