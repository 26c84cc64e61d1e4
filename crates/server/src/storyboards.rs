//! The storyboard of one film: sheet after sheet, each kept at once, so that whoever interrupts it
//! costs one sheet.

use crate::{looks::StepError, wiring::Rooms};
use contract::{FileRef, Job, Status};
use domain::{Tenant, TitleId};
use library::version_of;
use media::{
    hls::{
        TICKS,
        index::{KeyframeIndex, PointKind},
    },
    storyboard::{ACROSS, DOWN, Plan, SHEET_BYTES},
};
use std::time::Duration;
use store::{FileRow, StoredIndex, Storyboard};
use tracing::info;

/// Twenty-five places of the largest film on a slow disk.
const SHEET_TIME: Duration = Duration::from_secs(120);

pub(crate) async fn make(rooms: &Rooms, title: &TitleId, file: &FileRow) -> Result<(), StepError> {
    let track = file.facts.as_ref().and_then(|f| f.video.as_ref()).map_or(0, |video| video.track);
    let Some(plan) = plan(rooms, file).await? else {
        return Ok(rooms.store.set_storyboard(title, None).await?);
    };
    let (looks, version) = (rooms.libraries.looks(), version_of(file.size_bytes, file.mtime_ns));
    for number in 0..plan.sheets() {
        if looks.sheet(title, &version, number).await.is_some() {
            continue;
        }
        let job = Job::Sheet {
            file: FileRef {
                mount: file.folder.to_string(),
                path: file.path.clone(),
                size: Some(file.size_bytes),
                mtime_ns: None,
            },
            picture_track: track,
            times_ms: plan.sheet(number).to_vec(),
            tile_width: plan.tile_width,
            tile_height: plan.tile_height,
        };
        match rooms.loges.job(&Tenant::House, job, SHEET_BYTES, SHEET_TIME).await {
            Ok(jpeg) => looks.keep_sheet(title, &version, number, jpeg).await?,
            // The film is to blame, and stays as it is.
            Err(e) if matches!(e.status(), Some(Status::Unsupported | Status::Failed)) => {
                return Ok(rooms.store.set_storyboard(title, None).await?);
            }
            Err(e) => return Err(StepError::Job(e)),
        }
    }
    let made = Storyboard {
        version,
        tile_width: plan.tile_width,
        tile_height: plan.tile_height,
        tiles_across: ACROSS,
        tiles_down: DOWN,
        sheets: plan.sheets(),
        times_ms: plan.times_ms,
    };
    rooms.store.set_storyboard(title, Some(&made)).await?;
    info!(title.id = %title, "storyboard of title {title}: {} moments on {} sheets", made.times_ms.len(), made.sheets);
    Ok(())
}

async fn plan(rooms: &Rooms, file: &FileRow) -> Result<Option<Plan>, StepError> {
    let Some(facts) = &file.facts else { return Ok(None) };
    let Some(video) = &facts.video else { return Ok(None) };
    let index = match rooms.store.keyframe_index(file).await? {
        Some(StoredIndex::Made(bytes)) => KeyframeIndex::from_bytes(&bytes).ok(),
        Some(StoredIndex::Impossible) | None => None,
    };
    let keys: Vec<u64> = index
        .iter()
        .flat_map(|index| &index.points)
        .filter(|point| point.kind != PointKind::Frame)
        .map(|point| point.pts.saturating_mul(1000) / TICKS)
        .collect();
    Ok(Plan::new(facts.duration_ms, video.display_size(), &keys))
}
