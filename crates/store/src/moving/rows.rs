//! Rows on their way from one database into the other.

use super::{
    MoveError,
    shape::{Column, Kind, Table},
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, Value};
use sha2::{Digest, Sha256};

/// Rows in memory at a time. Indexes and storyboards hold some hundred kilobytes each.
const PAGE: usize = 200;
/// SQLite takes 32,766 values in one statement, PostgreSQL twice as many.
const MOST_VALUES: usize = 30_000;

/// What a table holds: how many rows, and the sum of what each of them hashes to. So the order does not
/// matter, in which the two databases put text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl Content {
    fn add(&mut self, row: &[Value]) {
        let mut all = Sha256::new();
        for value in row {
            let (tag, bytes) = bytes_of(value);
            all.update([tag]);
            all.update((bytes.len() as u64).to_le_bytes());
            all.update(bytes);
        }
        self.rows += 1;
        let hash = all.finalize();
        for (sum, part) in self.sum.iter_mut().zip(hash.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(part);
            *sum = sum.wrapping_add(u64::from_le_bytes(word));
        }
    }
}

fn bytes_of(value: &Value) -> (u8, Vec<u8>) {
    match value {
        Value::String(Some(text)) => (1, text.as_bytes().to_vec()),
        Value::BigInt(Some(number)) => (2, number.to_le_bytes().to_vec()),
        Value::Bool(Some(is)) => (3, vec![u8::from(*is)]),
        Value::Bytes(Some(bytes)) => (4, bytes.to_vec()),
        Value::Double(Some(number)) => (5, number.to_bits().to_le_bytes().to_vec()),
        _ => (0, vec![]),
    }
}

/// Copies the rows of one table, and returns what was read.
pub(super) async fn copy(
    old: &DatabaseTransaction,
    new: &DatabaseTransaction,
    table: &Table,
) -> Result<Content, MoveError> {
    let (mut content, mut after) = (Content::default(), None);
    loop {
        let rows = page(old, table, after.as_deref()).await?;
        let Some(last) = rows.last() else { return Ok(content) };
        after = Some(table.key.iter().map(|column| last[*column].clone()).collect::<Vec<_>>());
        for row in &rows {
            content.add(row);
        }
        for some in rows.chunks((MOST_VALUES / table.columns.len()).max(1)) {
            write(new, table, some).await?;
        }
    }
}

/// Returns what a table holds.
pub(super) async fn digest(db: &DatabaseTransaction, table: &Table) -> Result<Content, MoveError> {
    let (mut content, mut after) = (Content::default(), None);
    loop {
        let rows = page(db, table, after.as_deref()).await?;
        let Some(last) = rows.last() else { return Ok(content) };
        after = Some(table.key.iter().map(|column| last[*column].clone()).collect::<Vec<_>>());
        rows.iter().for_each(|row| content.add(row));
    }
}

/// The next rows in the order of the key, after the one with this key.
async fn page(db: &DatabaseTransaction, table: &Table, after: Option<&[Value]>) -> Result<Vec<Vec<Value>>, MoveError> {
    let failed = |source| MoveError::Read { table: table.name.clone(), source };
    let key = listed(table.key.iter().map(|column| &table.columns[*column]));
    let columns = listed(&table.columns);
    let from = match after {
        None => String::new(),
        Some(after) => format!(" WHERE ({key}) > ({})", places(1, after.len())),
    };
    let sql = format!("SELECT {columns} FROM \"{}\"{from} ORDER BY {key} LIMIT {PAGE}", table.name);
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, after.unwrap_or_default().to_vec());
    let rows = db.query_all_raw(statement).await.map_err(failed)?;
    let values = |row: &QueryResult| {
        table.columns.iter().enumerate().map(|(index, column)| value(row, index, column.kind)).collect()
    };
    rows.iter().map(values).collect::<Result<_, DbErr>>().map_err(failed)
}

fn value(row: &QueryResult, index: usize, kind: Kind) -> Result<Value, DbErr> {
    Ok(match kind {
        Kind::Text => row.try_get_by_index::<Option<String>>(index)?.into(),
        Kind::Integer => row.try_get_by_index::<Option<i64>>(index)?.into(),
        Kind::Boolean => row.try_get_by_index::<Option<bool>>(index)?.into(),
        Kind::Bytes => row.try_get_by_index::<Option<Vec<u8>>>(index)?.into(),
        Kind::Real => row.try_get_by_index::<Option<f64>>(index)?.into(),
    })
}

async fn write(new: &DatabaseTransaction, table: &Table, rows: &[Vec<Value>]) -> Result<(), MoveError> {
    let backend = new.get_database_backend();
    if backend == DbBackend::Postgres {
        refuse_nul(table, rows)?;
    }
    let width = table.columns.len();
    let tuples = (0..rows.len()).map(|n| format!("({})", places(n * width + 1, width))).collect::<Vec<_>>().join(",");
    let sql = format!("INSERT INTO \"{}\" ({}) VALUES {tuples}", table.name, listed(&table.columns));
    let values: Vec<Value> = rows.iter().flatten().cloned().collect();
    let written = new.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await;
    written.map(drop).map_err(|source| MoveError::Write { table: table.name.clone(), source })
}

fn refuse_nul(table: &Table, rows: &[Vec<Value>]) -> Result<(), MoveError> {
    for row in rows {
        for (column, value) in table.columns.iter().zip(row) {
            if matches!(value, Value::String(Some(text)) if text.contains('\0')) {
                let key = table.key.iter().map(|column| match &row[*column] {
                    Value::String(Some(text)) => text.replace('\0', "\u{2400}"),
                    Value::BigInt(Some(number)) => number.to_string(),
                    _ => "…".into(),
                });
                let row = key.collect::<Vec<_>>().join(" ");
                return Err(MoveError::Nul { table: table.name.clone(), column: column.name.clone(), row });
            }
        }
    }
    Ok(())
}

fn listed<'a>(columns: impl IntoIterator<Item = &'a Column>) -> String {
    columns.into_iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[&[Value]]) -> Content {
        let mut content = Content::default();
        rows.iter().for_each(|row| content.add(row));
        content
    }

    #[test]
    fn content_knows_every_difference_but_the_order() {
        let (a, b): ([Value; 2], [Value; 2]) = (["ab".into(), 1_i64.into()], ["".into(), Value::BigInt(None)]);
        assert_eq!(content(&[&a, &b]), content(&[&b, &a]));
        let none: [Value; 2] = [Value::String(None), Value::BigInt(None)];
        let moved: [Value; 2] = ["a".into(), "b1".into()];
        for other in [content(&[&a, &none]), content(&[&a]), content(&[&a, &b, &b]), content(&[&moved, &b])] {
            assert_ne!(content(&[&a, &b]), other);
        }
    }
}
