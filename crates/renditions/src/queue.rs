//! The one task that makes versions: it decides every moment anew whether the house is quiet
//! enough, takes the first of the queue, and lets go of it as soon as somebody needs the machine.

use crate::{
    Inner,
    make::{Made, make},
};
use base::UnixMs;
use domain::{
    JobId, RenditionState,
    night::{Likely, ShiftState, pick},
    rendition::{Conditions, Hold, Kept, expected_bytes, hold, rungs, to_leave},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use store::{FileRow, Rendition, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the house is looked at: whoever presses play should not notice that something ran.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Nothing is wanted: the next wish wakes the task anyway.
const IDLE: Duration = Duration::from_secs(5);
/// Films the night shift chooses among.
const LIKELY: u32 = 50;
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// After something that may go well another time.
const PAUSE: Duration = Duration::from_secs(20);
/// Tries that end without a new part before a version counts as failed.
const MOST_TRIES: u32 = 5;
/// What is missing longer than a disk is usually away.
const MISSING_MS: i64 = 24 * 3_600_000;
/// A play's ticket lives no longer: what was begun within this time may still be watched.
const IN_USE_MS: u64 = 6 * 3_600_000;

/// Runs until the soft stop.
pub(crate) async fn run(inner: Arc<Inner>, soft: CancellationToken) {
    let mut tries: HashMap<JobId, u32> = HashMap::new();
    let mut tidy_at = Instant::now();
    while !soft.is_cancelled() {
        let pause = match step(&inner, &soft, &mut tries, &mut tidy_at).await {
            Ok(pause) => pause,
            Err(e) => {
                warn!(error = &e as &dyn std::error::Error, "the queue of versions cannot be read: {e}");
                PAUSE
            }
        };
        tokio::select! {
            () = soft.cancelled() => return,
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One look and, where that is possible, one try. Answers how long to wait then.
async fn step(
    inner: &Arc<Inner>,
    soft: &CancellationToken,
    tries: &mut HashMap<JobId, u32>,
    tidy_at: &mut Instant,
) -> Result<Duration, StoreError> {
    if Instant::now() >= *tidy_at {
        tidy(inner).await?;
        *tidy_at = Instant::now() + TIDY_EVERY;
    }
    let shift = inner.store.night_shift().await?;
    inner.lock().shift = shift.clone();
    let night = inner.is_night();
    let held = conditions_hold(inner);
    let Some((first, file)) = inner.store.next_rendition(night, &HashSet::new()).await? else {
        settle(inner, held.filter(|_| night), None);
        return match night && held.is_none() {
            true => pick_for_the_night(inner, shift.cap_bytes).await,
            false => Ok(IDLE),
        };
    };
    if held.is_some() {
        settle(inner, held, Some(&first.id));
        return Ok(LOOK_EVERY);
    }
    let Some((row, file)) = first_that_fits(inner, night, (first, file)).await? else { return Ok(IDLE) };
    settle(inner, None, Some(&row.id));
    make_room(inner, &row, &file).await?;
    let stop = CancellationToken::new();
    let made = {
        let mut making = std::pin::pin!(make(inner, &row, &file, &stop));
        tokio::select! {
            made = &mut making => made,
            () = needed(inner, &row, soft) => {
                stop.cancel();
                making.await
            }
        }
    };
    inner.lock().now = None;
    let pause = finish(inner, &row, &file, made, tries).await?;
    inner.bus.publish(base::Event::Job { job: row.id.clone() });
    Ok(pause)
}

async fn finish(
    inner: &Inner,
    row: &Rendition,
    file: &FileRow,
    made: Made,
    tries: &mut HashMap<JobId, u32>,
) -> Result<Duration, StoreError> {
    let soon = Duration::ZERO;
    match made {
        Made::Whole { parts, bytes } => {
            tries.remove(&row.id);
            inner.store.set_rendition_progress(&row.id, parts, parts, bytes).await?;
            inner.store.set_rendition_state(&row.id, RenditionState::Done, None).await?;
            info!(title.id = %row.title, file.id = %row.file, "{}p of file {} is there: {bytes} bytes", row.lines, row.file);
            inner.bus.publish(base::Event::Title { title: row.title.clone(), library: file.library.clone() });
            Ok(soon)
        }
        Made::Stopped => Ok(soon),
        Made::Failed(reason) => {
            inner.store.set_rendition_state(&row.id, RenditionState::Failed, Some(&reason)).await?;
            Ok(soon)
        }
        Made::Later(why) => {
            let progress = inner.store.rendition(&row.id).await?.map_or(row.done, |now| now.done);
            let count = tries.entry(row.id.clone()).or_default();
            *count = if progress > row.done { 1 } else { *count + 1 };
            info!(file.id = %row.file, "{}p of file {} waits: {why}", row.lines, row.file);
            if *count >= MOST_TRIES {
                tries.remove(&row.id);
                let reason = "It was tried several times and did not come to an end. The log says more.";
                inner.store.set_rendition_state(&row.id, RenditionState::Failed, Some(reason)).await?;
            }
            Ok(PAUSE)
        }
    }
}

/// Returns when the house is needed, or when another one is to be made now.
async fn needed(inner: &Inner, making: &Rendition, soft: &CancellationToken) {
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            () = inner.wake.notified() => {
                // One before it may fit by now.
                match inner.store.next_rendition(inner.is_night(), &HashSet::new()).await {
                    Ok(Some((row, file))) => match first_that_fits(inner, inner.is_night(), (row, file)).await {
                        Ok(Some((row, _))) if row.id == making.id => {}
                        _ => return,
                    },
                    _ => return,
                }
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let over = making.wanted_by.is_none() && !inner.is_night();
        if over || conditions_hold(inner).is_some() {
            return;
        }
    }
}

fn conditions_hold(inner: &Inner) -> Option<Hold> {
    let now = Conditions { free_bytes: inner.shelf.free_bytes(), ..inner.house.conditions() };
    let held = inner.lock().hold;
    hold(&now, held)
}

fn settle(inner: &Inner, held: Option<Hold>, next: Option<&JobId>) {
    let changed = {
        let mut state = inner.lock();
        std::mem::replace(&mut state.hold, held) != held
    };
    if changed && let Some(id) = next {
        inner.bus.publish(base::Event::Job { job: id.clone() });
    }
}

/// What is likely to be wanted next goes into the queue, if there is room for it.
async fn pick_for_the_night(inner: &Inner, cap: u64) -> Result<Duration, StoreError> {
    let used: u64 = inner.store.renditions().await?.iter().map(|r| r.stored_bytes).sum();
    let mut wishes: Vec<(FileRow, u32, Likely)> = Vec::new();
    for (file, begun, at) in inner.store.likely_films(LIKELY).await? {
        let facts = file.facts.as_ref();
        let height = facts.and_then(|f| f.video.as_ref()).map_or(0, |v| v.height);
        if let Some(lines) = rungs(height, false).first().copied() {
            let bytes = expected_bytes(lines, sounds(&file), facts.map_or(0, |f| f.duration_ms));
            wishes.push((file, lines, Likely { begun, at: at.0, bytes }));
        }
    }
    let likely: Vec<Likely> = wishes.iter().map(|(.., likely)| *likely).collect();
    let Some(n) = pick(&likely, cap.saturating_sub(used)) else {
        inner.lock().night = Some(if likely.is_empty() { ShiftState::Done } else { ShiftState::NoRoom });
        return Ok(IDLE);
    };
    let (file, lines, _) = &wishes[n];
    info!(title.id = %file.title, "the night shift prepares {lines}p of {}", file.title);
    inner.lock().night = None;
    if let Some(id) = inner.store.want_rendition(file, *lines, None).await? {
        inner.bus.publish(base::Event::Job { job: id });
    }
    Ok(Duration::ZERO)
}

/// Versions of files that are others now go, and files that belong to no version. Those whose files
/// are gone are made again.
async fn tidy(inner: &Inner) -> Result<(), StoreError> {
    let before = UnixMs(inner.clock.now().0.saturating_sub(MISSING_MS));
    for id in inner.store.stale_renditions(before).await? {
        info!("version {id} is of a file that is another one now; it goes");
        inner.forget(&id).await?;
        inner.bus.publish(base::Event::Job { job: id });
    }
    let rows = inner.store.renditions().await?;
    let shelf = inner.shelf.clone();
    let swept = tokio::task::spawn_blocking(move || {
        let keep: HashSet<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        let done = rows.iter().filter(|row| row.state == RenditionState::Done);
        let gone: Vec<JobId> = done.filter(|row| shelf.is_gone(&row.id)).map(|row| row.id.clone()).collect();
        (shelf.sweep(&keep), gone)
    })
    .await;
    let swept = match swept {
        Ok((swept, gone)) => {
            for id in gone {
                inner.make_again(&id, false).await?;
            }
            Ok(swept)
        }
        Err(e) => Err(e),
    };
    match swept {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(n)) => info!("{n} folders of versions that nobody knows are gone"),
        Ok(Err(e)) => warn!("the folder of versions cannot be tidied: {e}"),
    }
    Ok(())
}

/// The first in line for which there is room, or can be made. Those before it wait until there is,
/// and say so. `None` when there is none: then the first one says it for all.
async fn first_that_fits(
    inner: &Inner,
    night: bool,
    first: (Rendition, FileRow),
) -> Result<Option<(Rendition, FileRow)>, StoreError> {
    let head = first.0.id.clone();
    let (mut passed, mut next) = (HashSet::new(), Some(first));
    let found = loop {
        let Some((row, file)) = next else { break None };
        if room_for(inner, &row, &file).await?.is_some() {
            break Some((row, file));
        }
        passed.insert(row.id);
        next = inner.store.next_rendition(night, &passed).await?;
    };
    if found.is_none() {
        passed.clear();
        settle(inner, Some(Hold::SpaceUsedUp), Some(&head));
    }
    let changed = {
        let mut state = inner.lock();
        let before = std::mem::replace(&mut state.passed, passed);
        before.symmetric_difference(&state.passed).cloned().collect::<Vec<_>>()
    };
    for job in changed {
        inner.bus.publish(base::Event::Job { job });
    }
    Ok(found)
}

fn sounds(file: &FileRow) -> usize {
    file.facts.as_ref().map_or(0, |facts| facts.audio.len())
}

/// Which versions go so that what this one will take fits into the space the owner gave: those that
/// were unused for longest. `None` when that is in vain.
async fn room_for(inner: &Inner, row: &Rendition, file: &FileRow) -> Result<Option<Vec<Rendition>>, StoreError> {
    let cap = inner.store.night_shift().await?.cap_bytes;
    let now = inner.clock.now();
    let (done, rest): (Vec<_>, Vec<_>) =
        inner.store.renditions().await?.into_iter().partition(|r| r.state == RenditionState::Done);
    let kept: Vec<Kept> = done
        .iter()
        .map(|r| Kept { bytes: r.stored_bytes, used_at: r.used_at.0, in_use: now.since(r.used_at) < IN_USE_MS })
        .collect();
    let others = rest.iter().filter(|r| r.id != row.id).map(|r| r.stored_bytes).sum();
    let duration_ms = file.facts.as_ref().map_or(0, |f| f.duration_ms);
    let wanted = expected_bytes(row.lines, sounds(file), duration_ms).max(row.stored_bytes);
    let leaving = to_leave(&kept, others, wanted, cap);
    Ok(leaving.map(|leaving| leaving.into_iter().map(|n| done[n].clone()).collect()))
}

async fn make_room(inner: &Inner, row: &Rendition, file: &FileRow) -> Result<(), StoreError> {
    for leaving in room_for(inner, row, file).await?.unwrap_or_default() {
        info!(title.id = %leaving.title, "{}p of {} makes room", leaving.lines, leaving.title);
        inner.forget(&leaving.id).await?;
        inner.bus.publish(base::Event::Job { job: leaving.id.clone() });
    }
    Ok(())
}
