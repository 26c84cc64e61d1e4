//! Numbers for Prometheus. One recorder per process, whichever house installed it first.

use crate::House;
use domain::LogeState;
use loges::LogeView;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{fmt::Write as _, future::Future, sync::OnceLock, time::Duration};

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// How long samples of histograms wait until they are counted into their buckets. The recorder
/// keeps every sample until then, so this bounds its memory.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Upper bounds in seconds. Fixed, so that a histogram takes the same memory for ever.
const BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Counting begins here; before it, counts go nowhere. The recorder is the process's own, so a
/// second call gives the same one.
pub fn install() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| match builder().install_recorder() {
            Ok(handle) => Some(handle),
            Err(e) => {
                tracing::warn!("metrics are off: {e}");
                None
            }
        })
        .as_ref()
}

/// Returns what [`install`] installs.
pub fn builder() -> PrometheusBuilder {
    // Refused only where there are no buckets at all.
    PrometheusBuilder::new().set_buckets(&BUCKETS_S).unwrap_or_default()
}

/// Empties the recorder's buffers of samples, again and again, until `stop` is ready. Without it
/// they grow with every request until `/metrics` is read.
pub async fn upkeep(handle: PrometheusHandle, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(UPKEEP_EVERY) => {
                handle.run_upkeep();
                metrics::counter!("loge_metrics_upkeep_total").increment(1);
            }
        }
    }
}

/// Everything, with what is only known by asking.
pub fn render(house: &House) -> String {
    let plays = house.streams.list();
    metrics::gauge!("loge_viewers").set(f64::from(house.streams.viewers()));
    metrics::gauge!("loge_streams").set(plays.len() as f64);
    metrics::gauge!("loge_stream_bytes_per_second").set(plays.iter().map(|p| p.rate as f64).sum::<f64>());
    let loges = house.loges.list();
    metrics::gauge!("loge_containers").set(loges.len() as f64);
    let open = loges.iter().filter(|loge| loge.circuit == loges::CircuitState::Open).count();
    metrics::gauge!("loge_containers_circuit_open").set(open as f64);
    metrics::gauge!("loge_containers_out_of_memory").set(loges.iter().map(|l| f64::from(l.out_of_memory)).sum::<f64>());
    metrics::gauge!("loge_containers_restarts").set(loges.iter().map(|l| f64::from(l.restarts)).sum::<f64>());
    let cache = house.segments.view();
    metrics::gauge!("loge_segment_cache_bytes").set(cache.used as f64);
    metrics::gauge!("loge_segment_cache_limit_bytes").set(cache.quota.total as f64);
    metrics::gauge!("loge_segment_cache_segments").set(cache.segments as f64);
    metrics::gauge!("loge_segment_cache_paused").set(f64::from(u8::from(cache.pause.is_some())));
    for (what, count) in [
        ("served", cache.hits),
        ("missed", cache.misses),
        ("kept", cache.kept),
        ("made_room", cache.left),
        ("not_kept", cache.unkept),
    ] {
        metrics::counter!("loge_segment_cache_total", "what" => what).absolute(count);
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        metrics::gauge!("loge_server_tasks").set(runtime.metrics().num_alive_tasks() as f64);
    }
    if let Some(sample) = house.vitals.now() {
        metrics::gauge!("loge_host_cpu_percent").set(f64::from(sample.cpu_percent));
        metrics::gauge!("loge_host_memory_used_bytes").set(sample.memory.used_bytes as f64);
        metrics::gauge!("loge_server_resident_bytes").set(sample.server.rss_bytes as f64);
        metrics::gauge!("loge_server_open_descriptors").set(f64::from(sample.server.open_fds));
    }
    let mut text = match RECORDER.get().and_then(Option::as_ref) {
        Some(handle) => {
            handle.run_upkeep();
            handle.render()
        }
        None => String::new(),
    };
    // Written by hand: a recorder would go on telling of people who have long left.
    containers(&mut text, &loges);
    text
}

/// What is told of each container, with what it means.
type Told = (&'static str, &'static str, fn(&LogeView) -> Option<f64>);
const OF_EACH: [Told; 9] = [
    ("loge_container_ready", "1 while it runs and answers", |l| Some(f64::from(l.state == LogeState::Ready))),
    ("loge_container_cpu_cores", "CPU it takes", |l| l.usage.map(|u| u.cpu_percent / 100.0)),
    ("loge_container_cpu_limit_cores", "CPU it may take, with what is lent", |l| {
        Some(l.limits.cpus() + f64::from(l.lent_millis) / 1000.0)
    }),
    ("loge_container_throttled_ratio", "Share of its time slices in which it was held back", |l| {
        l.usage.and_then(|u| u.throttled_percent).map(|percent| percent / 100.0)
    }),
    ("loge_container_memory_bytes", "Memory it takes", |l| l.usage.map(|u| u.memory_bytes as f64)),
    ("loge_container_memory_limit_bytes", "Memory it may take", |l| Some(l.limits.memory_bytes as f64)),
    ("loge_container_out_of_memory", "Ends by the memory limit since the server started", |l| {
        Some(f64::from(l.out_of_memory))
    }),
    ("loge_container_restarts", "Restarts since the server started", |l| Some(f64::from(l.restarts))),
    ("loge_container_requests", "Requests it works on", |l| Some(f64::from(l.active))),
];

/// Labelled by the tenant's id: names are the owner's affair, and a scraper is not the owner.
fn containers(text: &mut String, loges: &[LogeView]) {
    for (name, help, value) in OF_EACH {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for loge in loges {
            if let Some(value) = value(loge) {
                let _ = writeln!(text, "{name}{{tenant=\"{}\"}} {value}", loge.tenant);
            }
        }
    }
}
