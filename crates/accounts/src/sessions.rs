//! Sign-ins: how they begin, go on and end.
//!
//! A refresh token is replaced at every use. Its successor is not random but derived from it with
//! the key of the house: `successor = HMAC(key, "successor" | token)`. So a page that asks twice
//! with the same token (two tabs at once, an answer lost on the way) gets the very same successor
//! both times, although the house stores nothing but hashes. Without the key nobody can compute
//! it, and a copy of a replaced token is worth nothing: shown by another device, or after its
//! successor was used, it ends the whole sign-in.
//!
//! Which device shows it is said by a secret that the page keeps in the storage of its own origin:
//! the cookie alone also goes to every other port of the same host.

use crate::{
    accounts::{Accounts, Peer, Principal, SignedIn, slow_down, stored},
    device::{Device, DeviceSecret},
    keys::mac,
    passwords::{self, Verdict},
    people::weak_password,
    tokens::read_view_token,
};
use base::Event;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Code, Failure, Role, SessionId, UserId,
    people::{username, username_key, username_keys},
};
use std::sync::PoisonError;
use store::{Begun, NewSession, NewUser, Rotation, Session, Shown, User};
use tracing::{info, warn};

/// An access token is good for ten minutes.
pub const ACCESS_TOKEN_MS: i64 = 10 * 60_000;
/// A replaced refresh token is honoured for this long at the same address, from a client that
/// keeps no secret of its own.
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
    pub async fn login(&self, name: &str, password: &str, device: Device, from: Peer) -> Result<SignedIn, Failure> {
        // A name that nobody can have is looked for all the same: the answer and its time are alike.
        let key = username_key(name).unwrap_or_else(|_| name.to_lowercase().chars().take(64).collect());
        let made = self.admit(&key, from)?;
        let found = self.0.store.user_by_keys(&username_keys(name)).await.map_err(stored)?;
        let (user, hash) = match found {
            Some((user, hash)) => (Some(user), Some(hash)),
            None => (None, None),
        };
        let verdict = self.0.passwords.verify(password, hash.clone()).await?;
        let right = user.zip(hash).filter(|_| !matches!(verdict, Verdict::Wrong));
        let Some((user, mut hash)) = right else { return Err(self.wrong_login(name, from).await) };
        self.right(made);
        self.0.throttle.sign_in(&key, self.now()).map_err(|wait| slow_down(from, wait))?;
        if user.disabled {
            self.note(&user.username, "login", None, Code::AccountDisabled.as_str(), Some(from)).await;
            return Err(Failure::of(Code::AccountDisabled));
        }
        if matches!(verdict, Verdict::RightButOld) {
            let dearer = self.0.passwords.hash(password, &*self.0.clock).await?;
            if !self.0.store.rehash_password(&user.id, &dearer, &hash).await.map_err(stored)? {
                return Err(self.wrong_login(name, from).await);
            }
            hash = dearer;
        }
        match self.begin(user, device, from, "login", Some(&hash)).await? {
            Some(signed) => Ok(signed),
            // The password that was checked is not the person's any more.
            None => Err(self.wrong_login(name, from).await),
        }
    }

    async fn wrong_login(&self, name: &str, from: Peer) -> Failure {
        // The name is written down only when it is one: people type passwords into the wrong field.
        let target = self.0.store.user_by_keys(&username_keys(name)).await.ok().flatten().map(|(u, _)| u.username);
        let target = target.as_deref().unwrap_or("an unknown name");
        self.note("anonymous", "login", Some(target), Code::WrongCredentials.as_str(), Some(from)).await;
        Failure::of(Code::WrongCredentials)
    }

    /// Makes the first owner. Exactly one of many at once succeeds.
    ///
    /// # Errors
    /// `already_set_up`, `wrong_setup_code`, `invalid_field`, `weak_password`.
    pub async fn claim(
        &self,
        code: &str,
        typed: &str,
        password: &str,
        server_name: Option<&str>,
        device: Device,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        if self.0.setup.is_claimed() {
            return Err(Failure::of(Code::AlreadySetUp));
        }
        // Right codes are not slowed: they cost a comparison, and 140 bits are not guessed.
        if !self.0.setup.is_code(code, &*self.0.clock) {
            return Err(self.refuse_token("setup", Code::WrongSetupCode, from).await);
        }
        let new = self.new_user(typed, password, Role::Admin).await?;
        if !self.0.store.claim_house(&new, server_name).await.map_err(name_taken)? {
            self.0.setup.claimed();
            return Err(Failure::of(Code::AlreadySetUp));
        }
        self.0.setup.claimed();
        info!(user.id = %new.id, "the house has an owner: {}", new.id);
        self.note(&new.username, "setup", Some(&new.username), "ok", Some(from)).await;
        self.tell_users_changed();
        let user = self.known(&new.id).await?;
        let begun = self.begin(user, device, from, "login", Some(&new.password_hash)).await?;
        begun.ok_or_else(|| Failure::of(Code::SignInRequired))
    }

    /// The code for the first owner, as shown on this machine. `None` once there is one.
    pub fn setup_code(&self) -> Option<String> {
        self.0.setup.code(&*self.0.clock)
    }

    /// Tells whether an invitation can still be used, and uses nothing up.
    ///
    /// # Errors
    /// `invite_invalid`, or `too_many_attempts` for who guesses.
    pub async fn check_invite(&self, invite: &str, from: Peer) -> Result<(), Failure> {
        self.invited(invite, from).await.map(drop)
    }

    async fn invited(&self, invite: &str, from: Peer) -> Result<[u8; 32], Failure> {
        let hash = decode(invite).map(|token| mac(&self.keys().invite, &[&token]));
        match hash {
            Some(hash) if self.0.store.is_invited(hash, self.now()).await.map_err(stored)? => Ok(hash),
            _ => Err(self.refuse_token("register", Code::InviteInvalid, from).await),
        }
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
        device: Device,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        // Looked at before a password is hashed for it: hashing is for the invited.
        let hash = self.invited(invite, from).await?;
        let new = self.new_user(username, password, Role::Viewer).await?;
        let redeemed = self.0.store.redeem_invite(hash, &new, self.now()).await.map_err(name_taken);
        // Somebody else was faster with the same invitation.
        let Some(user) = redeemed? else { return Err(Failure::of(Code::InviteInvalid)) };
        self.note(&user.username, "register", Some(&user.username), "ok", Some(from)).await;
        self.tell_users_changed();
        let begun = self.begin(user, device, from, "login", Some(&new.password_hash)).await?;
        begun.ok_or_else(|| Failure::of(Code::SignInRequired))
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
    pub async fn redeem_ticket(
        &self,
        ticket: &str,
        secret: Option<DeviceSecret>,
        from: Peer,
    ) -> Result<SignedIn, Failure> {
        let hash = decode(ticket).map(|t| self.token_hash(&t));
        let taken = hash.and_then(|h| self.0.desktop.lock().unwrap_or_else(PoisonError::into_inner).remove(&h));
        if taken.is_none_or(|expires_at| expires_at <= self.now()) {
            return Err(self.refuse_token("desktop sign-in", Code::SignInRequired, from).await);
        }
        let owner = self.0.store.oldest_admin().await.map_err(stored)?;
        let owner = owner.ok_or_else(|| Failure::of(Code::SignInRequired))?;
        let device = Device { name: Some("Desktop window".into()), secret };
        let begun = self.begin(owner, device, from, "desktop sign-in", None).await?;
        begun.ok_or_else(|| Failure::of(Code::SignInRequired))
    }

    /// Returns a new access token for a refresh token, which is replaced. `secret` is that of the device
    /// it was given to.
    ///
    /// # Errors
    /// `sign_in_required` for none of ours, `session_ended`, `account_disabled`, and
    /// `too_many_attempts` after many that were none of ours.
    pub async fn refresh(&self, token: &str, secret: Option<DeviceSecret>, from: Peer) -> Result<SignedIn, Failure> {
        let Some(old) = decode(token) else { return Err(self.wrong_token(from, Code::SignInRequired)) };
        let successor = mac(&self.keys().refresh, &[b"successor", &old]);
        let address = from.address.to_string();
        let shown = Shown { address: &address, device_hash: secret.map(|s| self.device_hash(&s)) };
        let rotation = self
            .0
            .store
            .rotate_refresh(self.token_hash(&old), self.token_hash(&successor), REFRESH_GRACE_MS, shown)
            .await
            .map_err(stored)?;
        let session = match rotation {
            Rotation::Rotated(session) | Rotation::Graced(session) => session,
            Rotation::Reused(session) => {
                warn!(session.id = %session.id, "a copied refresh token was shown; sign-in {} ends", session.id);
                self.ended(&session.id, &session.user).await;
                self.note("anonymous", "refresh", Some(session.id.as_str()), "reused", Some(from)).await;
                return Err(Failure::of(Code::SessionEnded));
            }
            Rotation::Ended => return Err(Failure::of(Code::SessionEnded)),
            Rotation::Unknown => return Err(self.wrong_token(from, Code::SignInRequired)),
        };
        let user = self.known(&session.user).await?;
        if user.disabled {
            return Err(Failure::of(Code::AccountDisabled));
        }
        self.0.live.invalidate(&session.id).await;
        self.signed_in(user, &session, URL_SAFE_NO_PAD.encode(successor))
    }

    /// Ends one's own sign-in. One that has ended already stays ended.
    ///
    /// # Errors
    /// When the database cannot be written: the sign-in goes on then.
    pub async fn logout(&self, session: &SessionId) -> Result<(), Failure> {
        let actor = match self.live(session).await {
            Ok(principal) => principal.username,
            Err(_) => "anonymous".into(),
        };
        self.end(session, &actor, "logout").await.map(drop)
    }

    /// Ends the sign-in that a refresh token belongs to. An old token or a copy ends it as well:
    /// its holder must not keep it.
    ///
    /// # Errors
    /// `sign_in_required` for none of ours, `too_many_attempts` after many of those, and when the
    /// database cannot be written.
    pub async fn logout_by_token(&self, token: &str, from: Peer) -> Result<(), Failure> {
        let session = match decode(token) {
            Some(token) => self.0.store.session_of_token(self.token_hash(&token)).await.map_err(stored)?,
            None => None,
        };
        match session {
            Some(session) => self.logout(&session).await,
            None => Err(self.wrong_token(from, Code::SignInRequired)),
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
        self.all_ended(&ended, user, actor).await;
        Ok(ended)
    }

    /// After the database says so. What cuts streams comes first: a caller that goes away between
    /// two lines of the log must not leave a play running.
    pub(crate) async fn all_ended(&self, ended: &[SessionId], user: &UserId, actor: &str) {
        for session in ended {
            self.ended(session, user).await;
        }
        for session in ended {
            self.note(actor, "end sign-in", Some(session.as_str()), "ok", None).await;
        }
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
        self.0.last_known.invalidate(session).await;
        self.0.bus.publish(Event::SessionEnded { session: session.clone(), user: user.clone() });
    }

    /// Returns the person behind a sign-in that is alive now. While the database is away, one that was
    /// alive when it was last read still is.
    ///
    /// # Errors
    /// `session_ended`, `account_disabled`, or that the database could not be read.
    pub async fn live(&self, session: &SessionId) -> Result<Principal, Failure> {
        let now = self.0.store.time();
        let live = match self.0.live.get(session).await {
            Some(live) => live,
            None => match self.read_live(session).await {
                Err(failure) if failure.code == Code::DatabaseAway => {
                    self.0.last_known.get(session).await.ok_or(failure)?
                }
                read => read?,
            },
        };
        if live.session.is_live(now) { Ok(live.principal) } else { Err(Failure::of(Code::SessionEnded)) }
    }

    async fn read_live(&self, session: &SessionId) -> Result<Live, Failure> {
        let ended = || Failure::of(Code::SessionEnded);
        let read = async {
            let row = self.0.store.session(session).await.map_err(stored)?.ok_or_else(ended)?;
            let user = self.0.store.user(&row.user).await.map_err(stored)?.ok_or_else(ended)?;
            if !row.is_live(self.0.store.time()) {
                return Err(ended());
            }
            if user.disabled {
                return Err(Failure::of(Code::AccountDisabled));
            }
            let principal =
                Principal { user: user.id, username: user.username, role: user.role, session: session.clone() };
            Ok(Live { session: row, principal })
        };
        match read.await {
            Ok(live) => {
                self.0.live.insert(session.clone(), live.clone()).await;
                self.0.last_known.insert(session.clone(), live.clone()).await;
                Ok(live)
            }
            Err(failure) => {
                if failure.code != Code::DatabaseAway {
                    self.0.last_known.invalidate(session).await;
                }
                Err(failure)
            }
        }
    }

    /// Asks the database, and not what was known a moment ago, whether a sign-in lives.
    ///
    /// # Errors
    /// As [`Accounts::live`].
    pub async fn still_live(&self, session: &SessionId) -> Result<(), Failure> {
        self.0.live.invalidate(session).await;
        self.read_live(session).await.map(drop)
    }

    async fn refuse_token(&self, action: &str, code: Code, from: Peer) -> Failure {
        let failure = self.wrong_token(from, code);
        if failure.code == code {
            self.note("anonymous", action, None, code.as_str(), Some(from)).await;
        }
        failure
    }

    /// `None`: the person is not any more who was checked.
    async fn begin(
        &self,
        user: User,
        device: Device,
        from: Peer,
        action: &str,
        if_hash: Option<&str>,
    ) -> Result<Option<SignedIn>, Failure> {
        let now = self.0.store.time();
        let refresh = self.secret();
        let new = NewSession {
            id: SessionId::from_random(self.0.clock.random_id()),
            user: user.id.clone(),
            device: device.name.and_then(|d| readable(&d)),
            address: Some(from.address.to_string()),
            created_at: now,
            expires_at: now.plus_ms(SESSION_MAX_MS),
            device_hash: device.secret.map(|s| self.device_hash(&s)),
        };
        let begun = self.0.store.create_session(&new, self.token_hash(&refresh), if_hash).await.map_err(stored)?;
        let Begun::Live { session, ended } = begun else { return Ok(None) };
        self.note(&user.username, action, Some(session.id.as_str()), "ok", Some(from)).await;
        self.all_ended(&ended, &user.id, "too many sign-ins").await;
        let user = User { last_seen_at: Some(now), ..user };
        self.signed_in(user, &session, URL_SAFE_NO_PAD.encode(refresh)).map(Some)
    }

    fn device_hash(&self, secret: &DeviceSecret) -> [u8; 32] {
        mac(&self.keys().refresh, &[b"device", secret])
    }

    /// Under this hash, and only under it, a secret is kept.
    fn token_hash(&self, secret: &[u8; 32]) -> [u8; 32] {
        mac(&self.keys().refresh, &[b"hash", secret])
    }

    pub(crate) async fn known(&self, id: &UserId) -> Result<User, Failure> {
        self.0.store.user(id).await.map_err(stored)?.ok_or_else(|| Failure::of(Code::NotFound))
    }

    /// Checks the name and the password before anything is hashed.
    pub(crate) async fn new_user(&self, typed: &str, password: &str, role: Role) -> Result<NewUser, Failure> {
        check_person(typed, password)?;
        Ok(NewUser {
            id: UserId::from_random(self.0.clock.random_id()),
            username: username(typed).unwrap_or_else(|_| typed.into()),
            password_hash: self.0.passwords.hash(password, &*self.0.clock).await?,
            role,
            created_at: self.now(),
        })
    }
}

/// Checks the name and the password of a new person, both at once.
///
/// # Errors
/// `weak_password` when only the password is at fault, and `invalid_field` otherwise, with what is
/// wrong with each field.
pub fn check_person(typed: &str, password: &str) -> Result<(), Failure> {
    let name = username(typed).map_err(|e| format!("This name cannot be used: {e}.")).err();
    let weak = passwords::check_new(password, typed).err();
    let Some(name) = name else { return weak.map_or(Ok(()), |weak| Err(weak_password("password", weak))) };
    let mut fields = vec![("username", name.clone())];
    fields.extend(weak.map(|weak| ("password", weak.to_string())));
    Err(Failure::new(Code::InvalidField, name).with_fields(fields))
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
