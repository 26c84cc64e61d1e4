//! Subtitles become WebVTT: tracks in a film by one pass of ffmpeg over it, files beside a film
//! by reading them here. What ffmpeg writes is read and written anew too, because it passes on
//! what it does not understand.

use crate::{
    job::{JobLimits, Outcome, watch},
    log,
    scratch::Scratch,
    settings::Settings,
};
use contract::{
    Status, Taken, TextTrack,
    subtitle::{MAX_TEXT_BYTES, MAX_TRACKS, encode},
};
use media::{
    ffmpeg_args,
    jail::OpenFile,
    subtitles::{MAX_FILE_BYTES, to_webvtt},
};
use std::{ffi::OsString, os::unix::net::UnixStream, time::Instant};

fn taken(scratch: &Scratch) -> Taken {
    scratch
        .read(MAX_FILE_BYTES)
        .and_then(|bytes| to_webvtt(&bytes, MAX_TEXT_BYTES, None).ok())
        .map_or(Taken::Nothing, |text| Taken::Text(text.into_bytes()))
}

/// Result: `contract::subtitle`.
pub fn tracks(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    tracks: &[TextTrack],
    limits: JobLimits,
    deadline: Instant,
) -> Outcome {
    if tracks.is_empty() || tracks.len() > MAX_TRACKS {
        return Outcome::Ended(Status::Refused);
    }
    let taken = match take(settings, gateway, open, tracks, limits, deadline) {
        Ok(taken) => taken,
        // One bad track ends the pass for all of them: each on its own, then.
        Err(Outcome::Failed(_)) if tracks.len() > 1 => {
            let mut alone = Vec::with_capacity(tracks.len());
            for track in tracks {
                match take(settings, gateway, open, &[*track], limits, deadline) {
                    Ok(taken) => alone.extend(taken),
                    Err(Outcome::Failed(_)) => alone.push(Taken::Nothing),
                    Err(outcome) => return outcome,
                }
            }
            alone
        }
        Err(outcome) => return outcome,
    };
    match encode(&taken) {
        Ok(bytes) if bytes.len() <= limits.max_bytes => Outcome::Done(bytes),
        _ => Outcome::Ended(Status::Limit),
    }
}

fn take(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    tracks: &[TextTrack],
    limits: JobLimits,
    deadline: Instant,
) -> Result<Vec<Taken>, Outcome> {
    let scratch: Vec<Scratch> = tracks.iter().map(|_| Scratch::new(settings)).collect();
    let named: Vec<(u8, bool, &str)> =
        tracks.iter().zip(&scratch).map(|(track, file)| (track.number, track.is_ass, file.name.as_str())).collect();
    let args = ffmpeg_args::subtitles(&named).into_iter().map(OsString::from).collect();
    let program = settings.programs.ffmpeg.clone().into_os_string();
    match watch(settings, gateway, program, args, open, limits, deadline) {
        Outcome::Done(_) => Ok(scratch.iter().map(taken).collect()),
        other => Err(other),
    }
}

/// Result: WebVTT.
pub fn beside(open: &OpenFile, frame_rate_millihertz: Option<u32>, limits: JobLimits) -> Outcome {
    let size = match usize::try_from(open.size_bytes) {
        Ok(size) if size <= MAX_FILE_BYTES => size,
        // No text of a film is, so asking again is in vain.
        _ => return Outcome::Ended(Status::Unsupported),
    };
    let mut bytes = vec![0; size];
    let mut at = 0;
    while at < size {
        match rustix::io::pread(&open.fd, &mut bytes[at..], at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Outcome::Ended(Status::Io),
        }
    }
    bytes.truncate(at);
    let frame_rate = frame_rate_millihertz.map(|rate| f64::from(rate) / 1000.0);
    match to_webvtt(&bytes, MAX_TEXT_BYTES, frame_rate) {
        Ok(text) if text.len() > limits.max_bytes => Outcome::Ended(Status::Limit),
        Ok(text) => Outcome::Done(text.into_bytes()),
        Err(error) => {
            log::line(&format!("read a subtitle file: {error}"));
            Outcome::Ended(Status::Unsupported)
        }
    }
}
