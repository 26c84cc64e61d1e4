//! Which subtitle is shown unless somebody chooses otherwise.

use crate::language::is_same;

/// What is known of a subtitle that could be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered<'a> {
    pub language: Option<&'a str>,
    /// Only what nobody could understand otherwise: signs, a sentence in another tongue.
    pub forced: bool,
    /// Marked so in the film.
    pub default: bool,
}

/// The place in the list of what is shown by itself; `None` is nothing. Somebody who said which
/// language they read gets the film's words in it when the sound speaks another one, and only the
/// forced ones when it speaks that. Everybody else gets what the film marks.
pub fn shown(offered: &[Offered<'_>], reads: Option<&str>, speaks: Option<&str>) -> Option<usize> {
    let is = |one: &Offered<'_>, language: &str| one.language.is_some_and(|l| is_same(l, language));
    if let Some(reads) = reads {
        let understood = speaks.is_some_and(|speaks| is_same(speaks, reads));
        let found = offered.iter().position(|one| is(one, reads) && one.forced == understood);
        if found.is_some() || understood {
            return found;
        }
    }
    let forced =
        |one: &Offered<'_>| one.forced && speaks.is_none_or(|speaks| one.language.is_none() || is(one, speaks));
    offered.iter().position(forced).or_else(|| offered.iter().position(|one| one.default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_by_itself() {
        let one = |language, forced, default| Offered { language, forced, default };
        let list = [
            one(Some("eng"), false, false),
            one(Some("ger"), false, false),
            one(Some("ger"), true, false),
            one(Some("fre"), false, true),
        ];
        for (reads, speaks, expected) in [
            (Some("de"), Some("eng"), Some(1)),
            (Some("de-AT"), Some("deu"), Some(2)),
            (Some("en"), Some("eng"), None),
            (Some("en"), None, Some(0)),
            (Some("it"), Some("eng"), Some(3)),
            (None, Some("ger"), Some(2)),
            (None, Some("eng"), Some(3)),
            (None, None, Some(2)),
        ] {
            assert_eq!(shown(&list, reads, speaks), expected, "{reads:?} {speaks:?}");
        }
        assert_eq!(shown(&list[..2], None, None), None);
        assert_eq!(shown(&[], Some("de"), None), None);
    }
}
