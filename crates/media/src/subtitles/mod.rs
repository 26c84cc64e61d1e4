//! Subtitles of any kind of text become WebVTT.
//!
//! The bytes come from strangers: nothing of them is kept but times, words, line breaks, and
//! slanted, bold and underlined. Everything else that could mean something to a browser is
//! escaped or left out. Reading runs in the worker; the functions are pure.

mod ass;
mod charset;
mod place;
mod plain;
mod words;

use std::fmt::Write as _;

/// A subtitle file that is larger holds more than words.
pub const MAX_FILE_BYTES: usize = 8 << 20;
/// More of them are an attack, or an effect that no browser could show.
const MAX_CUES: usize = 30_000;
const MAX_CUE_CHARS: usize = 2_000;
const MAX_TIME_MS: u64 = 100 * 3_600_000;

/// Words, from when to when. `text` is safe to be put into WebVTT.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cue {
    start_ms: u64,
    end_ms: u64,
    /// Of WebVTT, checked: `line:5%`. Often empty.
    settings: String,
    text: String,
}

/// Why there is no WebVTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSubtitle {
    #[error("the subtitle file is larger than any text of a film")]
    TooLarge,
    #[error("the subtitle file is no text")]
    NotText,
    #[error("there is no timed line in the subtitle")]
    Empty,
}

/// Reads SubRip, ASS, SSA or WebVTT in any usual encoding. The answer is at most `max_bytes` long.
///
/// # Errors
/// See [`NoSubtitle`].
pub fn to_webvtt(bytes: &[u8], max_bytes: usize) -> Result<String, NoSubtitle> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(NoSubtitle::TooLarge);
    }
    let text = charset::decode(bytes).ok_or(NoSubtitle::NotText)?;
    let mut cues = if ass::is_ass(&text) { ass::cues(&text) } else { plain::cues(&text) }?;
    cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
    // ASS paints a line more than once, for its shadow and its glow.
    cues.dedup();
    if cues.is_empty() {
        return Err(NoSubtitle::Empty);
    }
    write(&cues, max_bytes)
}

fn write(cues: &[Cue], max_bytes: usize) -> Result<String, NoSubtitle> {
    let mut out = String::from("WEBVTT\n");
    for cue in cues {
        let (start, end) = (Timestamp(cue.start_ms), Timestamp(cue.end_ms));
        let space = if cue.settings.is_empty() { "" } else { " " };
        let _ = write!(out, "\n{start} --> {end}{space}{}\n{}\n", cue.settings, cue.text);
        if out.len() > max_bytes {
            return Err(NoSubtitle::TooLarge);
        }
    }
    Ok(out)
}

/// As WebVTT writes it.
pub(crate) struct Timestamp(pub(crate) u64);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0;
        write!(f, "{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}

/// `1:02:03.45`, `01:02:03,456`, `02:03.456`. Hours may be missing, the fraction too.
fn time_ms(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once(['.', ',']).unwrap_or((text.trim(), ""));
    let mut parts = whole.split(':').rev();
    let number = |text: &str| {
        let plain = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| plain)
    };
    let (seconds, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
    let hours = parts.next().map_or(Some(0), number)?;
    if parts.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{:0<3}", fraction.get(..fraction.len().min(3))?);
    let ms = ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths.parse::<u64>().ok()?;
    (ms <= MAX_TIME_MS).then_some(ms)
}

/// Collects cues up to what a film can have.
#[derive(Default)]
struct Cues(Vec<Cue>);

impl Cues {
    fn add(&mut self, cue: Cue) -> Result<(), NoSubtitle> {
        if cue.end_ms <= cue.start_ms || cue.text.is_empty() {
            return Ok(());
        }
        if self.0.len() >= MAX_CUES {
            return Err(NoSubtitle::TooLarge);
        }
        self.0.push(cue);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: usize = 2 << 20;

    fn check(text: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(to_webvtt(text.as_ref(), ROOM).as_deref(), Ok(expected));
    }

    #[test]
    fn subrip_becomes_webvtt() {
        check(
            "1\r\n00:00:01,000 --> 00:00:02,500\r\nHello <i>there</i>\r\n- Who?\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\n{\\an8}<font color=\"red\">Up</font>\r\n",
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello <i>there</i>\n- Who?\n\n00:00:03.000 --> 00:00:04.000 line:5%\nUp\n",
        );
        // Without numbers, with blank lines inside, out of order, and one that ends before it begins.
        check(
            "0:05.0 --> 0:06.0\nlater\n\n00:00:01,5 --> 00:00:02\nfirst\n\nstill first\n\n00:00:09,0 --> 00:00:08,0\nnever\n",
            "WEBVTT\n\n00:00:01.500 --> 00:00:02.000\nfirst\nstill first\n\n00:00:05.000 --> 00:00:06.000\nlater\n",
        );
    }

    #[test]
    fn webvtt_is_read_and_written_anew() {
        check(
            "WEBVTT - title\nKind: captions\n\nSTYLE\n::cue { background: url(http://x) }\n\nNOTE a --> b\n\nid\n00:01.000 --> 00:02.000 align:start evil:url(x) line:10%\n<v Ana>Tom &amp; <c.red>Jerry</c> &nbsp;x\n\n",
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 align:start line:10%\nTom &amp; Jerry &nbsp;x\n",
        );
    }

    #[test]
    fn ass_keeps_its_words() {
        let head = "[Script Info]\n[V4+ Styles]\nFormat: Name\n[Events]\nFormat: Layer, Start, End, Style, Text\n";
        let events = "Dialogue: 0,0:00:01.00,0:00:02.50,Default,{\\an8\\i1}One, two{\\i0}\\Nthree <b> & four{note}\n\
             Dialogue: 1,0:00:01.00,0:00:02.50,Default,{\\an8\\i1}One, two{\\i0}\\Nthree <b> & four{note}\n\
             Comment: 0,0:00:01.00,0:00:02.50,Default,no\n\
             Dialogue: 0,0:00:03.00,0:00:04.00,Default,{\\p1}m 0 0 l 100 0{\\p0}\n\
             Dialogue: 0,0:00:05.00,0:00:06.00,Default,plain\\hline\n";
        check(
            format!("{head}{events}"),
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.500 line:5%\n<i>One, two</i>\nthree &lt;b&gt; &amp; four\n\n00:00:05.000 --> 00:00:06.000\nplain&nbsp;line\n",
        );
    }

    #[test]
    fn ass_stands_where_it_was_put() {
        let styles = |section: &str, place: u8| {
            format!(
                "[Script Info]\nPlayResX: 1280\nPlayResY: 720\n[{section}]\nFormat: Name, Fontname, Alignment\nStyle: Default,Arial,2\nStyle: Sign,Arial,{place}\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
            )
        };
        let placed = |head: &str, style: &str, text: &str| {
            let made = to_webvtt(format!("{head}Dialogue: 0,0:00:01.00,0:00:02.00,{style},{text}\n").as_bytes(), ROOM);
            let made = made.unwrap();
            let line = made.lines().nth(2).unwrap().to_owned();
            line.strip_prefix("00:00:01.000 --> 00:00:02.000").unwrap().trim().to_owned()
        };
        let head = styles("V4+ Styles", 8);
        for (style, text, expected) in [
            ("Default", "words", ""),
            ("Sign", "words", "line:5%"),
            ("*Sign", "words", "line:5%"),
            ("nobody", "words", ""),
            ("Sign", "{\\an1}words", "position:5% align:left"),
            ("Default", "{\\an7\\an2}words", "line:5% position:5% align:left"),
            ("Default", "{\\a11}words", "line:47% position:95% align:right"),
            ("Default", "{\\pos(320,360)}one\\Ntwo", "line:38% position:25%"),
            ("Sign", "{\\move(640,72,0,0)}words", "line:10% position:50%"),
            ("Default", "{\\pos(nan,1e99)}words", ""),
            ("Default", "{\\an8;line:0}words{\\pos(1,2,--> x)}", "line:0% position:0%"),
        ] {
            assert_eq!(placed(&head, style, text), expected, "{style} {text}");
        }
        assert_eq!(placed(&styles("V4 Styles", 6), "Sign", "words"), "line:5%");
    }

    #[test]
    fn what_could_mean_something_to_a_browser_is_escaped() {
        check(
            "00:01,0 --> 00:02,0\n<script>alert(1)</script><img src=x onerror=y> a --> b <00:01.500> <I onclick=x>c</I>\n",
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=y&gt; a --&gt; b  <i>c</i>\n",
        );
    }

    #[test]
    fn encodings_are_found_out() {
        let cue = |word: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n{word}\n");
        let expected = |word: &str| format!("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{word}\n");
        let german = "Schöne Grüße, daß die Tür größer wäre";
        let latin: Vec<u8> = cue(german).chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        check(&latin, &expected(german));
        check([b"\xef\xbb\xbf", cue(german).as_bytes()].concat(), &expected(german));
        let wide = |big: bool| -> Vec<u8> {
            cue("Привет").encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        check([vec![0xff, 0xfe], wide(false)].concat(), &expected("Привет"));
        check([vec![0xfe, 0xff], wide(true)].concat(), &expected("Привет"));
        check(wide(false), &expected("Привет"));
        // Windows-1251, as Russian subtitles of old are.
        let russian = "Здравствуйте, как ваши дела сегодня";
        let cyrillic: Vec<u8> = cue(russian)
            .chars()
            .map(|c| match u32::from(c) {
                n @ 0x410..=0x44f => u8::try_from(n - 0x410 + 0xc0).unwrap(),
                n => u8::try_from(n).unwrap(),
            })
            .collect();
        check(&cyrillic, &expected(russian));
    }

    #[test]
    fn what_is_no_subtitle_is_refused() {
        for (bytes, why) in [
            (vec![], NoSubtitle::Empty),
            (b"a shopping list".to_vec(), NoSubtitle::Empty),
            (b"\x7fELF\x02\x01\x01\0\0\0\0".repeat(50), NoSubtitle::NotText),
            (vec![b'x'; MAX_FILE_BYTES + 1], NoSubtitle::TooLarge),
            (b"00:01,0 --> 00:02,0\nx\n\n".repeat(MAX_CUES + 1), NoSubtitle::TooLarge),
        ] {
            assert_eq!(to_webvtt(&bytes, ROOM), Err(why));
        }
        let long = format!("00:01,0 --> 00:02,0\n{}\n", "ä".repeat(100_000));
        let text = to_webvtt(long.as_bytes(), ROOM).unwrap();
        assert_eq!(text.matches('ä').count(), MAX_CUE_CHARS);
        assert_eq!(to_webvtt(long.as_bytes(), 1000), Err(NoSubtitle::TooLarge));
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("00:00:01,000", Some(1000)),
            ("1:02:03.4", Some(3_723_400)),
            ("02:03", Some(123_000)),
            ("00:00:01.123456", Some(1123)),
            ("99999:00:00,000", None),
            ("101:00:00,000", None),
            ("1", None),
            ("-1:00:00,0", None),
            ("+1:00:00,0", None),
            ("00:00:01,a", None),
            ("00:00:01,äöü", None),
            ("1:1:1:1", None),
        ] {
            assert_eq!(time_ms(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_cue(words in "[\\PC\n<>&{}\\\\\\-]{0,200}", ass in any::<bool>()) {
            let text = if ass {
                format!("[Events]\nFormat: Start, End, Text\nDialogue: 0:00:01.00,0:00:02.00,{words}\n")
            } else {
                format!("00:01,0 --> 00:02,0\n{words}\n")
            };
            if let Ok(made) = to_webvtt(text.as_bytes(), ROOM) {
                let allowed = ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"];
                let bare = allowed.iter().fold(made.clone(), |text, tag| text.replace(tag, ""));
                prop_assert!(!bare.contains('<'), "{made}");
                let timings = made.lines().filter(|line| line.contains("-->")).count();
                prop_assert_eq!(made.matches('>').count() - allowed.iter().map(|t| made.matches(t).count()).sum::<usize>(), timings);
                if !words.contains('{') {
                    prop_assert_eq!(to_webvtt(made.as_bytes(), ROOM), Ok(made));
                }
            }
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = to_webvtt(&bytes, ROOM);
        }
    }
}
