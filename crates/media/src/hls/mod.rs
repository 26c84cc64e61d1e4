//! Film as HLS, cut by ourselves: where the cuts lie, what a playlist says, and how fragmented
//! MP4 from ffmpeg becomes segments that do not depend on which run made them.
//!
//! Three parts that meet only in numbers. [`index`] is what is known of a file's key frames;
//! [`plan`] turns it into cuts; [`playlist`] writes them down for players. [`fmp4`] reads what
//! ffmpeg writes into a pipe, [`split`] cuts it at planned places, [`args`] are the commands.
//! The rule that holds it together: a playlist's start of segment *k* is the decode time in
//! segment *k*, for every track, whichever run produced it.
//! Never here: a process, a file, a clock.

pub mod args;
pub mod chip;
pub mod codecs;
pub mod cues;
pub mod fmp4;
pub mod index;
pub mod plan;
pub mod playlist;
pub mod split;
pub mod tables;
pub mod trial;

/// Video time is counted in this many ticks a second, in every rendition: players shift the
/// picture when two renditions of one film count differently.
pub const TICKS: u64 = 90_000;
/// Encoded sound is counted in samples at this rate.
pub const AAC_RATE: u64 = 48_000;
/// Samples in one AAC frame.
pub const AAC_FRAME: u64 = 1024;
/// Frames in one segment of sound: 3.008 s exactly, so that every start is a whole frame.
pub const AAC_FRAMES: u64 = 141;
