//! A store to try things on, and the things that most tests put into it.

use base::{Clock, FakeClock, UnixMs};
use domain::{
    FolderId, LibraryId, LibraryKind, Role, SessionId, TitleId, UserId,
    facts::{AudioFacts, Chapter, Container, Defect, FileFacts, VideoFacts},
};
use sea_orm::ConnectionTrait;
use std::{path::PathBuf, sync::Arc};
use store::{Database, NewLibrary, NewUser, ScanChange, Store, TitleQuery, TitleSort, User};

pub const START: UnixMs = UnixMs(1_790_000_000_000);
pub const SQLITE: &str = "sqlite";
pub const POSTGRES: &str = "postgres";

/// Makes one test out of a function for each database.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(house) = $crate::house::House::open($crate::house::SQLITE).await {
                    super::$name(&house).await;
                    house.clear().await;
                }
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(house) = $crate::house::House::open($crate::house::POSTGRES).await {
                    super::$name(&house).await;
                    house.clear().await;
                }
            })+
        }
    };
}
pub(crate) use on_both;

pub struct House {
    pub store: Store,
    pub clock: FakeClock,
    pub database: Database,
    pub dir: tempfile::TempDir,
    schema: Option<(String, String)>,
}

impl House {
    pub async fn open(kind: &str) -> Option<Self> {
        let clock = FakeClock::new(START, seed());
        let dir = tempfile::tempdir().unwrap();
        let (database, schema) = if kind == SQLITE {
            (Database::Sqlite(dir.path().join("loge.db")), None)
        } else {
            let Empty { database, server, schema } = Empty::schema().await?;
            (database, Some((server, schema)))
        };
        let store = Store::open(database.clone(), Arc::new(clock.clone())).await.unwrap();
        Some(Self { store, clock, database, dir, schema })
    }

    /// The same database opened once more, as after a restart or by another process.
    pub async fn again(&self) -> Store {
        Store::open(self.database.clone(), Arc::new(self.clock.clone())).await.unwrap()
    }

    pub async fn clear(self) {
        self.store.close().await;
        if let Some((url, schema)) = self.schema {
            sql(&url, &format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }

    /// SQL behind the store's back.
    pub async fn tamper(&self, text: &str) {
        match &self.database {
            Database::Sqlite(path) => sql(&format!("sqlite://{}", path.display()), text).await,
            Database::Url(url) => sql(url, text).await,
        }
    }

    pub fn user_id(&self) -> UserId {
        UserId::from_random(self.clock.random_id())
    }

    pub fn new_user(&self, name: &str, role: Role) -> NewUser {
        NewUser {
            id: self.user_id(),
            username: name.into(),
            password_hash: "$hash".into(),
            role,
            created_at: self.clock.now(),
        }
    }

    pub async fn user(&self, name: &str, role: Role) -> User {
        self.store.create_user(&self.new_user(name, role)).await.unwrap()
    }

    pub fn session_id(&self) -> SessionId {
        SessionId::from_random(self.clock.random_id())
    }

    pub async fn library(&self, name: &str) -> (LibraryId, FolderId) {
        let folder = FolderId::from_random(self.clock.random_id());
        let new = NewLibrary {
            id: LibraryId::from_random(self.clock.random_id()),
            name: name.into(),
            kind: LibraryKind::Movies,
            folders: vec![(folder.clone(), PathBuf::from(format!("/films/{name}")))],
        };
        (self.store.create_library(&new).await.unwrap().id, folder)
    }

    pub async fn title(&self, library: &LibraryId, folder: &FolderId, name: &str) -> TitleId {
        let found = found(name, None, Ok(facts(Container::Mp4, "h264", 100_000)));
        self.store.apply_scan(library, folder, vec![found]).await.unwrap().titles.pop().unwrap()
    }
}

/// A schema of PostgreSQL in which nothing is.
pub struct Empty {
    pub database: Database,
    server: String,
    schema: String,
}

impl Empty {
    pub async fn schema() -> Option<Self> {
        let Ok(server) = std::env::var("LOGE_TEST_POSTGRES_URL") else {
            eprintln!("skipped: LOGE_TEST_POSTGRES_URL is not set");
            return None;
        };
        let schema = format!("loge_{:016x}", seed());
        sql(&server, &format!("CREATE SCHEMA {schema}")).await;
        let mark = if server.contains('?') { '&' } else { '?' };
        let database = Database::Url(format!("{server}{mark}options[search_path]={schema}"));
        Some(Self { database, server, schema })
    }

    pub async fn clear(self) {
        sql(&self.server, &format!("DROP SCHEMA {} CASCADE", self.schema)).await;
    }
}

async fn sql(url: &str, text: &str) {
    let db = sea_orm::Database::connect(url).await.unwrap();
    db.execute_unprepared(text).await.unwrap();
    db.close().await.unwrap();
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    base::SystemClock.random(&mut bytes);
    u64::from_le_bytes(bytes)
}

pub fn facts(container: Container, codec: &str, duration_ms: u64) -> FileFacts {
    FileFacts {
        container,
        duration_ms,
        bitrate: Some(u64::MAX),
        start_ms: 0,
        compressed: false,
        is_length_found: false,
        video: Some(VideoFacts {
            profile: Some("High".into()),
            level: Some(41),
            pixel_aspect: Some((64, 45)),
            bit_depth: Some(8),
            frame_rate: Some(23.976),
            primaries: Some("bt2020".into()),
            ..VideoFacts::plain(codec, 1920, 1080)
        }),
        audio: vec![AudioFacts {
            has_channel_map: true,
            sample_rate_hz: Some(48_000),
            language: Some("de".into()),
            default: true,
            ..AudioFacts::plain(0, "aac", 2)
        }],
        subtitles: vec![],
        chapters: vec![Chapter { start_ms: 0, end_ms: 90_000, title: Some("Anfang".into()) }],
    }
}

pub fn found(name: &str, year: Option<u16>, facts: Result<FileFacts, Defect>) -> ScanChange {
    ScanChange::Found {
        path: format!("{name}.mp4").into_bytes(),
        size_bytes: u64::MAX,
        mtime_ns: -5,
        inode: u64::MAX - 1,
        name: name.into(),
        year,
        facts,
    }
}

pub fn query(user: &User, sort: TitleSort) -> TitleQuery {
    TitleQuery {
        user: user.id.clone(),
        role: user.role,
        library: None,
        search: None,
        sort,
        descending: false,
        playability: None,
        cursor: None,
        limit: 500,
    }
}
