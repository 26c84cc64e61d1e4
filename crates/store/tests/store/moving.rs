//! A house whose every table is full of odd things moves to PostgreSQL and back, and is the same; and
//! one that cannot move leaves nothing behind.

use crate::house::{Empty, House, SQLITE};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};
use std::{collections::BTreeMap, path::Path};
use store::{Database, MoveError, OpenError, move_house};

const TEXTS: [&str; 8] = [
    "",
    "NULL",
    "\\u0000 \u{2400} %00",
    "ä \u{308}e\u{301} \u{202e}🎬\u{feff}",
    "'; DROP TABLE users; -- \"$1\" ?",
    "line\nbreak\ttab\r\u{1}\u{7f}\u{85}",
    " spaces at both ends ",
    "{\"json\": [\"\\u0000\", 1.5e300]}",
];
const NUMBERS: [i64; 6] = [i64::MIN, -1, 0, 1, 1 << 53, i64::MAX];
/// More than a page of them, in every table.
const ROWS: usize = 430;

async fn connect(database: &Database) -> DatabaseConnection {
    let url = match database {
        Database::Sqlite(path) => format!("sqlite://{}", path.display()),
        Database::Url(url) => url.clone(),
    };
    sea_orm::Database::connect(url).await.unwrap()
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Tables of a file, each after those its rows point at, by the file's own word.
async fn tables(db: &DatabaseConnection) -> Vec<String> {
    let all = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
               AND name <> 'seaql_migrations' ORDER BY name";
    let (mut left, mut ordered) = (texts(db, all).await, Vec::new());
    while !left.is_empty() {
        let mut waits = Vec::new();
        for table in left {
            let points_at = texts(db, &format!("SELECT \"table\" FROM pragma_foreign_key_list('{table}')")).await;
            let ready = points_at.iter().all(|other| ordered.contains(other));
            if ready { ordered.push(table) } else { waits.push(table) }
        }
        left = waits;
    }
    ordered
}

/// Fills every table there is, whatever its columns are.
async fn fill(db: &DatabaseConnection) {
    let mut made: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    db.execute_unprepared("BEGIN").await.unwrap();
    for table in tables(db).await {
        db.execute_unprepared(&format!("DELETE FROM \"{table}\"")).await.unwrap();
        let columns = texts(db, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")).await;
        let sql = format!(
            "SELECT \"from\" || ' ' || \"table\" || ' ' || coalesce(\"to\", '') FROM pragma_foreign_key_list('{table}')"
        );
        let pointing = texts(db, &sql).await;
        let sql = format!(
            "SELECT i.name FROM pragma_index_list('{table}') l, pragma_index_info(l.name) i WHERE l.\"unique\" = 1 \
             UNION SELECT name FROM pragma_table_info('{table}') WHERE pk > 0"
        );
        let unique = texts(db, &sql).await;
        let sql = format!("SELECT type || ' ' || \"notnull\" FROM pragma_table_info('{table}') ORDER BY cid");
        let kinds = texts(db, &sql).await;
        for row in 0..ROWS {
            let mut values: Vec<Value> = Vec::new();
            for (column, kind) in columns.iter().zip(&kinds) {
                let is_unique = unique.contains(column);
                let pointed = pointing.iter().find_map(|link| {
                    let words: Vec<&str> = link.split(' ').collect();
                    (words[0] == column).then(|| made[&(words[1].to_owned(), words[2].to_owned())][row].clone())
                });
                let nullable = kind.ends_with(" 0") && !is_unique;
                let value = match (pointed, kind.split(' ').next().unwrap()) {
                    (Some(pointed), _) => pointed,
                    (None, "TEXT") if nullable && row % 3 == 0 => Value::String(None),
                    (None, "TEXT") if is_unique => format!("{} {row}", TEXTS[row % TEXTS.len()]).into(),
                    (None, "TEXT") => TEXTS[(row + values.len()) % TEXTS.len()].into(),
                    (None, "BIGINT") if nullable && row % 3 == 0 => Value::BigInt(None),
                    (None, "BIGINT") if is_unique => i64::try_from(row).unwrap().into(),
                    (None, "BIGINT") => NUMBERS[(row + values.len()) % NUMBERS.len()].into(),
                    (None, "BOOLEAN") => (row % 2 == 0).into(),
                    (None, "BLOB") if nullable && row % 3 == 0 => Value::Bytes(None),
                    (None, "BLOB") if !is_unique && row % 5 == 0 => Vec::<u8>::new().into(),
                    (None, "BLOB") => {
                        let number = u16::try_from(row).unwrap().to_be_bytes();
                        [(0..=255).collect::<Vec<u8>>().as_slice(), number.as_slice()].concat().into()
                    }
                    (None, other) => panic!("{table}.{column}: fill {other} too"),
                };
                values.push(value);
            }
            for (column, value) in columns.iter().zip(&values) {
                made.entry((table.clone(), column.clone())).or_default().push(value.clone());
            }
            let places = (1..=values.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
            let names = columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            let sql = format!("INSERT INTO \"{table}\" ({names}) VALUES ({places})");
            db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await.unwrap();
        }
    }
    db.execute_unprepared("COMMIT").await.unwrap();
}

/// Every value of every row with its type, as SQLite says them.
async fn everything(path: &Path) -> BTreeMap<String, Vec<String>> {
    let db = connect(&Database::Sqlite(path.into())).await;
    let mut all = BTreeMap::new();
    for table in tables(&db).await {
        let columns = texts(&db, &format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")).await;
        let said = columns.iter().map(|c| format!("typeof(\"{c}\") || quote(\"{c}\")")).collect::<Vec<_>>();
        let rows = texts(&db, &format!("SELECT {} FROM \"{table}\" ORDER BY 1", said.join(" || ' ' || "))).await;
        all.insert(table, rows);
    }
    db.close().await.unwrap();
    all
}

async fn relations(database: &Database) -> Vec<String> {
    let db = connect(database).await;
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace";
    let names = texts(&db, sql).await;
    db.close().await.unwrap();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_moves_to_postgresql_and_back_and_is_the_same() {
    let Some(there) = Empty::schema().await else { return };
    let here = House::open(SQLITE).await.unwrap();
    let Database::Sqlite(path) = here.database.clone() else { panic!("a file") };
    here.store.clone().close().await;
    let db = connect(&here.database).await;
    fill(&db).await;
    db.close().await.unwrap();
    let (bytes, first) = (std::fs::read(&path).unwrap(), everything(&path).await);
    for (table, rows) in &first {
        assert_eq!(rows.len(), ROWS, "{table} is not filled: fill it too");
    }

    let moved = move_house(&here.database, &there.database).await.unwrap();
    assert_eq!(moved.rows.len(), first.len());
    assert!(moved.rows.iter().all(|(table, rows)| *rows == ROWS as u64 && first.contains_key(table)), "{moved:?}");
    assert!(std::fs::read(&path).unwrap() == bytes, "the old file is as it was, byte for byte");

    // Not over what is there, in either direction.
    let again = move_house(&here.database, &there.database).await;
    assert!(matches!(again, Err(MoveError::NotEmpty { .. })), "{again:?}");
    let again = move_house(&there.database, &here.database).await;
    assert!(matches!(again, Err(MoveError::NotEmpty { .. })), "{again:?}");
    assert!(std::fs::read(&path).unwrap() == bytes);

    let back = here.dir.path().join("back.db");
    std::fs::write(here.dir.path().join("back.db.part"), b"what an earlier try left").unwrap();
    let moved_back = move_house(&there.database, &Database::Sqlite(back.clone())).await.unwrap();
    assert_eq!(moved_back, moved);
    let about = std::fs::metadata(&back).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777, 0o600, "it holds secrets");
    let last = everything(&back).await;
    for (table, rows) in &first {
        assert!(rows == &last[table], "{table}");
    }
    assert_eq!(first.len(), last.len());
    let left: Vec<_> = std::fs::read_dir(here.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".part")), "{left:?}");

    // The control: one value that is another one is seen.
    here.tamper("UPDATE titles SET name = name || '.' WHERE id = (SELECT min(id) FROM titles)").await;
    assert_ne!(everything(&path).await, last);
    there.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_cannot_move_leaves_nothing_behind() {
    let Some(there) = Empty::schema().await else { return };
    let here = House::open(SQLITE).await.unwrap();
    let Database::Sqlite(path) = here.database.clone() else { panic!("a file") };
    here.store.clone().close().await;
    let db = connect(&here.database).await;
    fill(&db).await;
    db.close().await.unwrap();

    // A text that PostgreSQL cannot hold; the message finds its row.
    here.tamper("INSERT INTO settings (name, content) VALUES ('odd', 'a' || char(0) || 'b')").await;
    let bytes = std::fs::read(&path).unwrap();
    let refused = move_house(&here.database, &there.database).await;
    assert!(
        matches!(&refused, Err(MoveError::Nul { table, column, row }) if table == "settings" && column == "content" && row == "odd"),
        "{refused:?}"
    );
    assert_eq!(relations(&there.database).await, [""; 0], "not even an empty table");
    assert!(std::fs::read(&path).unwrap() == bytes);
    // A file holds it.
    let beside = Database::Sqlite(here.dir.path().join("beside.db"));
    move_house(&here.database, &beside).await.unwrap();
    here.tamper("DELETE FROM settings WHERE name = 'odd'").await;

    // A row that points at nothing is refused by the new database, after most tables were written.
    here.tamper("PRAGMA foreign_keys = OFF; UPDATE progress SET user_id = 'gone' WHERE rowid = 7").await;
    let nowhere = here.dir.path().join("nowhere.db");
    for to in [there.database.clone(), Database::Sqlite(nowhere.clone())] {
        let refused = move_house(&here.database, &to).await;
        assert!(matches!(&refused, Err(MoveError::Write { table, .. }) if table == "progress"), "{refused:?}");
    }
    assert_eq!(relations(&there.database).await, [""; 0]);
    assert!(!nowhere.exists() && !here.dir.path().join("nowhere.db.part").exists());

    // An older schema is brought up by the server, with a copy, and not on the way.
    here.tamper("DELETE FROM seaql_migrations WHERE version = (SELECT max(version) FROM seaql_migrations)").await;
    let refused = move_house(&here.database, &there.database).await;
    assert!(matches!(refused, Err(MoveError::OpenOld(OpenError::OlderSchema { .. }))), "{refused:?}");
    let missing = Database::Sqlite(here.dir.path().join("missing.db"));
    assert!(matches!(move_house(&missing, &there.database).await, Err(MoveError::OpenOld(OpenError::Missing { .. }))));
    assert_eq!(relations(&there.database).await, [""; 0]);
    there.clear().await;
}

/// What a crash left beside the file belongs to the house too, and stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_in_the_log_of_the_file_moves_and_the_file_stays_as_it_is() {
    let here = House::open(SQLITE).await.unwrap();
    here.user("Ana", domain::Role::Admin).await;
    let Database::Sqlite(path) = here.database.clone() else { panic!("a file") };
    let crashed = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let (from, to) = (format!("{}{end}", path.display()), crashed.path().join(format!("loge.db{end}")));
        std::fs::copy(from, to).unwrap();
    }
    let file = |end: &str| std::fs::read(crashed.path().join(format!("loge.db{end}"))).unwrap();
    let before = (file(""), file("-wal"));
    assert!(before.1.len() > 4096, "the control: something is in the log");
    let to = crashed.path().join("new.db");
    move_house(&Database::Sqlite(crashed.path().join("loge.db")), &Database::Sqlite(to.clone())).await.unwrap();
    assert!((file(""), file("-wal")) == before, "as it was");
    assert_eq!(everything(&to).await["users"].len(), 1);
    here.clear().await;
}
