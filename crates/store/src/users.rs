//! People: who they are, what they may do, what they like.

use crate::{
    entities::{preference, user},
    error::{StoreError, is_dangling, reading, unreadable, writing},
    open::{Store, Turn, commit},
    settings,
    writer::Transaction,
};
use base::UnixMs;
use domain::{Role, UserId};
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

/// Somebody who is about to exist. The name is kept as typed and compared by its key.
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

impl Store {
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken.
    pub async fn create_user(&self, new: &NewUser) -> Result<User, StoreError> {
        let transaction = self.write(Turn::Any, PEOPLE).await?;
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

    /// By the key of the name, with the stored password hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user_by_key(&self, key: &str) -> Result<Option<(User, String)>, StoreError> {
        if key.contains('\0') {
            return Ok(None);
        }
        let found = user::Entity::find().filter(user::Column::UsernameKey.eq(key)).one(self.read()).await;
        found
            .map_err(reading(PEOPLE))?
            .map(|row| {
                let hash = row.password_hash.clone();
                Ok((to_user(row)?, hash))
            })
            .transpose()
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

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_password(&self, id: &UserId, password_hash: &str) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::Any, PEOPLE).await?;
        let done = user::Entity::update_many()
            .col_expr(user::Column::PasswordHash, Expr::value(password_hash))
            .filter(user::Column::Id.eq(id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(PEOPLE))?;
        commit(transaction, PEOPLE).await?;
        Ok(if done.rows_affected > 0 { Change::Done } else { Change::Missing })
    }

    /// # Errors
    /// [`StoreError::LastAdmin`] when nobody would be left to own the house.
    pub async fn set_role(&self, id: &UserId, role: Role) -> Result<Change, StoreError> {
        self.change_user(id, |row| user::ActiveModel { role: Set(role.as_str().into()), ..row }).await
    }

    /// # Errors
    /// [`StoreError::LastAdmin`] when nobody would be left to own the house.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<Change, StoreError> {
        self.change_user(id, |row| user::ActiveModel { disabled: Set(disabled), ..row }).await
    }

    async fn change_user(
        &self,
        id: &UserId,
        change: impl FnOnce(user::ActiveModel) -> user::ActiveModel + Send,
    ) -> Result<Change, StoreError> {
        let transaction = self.write(Turn::People, PEOPLE).await?;
        let before = admins(&transaction).await?;
        let row = user::Entity::find_by_id(id.as_str()).one(&transaction).await.map_err(reading(PEOPLE))?;
        let Some(row) = row else { return Ok(Change::Missing) };
        change(row.into()).update(&transaction).await.map_err(writing(PEOPLE))?;
        keep_an_admin(&transaction, before).await?;
        commit(transaction, PEOPLE).await?;
        Ok(Change::Done)
    }

    /// Sign-ins, grants and progress of the person go with them.
    ///
    /// # Errors
    /// [`StoreError::LastAdmin`] when nobody would be left to own the house.
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
        let row = preference::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading("preferences"))?;
        Ok(row.map_or_else(Preferences::default, |r| Preferences {
            theme: r.theme,
            language: r.language,
            audio_language: r.audio_language,
            autoplay_next: r.autoplay_next,
        }))
    }

    /// # Errors
    /// When the database cannot be written.
    pub async fn set_preferences(&self, id: &UserId, wanted: &Preferences) -> Result<Change, StoreError> {
        const WHAT: &str = "preferences";
        use preference::{ActiveModel, Column, Entity};
        let transaction = self.write(Turn::Any, WHAT).await?;
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
            Err(e) if is_dangling(&e) => return Ok(Change::Missing),
            Err(e) => return Err(writing(WHAT)(e)),
        }
        commit(transaction, WHAT).await?;
        Ok(Change::Done)
    }
}

pub(crate) async fn insert(transaction: &Transaction, new: &NewUser) -> Result<(), StoreError> {
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
