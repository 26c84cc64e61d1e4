//! The engine's stats as numbers a person can read, under cgroup v1 and v2.

use crate::words::Usage;
use bollard::{
    Docker,
    models::{ContainerCpuStats, ContainerMemoryStats, ContainerStatsResponse},
    query_parameters::StatsOptionsBuilder,
};
use futures_util::StreamExt;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;

/// What a container uses, read on and on until this is dropped.
pub struct Reading {
    latest: Arc<Mutex<Option<Usage>>>,
    task: JoinHandle<()>,
}

impl Reading {
    pub fn begin(docker: Docker, id: &str) -> Self {
        let latest: Arc<Mutex<Option<Usage>>> = Arc::default();
        let (out, of) = (latest.clone(), id.to_owned());
        let task = tokio::spawn(async move {
            loop {
                let mut answers = Box::pin(docker.stats(&of, Some(StatsOptionsBuilder::new().stream(true).build())));
                while let Some(Ok(stats)) = answers.next().await {
                    *out.lock().unwrap_or_else(PoisonError::into_inner) = usage(&stats);
                }
                *out.lock().unwrap_or_else(PoisonError::into_inner) = None;
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
        Self { latest, task }
    }

    /// `None` while the container does not run.
    pub fn latest(&self) -> Option<Usage> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `None` for the empty answers an engine gives about a container that is not running.
pub fn usage(stats: &ContainerStatsResponse) -> Option<Usage> {
    let memory = stats.memory_stats.as_ref()?;
    let cpu = stats.cpu_stats.as_ref()?;
    let percent = stats.precpu_stats.as_ref().map_or(0.0, |before| cpu_percent(before, cpu));
    let pids = stats.pids_stats.as_ref().and_then(|p| p.current).unwrap_or(0);
    Some(Usage {
        cpu_percent: percent,
        memory_bytes: memory_bytes(memory)?,
        pids: u32::try_from(pids).unwrap_or(u32::MAX),
        throttled_percent: stats.precpu_stats.as_ref().and_then(|before| throttled_percent(before, cpu)),
    })
}

/// Of the periods since the answer before in which it ran at all.
fn throttled_percent(before: &ContainerCpuStats, now: &ContainerCpuStats) -> Option<f64> {
    let (before, now) = (before.throttling_data.as_ref()?, now.throttling_data.as_ref()?);
    let since = |a: Option<u64>, b: Option<u64>| Some(b?.saturating_sub(a.unwrap_or(0)));
    let periods = since(before.periods, now.periods)?;
    let throttled = since(before.throttled_periods, now.throttled_periods)?;
    Some(if periods == 0 { 0.0 } else { (throttled as f64 / periods as f64 * 100.0).min(100.0) })
}

/// Per cent of one core. The engine counts the container and the whole machine (all cores
/// together) in nanoseconds over the same time.
fn cpu_percent(before: &ContainerCpuStats, now: &ContainerCpuStats) -> f64 {
    let total = |s: &ContainerCpuStats| s.cpu_usage.as_ref().and_then(|u| u.total_usage);
    let per_core = now.cpu_usage.as_ref().and_then(|u| u.percpu_usage.as_ref()).map_or(0, Vec::len);
    let cores = now.online_cpus.map_or(per_core as f64, f64::from);
    let (Some(a), Some(b), Some(host_a), Some(host_b)) =
        (total(before), total(now), before.system_cpu_usage, now.system_cpu_usage)
    else {
        return 0.0;
    };
    match host_b.checked_sub(host_a) {
        Some(host) if host > 0 => b.saturating_sub(a) as f64 / host as f64 * cores * 100.0,
        _ => 0.0,
    }
}

/// Without file pages that the kernel would give up at once: a film that was read is no memory
/// the worker needs. The counter has another name under each cgroup version.
fn memory_bytes(memory: &ContainerMemoryStats) -> Option<u64> {
    let reclaimable = memory.stats.as_ref().map_or(0, |stats| {
        ["total_inactive_file", "inactive_file"].iter().find_map(|name| stats.get(*name)).copied().unwrap_or(0)
    });
    Some(memory.usage?.saturating_sub(reclaimable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<Usage>) {
        let stats: ContainerStatsResponse = serde_json::from_str(json).unwrap();
        assert_eq!(usage(&stats), expected, "{json}");
    }

    #[test]
    fn both_cgroup_versions_give_the_same_picture() {
        // Half a core of four: 500 ms of 4,000 ms that all cores had.
        let cpu = r#""cpu_stats":{"cpu_usage":{"total_usage":1500000000},"system_cpu_usage":14000000000,"online_cpus":4,"throttling_data":{"periods":40,"throttled_periods":15}},
            "precpu_stats":{"cpu_usage":{"total_usage":1000000000},"system_cpu_usage":10000000000,"online_cpus":4,"throttling_data":{"periods":20,"throttled_periods":10}},
            "pids_stats":{"current":5}"#;
        let expected = Some(Usage { cpu_percent: 50.0, memory_bytes: 30, pids: 5, throttled_percent: Some(25.0) });
        check(
            &format!(r#"{{{cpu},"memory_stats":{{"usage":100,"stats":{{"inactive_file":70,"anon":20}}}}}}"#),
            expected,
        );
        check(
            &format!(
                r#"{{{cpu},"memory_stats":{{"usage":100,"stats":{{"total_inactive_file":70,"inactive_file":1}}}}}}"#
            ),
            expected,
        );
    }

    #[test]
    fn absurd_and_empty_answers_are_no_numbers() {
        check("{}", None);
        check(r#"{"memory_stats":{},"cpu_stats":{}}"#, None);
        let backwards = r#"{"memory_stats":{"usage":5,"stats":{"inactive_file":70}},
            "cpu_stats":{"cpu_usage":{"total_usage":1},"system_cpu_usage":1,"online_cpus":2},
            "precpu_stats":{"cpu_usage":{"total_usage":9},"system_cpu_usage":9}}"#;
        check(backwards, Some(Usage { cpu_percent: 0.0, memory_bytes: 0, pids: 0, throttled_percent: None }));
    }
}
