//! Sign-ins and the chain of refresh tokens that keeps each one alive. Tokens themselves are
//! never here, only their hashes.

use crate::{
    entities::{refresh_token, session, user},
    error::{StoreError, reading, unreadable, writing},
    invites,
    open::{Store, Turn, commit},
    writer::Transaction,
};
use base::UnixMs;
use domain::{SessionId, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

/// A sign-in that was not used for this long has ended: 14 days.
pub const SESSION_IDLE_MS: i64 = 14 * 24 * 3600 * 1000;
/// Replaced tokens are remembered this long, so that their reuse is seen for what it is.
const REMEMBER_REPLACED_MS: i64 = 30 * 24 * 3600 * 1000;
/// Ended sign-ins are forgotten after this long; the audit log keeps that they were.
const REMEMBER_ENDED_MS: i64 = 30 * 24 * 3600 * 1000;
/// No sign-in is alive this long after its beginning, however it went.
const LONGEST_LIFE_MS: i64 = 120 * 24 * 3600 * 1000;
/// A person has so many devices at most; the one that was used longest ago makes room.
const MOST_SIGN_INS: usize = 50;
/// One that began further ahead than this began on a clock that had jumped.
const FROM_THE_FUTURE_MS: i64 = 24 * 3600 * 1000;

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
    /// Returns whether it is not ended, not older than it may get, and was used in the last 14 days.
    pub const fn is_live(&self, now: UnixMs) -> bool {
        self.ended_at.is_none()
            && now.0 < self.expires_at.0
            && now.0 < self.last_seen_at.0.saturating_add(SESSION_IDLE_MS)
            && self.created_at.0 <= now.0.saturating_add(FROM_THE_FUTURE_MS)
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
    /// Of the secret that the page keeps for its own origin. A client that has none shows its
    /// refresh token alone.
    pub device_hash: Option<[u8; 32]>,
}

/// What became of a sign-in that was about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It began; these, the person's oldest, made room for it.
    Live { session: Session, ended: Vec<SessionId> },
    /// The person is gone, switched off, or has another password than the one that was checked.
    Refused,
}

/// Who showed a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    pub address: &'a str,
    pub device_hash: Option<[u8; 32]>,
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one and is replaced now.
    Rotated(Session),
    /// It is the one before the current one, shown by the same device: its answer got lost, the
    /// browser was killed before it wrote the new one down, or two tabs asked at once. The
    /// successor that was made then stays the current one.
    Graced(Session),
    /// It is a copy: an older one, or one without the secret of its device. The sign-in was ended.
    Reused(Session),
    Unknown,
    /// It belongs to a sign-in that ended or expired.
    Ended,
}

const SIGN_INS: &str = "sign-ins";

impl Store {
    /// Begins a sign-in, if the person is still who was checked: `if_hash` is the password hash
    /// that was verified. A password that was replaced meanwhile begins nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_session(
        &self,
        new: &NewSession,
        refresh_hash: [u8; 32],
        if_hash: Option<&str>,
    ) -> Result<Begun, StoreError> {
        let transaction = self.write(Turn::Any, SIGN_INS).await?;
        // First, since it holds the person's row: a new password waits for this sign-in and ends
        // it, or this sign-in waits for the new password and is refused.
        let mut person = user::Entity::update_many()
            .col_expr(user::Column::LastSeenAt, Expr::value(new.created_at.0))
            .filter(user::Column::Id.eq(new.user.as_str()))
            .filter(user::Column::Disabled.eq(false));
        if let Some(hash) = if_hash {
            person = person.filter(user::Column::PasswordHash.eq(hash));
        }
        if person.exec(&transaction).await.map_err(writing(SIGN_INS))?.rows_affected == 0 {
            return Ok(Begun::Refused);
        }
        let row = session::ActiveModel {
            id: Set(new.id.as_str().into()),
            user_id: Set(new.user.as_str().into()),
            device: Set(new.device.clone()),
            address: Set(new.address.clone()),
            created_at: Set(new.created_at.0),
            last_seen_at: Set(new.created_at.0),
            expires_at: Set(new.expires_at.0),
            ended_at: Set(None),
            device_hash: Set(new.device_hash.map(Vec::from)),
        };
        session::Entity::insert(row).exec_without_returning(&transaction).await.map_err(writing(SIGN_INS))?;
        insert_token(&transaction, &refresh_hash, &new.id, new.created_at).await?;
        let ended = make_room(&transaction, &new.user, new.created_at).await?;
        if self.may_forget() {
            forget_old(&transaction, new.created_at).await?;
            invites::forget_expired(&transaction, new.created_at).await?;
        }
        self.note_time(&transaction).await?;
        commit(transaction, SIGN_INS).await?;
        let session = Session {
            id: new.id.clone(),
            user: new.user.clone(),
            device: new.device.clone(),
            address: new.address.clone(),
            created_at: new.created_at,
            last_seen_at: new.created_at,
            expires_at: new.expires_at,
            ended_at: None,
        };
        Ok(Begun::Live { session, ended })
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
            .filter(is_live(self.time()))
            .order_by_desc(session::Column::LastSeenAt)
            .order_by_asc(session::Column::Id)
            .all(self.read())
            .await
            .map_err(reading(SIGN_INS))?;
        rows.into_iter().map(to_session).collect()
    }

    /// Returns the sign-in that a refresh token belongs to, even if one of them has ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session_of_token(&self, hash: [u8; 32]) -> Result<Option<SessionId>, StoreError> {
        let token = token(self.read(), hash).await?;
        token.map(|t| SessionId::parse(&t.session_id).map_err(|_| unreadable(SIGN_INS, &t.session_id))).transpose()
    }

    /// Ends a sign-in, and returns whether it had not ended before.
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

    /// Ends all sign-ins of a person that have not ended, or all but one, and tells which.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<&SessionId>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let transaction = self.write(Turn::Sessions, SIGN_INS).await?;
        let ended = end_all(&transaction, user, except, self.clock().now()).await?;
        commit(transaction, SIGN_INS).await?;
        Ok(ended)
    }

    /// Takes a shown token and puts its successor in its place, in one transaction. A token that
    /// is none of ours, or whose sign-in has ended, never reaches the writer.
    ///
    /// # Errors
    /// When the database cannot be written; the shown token is still the current one then.
    pub async fn rotate_refresh(
        &self,
        old_hash: [u8; 32],
        new_hash: [u8; 32],
        grace_ms: u64,
        by: Shown<'_>,
    ) -> Result<Rotation, StoreError> {
        let (now, at) = (self.time(), self.clock().now());
        match shown(self.read(), old_hash, now).await? {
            Ok(_) => {}
            Err(refused) => return Ok(refused),
        }
        let transaction = self.write(Turn::Sessions, SIGN_INS).await?;
        // Once more: it may have changed while this waited for its turn.
        let (token, row) = match shown(&transaction, old_hash, now).await? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        let bound = row.device_hash.clone();
        let mut session = to_session(row)?;
        let successor_is_current = match &token.replaced_by {
            Some(hash) => is_current(&transaction, hash.clone()).await?,
            None => false,
        };
        match judge(&token, bound.as_deref(), successor_is_current, by, at, grace_ms) {
            Verdict::Grace => Ok(Rotation::Graced(session)),
            Verdict::Copy => {
                end(&transaction, session.id.as_str(), at).await?;
                commit(transaction, SIGN_INS).await?;
                session.ended_at = Some(at);
                Ok(Rotation::Reused(session))
            }
            Verdict::Replace => {
                replace_token(&transaction, &session, old_hash, new_hash, by, (now, at)).await?;
                if self.may_forget() {
                    forget_replaced(&transaction, &session, now).await?;
                }
                self.note_time(&transaction).await?;
                commit(transaction, SIGN_INS).await?;
                session.last_seen_at = now;
                session.address = Some(by.address.into());
                Ok(Rotation::Rotated(session))
            }
        }
    }
}

enum Verdict {
    Replace,
    Grace,
    Copy,
}

/// The last two tokens of a device are one device: a browser that is killed at any moment
/// comes back with one of them. A device is known by its secret. A client without one is known by
/// its address for a moment, as far as the clock can tell.
fn judge(
    token: &refresh_token::Model,
    bound: Option<&[u8]>,
    successor_is_current: bool,
    by: Shown<'_>,
    at: UnixMs,
    grace_ms: u64,
) -> Verdict {
    let same_device = match bound {
        Some(hash) => by.device_hash.as_ref().is_some_and(|shown| shown == hash),
        None => token.replaced_at.is_none_or(|replaced| {
            token.replaced_from.as_deref() == Some(by.address) && at.0.abs_diff(replaced) <= grace_ms
        }),
    };
    match (same_device, token.replaced_at, successor_is_current) {
        (true, None, _) => Verdict::Replace,
        (true, Some(_), true) => Verdict::Grace,
        _ => Verdict::Copy,
    }
}

async fn token(db: &impl ConnectionTrait, hash: [u8; 32]) -> Result<Option<refresh_token::Model>, StoreError> {
    refresh_token::Entity::find_by_id(hash.to_vec()).one(db).await.map_err(reading(SIGN_INS))
}

/// Returns a token and its sign-in, while that is alive.
async fn shown(
    db: &impl ConnectionTrait,
    hash: [u8; 32],
    now: UnixMs,
) -> Result<Result<(refresh_token::Model, session::Model), Rotation>, StoreError> {
    let Some(token) = token(db, hash).await? else { return Ok(Err(Rotation::Unknown)) };
    let row = session::Entity::find_by_id(token.session_id.as_str()).one(db).await.map_err(reading(SIGN_INS))?;
    let Some(row) = row else { return Ok(Err(Rotation::Unknown)) };
    Ok(if to_session(row.clone())?.is_live(now) { Ok((token, row)) } else { Err(Rotation::Ended) })
}

async fn replace_token(
    transaction: &Transaction,
    session: &Session,
    old_hash: [u8; 32],
    new_hash: [u8; 32],
    by: Shown<'_>,
    (now, at): (UnixMs, UnixMs),
) -> Result<(), StoreError> {
    refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::ReplacedAt, Expr::value(at.0))
        .col_expr(refresh_token::Column::ReplacedBy, Expr::value(new_hash.to_vec()))
        .col_expr(refresh_token::Column::ReplacedFrom, Expr::value(by.address))
        .filter(refresh_token::Column::Hash.eq(old_hash.to_vec()))
        .exec(transaction)
        .await
        .map_err(writing(SIGN_INS))?;
    insert_token(transaction, &new_hash, &session.id, now).await?;
    let mut used = session::Entity::update_many()
        .col_expr(session::Column::LastSeenAt, Expr::value(now.0))
        .col_expr(session::Column::Address, Expr::value(by.address))
        .filter(session::Column::Id.eq(session.id.as_str()));
    if let Some(hash) = by.device_hash {
        // One that began before there were secrets is bound at its first chance.
        used = used.col_expr(session::Column::DeviceHash, Expr::value(hash.to_vec()));
    }
    used.exec(transaction).await.map_err(writing(SIGN_INS))?;
    saw_user(transaction, session.user.as_str(), now).await
}

fn is_live(now: UnixMs) -> SimpleExpr {
    session::Column::EndedAt
        .is_null()
        .and(session::Column::ExpiresAt.gt(now.0))
        .and(session::Column::LastSeenAt.gt(now.0 - SESSION_IDLE_MS))
        .and(session::Column::CreatedAt.lte(now.0.saturating_add(FROM_THE_FUTURE_MS)))
}

async fn end(transaction: &Transaction, id: &str, now: UnixMs) -> Result<bool, StoreError> {
    let done = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now.0))
        .filter(session::Column::Id.eq(id))
        // Not whether it is alive by the clock, which may have jumped: it must not come back.
        .filter(session::Column::EndedAt.is_null())
        .exec(transaction)
        .await
        .map_err(writing(SIGN_INS))?;
    Ok(done.rows_affected > 0)
}

/// Ends all of a person that have not ended, or all but one. For every place that takes a right
/// away, inside its own transaction.
pub(crate) async fn end_all(
    transaction: &Transaction,
    user: &UserId,
    except: Option<&SessionId>,
    now: UnixMs,
) -> Result<Vec<SessionId>, StoreError> {
    let mut which =
        Condition::all().add(session::Column::UserId.eq(user.as_str())).add(session::Column::EndedAt.is_null());
    if let Some(except) = except {
        which = which.add(session::Column::Id.ne(except.as_str()));
    }
    let rows = session::Entity::find().filter(which).all(transaction).await.map_err(reading(SIGN_INS))?;
    end_these(transaction, rows, now).await
}

async fn end_these(
    transaction: &Transaction,
    rows: Vec<session::Model>,
    now: UnixMs,
) -> Result<Vec<SessionId>, StoreError> {
    let mut ended = Vec::with_capacity(rows.len());
    for row in rows {
        end(transaction, &row.id, now).await?;
        ended.push(SessionId::parse(&row.id).map_err(|_| unreadable(SIGN_INS, &row.id))?);
    }
    Ok(ended)
}

async fn make_room(transaction: &Transaction, user: &UserId, now: UnixMs) -> Result<Vec<SessionId>, StoreError> {
    let rows = session::Entity::find()
        .filter(session::Column::UserId.eq(user.as_str()))
        .filter(session::Column::EndedAt.is_null())
        .order_by_desc(session::Column::LastSeenAt)
        .order_by_desc(session::Column::CreatedAt)
        .limit(10_000)
        .all(transaction)
        .await
        .map_err(reading(SIGN_INS))?;
    let over = rows.into_iter().skip(MOST_SIGN_INS).collect();
    end_these(transaction, over, now).await
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

/// By when they ended or began, never by when they were used: a clock that stood ahead for a
/// moment makes everything look unused.
async fn forget_old(transaction: &Transaction, now: UnixMs) -> Result<(), StoreError> {
    let over = Condition::any()
        .add(session::Column::EndedAt.lt(now.0 - REMEMBER_ENDED_MS))
        .add(session::Column::CreatedAt.lt(now.0 - LONGEST_LIFE_MS));
    session::Entity::delete_many().filter(over).exec(transaction).await.map_err(writing(SIGN_INS))?;
    Ok(())
}

async fn forget_replaced(transaction: &Transaction, session: &Session, now: UnixMs) -> Result<(), StoreError> {
    refresh_token::Entity::delete_many()
        .filter(refresh_token::Column::SessionId.eq(session.id.as_str()))
        .filter(refresh_token::Column::ReplacedAt.lt(now.0 - REMEMBER_REPLACED_MS))
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
