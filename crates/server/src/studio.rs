//! Where versions of films come from: the house loge's own heads, asked for one segment after the
//! other as if it watched.

use async_trait::async_trait;
use base::Clock;
use contract::{FileRef, Job, Status, Track, Wanted};
use domain::{Tenant, rendition::Conditions};
use gateway::Streams;
use library::Libraries;
use loges::{JobError, Loges, RangeError, RangeStream};
use media::hls::index::MAX_BYTES;
use renditions::{HouseView, Studio, StudioError};
use std::{sync::Arc, time::Duration};
use tokio::io::AsyncReadExt;
use vitals::Vitals;

/// A disk that is read from end to end, and a slow one.
const INDEX_TIME: Duration = Duration::from_secs(590);
/// A part lies ready when its length is told: this is for a loge that stops in between.
const READ_TIME: Duration = Duration::from_secs(20);
const REST_TIME: Duration = Duration::from_secs(2);

pub(crate) struct HouseStudio(pub(crate) Loges);

#[async_trait]
impl Studio for HouseStudio {
    async fn index(&self, file: FileRef, picture: u32) -> Result<Vec<u8>, StudioError> {
        let most = u32::try_from(MAX_BYTES).unwrap_or(u32::MAX);
        self.0.job(&Tenant::House, Job::Index { file, picture }, most, INDEX_TIME).await.map_err(|e| of_job(&e))
    }

    async fn init(&self, file: FileRef, track: Track, max_bytes: u32) -> Result<Vec<u8>, StudioError> {
        take(self.0.init(&Tenant::House, file, track, max_bytes).await).await
    }

    async fn segment(
        &self,
        file: FileRef,
        track: Track,
        wanted: Wanted,
        max_bytes: u32,
    ) -> Result<Vec<u8>, StudioError> {
        take(self.0.segment(&Tenant::House, file, track, wanted, max_bytes).await).await
    }

    async fn rest(&self, file: FileRef, track: Track) {
        let resting = self.0.job(&Tenant::House, Job::Rest { file, track }, 64, REST_TIME);
        match tokio::time::timeout(REST_TIME, resting).await {
            Ok(Ok(_)) => {}
            // Unasked for, it ends by itself a little later.
            Ok(Err(e)) => tracing::debug!("the house loge does not rest: {e}"),
            Err(_) => tracing::debug!("the house loge does not answer that it rests"),
        }
    }
}

async fn take(range: Result<RangeStream, RangeError>) -> Result<Vec<u8>, StudioError> {
    let range = range.map_err(|e| match e {
        RangeError::Unplayable(why) => StudioError::Unfit(why),
        other => StudioError::Later(other.to_string()),
    })?;
    let mut bytes = vec![0; usize::try_from(range.length()).unwrap_or(0)];
    let (mut stream, lease) = range.into_parts();
    match tokio::time::timeout(READ_TIME, stream.read_exact(&mut bytes)).await {
        Ok(Ok(_)) => {
            lease.finish(stream);
            Ok(bytes)
        }
        Ok(Err(e)) => {
            lease.broke("a part of a version broke off");
            Err(StudioError::Later(e.to_string()))
        }
        Err(_) => {
            lease.broke("a part of a version did not come to its end");
            Err(StudioError::Later("the house loge stopped in the middle".into()))
        }
    }
}

fn of_job(error: &JobError) -> StudioError {
    match error.status() {
        Some(Status::Unsupported | Status::Failed | Status::Limit) => StudioError::Unfit(error.to_string()),
        _ => StudioError::Later(error.to_string()),
    }
}

/// What making versions has to know of the other rooms.
pub(crate) struct Quiet {
    pub(crate) streams: Streams,
    pub(crate) libraries: Libraries,
    pub(crate) vitals: Vitals,
    pub(crate) clock: Arc<dyn Clock>,
    /// Nothing is prepared in a house that is only tried out.
    pub(crate) is_rehearsal: bool,
}

impl HouseView for Quiet {
    fn conditions(&self) -> Conditions {
        let sample = self.vitals.now();
        Conditions {
            viewers: self.streams.viewers(),
            scanning: self.libraries.is_scanning(None),
            jobs_held: self.is_rehearsal || self.libraries.all_paused(),
            celsius: sample.and_then(|s| s.temperature.celsius()),
            free_bytes: 0,
        }
    }

    fn minute_of_day(&self) -> u16 {
        let now = jiff::Timestamp::from_millisecond(self.clock.now().0).unwrap_or_default();
        let there = now.to_zoned(jiff::tz::TimeZone::system());
        u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).unwrap_or(0)
    }
}
