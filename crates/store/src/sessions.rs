//! Sign-ins and the chain of refresh tokens that keeps each one alive. Tokens themselves are
//! never here, only their hashes.

use crate::{
    entities::{refresh_token, session, user},
    error::{StoreError, reading, unreadable, writing},
    open::{Store, Turn, commit},
    writer::Transaction,
};
use base::UnixMs;
use domain::{SessionId, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

/// A sign-in that was not used for this long has ended: 14 days.
pub const SESSION_IDLE_MS: i64 = 14 * 24 * 3600 * 1000;
/// Replaced tokens are remembered this long, so that their reuse is seen for what it is.
const REMEMBER_REPLACED_MS: i64 = 30 * 24 * 3600 * 1000;
/// Ended sign-ins are forgotten after this long; the audit log keeps that they were.
const REMEMBER_ENDED_MS: i64 = 30 * 24 * 3600 * 1000;

/// One sign-in on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub device: Option<String>,
    pub address: Option<String>,
    pub created_at: UnixMs,
    pub last_seen_at: UnixMs,
    /// Absolute: no use of the session moves it.
    pub expires_at: UnixMs,
    pub ended_at: Option<UnixMs>,
}

impl Session {
    /// Not ended, not older than it may get, and used in the last 14 days.
    pub const fn is_live(&self, now: UnixMs) -> bool {
        self.ended_at.is_none() && now.0 < self.expires_at.0 && now.0 < self.last_seen_at.0 + SESSION_IDLE_MS
    }
}

#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub device: Option<String>,
    pub address: Option<String>,
    pub created_at: UnixMs,
    pub expires_at: UnixMs,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one and is replaced now.
    Rotated(Session),
    /// It was replaced a moment ago for the same device, whose answer got lost or which asked
    /// twice at once. The successor that was made then stays the current one.
    Graced(Session),
    /// It was replaced before: somebody has a copy. The sign-in was ended here.
    Reused(Session),
    Unknown,
    /// It belongs to a sign-in that ended or expired.
    Ended,
}

const SIGN_INS: &str = "sign-ins";

impl Store {
    /// # Errors
    /// When the database cannot be written, for instance since the user is gone.
    pub async fn create_session(&self, new: &NewSession, refresh_hash: [u8; 32]) -> Result<Session, StoreError> {
        let transaction = self.write(Turn::Any, SIGN_INS).await?;
        let row = session::ActiveModel {
            id: Set(new.id.as_str().into()),
            user_id: Set(new.user.as_str().into()),
            device: Set(new.device.clone()),
            address: Set(new.address.clone()),
            created_at: Set(new.created_at.0),
            last_seen_at: Set(new.created_at.0),
            expires_at: Set(new.expires_at.0),
            ended_at: Set(None),
        };
        session::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(SIGN_INS))?;
        insert_token(&transaction, &refresh_hash, &new.id, new.created_at).await?;
        saw_user(&transaction, new.user.as_str(), new.created_at).await?;
        forget_old(&transaction, new.created_at).await?;
        commit(transaction, SIGN_INS).await?;
        Ok(Session {
            id: new.id.clone(),
            user: new.user.clone(),
            device: new.device.clone(),
            address: new.address.clone(),
            created_at: new.created_at,
            last_seen_at: new.created_at,
            expires_at: new.expires_at,
            ended_at: None,
        })
    }

    /// Live or not; the caller asks [`Session::is_live`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let row = session::Entity::find_by_id(id.as_str()).one(self.read()).await.map_err(reading(SIGN_INS))?;
        row.map(to_session).transpose()
    }

    /// Live ones, the last used first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, StoreError> {
        self.live(Condition::all().add(session::Column::UserId.eq(user.as_str()))).await
    }

    /// Live ones of everybody, the last used first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_sessions(&self) -> Result<Vec<Session>, StoreError> {
        self.live(Condition::all()).await
    }

    async fn live(&self, whose: Condition) -> Result<Vec<Session>, StoreError> {
        let rows = session::Entity::find()
            .filter(whose)
            .filter(is_live(self.clock().now()))
            .order_by_desc(session::Column::LastSeenAt)
            .order_by_asc(session::Column::Id)
            .all(self.read())
            .await
            .map_err(reading(SIGN_INS))?;
        rows.into_iter().map(to_session).collect()
    }

    /// Whether it was live until now.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        let now = self.clock().now();
        let transaction = self.write(Turn::Any, SIGN_INS).await?;
        let ended = end(&transaction, id.as_str(), now).await?;
        commit(transaction, SIGN_INS).await?;
        Ok(ended)
    }

    /// Ends all live sign-ins of a person, or all but one, and tells which.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<&SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let now = self.clock().now();
        let transaction = self.write(Turn::Sessions, SIGN_INS).await?;
        let mut which = Condition::all().add(session::Column::UserId.eq(user.as_str())).add(is_live(now));
        if let Some(kept) = except {
            which = which.add(session::Column::Id.ne(kept.as_str()));
        }
        let rows = session::Entity::find().filter(which).all(&transaction).await.map_err(reading(SIGN_INS))?;
        let mut ended = Vec::with_capacity(rows.len());
        for row in rows {
            end(&transaction, &row.id, now).await?;
            ended.push(SessionId::parse(&row.id).map_err(|_| unreadable(SIGN_INS, &row.id))?);
        }
        commit(transaction, SIGN_INS).await?;
        Ok(ended)
    }

    /// Takes a shown token and puts its successor in its place, in one transaction.
    /// `device` names where the request came from; grace is given to the same one only.
    ///
    /// # Errors
    /// When the database cannot be written; the shown token is still the current one then.
    pub async fn rotate_refresh(
        &self,
        old_hash: [u8; 32],
        new_hash: [u8; 32],
        now: UnixMs,
        grace_ms: u64,
        device: &str,
    ) -> Result<Rotation, StoreError> {
        let transaction = self.write(Turn::Sessions, SIGN_INS).await?;
        let token =
            refresh_token::Entity::find_by_id(old_hash.to_vec()).one(&transaction).await.map_err(reading(SIGN_INS))?;
        let Some(token) = token else { return Ok(Rotation::Unknown) };
        let row = session::Entity::find_by_id(token.session_id.as_str())
            .one(&transaction)
            .await
            .map_err(reading(SIGN_INS))?;
        let Some(row) = row else { return Ok(Rotation::Unknown) };
        let mut session = to_session(row)?;
        if !session.is_live(now) {
            return Ok(Rotation::Ended);
        }
        if let Some(replaced_at) = token.replaced_at {
            let just_now = now.since(UnixMs(replaced_at)) <= grace_ms;
            let same_device = token.replaced_from.as_deref() == Some(device);
            let successor_is_current = match token.replaced_by {
                Some(hash) => is_current(&transaction, hash).await?,
                None => false,
            };
            if just_now && same_device && successor_is_current {
                return Ok(Rotation::Graced(session));
            }
            end(&transaction, session.id.as_str(), now).await?;
            commit(transaction, SIGN_INS).await?;
            session.ended_at = Some(now);
            return Ok(Rotation::Reused(session));
        }
        refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::ReplacedAt, Expr::value(now.0))
            .col_expr(refresh_token::Column::ReplacedBy, Expr::value(new_hash.to_vec()))
            .col_expr(refresh_token::Column::ReplacedFrom, Expr::value(device))
            .filter(refresh_token::Column::Hash.eq(old_hash.to_vec()))
            .exec(&transaction)
            .await
            .map_err(writing(SIGN_INS))?;
        insert_token(&transaction, &new_hash, &session.id, now).await?;
        session::Entity::update_many()
            .col_expr(session::Column::LastSeenAt, Expr::value(now.0))
            .col_expr(session::Column::Address, Expr::value(device))
            .filter(session::Column::Id.eq(session.id.as_str()))
            .exec(&transaction)
            .await
            .map_err(writing(SIGN_INS))?;
        saw_user(&transaction, session.user.as_str(), now).await?;
        refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::SessionId.eq(session.id.as_str()))
            .filter(refresh_token::Column::ReplacedAt.lt(now.0 - REMEMBER_REPLACED_MS))
            .exec(&transaction)
            .await
            .map_err(writing(SIGN_INS))?;
        commit(transaction, SIGN_INS).await?;
        session.last_seen_at = now;
        session.address = Some(device.into());
        Ok(Rotation::Rotated(session))
    }
}

fn is_live(now: UnixMs) -> SimpleExpr {
    session::Column::EndedAt
        .is_null()
        .and(session::Column::ExpiresAt.gt(now.0))
        .and(session::Column::LastSeenAt.gt(now.0 - SESSION_IDLE_MS))
}

async fn end(transaction: &Transaction, id: &str, now: UnixMs) -> Result<bool, StoreError> {
    let done = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now.0))
        .filter(session::Column::Id.eq(id))
        .filter(is_live(now))
        .exec(transaction)
        .await
        .map_err(writing(SIGN_INS))?;
    Ok(done.rows_affected > 0)
}

async fn is_current(transaction: &Transaction, hash: Vec<u8>) -> Result<bool, StoreError> {
    let row = refresh_token::Entity::find_by_id(hash).one(transaction).await.map_err(reading(SIGN_INS))?;
    Ok(row.is_some_and(|r| r.replaced_at.is_none()))
}

async fn insert_token(
    transaction: &Transaction,
    hash: &[u8; 32],
    session: &SessionId,
    now: UnixMs,
) -> Result<(), StoreError> {
    let row = refresh_token::ActiveModel {
        hash: Set(hash.to_vec()),
        session_id: Set(session.as_str().into()),
        created_at: Set(now.0),
        replaced_at: Set(None),
        replaced_by: Set(None),
        replaced_from: Set(None),
    };
    refresh_token::Entity::insert(row).exec_without_returning(transaction).await.map_err(writing(SIGN_INS))?;
    Ok(())
}

async fn saw_user(transaction: &Transaction, id: &str, now: UnixMs) -> Result<(), StoreError> {
    user::Entity::update_many()
        .col_expr(user::Column::LastSeenAt, Expr::value(now.0))
        .filter(user::Column::Id.eq(id))
        .exec(transaction)
        .await
        .map_err(writing(SIGN_INS))?;
    Ok(())
}

async fn forget_old(transaction: &Transaction, now: UnixMs) -> Result<(), StoreError> {
    let before = now.0 - REMEMBER_ENDED_MS;
    session::Entity::delete_many()
        .filter(
            Condition::any()
                .add(session::Column::EndedAt.lt(before))
                .add(session::Column::ExpiresAt.lt(before))
                .add(session::Column::LastSeenAt.lt(before - SESSION_IDLE_MS)),
        )
        .exec(transaction)
        .await
        .map_err(writing(SIGN_INS))?;
    Ok(())
}

fn to_session(row: session::Model) -> Result<Session, StoreError> {
    Ok(Session {
        id: SessionId::parse(&row.id).map_err(|_| unreadable(SIGN_INS, &row.id))?,
        user: UserId::parse(&row.user_id).map_err(|_| unreadable(SIGN_INS, &row.user_id))?,
        device: row.device,
        address: row.address,
        created_at: UnixMs(row.created_at),
        last_seen_at: UnixMs(row.last_seen_at),
        expires_at: UnixMs(row.expires_at),
        ended_at: row.ended_at.map(UnixMs),
    })
}
