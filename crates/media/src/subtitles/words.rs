//! The words of a cue, made safe.

use super::{MAX_CUE_CHARS, painting::is_drawing};

/// Tags that mean the same in WebVTT.
const KEPT: [&str; 3] = ["i", "b", "u"];
/// Tags that are left out, their words kept.
const DROPPED: [&str; 10] = ["font", "c", "v", "lang", "ruby", "rt", "s", "span", "strong", "em"];
const ENTITIES: [&str; 6] = ["&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;"];
/// No tag anybody means is longer.
const MAX_TAG_CHARS: usize = 200;

/// Lines of SubRip or WebVTT: a few tags stay, others go, the rest is escaped. Empty lines go,
/// since they would end the cue.
pub fn clean(lines: &[&str]) -> String {
    let mut out = String::new();
    let mut is_drawn = false;
    for line in lines.iter().map(|line| line.trim()) {
        let mut one = String::new();
        line_into(&mut one, line, &mut is_drawn);
        let one = one.trim();
        if one.is_empty() || is_drawing(one) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(one);
        if out.chars().count() > MAX_CUE_CHARS {
            break;
        }
    }
    out
}

/// `is_drawn`: a drawing of ASS has begun and not ended, maybe in a line above.
fn line_into(out: &mut String, line: &str, is_drawn: &mut bool) {
    let mut rest = line;
    let mut left = MAX_CUE_CHARS;
    // As in `ass::spoken`: braces that nothing closes are not looked for again and again.
    let closing = line.rfind('}').map_or(0, |at| at + 1);
    while let Some(first) = rest.chars().next() {
        if left == 0 {
            return;
        }
        left -= 1;
        if first == '<'
            && let Some((tag, after)) = tag(rest)
        {
            out.push_str(&tag);
            rest = after;
            continue;
        }
        // `{\an8}` and its like are ASS inside SubRip.
        if first == '{'
            && rest[1..].starts_with('\\')
            && line.len() - rest.len() < closing
            && let Some(end) = rest.find('}')
        {
            let mut scales =
                rest[1..end].split('\\').filter_map(|one| one.trim().strip_prefix('p')?.parse::<u8>().ok());
            *is_drawn = scales.next_back().map_or(*is_drawn, |scale| scale > 0);
            rest = &rest[end + 1..];
            continue;
        }
        if *is_drawn {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if first == '&'
            && let Some(entity) = ENTITIES.iter().find(|entity| rest.starts_with(**entity))
        {
            out.push_str(entity);
            rest = &rest[entity.len()..];
            continue;
        }
        if first == '&'
            && let Some((letter, length)) = letter(rest)
        {
            push(out, letter);
            rest = &rest[length..];
            continue;
        }
        push(out, first);
        rest = &rest[first.len_utf8()..];
    }
}

/// Returns the letter that `&quot;`, `&#39;` or `&#x27;` at the beginning of `text` means, and its length there.
fn letter(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(10).position(|b| b == b';')?;
    let name = &text[1..end];
    let letter = match name.strip_prefix('#') {
        Some(number) => {
            let hex = number.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
            char::from_u32(code)?
        }
        None => match name {
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        },
    };
    Some((letter, end + 1))
}

/// What a tag at the beginning of `text` becomes, and what comes behind it. `None` where it is
/// none we know: then it is text.
fn tag(text: &str) -> Option<(String, &str)> {
    let inside = &text[1..];
    let end = inside.char_indices().take(MAX_TAG_CHARS).find(|(_, c)| *c == '>')?.0;
    let (name, after) = (&inside[..end], &inside[end + 1..]);
    let (slash, name) = name.strip_prefix('/').map_or(("", name), |name| ("/", name));
    // `<00:01.500>`: when a word of a line of karaoke begins.
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.') {
        return Some((String::new(), after));
    }
    let word: String = name.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    if !name[word.len()..].starts_with([' ', '.', '/', '\t']) && name.len() != word.len() {
        return None;
    }
    if KEPT.contains(&word.as_str()) {
        return Some((format!("<{slash}{word}>"), after));
    }
    if word == "br" {
        return Some((" ".into(), after));
    }
    DROPPED.contains(&word.as_str()).then(|| (String::new(), after))
}

/// One character of text.
pub fn push(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '\u{a0}' => out.push_str("&nbsp;"),
        c if c.is_control() => out.push(' '),
        // Breaks of lines and paragraphs by another name.
        '\u{2028}' | '\u{2029}' => out.push(' '),
        c => out.push(c),
    }
}
