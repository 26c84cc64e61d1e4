//! The segment cache through its public door: a real database, a real folder, and disks that fail.

use base::{Bus, Clock, Event, FakeClock, Lifecycle, UnixMs};
use domain::{
    FolderId, LibraryId, LibraryKind, Role, UserId,
    cache::{Pause, Quota, Window, on_disk},
    facts::Defect,
};
use loge_renditions::{
    SegmentCache,
    segments::{Disk, FilmKey, Folder, Piece, TrackKey, folder::Found},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::{Database, NewLibrary, NewUser, ScanChange, Store};

/// A real folder whose disk fails when it is told to.
struct Faulty {
    folder: Folder,
    /// Every operation answers this.
    error: Mutex<Option<i32>>,
    /// The operation with this number answers `EIO`, once.
    nth: AtomicU64,
    done: AtomicU64,
    hangs: Mutex<bool>,
    goes_on: Condvar,
    /// Bytes that lie there, and the most that ever did.
    lies: Mutex<(u64, u64)>,
}

impl Faulty {
    fn new(root: &Path) -> Arc<Self> {
        Arc::new(Self {
            folder: Folder::new(root.join("segments"), root.into()),
            error: Mutex::default(),
            nth: AtomicU64::new(u64::MAX),
            done: AtomicU64::new(0),
            hangs: Mutex::default(),
            goes_on: Condvar::new(),
            lies: Mutex::default(),
        })
    }
    fn fails(&self, error: Option<i32>) {
        *self.error.lock().unwrap() = error;
    }
    fn hangs(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
        self.goes_on.notify_all();
    }
    fn step(&self) -> io::Result<()> {
        let hangs = self.hangs.lock().unwrap();
        drop(self.goes_on.wait_while(hangs, |hangs| *hangs).unwrap());
        if self.done.fetch_add(1, Ordering::SeqCst) == self.nth.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.error.lock().unwrap().map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }
}

impl Disk for Faulty {
    fn identity(&self) -> io::Result<(u64, u64)> {
        self.folder.identity()
    }
    fn space(&self) -> io::Result<domain::cache::Space> {
        // A test machine may have less than the house wants to leave free.
        self.folder.space().map(|space| domain::cache::Space { is_own: true, free: space.total, ..space })
    }
    fn sweep(&self) -> io::Result<Vec<Found>> {
        self.step()?;
        self.folder.sweep()
    }
    fn write(&self, track: &TrackKey, piece: &Piece, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        {
            let mut lies = self.lies.lock().unwrap();
            lies.0 += on_disk(u64::from(piece.length));
            lies.1 = lies.1.max(lies.0);
        }
        self.folder.write(track, piece, bytes)
    }
    fn read(&self, track: &TrackKey, piece: &Piece) -> io::Result<Vec<u8>> {
        self.step()?;
        self.folder.read(track, piece)
    }
    fn remove(&self, track: &TrackKey, piece: &Piece) -> io::Result<()> {
        self.step()?;
        self.folder.remove(track, piece)?;
        self.lies.lock().unwrap().0 -= on_disk(u64::from(piece.length));
        Ok(())
    }
    fn try_out(&self) -> io::Result<()> {
        self.step()?;
        self.folder.try_out()
    }
}

type Windows = Arc<Mutex<Vec<(TrackKey, Window)>>>;

struct House {
    dir: tempfile::TempDir,
    store: Store,
    disk: Arc<Faulty>,
    windows: Windows,
    bus: Bus,
    lifecycle: Lifecycle,
    cache: SegmentCache,
    library: LibraryId,
    film: FilmKey,
}

const ANA: [u8; 16] = [1; 16];
const BO: [u8; 16] = [2; 16];

impl House {
    async fn open(quota: Quota) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::new(UnixMs(1_800_000_000_000), 7);
        let database = Database::Sqlite(dir.path().join("loge.db"));
        let store = Store::open(database, Arc::new(clock.clone())).await.unwrap();
        for (name, id) in [("Ana", ANA), ("Bo", BO)] {
            let new = NewUser {
                id: UserId::from_random(id),
                username: name.into(),
                password_hash: String::new(),
                role: Role::Admin,
                created_at: UnixMs(1),
            };
            store.create_user(&new).await.unwrap();
        }
        let library = LibraryId::from_random(clock.random_id());
        let folder = FolderId::from_random(clock.random_id());
        let folders = vec![(folder.clone(), dir.path().join("films"))];
        let new = NewLibrary { id: library.clone(), name: "Films".into(), kind: LibraryKind::Movies, folders };
        store.create_library(&new).await.unwrap();
        let found = ScanChange::Found {
            path: "film".into(),
            size_bytes: 9,
            mtime_ns: 9,
            inode: 9,
            name: "Film".into(),
            year: None,
            facts: Err(Defect::NotMedia),
        };
        store.apply_scan(&library, &folder, vec![found]).await.unwrap();
        let file = store.files_of_folder(&folder).await.unwrap().remove(0).id;
        let film = FilmKey { file, size: 9, mtime_ns: 9 };
        let (disk, windows, bus) = (Faulty::new(dir.path()), Windows::default(), Bus::new());
        let (cache, lifecycle) = begin(&disk, quota, &store, &windows, &bus);
        Self { dir, store, disk, windows, bus, lifecycle, cache, library, film }
    }

    /// As after a restart of the server.
    async fn again(mut self, quota: Quota) -> Self {
        self.lifecycle.stop(Duration::from_secs(5)).await;
        (self.cache, self.lifecycle) = begin(&self.disk, quota, &self.store, &self.windows, &self.bus);
        self
    }

    fn track(&self, user: [u8; 16], track: u8) -> TrackKey {
        TrackKey { user: UserId::from_random(user), film: self.film.clone(), track: [track; 16] }
    }
    fn root(&self) -> PathBuf {
        self.dir.path().join("segments")
    }

    async fn keep(&self, track: &TrackKey, number: u32, bytes: &[u8]) {
        self.cache.keep(track.clone(), number, bytes.to_vec());
        until("it is kept", async || self.cache.get(track, number).await.as_deref() == Some(bytes)).await;
    }

    async fn close(self) {
        self.lifecycle.stop(Duration::from_secs(5)).await;
    }
}

fn begin(disk: &Arc<Faulty>, quota: Quota, store: &Store, windows: &Windows, bus: &Bus) -> (SegmentCache, Lifecycle) {
    let (lifecycle, windows) = (Lifecycle::new(), windows.clone());
    let viewing = Arc::new(move || windows.lock().unwrap().clone());
    (SegmentCache::open(disk.clone(), quota, store.clone(), viewing, bus, &lifecycle), lifecycle)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What all files below take, and names that are no segment's.
fn lies(root: &Path) -> (u64, Vec<PathBuf>) {
    let (mut bytes, mut strays) = (0, vec![]);
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // Folders and files go while we look.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
                continue;
            }
            bytes += on_disk(about.len());
            if entry.path().extension().is_none_or(|e| e != "m4s") {
                strays.push(entry.path());
            }
        }
    }
    (bytes, strays)
}

const ROOMY: Quota = Quota { each: 1 << 30, total: 1 << 30 };

fn segment(number: u32, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n as u32 * 31 + number) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_outlives_the_server_and_is_one_persons() {
    let house = House::open(ROOMY).await;
    let (ana, bo) = (house.track(ANA, 1), house.track(BO, 1));
    for number in 0..5 {
        house.keep(&ana, number, &segment(number, 10_000)).await;
    }
    assert_eq!(house.cache.get(&bo, 0).await, None);
    let house = house.again(ROOMY).await;
    until("it is found again", async || house.cache.view().segments == 5).await;
    assert_eq!(house.cache.get(&ana, 3).await, Some(segment(3, 10_000)));
    assert_eq!((house.cache.view().used, house.cache.view().hits), (5 * on_disk(10_000), 1));
    assert_eq!(lies(&house.root()), (5 * on_disk(10_000), vec![]));

    // What was used last before the restart goes last after it.
    until("the oldest is the first to go", async || {
        house.cache.set_quota(Quota { each: ROOMY.each, total: on_disk(10_000) });
        house.cache.view().segments == 1
    })
    .await;
    assert!(house.cache.get(&ana, 3).await.is_some());

    house.cache.empty().await.unwrap();
    assert_eq!((house.cache.view().used, lies(&house.root()).0), (0, 0));
    assert_eq!(std::fs::read_dir(house.root()).unwrap().count(), 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_never_holds_more_than_the_quota_and_nothing_active_goes() {
    const EACH: u64 = 1 << 20;
    const TOTAL: u64 = 3 << 19;
    let house = House::open(Quota { each: EACH, total: TOTAL }).await;
    // Two people, two tracks each, who wander about and jump.
    let tracks = [house.track(ANA, 1), house.track(ANA, 2), house.track(BO, 1), house.track(BO, 2)];
    let mut place = [0_u32; 4];
    let mut served = 0;
    for round in 0..2500_u32 {
        let n = (round % 4) as usize;
        place[n] = match round.wrapping_mul(2_654_435_761) >> 28 {
            0 => round % 300,
            1 | 2 => place[n].saturating_sub(6),
            _ => place[n] + 1,
        };
        let number = place[n];
        *house.windows.lock().unwrap() =
            tracks.iter().zip(place).map(|(track, asked)| (track.clone(), Window { at: None, asked })).collect();
        let bytes = segment(number, 3000 + (number as usize * 37) % 9000);
        match house.cache.get(&tracks[n], number).await {
            Some(kept) => {
                assert!(kept == bytes, "other bytes came back");
                served += 1;
            }
            None => {
                house.cache.keep(tracks[n].clone(), number, bytes);
                tokio::task::yield_now().await;
            }
        }
        // What somebody is at was not taken between being kept and being seen.
        if round % 50 == 0 {
            until("orders are done", async || {
                house.cache.keep(tracks[n].clone(), number, segment(number, 3000 + (number as usize * 37) % 9000));
                house.cache.get(&tracks[n], number).await.is_some() || house.cache.view().unkept > 0
            })
            .await;
        }
    }
    let view = house.cache.view();
    let most = house.disk.lies.lock().unwrap().1;
    assert!(most <= TOTAL, "{most} of {TOTAL} bytes");
    assert!(view.people.iter().all(|(_, used)| *used <= EACH), "{view:?}");
    until("what is counted is what lies there", async || lies(&house.root()) == (house.cache.view().used, vec![]))
        .await;
    // The control: it was worth looking.
    assert!(view.left > 100 && served > 0 && most > TOTAL / 2, "{view:?} {served}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_to_be_seen_stays_however_little_room_there_is() {
    let house = House::open(ROOMY).await;
    let (ana, bo) = (house.track(ANA, 1), house.track(BO, 1));
    for number in 0..60 {
        house.keep(&ana, number, &segment(number, 4096)).await;
    }
    *house.windows.lock().unwrap() = vec![(ana.clone(), Window { at: Some(50), asked: 59 })];
    house.cache.set_quota(Quota { each: 10 * 4096, total: 10 * 4096 });
    until("the rest goes", async || house.cache.view().segments == 21).await;
    for number in 39..60 {
        assert!(house.cache.get(&ana, number).await.is_some(), "{number}");
    }
    // Somebody else's is not kept for it, and nothing goes in vain.
    house.cache.keep(bo.clone(), 0, segment(0, 4096));
    until("it was turned down", async || house.cache.view().unkept == 1).await;
    assert_eq!((house.cache.view().segments, house.cache.pause()), (21, None));
    // Once nobody is there any more, the quota holds again.
    house.windows.lock().unwrap().clear();
    until("the quota holds", async || house.cache.view().used <= 10 * 4096).await;
    house.keep(&bo, 1, &segment(1, 4096)).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trouble_of_a_disk_pauses_it_and_passes() {
    tokio::join!(
        trouble(28, Pause::Full, true),
        trouble(122, Pause::Full, true),
        trouble(30, Pause::ReadOnly, true),
        trouble(2, Pause::Missing, false),
        trouble(5, Pause::Failing, false),
    );
}

/// The disk answers `code` to everything for a while.
async fn trouble(code: i32, pause: Pause, still_reads: bool) {
    let house = House::open(ROOMY).await;
    let ana = house.track(ANA, 1);
    house.keep(&ana, 0, &segment(0, 5000)).await;
    house.disk.fails(Some(code));
    house.cache.keep(ana.clone(), 1, segment(1, 5000));
    until("it pauses", async || house.cache.pause() == Some(pause)).await;
    house.cache.keep(ana.clone(), 2, segment(2, 5000));
    assert_eq!(house.cache.get(&ana, 2).await, None);
    assert_eq!(lies(&house.root()).1, [] as [PathBuf; 0], "no half of anything");
    // A disk that is only full or read-only goes on giving.
    if still_reads {
        house.disk.fails(None);
        assert!(house.cache.get(&ana, 0).await.is_some());
    } else {
        assert_eq!(house.cache.get(&ana, 0).await, None);
    }
    // The control: while it lasts nothing changes.
    house.disk.fails(Some(code));
    let tried = house.disk.done.load(Ordering::SeqCst);
    until("it is tried again", async || house.disk.done.load(Ordering::SeqCst) > tried).await;
    assert_eq!(house.cache.pause(), Some(pause));
    house.disk.fails(None);
    until("it is over by itself", async || house.cache.pause().is_none()).await;
    house.keep(&ana, 3, &segment(3, 5000)).await;
    assert!(house.cache.get(&ana, 0).await.is_some(), "what was there is there");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_fails_what_is_counted_is_what_lies_there() {
    let mut failed = 0;
    for nth in 0..60 {
        let house = House::open(Quota { each: 10 * 4096, total: 10 * 4096 }).await;
        let ana = house.track(ANA, 1);
        house.disk.nth.store(nth, Ordering::SeqCst);
        for number in 0..20 {
            let before = house.disk.done.load(Ordering::SeqCst);
            house.cache.keep(ana.clone(), number, segment(number, 4096));
            until("the step is done", async || {
                house.disk.done.load(Ordering::SeqCst) > before || house.cache.pause().is_some()
            })
            .await;
            if let Some(bytes) = house.cache.get(&ana, number).await {
                assert!(bytes == segment(number, 4096));
            }
        }
        failed += u32::from(house.disk.done.load(Ordering::SeqCst) > nth);
        until("both agree", async || {
            let (bytes, strays) = lies(&house.root());
            bytes == house.cache.view().used && strays.is_empty() && bytes <= 10 * 4096
        })
        .await;
        house.close().await;
    }
    assert!(failed > 40, "the control: most runs had a step that failed: {failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_disk_that_hangs() {
    let house = House::open(ROOMY).await;
    let ana = house.track(ANA, 1);
    house.keep(&ana, 0, &segment(0, 5000)).await;
    house.disk.hangs(true);
    assert_eq!(house.cache.get(&ana, 0).await, None, "it is made again instead");
    assert_eq!(house.cache.pause(), Some(Pause::Slow));
    // Not even a thread is spent on it again.
    let asked = house.disk.done.load(Ordering::SeqCst);
    for number in 0..100 {
        assert_eq!(house.cache.get(&ana, 0).await, None);
        house.cache.keep(ana.clone(), number, segment(number, 5000));
    }
    house.disk.hangs(false);
    until("it is over by itself", async || house.cache.pause().is_none()).await;
    assert!(house.disk.done.load(Ordering::SeqCst) <= asked + 10);
    assert_eq!(house.cache.get(&ana, 0).await, Some(segment(0, 5000)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_films_that_are_gone_take_theirs_along() {
    let house = House::open(ROOMY).await;
    let (ana, bo) = (house.track(ANA, 1), house.track(BO, 1));
    house.keep(&ana, 0, &segment(0, 5000)).await;
    house.keep(&bo, 0, &segment(0, 5000)).await;
    house.store.delete_user(&bo.user).await.unwrap();
    house.bus.publish(Event::Users);
    until("hers alone are left", async || house.cache.view().people.len() == 1).await;
    assert!(house.cache.get(&ana, 0).await.is_some());

    // Of another version of the film, while the house was closed.
    let old = TrackKey { film: FilmKey { mtime_ns: 8, ..house.film.clone() }, ..ana.clone() };
    house.disk.folder.write(&old, &Piece::of(0, b"old").unwrap(), b"old").unwrap();
    let strange = house.root().join("00000000000000000000000000000009");
    std::fs::create_dir(&strange).unwrap();
    let house = house.again(ROOMY).await;
    until("only this version is left", async || lies(&house.root()).0 == on_disk(5000)).await;
    assert!(!strange.exists());

    let library = house.library.clone();
    house.store.delete_library(&library).await.unwrap();
    house.bus.publish(Event::Library { library });
    until("nothing is left", async || lies(&house.root()).0 == 0 && house.cache.view().segments == 0).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_is_not_shown_and_a_lost_folder_is_made_again() {
    let house = House::open(ROOMY).await;
    let ana = house.track(ANA, 1);
    let bytes = segment(0, 5000);
    house.keep(&ana, 0, &bytes).await;
    let (mut folder, mut file) = (house.root(), None);
    while file.is_none() {
        let entry = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        if entry.is_dir() { folder = entry } else { file = Some(entry) }
    }
    std::fs::write(file.unwrap(), segment(1, 5000)).unwrap();
    assert_eq!(house.cache.get(&ana, 0).await, None);
    until("it is gone", async || house.cache.view().segments == 0 && lies(&house.root()).0 == 0).await;
    house.keep(&ana, 0, &bytes).await;

    std::fs::remove_dir_all(house.root()).unwrap();
    assert_eq!(house.cache.get(&ana, 0).await, None);
    until("it begins anew", async || {
        house.cache.keep(ana.clone(), 1, segment(1, 5000));
        house.cache.get(&ana, 1).await.is_some()
    })
    .await;
    assert_eq!(lies(&house.root()).0, house.cache.view().used);
    house.close().await;
}
