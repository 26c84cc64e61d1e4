use crate::house::{House, SQLITE, on_both};
use domain::Role;
use migration::MigratorTrait;
use std::sync::Arc;
use store::{Database, OpenError, Settings, Store, StoreError};

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

/// Nobody can tell a permission that was given from the default of before.
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
    assert!(
        matches!(error, OpenError::Connect { .. } | OpenError::Check { .. } | OpenError::Damaged { .. }),
        "{error}"
    );
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
