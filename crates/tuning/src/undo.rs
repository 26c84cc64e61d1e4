//! Restores what the record says, and removes what was written. Cut off at any step, the next undo
//! goes on: the record goes last.

use crate::{
    finding::name_of,
    line::{Line, Outcome},
    machine::{Machine, staged},
    persist::{SYSCTL_FILE, UDEV_FILE},
    read::shown,
    record::{KeptFile, KeptLink, RECORD, Record, RecordError, Step},
};
use serde::Serialize;
use std::io;

const CHANGED: &str = "it was changed after --apply";

/// Why nothing was undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    #[error("changing this machine's settings takes root: sudo loge-server tune-host --undo")]
    NotRoot,
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What was undone, line by line. Empty where there was nothing to undo.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Undone {
    pub lines: Vec<Line>,
}

/// Restores every recorded value that still is what Loge set, and removes what Loge wrote. What
/// fails stays in the record for the next try.
///
/// # Errors
/// When nothing was undone: without root, or with a record that cannot be used.
pub fn undo(machine: &dyn Machine) -> Result<Undone, UndoError> {
    if !machine.may_change() {
        return Err(UndoError::NotRoot);
    }
    let known = Record::load(machine)?;
    let mut record = known.clone().unwrap_or_default();
    let mut lines = Vec::new();
    // Files first: a restart in the middle then finds the former values and not half of ours.
    record.files.retain(|file| stays(remove_file(machine, file), &mut lines));
    record.links.retain(|link| stays(remove_link(machine, link), &mut lines));
    for path in [SYSCTL_FILE, UDEV_FILE] {
        if let Err(e) = machine.remove(&staged(path)) {
            lines.push(Line::failed(&staged(path), e));
        }
    }
    record.steps.reverse();
    record.steps.retain(|step| stays(restore(machine, step), &mut lines));
    record.steps.reverse();
    if !record.is_empty() {
        if known.as_ref() != Some(&record)
            && let Err(e) = record.save(machine)
        {
            lines.push(Line::failed(RECORD, e));
        }
        return Ok(Undone { lines });
    }
    for folder in record.folders.iter().rev() {
        if let Err(e) = machine.remove_folder(folder) {
            lines.push(Line::failed(folder, e));
        }
    }
    if let Err(e) = Record::discard(machine) {
        lines.push(Line::failed(RECORD, e));
    }
    Ok(Undone { lines })
}

/// Notes what happened; what failed stays in the record.
fn stays(line: Option<Line>, lines: &mut Vec<Line>) -> bool {
    let failed = line.as_ref().is_some_and(Line::is_failure);
    lines.extend(line);
    failed
}

fn remove_file(machine: &dyn Machine, file: &KeptFile) -> Option<Line> {
    let path = &file.path;
    let outcome = match machine.read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => return Some(Line::failed(path, e)),
        Ok(now) if !file.ours.contains(&now) => Outcome::Left { why: CHANGED.into() },
        Ok(_) => match machine.remove(path) {
            Ok(()) => Outcome::Removed,
            Err(e) => return Some(Line::failed(path, e)),
        },
    };
    Some(Line::new(path, outcome))
}

fn remove_link(machine: &dyn Machine, link: &KeptLink) -> Option<Line> {
    let path = &link.path;
    if !machine.is_there(path) {
        return None;
    }
    if machine.target(path).ok().as_ref() != Some(&link.target) {
        return Some(Line::new(path, Outcome::Left { why: CHANGED.into() }));
    }
    Some(machine.remove(path).map_or_else(|e| Line::failed(path, e), |()| Line::new(path, Outcome::Removed)))
}

/// Restores one value, unless it was changed after Loge set it.
fn restore(machine: &dyn Machine, step: &Step) -> Option<Line> {
    let name = name_of(&step.path);
    let now = match machine.read(&step.path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Some(Line::new(&name, Outcome::Gone)),
        Err(e) => return Some(Line::failed(&name, e)),
        Ok(raw) => shown(&raw),
    };
    if is_restored(machine, step) {
        return None;
    }
    // A value whose setting was cut off is ours whatever it is: the kernel may have rounded it.
    if step.set.as_ref().is_some_and(|set| *set != now) {
        return Some(Line::new(&name, Outcome::Left { why: format!("{CHANGED}, and is {now} now") }));
    }
    let (path, before) = spoken(step);
    let (name, to) = (name_of(path), shown(before));
    Some(match machine.set(path, before) {
        Ok(()) if is_restored(machine, step) => Line::new(&name, Outcome::Restored { to }),
        Ok(()) => Line::failed(&name, format!("the kernel does not take {to} back")),
        Err(e) => Line::failed(&name, e),
    })
}

/// Returns which of two spellings was in force before. The kernel does not take a 0 for the other one:
/// it sets that itself.
fn spoken(step: &Step) -> (&str, &str) {
    match &step.twin {
        Some(twin) if shown(&step.before) == "0" && shown(&twin.before) != "0" => (&twin.path, &twin.before),
        _ => (&step.path, &step.before),
    }
}

fn is_restored(machine: &dyn Machine, step: &Step) -> bool {
    let says = |path: &str, before: &str| machine.read(path).is_ok_and(|raw| shown(&raw) == shown(before));
    says(&step.path, &step.before) && step.twin.as_ref().is_none_or(|twin| says(&twin.path, &twin.before))
}
