//! Which tables there are and what they hold, as the steps of this version make them. Read from a
//! database in memory, so that a table that is added moves too, without a word about it here.

use super::MoveError;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};
use std::collections::BTreeSet;

/// Kept by the steps themselves.
const STEPS: &str = "seaql_migrations";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Which of them tell its rows apart.
    pub(super) key: Vec<usize>,
    /// Tables whose rows its own rows point at.
    points_at: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Boolean,
    Bytes,
    Real,
}

impl Kind {
    fn of(declared: &str) -> Option<Self> {
        Some(match declared {
            "TEXT" => Self::Text,
            "BIGINT" => Self::Integer,
            "BOOLEAN" => Self::Boolean,
            "BLOB" => Self::Bytes,
            "DOUBLE PRECISION" => Self::Real,
            _ => return None,
        })
    }
}

/// Returns the tables, each after those its rows point at.
pub(super) async fn of_this_version() -> Result<Vec<Table>, MoveError> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).min_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.map_err(MoveError::LookAtTables)?;
    let tables = async {
        Migrator::up(&db, None).await.map_err(MoveError::LookAtTables)?;
        let mut tables = Vec::new();
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        for row in ask(&db, names).await? {
            let name: String = field(&row, 0)?;
            if name != STEPS {
                tables.push(table(&db, name).await?);
            }
        }
        in_order(tables)
    };
    let tables = tables.await;
    let _ = db.close().await;
    tables
}

async fn table(db: &DatabaseConnection, name: String) -> Result<Table, MoveError> {
    let (mut columns, mut key) = (Vec::new(), Vec::new());
    for row in ask(db, &format!("SELECT name, type, pk FROM pragma_table_info('{name}') ORDER BY cid")).await? {
        let (column, declared, place): (String, String, i64) = (field(&row, 0)?, field(&row, 1)?, field(&row, 2)?);
        let kind = Kind::of(&declared)
            .ok_or_else(|| MoveError::UnknownKind { table: name.clone(), kind: format!("{column} {declared}") })?;
        if place > 0 {
            key.push((place, columns.len()));
        }
        columns.push(Column { name: column, kind });
    }
    if key.is_empty() {
        return Err(MoveError::UnknownKind { table: name, kind: "rows without a key".into() });
    }
    key.sort_unstable();
    let pointed = ask(db, &format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}')")).await?;
    let points_at = pointed.iter().map(|row| field(row, 0)).collect::<Result<_, _>>()?;
    Ok(Table { name, columns, key: key.into_iter().map(|(_, column)| column).collect(), points_at })
}

async fn ask(db: &DatabaseConnection, sql: &str) -> Result<Vec<QueryResult>, MoveError> {
    db.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.map_err(MoveError::LookAtTables)
}

fn field<T: sea_orm::TryGetable>(row: &QueryResult, index: usize) -> Result<T, MoveError> {
    row.try_get_by_index(index).map_err(|e: DbErr| MoveError::LookAtTables(e))
}

fn in_order(mut left: Vec<Table>) -> Result<Vec<Table>, MoveError> {
    let (mut ordered, mut there) = (Vec::new(), BTreeSet::new());
    while !left.is_empty() {
        let (ready, waits): (Vec<_>, Vec<_>) = left.into_iter().partition(|table| table.points_at.is_subset(&there));
        if ready.is_empty() {
            let tables = waits.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(MoveError::Circle { tables });
        }
        there.extend(ready.iter().map(|table| table.name.clone()));
        ordered.extend(ready);
        left = waits;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, points_at: &[&str]) -> Table {
        let points_at = points_at.iter().map(|name| (*name).to_owned()).collect();
        Table { name: name.into(), columns: vec![], key: vec![], points_at }
    }

    #[test]
    fn what_is_pointed_at_comes_first() {
        let order = in_order(vec![table("a", &["b", "c"]), table("b", &["c"]), table("c", &[])]).unwrap();
        assert_eq!(order.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        let circle = in_order(vec![table("a", &["b"]), table("b", &["a"]), table("c", &[])]);
        assert!(matches!(circle, Err(MoveError::Circle { tables }) if tables == "a, b"));
    }

    #[tokio::test]
    async fn each_table_of_this_version_can_be_moved() {
        let tables = of_this_version().await.unwrap();
        let place = |name: &str| tables.iter().position(|table| table.name == name).unwrap();
        assert!(place("users") < place("sessions") && place("sessions") < place("refresh_tokens"));
        let progress = &tables[place("progress")];
        assert_eq!(progress.key.len(), 2);
        assert!(tables.iter().all(|table| table.name != STEPS));
    }

    /// Nothing counts in the database itself: there is no sequence that would have to move too.
    #[tokio::test]
    async fn no_table_counts_by_itself() {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).min_connections(1);
        let db = sea_orm::Database::connect(options).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        let sql = "SELECT sql FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' OR sql LIKE '% SERIAL%' \
                   OR sql LIKE '%AS IDENTITY%'";
        assert_eq!(ask(&db, sql).await.unwrap().len(), 0);
        assert!(!ask(&db, "SELECT sql FROM sqlite_master WHERE sql LIKE '%PRIMARY KEY%'").await.unwrap().is_empty());
    }
}
