//! Sets what the findings say, in an order that leaves a way back at every step: record, values,
//! record with what the kernel made of them, files.

use crate::{
    finding::{Finding, Keep, Setting},
    line::{Line, Outcome},
    machine::{Machine, folder},
    persist::{SYSCTL_FILE, UDEV_FILE, texts},
    read::shown,
    record::{KeptLink, RECORD, Record, RecordError, missing_folders},
};
use serde::Serialize;
use std::io;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("changing this machine's settings takes root: sudo loge-server tune-host --apply")]
    NotRoot,
    #[error("{path} is there, and Loge has no record of writing it; move it away and try again")]
    FileInTheWay { path: &'static str },
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("nothing was changed, because the record of the former values, {RECORD}, cannot be written")]
    KeepRecord { source: io::Error },
}

/// What was done, line by line. Empty where there was nothing to do.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    pub lines: Vec<Line>,
}

/// Makes the changes among the findings, now and for every start of the machine. Doing it twice is
/// the same as doing it once. A line that fails does not keep the others from being tried.
///
/// # Errors
/// When nothing was changed: without root, without a record of the former values, or with a file in
/// the way that is not Loge's.
pub fn apply(machine: &dyn Machine, findings: &[Finding]) -> Result<Applied, ApplyError> {
    if !machine.may_change() {
        return Err(ApplyError::NotRoot);
    }
    let known = Record::load(machine)?;
    if known.is_none()
        && let Some(path) = [SYSCTL_FILE, UDEV_FILE].into_iter().find(|path| machine.is_there(path))
    {
        return Err(ApplyError::FileInTheWay { path });
    }
    let mut record = known.unwrap_or_default();
    let mut lines = Vec::new();
    let mut begun = Vec::new();
    for finding in findings {
        let Some(change) = finding.change() else { continue };
        if let Keep::Link { path, target } = &change.keep
            && !record.links.iter().any(|link| link.path == *path)
        {
            record.expect_folders(machine, path);
            record.links.push(KeptLink { path: path.clone(), target: target.clone() });
        }
        for setting in &change.settings {
            match record.begin(machine, setting, &change.keep) {
                Ok(()) => begun.push((name(finding, setting), setting)),
                Err(e) => lines.push(Line::failed(&name(finding, setting), e)),
            }
        }
    }
    if record.is_empty() {
        return Ok(Applied { lines });
    }
    record.save(machine).map_err(|source| ApplyError::KeepRecord { source })?;
    for (name, setting) in begun {
        lines.push(Line::new(&name, set(machine, &mut record, setting)));
    }
    keep(machine, &mut record, &mut lines);
    Ok(Applied { lines })
}

fn name(finding: &Finding, setting: &Setting) -> String {
    let settings = finding.change().map_or(0, |change| change.settings.len());
    if settings > 1 { setting.path.clone() } else { finding.name.clone() }
}

/// Sets one value and looks at what the kernel made of it.
fn set(machine: &dyn Machine, record: &mut Record, setting: &Setting) -> Outcome {
    let Setting { path, value, .. } = setting;
    let now = || machine.read(path).map(|raw| shown(&raw));
    let from = match now() {
        Ok(from) => from,
        Err(e) => return Outcome::Failed { why: e.to_string() },
    };
    let done = machine.set(path, value);
    let to = match now() {
        Ok(to) => to,
        // Whatever happened: the record has the former value, and an undo writes it.
        Err(e) => return Outcome::Failed { why: e.to_string() },
    };
    if let Err(e) = done {
        if to == from {
            record.steps.retain(|step| step.path != *path || shown(&step.before) != from);
        }
        return Outcome::Refused { wanted: value.clone(), why: e.to_string() };
    }
    if let Some(step) = record.steps.iter_mut().find(|step| step.path == *path) {
        step.set = Some(to.clone());
    }
    if to == *value { Outcome::Set { from, to } } else { Outcome::Rounded { from, wanted: value.clone(), to } }
}

/// Brings the files and links to what the record says. They are named in it on the disk before they
/// are made.
fn keep(machine: &dyn Machine, record: &mut Record, lines: &mut Vec<Line>) {
    let texts = texts(record);
    let mut foreign = Vec::new();
    for (path, text) in &texts {
        let ours = record.files.iter().find(|file| file.path == *path).map_or(&[][..], |file| &file.ours);
        match (machine.read(path), text) {
            (Ok(now), _) if !ours.contains(&now) => foreign.push(*path),
            (_, Some(text)) => record.expect_file(machine, path, text),
            (_, None) => {}
        }
    }
    if let Err(e) = record.save(machine) {
        lines.push(Line::failed(RECORD, e));
        return;
    }
    for (path, text) in texts {
        if foreign.contains(&path) {
            lines.push(Line::new(path, Outcome::Left { why: "it was changed after an earlier --apply".into() }));
            continue;
        }
        let done = match text {
            Some(text) if machine.read(path).is_ok_and(|now| now == text) => continue,
            Some(text) => write(machine, path, &text).map(|()| Outcome::Written),
            None if machine.is_there(path) => machine.remove(path).map(|()| Outcome::Removed),
            None => continue,
        };
        lines.push(done.map_or_else(|e| Line::failed(path, e), |outcome| Line::new(path, outcome)));
    }
    for link in &record.links {
        if !machine.is_there(&link.path) {
            let done = make_folders(machine, &link.path).and_then(|()| machine.link(&link.path, &link.target));
            lines.push(done.map_or_else(|e| Line::failed(&link.path, e), |()| Line::new(&link.path, Outcome::Written)));
        }
    }
    if record.steps.is_empty() && record.links.is_empty() && texts_are_gone(machine) {
        // The kernel refused all of it, so there is no way back to keep.
        if let Err(e) = Record::discard(machine) {
            lines.push(Line::failed(folder(RECORD), e));
        }
    }
}

fn texts_are_gone(machine: &dyn Machine) -> bool {
    ![SYSCTL_FILE, UDEV_FILE].iter().any(|path| machine.is_there(path))
}

fn write(machine: &dyn Machine, path: &str, text: &str) -> io::Result<()> {
    make_folders(machine, path)?;
    machine.stage(path, text)?;
    machine.settle(path)
}

fn make_folders(machine: &dyn Machine, path: &str) -> io::Result<()> {
    missing_folders(machine, path).iter().try_for_each(|folder| machine.make_folder(folder))
}
