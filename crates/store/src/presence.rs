//! Whether PostgreSQL is there, and what that means for a statement that waits for it.
//!
//! A file is always there. A database on another machine can refuse, fall silent in the middle of
//! an answer, or take connections and never answer one. [`crate::pulse`] finds out; here every
//! statement hears of it: while the database is away none begins, and the ones under way end at
//! once. What a statement that was cut off has done is unknown, so it is an error, never a success.

use crate::error::{is_gone, words_of};
use base::UnixMs;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

/// A statement that takes longer has the database looked at. Most take a few milliseconds.
const SUSPICIOUS: Duration = Duration::from_millis(500);

/// Whether the database answers; always for a file.
#[derive(Clone, Default)]
pub(crate) struct Presence(Option<Arc<Watched>>);

struct Watched {
    state: watch::Sender<State>,
    doubts: Notify,
    lost_at: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// How often it was lost. Connections of an earlier number are not waited for.
    losses: u64,
    away_since: Option<UnixMs>,
}

/// Which connections a piece of work began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(u64);

impl Presence {
    /// Returns that of a database somebody has to look after, believed there.
    pub(crate) fn watched() -> Self {
        let (state, _) = watch::channel(State::default());
        Self(Some(Arc::new(Watched { state, doubts: Notify::new(), lost_at: Mutex::default() })))
    }

    pub(crate) fn away_since(&self) -> Option<UnixMs> {
        self.0.as_ref().and_then(|watched| watched.state.borrow().away_since)
    }

    pub(crate) fn now(&self) -> Since {
        Since(self.0.as_ref().map_or(0, |watched| watched.state.borrow().losses))
    }

    /// Returns whether a connection of this age has outlived the last loss of the database.
    pub(crate) fn outlived(&self, age: Duration) -> bool {
        let Some(watched) = &self.0 else { return true };
        let lost_at = *watched.lost_at.lock().unwrap_or_else(PoisonError::into_inner);
        lost_at.is_none_or(|at| at.elapsed() > age)
    }

    /// Waits until a statement is suspiciously slow or says that its connection is gone.
    pub(crate) async fn doubted(&self) {
        match &self.0 {
            Some(watched) => watched.doubts.notified().await,
            None => std::future::pending().await,
        }
    }

    /// The database does not answer: ends what waits for it, and lets nothing begin.
    pub(crate) fn lost(&self, now: UnixMs) {
        let Some(watched) = &self.0 else { return };
        *watched.lost_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        watched.state.send_modify(|state| {
            state.losses += 1;
            state.away_since.get_or_insert(now);
        });
    }

    /// It answers. Returns whether it was away before.
    pub(crate) fn found(&self) -> bool {
        let Some(watched) = &self.0 else { return false };
        watched.state.send_if_modified(|state| state.away_since.take().is_some())
    }

    /// Runs one statement, or waits for one connection.
    pub(crate) async fn guard<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.guard_since(self.now(), statement).await
    }

    /// Runs one statement of a transaction that began at `since`: its connection is not waited for
    /// when the database was lost meanwhile.
    pub(crate) async fn guard_since<T>(
        &self,
        since: Since,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let Some(watched) = &self.0 else { return statement.await };
        let mut state = watched.state.subscribe();
        let mut lost = pin!(state.wait_for(|now| now.away_since.is_some() || now.losses != since.0));
        let mut statement = pin!(statement);
        let mut slow = pin!(sleep(SUSPICIOUS));
        let mut is_slow = false;
        loop {
            tokio::select! {
                biased;
                _ = &mut lost => return Err(away("it does not answer".into())),
                done = &mut statement => {
                    return done.map_err(|e| {
                        if !is_gone(&e) {
                            return e;
                        }
                        watched.doubts.notify_one();
                        away(words_of(&e))
                    });
                }
                () = &mut slow, if !is_slow => {
                    is_slow = true;
                    watched.doubts.notify_one();
                }
            }
        }
    }
}

/// The form of every error that means: the database is away. [`crate::error::is_away`] knows it.
fn away(why: String) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why))
}

/// The pool that reads come from.
pub(crate) struct Reader {
    pool: DatabaseConnection,
    presence: Presence,
}

impl Reader {
    pub(crate) const fn new(pool: DatabaseConnection, presence: Presence) -> Self {
        Self { pool, presence }
    }

    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }
    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.presence.guard(self.pool.execute_raw(statement)).await
    }
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.presence.guard(self.pool.execute_unprepared(sql)).await
    }
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.presence.guard(self.pool.query_one_raw(statement)).await
    }
    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.presence.guard(self.pool.query_all_raw(statement)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_away;
    use std::future::{pending, ready};

    #[tokio::test(start_paused = true)]
    async fn what_waits_ends_when_the_database_is_lost_and_nothing_begins_until_it_is_back() {
        let presence = Presence::watched();
        assert!(presence.guard(ready(Ok(1))).await.is_ok(), "the control");
        let (waits, ()) = tokio::join!(presence.guard(pending::<Result<(), DbErr>>()), async {
            presence.doubted().await;
            presence.lost(UnixMs(7));
        });
        assert!(is_away(&waits.unwrap_err()));
        assert_eq!(presence.away_since(), Some(UnixMs(7)));
        presence.lost(UnixMs(9));
        assert_eq!(presence.away_since(), Some(UnixMs(7)), "it is away since the first loss");
        assert!(is_away(&presence.guard(ready(Ok(1))).await.unwrap_err()), "nothing begins");
        presence.found();
        assert!(presence.guard(ready(Ok(1))).await.is_ok() && presence.away_since().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_does_not_outlive_a_loss() {
        let presence = Presence::watched();
        let since = presence.now();
        assert!(presence.guard_since(since, ready(Ok(1))).await.is_ok(), "the control");
        presence.lost(UnixMs(7));
        presence.found();
        assert!(is_away(&presence.guard_since(since, ready(Ok(1))).await.unwrap_err()));
        assert!(presence.guard(ready(Ok(1))).await.is_ok());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!presence.outlived(Duration::from_secs(3)) && presence.outlived(Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_always_there() {
        let presence = Presence::default();
        presence.lost(UnixMs(7));
        assert!(presence.guard(ready(Ok(1))).await.is_ok() && presence.outlived(Duration::MAX));
    }
}
