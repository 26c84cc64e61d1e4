//! Facts and maths about media files.
//!
//! Owns: byte ranges and validators of HTTP, content types, argument lists for ffmpeg and
//! ffprobe, the reading of ffprobe's JSON, the plan and the cutting of HLS, and opening a file
//! beneath a folder and nowhere else.
//! Promises: everything is a pure function except [`jail`], which opens; input from outside is
//! bounded before it is looked at; no argument list ever holds a file name.
//! Never here: starting a program, the network, an async runtime, the database.

pub mod conditional;
pub mod extent;
pub mod ffmpeg_args;
pub mod hls;
pub mod jail;
pub mod liveliness;
pub mod mime;
pub mod probe_json;
pub mod range;
pub mod storyboard;
pub mod subtitles;
pub mod supplement;
pub mod walk;

pub use range::{RangeAnswer, parse_range};
