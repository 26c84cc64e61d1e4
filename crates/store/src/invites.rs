//! Invitations: a token that makes one person, once.

use crate::{
    entities::{grant, invite, library},
    error::{StoreError, reading, unreadable, writing},
    open::{Store, Turn, commit},
    users::{self, NewUser, User},
    writer::Transaction,
};
use base::UnixMs;
use domain::{InviteId, LibraryId, UserId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    /// What the new person will be granted.
    pub libraries: Vec<LibraryId>,
    pub created_by: UserId,
    pub created_at: UnixMs,
    pub expires_at: UnixMs,
    pub used_by: Option<UserId>,
    pub used_at: Option<UnixMs>,
}

#[derive(Debug, Clone)]
pub struct NewInvite {
    pub id: InviteId,
    pub token_hash: [u8; 32],
    pub libraries: Vec<LibraryId>,
    pub created_by: UserId,
    pub created_at: UnixMs,
    pub expires_at: UnixMs,
}

const INVITES: &str = "invitations";
/// Used and expired ones are shown this long.
const REMEMBER_EXPIRED_MS: i64 = 30 * 24 * 3600 * 1000;

impl Store {
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_invite(&self, new: &NewInvite) -> Result<Invite, StoreError> {
        let transaction = self.write(Turn::Any, INVITES).await?;
        if self.may_forget() {
            forget_expired(&transaction, new.created_at).await?;
        }
        let ids: Vec<&str> = new.libraries.iter().map(LibraryId::as_str).collect();
        let row = invite::ActiveModel {
            id: Set(new.id.as_str().into()),
            token_hash: Set(new.token_hash.to_vec()),
            libraries: Set(ids.join(" ")),
            created_by: Set(new.created_by.as_str().into()),
            created_at: Set(new.created_at.0),
            expires_at: Set(new.expires_at.0),
            used_by: Set(None),
            used_at: Set(None),
        };
        invite::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(INVITES))?;
        commit(transaction, INVITES).await?;
        Ok(Invite {
            id: new.id.clone(),
            libraries: new.libraries.clone(),
            created_by: new.created_by.clone(),
            created_at: new.created_at,
            expires_at: new.expires_at,
            used_by: None,
            used_at: None,
        })
    }

    /// Newest first, used and expired ones too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn invites(&self) -> Result<Vec<Invite>, StoreError> {
        let rows = invite::Entity::find()
            .order_by_desc(invite::Column::CreatedAt)
            .order_by_asc(invite::Column::Id)
            .all(self.read())
            .await
            .map_err(reading(INVITES))?;
        rows.into_iter().map(to_invite).collect()
    }

    /// Whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_invite(&self, id: &InviteId) -> Result<bool, StoreError> {
        let transaction = self.write(Turn::Any, INVITES).await?;
        let gone = invite::Entity::delete_by_id(id.as_str()).exec(&transaction).await.map_err(writing(INVITES))?;
        commit(transaction, INVITES).await?;
        Ok(gone.rows_affected > 0)
    }

    /// Whether an invitation is open: there, unused, in time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_invited(&self, token_hash: [u8; 32], now: UnixMs) -> Result<bool, StoreError> {
        let open = invite::Entity::find()
            .filter(invite::Column::TokenHash.eq(token_hash.to_vec()))
            .filter(invite::Column::UsedAt.is_null())
            .filter(invite::Column::ExpiresAt.gt(now.0))
            .one(self.read())
            .await
            .map_err(reading(INVITES))?;
        Ok(open.is_some())
    }

    /// Makes the invited person with their grants and uses the invitation up, in one transaction.
    /// `None`: no such invitation, or it is used or expired. Libraries that are gone are left out.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is taken; the invitation is unused then.
    pub async fn redeem_invite(
        &self,
        token_hash: [u8; 32],
        new: &NewUser,
        now: UnixMs,
    ) -> Result<Option<User>, StoreError> {
        let transaction = self.write(Turn::People, INVITES).await?;
        let used = invite::Entity::update_many()
            .col_expr(invite::Column::UsedAt, Expr::value(now.0))
            .col_expr(invite::Column::UsedBy, Expr::value(new.id.as_str()))
            .filter(invite::Column::TokenHash.eq(token_hash.to_vec()))
            .filter(invite::Column::UsedAt.is_null())
            .filter(invite::Column::ExpiresAt.gt(now.0))
            .exec(&transaction)
            .await
            .map_err(writing(INVITES))?;
        if used.rows_affected == 0 {
            return Ok(None);
        }
        let row = invite::Entity::find()
            .filter(invite::Column::TokenHash.eq(token_hash.to_vec()))
            .one(&transaction)
            .await
            .map_err(reading(INVITES))?;
        let Some(row) = row else { return Ok(None) };
        users::insert(&transaction, new).await?;
        let wanted: Vec<String> = row.libraries.split_whitespace().map(str::to_owned).collect();
        let there = library::Entity::find()
            .filter(library::Column::Id.is_in(wanted))
            .all(&transaction)
            .await
            .map_err(reading(INVITES))?;
        for library in there {
            let row = grant::ActiveModel { user_id: Set(new.id.as_str().into()), library_id: Set(library.id) };
            grant::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing("grants"))?;
        }
        commit(transaction, INVITES).await?;
        Ok(Some(users::fresh(new)))
    }
}

/// The audit log keeps that they were.
pub(crate) async fn forget_expired(transaction: &Transaction, now: UnixMs) -> Result<(), StoreError> {
    invite::Entity::delete_many()
        .filter(invite::Column::ExpiresAt.lt(now.0 - REMEMBER_EXPIRED_MS))
        .exec(transaction)
        .await
        .map_err(writing(INVITES))?;
    Ok(())
}

fn to_invite(row: invite::Model) -> Result<Invite, StoreError> {
    let user = |id: &str| UserId::parse(id).map_err(|_| unreadable(INVITES, id));
    Ok(Invite {
        id: InviteId::parse(&row.id).map_err(|_| unreadable(INVITES, &row.id))?,
        libraries: row
            .libraries
            .split_whitespace()
            .map(|id| LibraryId::parse(id).map_err(|_| unreadable(INVITES, id)))
            .collect::<Result<_, _>>()?,
        created_by: user(&row.created_by)?,
        created_at: UnixMs(row.created_at),
        expires_at: UnixMs(row.expires_at),
        used_by: row.used_by.as_deref().map(user).transpose()?,
        used_at: row.used_at.map(UnixMs),
    })
}
