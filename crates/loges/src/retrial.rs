//! Films that may have ended a worker, tried once more: alone, in the house's loge. One after the
//! other, each when nothing else is worked on there. If the loge ends, its owner blames the film.

use crate::{
    Loges, PARK_DEADLINE,
    link::{Announces, Link, SEGMENT_DEADLINE},
};
use contract::RequestBody;
use domain::Tenant;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::AsyncReadExt,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tracing::info;

/// Those that wait; more suspicions than this at once are not followed.
pub const WAITING: usize = 64;
/// Before the house's loge is asked for again, and how often it is.
const AGAIN: Duration = Duration::from_secs(15);
const TRIES: usize = 20;
/// A film that ends workers does so early.
const TRIAL: Duration = Duration::from_secs(60);
/// Workers go on with a film for a while after an answer.
const SETTLES: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until the house closes.
pub async fn run(loges: Loges, mut ordered: mpsc::Receiver<RequestBody>) {
    let soft = loges.house.lifecycle.soft().clone();
    let trying = async {
        while let Some(request) = ordered.recv().await {
            retry(&loges, &request).await;
        }
    };
    tokio::select! {
        () = soft.cancelled() => {}
        () = trying => {}
    }
}

async fn retry(loges: &Loges, request: &RequestBody) {
    let Some(file) = request.parsed_file() else { return };
    if !loges.house.quarantine.takes_up(file) {
        return;
    }
    for _ in 0..TRIES {
        let until = Instant::now() + PARK_DEADLINE;
        let Ok(link) = loges.link_holding(&Tenant::House, &request.mounts(), until).await else {
            sleep(AGAIN).await;
            continue;
        };
        if !is_quiet(&link).await {
            continue;
        }
        info!(folder.id = %file.mount, "a file of folder {} that may have ended a worker is tried alone", file.mount);
        let _ = timeout(TRIAL, answer(&link, request)).await;
        if timeout(SETTLES, link.ended()).await.is_err() {
            loges.house.quarantine.acquit(file);
        }
        return;
    }
}

/// Waits until it works on nothing; false when it ended before.
async fn is_quiet(link: &Link) -> bool {
    while link.is_alive() {
        if link.active() == 0 {
            return true;
        }
        // It may have become quiet just before this waits.
        let _ = timeout(LOOK_EVERY, link.became_quiet()).await;
    }
    false
}

/// Reads the answer to its end and throws it away.
async fn answer(link: &Arc<Link>, request: &RequestBody) {
    let most = match request {
        RequestBody::Job { job, max_bytes, .. } => return drop(link.job(job.clone(), *max_bytes, TRIAL).await),
        RequestBody::Init { max_bytes, .. } | RequestBody::Segment { max_bytes, .. } => *max_bytes,
        RequestBody::Range { .. } => return,
    };
    let Ok(stream) = link.stream(request.clone(), Announces::AtMost(most), SEGMENT_DEADLINE).await else { return };
    let mut left = stream.length();
    let (mut stream, lease) = stream.into_parts();
    let mut chunk = vec![0; 64 << 10];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(chunk.len()).min(chunk.len());
        match stream.read(&mut chunk[..most]).await {
            Ok(read) if read > 0 => left -= read as u64,
            _ => return lease.broke("an answer shorter than announced"),
        }
    }
    lease.finish(stream);
}
