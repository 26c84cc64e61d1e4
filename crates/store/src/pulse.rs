//! Looks every second whether PostgreSQL answers, on a connection of its own: the ones of the pool
//! may all be waiting for the very thing that has stopped.
//!
//! Costs: a round trip each second; a fresh connection when a statement is suspiciously slow, at
//! most two each second.

use crate::presence::Presence;
use base::Clock;
use sea_orm::sqlx::{
    self, ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
};
use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tracing::{error, info};

const EVERY: Duration = Duration::from_secs(1);
/// An answer that takes longer is none. Together with [`EVERY`], or with the half second after which
/// a statement is suspicious, this stays below the three seconds that a person waits.
const PATIENCE: Duration = Duration::from_millis(1250);
/// Looks on a fresh connection are at least so far apart.
const BETWEEN: Duration = Duration::from_millis(500);
/// At a start both may start at once, and a database takes its time.
const PATIENCE_AT_START: Duration = Duration::from_secs(30);

/// Sets up every connection to PostgreSQL.
///
/// A server that does not hear of our end keeps the locks of a transaction for hours; it is told to
/// notice by itself within seconds.
pub(crate) fn set_up(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("loge").disable_statement_logging().options([
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ])
}

/// Makes the first connection, and waits for a server that is only starting.
///
/// # Errors
/// What is in the way, after half a minute or when waiting would not help.
pub(crate) async fn first(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let until = Instant::now() + PATIENCE_AT_START;
    let mut pause = Duration::from_millis(50);
    loop {
        let made = timeout_at(until, connect(options)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match made {
            Err(e) if is_starting(&e) && Instant::now() + pause < until => sleep(pause).await,
            made => return made,
        }
        pause = (pause * 2).min(EVERY);
    }
}

fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(e) => e.kind() == ErrorKind::ConnectionRefused,
        // Starting up, or ending and about to be started again.
        sqlx::Error::Database(e) => e.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// Runs for as long as the store is open.
pub(crate) async fn watch(options: PgConnectOptions, first: PgConnection, presence: Presence, clock: Arc<dyn Clock>) {
    let mut held = Some(first);
    let mut looked = Instant::now();
    loop {
        let is_away = presence.away_since().is_some();
        let is_doubted = tokio::select! {
            () = presence.doubted() => true,
            () = sleep_until(looked + if is_away { BETWEEN } else { EVERY }) => false,
        };
        if is_doubted {
            sleep_until(looked + BETWEEN).await;
        }
        held = match look(&options, held.take(), is_doubted).await {
            Ok(connection) => Some(connection),
            Err(_) if is_away => None,
            Err(why) => {
                error!(error = %why, "the database does not answer: {why}");
                presence.lost(clock.now());
                // It may have gone with that one connection alone: a restart, another machine in its place.
                in_time(connect(&options)).await.ok()
            }
        };
        if held.is_some() && presence.found() {
            info!("the database answers again");
        }
        looked = Instant::now();
    }
}

/// Returns a connection that answered just now. A doubt is about new connections too: one that is
/// held may go on where no further one is made.
async fn look(
    options: &PgConnectOptions,
    held: Option<PgConnection>,
    is_doubted: bool,
) -> Result<PgConnection, sqlx::Error> {
    let Some(mut held) = held else { return in_time(connect(options)).await };
    if !is_doubted {
        in_time(beat(&mut held)).await?;
        return Ok(held);
    }
    let (answered, fresh) = tokio::join!(in_time(beat(&mut held)), in_time(connect(options)));
    answered?;
    match fresh {
        Ok(fresh) => {
            let _ = in_time(held.close()).await;
            Ok(fresh)
        }
        // A refusal is an answer: too many connections, for instance.
        Err(sqlx::Error::Database(_)) => Ok(held),
        Err(e) => Err(e),
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    beat(&mut connection).await?;
    Ok(connection)
}

async fn beat(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute("SELECT 1").await.map(drop)
}

async fn in_time<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(sqlx::Error::Io(io::Error::new(ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}"))))
    })
}
