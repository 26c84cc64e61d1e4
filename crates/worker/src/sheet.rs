//! One sheet of a storyboard, by `loge-frames`. Where that cannot be used ffmpeg takes a few key
//! frames at a time, they are put together here, and ffmpeg makes a JPEG of the whole.

use crate::{
    frames,
    job::{JobLimits, Outcome, watch},
    scratch::Scratch,
    settings::Settings,
};
use contract::{Status, pictures::Picture};
use media::{
    jail::OpenFile,
    storyboard::{
        ACROSS, DOWN, TILES,
        sheet::{self, AT_ONCE, QUALITIES, Sheet, Size},
    },
};
use std::{ffi::OsString, os::unix::net::UnixStream, time::Instant};

/// Result: a JPEG.
#[expect(clippy::too_many_arguments, reason = "what one sheet is made of, and under which limits")]
pub fn make(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    picture_track: u32,
    times_ms: &[u64],
    tile: Size,
    limits: JobLimits,
    deadline: Instant,
) -> Outcome {
    if times_ms.is_empty() || times_ms.len() > TILES {
        return Outcome::Ended(Status::Refused);
    }
    let picture =
        Picture::Sheet { picture_track, times_ms: times_ms.to_vec(), tile_width: tile.width, tile_height: tile.height };
    if let Some(outcome) = frames::take(settings, gateway, open, picture, limits, deadline) {
        return outcome;
    }
    let program = settings.programs.ffmpeg.clone().into_os_string();
    let run = |args: Vec<String>, on: &OpenFile, max_bytes| {
        let args = args.into_iter().map(OsString::from).collect();
        watch(settings, gateway, program.clone(), args, on, JobLimits { max_bytes, ..limits }, deadline)
    };
    let mut out = Sheet::new(tile, ACROSS, DOWN, 16);
    let (mut found, mut why) = (0, Outcome::Ended(Status::Unsupported));
    for (batch, times) in times_ms.chunks(AT_ONCE).enumerate() {
        let first = batch * AT_ONCE;
        match run(sheet::tiles(picture_track, times, tile), open, times.len() * tile.bytes()) {
            Outcome::Done(bytes) if bytes.len() == times.len() * tile.bytes() => {
                for (n, picture) in bytes.chunks(tile.bytes()).enumerate() {
                    out.put(first + n, picture);
                }
                found += times.len();
                continue;
            }
            Outcome::Done(_) | Outcome::Failed(_) => {}
            ended => return ended,
        }
        // One of them could not be read, and nobody says which: each on its own, then.
        for (n, time) in times.iter().enumerate() {
            match run(sheet::tiles(picture_track, &[*time], tile), open, tile.bytes()) {
                Outcome::Done(picture) if picture.len() == tile.bytes() => {
                    out.put(first + n, &picture);
                    found += 1;
                }
                Outcome::Done(_) => {}
                failed @ Outcome::Failed(_) => why = failed,
                ended => return ended,
            }
        }
    }
    if found == 0 {
        return why;
    }
    let scratch = Scratch::new(settings);
    let Ok(raw) = scratch.write(&out.bytes) else { return Outcome::Ended(Status::Io) };
    let raw = OpenFile { fd: raw.into(), size_bytes: out.bytes.len() as u64, mtime_ns: 0, inode: 0 };
    for quality in QUALITIES {
        match run(sheet::jpeg(out.size, quality), &raw, limits.max_bytes) {
            // It does not fit: smaller, then.
            Outcome::Ended(Status::Limit) if Instant::now() < deadline => {}
            ended => return ended,
        }
    }
    // Asking again is in vain.
    Outcome::Ended(Status::Unsupported)
}
