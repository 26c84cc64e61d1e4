//! People: who they are, what they may do, what they like.

use crate::{
    entities::{preference, user},
    error::{StoreError, is_dangling, reading, unreadable, writing},
    open::{Store, Turn, commit},
    sessions, settings,
    writer::Transaction,
};
use base::UnixMs;
use domain::{Role, SessionId, UserId};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr, sea_query::OnConflict,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub username_key: String,
    pub role: Role,
    pub disabled: bool,
    pub created_at: UnixMs,
    pub last_seen_at: Option<UnixMs>,
}

/// A person to be created. The name is kept as typed and compared by its key.
#[derive(Clone)]
pub struct NewUser {
    pub id: UserId,
    pub username: String,
    pub password_hash: String,
    pub role: Role,
    pub created_at: UnixMs,
}

impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

/// What became of a change to something that may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Done,
    /// There is nothing with that id.
    Missing,
}

/// What became of a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    /// It counts, and these sign-ins ended with the old one.
    Done(Vec<SessionId>),
    /// No person has that id.
    Missing,
    /// The stored hash is another one than was checked.
    Changed,
}

/// What a person likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// `dark`, `light` or `system`; the caller checks it.
    pub theme: String,
    /// What is read, as a language tag; `None` leaves it to the film.
    pub language: Option<String>,
    /// What is heard, likewise.
    pub audio_language: Option<String>,
    pub autoplay_next: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: "system".into(), language: None, audio_language: None, autoplay_next: true }
    }
}

const PEOPLE: &str = "people";
const PREFERENCES: &str = "preferences";

impl Store {
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    pub async fn create_user(&self, new: &NewUser) -> Result<User, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        insert(&transaction, new).await?;
        commit(transaction, PEOPLE).await?;
        Ok(fresh(new))
    }

    /// Makes the first owner, if there is none. `false`: somebody was faster.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a viewer already has the name.
    pub async fn claim_house(&self, new: &NewUser, server_name: Option<&str>) -> Result<bool, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        if admins(&transaction).await? > 0 {
            return Ok(false);
        }
        insert(&transaction, &NewUser { role: Role::Admin, ..new.clone() }).await?;
        if let Some(name) = server_name {
            settings::set_server_name(&transaction, name).await?;
        }
        commit(transaction, PEOPLE).await?;
        Ok(true)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn has_admin(&self) -> Result<bool, StoreError> {
        Ok(admins(self.read()).await? > 0)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let row = user::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading(PEOPLE))?;
        row.map(to_user).transpose()
    }

    /// Returns the person of the first of these keys that is taken, with the stored password hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user_by_keys(&self, keys: &[String]) -> Result<Option<(User, String)>, StoreError> {
        let keys = keys.iter().filter(|key| !key.contains('\0'));
        let found = user::Entity::find().filter(user::Column::UsernameKey.is_in(keys.clone())).all(self.read()).await;
        let found = found.map_err(reading(PEOPLE))?;
        let first = keys.into_iter().find_map(|key| found.iter().find(|row| row.username_key == *key));
        first.map(|row| Ok((to_user(row.clone())?, row.password_hash.clone()))).transpose()
    }

    /// The stored password hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn password_hash(&self, id: &UserId) -> Result<Option<String>, StoreError> {
        let row = user::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading(PEOPLE))?;
        Ok(row.map(|r| r.password_hash))
    }

    /// Everybody, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = user::Entity::find()
            .order_by_asc(user::Column::CreatedAt)
            .order_by_asc(user::Column::Id)
            .all(self.read())
            .await
            .map_err(reading(PEOPLE))?;
        rows.into_iter().map(to_user).collect()
    }

    /// The enabled owner who has been here longest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn oldest_admin(&self) -> Result<Option<User>, StoreError> {
        let row = user::Entity::find()
            .filter(user::Column::Role.eq(Role::Admin.as_str()))
            .filter(user::Column::Disabled.eq(false))
            .order_by_asc(user::Column::CreatedAt)
            .order_by_asc(user::Column::Id)
            .one(self.read())
            .await
            .map_err(reading(PEOPLE))?;
        row.map(to_user).transpose()
    }

    /// Replaces the password hash and ends all sign-ins of the person, or all but one, in one
    /// transaction. With `if_hash` only while that is still the stored one, so that a check of the
    /// old password is worth nothing once it was replaced.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn replace_password(
        &self,
        id: &UserId,
        password_hash: &str,
        if_hash: Option<&str>,
        except: Option<&SessionId>,
    ) -> Result<Replaced, StoreError> {
        let transaction = self.write(Turn::Any, PEOPLE).await?;
        if let Some(refused) = set_hash(&transaction, id, password_hash, if_hash).await? {
            return Ok(refused);
        }
        let ended = sessions::end_all(&transaction, id, except, self.clock().now()).await?;
        commit(transaction, PEOPLE).await?;
        Ok(Replaced::Done(ended))
    }

    /// Stores another hash of the same password, and returns whether it was still the same one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn rehash_password(&self, id: &UserId, password_hash: &str, if_hash: &str) -> Result<bool, StoreError> {
        let transaction = self.write(Turn::Any, PEOPLE).await?;
        if set_hash(&transaction, id, password_hash, Some(if_hash)).await?.is_some() {
            return Ok(false);
        }
        commit(transaction, PEOPLE).await?;
        Ok(true)
    }

    /// # Errors
    /// [`StoreError::LastAdmin`] when no owner would be left.
    pub async fn set_role(&self, id: &UserId, role: Role) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        let change = |row| user::ActiveModel { role: Set(role.as_str().into()), ..row };
        let changed = change_user(&transaction, id, change).await?;
        commit(transaction, PEOPLE).await?;
        Ok(changed)
    }

    /// Switches an account off, which ends its sign-ins in the same transaction, or on. Returns
    /// those it ended; `None` when no person has that id.
    ///
    /// # Errors
    /// [`StoreError::LastAdmin`] when no owner would be left.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<Option<Vec<SessionId>>, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        let change = |row| user::ActiveModel { disabled: Set(disabled), ..row };
        if change_user(&transaction, id, change).await? == Change::Missing {
            return Ok(None);
        }
        let ended = match disabled {
            true => sessions::end_all(&transaction, id, None, self.clock().now()).await?,
            false => Vec::new(),
        };
        commit(transaction, PEOPLE).await?;
        Ok(Some(ended))
    }

    /// Sign-ins, grants and progress of the person go with them.
    ///
    /// # Errors
    /// [`StoreError::LastAdmin`] when no owner would be left.
    pub async fn delete_user(&self, id: &UserId) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        let before = admins(&transaction).await?;
        let gone = user::Entity::delete_by_id(id.as_str()).exec(&transaction).await.map_err(writing(PEOPLE))?;
        if gone.rows_affected == 0 {
            return Ok(Change::Missing);
        }
        keep_an_admin(&transaction, before).await?;
        commit(transaction, PEOPLE).await?;
        Ok(Change::Done)
    }

    /// # Errors
    /// When the database cannot be read.
    pub async fn preferences(&self, id: &UserId) -> Result<Preferences, StoreError> {
        preferences(self.read(), id).await
    }

    /// Changes what `change` changes, in one transaction with reading the rest. Returns what the
    /// person likes now; `None` when no person has that id.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_preferences(
        &self,
        id: &UserId,
        change: impl FnOnce(&mut Preferences) + Send,
    ) -> Result<Option<Preferences>, StoreError> {
        use preference::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Settings, PREFERENCES).await?;
        let mut wanted = preferences(&transaction, id).await?;
        change(&mut wanted);
        let row = ActiveModel {
            user_id: Set(id.as_str().into()),
            theme: Set(wanted.theme.clone()),
            language: Set(wanted.language.clone()),
            audio_language: Set(wanted.audio_language.clone()),
            autoplay_next: Set(wanted.autoplay_next),
        };
        let newer = OnConflict::column(Column::UserId)
            .update_columns([Column::Theme, Column::Language, Column::AudioLanguage, Column::AutoplayNext])
            .to_owned();
        match Entity::insert(row).on_conflict(newer).exec_without_returning(&transaction).await {
            Ok(_) => {}
            Err(e) if is_dangling(&e) => return Ok(None),
            Err(e) => return Err(writing(PREFERENCES)(e)),
        }
        commit(transaction, PREFERENCES).await?;
        Ok(Some(wanted))
    }
}

async fn preferences(db: &impl ConnectionTrait, id: &UserId) -> Result<Preferences, StoreError> {
    let row = preference::Entity::find_by_id(id.as_str()).one(db).await.map_err(reading(PREFERENCES))?;
    Ok(row.map_or_else(Preferences::default, |r| Preferences {
        theme: r.theme,
        language: r.language,
        audio_language: r.audio_language,
        autoplay_next: r.autoplay_next,
    }))
}

async fn change_user(
    transaction: &Transaction,
    id: &UserId,
    change: impl FnOnce(user::ActiveModel) -> user::ActiveModel + Send,
) -> Result<Change, StoreError> {
    let before = admins(transaction).await?;
    let row = user::Entity::find_by_id(id.as_str()).one(transaction).await.map_err(reading(PEOPLE))?;
    let Some(row) = row else { return Ok(Change::Missing) };
    change(row.into()).update(transaction).await.map_err(writing(PEOPLE))?;
    keep_an_admin(transaction, before).await?;
    Ok(Change::Done)
}

/// Returns nothing when it was set, and why not otherwise.
async fn set_hash(
    transaction: &Transaction,
    id: &UserId,
    password_hash: &str,
    if_hash: Option<&str>,
) -> Result<Option<Replaced>, StoreError> {
    let mut change = user::Entity::update_many()
        .col_expr(user::Column::PasswordHash, Expr::value(password_hash))
        .filter(user::Column::Id.eq(id.as_str()));
    if let Some(hash) = if_hash {
        change = change.filter(user::Column::PasswordHash.eq(hash));
    }
    if change.exec(transaction).await.map_err(writing(PEOPLE))?.rows_affected > 0 {
        return Ok(None);
    }
    let there = user::Entity::find_by_id(id.as_str()).one(transaction).await.map_err(reading(PEOPLE))?;
    Ok(Some(if there.is_some() { Replaced::Changed } else { Replaced::Missing }))
}

/// The caller holds [`Turn::People`].
pub(crate) async fn insert(transaction: &Transaction, new: &NewUser) -> Result<(), StoreError> {
    if is_taken(transaction, &new.username).await? {
        return Err(StoreError::Conflict { what: "a person of that name" });
    }
    let row = user::ActiveModel {
        id: Set(new.id.as_str().into()),
        username: Set(new.username.clone()),
        username_key: Set(key(&new.username)),
        password_hash: Set(new.password_hash.clone()),
        role: Set(new.role.as_str().into()),
        disabled: Set(false),
        created_at: Set(new.created_at.0),
        last_seen_at: Set(None),
    };
    user::Entity::insert(row).exec_without_returning(transaction).await.map_err(writing("a person of that name"))?;
    Ok(())
}

/// Returns whether a person has this name, or one that earlier versions took for another and that looks
/// the same.
async fn is_taken(transaction: &Transaction, username: &str) -> Result<bool, StoreError> {
    let key = key(username);
    let names: Vec<String> = user::Entity::find()
        .select_only()
        .column(user::Column::Username)
        .into_tuple()
        .all(transaction)
        .await
        .map_err(reading(PEOPLE))?;
    Ok(names.iter().any(|name| self::key(name) == key))
}

/// Callers have checked the name; a name without a key could not be signed in with, so it is
/// kept under its plain lower case.
fn key(username: &str) -> String {
    domain::people::username_key(username).unwrap_or_else(|_| username.to_lowercase())
}

pub(crate) fn fresh(new: &NewUser) -> User {
    User {
        id: new.id.clone(),
        username: new.username.clone(),
        username_key: key(&new.username),
        role: new.role,
        disabled: false,
        created_at: new.created_at,
        last_seen_at: None,
    }
}

/// Whether the house was claimed is asked of all owners; whether it can still be steered, of the
/// enabled ones. A disabled owner cannot be the only one, so both are the same number here.
async fn admins(db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    user::Entity::find()
        .filter(user::Column::Role.eq(Role::Admin.as_str()))
        .filter(user::Column::Disabled.eq(false))
        .select_only()
        .column(user::Column::Id)
        .count(db)
        .await
        .map_err(reading(PEOPLE))
}

async fn keep_an_admin(transaction: &Transaction, before: u64) -> Result<(), StoreError> {
    if before > 0 && admins(transaction).await? == 0 { Err(StoreError::LastAdmin) } else { Ok(()) }
}

fn to_user(row: user::Model) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::parse(&row.id).map_err(|_| unreadable(PEOPLE, &row.id))?,
        role: row.role.parse().map_err(|_| unreadable(PEOPLE, &row.role))?,
        username: row.username,
        username_key: row.username_key,
        disabled: row.disabled,
        created_at: UnixMs(row.created_at),
        last_seen_at: row.last_seen_at.map(UnixMs),
    })
}
