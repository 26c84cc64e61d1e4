//! One scan of one library: walk, probe, reconcile, folder by folder.

mod beside;
mod phase_1_walk;
mod phase_2_compare;
mod phase_3_probe;

use crate::{control::Control, job::Progress, prober::Prober};
use base::{Bus, Clock, Event};
use domain::{FolderState, LibraryId, facts::Defect};
use std::{path::Path, sync::Arc};
use store::{ScanChange, Store, StoreError};
use tracing::{info, warn};

use phase_1_walk::Walk;
pub(crate) use phase_1_walk::looks_like_film;

const TOLD_ONE_BY_ONE: usize = 32;

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
}

pub(crate) struct Scan {
    pub(crate) store: Store,
    pub(crate) prober: Arc<dyn Prober>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bus: Bus,
    pub(crate) control: Control,
    pub(crate) progress: Progress,
    pub(crate) concurrency: usize,
}

impl Scan {
    /// Scans every folder of the library. A folder whose disk is away is marked and left alone.
    pub(crate) async fn run(&self, library: &LibraryId) -> Result<(), ScanError> {
        let Some(library) = self.store.library(library).await? else { return Err(ScanError::LibraryGone) };
        for folder in &library.folders {
            self.control.checkpoint().await.map_err(|_| ScanError::Cancelled)?;
            self.progress.current(Some(folder.path.to_string_lossy().into_owned()));
            let known = self.store.files_of_folder(&folder.id).await?;
            let path = folder.path.clone();
            // Walking waits for the disk.
            let walk = tokio::task::spawn_blocking(move || phase_1_walk::walk(&path))
                .await
                .unwrap_or_else(|_| Walk::unreadable("the walk was stopped"));
            let present = known.iter().filter(|f| !f.missing).count();
            let state = phase_2_compare::judge_folder(&walk, present, folder.device);
            if state != folder.state || walk.device != folder.device {
                self.store.set_folder_state(&folder.id, state, walk.device.or(folder.device)).await?;
                self.bus.publish(Event::Library { library: library.id.clone() });
            }
            if state != FolderState::Online {
                warn!(folder.id = %folder.id, state = state.as_str(), "folder {} is {}; its titles are kept as they are", folder.id, state.as_str());
                continue;
            }
            self.folder(&library.id, folder, known, walk).await?;
        }
        self.store.mark_scanned(&library.id, self.clock.now()).await?;
        self.bus.publish(Event::Library { library: library.id.clone() });
        Ok(())
    }

    async fn folder(
        &self,
        library: &LibraryId,
        folder: &store::Folder,
        known: Vec<store::KnownFile>,
        walk: Walk,
    ) -> Result<(), ScanError> {
        let (skipped, walk_incomplete) = (walk.skipped, walk.incomplete);
        let seen_beside = beside::beside(&walk.files, &walk.subtitles);
        let plan = phase_2_compare::compare(&known, walk.files);
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
        // An unlistable subfolder hides files; hidden is not missing.
        if walk_incomplete {
            return Ok(());
        }
        self.apply(library, folder, plan.missing).await?;
        let known = self.store.besides_of_folder(&folder.id).await?;
        self.apply(library, folder, beside::changes(known, seen_beside)).await
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
