//! Numbers for Prometheus. One recorder per process, whichever house installed it first.

use crate::House;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Counting begins here; before it, counts go nowhere.
pub fn install() {
    RECORDER.get_or_init(|| match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => Some(handle),
        Err(e) => {
            tracing::warn!("metrics are off: {e}");
            None
        }
    });
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
    if let Some(sample) = house.vitals.now() {
        metrics::gauge!("loge_host_cpu_percent").set(f64::from(sample.cpu_percent));
        metrics::gauge!("loge_host_memory_used_bytes").set(sample.memory.used_bytes as f64);
        metrics::gauge!("loge_server_resident_bytes").set(sample.server.rss_bytes as f64);
        metrics::gauge!("loge_server_open_descriptors").set(f64::from(sample.server.open_fds));
    }
    match RECORDER.get().and_then(Option::as_ref) {
        Some(handle) => {
            handle.run_upkeep();
            handle.render()
        }
        None => String::new(),
    }
}
