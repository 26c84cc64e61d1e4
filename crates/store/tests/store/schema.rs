use crate::house::{House, SQLITE, on_both};
use domain::Role;
use migration::MigratorTrait;
use std::path::Path;
use std::sync::Arc;
use store::{AsIs, Database, OpenError, Settings, Store, StoreError, check_copy};

on_both!(a_newer_schema_is_refused, steps_go_up_and_down, permission_for_reduced_isolation_is_asked_for_again);

async fn a_newer_schema_is_refused(house: &House) {
    house.user("ana", Role::Viewer).await;
    house.tamper("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_01_01_000001_future', 0)").await;
    let error = Store::open(house.database.clone(), Arc::new(house.clock.clone())).await.err().unwrap();
    assert!(matches!(&error, OpenError::NewerSchema { step } if step.contains("2099")), "{error}");
    assert!(error.to_string().contains("newer Loge"), "{error}");
    house.tamper("DELETE FROM seaql_migrations WHERE version LIKE 'm2099%'").await;
    assert_eq!(house.again().await.users().await.unwrap().len(), 1, "control: nothing was changed");
}

async fn steps_go_up_and_down(house: &House) {
    let url = match &house.database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Url(url) => url.clone(),
    };
    let db = sea_orm::Database::connect(url).await.unwrap();
    let manager = migration::SchemaManager::new(&db);
    assert!(manager.has_table("titles").await.unwrap());
    for _ in 0..2 {
        migration::Migrator::down(&db, None).await.unwrap();
        for table in ["users", "titles", "files", "audit", "settings"] {
            assert!(!manager.has_table(table).await.unwrap(), "{table} stayed");
        }
        migration::Migrator::up(&db, None).await.unwrap();
    }
    db.close().await.unwrap();
    let again = house.again().await;
    assert!(again.users().await.unwrap().is_empty());
    again.close().await;
}

/// A permission that was given cannot be told from the default of before.
async fn permission_for_reduced_isolation_is_asked_for_again(house: &House) {
    // A name that looks like the setting is a name.
    let name = r#"the "allow_reduced_isolation":true house"#;
    let stored =
        Settings { server_name: name.into(), max_viewers: 3, allow_reduced_isolation: true, ..Settings::default() };
    house.store.change_settings(|s| *s = stored.clone()).await.unwrap();
    let opened = async || {
        let again = house.again().await;
        let settings = again.settings().await.unwrap();
        again.close().await;
        settings
    };
    assert_eq!(opened().await, stored, "control: what is allowed today stays allowed");
    house.tamper("DELETE FROM seaql_migrations WHERE version = 'm2026_12_01_000011_permission'").await;
    assert_eq!(opened().await, Settings { allow_reduced_isolation: false, ..stored });
}

#[tokio::test]
async fn sqlite_is_set_up_as_promised() {
    let Some(house) = House::open(SQLITE).await else { return };
    let pragmas = house.store.pragmas().await.unwrap();
    let want = [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"), ("busy_timeout", "5000")];
    for (name, value) in want {
        assert_eq!(pragmas.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(pragmas.get("journal_size_limit").map(String::as_str), Some("67108864"));
    house.clear().await;
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loge.db");
    std::fs::write(&path, "this is no database, but some text that is long enough for a header".repeat(100)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let clock = Arc::new(base::SystemClock);
    let error = Store::open(Database::Sqlite(path.clone()), clock.clone()).await.err().unwrap();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let error = Store::open(Database::Sqlite(dir.path().join("no/such/loge.db")), clock.clone()).await.err().unwrap();
    assert!(error.to_string().contains("loge.db"), "{error}");
    assert!(matches!(Store::open(Database::Url("mysql://x".into()), clock).await.err(), Some(OpenError::UnknownUrl)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_a_whole_house() {
    let Some(house) = House::open(SQLITE).await else { return };
    house.user("ana", Role::Viewer).await;
    let odd = house.dir.path().join("a 'copy' ?x=%20.db");
    house.store.vacuum_into(&odd).await.unwrap();
    let copy = Store::open(Database::Sqlite(odd.clone()), Arc::new(house.clock.clone())).await.unwrap();
    assert_eq!(copy.users().await.unwrap().len(), 1);
    copy.close().await;
    assert!(matches!(house.store.vacuum_into(&odd).await, Err(StoreError::Write { .. })), "never over another file");
    house.clear().await;
}

/// Returns the steps a file has taken, read by a connection of the test's own.
async fn steps_of(path: &Path) -> Vec<String> {
    use sea_orm::{ConnectionTrait, DbBackend, Statement};
    let db = sea_orm::Database::connect(format!("sqlite://{}?mode=ro", path.display())).await.unwrap();
    let sql = Statement::from_string(DbBackend::Sqlite, "SELECT version FROM seaql_migrations ORDER BY version");
    let rows = db.query_all_raw(sql).await.unwrap();
    let steps = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    db.close().await.unwrap();
    steps
}

/// Returns a closed house whose database has taken only so many steps.
async fn of_earlier_version(steps: usize) -> House {
    let house = House::open(SQLITE).await.unwrap();
    house.store.clone().close().await;
    let Database::Sqlite(path) = &house.database else { panic!("it is a file") };
    let db = sea_orm::Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
    let back = u32::try_from(migration::known_steps().len() - steps).unwrap();
    migration::Migrator::down(&db, Some(back)).await.unwrap();
    db.close().await.unwrap();
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_never_changes_the_schema() {
    let known = migration::known_steps();
    let house = of_earlier_version(known.len() - 1).await;
    let Database::Sqlite(path) = &house.database else { panic!("it is a file") };
    let clock = Arc::new(house.clock.clone());
    let refused = Store::open_as_is(house.database.clone(), clock.clone(), AsIs::Exact).await.err().unwrap();
    assert!(matches!(&refused, OpenError::OlderSchema { step } if *step == known[known.len() - 1]), "{refused}");

    let copy = house.dir.path().join("before.db");
    let store = Store::open_as_is(house.database.clone(), clock.clone(), AsIs::Any).await.unwrap();
    store.vacuum_into(&copy).await.unwrap();
    store.close().await;
    assert_eq!(steps_of(path).await, known[..known.len() - 1]);
    assert_eq!(steps_of(&copy).await, known[..known.len() - 1], "the earlier version takes the copy back");
    assert!(!house.dir.path().join("backups").exists(), "nothing was to be changed, so nothing was copied");

    Store::open(house.database.clone(), clock).await.unwrap().close().await;
    assert_eq!(steps_of(path).await, known, "the control: opening to serve changes it");
    house.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_before_the_first_step_of_every_update() {
    let known = migration::known_steps();
    for taken in 1..known.len() {
        let house = of_earlier_version(taken).await;
        let Database::Sqlite(path) = &house.database else { panic!("it is a file") };
        assert_eq!(store::next_step(path).await.unwrap().as_ref(), Some(&known[taken]));
        Store::open(house.database.clone(), Arc::new(house.clock.clone())).await.unwrap().close().await;
        let copy = house.dir.path().join("backups").join(format!("pre-{}.db", known[taken]));
        check_copy(&copy).await.unwrap();
        assert_eq!(steps_of(&copy).await, known[..taken]);
        assert_eq!(store::next_step(path).await.unwrap(), None);
        house.again().await.close().await;
        let copies = std::fs::read_dir(house.dir.path().join("backups")).unwrap().count();
        assert_eq!(copies, 1, "an open without a step makes no copy");
        house.clear().await;
    }
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    use sea_orm::ConnectionTrait;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("loge.db");
    let db = sea_orm::Database::connect(format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    db.execute_unprepared("CREATE TABLE songs (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    db.close().await.unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(Database::Sqlite(path.clone()), Arc::new(base::SystemClock)).await.err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "not even its journal mode");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_found_before_anything_is_written() {
    let Some(house) = House::open(SQLITE).await else { return };
    house.user("ana", Role::Viewer).await;
    house.store.clone().close().await;
    let Database::Sqlite(path) = house.database.clone() else { panic!("it is a file") };
    check_copy(&path).await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(2) {
        page.fill(0xA5);
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = Store::open(house.database.clone(), Arc::new(house.clock.clone())).await.err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(check_copy(&path).await.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    house.clear().await;
}
