//! Validators: is the copy a client holds still this file, and may a range be glued to it?

use crate::range::{RangeAnswer, parse_range};
use domain::id::FileId;

/// The strong validator of one file: it changes whenever size or modification time do.
pub fn etag(file: &FileId, size_bytes: u64, mtime_ns: i64) -> String {
    format!("\"{file}-{size_bytes:x}-{mtime_ns:x}\"")
}

/// The headers of one GET or HEAD that decide what is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preconditions<'a> {
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
    pub if_range: Option<&'a str>,
    pub range: Option<&'a str>,
}

/// What the headers come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// 412
    PreconditionFailed,
    /// 304
    NotModified,
    /// 200, 206 or 416
    Send(RangeAnswer),
}

impl Preconditions<'_> {
    /// In the order of RFC 9110 §13.2.2.
    pub fn verdict(&self, etag: &str, len: u64) -> Verdict {
        if self.if_match.is_some_and(|h| !if_match(h, etag)) {
            return Verdict::PreconditionFailed;
        }
        if self.if_none_match.is_some_and(|h| if_none_match(h, etag)) {
            return Verdict::NotModified;
        }
        match self.range {
            Some(range) if self.if_range.is_none_or(|h| if_range(h, etag)) => Verdict::Send(parse_range(range, len)),
            _ => Verdict::Send(RangeAnswer::Whole),
        }
    }
}

/// Does the client hold what we have? Weak comparison, as RFC 9110 §13.1.2 asks.
pub fn if_none_match(header: &str, etag: &str) -> bool {
    header.trim() == "*" || tags(header).any(|(_, tag)| tag == etag)
}

/// Is the request still meant for what we have? Strong comparison (§13.1.1).
pub fn if_match(header: &str, etag: &str) -> bool {
    header.trim() == "*" || tags(header).any(|(weak, tag)| !weak && tag == etag)
}

/// May the range be honoured? Only for the very same tag. A date never matches: modification
/// times are too coarse to glue bytes by, and we send none.
pub fn if_range(header: &str, etag: &str) -> bool {
    header.trim() == etag
}

/// The entity tags of a list, quotes kept, with their weakness. Stops at the first thing that
/// is not one.
fn tags(mut rest: &str) -> impl Iterator<Item = (bool, &str)> {
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let weak = rest.starts_with("W/");
        let quoted = if weak { &rest[2..] } else { rest };
        let end = quoted.strip_prefix('"')?.find('"')? + 2;
        rest = &quoted[end..];
        Some((weak, &quoted[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"ab-1\"";

    #[test]
    fn tags_follow_the_file() {
        let id = FileId::from_random([1; 16]);
        let tag = etag(&id, 10, 5);
        assert!(tag.starts_with('"') && tag.ends_with('"'));
        assert_ne!(tag, etag(&id, 11, 5));
        assert_ne!(tag, etag(&id, 10, 6));
        assert_ne!(etag(&id, 10, -1), etag(&id, 10, 1));
    }

    #[test]
    fn lists_weakness_and_garbage() {
        for (header, none_match, matches) in [
            (ETAG, true, true),
            ("*", true, true),
            ("W/\"ab-1\"", true, false),
            ("\"x\", \"ab-1\"", true, true),
            ("\"x,y\",W/\"z\" , \"ab-1\"", true, true),
            ("\"x\"", false, false),
            ("ab-1", false, false),
            ("\"ab-1", false, false),
            ("", false, false),
            ("W/", false, false),
            (",,,", false, false),
        ] {
            assert_eq!(if_none_match(header, ETAG), none_match, "{header}");
            assert_eq!(if_match(header, ETAG), matches, "{header}");
        }
        assert!(if_range(ETAG, ETAG));
        assert!(!if_range("W/\"ab-1\"", ETAG));
        assert!(!if_range("Mon, 23 Nov 2026 00:00:00 GMT", ETAG));
    }

    #[test]
    fn order_of_preconditions() {
        let range = Some("bytes=2-3");
        let part = Verdict::Send(RangeAnswer::Part { first: 2, last: 3 });
        let whole = Verdict::Send(RangeAnswer::Whole);
        let ask = Preconditions { range, ..Preconditions::default() };
        assert_eq!(ask.verdict(ETAG, 10), part);
        assert_eq!(Preconditions { if_range: Some(ETAG), ..ask }.verdict(ETAG, 10), part);
        assert_eq!(Preconditions { if_range: Some("\"old\""), ..ask }.verdict(ETAG, 10), whole);
        assert_eq!(Preconditions { if_none_match: Some(ETAG), ..ask }.verdict(ETAG, 10), Verdict::NotModified);
        assert_eq!(Preconditions { if_match: Some("\"old\""), ..ask }.verdict(ETAG, 10), Verdict::PreconditionFailed);
        let both = Preconditions { if_match: Some("\"old\""), if_none_match: Some(ETAG), ..ask };
        assert_eq!(both.verdict(ETAG, 10), Verdict::PreconditionFailed);
        assert_eq!(Preconditions::default().verdict(ETAG, 10), whole);
        let past = Preconditions { range: Some("bytes=10-"), ..ask };
        assert_eq!(past.verdict(ETAG, 10), Verdict::Send(RangeAnswer::NotSatisfiable));
    }
}
