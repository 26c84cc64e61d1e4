//! A film's key frames: read from its own tables where these say everything, else found by asking
//! ffprobe and ffmpeg about its packets.

use crate::{
    job::{JobLimits, Outcome, watch},
    settings::Settings,
};
use contract::Status;
use media::{
    hls::{
        args,
        cues::{self, Keys},
        index::{AudioPhase, Builder, CrcLines, KeyframeIndex, clock_micros, micros, tagged_end},
        plan::VideoPlan,
        tables,
    },
    jail::OpenFile,
};
use rustix::fs::Advice;
use serde_json::Value;
use std::{ffi::OsString, num::NonZeroU64, os::unix::net::UnixStream, time::Instant};

/// A line for each frame of the longest film.
const LINES_BYTES: usize = 48 << 20;
const STREAMS_BYTES: usize = 256 << 10;

/// Matroska whose times begin before this was cut in front. Its demuxer gives pictures there no times
/// at all, and no copy of them can be in time; a decoder can tell.
const BELOW_ZERO_US: i64 = -100_000;

/// Result: an index in its own form, of key frames alone. It costs milliseconds; where the film
/// does not say them with certainty, or cannot be copied by them, there is none.
pub fn keys(open: &OpenFile, limits: JobLimits) -> Outcome {
    match by_cues(open).map(|keys| keys.index.to_bytes()) {
        Some(bytes) if bytes.len() > limits.max_bytes => Outcome::Ended(Status::Limit),
        Some(bytes) => Outcome::Done(bytes),
        None => Outcome::Ended(Status::Unsupported),
    }
}

fn by_cues(open: &OpenFile) -> Option<Keys> {
    let read = |at, out: &mut [u8]| rustix::io::pread(&open.fd, out, at).unwrap_or(0);
    // The disk may bring many places at once; where it does not listen, reading brings them.
    let soon = |at, length| {
        let _ = rustix::fs::fadvise(&open.fd, at, NonZeroU64::new(length), Advice::WillNeed);
    };
    let keys = cues::keys(open.size_bytes, read, soon).ok().filter(|keys| keys.zero_us >= BELOW_ZERO_US);
    keys.filter(|keys| VideoPlan::copy(&keys.index).is_ok())
}

/// Result: an index in its own form. A plain MP4 costs milliseconds; of everything else the whole
/// film is read once, and its key frames twice where no cues say them.
pub fn make(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    picture: u32,
    limits: JobLimits,
    deadline: Instant,
) -> Outcome {
    match try_make(settings, gateway, open, picture, limits, deadline) {
        Ok(bytes) if bytes.len() > limits.max_bytes => Outcome::Ended(Status::Limit),
        Ok(bytes) => Outcome::Done(bytes),
        Err(outcome) => outcome,
    }
}

fn try_make(
    settings: &Settings,
    gateway: &UnixStream,
    open: &OpenFile,
    picture: u32,
    limits: JobLimits,
    deadline: Instant,
) -> Result<Vec<u8>, Outcome> {
    let read = |at, out: &mut [u8]| rustix::io::pread(&open.fd, out, at).unwrap_or(0);
    // Tables and cues answer for films that have one picture.
    let is_first = picture == 0;
    if let Some(index) = is_first.then(|| tables::index(open.size_bytes, read).ok()).flatten() {
        return Ok(index.to_bytes());
    }
    let ask = |program: &std::path::Path, args: Vec<String>, max_bytes| {
        let limits = JobLimits { max_bytes, ..limits };
        let args = args.into_iter().map(OsString::from).collect();
        match watch(settings, gateway, program.as_os_str().to_owned(), args, open, limits, deadline) {
            Outcome::Done(bytes) => Ok(bytes),
            other => Err(other),
        }
    };
    let programs = &settings.programs;
    let streams = Streams::read(&ask(&programs.ffprobe, args::index_streams(), STREAMS_BYTES)?, picture)
        .ok_or(Outcome::Ended(Status::Unsupported))?;
    // Whoever began to watch with the key frames alone goes on with the same.
    let known = by_cues(open).filter(|keys| is_first && keys.zero_us == streams.zero_us);
    let packets = ask(&programs.ffprobe, args::index_packets(picture), LINES_BYTES)?;
    let strict = streams.is_h264 || streams.is_cut_in_front;
    let mut builder = Builder::new(streams.zero_us, strict);
    for line in text(&packets).lines() {
        builder.line(line).map_err(|_| Outcome::Ended(Status::Limit))?;
    }
    drop(packets);
    if let Some(known) = known {
        return Ok(builder.finish_between(known.index).to_bytes());
    }
    // AVI does not say when a picture is shown. Where pictures lead others, no copy can know it, and
    // no key frame is one to cut at.
    if strict && !streams.is_out_of_order && !streams.is_cut_in_front {
        let mut lines = CrcLines::default();
        for line in text(&ask(&programs.ffmpeg, args::index_idr(picture), LINES_BYTES)?).lines() {
            if let Some(at_us) = lines.line(line) {
                builder.clean(at_us);
            }
        }
    }
    let index = builder.finish(streams.audio).map_err(|_| Outcome::Ended(Status::Unsupported))?;
    Ok(KeyframeIndex { picture, ..index }.to_bytes())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

struct Streams {
    zero_us: i64,
    is_h264: bool,
    /// Its pictures are stored in another order than they are shown in, and have no times of their own.
    is_out_of_order: bool,
    /// Its first pictures have no times: see [`BELOW_ZERO_US`].
    is_cut_in_front: bool,
    audio: Vec<AudioPhase>,
}

impl Streams {
    fn read(json: &[u8], picture: u32) -> Option<Self> {
        let root: Value = serde_json::from_slice(json).ok()?;
        let time = |value: &Value, key: &str| value.get(key)?.as_str().and_then(micros);
        let zero_us = time(root.get("format")?, "start_time").unwrap_or(0);
        let format = root.get("format")?.get("format_name").and_then(Value::as_str);
        let is_cut_in_front = zero_us < BELOW_ZERO_US && format.is_some_and(|format| format.starts_with("matroska"));
        // Of Matroska, the only one with tags, this is the time of the end.
        let film_end_us = time(root.get("format")?, "duration");
        let streams = root.get("streams")?.as_array()?;
        let is = |stream: &&Value, kind: &str| stream.get("codec_type").and_then(Value::as_str) == Some(kind);
        let picture = streams.iter().filter(|s| is(s, "video")).nth(picture as usize)?;
        let audio = streams.iter().filter(|s| is(s, "audio")).take(128).map(|stream| {
            let start_us = time(stream, "start_time").unwrap_or(zero_us);
            let length = time(stream, "duration");
            let ends = length.map(|length| start_us.saturating_add(length));
            let ends = ends.or_else(|| Some(tagged_end(start_us, tagged(stream)?, film_end_us)));
            let since = |at: i64| u64::try_from(at.saturating_sub(zero_us)).unwrap_or(0);
            let rate = stream.get("sample_rate").and_then(Value::as_str).and_then(|rate| rate.parse().ok());
            AudioPhase {
                start_us: since(start_us),
                end_us: ends.map_or(0, since),
                rate: rate.filter(|rate| *rate <= 768_000).unwrap_or(0),
            }
        });
        Some(Self {
            zero_us,
            is_h264: picture.get("codec_name").and_then(Value::as_str) == Some("h264"),
            is_cut_in_front,
            is_out_of_order: format == Some("avi")
                && picture.get("has_b_frames").and_then(Value::as_i64).unwrap_or(0) > 0,
            audio: audio.collect(),
        })
    }
}

fn tagged(stream: &Value) -> Option<i64> {
    stream.get("tags")?.get("DURATION")?.as_str().and_then(clock_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_read_as_untrusted_text() {
        let json = br#"{"streams":[
            {"codec_type":"video","codec_name":"mjpeg","disposition":{"attached_pic":1}},
            {"codec_type":"audio","codec_name":"ac3","start_time":"2.159000","sample_rate":"48000","tags":{"DURATION":"00:01:00.500000000"}},
            {"codec_type":"video","codec_name":"h264","start_time":"1.479000"},
            {"codec_type":"audio","codec_name":"aac","sample_rate":"x"}],
            "format":{"start_time":"1.479000"}}"#;
        let streams = Streams::read(json, 1).unwrap();
        assert_eq!((streams.zero_us, streams.is_h264, streams.is_out_of_order), (1_479_000, true, false));
        let cut = |format: &str, start: &str| {
            let picture = r#"{"codec_type":"video","codec_name":"hevc"}"#;
            let json =
                format!(r#"{{"streams":[{picture}],"format":{{"format_name":"{format}","start_time":"{start}"}}}}"#);
            Streams::read(json.as_bytes(), 0).unwrap().is_cut_in_front
        };
        assert!(cut("matroska,webm", "-0.603000"));
        assert!(
            !cut("matroska,webm", "-0.007000") && !cut("matroska,webm", "0.000000") && !cut("mov,mp4", "-0.603000")
        );
        let of = |format: &str, codec: &str, led: u8| {
            let picture = format!(r#"{{"codec_type":"video","codec_name":"{codec}","has_b_frames":{led}}}"#);
            let json = format!(r#"{{"streams":[{picture}],"format":{{"format_name":"{format}"}}}}"#);
            Streams::read(json.as_bytes(), 0).unwrap().is_out_of_order
        };
        assert!(of("avi", "h264", 2) && !of("avi", "h264", 0) && !of("matroska,webm", "h264", 2));
        let expected = [
            AudioPhase { start_us: 680_000, end_us: 61_180_000, rate: 48_000 },
            AudioPhase { start_us: 0, end_us: 0, rate: 0 },
        ];
        assert_eq!(streams.audio, expected);
        assert!(Streams::read(b"{}", 0).is_none() && Streams::read(b"[[[", 0).is_none());
    }
}
