//! Libraries, their folders, and who may see them.

use crate::{
    entities::{file, folder, grant, library, title},
    error::{StoreError, is_dangling, reading, unreadable, writing},
    open::{Store, Turn, commit},
    users::Change,
    writer::Transaction,
};
use base::UnixMs;
use domain::{FolderId, FolderProblem, FolderState, LibraryId, LibraryKind, Role, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, SelectStatement, SimpleExpr},
};
use std::{
    collections::HashMap,
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// A named set of folders that is granted as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    pub id: LibraryId,
    pub name: String,
    pub kind: LibraryKind,
    pub created_at: UnixMs,
    pub last_scan_at: Option<UnixMs>,
    /// In the order they were given.
    pub folders: Vec<Folder>,
    /// Titles that are there now.
    pub title_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub id: FolderId,
    pub library: LibraryId,
    /// Any bytes; not necessarily text.
    pub path: PathBuf,
    pub state: FolderState,
    /// Why it is not online.
    pub problem: Option<FolderProblem>,
    /// File system and folder as they were when a walk was last believed.
    pub identity: Option<String>,
    pub left_out: LeftOut,
}

/// What the last walk that was believed had to leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The first folders that could not be listed, relative, as readable text.
    pub unread: Vec<String>,
    /// How many there are of them.
    pub unread_total: u64,
    /// Symbolic links, which are not followed.
    pub links: u64,
}

/// What a scan says of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderVerdict {
    /// The walk is believed, and what it learned is written down.
    Online { identity: Option<String>, left_out: LeftOut },
    /// It is not, and nothing else is written.
    Away(FolderProblem),
}

#[derive(Debug, Clone)]
pub struct NewLibrary {
    pub id: LibraryId,
    pub name: String,
    pub kind: LibraryKind,
    pub folders: Vec<(FolderId, PathBuf)>,
}

const LIBRARIES: &str = "libraries";
const FOLDERS: &str = "folders";
const GRANTS: &str = "grants";

impl Store {
    /// # Errors
    /// [`StoreError::Conflict`] when a folder already belongs to a library.
    pub async fn create_library(&self, new: &NewLibrary) -> Result<Library, StoreError> {
        let now = self.clock().now();
        let transaction = self.write(Turn::Library, LIBRARIES).await?;
        let row = library::ActiveModel {
            id: Set(new.id.as_str().into()),
            name: Set(new.name.clone()),
            kind: Set(new.kind.as_str().into()),
            created_at: Set(now.0),
            last_scan_at: Set(None),
        };
        library::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(LIBRARIES))?;
        let mut folders = Vec::new();
        for (place, (id, path)) in new.folders.iter().enumerate() {
            insert_folder(&transaction, &new.id, id, path, place).await?;
            folders.push(Folder {
                id: id.clone(),
                library: new.id.clone(),
                path: path.clone(),
                state: FolderState::Online,
                problem: None,
                identity: None,
                left_out: LeftOut::default(),
            });
        }
        commit(transaction, LIBRARIES).await?;
        Ok(Library {
            id: new.id.clone(),
            name: new.name.clone(),
            kind: new.kind,
            created_at: now,
            last_scan_at: None,
            folders,
            title_count: 0,
        })
    }

    /// All, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn libraries(&self) -> Result<Vec<Library>, StoreError> {
        self.libraries_where(None).await
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn library(&self, id: &LibraryId) -> Result<Option<Library>, StoreError> {
        Ok(self.libraries_where(Some(library::Column::Id.eq(id.as_str()))).await?.pop())
    }

    /// Those a person may see, by name; owners see all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn libraries_for(&self, user: &UserId, role: Role) -> Result<Vec<Library>, StoreError> {
        let only = (!role.is_admin()).then(|| library::Column::Id.in_subquery(granted(user)));
        self.libraries_where(only).await
    }

    async fn libraries_where(&self, only: Option<SimpleExpr>) -> Result<Vec<Library>, StoreError> {
        let mut query = library::Entity::find();
        if let Some(only) = only {
            query = query.filter(only);
        }
        let rows = query
            .order_by_asc(library::Column::Name)
            .order_by_asc(library::Column::Id)
            .all(self.read())
            .await
            .map_err(reading(LIBRARIES))?;
        let ids: Vec<&str> = rows.iter().map(|r| r.id.as_str()).collect();
        let folders = folder::Entity::find()
            .filter(folder::Column::LibraryId.is_in(ids.clone()))
            .order_by_asc(folder::Column::Place)
            .all(self.read())
            .await
            .map_err(reading(FOLDERS))?;
        let counts: Vec<(String, i64)> = title::Entity::find()
            .select_only()
            .column(title::Column::LibraryId)
            .column_as(title::Column::Id.count(), "titles")
            .filter(title::Column::LibraryId.is_in(ids))
            .filter(title::Column::Missing.eq(false))
            .group_by(title::Column::LibraryId)
            .into_tuple()
            .all(self.read())
            .await
            .map_err(reading(LIBRARIES))?;
        let counts: HashMap<String, i64> = counts.into_iter().collect();
        let mut by_library: HashMap<String, Vec<Folder>> = HashMap::new();
        for row in folders {
            by_library.entry(row.library_id.clone()).or_default().push(to_folder(row)?);
        }
        rows.into_iter()
            .map(|row| {
                Ok(Library {
                    id: library_id(&row.id)?,
                    kind: LibraryKind::parse(&row.kind).ok_or_else(|| unreadable(LIBRARIES, &row.kind))?,
                    created_at: UnixMs(row.created_at),
                    last_scan_at: row.last_scan_at.map(UnixMs),
                    folders: by_library.remove(&row.id).unwrap_or_default(),
                    title_count: counts.get(&row.id).copied().unwrap_or(0).unsigned_abs(),
                    name: row.name,
                })
            })
            .collect()
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn rename_library(&self, id: &LibraryId, name: &str) -> Result<Change, StoreError> {
        self.update_library(id, library::Column::Name, Expr::value(name)).await
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn mark_scanned(&self, id: &LibraryId, at: UnixMs) -> Result<Change, StoreError> {
        self.update_library(id, library::Column::LastScanAt, Expr::value(at.0)).await
    }

    async fn update_library(
        &self,
        id: &LibraryId,
        column: library::Column,
        value: SimpleExpr,
    ) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Any, LIBRARIES).await?;
        let done = library::Entity::update_many()
            .col_expr(column, value)
            .filter(library::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(LIBRARIES))?;
        commit(transaction, LIBRARIES).await?;
        Ok(changed(done.rows_affected))
    }

    /// Makes the library have exactly these folders. A folder whose id stays keeps its files;
    /// files and titles of folders that leave go with them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a folder already belongs to a library.
    pub async fn set_folders(&self, id: &LibraryId, folders: Vec<(FolderId, PathBuf)>) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Library, FOLDERS).await?;
        if library::Entity::find_by_id(id.as_str()).one(&transaction).await.map_err(reading(LIBRARIES))?.is_none() {
            return Ok(Change::Missing);
        }
        let kept: Vec<&str> = folders.iter().map(|(id, _)| id.as_str()).collect();
        folder::Entity::delete_many()
            .filter(folder::Column::LibraryId.eq(id.as_str()))
            .filter(folder::Column::Id.is_not_in(kept))
            .exec(&transaction)
            .await
            .map_err(writing(FOLDERS))?;
        for (place, (folder_id, path)) in folders.iter().enumerate() {
            let moved = folder::Entity::update_many()
                .col_expr(folder::Column::Path, Expr::value(path.as_os_str().as_bytes().to_vec()))
                .col_expr(folder::Column::Place, Expr::value(place as i64))
                .filter(folder::Column::Id.eq(folder_id.as_str()))
                .filter(folder::Column::LibraryId.eq(id.as_str()))
                .exec(&transaction)
                .await
                .map_err(writing(FOLDERS))?;
            if moved.rows_affected == 0 {
                insert_folder(&transaction, id, folder_id, path, place).await?;
            }
        }
        // Files went with their folders; a title without any file was only there.
        let with_files: SelectStatement = file::Entity::find().select_only().column(file::Column::TitleId).into_query();
        title::Entity::delete_many()
            .filter(title::Column::LibraryId.eq(id.as_str()))
            .filter(title::Column::Id.not_in_subquery(with_files))
            .exec(&transaction)
            .await
            .map_err(writing(FOLDERS))?;
        commit(transaction, FOLDERS).await?;
        Ok(Change::Done)
    }

    /// Titles, files, grants and progress of the library go with it. Files on disk stay untouched.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_library(&self, id: &LibraryId) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Library, LIBRARIES).await?;
        let gone = library::Entity::delete_by_id(id.as_str()).exec(&transaction).await.map_err(writing(LIBRARIES))?;
        commit(transaction, LIBRARIES).await?;
        Ok(changed(gone.rows_affected))
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_folder_verdict(&self, id: &FolderId, verdict: &FolderVerdict) -> Result<Change, StoreError> {
        let mut update = folder::Entity::update_many().filter(folder::Column::Id.eq(id.as_str()));
        update = match verdict {
            FolderVerdict::Online { identity, left_out } => update
                .col_expr(folder::Column::State, Expr::value(FolderState::Online.as_str()))
                .col_expr(folder::Column::Problem, Expr::value(None::<String>))
                .col_expr(folder::Column::Identity, Expr::value(identity.clone()))
                .col_expr(folder::Column::Unread, Expr::value(names(&left_out.unread)))
                .col_expr(folder::Column::UnreadTotal, Expr::value(left_out.unread_total.cast_signed()))
                .col_expr(folder::Column::Links, Expr::value(left_out.links.cast_signed())),
            FolderVerdict::Away(problem) => update
                .col_expr(folder::Column::State, Expr::value(problem.state().as_str()))
                .col_expr(folder::Column::Problem, Expr::value(problem.as_str())),
        };
        let transaction = self.write(Turn::Any, FOLDERS).await?;
        let done = update.exec(&transaction).await.map_err(writing(FOLDERS))?;
        commit(transaction, FOLDERS).await?;
        Ok(changed(done.rows_affected))
    }

    /// Writes down that what is at the folder's path now is the folder, instead of what was there before.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_folder_identity(&self, id: &FolderId, identity: &str) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Any, FOLDERS).await?;
        let done = folder::Entity::update_many()
            .col_expr(folder::Column::Identity, Expr::value(identity))
            .filter(folder::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(FOLDERS))?;
        commit(transaction, FOLDERS).await?;
        Ok(changed(done.rows_affected))
    }

    /// What was granted by name; owners see all without any.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants(&self, user: &UserId) -> Result<Vec<LibraryId>, StoreError> {
        let rows = grant::Entity::find()
            .filter(grant::Column::UserId.eq(user.as_str()))
            .order_by_asc(grant::Column::LibraryId)
            .all(self.read())
            .await
            .map_err(reading(GRANTS))?;
        rows.iter().map(|r| library_id(&r.library_id)).collect()
    }

    /// Makes these the person's grants, all at once. `Missing`: the person or one of the libraries.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn set_grants(&self, user: &UserId, libraries: &[LibraryId]) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::People, GRANTS).await?;
        if crate::entities::user::Entity::find_by_id(user.as_str())
            .one(&transaction)
            .await
            .map_err(reading(GRANTS))?
            .is_none()
        {
            return Ok(Change::Missing);
        }
        grant::Entity::delete_many()
            .filter(grant::Column::UserId.eq(user.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(GRANTS))?;
        let mut wanted: Vec<&LibraryId> = libraries.iter().collect();
        wanted.sort();
        wanted.dedup();
        for library in wanted {
            let row =
                grant::ActiveModel { user_id: Set(user.as_str().into()), library_id: Set(library.as_str().into()) };
            match grant::Entity::insert(row).exec_without_returning(&transaction).await {
                Ok(_) => {}
                Err(e) if is_dangling(&e) => return Ok(Change::Missing),
                Err(e) => return Err(writing(GRANTS)(e)),
            }
        }
        commit(transaction, GRANTS).await?;
        Ok(Change::Done)
    }

    /// Whether a person may see a library. One that does not exist is seen by nobody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn can_see(&self, user: &UserId, role: Role, library: &LibraryId) -> Result<bool, StoreError> {
        let mut query = library::Entity::find_by_id(library.as_str());
        if !role.is_admin() {
            query = query.filter(library::Column::Id.in_subquery(granted(user)));
        }
        Ok(query.count(self.read()).await.map_err(reading(GRANTS))? > 0)
    }

    /// The folders a person's loge holds.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn folders_for(&self, user: &UserId, role: Role) -> Result<Vec<Folder>, StoreError> {
        self.folders_where((!role.is_admin()).then(|| folder::Column::LibraryId.in_subquery(granted(user)))).await
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn all_folders(&self) -> Result<Vec<Folder>, StoreError> {
        self.folders_where(None).await
    }

    async fn folders_where(&self, only: Option<SimpleExpr>) -> Result<Vec<Folder>, StoreError> {
        let mut query = folder::Entity::find();
        if let Some(only) = only {
            query = query.filter(only);
        }
        let rows = query
            .order_by_asc(folder::Column::LibraryId)
            .order_by_asc(folder::Column::Place)
            .all(self.read())
            .await
            .map_err(reading(FOLDERS))?;
        rows.into_iter().map(to_folder).collect()
    }
}

/// `SELECT library_id FROM grants WHERE user_id = ?`: the one place where a viewer's right to
/// see a library becomes SQL.
pub(crate) fn granted(user: &UserId) -> SelectStatement {
    grant::Entity::find()
        .select_only()
        .column(grant::Column::LibraryId)
        .filter(grant::Column::UserId.eq(user.as_str()))
        .into_query()
}

async fn insert_folder(
    transaction: &Transaction,
    library: &LibraryId,
    id: &FolderId,
    path: &std::path::Path,
    place: usize,
) -> Result<(), StoreError> {
    let row = folder::ActiveModel {
        id: Set(id.as_str().into()),
        library_id: Set(library.as_str().into()),
        path: Set(path.as_os_str().as_bytes().to_vec()),
        place: Set(place as i64),
        state: Set(FolderState::Online.as_str().into()),
        device: Set(None),
        identity: Set(None),
        problem: Set(None),
        unread: Set(None),
        unread_total: Set(0),
        links: Set(0),
    };
    folder::Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(writing("a library of that folder"))?;
    Ok(())
}

fn changed(rows: u64) -> Change {
    if rows > 0 { Change::Done } else { Change::Missing }
}

fn library_id(text: &str) -> Result<LibraryId, StoreError> {
    LibraryId::parse(text).map_err(|_| unreadable(LIBRARIES, text))
}

fn to_folder(row: folder::Model) -> Result<Folder, StoreError> {
    Ok(Folder {
        id: FolderId::parse(&row.id).map_err(|_| unreadable(FOLDERS, &row.id))?,
        library: library_id(&row.library_id)?,
        path: PathBuf::from(OsString::from_vec(row.path)),
        state: FolderState::parse(&row.state).ok_or_else(|| unreadable(FOLDERS, &row.state))?,
        problem: row.problem.as_deref().and_then(FolderProblem::parse),
        identity: row.identity,
        left_out: LeftOut {
            // What cannot be read is written again by the next scan.
            unread: row.unread.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            unread_total: row.unread_total.cast_unsigned(),
            links: row.links.cast_unsigned(),
        },
    })
}

fn names(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| serde_json::Value::from(list.to_vec()).to_string())
}
