//! What the owner reads when something of a backup fails. One sentence for each case, and one that
//! says what to do where there is something to do.

use crate::{
    folder::FolderError,
    read::{Newer, ReadBackupError},
    seal::UnsealKeyError,
    stage::StageError,
    swap::SwapInError,
    write::WriteBackupError,
};

impl ReadBackupError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Open { .. } => "This backup cannot be opened. Check that the file is there and that Loge may read it.".into(),
            Self::Read { .. } => "The disk failed while this backup was read. Copy the file to another disk and try again.".into(),
            Self::Foreign => "This file is not a backup of Loge.".into(),
            Self::Half => "This backup is not complete: its end is missing. Copy it again from where it came from, or use another one.".into(),
            Self::Damaged { part } => format!("This backup is damaged (in {part}). Use another one."),
            Self::Newer { what: Newer::Format, program_version } => {
                format!("This backup was written by Loge {program_version} in a form this version does not know. Install Loge {program_version} or newer.")
            }
            Self::Newer { what: Newer::Schema, program_version } => {
                format!("The database in this backup is of Loge {program_version}, which is newer than this version. Install Loge {program_version} or newer.")
            }
        }
    }
}

impl UnsealKeyError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::PassphraseNeeded => "The key in this backup is sealed. Enter the passphrase it was sealed with, or restore without the key: everybody signs in again then.",
            Self::WrongPassphrase => "This is not the passphrase of this backup.",
            Self::UnknownForm => "The key in this backup is sealed in a way this version does not know. Restore without the key, or install the version that wrote the backup.",
        }
        .into()
    }
}

impl StageError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Read(e) => e.sentence(),
            Self::Key(e) => e.sentence(),
            Self::DiskFull { folder, needed_bytes, free_bytes } => format!(
                "There is not enough room to restore this backup: it needs {} MB in {}, and {} MB are free. Nothing was changed.",
                needed_bytes.div_ceil(1_000_000),
                folder.display(),
                free_bytes / 1_000_000
            ),
            Self::Write { path, .. } => format!("Loge cannot write to {}. Nothing was changed.", path.display()),
            Self::Carry { name } => format!("{name} cannot be kept through a restore. Nothing was changed."),
            Self::Earlier(e) => e.sentence(),
        }
    }
}

impl SwapInError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Swap(_) => "The restored house could not take its place. The house is as it was.",
            Self::ClearUp(_) => {
                "An interrupted restore could not be cleared up. Start Loge again: it goes on from there."
            }
            Self::Look(_) => "The data folder cannot be read. Nothing was changed.",
        }
        .into()
    }
}

impl WriteBackupError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::ReadInput { path, .. } => format!("No backup was made: {} cannot be read.", path.display()),
            Self::Unfit { path } => format!("No backup was made: {} cannot be put into one.", path.display()),
            Self::Changed { entry } => format!("No backup was made: {entry} changed meanwhile. Try again."),
            Self::TooLarge { entry } => format!("No backup was made: {entry} is too large."),
            Self::Exists { path } => format!("No backup was made: {} exists already.", path.display()),
            Self::DiskFull { path, .. } => {
                format!("No backup was made: there is not enough room for {}.", path.display())
            }
            Self::Write { path, .. } => format!("No backup was made: {} cannot be written.", path.display()),
        }
    }
}

impl FolderError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::NotThere { path } => format!(
                "The folder for backups, {}, is not there. If it is on a disk of its own, connect that disk; Loge tries again.",
                path.display()
            ),
            Self::Another { path } => format!(
                "The folder for backups, {}, is not the one that was chosen: another disk may be connected. Connect the right one, or choose this one.",
                path.display()
            ),
            Self::DiskFull { path, needed_bytes, free_bytes } => format!(
                "There is not enough room in {}: the backup needs {} MB, and {} MB are free.",
                path.display(),
                needed_bytes.div_ceil(1_000_000),
                free_bytes / 1_000_000
            ),
            Self::Exists { path } => format!("{} exists already and was left as it is.", path.display()),
            Self::Read { path, .. } => format!("{} cannot be read.", path.display()),
            Self::Write { path, .. } => format!("{} cannot be written.", path.display()),
            Self::Delete { path, .. } => format!("{} cannot be deleted.", path.display()),
        }
    }
}
