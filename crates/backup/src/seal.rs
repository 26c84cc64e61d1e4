//! The house's key behind a passphrase: argon2id makes a key of the passphrase, XChaCha20-Poly1305
//! seals with it. All numbers stand in the sealed text, so that later versions may choose others.
//!
//! Costs: sealing and opening take 64 MiB of memory, and one core for a fraction of a second.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};
use unicode_normalization::UnicodeNormalization;

const FORMAT: u32 = 1;
const KDF: &str = "argon2id";
const CIPHER: &str = "xchacha20poly1305";
const BOUND_TO: &[u8] = b"loge-backup house.key 1";

/// RFC 9106, section 4, second choice, with one lane: this runs on one thread.
const COST: Cost = Cost { memory_kib: 64 << 10, passes: 3, lanes: 1 };
/// What opening is willing to spend: a forged backup may name any numbers.
const MOST: Cost = Cost { memory_kib: 1 << 20, passes: 16, lanes: 16 };

/// What the owner types. Never shown in logs.
pub struct Passphrase(String);

impl Passphrase {
    /// Takes a passphrase. `None` when it is empty. The same letters typed on different keyboards are
    /// the same passphrase.
    #[must_use]
    pub fn new(typed: &str) -> Option<Self> {
        (!typed.is_empty()).then(|| Self(typed.nfc().collect()))
    }

    /// Takes the first line of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or its first line is empty.
    pub fn read(file: &Path) -> Result<Self, ReadPassphraseError> {
        let unread = |source| ReadPassphraseError::Read { path: file.into(), source };
        let text = fs::read_to_string(file).map_err(unread)?;
        let line = text.lines().next().unwrap_or_default();
        Self::new(line).ok_or_else(|| ReadPassphraseError::Empty { path: file.into() })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReadPassphraseError {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the first line of {path} is no passphrase")]
    Empty { path: PathBuf },
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Fresh random bytes for one sealing. The same bytes must never seal twice.
pub struct SealingBytes {
    pub salt: [u8; 16],
    pub nonce: [u8; 24],
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealKeyError {
    /// The key is sealed, and nobody gave a passphrase.
    #[error("the key of this backup is sealed: its passphrase is needed")]
    PassphraseNeeded,
    #[error("this is not the passphrase of this backup")]
    WrongPassphrase,
    /// Not a form this program knows, or numbers no Loge has written.
    #[error("the sealed key of this backup is in a form this version does not know")]
    UnknownForm,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("seal the key of the house: {0}")]
pub struct SealKeyError(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedText {
    sealed_key: u32,
    kdf: String,
    cost: Cost,
    salt: String,
    cipher: String,
    nonce: String,
    sealed: String,
}

/// Seals a key. The text tells everything that opening needs but the passphrase.
pub(crate) fn seal(key: &[u8], passphrase: &Passphrase, fresh: &SealingBytes) -> Result<Vec<u8>, SealKeyError> {
    seal_at(COST, key, passphrase, fresh).ok_or_else(|| SealKeyError("the cipher refused".into()))
}

fn seal_at(cost: Cost, key: &[u8], passphrase: &Passphrase, fresh: &SealingBytes) -> Option<Vec<u8>> {
    let cipher = cipher(cost, passphrase, &fresh.salt)?;
    let sealed = cipher.encrypt(&XNonce::from(fresh.nonce), Payload { msg: key, aad: BOUND_TO }).ok()?;
    let text = SealedText {
        sealed_key: FORMAT,
        kdf: KDF.into(),
        cost,
        salt: BASE64_STANDARD.encode(fresh.salt),
        cipher: CIPHER.into(),
        nonce: BASE64_STANDARD.encode(fresh.nonce),
        sealed: BASE64_STANDARD.encode(sealed),
    };
    serde_json::to_vec_pretty(&text).ok()
}

/// Opens what [`seal`] made. The caller has checked that the bytes are whole, so that a failure of the
/// cipher means another passphrase.
pub(crate) fn unseal(sealed: &[u8], passphrase: &Passphrase) -> Result<Vec<u8>, UnsealKeyError> {
    let read = || {
        let text: SealedText = serde_json::from_slice(sealed).ok()?;
        let is_known = text.sealed_key == FORMAT && text.kdf == KDF && text.cipher == CIPHER;
        let is_bearable =
            text.cost.memory_kib <= MOST.memory_kib && text.cost.passes <= MOST.passes && text.cost.lanes <= MOST.lanes;
        if !is_known || !is_bearable {
            return None;
        }
        let nonce: [u8; 24] = BASE64_STANDARD.decode(text.nonce).ok()?.try_into().ok()?;
        let sealed = BASE64_STANDARD.decode(text.sealed).ok()?;
        let salt = BASE64_STANDARD.decode(text.salt).ok()?;
        Some((cipher(text.cost, passphrase, &salt)?, nonce, sealed))
    };
    let (cipher, nonce, sealed) = read().ok_or(UnsealKeyError::UnknownForm)?;
    let opened = cipher.decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: BOUND_TO });
    opened.map_err(|_| UnsealKeyError::WrongPassphrase)
}

fn cipher(cost: Cost, passphrase: &Passphrase, salt: &[u8]) -> Option<XChaCha20Poly1305> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, &mut key)
        .ok()?;
    Some(XChaCha20Poly1305::new(&key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    const FRESH: SealingBytes = SealingBytes { salt: [7; 16], nonce: [9; 24] };

    fn phrase(text: &str) -> Passphrase {
        Passphrase::new(text).unwrap()
    }

    #[test]
    fn only_the_same_passphrase_opens() {
        let sealed = seal_at(CHEAP, b"key of the house", &phrase("caf\u{e9} au lait"), &FRESH).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("key of the house"));
        let opened = unseal(&sealed, &phrase("cafe\u{301} au lait"));
        assert_eq!(opened.as_deref(), Ok(b"key of the house".as_slice()), "the control, from another keyboard");
        assert_eq!(unseal(&sealed, &phrase("cafe au lait")), Err(UnsealKeyError::WrongPassphrase));
        assert!(Passphrase::new("").is_none());
        assert!(!format!("{:?}", phrase("secret")).contains("secret"));
    }

    #[test]
    fn numbers_nobody_would_write_are_not_worked_off() {
        let sealed = seal_at(CHEAP, b"k", &phrase("p"), &FRESH).unwrap();
        let change = |name: &str, value: serde_json::Value| {
            let mut text: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
            if text["cost"].get(name).is_some() {
                text["cost"][name] = value
            } else {
                text[name] = value
            }
            unseal(text.to_string().as_bytes(), &phrase("p"))
        };
        assert_eq!(change("passes", 1.into()).as_deref(), Ok(b"k".as_slice()), "the control");
        for (name, value) in
            [("memory_kib", u32::MAX.into()), ("passes", u32::MAX.into()), ("lanes", 1000.into()), ("kdf", "x".into())]
        {
            assert_eq!(change(name, value), Err(UnsealKeyError::UnknownForm), "{name}");
        }
        assert_eq!(change("nonce", "AAAA".into()), Err(UnsealKeyError::UnknownForm));
        assert_eq!(change("passes", 2.into()), Err(UnsealKeyError::WrongPassphrase));
    }
}
