//! Sign-ins: how they begin, go on and end.
//!
//! A refresh token is replaced at every use. Its successor is not random but derived from it with
//! the key of the house: `successor = HMAC(key, "successor" | token)`. So a page that asks twice
//! with the same token (two tabs at once, an answer lost on the way) gets the very same successor
//! both times, although the house stores nothing but hashes. Without the key nobody can compute
//! it, and a copy of a replaced token is worth nothing: shown after the grace, or from another
//! address, it ends the whole sign-in.

use crate::{
    accounts::{Accounts, Peer, Principal, SignedIn, stored},
    keys::mac,
    passwords::{self, Verdict},
    tokens::read_view_token,
};
use base::Event;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Code, Failure, Role, SessionId, UserId, people::username_key};
use std::sync::PoisonError;
use store::{NewSession, NewUser, Rotation, Session, User};
use tracing::{info, warn};

/// An access token is good for ten minutes.
pub const ACCESS_TOKEN_MS: i64 = 10 * 60_000;
/// A replaced refresh token is honoured for this long on the same device.
pub const REFRESH_GRACE_MS: u64 = 30_000;
/// No sign-in lives longer, however much it is used: 90 days.
pub const SESSION_MAX_MS: i64 = 90 * 24 * 3600 * 1000;
const DESKTOP_TICKET_MS: i64 = 60_000;
const MOST_DESKTOP_TICKETS: usize = 16;

/// A sign-in and its person, as the cache keeps them.
#[derive(Clone)]
pub(crate) struct Live {
    session: Session,
    principal: Principal,
}

impl Accounts {
    /// # Errors
    /// `wrong_credentials`, `account_disabled`, or `too_many_attempts` with the time to wait.
    pub async fn login(
        &self,
        username: &str,
        password: &str,
        device: Option<String>,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        // A name that nobody can have is looked for all the same: the answer and its time are alike.
        let key = username_key(username).unwrap_or_else(|_| "\u{0}".into());
        let made = self.admit(&key, from)?;
        let found = self.0.store.user_by_key(&key).await.map_err(stored)?;
        let (user, hash) = match found {
            Some((user, hash)) => (Some(user), Some(hash)),
            None => (None, None),
        };
        let verdict = self.0.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| !matches!(verdict, Verdict::Wrong)) else {
            // The name is written down only when it is one: people type passwords into the wrong field.
            let target = self.0.store.user_by_key(&key).await.ok().flatten().map(|(u, _)| u.username);
            let target = target.as_deref().unwrap_or("an unknown name");
            self.note("anonymous", "login", Some(target), Code::WrongCredentials.as_str(), Some(from)).await;
            return Err(Failure::of(Code::WrongCredentials));
        };
        self.right(made);
        if user.disabled {
            self.note(&user.username, "login", None, Code::AccountDisabled.as_str(), Some(from)).await;
            return Err(Failure::of(Code::AccountDisabled));
        }
        if matches!(verdict, Verdict::RightButOld) {
            let hash = self.0.passwords.hash(password, &*self.0.clock).await?;
            self.0.store.set_password(&user.id, &hash).await.map_err(stored)?;
        }
        self.begin(user, device, from, "login").await
    }

    /// Makes the first owner. Exactly one of many at once succeeds.
    ///
    /// # Errors
    /// `already_set_up`, `wrong_setup_code`, `invalid_field`, `weak_password`.
    pub async fn claim(
        &self,
        code: &str,
        username: &str,
        password: &str,
        server_name: Option<&str>,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        if self.0.setup.is_claimed() {
            return Err(Failure::of(Code::AlreadySetUp));
        }
        // Right codes are not slowed: they cost a comparison, and 140 bits are not guessed.
        if !self.0.setup.is_code(code, &*self.0.clock) {
            return Err(self.refuse_token("setup", Code::WrongSetupCode, from).await);
        }
        let new = self.new_user(username, password, Role::Admin).await?;
        if !self.0.store.claim_house(&new, server_name).await.map_err(name_taken)? {
            self.0.setup.claimed();
            return Err(Failure::of(Code::AlreadySetUp));
        }
        self.0.setup.claimed();
        info!(user.id = %new.id, "the house has an owner: {}", new.id);
        self.note(username, "setup", Some(username), "ok", Some(from)).await;
        self.tell_users_changed();
        let user = self.known(&new.id).await?;
        self.begin(user, None, from, "login").await
    }

    /// The code for the first owner, as shown on this machine. `None` once there is one.
    pub fn setup_code(&self) -> Option<String> {
        self.0.setup.code(&*self.0.clock)
    }

    /// Uses an invitation up and signs its new person in.
    ///
    /// # Errors
    /// `invite_invalid`, `username_taken`, `invalid_field`, `weak_password`.
    pub async fn register(
        &self,
        invite: &str,
        username: &str,
        password: &str,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        let hash = decode(invite).map(|token| mac(&self.keys().invite, &[&token]));
        // Looked at before a password is hashed for it: hashing is for the invited.
        let hash = match hash {
            Some(hash) if self.0.store.is_invited(hash, self.now()).await.map_err(stored)? => hash,
            _ => return Err(self.refuse_token("register", Code::InviteInvalid, from).await),
        };
        let new = self.new_user(username, password, Role::Viewer).await?;
        let redeemed = self.0.store.redeem_invite(hash, &new, self.now()).await.map_err(name_taken);
        // Somebody else was faster with the same invitation.
        let Some(user) = redeemed? else { return Err(Failure::of(Code::InviteInvalid)) };
        self.note(&user.username, "register", Some(&user.username), "ok", Some(from)).await;
        self.tell_users_changed();
        self.begin(user, None, from, "login").await
    }

    /// A one-time ticket for the window on this machine, good for a minute, to be handed over in
    /// memory. `None` while there is no owner to sign in as.
    pub async fn desktop_ticket(&self) -> Option<String> {
        self.0.store.oldest_admin().await.ok()??;
        let secret = self.secret();
        let now = self.now();
        let mut tickets = self.0.desktop.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, expires_at| *expires_at > now);
        if tickets.len() >= MOST_DESKTOP_TICKETS {
            tickets.clear();
        }
        tickets.insert(self.token_hash(&secret), now.plus_ms(DESKTOP_TICKET_MS));
        Some(URL_SAFE_NO_PAD.encode(secret))
    }

    /// Signs the window in as the owner who has been here longest.
    ///
    /// # Errors
    /// `sign_in_required` for a ticket that is used, too old, or none.
    pub async fn redeem_ticket(&self, ticket: &str, from: Peer) -> Result<SignedIn, Failure> {
        let hash = decode(ticket).map(|t| self.token_hash(&t));
        let taken = hash.and_then(|h| self.0.desktop.lock().unwrap_or_else(PoisonError::into_inner).remove(&h));
        if taken.is_none_or(|expires_at| expires_at <= self.now()) {
            return Err(self.refuse_token("desktop sign-in", Code::SignInRequired, from).await);
        }
        let owner = self.0.store.oldest_admin().await.map_err(stored)?;
        let owner = owner.ok_or_else(|| Failure::of(Code::SignInRequired))?;
        self.begin(owner, Some("Desktop window".into()), from, "desktop sign-in").await
    }

    /// A new access token for a refresh token, which is replaced.
    ///
    /// # Errors
    /// `sign_in_required` for none of ours, `session_ended`, `account_disabled`.
    pub async fn refresh(&self, token: &str, from: Peer) -> Result<SignedIn, Failure> {
        let old = decode(token).ok_or_else(|| Failure::of(Code::SignInRequired))?;
        let successor = mac(&self.keys().refresh, &[b"successor", &old]);
        let rotation = self
            .0
            .store
            .rotate_refresh(
                self.token_hash(&old),
                self.token_hash(&successor),
                self.now(),
                REFRESH_GRACE_MS,
                &from.address.to_string(),
            )
            .await
            .map_err(stored)?;
        let session = match rotation {
            Rotation::Rotated(session) | Rotation::Graced(session) => session,
            Rotation::Reused(session) => {
                warn!(session.id = %session.id, "a replaced refresh token was shown again; sign-in {} ends", session.id);
                self.ended(&session.id, &session.user).await;
                self.note("anonymous", "refresh", Some(session.id.as_str()), "reused", Some(from)).await;
                return Err(Failure::of(Code::SessionEnded));
            }
            Rotation::Ended => return Err(Failure::of(Code::SessionEnded)),
            Rotation::Unknown => return Err(Failure::of(Code::SignInRequired)),
        };
        let user = self.known(&session.user).await?;
        if user.disabled {
            return Err(Failure::of(Code::AccountDisabled));
        }
        self.0.live.invalidate(&session.id).await;
        self.signed_in(user, &session, URL_SAFE_NO_PAD.encode(successor))
    }

    /// Ends one's own sign-in. One that has ended already stays ended.
    pub async fn logout(&self, session: &SessionId) {
        let actor = match self.live(session).await {
            Ok(principal) => principal.username,
            Err(_) => "anonymous".into(),
        };
        if let Err(e) = self.end(session, &actor, "logout").await {
            warn!(session.id = %session, "sign-in {session} could not be ended: {e}");
        }
    }

    /// Who an access token speaks for. Its sign-in must be alive now, so that an end counts at once.
    ///
    /// # Errors
    /// `sign_in_required`, `session_ended`, `account_disabled`.
    pub async fn authenticate(&self, access_token: &str) -> Result<Principal, Failure> {
        let now = self.now();
        let read = self.0.access.read(access_token, now);
        let (user, session) = read.ok_or_else(|| Failure::of(Code::SignInRequired))?;
        let principal = self.live(&session).await?;
        if principal.user == user { Ok(principal) } else { Err(Failure::of(Code::SignInRequired)) }
    }

    /// Who the cookie for pictures speaks for. The caller lets it open nothing but pictures.
    ///
    /// # Errors
    /// As [`Accounts::authenticate`].
    pub async fn authenticate_view(&self, view_token: &str) -> Result<Principal, Failure> {
        let session = read_view_token(self.keys(), view_token, self.now());
        self.live(&session.ok_or_else(|| Failure::of(Code::SignInRequired))?).await
    }

    /// Ends a sign-in, with who did it for the audit log. Whether it was alive.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_session(&self, session: &SessionId, actor: &str) -> Result<bool, Failure> {
        self.end(session, actor, "end sign-in").await
    }

    /// Ends all sign-ins of a person, or all but one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_sessions_of(
        &self,
        user: &UserId,
        except: Option<&SessionId>,
        actor: &str,
    ) -> Result<Vec<SessionId>, Failure> {
        let ended = self.0.store.end_sessions_of(user, except).await.map_err(stored)?;
        for session in &ended {
            self.ended(session, user).await;
            self.note(actor, "end sign-in", Some(session.as_str()), "ok", None).await;
        }
        Ok(ended)
    }

    async fn end(&self, session: &SessionId, actor: &str, action: &str) -> Result<bool, Failure> {
        let Some(known) = self.0.store.session(session).await.map_err(stored)? else { return Ok(false) };
        let was_live = self.0.store.end_session(session).await.map_err(stored)?;
        self.ended(session, &known.user).await;
        if was_live {
            self.note(actor, action, Some(session.as_str()), "ok", None).await;
        }
        Ok(was_live)
    }

    /// After the database says so: nobody is let in by the cache, and streams are cut.
    pub(crate) async fn ended(&self, session: &SessionId, user: &UserId) {
        self.0.live.invalidate(session).await;
        self.0.bus.publish(Event::SessionEnded { session: session.clone(), user: user.clone() });
    }

    /// The person behind a sign-in that is alive now.
    pub(crate) async fn live(&self, session: &SessionId) -> Result<Principal, Failure> {
        let now = self.now();
        let live = match self.0.live.get(session).await {
            Some(live) => live,
            None => {
                let ended = || Failure::of(Code::SessionEnded);
                let row = self.0.store.session(session).await.map_err(stored)?.ok_or_else(ended)?;
                let user = self.0.store.user(&row.user).await.map_err(stored)?.ok_or_else(ended)?;
                if !row.is_live(now) {
                    return Err(ended());
                }
                if user.disabled {
                    return Err(Failure::of(Code::AccountDisabled));
                }
                let principal =
                    Principal { user: user.id, username: user.username, role: user.role, session: session.clone() };
                let live = Live { session: row, principal };
                self.0.live.insert(session.clone(), live.clone()).await;
                live
            }
        };
        if live.session.is_live(now) { Ok(live.principal) } else { Err(Failure::of(Code::SessionEnded)) }
    }

    async fn refuse_token(&self, action: &str, code: Code, from: Peer) -> Failure {
        let failure = self.wrong_token(from, code);
        if failure.code == code {
            self.note("anonymous", action, None, code.as_str(), Some(from)).await;
        }
        failure
    }

    async fn begin(&self, user: User, device: Option<String>, from: Peer, action: &str) -> Result<SignedIn, Failure> {
        let now = self.now();
        let refresh = self.secret();
        let new = NewSession {
            id: SessionId::from_random(self.0.clock.random_id()),
            user: user.id.clone(),
            device: device.and_then(|d| readable(&d)),
            address: Some(from.address.to_string()),
            created_at: now,
            expires_at: now.plus_ms(SESSION_MAX_MS),
        };
        let session = self.0.store.create_session(&new, self.token_hash(&refresh)).await.map_err(stored)?;
        self.note(&user.username, action, Some(session.id.as_str()), "ok", Some(from)).await;
        let user = User { last_seen_at: Some(now), ..user };
        self.signed_in(user, &session, URL_SAFE_NO_PAD.encode(refresh))
    }

    /// Under this hash, and only under it, a secret is kept.
    fn token_hash(&self, secret: &[u8; 32]) -> [u8; 32] {
        mac(&self.keys().refresh, &[b"hash", secret])
    }

    pub(crate) async fn known(&self, id: &UserId) -> Result<User, Failure> {
        self.0.store.user(id).await.map_err(stored)?.ok_or_else(|| Failure::of(Code::NotFound))
    }

    /// Checks the name and the password before anything is hashed.
    pub(crate) async fn new_user(&self, username: &str, password: &str, role: Role) -> Result<NewUser, Failure> {
        username_key(username)
            .map_err(|e| Failure::new(Code::InvalidField, format!("This name cannot be used: {e}.")))?;
        passwords::check_new(password, username)?;
        Ok(NewUser {
            id: UserId::from_random(self.0.clock.random_id()),
            username: username.into(),
            password_hash: self.0.passwords.hash(password, &*self.0.clock).await?,
            role,
            created_at: self.now(),
        })
    }
}

pub(crate) fn name_taken(error: store::StoreError) -> Failure {
    if error.is_conflict() { Failure::of(Code::UsernameTaken) } else { stored(error) }
}

/// 32 bytes as we write them; anything else is none of ours.
fn decode(token: &str) -> Option<[u8; 32]> {
    if token.len() > 64 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()
}

/// What a browser calls itself, short and in one line.
fn readable(device: &str) -> Option<String> {
    let text: String = device.chars().filter(|c| !c.is_control()).take(80).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
