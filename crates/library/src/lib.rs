//! Folders become titles.
//!
//! A scan walks a folder, reconciles what it sees with what is known, has new and changed files
//! probed, and has pictures made. Watching the folders asks for scans; nothing else changes rows.
//! Owns: the queue of jobs and their progress, the files of posters, subtitles and storyboards,
//! the folder watches.
//! Promises: missing is a mark and never a delete; a moved file keeps its identity; one bad file
//! costs itself and nothing else; an absent disk changes nothing at all.
//! Never here: parsing a media byte (that is asked of the [`Prober`]), HTTP, SQL, containers.

mod asked;
mod control;
mod due;
pub mod folders;
mod job;
mod libraries;
mod looks;
mod pace;
mod place;
mod posters;
mod prober;
mod queue;
mod scan;
mod watch;
mod watching;

pub use asked::Asked;
pub use folders::{FolderEntry, FolderListing, FolderReport, SandboxUser};
pub use job::{JobProgress, JobView};
pub use libraries::{Libraries, LibraryConfig};
pub use looks::{KeepError, Looks, MAX_SHEET_BYTES, MAX_SUBTITLE_BYTES, version_of};
pub use prober::{MAX_LOOK, MAX_LOOK_PATH_BYTES, MediaFile, ProbeFailure, Prober};
