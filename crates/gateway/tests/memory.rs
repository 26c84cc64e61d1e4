//! What is measured of requests does not pile up. Alone in its program, because it looks at the
//! memory of the whole process.

use loge_gateway::metrics::{UPKEEP_EVERY, builder, upkeep};
use std::future::pending;

const ROUNDS: usize = 20;
const SAMPLES: usize = 50_000;
/// Each sample is kept with its time: 16 bytes.
const GROWS_WITHOUT_BYTES: u64 = (ROUNDS * SAMPLES * 16) as u64;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

/// Returns how much memory a million requests leave behind that are never scraped.
async fn left_behind(is_kept_up: bool) -> u64 {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    let task = is_kept_up.then(|| tokio::spawn(upkeep(handle.clone(), pending())));
    let before = resident_bytes();
    for _ in 0..ROUNDS {
        metrics::with_local_recorder(&recorder, || {
            for n in 0..SAMPLES {
                metrics::histogram!("loge_http_seconds").record(n as f64 / 1e6);
            }
        });
        tokio::time::sleep(UPKEEP_EVERY).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    if let Some(task) = task {
        task.abort();
    }
    let text = handle.render();
    assert!(text.contains(&format!("loge_http_seconds_count {}", ROUNDS * SAMPLES)), "none is lost:\n{text}");
    assert!(text.contains("loge_http_seconds_bucket{le=\"0.001\"}"), "fixed buckets:\n{text}");
    grown
}

#[tokio::test(start_paused = true)]
async fn memory_does_not_grow_with_requests() {
    let with = left_behind(true).await;
    let without = left_behind(false).await;
    assert!(with < GROWS_WITHOUT_BYTES / 2, "{with} bytes are left behind");
    assert!(without > GROWS_WITHOUT_BYTES / 2, "control: only {without} bytes without upkeep");
}
