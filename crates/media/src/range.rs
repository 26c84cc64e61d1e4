//! The `Range` header of one request against one file.

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAnswer {
    /// 200 and all bytes: there is no range, or one that a server may ignore.
    Whole,
    /// 206 and the bytes `first..=last`; `first <= last < len` always holds.
    Part { first: u64, last: u64 },
    /// 416: the form is right, but no byte of it exists.
    NotSatisfiable,
}

/// Longer than any single range can sensibly be; 10,000 ranges are dropped before they are read.
const MAX_HEADER_BYTES: usize = 128;

/// Answers a `Range` header for a file of `len` bytes.
///
/// One range is served, as players ask. What RFC 9110 §14.2 lets a server ignore is ignored and
/// answered whole: other units, several ranges (a cheap way to ask for a lot), and anything that
/// is not a valid range set. `bytes=9-3` is invalid by §14.1.1 and so is answered whole too.
/// A valid range without a byte in the file is [`RangeAnswer::NotSatisfiable`]: `bytes=-0`, and
/// a first byte at or past the end.
pub fn parse_range(header: &str, len: u64) -> RangeAnswer {
    single(header, len).unwrap_or(RangeAnswer::Whole)
}

/// `None` for everything that is ignored.
fn single(header: &str, len: u64) -> Option<RangeAnswer> {
    if header.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (unit, set) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
    let end = len.checked_sub(1);
    let answer = match (first, last) {
        ("", suffix) => match (number(suffix)?, end) {
            (0, _) | (_, None) => RangeAnswer::NotSatisfiable,
            (n, Some(end)) => RangeAnswer::Part { first: len.saturating_sub(n), last: end },
        },
        (first, last) => {
            let first = number(first)?;
            let last = if last.is_empty() { u64::MAX } else { number(last)? };
            if last < first {
                return None;
            }
            match end {
                Some(end) if first <= end => RangeAnswer::Part { first, last: last.min(end) },
                _ => RangeAnswer::NotSatisfiable,
            }
        }
    };
    Some(answer)
}

/// Digits only; more than fits is "very far", which every file ends before.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes()
        .try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n.saturating_mul(10).saturating_add(u64::from(b - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::RangeAnswer::{NotSatisfiable, Part, Whole};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn table() {
        let many = format!("bytes={}0-1", "0-1,".repeat(10_000));
        for (header, len, expected) in [
            ("bytes=0-0", 10, Part { first: 0, last: 0 }),
            ("bytes=0-", 10, Part { first: 0, last: 9 }),
            ("bytes=2-5", 10, Part { first: 2, last: 5 }),
            ("bytes=2-500", 10, Part { first: 2, last: 9 }),
            ("bytes=-3", 10, Part { first: 7, last: 9 }),
            ("bytes=-30", 10, Part { first: 0, last: 9 }),
            ("BYTES=9-9", 10, Part { first: 9, last: 9 }),
            ("bytes= 1-2 ", 10, Part { first: 1, last: 2 }),
            ("bytes=0-99999999999999999999999999", 10, Part { first: 0, last: 9 }),
            ("bytes=18446744073709551614-", u64::MAX, Part { first: u64::MAX - 1, last: u64::MAX - 1 }),
            ("bytes=-18446744073709551615", u64::MAX, Part { first: 0, last: u64::MAX - 1 }),
            ("bytes=10-", 10, NotSatisfiable),
            ("bytes=10-20", 10, NotSatisfiable),
            ("bytes=-0", 10, NotSatisfiable),
            ("bytes=0-", 0, NotSatisfiable),
            ("bytes=-5", 0, NotSatisfiable),
            ("bytes=99999999999999999999999999-", 10, NotSatisfiable),
            ("bytes=9-3", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=0-1,", 10, Whole),
            ("items=0-1", 10, Whole),
            ("bytes", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=--1", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1-2-3", 10, Whole),
            ("bytes=0x1-2", 10, Whole),
            ("bytes=1 - 2", 10, Whole),
            ("bytes=\u{0661}-", 10, Whole),
            ("", 10, Whole),
            (many.as_str(), 10, Whole),
        ] {
            let shown: String = header.chars().take(60).collect();
            assert_eq!(parse_range(header, len), expected, "{shown:?} of {len}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_inside_the_file(header in "(bytes=)?[0-9,\\- ]{0,50}", len in any::<u64>()) {
            if let Part { first, last } = parse_range(&header, len) {
                prop_assert!(first <= last && last < len);
            }
        }

        #[test]
        fn any_text_is_answered(header in ".{0,300}", len in any::<u64>()) {
            let _ = parse_range(&header, len);
        }

        #[test]
        fn what_fits_is_given_back_exactly(len in 1u64.., a in any::<u64>(), b in any::<u64>()) {
            let (a, b) = (a % len, b % len);
            let (first, last) = (a.min(b), a.max(b));
            prop_assert_eq!(parse_range(&format!("bytes={first}-{last}"), len), Part { first, last });
            prop_assert_eq!(parse_range(&format!("bytes={first}-"), len), Part { first, last: len - 1 });
            prop_assert_eq!(parse_range(&format!("bytes=-{}", len - first), len), Part { first, last: len - 1 });
        }
    }
}
