//! How a question to the database can fail.

use domain::{Code, Failure};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr, sqlx};
use std::time::Duration;

/// A database that went is looked for every half second.
const AWAY_RETRY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("reading {what} failed")]
    Read { what: &'static str, source: DbErr },
    #[error("writing {what} failed")]
    Write { what: &'static str, source: DbErr },
    /// Something with that name or key is there already.
    #[error("{what} exists already")]
    Conflict { what: &'static str },
    /// The change would leave the house without an owner who can sign in.
    #[error("the last owner of the house cannot go")]
    LastAdmin,
    /// A page was asked for with a cursor we did not make, or made for another order.
    #[error("the cursor belongs to another list")]
    BadCursor,
    /// A row holds what this version never writes.
    #[error("a row of {what} holds {value:?}, which means nothing here")]
    Unreadable { what: &'static str, value: String },
    #[error("a copy can only be made of a database in a file")]
    NoCopy,
    #[error("the copy is not whole: {why}")]
    BadCopy { why: String },
}

impl StoreError {
    /// The disk (or the quota of the database) is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => is_full(source),
            _ => false,
        }
    }
    /// The database is on another machine and does not answer. Whether a write took place is unknown.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => is_away(source),
            _ => false,
        }
    }
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// What a person is told.
    pub fn failure(&self) -> Failure {
        if self.is_away() {
            return Failure::of(Code::DatabaseAway).retry_after(AWAY_RETRY);
        }
        Failure::of(match self {
            _ if self.is_full() => Code::DiskFull,
            Self::Read { .. } | Self::Write { .. } | Self::NoCopy | Self::BadCopy { .. } => Code::StorageFailed,
            Self::Conflict { .. } => Code::Conflict,
            Self::LastAdmin => Code::LastAdmin,
            Self::BadCursor => Code::BadRequest,
            Self::Unreadable { .. } => Code::Internal,
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        error.failure()
    }
}

/// For `map_err`: what was being read.
pub(crate) fn reading(what: &'static str) -> impl FnOnce(DbErr) -> StoreError {
    move |source| StoreError::Read { what, source }
}

/// For `map_err`: what was being written. A broken uniqueness is a conflict and no failure.
pub(crate) fn writing(what: &'static str) -> impl Fn(DbErr) -> StoreError + Copy {
    move |source| match source.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Conflict { what },
        _ => StoreError::Write { what, source },
    }
}

pub(crate) fn unreadable(what: &'static str, value: &str) -> StoreError {
    StoreError::Unreadable { what, value: value.to_owned() }
}

/// Whether a row could not be written because what it points to is gone.
pub(crate) fn is_dangling(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_)))
}

/// Returns whether a rule of the schema refused a row: the database works then.
pub(crate) fn is_constraint(error: &DbErr) -> bool {
    error.sql_err().is_some()
}

pub(crate) fn is_full(error: &DbErr) -> bool {
    // SQLITE_FULL; disk_full and out-of-space classes of PostgreSQL.
    code_of(error).is_some_and(|code| code == "13" || code == "53100")
}

/// Returns whether this is what [`crate::presence`] makes of a database that does not answer. Nothing
/// else has this form.
pub(crate) const fn is_away(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(RuntimeErr::Internal(_)))
}

/// Returns whether a statement failed because its connection to PostgreSQL is gone, or none could be had.
pub(crate) fn is_gone(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => true,
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => match &**e {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) => true,
            // Connection exceptions; the operator ended it, it crashed, or it is starting.
            sqlx::Error::Database(e) => {
                e.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P0") || code == "25P03")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Returns the database's own number for what is wrong.
pub(crate) fn code_of(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(e) | DbErr::Exec(e) | DbErr::Query(e)) = error else { return None };
    let RuntimeErr::SqlxError(e) = e else { return None };
    e.as_database_error().and_then(|e| e.code()).map(Into::into)
}

/// Returns what the database says in words, without the layers around it and their numbers.
pub(crate) fn words_of(error: &DbErr) -> String {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => {
            e.as_database_error().map_or_else(|| e.to_string(), |e| e.message().to_owned())
        }
        other => other.to_string(),
    }
}
