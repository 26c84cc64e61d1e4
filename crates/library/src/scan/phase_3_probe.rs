//! Phase 3: looking inside, a few files at a time, and writing what was learned in small
//! transactions, so that titles appear while the scan runs and a crash loses one batch at most.

use super::{Scan, ScanError, defect_before_probe, file_stem, phase_2_compare::ToProbe};
use crate::prober::{MediaFile, ProbeFailure};
use domain::{LibraryId, facts::Defect, facts::FileFacts};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use store::ScanChange;
use tokio::time::Instant;
use tracing::{debug, warn};

const BATCH_FILES: usize = 100;
const BATCH_TIME: Duration = Duration::from_millis(700);
/// How long a scan waits for a house loge that cannot work, before it gives up and says so.
const PATIENCE: [u64; 6] = [1, 2, 5, 10, 20, 30];

pub(super) async fn probe_and_apply(
    scan: &Scan,
    library: &LibraryId,
    folder: &store::Folder,
    files: Vec<ToProbe>,
) -> Result<(), ScanError> {
    let mut probes = stream::iter(files)
        .map(|task| async move {
            scan.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
            scan.progress.current(Some(file_stem(&task.seen.path)));
            let learned = learn(scan, folder, &task).await?;
            Ok::<_, ScanError>((task, learned))
        })
        .buffered(scan.concurrency.max(1));
    let mut batch = Vec::new();
    let mut began = Instant::now();
    let mut ended = Ok(());
    while let Some(result) = probes.next().await {
        let (task, learned) = match result {
            Ok(ok) => ok,
            Err(e) => {
                // What was learned so far is kept, whatever stopped the scan.
                ended = Err(e);
                break;
            }
        };
        scan.progress.add_done(1);
        if let Some(facts) = learned {
            batch.push(change(task, facts));
        }
        if batch.len() >= BATCH_FILES || began.elapsed() >= BATCH_TIME {
            scan.apply(library, folder, std::mem::take(&mut batch)).await?;
            began = Instant::now();
        }
    }
    drop(probes);
    scan.apply(library, folder, batch).await?;
    ended
}

/// `None`: the file vanished or is being written; the next walk sees it.
async fn learn(
    scan: &Scan,
    folder: &store::Folder,
    task: &ToProbe,
) -> Result<Option<Result<FileFacts, Defect>>, ScanError> {
    if let Some(defect) = defect_before_probe(task.seen.size_bytes) {
        return Ok(Some(Err(defect)));
    }
    let file = MediaFile { folder: folder.id.clone(), path: task.seen.path.clone(), size_bytes: task.seen.size_bytes };
    let mut waits = PATIENCE.into_iter();
    loop {
        match scan.prober.probe(&file).await {
            Ok(facts) => return Ok(Some(Ok(facts))),
            Err(ProbeFailure::Defect(defect)) => {
                debug!(defect = defect.as_str(), "a file of folder {} is {}", folder.id, defect.as_str());
                return Ok(Some(Err(defect)));
            }
            Err(ProbeFailure::Changed) => return Ok(None),
            Err(ProbeFailure::Unavailable(why)) => {
                let Some(wait) = waits.next() else { return Err(ScanError::ProberAway(why)) };
                warn!("a file waits {wait} s to be looked into: {why}");
                tokio::time::sleep(Duration::from_secs(wait)).await;
                scan.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
            }
        }
    }
}

fn change(task: ToProbe, facts: Result<FileFacts, Defect>) -> ScanChange {
    let seen = task.seen;
    match task.changed {
        Some(file) => {
            ScanChange::Updated { file, size_bytes: seen.size_bytes, mtime_ns: seen.mtime_ns, inode: seen.inode, facts }
        }
        None => {
            let name = domain::naming::title_from_file_stem(&file_stem(&seen.path));
            ScanChange::Found {
                path: seen.path,
                size_bytes: seen.size_bytes,
                mtime_ns: seen.mtime_ns,
                inode: seen.inode,
                name: name.name,
                year: name.year,
                facts,
            }
        }
    }
}
