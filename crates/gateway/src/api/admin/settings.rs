//! What the owner may set while the house runs.

use crate::{
    House, admission,
    input::{Input, text},
    policy::{Caller, Policy, Who},
    problem::{Answer, Faults},
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
    /// Containers may run where this machine lacks walls that must stand.
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
    /// Acts at once: on the containers that run, and on those that were refused.
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
    let change = form.checked()?;
    // One change after the other, also in what is told to the running house: the last one that is
    // stored is the last one that counts.
    let turn = house.settings_turn.lock().await;
    let (before, settings) = house.store.change_settings(|settings| change.apply(settings)).await?;
    if settings.hardware_encoding != before.hardware_encoding {
        chip_changed(&house, settings.hardware_encoding);
    }
    if settings.allow_reduced_isolation != before.allow_reduced_isolation {
        house.mounts_changed();
    }
    house.streams.set_rates(settings.per_user_rate_bps, admission::total_rate(&house, &settings));
    house.loges.set_idle_stop(Duration::from_secs(u64::from(settings.idle_stop_minutes) * 60));
    house.segments.set_quota(settings.cache_quota());
    drop(turn);
    house.note(&who, peer, "settings.change", None, "ok").await;
    Ok(Json(SettingsView::of(&house, settings)))
}

impl SettingsChange {
    /// All that is wrong is told at once.
    fn checked(mut self) -> Answer<Self> {
        let mut faults = Faults::default();
        if let Some(name) = &self.server_name {
            self.server_name = faults.take(text("server_name", name, 60));
        }
        let within = |value: Option<u32>, most| value.is_none_or(|v| (1..=most).contains(&v));
        faults.check(within(self.max_viewers, 1000), "max_viewers", "lies between 1 and 1000");
        faults.check(within(self.idle_stop_minutes, 1440), "idle_stop_minutes", "lies between 1 and 1440");
        faults.check(within(self.max_streams_per_person, 100), "max_streams_per_person", "lies between 1 and 100");
        for (field, rate) in [("per_user_rate_bps", self.per_user_rate_bps), ("total_rate_bps", self.total_rate_bps)] {
            let right = rate.flatten().is_none_or(|r| r >= 64 << 10);
            faults.check(right, field, "is at least 65536 bytes per second, or null");
        }
        for (field, bytes) in
            [("cache_each_bytes", self.cache_each_bytes), ("cache_total_bytes", self.cache_total_bytes)]
        {
            let right = bytes.is_none_or(|b| b == 0 || (MOST_BYTES.into()..=MOST_CACHE_BYTES).contains(&b));
            faults.check(right, field, "is 0, or lies between 4 MiB and 64 TB");
        }
        faults.done()?;
        Ok(self)
    }

    fn apply(self, settings: &mut Settings) {
        fn set<T>(now: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *now = wanted;
            }
        }
        set(&mut settings.server_name, self.server_name);
        set(&mut settings.max_viewers, self.max_viewers);
        set(&mut settings.idle_stop_minutes, self.idle_stop_minutes);
        set(&mut settings.scan_on_start, self.scan_on_start);
        set(&mut settings.per_user_rate_bps, self.per_user_rate_bps);
        set(&mut settings.total_rate_bps, self.total_rate_bps);
        set(&mut settings.max_streams_per_person, self.max_streams_per_person);
        set(&mut settings.allow_reduced_isolation, self.allow_reduced_isolation);
        set(&mut settings.cache_each_bytes, self.cache_each_bytes);
        set(&mut settings.cache_total_bytes, self.cache_total_bytes);
        set(&mut settings.hardware_encoding, self.hardware_encoding);
    }
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
