//! Finds out in which letters a subtitle file is written, which such files never say.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Byte order marks in front of each other come from programs that glue files together.
const MAX_MARKS: usize = 4;

/// Returns the text of a file; a damaged letter becomes U+FFFD and costs nothing else.
/// `None` for what is no text.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    let mut marked = None;
    for _ in 0..MAX_MARKS {
        let Some((encoding, length)) = Encoding::for_bom(rest) else { break };
        marked = Some(encoding);
        rest = &rest[length..];
    }
    // A UTF-8 mark is believed only where the bytes agree: editors leave it in front of any text.
    let wide = marked.filter(|encoding| *encoding != UTF_8).or_else(|| wide(rest));
    if let Some(encoding) = wide {
        let text = encoding.decode_without_bom_handling(rest).0;
        return Some(text.chars().filter(|c| *c != '\0' && *c != '\u{feff}').collect());
    }
    let plain = without_zeros(rest)?;
    if is_mostly_utf8(&plain) {
        return Some(utf8(&plain).replace('\u{feff}', ""));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&plain, true);
    let (text, _) = detector.guess(None, Utf8Detection::Deny).decode_without_bom_handling(&plain);
    Some(text.into_owned())
}

/// Text that lost a sector, or a letter, holds a hole of zeros; a program holds many.
fn without_zeros(bytes: &[u8]) -> Option<Vec<u8>> {
    let holes = bytes.split(|b| *b != 0).filter(|run| !run.is_empty()).count();
    if holes > 2 + bytes.len() / 500 {
        return None;
    }
    Some(bytes.iter().copied().filter(|b| *b != 0).collect())
}

/// Returns whether the letters beyond ASCII are those of UTF-8, save a few damaged ones. Text of an older
/// encoding makes sequences that look like UTF-8 now and then, and many more that do not.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut sound, mut damaged) = (0_usize, 0_usize);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (text, after) = match std::str::from_utf8(rest) {
            Ok(text) => (text, &rest[rest.len()..]),
            Err(e) => {
                let (valid, after) = rest.split_at(e.valid_up_to());
                let step = surrogates(after).map_or_else(|| e.error_len().unwrap_or(after.len()), |(_, length)| length);
                if surrogates(after).is_some() {
                    sound += 1;
                } else {
                    damaged += 1;
                }
                (std::str::from_utf8(valid).unwrap_or_default(), &after[step..])
            }
        };
        sound += text.chars().filter(|c| !c.is_ascii()).count();
        rest = after;
    }
    damaged == 0 || sound >= damaged * 2
}

/// UTF-8 with the holes marked, and with pairs of surrogates (CESU-8) read as the letter they mean.
fn utf8(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                return out;
            }
            Err(e) => {
                let (valid, after) = rest.split_at(e.valid_up_to());
                out.push_str(std::str::from_utf8(valid).unwrap_or_default());
                let (letter, step) =
                    surrogates(after).unwrap_or_else(|| ('\u{fffd}', e.error_len().unwrap_or(after.len())));
                out.push(letter);
                rest = &after[step..];
            }
        }
    }
}

/// Returns a letter beyond the first plane written as two surrogates of three bytes each.
fn surrogates(bytes: &[u8]) -> Option<(char, usize)> {
    let [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ 0x80..=0xbf, ..] = *bytes else {
        return None;
    };
    let half = |high: u8, low: u8| (u32::from(high & 0x0f) << 6) | u32::from(low & 0x3f);
    let code = 0x1_0000 + (half(a, b) << 10) + (half(c, d) & 0x3ff);
    char::from_u32(code).map(|letter| (letter, 6))
}

/// UTF-16 without a mark: times and line breaks have a zero in every other byte. Letters of Asia
/// may have one in the other half now and then.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    match head.len() / 2 {
        0 => None,
        pairs if second * 4 > pairs && first * 8 < second => Some(UTF_16LE),
        pairs if first * 4 > pairs && second * 8 < first => Some(UTF_16BE),
        _ => None,
    }
}
