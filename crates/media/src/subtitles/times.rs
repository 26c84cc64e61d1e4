//! Reads the times of subtitles as people and programs write them, loosely.

/// No film is longer.
const MAX_TIME_MS: i64 = 100 * 3_600_000;
/// Frames in `00:00:03:12`, where a file says none: what television of such files ran at.
const FRAMES_PER_SECOND: i64 = 25;

/// No line of times is longer; a line of words may be as long as the file.
const MAX_LOOSE_BYTES: usize = 200;

/// What a line says of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timing {
    /// From when to when in milliseconds, and what stands behind the times.
    Cue { start_ms: u64, end_ms: u64, rest: String },
    /// A line of times that cannot be read, or that lie before the film: it never reaches the
    /// screen, and neither do the words below it.
    Unreadable,
    /// Words.
    None,
}

/// Returns what a line of SubRip, WebVTT or SubViewer says of times.
pub fn timing(line: &str) -> Timing {
    // Most lines are words; no line of times goes without two digits.
    if line.bytes().filter(u8::is_ascii_digit).take(2).count() < 2 && line.is_ascii() {
        return Timing::None;
    }
    let line: String = line.trim().chars().map(plain).collect();
    let Some((left, right, is_usual)) = halves(&line) else {
        return if is_stray_time(&line) { Timing::Unreadable } else { Timing::None };
    };
    let (before, after) = (last_time(left), first_time(right));
    let is_whole = before.is_some() && after.is_some() && is_bare(left);
    if !is_usual && !is_whole {
        return if is_stray_time(&line) { Timing::Unreadable } else { Timing::None };
    }
    match (before, after) {
        (Some(start), Some((end, rest))) => {
            span(start, end).map_or(Timing::Unreadable, |(start_ms, end_ms)| Timing::Cue { start_ms, end_ms, rest })
        }
        (None, None) => Timing::None,
        // Half of it is a time, so the other half was one.
        _ => Timing::Unreadable,
    }
}

/// The part of a cue that lies in the film; `None` where there is none.
pub fn span(start_ms: i64, end_ms: i64) -> Option<(u64, u64)> {
    let (start, end) = (u64::try_from(start_ms.max(0)).ok()?, u64::try_from(end_ms).ok()?);
    (start < end).then_some((start, end))
}

/// Reads `1:02:03.45`, `01:02:03,456`, `02:03.456`, `0:0:1,5`, `00:00:03:500` and `-00:00:01,500`
/// as milliseconds. Hours may be missing, the fraction too; a last group of two digits behind a
/// colon counts frames.
pub fn time_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let marks: Vec<char> = digits.chars().filter(|c| !c.is_ascii_digit()).collect();
    if marks.is_empty() || marks.len() > 3 || !marks.iter().all(|c| ":.,;".contains(*c)) {
        return None;
    }
    let groups: Vec<&str> = digits.split([':', '.', ',', ';']).collect();
    let (groups, fraction) = match marks.last() {
        Some(':') if groups.len() == 4 => (&groups[..3], Fraction::behind_colon(groups[3])?),
        Some(':') => (&groups[..], Fraction::Thousandths(0)),
        _ => (&groups[..groups.len() - 1], Fraction::behind_point(groups.last()?)?),
    };
    if !(2..=3).contains(&groups.len()) {
        return None;
    }
    let mut seconds = 0;
    for group in groups {
        let plain = (1..=4).contains(&group.len());
        seconds = seconds * 60 + group.parse::<i64>().ok().filter(|_| plain)?;
    }
    let ms = seconds * 1000 + fraction.ms();
    (ms <= MAX_TIME_MS).then_some(sign * ms)
}

enum Fraction {
    Thousandths(i64),
    Frames(i64),
}

impl Fraction {
    /// `5` is half a second, `045` are 45 thousandths.
    fn behind_point(text: &str) -> Option<Self> {
        if text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        format!("{:0<3}", &text[..text.len().min(3)]).parse().ok().map(Self::Thousandths)
    }

    fn behind_colon(text: &str) -> Option<Self> {
        match text.len() {
            2 => text.parse().ok().map(Self::Frames),
            3 => text.parse().ok().map(Self::Thousandths),
            _ => None,
        }
    }

    const fn ms(&self) -> i64 {
        match self {
            Self::Thousandths(ms) => *ms,
            Self::Frames(frames) => *frames * 1000 / FRAMES_PER_SECOND,
        }
    }
}

/// Letters of other keyboards and of machine translation.
fn plain(c: char) -> char {
    match c {
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xff10 + 0x30).unwrap_or(c),
        '：' | '﹕' | '∶' => ':',
        '，' | '、' => ',',
        '．' | '。' => '.',
        '；' => ';',
        '＞' | '›' | '»' | '〉' => '>',
        '–' | '—' | '―' | '‐' | '‑' | '−' | '－' | 'ー' => '-',
        '\u{a0}' | '\u{3000}' | '\u{feff}' | '\u{200e}' | '\u{200f}' => ' ',
        c => c,
    }
}

/// The line around its arrow, and whether that is the usual one. Without an arrow, two times with
/// a comma or a dash between them.
fn halves(line: &str) -> Option<(&str, &str, bool)> {
    if let Some((left, right)) = line.split_once("-->") {
        return Some((left, right, true));
    }
    // Every mark of the line is tried below, each at the price of the whole line.
    if line.len() > MAX_LOOSE_BYTES {
        return None;
    }
    for arrow in ["->", "- ->", "-- >", "- >", "- - >", "→", "=>", "--", " - ", ","] {
        for (at, _) in line.match_indices(arrow) {
            let (left, right) = (&line[..at], &line[at + arrow.len()..]);
            if is_whole_time(left.trim()) && first_time(right).is_some() {
                return Some((left, right, false));
            }
        }
    }
    None
}

/// Whether nothing but digits and marks stands there.
fn is_bare(text: &str) -> bool {
    text.chars().all(is_of_time) && !text.trim().is_empty()
}

/// Whether nothing but a time stands there that is no time of day.
fn is_whole_time(text: &str) -> bool {
    let colons = text.matches(':').count();
    is_bare(text) && (colons >= 2 || colons == 1 && text.contains(['.', ','])) && last_time(text).is_some()
}

fn is_of_time(c: char) -> bool {
    c.is_ascii_digit() || ":.,;- ".contains(c)
}

/// Whether a line holds a whole time and no word, or two times: what is left of damaged ones.
fn is_stray_time(line: &str) -> bool {
    let whole = |part: &&str| part.matches(':').count() >= 2 && time_ms(part.trim_matches([' ', '-'])).is_some();
    let times = line.split(|c: char| !is_of_time(c) || c == ' ').filter(whole).count();
    times > 1 || times == 1 && !line.chars().any(char::is_alphabetic)
}

/// The time that a text ends with: `1 00:00:01,000`, `00: 00: 01, 000`.
fn last_time(text: &str) -> Option<i64> {
    let text = text.trim_end();
    let from = text.char_indices().rev().take_while(|(_, c)| is_of_time(*c)).last()?.0;
    let run = text[from..].trim();
    let last = run.rsplit(' ').next()?;
    let whole = |text: &str| text.matches(':').count() >= 2;
    if whole(last) || !run.contains(' ') {
        return time_ms(last);
    }
    time_ms(&run.replace(' ', ""))
}

/// The time that a text begins with, and what stands behind it.
fn first_time(text: &str) -> Option<(i64, String)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !is_of_time(c)).unwrap_or(text.len());
    let run = &text[..end];
    // `00:00:02,000 5 apples`: the first word is the time, what follows is not.
    let first = run.split(' ').next()?;
    if let Some(ms) = time_ms(first.trim_end_matches(['-', ',', '.', ';'])) {
        return Some((ms, behind(&text[first.len()..])));
    }
    Some((time_ms(&run.replace(' ', ""))?, behind(&text[end..])))
}

/// What stands behind a time, without what sticks to it: damage.
fn behind(text: &str) -> String {
    let from = text.find(char::is_whitespace).unwrap_or(text.len());
    text[from..].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_loosely() {
        for (text, expected) in [
            ("00:00:01,000", Some(1000)),
            ("1:02:03.4", Some(3_723_400)),
            ("02:03", Some(123_000)),
            ("00:00:01.123456", Some(1123)),
            ("0:0:1,5", Some(1500)),
            ("00:00:03:500", Some(3500)),
            ("00:00:03:12", Some(3480)),
            ("00.00.01,250", Some(1250)),
            ("-00:00:01,500", Some(-1500)),
            ("-1:00:00,0", Some(-3_600_000)),
            ("99999:00:00,000", None),
            ("101:00:00,000", None),
            ("1", None),
            ("+1:00:00,0", None),
            ("00:00:01,a", None),
            ("00:00:01,äöü", None),
            ("1:1:1:1", None),
            ("1:1:1:1:1", None),
            ("", None),
            (":", None),
        ] {
            assert_eq!(time_ms(text), expected, "{text}");
        }
    }

    /// A hostile line costs what it is long, and not the square of it.
    #[test]
    fn one_line_of_marks_is_words() {
        for piece in ["1,", "1--", "0:1:2,", "00:00:01,000 - "] {
            let line = piece.repeat((4 << 20) / piece.len());
            assert!(matches!(timing(&line), Timing::None | Timing::Unreadable), "{piece}");
        }
        let padded = format!("00:00:05,000 - 00:00:06,000{}", " ".repeat(60));
        assert!(matches!(timing(&padded), Timing::Cue { .. }), "the control");
    }

    #[test]
    fn lines_of_times() {
        let cue = |start_ms, end_ms| Timing::Cue { start_ms, end_ms, rest: String::new() };
        for (line, expected) in [
            ("00:00:01,000 --> 00:00:02,500", cue(1000, 2500)),
            ("0:0:1,5-->0:0:2.5", cue(1500, 2500)),
            ("00:00:03:500 --> 00:00:04:500", cue(3500, 4500)),
            ("00:00:05,000 -> 00:00:06,000", cue(5000, 6000)),
            ("00:00:05,000 - -> 00:00:06,000", cue(5000, 6000)),
            ("00:00:05,000 -- > 00:00:06,000", cue(5000, 6000)),
            ("00:00:05,000 —> 00:00:06,000", cue(5000, 6000)),
            ("00:00:05,000 - 00:00:06,000", cue(5000, 6000)),
            ("00:00:05.00,00:00:06.00", cue(5000, 6000)),
            ("00: 00: 05, 000 -> 00: 00: 06, 000", cue(5000, 6000)),
            ("００：００：０５，０００ --＞ ００：００：０６，０００", cue(5000, 6000)),
            ("12 00:00:05,000 --> 00:00:06,000", cue(5000, 6000)),
            ("-00:00:01,500 --> 00:00:02,000", cue(0, 2000)),
            ("-00:00:02,500 --> -00:00:01,000", Timing::Unreadable),
            ("00:00:04,000 --> 00:00:02,000", Timing::Unreadable),
            ("00:00:04,000 -->", Timing::Unreadable),
            ("--> 00:00:02,000", Timing::Unreadable),
            ("00:0\u{fffd}:04,000 --> 00:00:06,000", Timing::Unreadable),
            ("00:00:04,000 --\u{fffd} 00:00:06,000", Timing::Unreadable),
            ("00:00:04,000 > 00:00:06,000", Timing::Unreadable),
            ("00:00:xx,000 --> 00:00:06,000", Timing::Unreadable),
            ("a --> b", Timing::None),
            ("1984", Timing::None),
            ("10, 9, 8, 7", Timing::None),
            ("- 5 -> 6?", Timing::None),
            ("We met at 12:30, then 13:30.", Timing::None),
            ("12:30, 13:30", Timing::None),
            ("0:05.0 -> 0:06.0", cue(5000, 6000)),
            ("It is 10:20:30 now", Timing::None),
        ] {
            assert_eq!(timing(line), expected, "{line}");
        }
        let rest = |line| match timing(line) {
            Timing::Cue { rest, .. } => rest,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(rest("00:00:07,000 --> 00:00:08,000  X1:100 X2:200"), "X1:100 X2:200");
        assert_eq!(rest("00:00:07,000 --> 00:00:08,000 5 apples"), "5 apples");
        assert_eq!(rest("00:01.000 --> 00:03.000 align:start position:0%"), "align:start position:0%");
    }
}
