//! Asks for scans: when folders change, when a disk comes or goes, and now and then. A disk that is
//! mounted and tells of its changes is left asleep.

use crate::{
    Libraries,
    due::{Away, Due, Look},
    folders::is_network_disk,
    scan::glance,
    watch::{Watching, listen},
};
use base::{LookError, disks, mounts};
use domain::{FolderId, FolderProblem, FolderState, JobKind};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};
use store::Folder;
use tokio::{sync::mpsc, time::Instant};
use tracing::warn;

/// How often the kernel's list of mounts is read, and whether a folder that is away is due.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The longest time a change stays unseen on a disk that tells nothing.
const SLOW: Duration = Duration::from_secs(15 * 60);
/// Of so many slow rounds, in one the disks that tell of changes are scanned as well.
const ALL_EVERY: u32 = 24;
const LOOK: Duration = Duration::from_secs(5);
/// A folder of many thousands takes long to be listened to.
const LISTEN: Duration = Duration::from_secs(120);

/// What listening to a folder came to.
struct Heard {
    folder: FolderId,
    watching: Option<Watching>,
    is_network: bool,
}

struct Watch {
    libraries: Libraries,
    folders: Vec<Folder>,
    /// Mounts around each folder that is online.
    mounts: HashMap<FolderId, Vec<Vec<u8>>>,
    heard: HashMap<FolderId, Option<Heard>>,
    away: HashMap<FolderId, Away>,
    due: Due,
    changed: mpsc::Sender<PathBuf>,
    set_up: mpsc::Sender<Heard>,
    looked: mpsc::Sender<(FolderId, Look)>,
}

impl Libraries {
    pub(crate) async fn watch_folders(self) {
        let (changed, mut changes) = mpsc::channel(256);
        let (set_up, mut set_ups) = mpsc::channel(64);
        let (looked, mut looks) = mpsc::channel(64);
        let mut watch = Watch {
            folders: Vec::new(),
            mounts: HashMap::new(),
            heard: HashMap::new(),
            away: HashMap::new(),
            due: Due::default(),
            libraries: self,
            changed,
            set_up,
            looked,
        };
        watch.read_folders().await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut slow = tokio::time::interval_at(Instant::now() + SLOW, SLOW);
        let mut round = 0_u32;
        loop {
            let next = watch.due.next();
            tokio::select! {
                Some(path) = changes.recv() => watch.folder_changed(&path),
                Some(heard) = set_ups.recv() => {
                    watch.heard.insert(heard.folder.clone(), Some(heard));
                }
                Some((folder, look)) = looks.recv() => watch.saw(&folder, look),
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    for library in watch.due.take(Instant::now()) {
                        watch.libraries.add_job(JobKind::Scan, Some(library)).await;
                    }
                }
                () = watch.libraries.folders_changed() => watch.read_folders().await,
                _ = look.tick() => {
                    watch.read_folders().await;
                    watch.look_around();
                }
                _ = slow.tick() => {
                    round = round.wrapping_add(1);
                    watch.slow_round(round);
                }
            }
        }
    }
}

impl Watch {
    /// Reads which folders there are and what was judged of them, and listens to those that are online.
    async fn read_folders(&mut self) {
        match self.libraries.store().all_folders().await {
            Ok(list) => self.folders = list,
            Err(e) => warn!(error = %e, "the folders could not be read; those known so far are watched"),
        }
        let is_online = |id: &FolderId| self.folders.iter().any(|f| &f.id == id && f.state == FolderState::Online);
        self.heard.retain(|id, _| is_online(id));
        self.mounts.retain(|id, _| is_online(id));
        let is_away = |id: &FolderId| self.folders.iter().any(|f| &f.id == id && f.state != FolderState::Online);
        self.away.retain(|id, _| is_away(id));
        let table = mounts::table();
        for folder in self.folders.clone().iter().filter(|f| f.state == FolderState::Online) {
            self.mounts.entry(folder.id.clone()).or_insert_with(|| mounts::around(&table, &folder.path));
            if !self.heard.contains_key(&folder.id) {
                self.listen_to(folder);
            }
        }
    }

    fn listen_to(&mut self, folder: &Folder) {
        self.heard.insert(folder.id.clone(), None);
        let (id, path) = (folder.id.clone(), folder.path.clone());
        let (changed, set_up) = (self.changed.clone(), self.set_up.clone());
        tokio::spawn(async move {
            let work = move |path: &Path| (listen(path, changed), is_network_disk(path));
            let (watching, is_network) = disks().watch(&path, LISTEN, work).await.unwrap_or((None, false));
            // The receiver is gone when the house closes.
            let _ = set_up.send(Heard { folder: id, watching, is_network }).await;
        });
    }

    fn folder_changed(&mut self, path: &Path) {
        if let Some(folder) = self.folders.iter().find(|folder| folder.path == path) {
            self.due.changed(&folder.library, Instant::now());
        }
    }

    /// Looks at folders that are away and due, and at those around which mounts have changed.
    /// Nothing here touches a disk that is mounted and well.
    fn look_around(&mut self) {
        let (now, table) = (Instant::now(), mounts::table());
        for folder in self.folders.clone() {
            if folder.state != FolderState::Online {
                if self.away.entry(folder.id.clone()).or_insert_with(|| Away::since(now)).is_due(now) {
                    self.look_at(&folder);
                }
                continue;
            }
            let around = mounts::around(&table, &folder.path);
            let moved = self.mounts.insert(folder.id.clone(), around.clone()).is_some_and(|before| before != around);
            if moved {
                // What was listened to may have been unmounted.
                self.listen_to(&folder);
                self.look_at(&folder);
            } else if disks().is_hanging(&folder.path) {
                self.due.at_once(&folder.library, now);
            }
        }
    }

    fn look_at(&self, folder: &Folder) {
        let (id, path, looked) = (folder.id.clone(), folder.path.clone(), self.looked.clone());
        tokio::spawn(async move {
            let look = match disks().look(&path, LOOK, glance).await {
                Ok(look) => look,
                Err(LookError::Hanging) => Err(FolderProblem::Hanging),
                // It says nothing about the disk.
                Err(LookError::Broke) => return,
            };
            // The receiver is gone when the house closes.
            let _ = looked.send((id, look)).await;
        });
    }

    fn saw(&mut self, id: &FolderId, look: Look) {
        let now = Instant::now();
        let Some(folder) = self.folders.iter().find(|folder| &folder.id == id) else { return };
        let is_news = if folder.state == FolderState::Online {
            look.as_deref().ok() != folder.identity.as_deref()
        } else {
            let away = self.away.entry(id.clone()).or_insert_with(|| Away::since(now));
            away.saw(look, folder.problem, folder.identity.as_deref(), now)
        };
        if is_news {
            self.due.at_once(&folder.library, now);
        }
    }

    fn slow_round(&mut self, round: u32) {
        let now = Instant::now();
        for folder in self.folders.iter().filter(|folder| folder.state == FolderState::Online) {
            let tells = self.heard.get(&folder.id).and_then(Option::as_ref).is_some_and(Heard::tells);
            if !tells || round.is_multiple_of(ALL_EVERY) {
                self.due.at_once(&folder.library, now);
            }
        }
    }
}

impl Heard {
    /// Returns whether every change in the folder is told.
    fn tells(&self) -> bool {
        self.watching.is_some() && !self.is_network
    }
}
