//! The night shift: when the house prepares films by itself, and the space it has for them.

use crate::{
    House,
    input::Input,
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{Json, extract::State};
use domain::night::{ShiftState, clock_time, minute_of};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(show)).add(Policy::Admin, routes!(change))
}

#[derive(Serialize, ToSchema)]
#[schema(as = NightShift)]
struct ShiftView {
    enabled: bool,
    /// `01:00`, in the machine's own time.
    from: String,
    to: String,
    /// For prepared versions in all, whoever asked for them.
    cap_bytes: u64,
    used_bytes: u64,
    /// `off`, `waiting`, `working`, `held`, `done` or `no_room`.
    state: String,
    state_text: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShiftForm {
    enabled: Option<bool>,
    /// `01:00`; may be later than `to`.
    from: Option<String>,
    to: Option<String>,
    cap_bytes: Option<u64>,
}

/// What the night shift does, and when.
#[utoipa::path(get, path = "/api/v1/admin/night-shift", tag = "machine", responses((status = 200, body = ShiftView)))]
async fn show(State(house): State<Arc<House>>) -> Answer<Json<ShiftView>> {
    let shift = house.renditions.night_shift().await?;
    let versions = house.renditions.list().await?;
    let state = house.renditions.shift_state();
    let (from, to) = (clock_time(shift.from_minute), clock_time(shift.to_minute));
    let state_text = match state {
        ShiftState::Off => "The night shift is off.".into(),
        ShiftState::Waiting => format!("It begins at {from}."),
        ShiftState::Working => match versions.iter().find(|v| v.state == domain::RenditionState::Running) {
            Some(view) => format!("Preparing {}.", view.row.title_name),
            None => "It looks for something to prepare.".into(),
        },
        ShiftState::Held => versions.iter().find_map(|v| v.reason.clone()).unwrap_or_else(|| "It holds still.".into()),
        ShiftState::Done => "Everything that needs preparing is prepared.".into(),
        ShiftState::NoRoom => "What would be next does not fit. Give more space, or remove some.".into(),
    };
    Ok(Json(ShiftView {
        enabled: shift.enabled,
        from,
        to,
        cap_bytes: shift.cap_bytes,
        used_bytes: versions.iter().map(|v| v.stored_bytes).sum(),
        state: state.as_str().into(),
        state_text,
    }))
}

/// Change it; what is not said stays.
#[utoipa::path(patch, path = "/api/v1/admin/night-shift", tag = "machine", request_body = ShiftForm,
    responses((status = 200, body = ShiftView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<ShiftForm>,
) -> Answer<Json<ShiftView>> {
    let time = |field: &str, text: Option<&str>, now: u16| match text {
        None => Ok(now),
        Some(text) => minute_of(text).ok_or_else(|| Problem::field(field, "is a time of day like 01:30")),
    };
    let mut shift = house.renditions.night_shift().await?;
    shift.enabled = form.enabled.unwrap_or(shift.enabled);
    shift.from_minute = time("from", form.from.as_deref(), shift.from_minute)?;
    shift.to_minute = time("to", form.to.as_deref(), shift.to_minute)?;
    if shift.from_minute == shift.to_minute {
        return Err(Problem::field("to", "is another time than the beginning"));
    }
    shift.cap_bytes = form.cap_bytes.unwrap_or(shift.cap_bytes);
    if !(1_000_000_000..=64_000_000_000_000).contains(&shift.cap_bytes) {
        return Err(Problem::field("cap_bytes", "lies between 1 GB and 64 TB"));
    }
    house.renditions.set_night_shift(&shift).await?;
    house.note(&who, peer, "night_shift.change", None, "ok").await;
    show(State(house)).await
}
