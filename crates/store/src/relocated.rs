//! Folders of libraries that lie elsewhere, in a copy of a database that no server uses yet.

use crate::{error::writing, open::OpenError, schema};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait};
use std::{
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// A place that has another path now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocated {
    pub from: PathBuf,
    pub to: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum RelocateFoldersError {
    #[error("open the database")]
    Open(#[from] OpenError),
    /// Nothing was changed.
    #[error("no library has a folder in {from}")]
    NoSuchFolder { from: PathBuf, folders: Vec<PathBuf> },
    #[error("write the folders")]
    Write(#[from] crate::StoreError),
}

/// Changes the paths of libraries' folders, in a database of this or an earlier version, and returns how
/// many changed: all, or none.
///
/// # Errors
/// When a place holds no folder of a library, or the database cannot be written.
pub async fn relocate_folders(database: &Path, places: &[Relocated]) -> Result<usize, RelocateFoldersError> {
    let connect = |source| OpenError::Connect { place: database.display().to_string(), source };
    let db = sea_orm::Database::connect(schema::looking(database)).await.map_err(connect)?;
    let moved = change(&db, places).await;
    let _ = db.close().await;
    moved
}

async fn change(db: &DatabaseConnection, places: &[Relocated]) -> Result<usize, RelocateFoldersError> {
    let failed = writing("folders");
    let transaction = db.begin().await.map_err(failed)?;
    let query = |sql: &str| Statement::from_string(DbBackend::Sqlite, sql);
    let rows = transaction.query_all_raw(query("SELECT id, path FROM folders")).await.map_err(failed)?;
    let folders: Vec<(String, PathBuf)> = rows
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, path_of(row.try_get_by_index(1)?))))
        .collect::<Result<_, DbErr>>()
        .map_err(failed)?;
    for place in places {
        if !folders.iter().any(|(_, path)| path.starts_with(&place.from)) {
            let folders = folders.into_iter().map(|(_, path)| path).collect();
            return Err(RelocateFoldersError::NoSuchFolder { from: place.from.clone(), folders });
        }
    }
    let columns = transaction.query_all_raw(query("PRAGMA table_info(folders)")).await.map_err(failed)?;
    // Versions before it knew no disks.
    let has_identity = columns.iter().any(|row| row.try_get_by_index::<String>(1).is_ok_and(|name| name == "identity"));
    let forget = if has_identity { ", identity = NULL" } else { "" };
    let sql = format!("UPDATE folders SET path = $1, device = NULL{forget} WHERE id = $2");
    let mut moved = 0;
    for (id, path) in &folders {
        let Some(to) = place_of(path, places) else { continue };
        let values = [to.into_os_string().into_vec().into(), id.as_str().into()];
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, &sql, values);
        transaction.execute_raw(statement).await.map_err(failed)?;
        moved += 1;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(moved)
}

fn path_of(bytes: Vec<u8>) -> PathBuf {
    OsStr::from_bytes(&bytes).into()
}

/// Returns where a folder lies now; the longest place that holds it decides.
fn place_of(path: &Path, places: &[Relocated]) -> Option<PathBuf> {
    let place = places.iter().filter(|place| path.starts_with(&place.from)).max_by_key(|p| p.from.as_os_str().len())?;
    let rest = path.strip_prefix(&place.from).ok()?;
    Some(if rest.as_os_str().is_empty() { place.to.clone() } else { place.to.join(rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_of_folders_count_and_the_longest_place_decides() {
        let moved = |from: &str, to: &str| Relocated { from: from.into(), to: to.into() };
        let places = [moved("/mnt", "/srv"), moved("/mnt/films", "/big/films")];
        let of = |path: &str| place_of(Path::new(path), &places);
        assert_eq!(of("/mnt/films"), Some("/big/films".into()));
        assert_eq!(of("/mnt/films/old"), Some("/big/films/old".into()));
        assert_eq!(of("/mnt/films2"), Some("/srv/films2".into()));
        assert_eq!(of("/media/films"), None);
    }
}
