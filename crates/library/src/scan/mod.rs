//! One scan of one library: walk, probe, reconcile, folder by folder.

mod beside;
mod identity;
mod judge;
mod names;
mod phase_1_walk;
mod phase_2_compare;
mod phase_3_probe;
mod sidecar_name;

use crate::{control::Control, job::Progress, pace::Pace, prober::Prober};
use base::{Bus, Clock, Event, LookError, disks};
use domain::{FolderProblem, LibraryId, facts::Defect};
use std::{path::Path, sync::Arc, time::Duration};
use store::{Folder, FolderVerdict, KnownFile, LeftOut, ScanChange, Store, StoreError};
use tracing::{info, warn};

pub(crate) use beside::looks_like_subtitle;
pub(crate) use identity::glance;
pub(crate) use names::{is_left_out, is_path_left_out};
use phase_1_walk::Walk;
pub(crate) use phase_1_walk::looks_like_film;

const TOLD_ONE_BY_ONE: usize = 32;
/// A disk from which not one entry comes for so long does not answer.
const STALL: Duration = Duration::from_secs(30);
/// Names of folders that could not be listed; the rest is a number.
const UNREAD_NAMED: usize = 20;

/// How a scan ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScanError {
    #[error("cancelled")]
    Cancelled,
    #[error("the library no longer exists")]
    LibraryGone,
    #[error("reading the library from the database failed")]
    Store(#[from] StoreError),
    #[error("files could not be looked into: {0}")]
    ProberAway(String),
    #[error("a folder could not be walked")]
    Walk,
}

pub(crate) struct Scan {
    pub(crate) store: Store,
    pub(crate) prober: Arc<dyn Prober>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bus: Bus,
    pub(crate) control: Control,
    pub(crate) progress: Progress,
    pub(crate) concurrency: usize,
    pub(crate) pace: Pace,
}

impl Scan {
    /// Scans every folder of the library. A folder whose disk is away is marked and left alone.
    /// Returns what the owner should know of it, in a sentence or more.
    pub(crate) async fn run(&self, library: &LibraryId) -> Result<Option<String>, ScanError> {
        let Some(library) = self.store.library(library).await? else { return Err(ScanError::LibraryGone) };
        let mut notes = Vec::new();
        for folder in &library.folders {
            self.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
            self.progress.current(Some(folder.path.to_string_lossy().into_owned()));
            let known = self.store.files_of_folder(&folder.id).await?;
            let walk = match disks().walk(&folder.path, STALL, phase_1_walk::walk).await {
                Ok(walk) => walk,
                Err(LookError::Hanging) => Walk::away(FolderProblem::Hanging),
                Err(LookError::Broke) => return Err(ScanError::Walk),
            };
            if let Err(problem) = judge::judge(&walk, &known, folder.identity.as_deref()) {
                self.away(folder, problem).await?;
                notes.push(format!("{}: {}", folder.path.display(), problem.sentence()));
                continue;
            }
            notes.extend(self.folder(folder, known, walk).await?);
        }
        self.store.mark_scanned(&library.id, self.clock.now()).await?;
        self.bus.publish(Event::Library { library: library.id.clone() });
        Ok((!notes.is_empty()).then(|| notes.join(" ")))
    }

    async fn away(&self, folder: &Folder, problem: FolderProblem) -> Result<(), ScanError> {
        let id = &folder.id;
        warn!(folder.id = %id, problem = problem.as_str(), "folder {id} is {}; its titles are kept as they are", problem.as_str());
        if folder.problem != Some(problem) || folder.state != problem.state() {
            self.store.set_folder_verdict(id, &FolderVerdict::Away(problem)).await?;
            self.bus.publish(Event::Library { library: folder.library.clone() });
        }
        Ok(())
    }

    /// Returns what had to be left out, in words.
    async fn folder(&self, folder: &Folder, known: Vec<KnownFile>, walk: Walk) -> Result<Option<String>, ScanError> {
        let library = &folder.library;
        let Walk { files, subtitles, identity, skipped, unread, links, .. } = walk;
        let left_out = left_out(&unread, links);
        let note = in_words(folder, &left_out);
        let before = (folder.problem, &folder.identity, &folder.left_out);
        if before != (None, &identity, &left_out) || folder.state != domain::FolderState::Online {
            self.store.set_folder_verdict(&folder.id, &FolderVerdict::Online { identity, left_out }).await?;
            self.bus.publish(Event::Library { library: library.clone() });
        }
        let files = names::without_extras(files);
        let seen_beside = beside::beside(&files, &subtitles);
        let plan = phase_2_compare::compare(&known, files, &unread, self.clock.now());
        info!(
            folder.id = %folder.id, unchanged = plan.unchanged, probe = plan.probe.len(), moved = plan.moved.len(),
            missing = plan.missing.len(), skipped, "scan of folder {}: {} to probe", folder.id, plan.probe.len()
        );
        self.progress.add_total(plan.probe.len() as u64);
        // What needs no look inside is written first: it is quick, and moved files must be known
        // under their new name before their old name counts as missing.
        let mut changes: Vec<ScanChange> = plan.moved;
        changes.extend(plan.back);
        self.apply(library, folder, changes).await?;
        phase_3_probe::probe_and_apply(self, library, folder, plan.probe).await?;
        self.apply(library, folder, plan.missing).await?;
        let known = self.store.besides_of_folder(&folder.id).await?;
        self.apply(library, folder, beside::changes(known, seen_beside, &unread)).await?;
        Ok(note)
    }

    async fn apply(
        &self,
        library: &LibraryId,
        folder: &store::Folder,
        changes: Vec<ScanChange>,
    ) -> Result<(), ScanError> {
        if changes.is_empty() {
            return Ok(());
        }
        let touched = self.store.apply_scan(library, &folder.id, changes).await?;
        // A few are told one by one; of a whole shelf everyone reads the list anew anyway, and the
        // bus keeps its room for others.
        if touched.titles.len() > TOLD_ONE_BY_ONE {
            self.bus.publish(Event::Library { library: library.clone() });
            return Ok(());
        }
        for title in touched.titles {
            self.bus.publish(Event::Title { title, library: library.clone() });
        }
        Ok(())
    }
}

fn left_out(unread: &[Vec<u8>], links: u64) -> LeftOut {
    let named = unread.iter().take(UNREAD_NAMED).map(|path| String::from_utf8_lossy(path).into_owned());
    LeftOut { unread: named.collect(), unread_total: unread.len() as u64, links }
}

/// Returns what the owner may want to change; `None` when all was read.
fn in_words(folder: &Folder, left_out: &LeftOut) -> Option<String> {
    let mut said = Vec::new();
    if left_out.unread_total > 0 {
        let names = left_out.unread.join(", ");
        let more = left_out.unread_total - left_out.unread.len() as u64;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        said.push(format!("Loge may not read these folders: {names}{more}."));
    }
    match left_out.links {
        0 => {}
        1 => said.push("One symbolic link was left out; links are not followed.".into()),
        n => said.push(format!("{n} symbolic links were left out; links are not followed.")),
    }
    (!said.is_empty()).then(|| format!("{}: {}", folder.path.display(), said.join(" ")))
}

/// Facts for a defect that needs no look inside.
pub(crate) fn defect_before_probe(size_bytes: u64) -> Option<Defect> {
    (size_bytes == 0).then_some(Defect::Empty)
}

/// The name of the file without folder and ending, as readable text.
pub(crate) fn file_stem(path: &[u8]) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}
