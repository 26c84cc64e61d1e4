//! The words of the house and the pure decisions about them.
//!
//! Owns: identifiers, roles, media facts, loge states and limits, admission, the playback decision,
//! title naming, and the closed list of failures a person may see.
//! Promises: every function here is total and has no side effect.
//! Never here: a clock read, randomness, input or output, serialisation, an async runtime.

pub mod admission;
pub mod cache;
pub mod capacity;
pub mod chip;
pub mod devices;
pub mod episodes;
pub mod facts;
pub mod failure;
pub mod hosts;
pub mod id;
pub mod job;
pub mod language;
pub mod lending;
pub mod library;
pub mod limits;
pub mod loge;
pub mod naming;
pub mod night;
pub mod people;
pub mod playback;
pub mod progress;
pub mod proxies;
pub mod rendition;
pub mod subtitles;

pub use failure::{Code, Failure};
pub use id::{FileId, FolderId, InstallId, InvalidId, InviteId, JobId, LibraryId, PlayId, SessionId, TitleId, UserId};
pub use job::{JobKind, JobState};
pub use library::{FolderProblem, FolderState, LibraryKind};
pub use limits::{BadLimits, LogeLimits};
pub use loge::{LogeState, RuntimeKind, Tenant};
pub use people::Role;
pub use progress::ProgressEvent;
pub use rendition::RenditionState;
