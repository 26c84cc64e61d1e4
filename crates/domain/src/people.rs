//! Who may do what.

use std::{fmt, str::FromStr};
use unicode_normalization::UnicodeNormalization;

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
    #[error("a name has no invisible characters")]
    Characters,
}

const LONGEST: usize = 64;

/// Returns a name as it is shown: without spaces at its ends, and composed, since one keyboard
/// types `é` as one character and another one as two.
///
/// # Errors
/// [`BadUsername`] says which rule it breaks.
pub fn username(typed: &str) -> Result<String, BadUsername> {
    // A name that is far too long is not worth composing.
    let name: String = typed.trim().chars().take(4 * LONGEST).nfc().collect();
    let length = name.chars().count();
    if length == 0 || length > LONGEST {
        return Err(BadUsername::Length);
    }
    let mut before = None;
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let joins = match c {
            // Holds an emoji family together.
            '\u{200d}' => before.is_some_and(is_pictured) && characters.peek().copied().is_some_and(is_pictured),
            // Says that the character before is a picture.
            '\u{fe0f}' => before.is_some_and(|b| is_pictured(b) || matches!(b, '0'..='9' | '#' | '*')),
            _ => false,
        };
        if !joins && (c.is_control() || is_invisible(c)) {
            return Err(BadUsername::Characters);
        }
        // What only changes the picture before it leaves that the one that counts.
        if !matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}') {
            before = Some(c);
        }
    }
    Ok(name)
}

/// Returns the one form under which a name is stored and compared. Names that differ only in case,
/// in how a keyboard composes its letters, in their width or in the spaces between words are the
/// same person's.
///
/// # Errors
/// [`BadUsername`] says which rule the name breaks.
pub fn username_key(typed: &str) -> Result<String, BadUsername> {
    let key: String = username(typed)?.nfkc().filter(|c| *c != '\u{fe0f}').collect();
    let words: Vec<&str> = key.split_whitespace().collect();
    let key: String = words.join(" ").to_lowercase().nfkc().collect();
    if key.is_empty() { Err(BadUsername::Length) } else { Ok(key) }
}

/// Returns the forms under which a name may be stored, the likeliest first: earlier versions kept
/// it as it was typed, in lower case.
pub fn username_keys(typed: &str) -> Vec<String> {
    let mut keys = vec![typed.to_lowercase(), typed.trim().to_lowercase()];
    if let Ok(key) = username_key(typed) {
        keys.push(key);
    }
    let name: String = typed.trim().chars().take(4 * LONGEST).collect();
    keys.push(name.nfc().collect::<String>().to_lowercase());
    keys.push(name.nfd().collect::<String>().to_lowercase());
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| !key.contains('\0') && key.chars().count() <= 4 * LONGEST && seen.insert(key.clone()));
    keys
}

fn is_pictured(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{3030}'..='\u{303d}' | '\u{1f000}'..='\u{1faff}')
}

/// Bidirectional overrides, fillers and zero-width characters let one name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_hide_nothing() {
        assert_eq!(username_key("Ana"), Ok("ana".into()));
        assert_eq!(username_key("\u{d6}d\u{f6}n"), Ok("\u{f6}d\u{f6}n".into()));
        assert_eq!(username_key(""), Err(BadUsername::Length));
        assert_eq!(username_key("  "), Err(BadUsername::Length));
        assert_eq!(username_key(&"x".repeat(65)), Err(BadUsername::Length));
        for bad in [
            "a\nb",
            "an\u{200b}a",
            "\u{202e}ana",
            "a\u{ad}na",
            "an\u{200d}a",
            "\u{3164}",
            "ana\u{fe0f}",
            "a\u{e0041}na",
        ] {
            assert_eq!(username_key(bad), Err(BadUsername::Characters), "{bad:?}");
        }
    }

    #[test]
    fn one_name_however_it_is_typed() {
        for (one, other) in [
            ("Zo\u{eb}", "Zoe\u{308}"),
            (" ana ", "ana"),
            ("Ana\tB", "ana b"),
            ("\u{ff21}na", "ana"),
            ("ana  b", "ANA B"),
            ("\u{2764}\u{fe0f}", "\u{2764}"),
            ("\u{1e9b}\u{323}", "\u{1e69}"),
        ] {
            let one = if one.contains('\t') { one.replace('\t', " ") } else { one.to_owned() };
            assert_eq!(username_key(&one), username_key(other), "{one:?} {other:?}");
            assert!(username_key(other).is_ok());
        }
        assert_eq!(username(" Zoe\u{308} "), Ok("Zo\u{eb}".into()), "shown trimmed and composed");
        assert_ne!(username_key("ana"), username_key("anna"), "control");
    }

    #[test]
    fn a_family_is_a_name() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}";
        let with_tone = "\u{1f469}\u{1f3fd}\u{200d}\u{1f680}";
        let with_heart = "\u{1f469}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f468}";
        for name in [family, with_tone, with_heart, "Team \u{1f469}\u{200d}\u{1f680}", "1\u{fe0f}\u{20e3}"] {
            assert_eq!(username(name).as_deref(), Ok(name));
            assert!(username_key(name).is_ok(), "{name}");
        }
        for bad in ["\u{200d}\u{1f468}", "\u{1f468}\u{200d}", "\u{1f468}\u{200d}a", "a\u{200d}\u{1f468}"] {
            assert_eq!(username_key(bad), Err(BadUsername::Characters), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_looked_for_as_earlier_versions_kept_it() {
        let (composed, apart) = ("zo\u{eb}".to_owned(), "zoe\u{308}".to_owned());
        for typed in ["Zo\u{eb}", "Zoe\u{308}", " Zo\u{eb}"] {
            let keys = username_keys(typed);
            assert!(keys.contains(&composed) && keys.contains(&apart), "{keys:?}");
        }
        assert_eq!(username_keys("Zoe\u{308}")[0], apart, "as it was typed comes first");
        assert!(username_keys("ana\0").is_empty());
    }
}
