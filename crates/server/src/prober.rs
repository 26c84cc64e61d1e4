//! The library's port to look into files, answered by the house loge.

use async_trait::async_trait;
use contract::{FileRef, Job, Status};
use domain::{
    Tenant,
    facts::{Container, Defect, FileFacts},
};
use library::{MediaFile, ProbeFailure, Prober};
use loges::{JobError, Loges};
use std::time::Duration;

const PROBE_BYTES: u32 = 1 << 20;
const POSTER_BYTES: u32 = 512 << 10;
const PROBE_TIME: Duration = Duration::from_secs(20);
const POSTER_TIME: Duration = Duration::from_secs(30);

pub(crate) struct HouseProber(pub(crate) Loges);

fn reference(file: &MediaFile) -> FileRef {
    FileRef { mount: file.folder.as_str().into(), path: file.path.clone(), size: Some(file.size_bytes) }
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
        Some(Status::Io | Status::Refused) => ProbeFailure::Defect(Defect::Unreadable),
        Some(Status::Ok) | None => ProbeFailure::Unavailable(error.to_string()),
    }
}

#[async_trait]
impl Prober for HouseProber {
    async fn probe(&self, file: &MediaFile) -> Result<FileFacts, ProbeFailure> {
        let job = Job::Probe { file: reference(file) };
        let json = self.0.job(&Tenant::House, job, PROBE_BYTES, PROBE_TIME).await.map_err(|e| failure(&e))?;
        media::probe_json::parse(&json, named(file)).map_err(ProbeFailure::Defect)
    }

    async fn poster(&self, file: &MediaFile, at_ms: u64, width: u32) -> Result<Vec<u8>, ProbeFailure> {
        let job = Job::Poster { file: reference(file), at_ms, width };
        self.0.job(&Tenant::House, job, POSTER_BYTES, POSTER_TIME).await.map_err(|e| failure(&e))
    }
}
