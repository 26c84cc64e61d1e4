//! The composition root: reads the configuration, builds every room in order, ties them
//! together, reports, and stops them.
//!
//! Owns: the data folder's lock, the start order, the drain.
//! Promises: either everything runs or [`StartError`] says in words what is in the way; `stop`
//! drains kindly, then surely, and leaves no loge, socket or temporary file behind.
//! Never here: a decision about playback, people or loges; the desktop; ffmpeg.

mod ask;
mod bringing_back;
mod calibrating;
mod config;
mod handle;
mod house;
mod indexing;
mod knock;
mod lock;
mod looks;
mod moving;
mod port;
mod prober;
mod rehearsal;
mod rehearser;
mod remains;
mod reserve;
mod restore;
mod start;
mod start_failure;
mod storyboards;
mod studio;
mod supervised;
mod tenants;
mod upgrade;
mod wiring;

pub use bringing_back::{BringBackError, BroughtBack, RestoredKey, bring_back};
pub use config::{Config, ConfigError, Overrides, RuntimeChoice, Syntax, example, kept, keys, reference};
pub use handle::{Handle, Level, Phase, Status, lan_urls};
pub use knock::answers;
pub use moving::{MigrateDatabaseError, migrate_database, place_of_database, shown_address};
pub use rehearsal::{REHEARSE, RehearseError, Rehearsed, answer, rehearse, rehearse_as_told};
pub use remains::Remains;
pub use restore::{RestoreError, Restored, restore};
pub use start::{Server, migrate};
pub use start_failure::{Explanation, StartError};
pub use supervised::{Supervisor, SupervisorError, Word};
