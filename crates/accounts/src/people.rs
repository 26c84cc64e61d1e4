//! What owners do with people, and people with themselves. Everything that takes a right away
//! ends the sign-ins that had it.

use crate::{
    accounts::{Accounts, Peer, Principal, stored},
    keys::mac,
    passwords::{self, Verdict, WeakPassword},
    sessions::name_taken,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Code, Failure, InviteId, LibraryId, Role, SessionId, UserId};
use std::time::Duration;
use store::{Change, Invite, NewInvite, Replaced, User};

const LONGEST_INVITE: Duration = Duration::from_secs(90 * 24 * 3600);

impl Accounts {
    /// A person changes their own password; their other sign-ins end.
    ///
    /// # Errors
    /// `wrong_credentials`, `weak_password`, or `too_many_attempts` with the time to wait.
    pub async fn change_password(&self, who: &Principal, current: &str, new: &str, from: Peer) -> Result<(), Failure> {
        // The same budget as signing in: an open page must not be a way to guess.
        let key = domain::people::username_key(&who.username).unwrap_or_else(|_| who.username.clone());
        let made = self.admit(&key, from)?;
        let hash = self.0.store.password_hash(&who.user).await.map_err(stored)?;
        let verdict = self.0.passwords.verify(current, hash.clone()).await?;
        let Some(checked) = hash.filter(|_| !matches!(verdict, Verdict::Wrong)) else {
            return Err(self.wrong_password(who, from).await);
        };
        self.right(made);
        // Only in the place of the one that was checked: an owner's new password stands.
        let only_if = Some(checked.as_str());
        let Some(ended) = self.replace_password(&who.user, &who.username, new, only_if, Some(&who.session)).await?
        else {
            return Err(self.wrong_password(who, from).await);
        };
        self.note(&who.username, "change password", Some(&who.username), "ok", Some(from)).await;
        self.all_ended(&ended, &who.user, &who.username).await;
        Ok(())
    }

    async fn wrong_password(&self, who: &Principal, from: Peer) -> Failure {
        let result = Code::WrongCredentials.as_str();
        self.note(&who.username, "change password", Some(&who.username), result, Some(from)).await;
        Failure::of(Code::WrongCredentials)
    }

    /// # Errors
    /// `username_taken`, `invalid_field`, `weak_password`.
    pub async fn create_user(
        &self,
        by: &Principal,
        username: &str,
        password: &str,
        role: Role,
        from: Peer,
    ) -> Result<User, Failure> {
        owners_only(by)?;
        let new = self.new_user(username, password, role).await?;
        let user = self.0.store.create_user(&new).await.map_err(name_taken)?;
        self.note(&by.username, "create user", Some(&user.username), role.as_str(), Some(from)).await;
        self.tell_users_changed();
        Ok(user)
    }

    /// An owner gives somebody a new password; all their sign-ins end, except the owner's own.
    ///
    /// # Errors
    /// `not_found`, `weak_password`.
    pub async fn set_password(&self, by: &Principal, id: &UserId, new: &str, from: Peer) -> Result<(), Failure> {
        owners_only(by)?;
        let user = self.known(id).await?;
        let own = (*id == by.user).then_some(&by.session);
        let ended = self.replace_password(id, &user.username, new, None, own).await?.unwrap_or_default();
        self.all_ended(&ended, id, &by.username).await;
        self.note(&by.username, "set password", Some(&user.username), "ok", Some(from)).await;
        Ok(())
    }

    /// For the command line of the machine itself: whoever can read the data folder owns the house.
    ///
    /// # Errors
    /// `not_found`, `weak_password`.
    pub async fn recover_password(&self, id: &UserId, new: &str) -> Result<(), Failure> {
        let user = self.known(id).await?;
        let ended = self.replace_password(id, &user.username, new, None, None).await?.unwrap_or_default();
        self.all_ended(&ended, id, "host").await;
        self.note("host", "recover password", Some(&user.username), "ok", None).await;
        Ok(())
    }

    /// Returns the sign-ins that ended with the old password; `None`: it was not `only_if` any more.
    async fn replace_password(
        &self,
        id: &UserId,
        username: &str,
        new: &str,
        only_if: Option<&str>,
        except: Option<&SessionId>,
    ) -> Result<Option<Vec<SessionId>>, Failure> {
        passwords::check_new(new, username).map_err(|weak| weak_password("new", weak))?;
        let hash = self.0.passwords.hash(new, &*self.0.clock).await?;
        match self.0.store.replace_password(id, &hash, only_if, except).await.map_err(stored)? {
            Replaced::Done(ended) => Ok(Some(ended)),
            Replaced::Changed => Ok(None),
            Replaced::Missing => Err(Failure::of(Code::NotFound)),
        }
    }

    /// Counts from the person's next request.
    ///
    /// # Errors
    /// `not_found`, `last_admin`.
    pub async fn set_role(&self, by: &Principal, id: &UserId, role: Role, from: Peer) -> Result<(), Failure> {
        owners_only(by)?;
        let user = self.known(id).await?;
        let changed = self.0.store.set_role(id, role).await;
        // The role of a request comes from here and not from its token.
        self.0.live.invalidate_all();
        self.0.last_known.invalidate_all();
        there(changed.map_err(stored)?)?;
        self.note(&by.username, "set role", Some(&user.username), role.as_str(), Some(from)).await;
        self.tell_users_changed();
        Ok(())
    }

    /// Switches an account off, which ends its sign-ins, or on.
    ///
    /// # Errors
    /// `not_found`, `last_admin`.
    pub async fn set_disabled(&self, by: &Principal, id: &UserId, disabled: bool, from: Peer) -> Result<(), Failure> {
        owners_only(by)?;
        let user = self.known(id).await?;
        let changed = self.0.store.set_disabled(id, disabled).await.map_err(stored)?;
        self.0.live.invalidate_all();
        self.0.last_known.invalidate_all();
        let ended = changed.ok_or_else(|| Failure::of(Code::NotFound))?;
        self.all_ended(&ended, id, &by.username).await;
        let action = if disabled { "disable user" } else { "enable user" };
        self.note(&by.username, action, Some(&user.username), "ok", Some(from)).await;
        self.tell_users_changed();
        Ok(())
    }

    /// # Errors
    /// `not_found`, `last_admin`.
    pub async fn delete_user(&self, by: &Principal, id: &UserId, from: Peer) -> Result<(), Failure> {
        owners_only(by)?;
        let user = self.known(id).await?;
        let sessions = self.0.store.sessions_of(id).await.map_err(stored)?;
        there(self.0.store.delete_user(id).await.map_err(stored)?)?;
        // Their rows went with the person; the cache and the streams do not know yet.
        for session in sessions {
            self.ended(&session.id, id).await;
        }
        self.note(&by.username, "delete user", Some(&user.username), "ok", Some(from)).await;
        self.tell_users_changed();
        Ok(())
    }

    /// An invitation and its token, which is shown this once and kept only as a hash.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_invite(
        &self,
        by: &Principal,
        libraries: &[LibraryId],
        lasts: Duration,
        from: Peer,
    ) -> Result<(Invite, String), Failure> {
        owners_only(by)?;
        let now = self.now();
        let token = self.secret();
        let lasts_ms = i64::try_from(lasts.min(LONGEST_INVITE).as_millis()).unwrap_or(i64::MAX);
        let new = NewInvite {
            id: InviteId::from_random(self.0.clock.random_id()),
            token_hash: mac(&self.keys().invite, &[&token]),
            libraries: libraries.to_vec(),
            created_by: by.user.clone(),
            created_at: now,
            expires_at: now.plus_ms(lasts_ms),
        };
        let invite = self.0.store.create_invite(&new).await.map_err(stored)?;
        self.note(&by.username, "create invite", Some(invite.id.as_str()), "ok", Some(from)).await;
        Ok((invite, URL_SAFE_NO_PAD.encode(token)))
    }
}

pub(crate) fn weak_password(field: &'static str, weak: WeakPassword) -> Failure {
    Failure::new(Code::WeakPassword, weak.to_string()).with_fields(vec![(field, weak.to_string())])
}

/// The gateway's policy says so already; a wrong policy must not be enough.
fn owners_only(by: &Principal) -> Result<(), Failure> {
    if by.role.is_admin() { Ok(()) } else { Err(Failure::of(Code::Forbidden)) }
}

fn there(change: Change) -> Result<(), Failure> {
    match change {
        Change::Done => Ok(()),
        Change::Missing => Err(Failure::of(Code::NotFound)),
    }
}
