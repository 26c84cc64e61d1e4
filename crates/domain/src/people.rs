//! Who may do what.

use std::{fmt, str::FromStr};

/// What a person may do in the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Owns the machine: sees and steers everything.
    Admin,
    /// Watches what was granted to them.
    Viewer,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Viewer => "viewer",
        }
    }
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role is `admin` or `viewer`")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "admin" => Ok(Self::Admin),
            "viewer" => Ok(Self::Viewer),
            _ => Err(UnknownRole),
        }
    }
}

/// Why a user name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUsername {
    #[error("a name has 1 to 64 characters")]
    Length,
    #[error("a name has no control characters and no spaces at its ends")]
    Characters,
}

/// The one form under which a name is stored and compared: trimmed of nothing, lower-cased.
/// Two names that differ only in case are the same person.
pub fn username_key(name: &str) -> Result<String, BadUsername> {
    let length = name.chars().count();
    if length == 0 || length > 64 {
        return Err(BadUsername::Length);
    }
    if name.trim() != name || name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(BadUsername::Characters);
    }
    Ok(name.to_lowercase())
}

/// Bidirectional overrides and zero-width characters let one name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_hide_nothing() {
        assert_eq!(username_key("Ana"), Ok("ana".into()));
        assert_eq!(username_key("Ödön"), Ok("ödön".into()));
        assert_eq!(username_key(""), Err(BadUsername::Length));
        assert_eq!(username_key(&"x".repeat(65)), Err(BadUsername::Length));
        for bad in [" ana", "ana ", "a\nb", "an\u{200b}a", "\u{202e}ana"] {
            assert_eq!(username_key(bad), Err(BadUsername::Characters), "{bad:?}");
        }
    }
}
