//! The only speaker of SQL.
//!
//! Owns: the database file or connection, every query, every transaction. Takes and returns the
//! words of `domain`; rows and statements never leave.
//! Promises: what a method acknowledged is on the disk and survives a kill; a transaction begins
//! and ends inside one method; SQLite and PostgreSQL behave alike and run the same tests.
//! Costs: a write on SQLite waits for its turn at the one writer and for one `fsync`.
//! Never here: HTTP, policy about who may ask, hashing of passwords, reading media.

mod audit;
mod audit_archive;
mod backups;
mod capacity;
mod copies;
mod cursor;
mod derived;
mod ended_plays;
mod entities;
mod error;
mod facts;
mod house_limits;
mod invites;
mod jobs;
mod libraries;
mod logging;
mod looks;
mod moving;
mod names;
mod open;
mod paths;
mod presence;
mod progress;
mod pulse;
mod quarantine;
mod relocated;
mod renditions;
mod scan;
mod schema;
mod search;
mod sessions;
mod settings;
mod time;
mod timelines;
mod titles;
mod users;
mod writer;

pub use audit::{AuditBroken, AuditEntry, AuditRow, SealedRow};
pub use audit_archive::ArchiveAudit;
pub use backups::{BackupPlace, BackupPlan, BackupProof, BackupRecord, BackupTry};
pub use copies::{check_copy, copy_file};
pub use error::StoreError;
pub use invites::{Invite, NewInvite};
pub use jobs::JobRow;
pub use libraries::{Folder, FolderVerdict, LeftOut, Library, NewLibrary};
pub use logging::Logging;
pub use looks::{Beside, FIRST_BESIDE, NewBeside, Storyboard, Subtitle, SubtitleState};
pub use moving::{MoveError, Moved, move_house};
pub use open::{Database, OpenError, Store};
pub use progress::Progress;
pub use relocated::{RelocateFoldersError, Relocated, relocate_folders};
pub use renditions::{NightShift, Rendition};
pub use scan::{KnownFile, ScanChange, ScanSummary};
pub use schema::{AsIs, Lies, next_step, what_lies_at};
pub use sessions::{Begun, NewSession, Rotation, SESSION_IDLE_MS, Session, Shown};
pub use settings::{PinnedImage, Settings, WayIn};
pub use time::ClockState;
pub use timelines::StoredIndex;
pub use titles::{FileRow, FileSummary, Page, TitleQuery, TitleRow, TitleSort};
pub use users::{Change, NewUser, Preferences, Replaced, User};
pub use writer::WriteFailure;
