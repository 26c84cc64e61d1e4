//! One version, from wherever it is to its end: part after part from the studio onto the shelf.

use crate::{
    Inner, Now, StudioError, Timeline,
    shelf::{Draft, TrackWriter, VIDEO},
    timeline::{index_of, is_hdr, rung, video_part},
};
use contract::{FileRef, PlanPart, Track, Wanted};
use domain::{playback::default_audio, rendition::RESERVE_BYTES};
use media::hls::index::KeyframeIndex;
use std::{future::Future, io, time::Duration};
use store::{FileRow, Rendition, StoreError, StoredIndex};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How a try ended.
#[derive(Debug)]
pub(crate) enum Made {
    Whole {
        parts: u64,
        bytes: u64,
    },
    /// Somebody needs the house; what is there is kept.
    Stopped,
    /// It cannot be made, in words for people.
    Failed(String),
    /// It may go well another time.
    Later(String),
}

/// A try that ends before its time.
enum Broke {
    Stopped,
    Studio(StudioError),
    Disk(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Broke {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}
impl From<StoreError> for Broke {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
impl From<StudioError> for Broke {
    fn from(error: StudioError) -> Self {
        Self::Studio(error)
    }
}

/// A part of picture costs about this many times what one of sound does.
const PICTURE_WEIGHT: u64 = 8;
/// Parts between two moments that survive a power cut.
const KEEP_EVERY: usize = 16;
/// Parts the studio may be ahead: enough that it never waits, and little to throw away.
const AHEAD: u32 = 4;
/// No part of a version is larger; init segments are smaller still.
const PART_BYTES: u32 = 16 << 20;
const INIT_BYTES: u32 = 1 << 20;
/// A part that did not come is asked for this often before the film waits.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// One track and how its parts are asked for.
struct Planned {
    name: String,
    track: Track,
    parts: u32,
    weight: u64,
    /// Without it there is no version. Another sound may be beyond the programs: it is cut from the
    /// film when somebody chooses it, as far as that goes.
    is_needed: bool,
}

pub(crate) async fn make(inner: &Inner, row: &Rendition, file: &FileRow, stop: &CancellationToken) -> Made {
    match try_make(inner, row, file, stop).await {
        Ok((parts, bytes)) => Made::Whole { parts, bytes },
        Err(Broke::Stopped) => Made::Stopped,
        Err(Broke::Studio(StudioError::Unfit(why))) => {
            tracing::warn!(file.id = %file.id, "no version of file {}: {why}", file.id);
            Made::Failed("The film cannot be read to its end.".into())
        }
        Err(Broke::Studio(StudioError::Later(why))) => Made::Later(why),
        Err(Broke::Disk(e)) => Made::Later(e.to_string()),
        Err(Broke::Store(e)) => Made::Later(e.to_string()),
    }
}

async fn try_make(
    inner: &Inner,
    row: &Rendition,
    file: &FileRow,
    stop: &CancellationToken,
) -> Result<(u64, u64), Broke> {
    let reference = FileRef {
        mount: file.folder.to_string(),
        path: file.path.clone(),
        size: Some(file.size_bytes),
        mtime_ns: Some(file.mtime_ns),
    };
    let index = unless(stop, index(inner, file, &reference)).await??;
    let known = KeyframeIndex::from_bytes(&index).map_err(|e| StudioError::Unfit(e.to_string()))?;
    let timeline = Timeline::new(known);
    let tracks = planned(&timeline, row, file).ok_or_else(|| StudioError::Unfit("it has no picture".into()))?;
    let (shelf, id) = (inner.shelf.clone(), row.id.clone());
    let draft = blocking(move || shelf.begin(&id, &index)).await?;
    let total: u64 = tracks.iter().map(|t| u64::from(t.parts) * t.weight).sum();
    let mut work = Work { inner, row, reference, timeline, stop, done: 0, total, bytes: 0, began: None };
    for planned in &tracks {
        match work.track(&draft, planned).await {
            Err(Broke::Studio(StudioError::Unfit(why))) if !planned.is_needed => {
                tracing::info!(file.id = %file.id, "{} of file {} is left out: {why}", planned.name, file.id);
                let (draft, name) = (draft.clone(), planned.name.clone());
                work.bytes -= blocking(move || draft.leave_out(&name)).await?;
            }
            outcome => outcome?,
        }
    }
    blocking(move || draft.finish()).await?;
    Ok((work.done, work.bytes))
}

/// The picture, the sound that plays unless somebody chooses another, and the others.
fn planned(timeline: &Timeline, row: &Rendition, file: &FileRow) -> Option<Vec<Planned>> {
    let facts = file.facts.as_ref()?;
    let video = facts.video.as_ref()?;
    let track = Track::VideoEncode { picture: video.track, rung: rung(row.lines, is_hdr(video), true) };
    let picture =
        Planned { name: VIDEO.into(), track, parts: timeline.encode.len(), weight: PICTURE_WEIGHT, is_needed: true };
    let first = default_audio(facts);
    let others = (0..facts.audio.len()).filter(|number| *number != first);
    let sounds = std::iter::once(first).chain(others).filter_map(|number| {
        let track = timeline.audio_track(facts, number)?;
        Some(Planned {
            name: format!("a-{number}"),
            track,
            parts: timeline.audio.len(),
            weight: 1,
            is_needed: number == first,
        })
    });
    Some(std::iter::once(picture).chain(sounds).collect())
}

async fn index(inner: &Inner, file: &FileRow, reference: &FileRef) -> Result<Vec<u8>, Broke> {
    let picture = file.facts.as_ref().and_then(|facts| facts.video.as_ref()).map_or(0, |video| video.track);
    let is_of = |bytes: &[u8]| KeyframeIndex::from_bytes(bytes).is_ok_and(|index| index.picture == picture);
    match inner.store.keyframe_index(file).await? {
        Some(StoredIndex::Made(bytes)) if is_of(&bytes) => Ok(bytes),
        Some(StoredIndex::Impossible) => Err(StudioError::Unfit("its key frames cannot be found".into()).into()),
        None | Some(StoredIndex::Made(_)) => {
            let bytes = inner.studio.index(reference.clone(), picture).await?;
            // Kept only when it holds together: a worker is not believed.
            let index = index_of(&bytes, file.facts.as_ref()).map_err(|e| StudioError::Unfit(e.to_string()))?;
            let bytes = index.to_bytes();
            inner.store.set_keyframe_index(file, &StoredIndex::Made(bytes.clone())).await?;
            Ok(bytes)
        }
    }
}

struct Work<'a> {
    inner: &'a Inner,
    row: &'a Rendition,
    reference: FileRef,
    timeline: Timeline,
    stop: &'a CancellationToken,
    done: u64,
    total: u64,
    bytes: u64,
    began: Option<(Instant, u64)>,
}

impl Work<'_> {
    async fn track(&mut self, draft: &Draft, planned: &Planned) -> Result<(), Broke> {
        let (draft, name) = (draft.clone(), planned.name.clone());
        let writer = blocking(move || draft.track(&name)).await?;
        self.bytes += writer.bytes();
        self.done += (writer.parts().saturating_sub(1) as u64).min(u64::from(planned.parts)) * planned.weight;
        self.show();
        let mut writer = Some(writer);
        let outcome = self.parts(&mut writer, planned).await;
        if outcome.is_err() {
            self.inner.studio.rest(self.reference.clone(), planned.track.clone()).await;
        }
        if let Some(writer) = writer {
            kept(writer).await?;
        }
        self.tell().await?;
        outcome
    }

    /// Leaves the writer behind, unless the disk failed it.
    async fn parts(&mut self, slot: &mut Option<TrackWriter>, planned: &Planned) -> Result<(), Broke> {
        let mut unkept = 0;
        while let Some(writer) = slot {
            let number = match writer.parts().checked_sub(1) {
                None => None,
                Some(n) if n < planned.parts as usize => u32::try_from(n).ok(),
                Some(_) => return Ok(()),
            };
            let part = self.ask(planned, number).await?;
            // Into the page cache: no longer than a copy, until it is kept.
            writer.append(&part)?;
            self.bytes += part.len() as u64;
            self.done += number.map_or(0, |_| planned.weight);
            self.show();
            unkept += 1;
            if unkept == KEEP_EVERY
                && let Some(writer) = slot.take()
            {
                unkept = 0;
                *slot = Some(kept(writer).await?);
                self.tell().await?;
                if self.inner.shelf.free_bytes() < RESERVE_BYTES {
                    return Err(Broke::Stopped);
                }
            }
        }
        Ok(())
    }

    /// One part; `None` is the init. The house loge may be busy, or be made anew in between.
    async fn ask(&self, planned: &Planned, number: Option<u32>) -> Result<Vec<u8>, Broke> {
        let mut tries = 0;
        loop {
            tries += 1;
            match unless(self.stop, self.once(planned, number)).await? {
                Err(Broke::Studio(StudioError::Later(why))) if tries < TRIES => {
                    tracing::debug!(file.id = %self.row.file, "part {number:?} of {}: {why}", planned.name);
                    unless(self.stop, tokio::time::sleep(PAUSE)).await?;
                }
                outcome => return outcome,
            }
        }
    }

    async fn once(&self, planned: &Planned, number: Option<u32>) -> Result<Vec<u8>, Broke> {
        let (file, track) = (self.reference.clone(), planned.track.clone());
        let Some(number) = number else {
            return Ok(self.inner.studio.init(file, track, INIT_BYTES).await?);
        };
        let plan = match planned.track {
            Track::VideoCopy { .. } | Track::VideoEncode { .. } => video_part(&self.timeline.encode, number),
            Track::AudioCopy { .. } | Track::AudioEncode { .. } => {
                Some(PlanPart::Audio { end: self.timeline.audio.end })
            }
        };
        let plan = plan.ok_or_else(|| StudioError::Unfit("a part past its end".into()))?;
        let wanted = Wanted { number, ahead: AHEAD, plan };
        Ok(self.inner.studio.segment(file, track, wanted, PART_BYTES).await?)
    }

    fn show(&mut self) {
        let (began, began_at) = *self.began.get_or_insert((Instant::now(), self.done));
        let (done, total, bytes) = (self.done, self.total, self.bytes);
        self.inner.lock().now = Some(Now { id: self.row.id.clone(), done, total, bytes, began, began_at });
    }

    async fn tell(&mut self) -> Result<(), Broke> {
        self.show();
        self.inner.store.set_rendition_progress(&self.row.id, self.done, self.total, self.bytes).await?;
        self.inner.bus.publish(base::Event::Job { job: self.row.id.clone() });
        Ok(())
    }
}

async fn kept(mut writer: TrackWriter) -> io::Result<TrackWriter> {
    blocking(move || writer.keep().map(|()| writer)).await
}

/// The outcome, unless the house is needed first; what was asked is taken back then.
async fn unless<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Result<T, Broke> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Broke::Stopped),
        outcome = work => Ok(outcome),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("the work was abandoned")))
}
