//! Putting an unpacked backup in the place of the house, whole or not at all. The tables that say what
//! every leftover means are in `leftovers.rs`.
//!
//! No server may run on the data folder: the caller holds its lock.

use crate::{
    disk,
    leftovers::{self, ARRIVING, CLEARING, Look, MARKER, Marker, Next, Paths, Place},
    stage::Staged,
};
use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum SwapInError {
    /// The house is as it was.
    #[error("swap the restored folder in")]
    Swap(#[source] io::Error),
    /// The restored house has taken the place; the next [`finish_or_forget`] does the rest.
    #[error("clear up after the restored folder was swapped in")]
    ClearUp(#[source] io::Error),
    /// Nothing was changed.
    #[error("look for what an earlier restore left")]
    Look(#[source] io::Error),
}

/// What became of the earlier house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwappedIn {
    /// Where it is now, all of it but what was carried over. `None` when there was none.
    pub aside: Option<PathBuf>,
}

/// What a restore had left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// A restore was cut short before the restored house took the place; the earlier one is there.
    Forgotten,
    /// The restored house has the place. The earlier one is in `aside`, if there was one.
    Finished {
        aside: Option<PathBuf>,
    },
}

/// Told the name of every step before it is done. Tests end the process there.
pub(crate) type Steps<'a> = &'a mut dyn FnMut(&'static str) -> io::Result<()>;

/// Puts an unpacked backup in the place of the data folder. The earlier house is kept beside it, or
/// within it, under the name `before-restore-…`. A power cut at any moment leaves one house or the
/// other, once [`finish_or_forget`] has run.
///
/// # Errors
/// When the disk fails; the variant says which house has the place.
pub fn swap_in(staged: Staged) -> Result<SwappedIn, SwapInError> {
    swap_in_by(&staged, &mut |_| Ok(()))
}

pub(crate) fn swap_in_by(staged: &Staged, steps: Steps<'_>) -> Result<SwappedIn, SwapInError> {
    let paths = &staged.paths;
    take_the_place(staged, steps).map_err(SwapInError::Swap)?;
    // Nothing of the earlier house is moved on before its step aside is on the disk.
    disk::sync(disk::folder_of(&paths.stage)).map_err(SwapInError::ClearUp)?;
    match settle(&paths.data, steps).map_err(SwapInError::ClearUp)? {
        Left::Finished { aside } => Ok(SwappedIn { aside }),
        Left::Nothing | Left::Forgotten => Ok(SwappedIn { aside: None }),
    }
}

/// Finishes a restore that had taken the place, or clears away one that had not. Called at every start
/// and before every restore, before anything else looks at the data folder; it costs a few looks where
/// nothing was left. Never deletes what has no marker of ours.
///
/// # Errors
/// When the disk fails. The next call goes on where this one stopped.
pub fn finish_or_forget(data_dir: &Path) -> Result<Left, SwapInError> {
    let data = match real_path(data_dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Left::Nothing),
        found => found.map_err(SwapInError::Look)?,
    };
    settle(&data, &mut |_| Ok(())).map_err(SwapInError::ClearUp)
}

/// Returns the path without links, also of a folder that is not there yet.
pub(crate) fn real_path(data_dir: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(data_dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let name = data_dir.file_name().ok_or(e)?;
            Ok(fs::canonicalize(disk::folder_of(data_dir))?.join(name))
        }
        found => found,
    }
}

/// Takes the one step between the earlier house and the restored one, when everything restored is on
/// the disk.
fn take_the_place(staged: &Staged, steps: Steps<'_>) -> io::Result<()> {
    let Paths { data, stage } = &staged.paths;
    steps("sync what was unpacked")?;
    if staged.place == Place::Beside
        && let Ok(about) = fs::metadata(data)
    {
        // Whom the owner let in before is let in afterwards.
        fs::set_permissions(stage, about.permissions())?;
    }
    sync_all(stage)?;
    disk::sync(disk::folder_of(stage))?;
    steps("take the place")?;
    match staged.place {
        Place::Within => disk::rename_to_free(stage, &data.join(CLEARING))?,
        Place::Beside => match renameat_with(CWD, stage, CWD, data, RenameFlags::EXCHANGE) {
            Err(Errno::NOENT) => disk::rename_to_free(stage, data)?,
            done => done?,
        },
    }
    Ok(())
}

/// Looks, does the next thing, and looks again, until nothing is left to do.
fn settle(data: &Path, steps: Steps<'_>) -> io::Result<Left> {
    let mut left = Left::Nothing;
    while let Some((next, paths)) = next(data)? {
        match next {
            Next::Nothing => break,
            Next::Forget => {
                forget(&paths.stage, steps)?;
                if left == Left::Nothing {
                    left = Left::Forgotten;
                }
            }
            Next::SetAside => {
                let aside = paths.aside(&marker(data, data, Place::Beside).aside);
                steps("set the earlier house aside")?;
                disk::sync(disk::folder_of(&paths.stage))?;
                disk::rename_to_free(&paths.stage, &aside)?;
                disk::sync(disk::folder_of(&aside))?;
            }
            Next::CarryAndUnmark => {
                let marker = marker(data, data, Place::Beside);
                let aside = paths.aside(&marker.aside);
                carry(&marker, &aside, data, steps)?;
                left = Left::Finished { aside: aside.exists().then_some(aside) };
                steps("remove the marker")?;
                disk::remove_if_there(&data.join(MARKER))?;
                disk::sync(data)?;
            }
            Next::Clear => {
                let marker = marker(&data.join(CLEARING), data, Place::Within);
                clear(data, &marker, steps)?;
            }
            Next::Arrive => {
                let marker = marker(&data.join(ARRIVING), data, Place::Within);
                let aside = data.join(&marker.aside);
                left = Left::Finished { aside: aside.exists().then_some(aside) };
                arrive(data, steps)?;
            }
        }
    }
    Ok(left)
}

fn next(data: &Path) -> io::Result<Option<(Next, Paths)>> {
    if let Some(paths) = Paths::of(data, Place::Beside) {
        let found = leftovers::next_beside(look(&paths.stage)?, look(data)?);
        if found != Next::Nothing {
            return Ok(Some((found, paths)));
        }
    }
    let Some(paths) = Paths::of(data, Place::Within) else { return Ok(None) };
    let (unpacked, clearing) = (look(&paths.stage)?, look(&data.join(CLEARING))?);
    Ok(Some((leftovers::next_within(unpacked, clearing, look(&data.join(ARRIVING))?), paths)))
}

fn look(folder: &Path) -> io::Result<Look> {
    let mut inside = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Look::Absent),
        // A file under that name is not ours.
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Ok(Look::Unmarked),
        inside => inside?,
    };
    if fs::symlink_metadata(folder.join(MARKER)).is_ok() {
        return Ok(Look::Marked);
    }
    Ok(if inside.next().is_some() { Look::Unmarked } else { Look::Empty })
}

/// Reads the marker in a folder. One that cannot be read still says that the folder is ours.
fn marker(folder: &Path, data: &Path, place: Place) -> Marker {
    let read = fs::read(folder.join(MARKER)).ok().and_then(|text| serde_json::from_slice::<Marker>(&text).ok());
    let is_plain = |marker: &Marker| {
        !marker.aside.contains('/')
            && marker.aside.contains("before-restore-")
            && marker.carry.iter().all(|name| leftovers::can_be_carried(name))
    };
    read.filter(is_plain).unwrap_or_else(|| Marker {
        aside: leftovers::aside_name(data, place, jiff::Timestamp::UNIX_EPOCH),
        carry: Vec::new(),
    })
}

/// Deletes a folder that was never swapped in. Its marker goes last, so that half a deletion is known.
pub(crate) fn forget(stage: &Path, steps: Steps<'_>) -> io::Result<()> {
    for (name, path) in inside(stage)? {
        if name != MARKER {
            steps("delete a part of what was unpacked")?;
            if fs::symlink_metadata(&path)?.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
    }
    steps("delete the marker of what was unpacked")?;
    disk::remove_if_there(&stage.join(MARKER))?;
    steps("delete the folder of what was unpacked")?;
    fs::remove_dir(stage)?;
    disk::sync(disk::folder_of(stage))
}

fn carry(marker: &Marker, aside: &Path, data: &Path, steps: Steps<'_>) -> io::Result<()> {
    for name in &marker.carry {
        steps("carry something over")?;
        match disk::rename_to_free_or_empty(&aside.join(name), &data.join(name)) {
            // The earlier house had none, or the backup brought its own.
            Err(e) if is_absent_or_taken(&e) => {}
            moved => moved?,
        }
    }
    if aside.exists() && !marker.carry.is_empty() { disk::sync(aside) } else { Ok(()) }
}

fn is_absent_or_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | AlreadyExists | DirectoryNotEmpty | NotADirectory)
}

/// Moves the earlier house out of the data folder.
fn clear(data: &Path, marker: &Marker, steps: Steps<'_>) -> io::Result<()> {
    let aside = data.join(&marker.aside);
    disk::sync(data)?;
    let brings = |name: &str| fs::symlink_metadata(data.join(CLEARING).join(name)).is_ok();
    for (name, path) in inside(data)? {
        if name.to_str().is_some_and(|name| leftovers::stays(name, marker, brings)) {
            continue;
        }
        if !aside.exists() {
            steps("make a folder for the earlier house")?;
            disk::make_folder(&aside)?;
        }
        steps("move a part of the earlier house out")?;
        match disk::rename_to_free(&path, &aside.join(&name)) {
            // A disk of its own, mounted into the data folder, belongs to the machine.
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
            // An empty folder that a starting server made after its like had moved out.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => fs::remove_dir(&path)?,
            moved => moved?,
        }
    }
    if aside.exists() {
        disk::sync(&aside)?;
    }
    disk::sync(data)?;
    steps("let the restored house in")?;
    disk::rename_to_free(&data.join(CLEARING), &data.join(ARRIVING))?;
    disk::sync(data)
}

/// Moves the restored house up into the data folder. Its marker goes last.
fn arrive(data: &Path, steps: Steps<'_>) -> io::Result<()> {
    let arriving = data.join(ARRIVING);
    for (name, path) in inside(&arriving)? {
        if name != MARKER {
            steps("move a part of the restored house in")?;
            disk::rename_to_free_or_empty(&path, &data.join(&name))?;
        }
    }
    disk::sync(data)?;
    steps("remove the marker")?;
    disk::remove_if_there(&arriving.join(MARKER))?;
    steps("remove the folder of the restored house")?;
    fs::remove_dir(&arriving)?;
    disk::sync(data)
}

fn inside(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut inside: Vec<_> = entries?.into_iter().map(|entry| (entry.file_name(), entry.path())).collect();
    inside.sort();
    Ok(inside)
}

/// Brings every file and folder below to the disk, the inner ones first.
fn sync_all(folder: &Path) -> io::Result<()> {
    for (_, path) in inside(folder)? {
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            sync_all(&path)?;
        } else if kind.is_file() {
            disk::sync(&path)?;
        }
    }
    disk::sync(folder)
}

#[cfg(test)]
mod tests;
