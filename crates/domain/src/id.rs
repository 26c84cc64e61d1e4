//! Opaque identifiers. An id is 128 random bits in lower-case hexadecimal; it is never
//! derived from a path or a name, so knowing one thing never helps to guess another.

use std::fmt;

/// Text that is not one of our identifiers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier")]
pub struct InvalidId;

fn hex(bytes: [u8; 16]) -> Box<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char])
        .collect::<String>()
        .into()
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Makes an id from 16 random bytes; the caller owns the randomness.
            pub fn from_random(bytes: [u8; 16]) -> Self { Self(hex(bytes)) }
            /// Accepts exactly 32 lower-case hexadecimal digits, nothing else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(InvalidId) }
            }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}({})", stringify!($name), self.0) }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> { Self::parse(text) }
        }
    )+};
}

ids! {
    /// One person with a sign-in.
    UserId,
    /// One sign-in on one device, from login to logout or revocation.
    SessionId,
    /// A named set of folders that is granted as a whole.
    LibraryId,
    /// One folder of a library; also the name of its mount inside a loge.
    FolderId,
    /// What people watch.
    TitleId,
    /// Bytes on disk; a title has one or more.
    FileId,
    /// One piece of background work.
    JobId,
    /// One play of one title by one session.
    PlayId,
    /// One invitation to the house.
    InviteId,
    /// One installation of Loge; labels on containers carry it so that two installs never meet.
    InstallId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_its_own_form() {
        let made = UserId::from_random([0xab; 16]);
        assert_eq!(UserId::parse(made.as_str()), Ok(made));
        let long = "a".repeat(33);
        for bad in [
            "",
            "../../etc/passwd",
            "ABABABABABABABABABABABABABABABAB",
            "abababababababababababababababa",
            long.as_str(),
            "abababababababababababababababa\0",
        ] {
            assert_eq!(UserId::parse(bad), Err(InvalidId), "{bad:?}");
        }
    }
}
