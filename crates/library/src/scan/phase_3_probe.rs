//! Phase 3: looking inside, a few files at a time, and writing what was learned in small
//! transactions, so that titles appear while the scan runs and a crash loses one batch at most.

use super::{Scan, ScanError, defect_before_probe, file_stem, phase_2_compare::ToProbe};
use crate::prober::{MAX_LOOK, MAX_LOOK_PATH_BYTES, MediaFile, ProbeFailure};
use domain::{LibraryId, facts::Defect, facts::FileFacts};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use store::ScanChange;
use tokio::time::Instant;
use tracing::{debug, warn};

const BATCH_FILES: usize = 500;
const BATCH_TIME: Duration = Duration::from_millis(700);
/// How long a scan waits for a house loge that cannot work, before it gives up and says so.
const PATIENCE: [u64; 6] = [1, 2, 5, 10, 20, 30];

pub(super) async fn probe_and_apply(
    scan: &Scan,
    library: &LibraryId,
    folder: &store::Folder,
    files: Vec<ToProbe>,
) -> Result<(), ScanError> {
    let mut looks = stream::iter(questions(files))
        .map(|tasks| async move {
            scan.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
            scan.progress.current(tasks.first().map(|task| file_stem(&task.seen.path)));
            let began = Instant::now();
            let learned = learn(scan, folder, tasks).await;
            tokio::time::sleep(scan.pace.rest_after(began.elapsed())).await;
            learned
        })
        .buffered(scan.concurrency.max(1));
    let mut batch = Vec::new();
    let mut began = Instant::now();
    let mut ended = Ok(());
    while let Some(result) = looks.next().await {
        let learned = match result {
            Ok(learned) => learned,
            Err(e) => {
                // What was learned so far is kept, whatever stopped the scan.
                ended = Err(e);
                break;
            }
        };
        scan.progress.add_done(learned.len() as u64);
        batch.extend(learned.into_iter().filter_map(|(task, facts)| change(task, facts?)));
        if batch.len() >= BATCH_FILES || began.elapsed() >= BATCH_TIME {
            scan.apply(library, folder, std::mem::take(&mut batch)).await?;
            began = Instant::now();
        }
    }
    drop(looks);
    scan.apply(library, folder, batch).await?;
    ended
}

/// As many files in one question as the port takes.
fn questions(files: Vec<ToProbe>) -> Vec<Vec<ToProbe>> {
    let mut out: Vec<Vec<ToProbe>> = Vec::new();
    let mut bytes = 0;
    for task in files {
        let length = task.seen.path.len();
        match out.last_mut() {
            Some(last) if last.len() < MAX_LOOK && bytes + length <= MAX_LOOK_PATH_BYTES => {
                bytes += length;
                last.push(task);
            }
            _ => {
                bytes = length;
                out.push(vec![task]);
            }
        }
    }
    out
}

/// `None`: the file vanished or is being written; the next walk sees it.
type Learned = (ToProbe, Option<Result<FileFacts, Defect>>);

async fn learn(scan: &Scan, folder: &store::Folder, tasks: Vec<ToProbe>) -> Result<Vec<Learned>, ScanError> {
    let (mut learned, mut open) = (Vec::with_capacity(tasks.len()), Vec::new());
    for task in tasks {
        match defect_before_probe(task.seen.size_bytes) {
            Some(defect) => learned.push((task, Some(Err(defect)))),
            None => open.push(task),
        }
    }
    let mut waits = PATIENCE.into_iter();
    loop {
        if open.is_empty() {
            return Ok(learned);
        }
        let files: Vec<MediaFile> = open.iter().map(|task| media_file(folder, task)).collect();
        let (mut left, mut reason) = (Vec::new(), None);
        for (task, answer) in open.into_iter().zip(scan.prober.look(&files).await) {
            match answer {
                Ok(facts) => learned.push((task, Some(Ok(facts)))),
                Err(ProbeFailure::Defect(defect)) => {
                    debug!(defect = defect.as_str(), "a file of folder {} is {}", folder.id, defect.as_str());
                    learned.push((task, Some(Err(defect))));
                }
                Err(ProbeFailure::Changed) => learned.push((task, None)),
                Err(ProbeFailure::Unavailable(why)) => {
                    reason = Some(why);
                    left.push(task);
                }
            }
        }
        open = left;
        if let Some(why) = reason {
            let Some(wait) = waits.next() else { return Err(ScanError::ProberAway(why)) };
            warn!("{} files wait {wait} s to be looked into: {why}", open.len());
            tokio::time::sleep(Duration::from_secs(wait)).await;
            scan.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
        }
    }
}

fn media_file(folder: &store::Folder, task: &ToProbe) -> MediaFile {
    MediaFile { folder: folder.id.clone(), path: task.seen.path.clone(), size_bytes: task.seen.size_bytes }
}

/// `None` when a file that could not be opened still cannot: there is nothing to tell.
fn change(task: ToProbe, facts: Result<FileFacts, Defect>) -> Option<ScanChange> {
    if task.known == Some(Defect::Unreadable) && facts == Err(Defect::Unreadable) {
        return None;
    }
    let seen = task.seen;
    Some(match task.changed {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::phase_1_walk::Seen;

    #[test]
    fn questions_are_bounded_in_files_and_bytes() {
        let task = |length: usize| ToProbe {
            seen: Seen { path: vec![b'x'; length], size_bytes: 1, mtime_ns: 0, inode: 0 },
            changed: None,
            known: None,
        };
        let sizes = |lengths: Vec<usize>| -> Vec<usize> {
            questions(lengths.into_iter().map(task).collect()).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(vec![10; 130]), [64, 64, 2]);
        assert_eq!(sizes(vec![4000; 14]), [12, 2]);
        assert_eq!(sizes(vec![]), Vec::<usize>::new());
        assert_eq!(sizes(vec![4000]), [1]);
    }
}
