//! What this machine can do: a short film is made here, then decoded, wrapped anew and encoded
//! with the very commands of films that somebody watches. Processor time is what counts, so that
//! it does not matter what else runs meanwhile.

use crate::{
    chip,
    heads::track::{self, Attempt, ENCODE_THREADS, Part},
    job::{JobLimits, Outcome, timed},
    scratch::Scratch,
    settings::Settings,
};
use contract::{Measured, Rung, Status, Track, measure};
use media::{hls::trial, jail::OpenFile};
use rustix::fs::{Advice, fadvise};
use std::{
    num::NonZeroU64,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// No program of a calibration may take more of the processor: a machine that needs this much for
/// two seconds of film is of no use for live encodes.
const STEP: Duration = Duration::from_secs(15);
/// Less than a millisecond drowns in what starting a program takes.
pub const LEAST_US: u32 = 1000;
/// What one picture's encode may write.
pub const MAX_ENCODED_BYTES: usize = 16 << 20;
const READ_TIME: Duration = Duration::from_secs(2);
const READ_BYTES: u64 = 256 << 20;
/// Reading less than this says nothing about a disk.
const LEAST_READ_BYTES: u64 = 8 << 20;

/// Result: [`contract::measure`].
pub fn run(
    settings: &Settings,
    gateway: &UnixStream,
    rungs: &[Rung],
    read: Option<OpenFile>,
    with_chip: bool,
    limits: JobLimits,
) -> Outcome {
    if rungs.len() > measure::MAX_RUNGS {
        return Outcome::Ended(Status::Refused);
    }
    let bench = Bench { settings, gateway, until: Instant::now() + limits.time };
    match bench.measure(rungs, read.as_ref(), with_chip) {
        Ok(measured) => match measure::encode(&measured) {
            Ok(bytes) if bytes.len() <= limits.max_bytes => Outcome::Done(bytes),
            _ => Outcome::Ended(Status::Limit),
        },
        Err(outcome) => outcome,
    }
}

pub struct Bench<'a> {
    pub settings: &'a Settings,
    gateway: &'a UnixStream,
    until: Instant,
}

impl Bench<'_> {
    fn measure(&self, rungs: &[Rung], read: Option<&OpenFile>, with_chip: bool) -> Result<Measured, Outcome> {
        let nothing = Scratch::new(self.settings);
        let (film, _) = self.step(&trial::film(), &opened(&nothing, &[])?, trial::MAX_BYTES)?;
        let scratch = Scratch::new(self.settings);
        let film = opened(&scratch, &film)?;

        let part = Part::Video(trial::window());
        let copied = Track::VideoCopy { picture: 0, hevc: false };
        // What starting ffmpeg and looking into the film take is no cost of a second of film.
        let init = track::init_command(&copied, Attempt::first(&copied).tone_map, None)
            .ok_or(Outcome::Ended(Status::Refused))?;
        let (_, start) = self.step(init.args(), &film, MAX_ENCODED_BYTES)?;
        let cost = |used: Duration, before: Duration| {
            let us = used.saturating_sub(before).as_micros() / u128::from(trial::SECONDS);
            u32::try_from(us).unwrap_or(u32::MAX).max(LEAST_US)
        };
        let (_, decoded) = self.step(&trial::decode(ENCODE_THREADS), &film, 0)?;
        let command =
            track::command(&copied, &part, 0, Attempt::first(&copied), None).ok_or(Outcome::Ended(Status::Refused))?;
        let (_, wrapped) = self.step(command.args(), &film, MAX_ENCODED_BYTES)?;
        let mut encode_us = Vec::with_capacity(rungs.len());
        for rung in rungs {
            let encoded = Track::VideoEncode { picture: 0, rung: *rung };
            let command = track::command(&encoded, &part, 0, Attempt::first(&encoded), None)
                .ok_or(Outcome::Ended(Status::Refused))?;
            encode_us.push(match self.step(command.args(), &film, MAX_ENCODED_BYTES) {
                Ok((_, used)) => Some(cost(used, decoded)),
                Err(Outcome::Cancelled) => return Err(Outcome::Cancelled),
                Err(_) => None,
            });
        }
        let chip = if with_chip { Some(chip::test(self, rungs, &film, start)?) } else { None };
        Ok(Measured {
            decode_us: cost(decoded, start),
            remux_us: cost(wrapped, start),
            encode_us,
            read_bytes_per_s: read.and_then(speed),
            chip,
        })
    }

    /// One program's output and its processor time.
    pub fn step(&self, args: &[String], film: &OpenFile, max_bytes: usize) -> Result<(Vec<u8>, Duration), Outcome> {
        let limits = JobLimits { max_bytes, time: STEP };
        match timed(self.settings, self.gateway, args, film, limits, self.until) {
            (Outcome::Done(bytes), used) => Ok((bytes, used)),
            (other, _) => Err(other),
        }
    }
}

pub fn opened(scratch: &Scratch, bytes: &[u8]) -> Result<OpenFile, Outcome> {
    let file = scratch.write(bytes).map_err(|_| Outcome::Ended(Status::Io))?;
    Ok(OpenFile { fd: file.into(), size_bytes: bytes.len() as u64, mtime_ns: 0, inode: 0 })
}

/// Bytes a second, from the disk and not from what the kernel still remembers of the file.
fn speed(file: &OpenFile) -> Option<u64> {
    let length = file.size_bytes.min(READ_BYTES);
    fadvise(&file.fd, 0, NonZeroU64::new(length), Advice::DontNeed).ok()?;
    let mut chunk = vec![0; 1 << 20];
    let (began, mut at) = (Instant::now(), 0);
    while at < length && began.elapsed() < READ_TIME {
        match rustix::io::pread(&file.fd, &mut chunk, at) {
            Ok(0) | Err(_) => break,
            Ok(n) => at += n as u64,
        }
    }
    let micros = u64::try_from(began.elapsed().as_micros()).ok()?.max(1);
    (at >= LEAST_READ_BYTES).then(|| at.saturating_mul(1_000_000) / micros)
}
