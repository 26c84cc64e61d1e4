//! The room itself: what it holds, and what every way of signing in ends with.

use crate::{
    keys::{KeyError, Keys},
    passwords::{HashCost, Passwords},
    sessions::{ACCESS_TOKEN_MS, Live},
    setup::Setup,
    throttle::{Throttle, Try},
    tickets::TICKET_MAX_MS,
    tokens::{AccessTokens, make_view_token},
};
use base::{Bus, Clock, Event, UnixMs};
use domain::{Code, Failure, Role, SessionId, UserId};
use moka::future::Cache;
use std::{
    collections::HashMap,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};
use store::{AuditEntry, SESSION_IDLE_MS, Session, Store, StoreError, User};
use tokio::sync::OwnedRwLockWriteGuard;
use tracing::{error, warn};

/// Who somebody is in this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub user: UserId,
    pub username: String,
    pub role: Role,
    pub session: SessionId,
}

/// Where a request comes from: the TCP peer, or what a listed proxy says. Used for brakes and
/// logs, never as a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
}

/// What a page gets when it is signed in.
#[derive(Clone)]
pub struct SignedIn {
    pub user: User,
    pub session: SessionId,
    pub access_token: String,
    pub expires_in_s: u64,
    /// For the HttpOnly cookie only.
    pub refresh_token: String,
    pub refresh_max_age_s: u64,
    pub view_token: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).field("session", &self.session).finish_non_exhaustive()
    }
}

/// The house cannot know people without this.
#[derive(Debug, thiserror::Error)]
pub enum OpenAccountsError {
    #[error("the key of the house cannot be used")]
    Key(#[from] KeyError),
    #[error("the people of the house cannot be read")]
    Read(#[from] StoreError),
    #[error("passwords cannot be hashed here: {0}")]
    Hash(String),
}

/// Cloning gives another handle on the same room.
#[derive(Clone)]
pub struct Accounts(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bus: Bus,
    pub(crate) keys: Keys,
    pub(crate) access: AccessTokens,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) setup: Setup,
    /// Live sign-ins, for a second. An end here is seen at once; an end by another process (the
    /// command line, a second gateway) within that second.
    pub(crate) live: Cache<SessionId, Live>,
    /// The same as they were last read, for while the database is away: it is what ends sign-ins, so none
    /// ends meanwhile, and films that play go on.
    pub(crate) last_known: Cache<SessionId, Live>,
    /// One-time tickets for the window on this machine, by hash.
    pub(crate) desktop: Mutex<HashMap<[u8; 32], UnixMs>>,
}

const LIVE_FOR: Duration = Duration::from_secs(1);
/// No ticket and no access token is good for longer.
const KNOWN_FOR: Duration = Duration::from_millis(TICKET_MAX_MS.unsigned_abs());

impl Accounts {
    /// Opens the room. Makes the key on a fresh install and refuses to go on with a bad one.
    ///
    /// # Errors
    /// [`OpenAccountsError`] says what is in the way.
    pub async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        bus: Bus,
        keys_dir: &Path,
    ) -> Result<Self, OpenAccountsError> {
        Self::open_with(store, clock, bus, keys_dir, HashCost::default()).await
    }

    /// The same with another price of hashing: tests sign in a thousand times.
    ///
    /// # Errors
    /// As [`Accounts::open`].
    pub async fn open_with(
        store: Store,
        clock: Arc<dyn Clock>,
        bus: Bus,
        keys_dir: &Path,
        cost: HashCost,
    ) -> Result<Self, OpenAccountsError> {
        let keys = Keys::open(keys_dir, &*clock)?;
        let claimed = store.has_admin().await?;
        Ok(Self(Arc::new(Shared {
            access: AccessTokens::new(&keys),
            passwords: Passwords::new(cost, &*clock).map_err(|e| OpenAccountsError::Hash(e.to_string()))?,
            throttle: Throttle::default(),
            setup: Setup::new(claimed, &*clock),
            live: Cache::builder().max_capacity(10_000).time_to_live(LIVE_FOR).build(),
            last_known: Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build(),
            desktop: Mutex::default(),
            store,
            clock,
            bus,
            keys,
        })))
    }

    /// Holds the answers of password checks back while the guard lives, and counts them. For tests.
    #[doc(hidden)]
    pub async fn hold_password_answers(&self) -> (OwnedRwLockWriteGuard<()>, Arc<AtomicUsize>) {
        self.0.passwords.hold_answers().await
    }

    pub(crate) fn now(&self) -> UnixMs {
        self.0.clock.now()
    }
    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }
    pub(crate) fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.clock.random(&mut bytes);
        bytes
    }

    /// The tokens for a session that was just made or refreshed.
    pub(crate) fn signed_in(&self, user: User, session: &Session, refresh_token: String) -> Result<SignedIn, Failure> {
        // Of the machine's clock: it is read by the same one minutes later.
        let now = self.now();
        let access_token = self
            .0
            .access
            .make(&user.id, &session.id, user.role, self.0.clock.random_id(), now, ACCESS_TOKEN_MS)
            .ok_or_else(|| Failure::of(Code::Internal))?;
        let ends = UnixMs(session.expires_at.0.min(now.0.saturating_add(SESSION_IDLE_MS)));
        Ok(SignedIn {
            view_token: make_view_token(self.keys(), &session.id, ends),
            session: session.id.clone(),
            access_token,
            expires_in_s: ACCESS_TOKEN_MS.unsigned_abs() / 1000,
            refresh_token,
            refresh_max_age_s: ends.since(now) / 1000,
            user,
        })
    }

    pub(crate) fn admit(&self, account: &str, from: Peer) -> Result<Try, Failure> {
        self.0.throttle.admit(account, from.address, self.now()).map_err(|wait| slow_down(from, wait))
    }

    /// For tokens nobody guesses: only wrong ones are counted, and only against their source.
    pub(crate) fn wrong_token(&self, from: Peer, code: Code) -> Failure {
        match self.0.throttle.wrong_token(from.address, self.now()) {
            Ok(()) => Failure::of(code),
            Err(wait) => slow_down(from, wait),
        }
    }

    pub(crate) fn right(&self, made: Try) {
        self.0.throttle.succeeded(made, self.now());
    }

    /// Writes to the audit log. That it cannot be written is told, and stops nobody: a full disk
    /// must not keep the owner out.
    pub(crate) async fn note(&self, actor: &str, action: &str, target: Option<&str>, result: &str, from: Option<Peer>) {
        let entry = AuditEntry {
            actor: actor.into(),
            action: action.into(),
            target: target.map(str::to_owned),
            result: result.into(),
            address: from.map(|p| p.address.to_string()),
        };
        if let Err(e) = self.0.store.append_audit(entry).await {
            error!(error = %e, action, "`{action}` could not be written to the audit log");
        }
    }

    pub(crate) fn tell_users_changed(&self) {
        self.0.bus.publish(Event::Users);
    }
}

/// Not in the audit log: a flood must not fill it, and its first tries are there.
pub(crate) fn slow_down(from: Peer, wait: Duration) -> Failure {
    warn!(address = %from.address, "tries from {} are slowed down", from.address);
    Failure::of(Code::TooManyAttempts).retry_after(wait)
}

/// For `map_err`: the person is told by code, the log gets the cause.
pub(crate) fn stored(error: StoreError) -> Failure {
    // That the database is away is told once, and not by everyone who notices.
    if !error.is_away() && !matches!(error, StoreError::Conflict { .. } | StoreError::LastAdmin) {
        error!(error = %error, cause = ?std::error::Error::source(&error).map(ToString::to_string), "the database refused");
    }
    error.failure()
}
