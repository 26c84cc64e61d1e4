//! How the house feels, now and before.

use crate::{
    House,
    input::Ask,
    policy::Policy,
    problem::{Answer, Problem},
    routes::Routes,
    view::at,
};
use axum::{Json, extract::State};
use domain::Code;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use vitals::{DiskRole, HistoryPoint, HistoryRange};

pub fn routes(r: Routes) -> Routes {
    r.add(Policy::Admin, routes!(vitals))
}

#[derive(Serialize, ToSchema)]
struct Memory {
    total_bytes: u64,
    used_bytes: u64,
    available_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct Temperature {
    celsius: Option<f32>,
    /// From here on the state is `hot`, and preparing waits.
    hot_celsius: f32,
    /// `ok`, `hot` or `no_sensor`.
    state: String,
}

#[derive(Serialize, ToSchema)]
struct Disk {
    mount: String,
    total_bytes: u64,
    free_bytes: u64,
    /// `data` or `library`.
    role: String,
    /// Days until it is full at the pace of the last day: of the data disk, while it is filling up,
    /// and once there is a day to go by.
    #[serde(skip_serializing_if = "Option::is_none")]
    days_to_full: Option<f64>,
}

#[derive(Serialize, ToSchema)]
struct Network {
    /// Bits per second, like the next two.
    rx_bps: u64,
    tx_bps: u64,
    link_bps: Option<u64>,
    /// From here on the link is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_from_bps: Option<u64>,
}

#[derive(Serialize, ToSchema)]
struct ServerUse {
    rss_bytes: u64,
    /// Of one core.
    cpu_percent: f32,
    uptime_s: u64,
    open_fds: u32,
}

#[derive(Serialize, ToSchema)]
struct Viewers {
    now: u32,
    max: u32,
}

#[derive(Serialize, ToSchema)]
struct LogeUse {
    user_id: String,
    cpu_percent: f64,
    memory_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct SentenceView {
    /// `good`, `attention` or `trouble`.
    level: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Vitals {
    at: String,
    cpu_percent: f32,
    cpus: Vec<f32>,
    load1: f64,
    memory: Memory,
    temperature: Temperature,
    disks: Vec<Disk>,
    network: Network,
    server: ServerUse,
    viewers: Viewers,
    loges: Vec<LogeUse>,
    sentence: SentenceView,
}

/// The newest look at everything; `None` in the first moments after start.
pub fn now(house: &House) -> Option<Vitals> {
    let sample = house.vitals.now()?;
    let view = house.vitals.house();
    let sentence = house.vitals.sentence();
    let days_to_full = house.vitals.days_to_full();
    let state = match (sample.temperature.celsius(), sample.temperature.is_hot()) {
        (None, _) => "no_sensor",
        (Some(_), true) => "hot",
        (Some(_), false) => "ok",
    };
    let loges = house
        .loges
        .list()
        .into_iter()
        .filter_map(|loge| {
            let usage = loge.usage?;
            Some(LogeUse {
                user_id: loge.tenant.to_string(),
                cpu_percent: usage.cpu_percent,
                memory_bytes: usage.memory_bytes,
            })
        })
        .collect();
    Some(Vitals {
        at: at(sample.at),
        cpu_percent: sample.cpu_percent,
        cpus: sample.cpus,
        load1: sample.load1,
        memory: Memory {
            total_bytes: sample.memory.total_bytes,
            used_bytes: sample.memory.used_bytes,
            available_bytes: sample.memory.available_bytes,
        },
        temperature: Temperature {
            celsius: sample.temperature.celsius(),
            hot_celsius: vitals::Temperature::HOT_CELSIUS,
            state: state.into(),
        },
        disks: sample
            .disks
            .iter()
            .map(|d| Disk {
                mount: d.mount.to_string_lossy().into_owned(),
                total_bytes: d.total_bytes,
                free_bytes: d.free_bytes,
                role: d.role.as_str().into(),
                days_to_full: days_to_full.filter(|_| d.role == DiskRole::Data),
            })
            .collect(),
        network: Network {
            rx_bps: sample.network.rx_bps,
            tx_bps: sample.network.tx_bps,
            link_bps: sample.network.link_bps,
            busy_from_bps: sample.network.busy_from_bps(),
        },
        server: ServerUse {
            rss_bytes: sample.server.rss_bytes,
            cpu_percent: sample.server.cpu_percent,
            uptime_s: sample.server.uptime_s,
            open_fds: sample.server.open_fds,
        },
        viewers: Viewers { now: view.viewers_now, max: view.viewers_max },
        loges,
        sentence: SentenceView {
            level: sentence.level.as_str().into(),
            text: sentence.text,
            href: sentence.href.map(str::to_string),
        },
    })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct VitalsAsk {
    /// `live`, `1h` or `24h`.
    range: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Point {
    at: String,
    cpu_percent: f32,
    memory_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_c: Option<f32>,
    net_rx_bps: u64,
    net_tx_bps: u64,
    disk_free_bytes: u64,
}

impl From<HistoryPoint> for Point {
    fn from(p: HistoryPoint) -> Self {
        Self {
            at: at(p.at),
            cpu_percent: p.cpu_percent,
            memory_bytes: p.memory_bytes,
            temperature_c: p.temperature_c,
            net_rx_bps: p.net_rx_bps,
            net_tx_bps: p.net_tx_bps,
            disk_free_bytes: p.disk_free_bytes,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct History {
    step_s: f64,
    points: Vec<Point>,
}

#[derive(Serialize, ToSchema)]
struct VitalsAnswer {
    now: Vitals,
    history: History,
}

/// The machine, now and over time.
#[utoipa::path(get, path = "/api/v1/admin/vitals", tag = "machine", params(VitalsAsk),
    responses((status = 200, body = VitalsAnswer)))]
async fn vitals(State(house): State<Arc<House>>, Ask(ask): Ask<VitalsAsk>) -> Answer<Json<VitalsAnswer>> {
    let range = ask.range.as_deref().unwrap_or("live");
    let range = HistoryRange::parse(range).ok_or_else(|| Problem::field("range", "is live, 1h or 24h"))?;
    let now = now(&house).ok_or_else(|| Problem::of(Code::NotReady).retry_after(Duration::from_secs(1)))?;
    let (step, points) = house.vitals.history(range);
    let history = History { step_s: step.as_secs_f64(), points: points.into_iter().map(Into::into).collect() };
    Ok(Json(VitalsAnswer { now, history }))
}
