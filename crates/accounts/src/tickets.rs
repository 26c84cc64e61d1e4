//! Permission for one play of one title, in the path of its URL, since a `<video>` sends no
//! headers of ours. Fixed fields and a seal; nothing is stored, and the session must be alive.

use crate::{
    accounts::Accounts,
    keys::{is_mac, mac},
};
use base::UnixMs;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Code, Failure, FileId, PlayId, SessionId, TitleId, UserId};

/// No ticket lives longer: 6 hours.
pub const TICKET_MAX_MS: i64 = 6 * 3600 * 1000;

/// What a ticket allows. Useless for another title, another file or after the sign-in ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketClaims {
    pub play: PlayId,
    pub user: UserId,
    pub session: SessionId,
    pub title: TitleId,
    pub file: FileId,
    /// Height of the smaller picture that was admitted; `None` is the original.
    pub height: Option<u32>,
    pub expires_at: UnixMs,
}

const IDS: usize = 5;
/// As tickets were before they said a height; the last of them run out six hours after an update.
const OLD_BODY: usize = IDS * 16 + 8;
const BODY: usize = OLD_BODY + 4;
const SEAL: usize = 32;

impl Accounts {
    /// A later expiry than [`TICKET_MAX_MS`] from now is cut to it.
    pub fn mint_ticket(&self, claims: &TicketClaims) -> String {
        let latest = self.now().plus_ms(TICKET_MAX_MS);
        let mut bytes = Vec::with_capacity(BODY + SEAL);
        for id in [
            claims.play.as_str(),
            claims.user.as_str(),
            claims.session.as_str(),
            claims.title.as_str(),
            claims.file.as_str(),
        ] {
            bytes.extend(u128::from_str_radix(id, 16).unwrap_or_default().to_be_bytes());
        }
        bytes.extend(claims.expires_at.min(latest).0.to_be_bytes());
        bytes.extend(claims.height.unwrap_or(0).to_be_bytes());
        let seal = mac(&self.keys().ticket, &[&bytes]);
        bytes.extend(seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a shown ticket allows, if it is ours, in time, and its sign-in still lives.
    ///
    /// # Errors
    /// `not_found` for anything that is not a ticket of ours, `ticket_expired`, `session_ended`.
    pub async fn verify_ticket(&self, ticket: &str) -> Result<TicketClaims, Failure> {
        let claims = self.read_ticket(ticket).ok_or_else(|| Failure::of(Code::NotFound))?;
        if self.now() >= claims.expires_at {
            return Err(Failure::of(Code::TicketExpired));
        }
        let principal = self.live(&claims.session).await?;
        if principal.user == claims.user { Ok(claims) } else { Err(Failure::of(Code::NotFound)) }
    }

    fn read_ticket(&self, ticket: &str) -> Option<TicketClaims> {
        if ticket.len() > 2 * (BODY + SEAL) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(ticket).ok()?;
        let (body, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
        if ![OLD_BODY, BODY].contains(&body.len()) || !is_mac(&self.keys().ticket, &[body], seal) {
            return None;
        }
        let (ids, rest) = body.split_at(IDS * 16);
        let (expires_at, height) = rest.split_at(8);
        let id = |n: usize| ids.get(n * 16..(n + 1) * 16)?.try_into().ok();
        Some(TicketClaims {
            play: PlayId::from_random(id(0)?),
            user: UserId::from_random(id(1)?),
            session: SessionId::from_random(id(2)?),
            title: TitleId::from_random(id(3)?),
            file: FileId::from_random(id(4)?),
            height: height.try_into().ok().map(u32::from_be_bytes).filter(|height| *height > 0),
            expires_at: UnixMs(i64::from_be_bytes(expires_at.try_into().ok()?)),
        })
    }
}
