//! The code that makes the first owner: shown on the machine itself, never sent anywhere, good
//! for a quarter of an hour and only while the house has no owner.

use base::{Clock, UnixMs};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

const VALID_MS: u64 = 15 * 60_000;
/// Crockford's base 32: nothing in it is taken for something else when typed from a screen.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 7 groups of 4 letters of 5 bits: 140 bits.
const GROUPS: usize = 7;

struct Code {
    text: String,
    made_at: UnixMs,
}

pub(crate) struct Setup {
    /// `None` once the house is claimed.
    code: Mutex<Option<Code>>,
}

impl Setup {
    pub(crate) fn new(claimed: bool, clock: &dyn Clock) -> Self {
        Self { code: Mutex::new((!claimed).then(|| fresh(clock))) }
    }

    /// The present code; a new one when the last is too old. `None` once the house is claimed.
    pub(crate) fn code(&self, clock: &dyn Clock) -> Option<String> {
        let mut code = self.code.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        // A clock set back counts as too old as well: the age is unknown then.
        if code.as_ref().is_some_and(|c| now.since(c.made_at) > VALID_MS || c.made_at > now) {
            *code = Some(fresh(clock));
        }
        code.as_ref().map(|c| c.text.clone())
    }

    /// Compared in constant time; dashes, spaces and case do not matter.
    pub(crate) fn is_code(&self, shown: &str, clock: &dyn Clock) -> bool {
        let Some(code) = self.code(clock) else { return false };
        let (code, shown) = (plain(&code), plain(shown));
        code.as_bytes().ct_eq(shown.as_bytes()).into()
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(crate) fn claimed(&self) {
        *self.code.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn fresh(clock: &dyn Clock) -> Code {
    let mut bytes = [0; GROUPS * 4];
    clock.random(&mut bytes);
    let mut text = String::with_capacity(GROUPS * 5);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(LETTERS[usize::from(byte & 31)] as char);
    }
    Code { text, made_at: clock.now() }
}

/// As typed by people: `o` for zero, `l` for one.
fn plain(text: &str) -> String {
    text.chars()
        .take(200)
        .filter(|c| !matches!(c, '-' | ' ' | '\t'))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::FakeClock;

    #[test]
    fn a_code_is_long_typed_kindly_and_short_lived() {
        let clock = FakeClock::new(UnixMs(1_000_000), 7);
        let setup = Setup::new(false, &clock);
        let code = setup.code(&clock).unwrap();
        assert_eq!(code.len(), GROUPS * 5 - 1);
        assert!(setup.is_code(&code, &clock));
        assert!(setup.is_code(&format!(" {} ", code.to_lowercase().replace('-', " ")), &clock));
        for wrong in ["", "-", &code[1..], &format!("{code}0"), &"0".repeat(5000)] {
            assert!(!setup.is_code(wrong, &clock), "{wrong:.40}");
        }
        clock.advance_ms(VALID_MS as i64 + 1);
        assert!(!setup.is_code(&code, &clock), "too old");
        assert_ne!(setup.code(&clock).unwrap(), code);
        clock.advance_ms(-(VALID_MS as i64));
        assert!(setup.code(&clock).is_some(), "a clock set back only makes a new one");
        let newest = setup.code(&clock).unwrap();
        setup.claimed();
        assert!(setup.is_claimed() && setup.code(&clock).is_none() && !setup.is_code(&newest, &clock));
        assert!(!setup.is_code("", &clock), "nothing is the code of a claimed house");
    }
}
