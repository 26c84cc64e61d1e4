//! Subtitles become WebVTT: tracks in a film by one pass of ffmpeg over it, files beside a film
//! by reading them here. What ffmpeg writes is read and written anew too, because it passes on
//! what it does not understand.

use crate::{
    job::{JobLimits, Outcome, watch},
    log,
    settings::Settings,
};
use contract::{
    Status, Taken,
    subtitle::{MAX_TEXT_BYTES, MAX_TRACKS, encode},
};
use media::{
    ffmpeg_args,
    jail::OpenFile,
    subtitles::{MAX_FILE_BYTES, to_webvtt},
};
use std::{
    ffi::OsString,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Numbers the files of jobs that run at the same time.
static JOBS: AtomicU64 = AtomicU64::new(0);

/// One file in the work folder, gone when this is.
struct Scratch {
    name: String,
    path: PathBuf,
}

impl Scratch {
    fn new(settings: &Settings, job: u64, track: u8) -> Self {
        let name = format!("subtitles-{job}-{track}.vtt");
        Self { path: settings.work_dir.join(&name), name }
    }

    fn take(&self) -> Taken {
        let is_small = std::fs::metadata(&self.path).is_ok_and(|meta| meta.len() <= MAX_FILE_BYTES as u64);
        let bytes = if is_small { std::fs::read(&self.path).ok() } else { None };
        bytes
            .and_then(|bytes| to_webvtt(&bytes, MAX_TEXT_BYTES).ok())
            .map_or(Taken::Nothing, |text| Taken::Text(text.into_bytes()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Result: `contract::subtitle`.
pub fn tracks(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    tracks: &[u8],
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
    tracks: &[u8],
    limits: JobLimits,
    deadline: Instant,
) -> Result<Vec<Taken>, Outcome> {
    let job = JOBS.fetch_add(1, Ordering::Relaxed);
    let scratch: Vec<Scratch> = tracks.iter().map(|track| Scratch::new(settings, job, *track)).collect();
    let named: Vec<(u8, &str)> =
        tracks.iter().zip(&scratch).map(|(track, file)| (*track, file.name.as_str())).collect();
    let args = ffmpeg_args::subtitles(&named).into_iter().map(OsString::from).collect();
    let program = settings.programs.ffmpeg.clone().into_os_string();
    match watch(settings, gateway, program, args, open, limits, deadline) {
        Outcome::Done(_) => Ok(scratch.iter().map(Scratch::take).collect()),
        other => Err(other),
    }
}

/// Result: WebVTT.
pub fn beside(open: &OpenFile, limits: JobLimits) -> Outcome {
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
    match to_webvtt(&bytes, MAX_TEXT_BYTES) {
        Ok(text) if text.len() > limits.max_bytes => Outcome::Ended(Status::Limit),
        Ok(text) => Outcome::Done(text.into_bytes()),
        Err(error) => {
            log::line(&format!("read a subtitle file: {error}"));
            Outcome::Ended(Status::Unsupported)
        }
    }
}
