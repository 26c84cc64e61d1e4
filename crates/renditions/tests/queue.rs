//! The queue through its public door: a real database, a real folder, and a studio that says which
//! part it was asked for.

use async_trait::async_trait;
use base::{Bus, Clock, FakeClock, Lifecycle, UnixMs};
use contract::{FileRef, Track, Wanted};
use domain::{
    FolderId, JobId, LibraryId, LibraryKind, RenditionState, UserId,
    facts::{AudioFacts, Container, FileFacts, VideoFacts},
    night::ShiftState,
    rendition::Conditions,
};
use loge_renditions::{HouseView, RenditionView, Renditions, Studio, StudioError};
use media::hls::{
    TICKS,
    index::{KeyframeIndex, Point, PointKind},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{Database, FileRow, NewLibrary, NightShift, ScanChange, Store};

/// Makes parts up to `until`, and remembers what it was asked.
#[derive(Default)]
struct FakeStudio {
    until: Mutex<u32>,
    asked: Mutex<Vec<String>>,
    unfit: Mutex<bool>,
    /// A sound that cannot be made from its fourth part on.
    unfit_sound: Mutex<Option<u8>>,
}

impl FakeStudio {
    fn count(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|a| a.starts_with(word)).count()
    }
    fn let_go(&self, until: u32) {
        *self.until.lock().unwrap() = until;
    }
}

#[async_trait]
impl Studio for FakeStudio {
    async fn index(&self, _: FileRef, _: u32) -> Result<Vec<u8>, StudioError> {
        // A film of a minute: thirty segments.
        let points: Vec<Point> =
            (0..30).map(|n| Point { pts: n * 2 * TICKS, first: n * 2 * TICKS, kind: PointKind::Clean }).collect();
        Ok(KeyframeIndex { picture: 0, points, end: 60 * TICKS, frame: 3600, audio: vec![] }.to_bytes())
    }
    async fn init(&self, _: FileRef, _: Track, _: u32) -> Result<Vec<u8>, StudioError> {
        Ok(b"init".to_vec())
    }
    async fn segment(&self, file: FileRef, track: Track, wanted: Wanted, _: u32) -> Result<Vec<u8>, StudioError> {
        if *self.unfit.lock().unwrap() {
            return Err(StudioError::Unfit("no film".into()));
        }
        if let Track::AudioEncode { index } = track
            && *self.unfit_sound.lock().unwrap() == Some(index)
            && wanted.number == 3
        {
            return Err(StudioError::Unfit("a codec nobody knows".into()));
        }
        let kind = if matches!(track, Track::VideoEncode { .. }) { "picture" } else { "sound" };
        let name = String::from_utf8_lossy(&file.path).into_owned();
        self.asked.lock().unwrap().push(format!("{kind} {} of {name}", wanted.number));
        while *self.until.lock().unwrap() <= wanted.number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(format!("{kind} {}", wanted.number).into_bytes())
    }
    async fn rest(&self, _: FileRef, _: Track) {
        self.asked.lock().unwrap().push("rest".into());
    }
}

#[derive(Default)]
struct FakeHouse(Mutex<(Conditions, u16)>);

impl HouseView for FakeHouse {
    fn conditions(&self) -> Conditions {
        self.0.lock().unwrap().0
    }
    fn minute_of_day(&self) -> u16 {
        self.0.lock().unwrap().1
    }
}

struct Room {
    dir: tempfile::TempDir,
    store: Store,
    studio: Arc<FakeStudio>,
    house: Arc<FakeHouse>,
    clock: FakeClock,
    lifecycle: Lifecycle,
    renditions: Renditions,
}

impl Room {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FakeClock::new(UnixMs(1_800_000_000_000), 7);
        let database = Database::Sqlite(dir.path().join("loge.db"));
        let store = Store::open(database, Arc::new(clock.clone())).await.unwrap();
        let (studio, house) = (Arc::<FakeStudio>::default(), Arc::<FakeHouse>::default());
        let (renditions, lifecycle) = Self::begin(&dir, &store, &studio, &house, &clock);
        Self { dir, store, studio, house, clock, lifecycle, renditions }
    }

    fn begin(
        dir: &tempfile::TempDir,
        store: &Store,
        studio: &Arc<FakeStudio>,
        house: &Arc<FakeHouse>,
        clock: &FakeClock,
    ) -> (Renditions, Lifecycle) {
        let lifecycle = Lifecycle::new();
        let folder = dir.path().join("renditions");
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let room =
            Renditions::open(folder, store.clone(), studio.clone(), house.clone(), clock, Bus::new(), &lifecycle);
        (room.unwrap(), lifecycle)
    }

    /// As after a restart of the server.
    async fn again(mut self) -> Self {
        self.lifecycle.stop(Duration::from_secs(5)).await;
        (self.renditions, self.lifecycle) = Self::begin(&self.dir, &self.store, &self.studio, &self.house, &self.clock);
        self
    }

    async fn film(&self, name: &str) -> FileRow {
        self.film_with(name, 1).await
    }

    async fn film_with(&self, name: &str, sounds: usize) -> FileRow {
        let library = LibraryId::from_random(self.clock.random_id());
        let folder = FolderId::from_random(self.clock.random_id());
        let folders = vec![(folder.clone(), self.dir.path().join(name))];
        let new = NewLibrary { id: library.clone(), name: name.into(), kind: LibraryKind::Movies, folders };
        self.store.create_library(&new).await.unwrap();
        let video = VideoFacts { bit_depth: Some(8), frame_rate: Some(25.0), ..VideoFacts::plain("hevc", 1920, 1080) };
        let audio =
            |track| AudioFacts { sample_rate_hz: Some(48_000), default: true, ..AudioFacts::plain(track, "ac3", 6) };
        let facts = FileFacts {
            container: Container::Mkv,
            duration_ms: 60_000,
            start_ms: 0,
            compressed: false,
            is_length_found: false,
            bitrate: None,
            video: Some(video),
            audio: (0..).take(sounds).map(audio).collect(),
            subtitles: vec![],
            chapters: vec![],
        };
        let found = ScanChange::Found {
            path: name.into(),
            size_bytes: 9,
            mtime_ns: 9,
            inode: 9,
            name: name.into(),
            year: None,
            facts: Ok(facts),
        };
        self.store.apply_scan(&library, &folder, vec![found]).await.unwrap();
        let known = self.store.files_of_folder(&folder).await.unwrap().remove(0);
        self.store.file(&known.id).await.unwrap().unwrap()
    }

    async fn prepare(&self, film: &FileRow, lines: u32) -> JobId {
        let olga = UserId::from_random([1; 16]);
        self.renditions.prepare(film, lines, Some(&olga)).await.unwrap().unwrap()
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&[RenditionView]) -> bool) -> Vec<RenditionView> {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let list = self.renditions.list().await.unwrap();
            if holds(&list) {
                return list;
            }
            assert!(tokio::time::Instant::now() < end, "{what} did not happen: {list:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut self.house.0.lock().unwrap().0);
    }
}

fn is(list: &[RenditionView], id: &JobId, state: RenditionState) -> bool {
    list.iter().any(|v| v.row.id == *id && v.state == state)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_still_for_viewers_and_goes_on_where_it_was() {
    let room = Room::open().await;
    let film = room.film("a").await;
    room.studio.let_go(20);
    let id = room.prepare(&film, 720).await;
    room.until("twenty parts", |_| room.studio.count("picture 20") == 1).await;
    assert_eq!(room.renditions.lines_of(&film).await.unwrap(), [0; 0], "half a version is none");
    room.conditions(|now| now.viewers = 1);
    let held = room.until("a hold", |list| is(list, &id, RenditionState::Paused)).await;
    assert!(held[0].reason.as_deref().unwrap().contains("watching") && held[0].progress > 0.4, "{held:#?}");
    assert_eq!(room.studio.count("rest"), 1, "the encoder was told");

    // The server restarts while somebody watches: nothing is asked for, and nothing is lost.
    let room = room.again().await;
    room.until("a hold again", |list| is(list, &id, RenditionState::Paused)).await;
    assert_eq!(room.studio.count("picture 20"), 1);
    room.studio.let_go(99);
    room.conditions(|now| now.viewers = 0);
    room.until("the end", |list| is(list, &id, RenditionState::Done)).await;
    for number in 0..30 {
        let times = room.studio.count(&format!("picture {number} of"));
        assert_eq!(times, if number == 20 { 2 } else { 1 }, "part {number}");
    }
    let stored = room.renditions.stored(&film, 720).await.unwrap().unwrap();
    let slice = stored.slice("a-0", Some(3)).unwrap();
    let mut bytes = vec![0; usize::try_from(slice.length).unwrap()];
    std::os::unix::fs::FileExt::read_exact_at(&*slice.file, &mut bytes, slice.offset).unwrap();
    assert_eq!(bytes, b"sound 3");
    assert_eq!(room.renditions.lines_of(&film).await.unwrap(), [720]);

    // Another film under the name: not played from now on, and soon not there.
    let other = FileRow { mtime_ns: 10, ..film.clone() };
    assert!(room.renditions.stored(&other, 720).await.unwrap().is_none());
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_has_levers() {
    let room = Room::open().await;
    let (a, b) = (room.film("a").await, room.film("b").await);
    room.studio.let_go(3);
    let (first, second) = (room.prepare(&a, 720).await, room.prepare(&b, 480).await);
    room.until("the first runs", |list| is(list, &first, RenditionState::Running)).await;
    room.until("it is at its third part", |_| room.studio.count("picture 3 of a") == 1).await;
    let olga = UserId::from_random([1; 16]);
    room.renditions.first(&second, &olga).await.unwrap();
    room.until("the second runs", |list| is(list, &second, RenditionState::Running)).await;
    room.renditions.pause(&second).await.unwrap();
    let list = room.until("the first again", |list| is(list, &first, RenditionState::Running)).await;
    assert!(is(&list, &second, RenditionState::Paused));
    room.renditions.remove(&first).await.unwrap();
    room.studio.let_go(99);
    let left = room.until("the first is gone", |list| list.len() == 1).await;
    assert!(is(&left, &second, RenditionState::Paused), "what the owner holds stays held");
    room.renditions.resume(&second).await.unwrap();
    room.until("the second is done", |list| is(list, &second, RenditionState::Done)).await;
    room.renditions.remove(&second).await.unwrap();
    let folders = std::fs::read_dir(room.dir.path().join("renditions")).unwrap().count();
    assert_eq!(folders, 0, "nothing stays behind");
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_fails_and_can_be_tried_anew() {
    let room = Room::open().await;
    let film = room.film("a").await;
    *room.studio.unfit.lock().unwrap() = true;
    let id = room.prepare(&film, 720).await;
    let failed = room.until("it fails", |list| is(list, &id, RenditionState::Failed)).await;
    assert!(failed[0].reason.is_some());
    *room.studio.unfit.lock().unwrap() = false;
    room.studio.let_go(99);
    let again = room.prepare(&film, 720).await;
    room.until("it is made", |list| is(list, &again, RenditionState::Done)).await;
    // Somebody damages its files: it is not played, and says so.
    let file = room.dir.path().join("renditions").join(again.as_str()).join("v.m4s");
    std::fs::write(file, b"x").unwrap();
    assert!(room.renditions.stored(&film, 720).await.unwrap().is_none());
    room.until("it is no longer there", |list| is(list, &again, RenditionState::Failed)).await;
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_space_is_kept_to() {
    let room = Room::open().await;
    room.studio.let_go(99);
    let (old, new) = (room.film("a").await, room.film("b").await);
    let cap = domain::rendition::expected_bytes(720, 1, 60_000) + 100;
    let shift = NightShift { cap_bytes: cap, ..NightShift::default() };
    room.renditions.set_night_shift(&shift).await.unwrap();
    let first = room.prepare(&old, 720).await;
    room.until("the first", |list| is(list, &first, RenditionState::Done)).await;
    let second = room.prepare(&new, 720).await;
    let held = room.until("no room", |list| is(list, &second, RenditionState::Paused)).await;
    assert!(held[0].reason.as_deref().unwrap().contains("space"), "{held:#?}");
    // What may be playing stays; a day later nobody plays it any more.
    room.clock.advance_ms(24 * 3_600_000);
    let list = room.until("room was made", |list| is(list, &second, RenditionState::Done)).await;
    assert_eq!(list.len(), 1, "{list:#?}");
    assert!(room.renditions.stored(&old, 720).await.unwrap().is_none());
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_too_large_lets_smaller_ones_go_before_it() {
    let room = Room::open().await;
    room.studio.let_go(3);
    let (large, small, last) = (room.film("a").await, room.film("b").await, room.film("c").await);
    let cap = async |lines: u32, times: u64| {
        let cap_bytes = domain::rendition::expected_bytes(lines, 1, 60_000) * times + 100;
        room.renditions.set_night_shift(&NightShift { cap_bytes, ..NightShift::default() }).await.unwrap();
    };
    cap(480, 1).await;
    let first = room.prepare(&large, 720).await;
    room.until("no room for it", |list| is(list, &first, RenditionState::Paused)).await;
    let second = room.prepare(&small, 480).await;
    let list = room.until("the small one is made", |list| is(list, &second, RenditionState::Running)).await;
    assert!(is(&list, &first, RenditionState::Queued), "{list:#?}");
    assert!(list[0].reason.as_deref().unwrap().contains("smaller ones go before it"), "{list:#?}");
    // With more room it is its turn at once, and the other one's after it.
    cap(720, 3).await;
    let list = room.until("it is made", |list| is(list, &first, RenditionState::Running)).await;
    assert!(is(&list, &second, RenditionState::Queued) && list[1].reason.is_none(), "{list:#?}");
    let third = room.prepare(&last, 480).await;
    room.studio.let_go(99);
    for id in [&first, &second, &third] {
        room.until("all of them", |list| is(list, id, RenditionState::Done)).await;
    }
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_has_every_sound_that_can_be_made() {
    let room = Room::open().await;
    room.studio.let_go(99);
    *room.studio.unfit_sound.lock().unwrap() = Some(1);
    let film = room.film_with("a", 3).await;
    let id = room.prepare(&film, 480).await;
    room.until("it is made", |list| is(list, &id, RenditionState::Done)).await;
    let stored = room.renditions.stored(&film, 480).await.unwrap().unwrap();
    assert_eq!(["a-0", "a-1", "a-2"].map(|name| stored.has(name)), [true, false, true]);
    assert!(stored.slice("a-2", Some(4)).is_some());
    // The one that plays unless somebody chooses another must be there.
    *room.studio.unfit_sound.lock().unwrap() = Some(0);
    let id = room.prepare(&film, 720).await;
    room.until("it fails", |list| is(list, &id, RenditionState::Failed)).await;
    room.lifecycle.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_shift_works_at_night() {
    let room = Room::open().await;
    let film = room.film("a").await;
    room.studio.let_go(5);
    let shift = NightShift { enabled: true, from_minute: 1380, to_minute: 300, ..NightShift::default() };
    room.house.0.lock().unwrap().1 = 12 * 60;
    room.renditions.set_night_shift(&shift).await.unwrap();
    assert_eq!(room.renditions.shift_state(), ShiftState::Waiting);
    room.house.0.lock().unwrap().1 = 60;
    // Looked at again at once, as after any change.
    room.renditions.set_night_shift(&shift).await.unwrap();
    let list = room.until("it picks the film", |list| list.iter().any(|v| v.state == RenditionState::Running)).await;
    assert_eq!((list[0].row.lines, &list[0].row.wanted_by), (720, &None));
    assert_eq!(room.renditions.shift_state(), ShiftState::Working);
    room.until("it is at its fifth part", |_| room.studio.count("picture 5") == 1).await;
    // The morning comes.
    room.house.0.lock().unwrap().1 = 300;
    let waits =
        room.until("it rests", |list| list[0].state == RenditionState::Queued && room.studio.count("rest") == 1);
    assert!(waits.await[0].reason.as_deref().unwrap().contains("night"));
    // Who wants it by day says so.
    room.studio.let_go(99);
    let id = room.prepare(&film, 720).await;
    room.until("it is made", |list| is(list, &id, RenditionState::Done)).await;
    room.house.0.lock().unwrap().1 = 60;
    room.renditions.set_night_shift(&shift).await.unwrap();
    room.until("nothing is left", |_| room.renditions.shift_state() == ShiftState::Done).await;
    room.lifecycle.stop(Duration::from_secs(5)).await;
}
