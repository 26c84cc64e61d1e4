//! The loges as this room needs them. One implementation is `loges::Loges`; tests have a worker
//! of their own behind the same door.

use crate::{
    problem::Problem,
    stream::{Lease, kept},
};
use async_trait::async_trait;
use contract::{FileRef, Job, Status, Track, Wanted};
use domain::{Code, Failure, LogeLimits, Tenant};
use loges::{Image, JobError, LogeView, Loges, RangeError, RangeLease, RangeStream, RuntimeInfo};
use std::{io, path::Path, time::Duration};
use tokio::net::UnixStream;

/// A worker begins at once and says nothing about it.
const BEGIN_TIME: Duration = Duration::from_secs(2);
const BEGUN_BYTES: u32 = 64;

/// A worker's answer that is positioned at its first byte.
pub struct OpenRange {
    pub stream: UnixStream,
    /// Bytes that follow: those that were asked for, or as many as a segment has.
    pub length: u64,
    pub lease: Box<dyn Lease>,
}

impl OpenRange {
    /// Of our own; the stream cannot be had without descriptors.
    pub fn ours(length: u64, stream: io::Result<(UnixStream, Box<dyn Lease>)>) -> Result<Self, Failure> {
        let (stream, lease) = stream.map_err(|_| Failure::of(Code::Internal))?;
        Ok(Self { stream, length, lease })
    }

    /// The same, of which `keep` gets a copy when it went through whole.
    pub fn copied(self, keep: impl FnOnce(Vec<u8>) + Send + 'static) -> Result<Self, Problem> {
        let Self { stream, length, lease } = self;
        Ok(Self::ours(length, kept::copy(stream, lease, length, keep))?)
    }

    fn of(range: Result<RangeStream, RangeError>, tenant: &Tenant, what: &str) -> Result<Self, Failure> {
        let range = range.map_err(|e| {
            match &e {
                // The owner will look for the reason why this film does not play.
                RangeError::Unplayable(_) => {
                    tracing::warn!(loge.tenant = %tenant, "{what} from the loge of {tenant}: {e}");
                }
                _ => tracing::info!(loge.tenant = %tenant, "{what} from the loge of {tenant}: {e}"),
            }
            e.failure()
        })?;
        let length = range.length();
        let (stream, lease) = range.into_parts();
        Ok(Self { stream, length, lease: Box::new(lease) })
    }
}

#[async_trait]
pub trait LogeRoom: Send + Sync + 'static {
    /// Parks until the loge can accept, or says why not.
    async fn ensure(&self, tenant: &Tenant) -> Result<(), Failure>;
    /// Begins to start it and returns at once.
    fn want(&self, tenant: &Tenant);
    async fn release(&self, tenant: &Tenant);
    /// The tenant's folders may be others now.
    async fn remount(&self, tenant: &Tenant);
    async fn restart(&self, tenant: &Tenant) -> Result<(), Failure>;
    async fn stop(&self, tenant: &Tenant);
    async fn set_limits(&self, tenant: &Tenant, limits: LogeLimits) -> Result<(), Failure>;
    async fn range(&self, tenant: &Tenant, file: FileRef, offset: u64, length: u64) -> Result<OpenRange, Failure>;
    /// What a player needs before any segment of a track.
    async fn init(&self, tenant: &Tenant, file: FileRef, track: Track, max_bytes: u32) -> Result<OpenRange, Failure>;
    /// Begins to make segments of a track from here on, for somebody who is about to ask.
    async fn begin(&self, tenant: &Tenant, file: FileRef, track: Track, wanted: Wanted) -> Result<(), Failure>;
    /// One segment of a track. May take some seconds; dropping the future takes the wish back.
    async fn segment(
        &self,
        tenant: &Tenant,
        file: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<OpenRange, Failure>;
    /// A bounded result of a job. `file_broken` says that the file is to blame, and for good.
    async fn job(&self, tenant: &Tenant, job: Job, max_bytes: u32, limit: Duration) -> Result<Vec<u8>, Failure>;
    async fn images(&self) -> Result<Vec<Image>, Failure>;
    /// Comes back when the first loge of it runs, or with what went wrong and everything as before.
    async fn use_image(&self, id: &str) -> Result<(), Failure>;
    async fn import_image(&self, file: &Path) -> Result<String, Failure>;
    /// Another chance for a file that ended workers.
    fn release_file(&self, file: &FileRef);
    fn list(&self) -> Vec<LogeView>;
    async fn logs(&self, tenant: &Tenant, tail: usize) -> Vec<String>;
    fn runtime(&self) -> RuntimeInfo;
    /// Whether processor time that some leave unused is lent to others.
    fn lends(&self) -> bool;
    /// Somebody pressed play or sought: their loge is lent what others leave, for the moment that
    /// takes the most. Returns at once.
    fn expects_work(&self, tenant: &Tenant);
    fn set_idle_stop(&self, idle_stop: Duration);
}

impl Lease for RangeLease {
    fn finish(self: Box<Self>, stream: UnixStream) {
        RangeLease::finish(*self, stream);
    }
}

#[async_trait]
impl LogeRoom for Loges {
    async fn ensure(&self, tenant: &Tenant) -> Result<(), Failure> {
        Loges::ensure(self, tenant).await
    }
    fn want(&self, tenant: &Tenant) {
        Loges::want(self, tenant);
    }
    async fn release(&self, tenant: &Tenant) {
        Loges::release(self, tenant).await;
    }
    async fn remount(&self, tenant: &Tenant) {
        Loges::remount(self, tenant).await;
    }
    async fn restart(&self, tenant: &Tenant) -> Result<(), Failure> {
        Loges::restart(self, tenant).await
    }
    async fn stop(&self, tenant: &Tenant) {
        Loges::stop(self, tenant).await;
    }
    async fn set_limits(&self, tenant: &Tenant, limits: LogeLimits) -> Result<(), Failure> {
        Loges::set_limits(self, tenant, limits).await
    }
    async fn range(&self, tenant: &Tenant, file: FileRef, offset: u64, length: u64) -> Result<OpenRange, Failure> {
        OpenRange::of(Loges::range(self, tenant, file, offset, length).await, tenant, "range")
    }
    async fn init(&self, tenant: &Tenant, file: FileRef, track: Track, max_bytes: u32) -> Result<OpenRange, Failure> {
        OpenRange::of(Loges::init(self, tenant, file, track, max_bytes).await, tenant, "init segment")
    }
    async fn begin(&self, tenant: &Tenant, file: FileRef, track: Track, wanted: Wanted) -> Result<(), Failure> {
        LogeRoom::job(self, tenant, Job::Begin { file, track, wanted }, BEGUN_BYTES, BEGIN_TIME).await.map(drop)
    }
    async fn segment(
        &self,
        tenant: &Tenant,
        file: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<OpenRange, Failure> {
        OpenRange::of(Loges::segment(self, tenant, file, track, wanted, max_bytes).await, tenant, "segment")
    }
    async fn job(&self, tenant: &Tenant, job: Job, max_bytes: u32, limit: Duration) -> Result<Vec<u8>, Failure> {
        Loges::job(self, tenant, job, max_bytes, limit).await.map_err(|e| {
            tracing::info!(loge.tenant = %tenant, "a job in the loge of {tenant}: {e}");
            match (e.status(), e) {
                (_, JobError::Away(failure)) => failure,
                (Some(Status::NotFound), _) => Failure::of(Code::FileMissing),
                (Some(Status::Changed), _) => Failure::of(Code::FileChanged),
                (Some(Status::Unsupported | Status::Failed), _) => Failure::of(Code::FileBroken),
                _ => Failure::of(Code::LogeBroke).retry_after(Duration::from_secs(2)),
            }
        })
    }
    async fn images(&self) -> Result<Vec<Image>, Failure> {
        Loges::images(self).await
    }
    async fn use_image(&self, id: &str) -> Result<(), Failure> {
        Loges::use_image(self, id).await
    }
    async fn import_image(&self, file: &Path) -> Result<String, Failure> {
        Loges::import_image(self, file).await
    }
    fn release_file(&self, file: &FileRef) {
        Loges::release_file(self, file);
    }
    fn list(&self) -> Vec<LogeView> {
        Loges::list(self)
    }
    async fn logs(&self, tenant: &Tenant, tail: usize) -> Vec<String> {
        Loges::logs(self, tenant, tail).await
    }
    fn runtime(&self) -> RuntimeInfo {
        Loges::runtime(self)
    }
    fn lends(&self) -> bool {
        Loges::lends(self)
    }
    fn expects_work(&self, tenant: &Tenant) {
        Loges::expects_work(self, tenant);
    }
    fn set_idle_stop(&self, idle_stop: Duration) {
        Loges::set_idle_stop(self, idle_stop);
    }
}
