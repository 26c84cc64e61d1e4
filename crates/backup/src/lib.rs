//! Backups of a house as files.
//!
//! Owns: the form of a `.loge-backup` file, writing and checking one, unpacking it, putting it in the
//! place of a house, the rules of which ones stay and when the next is due, and folders as places
//! backups go to.
//! Promises: a backup has its name only when it is whole and on the disk; a damaged, foreign, newer or
//! cut-off file gets an error of its own and changes nothing; a restore leaves the earlier house or the
//! restored one, whenever the power goes; memory does not grow with the size of a backup.
//! Never here: databases, containers, HTTP, clocks and chance. Callers hand over files, bytes, times
//! and random bytes, and hold the lock of the data folder. Everything blocks: call it off the async
//! threads.
//!
//! A backup: a copy of the database → [`write()`] → [`Backup::open`] and [`Backup::verify`] →
//! [`Folder::copy_in`] where it goes elsewhere too → [`surplus`] → [`Folder::delete`].
//!
//! A restore: [`Backup::open`] → [`Backup::refuse_newer_schema`] → [`Backup::stage`] → move the entries to
//! where a house has them → [`swap_in`]. Every start of a server: the lock → [`finish_or_forget`] → the
//! rest.

mod disk;
mod entry;
mod file_name;
mod folder;
mod frame;
mod leftovers;
mod manifest;
mod read;
mod retention;
mod schedule;
mod seal;
mod sentence;
mod stage;
mod sum;
mod swap;
mod write;

pub use entry::EntryName;
pub use file_name::{BackupName, EXTENSION, HouseTag, Kind, NotABackupName};
pub use folder::{Folder, FolderError, FolderMark, Listed};
pub use leftovers::Place;
pub use manifest::{DatabaseKind, Entry, FORMAT, KeyState, Manifest};
pub use read::{Backup, Newer, ReadBackupError, Verified};
pub use retention::{Kept, surplus};
pub use schedule::{Due, Schedule};
pub use seal::{Passphrase, ReadPassphraseError, SealKeyError, SealingBytes, UnsealKeyError};
pub use stage::{KeyWish, StageError, StageOrder, Staged};
pub use sum::Sum;
pub use swap::{Left, SwapInError, SwappedIn, finish_or_forget, swap_in};
pub use write::{About, HouseKey, Inputs, WriteBackupError, Written, write};
