//! Unpacking a backup into a folder of its own, before anything of the house is touched.
//!
//! Costs: the disk holds the unpacked backup beside the house that is there. One thread, 8 MiB of
//! memory, and 64 MiB while a passphrase is tried.

use crate::{
    disk,
    entry::EntryName,
    leftovers::{self, MARKER, Marker, Paths, Place},
    manifest::KeyState,
    read::{Backup, Piece, ReadBackupError},
    seal::{self, Passphrase, UnsealKeyError},
    swap::{self, SwapInError},
};
use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, RenameFlags, StatxAttributes, StatxFlags, renameat_with, statx};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What is done with the key in the backup.
#[derive(Debug, Clone, Copy)]
pub enum KeyWish<'a> {
    /// Takes it, with a passphrase where it is sealed.
    Take(Option<&'a Passphrase>),
    /// Leaves it out, for owners who lost the passphrase: the house makes a new one, and everybody
    /// signs in again.
    LeaveOut,
}

/// How a backup is to be unpacked.
#[derive(Debug, Clone, Copy)]
pub struct StageOrder<'a> {
    /// The folder that the backup will replace. It need not be there.
    pub data_dir: &'a Path,
    pub now: Timestamp,
    pub key: KeyWish<'a>,
    /// Names in the data folder that are in no backup and stay with the house: `backups`, `posters`, …
    pub carry: &'a [&'a str],
}

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Read(#[from] ReadBackupError),
    #[error(transparent)]
    Key(#[from] UnsealKeyError),
    /// The room was not there before, or ran out. What was unpacked is gone again.
    #[error("no room to unpack the backup in {folder}: {needed_bytes} bytes are needed, {free_bytes} are free")]
    DiskFull { folder: PathBuf, needed_bytes: u64, free_bytes: u64 },
    #[error("unpack the backup into {path}")]
    Write { path: PathBuf, source: io::Error },
    /// The caller's list of names to carry over has one that cannot be.
    #[error("{name} cannot be carried over")]
    Carry { name: String },
    /// An earlier restore could not be brought to its end.
    #[error("clear away an earlier restore")]
    Earlier(#[source] SwapInError),
}

/// A backup that lies unpacked and checked, ready to be swapped in. Entries lie under their names in
/// the backup, the key unsealed; until the swap the caller may move them to where a house has them.
#[derive(Debug)]
#[must_use = "a backup that is unpacked does nothing until it is swapped in"]
pub struct Staged {
    pub(crate) paths: Paths,
    pub(crate) place: Place,
}

impl Staged {
    /// Returns the folder the backup lies in. It becomes the data folder.
    pub fn folder(&self) -> &Path {
        &self.paths.stage
    }

    pub fn place(&self) -> Place {
        self.place
    }

    /// Deletes what was unpacked. The next start would do it too.
    ///
    /// # Errors
    /// When the disk does not do it.
    pub fn discard(self) -> io::Result<()> {
        swap::forget(&self.paths.stage, &mut |_| Ok(()))
    }
}

impl Backup {
    /// Unpacks the backup beside the data folder, or within it where nothing beside it can be swapped
    /// with it. Every byte is checked; the house stays as it is.
    ///
    /// # Errors
    /// When the backup or its key cannot be read, or the disk fails. What was unpacked is gone then.
    pub fn stage(&self, order: &StageOrder<'_>) -> Result<Staged, StageError> {
        self.stage_at(order, None)
    }

    pub(crate) fn stage_at(&self, order: &StageOrder<'_>, place: Option<Place>) -> Result<Staged, StageError> {
        if let Some(name) = order.carry.iter().find(|name| !leftovers::can_be_carried(name)) {
            return Err(StageError::Carry { name: (*name).into() });
        }
        if let (KeyState::Sealed, KeyWish::Take(None)) = (self.manifest().key, order.key) {
            return Err(UnsealKeyError::PassphraseNeeded.into());
        }
        swap::finish_or_forget(order.data_dir).map_err(StageError::Earlier)?;
        let staged = begin(order, place)?;
        match self.unpack(&staged, order.key) {
            Ok(()) => Ok(staged),
            Err(e) => {
                let _ = staged.discard();
                Err(e)
            }
        }
    }

    fn unpack(&self, staged: &Staged, wish: KeyWish<'_>) -> Result<(), StageError> {
        let folder = staged.folder();
        let needed_bytes = self.manifest().unpacked_bytes();
        let full = |needed_bytes| {
            let free_bytes = disk::free_bytes(folder).unwrap_or(0);
            StageError::DiskFull { folder: folder.into(), needed_bytes, free_bytes }
        };
        if disk::free_bytes(folder).is_ok_and(|free| free < needed_bytes) {
            return Err(full(needed_bytes));
        }
        let failed = |path: &Path, source: io::Error| match disk::is_full(&source) {
            true => full(needed_bytes),
            false => StageError::Write { path: path.into(), source },
        };
        let mut current: Option<(PathBuf, File)> = None;
        let mut sealed = Vec::new();
        let is_sealed = self.manifest().key == KeyState::Sealed;
        self.each(&mut |piece| {
            let is_key = |name: &EntryName| *name == EntryName::Key;
            match piece {
                Piece::Begin(entry) => {
                    let path = folder.join(entry.path.to_string());
                    let is_held = is_key(&entry.path) && (is_sealed || matches!(wish, KeyWish::LeaveOut));
                    if !is_held {
                        let made = make_folders(folder, &path).and_then(|()| disk::make_file(&path));
                        current = Some((path.clone(), made.map_err(|e| failed(&path, e))?));
                    }
                }
                Piece::Bytes(bytes) => match &mut current {
                    Some((path, file)) => file.write_all(bytes).map_err(|e| failed(path, e))?,
                    None => sealed.extend_from_slice(bytes),
                },
                Piece::End(entry) => {
                    current = None;
                    if let (true, true, KeyWish::Take(Some(passphrase))) = (is_key(&entry.path), is_sealed, wish) {
                        let key = seal::unseal(&sealed, passphrase)?;
                        let path = folder.join(entry.path.to_string());
                        let written = disk::make_file(&path).and_then(|mut file| file.write_all(&key));
                        written.map_err(|e| failed(&path, e))?;
                    }
                }
            }
            Ok(())
        })
    }
}

/// Makes the folder to unpack into, at the best place that the disk allows.
fn begin(order: &StageOrder<'_>, wanted: Option<Place>) -> Result<Staged, StageError> {
    let unreal = |source| StageError::Write { path: order.data_dir.into(), source };
    let data = swap::real_path(order.data_dir).map_err(unreal)?;
    if wanted.is_none()
        && !is_mount_point(&data)
        && let Ok(staged) = begin_at(&data, order, Place::Beside)
    {
        if can_exchange(&staged.paths.stage) {
            return Ok(staged);
        }
        staged.discard().map_err(unreal)?;
    }
    begin_at(&data, order, wanted.unwrap_or(Place::Within))
}

fn begin_at(data: &Path, order: &StageOrder<'_>, place: Place) -> Result<Staged, StageError> {
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |source| StageError::Write { path, source }
    };
    let paths = Paths::of(data, place).ok_or_else(|| unwritten(data)(io::ErrorKind::InvalidFilename.into()))?;
    if place == Place::Within && !data.exists() {
        disk::make_folder(data).map_err(unwritten(data))?;
    }
    let marker = Marker {
        aside: leftovers::aside_name(data, place, order.now),
        carry: order.carry.iter().map(|name| (*name).into()).collect(),
    };
    disk::make_folder(&paths.stage).map_err(unwritten(&paths.stage))?;
    let staged = Staged { paths, place };
    let path = staged.paths.stage.join(MARKER);
    let text = serde_json::to_vec(&marker).unwrap_or_default();
    match disk::make_file(&path).and_then(|mut file| file.write_all(&text)) {
        Ok(()) => Ok(staged),
        Err(e) => {
            let _ = staged.discard();
            Err(unwritten(&path)(e))
        }
    }
}

fn is_mount_point(folder: &Path) -> bool {
    statx(CWD, folder, AtFlags::empty(), StatxFlags::BASIC_STATS)
        .is_ok_and(|about| about.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Finds out by trying whether this file system can exchange two names.
fn can_exchange(stage: &Path) -> bool {
    let (a, b) = (stage.join("a"), stage.join("b"));
    let tried = disk::make_folder(&a)
        .and_then(|()| disk::make_folder(&b))
        .and_then(|()| Ok(renameat_with(CWD, &a, CWD, &b, RenameFlags::EXCHANGE)?));
    let removed = fs::remove_dir(&a).and_then(|()| fs::remove_dir(&b));
    tried.is_ok() && removed.is_ok()
}

fn make_folders(root: &Path, file: &Path) -> io::Result<()> {
    let above: Vec<_> = file.ancestors().skip(1).take_while(|folder| *folder != root).collect();
    above.into_iter().rev().try_for_each(|folder| match disk::make_folder(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    })
}
