//! What this machine can do, and measuring it anew.

use crate::{
    House,
    chip::{self, ChipState},
    policy::{Caller, Policy, Who},
    problem::Answer,
    routes::Routes,
    view::at,
};
use axum::{Json, extract::State, http::StatusCode};
use base::UnixMs;
use domain::chip::ChipVerdict;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::routes;

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(show)).add(Policy::Admin, routes!(calibrate))
}

/// Everything measured is null or empty before the first calibration.
#[derive(Serialize, ToSchema)]
#[schema(as = Capacity)]
struct CapacityView {
    calibrated_at: Option<String>,
    /// It is being measured now.
    running: bool,
    /// Why the last calibration came to nothing.
    problem: Option<String>,
    cores: u32,
    memory_bytes: Option<u64>,
    /// Bits per second; null where the link does not say.
    link_bps: Option<u64>,
    /// Of the disk of a library, in megabytes per second.
    disk_mbps: Option<f64>,
    /// How many times faster than the film one core wraps it anew.
    remux_x: Option<f64>,
    encode: Vec<EncodeView>,
    /// Whether the brightness of HDR can be brought down while somebody watches.
    tone_map: Option<bool>,
    /// Thousandths of a core that live encodes may use together.
    live_millis: u32,
    /// Encodes to 480 lines of a 1080p film at once; null before the first calibration.
    max_live: Option<u32>,
    chip: ChipView,
}

/// The graphics chip: what was found, and what its self-test said.
#[derive(Serialize, ToSchema)]
#[schema(as = GraphicsChip)]
struct ChipView {
    /// `off`, `absent`, `untested`, `failed` or `works`.
    state: String,
    /// Whether this machine has one, or seems to, wanted or not.
    found: bool,
    /// Why it failed.
    reason: Option<String>,
    /// Name of the driver it works with.
    driver: Option<String>,
    /// Films at once.
    at_once: u32,
    /// Pictures that passed.
    encode: Vec<ChipSpeed>,
}

/// Of an H.264 film of 1920 × 1080 at 25 frames a second.
#[derive(Serialize, ToSchema)]
#[schema(as = ChipSpeed)]
struct ChipSpeed {
    /// `480p`
    quality: String,
    /// How many times faster than the film the chip makes it.
    x: f64,
    /// Thousandths of a core beside it; null where the chip does not decode.
    cpu_millis: Option<u32>,
}

/// Of an H.264 film of 1920 × 1080 at 25 frames a second.
#[derive(Serialize, ToSchema)]
#[schema(as = EncodeSpeed)]
struct EncodeView {
    /// `480p`
    quality: String,
    /// How many times faster than the film one core makes it.
    x: f64,
    at_once: u32,
}

/// What was measured.
#[utoipa::path(get, path = "/api/v1/admin/capacity", tag = "machine", responses((status = 200, body = CapacityView)))]
async fn show(State(house): State<Arc<House>>) -> Answer<Json<CapacityView>> {
    Ok(Json(view(&house).await?))
}

/// Measure it anew. Takes up to a minute, or two where the graphics chip is tested too; `running` tells when it is done.
#[utoipa::path(post, path = "/api/v1/admin/capacity/calibrate", tag = "machine",
    responses((status = 202, body = CapacityView)))]
async fn calibrate(
    State(house): State<Arc<House>>,
    Who(who): Who,
    Caller(peer): Caller,
) -> Answer<(StatusCode, Json<CapacityView>)> {
    let turn = house.calibration.turn()?;
    house.note(&who, peer, "capacity.calibrate", None, "ok").await;
    house.lifecycle.spawn("calibration", async move {
        // What it came to is told by the next look, and by the log.
        let _ = turn.measure().await;
    });
    Ok((StatusCode::ACCEPTED, Json(view(&house).await?)))
}

async fn view(house: &House) -> Answer<CapacityView> {
    let found = house.store.capacity().await?;
    let sample = house.vitals.now();
    let encode = found.iter().flat_map(|found| {
        found.encode.iter().filter_map(|(lines, _)| {
            Some(EncodeView {
                quality: format!("{lines}p"),
                x: one_decimal(found.speed(*lines)?),
                at_once: found.most_live(*lines),
            })
        })
    });
    let own_cores = || std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    Ok(CapacityView {
        calibrated_at: found.as_ref().map(|found| at(UnixMs(found.measured_at_ms))),
        running: house.calibration.is_running(),
        problem: house.calibration.problem().map(|failure| failure.message),
        cores: found.as_ref().map_or_else(own_cores, |found| found.cores),
        memory_bytes: found.as_ref().map(|f| f.memory_bytes).or_else(|| Some(sample.as_ref()?.memory.total_bytes)),
        link_bps: sample.and_then(|sample| sample.network.link_bps),
        disk_mbps: found.as_ref().and_then(|found| found.disk_bytes_per_s).map(|bytes| one_decimal(bytes as f64 / 1e6)),
        remux_x: found.as_ref().map(|found| one_decimal(1.0 / found.remux_cost)),
        encode: encode.collect(),
        tone_map: found.as_ref().map(|found| found.tone_map_cost.is_some()),
        live_millis: domain::capacity::room_millis(found.as_ref()),
        max_live: found.as_ref().map(|found| found.most_live(480)),
        chip: chip_view(house, found.as_ref().map(|found| &found.chip)).await?,
    })
}

async fn chip_view(house: &House, verdict: Option<&ChipVerdict>) -> Answer<ChipView> {
    let wanted = house.store.settings().await?.hardware_encoding;
    let found = loges::chip::find(&house.render_nodes).is_some();
    let state = chip::state(wanted, found, verdict);
    let works = match verdict {
        Some(ChipVerdict::Works(works)) if state == ChipState::Works => Some(works),
        _ => None,
    };
    let millis = |cost: f64| (cost * 1000.0).ceil() as u32;
    let speed = |rung: &domain::chip::ChipRung| ChipSpeed {
        quality: format!("{}p", rung.lines),
        x: one_decimal(rung.fps / 25.0),
        cpu_millis: rung.whole_cost.map(millis),
    };
    Ok(ChipView {
        state: state.as_str().into(),
        found,
        reason: if let ChipState::Failed(problem) = state { Some(problem.sentence().into()) } else { None },
        driver: works.map(|works| works.driver.as_str().into()),
        at_once: works.map_or(0, domain::chip::Chip::slots),
        encode: works.iter().flat_map(|works| works.rungs.iter().map(speed)).collect(),
    })
}

fn one_decimal(x: f64) -> f64 {
    (x * 10.0).round() / 10.0
}
