//! What the owner may set while the house runs.

use crate::{
    House, admission,
    input::{Input, text},
    policy::{Caller, Policy, Who},
    problem::{Answer, Problem},
    routes::Routes,
};
use axum::{Json, extract::State};
use renditions::segments::MOST_BYTES;
use serde::{Deserialize, Deserializer, Serialize};
use std::{sync::Arc, time::Duration};
use store::Settings;
use utoipa::ToSchema;
use utoipa_axum::routes;

const MOST_CACHE_BYTES: u64 = 64_000_000_000_000;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(read, change))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Settings)]
struct SettingsView {
    server_name: String,
    max_viewers: u32,
    idle_stop_minutes: u32,
    scan_on_start: bool,
    /// Films one person may watch at once.
    max_streams_per_person: u32,
    /// Bytes per second for each person; null is no limit.
    per_user_rate_bps: Option<u64>,
    /// Bytes per second for all together; null leaves it to the link.
    total_rate_bps: Option<u64>,
    /// What all together may have now: what was set, or four fifths of the link. Null where the
    /// link does not say how fast it is: then nothing is held back.
    total_rate_now_bps: Option<u64>,
    allow_reduced_isolation: bool,
    /// Bytes of encoded segments that may be kept for one person.
    cache_each_bytes: u64,
    /// For everyone together; 0 keeps nothing.
    cache_total_bytes: u64,
    /// Live encodes by the graphics chip, which every container is given for that.
    hardware_encoding: bool,
}

impl SettingsView {
    fn of(house: &House, s: Settings) -> Self {
        Self {
            total_rate_now_bps: admission::total_rate(house, &s),
            total_rate_bps: s.total_rate_bps,
            max_streams_per_person: s.max_streams_per_person,
            server_name: s.server_name,
            max_viewers: s.max_viewers,
            idle_stop_minutes: s.idle_stop_minutes,
            scan_on_start: s.scan_on_start,
            per_user_rate_bps: s.per_user_rate_bps,
            allow_reduced_isolation: s.allow_reduced_isolation,
            cache_each_bytes: s.cache_each_bytes,
            cache_total_bytes: s.cache_total_bytes,
            hardware_encoding: s.hardware_encoding,
        }
    }
}

/// The settings.
#[utoipa::path(get, path = "/api/v1/admin/settings", tag = "machine", responses((status = 200, body = SettingsView)))]
async fn read(State(house): State<Arc<House>>) -> Answer<Json<SettingsView>> {
    Ok(Json(SettingsView::of(&house, house.store.settings().await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    server_name: Option<String>,
    max_viewers: Option<u32>,
    idle_stop_minutes: Option<u32>,
    scan_on_start: Option<bool>,
    /// Bytes per second; null takes the limit away.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>)]
    per_user_rate_bps: Option<Option<u64>>,
    /// Bytes per second; null leaves it to the link.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>)]
    total_rate_bps: Option<Option<u64>>,
    max_streams_per_person: Option<u32>,
    allow_reduced_isolation: Option<bool>,
    cache_each_bytes: Option<u64>,
    cache_total_bytes: Option<u64>,
    /// Switched on, it is tested at once where nobody watches.
    hardware_encoding: Option<bool>,
}

/// Tells `null` from absent.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::<u64>::deserialize(from).map(Some)
}

/// Change some; what is not said stays.
#[utoipa::path(patch, path = "/api/v1/admin/settings", tag = "machine", request_body = SettingsChange,
    responses((status = 200, body = SettingsView)))]
async fn change(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
    Input(form): Input<SettingsChange>,
) -> Answer<Json<SettingsView>> {
    let mut settings = house.store.settings().await?;
    if let Some(name) = form.server_name {
        settings.server_name = text("server_name", &name, 60)?;
    }
    if let Some(viewers) = form.max_viewers {
        if !(1..=1000).contains(&viewers) {
            return Err(Problem::field("max_viewers", "lies between 1 and 1000"));
        }
        settings.max_viewers = viewers;
    }
    if let Some(minutes) = form.idle_stop_minutes {
        if !(1..=1440).contains(&minutes) {
            return Err(Problem::field("idle_stop_minutes", "lies between 1 and 1440"));
        }
        settings.idle_stop_minutes = minutes;
    }
    if let Some(rate) = form.per_user_rate_bps {
        if rate.is_some_and(|r| r < 64 << 10) {
            return Err(Problem::field("per_user_rate_bps", "is at least 65536 bytes per second, or null"));
        }
        settings.per_user_rate_bps = rate;
    }
    if let Some(rate) = form.total_rate_bps {
        if rate.is_some_and(|r| r < 64 << 10) {
            return Err(Problem::field("total_rate_bps", "is at least 65536 bytes per second, or null"));
        }
        settings.total_rate_bps = rate;
    }
    if let Some(streams) = form.max_streams_per_person {
        if !(1..=100).contains(&streams) {
            return Err(Problem::field("max_streams_per_person", "lies between 1 and 100"));
        }
        settings.max_streams_per_person = streams;
    }
    for (field, wanted, now) in [
        ("cache_each_bytes", form.cache_each_bytes, &mut settings.cache_each_bytes),
        ("cache_total_bytes", form.cache_total_bytes, &mut settings.cache_total_bytes),
    ] {
        let Some(bytes) = wanted else { continue };
        if bytes != 0 && !(MOST_BYTES.into()..=MOST_CACHE_BYTES).contains(&bytes) {
            return Err(Problem::field(field, "is 0, or lies between 4 MiB and 64 TB"));
        }
        *now = bytes;
    }
    settings.scan_on_start = form.scan_on_start.unwrap_or(settings.scan_on_start);
    settings.allow_reduced_isolation = form.allow_reduced_isolation.unwrap_or(settings.allow_reduced_isolation);
    let had_chip = settings.hardware_encoding;
    settings.hardware_encoding = form.hardware_encoding.unwrap_or(had_chip);
    house.store.set_settings(&settings).await?;
    if settings.hardware_encoding != had_chip {
        chip_changed(&house, settings.hardware_encoding);
    }
    house.streams.set_rates(settings.per_user_rate_bps, admission::total_rate(&house, &settings));
    house.loges.set_idle_stop(Duration::from_secs(u64::from(settings.idle_stop_minutes) * 60));
    house.segments.set_quota(settings.cache_quota());
    house.note(&who, peer, "settings.change", None, "ok").await;
    Ok(Json(SettingsView::of(&house, settings)))
}

/// Containers are made anew at their next quiet moment, with the chip or without it. Switched on, it
/// is of no use before its test, which waits for the owner where somebody watches.
fn chip_changed(house: &Arc<House>, on: bool) {
    house.mounts_changed();
    if let Some(turn) = on.then(|| house.calibration.turn().ok()).flatten() {
        house.lifecycle.spawn("calibration", async move {
            // What it came to is told by the next look, and by the log.
            let _ = turn.measure().await;
        });
    }
}
