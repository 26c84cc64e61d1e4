//! The picture of a film: a few moments are looked at small, the liveliest is taken large. By
//! `loge-frames`, and by ffmpeg where that cannot be used.

use crate::{
    frames,
    job::{JobLimits, Outcome, watch},
    settings::Settings,
};
use contract::{Status, pictures::Picture};
use ffmpeg_sidecar::command::FfmpegCommand;
use media::{
    ffmpeg_args::{self, PosterAt, PosterWidth},
    jail::OpenFile,
    liveliness::{SMALL, liveliest},
    storyboard::sheet::{self, AT_ONCE, PAST_MS},
};
use std::{ffi::OsString, os::unix::net::UnixStream, time::Instant};

/// Result: a JPEG.
#[expect(clippy::too_many_arguments, reason = "what one poster is made of, and under which limits")]
pub fn make(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    picture_track: u32,
    moments_ms: &[u64],
    width: u32,
    limits: JobLimits,
    deadline: Instant,
) -> Outcome {
    let (Some(poster_width), Some(first)) = (PosterWidth::new(width), moments_ms.first()) else {
        return Outcome::Ended(Status::Refused);
    };
    if moments_ms.len() > AT_ONCE {
        return Outcome::Ended(Status::Refused);
    }
    let picture = Picture::Poster { picture_track, moments_ms: moments_ms.to_vec(), width };
    if let Some(outcome) = frames::take(settings, gateway, open, picture, limits, deadline) {
        return outcome;
    }
    let run = |args: Vec<String>, max_bytes| {
        let program = settings.programs.ffmpeg.clone().into_os_string();
        let mut command = FfmpegCommand::new_with_path(&program);
        command.args(args);
        let args: Vec<OsString> = command.get_args().map(ToOwned::to_owned).collect();
        watch(settings, gateway, program, args, open, JobLimits { max_bytes, ..limits }, deadline)
    };
    match run(ffmpeg_args::cover(poster_width), limits.max_bytes) {
        Outcome::Done(cover) if !cover.is_empty() => return Outcome::Done(cover),
        // It has none.
        Outcome::Done(_) | Outcome::Failed(_) => {}
        ended => return ended,
    }
    let mut at_ms = *first;
    if moments_ms.len() > 1 {
        match run(sheet::tiles(picture_track, moments_ms, SMALL), moments_ms.len() * SMALL.bytes()) {
            Outcome::Done(pictures) if pictures.len() == moments_ms.len() * SMALL.bytes() => {
                let best = liveliest(&pictures, SMALL).unwrap_or(0);
                at_ms = moments_ms[best].saturating_add(PAST_MS);
            }
            // Not all of them can be read: the first one has to do.
            Outcome::Done(_) | Outcome::Failed(_) => {}
            ended => return ended,
        }
    }
    match run(ffmpeg_args::poster(picture_track, PosterAt::from_ms(at_ms), poster_width), limits.max_bytes) {
        // Past the last key frame: the film is shorter than it says.
        Outcome::Done(bytes) if bytes.is_empty() && at_ms > 0 => {
            run(ffmpeg_args::poster(picture_track, PosterAt::from_ms(0), poster_width), limits.max_bytes)
        }
        outcome => outcome,
    }
}
