//! What gateway and worker promise each other.
//!
//! The gateway owns a Unix socket per loge; the worker dials in. The first connection is the
//! control connection and opens with [`frame::Opening::Control`]; every later one is a data
//! connection and opens with the one-time token it was told over control. On a data connection
//! the gateway sends one [`data::Request`] at a time and the worker answers with a fixed-size
//! [`data::AnswerHead`] and exactly the announced bytes.
//! Promises: every message is bounded, every set of messages is a closed enum, and nothing in
//! here lets a worker ask the gateway for work, a path, or an address.
//! Never here: input and output, an async runtime, HTTP.

pub mod data;
pub mod env;
pub mod frame;
pub mod look;
pub mod measure;
pub mod pictures;
pub mod subtitle;

/// Requests one worker works on at once.
pub const MAX_ACTIVE_REQUESTS: u32 = 16;
/// Data connections a worker serves at once. Twice the requests: a connection that the gateway
/// closed is gone only once the worker's thread has noticed, and the next one is dialled meanwhile.
pub const MAX_DATA_CONNECTIONS: usize = 2 * MAX_ACTIVE_REQUESTS as usize;

pub use data::{
    AnswerHead, Encoder, FileRef, Job, PlanPart, PlannedCut, Request, RequestBody, Rung, Status, Track, Wanted,
};
pub use frame::{FrameError, FromWorker, Hello, MAX_FRAME_BYTES, Opening, PROTOCOL, ToWorker};
pub use look::Looked;
pub use measure::{ChipCost, ChipTest, Measured};
pub use subtitle::{Taken, TextTrack};
