//! Backups that happen by themselves, on a real disk and a real database, under a clock that a test
//! moves.

use async_trait::async_trait;
use base::{Bus, Clock, Dirs, Event, FakeClock, Lifecycle, UnixMs};
use domain::{Role, UserId};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use store::{Database, NewUser, Store};
use vault::{Rehearsal, Rehearser, Shown, Vault, VaultConfig, VaultError};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Noon in UTC.
const START: UnixMs = UnixMs(1_796_212_800_000);

#[derive(Default)]
struct Stage {
    /// What a rehearsal says.
    problem: Mutex<Option<String>>,
    is_loud: AtomicBool,
    rehearsed: Mutex<Vec<PathBuf>>,
}

#[async_trait]
impl Rehearser for Stage {
    async fn rehearse(&self, backup: &Path) -> Result<Rehearsal, String> {
        assert!(backup.is_file(), "{}", backup.display());
        self.rehearsed.lock().unwrap().push(backup.into());
        match self.problem.lock().unwrap().clone() {
            Some(problem) => Err(problem),
            None => Ok(Rehearsal { played: Some("Metropolis".into()) }),
        }
    }
    async fn images(&self) -> Option<Vec<u8>> {
        Some(b"{\"images\":[]}".to_vec())
    }
    fn is_quiet(&self) -> bool {
        !self.is_loud.load(Ordering::SeqCst)
    }
}

struct House {
    vault: Vault,
    store: Store,
    clock: FakeClock,
    bus: Bus,
    stage: Arc<Stage>,
    lifecycle: Lifecycle,
    dir: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let house = Self::without_people(None).await;
        house.add_owner().await;
        // The first look writes down when backups began.
        house.until("the first look", |_| true).await;
        house
    }

    async fn without_people(passphrase_file: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let clock = FakeClock::new(START, 7);
        let store = Store::open(Database::Sqlite(data.join("loge.db")), Arc::new(clock.clone())).await.unwrap();
        let (bus, lifecycle, stage) = (Bus::new(), Lifecycle::new(), Arc::new(Stage::default()));
        let config =
            VaultConfig { dirs: Dirs::at(&data), passphrase_file, zone: jiff::tz::TimeZone::UTC, is_by_itself: true };
        let vault = Vault::open(config, store.clone(), Arc::new(clock.clone()), bus.clone(), stage.clone(), &lifecycle);
        Self { vault, store, clock, bus, stage, lifecycle, dir }
    }

    async fn add_owner(&self) {
        let owner = NewUser {
            id: UserId::from_random(self.clock.random_id()),
            username: "owner".into(),
            password_hash: "$hash".into(),
            role: Role::Admin,
            created_at: self.clock.now(),
        };
        self.store.create_user(&owner).await.unwrap();
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// Looks, twice at least since the one that runs began before, and again until what is shown is as a test wants it.
    async fn until(&self, what: &str, enough: impl Fn(&Shown) -> bool) -> Shown {
        let mut events = self.bus.subscribe();
        let enough_rounds = self.vault.rounds() + 2;
        let waiting = async {
            loop {
                self.vault.look_at_places();
                let shown = self.vault.show().await.unwrap();
                let is_known = self.store.backup_record().await.unwrap().since_ms.is_some();
                if self.vault.rounds() >= enough_rounds && is_known && enough(&shown) && shown.work.as_str() == "idle" {
                    return shown;
                }
                let _ = tokio::time::timeout(Duration::from_millis(50), events.recv()).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        waited.unwrap_or_else(|_| panic!("{what} did not happen"))
    }

    async fn close(self) {
        self.lifecycle.stop(Duration::from_secs(5)).await;
        assert!(!self.lifecycle.has_failed());
        self.store.close().await;
    }
}

fn files(folder: &Path) -> usize {
    let named = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".loge-backup");
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(named)
        .filter(|is| *is)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_brings_a_backup_and_a_missed_one_is_made_up_for() {
    let house = House::open().await;
    let second = house.folder("usb");
    house.vault.add_place(&second).await.unwrap();
    let shown = house.vault.show().await.unwrap();
    assert_eq!(shown.backups.len(), 0, "nothing is made before the first night");
    assert_eq!(shown.next_at, Some(UnixMs(START.0 + 15 * HOUR_MS + HOUR_MS / 2)));

    house.clock.advance_ms(16 * HOUR_MS);
    let is_copied = |s: &Shown| s.last_try.is_some() && s.backups.iter().any(|each| each.places.len() == 1);
    let shown = house.until("a backup and its copy", is_copied).await;
    assert_eq!(shown.backups.len(), 1);
    assert_eq!(shown.last_try.clone().unwrap().problem, None);
    assert_eq!(files(&second), 1);
    // It is proven at once, since none was, and not again.
    let shown = house.until("a proof", |s| s.proven_at.is_some()).await;
    assert!(shown.backups[0].is_proven);
    assert_eq!(shown.last_proof.unwrap().played.as_deref(), Some("Metropolis"));

    // The machine was off for three days: one backup makes up for them.
    house.clock.advance_ms(3 * DAY_MS);
    house.until("one more", |s| s.backups.len() == 2).await;
    house.clock.advance_ms(HOUR_MS);
    let shown = house.until("a look", |_| true).await;
    assert_eq!((shown.backups.len(), files(&second)), (2, 2));
    assert_eq!(house.stage.rehearsed.lock().unwrap().len(), 1, "the proof counts for a week");
    house.clock.advance_ms(5 * DAY_MS);
    house.until("the next proof", |s| s.last_proof.as_ref().is_some_and(|p| p.at_ms > START.0 + 8 * DAY_MS)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_without_people_and_one_that_wants_none_make_none() {
    let house = House::without_people(None).await;
    house.clock.advance_ms(10 * DAY_MS);
    house.vault.look_at_places();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(house.store.backup_record().await.unwrap().since_ms.is_none());
    house.add_owner().await;
    house.vault.set_plan(Some(false), None).await.unwrap();
    house.until("a look", |s| !s.is_on).await;
    house.clock.advance_ms(20 * DAY_MS);
    let shown = house.until("another look", |_| true).await;
    assert!(shown.backups.is_empty() && shown.next_at.is_none());
    assert_eq!(house.vault.health(), vault::Health::default());
    // The control: the same house makes one when it is asked to.
    house.vault.set_plan(Some(true), Some(0)).await.unwrap();
    house.until("a backup", |s| s.backups.len() == 1).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_away_is_said_and_gets_everything_once_it_is_back() {
    let house = House::open().await;
    let (second, elsewhere) = (house.folder("usb"), house.dir.path().join("unplugged"));
    house.vault.add_place(&second).await.unwrap();
    house.until("the place", |s| s.places[0].free_bytes.is_some()).await;
    // What stays behind when a disk is pulled out: an empty mount point.
    std::fs::rename(&second, &elsewhere).unwrap();
    std::fs::create_dir(&second).unwrap();
    let made = house.vault.back_up_now().await.unwrap();
    let shown = house.until("the problem", |s| s.places[0].problem.is_some()).await;
    assert!(shown.places[0].problem.as_ref().unwrap().contains("is not there"), "{shown:?}");
    assert_eq!((shown.places[0].waiting, files(&second)), (1, 0), "nothing is written beside the disk");
    assert!(house.vault.health().places_behind.is_empty(), "a day without the disk is no trouble");
    house.clock.advance_ms(4 * DAY_MS);
    house.until("a day", |s| s.backups.len() == 2).await;
    house.until("another look", |s| s.places[0].waiting == 2).await;
    house.until("the alert", |_| house.vault.health().places_behind.len() == 1).await;

    std::fs::remove_dir(&second).unwrap();
    std::fs::rename(&elsewhere, &second).unwrap();
    let shown = house.until("the copies", |s| s.places[0].waiting == 0 && s.places[0].problem.is_none()).await;
    assert_eq!(files(&second), 2);
    assert!(shown.backups.iter().any(|b| b.name == made.to_string() && b.places.len() == 1));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_not_the_data_folder_nor_named_twice_nor_invented() {
    let house = House::open().await;
    let second = house.folder("usb");
    let missing = house.dir.path().join("not-there");
    assert!(matches!(house.vault.add_place(&missing).await, Err(VaultError::Folder(_))));
    let inside = house.folder("data/backups");
    assert!(matches!(house.vault.add_place(&inside).await, Err(VaultError::InDataFolder)));
    house.vault.add_place(&second).await.unwrap();
    assert!(matches!(house.vault.add_place(&second).await, Err(VaultError::Known)));
    // The same disk at another mount point is the same place.
    let moved = house.dir.path().join("usb2");
    std::fs::rename(&second, &moved).unwrap();
    house.vault.add_place(&moved).await.unwrap();
    let shown = house.vault.show().await.unwrap();
    assert_eq!(shown.places.len(), 1);
    assert!(shown.places[0].path.ends_with("usb2"));
    house.vault.remove_place(&shown.places[0].mark).await.unwrap();
    assert!(matches!(house.vault.remove_place(&shown.places[0].mark).await, Err(VaultError::Unknown)));
    assert!(house.vault.show().await.unwrap().places.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_said_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let pass = dir.path().join("pass");
    let house = House::without_people(Some(pass.clone())).await;
    house.add_owner().await;
    house.until("a look", |_| true).await;
    let key = house.folder("data/keys").join("house.key");
    std::fs::write(&key, b"a key").unwrap();
    house.clock.advance_ms(16 * HOUR_MS);
    let shown = house.until("a failure", |s| s.last_try.is_some()).await;
    let problem = shown.last_try.unwrap().problem.unwrap();
    assert!(problem.contains("passphrase"), "{problem}");
    house.until("the alert", |_| house.vault.health().failed.as_ref() == Some(&problem)).await;
    assert!(shown.backups.is_empty() && files(&house.dir.path().join("data/backups")) == 0);
    // Not at once again, and soon.
    std::fs::write(&pass, "three legs and a tail\n").unwrap();
    let shown = house.until("a look", |_| true).await;
    assert!(shown.backups.is_empty());
    house.clock.advance_ms(61_000);
    let is_well = |s: &Shown| s.backups.len() == 1 && s.last_try.as_ref().is_some_and(|last| last.problem.is_none());
    let shown = house.until("the backup", is_well).await;
    house.until("calm", |_| house.vault.health().failed.is_none()).await;
    let file = shown.folder.join(&shown.backups[0].name);
    let backup = backup::Backup::open(&file).unwrap();
    assert_eq!(backup.manifest().key, backup::KeyState::Sealed);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_fails_is_said_and_the_owner_is_told_after_ten_days() {
    let house = House::open().await;
    *house.stage.problem.lock().unwrap() = Some("The house in the backup does not start.".into());
    house.clock.advance_ms(DAY_MS);
    let shown = house.until("a proof", |s| s.last_proof.is_some()).await;
    assert!(shown.proven_at.is_none() && !shown.backups[0].is_proven);
    assert_eq!(shown.last_proof.unwrap().problem.as_deref(), Some("The house in the backup does not start."));
    for _ in 0..10 {
        house.clock.advance_ms(DAY_MS);
        let now = house.clock.now().0;
        house.until("another proof", |s| s.last_proof.as_ref().is_some_and(|p| p.at_ms == now)).await;
    }
    house.until("the alert", |_| house.vault.health().unproven_days == Some(11)).await;
    // While somebody watches, nothing is tried out.
    house.stage.is_loud.store(true, Ordering::SeqCst);
    *house.stage.problem.lock().unwrap() = None;
    house.clock.advance_ms(DAY_MS);
    house.until("a quiet look", |s| s.backups[0].made_at == house.clock.now()).await;
    assert!(house.vault.show().await.unwrap().proven_at.is_none());
    house.stage.is_loud.store(false, Ordering::SeqCst);
    house.until("the proof", |s| s.proven_at.is_some()).await;
    house.until("calm", |_| house.vault.health().unproven_days.is_none()).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_proven_backup_stays_and_others_may_go() {
    let house = House::open().await;
    house.stage.is_loud.store(true, Ordering::SeqCst);
    let first = house.vault.back_up_now().await.unwrap().to_string();
    house.clock.advance_ms(5_000);
    let second = house.vault.back_up_now().await.unwrap().to_string();
    let mut events = house.bus.subscribe();
    house.vault.begin_proof(&first).await.unwrap();
    assert!(matches!(events.recv().await.unwrap().event, Event::Backups));
    house.until("the proof", |s| s.proven_at.is_some()).await;
    assert!(matches!(house.vault.delete(&first).await, Err(VaultError::OnlyProven)));
    house.vault.begin_proof(&second).await.unwrap();
    house.until("the other proof", |s| s.backups.iter().all(|b| b.is_proven)).await;
    house.vault.delete(&first).await.unwrap();
    let shown = house.until("the deletion", |s| s.backups.len() == 1).await;
    assert_eq!(shown.backups[0].name, second);
    for wrong in [first.as_str(), "../loge.db", "loge.db", ""] {
        assert!(matches!(house.vault.delete(wrong).await, Err(VaultError::Unknown)), "{wrong}");
        assert!(matches!(house.vault.begin_proof(wrong).await, Err(VaultError::Unknown)), "{wrong}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_of_an_earlier_version_is_backed_up_as_it_is() {
    use migration::MigratorTrait;
    let house = House::without_people(None).await;
    house.add_owner().await;
    let House { store, dir, lifecycle, clock, .. } = house;
    lifecycle.stop(Duration::from_secs(5)).await;
    store.close().await;
    let data = dir.path().join("data");
    let path = data.join("loge.db");
    let db = sea_orm::Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
    let known = migration::known_steps();
    // Before the oldest column that anything of today could ask for.
    migration::Migrator::down(&db, Some(u32::try_from(known.len() - 1).unwrap())).await.unwrap();
    db.close().await.unwrap();

    let database = Database::Sqlite(path.clone());
    let store = Store::open_as_is(database, Arc::new(clock), store::AsIs::Any).await.unwrap();
    let file = dir.path().join("before.loge-backup");
    let order = vault::Order { file: file.clone(), kind: vault::Kind::BeforeUpgrade, passphrase: None, images: None };
    vault::back_up(&store, &Dirs::at(&data), order).await.unwrap();
    store.close().await;
    let backup = backup::Backup::open(&file).unwrap();
    assert_eq!(backup.manifest().schema, known[..1]);
    assert_eq!(backup.manifest().counts.get("users"), Some(&1));
    assert_eq!(store::next_step(&path).await.unwrap().as_ref(), Some(&known[1]), "the house is as it was");
}
