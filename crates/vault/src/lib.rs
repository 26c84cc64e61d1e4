//! Backups that happen by themselves: when one is made, where copies of it go, which ones stay, and
//! which one is proven.
//!
//! Owns: the one turn in which backups are made, copied, deleted and proven; what is known about the
//! folders that copies go to.
//! Promises: a backup that is missed is made up for; a folder that is away is tried again and never
//! written beside; the newest proven backup is never deleted by rule; whatever fails has a sentence for
//! the owner and loses nothing.
//! Never here: the form of a backup file (that is `backup`), a restore into the house itself, HTTP,
//! containers.

mod decide;
mod make;
mod places;
mod rounds;
mod shown;
mod vault;

pub use backup::Kind;
pub use decide::Health;
pub use make::{BackUpError, BackedUp, Order, back_up, backup_file, house_tag};
pub use shown::{PlaceShown, Shown, ShownBackup, Work};
pub use vault::{Rehearsal, Rehearser, Vault, VaultConfig, VaultError};
