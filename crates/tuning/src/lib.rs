//! Tuning of the host: what an old PC is set to, what would serve films better, and the way there
//! and back.
//!
//! Owns: the values Loge recommends ([`values`]), the judgement of a machine ([`judge`]), the two
//! files that keep the settings over a restart, and the record of what was set before.
//! Promises: judging changes nothing; nothing is changed before the record of the former values is on
//! the disk; `undo` restores what is recorded and removes what was written, also after a power cut at
//! any step; a value that was changed after Loge set it is left as it is.
//! Never here: starting of programs, the network, a database, anything the server does while it
//! serves.

mod apply;
mod facts;
mod finding;
mod judge;
mod line;
mod machine;
mod persist;
mod read;
mod record;
mod undo;
pub mod values;

pub use apply::{Applied, ApplyError, apply};
pub use facts::{Card, Choice, Disk, DiskKind, Facts, Governor, Mount, Place, Swap, TrimTimer};
pub use finding::{Area, Change, Finding, Keep, Setting, Verdict};
pub use judge::judge;
pub use line::{Line, Outcome};
pub use machine::{Live, Machine};
pub use persist::{SYSCTL_FILE, UDEV_FILE};
pub use read::read;
pub use record::{RECORD, RecordError};
pub use undo::{UndoError, Undone, undo};
