//! One cue a line: MicroDVD (`{25}{50}words`, in frames), MPL2 (`[10][25]words`, in tenths of a
//! second) and TMPlayer (`00:01:02:words`, from then on).

use super::{Cue, painting::Line, times::span, words::clean};

/// The rate of a film whose own is not known: that of cinema as discs have it.
const USUAL_RATE: f64 = 24_000.0 / 1_001.0;
/// How long words stay that say no end, unless the next ones come sooner.
const UNTIL_NEXT_MS: i64 = 4_000;

/// How a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    MicroDvd,
    Mpl2,
    TmPlayer,
}

impl Kind {
    /// Returns the kind of a text that has such a line near its beginning.
    pub fn of(text: &str) -> Option<Self> {
        let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).take(20);
        [Self::MicroDvd, Self::Mpl2, Self::TmPlayer]
            .into_iter()
            .find(|kind| lines().filter(|line| kind.split(line).is_some()).count() * 2 > lines().count())
    }

    /// From when, to when (where it says so), and the words.
    fn split(self, line: &str) -> Option<(f64, Option<f64>, &str)> {
        match self {
            Self::MicroDvd => counted(line, '{', '}'),
            Self::Mpl2 => counted(line, '[', ']'),
            Self::TmPlayer => {
                let at = line.char_indices().filter(|(_, c)| matches!(c, ':' | '=')).nth(2)?.0;
                let numbers: Vec<&str> = line[..at].split(':').collect();
                let [hours, minutes, seconds] = numbers[..] else { return None };
                let number = |text: &str| digits(text).filter(|n| *n < 100.0);
                let whole = number(hours)? * 3_600.0 + number(minutes)? * 60.0 + number(seconds)?;
                // `00:00:01:500` is a time, and `00:00:01:words` is words.
                let words = &line[at + 1..];
                words.chars().any(char::is_alphabetic).then_some((whole, None, words))
            }
        }
    }
}

/// `{25}{50}words`; the end may be missing.
fn counted(line: &str, open: char, close: char) -> Option<(f64, Option<f64>, &str)> {
    let (start, rest) = line.strip_prefix(open)?.split_once(close)?;
    let (end, words) = rest.strip_prefix(open)?.split_once(close)?;
    let end = if end.is_empty() { None } else { Some(digits(end)?) };
    Some((digits(start)?, end, words))
}

fn digits(text: &str) -> Option<f64> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// `rate`: frames of the film in a second, for a file that does not say its own.
pub fn lines(text: &str, kind: Kind, rate: Option<f64>) -> Vec<Line> {
    let mut unit_ms = match kind {
        Kind::MicroDvd => 1_000.0 / rate.filter(|rate| is_rate(*rate)).unwrap_or(USUAL_RATE),
        Kind::Mpl2 => 100.0,
        Kind::TmPlayer => 1_000.0,
    };
    let mut read: Vec<(i64, Option<i64>, String)> = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some((start, end, words)) = kind.split(line) else { continue };
        // `{1}{1}23.976`: the rate of the frames below.
        if kind == Kind::MicroDvd
            && start <= 1.0
            && let Some(rate) = words.trim().replace(',', ".").parse().ok().filter(|rate| is_rate(*rate))
        {
            unit_ms = 1_000.0 / rate;
            continue;
        }
        #[expect(clippy::cast_possible_truncation, reason = "nine digits times less than a second")]
        let ms = |units: f64| (units * unit_ms).round() as i64;
        read.push((ms(start), end.map(ms), spoken(words)));
    }
    let mut out: Vec<Line> = Vec::new();
    for (at, (start, end, text)) in read.iter().enumerate() {
        let next = read.get(at + 1).map(|(next, ..)| *next).filter(|next| next > start);
        let end = end.unwrap_or_else(|| (start + UNTIL_NEXT_MS).min(next.unwrap_or(i64::MAX)));
        let Some((start_ms, end_ms)) = span(*start, end) else { continue };
        let cue = Cue { start_ms, end_ms, settings: String::new(), text: text.clone() };
        out.push(Line { cue, is_painted: false, style: 0 });
    }
    out
}

fn is_rate(rate: f64) -> bool {
    (5.0..=240.0).contains(&rate)
}

/// Lines lie between bars; `{y:i}` and `/` in front of one mean slanted.
fn spoken(words: &str) -> String {
    let mut all_slanted = false;
    let lines: Vec<String> = words
        .split('|')
        .map(|line| {
            let mut rest = line.trim();
            let mut is_slanted = false;
            while let Some((tag, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                let Some((name, value)) = tag.split_once(':') else { break };
                is_slanted |= name.eq_ignore_ascii_case("y") && value.contains('i');
                all_slanted |= name == "Y" && value.contains('i');
                rest = after.trim_start();
            }
            if let Some(after) = rest.strip_prefix('/') {
                is_slanted = true;
                rest = after;
            }
            if is_slanted || all_slanted { format!("<i>{rest}</i>") } else { rest.to_owned() }
        })
        .collect();
    clean(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}
