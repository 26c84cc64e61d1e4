//! The record of what was set before: on the disk before the first change, gone after the last
//! restoration.

use crate::{
    finding::{Keep, Setting},
    machine::{Machine, folder, staged},
    persist::{SYSCTL_FILE, UDEV_FILE},
};
use serde::{Deserialize, Serialize};
use std::io;

/// Where the record lies.
pub const RECORD: &str = "/var/lib/loge-tuning/before.json";
/// The form of the record this version writes. It reads no newer one.
const FORM: u32 = 1;

/// Why the record of former values cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{RECORD}, the record of the former values, cannot be read")]
    Read { source: io::Error },
    #[error(
        "{RECORD}, the record of the former values, is damaged; restore it from a backup, or set the values in it by hand and remove it"
    )]
    Parse { source: serde_json::Error },
    #[error("{RECORD} was written by a newer version of Loge (form {form}); use that one")]
    Newer { form: u32 },
    #[error("{RECORD} names {path}, which Loge never sets; it was changed by hand or is damaged")]
    Foreign { path: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    form: u32,
    /// In the order in which they were set.
    pub steps: Vec<Step>,
    pub files: Vec<KeptFile>,
    pub links: Vec<KeptLink>,
    /// Folders that were made, outer ones first.
    pub folders: Vec<String>,
}

/// One value that was changed, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub path: String,
    pub before: String,
    pub wanted: String,
    /// What the kernel made of it; none until that is known.
    pub set: Option<String>,
    pub twin: Option<Twin>,
    pub keep: Keep,
}

/// The other spelling of a setting, and what it said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Twin {
    pub path: String,
    pub before: String,
}

/// A file Loge wrote, with each text it may hold: two after a cut between an old and a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptFile {
    pub path: String,
    pub ours: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptLink {
    pub path: String,
    pub target: String,
}

impl Default for Record {
    fn default() -> Self {
        Self { form: FORM, steps: Vec::new(), files: Vec::new(), links: Vec::new(), folders: Vec::new() }
    }
}

impl Record {
    /// Reads the record; none where nothing was ever changed.
    pub fn load(machine: &dyn Machine) -> Result<Option<Self>, RecordError> {
        let text = match machine.read(RECORD) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(RecordError::Read { source }),
        };
        let form = serde_json::from_str::<Form>(&text).map_err(|source| RecordError::Parse { source })?.form;
        if form > FORM {
            return Err(RecordError::Newer { form });
        }
        let record: Self = serde_json::from_str(&text).map_err(|source| RecordError::Parse { source })?;
        match record.foreign() {
            Some(path) => Err(RecordError::Foreign { path: path.into() }),
            None => Ok(Some(record)),
        }
    }

    /// Writes the record through to the disk.
    pub fn save(&self, machine: &dyn Machine) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        if machine.read(RECORD).is_ok_and(|now| now == text) {
            return Ok(());
        }
        for folder in missing_folders(machine, RECORD) {
            machine.make_folder(&folder)?;
        }
        machine.stage(RECORD, &text)?;
        machine.settle(RECORD)
    }

    /// Removes the record and what a cut may have left of it.
    pub fn discard(machine: &dyn Machine) -> io::Result<()> {
        machine.remove(&staged(RECORD))?;
        machine.remove(RECORD)?;
        machine.remove_folder(folder(RECORD))
    }

    /// Notes that a value is about to be set. What was there before the first time counts.
    pub fn begin(&mut self, machine: &dyn Machine, setting: &Setting, keep: &Keep) -> io::Result<()> {
        let before = present(machine, &setting.path)?;
        if let Some(step) = self.steps.iter_mut().find(|step| step.path == setting.path) {
            step.wanted.clone_from(&setting.value);
            step.set = None;
            step.keep = keep.clone();
            return Ok(());
        }
        let twin = match &setting.twin {
            Some(path) => Some(Twin { path: path.clone(), before: present(machine, path)? }),
            None => None,
        };
        let (path, wanted) = (setting.path.clone(), setting.value.clone());
        self.steps.push(Step { path, before, wanted, set: None, twin, keep: keep.clone() });
        Ok(())
    }

    /// Notes a text that is about to stand in a file; the one that stands there now may survive a cut.
    pub fn expect_file(&mut self, machine: &dyn Machine, path: &str, text: &str) {
        let now = machine.read(path).ok();
        let index = self.files.iter().position(|file| file.path == path).unwrap_or_else(|| {
            self.files.push(KeptFile { path: path.into(), ours: Vec::new() });
            self.files.len() - 1
        });
        let ours = &mut self.files[index].ours;
        ours.retain(|known| now.as_ref() == Some(known) && known != text);
        ours.push(text.into());
        self.expect_folders(machine, path);
    }

    pub fn expect_folders(&mut self, machine: &dyn Machine, path: &str) {
        for folder in missing_folders(machine, path) {
            if !self.folders.contains(&folder) {
                self.folders.push(folder);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.files.is_empty() && self.links.is_empty()
    }

    /// Finds what no version of Loge writes: a record that was tampered with must not aim root at a
    /// file of its choice.
    fn foreign(&self) -> Option<&str> {
        let of_kernel = |path: &str| path.starts_with("/proc/sys/") || path.starts_with("/sys/");
        let known = |path: &str| path.starts_with("/etc/");
        let steps = self.steps.iter().flat_map(|step| {
            std::iter::once(&step.path)
                .chain(step.twin.as_ref().map(|twin| &twin.path))
                .map(|path| (path, of_kernel(path)))
        });
        let files = self.files.iter().map(|file| (&file.path, [SYSCTL_FILE, UDEV_FILE].contains(&file.path.as_str())));
        let links = self.links.iter().map(|link| (&link.path, known(&link.path)));
        let folders = self.folders.iter().map(|folder| (folder, known(folder)));
        let climbs = |path: &str| path.split('/').any(|name| name == "..");
        let mut all = steps.chain(files).chain(links).chain(folders);
        all.find(|(path, fits)| !fits || climbs(path)).map(|(path, _)| path.as_str())
    }
}

#[derive(Deserialize)]
struct Form {
    form: u32,
}

/// Reads what to write back to restore a kernel file: the marked word of a list, else its line as it
/// is.
fn present(machine: &dyn Machine, path: &str) -> io::Result<String> {
    let raw = machine.read(path)?;
    Ok(if raw.contains('[') { crate::read::shown(&raw) } else { raw.trim_end_matches('\n').to_owned() })
}

/// Returns the folders above a path that are not there, outer ones first.
pub(crate) fn missing_folders(machine: &dyn Machine, path: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let mut above = folder(path);
    while above.len() > 1 && !machine.is_there(above) {
        missing.push(above.to_owned());
        above = folder(above);
    }
    missing.reverse();
    missing
}
