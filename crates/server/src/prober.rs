//! The library's port to look into files, answered by the house loge.

use async_trait::async_trait;
use contract::{FileRef, Job, Looked, Status, look};
use domain::{
    Tenant,
    facts::{Container, Defect, FileFacts},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use library::{MediaFile, ProbeFailure, Prober};
use loges::{JobError, Loges};
use std::time::Duration;
use tracing::warn;

const PROBE_BYTES: u32 = 1 << 20;
const POSTER_BYTES: u32 = 512 << 10;
const PROBE_TIME: Duration = Duration::from_secs(20);
const POSTER_TIME: Duration = Duration::from_secs(30);

pub(crate) struct HouseProber(pub(crate) Loges);

fn reference(file: &MediaFile) -> FileRef {
    FileRef { mount: file.folder.as_str().into(), path: file.path.clone(), size: Some(file.size_bytes), mtime_ns: None }
}

/// What the file's ending says it is.
fn named(file: &MediaFile) -> Option<Container> {
    let ending = file.path.rsplit(|b| *b == b'.').next()?;
    Container::from_extension(std::str::from_utf8(ending).ok()?)
}

/// What a job's end says about the file, and what only about the moment.
fn failure(error: &JobError) -> ProbeFailure {
    if let JobError::Ended { status: Status::Failed, text } = error {
        return ProbeFailure::Defect(media::probe_json::defect_of(text.as_bytes()));
    }
    match error.status() {
        Some(Status::NotFound | Status::Changed) => ProbeFailure::Changed,
        Some(Status::Unsupported | Status::Failed) => ProbeFailure::Defect(Defect::NotMedia),
        Some(Status::Limit) => ProbeFailure::Defect(Defect::ProbeLimit),
        // The loge holds the folder, or it would not have been asked: this file is what it cannot open.
        Some(Status::Io | Status::Refused) => ProbeFailure::Defect(Defect::Unreadable),
        Some(Status::Ok) | None => ProbeFailure::Unavailable(error.to_string()),
    }
}

/// A walk through headers is quick; a slow disk is what this is for.
const GLANCE_TIME: Duration = Duration::from_secs(30);
const GLANCE_BYTES: u32 = 1 << 20;
/// Probes of one question at the same time.
const PROBES: usize = 2;

impl HouseProber {
    /// A glance at many files. Where the worker ends over them, halves are tried, so that the
    /// one file that did it stands alone; it is answered `Unsure`, since a probe runs in a
    /// process of its own.
    fn glance<'a>(&'a self, files: &'a [MediaFile]) -> BoxFuture<'a, Result<Vec<Looked>, JobError>> {
        Box::pin(async move {
            let job = Job::Glance { files: files.iter().map(reference).collect() };
            let answer = self.0.job(&Tenant::House, job, GLANCE_BYTES, GLANCE_TIME).await;
            let error = match answer.map(|bytes| look::decode(&bytes, files.len())) {
                Ok(Ok(looked)) => return Ok(looked),
                Ok(Err(_)) => JobError::Broke("the worker's verdicts cannot be read".into()),
                Err(e) => e,
            };
            match error {
                JobError::Away(_) | JobError::Busy => Err(error),
                _ if files.len() == 1 => {
                    warn!("one file of folder {} stopped the glance: {error}", files[0].folder);
                    Ok(vec![Looked::Unsure])
                }
                _ => {
                    let (first, second) = files.split_at(files.len() / 2);
                    let mut looked = self.glance_when_back(first).await?;
                    looked.extend(self.glance_when_back(second).await?);
                    Ok(looked)
                }
            }
        })
    }

    /// The worker that ended is replaced within a moment.
    async fn glance_when_back(&self, files: &[MediaFile]) -> Result<Vec<Looked>, JobError> {
        let mut wait = Duration::from_millis(200);
        loop {
            match self.glance(files).await {
                Err(JobError::Away(_) | JobError::Busy) if wait < Duration::from_secs(10) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                other => return other,
            }
        }
    }

    async fn probe(&self, file: &MediaFile) -> Result<FileFacts, ProbeFailure> {
        let ask = || {
            let job = Job::Probe { file: reference(file) };
            self.0.job(&Tenant::House, job, PROBE_BYTES, PROBE_TIME)
        };
        let json = match ask().await {
            // Once is chance; a file that does it again is the reason.
            Err(JobError::Broke(_)) => match ask().await {
                Err(JobError::Broke(_)) => return Err(ProbeFailure::Defect(Defect::ProbeLimit)),
                other => other,
            },
            other => other,
        };
        media::probe_json::parse(&json.map_err(|e| failure(&e))?, named(file)).map_err(ProbeFailure::Defect)
    }

    async fn judge(&self, file: &MediaFile, looked: Looked) -> Result<FileFacts, ProbeFailure> {
        match looked {
            Looked::Known(json) => media::probe_json::parse(&json, named(file)).map_err(ProbeFailure::Defect),
            Looked::Unsure | Looked::Later => self.probe(file).await,
            Looked::Cut => Err(ProbeFailure::Defect(Defect::Truncated)),
            Looked::Changed => Err(ProbeFailure::Changed),
            Looked::Unreadable => Err(ProbeFailure::Defect(Defect::Unreadable)),
        }
    }
}

#[async_trait]
impl Prober for HouseProber {
    async fn look(&self, files: &[MediaFile]) -> Vec<Result<FileFacts, ProbeFailure>> {
        match self.glance(files).await {
            Ok(looked) => {
                let judged: Vec<BoxFuture<'_, _>> =
                    files.iter().zip(looked).map(|(file, looked)| self.judge(file, looked).boxed()).collect();
                stream::iter(judged).buffered(PROBES).collect().await
            }
            Err(e) => {
                let why = e.to_string();
                files.iter().map(|_| Err(ProbeFailure::Unavailable(why.clone()))).collect()
            }
        }
    }

    async fn poster(
        &self,
        file: &MediaFile,
        picture_track: u32,
        moments_ms: &[u64],
        width: u32,
    ) -> Result<Vec<u8>, ProbeFailure> {
        let job = Job::Poster { file: reference(file), picture_track, moments_ms: moments_ms.to_vec(), width };
        self.0.job(&Tenant::House, job, POSTER_BYTES, POSTER_TIME).await.map_err(|e| failure(&e))
    }
}
