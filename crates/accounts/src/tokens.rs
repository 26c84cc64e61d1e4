//! The two tokens a page holds: the access token, which says who somebody is for ten minutes,
//! and the view token, which lets `<img>` load pictures.
//!
//! Times are judged by the house's clock and not by the library's own reading of the wall clock.

use crate::{
    keys::{Keys, is_mac, mac},
    signing::HS256,
};
use base::UnixMs;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Role, SessionId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

const TYPE: &str = "at+jwt";
const ISSUER: &str = "loge";
const AUDIENCE: &str = "loge-api";
/// Ours have about 400 characters; nobody makes us parse a megabyte.
const MAX_LEN: usize = 1024;
/// A clock that was set back a little does not refuse what was just made.
const NOT_BEFORE_LEEWAY_S: i64 = 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    role: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

pub(crate) struct AccessTokens {
    make: EncodingKey,
    read: DecodingKey,
    validation: Validation,
}

impl AccessTokens {
    pub(crate) fn new(keys: &Keys) -> Self {
        // Chosen by hand and once: a second provider anywhere in the build would otherwise make
        // the library panic at its first use. An error means it is installed already.
        let _ = HS256.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        // Judged below, by our clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { make: EncodingKey::from_secret(&keys.access), read: DecodingKey::from_secret(&keys.access), validation }
    }

    /// `None` only when the cryptography itself fails.
    pub(crate) fn make(
        &self,
        user: &UserId,
        session: &SessionId,
        role: Role,
        id: [u8; 16],
        now: UnixMs,
        lifetime_ms: i64,
    ) -> Option<String> {
        let now_s = now.0.div_euclid(1000);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user.as_str().into(),
            sid: session.as_str().into(),
            role: role.as_str().into(),
            jti: URL_SAFE_NO_PAD.encode(id),
            iat: now_s,
            nbf: now_s,
            exp: now_s + lifetime_ms / 1000,
        };
        let header = Header { typ: Some(TYPE.into()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &self.make).ok()
    }

    /// Whose token it is, if it is one of ours and good now.
    pub(crate) fn read(&self, token: &str, now: UnixMs) -> Option<(UserId, SessionId)> {
        if token.len() > MAX_LEN {
            return None;
        }
        let data = decode::<Claims>(token, &self.read, &self.validation).ok()?;
        let (claims, now_s) = (data.claims, now.0.div_euclid(1000));
        let in_time = now_s < claims.exp && claims.nbf <= now_s + NOT_BEFORE_LEEWAY_S;
        if data.header.typ.as_deref() != Some(TYPE) || !in_time || claims.role.parse::<Role>().is_err() {
            return None;
        }
        Some((UserId::parse(&claims.sub).ok()?, SessionId::parse(&claims.sid).ok()?))
    }
}

/// `session.expiry.mac`: good for pictures only, as long as the session lives.
pub(crate) fn make_view_token(keys: &Keys, session: &SessionId, expires_at: UnixMs) -> String {
    let seal = mac(&keys.view, &[session.as_str().as_bytes(), &expires_at.0.to_be_bytes()]);
    format!("{session}.{}.{}", expires_at.0, URL_SAFE_NO_PAD.encode(seal))
}

pub(crate) fn read_view_token(keys: &Keys, token: &str, now: UnixMs) -> Option<SessionId> {
    if token.len() > MAX_LEN {
        return None;
    }
    let mut parts = token.split('.');
    let (session, expires_at, seal) = (parts.next()?, parts.next()?, parts.next()?);
    let expires_at: i64 = expires_at.parse().ok()?;
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    let ours = is_mac(&keys.view, &[session.as_bytes(), &expires_at.to_be_bytes()], &seal);
    if parts.next().is_some() || !ours || now.0 >= expires_at {
        return None;
    }
    SessionId::parse(session).ok()
}
