//! The one owner of backups in a running house, and what the owner can ask of it.

use crate::{
    decide::{self, Health, PlaceNews, missing, moment},
    make::{self, BackUpError, Order},
    places,
    shown::{PlaceShown, Shown, ShownBackup, Work},
};
use async_trait::async_trait;
use backup::{BackupName, Folder, FolderError, HouseTag, Kind, Listed, Passphrase, Schedule};
use base::{Bus, Clock, Dirs, Event, Lifecycle, UnixMs};
use domain::{Code, Failure};
use jiff::{Timestamp, civil::Time, tz::TimeZone};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{BackupPlace, BackupPlan, BackupProof, BackupRecord, Store, StoreError};
use tokio::sync::Notify;
use tracing::{info, warn};

const TURN_WAIT: Duration = Duration::from_secs(1);

/// A backup that was restored, started, signed in to and watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Name of the film that played; `None` where there was none that could.
    pub played: Option<String>,
}

/// What the vault needs of the rest of the house.
#[async_trait]
pub trait Rehearser: Send + Sync + 'static {
    /// Restores a backup into a folder of its own, and uses the house in it.
    ///
    /// # Errors
    /// A sentence for the owner.
    async fn rehearse(&self, backup: &Path) -> Result<Rehearsal, String>;
    /// Names and digests of the worker images, as JSON.
    async fn images(&self) -> Option<Vec<u8>>;
    /// Whether a rehearsal is in nobody's way now.
    fn is_quiet(&self) -> bool;
}

pub struct VaultConfig {
    pub dirs: Dirs,
    /// Its first line seals the key of the house in each backup.
    pub passphrase_file: Option<PathBuf>,
    pub zone: TimeZone,
    /// False: backups are made only when they are asked for.
    pub is_by_itself: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("a backup is being made, copied or proven")]
    Busy,
    #[error("the database is PostgreSQL")]
    Postgres,
    #[error("there is no such backup")]
    Unknown,
    #[error("it is the only backup that was proven")]
    OnlyProven,
    #[error("the path is not text")]
    NotText,
    #[error("the folder is in the data folder")]
    InDataFolder,
    #[error("the folder gets copies already")]
    Known,
    #[error("make a backup")]
    Make(#[from] BackUpError),
    #[error("use a folder for backups")]
    Folder(#[from] FolderError),
    #[error("read or write what is known about backups")]
    Store(#[from] StoreError),
    #[error("work with the disk broke off")]
    BrokeOff,
}

impl VaultError {
    /// Returns what the owner reads.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Busy => "A backup is being made, copied or proven at the moment. Try again when that is done.".into(),
            Self::Postgres => {
                "This house keeps its data in PostgreSQL, which is copied with PostgreSQL's own tools.".into()
            }
            Self::Unknown => "There is no such backup any more.".into(),
            Self::OnlyProven => "This is the only backup that is proven to work. Prove another one first.".into(),
            Self::NotText => "The path of that folder is not plain text. Choose another one.".into(),
            Self::InDataFolder => {
                "That folder is in Loge's own data folder, which has the backups already. Choose one on another disk."
                    .into()
            }
            Self::Known => "That folder gets copies already.".into(),
            Self::Make(e) => e.sentence(),
            Self::Folder(e) => e.sentence(),
            Self::Store(e) => e.failure().message,
            Self::BrokeOff => "No backup was made: a fault of Loge ended it. The log says more.".into(),
        }
    }

    pub fn failure(&self) -> Failure {
        let code = match self {
            Self::Busy | Self::Postgres | Self::OnlyProven | Self::Known => Code::Conflict,
            Self::Unknown => Code::NotFound,
            Self::NotText | Self::InDataFolder => Code::FolderForbidden,
            Self::Folder(FolderError::NotThere { .. }) => Code::FolderMissing,
            Self::Folder(FolderError::DiskFull { .. }) => Code::DiskFull,
            Self::Folder(_) => Code::FolderUnreadable,
            Self::Store(e) => return e.failure(),
            Self::Make(_) => Code::StorageFailed,
            Self::BrokeOff => Code::Internal,
        };
        Failure::new(code, self.sentence())
    }
}

/// What is known of a place in this run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) free_bytes: Option<u64>,
    pub(crate) problem: Option<String>,
    pub(crate) failures: u32,
    /// Not looked at again before this, unless the owner asks.
    pub(crate) rest_until: Option<Timestamp>,
    pub(crate) is_tended: bool,
}

/// Makes backups. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) config: VaultConfig,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    bus: Bus,
    pub(crate) house: Arc<dyn Rehearser>,
    /// One thing at a time is done with backups.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Two at once would both mark a new folder.
    claiming: tokio::sync::Mutex<()>,
    work: Mutex<Work>,
    pub(crate) known: Mutex<BTreeMap<String, Known>>,
    health: Mutex<Health>,
    /// A plan that changed is looked at at once.
    pub(crate) wake: Notify,
    lifecycle: Lifecycle,
    pub(crate) rounds: AtomicU64,
}

impl Vault {
    /// Begins to make backups as planned, until the soft stop.
    pub fn open(
        config: VaultConfig,
        store: Store,
        clock: Arc<dyn Clock>,
        bus: Bus,
        house: Arc<dyn Rehearser>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let vault = Self(Arc::new(Shared {
            config,
            store,
            clock,
            bus,
            house,
            turn: tokio::sync::Mutex::default(),
            claiming: tokio::sync::Mutex::default(),
            work: Mutex::default(),
            known: Mutex::default(),
            health: Mutex::default(),
            wake: Notify::new(),
            lifecycle: lifecycle.clone(),
            rounds: AtomicU64::new(0),
        }));
        if vault.0.config.is_by_itself {
            let (rounds, soft) = (vault.clone(), lifecycle.soft().clone());
            lifecycle.spawn("backups", async move { rounds.go_round(soft).await });
        }
        vault
    }

    /// Returns what the owner has to know without asking. Costs nothing.
    pub fn health(&self) -> Health {
        lock(&self.0.health).clone()
    }

    /// Returns how often everything was looked at. For tests.
    #[doc(hidden)]
    pub fn rounds(&self) -> u64 {
        self.0.rounds.load(Ordering::Acquire)
    }

    /// Returns everything about the backups.
    ///
    /// # Errors
    /// When the database or the house's own folder cannot be read.
    pub async fn show(&self) -> Result<Shown, VaultError> {
        let (plan, record) = (self.0.store.backup_plan().await?, self.0.store.backup_record().await?);
        let (here, now) = (self.list().await?, self.now());
        let is_on = plan.is_on && self.0.store.is_a_file();
        let mut backups: BTreeMap<BackupName, ShownBackup> = BTreeMap::new();
        let mut add = |name: BackupName, size_bytes: u64, place: Option<&str>| {
            let row = backups.entry(name).or_insert_with(|| ShownBackup {
                name: name.to_string(),
                kind: name.kind(),
                made_at: UnixMs(name.made_at().as_millisecond()),
                size_bytes,
                is_proven: record.proven.contains(&name.to_string()),
                is_here: place.is_none(),
                places: Vec::new(),
            });
            row.places.extend(place.map(str::to_owned));
        };
        here.iter().for_each(|each| add(each.name, each.size_bytes, None));
        for place in &plan.places {
            names_at(&record, &place.mark).iter().for_each(|each| add(each.name, 0, Some(&place.mark)));
        }
        let mut backups: Vec<_> = backups.into_values().collect();
        backups.sort_by_key(|each| std::cmp::Reverse((each.made_at, each.name.clone())));
        let known = lock(&self.0.known).clone();
        let places = plan.places.iter().map(|place| {
            let known = known.get(&place.mark).cloned().unwrap_or_default();
            PlaceShown {
                path: place.path.clone(),
                mark: place.mark.clone(),
                waiting: missing(&here, &names_at(&record, &place.mark), &record, now).len(),
                free_bytes: known.free_bytes,
                problem: known.problem,
            }
        });
        let due = schedule(&plan).look(&self.0.config.zone, &made(&here, &record), now);
        Ok(Shown {
            work: *lock(&self.0.work),
            is_possible: self.0.store.is_a_file(),
            is_on,
            at_minute: plan.at_minute,
            next_at: is_on.then(|| UnixMs(due.next_at.as_millisecond())),
            folder: self.0.config.dirs.backups(),
            is_key_sealed: self.0.config.passphrase_file.is_some(),
            places: places.collect(),
            backups,
            last_try: record.last_try,
            last_proof: record.last_proof,
            proven_at: record.proven_ms.map(UnixMs),
        })
    }

    /// Makes a backup now, and copies it to the places afterwards.
    ///
    /// # Errors
    /// See [`VaultError`]; nothing half made is left.
    pub async fn back_up_now(&self) -> Result<BackupName, VaultError> {
        let turn = self.take_turn().await?;
        let made = self.make(Kind::ByHand).await;
        drop(turn);
        self.look_at_places();
        made
    }

    /// Changes when backups are made.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_plan(&self, is_on: Option<bool>, at_minute: Option<u16>) -> Result<(), VaultError> {
        self.0
            .store
            .change_backup_plan(|plan| {
                plan.is_on = is_on.unwrap_or(plan.is_on);
                plan.at_minute = at_minute.unwrap_or(plan.at_minute).min(24 * 60 - 1);
            })
            .await?;
        self.changed();
        Ok(())
    }

    /// Copies all backups to another folder from now on.
    ///
    /// # Errors
    /// When the folder is not there, cannot be written, or is one that has them already.
    pub async fn add_place(&self, path: &Path) -> Result<(), VaultError> {
        if path.to_str().is_none() {
            return Err(VaultError::NotText);
        }
        let (path, data, fresh) = (path.to_owned(), self.0.config.dirs.data().to_owned(), self.0.clock.random_id());
        let claimed = self.on_disk(move || {
            let real = std::fs::canonicalize(&path).map_err(|_| FolderError::NotThere { path: path.clone() })?;
            match real.starts_with(&data) {
                true => Err(VaultError::InDataFolder),
                false => Ok(Folder::claim(&real, fresh)?),
            }
        });
        let folder = claimed.await??;
        if folder.path().to_str().is_none() {
            return Err(VaultError::NotText);
        }
        let place = BackupPlace { path: folder.path().into(), mark: folder.mark().as_str().into() };
        let mut is_known = false;
        self.0
            .store
            .change_backup_plan(|plan| match plan.places.iter_mut().find(|known| known.mark == place.mark) {
                // A disk that is mounted elsewhere today is the same place.
                Some(known) if known.path != place.path => known.path = place.path,
                Some(_) => is_known = true,
                None => plan.places.push(place),
            })
            .await?;
        if is_known {
            return Err(VaultError::Known);
        }
        self.look_at_places();
        Ok(())
    }

    /// Copies nothing more to a place. What is there stays.
    ///
    /// # Errors
    /// When the database cannot be written, or there is no such place.
    pub async fn remove_place(&self, mark: &str) -> Result<(), VaultError> {
        let mut is_known = false;
        self.0
            .store
            .change_backup_plan(|plan| {
                let before = plan.places.len();
                plan.places.retain(|place| place.mark != mark);
                is_known = plan.places.len() < before;
            })
            .await?;
        self.0.store.change_backup_record(|record| drop(record.copied.remove(mark))).await?;
        lock(&self.0.known).remove(mark);
        self.changed();
        if is_known { Ok(()) } else { Err(VaultError::Unknown) }
    }

    /// Looks at every place again now, also at those that were away.
    pub fn look_at_places(&self) {
        for known in lock(&self.0.known).values_mut() {
            known.rest_until = None;
            known.is_tended = false;
        }
        self.changed();
    }

    /// Deletes a backup in the house's own folder. Copies at other places stay.
    ///
    /// # Errors
    /// When there is none of this name, or it is the only proven one.
    pub async fn delete(&self, name: &str) -> Result<(), VaultError> {
        let _turn = self.take_turn().await?;
        let (name, here) = self.find(name).await?;
        if !decide::may_delete(&name, &here, &self.0.store.backup_record().await?) {
            return Err(VaultError::OnlyProven);
        }
        let folder = self.own_folder().await?;
        self.on_disk(move || folder.delete(&name)).await??;
        self.changed();
        Ok(())
    }

    /// Begins to prove a backup, and returns at once.
    ///
    /// # Errors
    /// When there is none of this name, or another one is being made or proven.
    pub async fn begin_proof(&self, name: &str) -> Result<(), VaultError> {
        let (name, _) = self.find(name).await?;
        drop(self.take_turn().await?);
        let (vault, soft) = (self.clone(), self.0.lifecycle.soft().clone());
        self.0.lifecycle.spawn("proof of a backup", async move {
            tokio::select! {
                () = soft.cancelled() => {}
                () = async {
                    let _turn = vault.0.turn.lock().await;
                    vault.prove(name).await;
                } => {}
            }
        });
        Ok(())
    }

    /// A look at what is there is over in a moment; what takes longer is not waited for.
    async fn take_turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, VaultError> {
        tokio::time::timeout(TURN_WAIT, self.0.turn.lock()).await.map_err(|_| VaultError::Busy)
    }

    /// Makes a backup in the house's own folder. The caller holds the turn.
    pub(crate) async fn make(&self, kind: Kind) -> Result<BackupName, VaultError> {
        let shared = &self.0;
        if !shared.store.is_a_file() {
            return Err(VaultError::Postgres);
        }
        let _working = self.working(Work::BackingUp);
        let passphrase = shared.config.passphrase_file.as_deref().map(Passphrase::read).transpose();
        let passphrase = passphrase.map_err(BackUpError::from)?;
        let folder = self.own_folder().await?;
        let name = BackupName::new(make::house_tag(&shared.store).await?, self.now(), kind);
        let order = Order { file: folder.path_of(&name), kind, passphrase, images: shared.house.images().await };
        let made = make::back_up(&shared.store, &shared.config.dirs, order).await?;
        info!("a backup was made and read back: {name}, {} bytes", made.size_bytes);
        Ok(name)
    }

    /// Proves a backup and writes down how it went. The caller holds the turn.
    pub(crate) async fn prove(&self, name: BackupName) {
        let working = self.working(Work::Proving);
        let Ok(folder) = self.own_folder().await else { return };
        let told = self.0.house.rehearse(&folder.path_of(&name)).await;
        match &told {
            Ok(_) => info!("the backup {name} is proven: it was restored, started and used"),
            Err(problem) => warn!("the backup {name} could not be proven: {problem}"),
        }
        let at_ms = self.0.clock.now().0;
        let written = self
            .0
            .store
            .change_backup_record(|record| {
                let (played, problem) = match told {
                    Ok(rehearsal) => {
                        record.proven.insert(name.to_string());
                        record.proven_ms = Some(at_ms);
                        (rehearsal.played, None)
                    }
                    Err(problem) => (None, Some(problem)),
                };
                record.last_proof = Some(BackupProof { at_ms, backup: name.to_string(), played, problem });
            })
            .await;
        if let Err(e) = written {
            warn!("the proof of a backup could not be written down: {e}");
        }
        drop(working);
        self.changed();
    }

    pub(crate) fn now(&self) -> Timestamp {
        moment(self.0.clock.now())
    }

    pub(crate) async fn own_folder(&self) -> Result<Folder, VaultError> {
        let (dirs, fresh) = (self.0.config.dirs.clone(), self.0.clock.random_id());
        let _alone = self.0.claiming.lock().await;
        Ok(self.on_disk(move || places::own_folder(&dirs, fresh)).await??)
    }

    pub(crate) async fn tag(&self) -> Result<HouseTag, VaultError> {
        Ok(make::house_tag(&self.0.store).await?)
    }

    /// Lists the backups in the house's own folder.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, VaultError> {
        let (folder, tag) = (self.own_folder().await?, self.tag().await?);
        Ok(self.on_disk(move || folder.list(tag)).await??)
    }

    async fn find(&self, name: &str) -> Result<(BackupName, Vec<Listed>), VaultError> {
        let name: BackupName = name.parse().map_err(|_| VaultError::Unknown)?;
        let here = self.list().await?;
        if here.iter().any(|each| each.name == name) { Ok((name, here)) } else { Err(VaultError::Unknown) }
    }

    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, VaultError> {
        tokio::task::spawn_blocking(work).await.map_err(|_| VaultError::BrokeOff)
    }

    /// Says what is being done for as long as the answer is held.
    pub(crate) fn working(&self, work: Work) -> Working<'_> {
        self.set_work(work);
        Working(self)
    }

    fn set_work(&self, work: Work) {
        *lock(&self.0.work) = work;
        self.0.bus.publish(Event::Backups);
    }

    fn changed(&self) {
        self.0.bus.publish(Event::Backups);
        self.0.wake.notify_one();
    }

    /// Sums up what the owner has to know.
    pub(crate) fn judge(&self, plan: &BackupPlan, record: &BackupRecord, here: &[Listed]) {
        let now = self.now();
        let known = lock(&self.0.known).clone();
        let paths: Vec<_> = plan.places.iter().map(|place| place.path.display().to_string()).collect();
        let news: Vec<_> = plan
            .places
            .iter()
            .zip(&paths)
            .map(|(place, path)| PlaceNews {
                path,
                problem: known.get(&place.mark).and_then(|known| known.problem.as_deref()),
                waits_since: missing(here, &names_at(record, &place.mark), record, now)
                    .iter()
                    .map(BackupName::made_at)
                    .min(),
            })
            .collect();
        *lock(&self.0.health) = decide::health(plan.is_on && self.0.store.is_a_file(), record, &news, now);
    }
}

pub(crate) struct Working<'a>(&'a Vault);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.set_work(Work::Nothing);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn schedule(plan: &BackupPlan) -> Schedule {
    let (hour, minute) = (plan.at_minute / 60 % 24, plan.at_minute % 60);
    let at = i8::try_from(hour).ok().zip(i8::try_from(minute).ok());
    at.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok())
        .map_or_else(Schedule::default, |at| Schedule { at })
}

/// Returns the times that count as made by the schedule. A new house begins with its first night.
pub(crate) fn made(here: &[Listed], record: &BackupRecord) -> Vec<Timestamp> {
    let scheduled = here.iter().map(|each| each.name).filter(|name| name.kind() == Kind::Scheduled);
    scheduled.map(|name| name.made_at()).chain(record.since_ms.map(|ms| moment(UnixMs(ms)))).collect()
}

/// Returns the backups that a place had when it was last looked at.
pub(crate) fn names_at(record: &BackupRecord, mark: &str) -> Vec<Listed> {
    let names: Option<&BTreeSet<String>> = record.copied.get(mark);
    let parsed = names.into_iter().flatten().filter_map(|name| name.parse().ok());
    parsed.map(|name| Listed { name, size_bytes: 0 }).collect()
}
