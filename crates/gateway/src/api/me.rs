//! A person's own things. The acting person comes from the session and from nowhere else.

use crate::{
    House,
    input::{Id, Input},
    policy::{Caller, Policy, Who},
    problem::{Answer, Faults, Problem},
    routes::Routes,
    view::{List, TitleCard, at, role, seconds},
};
use axum::{Json, extract::State, http::StatusCode};
use domain::SessionId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Preferences;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Session, routes!(me))
        .add(Policy::Session, routes!(preferences, set_preferences))
        .add(Policy::Session, routes!(sessions))
        .add(Policy::Session, routes!(end_session))
        .add(Policy::Session, routes!(password))
        .add(Policy::Session, routes!(continue_watching))
        .add(Policy::Session, routes!(history))
}

#[derive(Serialize, ToSchema)]
struct Me {
    id: String,
    username: String,
    role: String,
    session_id: String,
}

/// Who I am.
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = Me)))]
async fn me(Who(who): Who) -> Json<Me> {
    Json(Me {
        id: who.user.to_string(),
        username: who.username,
        role: role(who.role),
        session_id: who.session.to_string(),
    })
}

#[derive(Serialize, ToSchema)]
struct PreferencesView {
    /// `system`, `dark` or `light`.
    theme: String,
    /// Subtitles in this language where the sound speaks another one; nothing leaves it to the film.
    language: Option<String>,
    /// Sound in this language where the film has it; nothing leaves it to the film.
    audio_language: Option<String>,
    autoplay_next: bool,
}

impl From<Preferences> for PreferencesView {
    fn from(p: Preferences) -> Self {
        let Preferences { theme, language, audio_language, autoplay_next } = p;
        Self { theme, language, audio_language, autoplay_next }
    }
}

/// How I like it.
#[utoipa::path(get, path = "/api/v1/me/preferences", tag = "me", responses((status = 200, body = PreferencesView)))]
async fn preferences(State(house): State<Arc<House>>, Who(who): Who) -> Answer<Json<PreferencesView>> {
    Ok(Json(house.store.preferences(&who.user).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreferencesForm {
    /// `system`, `dark` or `light`.
    theme: Option<String>,
    /// A language tag; an empty text takes it away.
    language: Option<String>,
    /// Likewise.
    audio_language: Option<String>,
    autoplay_next: Option<bool>,
}

/// Change how I like it; what is not said stays.
#[utoipa::path(patch, path = "/api/v1/me/preferences", tag = "me", request_body = PreferencesForm,
    responses((status = 200, body = PreferencesView)))]
async fn set_preferences(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Input(form): Input<PreferencesForm>,
) -> Answer<Json<PreferencesView>> {
    let mut faults = Faults::default();
    let theme = form.theme.as_deref();
    let known = theme.is_none_or(|t| ["system", "dark", "light"].contains(&t));
    faults.check(known, "theme", "is system, dark or light");
    for (field, tag) in [("language", &form.language), ("audio_language", &form.audio_language)] {
        let plain = |tag: &String| tag.len() <= 35 && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        faults.check(tag.as_ref().is_none_or(plain), field, "is a language tag such as de or pt-BR");
    }
    faults.done()?;
    let PreferencesForm { theme, language, audio_language, autoplay_next } = form;
    let likes = house.store.change_preferences(&who.user, |likes| {
        likes.theme = theme.unwrap_or_else(|| likes.theme.clone());
        // An empty tag takes it away.
        likes.language = language.map_or_else(|| likes.language.clone(), |tag| (!tag.is_empty()).then_some(tag));
        likes.audio_language =
            audio_language.map_or_else(|| likes.audio_language.clone(), |tag| (!tag.is_empty()).then_some(tag));
        likes.autoplay_next = autoplay_next.unwrap_or(likes.autoplay_next);
    });
    Ok(Json(likes.await?.ok_or_else(Problem::missing)?.into()))
}

#[derive(Serialize, ToSchema)]
struct OwnSession {
    id: String,
    device: Option<String>,
    created_at: String,
    last_seen_at: String,
    address: Option<String>,
    /// The one this call was made with.
    current: bool,
}

/// Where I am signed in.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "me", responses((status = 200, body = List<OwnSession>)))]
async fn sessions(State(house): State<Arc<House>>, Who(who): Who) -> Answer<Json<List<OwnSession>>> {
    let sessions = house.store.sessions_of(&who.user).await?;
    let items = sessions
        .into_iter()
        .map(|s| OwnSession {
            current: s.id == who.session,
            id: s.id.to_string(),
            device: s.device,
            created_at: at(s.created_at),
            last_seen_at: at(s.last_seen_at),
            address: s.address,
        })
        .collect();
    Ok(Json(List::whole(items)))
}

/// Sign out one of my devices.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "me", params(("id" = String, Path)),
    responses((status = 204)))]
async fn end_session(State(house): State<Arc<House>>, Who(who): Who, Id(id): Id<SessionId>) -> Answer<StatusCode> {
    let mine = house.store.sessions_of(&who.user).await?.iter().any(|s| s.id == id);
    if !mine {
        return Err(Problem::missing());
    }
    house.accounts.end_session(&id, who.user.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordForm {
    current: String,
    new: String,
}

/// Change my password. All my other sessions end.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "me", request_body = PasswordForm,
    responses((status = 204)))]
async fn password(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<PasswordForm>,
) -> Answer<StatusCode> {
    house.accounts.change_password(&who, &form.current, &form.new, peer).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What I have begun and not finished, newest first.
#[utoipa::path(get, path = "/api/v1/me/continue", tag = "me", responses((status = 200, body = List<TitleCard>)))]
async fn continue_watching(State(house): State<Arc<House>>, Who(who): Who) -> Answer<Json<List<TitleCard>>> {
    let rows = house.store.continue_watching(&who.user, who.role, 20).await?;
    Ok(Json(List::whole(rows.iter().map(Into::into).collect())))
}

#[derive(Serialize, ToSchema)]
struct HistoryItem {
    title: TitleCard,
    position_s: f64,
    finished: bool,
    updated_at: String,
}

/// What I have watched, newest first.
#[utoipa::path(get, path = "/api/v1/me/history", tag = "me", responses((status = 200, body = List<HistoryItem>)))]
async fn history(State(house): State<Arc<House>>, Who(who): Who) -> Answer<Json<List<HistoryItem>>> {
    let rows = house.store.history(&who.user, 100).await?;
    let items = rows
        .iter()
        .filter_map(|row| {
            let progress = row.progress.as_ref()?;
            Some(HistoryItem {
                title: row.into(),
                position_s: seconds(progress.position_ms),
                finished: progress.finished,
                updated_at: at(progress.updated_at),
            })
        })
        .collect();
    Ok(Json(List::whole(items)))
}
